"""From tensors to colours: an image, a mask or a map as an H×W×3 uint8 array, checked on the way."""

import numpy as np
import torch

from . import style


def array(x, what) -> np.ndarray:
    """A tensor on any device, or an array, as numpy. bfloat16 has no numpy twin, so it becomes float32.

    Args: what: what it is called in the error.
    Raises: TypeError: neither a tensor nor an array.
    """
    if isinstance(x, torch.Tensor):
        x = x.detach().cpu()
        x = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
        return x.numpy()
    if isinstance(x, np.ndarray):
        return x
    raise TypeError(f"{what} must be a torch tensor or a numpy array, not {type(x).__name__}")


def shape_of(x) -> str:
    return "×".join(map(str, x.shape)) or "a single number"


def image_pixels(x, what="image") -> np.ndarray:
    """C×H×W in 0..1 (or uint8) → H×W×3 uint8.

    Raises: ValueError: another shape, C other than 1 and 3, numbers outside 0..1.
    """
    x = array(x, what)
    if x.ndim != 3 or x.shape[0] not in (1, 3):
        raise ValueError(f"{what} is {shape_of(x)}; expected one image C×H×W, C = 1 (grey) or 3 (RGB)")
    if x.dtype != np.uint8:
        if not (np.isfinite(x).all() and x.min() >= -1e-3 and x.max() <= 1 + 1e-3):
            ends = f"{x.min():.3g} to {x.max():.3g}"
            raise ValueError(f"{what} runs from {ends}; expected 0..1 (if it was normalised, undo that)")
        x = (x.clip(0, 1) * 255).round().astype(np.uint8)
    return np.broadcast_to(x, (3, *x.shape[1:])).transpose(1, 2, 0)


def class_map(x, data, what="mask") -> np.ndarray:
    """H×W integers, checked against the classes of `data`.

    Raises: ValueError: another shape, fractions, a number that is neither a class nor void.
    """
    x = array(x, what)
    if x.ndim != 2 or x.dtype.kind not in "iu":
        given = f"{what} is {shape_of(x)} of {x.dtype}"
        raise ValueError(f"{given}; expected H×W integers, one class a pixel (for K×H×W scores: .argmax(0))")
    x = x.astype(np.int64)
    last, void = len(data.classes) - 1, data.ignore_index
    wrong = np.setdiff1d(x, [*range(last + 1), void])
    if len(wrong):
        raise ValueError(f"{what} holds {wrong[:5].tolist()}; expected 0..{last} or {void} (void)")
    return x


def painted(mask, data) -> np.ndarray:
    """H×W classes → H×W×3 uint8 in the palette of the data; void stays blank paper."""
    palette = np.asarray(data.palette, dtype=np.uint8)
    return np.where((mask == data.ignore_index)[..., None], rgb(style.PAPER), palette[mask % len(palette)])


def rgb(colour) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.uint8)


def heat(x, vmin=None, vmax=None, what="map") -> np.ndarray:
    """H×W numbers → H×W×3 uint8 in the sequential map, from `vmin` to `vmax` (its own ends by default)."""
    from matplotlib import colormaps

    x = array(x, what).astype(np.float64)
    finite = np.isfinite(x)
    low = vmin if vmin is not None else x[finite].min(initial=np.inf)
    high = vmax if vmax is not None else x[finite].max(initial=-np.inf)
    level = (x - low) / (high - low) if high > low else np.zeros_like(x)
    colours = colormaps[style.MAP](np.nan_to_num(level).clip(0, 1), bytes=True)[..., :3]
    return np.where(finite[..., None], colours, rgb(style.PAPER))


def draw(x, data=None, vmin=None, vmax=None, what="picture") -> np.ndarray:
    """One tensor as an H×W×3 uint8 array, by its shape and type; `compare` says how.

    Raises: ValueError: another shape, integers without `data`.
    """
    x = array(x, what)
    if x.ndim == 3:
        return image_pixels(x, what)
    if x.ndim != 2:
        raise ValueError(f"{what} is {shape_of(x)}; expected an image C×H×W, a mask H×W or a map H×W")
    if x.dtype.kind == "b":
        return np.where(x[..., None], rgb(style.ERROR), np.uint8(225))
    if x.dtype.kind == "f":
        return heat(x, vmin, vmax, what)
    if data is None:
        raise ValueError(f"{what} holds integers, so it is a mask: give data=, whose palette colours it")
    return painted(class_map(x, data, what), data)


def legend_of(masks, data) -> list[tuple[str, str]]:
    """(colour, class) of every class that any of the masks holds, in the order of the classes."""
    present = np.unique(np.concatenate([np.ravel(mask) for mask in masks])).tolist()
    colours = painted(np.array([present]), data)[0]
    return [("#" + bytes(colour).hex(), class_name(k, data)) for k, colour in zip(present, colours)]


def percent(share) -> str:
    """A share in 0..1 in words: '0 %', 'under 1 %', '37 %'."""
    return "under 1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def shares(mask, data, most=4) -> str:
    """'cell 78 %, membrane 22 %': the classes of a mask, the largest first."""
    numbers, counts = np.unique(mask, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    words = [f"{class_name(numbers[i], data)} {percent(counts[i] / mask.size)}" for i in order]
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def class_name(number, data) -> str:
    return "void" if number == data.ignore_index else data.classes[number].replace("_", " ")
