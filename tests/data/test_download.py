"""Downloads against a small server on this machine that misbehaves on request."""

import io
import stat
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from segnb.data import DataError, choose, download, isbi2012, load

PARTS = {"data/a": ("x/a", 2), "data/b": ("b", 1)}
FILES = {"top/data/a/1.png": b"one" * 50_000, "top/data/a/2.png": b"two", "top/data/b/3.png": b"three"}


def zipped(files, links=()):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK if name in links else stat.S_IFREG) << 16
            archive.writestr(info, content)
    return buffer.getvalue()


class Server(ThreadingHTTPServer):
    """Sends `.content`; each number in `.cuts` ends one answer after so many bytes. `.ranges` logs what was asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.cuts, self.ranges, self.paths = zipped(FILES), [], [], []
        self.resumes, self.kind, self.status, self.announces = True, "application/zip", None, True

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/set.zip"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        asked = self.headers.get("Range")
        server.ranges.append(asked)
        server.paths.append(self.path)
        if server.status:
            self.send_error(server.status)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and server.resumes else 0
        if start >= len(server.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(server.content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", server.kind)
        if server.announces:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.cuts.pop(0)] if server.cuts else body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.delenv("SEGNB_MIRROR", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    it = Server()
    threading.Thread(target=it.serve_forever, args=(0.01,), daemon=True).start()
    yield it
    it.shutdown()
    it.server_close()


def everything_in(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def is_whole(folder):
    return everything_in(folder) == {"x/a/1.png": b"one" * 50_000, "x/a/2.png": b"two", "b/3.png": b"three"}


def fails(folder, server, match, urls=None):
    """fetch_archive raises DataError, and leaves neither the folder nor half of it."""
    with pytest.raises(DataError, match=match) as caught:
        download.fetch_archive(folder, urls or (server.url,), PARTS)
    assert not folder.exists()
    assert not [path for path in folder.parent.rglob("*") if path.is_dir()]
    assert "\n" not in str(caught.value)


def parts_of(folder):
    return list(folder.parent.glob("set.*.part"))


def test_an_archive_becomes_a_folder_of_the_wanted_files_only(server, tmp_path):
    server.content = zipped(
        FILES | {"top/readme.md": b"-", "top/data/a/deep/4.png": b"-", "top/data/c/5.png": b"-"}
    )
    download.fetch_archive(tmp_path / "cache" / "set", (server.url,), PARTS)
    assert is_whole(tmp_path / "cache" / "set")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["set"]


def test_a_server_that_announces_no_length(server, tmp_path):
    server.announces = False
    download.fetch_archive(tmp_path / "set", (server.url,), PARTS)
    assert is_whole(tmp_path / "set")


def test_an_empty_folder_is_filled_and_a_full_one_left_alone(server, tmp_path):
    (tmp_path / "set").mkdir()
    download.fetch_archive(tmp_path / "set", (server.url,), PARTS)
    assert is_whole(tmp_path / "set")
    (tmp_path / "set" / "b" / "3.png").unlink()
    with pytest.raises(DataError, match="Move or delete it"):
        download.fetch_archive(tmp_path / "set", (server.url,), PARTS)
    assert (tmp_path / "set" / "x" / "a" / "1.png").exists()


def test_a_broken_connection_goes_on_where_it_stopped(server, tmp_path):
    server.cuts = [1000, 70_000]
    download.fetch_archive(tmp_path / "set", (server.url,), PARTS)
    assert server.ranges == [None, "bytes=1000-", "bytes=71000-"]
    assert is_whole(tmp_path / "set")


def test_a_later_call_goes_on_where_the_first_stopped(server, tmp_path):
    server.cuts = [1000, 0]
    fails(tmp_path / "set", server, "stopped after 1,000 of")
    assert [path.stat().st_size for path in parts_of(tmp_path / "set")] == [1000]
    download.fetch_archive(tmp_path / "set", (server.url,), PARTS)
    assert server.ranges[-1] == "bytes=1000-"
    assert is_whole(tmp_path / "set")
    assert not parts_of(tmp_path / "set")


def test_a_file_that_was_whole_but_not_yet_unpacked_is_not_sent_again(server, tmp_path):
    server.cuts = [1000, 0]
    fails(tmp_path / "set", server, "stopped")
    parts_of(tmp_path / "set")[0].write_bytes(server.content)
    download.fetch_archive(tmp_path / "set", (server.url,), PARTS)
    assert is_whole(tmp_path / "set")


def test_a_server_that_cannot_resume_sends_it_again(server, tmp_path):
    server.resumes = False
    server.cuts = [1000]
    download.fetch_archive(tmp_path / "set", (server.url,), PARTS)
    assert is_whole(tmp_path / "set")
    server.cuts = [1000] * 10  # always cut at the same place: no endless loop
    fails(tmp_path / "other" / "set", server, "stopped after 1,000 of")


def test_a_half_sent_file_of_another_version_is_noticed_and_thrown_away(server, tmp_path):
    server.cuts = [100_000, 0]
    fails(tmp_path / "set", server, "stopped")
    server.content = zipped(FILES | {"top/data/a/1.png": b"ONE" * 50_000})
    fails(tmp_path / "set", server, "not a whole zip archive")
    assert not parts_of(tmp_path / "set")


def test_a_web_page_instead_of_the_archive(server, tmp_path):
    server.content, server.kind = b"<html>Please log in</html>", "text/html; charset=utf-8"
    fails(tmp_path / "set", server, "web page")
    server.kind = "application/zip"  # and one that says it is an archive
    fails(tmp_path / "set", server, "not a whole zip archive")
    assert not parts_of(tmp_path / "set")


@pytest.mark.parametrize("status", [403, 404, 500])
def test_the_servers_refusal_is_reported(server, tmp_path, status):
    server.status = status
    fails(tmp_path / "set", server, f"answers {status}")


def test_changed_bytes_are_noticed(server, tmp_path):
    content = bytearray(server.content)
    content[content.index(b"oneoneone")] ^= 1
    server.content = bytes(content)
    fails(tmp_path / "set", server, "Bad CRC-32")


def test_a_cut_archive_is_noticed_even_if_no_length_was_announced(server, tmp_path):
    server.announces, server.cuts = False, [1000]
    fails(tmp_path / "set", server, "not a whole zip archive")


@pytest.mark.parametrize("missing", ["top/data/a/2.png", "top/data/b/3.png"])
def test_a_missing_file_is_noticed(server, tmp_path, missing):
    server.content = zipped({name: content for name, content in FILES.items() if name != missing})
    fails(tmp_path / "set", server, r"files for (x/a|b), not [12]")


@pytest.mark.parametrize(
    "name",
    [
        "top/data/a/../../../../evil.png",
        "../evil.png",
        "/etc/evil.png",
        "top\\..\\evil.png",
        "C:/evil.png",
        "top/..",
    ],
)
def test_members_that_would_leave_the_folder_are_refused(server, tmp_path, name):
    server.content = zipped(FILES | {name: b"evil"})
    fails(tmp_path / "inner" / "set", server, "unsafe member")
    assert not list(tmp_path.rglob("evil*"))
    assert not parts_of(tmp_path / "inner" / "set")


def test_links_are_refused(server, tmp_path):
    server.content = zipped(FILES | {"top/data/a/2.png": b"/etc/passwd"}, links=("top/data/a/2.png",))
    fails(tmp_path / "set", server, "unsafe member")


def test_an_archive_that_would_fill_the_disk_is_refused(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "LARGEST", 100_000)
    fails(tmp_path / "set", server, "more than")


def test_the_next_mirror_is_tried_and_all_are_named_when_none_works(server, tmp_path):
    dead = "http://127.0.0.1:9/set.zip"
    fails(tmp_path / "set", server, f"{dead}: .*; {dead}2: ", urls=(dead, dead + "2"))
    download.fetch_archive(tmp_path / "set", (dead, server.url), PARTS)
    assert is_whole(tmp_path / "set")


def test_the_class_rooms_own_mirror_comes_first(server, tmp_path, monkeypatch):
    monkeypatch.setenv("SEGNB_MIRROR", server.url.removesuffix("set.zip"))
    download.fetch_archive(tmp_path / "set", ("http://127.0.0.1:9/other.zip",), PARTS)
    assert server.paths == ["/set.zip"]
    assert is_whole(tmp_path / "set")


def test_what_an_interrupted_unpacking_left_behind_is_cleared(server, tmp_path):
    (tmp_path / "set.unpacking" / "b").mkdir(parents=True)
    (tmp_path / "set.unpacking" / "b" / "old.png").write_text("old")
    download.fetch_archive(tmp_path / "set", (server.url,), PARTS)
    assert is_whole(tmp_path / "set")


def test_isbi2012_is_downloaded_whole_and_used(server, tmp_path, monkeypatch, no_data, capsys):
    def png(value):
        buffer = io.BytesIO()
        Image.fromarray(np.full((4, 4), value, np.uint8)).save(buffer, "PNG")
        return buffer.getvalue()

    folder = "unet-b45af4d/data/membrane/train"
    slices = {f"{folder}/{kind}/{n}.png": png(255) for kind in ("image", "label") for n in range(30)}
    server.content = zipped(
        slices | {"unet-b45af4d/data/membrane/test/0.png": b"-", f"{folder}/aug/0.png": b"-"}
    )
    monkeypatch.setattr(isbi2012, "URLS", (server.url,))
    assert len(load("isbi2012", "test", download=True)) == 6
    assert not (tmp_path / "cache" / "segnb" / "isbi2012" / "test").exists()
    assert len(server.paths) == 1
    assert not choose("isbi2012").generated
    assert len(server.paths) == 1  # it is on disk now
    (tmp_path / "root").mkdir()
    assert not choose("isbi2012", root=tmp_path / "root").generated
    assert (tmp_path / "root" / "isbi2012" / "train" / "label" / "29.png").exists()
