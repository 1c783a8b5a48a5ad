"""The built site, and a server for it on this machine."""

import functools
import http.server
import subprocess
import sys
import sysconfig
import threading
import venv
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from book.tools import notebooks

ROOT = notebooks.ROOT
HTML = ROOT / "_build" / "html"
SOURCES = ("book/**/*", "chapters/**/*.ipynb", "_config.yml", "_toc.yml", "pyproject.toml")


def stale() -> bool:
    """Is a source of the site newer than its front page?"""
    built = (HTML / "index.html").stat().st_mtime if (HTML / "index.html").exists() else 0
    files = [path for pattern in SOURCES for path in ROOT.glob(pattern) if path.is_file()]
    return any(path.stat().st_mtime > built for path in files if path.suffix != ".pyc")


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built site; built first, warnings as errors, if something changed since the last build."""
    HTML.parent.mkdir(exist_ok=True)
    with FileLock(HTML.parent / "build.lock"):
        if stale():
            (HTML / "index.html").unlink(missing_ok=True)
            command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(ROOT), "--all"]
            command += ["-W", "-n", "--keep-going", "--quiet"]
            build = subprocess.run(command, capture_output=True, text=True)
            assert build.returncode == 0, build.stdout + build.stderr
    assert (HTML / "index.html").stat().st_size > 0
    return HTML


@pytest.fixture(scope="session")
def pages(site: Path) -> list[Path]:
    """The pages that somebody wrote, as paths below the site's folder."""
    made = {"search.html", "genindex.html", "index.html"}
    found = sorted(path.relative_to(site) for path in site.rglob("*.html") if "_static" not in path.parts)
    return [path for path in found if str(path) not in made]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments) -> None:
        """Nothing on stderr."""


@pytest.fixture(scope="session")
def address(site: Path):
    """The site over http on this machine, as http://127.0.0.1:port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def without_segnb(tmp_path_factory) -> Callable[[], Path]:
    """Makes an environment that has all that this one has, but segnb. → its Python"""

    def make() -> Path:
        folder = tmp_path_factory.mktemp("environment").resolve()
        venv.create(folder / "env", with_pip=False, symlinks=True)
        (folder / "rest").mkdir()
        for path in Path(sysconfig.get_path("purelib")).iterdir():
            if "segnb" not in path.name.lower():
                (folder / "rest" / path.name).symlink_to(path)
        (own,) = (folder / "env").glob("lib/python*/site-packages")
        (own / "rest.pth").write_text(f"{folder / 'rest'}\n")
        return folder / "env" / "bin" / "python"

    return make
