"""pets: photographs of cats and dogs with the animal's outline, through torchvision's Oxford-IIIT Pet set.

Each picture has a trimap: 1 is the animal, 2 the background and 3 an uncertain border, which is void here.
The authors' list of 3,680 pictures to train on is divided, every eighth picture being val; their 3,669 for
testing are test.
Source: Parkhi et al. (2012), "Cats and dogs".
"""

import hashlib
import http.client
import shutil
from pathlib import Path

import numpy as np

from ..files import DataError, read_image, read_mask
from ..items import IGNORE, SegmentationData, from_files

CLASSES = ("background", "pet")
PALETTE = ((67, 64, 88), (223, 181, 118))
CHANNELS = 3
TWIN = None
LISTS = {"train": "trainval.txt", "val": "trainval.txt", "test": "test.txt"}
EVERY = 8  # picture of trainval.txt belongs to val
LABELS = {1: 1, 2: 0, 3: IGNORE}
URL = "https://www.robots.ox.ac.uk/~vgg/data/pets/data"
ARCHIVES = {  # and their MD5, as torchvision has them
    "images.tar.gz": "5c4f3ee8e5d25df40f4fd59a7f44e54c",
    "annotations.tar.gz": "95a8c909bbe2e81eed6a22bccdf3f68f",
}


def open_set(root, split, size=None) -> SegmentationData:
    """The split in `root/pets` as a `SegmentationData`."""
    return from_files(
        "pets", split, files(root / "pets", split), read, classes=CLASSES, palette=PALETTE, size=size
    )


def files(folder, split) -> list[tuple[Path, Path]]:
    """[(image path, trimap path)] of a split. Raises: DataError: the list or a file in it is missing."""
    place = next(
        (p / "oxford-iiit-pet" for p in (folder, folder.parent) if (p / "oxford-iiit-pet").is_dir()), None
    )
    if place is None:
        raise DataError(
            f"pets is not at {folder}. Fetch it (800 MB) with segnb.data.load('pets', download=True), or set SEGNB_DATA "
            "to the folder that holds pets/oxford-iiit-pet/."
        )
    listing = place / "annotations" / LISTS[split]
    if not listing.is_file():
        raise DataError(f"{listing} is missing, and so is the split {split!r}. Download pets again.")
    names = sorted(line.split()[0] for line in listing.read_text().splitlines() if line.strip())
    if split != "test":
        names = [name for k, name in enumerate(names) if (k % EVERY == EVERY - 1) == (split == "val")]
    pairs = [(place / f"images/{name}.jpg", place / f"annotations/trimaps/{name}.png") for name in names]
    for path in (path for pair in pairs for path in pair):
        if not path.is_file():
            raise DataError(f"{path} is missing, but {listing.name} lists it. Download pets again.")
    if not pairs:
        raise DataError(f"{listing} lists no pictures for the split {split!r}. Download pets again.")
    return pairs


def read(image_path, trimap_path) -> tuple[np.ndarray, np.ndarray]:
    """(image uint8 H×W×3, mask uint8 H×W: 0 background, 1 pet, 255 void). Raises: DataError: other values."""
    trimap = read_mask(trimap_path)
    unknown = np.setdiff1d(trimap, list(LABELS))
    if len(unknown):
        raise DataError(
            f"{trimap_path} has the unknown value {unknown[0]}; a trimap has 1 (pet), 2 (background) and 3 (border). "
            "Download pets again."
        )
    mask = np.zeros_like(trimap)
    for value, label in LABELS.items():
        mask[trimap == value] = label
    return read_image(image_path), mask


def download(folder) -> None:
    """Fetch pictures and trimaps (800 MB, checked by MD5); torchvision unpacks them, `folder` appears whole.

    Raises: DownloadError: the archives cannot be had; what came is kept for the next attempt.
    """
    from .download import alone, begin

    with alone(folder) as made:
        if not made:
            begin(folder)
            _download(folder)


def _download(folder):
    from torchvision.datasets import OxfordIIITPet

    from .download import FULL, DownloadError, in_words

    partial = folder.with_name(f"{folder.name}.unpacking")
    place = partial / "oxford-iiit-pet"
    try:
        place.mkdir(parents=True, exist_ok=True)
        for archive, md5 in ARCHIVES.items():
            _fetch(place / archive, md5)
        # Of an unpacking that was interrupted.
        for half in ("images", "annotations"):
            shutil.rmtree(place / half, ignore_errors=True)
        OxfordIIITPet(partial, download=True)
        _check(partial)
        for archive in ARCHIVES:
            (place / archive).unlink()
        if folder.exists():
            # Empty, or `begin` had refused it.
            folder.rmdir()
        partial.rename(folder)
    except (OSError, http.client.HTTPException, RuntimeError, DataError) as problem:
        if getattr(problem, "errno", None) in FULL:
            # Give back what we took.
            shutil.rmtree(partial, ignore_errors=True)
        raise DownloadError(folder, {URL: in_words(problem)}) from None


def _fetch(archive, md5):
    """The file `archive`, whole and checked. DataError, and no file, if it is another."""
    from .download import fetch

    if not _is(archive, md5):
        fetch(f"{URL}/{archive.name}", archive)
        if not _is(archive, md5):
            archive.unlink()
            raise DataError(f"{archive.name} has another checksum than it should have")


def _check(folder):
    """DataError, and no folder, if a listed file is missing."""
    try:
        for split in LISTS:
            files(folder, split)
    except DataError:
        shutil.rmtree(folder)
        raise


def _is(archive, md5):
    if not archive.exists():
        return False
    with archive.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest() == md5
