"""A stamp is renewed without a run only where a brief run on old and on new code came out equal."""

import json
import subprocess

import pytest

import segnb
from book.tools import notebooks, restamp, studies

# A repository like this one, as small as can be: its networks have one weight, and its stamps are typed.
FILES = {
    "segnb/__init__.py": """
class History:
    loss, val = [0.5, 0.25], []


class Numbers:
    dtype, shape = "float32", (1,)

    def __init__(self, value):
        self.value = value

    def itself(self):
        return self

    detach = cpu = contiguous = numpy = itself

    def tobytes(self):
        return str(self.value).encode()


class Net:
    weight = 0

    def state_dict(self):
        return {"weight": Numbers(self.weight)}


def fit(model, *, steps):
    model.weight += steps
    return History()
""",
    "book/tools/studies.py": """
import importlib.util


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def gather(found):
    return found[0]
""",
    "book/studies/held.py": """
import time

import segnb


def code():
    return "old stamp"


def one_seed(seed, steps):
    start = time.perf_counter()
    net = segnb.Net()
    segnb.fit(net, steps=steps)
    return {"with": {"score": seed, "none": float("nan"), "seconds": time.perf_counter() - start}}
""",
}
STORED = dict.fromkeys(studies.KEYS, "as it was") | {
    "seeds": [4, 5],
    "steps": 7,
    "figures": {"with": {"score": [4, 5]}},
}


@pytest.fixture
def house(tmp_path, monkeypatch):
    """The repository, committed; then its study moved and changed, without a change to any number."""

    def git(*arguments):
        who = ("-c", "user.name=me", "-c", "user.email=me@here")
        return subprocess.run(
            ["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    def write(files):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)

    def commit(message):
        git("add", "--all")
        git("commit", "--quiet", "--message", message)

    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    monkeypatch.setattr(studies, "RESULTS", tmp_path / "book" / "results")
    git("init", "--quiet")
    write(FILES | {"book/results/held.json": json.dumps(STORED | {"depends_on": [], "code": "old stamp"})})
    commit("The study is run")
    old = FILES["book/studies/held.py"]
    write({"book/studies/room/held.py": old.replace("net", "model").replace("old stamp", "new stamp")})
    (tmp_path / "book" / "studies" / "held.py").unlink()
    house = type("House", (), {"root": tmp_path, "git": staticmethod(git), "commit": staticmethod(commit)})
    house.results = tmp_path / "book" / "results" / "held.json"
    return house


HELD = studies.Study("held", "as it was", None, "cells", (4, 5), 7, 1, False)


def change(house, old, new, name="book/studies/room/held.py"):
    path = house.root / name
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))


def refused(house, why, **options):
    """The study gets no new stamp, for this reason, and nothing is left over."""
    before = house.results.read_bytes()
    with pytest.raises(restamp.NotProven, match=why):
        restamp.restamp(HELD, **options)
    assert house.results.read_bytes() == before
    assert len(house.git("worktree", "list").splitlines()) == 1


def test_equal_runs_renew_the_stamp_and_nothing_else(house):
    commit = restamp.restamp(HELD)
    assert commit == house.git("log", "-1", "--format=%h").strip()
    kept = json.loads(house.results.read_text())
    assert kept.pop("restamped")["since"] == commit
    assert kept == STORED | {"code": "new stamp"}
    assert tuple(kept) == studies.KEYS
    assert len(house.git("worktree", "list").splitlines()) == 1


@pytest.fixture
def other_way(house):
    """The repository, in which stamps come about in another way, and a study that cannot be run."""
    change(house, 'return "new stamp"', "from book.tools import reach\n\n    return reach.stamp()")
    change(house, '"score": seed', '"score": seed / 0')
    (house.root / "book/tools/reach.py").write_text("def stamp():\n    return 'old way'\n")
    house.results.write_text(json.dumps(STORED | {"code": "old way"}))
    house.commit("The study is run again")
    (house.root / "book/tools/reach.py").write_text("def stamp():\n    return 'new way'\n")
    return house


def test_the_same_code_in_another_way_of_stamping_is_not_run(other_way):
    commit = restamp.restamp(HELD)
    kept = json.loads(other_way.results.read_text())
    assert kept.pop("restamped")["since"] == commit
    assert kept == STORED | {"code": "new way"}


def test_other_code_in_another_way_of_stamping_is_run(other_way):
    change(other_way, "reach.stamp()", "reach.stamp() + '!'")
    refused(other_way, "division by zero")


def test_another_way_of_stamping_saves_no_stamp_that_was_stale(other_way):
    way = other_way.root / "book/tools/reach.py"
    way.write_text("def stamp():\n    return 'old way'\n")
    other_way.results.write_text(json.dumps(STORED | {"code": "older way"}))
    other_way.commit("The results are of another code")
    way.write_text("def stamp():\n    return 'new way'\n")
    refused(other_way, "division by zero")


def test_another_figure_is_named(house):
    change(house, '"score": seed', '"score": seed + 1')
    refused(house, "figures, with, score: 4 and 5")


def test_coarse_figures_hide_no_other_training(house):
    change(house, "model.weight += steps", "model.weight += 2 * steps", "segnb/__init__.py")
    refused(house, "trainings 1, weights: ")


def test_another_score_of_a_training_is_named(house):
    change(house, "[0.5, 0.25], []", "[0.5, 0.25], [(9, 0.75)]", "segnb/__init__.py")
    refused(house, "trainings 1, mean IoU: ")


def test_losses_added_up_in_another_order_change_no_figure(house):
    change(house, "0.25", "0.250001", "segnb/__init__.py")
    assert restamp.restamp(HELD) == house.git("log", "-1", "--format=%h", "HEAD").strip()


def test_a_stamp_that_was_stale_proves_nothing(house):
    house.commit("The code is changed, the results are not")
    refused(house, "was stale", since="HEAD")
    assert restamp.restamp(HELD) == house.git("log", "-1", "--format=%h", "HEAD~1").strip()


def test_a_commit_without_the_results_proves_nothing(house):
    house.git("rm", "--cached", "--quiet", "book/results/held.json")
    house.git("commit", "--quiet", "--message", "No results")
    refused(house, "has no book/results/held.json", since="HEAD")
    refused(house, "unknown revision", since="nowhere")


def test_figures_of_another_run_get_no_stamp(house):
    house.results.write_text(
        json.dumps(STORED | {"code": "old stamp", "figures": {"with": {"score": [6, 5]}}})
    )
    refused(house, "not those of")


def test_what_was_never_run_as_it_is_gets_no_stamp(house):
    house.results.write_text(json.dumps(STORED | {"code": "old stamp", "steps": 8}))
    refused(house, "make studies NAME=held")
    house.results.unlink()
    with pytest.raises(restamp.NotProven, match="make studies NAME=held"):
        restamp.restamp(HELD)


def test_a_study_that_fails_gets_no_stamp(house):
    change(house, '"score": seed', '"score": seed / 0')
    refused(house, "ZeroDivisionError: division by zero")


def test_the_code_is_that_of_the_folder_and_no_other(house):
    house.git("rm", "--cached", "-r", "--quiet", "segnb")
    house.git("commit", "--quiet", "--amend", "--message", "No package")
    refused(house, r"ImportError: segnb comes from .*, not from /")


def test_a_study_on_real_pictures_wants_them(house, monkeypatch):
    monkeypatch.setenv("SEGNB_DATA", "generated")
    real = studies.Study("held", "as it was", None, "camvid", (4, 5), 7, 1, True)
    with pytest.raises(segnb.data.DataError, match="SEGNB_DATA"):
        restamp.restamp(real)


def test_one_refusal_stops_no_other_study_and_is_told(house, capsys):
    lost = studies.Study("lost", "?", None, "cells", (4,), 7, 1, False)
    assert restamp.main([lost, HELD], None) == 1
    told = capsys.readouterr()
    assert told.err.startswith("lost: not stamped. It was never run")
    assert told.out.startswith("held: equal to ")


def test_the_command_restamps_what_is_named_or_stale(house, monkeypatch):
    path = house.root / "book" / "studies" / "room" / "held.py"
    head = "from book.tools.studies import study\n\n\n@study(data='cells', seeds=(4, 5), steps=7)\n"
    path.write_text(head + "def one_seed(seed, steps):\n    '''as it was'''\n")
    monkeypatch.setattr(studies, "STUDIES", house.root / "book" / "studies")
    asked = []
    monkeypatch.setattr(restamp, "main", lambda *arguments: asked.append(arguments))
    for arguments in (["--restamp"], ["--restamp", "--since", "then"], ["--restamp", "held"]):
        monkeypatch.setattr("sys.argv", ["studies", *arguments])
        studies.main()
        house.results.write_text(json.dumps(STORED | {"code": studies.load(path).code()}))
    assert [([one.name for one in chosen], since) for chosen, since in asked] == [
        (["held"], None),
        ([], "then"),
        (["held"], None),
    ]
