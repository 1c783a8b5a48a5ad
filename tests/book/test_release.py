"""`make release`, in a copy of the repository that nobody needs, with a remote of its own; and what it makes, installed."""

import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest

from book.tools import notebooks, release

BRANCH = notebooks.project()["branch"]
REPOSITORY = "you/my-pixels"
NEW = "99.0.0"
PASSED = "raise SystemExit(0)  # as if all tests had passed\n"
# What a learner does first, and the sentence that is all he sees where it fails.
FIRST_CELL = """
import sys, nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

notebook = nbformat.read(sys.argv[1], as_version=4)
cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
notebook.cells = [cells[0], nbformat.v4.new_code_cell("from importlib.metadata import version; version('segnb')")]
try:
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
except CellExecutionError:
    print("\\n".join(notebook.cells[0].outputs[-1].traceback))
else:
    print(notebook.cells[1].outputs[0].data["text/plain"])
"""


def git(folder, *words) -> str:
    """What git prints in a folder; it must not fail."""
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit(folder, message="Something"):
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


def tool(folder, *words) -> subprocess.CompletedProcess:
    """One of the copy's own tools, run in the copy."""
    environment = os.environ | {"PYTHONPATH": str(folder)}
    command = [sys.executable, "-m", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """This repository, with the notebooks of one chapter alone, as the first commit of a repository with an address."""
    copy = tmp_path_factory.mktemp("copy") / "my-pixels"
    left_out = shutil.ignore_patterns(
        ".git", ".venv", "_build", "build", "__pycache__", "*.egg-info", "0[2-9]*.ipynb"
    )
    shutil.copytree(notebooks.ROOT, copy, ignore=left_out)
    (copy / "tests" / "run.py").write_text(PASSED)
    git(copy, "init", "--quiet", "--initial-branch", BRANCH)
    for name, value in (
        ("user.name", "Nobody"),
        ("user.email", "nobody@example.org"),
        ("commit.gpgsign", "false"),
    ):
        git(copy, "config", name, value)
    commit(copy)
    said = tool(copy, "book.tools.address", REPOSITORY)
    assert said.returncode == 0, said.stderr
    commit(copy, "The address")
    sheet = (copy / "chapters" / "exercises" / "01_every_pixel.ipynb").read_text(encoding="utf-8")
    assert "[chapter 1](https://you.github.io/my-pixels/chapters/01_every_pixel.html)" in sheet
    return copy


@pytest.fixture(scope="module")
def released(copy, tmp_path_factory):
    """The copy after `make release`, and the bare remote that it was pushed to."""
    remote = tmp_path_factory.mktemp("remote") / "bare.git"
    git(copy, "clone", "--quiet", "--bare", str(copy), str(remote))
    git(copy, "remote", "add", "origin", str(remote))
    done = tool(copy, "book.tools.release", NEW)
    assert done.returncode == 0, done.stderr
    push = re.search(r"git (push .*)$", done.stdout, flags=re.M)[1]
    git(copy, *push.split())
    return copy, remote


@pytest.mark.parametrize(
    ("spoil", "version", "why"),
    [
        (lambda copy: None, "1.0", "no version"),
        (lambda copy: None, "0.0.1", "comes before"),
        (lambda copy: (copy / "new.txt").write_text("x"), NEW, "not clean"),
        (lambda copy: (copy / "README.md").write_text("x"), NEW, "not clean"),
        (lambda copy: git(copy, "checkout", "--quiet", "-b", "other"), NEW, f"are made on {BRANCH}"),
        (lambda copy: git(copy, "tag", f"v{NEW}"), NEW, "exists already"),
        (lambda copy: change(copy, "pyproject.toml", REPOSITORY, "OWNER/my-pixels"), NEW, "no address"),
        (lambda copy: change(copy, release.CHANGES, release.COMING, "## 0.0.1"), NEW, "nothing stands below"),
        (lambda copy: change(copy, "tests/run.py", "(0)", "(1)"), NEW, "make test fails"),
        (
            lambda copy: change(copy, "tests/run.py", "raise", "open('left', 'w')\nraise"),
            NEW,
            "changed:\n?? left",
        ),
        (
            lambda copy: change(copy, "segnb/demos/__init__.py", "one_pixel", "two"),
            NEW,
            "the tree is as it was",
        ),
    ],
)
def test_what_is_not_ready_is_not_released(copy, tmp_path, monkeypatch, capsys, spoil, version, why):
    other = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(copy), str(other))
    git(other, "config", "user.name", "Nobody")
    git(other, "config", "user.email", "nobody@example.org")
    spoil(other)
    before = git(other, "rev-parse", "HEAD")
    monkeypatch.setattr(notebooks, "ROOT", other)
    monkeypatch.setattr(sys, "argv", ["release", version])
    assert release.main() == 1
    assert why in capsys.readouterr().err
    assert git(other, "rev-parse", "HEAD") == before
    assert "as it was" not in why or git(other, "status", "--porcelain") == ""


def change(copy, name, old, new):
    """Commit a change of one word of one file."""
    text = (copy / name).read_text(encoding="utf-8")
    assert old in text
    (copy / name).write_text(text.replace(old, new), encoding="utf-8")
    git(copy, "commit", "--all", "--quiet", "--message", "Spoilt")


def test_a_release_is_a_commit_with_a_tag_and_then_the_next_version_begins(released):
    copy, remote = released
    assert git(copy, "status", "--porcelain") == ""
    assert git(copy, "log", "-2", "--format=%s").splitlines() == [
        f"Begin what comes after {NEW}",
        f"Release {NEW}",
    ]
    assert git(remote, "rev-parse", f"v{NEW}^{{commit}}") == git(copy, "rev-parse", "HEAD~1")
    assert git(remote, "rev-parse", BRANCH) == git(copy, "rev-parse", "HEAD")


def test_the_tag_holds_its_own_version_everywhere_and_the_branch_itself(released):
    copy, _ = released
    for commit_, version, ref in ((f"v{NEW}", NEW, f"v{NEW}"), ("HEAD", "99.0.1.dev0", BRANCH)):
        assert f'\nversion = "{version}"\n' in git(copy, "show", f"{commit_}:pyproject.toml")
        assert f"version: {version}" in git(copy, "show", f"{commit_}:CITATION.cff")
        readme = git(copy, "show", f"{commit_}:README.md")
        assert set(re.findall(r"blob/([^/]+)/", readme)) == {ref}
        for name in ("chapters/01_every_pixel", "chapters/exercises/01_every_pixel"):
            text = git(copy, "show", f"{commit_}:{name}.ipynb")
            assert re.findall(r"git\+https://github.com/([^\\\"]+)", text) == [f"{REPOSITORY}@{ref}"]
    changes = git(copy, "show", f"HEAD:{release.CHANGES}")
    assert re.search(rf"{release.COMING}\n+## {re.escape(NEW)} \(\d+ \w+ \d{{4}}\)\n", changes)


def test_a_release_leaves_stored_outputs_alone(released):
    copy, _ = released
    name = "chapters/01_every_pixel.ipynb"
    outputs = [
        [cell.get("outputs") for cell in nbformat.reads(git(copy, "show", f"{at}:{name}"), 4).cells]
        for at in (f"v{NEW}", "HEAD")
    ]
    outputs.append([cell.get("outputs") for cell in notebooks.read(notebooks.ROOT / name).cells])
    assert outputs[0] == outputs[1] == outputs[2]


def open_first_cell(python, notebook, folder, **environment):
    """Run a notebook's first cell in an empty folder, with this Python. → what it shows"""
    folder.mkdir()
    command = [str(python), "-c", FIRST_CELL, str(notebook)]
    environment = {**os.environ, "PYTHONPATH": "", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environment}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_notebook_of_the_release_installs_the_release(released, without_segnb, tmp_path):
    copy, remote = released
    notebook = tmp_path / "sheet.ipynb"
    notebook.write_text(git(copy, "show", f"v{NEW}:chapters/exercises/01_every_pixel.ipynb"))
    python = without_segnb()
    # GitHub is the bare remote. "0" is pip's way to say that the build takes the packages that are here.
    github = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{remote}.insteadOf",
        "GIT_CONFIG_VALUE_0": f"https://github.com/{REPOSITORY}",
        "PIP_NO_BUILD_ISOLATION": "0",
    }
    assert open_first_cell(python, notebook, tmp_path / "empty", **github) == f"'{NEW}'"


def test_a_failed_install_ends_in_one_sentence_and_a_wheel_beside_the_notebook_cures_it(
    released, without_segnb, tmp_path
):
    copy, _ = released
    notebook = copy / "chapters" / "exercises" / "01_every_pixel.ipynb"
    python = without_segnb()
    nowhere = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{tmp_path}/nowhere.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/",
    }
    said = open_first_cell(python, notebook, tmp_path / "empty", **nowhere)
    assert said.startswith(
        f"segnb could not be installed from git+https://github.com/{REPOSITORY}@{BRANCH}: "
    )
    for cure in ("internet", "address", "beside this notebook"):
        assert cure in said
    assert said.count("\n") == 0  # no traceback
    (wheel,) = (copy / release.WHEELS).glob("*.whl")
    beside = tmp_path / "beside"
    beside.mkdir()
    shutil.copy(wheel, beside)
    assert open_first_cell(python, notebook, beside / "notebooks", **nowhere) == f"'{NEW}'"
