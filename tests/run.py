"""Everything `make test` runs, step after step, with one table at the end.

A failing step does not stop the others; the exit code is 1 if any failed. Two notebooks run side by side, each on one
core; what a notebook costs alone on two is measured by `make execute`. Each cell of a lecture is run twice (see
conftest.py). Everything runs on generated pictures; where SEGNB_REAL names a folder with the real sets, each lecture's
section on real pictures then runs on those too.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable
NBVAL = [
    PYTHON, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--nbval-current-env",
    "--nbval-sanitize-with=tests/nbval.cfg", "--nbval-cell-timeout=300", "--nbval-kernel-startup-timeout=120",
    "-n", "2", "--dist", "loadfile",
]  # fmt: skip
BUILD = [
    str(Path(PYTHON).with_name("jupyter-book")),
    "build",
    ".",
    "--all",
    "-W",
    "-n",
    "--keep-going",
    "--quiet",
]


ONE_CORE = {"OMP_NUM_THREADS": "1"}
LECTURES = "chapters: every output as stored, every cell twice"


def real_pictures() -> str:
    """Whether the lectures meet real pictures, as the closing table says it. NotADirectoryError: they should, and can't."""
    if not (place := os.environ.get("SEGNB_REAL")):
        return "real pictures: not run, SEGNB_REAL is not set"
    if not Path(place).is_dir():
        raise NotADirectoryError(f"SEGNB_REAL is {place!r}, which is no folder: make it or unset it")
    sets = [name for name in ("camvid", "isbi2012") if Path(place, name).is_dir()]
    if not sets:
        raise NotADirectoryError(f"SEGNB_REAL is {place!r}, which holds neither camvid/ nor isbi2012/")
    return f"real pictures of {' and '.join(sets)} too"


def notebooks(folder: str) -> list[str]:
    """The notebooks of one folder of chapters/, in order, as paths from the root."""
    return [str(path.relative_to(ROOT)) for path in sorted((ROOT / "chapters" / folder).glob("*.ipynb"))]


def steps() -> list[tuple[str, list[str] | None, dict[str, str]]]:
    """(name, command or None if there is nothing to run, extra environment) of every step."""
    chapters = notebooks(".") + notebooks("deeper")
    solutions, sheets = notebooks("solutions"), notebooks("exercises")
    return [
        ("installed packages fit together", [PYTHON, "-m", "pip", "check"], {}),
        ("ruff: slips", [PYTHON, "-m", "ruff", "check", "."], {}),
        ("ruff: layout", [PYTHON, "-m", "ruff", "format", "--check", "."], {}),
        ("the site, warnings as errors", BUILD, {}),
        (
            "unit tests and tests of the book",
            [PYTHON, "-m", "pytest", "-q", "tests", "-n", "2", "--dist", "loadfile", "--durations=10"],
            ONE_CORE,
        ),
        (LECTURES, [*NBVAL, "--nbval", *chapters] if chapters else None, ONE_CORE),
        (
            "solutions: every output as stored",
            [*NBVAL, "--nbval", *solutions] if solutions else None,
            {**ONE_CORE, "SEGNB_STRICT": "1"},
        ),
        (
            "exercise sheets: run as handed out",
            [*NBVAL, "--nbval-lax", *sheets] if sheets else None,
            ONE_CORE,
        ),
    ]


def main() -> int:
    os.environ.setdefault("SEGNB_DATA", "generated")
    os.environ["PYTHONPATH"] = ""  # the installed segnb is what is tested
    try:
        real = real_pictures()
    except NotADirectoryError as error:
        print(error, file=sys.stderr)
        return 2
    rows, failed = [], False
    for name, command, extra in steps():
        print(f"\n=== {name}", flush=True)
        start = time.perf_counter()
        if command is None:
            rows.append(("none yet", 0.0, name))
            continue
        code = subprocess.run(command, cwd=ROOT, env={**os.environ, **extra}).returncode
        failed |= code != 0
        if name == LECTURES:
            name += f"; {real}"
        rows.append(("passed" if code == 0 else f"FAILED ({code})", time.perf_counter() - start, name))
    print("\n=== Summary")
    for result, seconds, name in rows:
        print(f"{result:<12} {seconds:7.0f} s  {name}")
    print(f"{'FAILED' if failed else 'passed':<12} {sum(row[1] for row in rows):7.0f} s  in all")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
