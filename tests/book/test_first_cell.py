"""The first code cell: the same everywhere, made from the address and the release, harmless where segnb is installed."""

import re

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from book.tools import address, notebooks


@pytest.mark.parametrize("path", notebooks.find(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_is_the_same_everywhere(path):
    first = notebooks.code_cells(notebooks.read(path))[0]
    assert first.source == address.first_cell()
    assert notebooks.tags(first) == ["nbval-ignore-output", "hide-input"]


def run_cell(installed: bool, cures: bool = True) -> list[str]:
    """Run the cell where segnb is installed or not, and pip does or does not help; → the commands it gave to pip."""
    code = TransformerManager().transform_cell(address.first_cell())
    there, commands = [installed], []

    class Shell:
        def run_line_magic(self, magic, line):
            commands.append(f"{magic} {line}".replace("{package}", space["package"]))
            there.append(cures)

    class Importlib:
        class util:
            @staticmethod
            def find_spec(name):
                return object() if there[-1] else None

    code = code.replace("import importlib.util", "").replace("import segnb", "")
    segnb = type("segnb", (), {"setup": staticmethod(lambda: "run")})
    space = {"get_ipython": Shell, "importlib": Importlib, "segnb": segnb}
    exec(compile(code, "first cell", "exec"), space)
    assert space["run"] == "run"
    return commands


def test_installs_nothing_where_segnb_is_there():
    assert run_cell(installed=True) == []


def test_installs_from_the_address_where_segnb_is_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    project = notebooks.project()
    source = f"git+https://github.com/{project['repository']}@{project['ref']}"
    assert run_cell(installed=False) == [f'pip install -q "{source}"']


@pytest.mark.parametrize("place", [".", "chapters", "chapters/exercises"])
def test_a_wheel_near_the_notebook_goes_before_the_network(tmp_path, monkeypatch, place):
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path / place)
    (tmp_path / "segnb-1.2.3-py3-none-any.whl").touch()
    (command,) = run_cell(installed=False)
    wheel = re.search(r'"(.*)"', command)[1]
    assert (tmp_path / place / wheel).resolve() == (tmp_path / "segnb-1.2.3-py3-none-any.whl").resolve()


def test_says_one_sentence_where_pip_does_not_help(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ImportError) as error:
        run_cell(installed=False, cures=False)
    (said,) = error.value._render_traceback_()  # what IPython shows in the traceback's place
    assert said.count("\n") == 0
    for cure in ("switch the internet on", "this address exists", "beside this notebook"):
        assert cure in said
