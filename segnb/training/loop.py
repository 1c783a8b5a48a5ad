"""Training a network: `fit`, the same loop for every chapter."""

import functools
import time
from contextlib import closing, contextmanager
from math import inf, isfinite

import torch
from tqdm.std import tqdm

from ..inference import evaluate
from ..run import current
from ..shapes import check_data, logits_of, stated
from .batches import Reader, batches, crop, on_device, read
from .checkpoint import Checkpoint, identity
from .history import History
from .interruption import between_steps
from .processes import join_processes, mean_over, shared
from .randomness import own_randomness
from .suspicion import Watch, lengths


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
    extend=False,
    val_every=None,
    seed=0,
    workers=0,
    progress=True,
) -> History:
    """Train `model` in place for a number of steps on the run's device, and return its `History`.

    Ctrl-C (or the notebook's stop button) lets the step finish, writes the checkpoint if there is one and
    raises KeyboardInterrupt, so that nothing after it runs on a half-trained network. A second one stops at
    once. The network keeps what it learned, and ends in eval mode in every case.

    Under torchrun each process takes an equal part of every batch: `batch_size` is that of all together. For
    a loss that is a mean over pixels without void and weights, the gradients are then those of one process;
    batch norm sees only its own part. The first process alone shows progress, validates and writes. Warns
    (`segnb.training.Suspicious`) where a training cannot learn or its result is too good to be true; the page
    *When it does not learn* has a row for each.

    Args:
        train, val: map-style data sets of (image C×H×W in 0..1, mask H×W integers) or (image, mask, pixel
            weight H×W). Items may also be PIL's pictures, numpy arrays H×W×C, or dicts of these ("image",
            "mask", "pixel_weight"). All images of a batch need one size. If the logits are smaller than the
            mask, mask and weight lose their border.
        loss: called as loss(logits float32 N×K×H×W, mask int64 N×H×W), with pixel_weight= if items have one.
        lr: step i (from 0) uses lr · min(1, (i+1)/(warmup·steps)) · (1 − i/steps)^0.9; `warmup` is a share of
            the steps.
        optimizer: "adamw" (which alone takes `weight_decay`), or a function parameters → optimiser; its rate
            is overwritten.
        clip: the largest norm of all gradients together.
        augment: called on each item, as tensors: augment(image, mask) or augment(image, mask, weight).
        val_every: measure the mean IoU on `val` after so many steps; None: after the last one only.
        checkpoint: a file from which the same call goes on where it stopped, written before the first step,
            after every `checkpoint_every` and the last. On the CPU the numbers are then those of an unbroken
            run. It notes all that decides them: network, optimiser, loss, augment, data (up to 32 items, read
            twice), the arguments and the number format. `segnb.load` reads the network.
        extend: go on with a checkpoint planned for fewer steps; the rate jumps up to the longer training's.
        seed: of the order of the images (a fresh permutation per epoch; a last short batch is left out) and
            of all that is drawn at random meanwhile. The generators outside are as before when `fit` returns.
            What an item and its augmentation draw depends on seed, step and place in the batch alone; a
            generator that the data or `augment` hold is seeded with it, too.
        workers: processes that read and augment batches ahead; 0: this one. The numbers are the same for any.
    Raises:
        ValueError: fewer items than batch_size; sizes that do not fit; a label beyond the network's classes;
            a checkpoint of another training, or one being written. OSError: it cannot be written.
        TypeError: images not of floats, masks not of integers, a DataLoader, data that cannot go to workers.
        FloatingPointError: the loss or a logit is no number; the network is that of the last good step.
    """
    run = current()
    rank, processes = join_processes(run)
    # Numbers of numpy, too.
    steps, batch_size, lr, seed, workers = int(steps), int(batch_size), float(lr), int(seed), int(workers)
    _check_settings(train, val, steps, batch_size, warmup, val_every, workers, processes)
    model.to(run.device, memory_format=torch.channels_last)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = _optimizer(optimizer, trained, lr, weight_decay)
    scaler = torch.amp.GradScaler(run.device.type, enabled=run.dtype == torch.float16)
    history = History()
    settings = {"steps": steps, "batch_size": batch_size, "lr": lr, "seed": seed, "warmup": float(warmup)}
    settings |= {"clip": clip and float(clip), "number format": str(run.dtype).removeprefix("torch.")}
    if checkpoint is not None:
        settings |= identity(model, train, loss, augment, optimizer, run.device, tell=rank == 0)
    keeper = Checkpoint(checkpoint, settings, model, optimizer, scaler, history, run.device, rank)
    watch = Watch("training", len(train), _void(train, loss), changing=augment is not None)
    validate = functools.partial(_validate, model, val, val_every, steps, history, keeper)

    with keeper.locked(), own_randomness(seed + rank, run.device), between_steps() as stop, _training(model):
        done = keeper.resume(extend)
        validate(done)
        network = shared(model, run, processes)
        at_first, already = lengths(trained), done
        buffers = list(model.buffers())
        start = time.perf_counter() - (history.seconds or [0.0])[-1]
        reader = Reader(train, augment, seed, rank, processes)
        ready = read(reader, batches(len(train), batch_size, seed, done, steps), workers)
        shown = {"total": steps, "initial": done, "leave": False, "disable": rank > 0 or not progress}
        with closing(ready), tqdm(ready, **shown) as bar:
            for step, indices, batch in bar:
                rate = _rate(step, steps, lr, warmup)
                _set_rate(optimizer, rate)

                watch.batch(indices, *batch[:2])
                image, mask, weight = on_device(*batch, run.device)

                with _undone_unless_good(buffers):
                    with run.autocast():
                        logits = logits_of(network(image))
                    _enlarged_back_quickly(logits)
                    # Half precision is for the convolutions: a loss adds up many pixels.
                    logits = logits.float()
                    watch.answer(logits)
                    options = {} if weight is None else {"pixel_weight": crop(weight, logits)}
                    value = loss(logits, crop(mask, logits), **options)
                    number = _checked(value, logits, step, processes)

                optimizer.zero_grad()
                scaler.scale(value).backward()
                if clip is not None:
                    scaler.unscale_(optimizer)
                    torch.nn.utils.clip_grad_norm_(trained, clip)
                scaler.step(optimizer)
                scaler.update()

                done = step + 1
                history.add(done, number, rate, time.perf_counter() - start)
                watch.losses(history.loss)
                bar.set_postfix(loss=f"{number:.3f}", refresh=False)
                if done % checkpoint_every == 0 or done == steps or stop:
                    keeper.write()
                validate(done)
                if stop:
                    raise KeyboardInterrupt(f"training stopped after step {done} of {steps}; {keeper.go_on}")
    watch.end(history.loss[already:], moved=lengths(trained) != at_first)
    return history


def _void(train, loss):
    """The labels that this training leaves out, as far as data and loss say."""
    return {255, stated(train, "ignore_index", 255), getattr(loss, "keywords", {}).get("ignore_index", 255)}


def _optimizer(chosen, trained, lr, weight_decay):
    if chosen == "adamw":
        return torch.optim.AdamW(trained, lr=lr, weight_decay=weight_decay, foreach=True)
    if callable(chosen):
        return chosen(trained)
    raise ValueError(f'optimizer is "adamw" or a function parameters → optimiser, not {chosen!r}')


def _validate(model, val, val_every, steps, history, keeper, done):
    """Measure the mean IoU after `done` steps, if it is time and has not been done, and keep it."""
    due = done == steps or (val_every and done and done % val_every == 0)
    if val is None or keeper.rank > 0 or not due or any(step == done for step, _ in history.val):
        return
    history.val.append((done, evaluate(model, val).mean_iou.item()))
    keeper.write()


def _check_settings(train, val, steps, batch_size, warmup, val_every, workers, processes):
    check_data(train, "train")
    if val is not None:
        check_data(val, "val")
    if steps < 1 or batch_size < 1 or not 0 <= warmup <= 1:
        raise ValueError(
            f"steps and batch_size are at least 1 and warmup in 0..1, not {steps}, {batch_size}, {warmup}"
        )
    if workers < 0:
        raise ValueError(
            f"workers is 0 (this process reads the data) or a number of processes, not {workers}"
        )
    if val is not None and len(val) == 0:
        raise ValueError("the validation set is empty: leave it out, or look at its split")
    if len(train) < batch_size:
        raise ValueError(
            f"{len(train)} images are fewer than batch_size={batch_size}: no batch can be filled"
        )
    if batch_size % processes:
        raise ValueError(f"batch_size={batch_size} cannot be shared equally by {processes} processes")
    if val_every and val is None:
        raise ValueError(f"val_every={val_every} needs a validation set: fit(model, train, val, ...)")


def _enlarged_back_quickly(logits):
    """Let the way back through the enlarging of logits go in channels last: in less than half the time, to the same bit.

    A loss hands its gradient over class by class, and so the convolution before has always got it.
    """
    enlarging = logits.grad_fn
    if "Upsample" in type(enlarging).__name__:
        last = {"memory_format": torch.channels_last}
        enlarging.register_prehook(lambda gradients: tuple(one.contiguous(**last) for one in gradients))
        enlarging.register_hook(lambda gradients, _: tuple(one.contiguous() for one in gradients))


def _rate(step, steps, lr, warmup):
    """The learning rate of step 0..steps−1: a linear rise, then DeepLab's polynomial fall."""
    rise = min(1, (step + 1) / (warmup * steps)) if warmup else 1
    return lr * rise * (1 - step / steps) ** 0.9


def _set_rate(optimizer, rate):
    for group in optimizer.param_groups:
        group["lr"] = rate


def _checked(value, logits, step, processes):
    """The loss as a number (the mean over all processes), if it and the logits are numbers."""
    value = value.detach().reshape(())
    value, top = mean_over(torch.stack([value, logits.detach().amax().to(value.dtype)]), processes)
    if isfinite(value) and top < inf:
        return value
    what = f"the loss is {value}" if top < inf else f"the network's logits hold {top}"
    raise FloatingPointError(
        f"{what} at step {step + 1}. Try a smaller lr, a warmup (0.1) or clip (1.0), SEGNB_DTYPE=float32 if the number "
        "format is half precision, and look for images or weights that are not finite. The network and a checkpoint of "
        "this run are from before the trouble"
    )


@contextmanager
def _undone_unless_good(buffers):
    """If a step stops inside, batch norm's statistics are again those of the step before."""
    before = [buffer.clone() for buffer in buffers]
    try:
        yield
    except BaseException:
        with torch.no_grad():
            for buffer, kept in zip(buffers, before, strict=True):
                buffer.copy_(kept)
        raise


@contextmanager
def _training(model):
    model.train()
    try:
        yield
    finally:
        model.eval()
