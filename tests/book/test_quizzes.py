"""Guess first and Recall of every lecture: how many there are, that no question is left in prose, that no number is typed."""

import ast
import re

import pytest

from book.tools import notebooks
from book.tools.folding import asks

CHAPTERS = notebooks.find("chapter")
LECTURES = notebooks.find("chapter", "deeper")


def name(path):
    return f"{path.parent.name}/{path.stem}"


def quizzes(path):
    """(number of the code cell, cell, the call's name, its arguments) of every guess and Recall of a notebook."""
    found = []
    for number, cell in enumerate(notebooks.code_cells(notebooks.read(path))):
        if asks(cell.source):
            call = ast.parse(cell.source).body[0].value
            values = [ast.literal_eval(one) for one in call.args]
            options = {one.arg: ast.literal_eval(one.value) for one in call.keywords}
            found.append((number, cell, call.func.attr, values, options))
    return found


def printed(cells):
    """Everything these cells show as text."""
    parts = []
    for cell in cells:
        for output in cell.outputs:
            parts.append(output.get("text", "") or output.get("data", {}).get("text/plain", ""))
    return "\n".join(parts)


def numbers(text):
    """The numbers of a text, as they are written, without thousands' commas: decimals keep their zeros."""
    return re.findall(r"(?<![\d.])\d+(?:\.\d+)?", re.sub(r"(?<=\d),(?=\d{3})", "", text))


@pytest.mark.parametrize("path", CHAPTERS, ids=name)
def test_a_chapter_asks_at_least_four_times_and_recalls_at_least_four(path):
    uses = [use for _, _, use, _, _ in quizzes(path)]
    assert uses.count("guess") >= 3
    assert uses.count("recall") == 1
    assert len(uses) >= 4
    *_, (_, _, _, (questions,), _) = quizzes(path)
    assert len(questions) >= 4


@pytest.mark.parametrize("path", LECTURES, ids=name)
def test_recall_stands_below_its_heading(path):
    cells = notebooks.read(path).cells
    (place,) = [i for i, cell in enumerate(cells) if cell.source.startswith("# @title Recall")]
    assert re.search(r"^## Recall\n", cells[place - 1].source, flags=re.M)
    assert "<details>" not in cells[place - 1].source.split("## Recall")[1]


@pytest.mark.parametrize("path", LECTURES, ids=name)
def test_no_guess_is_left_in_prose(path):
    assert not re.search(r"\*\*Guess", notebooks.markdown(notebooks.read(path)))


@pytest.mark.parametrize("path", LECTURES, ids=name)
def test_every_wrong_choice_has_a_sentence_of_its_own(path):
    for _, cell, use, values, _ in quizzes(path):
        for sentences in values[0].values() if use == "recall" else values[1:2]:
            if isinstance(sentences, dict):
                assert 2 <= len(sentences) <= 4, cell.source
                assert len(set(sentences.values())) == len(sentences), cell.source
                assert all(re.search(r"[.?!]$", one) for one in sentences.values()), cell.source


@pytest.mark.parametrize("path", LECTURES, ids=name)
def test_a_guess_is_compared_with_what_a_cell_below_prints(path):
    code = notebooks.code_cells(notebooks.read(path))
    for number, cell, use, values, _ in quizzes(path):
        if use == "guess" and not isinstance(values[1], (dict, list)):
            below = [one for one in code[number + 1 :] if not asks(one.source)]
            shown = {float(one) for one in numbers(printed(below))}
            assert float(values[1]) in shown, cell.source


@pytest.mark.parametrize("path", LECTURES, ids=name)
def test_decimals_and_shares_in_a_guess_stand_in_an_output(path):
    code = notebooks.code_cells(notebooks.read(path))
    shown = printed([one for one in code if not notebooks.plays(one)])
    for _, cell, use, values, _ in quizzes(path):
        if use == "guess":
            told = " ".join(values[1].values()) if isinstance(values[1], dict) else values[2]
            for number in re.findall(r"\d+\.\d+%?|\d+%", told):
                stands = re.search(rf"(?<![\d.]){re.escape(number)}(?!\d)", shown + values[0])
                assert stands, f"{number}: {cell.source}"


@pytest.mark.parametrize("path", LECTURES, ids=name)
def test_a_quiz_is_folded_everywhere(path):
    for _, cell, _, _, _ in quizzes(path):
        assert "hide-input" in notebooks.tags(cell)
        assert cell.metadata.cellView == "form"
        assert cell.metadata.jupyter.source_hidden


@pytest.mark.parametrize("path", LECTURES, ids=name)
def test_what_is_stored_is_what_the_call_makes(path):
    from segnb import demos

    for _, cell, use, values, options in quizzes(path):
        made = getattr(demos, use)(*values, **options)
        (output,) = cell.outputs
        assert output.data["text/html"] == made.html
        assert output.data["text/plain"] == made.text


def test_ids_are_unique_in_a_notebook():
    for path in LECTURES:
        ids = [
            re.search(r'id="(ep-[^"]+)"', cell.outputs[0].data["text/html"])[1]
            for _, cell, *_ in quizzes(path)
        ]
        assert len(ids) == len(set(ids)), path


def test_numbers_are_read_as_written():
    assert numbers("1,415,040 weights; 101 : 1 and 0.990, 71%") == ["1415040", "101", "1", "0.990", "71"]
