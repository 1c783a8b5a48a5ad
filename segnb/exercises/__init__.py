"""Exercises: a learner's answer is checked on the spot, with one hint at a time.

In a sheet: ``segnb.check("crop_and_concat", crop_and_concat)``, then ``segnb.hint("crop_and_concat")`` for a step, and
``segnb.solution("crop_and_concat")`` last. The exercises of a chapter are listed in the module of its name in `tasks`.
"""

from segnb.exercises import probes
from segnb.exercises.check import (
    check,
    hint,
    is_placeholder,
    passed,
    registry,
    solution,
    variant,
    yours_or_ours,
)
from segnb.exercises.engine import Case, Exercise
from segnb.exercises.tasks import (
    cross_entropy,
    deeplabv3,
    dice,
    every_pixel,
    fcn,
    measuring_masks,
    segnet,
    unet,
)

__all__ = [
    "Case",
    "Exercise",
    "check",
    "cross_entropy",
    "deeplabv3",
    "dice",
    "every_pixel",
    "fcn",
    "hint",
    "is_placeholder",
    "measuring_masks",
    "passed",
    "probes",
    "registry",
    "segnet",
    "solution",
    "unet",
    "variant",
    "yours_or_ours",
]
