"""The figures of the book's studies: what took too long to run live, stored with how it was made."""

import json
from pathlib import Path

# In the wheel the files lie inside the package; in a check-out they lie where `make studies` writes them.
FOLDERS = (
    Path(__file__).parent / "study_results",
    Path(__file__).resolve().parents[1] / "book" / "results",
)


def results(name: str) -> dict:
    """What the study `name` found, as `make studies NAME=name` stored it: a dict.

    It holds `question`, `figures` (nested; each leaf is a list with one number for each of `seeds`), `seeds`,
    `steps`, `data`, `seconds`, `date`, `device`, `versions` and `command`.
    Raises: FileNotFoundError: no such study; the error names those there are.
    """
    for folder in FOLDERS:
        if (path := folder / f"{name}.json").is_file():
            return json.loads(path.read_text(encoding="utf-8"))
    there = sorted({path.stem for folder in FOLDERS for path in folder.glob("*.json")})
    raise FileNotFoundError(
        f"no results of a study {name!r}; there are {', '.join(there) or 'none'}. `make studies NAME={name}` makes them"
    )
