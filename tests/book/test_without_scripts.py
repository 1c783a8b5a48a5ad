"""Notebooks where scripts, styles and drawings are dropped, as on GitHub: nothing is empty, and words say what is to be seen."""

import base64
import io
import re

import nbformat
import pytest
import torch
from bs4 import BeautifulSoup, Comment
from IPython.core.formatters import DisplayFormatter
from PIL import Image

from book.tools import notebooks
from segnb import demos, show
from segnb.show import style

DROPPED = ("script", "style", "svg", "canvas", "iframe", "object", "input", "button", "select", "textarea")
every = pytest.mark.parametrize(
    "path", notebooks.find(), ids=lambda path: str(path.relative_to(notebooks.CHAPTERS))
)


def sanitised(html):
    """What is left of a piece of HTML: no script, style, drawing or control; pictures only from an address."""
    left = BeautifulSoup(html, "html.parser")
    for element in left.find_all(DROPPED):
        element.decompose()
    for comment in left.find_all(string=lambda text: isinstance(text, Comment)):
        comment.extract()
    for image in left.find_all("img"):
        if not image.get("src", "").startswith("https://"):
            image.decompose()
    return left


def words(html):
    return " ".join(sanitised(html).get_text(" ").split())


def outputs(path):
    """(source, output) for everything that the notebook shows."""
    for cell in notebooks.code_cells(notebooks.read(path)):
        for output in cell.outputs:
            yield cell.source, output


def left_of(output):
    """What such a page shows of an output: HTML comes before a picture, a picture before plain text."""
    if output.output_type == "stream":
        return output.text.strip()
    if output.output_type == "error":
        return output.evalue
    if "text/html" in output.data:
        return words(output.data["text/html"])
    return output.data.get("image/png") or output.data.get("text/plain", "").strip()


@every
def test_no_cell_is_empty(path):
    for source, output in outputs(path):
        assert left_of(output), source
    for cell in notebooks.read(path).cells:
        if cell.cell_type == "markdown":
            assert words(cell.source) or sanitised(cell.source).find("img"), cell.source


@every
def test_what_moves_says_in_words_what_it_shows(path):
    for source, output in outputs(path):
        if "text/html" in output.get("data", {}):
            assert len(left_of(output).split()) >= 4, source


@every
def test_pictures_and_what_moves_have_a_sentence_as_plain_text(path):
    for source, output in outputs(path):
        data = output.get("data", {})
        if (
            "image/png" in data
            or "ep-player" in data.get("text/html", "")
            or 'class="ep-demo"' in data.get("text/html", "")
        ):
            said = data["text/plain"]
            assert re.fullmatch(r"[^<].*[.?!]", said, flags=re.S), said
            assert len(said.split()) >= 4, said
            assert "image/png" in data, source


@every
def test_questions_keep_their_folds(path):
    for source, output in outputs(path):
        if 'class="ep-quiz"' in output.get("data", {}).get("text/html", ""):
            left = sanitised(output.data["text/html"])
            assert left.find("details"), source
            assert "Answer: " in output.data["text/plain"], source


@every
def test_a_table_in_html_has_its_twin_in_text(path):
    for source, output in outputs(path):
        if (
            "<table" in output.get("data", {}).get("text/html", "")
            and 'class="ep-demo"' not in output.data["text/html"]
        ):
            for cell in BeautifulSoup(output.data["text/html"], "html.parser").find_all(["th", "td"]):
                assert cell.get_text() in output.data["text/plain"], source


@every
def test_pictures_have_twice_the_pixels_they_are_shown_at(path):
    for source, output in outputs(path):
        if "image/png" in output.get("data", {}):
            wide = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))).size[0]
            shown = output.metadata["image/png"]["width"]
            assert shown <= round(style.WIDTH * style.SHOWN), source
            assert wide >= 1.5 * shown, source  # less than twice only where noise would be too large a file


def made(thing):
    """What a kernel would store of an object that a cell ends in."""
    data, metadata = DisplayFormatter().format(thing)
    return nbformat.from_dict({"output_type": "execute_result", "data": data, "metadata": metadata})


@pytest.mark.parametrize(
    "thing",
    [
        show.compare([torch.eye(3)], alt="A bright diagonal of three pixels."),
        show.player([torch.zeros(3, 2, 2), torch.ones(3, 2, 2)], ["All is dark.", "All is bright."]),
        demos.transposed(),
        demos.guess("How many classes?", {"two": "Cell and membrane.", "three": "Void is no class."}),
        show.table({"U-Net": [31_030_658, 0.9]}, ["parameters", "time (s)"]),
    ],
    ids=["picture", "player", "demo", "quiz", "table"],
)
def test_what_is_made_today_is_neither_empty_nor_dumb(thing):
    output = made(thing)
    assert left_of(output)
    if html := output.data.get("text/html"):
        assert len(words(html).split()) >= 4
    assert not output.data["text/plain"].startswith("<")
    assert len(output.data["text/plain"].split()) >= 4


def test_what_is_dropped_is_dropped():
    html = (
        "<style>a{}</style><svg><title>a drawing</title></svg><script>let x = 1;</script><button>Play</button>"
        '<!-- a remark --><img alt="a street" src="data:image/png;base64,AA==">'
    )
    assert words(html) == ""
    assert words(html + "<p>Drag <b>here</b>.</p>") == "Drag here ."
    assert sanitised('<img src="https://example.org/street.png">').find("img")


@pytest.mark.parametrize(
    "output",
    [
        nbformat.v4.new_output("stream", text="\n"),
        nbformat.v4.new_output("display_data", data={"text/html": "<svg></svg>", "text/plain": "a net"}),
        nbformat.v4.new_output("display_data", data={"image/svg+xml": "<svg></svg>"}),
    ],
)
def test_empty_outputs_are_recognised(output):
    assert not left_of(output)
