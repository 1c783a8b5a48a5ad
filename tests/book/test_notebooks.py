"""The form of every notebook: what design and reader may rely on, whatever it teaches."""

import ast
import base64
import re
import statistics

import nbformat
import pytest

from book.tools import notebooks
from book.tools.execute import METADATA, cost_cell, cost_line
from segnb.show import style

ALL = notebooks.find()
EXECUTED = notebooks.find("chapter", "deeper", "solution")
LECTURES = notebooks.find("chapter", "deeper")

# On Colab a directive or a role of MyST is raw text.
DIRECTIVE = re.compile(r"^\s*(?::{3,}|`{3,})\{[\w:-]+\}|\{[\w:-]+\}`", flags=re.M)
# The headings that every lecture has, in this order; between them it is free.
HEADINGS = (
    r"what you will be able to do",
    r"what you need first",
    r"differs? from the paper",
    r"^summary",
    r"^recall",
    r"^exercise",
    r"^references",
)
# A chapter on the task, on measures or on a loss has no one paper that it follows.
FROM_THE_PAPER = ("05", "06", "07", "08")
NETWORKS = [path for path in notebooks.find("chapter") if path.stem[:2] in FROM_THE_PAPER]
# What the code of a lecture on a network does, in this order.
STEPS = (r"load_trained\(", r"segnb\.models\.\w+\(", r"segnb\.fit\(", r"feature_maps\(", r"explore\(")


def name(path):
    return str(path.relative_to(notebooks.CHAPTERS))


every = pytest.mark.parametrize("path", ALL, ids=name)
executed = pytest.mark.parametrize("path", EXECUTED, ids=name)
lecture = pytest.mark.parametrize("path", LECTURES, ids=name)


def test_the_first_chapter_is_there():
    assert (notebooks.CHAPTERS / "06_unet.ipynb").exists()


@every
def test_is_valid_and_carries_only_the_course_s_metadata(path):
    notebook = notebooks.read(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata == nbformat.from_dict(METADATA)  # so: no widget state, no version of Python
    for cell in notebook.cells:
        assert not {"execution", "ExecuteTime", "scrolled", "outputId"} & set(cell.metadata), (
            "times or traces of a tool"
        )
        assert "attachments" not in cell


@every
def test_no_directives(path):
    for cell in notebooks.read(path).cells:
        if cell.cell_type == "markdown":
            assert not DIRECTIVE.search(cell.source), cell.source


def test_directives_are_recognised():
    assert DIRECTIVE.search(":::{note}\nx\n:::")
    assert DIRECTIVE.search("```{exercise}\n```")
    assert DIRECTIVE.search("as {cite:p}`ronneberger2015unet` shows")
    assert not DIRECTIVE.search("```python\nx = {1: 2}\n```\nthe set $\\{a\\}$ and `{}`")


@every
def test_is_small_enough(path):
    notebook = notebooks.read(path)
    live = [
        output.data["text/html"]
        for cell in notebooks.code_cells(notebook)
        for output in cell.outputs
        if 'id="ep-demo-ask' in output.get("data", {}).get("text/html", "")
    ]
    assert path.stat().st_size - sum(map(len, live)) <= 4_000_000
    nets = sum(len(weights) for html in live for weights in re.findall(r'"weights": "([^"]*)"', html))
    assert nets <= 1_400_000, "the nets that run in a page of the book are apart from that, and small"
    for cell in notebooks.code_cells(notebook):
        for output in notebooks.pictures(cell):
            for mime, data in output.data.items():
                if mime.startswith("image/"):
                    size = len(base64.b64decode(data)) if mime != "image/svg+xml" else len(data)
                    assert size <= style.LIMIT, cell.source


@executed
def test_was_run_in_order_from_a_clean_kernel(path):
    counts = [cell.execution_count for cell in notebooks.code_cells(notebooks.read(path))]
    assert counts == list(range(1, len(counts) + 1))


@executed
def test_outputs_are_what_may_be_stored(path):
    for cell in notebooks.code_cells(notebooks.read(path)):
        for output in cell.outputs:
            if output.output_type == "error":
                assert "raises-exception" in notebooks.tags(cell), cell.source
            assert output.get("name") != "stderr", cell.source
            assert not any("widget" in mime for mime in output.get("data", {})), cell.source


@executed
def test_every_picture_is_described_where_jupyter_and_the_site_look(path):
    for cell in notebooks.code_cells(notebooks.read(path)):
        shown = notebooks.pictures(cell)
        assert len(shown) <= 1, cell.source
        site = cell.metadata.get("mystnb", {}).get("image", {}).get("alt")
        if shown:
            own = [about["alt"] for about in shown[0].metadata.values() if "alt" in about]
            assert own, cell.source
            assert " ".join(own[0].split()) == site
        else:
            assert site is None, "alt text of a picture that is gone"


@pytest.mark.parametrize("path", notebooks.find("sheet"), ids=name)
def test_a_sheet_is_handed_out_empty(path):
    for cell in notebooks.code_cells(notebooks.read(path)):
        assert cell.execution_count is None
        assert cell.outputs == []


@lecture
def test_fits_one_lecture(path):
    notebook = notebooks.read(path)
    assert notebooks.words(notebook) <= 2500
    assert len(notebooks.teaching_cells(notebook)) <= 45


@lecture
def test_code_cells_are_short(path):
    lines = sorted(map(notebooks.code_lines, notebooks.teaching_cells(notebooks.read(path))))
    assert statistics.median(lines) <= 6
    assert lines[int(0.9 * (len(lines) - 1))] <= 15
    assert lines[-1] <= 40


def ends_in_a_tuple(source):
    """Whether a cell shows values side by side, without a word that tells them apart."""
    last = ast.parse(re.sub(r"^( *)[%!].*", r"\1pass", source, flags=re.M)).body[-1]
    return isinstance(last, ast.Expr) and isinstance(last.value, ast.Tuple)


@every
def test_no_cell_ends_in_a_bare_tuple(path):
    for cell in notebooks.code_cells(notebooks.read(path)):
        assert not ends_in_a_tuple(cell.source), cell.source


def test_bare_tuples_are_recognised():
    assert ends_in_a_tuple("if x:\n    %pip install y\nx = 1\nx.shape, f'loss {x}'")
    assert not ends_in_a_tuple("a, b = 1, 2\nprint(a, b)")
    assert not ends_in_a_tuple("x = (1, 2)")


@executed
def test_numbers_that_may_differ_are_followed_by_an_assertion(path):
    cells = notebooks.code_cells(notebooks.read(path))
    for number, cell in enumerate(cells[1:], start=1):
        if "nbval-ignore-output" in notebooks.tags(cell):
            here_and_next = "\n".join(one.source for one in cells[number : number + 2])
            assert re.search(r"^\s*assert ", here_and_next, flags=re.M), cell.source


@executed
def test_nothing_is_skipped(path):
    for cell in notebooks.code_cells(notebooks.read(path)):
        assert not {"nbval-skip", "skip-execution"} & set(notebooks.tags(cell)), cell.source


@lecture
def test_frame(path):
    found = notebooks.headings(notebooks.read(path))
    level, title = found[0]
    assert level == 1
    assert re.match(rf"{int(path.stem[:2])} · \w", title), title
    assert [level for level, _ in found].count(1) == 1
    wanted = [one for one in HEADINGS if "paper" not in one or path in NETWORKS]
    titles = [title.lower() for _, title in found]
    places = [next((i for i, title in enumerate(titles) if re.search(one, title)), None) for one in wanted]
    assert None not in places, dict(zip(wanted, places))
    assert places == sorted(places), dict(zip(wanted, places))


@pytest.mark.parametrize("path", notebooks.find("chapter"), ids=name)
def test_every_chapter_has_a_section_on_real_pictures(path):
    section = notebooks.section(notebooks.read(path), notebooks.REAL_SECTION)
    code = [cell.source for cell in notebooks.code_cells(nbformat.v4.new_notebook(cells=section))]
    assert re.search(r"segnb\.data\.choose\(|data\.choose\(", code[0]), (
        "it begins with the cell that gets them"
    )
    assert any(re.search(r"^ *assert ", source, flags=re.M) for source in code)
    assert any("segnb.results(" in source for source in code), "the row of its study on real pictures"
    before = section[0].source + (section[1].source if section[1].cell_type == "markdown" else "")
    assert re.search(r"\b(187|19) MB\b", before), "what it will fetch is said before"


@lecture
def test_the_story_is_told_on_generated_pictures(path):
    notebook = notebooks.read(path)
    real = notebooks.section(notebook, notebooks.REAL_SECTION)
    for cell in notebooks.code_cells(notebook):
        if not any(cell is one for one in real):
            assert "choose(" not in cell.source
            assert not re.search(r"load\(\s*.(camvid|isbi2012|pets|folder)\b", cell.source)


# A paragraph that begins with a number and a full stop, and a fold whose text follows its summary on the next line though
# it holds Markdown: neither looks as it was meant.
ACCIDENT = re.compile(r"(?:\A|\n\n)(?!1\.)\d+\. +\S")
FOLD = re.compile(r"</summary>[^\n]*\n(?!\n)(.*?)</details>", flags=re.S)


def accidents(source):
    """The places of a Markdown text that will be read otherwise than they look."""
    source = re.sub(r"^```.*?^```", "", source, flags=re.S | re.M)
    found = [match[0].strip() for match in ACCIDENT.finditer(source)]
    return found + [fold for fold in FOLD.findall(source) if re.search(r"`|\*\w|\]\(|\$", fold)]


@every
def test_markdown_is_read_as_it_looks(path):
    for cell in notebooks.read(path).cells:
        if cell.cell_type == "markdown":
            assert accidents(cell.source) == []


def test_accidents_are_recognised():
    assert accidents("28. At the bottom the picture is small")
    assert accidents("Text.\n\n3. More")
    assert not accidents("1. First\n2. Second")
    assert not accidents("It has 3.5 points. 28 remain.")
    assert accidents("<details><summary>Why?</summary>\nBecause of `x`.\n</details>")
    assert not accidents("<details><summary>Why?</summary>\n\nBecause of `x`.\n</details>")
    assert not accidents("<details><summary>Why?</summary>\nBecause.\n</details>")


@lecture
def test_the_box_for_those_who_start_here_is_short(path):
    text = notebooks.markdown(notebooks.read(path))
    box = re.search(r"<summary>[^\n]{0,20}start here.*?</details>", text, flags=re.S | re.I)
    assert box
    assert len(re.sub(r"<[^>]+>|^```.*?^```", " ", box[0], flags=re.S | re.M).split()) <= 200


@pytest.mark.parametrize("path", NETWORKS, ids=name)
def test_a_network_is_shown_trained_then_built_then_looked_into(path):
    code = "\n".join(cell.source for cell in notebooks.code_cells(notebooks.read(path)))
    places = [match.start() if (match := re.search(step, code)) else None for step in STEPS]
    assert None not in places, dict(zip(STEPS, places))
    assert places == sorted(places), dict(zip(STEPS, places))
    first_screen = "\n".join(cell.source for cell in notebooks.code_cells(notebooks.read(path))[:5])
    assert "load_trained(" in first_screen


@lecture
def test_the_cost_is_what_was_measured(path):
    notebook = notebooks.read(path)
    cell = cost_cell(notebook)
    assert cell is not None, "a Markdown cell tagged `cost` is missing; make execute fills it"
    assert cell.source == cost_line(notebook, cell.metadata["cost"])


def test_demos_and_quizzes_are_no_code_to_be_read():
    sources = [
        "segnb.demos.atrous()",
        "# @title Recall\nsegnb.demos.recall({})",
        "x = 1",
        "# segnb.demos.x\ny = 2",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in sources])
    assert [cell.source[-1] for cell in notebooks.teaching_cells(notebook)] == ["1", "2"]


def test_words_leaves_out_what_is_not_read():
    cells = [
        "# A title of six words, here",
        "Two words $x + y$ and `code`.\n\n```python\nnot counted = 1\n```\n\n$$\na + b\n$$",
        "<details>\n<summary>Why?</summary>\n\nfolded away\n</details>\n\n[a link](https://example.org/not/counted)",
        "## References\n\nnot counted at all",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(cell) for cell in cells])
    assert notebooks.words(notebook) == 6 + 4 + 2
