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


def test_installs_this_release_from_this_address():
    project = notebooks.project()
    wanted = f"segnb @ git+https://github.com/{project['repository']}@v{project['version']}"
    assert re.findall(r'%pip install -q "(.*)"', address.first_cell()) == [wanted]


def run_cell(present: bool) -> list[str]:
    """Run the cell with segnb pretended present or absent; → the commands it gave to pip."""
    code = TransformerManager().transform_cell(address.first_cell())
    commands = []

    class Shell:
        def run_line_magic(self, magic, line):
            commands.append(f"{magic} {line}")

    class Importlib:
        class util:
            @staticmethod
            def find_spec(name):
                return object() if present else None

    code = code.replace("import importlib.util", "").replace("import segnb", "")
    segnb = type("segnb", (), {"setup": staticmethod(lambda: "run")})
    space = {"get_ipython": Shell, "importlib": Importlib, "segnb": segnb}
    exec(compile(code, "first cell", "exec"), space)
    assert space["run"] == "run"
    return commands


def test_installs_nothing_where_segnb_is_there():
    assert run_cell(present=True) == []


def test_installs_segnb_where_it_is_missing():
    (command,) = run_cell(present=False)
    assert command.startswith("pip install -q")
