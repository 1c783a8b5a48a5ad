"""Make a release: `make release VERSION=x.y.z`.

Between releases the version is x.y.z.dev0, and cells install and links open the branch. A release writes its version and
its tag into them, builds the wheel, tries it from an empty folder, commits, tags, and opens the next version. It
begins only on a clean tree whose tests pass, and leaves the tree as it was if something fails on the way. Nothing leaves
this machine: the last line says what to push.
"""

import argparse
import datetime
import re
import subprocess
import sys
from pathlib import Path

from book.tools import address, notebooks, wheel

CHANGES = "book/changelog.md"
COMING = "## Not yet released"
WHEELS = "build/release"


class NotReleased(Exception):
    """Why there is no release."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("version", help="x.y.z")
    version = parser.parse_args().version
    try:
        may_begin(version)
        run_tests()
        made = release(version)
    except NotReleased as reason:
        print(f"Not released: {reason}", file=sys.stderr)
        return 1
    branch = notebooks.project()["branch"]
    print(f"Release {version} is tagged v{version}; its wheel is {made.relative_to(notebooks.ROOT)}.")
    print(f"To publish it: git push origin {branch} v{version}")
    return 0


def may_begin(version: str) -> None:
    """NotReleased: what has to be done first."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise NotReleased(f"{version!r} is no version: give three numbers, VERSION=1.2.0")
    project = notebooks.project()
    if numbers(version) < numbers(project["version"]):
        raise NotReleased(f"{version} comes before {project['version']}, which is in work.")
    if not notebooks.repository_url():
        raise NotReleased(
            "no address is set, so cells could not install it: make address REPO=you/every-pixel"
        )
    if git("tag", "--list", f"v{version}"):
        raise NotReleased(f"the tag v{version} exists already.")
    if (here := git("branch", "--show-current")) != project["branch"]:
        raise NotReleased(f"releases are made on {project['branch']}, and this is {here or 'no branch'}.")
    if changes := git("status", "--porcelain"):
        raise NotReleased(f"the tree is not clean. Commit or remove:\n{changes}")
    if not coming():
        raise NotReleased(f"nothing stands below {COMING!r} in {CHANGES}.")


def numbers(version: str) -> tuple[int, ...]:
    """The three numbers of x.y.z or x.y.z.dev0."""
    return tuple(map(int, version.split(".")[:3]))


def run_tests() -> None:
    """All that `make test` runs. NotReleased: it fails, or leaves something behind."""
    if subprocess.run([sys.executable, "tests/run.py"], cwd=notebooks.ROOT).returncode:
        raise NotReleased("make test fails.")
    if changes := git("status", "--porcelain"):
        raise NotReleased(f"make test has left the tree changed:\n{changes}")


def release(version: str) -> Path:
    """Write, try, commit and tag the version, then open the next one. → the wheel"""
    try:
        write(version)
        close_changes(version)
        folder = notebooks.ROOT / WHEELS
        folder.mkdir(parents=True, exist_ok=True)
        made = wheel.build(folder)
        wheel.check(made)
    except (subprocess.CalledProcessError, ValueError) as error:
        git("reset", "--hard", "--quiet")
        raise NotReleased(
            f"the wheel does not do what it should ({error}); the tree is as it was."
        ) from error
    git("commit", "--all", "--quiet", "--message", f"Release {version}")
    git("tag", "--annotate", f"v{version}", "--message", f"Every Pixel {version}")
    major, minor, patch = numbers(version)
    write(f"{major}.{minor}.{patch + 1}.dev0")
    open_changes()
    git("commit", "--all", "--quiet", "--message", f"Begin what comes after {version}")
    return made


def write(version: str) -> None:
    """The version into pyproject.toml, and from there into cells, links and CITATION.cff."""
    address.set_in_pyproject("version", version)
    address.move()


def coming() -> str:
    """What the list of changes says of the coming release."""
    text = (notebooks.ROOT / CHANGES).read_text(encoding="utf-8")
    return text.partition(f"{COMING}\n")[2].partition("\n## ")[0].strip()


def close_changes(version: str) -> None:
    """Give what has changed the version and today's date as its heading."""
    today = datetime.datetime.now(datetime.UTC).date()
    retitle(COMING, f"## {version} ({today.day} {today:%B %Y})")


def open_changes() -> None:
    """A place for what changes next, above what was released."""
    path = notebooks.ROOT / CHANGES
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"^## ", f"{COMING}\n\n## ", text, count=1, flags=re.M), encoding="utf-8")


def retitle(old: str, new: str) -> None:
    """Replace a heading of the list of changes."""
    path = notebooks.ROOT / CHANGES
    path.write_text(path.read_text(encoding="utf-8").replace(f"{old}\n", f"{new}\n", 1), encoding="utf-8")


def git(*words: str) -> str:
    """What git prints. NotReleased: what it complains of."""
    done = subprocess.run(["git", *words], cwd=notebooks.ROOT, capture_output=True, text=True)
    if done.returncode:
        raise NotReleased(done.stderr.strip() or f"git {words[0]} fails")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
