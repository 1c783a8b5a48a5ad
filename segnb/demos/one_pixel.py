"""The lab of one pixel: logits, softmax, the price of the true class, and the pull on each logit."""

from ..show.live import Live
from .page import page

CLASSES = ("road", "car", "sky")
SPARE = "pole"  # the fourth class, for whoever asks for one


def one_pixel(logits=(2.0, 0.5, -1.0), truth=1, classes=CLASSES, *, name=None) -> Live:
    """Slide the logits of one pixel, choose its true class, and see what it pays and which way it pulls each of them.

    `logits`: three or four numbers from −10 to 10, one for each of `classes`, where the sliders start. `truth`: the
    number of the true class. The price is −log p of the true class, the gradient by the logits p − y, both times the
    weight of the true class if the reader gives it one: `torch.nn.functional.cross_entropy`, summed. Arrows point
    against the gradient, to where the logits are to go.
    """
    import torch
    import torch.nn.functional as F

    from .. import show
    from ..show import style

    z, classes = torch.tensor(logits, dtype=torch.float64), list(classes)
    if z.ndim != 1 or len(z) not in (3, 4) or len(z) != len(classes) or not z.abs().le(10).all():
        raise ValueError("logits must be three or four numbers from −10 to 10, and classes as many names")
    if truth not in range(len(z)):
        raise ValueError(f"truth={truth}; expected the number of a class, 0 to {len(z) - 1}")
    p = z.softmax(0)
    pulls = p - F.one_hot(torch.tensor(truth), len(z))
    alt = (
        f"One pixel whose logits are {_listed(classes, z, '{:g}')}. Softmax gives {_listed(classes, p, '{:.4f}')}. "
        f"The truth is {classes[truth]}, so it pays −log p = {-p[truth].log():.4f}, and its gradient p − y is "
        f"{_listed(classes, pulls, '{:+.4f}')}."
    )
    figure, (left, right) = show.canvas(1, 2, height=2.0, sharey=True)
    left.barh(classes, p, color=list(style.COLOURS.values())[: len(z)])
    left.set(xlabel="probability p", xlim=(0, 1))
    right.barh(classes, pulls, color=style.SOFT)
    right.set(xlabel="gradient p − y", xlim=(-1, 1))
    left.invert_yaxis()
    spare = [SPARE] if len(z) == 3 else []
    return page(
        "one_pixel", "The lab of one pixel", show.picture(figure, alt), name=name, logits=z.tolist(), truth=truth,
        classes=classes, spare=spare,
    )  # fmt: skip


def _listed(names, values, form):
    """'road 2, car 0.5 and sky -1'"""
    words = [f"{name} {form.format(value)}" for name, value in zip(names, values.tolist())]
    return f"{', '.join(words[:-1])} and {words[-1]}".replace("-", "−")
