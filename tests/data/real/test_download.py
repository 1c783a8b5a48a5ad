"""Downloads against a small server on this machine that misbehaves on request."""

import errno
import hashlib
import io
import os
import re
import shutil
import socket
import stat
import sys
import threading
import time
import zipfile
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from segnb.data import DataError, choose, items, load, sets
from segnb.data.real import camvid, download, isbi2012

FILES = {"top/data/a/1.png": b"one" * 50_000, "top/data/a/2.png": b"two", "top/data/b/3.png": b"three"}


def hashed(*contents):
    """What `content_hash` gives for files of these contents, in the order of their names."""
    return hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in contents)).hexdigest()


PARTS = {
    "data/a": ("x/a", 2, hashed(b"one" * 50_000, b"two")),
    "data/b": ("b", 1, hashed(b"three")),
}


def zipped(files, links=()):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK if name in links else stat.S_IFREG) << 16
            archive.writestr(info, content)
    return buffer.getvalue()


class Server(ThreadingHTTPServer):
    """Sends `.content`, and misbehaves on request.

    Each number in `.cuts` ends one answer after so many bytes, each in `.hangs` lets it fall silent there. `.delay`:
    seconds before an answer; `.drip`: bytes at a time, with a hundredth of a second between. `.ranges` logs what was
    asked, `.printed` what the reader had seen by then.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.cuts, self.ranges, self.paths = zipped(FILES), [], [], []
        self.resumes, self.kind, self.status, self.announces = True, "application/zip", None, True
        self.hangs, self.delay, self.drip, self.printed = [], 0, None, []
        self.over = threading.Event()  # ends what hangs

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/set.zip"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        asked = self.headers.get("Range")
        server.ranges.append(asked)
        server.paths.append(self.path)
        server.printed.append(getattr(sys.stdout, "flushed", None))
        server.over.wait(server.delay)
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
        if server.hangs:
            self.wfile.write(body[: server.hangs.pop(0)])
            server.over.wait(60)
        elif server.drip:
            for k in range(0, len(body), server.drip):
                self.wfile.write(body[k : k + server.drip])
                server.over.wait(0.01)
        else:
            self.wfile.write(body[: server.cuts.pop(0)] if server.cuts else body)

    def log_message(self, *args):
        pass


@pytest.fixture(autouse=True)
def new_session(monkeypatch):
    """No download has failed yet, no time been waited, and the environment names no other place to ask."""
    for name in ("SEGNB_MIRROR", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sets, "_failed", {})
    monkeypatch.setattr(download, "patience", download.Patience())


@pytest.fixture
def server():
    it = Server()
    threading.Thread(target=it.serve_forever, args=(0.01,), daemon=True).start()
    yield it
    it.over.set()
    it.shutdown()
    it.server_close()


@pytest.fixture
def silent():
    """The address of a server that takes every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as it:
        yield f"http://127.0.0.1:{it.getsockname()[1]}/set.zip"


@pytest.fixture
def hurried(monkeypatch):
    """A session of little patience: the seconds it waits."""
    monkeypatch.setattr(download, "WAIT", 0.5)
    monkeypatch.setattr(download, "WINDOW", 0.5)
    download.patience.renew()
    return download.WAIT


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


@pytest.mark.parametrize("place", ["{}", "{}/", "~"])
def test_a_mirror_may_be_a_folder_on_the_disk_and_keeps_its_archive(server, tmp_path, monkeypatch, place):
    (tmp_path / "mirror").mkdir()
    archive = tmp_path / "mirror" / "set.zip"
    archive.write_bytes(zipped(FILES))
    monkeypatch.setenv("HOME", str(tmp_path / "mirror"))
    monkeypatch.setenv("SEGNB_MIRROR", place.format(tmp_path / "mirror"))
    download.fetch_archive(tmp_path / "cache" / "set", (server.url,), PARTS)
    assert is_whole(tmp_path / "cache" / "set")
    assert server.paths == []
    # One that is damaged is named, left where it is, and the next place is asked.
    archive.write_bytes(b"no archive")
    download.fetch_archive(tmp_path / "other" / "set", (server.url,), PARTS)
    assert archive.read_bytes() == b"no archive"
    assert server.paths == ["/set.zip"]
    archive.unlink()
    fails(tmp_path / "third" / "set", server, "set.zip: No such file", urls=("http://127.0.0.1:9/x.zip",))


def test_an_archive_of_other_pictures_is_refused(server, tmp_path):
    server.content = zipped(FILES | {"top/data/b/3.png": b"THREE"})
    fails(tmp_path / "set", server, "files for b are not those of the data set")
    assert parts_of(tmp_path / "set") == []


def test_the_content_hash_goes_by_names_as_strings_and_by_content(tmp_path):
    for n in (2, 10, 1):
        (tmp_path / f"{n}.png").write_bytes(b"%d" % n)
    assert download.content_hash(tmp_path) == hashed(b"1", b"10", b"2")
    (tmp_path / "2.png").write_bytes(b"3")
    assert download.content_hash(tmp_path) != hashed(b"1", b"10", b"2")


def encrypted():
    """FILES with the mark of an encrypted member (bit 0 of the flags, in both heads)."""
    content = bytearray(zipped(FILES))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(mark)
        while at >= 0:
            content[at + place] |= 1
            at = content.find(mark, at + 4)
    return bytes(content)


def packed_oddly(method):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    content = bytearray(buffer.getvalue())
    # The first member's packed bytes, changed.
    content[60:90] = b"x" * 30
    return bytes(content)


def twice():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in FILES:
            archive.writestr(name, FILES[name])
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("top/data/a/1.png", FILES["top/data/a/1.png"])
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (encrypted, "encrypted"),
        (lambda: packed_oddly(zipfile.ZIP_LZMA), "not a whole zip archive"),
        (lambda: packed_oddly(zipfile.ZIP_BZIP2), "not a whole zip archive|Invalid data stream"),
        (lambda: packed_oddly(zipfile.ZIP_DEFLATED), "not a whole zip archive"),
        (lambda: b"", "zip archive"),
        (twice, "1.png twice"),
    ],
)
def test_encrypted_and_odd_archives_are_refused_in_words(server, tmp_path, content, match):
    server.content = content() or b"PK"
    fails(tmp_path / "set", server, match)


def test_of_two_downloads_at_once_one_waits_and_finds_the_set_there(server, tmp_path, capsys):
    server.delay = 0.5
    problems = []

    def fetch():
        try:
            download.fetch_archive(tmp_path / "cache" / "set", (server.url,), PARTS)
        except DataError as problem:
            problems.append(problem)

    threads = [threading.Thread(target=fetch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert server.paths == ["/set.zip"]
    assert is_whole(tmp_path / "cache" / "set")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["set"]
    assert "waiting for it" in capsys.readouterr().out


def test_what_an_interrupted_unpacking_left_behind_is_cleared(server, tmp_path):
    (tmp_path / "set.unpacking" / "b").mkdir(parents=True)
    (tmp_path / "set.unpacking" / "b" / "old.png").write_text("old")
    download.fetch_archive(tmp_path / "set", (server.url,), PARTS)
    assert is_whole(tmp_path / "set")


def png(value):
    """A picture of 4×4 pixels of this value, as bytes."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 4), value, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def slices():
    """The archive of isbi2012, with slices of 4×4 pixels."""
    folder = "unet-b45af4d/data/membrane/train"
    files = {f"{folder}/{kind}/{n}.png": png(255) for kind in ("image", "label") for n in range(30)}
    return zipped(files | {"unet-b45af4d/data/membrane/test/0.png": b"-", f"{folder}/aug/0.png": b"-"})


@pytest.fixture
def isbi(server, monkeypatch, no_data):
    """The server has isbi2012, and it is not on disk."""
    server.content = slices()
    monkeypatch.setattr(isbi2012, "URLS", (server.url,))
    for place, (here, count, _) in isbi2012.PARTS.items():
        monkeypatch.setitem(isbi2012.PARTS, place, (here, count, hashed(*[png(255)] * 30)))
    return server


def test_isbi2012_is_downloaded_whole_and_used(isbi, tmp_path):
    assert len(load("isbi2012", "test", download=True)) == 6
    assert not (tmp_path / "cache" / "segnb" / "isbi2012" / "test").exists()
    assert len(isbi.paths) == 1
    assert not choose("isbi2012").generated
    assert len(isbi.paths) == 1  # it is on disk now
    (tmp_path / "root").mkdir()
    assert not choose("isbi2012", root=tmp_path / "root").generated
    assert (tmp_path / "root" / "isbi2012" / "train" / "label" / "29.png").exists()


# --- servers that make one wait --------------------------------------------------------------------------------------


class Output(io.StringIO):
    """A stdout that knows what of it has been flushed."""

    flushed = ""

    def flush(self):
        self.flushed = self.getvalue()


def chosen(*arguments, **options):
    """(data, lines printed, seconds) of `choose`."""
    output, start = Output(), time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", output)
        data = choose(*arguments, **options)
    return data, output.getvalue().splitlines(), time.monotonic() - start


SLACK = 2  # seconds that a busy machine may add


def is_twin(found, *words, lines=1):
    """`chosen` found the twin in time and said so, with these words, in its last line."""
    data, printed, _ = found
    assert data.generated
    assert len(printed) == lines, printed
    assert "its generated twin" in printed[-1]
    assert len(re.sub(r"/\S*/", "", printed[-1])) < 250  # however long the folders' names
    for word in words:
        assert word in printed[-1], printed[-1]


def test_a_line_says_what_is_fetched_before_the_server_is_asked(isbi, tmp_path):
    folder = tmp_path / "cache" / "segnb" / "isbi2012"
    line = f"fetching isbi2012 (19 MB, once) to {folder}; SEGNB_DATA=generated fetches nothing\n"
    data, printed, _ = chosen("isbi2012")
    assert isbi.printed == [line]
    assert printed[1:] == [f"isbi2012 (train): 20 images from isbi2012, the real pictures in {folder}"]
    assert not data.generated
    (tmp_path / "root").mkdir()
    output = Output()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", output)
        load("isbi2012", root=tmp_path / "root", download=True)
    assert isbi.printed[1].startswith(f"fetching isbi2012 (19 MB, once) to {tmp_path / 'root'}")


def headers_and_nothing_more(server, monkeypatch):
    server.hangs = [0] * 9


def a_late_answer(server, monkeypatch):
    server.delay = 60


def a_name_that_is_looked_up_for_ever(server, monkeypatch):
    look_up = socket.getaddrinfo

    def slowly(host, *arguments, **options):
        if host == "slow.invalid":
            server.over.wait(60)
        return look_up(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    monkeypatch.setattr(isbi2012, "URLS", ("http://slow.invalid/isbi2012.zip",))


def a_head_that_drips(server, monkeypatch):
    def do_GET(handler):
        server.paths.append(handler.path)
        handler.send_response(200)
        for k in range(90):
            handler.send_header(f"X-{k}", "-")
            handler.flush_headers()
            if server.over.wait(0.2):
                return

    monkeypatch.setattr(Handler, "do_GET", do_GET)


@pytest.mark.parametrize(
    "misbehave",
    [headers_and_nothing_more, a_late_answer, a_name_that_is_looked_up_for_ever, a_head_that_drips],
)
def test_a_server_that_keeps_one_waiting_is_left_in_time_and_not_asked_again(
    isbi, monkeypatch, hurried, misbehave
):
    misbehave(isbi, monkeypatch)
    found = chosen("isbi2012", size=32)
    is_twin(found, "the server sent nothing for 0.5 s", "load('isbi2012', download=True)", lines=2)
    assert found[2] < hurried + SLACK
    requests = len(isbi.paths)
    for split in ("train", "val"):
        again = chosen("isbi2012", split, size=32)
        is_twin(again, "the download failed before in this session", "load('isbi2012', download=True)")
        assert again[2] < hurried
    assert len(isbi.paths) == requests


def test_several_mirrors_and_sets_share_what_a_session_waits(monkeypatch, no_data, hurried, silent):
    for module in (camvid, isbi2012):
        monkeypatch.setattr(module, "URLS", (silent, f"{silent}?again", f"{silent}?and-again"))
    first = chosen("camvid", size=32)
    is_twin(first, "the server sent nothing for 0.17 s", lines=2)
    second = chosen("isbi2012", size=32)
    is_twin(second, "servers that sent nothing have taken the 0.5 s that a session waits")
    is_twin(chosen("camvid", "val", size=32), "before in this session")
    assert hurried * 0.9 < first[2] < hurried + SLACK
    assert second[2] < hurried


def test_a_mirror_that_is_silent_leaves_time_for_the_next(server, tmp_path, hurried, silent):
    start = time.monotonic()
    download.fetch_archive(tmp_path / "set", (silent, server.url), PARTS)
    assert time.monotonic() - start < hurried + SLACK
    assert is_whole(tmp_path / "set")


def test_waits_that_bring_something_are_not_counted(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "WAIT", 1.5)
    download.patience.renew()
    server.delay, server.cuts = 0.6, [1000, 70_000]
    download.fetch_archive(tmp_path / "set", (server.url,), PARTS)  # 1.8 s in all
    assert is_whole(tmp_path / "set")
    assert download.patience.left == 1.5


def test_a_transfer_that_falls_silent_is_left_in_time_and_goes_on_later(server, tmp_path, hurried):
    server.hangs = [1000, 0, 0]
    start = time.monotonic()
    fails(tmp_path / "set", server, "stopped after 1,000 of|sent nothing")
    assert time.monotonic() - start < hurried + SLACK
    assert [path.stat().st_size for path in parts_of(tmp_path / "set")] == [1000]
    server.hangs = []
    download.patience.renew()
    download.fetch_archive(tmp_path / "set", (server.url,), PARTS)
    assert server.ranges[-1] == "bytes=1000-"
    assert is_whole(tmp_path / "set")


def test_a_transfer_that_drips_is_left_in_time_and_goes_on_later(server, tmp_path, monkeypatch, hurried):
    server.drip = 10  # 1,000 bytes a second
    start = time.monotonic()
    fails(tmp_path / "set", server, "slower than 4 KB a second")
    assert time.monotonic() - start < download.WINDOW + SLACK
    size = parts_of(tmp_path / "set")[0].stat().st_size
    assert size > 0
    server.drip = 10_000
    download.fetch_archive(tmp_path / "set", (server.url,), PARTS)
    assert server.ranges[-1] == f"bytes={size}-"
    assert is_whole(tmp_path / "set")


def test_load_tries_again_and_choose_sees_that_it_worked(isbi, hurried):
    isbi.delay = 60
    is_twin(chosen("isbi2012", size=32), "the server sent nothing", lines=2)
    start = time.monotonic()
    with pytest.raises(DataError, match="could not be downloaded"):
        load("isbi2012", download=True)
    assert hurried * 0.9 < time.monotonic() - start < hurried + SLACK  # it has a patience of its own
    is_twin(chosen("isbi2012", size=32), "before in this session")
    isbi.delay = 0
    assert len(load("isbi2012", download=True)) == 20
    assert not chosen("isbi2012", "val")[0].generated
    assert download.patience.left == hurried  # the network works


def test_a_set_that_appears_on_disk_is_seen(isbi, tmp_path):
    isbi.status = 404
    is_twin(chosen("isbi2012", size=32), "the download failed: the server answers 404", lines=2)
    (tmp_path / "elsewhere").mkdir()
    isbi.status = None
    load("isbi2012", root=tmp_path / "elsewhere", download=True)
    is_twin(chosen("isbi2012", size=32), "before in this session")
    shutil.copytree(tmp_path / "elsewhere", tmp_path / "cache" / "segnb", dirs_exist_ok=True)
    assert not chosen("isbi2012")[0].generated


def test_another_mirror_or_folder_is_another_attempt(isbi, tmp_path, monkeypatch):
    isbi.status = 404
    is_twin(chosen("isbi2012", size=32), lines=2)
    (tmp_path / "root").mkdir()
    is_twin(
        chosen("isbi2012", size=32, root=tmp_path / "root"),
        f"load('isbi2012', root='{tmp_path / 'root'}', download=True)",
        lines=2,
    )
    isbi.status = None
    is_twin(chosen("isbi2012", size=32), "before in this session")
    monkeypatch.setenv("SEGNB_MIRROR", isbi.url.removesuffix("/set.zip"))
    assert not chosen("isbi2012")[0].generated


def test_a_connection_that_is_refused_or_closed_early_is_told_in_a_few_words(isbi, monkeypatch):
    isbi.cuts = [0, 0]
    is_twin(chosen("isbi2012", size=32), "the download failed: the transfer stopped after 0 of", lines=2)
    monkeypatch.setattr(isbi2012, "URLS", ("http://127.0.0.1:9/a.zip", "http://127.0.0.1:9/b.zip"))
    monkeypatch.setattr(sets, "_failed", {})
    is_twin(chosen("isbi2012", size=32), "the download failed: Connection refused. To try", lines=2)


def test_without_a_network_it_says_so(isbi, monkeypatch):
    def fail(*arguments, **options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    found = chosen("isbi2012", size=32)
    is_twin(found, "the download failed: no network (Name or service not known). To try", lines=2)


# --- disks and folders that do not do ---------------------------------------------------------------------------------


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no device that is always full")
def test_a_full_disk_ends_it_at_once(isbi, tmp_path, monkeypatch):
    monkeypatch.setattr(isbi2012, "URLS", (isbi.url, f"{isbi.url}?again"))
    cache = tmp_path / "cache" / "segnb"
    cache.mkdir(parents=True)
    for url in isbi2012.URLS:
        (cache / f"isbi2012.{zlib.crc32(url.encode()):08x}.part").symlink_to("/dev/full")
    is_twin(chosen("isbi2012", size=32), "the download failed: No space left on device", lines=2)
    assert len(isbi.paths) == 1  # another mirror would not help
    assert len(list(cache.iterdir())) == 1


def test_a_disk_that_fills_while_unpacking_is_given_back_what_was_taken(isbi, tmp_path, monkeypatch):
    def full(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfileobj", full)
    is_twin(chosen("isbi2012", size=32), "the download failed: No space left on device", lines=2)
    assert not list((tmp_path / "cache" / "segnb").iterdir())


@pytest.mark.parametrize("place", ["file", "/proc/segnb"])
def test_a_cache_that_cannot_be_made_means_the_twin_and_no_request(isbi, tmp_path, monkeypatch, place):
    (tmp_path / "file").write_text("in its place")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / place))
    is_twin(chosen("isbi2012", size=32), "isbi2012 cannot be made (", "Set SEGNB_DATA to a folder")
    with pytest.raises(DataError, match="cannot be made"):
        load("isbi2012", download=True)
    assert not isbi.paths


def test_a_user_without_a_home_gets_the_twin(isbi, monkeypatch):
    def no_home(_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("pathlib.Path.home", classmethod(no_home))
    is_twin(chosen("isbi2012", size=32), "no home folder", "Set SEGNB_DATA")
    with pytest.raises(DataError, match="no home folder"):
        load("isbi2012")


def test_a_cache_that_may_not_be_read_means_the_twin(isbi, monkeypatch):
    def forbidden(*arguments, **options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(isbi2012, "files", forbidden)
    monkeypatch.setattr("pathlib.Path.exists", forbidden)
    is_twin(chosen("isbi2012", size=32), "Permission denied")
    with pytest.raises(DataError, match=r"cannot be read \(Permission denied\)"):
        load("isbi2012")


@pytest.mark.parametrize("gone", ["image/5.png", "label/2*.png", "label"])
def test_half_a_cache_is_no_data_set_and_the_cure_that_is_named_works(isbi, tmp_path, gone):
    folder = tmp_path / "cache" / "segnb" / "isbi2012"
    choose("isbi2012")
    for path in list((folder / "train").glob(gone)):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for split in items.SPLITS:  # all alike, so that nobody trains on one and measures on the other
        is_twin(chosen("isbi2012", split, size=32), str(folder), "Move or delete")
    assert len(isbi.paths) == 1
    folder.rename(tmp_path / "moved")
    assert len(load("isbi2012", download=True)) == 20
    assert not chosen("isbi2012", "val")[0].generated


def test_in_a_folder_that_was_named_a_missing_file_is_an_error(isbi, tmp_path, monkeypatch):
    (tmp_path / "root").mkdir()
    monkeypatch.setenv("SEGNB_DATA", str(tmp_path / "root"))
    choose("isbi2012")
    (tmp_path / "root" / "isbi2012" / "train" / "label" / "21.png").unlink()
    assert not choose("isbi2012").generated
    with pytest.raises(DataError, match=r"21\.png is missing"):
        choose("isbi2012", "val")


def test_choose_completes_what_was_interrupted(isbi, tmp_path):
    cache = tmp_path / "cache" / "segnb"
    isbi.cuts = [1000, 0]
    is_twin(chosen("isbi2012", size=32), "stopped after 1,000 of", lines=2)
    assert not (cache / "isbi2012").exists()
    (cache / "isbi2012.unpacking").mkdir()
    sets._failed.clear()  # another session
    assert not chosen("isbi2012")[0].generated
    assert isbi.ranges[-1] == "bytes=1000-"
    assert [path.name for path in cache.iterdir()] == ["isbi2012"]
