"""One word switches real and generated pictures: `load`, `choose` and the data set they return.

A data set is a module of this package, found by its name. Two kinds exist.

Generated (`cells`, `dish`, `street`, ...) has the constants CLASSES, PALETTE, CHANNELS, SIZE and SPLITS, and
`render(seed, height, width) -> (image float32 C×H×W in 0..1, mask uint8 H×W)`, a pure function of its arguments.

Real (`isbi2012`, `camvid`, ...) has CLASSES, PALETTE, CHANNELS and TWIN (the name of its generated twin, or None), and
    files(folder, split) -> list of (image path, mask path)      DataError if they are not all there
    read(image_path, mask_path) -> (uint8 H×W or H×W×C, uint8 H×W with 255 = void)
    download(folder)      says what it fetches and makes the folder, or raises DataError (DownloadError: the network)
where `folder` is the set's own folder, `root/name`. Keyword-only arguments of `files` are options that `load` accepts.
Instead of the constants, `files` and `read` a real set may have `open_set(root, split, size, *, ...) ->
SegmentationData`, for what has no fixed classes or layout; it gets `root` itself.
"""

import importlib
import inspect
import os
import pkgutil
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import Dataset

from .errors import DataError

IGNORE = 255  # the label of void pixels, everywhere in the course
SPLITS = ("train", "val", "test")
FIRST_SEED = {
    "train": 0,
    "val": 1_000_000,
    "test": 2_000_000,
}  # of a generated split: no scene is in two splits
KEPT_BYTES = 512 * 2**20  # items kept in memory after their first use
_failed = {}  # downloads that failed in this process: (folder, mirror) -> why, in a few words


class ClassCounts(NamedTuple):
    """Label counts of a whole split: int64 vectors of length K + 1, the last entry is void."""

    pixels: torch.Tensor  # pixels with the label
    images: torch.Tensor  # images that contain it
    pixels_in_images: torch.Tensor  # all pixels (void too) of those images


class SegmentationData(Dataset):
    """A split of a data set: item i is `(image float32 C×H×W in 0..1, mask int64 H×W)`, 255 in the mask is void.

    name, split: what was loaded; generated: True for twins.
    classes: K names; palette: K×3 uint8 array, one colour per class; `num_classes` is K and `ignore_index` 255.
    count: number of items; item: function i -> (image float32 tensor C×H×W, mask uint8 array H×W).
    """

    ignore_index = IGNORE

    def __init__(self, name, split, *, classes, palette, count, item, generated):
        self.name, self.split, self.generated = name, split, generated
        self.classes = tuple(classes)
        self.palette = np.array(palette, dtype=np.uint8)
        self.num_classes = len(self.classes)
        self._count, self._item = count, item
        self._kept, self._kept_bytes = {}, 0  # items in memory, so that every epoch after the first is quick
        self._stack = self._counts = None

    def __len__(self):
        return self._count

    def __repr__(self):
        kind = "generated" if self.generated else "real"
        return f"<{self.name}, {self.split}: {len(self)} {kind} images, {self.num_classes} classes>"

    def __getitem__(self, index):
        index = range(len(self))[index]  # negative indices count from the end; IndexError outside
        if self._stack:
            return self._stack[0][index].clone(), self._stack[1][index].clone()
        image, mask = self._kept.get(index) or self._keep(index, *self._item(index))
        return image.clone(), torch.from_numpy(mask).long()

    def _keep(self, index, image, mask):
        if self._kept_bytes < KEPT_BYTES:
            self._kept[index] = image, mask
            self._kept_bytes += image.nbytes + mask.nbytes
        return image, mask

    def stack(self):
        """All items as two tensors, images N×C×H×W and masks N×H×W, made once and shared: do not write into them.

        ValueError if the pictures differ in size.
        """
        if self._stack is None:
            items = [self[i] for i in range(len(self))]
            sizes = sorted({tuple(mask.shape) for _, mask in items})
            if len(sizes) > 1:
                raise ValueError(
                    f"{self.name} has pictures of {len(sizes)} sizes, from {sizes[0]} to {sizes[-1]}, which cannot be "
                    f"stacked. Load them at one size: segnb.data.load({self.name!r}, size={sizes[0]})"
                )
            self._stack = tuple(torch.stack(column) for column in zip(*items, strict=True))
            self._kept.clear()
        return self._stack

    def class_counts(self):
        """`ClassCounts` of this split: `.pixels`, `.images`, `.pixels_in_images`, int64, K + 1 entries, void last."""
        if self._counts is None:
            counts = ClassCounts(*torch.zeros(3, self.num_classes + 1, dtype=torch.int64))
            for _, mask in self:
                label = mask.where(mask != IGNORE, self.num_classes)
                pixels = torch.bincount(label.flatten(), minlength=self.num_classes + 1)
                counts.pixels.add_(pixels)
                counts.images.add_(pixels > 0)
                counts.pixels_in_images.add_((pixels > 0) * mask.numel())
            self._counts = counts
        return self._counts

    def cells(self, index):
        """The single cells of item `index`: int32 H×W, 0 outside and 1, 2, 3, ... in the 4-connected pieces of "cell".

        ValueError for a data set without a class "cell".
        """
        if "cell" not in self.classes:
            raise ValueError(f"{self.name} has no class 'cell'; its classes are {', '.join(self.classes)}")
        from scipy import ndimage

        is_cell = self[index][1].numpy() == self.classes.index("cell")
        return torch.from_numpy(ndimage.label(is_cell)[0].astype(np.int32))


def load(name, split="train", *, size=None, root=None, download=False, **options):
    """The split "train", "val" or "test" of a data set, as a `SegmentationData`.

    name: a generated set (see `names()`) or a real one.
    size: None (the pictures' own), an int (square) or (height, width). Generated pictures are drawn at that size; real
        images are resized bilinearly with antialiasing, masks by nearest neighbour.
    root: the folder that holds the real sets (`root/camvid`, ...); None is $SEGNB_DATA, else the user's cache.
    download: fetch a real set that is not there, also where a download failed before.
    options: what the set's own module takes besides (`folder`, `pets`).
    Raises ValueError for an unknown name, split, size or option and DataError for files that are missing or damaged.
    """
    module, size = _checked(name, split, size, options)
    if _is_generated(module):
        return _generated(name, module, split, size or module.SIZE)
    root = _root(root)
    if root is None:
        twin = getattr(module, "TWIN", None)
        raise DataError(
            f"SEGNB_DATA=generated allows no real data, and {name} is real. "
            + (f"Its generated twin is load({twin!r}); or s" if twin else "S")
            + "et SEGNB_DATA to the folder that holds the real sets."
        )
    try:
        return _real(name, module, root, split, size, options)
    except DataError:
        if not download or len(_lacking(name, module, root, options)) < len(SPLITS):
            raise
    from .download import patience

    patience.renew()
    _download(module, root / name)
    return _real(name, module, root, split, size, options)


def choose(name, split="train", *, size=None, root=None, **options):
    """The real set `name` if it is on disk or can be downloaded, else its generated twin; prints one line saying which.

    Arguments and return value as for `load`. Before it asks a server it prints another line: what it fetches, and where
    to. It waits for servers that send nothing 10 s at most, all calls of a session together, and does not repeat a
    download that failed: `load(name, download=True)` does.
    With SEGNB_DATA=generated (and no `root`) always the twin; so too where the user's cache cannot be used or holds a
    part of the set. In a folder that was named, by `root` or $SEGNB_DATA, a set that lacks the split asked for raises
    DataError, as does a folder that does not exist.
    """
    module, _ = _checked(name, split, size, options)
    if _is_generated(module):
        data, why = load(name, split, size=size), "generated pictures"
    else:
        data, why = _real_or_twin(name, module, split, size, root, options)
    print(f"{name} ({split}): {len(data)} images from {data.name}, {why}")
    return data


def names():
    """The names that `load` knows, in alphabetical order."""
    modules = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
    return [name for name in modules if not name.startswith("_") and _is_data_set(_import(name))]


def read_image(path, channels=3):
    """An 8-bit picture as a uint8 array, H×W×3 or (channels=1) H×W. DataError if the file is not a readable picture."""
    with _open_picture(path) as picture:
        if picture.mode in ("I", "F") or picture.mode.startswith("I;"):
            raise DataError(f"{path} has more than 8 bits a pixel. Save it as an 8-bit picture first.")
        return np.array(picture.convert("RGB" if channels == 3 else "L"))


def read_mask(path):
    """A label picture (8-bit grey or palette indices) as a uint8 array H×W. DataError if the file is not one."""
    with _open_picture(path) as picture:
        if picture.mode not in ("L", "P", "1"):
            raise DataError(
                f"{path} is not a label picture: its mode is {picture.mode}, not 8-bit grey or palette. "
                "Save one class number per pixel, 255 for void."
            )
        return np.array(picture).astype(np.uint8)


def resize_image(image, size):
    """C×H×W (or N×C×H×W) float image at (height, width), bilinear with antialiasing."""
    batch = image if image.ndim == 4 else image[None]
    resized = F.interpolate(batch, size, mode="bilinear", antialias=True, align_corners=False)
    return resized if image.ndim == 4 else resized[0]


def resize_mask(mask, size):
    """H×W mask of any type at (height, width): each pixel takes the label nearest to its centre, none is invented."""
    rows, columns = (
        ((torch.arange(n) + 0.5) * (old / n)).long().clamp(max=old - 1)
        for n, old in zip(size, mask.shape, strict=True)
    )
    return mask[rows][:, columns]


def real_item(image_path, mask_path, read, size, num_classes):
    """One checked item of a real set: (image float32 C×H×W in 0..1, mask uint8 H×W), at `size` unless that is None.

    DataError if image and mask differ in size or the mask has a label that is neither a class nor 255.
    """
    image, mask = read(image_path, mask_path)
    if image.shape[:2] != mask.shape:
        raise DataError(
            f"{mask_path} is {mask.shape[0]}×{mask.shape[1]} pixels but its image {image_path} is "
            f"{image.shape[0]}×{image.shape[1]}. Image and mask need the same size: save one of them again."
        )
    unknown = [int(label) for label in np.unique(mask) if label >= num_classes and label != IGNORE]
    if unknown:
        raise DataError(
            f"{mask_path} has the unknown label {unknown[0]} ({len(unknown)} unknown in all). "
            f"Labels are 0 to {num_classes - 1}, and {IGNORE} for void."
        )
    planes = torch.from_numpy(np.atleast_3d(image)).permute(2, 0, 1)
    image = planes.to(torch.float32, memory_format=torch.contiguous_format).div_(255)
    if size:
        image, mask = resize_image(image, size), resize_mask(mask, size)
    return image, mask


def _open_picture(path):
    from PIL import Image, UnidentifiedImageError

    try:
        picture = Image.open(path)
        picture.load()
        return picture
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Put it back, or download the data set again.") from None
    except (UnidentifiedImageError, OSError, SyntaxError) as problem:  # PIL's SyntaxError is a broken PNG
        raise DataError(f"{path} is not a whole picture ({problem}). Replace the file.") from problem


def _import(name):
    return importlib.import_module(f"{__package__}.{name}")


def _is_data_set(module):
    return hasattr(module, "CLASSES") or hasattr(module, "open_set")


def _is_generated(module):
    return hasattr(module, "render")


def _size(size):
    """None, or (height, width)."""
    if size is None:
        return None
    pair = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    if len(pair) != 2 or not all(hasattr(side, "__index__") and side > 0 for side in pair):
        raise ValueError(f"size is None, a positive int or (height, width), not {size!r}")
    return pair


def _checked(name, split, size, options):
    """(module of the set, size as (height, width) or None). ValueError if an argument of `load` is wrong."""
    if name not in names():
        raise ValueError(f"there is no data set {name!r}; there are {', '.join(names())}")
    if split not in SPLITS:
        raise ValueError(f"split is one of {', '.join(SPLITS)}, not {split!r}")
    module = _import(name)
    opener = getattr(module, "open_set", None) or getattr(module, "files", None)
    parameters = inspect.signature(opener).parameters.values() if opener else ()
    known = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    for option in options:
        if option not in known:
            takes = f"takes {', '.join(known)}" if known else "takes no options of its own"
            raise ValueError(f"load({name!r}) has no option {option!r}; it {takes}")
    return module, _size(size)


def _root(root):
    """The folder that holds the real sets, or None where SEGNB_DATA=generated forbids them."""
    place, origin = root, "root"
    if place is None:
        place, origin = os.environ.get("SEGNB_DATA") or None, "SEGNB_DATA"
    if place == "generated" and origin == "SEGNB_DATA":
        return None
    if place is None:
        return _cache()
    if not os.path.isdir(place):  # False, too, where we may not look
        raise DataError(
            f"{origin} is {str(place)!r}, which is not a folder (seen from {Path.cwd()}). Make it or unset it."
        )
    return Path(place)


def _cache():
    """The user's own folder for real sets, which need not exist."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "segnb"
    except RuntimeError:
        raise DataError(
            "this user has no home folder to keep real sets in. Set SEGNB_DATA to a folder for them."
        ) from None


def _lacking(name, module, root, options):
    """{split: DataError} of the splits that are not there, whole."""
    problems = {}
    for split in SPLITS:
        try:
            _real(name, module, root, split, None, options)
        except DataError as problem:
            problems[split] = problem
    return problems


def _download(module, folder):
    """Makes `folder` from the network, and remembers for the session if that fails."""
    from .download import DownloadError, patience

    try:
        module.download(folder)
    except DownloadError as problem:
        _failed[_attempt(folder)] = problem.reason
        raise
    patience.renew()  # the network works


def _attempt(folder):
    return str(folder), os.environ.get("SEGNB_MIRROR")


def _draw(render, first_seed, size, index):
    image, mask = render(first_seed + index, *size)
    return torch.from_numpy(image), mask


def _read(files, read, size, num_classes, index):
    return real_item(*files[index], read, size, num_classes)


def _generated(name, module, split, size):
    return SegmentationData(
        name,
        split,
        classes=module.CLASSES,
        palette=module.PALETTE,
        count=module.SPLITS[split],
        item=partial(_draw, module.render, FIRST_SEED[split], size),
        generated=True,
    )


def _real(name, module, root, split, size, options):
    try:
        if hasattr(module, "open_set"):
            return module.open_set(root, split, size, **options)
        files = module.files(root / name, split, **options)
    except OSError as problem:
        raise DataError(
            f"{root / name} cannot be read ({problem.strerror}). Give yourself the right to, or set SEGNB_DATA to a "
            "folder that can be read."
        ) from None
    return SegmentationData(
        name,
        split,
        classes=module.CLASSES,
        palette=module.PALETTE,
        count=len(files),
        item=partial(_read, files, module.read, size, len(module.CLASSES)),
        generated=False,
    )


def _real_or_twin(name, module, split, size, root, options):
    """(data, why it is that one), for `choose`."""
    named = root is not None or os.environ.get("SEGNB_DATA")
    try:
        place = _root(root)
    except DataError as problem:
        if named:
            raise
        return _twin(name, module, split, size, problem), f"its generated twin, because {problem}"
    if place is None:
        return _twin(name, module, split, size), "its generated twin, as SEGNB_DATA=generated asks"
    try:
        _provide(name, module, place, options, again=_again(name, root), whole=not named)
    except DataError as problem:
        return _twin(name, module, split, size, problem), f"its generated twin, because {problem}"
    return load(name, split, size=size, root=root, **options), f"the real pictures in {place / name}"


def _provide(name, module, root, options, again, whole):
    """Downloads a set that is not on disk. DataError if that cannot be, or if `whole` and a part of the set is there."""
    problems = _lacking(name, module, root, options)
    if len(problems) < len(SPLITS):
        if problems and whole:
            raise DataError(f"{next(iter(problems.values()))} Move or delete {root / name} first.")
        return
    from .download import WAIT, DownloadError, patience

    before = _failed.get(_attempt(root / name))
    if before:
        raise DataError(f"the download failed before in this session: {before}. {again}")
    if not patience.left:
        raise DataError(f"servers that sent nothing have taken the {WAIT} s that a session waits. {again}")
    try:
        _download(module, root / name)
    except DownloadError as problem:
        raise DataError(f"the download failed: {problem.reason}. {again}") from None


def _again(name, root):
    place = f"root={str(root)!r}, " if root is not None else ""
    return f"To try again: segnb.data.load({name!r}, {place}download=True)"


def _twin(name, module, split, size, problem=None):
    twin = getattr(module, "TWIN", None)
    if twin is None:
        raise problem or DataError(
            f"{name} has no generated twin. Set SEGNB_DATA to the folder that holds it."
        )
    return load(twin, split, size=size)
