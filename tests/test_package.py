"""segnb as a whole: what importing it costs and leaves alone, which floor knows which, what it asks of a machine."""

import ast
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "segnb"
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

# Heavy, or absent where only the package is used: imported inside the functions that need them.
LATE = (
    "torchvision",
    "matplotlib",
    "scipy",
    "ipywidgets",
    "PIL",
    "IPython",
    "sklearn",
    "pandas",
    "tqdm.auto",
    "tifffile",
    "threadpoolctl",
)

# Floors, from the ground up; a module may import from its own floor and from those below.
FLOORS = (
    ("shapes", "disk"),
    ("models", "losses", "metrics", "studies"),
    ("data",),
    ("run", "training", "inference", "tiling", "features", "receptive_field", "saving"),
    ("show", "demos", "exercises"),
    ("__main__",),
)
# These parts know of no other part; and pictures know nothing of networks.
ALONE = {"models", "losses"}
STRANGERS = {("data", "models")}
# Started as a script of its own, in the learner's place: it hands the whole of segnb to an answer.
LEARNER = "segnb.exercises.grading.room"

# What Colab has, in the oldest runtime a learner can choose and in the newest known one.
COLAB = {
    "2025.07": {"python": "3.11.13", "torch": "2.6.0", "numpy": "2.0.2", "ipywidgets": "7.7.1", "matplotlib": "3.10.0"},
    "2026.07": {"python": "3.12.13", "torch": "2.11.0", "torchvision": "0.26.0", "numpy": "2.0.2", "scipy": "1.16.3",
                "pillow": "11.3.0", "matplotlib": "3.10.0", "ipywidgets": "7.7.1", "tqdm": "4.67.3",
                "tifffile": "2026.4.11"},
    "2026.08": {"python": "3.13.15", "torch": "2.11.0", "torchvision": "0.26.0", "numpy": "2.1.3", "scipy": "1.16.3",
                "pillow": "11.3.0", "matplotlib": "3.10.0", "ipywidgets": "7.7.1", "tqdm": "4.67.3",
                "tifffile": "2026.8.16"},
}  # fmt: skip


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- importing ------------------------------------------------------------------------------------------------------


def test_importing_segnb_imports_torch_and_little_else():
    code = """
import json, sys, torch
before = set(sys.modules)
import segnb
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    new = json.loads(python(code))
    late = [name for name in new if name.split(".")[0] in LATE or name in LATE]
    assert late == []
    # tqdm and what it brings are cheap; everything else that comes is segnb itself or the standard library.
    foreign = {name.split(".")[0] for name in new} - {"segnb", "tqdm"} - set(sys.stdlib_module_names)
    assert {name for name in foreign if not name.startswith("_")} == set()


def test_importing_segnb_changes_nothing():
    code = """
import logging, os, random, sys, threading, warnings
import numpy, torch
def world():
    return (dict(os.environ), os.getcwd(), sys.path[:], warnings.filters[:], random.getstate(), torch.get_rng_state().tolist(),
            str(numpy.random.get_state()), torch.get_num_threads(), torch.get_default_dtype(), torch.are_deterministic_algorithms_enabled(),
            torch.backends.cudnn.benchmark, logging.getLogger().level, threading.active_count(), numpy.geterr(), torch.is_grad_enabled())
before = world()
import segnb
assert world() == before, "importing segnb changed the world"
"""
    assert python(code) == ""


def test_everything_is_usable_after_one_import():
    names = "data losses metrics models show demos exercises setup Run fit History evaluate predict features"
    names += " receptive_field save load load_trained check hint solution results"
    python(f"import segnb\nfor name in {names.split()}: getattr(segnb, name)")


FUNCTIONS = (
    *("losses.dice", "losses.cross_entropy", "data.augment", "exercises.check"),
    *("show.player", "show.explore", "show.statistics", "features", "receptive_field"),
)


@pytest.mark.parametrize("first", [*FUNCTIONS, "models.unet", "exercises", "data"])
def test_functions_are_never_hidden_by_the_modules_of_their_names(first):
    code = f"""
import importlib
importlib.import_module("segnb.{first}")
import segnb
for name in {FUNCTIONS}:
    importlib.import_module("segnb." + name)
    *package, function = name.split(".")
    found = getattr(getattr(segnb, *package) if package else segnb, function)
    assert callable(found) and not hasattr(found, "__path__") and type(found).__name__ != "module", name
    assert found.__name__ == function, name
"""
    python(code)


def test_the_example_of_the_readme_runs():
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    short, replaced = re.subn(r"steps=run\.scale\(.*?\)", "steps=2", code)
    assert replaced == 1
    *lines, score = short.strip().splitlines()
    python("\n".join([*lines, f"assert 0 < {score} < 1"]))


# --- floors ---------------------------------------------------------------------------------------------------------


def modules() -> dict[str, Path]:
    """Name → file of every module of segnb; packages without their __init__'s suffix."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(name: str, path: Path) -> set[str]:
    """The modules of segnb that a module imports, anywhere in it."""
    package = name if path.stem == "__init__" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            found |= {
                f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base for alias in node.names
            }
    return {one for one in found if one.split(".")[0] == "segnb"} - {name}


GRAPH = {name: imports(name, path) for name, path in MODULES.items()}


def part(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def floor(name: str) -> int:
    return next(level for level, parts in enumerate(FLOORS) if part(name) in parts)


@pytest.mark.parametrize("name", [name for name in GRAPH if name not in ("segnb", LEARNER)])
def test_imports_point_downwards(name):
    for other in GRAPH[name]:
        assert other != "segnb", f"{name} imports the whole of segnb; name the part"
        assert floor(other) <= floor(name), f"{name} imports {other}, which is above it"
        assert part(name) not in ALONE or part(other) in (part(name), "shapes"), f"{name} imports {other}"
        assert (part(name), part(other)) not in STRANGERS, f"{name} imports {other}"


def test_no_circles():
    # A package's __init__ gathers its modules, and importing one runs it first: that is no circle.
    graph = {
        name: {other for other in others if other in MODULES and not name.startswith(f"{other}.")}
        for name, others in GRAPH.items()
    }
    done, path = set(), []

    def visit(name):
        assert name not in path, " → ".join([*path[path.index(name) :], name])
        if name in done:
            return
        path.append(name)
        for other in sorted(graph[name]):
            visit(other)
        done.add(path.pop())

    for name in graph:
        visit(name)


# --- what it asks of a machine ----------------------------------------------------------------------------------------


def requirements() -> dict[str, Requirement]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    return {one.name: one for one in found}


def test_requirements_are_lower_bounds():
    assert SETTINGS["tool"]["setuptools"]["dynamic"]["dependencies"] == {"file": ["requirements.txt"]}
    for one in requirements().values():
        assert all(bound.operator == ">=" for bound in one.specifier), one
        assert not one.url
        assert not one.marker


@pytest.mark.parametrize("runtime", COLAB)
def test_colab_already_has_what_segnb_needs(runtime):
    has = dict(COLAB[runtime])
    assert has.pop("python") in Requirement(f"python{SETTINGS['project']['requires-python']}").specifier
    for name, version in has.items():
        assert version in requirements()[name].specifier, f"{name} {version} would be replaced"


def test_every_package_is_installed():
    listed = set(SETTINGS["tool"]["setuptools"]["packages"])
    there = {name for name, path in MODULES.items() if path.stem == "__init__"}
    assert listed - {"segnb.study_results"} == there


def test_files_that_are_no_python_are_installed_too():
    patterns = SETTINGS["tool"]["setuptools"]["package-data"]
    for path in PACKAGE.rglob("*.*"):
        if path.is_file() and path.suffix not in (".py", ".pyc") and "__pycache__" not in path.parts:
            package = next(name for name in sorted(patterns, key=len, reverse=True)
                           if path.is_relative_to(ROOT / name.replace(".", "/")))  # fmt: skip
            folder = ROOT / package.replace(".", "/")
            assert any(path in folder.glob(pattern) for pattern in patterns[package]), path


def test_only_imports_what_it_requires():
    known = {"pillow": "PIL"}
    # By ipywidgets and matplotlib.
    brought_along = {"IPython", "cycler"}
    allowed = {known.get(name, name) for name in requirements()} | {"segnb"} | brought_along
    allowed |= set(sys.stdlib_module_names)
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            tops = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                tops = [node.module]
            assert {top.split(".")[0] for top in tops} <= allowed, name


def test_the_frozen_lists_do_not_contradict_each_other():
    pins = {}
    for file, line in itertools.chain.from_iterable(
        ((file, line) for line in (ROOT / file).read_text(encoding="utf-8").splitlines())
        for file in ("book/requirements.txt", "tests/requirements.txt")
    ):
        if line.strip() and not line.startswith("#"):
            one = Requirement(line)
            assert [bound.operator for bound in one.specifier] == ["=="], f"{file}: {line}"
            assert pins.setdefault(one.name.lower(), str(one.specifier)) == str(one.specifier)
            assert one.name not in requirements(), f"{line}: segnb's own requirements stay free"


# --- as a wheel -------------------------------------------------------------------------------------------------------

# Run where nothing of this repository is: what a learner's machine does with the installed package.
EVERYTHING = """
import importlib, sys
from pathlib import Path
modules, weights, studies, place = {modules}, {weights}, {studies}, {place!r}
for name in modules:
    module = importlib.import_module(name)
    assert Path(module.__file__).is_relative_to(place), f"{{name}} is from {{module.__file__}}"
import segnb
for name in weights:
    net = segnb.load_trained(name)
    side = net.valid_size(64)
    assert segnb.predict(net, segnb.data.load("street", "val", size=64)[0][0][: net.in_channels]).isfinite().all()
for name in studies:
    assert segnb.results(name)["figures"]
for name in set(segnb.demos.__all__) - {{"ask", "guess", "recall"}}:
    assert "<script" in getattr(segnb.demos, name)()._repr_html_(), name
assert "<script" in segnb.demos.ask("fcn")._repr_html_()
assert "<script" in segnb.demos.guess("How many?", 1, "One.", within=0)._repr_html_()
"""


def built(folder: Path, settings: str) -> Path:
    """A folder with the wheel of this repository unpacked in it, as these settings (pyproject.toml) make it."""
    source, wheels, target = (folder / name for name in ("source", "wheels", "target"))
    for name in ("segnb", "book/results"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("README.md", "LICENSE", "requirements.txt"):
        shutil.copy(ROOT / name, source)
    (source / "pyproject.toml").write_text(settings, encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(source)]
    subprocess.run(build, check=True, capture_output=True, text=True)
    [wheel] = wheels.iterdir()
    install = [
        *pip,
        "install",
        "--no-deps",
        "--no-index",
        "--no-compile",
        "--target",
        str(target),
        str(wheel),
    ]
    subprocess.run(install, check=True, capture_output=True, text=True)
    shutil.rmtree(source)
    return target


def use_of(place: Path, folder: Path) -> subprocess.CompletedProcess:
    """What a fresh interpreter makes of an installed package, in an empty folder."""
    folder.mkdir()
    code = EVERYTHING.format(
        modules=list(MODULES),
        weights=[path.stem for path in (PACKAGE / "trained").glob("*.pt")],
        studies=[path.stem for path in (ROOT / "book/results").glob("*.json")],
        place=str(place),
    )
    env = os.environ | {"PYTHONPATH": str(place), "SEGNB_DATA": "generated"}
    return subprocess.run([sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, text=True)


def test_the_wheel_holds_all_that_the_repository_has(tmp_path):
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    done = use_of(built(tmp_path, settings), tmp_path / "empty")
    assert done.returncode == 0, done.stderr


def test_a_package_that_is_left_out_is_noticed(tmp_path):
    whole = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    short = whole.replace('    "segnb.data.real",\n', "")
    assert len(short) < len(whole)
    done = use_of(built(tmp_path, short), tmp_path / "empty")
    assert "No module named 'segnb.data.real'" in done.stderr


# They return what is of matplotlib, Pillow or numpy, imported there inside the functions that need it.
OF_OTHERS = {
    "data/files.py": {"opened", "loaded"},
    "data/generated/brushes/painter.py": {"crown"},
    # A name imported here for an annotation alone would count in the stamps of the studies.
    "data/real/camvid.py": {"open_set"},
    "data/real/isbi2012.py": {"open_set"},
    "show/blueprint.py": {"figure"},
    "show/ink.py": {"figure"},
    "show/sheet.py": {"sheet", "axes", "image"},
    "show/style.py": {"render"},
}


def public_functions(body):
    """The functions of a module, and the methods of its classes, that are for others."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield node


def test_public_functions_say_what_they_return():
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name.startswith("exercises/tasks/"):  # answers, as a learner writes them
            continue
        functions = public_functions(ast.parse(path.read_text(encoding="utf-8")).body)
        silent = {node.name for node in functions if node.returns is None}
        assert silent == OF_OTHERS.get(name, set()), name
