"""The tasks: a module for each chapter, with a list EXERCISES."""

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

# In the order of the book.
CHAPTERS = (every_pixel, measuring_masks, cross_entropy, dice, fcn, unet, segnet, deeplabv3)
