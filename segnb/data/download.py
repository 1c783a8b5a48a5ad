"""Archives of real data: fetched with a progress bar, resumed, checked, unpacked safely, and only then a data set."""

import http.client
import os
import shutil
import urllib.error
import urllib.request
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from .loading import DataError

CHUNK = 2**16
TIMEOUT = 20  # seconds without an answer
LARGEST = 4 * 2**30  # bytes that an archive may unpack to


def fetch_archive(folder, urls, parts):
    """Makes `folder` from a zip archive of a repository.

    urls: mirrors of the archive, tried in order; $SEGNB_MIRROR/<folder's name>.zip comes before them, for a class room
        with a copy of its own.
    parts: {folder in the archive, without its top folder: (folder here, number of files)}; nothing else is unpacked.
    An interrupted transfer goes on where it stopped, also in a later call. `folder` appears when every file is there
    and its checksum (the archive's CRC-32) is right, never before. Raises DataError saying what went wrong at each
    mirror, and if `folder` already holds something.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise DataError(
            f"{folder} exists but is not the whole data set. Move or delete it, then download it again: "
            f"segnb.data.load({folder.name!r}, download=True)"
        )
    if os.environ.get("SEGNB_MIRROR"):
        urls = (f"{os.environ['SEGNB_MIRROR'].rstrip('/')}/{folder.name}.zip", *urls)
    problems = []
    for url in urls:
        part = folder.with_name(
            f"{folder.name}.{zlib.crc32(url.encode()):08x}.part"
        )  # never resume another's file
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            _fetch(url, part)
            _unpack(part, folder, parts)
            return
        except (OSError, http.client.HTTPException, DataError) as problem:
            problems.append(f"{url}: {str(problem) or type(problem).__name__}")
    raise DataError(
        f"{folder.name} could not be downloaded to {folder} ({'; '.join(problems)}). Check the network and run this "
        "again: it goes on where it stopped."
    )


def _fetch(url, part):
    """Brings `part` to the whole file at `url`; goes on as long as each connection brings more of it."""
    from tqdm.std import tqdm

    best = -1
    with tqdm(desc=url.rsplit("/", 1)[-1], unit="B", unit_scale=True, unit_divisor=1024, delay=1) as bar:
        while True:
            have, total = _transfer(url, part, bar)
            if total is None or have == total:
                return
            if have <= best:
                raise DataError(f"the transfer stopped after {have:,} of {total:,} bytes")
            best = have


def _transfer(url, part, bar):
    """One connection, from the end of `part` on. Returns (bytes on disk, bytes in all or None if not announced)."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(
        url, headers={"User-Agent": "segnb", **({"Range": f"bytes={have}-"} if have else {})}
    )
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)
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
                while chunk := answer.read(CHUNK):
                    file.write(chunk)
                    bar.update(len(chunk))
            except (http.client.IncompleteRead, ConnectionError, TimeoutError):
                if not length:
                    raise
    return part.stat().st_size, bar.total


def _unpack(part, folder, parts):
    """Unpacks the archive beside `folder` and moves the result there when it is complete; deletes a bad archive."""
    unpacking = folder.with_name(f"{folder.name}.unpacking")
    shutil.rmtree(unpacking, ignore_errors=True)
    try:
        with zipfile.ZipFile(part) as archive:
            for info, target in _members(archive, parts):
                (unpacking / target).parent.mkdir(parents=True, exist_ok=True)
                with archive.open(info) as source, (unpacking / target).open("wb") as copy:
                    shutil.copyfileobj(source, copy)
        for here, count in parts.values():
            found = len(list((unpacking / here).glob("*")))
            if found != count:
                raise DataError(f"the archive has {found} files for {here}, not {count}")
        if folder.exists():
            folder.rmdir()  # empty, or this fails
        unpacking.rename(folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as problem:
        part.unlink()
        raise DataError(f"what came is not a whole zip archive ({problem})") from None
    except DataError:
        part.unlink()
        raise
    finally:
        shutil.rmtree(unpacking, ignore_errors=True)
    for leftover in folder.parent.glob(f"{folder.name}.*.part"):
        leftover.unlink()


def _members(archive, parts):
    """The wanted files of the archive, as (info, path here). DataError if any name or kind of file is unsafe."""
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
        here, _ = parts.get("/".join(path.parts[1:-1]), (None, 0))
        if here is not None and not info.is_dir():
            wanted.append((info, f"{here}/{path.name}"))
    if sum(info.file_size for info, _ in wanted) > LARGEST:
        raise DataError("the archive would unpack to more than 4 GB")
    return wanted
