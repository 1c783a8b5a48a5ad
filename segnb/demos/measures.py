"""Click the pixels of a small prediction and see which measures notice."""

from ..show.live import Live
from .page import page

CLASSES = ("sky", "building", "pole")
PALETTE = ((139, 194, 247), (223, 181, 118), (250, 232, 119))
TRUTH = (
    (0, 0, 0, 0, 0, 0, 2, 0),
    (0, 0, 0, 0, 0, 0, 2, 0),
    (0, 1, 1, 1, 0, 0, 2, 0),
    (0, 1, 1, 1, 0, 0, 2, 0),
    (1, 1, 1, 1, 1, 0, 2, 0),
    (1, 1, 1, 1, 1, 1, 2, 1),
)
PREDICTION = (
    (0, 0, 0, 0, 0, 0, 0, 0),
    (0, 0, 0, 0, 0, 0, 0, 0),
    (0, 1, 1, 1, 0, 0, 0, 0),
    (0, 1, 1, 1, 1, 0, 2, 0),
    (0, 1, 1, 1, 1, 0, 2, 0),
    (1, 1, 1, 1, 1, 1, 2, 1),
)


def measures(prediction=PREDICTION, truth=TRUTH, *, name=None) -> Live:
    """Accuracies, IoU and Dice of a small picture, class by class, as one changes its prediction pixel by pixel.

    `prediction` and `truth`: H×W whole numbers of one size: 0 sky, 1 building, 2 pole. A class that is in neither has no
    IoU and is left out of the means, as in `segnb.metrics.ConfusionMatrix`.
    """
    from types import SimpleNamespace

    import torch

    from .. import show

    prediction, truth = torch.as_tensor(prediction), torch.as_tensor(truth)
    if prediction.shape != truth.shape or truth.ndim != 2 or truth.shape[1] > 12:
        raise ValueError("prediction and truth must be H×W of one size, at most 12 columns wide")
    scene = SimpleNamespace(classes=CLASSES, palette=PALETTE, ignore_index=255)
    wrong = int((prediction != truth).sum())
    alt = f"A small street of sky, a building and a pole, and a prediction with {wrong} of {truth.numel()} pixels wrong."
    still = show.compare(
        {"truth": truth, "prediction": prediction, "wrong": prediction != truth}, scene, alt=alt
    )
    return page(
        "measures", "Measures of a prediction", still, name=name, classes=CLASSES, palette=PALETTE,
        truth=truth.tolist(), prediction=prediction.tolist(),
    )  # fmt: skip
