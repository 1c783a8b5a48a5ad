"""Notebooks out of what was handed in: files as they are, and those in a zip. Runs behind the walls: none of it is trusted."""

import io
import json
import re
import zipfile
import zlib

LARGEST_FILE = 50 * 2**20
LARGEST_SUM = 200 * 2**20  # of all that one person's zips unfold to
MOST_FILES = 200
NOTEBOOK = re.compile(r"\.ipynb(\.txt|\.json)?( ?\(\d+\))?$", re.IGNORECASE)
ARCHIVE = re.compile(r"\.(7z|rar|tar|tgz|gz|xz|bz2)$", re.IGNORECASE)


class Unreadable(ValueError):
    """A submission that a person has to look at; the text says why."""


def is_notebook(path: str) -> bool:
    return bool(NOTEBOOK.search(path)) and not is_aside(path)


def is_aside(path: str) -> bool:
    """Whether a path leads through a folder that editors and systems keep for themselves."""
    return any(
        part.startswith((".", "__MACOSX")) for part in re.split(r"[/\\]", path) if part not in ("..", ".")
    )


def unfold(name: str, raw: bytes) -> list[tuple[str, bytes | str]]:
    """(name, bytes) of every notebook in one file; where one cannot be had, a sentence stands in for its bytes."""
    if not name.lower().endswith(".zip") and not raw.startswith(b"PK\x03\x04"):
        return [(name, raw)]
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            inside = [one for one in archive.infolist() if not one.is_dir() and is_notebook(one.filename)]
            if not inside:
                return [(name, f"{name} holds no notebook (.ipynb)")]
            if len(inside) > MOST_FILES:
                return [(name, f"{name} holds more than {MOST_FILES} notebooks")]
            return _members(name, archive, inside)
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError) as error:
        return [(name, f"{name} is damaged or no zip ({type(error).__name__})")]


def _members(name: str, archive: zipfile.ZipFile, inside: list[zipfile.ZipInfo]) -> list[tuple]:
    found, left = [], LARGEST_SUM
    for member in inside:
        label = f"{name}/{member.filename}"
        try:
            with archive.open(member) as handle:
                raw = handle.read(min(LARGEST_FILE, left) + 1)
        except RuntimeError:  # what zipfile raises for want of a password
            found.append((label, f"{label} is locked with a password"))
            continue
        except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, zlib.error) as error:
            found.append((label, f"{label} is damaged ({type(error).__name__})"))
            continue
        left -= len(raw)
        whole = len(raw) <= LARGEST_FILE and left >= 0
        found.append((label, raw if whole else f"{label} is larger than {LARGEST_FILE // 2**20} MB"))
        if left < 0:
            break
    return found


def read_cells(name: str, raw: bytes) -> list[dict]:
    """The cells of a notebook as {source, grade_id, code}. Unreadable if it is none. UTF-8, -16 and -32 are all read."""
    if len(raw) > LARGEST_FILE:
        raise Unreadable(f"{name} is larger than {LARGEST_FILE // 2**20} MB")
    if not raw.strip():
        raise Unreadable(f"{name} is empty")
    try:
        text = raw.decode(json.detect_encoding(raw), errors="replace").lstrip("\ufeff")
        notebook = json.loads(text)
        sheets = notebook.get("worksheets") or [notebook]  # the form of before 2014
        return [read_cell(cell) for sheet in sheets for cell in sheet["cells"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, MemoryError) as error:
        raise Unreadable(f"{name} is damaged or not a notebook ({type(error).__name__})") from None


def read_cell(cell: dict) -> dict:
    marks = cell.get("metadata", {}).get("nbgrader", {})
    is_answer = marks.get("solution") and not marks.get("grade")
    grade_id = marks.get("grade_id") if is_answer else None
    source = "".join(cell.get("source", cell.get("input", "")))
    return {
        "source": source.replace("\r\n", "\n").replace("\r", "\n"),
        "grade_id": grade_id if isinstance(grade_id, str) else None,
        "code": cell.get("cell_type") == "code",
    }
