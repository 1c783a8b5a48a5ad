"""Archives of real data: fetched, resumed, checked, unpacked safely, and only then a data set.

A session (one process) waits at most WAIT seconds for servers that send nothing, whatever the number of sets,
mirrors and connections; `patience` keeps the account.
"""

import errno
import hashlib
import http.client
import lzma
import os
import queue
import shutil
import socket
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ...disk import locked
from ..files import DataError

CHUNK = 2**16
# Seconds.
WAIT = 10
# A transfer must bring so many bytes a second, on average over so many seconds.
SLOWEST, WINDOW = 2**12, 20
# Bytes that an archive may unpack to.
LARGEST = 4 * 2**30
# A disk, or a user's share of it.
FULL = (errno.ENOSPC, errno.EDQUOT)
# Of the download.
MEGABYTES = {"camvid": 187, "isbi2012": 19, "pets": 800}
# What zipfile raises for archives that are cut, damaged, encrypted or packed in a way it does not know.
BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError)


class DownloadError(DataError):
    """A download that failed. `reason` says why in a few words, without the addresses."""

    def __init__(self, folder, problems):
        """problems: {address: what went wrong there}."""
        self.reason = "; ".join(dict.fromkeys(problems.values())) or "no time to wait for a server is left"
        every = "; ".join(f"{url}: {problem}" for url, problem in problems.items()) or self.reason
        super().__init__(
            f"{folder.name} could not be downloaded to {folder} ({every}). Run this again when that is mended: it goes "
            "on where it stopped, if it can."
        )


class Patience:
    """The seconds that this session may still wait for servers that send nothing.

    A wait that brought bytes is free.
    """

    def __init__(self):
        self.renew()

    def renew(self) -> None:
        self.left = WAIT

    def spend(self, seconds) -> None:
        self.left = max(0, self.left - seconds)


patience = Patience()


@contextmanager
def alone(folder) -> Iterator[bool]:
    """One download of `folder` at a time on this machine; gives whether another one made it meanwhile.

    Raises: DataError: the folder cannot be made.
    """
    before = _ready(folder)
    taken = f"{folder.name} is being fetched already, by another program: waiting for it"
    with locked(folder, taken, wait=True):
        yield folder.exists() and not before


def content_hash(folder) -> str:
    """SHA-256, in hexadecimal, over the SHA-256 digests of a folder's files, in order of names."""
    whole = hashlib.sha256()
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


def begin(folder) -> None:
    """Say what is about to be fetched. Raises: DataError: `folder` already holds something."""
    if folder.exists() and any(folder.iterdir()):
        raise DataError(
            f"{folder} exists but is not the whole data set. Move or delete it, then download it again: "
            f"segnb.data.load({folder.name!r}, download=True)"
        )
    size = f"{MEGABYTES[folder.name]} MB, " if folder.name in MEGABYTES else ""
    print(
        f"fetching {folder.name} ({size}once) to {folder}; SEGNB_DATA=generated fetches nothing", flush=True
    )


def _ready(folder):
    """Whether `folder` is there already. DataError if it could not be made."""
    try:
        there = folder.exists()
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder.parent):
            pass
    except OSError as problem:
        raise DataError(
            f"{folder} cannot be made ({in_words(problem)}). Set SEGNB_DATA to a folder that can be written to."
        ) from None
    return there


def fetch_archive(folder, urls, parts) -> None:
    """Make `folder` from a zip archive of a repository.

    Prints a line before it asks any server. An interrupted transfer goes on where it stopped, also in a later
    call; one that is too slow (SLOWEST) is interrupted. `folder` appears when every file is there and the
    hashes are right, never before; of two downloads at once, one waits for the other.

    Args:
        urls: mirrors of the archive, tried in order; $SEGNB_MIRROR/<folder's name>.zip comes before them, for
            a class room with a copy of its own: an address, or a folder on the disk. Each address may use its
            equal share of the seconds that `patience` has left.
        parts: {folder in the archive, without its top folder: (folder here, number of files, their
            `content_hash`)}; nothing else is unpacked.
    Raises:
        DownloadError: says what went wrong at each mirror.
        DataError: `folder` already holds something or cannot be made.
    """
    folder = Path(folder)
    with alone(folder) as made:
        if not made:
            begin(folder)
            _fetch_archive(folder, (*_own_mirror(folder.name), *urls), parts)


def _own_mirror(name):
    """The class room's own archive, if it names one: an address, or a path where there is no "scheme://"."""
    place = os.environ.get("SEGNB_MIRROR")
    if not place:
        return ()
    return (
        f"{place.rstrip('/')}/{name}.zip" if "://" in place else Path(place).expanduser() / f"{name}.zip",
    )


def _fetch_archive(folder, mirrors, parts):
    problems = {}
    for k, mirror in enumerate(mirrors):
        # Never resume another's file.
        part = folder.with_name(f"{folder.name}.{zlib.crc32(str(mirror).encode()):08x}.part")
        try:
            if isinstance(mirror, Path):
                _unpack(mirror, folder, parts)
                return
            if not patience.left:
                break
            fetch(mirror, part, mirrors=len(mirrors) - k)
            try:
                _unpack(part, folder, parts)
            except DataError:
                part.unlink()
                raise
            for leftover in folder.parent.glob(f"{folder.name}.*.part"):
                leftover.unlink()
            return
        except (OSError, http.client.HTTPException, DataError) as problem:
            problems[str(mirror)] = in_words(problem)
            # No mirror would help; give back what we took.
            if getattr(problem, "errno", None) in FULL:
                part.unlink(missing_ok=True)
                break
    raise DownloadError(folder, problems)


def fetch(url, part, mirrors=1) -> None:
    """Bring the file `part` to the whole of `url`, as long as each connection brings more of it.

    Args: mirrors: how many addresses, this one included, share what is left of the session's `patience`.
    Raises: OSError, HTTPException, DataError: it failed; the part that came is kept.
    """
    from tqdm.std import tqdm

    best, pace = -1, Pace()
    with tqdm(desc=url.rsplit("/", 1)[-1], unit="B", unit_scale=True, unit_divisor=1024, delay=1) as bar:
        while True:
            have, total = _transfer(url, part, bar, pace, patience.left / mirrors)
            if total is None or have == total:
                return
            if have <= best or not patience.left:
                raise DataError(f"the transfer stopped after {have:,} of {total:,} bytes")
            best = have


def in_words(problem) -> str:
    """What an exception says, on one line and without its class and number."""
    cause = problem.reason if isinstance(problem, urllib.error.URLError) else problem
    words = " ".join(str(getattr(cause, "strerror", None) or cause or type(cause).__name__).split())
    if isinstance(cause, socket.gaierror):
        return f"no network ({words})"
    return words or type(cause).__name__


class Pace:
    """Watches a transfer, over all its connections.

    Raises: DataError: it was slower than SLOWEST bytes a second, over WINDOW seconds.
    """

    def __init__(self):
        self.since, self.bytes = None, 0

    def count(self, new) -> None:
        now = time.monotonic()
        self.since = self.since or now
        self.bytes += new
        if now - self.since > WINDOW:
            if self.bytes < SLOWEST * (now - self.since):
                raise DataError(f"the transfer is slower than {SLOWEST / 1024:.0f} KB a second")
            self.since, self.bytes = now, 0


def _open(request, seconds):
    """(the answer, its first bytes), at most `seconds` from now; TimeoutError if that is too short.

    urllib's timeout holds for each step alone (an address, a redirection, a line of the head) and not at all
    for looking up the server's name. So a thread takes the steps, and is left to itself if it takes too long.
    """
    result = queue.SimpleQueue()

    def work():
        try:
            answer = urllib.request.urlopen(request, timeout=seconds)
            result.put((answer, answer.read1(CHUNK)))
        except (OSError, http.client.HTTPException, ValueError) as problem:
            result.put(problem)

    start = time.monotonic()
    threading.Thread(target=work, daemon=True).start()
    try:
        found = result.get(timeout=seconds)
    except queue.Empty:
        found = TimeoutError()
    if isinstance(found, tuple):
        return found
    if isinstance(getattr(found, "reason", found), TimeoutError):
        patience.spend(seconds)
        raise TimeoutError(f"the server sent nothing for {seconds:.2g} s")
    patience.spend(time.monotonic() - start)
    raise found


def _transfer(url, part, bar, pace, seconds):
    """One connection, from the end of `part` on: (bytes on disk, bytes in all or None if not announced).

    It ends when for `seconds` nothing comes.
    """
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(
        url, headers={"User-Agent": "segnb", **({"Range": f"bytes={have}-"} if have else {})}
    )
    try:
        answer, chunk = _open(request, seconds)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and error.headers.get("Content-Range") == f"bytes */{have}":
            return have, have  # nothing left to send
        part.unlink(missing_ok=True)
        raise DataError(f"the server answers {error.code} {error.reason}") from None
    with answer:
        if answer.headers.get_content_type() == "text/html":
            part.unlink(missing_ok=True)
            raise DataError("the server sent a web page instead of the archive")
        if answer.status != 206:  # it sends the whole file again
            have = 0
        length = answer.headers.get("Content-Length")
        bar.total, bar.n = (have + int(length) if length else None), have
        with part.open("ab" if have else "wb") as file:
            try:
                while chunk:
                    file.write(chunk)
                    bar.update(len(chunk))
                    pace.count(len(chunk))
                    chunk = answer.read1(CHUNK)
            except (http.client.IncompleteRead, ConnectionError, TimeoutError) as problem:
                if isinstance(problem, TimeoutError):
                    patience.spend(seconds)
                if not length:
                    raise
    return part.stat().st_size, bar.total


def _unpack(archive, folder, parts):
    """Unpack the archive beside `folder` and move the result there when it is what it should be."""
    unpacking = folder.with_name(f"{folder.name}.unpacking")
    shutil.rmtree(unpacking, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as opened:
            for info, target in _members(opened, parts):
                (unpacking / target).parent.mkdir(parents=True, exist_ok=True)
                with opened.open(info) as source, (unpacking / target).open("xb") as copy:
                    shutil.copyfileobj(source, copy)
        for here, count, digest in parts.values():
            found = len(list((unpacking / here).glob("*")))
            if found != count:
                raise DataError(f"the archive has {found} files for {here}, not {count}")
            if content_hash(unpacking / here) != digest:
                raise DataError(f"the archive's files for {here} are not those of the data set")
        if folder.exists():
            # Empty, or this fails.
            folder.rmdir()
        unpacking.rename(folder)
    except FileExistsError as problem:
        raise DataError(f"the archive has {Path(problem.filename).name} twice") from None
    except BROKEN as problem:
        raise DataError(f"what came is not a whole zip archive ({in_words(problem)})") from None
    finally:
        shutil.rmtree(unpacking, ignore_errors=True)


def _members(archive, parts):
    """The wanted files of the archive, as (info, path here). DataError if a name or kind is unsafe."""
    wanted = []
    for info in archive.infolist():
        path = PurePosixPath(info.filename)
        is_link = info.external_attr >> 16 & 0o170000 == 0o120000
        if (
            path.is_absolute()
            or ".." in path.parts
            or "\\" in info.filename
            or ":" in info.filename
            or is_link
        ):
            raise DataError(f"the archive has an unsafe member, {info.filename!r}")
        here, *_ = parts.get("/".join(path.parts[1:-1]), (None,))
        if here is not None and not info.is_dir():
            wanted.append((info, f"{here}/{path.name}"))
    if sum(info.file_size for info, _ in wanted) > LARGEST:
        raise DataError("the archive would unpack to more than 4 GB")
    return wanted
