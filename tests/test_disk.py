"""Files that are whole or not there, and locks: what a full disk, a second writer and a disk without locks get."""

import errno
import os
import threading

import numpy as np
import pytest
from PIL import Image

from segnb.disk import encoded, locked, replacing


def test_a_file_is_the_old_one_until_the_end(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with replacing(path) as partial:
        partial.write_text("old")
        assert not path.exists()
    with replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["a.txt"]


def write_and_raise(path, error):
    with replacing(path) as partial:
        partial.write_text("half")
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("no"), OSError("of no number")])
def test_other_errors_pass_and_leave_nothing(tmp_path, error):
    with pytest.raises(type(error)) as caught:
        write_and_raise(tmp_path / "a.txt", error)
    assert caught.value is error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("old", [True, False])
def test_a_full_disk_is_named_and_leaves_what_was_there(tmp_path, old):
    path = tmp_path / "a.txt"
    if old:
        path.write_text("old")
    with pytest.raises(OSError, match=r"a\.txt cannot be written, No space left") as caught:
        write_and_raise(path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert caught.value.errno == errno.ENOSPC
    assert ("still there" in str(caught.value)) == old
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"] * old


@pytest.mark.parametrize("ending", ["png", "tif", "bmp"])
def test_a_picture_is_encoded_as_pillow_writes_it(tmp_path, ending):
    picture = Image.fromarray(np.arange(60, dtype=np.uint8).reshape(6, 10))
    path = tmp_path / f"a.{ending}"
    picture.save(path)
    assert encoded(picture, path) == path.read_bytes()


# --- locks ------------------------------------------------------------------------------------------------------------


def test_a_second_one_is_told_or_waits(tmp_path, capsys):
    path, order = tmp_path / "a", []

    def second():
        with locked(path, "it is taken", wait=True):
            order.append("second")

    with locked(path, "it is taken"):
        with pytest.raises(ValueError, match="it is taken"), locked(path, "it is taken"):
            pass
        waiting = threading.Thread(target=second)
        waiting.start()
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "answer",
    [
        NotImplementedError("no flock"),
        OSError(errno.ENOLCK, "No locks"),
        OSError(errno.ENOSYS, "No such call"),
    ],
)
@pytest.mark.parametrize("wait", [True, False])
def test_on_a_disk_without_locks_work_goes_on(tmp_path, monkeypatch, answer, wait):
    def refuse(*arguments, **options):
        raise answer

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    with locked(tmp_path / "a", "it is taken", wait=wait), locked(tmp_path / "a", "it is taken"):
        assert not list(tmp_path.iterdir())


def test_a_disk_whose_calls_know_no_locks_gets_no_mark_that_stays(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*arguments):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locked(tmp_path / "a", "it is taken"):
        assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="a cannot be written"), locked(tmp_path / "file" / "a", "it is taken"):
        pass
