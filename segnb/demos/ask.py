"""A trained network, alive in the page: paint on a picture, and every stage of the net answers."""

from importlib.resources import files

from .page import page

LIMIT = 8_000_000  # bytes of HTML: what a browser opens at once and a letter can carry


def ask(model, pictures=None, data=None, *, switch=None, questions=(), name=None):
    """Run `model` in the page, on `pictures` and on whatever a reader draws on them.

    model: the name of a network that ships with the course ("street", "unet", "segnet", "fcn", "deeplabv3": pictures,
        switch and questions come with it); or any network of `segnb.models`, or a module made of the same operations;
        or a dict name → module, to switch between while one paints. Weights that they share travel once.
    pictures: images C×H×W in 0..1 of one size, with 1 or 3 channels. A smaller answer is that of their middle.
    data: where the names and colours of the classes come from, a data set of `segnb.data`.
    switch: what the names in the dict stand for. questions: sentences, or dicts with `text`, and to see it done
        `picture`, `box` (top, left, bottom, right in pixels) and `become` (a class): half of the box has to become it,
        by the first network.

    The weights are rounded to float16. ``ValueError`` for pictures of several sizes and for a page above 8 MB, which is
    named; ``NotImplementedError`` for an operation that the engine does not have.
    """
    if isinstance(model, str):
        from .shipped import shipped

        return ask(**{**shipped(model), "name": name or model})
    models = model if isinstance(model, dict) else {"": model}
    images = _checked(pictures)
    for one in models.values():
        _fits(sum(part.numel() for part in one.parameters()) * 2 * 4 // 3)
    live = _live(models, images, data, switch, questions, name)
    _fits(len(live.html))
    return live


def _fits(size):
    """ValueError for a page of so many bytes that is too large."""
    if size > LIMIT:
        raise ValueError(
            f"the page would have {size / 1e6:.1f} MB, and above {LIMIT / 1e6:.0f} MB browsers grow slow: train a narrower "
            "network, or give fewer pictures"
        )


def _guess(model, image):
    """The classes that the network itself gives, H'×W' int64."""
    from ..run import device_of, evaluating
    from ..shapes import logits_of

    with evaluating(model):
        return logits_of(model(image[None].to(device_of(model)))).argmax(1)[0].cpu()


def _live(models, images, data, switch, questions, name):
    from base64 import b64encode

    from .. import show
    from .engine import Weights, program

    weights, first = Weights(), next(iter(models.values()))
    programs = [program(one, images[0].shape, weights) for one in models.values()]
    guesses = [_guess(first, image) for image in images]
    classes, palette = _classes(programs[0], data)
    said = guesses[0] if data is not None else _coloured(guesses[0], palette)
    still = show.compare([images[0], said], data, captions=["picture", "what the net says"])
    engine = files("segnb.demos.engine")
    kernel = (engine / "kernel.wasm").read_bytes()
    return page(
        "ask", f"Ask the net: {type(first).__name__}", still, name=name,
        parts=("engine/engine.js", "engine/serve.js"), programs=programs,
        weights=b64encode(weights.bytes()).decode(), kernel=b64encode(kernel).decode(),
        pictures=[_png(image) for image in images], swatches=_swatches(images, guesses, classes),
        classes=classes, palette=palette, variants=list(models), switch=switch or "network",
        questions=[{"text": one} if isinstance(one, str) else one for one in questions],
    )  # fmt: skip


def document(live, title) -> str:
    """A whole page of HTML around `live`, which asks nobody for anything."""
    from html import escape

    return _DOCUMENT.format(title=escape(title), alt=escape(live.alt), live=live.html)


_DOCUMENT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="description" content="{alt}">
<title>{title}, alive</title>
<style>body {{ margin: 1rem auto; max-width: 680px; padding: 0 12px; font: 17px/1.5 system-ui, sans-serif; }}</style>
<h1>{title}</h1>
<p>A network that runs in this page, and nowhere else: what you draw or choose stays on this machine.</p>
{live}
</html>
"""


def _checked(pictures):
    """A list of float images of one shape. ValueError, naming the trouble, for anything else."""
    import torch

    images = [torch.as_tensor(picture).float() for picture in pictures or ()]
    if not images:
        raise ValueError("ask needs at least one picture C×H×W in 0..1")
    shape = images[0].shape
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise ValueError(f"pictures must be 1×H×W or 3×H×W, not {'×'.join(map(str, shape))}")
    for image in images:
        if image.shape != shape:
            raise ValueError(
                f"pictures must have one size, not {'×'.join(map(str, shape))} and {'×'.join(map(str, image.shape))}"
            )
    return images


def _classes(written, data):
    """Names of the classes, and their colours as [red, green, blue]."""
    import numpy as np
    from matplotlib import colormaps

    count = written["steps"][written["output"] - 1]["shape"][0]
    if data is None:
        colours = np.resize(np.array(colormaps["tab20"].colors), (count, 3)) * 255
        return [f"class {k}" for k in range(count)], colours.round().astype(int).tolist()
    if data.num_classes != count:
        raise ValueError(
            f"the network has {count} classes and {data.name} has {data.num_classes}: give the data that it was trained on"
        )
    return list(data.classes), [list(map(int, colour)) for colour in data.palette[:count]]


def _coloured(mask, palette):
    """3×H×W in 0..1: a mask in colours."""
    import torch

    return torch.tensor(palette)[mask].permute(2, 0, 1) / 255


def _png(image):
    """C×H×W in 0..1 as a data URI, 8 bits a channel."""
    import io
    from base64 import b64encode

    from PIL import Image

    pixels = (image * 255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    stream = io.BytesIO()
    Image.fromarray(pixels.squeeze(-1) if pixels.shape[2] == 1 else pixels).save(stream, "PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(stream.getvalue()).decode()}"


def _swatches(images, guesses, classes):
    """[class, its mean colour] for the eight classes that the net sees most of: colours to paint with."""
    import torch

    margins = [(image.shape[1] - len(guess)) // 2 for image, guess in zip(images, guesses)]
    inner = [image[:, m : image.shape[1] - m, m : image.shape[2] - m] for image, m in zip(images, margins)]
    pixels = torch.cat([image.flatten(1) for image in inner], 1)
    labels = torch.cat([guess.flatten() for guess in guesses])
    most = labels.bincount(minlength=len(classes)).argsort(descending=True)[:8].tolist()
    found = []
    for k in most:
        if (labels == k).any():
            mean = (pixels[:, labels == k].mean(1) * 255).round().int().tolist()
            found.append([classes[k], mean * 3 if len(mean) == 1 else mean])
    return [*found, ["black", [0, 0, 0]], ["white", [255, 255, 255]]][:8]
