"""Run one notebook with the Python that runs this file: `one_notebook.py NOTEBOOK OUT.json`.

Made for environments that are not ours, so it needs nbclient alone. It writes seconds, the kernel's peak memory in
MB, the error that stopped it (None), and the text that each code cell showed.
"""

import json
import re
import sys
import time

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

CELL_TIMEOUT = 1800  # on a machine that does other things too
PEAK = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"


def shown(cell: nbformat.NotebookNode) -> str:
    """The text of a code cell's outputs, in order; without stderr, and however many pieces it was printed in."""
    parts = []
    for output in cell.outputs:
        if output.output_type == "stream" and output.name == "stdout":
            parts.append(output.text)
        elif output.output_type in ("display_data", "execute_result"):
            parts.append("".join(output.data.get("text/plain", "")) + "\n")
    return "".join(parts)


def run(path: str) -> dict:
    """What is written about the notebook at `path`."""
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    for cell in cells:
        cell.outputs = []  # so that what was not reached shows nothing
    notebook.cells.append(nbformat.v4.new_code_cell(PEAK))
    start, error, megabytes = time.perf_counter(), None, None
    try:
        NotebookClient(notebook, timeout=CELL_TIMEOUT, startup_timeout=300, kernel_name="python3").execute()
        megabytes = round(int(notebook.cells[-1].outputs[0].text) / 1024)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as stopped:
        error = re.sub(r"\x1b\[[0-9;]*m", "", str(stopped)).strip().splitlines()[-1]
    return {
        "seconds": round(time.perf_counter() - start),
        "megabytes": megabytes,
        "error": error,
        "shown": [shown(cell) for cell in cells],
    }


if __name__ == "__main__":
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        json.dump(run(sys.argv[1]), out)
