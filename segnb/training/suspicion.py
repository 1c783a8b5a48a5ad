"""Trainings and results that are too good to be true: `Watch` looks at what goes by, and warns by name."""

import warnings
from math import isfinite

import torch

from ..shapes import more_classes

PAGE = "When it does not learn"
# Rows of that page; a test looks them up.
ROWS = {
    "one class": "The mean IoU is 1 at once, and nothing is found.",
    "void": "The masks are 0 and 255, and the object is never found.",
    "absent": "A class is never predicted, and training never shows it.",
    "zero": "The loss is 0 from the first step on.",
    "still": "No weight moves.",
    "pixels": "It learns slowly, or not at all, and the pictures are not in 0..1.",
    "single": "A network of one class is always right.",
}
# Pixels may lie so far outside 0..1: noise, brightness and bicubic resizing overshoot.
DARKEST, BRIGHTEST = -0.5, 2.0
# A class is missed only where so many pictures were seen, void is plentiful from this share on.
FEW, PLENTIFUL = 4, 0.005
# A loss below ZERO in so many first steps is suspicious; a single batch may be all void.
FIRST, ZERO = 3, 1e-6
# Larger labels count as this one.
MANY = 2**16


class Suspicious(UserWarning):
    """A result that looks better than it can be, or a training that cannot learn."""


class Watch:
    """Looks at the batches of one training or evaluation as they go by; warns once of each kind of trouble.

    Only what lies on the CPU is looked at: anywhere else to look would make the device wait.

    Args:
        name, count, ignored: "training" or "evaluation"; items of the set; labels that are void.
        changing: items are augmented, so masks are judged at the end, else when all have gone by once.
    """

    def __init__(self, name, count, ignored=(255,), changing=False):
        self.name, self.count, self.ignored, self.changing = name, count, set(ignored), changing
        self.seen = set()
        self.masks = self.mixed = 0
        self.pixels = torch.zeros(0, dtype=torch.int64)
        self.highest, self.classes = -1, 0
        self.warned = set()
        self.judged = False

    def batch(self, indices, images, masks) -> None:
        """Take images N×C×H×W and masks N×H×W of these items, as the data set has them."""
        self.seen.update(indices)
        if images.device.type == "cpu" and not self.judged:
            self._look_at_pixels(images)
        self.highest = -1
        if masks.device.type == "cpu":
            (self._look_for_labels_beyond if self.judged else self._count)(masks)

    def answer(self, logits) -> None:
        """Take its logits N×K×H×W. Raises: ValueError, naming K: its masks hold a label above K − 1."""
        self.classes = logits.shape[1]
        if self.highest >= self.classes:
            raise ValueError(
                f"the network has {self.classes} classes, 0..{self.classes - 1}, and a mask the label {self.highest}"
                f"{more_classes(self.classes, self.highest)}"
            )
        if self.classes == 1:
            self._warn(
                "single", "the network has one class, and of that it is always certain: use num_classes=2"
            )
        if not self.changing and len(self.seen) == self.count:
            self._judge_masks()

    def losses(self, losses) -> None:
        """Take the losses of all steps so far."""
        if len(losses) == FIRST:
            self._judge_losses(losses)

    def end(self, losses=(), moved=True) -> None:
        """Judge, as everything has gone by. losses: of the steps made now. moved: whether any weight did."""
        self._judge_masks()
        if 0 < len(losses) < FIRST:
            self._judge_losses(losses)
        if losses and not moved:
            self._warn("still", "no weight has moved: is lr 0, or does the loss not depend on the network?")

    def _look_at_pixels(self, images):
        low, high = (number.item() for number in images.aminmax())
        if low < DARKEST:
            cure = "leave out v2.Normalize, since networks of segnb do that inside"
        elif high > 2**8:
            cure = "divide them by the largest value of their type, 65535 for 16 bits"
        else:
            cure = "use image / 255"
        # Pixels that are no numbers make logits that are none, and those are an error.
        if isfinite(low) and isfinite(high) and (low < DARKEST or high > BRIGHTEST):
            self._warn("pixels", f"pixels lie in {low:.4g}..{high:.4g}, not in 0..1: {cure}")

    def _count(self, masks):
        counts = _counts(masks)
        self.pixels = _sum(self.pixels, counts.sum(0))
        for present in (counts > 0).tolist():
            labels = {label for label, there in enumerate(present) if there} - self.ignored
            self.masks += 1
            self.mixed += len(labels) > 1
            self.highest = max({self.highest, *labels})

    def _look_for_labels_beyond(self, masks):
        """What is left to do once all masks have gone by."""
        beyond = masks[masks >= self.classes].unique().tolist()
        self.highest = max({self.highest, *beyond} - self.ignored)

    def _judge_masks(self):
        whole = len(self.seen) == self.count
        if self.judged or self.classes < 2 or not (self.masks >= FEW or (self.masks and whole)):
            return
        self.judged = True
        counts = _sum(self.pixels, torch.zeros(self.classes, dtype=torch.int64)).tolist()
        absent = [label for label in range(self.classes) if not counts[label]]
        void = sum(counts[label] for label in self.ignored if 0 <= label < len(counts)) / max(1, sum(counts))
        if not self.mixed and absent and void >= PLENTIFUL:
            self._warn(
                "void",
                f"each mask holds one class at most, and void (255) in {void:.0%} of its pixels: no loss counts those. "
                f"If 255 is class {absent[0]}, use mask.where(mask != 255, {absent[0]})",
            )
        elif not self.mixed:
            self._warn(
                "one class", "no mask holds two classes: any network is soon right. Look at mask.unique()"
            )
        elif absent and whole and self.count >= FEW and self.name == "training":
            labels = ", ".join(map(str, absent))
            last = self.classes - len(absent)
            top = f"use num_classes={last}" if absent[0] == last else "look at mask.unique()"
            self._warn("absent", f"no mask holds the label {labels}, so it cannot be learned: {top}")

    def _judge_losses(self, losses):
        if all(abs(number) < ZERO for number in losses):
            self._warn(
                "zero", "the loss is 0 from the first step: there is nothing to learn. Look at mask.unique()"
            )

    def _warn(self, row, sentence):
        if row not in self.warned:
            self.warned.add(row)
            text = f'{self.name}: {sentence} (on the page "{PAGE}": "{ROWS[row]}")'
            warnings.warn(text, Suspicious, stacklevel=4)


def lengths(weights) -> list[float]:
    """The norm of each weight: two such lists differ if any weight has moved."""
    wide = {"dtype": torch.float64} if all(weight.device.type != "mps" for weight in weights) else {}
    return [torch.linalg.vector_norm(weight.detach(), **wide).item() for weight in weights]


def _counts(masks):
    """How many pixels of each mask have the label 0, 1, ...: N×labels integers. Negative labels are left out."""
    labels = masks.flatten(1).long()
    if not labels.numel():
        return torch.zeros(len(masks), 1, dtype=torch.int64)
    low, high = (number.item() for number in labels.aminmax())
    if low < 0 or high > MANY + 1:
        # Counted one place higher, so that what is negative has a place to be left out of.
        return _counts(labels.clamp(-1, MANY) + 1)[:, 1:]
    # One row of places for each mask.
    places = labels + (high + 1) * torch.arange(len(labels)).unsqueeze(1)
    return torch.bincount(places.flatten(), minlength=(high + 1) * len(labels)).reshape(len(labels), -1)


def _sum(one, other):
    """The sum of two vectors of counts, of which one may be shorter."""
    if len(one) < len(other):
        one, other = other, one
    return torch.cat([one[: len(other)] + other, one[len(other) :]])
