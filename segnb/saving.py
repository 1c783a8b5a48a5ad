"""Networks in files: weights with what builds the network again, and nothing that a file could make us run."""

import os
import pickle
import zipfile
from importlib import resources
from pathlib import Path

import torch

from .run import current

FORMAT = "segnb model 1"
# What foreign, cut off and damaged files make zipfile and torch.load raise.
BROKEN = (zipfile.BadZipFile, pickle.UnpicklingError, RuntimeError, OSError, EOFError, UnicodeDecodeError)


def save(model, path):
    """Write a network of `segnb.models` to `path`: class, constructor arguments, weights and buffers, in one step.

    The file appears whole or not at all. ``TypeError`` for any other module: nothing would know how to build it again.
    """
    from . import models

    name = type(model).__name__
    if not (isinstance(model, models.base.SegmentationNet) and getattr(models, name, None) is type(model)):
        raise TypeError(
            f"segnb.save keeps the networks of segnb.models, not {name}: use torch.save(model.state_dict(), path)"
        )
    write_atomically(
        {"format": FORMAT, "class": name, "config": model.config, "weights": model.state_dict()}, path
    )


def load(path):
    """The network that `save` wrote, in eval mode on the run's device.

    ``FileNotFoundError`` if there is no such file, ``ValueError`` if it is not one of `save`'s, or damaged, or from a
    version whose networks were different. Only numbers are read (`weights_only=True`), so a file cannot run code.
    """
    from . import models

    kept = read(path, FORMAT, "a network written by segnb.save")
    build = getattr(models, str(kept.get("class")), None)
    if not (isinstance(build, type) and issubclass(build, models.base.SegmentationNet)):
        raise ValueError(f"{path} holds a network of the unknown class {kept.get('class')!r}")
    try:
        model = build(**kept["config"])
        model.load_state_dict(kept["weights"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{path} does not fit {build.__name__} in this version of segnb: {error}") from error
    return model.to(current().device).eval()


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
    """torch.save that leaves either the old file or the new one, never half of one, even if the process is killed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with open(partial, "wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def read(path, form, meaning):
    """The dict in `path` whose "format" is `form`, on the CPU; ValueError saying that it is not `meaning`."""
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
    if not (isinstance(content, dict) and content.get("format") == form):
        raise ValueError(f"{path} is not {meaning}")
    return content
