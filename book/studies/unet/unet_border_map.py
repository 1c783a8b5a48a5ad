"""The deeper notebook on U-Net: what the border weight map of equation 2 is for."""

from book.studies.unet.borders import compare
from book.tools.studies import study


@study(data="dish", seeds=(0, 1, 2), steps=300, brief=2)
def one_seed(seed, steps):
    """How many touching cells melt together with the border map, without it, and with a class weight of the same mean?"""
    return compare("dish", seed, steps)
