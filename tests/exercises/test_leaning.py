"""`segnb.check` says at once what an answer takes from another cell; imports, wherever they stand, it may take."""

import linecache

import pytest

import segnb
from segnb.exercises.leaning import leans_on

ANSWER = "def crop_and_concat(skip, up):\n    return cut(skip, up)"
HELPER = "def cut(skip, up):\n    return torch.cat([skip, up], SIDE)"


def run(*cells):
    """What a notebook knows after these cells."""
    names = {"__name__": "__main__"}
    for number, source in enumerate(cells):
        file = f"<leaning {len(cells)} {number}>"
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        exec(compile(source, file, "exec"), names)
    return names


@pytest.mark.parametrize(
    ("cells", "leans"),
    [
        (["import torch\nSIDE = 1", HELPER, ANSWER], ["cut"]),
        (["import torch\nSIDE = 1", f"{HELPER}\n\n{ANSWER}"], ["SIDE"]),
        (["import torch", f"SIDE = 1\n{HELPER}\n\n{ANSWER}"], []),
        (["from math import sqrt", "def crop_and_concat(skip, up):\n    return sqrt(len(skip))"], []),
        (["", "def crop_and_concat(skip, up):\n    later = skip\n    return [later for _ in up]"], []),
        (
            ["rate = 3", "class crop_and_concat:\n    def __call__(self, skip, up):\n        return rate"],
            ["rate"],
        ),
    ],
)
def test_what_an_answer_takes_from_other_cells(cells, leans):
    assert leans_on(run(*cells)["crop_and_concat"]) == leans


def test_check_says_so_and_is_silent_about_the_course(capsys, monkeypatch):
    monkeypatch.delenv("SEGNB_STRICT", raising=False)
    segnb.check("crop_and_concat", run("import torch\nSIDE = 1", HELPER, ANSWER, "")["crop_and_concat"])
    assert "leans on `cut` from another cell. Put it into this one" in capsys.readouterr().out
    assert leans_on(segnb.exercises.registry["crop_and_concat"].reference) == []
    assert leans_on(3) == []
