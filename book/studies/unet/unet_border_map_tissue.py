"""The deeper notebook on U-Net: the border weight map where membranes fill the picture and there is no background."""

from book.studies.unet.borders import compare
from book.tools.studies import study


@study(data="cells", seeds=(0, 1, 2), steps=300, brief=2)
def one_seed(seed, steps):
    """On tissue, is the border map more than a class weight?"""
    return compare("cells", seed, steps)
