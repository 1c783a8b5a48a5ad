"""Run all notebooks where others will run them: `make colab`, `make oldest`, `make other-cpu`.

An environment is made of the pins in book/pins/, the wheel is installed into it as a first cell does it, and nothing there
may be replaced by that. Then each notebook runs by itself from an empty folder, and the text that it shows is
compared with what is stored. What came of it is written to book/runs/NAME.json after each notebook, so that a run that was stopped
tells what it got to; the page "Where this was run" is made from these files (`runs`).
"""

import argparse
import configparser
import datetime
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from book.tools import execute, notebooks, one_notebook, wheel

RUNNER = Path(one_notebook.__file__)
PINS = "book/pins"
RECORDS = "book/runs"
GOOD = ("equal", "ran")  # every stored text came out again; ran to its end, with nothing stored
TOLD = ("torch", "torchvision", "numpy", "matplotlib", "ipywidgets", "ipython")
LIST = (
    "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
)
SETUP = "import platform, segnb; segnb.setup(); print(platform.python_version())"


@dataclass(frozen=True)
class Place:
    """Somewhere to run: what it is called, its pins, its Python, and what is set there."""

    title: str
    pins: str
    python: str
    variables: dict[str, str] = field(default_factory=dict)


PLACES = {
    "colab-3.13": Place("Colab, August 2026", "colab-3.13", "3.13"),
    "colab-3.12": Place("Colab, July 2026", "colab-3.12", "3.12"),
    "oldest": Place("The oldest versions that are allowed", "oldest", "3.11"),
    # oneDNN and torch choose their code by what the processor can; here they are told that it is a laptop's.
    "other-cpu": Place(
        "Colab, July 2026, with another processor's arithmetic",
        "colab-3.12",
        "3.12",
        {"SEGNB_DTYPE": "float32", "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    ),
}


class NotRun(Exception):
    """Why nothing could be run there."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("place", choices=PLACES)
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of them")
    parser.add_argument("--missing", action="store_true", help="only what has not gone well as it is now")
    parser.add_argument(
        "--environments", type=Path, default=Path("build/environments"), help="5 GB each are kept here"
    )
    arguments = parser.parse_args()
    paths = [path.resolve() for path in arguments.notebooks] or notebooks.find()
    try:
        return go(arguments.place, paths, arguments.environments.resolve(), arguments.missing)
    except NotRun as reason:
        print(f"{arguments.place}: {reason}", file=sys.stderr)
        return 2


def go(name: str, paths: list[Path], environments: Path, missing: bool) -> int:
    """Run these notebooks in one place and keep its record up to date. → 1 if one of them ended otherwise than stored

    missing: leave out those that have gone well there as they are now.
    """
    place = PLACES[name]
    python = environment(place, environments / place.pins)
    replaced, added = install(python)
    if replaced:
        raise NotRun(f"installing segnb replaced {', '.join(replaced)}")
    print(f"{name}: nothing was replaced; added {', '.join(added) or 'nothing'}", flush=True)
    record = about(place, python)
    file = notebooks.ROOT / RECORDS / f"{name}.json"
    record["notebooks"] = earlier(file, record)
    done = {key for key, entry in current(record).items() if entry["ended"] in GOOD} if missing else ()
    said, failed = f"{installed(python)['segnb']} ({commit()})", 0
    for path in paths:
        key = path.relative_to(notebooks.ROOT).as_posix()
        if key in done:
            continue
        result = {"segnb": said, **run_one(path, python, place.variables)}
        record["notebooks"][key] = result
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        failed |= result["ended"] not in GOOD
        print(f"{result['seconds']:6.0f} s  {result['ended']:8} {key}  {result['why']}", flush=True)
    return failed


def interpreter(version: str) -> str:
    """A Python of this version: one on the path that starts, else one of pyenv's. NotRun: there is none."""
    home = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = [
        shutil.which(f"python{version}"),
        *map(str, sorted(home.glob(f"versions/{version}.*/bin/python"))),
    ]
    for one in filter(None, found):
        if subprocess.run([one, "--version"], capture_output=True).returncode == 0:
            return one
    raise NotRun(f"there is no Python {version} here (pyenv install {version})")


def environment(place: Place, folder: Path) -> Path:
    """The Python of an environment with the pins of this place; it is made where it is missing. NotRun: it can't be."""
    python, done = folder / "bin" / "python", folder / "pins.txt"
    pins = notebooks.ROOT / PINS / f"{place.pins}.txt"
    if not done.exists() or done.read_text() != pins.read_text():
        commands = (
            [interpreter(place.python), "-m", "venv", "--clear", str(folder)],
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(pins)],
        )
        for command in commands:
            if subprocess.run(command).returncode:
                raise NotRun("its environment cannot be made")
        shutil.copy(pins, done)
    return python


def install(python: Path) -> tuple[list[str], list[str]]:
    """Install the wheel of the working tree there. → the packages that it replaced, and those that came with it"""
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "uninstall", "--quiet", "--yes", "segnb"], check=True, capture_output=True)
    before = installed(python)
    with tempfile.TemporaryDirectory() as place:
        made = wheel.build(Path(place))
        if subprocess.run([*pip, "install", "--quiet", str(made)]).returncode:
            raise NotRun("the wheel cannot be installed")
    after = installed(python)
    replaced = [f"{name} {old}" for name, old in before.items() if after.get(name) != old]
    return replaced, sorted(after.keys() - before.keys() - {"segnb"})


def installed(python: Path) -> dict[str, str]:
    """Name → version of every package in an environment."""
    done = subprocess.run([str(python), "-c", LIST], cwd="/", env=plain({}), capture_output=True, check=True)
    return json.loads(done.stdout)


def about(place: Place, python: Path) -> dict:
    """What the record says of the place itself."""
    setup = subprocess.run(
        [str(python), "-c", SETUP], cwd="/", env=plain(place.variables), capture_output=True, text=True
    )
    if setup.returncode:
        raise NotRun(setup.stderr.strip().splitlines()[-1])
    *_, device, version = (line for line in setup.stdout.splitlines() if not line.startswith("as asked"))
    versions = installed(python)
    return {
        "title": place.title,
        "python": version,
        "versions": {name: versions[name] for name in TOLD},
        "device": f"{device.removeprefix('device: ')}; {processor()}",
        "variables": place.variables,
    }


def processor() -> str:
    """The processor's name and how many cores there are."""
    told = Path("/proc/cpuinfo")
    name = re.search(r"^model name\s*: (.*)$", told.read_text() if told.exists() else "", flags=re.M)
    return f"{name[1] if name else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def commit() -> str:
    """The commit that was run, and whether something was changed since."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty=, changed"],
        cwd=notebooks.ROOT,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip() or "no commit"


def earlier(file: Path, record: dict) -> dict:
    """What the record already says of notebooks, if it was written of the same place."""
    if not file.exists():
        return {}
    old = json.loads(file.read_text(encoding="utf-8"))
    same = all(old.get(key) == value for key, value in record.items())
    return old["notebooks"] if same else {}


def current(record: dict) -> dict[str, dict]:
    """What a record says of the notebooks whose code is still the same: path from the root → entry."""
    kept = {}
    for path in notebooks.find():
        key = path.relative_to(notebooks.ROOT).as_posix()
        entry = record["notebooks"].get(key)
        if entry and entry["cells"] == fingerprint(notebooks.read(path)):
            kept[key] = entry
    return kept


def plain(variables: dict[str, str]) -> dict[str, str]:
    """The environment variables of a run: those of the machine without ours, generated pictures, and what is asked for."""
    ours = ("PYTHON", "SEGNB", "VIRTUAL_ENV", "JUPYTER", "OMP_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "SEGNB_DATA": "generated", **variables}


def run_one(path: Path, python: Path, variables: dict[str, str]) -> dict:
    """Run a notebook there from an empty folder. → what the record says of it"""
    variables = variables | execute.strictness(path)
    with tempfile.TemporaryDirectory() as empty, tempfile.TemporaryDirectory() as beside:
        out = Path(beside, "out.json")
        shutil.copy(path, beside)
        command = [str(python), str(RUNNER), str(Path(beside, path.name)), str(out)]
        done = subprocess.run(command, cwd=empty, env=plain(variables), capture_output=True, text=True)
        if done.returncode:
            raise NotRun(done.stderr.strip().splitlines()[-1])
        ran = json.loads(out.read_text(encoding="utf-8"))
    notebook = notebooks.read(path)
    compared, why = differences(notebook, ran.pop("shown"))
    ended = "error" if ran["error"] else "differs" if why else "equal" if compared else "ran"
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "ended": ended,
        "why": ran.pop("error") or "; ".join(why[:3]),
        "compared": compared,
        **ran,
        "cells": fingerprint(notebook),
    }


def differences(notebook: nbformat.NotebookNode, shown: list[str]) -> tuple[int, list[str]]:
    """How many stored texts were compared with what was shown, and a phrase for each that differs."""
    compared, why = 0, []
    for number, (cell, now) in enumerate(zip(notebooks.code_cells(notebook), shown, strict=True), start=1):
        stored = sanitised(one_notebook.shown(cell))
        if not stored or "nbval-ignore-output" in notebooks.tags(cell):
            continue
        compared += 1
        if stored != sanitised(now):
            why.append(f"code cell {number} shows other text")
    return compared, why


def sanitised(text: str) -> str:
    """A text without what may differ from run to run, by the rules that nbval goes by."""
    rules = configparser.RawConfigParser()
    rules.read(notebooks.ROOT / "tests" / "nbval.cfg", encoding="utf-8")
    for name in rules.sections():
        text = re.sub(rules[name]["regex"], rules[name]["replace"], text)
    return text.rstrip()


def fingerprint(notebook: nbformat.NotebookNode) -> str:
    """A hash of a notebook's code, its first cell apart: a run of other code says nothing about this one."""
    code = "\n\n".join(cell.source for cell in notebooks.code_cells(notebook)[1:])
    return hashlib.sha256(code.encode()).hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
