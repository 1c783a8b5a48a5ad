"""One word switches real and generated pictures: `load` and `choose` open a set by its name in `SETS`.

A generated set is a module of `generated` with the constants CLASSES, PALETTE, CHANNELS, SIZE and SPLITS and
    render(seed, height, width) → (image float32 C×H×W in 0..1, mask uint8 H×W), a pure function of these

A real set is a module of `real` with TWIN (the name of its generated twin, or None) and
    open_set(root, split, size, *, ...) → SegmentationData; DataError if its files are not all there
    download(folder): says what it fetches and makes the folder; DataError (DownloadError: the network)
where `root` holds all real sets and `folder` is the set's own, `root/name`. Keyword-only arguments of
`open_set` are options that `load` accepts.
"""

import inspect
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

import torch

from .files import DataError
from .generated import cells, countries, dish, street, worlds
from .items import SPLITS, SegmentationData
from .real import camvid, folder, isbi2012, pets

# Of the scenes of a generated split: no scene is in two splits.
FIRST_SEED = {"train": 0, "val": 1_000_000, "test": 2_000_000}
# Downloads that failed in this process: (folder, mirror) -> why, in a few words.
_failed = {}


@dataclass(frozen=True)
class GeneratedSet:
    """A set that is drawn, every item from its own seed and at the size that is asked for."""

    name: str
    module: ModuleType
    options = ()

    def open(self, split, size=None) -> SegmentationData:
        """The split as a `SegmentationData`, at `size` (height, width) or the set's own."""
        return SegmentationData(
            self.name,
            split,
            classes=self.module.CLASSES,
            palette=self.module.PALETTE,
            count=self.module.SPLITS[split],
            item=partial(_draw, self.module.render, FIRST_SEED[split], size or self.module.SIZE),
            generated=True,
        )


@dataclass(frozen=True)
class RealSet:
    """A set that lies on the disk, below the folder of all real sets, or has to be fetched."""

    name: str
    module: ModuleType

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the keyword arguments that `load` passes on."""
        parameters = inspect.signature(self.module.open_set).parameters.values()
        return tuple(parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY)

    def open(self, root, split, size=None, **options) -> SegmentationData:
        """The split as a `SegmentationData`. Raises: DataError: it is not there, whole and readable."""
        try:
            return self.module.open_set(root, split, size, **options)
        except OSError as problem:
            raise DataError(
                f"{root / self.name} cannot be read ({problem.strerror}). Give yourself the right to, or set SEGNB_DATA "
                "to a folder that can be read."
            ) from None

    def lacking(self, root, options) -> dict[str, DataError]:
        """{split: DataError} of the splits that are not there."""
        problems = {}
        for split in SPLITS:
            try:
                self.open(root, split, **options)
            except DataError as problem:
                problems[split] = problem
        return problems

    def download(self, root) -> None:
        """Make `root/name` from the network, and remember for the session if that fails."""
        from .real.download import DownloadError, patience

        try:
            self.module.download(root / self.name)
        except DownloadError as problem:
            _failed[self.attempt(root)] = problem.reason
            raise
        patience.renew()  # the network works

    def attempt(self, root) -> tuple:
        """What tells one download from another in `_failed`."""
        return str(root / self.name), os.environ.get("SEGNB_MIRROR")


SETS = {
    "cells": GeneratedSet("cells", cells),
    "countries": GeneratedSet("countries", countries),
    "dish": GeneratedSet("dish", dish),
    "street": GeneratedSet("street", street),
    "worlds": GeneratedSet("worlds", worlds),
    "isbi2012": RealSet("isbi2012", isbi2012),
    "camvid": RealSet("camvid", camvid),
    "pets": RealSet("pets", pets),
    "folder": RealSet("folder", folder),
}


def load(name, split="train", *, size=None, root=None, download=False, **options) -> SegmentationData:
    """The split "train", "val" or "test" of a data set, as a `SegmentationData`.

    Args:
        name: a generated set (see `names()`) or a real one.
        size: None (the pictures' own), an int (square) or (height, width). Generated pictures are drawn at
            that size; real images are resized bilinearly with antialiasing, masks by nearest neighbour.
        root: the folder that holds the real sets (`root/camvid`, ...); None is $SEGNB_DATA, else the user's
            cache.
        download: fetch a real set that is not there, also where a download failed before.
        options: what the set's own module takes besides (`folder`).
    Raises:
        ValueError: an unknown name, split, size or option.
        DataError: files that are missing or damaged.

    >>> image, mask = load("cells", "val", size=64)[0]
    >>> image.shape, mask.shape, mask.unique()
    (torch.Size([1, 64, 64]), torch.Size([64, 64]), tensor([0, 1]))
    """
    one, size = _checked(name, split, size, options)
    if isinstance(one, GeneratedSet):
        return one.open(split, size)
    root = _root(root)
    if root is None:
        twin = one.module.TWIN
        raise DataError(
            f"SEGNB_DATA=generated allows no real data, and {name} is real. "
            + (f"Its generated twin is load({twin!r}); or s" if twin else "S")
            + "et SEGNB_DATA to the folder that holds the real sets."
        )
    try:
        return one.open(root, split, size, **options)
    except DataError:
        if not download or len(one.lacking(root, options)) < len(SPLITS):
            raise
    from .real.download import patience

    patience.renew()
    one.download(root)
    return one.open(root, split, size, **options)


def choose(name, split="train", *, size=None, root=None, **options) -> SegmentationData:
    """The real set `name` if it is on disk or can be fetched, else its generated twin: `SegmentationData`.

    Prints one line saying which. Arguments are those of `load`. Before it asks a server it prints another
    line: what it fetches, and where to. It waits for servers that send nothing 10 s at most, all calls of a
    session together, and does not repeat a download that failed: `load(name, download=True)` does.

    With SEGNB_DATA=generated (and no `root`) always the twin; so too where the user's cache cannot be used or
    holds a part of the set.
    Raises: DataError: a folder that was named, by `root` or $SEGNB_DATA, does not exist or lacks the split.
    """
    one, size = _checked(name, split, size, options)
    if isinstance(one, GeneratedSet):
        data, why = one.open(split, size), "generated pictures"
    else:
        data, why = _real_or_twin(one, split, size, root, options)
    print(f"{name} ({split}): {len(data)} images from {data.name}, {why}")
    return data


def names() -> list[str]:
    """The names that `load` knows, in alphabetical order."""
    return sorted(SETS)


def _checked(name, split, size, options):
    """(the set, size as (height, width) or None). ValueError if an argument of `load` is wrong."""
    if name not in SETS:
        raise ValueError(f"there is no data set {name!r}; there are {', '.join(names())}")
    if split not in SPLITS:
        raise ValueError(f"split is one of {', '.join(SPLITS)}, not {split!r}")
    known = SETS[name].options
    for option in options:
        if option not in known:
            takes = f"takes {', '.join(known)}" if known else "takes no options of its own"
            raise ValueError(f"load({name!r}) has no option {option!r}; it {takes}")
    return SETS[name], _size(size)


def _size(size):
    """None, or (height, width)."""
    if size is None:
        return None
    pair = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    if len(pair) != 2 or not all(hasattr(side, "__index__") and side > 0 for side in pair):
        raise ValueError(f"size is None, a positive int or (height, width), not {size!r}")
    return pair


def _root(root):
    """The folder that holds the real sets, or None where SEGNB_DATA=generated forbids them."""
    place, origin = root, "root"
    if place is None:
        place, origin = os.environ.get("SEGNB_DATA") or None, "SEGNB_DATA"
    if place == "generated" and origin == "SEGNB_DATA":
        return None
    if place is None:
        return _cache()
    place = os.path.expanduser(place)
    # False, too, where we may not look.
    if not os.path.isdir(place):
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


def _draw(render, first_seed, size, index):
    image, mask = render(first_seed + index, *size)
    return torch.from_numpy(image), mask


def _real_or_twin(one, split, size, root, options):
    """(data, why it is that one), for `choose`."""
    named = root is not None or os.environ.get("SEGNB_DATA")
    try:
        place = _root(root)
    except DataError as problem:
        if named:
            raise
        return _twin(one, split, size, problem), f"its generated twin, because {problem}"
    if place is None:
        return _twin(one, split, size), "its generated twin, as SEGNB_DATA=generated asks"
    try:
        _provide(one, place, options, again=_again(one.name, root), whole=not named)
    except DataError as problem:
        return _twin(one, split, size, problem), f"its generated twin, because {problem}"
    return one.open(place, split, size, **options), f"the real pictures in {place / one.name}"


def _provide(one, root, options, again, whole):
    """Download a set that is not on disk. DataError if that cannot be, or if `whole` and a part is there."""
    problems = one.lacking(root, options)
    if len(problems) < len(SPLITS):
        if problems and whole:
            raise DataError(f"{next(iter(problems.values()))} Move or delete {root / one.name} first.")
        return
    from .real.download import WAIT, DownloadError, patience

    if before := _failed.get(one.attempt(root)):
        raise DataError(f"the download failed before in this session: {before}. {again}")
    if not patience.left:
        raise DataError(f"servers that sent nothing have taken the {WAIT} s that a session waits. {again}")
    try:
        one.download(root)
    except DownloadError as problem:
        raise DataError(f"the download failed: {problem.reason}. {again}") from None


def _again(name, root):
    place = f"root={str(root)!r}, " if root is not None else ""
    return f"To try again: segnb.data.load({name!r}, {place}download=True)"


def _twin(one, split, size, problem=None):
    twin = one.module.TWIN
    if twin is None:
        raise problem or DataError(
            f"{one.name} has no generated twin. Set SEGNB_DATA to the folder that holds it."
        )
    return SETS[twin].open(split, size)
