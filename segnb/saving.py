"""Networks in files: weights with what builds the network again, and nothing that a file could make us run."""

import contextlib
import errno
import os
import pickle
import zipfile
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import torch
from torch import nn

from .run import current

FORMAT = "segnb model 1"
TRAINING, OLD_TRAINING = "segnb training 2", "segnb training 1"
# Characters of a network's arguments; the longest of segnb.models has some 150.
LONGEST_CONFIG = 1000
# Levels of a network that cost no memory worth a thought, as long as they are not filled with numbers.
MANY = 100
# Characters of torch's complaint, which names every weight, in ours.
SHOWN = 300
# What foreign, cut off and damaged files make zipfile and torch.load raise.
BROKEN = (zipfile.BadZipFile, pickle.UnpicklingError, RuntimeError, OSError, EOFError, UnicodeDecodeError)


def save(model, path):
    """Write a network of `segnb.models` to `path`: class, constructor arguments, weights and buffers, in one step.

    A compiled or a wrapped one (`torch.compile`, `DataParallel`) is written as the plain network in it. The file appears
    whole or not at all; a link is followed. ``TypeError`` for any other module: nothing would know how to build it again.
    ``ValueError`` for a path that is no file, ``OSError`` if it cannot be written.
    """
    plain = unwrapped(model)
    if not _known(plain):
        inner = "" if plain is model else "._orig_mod" if "_orig_mod" in model._modules else ".module"
        raise TypeError(
            f"segnb.save keeps the networks of segnb.models, not {type(plain).__name__}: use "
            f"torch.save(model{inner}.state_dict(), path)"
        )
    write_atomically({"format": FORMAT} | contents(plain), path)


def load(path):
    """The network that `save` wrote, or the one in a checkpoint of `segnb.fit`, in eval mode on the run's device.

    ``FileNotFoundError`` if there is no such file, ``ValueError`` if it is neither, or damaged, or from a version whose
    networks were different. Only numbers are read (`weights_only=True`), so a file cannot run code; and no more memory
    is taken than the numbers in the file fill.
    """
    from . import models

    kept = read(path, (FORMAT, TRAINING), "a network written by segnb.save")
    build = getattr(models, str(kept.get("class")), None)
    if kept["format"] == TRAINING and kept.get("config") is None:
        raise ValueError(
            f"{path} is the checkpoint of a network that is not of segnb.models ({kept.get('class')}): build it, then "
            f"model.load_state_dict(torch.load({str(path)!r}, weights_only=True)['weights'])"
        )
    if not (isinstance(build, type) and issubclass(build, models.base.SegmentationNet)):
        raise ValueError(f"{path} holds a network of the unknown class {kept.get('class')!r}")
    try:
        _check_shapes(build, kept["config"], kept["weights"], Path(path).stat().st_size)
        model = build(**kept["config"])
        model.load_state_dict(kept["weights"])
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError) as error:
        reason = str(error)[:SHOWN]
        raise ValueError(
            f"{path} does not fit {build.__name__} in this version of segnb: {reason}"
        ) from error
    return model.to(current().device).eval()


def unwrapped(model):
    """The plain network in one that was compiled or spread over several GPUs."""
    while True:
        if "_orig_mod" in model._modules:
            model = model._orig_mod
        elif isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            model = model.module
        else:
            return model


def contents(model):
    """Class, arguments (None for a network that is not of `segnb.models`) and weights of a plain network."""
    config = model.config if _known(model) else None
    return {"class": type(model).__name__, "config": config, "weights": model.state_dict()}


def _known(model):
    from . import models

    same = getattr(models, type(model).__name__, None) is type(model)
    return same and isinstance(model, models.base.SegmentationNet)


def _check_shapes(build, config, weights, size):
    """Raise ``ValueError`` unless the network has the file's weights, before any memory is taken for it."""
    if len(repr(config)) > LONGEST_CONFIG or sum(part.nbytes for part in weights.values()) > size:
        raise ValueError("it describes more weights than it holds")
    # Each level has weights of its own, and a million of them would fill the memory with their names alone.
    if config.get("depth", 0) > max(MANY, len(weights)):
        raise ValueError(f"depth={config['depth']} needs more weights than it holds")
    with torch.device("meta"):
        net = build(**config)
    net.load_state_dict({name: part.to("meta") for name, part in weights.items()}, assign=True)


def load_trained(name):
    """A small trained network that ships with the package, for first looks: `load_trained("unet")`.

    ``ValueError`` for an unknown name, listing those that ship.
    """
    folder = resources.files(__package__) / "trained"
    entries = folder.iterdir() if folder.is_dir() else ()
    names = sorted(entry.name.removesuffix(".pt") for entry in entries if entry.name.endswith(".pt"))
    if name not in names:
        raise ValueError(
            f"no trained network {name!r} ships with segnb; there are: {', '.join(names) or 'none'}"
        )
    with resources.as_file(folder / f"{name}.pt") as path:
        return load(path)


def write_atomically(content, path):
    """torch.save that leaves either the old file or the new one, never half of one, even if the process is killed.

    A link is written through, to the file that it names. ``ValueError`` for what is no file (a folder, a device),
    ``OSError`` naming the file if the disk is full or may not be written to; then nothing is left behind.
    """
    target = _file(path)
    partial = target.with_name(target.name + ".partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, "wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    except (OSError, RuntimeError) as error:
        _remove(partial)
        # torch's own writer hides a full disk behind a RuntimeError of its own.
        cause = _cause(error)
        if cause is None:
            raise
        kept = "; what it held before is still there" if target.exists() else ""
        raise type(cause)(cause.errno, f"{path} cannot be written, {cause.strerror}{kept}") from error
    except BaseException:
        _remove(partial)
        raise


def _file(path):
    """Where a file at `path` really lies: links are followed."""
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise ValueError(f"{path} is no file but a folder or a device: give the name of a file")
    return target


def _cause(error):
    """The OSError behind an error, or None."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


def _remove(path):
    with contextlib.suppress(OSError):
        path.unlink()


@contextmanager
def locked(path):
    """This process alone writes the file at `path` inside. ``ValueError`` if another one, or another thread, does.

    The system forgets the lock of a process that ended, in whatever way. Where a disk knows no locks, nothing is locked.
    """
    target = _file(path)
    lock = target.with_name(target.name + ".lock")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        file = _seized(lock)
    except OSError as error:
        raise type(error)(error.errno, f"{path} cannot be written, {error.strerror}") from error
    if file is None:
        raise ValueError(f"another training is writing {path}: wait for its end, or give another checkpoint=")
    try:
        yield
    finally:
        # While the lock is held, so that nobody seizes a file that is about to vanish; Windows removes closed files only.
        _remove(lock)
        file.close()
        if os.name == "nt":
            _remove(lock)


def _seized(lock):
    """The lock file, opened and locked; None if somebody else holds it."""
    while True:
        file = open(lock, "a")  # noqa: SIM115 - open for as long as the lock is held
        if not _lock(file):
            file.close()
            return None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), os.stat(lock)):
                return file
        # Whoever held it before has removed it meanwhile.
        file.close()


def _lock(file):
    """Whether nobody else holds the lock of an open file; True, too, where there are no locks."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EAGAIN, errno.EACCES)
    return True


def read(path, forms, meaning):
    """The dict in `path` whose "format" is one of `forms`, on the CPU; ValueError saying that it is not `meaning`."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # torch.load itself does not look at the checksums
        content = None if damaged else torch.load(path, map_location="cpu", weights_only=True)
    except BROKEN as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"{path} is not {meaning}, or only a part of it ({reason})") from error
    if damaged:
        raise ValueError(f"{path} is damaged: write or fetch it again")
    form = content.get("format") if isinstance(content, dict) else None
    if form == OLD_TRAINING:
        raise ValueError(
            f"{path} is a checkpoint of an older segnb, which did not note what its numbers depend on: delete it, or "
            "give another checkpoint="
        )
    if form not in forms:
        raise ValueError(f"{path} is not {meaning}")
    return content
