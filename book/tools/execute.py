"""Run notebooks from a clean kernel and store what they print: `make execute [NB=chapters/06_unet.ipynb]`.

What is stored depends on the notebook alone, so that a second run changes nothing but the cells that are tagged
nbval-ignore-output: no time stamps, no progress bars, no widget state, no version of Python, cell ids that stay. Each
picture's alt text is copied from its output, where Jupyter and Colab read it, to its cell, where the site reads it.
A notebook that fails, warns or shows a picture without alt text is left as it was, and the exit code is 1.
"""

import argparse
import base64
import hashlib
import json
import math
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from book.tools import notebooks
from book.tools.address import FIRST_TAGS, first_cell
from book.tools.folding import asks, folds

CELL_TIMEOUT = 600
FOLDED = "hide-input"  # jupyter-book's word for it
WIDGET = "application/vnd.jupyter.widget-view+json"
MARKUP = "application/vnd.google.colaboratory.intrinsic+json"
METADATA = {
    "accelerator": "GPU",
    "colab": {"gpuType": "T4", "provenance": []},
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
PROBE = "import resource, sys; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, sys.platform)"
READING_SPEED = 200  # words a minute
READING_A_CELL = 20  # seconds


class Unfit(Exception):
    """The notebook ran, but what it shows may not be stored."""


def prepare(notebook: nbformat.NotebookNode, stored_ids: list[str | None]) -> None:
    """Standard first cell and metadata; an id for every cell that has none in the file, made from its text."""
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    if first := notebooks.code_cells(notebook)[:1]:
        first[0].source, first[0].metadata.tags = first_cell(), FIRST_TAGS
    fold(notebook)
    taken = {name for name in stored_ids if name}
    for cell, stored in zip(notebook.cells, stored_ids, strict=True):
        if not stored:
            digest = hashlib.sha256(cell.source.encode()).hexdigest()
            cell.id = next(
                digest[:length] for length in range(8, len(digest)) if digest[:length] not in taken
            )
            taken.add(cell.id)


def fold(notebook: nbformat.NotebookNode) -> None:
    """Tag the cells that a reader of the site need not see (`folding`); tags that somebody set stay.

    A quiz holds its answers, so Colab (`cellView`) and JupyterLab (`jupyter`) fold it too.
    """
    for cell in notebooks.code_cells(notebook):
        if folds(cell.source) and FOLDED not in notebooks.tags(cell):
            cell.metadata.tags = [*notebooks.tags(cell), FOLDED]
        if asks(cell.source):
            cell.metadata |= {"cellView": "form", "jupyter": {"source_hidden": True}}


def run(notebook: nbformat.NotebookNode, folder: Path) -> tuple[float, float]:
    """Execute in place, in `folder`; → seconds and the kernel's peak memory in MB.

    The peak is asked for in one more cell at the end, which is taken out again.
    """
    notebook.cells.append(nbformat.v4.new_code_cell(PROBE))
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        startup_timeout=120,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,  # what a cell prints between two bars stays one text
        extra_arguments=["--log-level=ERROR"],  # not that the kernel talks over a local socket
        resources={"metadata": {"path": str(folder)}},
    )
    start = time.perf_counter()
    try:
        client.execute()
    finally:
        probe = notebook.cells.pop()
    seconds = time.perf_counter() - start
    peak, platform = probe.outputs[0].text.split()
    return seconds, int(peak) / (2**20 if platform == "darwin" else 2**10)


def without_bars(text: str) -> str:
    """What is left of stderr when tqdm's bars (redrawn after a carriage return) are gone."""
    lines = [line for part in text.split("\n") for line in part.split("\r")]
    return "\n".join(line for line in lines if line.strip() and not re.search(r"\d+%\||\d+(it|B) \[", line))


def clean(cell: nbformat.NotebookNode) -> None:
    """Outputs as they are stored: no bars, no widgets, pictures with their alt text. Raises `Unfit`."""
    kept = []
    for output in cell.outputs:
        if output.output_type == "stream" and output.name == "stderr":
            if rest := without_bars(output.text):
                raise Unfit(f"wrote to stderr:\n{rest}")
            continue
        data = output.get("data", {})
        data.pop(WIDGET, None)
        data.pop(MARKUP, None)
        if "text/html" in data:
            # The page shows the HTML, and no drawing in its place.
            own = output.metadata.get("segnb", {})
            own.pop("svg", None)
            if not own:
                output.metadata.pop("segnb", None)
        if "data" in output and not data:
            continue
        kept.append(output)
    cell.outputs = kept
    describe(cell)


def describe(cell: nbformat.NotebookNode) -> None:
    """Copy a picture's alt text to `mystnb.image.alt`; remove one that is left over from an older picture."""
    shown = notebooks.pictures(cell)
    if len(shown) > 1:
        raise Unfit(f"shows {len(shown)} pictures: one a cell")
    myst = cell.metadata.get("mystnb", nbformat.from_dict({}))
    myst.get("image", {}).pop("alt", None)
    if shown:
        alts = [about.get("alt", "") for about in shown[0].metadata.values() if isinstance(about, dict)]
        alt = " ".join(" ".join(alts).split())
        if not alt:
            raise Unfit("shows a picture without alt text (segnb.show.picture(figure, alt) gives it one)")
        myst.setdefault("image", nbformat.from_dict({}))["alt"] = alt
    if not myst.get("image", True):
        del myst["image"]
    if myst:
        cell.metadata["mystnb"] = myst
    else:
        cell.metadata.pop("mystnb", None)


def reading_minutes(notebook: nbformat.NotebookNode) -> int:
    """Minutes it takes to read the text and look at each code cell, in steps of five."""
    seconds = 60 * notebooks.words(notebook) / READING_SPEED
    seconds += READING_A_CELL * len(notebooks.code_cells(notebook))
    return 5 * math.ceil(seconds / 300)


def cost_line(notebook: nbformat.NotebookNode, cost: dict) -> str:
    """What the learner is told about the cost, from what was measured."""
    parts = [
        f"about {reading_minutes(notebook)} minutes to read",
        f"about {cost['cpu_seconds']} seconds to run on 2 CPU cores",
    ]
    if gpu := cost.get("gpu"):
        parts.append(f"about {gpu['seconds']} seconds on {gpu['name']}")
    return f"**What it costs:** {', '.join(parts)}, about {cost['memory_mb']} MB of memory."


def cost_cell(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode | None:
    """The Markdown cell tagged `cost`, which this tool writes."""
    return next((cell for cell in notebook.cells if "cost" in notebooks.tags(cell)), None)


def steady(old: float | None, new: float, step: int) -> int:
    """`new` rounded up to `step`, unless the stored value is within a quarter of it: small swings change nothing."""
    return old if old and abs(new - old) <= 0.25 * old else step * math.ceil(new / step)


def write_cost(notebook: nbformat.NotebookNode, seconds: float, megabytes: float) -> None:
    """Bring the cost cell up to what this run took."""
    if (cell := cost_cell(notebook)) is None:
        return
    old = cell.metadata.get("cost", {})
    cell.metadata["cost"] = {
        **old,
        "cpu_seconds": steady(old.get("cpu_seconds"), seconds, 10),
        "memory_mb": steady(old.get("memory_mb"), megabytes, 100),
    }
    cell.source = cost_line(notebook, cell.metadata["cost"])


def write_gpu_cost(path: Path, name: str, seconds: float) -> None:
    """Record what the notebook took on a GPU, measured elsewhere with --measure."""
    notebook = notebooks.read(path)
    cell = cost_cell(notebook)
    if cell is None or "cost" not in cell.metadata:
        raise Unfit("has no cost cell that was filled by a run on the CPU")
    cell.metadata["cost"]["gpu"] = {"name": name, "seconds": 5 * math.ceil(seconds / 5)}
    cell.source = cost_line(notebook, cell.metadata["cost"])
    notebooks.write(notebook, path)


@contextmanager
def environment(**values: str):
    """These environment variables while it lasts; the kernel inherits them."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def execute(path: Path, store: bool = True) -> str:
    """Run one notebook and store its outputs; → a line about it. Raises what stands in `main`."""
    if subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", str(path)]).returncode:
        raise Unfit("has code that ruff cannot read")
    stored_ids = [cell.get("id") for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    notebook = notebooks.read(path)
    prepare(notebook, stored_ids)
    with environment(SEGNB_SVG="1", **strictness(path)):
        seconds, megabytes = run(notebook, path.parent)
    largest = 0.0
    for number, cell in enumerate(notebooks.code_cells(notebook), start=1):
        try:
            clean(cell)
        except Unfit as error:
            raise Unfit(f"code cell {number} {error}") from None
        for output in notebooks.pictures(cell):
            largest = max(largest, len(base64.b64decode(output.data.get("image/png", ""))) / 1000)
    notebook.metadata.pop("widgets", None)
    notebook.metadata.language_info = METADATA["language_info"]
    if store:
        write_cost(notebook, seconds, megabytes)
        nbformat.validate(notebook)
        notebooks.write(notebook, path)
    return (
        f"{seconds:6.0f} s {megabytes:7.0f} MB  {path.stat().st_size / 1000:6.0f} kB"
        f"  largest picture {largest:4.0f} kB  {notebooks.words(notebook):5d} words"
        f"  {len(notebooks.code_cells(notebook)):3d} cells"
    )


def strictness(path: Path) -> dict[str, str]:
    """A solution notebook must pass its own checks: there, a failed check is an error."""
    return {"SEGNB_STRICT": "1"} if notebooks.kind(path) == "solution" else {}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all but the exercise sheets")
    parser.add_argument("--measure", action="store_true", help="run, tell time and memory, store nothing")
    parser.add_argument("--gpu", metavar="NAME=SECONDS", help="run nothing; store this as the cost on a GPU")
    arguments = parser.parse_args()
    failed = []
    for path in arguments.notebooks or notebooks.find("chapter", "deeper", "solution"):
        path = path.resolve()
        print(f"{os.path.relpath(path):40}", end=" ", flush=True)
        try:
            if arguments.gpu:
                name, _, seconds = arguments.gpu.rpartition("=")
                write_gpu_cost(path, name, float(seconds))
                print("noted")
            else:
                print(execute(path, store=not arguments.measure), flush=True)
        except (CellExecutionError, CellTimeoutError, DeadKernelError, Unfit) as error:
            print(f"FAILED\n{error}", flush=True)
            failed.append(path.name)
    if failed:
        print(f"Not stored: {', '.join(failed)}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
