"""What `ask` shows of each network that ships with the course: pictures, a switch, three questions."""

import copy

import torch.nn.functional as F
from torch import Tensor

from ..models import SegNet, UNet
from ..models.unet import crop_and_concat


def shipped(name) -> dict:
    """The arguments of `ask` for a shipped network. ``ValueError`` for an unknown name."""
    from .. import data
    from ..saving import load_trained

    if name not in SHIPPED:
        raise ValueError(f"no network {name!r} ships with segnb; there are: {', '.join(SHIPPED)}")
    about = SHIPPED[name]
    kind, places, side = about["pictures"]
    pictures = data.load(kind, "val")
    model = load_trained(name).cpu()
    return {
        "model": about["models"](model), "data": pictures,
        "pictures": [_middle(pictures[k][0], side) for k in places], "switch": about["switch"],
        "questions": [_counted(question, pictures.classes) for question in about["questions"]],
    }  # fmt: skip


def _middle(image, side):
    """The square of `side` pixels in the middle of C×H×W; None: all of it."""
    if side is None:
        return image
    top, left = ((whole - side) // 2 for whole in image.shape[1:])
    return image[:, top : top + side, left : left + side]


def _counted(question, classes):
    """A question whose `become` is the number of a class, not its name."""
    if isinstance(question, str):
        return question
    return {**question, "become": list(classes).index(question["become"])}


class Muted(UNet):
    """A U-Net whose skips carry zeros: those of the levels in `quiet`, 0 the finest."""

    def forward(self, x) -> Tensor:
        x, kept = self.normalise(x), []
        for level, block in enumerate(self.encoder):
            x = block(x)
            kept.append(x * 0 if level in self.quiet else x)
            x = self.pool(x)
        x = self.bottom(x)
        for upconv, block in zip(self.upconv, self.decoder):
            x = block(crop_and_concat(kept.pop(), upconv(x)))
        return self.head(x)


class Smooth(SegNet):
    """A SegNet that forgets where its maxima were and enlarges bilinearly."""

    def forward(self, x) -> Tensor:
        x, sizes = self.normalise(x), []
        for stage, pool in zip(self.encoder, self.pool):
            x = stage(x)
            sizes.append(x.shape[2:])
            x, _ = pool(x)
        for stage in self.decoder:
            x = stage(F.interpolate(x, size=sizes.pop(), mode="bilinear"))
        return self.head(x)


def _turned(model, kind, **changes):
    """`model` itself, all its weights included, that runs as `kind` does."""
    other = copy.copy(model)
    other.__class__ = kind
    vars(other).update(changes)
    return other


def _unets(model):
    muted = {"none": (), "finest": (0,), "middle": (1,), "deepest": (2,), "all": (0, 1, 2)}
    return {name: _turned(model, Muted, quiet=quiet) if quiet else model for name, quiet in muted.items()}


def _segnets(model):
    without = tuple(stage for stage in model.stages if not stage.startswith("unpool"))
    return {"remembered places": model, "bilinear": _turned(model, Smooth, stages=without)}


def _fcns(model):
    return {f"{stride}s": _again(model, stride=stride) for stride in (8, 16, 32)}


def _deeplabs(model):
    """At output stride 8 the rates are twice what `rates` says, which is for 16."""
    return {
        "8: 2, 4, 6": model,
        "8: 1, 1, 1": _again(model, rates=(0.5, 0.5, 0.5)),
        "8: 6, 8, 10": _again(model, rates=(3, 4, 5)),
        "16: 1, 2, 3": _again(model, output_stride=16),
    }


def _again(model, **changes):
    """The same class with other arguments and the same weights, as far as it has them."""
    other = type(model)(**{**model.config, **changes})
    other.load_state_dict(model.state_dict(), strict=False)
    return other.eval()


WALL = {"picture": 0, "box": (28, 98, 44, 118)}  # of the house on the right
STREETS = ("street", (5, 1, 8), None)
SHIPPED = {
    "street": {
        "pictures": STREETS,
        "models": _unets,
        "switch": "skips silenced",
        "questions": (
            {**WALL, "become": "road", "text": "Make the net call the wall in the frame a road. What did you have to change?"},
            "Move the car up into the sky. Is it still a car there?",
            "Draw a pole with the fine brush. How tall must it be before the net sees it?",
        ),
    },
    "unet": {
        "pictures": ("cells", (0, 1, 2), 188),
        "models": _unets,
        "switch": "skips silenced",
        "questions": (
            {"picture": 0, "box": (104, 108, 120, 124), "become": "membrane", "text": "Make the net draw membrane in most of the frame. What must a membrane look like?"},
            "Rub out a stretch of membrane with the light colour. How long may the gap be before two cells are one?",
            "Silence the finest skip, then the deepest. Which of them draws the thin lines? (No net was trained so: it shows what these weights rely on.)",
        ),
    },
    "segnet": {
        "pictures": STREETS,
        "models": _segnets,
        "switch": "on the way up",
        "questions": (
            {**WALL, "become": "tree", "text": "Make the net call the wall in the frame a tree. Is the colour enough?"},
            "Choose encoder.0 and point along the edge of the car. Which pixel of each window is remembered?",
            "Switch to bilinear. These weights were trained with remembered places, so this only breaks the net: what goes first, areas or outlines?",
        ),
    },
    "fcn": {
        "pictures": STREETS,
        "models": _fcns,
        "switch": "FCN",
        "questions": (
            {**WALL, "become": "sky", "text": "Make the net call the wall in the frame sky. How far over the frame do you have to paint?"},
            "Move the car to the left. In what steps does its mask follow?",
            "Switch to 16s and 32s. These scores were trained as a sum of three; alone they answer what is left: which classes does the coarse map not have?",
        ),
    },
    "deeplabv3": {
        "pictures": ("worlds", (0, 1, 2), None),
        "models": _deeplabs,
        "switch": "stride: rates",
        "questions": (
            {"picture": 0, "box": (12, 48, 28, 72), "become": "river", "text": "Turn the road in the frame into a river, and do not touch the grey."},
            "How much of the country has to change before the answer tips?",
            "The same weights at other rates: with 1, 1, 1, how near must the sand lie to be seen? (They were trained at 2, 4, 6.)",
        ),
    },
}  # fmt: skip
