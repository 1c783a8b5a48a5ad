"""A new stamp for stored figures, without the run: `make restamp [NAME=...] [SINCE=commit]`.

A change that changes no number makes a stamp stale, too. Here one seed of the study is run briefly twice,
with the code of an older commit, whose stamp was fresh, and with that of the working tree. Only if all
figures are equal, bit for bit, and all weights of every training, do the stored figures get the new stamp.

Where the way of stamping has changed, and the code of the study has not, nothing is run: the old code, stamped
as today, has today's stamp.
"""

import datetime
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import segnb
from book.tools import notebooks, studies

BRIEF_RUN = Path(__file__).with_name("brief_run.py")
# How a stamp comes about.
STAMPING = ("book/tools/essence.py", "book/tools/reach.py")
# What is stored of a study and is not a matter of its stamp.
FIGURES = tuple(key for key in studies.KEYS if key != "code")


class NotProven(Exception):
    """Why the stored figures get no new stamp."""


def main(chosen: Sequence[studies.Study], since: str | None) -> int:
    """Restamp these studies; say of each what came of it. → 1 if one of them was not proven, else 0"""
    failed = 0
    for one in chosen:
        try:
            commit = restamp(one, since)
            print(f"{one.name}: equal to {commit}, stamped", flush=True)
        except (NotProven, segnb.data.DataError) as reason:
            print(f"{one.name}: not stamped. {reason}", file=sys.stderr, flush=True)
            failed = 1
    return failed


def restamp(one: studies.Study, since: str | None = None) -> str:
    """Give the stored figures of a study the stamp of the code as it is. → the commit that was compared

    since: that commit; None is the last one that wrote the results. NotProven: the brief runs differ, or
    there is nothing to compare. DataError: a study on real pictures does not find them.
    """
    stored = studies.stored(one)
    if stored is None or (stored["seeds"], stored["steps"]) != (list(one.seeds), one.steps):
        raise NotProven(f"It was never run as it is now: {one.command}")
    if one.real:
        studies.need_real(one.data)
    results = one.path.relative_to(notebooks.ROOT)
    commit = git("log", "-1", "--format=%h", *([since] if since else ["--", str(results)]))
    if not commit:
        raise NotProven(f"No commit has {results}.")
    with checkout(commit) as folder:
        if not (folder / results).exists():
            raise NotProven(f"{commit} has no {results}")
        then = json.loads((folder / results).read_text(encoding="utf-8"))
        if first_difference([then.get(key) for key in FIGURES], [stored[key] for key in FIGURES]):
            raise NotProven(f"The figures in {results} are not those of {commit}.")
        code = same_code(one, folder, then["code"]) or same_numbers(one, folder, then["code"], commit)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    one.write(
        {key: stored[key] for key in FIGURES} | {"code": code, "restamped": {"date": today, "since": commit}}
    )
    return commit


def same_numbers(one: studies.Study, folder: Path, stamp: str, commit: str) -> str:
    """The stamp of the code as it is, if a brief run is equal with that in the folder, which had `stamp`."""
    arguments = str(one.seeds[0]), str(one.brief)
    before = brief_run(one, folder, *arguments)
    if before.pop("code") != stamp:
        raise NotProven(f"At {commit} the stamp was stale, so a run there proves nothing.")
    now = brief_run(one, notebooks.ROOT, *arguments)
    code = now.pop("code")
    if difference := first_difference(before, now):
        raise NotProven(f"{difference} (at {commit} and now)")
    return code


def same_code(one: studies.Study, folder: Path, stamp: str) -> str | None:
    """The stamp of the code as it is, if that in the folder, which had `stamp`, has it too when stamped as today."""
    ways = [(folder / name, notebooks.ROOT / name) for name in STAMPING]
    ways = [(then, now) for then, now in ways if then.exists() and now.exists()]
    if all(then.read_bytes() == now.read_bytes() for then, now in ways):
        return None
    if brief_run(one, folder)["code"] != stamp:
        return None
    kept = [then.read_bytes() for then, _ in ways]
    for then, now in ways:
        then.write_bytes(now.read_bytes())
    before = brief_run(one, folder)["code"]
    for (then, _), text in zip(ways, kept):
        then.write_bytes(text)
    return before if before == brief_run(one, notebooks.ROOT)["code"] else None


def brief_run(one: studies.Study, folder: Path, *arguments: str) -> dict:
    """What brief_run.py writes about a study, with the code in a folder. NotProven: it does not run there.

    arguments: a seed and steps; without them nothing is run.
    """
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "out.json"
        command = [sys.executable, str(BRIEF_RUN), str(out), one.name, *arguments]
        # The folder's own packages: neither those beside the script nor the installed ones.
        environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise NotProven(f"It does not run in {folder}: {done.stderr.strip().splitlines()[-1]}")
        return json.loads(out.read_text())


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """A folder with the files of a commit, gone afterwards."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve() / "then"
        git("worktree", "add", "--detach", str(folder), commit)
        try:
            yield folder
        finally:
            git("worktree", "remove", "--force", str(folder))


def git(*arguments: str) -> str:
    """What git prints. NotProven: what it complains of."""
    done = subprocess.run(["git", *arguments], cwd=notebooks.ROOT, capture_output=True, text=True)
    if done.returncode:
        raise NotProven(done.stderr.strip())
    return done.stdout.strip()


def first_difference(before, now, place: str = "") -> str | None:
    """Where two nested results differ first, and how; None where they do not."""
    if isinstance(before, dict) and isinstance(now, dict) and before.keys() == now.keys():
        pairs = ((f"{place}, {key}" if place else key, before[key], now[key]) for key in before)
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = ((f"{place} {i}", *pair) for i, pair in enumerate(zip(before, now), start=1))
    else:
        # As text, NaN is equal to NaN.
        return None if repr(before) == repr(now) else f"{place}: {before} and {now}"
    return next(filter(None, (first_difference(*pair, place) for place, *pair in pairs)), None)
