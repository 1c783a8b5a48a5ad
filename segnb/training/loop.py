"""Training a network: `fit`, the same loop for every chapter."""

import atexit
import os
import signal
import threading
import time
from contextlib import contextmanager
from math import isfinite

import numpy as np
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import default_collate
from tqdm.std import tqdm

from ..inference import evaluate
from ..run import current
from ..shapes import check_integers, logits_of
from .checkpoint import Checkpoint, own_randomness
from .history import History


def fit(
    model,
    train,
    val=None,
    *,
    loss,
    steps,
    batch_size,
    lr,
    optimizer="adamw",
    weight_decay=1e-4,
    warmup=0.0,
    clip=None,
    augment=None,
    checkpoint=None,
    checkpoint_every=50,
    val_every=None,
    seed=0,
    progress=True,
):
    """Train `model` in place for a number of steps on the run's device. → `History`

    train, val: map-style data sets of (image C×H×W in 0..1, mask H×W integers) or (image, mask, pixel weight H×W).
        All images of a batch need one size. If the logits are smaller than the mask, mask and weight lose their border.
    loss: called as loss(logits, mask), or loss(logits, mask, pixel_weight=weight), on N×K×H×W float32 and N×H×W int64.
    lr: step i (from 0) uses lr · min(1, (i+1)/(warmup·steps)) · (1 − i/steps)^0.9; `warmup` is a share of the steps.
    optimizer: "adamw" (which alone takes `weight_decay`), or a function parameters → optimiser; its rate is overwritten.
    clip: the largest norm of all gradients together. augment: called on each item, augment(image, mask) or with weight.
    val_every: measure the mean IoU on `val` after so many steps; None: after the last one only.
    checkpoint: a file from which the same call goes on where it stopped, written before the first step, after every
        `checkpoint_every` and the last. On the CPU the numbers are then those of an unbroken run.
    seed: of the order of the images (a fresh permutation per epoch; a last short batch is left out) and of everything
        drawn at random meanwhile. The generators outside are as before when `fit` returns.

    Ctrl-C (or the notebook's stop button) lets the step finish, writes the checkpoint if there is one and raises
    KeyboardInterrupt, so that nothing after it runs on a half-trained network; the network keeps what it learned.
    A second one stops at once. In every case the model ends in eval mode.

    Under torchrun each process takes an equal part of every batch: `batch_size` is that of all together. For a loss
    that is a mean over pixels without void and weights, the gradients are then those of one process; batch norm sees
    only its own part. The first process alone shows progress, validates and writes.

    ``ValueError``: fewer items than batch_size; a checkpoint of other settings or another network; sizes that do not
    fit. ``TypeError``: images that are not floats, masks that are not integers. ``FloatingPointError``: the loss is no
    longer a number.
    """
    run = current()
    rank, processes = _join_processes(run)
    steps, batch_size, lr, seed = int(steps), int(batch_size), float(lr), int(seed)  # numpy's, too
    _check_settings(len(train), val, steps, batch_size, warmup, val_every, processes)
    model.to(run.device, memory_format=torch.channels_last)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if optimizer == "adamw":
        optimizer = torch.optim.AdamW(trained, lr=lr, weight_decay=weight_decay)
    elif callable(optimizer):
        optimizer = optimizer(trained)
    else:
        raise ValueError(f'optimizer is "adamw" or a function parameters → optimiser, not {optimizer!r}')
    scaler = torch.amp.GradScaler(run.device.type, enabled=run.dtype == torch.float16)
    history = History()
    settings = {"steps": steps, "batch_size": batch_size, "lr": lr, "seed": seed, "warmup": float(warmup)}
    settings |= {"clip": clip and float(clip), "weight_decay": float(weight_decay), "images": len(train)}
    settings |= {"optimizer": type(optimizer).__name__}
    keeper = Checkpoint(checkpoint, settings, model, optimizer, scaler, history, run.device)

    with own_randomness(seed + rank, run.device), _between_steps() as interrupted, _training(model):
        done = keeper.resume(rank)
        network = _distributed(model, run) if processes > 1 else model
        start = time.perf_counter() - (history.seconds or [0.0])[-1]
        batches = _batches(len(train), batch_size, seed, done, steps)
        with tqdm(batches, total=steps, initial=done, leave=False, disable=rank > 0 or not progress) as bar:
            for step, indices in bar:
                rate = _rate(step, steps, lr, warmup)
                for group in optimizer.param_groups:
                    group["lr"] = rate

                image, mask, weight = _load(train, indices[rank::processes], augment, run.device)
                with run.autocast():
                    logits = logits_of(network(image))
                logits = logits.float()  # half precision is for the convolutions: a loss adds up many pixels
                options = {} if weight is None else {"pixel_weight": _crop(weight, logits)}
                value = loss(logits, _crop(mask, logits), **options)
                number = _checked(value, step, processes)

                optimizer.zero_grad()
                scaler.scale(value).backward()
                if clip is not None:
                    scaler.unscale_(optimizer)
                    torch.nn.utils.clip_grad_norm_(trained, clip)
                scaler.step(optimizer)
                scaler.update()

                done = step + 1
                if val is not None and rank == 0 and (done == steps or (val_every and done % val_every == 0)):
                    history.val.append((done, evaluate(model, val).mean_iou.item()))
                history.add(done, number, rate, time.perf_counter() - start)
                bar.set_postfix(loss=f"{number:.3f}", refresh=False)
                if rank == 0 and (done % checkpoint_every == 0 or done == steps or interrupted):
                    keeper.write()
                if interrupted:
                    go_on = "call it again to go on" if checkpoint else "checkpoint= would let it go on"
                    raise KeyboardInterrupt(f"training stopped after step {done} of {steps}; {go_on}")
    return history


def _check_settings(images, val, steps, batch_size, warmup, val_every, processes):
    if steps < 1 or batch_size < 1 or not 0 <= warmup <= 1:
        raise ValueError(
            f"steps and batch_size are at least 1 and warmup in 0..1, not {steps}, {batch_size}, {warmup}"
        )
    if val is not None and len(val) == 0:
        raise ValueError("the validation set is empty: leave it out, or look at its split")
    if images < batch_size:
        raise ValueError(f"{images} images are fewer than batch_size={batch_size}: no batch can be filled")
    if batch_size % processes:
        raise ValueError(f"batch_size={batch_size} cannot be shared equally by {processes} processes")
    if val_every and val is None:
        raise ValueError(f"val_every={val_every} needs a validation set: fit(model, train, val, ...)")


def _rate(step, steps, lr, warmup):
    """The learning rate of step 0..steps−1: a linear rise, then DeepLab's polynomial fall."""
    rise = min(1, (step + 1) / (warmup * steps)) if warmup else 1
    return lr * rise * (1 - step / steps) ** 0.9


def _batches(images, batch_size, seed, done, steps):
    """(step, indices) of the steps after `done`: consecutive slices of one permutation per epoch."""
    generator = torch.Generator().manual_seed(seed)
    per_epoch = images // batch_size
    for step in range(steps):  # from 0 even when going on: permutations are drawn again, so none is stored
        place = step % per_epoch
        if place == 0:
            order = torch.randperm(images, generator=generator).tolist()
        if step >= done:
            yield step, order[place * batch_size : (place + 1) * batch_size]


def _load(train, indices, augment, device):
    """A batch on the device: images N×C×H×W, masks N×H×W, pixel weights N×H×W or None."""
    items = [augment(*train[i]) if augment else train[i] for i in indices]
    if not all(isinstance(item, (tuple, list)) and len(item) in (2, 3) for item in items):
        raise ValueError("an item of the data set is (image, mask) or (image, mask, pixel weight)")
    sizes = sorted({tuple(np.shape(item[0])) for item in items})
    if len(sizes) > 1:
        raise ValueError(
            f"images {sizes[0]} and {sizes[-1]} cannot share a batch: load the data at one size=, or use batch_size=1"
        )
    image, mask, weight = (*default_collate(items), None)[:3]
    if not image.is_floating_point():
        raise TypeError(f"images must be floats in 0..1, got {image.dtype}: use image.float() / 255")
    check_integers(mask, "mask")
    for part in (mask,) if weight is None else (mask, weight):
        if image.ndim != 4 or part.shape != (len(items), *image.shape[2:]):
            raise ValueError(
                f"an image is C×H×W, its mask and pixel weight H×W; got images {tuple(image.shape)} with {tuple(part.shape)}"
            )
    image = image.to(device, torch.float32, memory_format=torch.channels_last)
    return image, mask.to(device).long(), None if weight is None else weight.to(device, torch.float32)


def _crop(target, logits):
    """The centre of N×H×W masks or weights, as large as the logits: a valid network says nothing about the border."""
    height, width = logits.shape[2:]
    top, left = (target.shape[1] - height) // 2, (target.shape[2] - width) // 2
    if top < 0 or left < 0:
        raise ValueError(
            f"the logits, {tuple(logits.shape)}, are larger than the masks, {tuple(target.shape)}"
        )
    return target[:, top : top + height, left : left + width]


def _checked(value, step, processes):
    """The loss as a number (the mean over all processes), if it is one."""
    value = value.detach().clone()
    if processes > 1:
        dist.all_reduce(value)
    number = value.item() / processes
    if not isfinite(number):
        raise FloatingPointError(
            f"the loss is {number} at step {step + 1}. Try a smaller lr, a warmup (0.1) or clip (1.0), and look for "
            "images or weights that are not finite; a checkpoint of this run starts from before the trouble"
        )
    return number


@contextmanager
def _training(model):
    model.train()
    try:
        yield
    finally:
        model.eval()


@contextmanager
def _between_steps():
    """Ctrl-C inside only fills the list that is given out, so that no step is left half done; a second one interrupts."""
    asked = []

    def note(signum, frame):
        if asked:
            raise KeyboardInterrupt
        asked.append(signum)

    # Signals arrive in the main thread only, and a handler that somebody else installed has its reasons.
    ours = threading.current_thread() is threading.main_thread()
    ours = ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _join_processes(run):
    """(rank, number) of this process among those that torchrun started; (0, 1) without it."""
    if not (dist.is_available() and dist.is_initialized()):
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return 0, 1
        dist.init_process_group("nccl" if run.device.type == "cuda" else "gloo")
        atexit.register(dist.destroy_process_group)
    return dist.get_rank(), dist.get_world_size()


def _distributed(model, run):
    """The model with gradients averaged over the processes at each backward pass."""
    return DistributedDataParallel(model, device_ids=[run.device] if run.device.type == "cuda" else None)
