"""The studies' machinery, and every study: its figures belong to the code as it is now, and it still runs."""

import json
import math
import sys
from pathlib import Path

import pytest

import segnb
from book.tools import notebooks, reach, studies
from segnb.data.sets import SETS, GeneratedSet
from segnb.studies import results

HELD = '''
from book.tools.studies import study


@study(data="cells", seeds=(4, 5), steps=7, brief=1)
def one_seed(seed, steps):
    """Does it count?

    More words.
    """
    return {"with": {"score": seed + steps}, "without": {"score": 0.5, "deep": {"er": seed}}}
'''


@pytest.fixture
def held(tmp_path, monkeypatch):
    """A small study in a folder of its own."""
    monkeypatch.setattr(studies, "STUDIES", tmp_path / "studies")
    monkeypatch.setattr(studies, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(studies.notebooks, "ROOT", tmp_path)
    monkeypatch.setattr(studies.notebooks, "project", lambda: {"version": "0.1.0"})
    path = tmp_path / "studies" / "room" / "held.py"
    path.parent.mkdir(parents=True)
    path.write_text(HELD)
    return path


def test_a_study_runs_every_seed_and_says_how(held, capsys):
    one = studies.load(held)
    stored = one.store()
    assert stored == json.loads(one.path.read_text())
    assert tuple(stored) == studies.KEYS
    assert stored["figures"] == {
        "with": {"score": [11, 12]},
        "without": {"score": [0.5, 0.5], "deep": {"er": [4, 5]}},
    }
    assert (stored["study"], stored["question"]) == ("held", "Does it count?")
    assert stored["command"] == "make studies NAME=held"
    assert (stored["seeds"], stored["steps"], stored["data"]) == ([4, 5], 7, "cells")
    assert stored["code"] == one.code()
    assert "seed 5" in capsys.readouterr().out


def test_the_hash_sees_code_and_nothing_else(held):
    before = studies.load(held).code()
    held.write_text("# a comment\n" + HELD.replace("More words.", "Other words.  \n\n"))
    assert studies.load(held).code() == before
    held.write_text(HELD.replace("seed + steps", "seed - steps"))
    assert studies.load(held).code() != before


def test_the_stamp_is_that_of_the_code_before_the_run(held, monkeypatch):
    one = studies.load(held)
    stamps = iter(["before", "after"])
    monkeypatch.setattr(studies.Study, "code", lambda self: next(stamps))
    assert one.run()["code"] == "before"


def test_a_study_is_found_by_its_name_in_any_folder(held):
    (held.parent / "recipe.py").write_text("from book.tools.studies import study\n")
    other = held.parents[1] / "other" / "another.py"
    other.parent.mkdir()
    other.write_text(HELD)
    assert studies.find() == [other, held]
    other.rename(other.with_name("held.py"))
    with pytest.raises(ValueError, match="held, in"):
        studies.find()


def test_seeds_must_return_the_same_figures():
    with pytest.raises(ValueError, match="different figures"):
        studies.gather([{"a": 1}, {"b": 1}])


def test_a_study_asks_a_question():
    with pytest.raises(ValueError, match="question"):
        studies.study(data="cells", steps=1)(lambda seed, steps: {})


def test_a_real_study_refuses_the_twin(held, monkeypatch):
    monkeypatch.setenv("SEGNB_DATA", "generated")
    held.write_text(HELD.replace('data="cells"', 'data="isbi2012", real=True'))
    one = studies.load(held)
    assert one.command == "make real NAME=held"
    with pytest.raises(segnb.data.DataError, match="SEGNB_DATA"):
        one.store()
    assert not one.path.exists()


def test_the_command_line_names_what_there_is(held, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["studies", "nothing"])
    assert studies.main() == 2
    assert "held" in capsys.readouterr().err


def test_results_are_read_by_name(monkeypatch, tmp_path):
    monkeypatch.setattr("segnb.studies.FOLDERS", (tmp_path / "absent", tmp_path))
    (tmp_path / "found.json").write_text('{"figures": {"a": [1.0]}}')
    assert results("found") == {"figures": {"a": [1.0]}}
    with pytest.raises(FileNotFoundError, match=r"found.*make studies NAME=lost"):
        results("lost")


# --- the studies of the book --------------------------------------------------------------------------------

every = pytest.mark.parametrize("path", studies.find(), ids=lambda path: path.stem)


@every
def test_the_stored_figures_belong_to_the_code(path):
    one = studies.load(path)
    stored = studies.stored(one)
    assert stored, f"never run: {one.command}"
    assert tuple(stored) in (studies.KEYS, (*studies.KEYS, "restamped"))
    assert stored["code"] == one.code(), f"the code has changed since: {one.command}"
    assert (stored["question"], stored["seeds"], stored["steps"]) == (
        one.question,
        list(one.seeds),
        one.steps,
    )
    for figures in studies.leaves(stored["figures"]):
        assert len(figures) == len(one.seeds)
    assert results(one.name) == stored


@pytest.fixture
def few_pictures(monkeypatch):
    """Generated sets of at most 24 pictures a split: a brief run asks whether it runs, not what it finds."""
    for one in SETS.values():
        if isinstance(one, GeneratedSet):
            for split, count in one.module.SPLITS.items():
                monkeypatch.setitem(one.module.SPLITS, split, min(count, 24))


def watched(call):
    """(what a call returns, the code of all functions of segnb/ and book/ that ran, save for imports)."""
    rooms = tuple(str(notebooks.ROOT / room) for room in reach.PACKAGES)
    ours, others = set(), set()

    def note(frame, event, argument):
        code = frame.f_code
        if code in ours or code in others:
            return
        if not code.co_filename.startswith(rooms):
            others.add(code)
            return
        while frame and not (
            frame.f_code.co_name == "<module>" and frame.f_code.co_filename.startswith(rooms)
        ):
            frame = frame.f_back
        if frame is None:
            ours.add(code)

    before = sys.gettrace()
    sys.settrace(note)
    try:
        return call(), ours
    finally:
        sys.settrace(before)


def unreached(one, codes):
    """Those of the codes that lie in no definition which the study's stamp covers, as file:line name."""
    spans = {}
    for part in reach.reached(one.one_seed, one.data):
        if isinstance(part, reach.Definition):
            spans.setdefault(Path(part.module.__file__), []).append(part.lines)
    missing = set()
    for code in codes:
        line = max(line for _, _, line in code.co_lines() if line)
        if not any(first <= line <= last for first, last in spans.get(Path(code.co_filename), ())):
            missing.add(f"{code.co_filename}:{line} {code.co_name}")
    return missing


@every
def test_one_seed_still_runs_and_its_stamp_covers_all_that_ran(path, monkeypatch, few_pictures):
    monkeypatch.setenv("SEGNB_DATA", "generated")
    one = studies.load(path)
    found, codes = watched(lambda: one.one_seed(one.seeds[0], one.brief))
    assert all(math.isfinite(float(value)) for value in studies.leaves(found))
    assert studies.shape(found) == studies.shape(studies.stored(one)["figures"])
    assert one.one_seed.__code__ in codes
    assert unreached(one, codes) == set()


def test_no_results_are_left_over():
    names = {path.stem for path in studies.find()}
    assert {path.stem for path in studies.RESULTS.glob("*.json")} <= names
