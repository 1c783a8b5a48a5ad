"""The studies' machinery, and every study: its figures belong to the code as it is now, and it still runs."""

import json
import math

import pytest

import segnb
from book.tools import studies
from segnb.data.sets import SETS, GeneratedSet
from segnb.studies import results

HELD = '''
from book.tools.studies import study


@study(depends_on=["segnb.metrics", "segnb.losses.dice"], data="cells", seeds=(4, 5), steps=7, brief=1)
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
    (tmp_path / "studies").mkdir()
    path = tmp_path / "studies" / "held.py"
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


def test_the_hash_sees_the_modules_it_depends_on(held, monkeypatch, tmp_path):
    before = studies.load(held).code()
    changed = tmp_path / "metrics.py"
    changed.write_text(studies.module_file("segnb.metrics").read_text(encoding="utf-8") + "\nTOLERANCE = 2\n")
    real = studies.module_file
    monkeypatch.setattr(
        studies, "module_file", lambda name: changed if name == "segnb.metrics" else real(name)
    )
    assert studies.load(held).code() != before


def test_a_module_hidden_by_a_function_of_its_name_is_found():
    assert studies.module_file("segnb.losses.cross_entropy").name == "cross_entropy.py"
    with pytest.raises(ModuleNotFoundError, match=r"segnb\.nothing"):
        studies.module_file("segnb.nothing")


def test_essence():
    source = (
        '"""Doc."""\nx = "# no comment"  # comment\n\n\ndef f():\n    """Doc\n    of f."""\n    return 1   \n'
    )
    assert studies.essence(source) == 'x = "# no comment"\ndef f():\n    return 1'


def test_seeds_must_return_the_same_figures():
    with pytest.raises(ValueError, match="different figures"):
        studies.gather([{"a": 1}, {"b": 1}])


def test_a_study_asks_a_question():
    with pytest.raises(ValueError, match="question"):
        studies.study(depends_on=[], data="cells", steps=1)(lambda seed, steps: {})


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


# --- the studies of the book ----------------------------------------------------------------------------------------

every = pytest.mark.parametrize("path", studies.find(), ids=lambda path: path.stem)


@every
def test_the_stored_figures_belong_to_the_code(path):
    one = studies.load(path)
    stored = studies.stored(one)
    assert stored, f"never run: {one.command}"
    assert tuple(stored) == studies.KEYS
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
    """Generated sets of at most 24 pictures a split: a brief run asks whether the study still runs, not what it finds."""
    for one in SETS.values():
        if isinstance(one, GeneratedSet):
            for split, count in one.module.SPLITS.items():
                monkeypatch.setitem(one.module.SPLITS, split, min(count, 24))


@every
def test_one_seed_still_runs(path, monkeypatch, few_pictures):
    monkeypatch.setenv("SEGNB_DATA", "generated")
    one = studies.load(path)
    found = one.one_seed(one.seeds[0], one.brief)
    assert all(math.isfinite(float(value)) for value in studies.leaves(found))
    assert studies.shape(found) == studies.shape(studies.stored(one)["figures"])


def test_no_results_are_left_over():
    names = {path.stem for path in studies.find()}
    assert {path.stem for path in studies.RESULTS.glob("*.json")} <= names
