"""Networks in files: weights, what builds the network again, and nothing that could run."""

import copy
import pickle
import zipfile
from importlib import resources
from pathlib import Path

import torch
from torch import nn

from .disk import replacing
from .run import current

FORMAT = "segnb model 1"
TRAINING, OLD_TRAINING = "segnb training 2", "segnb training 1"
# Stands in the names of weights of a part that was compiled.
COMPILED = "_orig_mod."
# Characters of a network's arguments; the longest of segnb.models has some 150.
LONGEST_CONFIG = 1000
# Levels of a network that cost no memory worth a thought, as long as they are not filled with numbers.
MANY = 100
# Characters of torch's complaint, which names every weight, in ours.
SHOWN = 300
# What foreign, cut off and damaged files make zipfile and torch.load raise.
BROKEN = (zipfile.BadZipFile, pickle.UnpicklingError, RuntimeError, OSError, EOFError, UnicodeDecodeError)


def save(model, path) -> None:
    """Write a network of `segnb.models`: class, constructor arguments, weights and buffers.

    A compiled or wrapped one (`torch.compile`, `DataParallel`), or one with such parts, is written as the
    plain network. The file appears whole or not at all; a link is followed.
    Raises: TypeError: any other module. ValueError: a path that is no file. OSError: it cannot be written.
    """
    plain = unwrapped(model)
    if not _known(plain):
        inner = next((f".{name}" for name in ("_orig_mod", "module") if _wraps(model, name)), "")
        raise TypeError(
            f"segnb.save keeps the networks of segnb.models, not {type(plain).__name__}: use "
            f"torch.save(model{inner}.state_dict(), path)"
        )
    write_atomically({"format": FORMAT} | contents(plain), path)


def load(path) -> nn.Module:
    """The network in a file of `save` or a checkpoint of `segnb.fit`, in eval mode on the run's device.

    Only numbers are read (`weights_only=True`), so a file cannot run code; nor does it take more memory than
    its numbers fill.
    Raises: FileNotFoundError. ValueError: neither of these, damaged, or of a version with different networks.
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
        weights = {name.replace(COMPILED, ""): part for name, part in kept["weights"].items()}
        _check_shapes(build, kept["config"], weights, Path(path).stat().st_size)
        model = build(**kept["config"])
        model.load_state_dict(weights)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError) as error:
        reason = str(error)[:SHOWN]
        raise ValueError(
            f"{path} does not fit {build.__name__} in this version of segnb: {reason}"
        ) from error
    return model.to(current().device).eval()


def unwrapped(model) -> nn.Module:
    """The plain network in one that is compiled or spread over GPUs, or that has such parts.

    Its parameters and buffers are the same ones: weights loaded into it are loaded into `model`.
    """
    for name in ("_orig_mod", "module"):
        if _wraps(model, name):
            return unwrapped(model._modules[name])
    held = model._modules
    parts = {name: part if part is None else unwrapped(part) for name, part in held.items()}
    if any(parts[name] is not part for name, part in held.items()):
        model = copy.copy(model)
        model._modules = parts
    return model


def _wraps(model, name):
    """Whether `name` is what holds the plain network in a compiled or a spread one."""
    spread = isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel))
    return name in model._modules and (name == "_orig_mod" or spread)


def contents(model) -> dict:
    """Class, arguments (None if not of `segnb.models`) and weights of a plain network."""
    config = model.config if _known(model) else None
    return {"class": type(model).__name__, "config": config, "weights": model.state_dict()}


def _known(model):
    from . import models

    same = getattr(models, type(model).__name__, None) is type(model)
    return same and isinstance(model, models.base.SegmentationNet)


def _check_shapes(build, config, weights, size):
    """Raise ValueError unless the network has the file's weights, before any memory is taken for it."""
    if len(repr(config)) > LONGEST_CONFIG or sum(part.nbytes for part in weights.values()) > size:
        raise ValueError("it describes more weights than it holds")
    # Each level has weights of its own, and a million of them would fill the memory with their names alone.
    if config.get("depth", 0) > max(MANY, len(weights)):
        raise ValueError(f"depth={config['depth']} needs more weights than it holds")
    with torch.device("meta"):
        net = build(**config)
    net.load_state_dict({name: part.to("meta") for name, part in weights.items()}, assign=True)


def load_trained(name) -> nn.Module:
    """A small trained network that ships with the package, for first looks.

    Raises: ValueError: an unknown name; the error lists those that ship.

    >>> load_trained("unet").num_classes
    2
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


def write_atomically(content, path) -> None:
    """Save as `torch.save` does, but leave the old file or the new one, as `segnb.disk.replacing` does."""
    with replacing(path) as partial, open(partial, "wb") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:
            # torch's own writer hides a full disk behind an error of its own.
            raise _cause(error) from error


def _cause(error):
    """The OSError behind an error, or else the error itself."""
    found = error
    while found is not None and not isinstance(found, OSError):
        found = found.__cause__ or found.__context__
    return found or error


def read(path, forms, meaning) -> dict:
    """The dict in a file, its tensors on the CPU.

    Args:
        forms: what its entry "format" may be.
        meaning: what the file should be, in words.
    Raises: FileNotFoundError: there is no file. ValueError: it is not `meaning`, or damaged.
    """
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
