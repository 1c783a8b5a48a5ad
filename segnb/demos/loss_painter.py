"""Paint a mask, slide a prediction, and see which pixels each loss pulls at."""

from ..show.live import Live
from .page import page


def loss_painter(mask=None, *, name=None) -> Live:
    """Five losses and their gradients, pixel by pixel, for a mask one paints and a prediction one slides.

    `mask`: 10×10 zeros and ones to start from, so that each pixel is one per cent of the picture and as wide as a finger
    needs it (default: a square of 4 pixels). The prediction is the painted shape, shifted, with one probability on it
    and another elsewhere; gradients are those by the foreground's logit. Weights are N/(2·n_c), focal has γ = 2, and Dice of both classes is `segnb.losses.dice`.
    """
    import torch

    from .. import show

    if mask is None:
        mask = torch.zeros(10, 10, dtype=torch.int64)
        mask[4:6, 4:6] = 1
    mask = torch.as_tensor(mask).long()
    if mask.shape != (10, 10) or not mask.eq(mask.clamp(0, 1)).all():
        raise ValueError("mask must be 10×10 zeros and ones")
    p = torch.full((10, 10), 0.2, dtype=torch.float64)
    front = mask.double()
    total, overlap = p.sum() + front.sum(), (p * front).sum()
    pulls = {"cross-entropy": (p - front).abs(), "Dice": (2 * front / total - 2 * overlap / total**2).abs()}
    shares = [
        f"{100 * (pull * front).sum() / pull.sum().clamp_min(1e-12):.0f} % under {loss}"
        for loss, pull in pulls.items()
    ]
    alt = (
        f"{int(front.sum())} of 100 pixels are foreground, the prediction says 0.2 everywhere. Of the gradient, the "
        f"foreground gets {' and '.join(shares)}."
    )
    maps = {f"gradient of {loss}": pull / pull.max().clamp_min(1e-12) for loss, pull in pulls.items()}
    still = show.compare({"mask": front, **maps}, vmin=0, vmax=1, alt=alt)
    return page("loss_painter", "Losses and their gradients", still, name=name, mask=mask.tolist())
