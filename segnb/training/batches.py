"""Batches: which items, in what order, read by whom, and what a loss gets of them."""

import multiprocessing
import pickle
import signal
import traceback
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from ..shapes import as_item, check_integers, item_cure
from .randomness import ItemRandomness


def batches(images, batch_size, seed, done, steps) -> Iterator[tuple[int, list[int]]]:
    """(step, indices) of the steps after `done`: consecutive slices of one permutation per epoch."""
    generator = torch.Generator().manual_seed(seed)
    per_epoch = images // batch_size
    # From 0 even when going on: permutations are drawn again, so none is stored.
    for step in range(steps):
        place = step % per_epoch
        if place == 0:
            order = torch.randperm(images, generator=generator).tolist()
        if step >= done:
            yield step, order[place * batch_size : (place + 1) * batch_size]


def read(reader, order, workers) -> Iterator[tuple[int, list[int], tuple]]:
    """(step, indices, batch) for each (step, indices) of `order`, read ahead by so many `workers`.

    Workers are processes; of 0, this one reads. Batches, and errors in reading them, are the same. The
    workers are gone when the last batch is out, and when this generator is closed.
    Raises: TypeError: data or `augment` that cannot be sent to them.
    """
    # A generator of its own, or the loader would draw from the one that dropout uses.
    loader = DataLoader(
        reader,
        batch_size=None,
        sampler=order,
        num_workers=workers,
        collate_fn=_as_it_is,
        worker_init_fn=_begin,
        generator=torch.Generator(),
    )
    ready = _started(loader)
    try:
        for step, indices, batch in ready:
            if isinstance(batch, Exception):
                raise batch
            yield step, indices, batch
    finally:
        # Not left to the garbage collector: an error's traceback holds the loader while it is looked at.
        getattr(ready, "_shutdown_workers", lambda: None)()


@dataclass
class Reader(Dataset):
    """Item (step, indices) of it is (step, indices, batch), whichever process asks, and in whatever order.

    Attributes:
        rank, processes: of the batch only every `processes`-th item is read, from that of this rank on.
    """

    train: Dataset
    augment: object
    seed: int
    rank: int = 0
    processes: int = 1

    def __post_init__(self):
        self.randomness = ItemRandomness(self.seed, self.train, self.augment)

    def __getitem__(self, job):
        step, indices = job
        own = list(enumerate(indices))[self.rank :: self.processes]
        try:
            with self.randomness:
                batch = _collated([self._item(index, step, place) for place, index in own])
        except Exception as error:  # of whatever kind: `read` raises it at its step
            batch = error if get_worker_info() is None else _sendable(error)
        return step, [index for _, index in own], batch

    def _item(self, index, step, place):
        self.randomness.start(step, place)
        item = as_item(self.train[index])
        return as_item(self.augment(*item)) if self.augment else item


def _collated(items):
    """(images N×C×H×W, masks N×H×W, pixel weights N×H×W or None), with the dtypes of the data set.

    Raises: ValueError: items of other or of unequal shapes. TypeError: other types.
    """
    if any(len(item) > 3 for item in items):
        raise ValueError("an item of the data set is (image, mask) or (image, mask, pixel weight)")
    for item in items:
        _check_item(*item)
    sizes = sorted({tuple(item[0].shape) for item in items})
    if len(sizes) > 1:
        raise ValueError(
            f"images {sizes[0]} and {sizes[-1]} cannot share a batch: load the data at one size=, or use batch_size=1"
        )
    return (*(torch.stack(column) for column in zip(*items, strict=True)), None)[:3]


def _as_it_is(batch):
    return batch


def _begin(worker):
    """Ctrl-C is for the main process, which lets the step finish and then ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _started(loader):
    """The loader's iterator, with its processes running."""
    try:
        return iter(loader)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        if loader.num_workers == 0 or multiprocessing.get_start_method() == "fork":
            raise
        raise TypeError(
            f"data and augment cannot be sent to other processes ({error}): use workers=0, or define their functions and "
            "classes at the top of a module of your own and import them"
        ) from error


def _sendable(error):
    """The error, its traceback a note, if it can be sent to the main process; else one in its words."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except (pickle.PicklingError, AttributeError, TypeError):
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def on_device(image, mask, weight, device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """A batch as network and loss take it, on the run's device: float32, int64 and float32 (or None)."""
    image = image.to(device, torch.float32, memory_format=torch.channels_last)
    return image, mask.to(device).long(), None if weight is None else weight.to(device, torch.float32)


def crop(target, logits) -> torch.Tensor:
    """The centre of N×H×W masks or weights, N×h×w, as large as the logits: of the border nothing is said.

    Raises: ValueError: logits larger than the masks.
    """
    height, width = logits.shape[2:]
    top, left = (target.shape[1] - height) // 2, (target.shape[2] - width) // 2
    if top < 0 or left < 0:
        raise ValueError(
            f"the logits, {tuple(logits.shape)}, are larger than the masks, {tuple(target.shape)}"
        )
    return target[:, top : top + height, left : left + width]


def _check_item(image, mask, weight=None):
    if not image.is_floating_point():
        cure = "image.float() / 255, or v2.ToDtype(torch.float32, scale=True) of torchvision"
        raise TypeError(f"images must be floats in 0..1, got {image.dtype}: use {cure}")
    check_integers(mask, "mask")
    maps = [mask] if weight is None else [mask, weight]
    if image.ndim != 3 or any(part.shape != image.shape[1:] for part in maps):
        raise ValueError(
            f"an image is C×H×W, its mask and pixel weight H×W; got an image {tuple(image.shape)} with "
            f"{' and '.join(str(tuple(part.shape)) for part in maps)}{item_cure(image, mask)}"
        )
