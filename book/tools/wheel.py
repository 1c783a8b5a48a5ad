"""The package as one file, a wheel: built from what it consists of alone, and tried from an empty folder."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from book.tools import notebooks

# What a wheel is made of. Nothing else is there while it is built, so a file that it needs and that is not here is missed.
PARTS = ("pyproject.toml", "README.md", "LICENSE", "requirements.txt", "segnb", "book/results")
# What a notebook on Colab asks of it: the package itself, figures of studies, trained weights, demos, checks.
TRIAL = """
import importlib.metadata, pathlib, segnb
assert pathlib.Path(segnb.__file__).is_relative_to(pathlib.Path({place!r})), segnb.__file__
assert importlib.metadata.version("segnb") == {version!r}, importlib.metadata.version("segnb")
for name in {studies!r}:
    segnb.results(name)
segnb.load_trained("unet")
segnb.demos.one_pixel()
segnb.hint("tile_step")
"""


def build(folder: Path) -> Path:
    """Build the wheel of the working tree into `folder`, without a network. → its path"""
    with tempfile.TemporaryDirectory() as place:
        for name in PARTS:
            source, copy = notebooks.ROOT / name, Path(place, name)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)
        pip("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), place)
    (made,) = folder.glob(f"segnb-{notebooks.project()['version']}-*.whl")
    return made


def check(wheel: Path) -> None:
    """Install the wheel beside nothing of ours and use it from an empty folder. CalledProcessError: it fails there."""
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryDirectory() as empty:
        place = str(Path(place).resolve())
        pip("install", "--quiet", "--no-deps", "--no-index", "--target", place, str(wheel))
        studies = sorted(path.stem for path in (notebooks.ROOT / "book" / "results").glob("*.json"))
        trial = TRIAL.format(place=place, version=notebooks.project()["version"], studies=studies)
        environment = os.environ | {"PYTHONPATH": place, "SEGNB_DATA": "generated"}
        subprocess.run([sys.executable, "-c", trial], cwd=empty, env=environment, check=True)


def pip(*words: str) -> None:
    """Run pip. CalledProcessError: it failed."""
    subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", *words], check=True)
