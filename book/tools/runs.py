"""Where this was run: a page, and a line below each notebook, from the records that `elsewhere` writes.

A record says for each notebook how it ended: "equal" (every stored text came out again), "ran" (to its end; a sheet
has nothing stored), "differs" or "error". A run of other code than the notebook holds now counts for nothing.
"""

import datetime
import json

from sphinx.application import Sphinx

from book.tools import elsewhere, notebooks

PAGE, MARK = "book/where_this_was_run", "<!-- what the records say -->"
WORDS = {
    "equal": "as stored",
    "ran": "to its end",
    "differs": "other text",
    "error": "stopped",
}


def records() -> dict[str, dict]:
    """Name → record of every place where something was run, in the order of `elsewhere.PLACES`."""
    folder = notebooks.ROOT / elsewhere.RECORDS
    files = [folder / f"{name}.json" for name in elsewhere.PLACES]
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files if file.exists()}


def day(date: str) -> str:
    """2026-11-29 → 29 November 2026"""
    one = datetime.date.fromisoformat(date)
    return f"{one.day} {one:%B %Y}"


def page_lines() -> list[str]:
    """The records in Markdown: for each place what it is and how it went, and what came of each notebook."""
    lines = []
    for record in records().values():
        lines += place_lines(record, elsewhere.current(record))
    return lines or ["No run elsewhere has been recorded for the notebooks as they are now."]


def place_lines(record: dict, entries: dict[str, dict]) -> list[str]:
    """The part of the page about one place."""
    there = len(notebooks.find())
    good = sum(entry["ended"] in elsewhere.GOOD for entry in entries.values())
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    settings = ", ".join(f"`{name}={value}`" for name, value in record["variables"].items())
    dates = sorted({entry["date"] for entry in entries.values()})
    lines = [
        f"## {record['title']}",
        "",
        f"**{good} of {there} notebooks ran to their end with every output as stored**{missing(there, entries)}",
        "",
        f"- When: {' to '.join(day(date) for date in dict.fromkeys(dates[:1] + dates[-1:])) or 'not since they changed'}",
        f"- Versions: Python {record['python']}, {versions}",
        *(
            [f"- segnb: {', '.join(dict.fromkeys(entry['segnb'] for entry in entries.values()))}"]
            if entries
            else []
        ),
        f"- Device: {record['device']}",
        *([f"- Set: {settings}"] if settings else []),
        "- Replaced by installing `segnb`: nothing",
        "",
    ]
    if not entries:
        return lines
    lines += [
        "<details><summary>Each notebook</summary>",
        "",
        "| notebook | outputs | compared | seconds | MB |",
        "|---|---|--:|--:|--:|",
        *(row(key, entry) for key, entry in entries.items()),
        "",
        "</details>",
        "",
    ]
    return lines


def missing(there: int, entries: dict[str, dict]) -> str:
    """What keeps the sentence about a place from being about all notebooks."""
    bad = sum(entry["ended"] not in elsewhere.GOOD for entry in entries.values())
    parts = [f"{bad} did not"] if bad else []
    if left := there - len(entries):
        parts.append(f"{left} not run as {'it is' if left == 1 else 'they are'} now")
    return f"; {', '.join(parts)}." if parts else "."


def row(key: str, entry: dict) -> str:
    """One notebook's line in the table of a place."""
    name = key.removeprefix("chapters/").removesuffix(".ipynb")
    ended = WORDS[entry["ended"]] + (f": {entry['why']}" if entry["why"] else "")
    cells = [f"[{name}](../{key})", ended.replace("|", "\\|"), str(entry["compared"])]
    return f"| {' | '.join([*cells, str(entry['seconds']), str(entry['megabytes'] or '')])} |"


def last_run(page: str) -> str:
    """A sentence on the newest run of the notebook shown on this page, "" where there is none of its code as it is."""
    key = f"{page}.ipynb"
    found = [
        (entries[key]["date"], record, entries[key])
        for record in records().values()
        if key in (entries := elsewhere.current(record))
    ]
    if not found:
        return ""
    date, record, entry = max(found, key=lambda one: one[0])
    ended = {
        "equal": "every output as stored",
        "ran": "to its end",
        "differs": "with other text in places",
        "error": "not to its end",
    }[entry["ended"]]
    return f"Last run elsewhere on {day(date)}, on Python {record['python']} and torch {record['versions']['torch']}: {ended}"


def tell(app: Sphinx, page: str, source: list[str]) -> None:
    """Put what the records say into their page."""
    if page == PAGE:
        source[0] = source[0].replace(MARK, "\n".join(page_lines()))
