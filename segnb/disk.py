"""Files of our own on the disk: whole or not there, and written by one program at a time."""

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def file_at(path) -> Path:
    """Where a file at `path` really lies: links are followed.

    Raises: ValueError: a folder or a device is there.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise ValueError(f"{path} is no file but a folder or a device: give the name of a file")
    return target


@contextmanager
def replacing(path) -> Iterator[Path]:
    """A new, empty file to be written inside; in the end it takes the place of the one at `path`.

    Until then the old file is whole, also if the process is killed; and if anything goes wrong inside, it
    stays and nothing else does. Missing folders are made; a link is written through to what it names.

    Raises:
        ValueError: there is a folder or a device.
        OSError, naming `path`: the disk is full, or may not be written to.
    """
    target = file_at(path)
    partial = target.with_name(f"{target.name}.partial")
    with _named(path):
        target.parent.mkdir(parents=True, exist_ok=True)
        # A folder that may not be written to shows before the work inside.
        partial.touch()
        try:
            yield partial
            with open(partial, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(partial, target)
        finally:
            with suppress(OSError):
                partial.unlink()


@contextmanager
def locked(path, taken, *, wait=False) -> Iterator[None]:
    """One program at a time is inside for a file or folder at `path`, and one thread of it.

    The system forgets the lock of a program that ended, in whatever way. Where a disk knows no locks (some
    that are mounted over a network), nothing is locked.

    Args:
        taken: a sentence for whoever finds another one inside.
        wait: True prints that and waits for the other's end.
    Raises:
        ValueError, saying `taken`: another one is inside, and `wait` is False.
        OSError, naming `path`: its folder may not be written to.
    """
    path = Path(path)
    with _named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = _acquired(path, taken, wait) if _knows_locks(path.parent) else None
    try:
        yield
    finally:
        if lock:
            # While it is held, so that nobody takes what is about to vanish. Windows removes no
            # open file, but there the release does it.
            with suppress(OSError):
                os.unlink(lock.lock_file)
            lock.release()


def encoded(picture, path) -> memoryview:
    """What a file `path` would hold of one of Pillow's pictures, in the format of its ending.

    For `replacing`: Pillow's own writer tells of a full disk in a number of its own.
    """
    from PIL import Image

    whole = io.BytesIO()
    picture.save(whole, Image.registered_extensions()[Path(path).suffix.lower()])
    return whole.getbuffer()


@contextmanager
def _named(path):
    """A system's error inside becomes one that names `path`, and says if that is unharmed."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        kept = "; what it held before is still there" if os.path.isfile(path) else ""
        # The number chooses the class, PermissionError for one.
        raise OSError(error.errno, f"{path} cannot be written, {error.strerror}{kept}") from error


def _lock(path, **options):
    # Here, because it is needed late. A mark that outlives its maker, filelock's way where there
    # are no locks, would keep the reader out for ever.
    from filelock import FileLock

    return FileLock(path, fallback_to_soft=False, **options)


def _acquired(path, taken, wait):
    from filelock import Timeout

    lock = _lock(path.with_name(f"{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not wait:
            raise ValueError(taken) from None
        print(taken, flush=True)
        lock.acquire()
    return lock


def _knows_locks(folder):
    """Whether files in a folder can be locked: tried on one that nobody else has."""
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as place:
        try:
            with _lock(Path(place, "lock"), timeout=0):
                return True
        except (NotImplementedError, OSError):
            return False
