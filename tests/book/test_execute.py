"""`make execute`: what it stores, what it refuses, and that a second run changes nothing."""

import json

import nbformat
import pytest

from book.tools import execute, notebooks

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
DRAW = f"""from base64 import b64decode

from IPython.display import display

png = b64decode("{PNG}")
display({{"image/png": png, "text/plain": "one pixel"}}, metadata={{"image/png": {{"alt": "One grey\\npixel"}}}}, raw=True)
print("drawn")"""


def write(path, *sources, cost=False):
    cells = [nbformat.v4.new_code_cell("replaced = True")]
    if cost:
        cells.append(nbformat.v4.new_markdown_cell("", metadata={"tags": ["cost"]}))
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"widgets": {"state": {}}, "toc": {}})
    text = json.loads(nbformat.writes(notebook))
    text["nbformat_minor"] = 4  # as an older tool writes it, without ids
    for cell in text["cells"]:
        del cell["id"]
    path.write_text(json.dumps(text))
    return path


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A notebook that was executed, and its text after the first run and after the second."""
    path = write(tmp_path_factory.mktemp("chapters") / "06_trial.ipynb", DRAW, "21 + 21", cost=True)
    report = execute.execute(path)
    first = path.read_text(encoding="utf-8")
    execute.execute(path)
    return path, first, report


def test_a_second_run_changes_nothing(stored):
    path, first, _ = stored
    assert path.read_text(encoding="utf-8") == first


def test_what_is_stored(stored):
    path, _, report = stored
    notebook = notebooks.read(path)
    nbformat.validate(notebook)
    assert notebook.metadata == nbformat.from_dict(execute.METADATA)
    first, draw, add = notebooks.code_cells(notebook)
    assert [cell.execution_count for cell in (first, draw, add)] == [1, 2, 3]
    assert first.source == execute.first_cell()
    assert draw.metadata.mystnb.image.alt == "One grey pixel"
    assert draw.outputs[0].metadata["image/png"].alt == "One grey\npixel"
    assert draw.outputs[1].text == "drawn\n"
    assert add.outputs[0].data == {"text/plain": "42"}
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    assert "3 cells" in report


def test_the_cost_is_written_from_what_was_measured(stored):
    cell = execute.cost_cell(notebooks.read(stored[0]))
    assert cell.metadata.cost.cpu_seconds >= 10  # ten at least: it is rounded up
    assert 100 <= cell.metadata.cost.memory_mb <= 5000
    assert cell.source.startswith("**What it costs:** about 5 minutes to read, about ")
    assert "GPU" not in cell.source  # nobody has measured it there


def test_a_gpu_s_time_is_noted_without_a_run(stored, tmp_path):
    path = tmp_path / "06_trial.ipynb"
    path.write_text(stored[0].read_text(encoding="utf-8"), encoding="utf-8")
    execute.write_gpu_cost(path, "an H100", 21.3)
    assert "about 25 seconds on an H100" in execute.cost_cell(notebooks.read(path)).source


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("1 +", "ruff cannot read"),
        ("import warnings\nwarnings.warn('look out')", "look out"),
        ("import sys\nsys.stderr.write('trouble')", "trouble"),
        (DRAW.replace('"alt": "One grey\\npixel"', ""), "without alt text"),
        (DRAW + "\n" + DRAW, "2 pictures"),
    ],
    ids=["an error", "no Python", "a warning", "stderr", "no alt text", "two pictures"],
)
def test_what_must_not_be_stored_is_refused(tmp_path, monkeypatch, capsys, source, why):
    path = write(tmp_path / "06_trial.ipynb", source)
    monkeypatch.setattr(execute, "first_cell", lambda: "quick = True")
    monkeypatch.setattr("sys.argv", ["execute", str(path)])
    assert execute.main() == 1
    said = capsys.readouterr().out
    assert why in said
    assert "Not stored: 06_trial.ipynb" in said
    assert all(not cell.outputs for cell in notebooks.code_cells(notebooks.read(path)))


def test_a_solution_runs_strictly_and_nothing_else_does(tmp_path):
    assert execute.strictness(tmp_path / "solutions" / "06_unet.ipynb") == {"SEGNB_STRICT": "1"}
    assert execute.strictness(tmp_path / "chapters" / "06_unet.ipynb") == {}
    assert execute.strictness(tmp_path / "deeper" / "06_unet.ipynb") == {}


def test_progress_bars_are_dropped_and_words_are_kept():
    bar = (
        "\r  0%|          | 0/9 [00:00<?, ?it/s]\r 50%|█████     | 4/9 [00:01<00:01,  3.2it/s, loss=0.6]\r"
        + " " * 40
    )
    assert execute.without_bars(bar + "\n") == ""
    assert execute.without_bars("\r12it [00:03,  3.9it/s]\n") == ""
    assert execute.without_bars(bar + "\nUserWarning: look out\n") == "UserWarning: look out"


def test_widgets_leave_their_picture():
    cell = nbformat.v4.new_code_cell("explore()")
    view = {execute.WIDGET: {"model_id": "x"}}
    cell.outputs = [
        nbformat.v4.new_output("display_data", data=dict(view)),
        nbformat.v4.new_output(
            "display_data",
            data={**view, "image/png": PNG, "text/plain": "a map"},
            metadata={"image/png": {"alt": "A map of membranes"}},
        ),
    ]
    execute.clean(cell)
    assert [set(output.data) for output in cell.outputs] == [{"image/png", "text/plain"}]
    assert cell.metadata.mystnb.image.alt == "A map of membranes"


def test_alt_text_goes_when_its_picture_goes():
    cell = nbformat.v4.new_code_cell("1", metadata={"mystnb": {"image": {"alt": "old"}}})
    execute.clean(cell)
    assert "mystnb" not in cell.metadata
    cell.metadata["mystnb"] = nbformat.from_dict({"image": {"alt": "old", "width": "80%"}})
    execute.clean(cell)
    assert cell.metadata.mystnb == {"image": {"width": "80%"}}


def test_small_swings_of_a_measurement_change_nothing():
    assert execute.steady(None, 41, 10) == 50
    assert execute.steady(50, 41, 10) == 50
    assert execute.steady(50, 62, 10) == 50
    assert execute.steady(50, 63, 10) == 70
    assert execute.steady(50, 30, 10) == 30
