"""isbi2012: electron microscope slices of nerve tissue, the U-Net paper's first data; `cells` is its twin.

30 labelled slices of 512×512 pixels, `train/image/N.png` and `train/label/N.png` (0 membrane, 255 cell). The
challenge's own test labels were never published, so the course divides the labelled slices: 0-19 train, 20-23
val, 24-29 test.
Source: Arganda-Carreras et al. (2015), "Crowdsourcing the creation of image segmentation algorithms for
    connectomics".
"""

from pathlib import Path

import numpy as np

from ..files import DataError, read_image, read_mask
from ..generated.cells import CHANNELS, CLASSES, PALETTE
from ..items import from_files

__all__ = [
    "CHANNELS",
    "CLASSES",
    "PALETTE",
    "SLICES",
    "TWIN",
    "URLS",
    "download",
    "files",
    "open_set",
    "read",
]

TWIN = "cells"
SLICES = {"train": range(20), "val": range(20, 24), "test": range(24, 30)}
COMMIT = "b45af4d458437d8281cc218a07fd4380818ece4a"
URLS = (
    f"https://github.com/zhixuhao/unet/archive/{COMMIT}.zip",
    f"https://codeload.github.com/zhixuhao/unet/zip/{COMMIT}",
)
# Of each folder in that commit: see `download.content_hash`.
HASHES = {
    "image": "54803612fdd4d39e57dd66523c76f94e0aece1d37110326e5cdc9ff15cd0b849",
    "label": "ce28c460888e04d7d5e5870e24006d3776bd88be580c88dcb7d86ac05c90f3a5",
}
PARTS = {f"data/membrane/train/{kind}": (f"train/{kind}", 30, digest) for kind, digest in HASHES.items()}


def open_set(root, split, size=None):
    """The split in `root/isbi2012` as a `SegmentationData`."""
    return from_files(
        "isbi2012", split, files(root / "isbi2012", split), read, classes=CLASSES, palette=PALETTE, size=size
    )


def files(folder, split) -> list[tuple[Path, Path]]:
    """[(image path, label path)] of a split's slices. Raises: DataError: it or a file of it is missing."""
    if not (folder / "train" / "image").is_dir():
        raise DataError(
            f"isbi2012 is not at {folder}. Fetch it (19 MB) with segnb.data.load('isbi2012', download=True), set "
            "SEGNB_DATA to the folder that holds isbi2012/, or use its generated twin, segnb.data.load('cells')."
        )
    pairs = [
        tuple(folder / "train" / kind / f"{n}.png" for kind in ("image", "label")) for n in SLICES[split]
    ]
    if not any(image.exists() for image, _ in pairs):
        first, last = SLICES[split][0], SLICES[split][-1]
        raise DataError(
            f"{folder} has no slices {first}-{last}, which are the split {split!r}. The full download has all 30: move "
            "this copy away, then segnb.data.load('isbi2012', download=True)."
        )
    for path in (path for pair in pairs for path in pair):
        if not path.exists():
            raise DataError(
                f"{path} is missing: every slice needs its image and its label. Download isbi2012 again."
            )
    return pairs


def read(image_path, label_path) -> tuple[np.ndarray, np.ndarray]:
    """(image uint8 H×W, mask uint8 H×W, 0 = membrane, 1 = cell). Raises: DataError: labels not 0 or 255."""
    label = read_mask(label_path)
    if not np.isin(label, (0, 255)).all():
        strange = int(label[~np.isin(label, (0, 255))][0])
        raise DataError(
            f"{label_path} has the unknown label {strange}; labels are 0 (membrane) and 255 (cell). Was it resized or "
            "saved as JPEG? Download isbi2012 again."
        )
    return read_image(image_path, channels=1), (label // 255).astype(np.uint8)


def download(folder) -> None:
    """Fetch all 30 slices (an archive of 19 MB) into `folder`, as `download.fetch_archive` does."""
    from .download import fetch_archive

    fetch_archive(folder, URLS, PARTS)
