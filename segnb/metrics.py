"""How good is a mask? The confusion matrix with what is read off it, and the boundary F1 score."""

import math

import numpy as np
import torch

from .shapes import check_finite, check_fit, check_integers, check_void


class ConfusionMatrix:
    """Counts over a whole data set of how often each true class was taken for each class.

    `matrix[t, p]` (K×K int64, on the CPU) is the number of pixels of class t that were called p. Pixels whose
    target is `ignore_index` are counted nowhere. The measures are float64, 0-dim or one number for each class
    (K), with NaN for a class that has nothing to divide by; means leave such classes out. Feed it every
    picture, then read it once: a mean of measures per picture or per batch is another number.
    Source: FCN (Long et al., 2015), section 5, where n_ij is `matrix[i, j]` and t_i the sum of its row i.

    >>> matrix = ConfusionMatrix(num_classes=2)
    >>> matrix.update(pred=torch.tensor([0, 0, 1, 1]), target=torch.tensor([0, 1, 1, 255]))
    >>> matrix.iou
    tensor([0.5000, 0.5000], dtype=torch.float64)
    """

    def __init__(self, num_classes, ignore_index=255):
        if abs(ignore_index) > 1000:
            raise ValueError(f"ignore_index must lie within ±1000, got {ignore_index}: 255 as a rule")
        check_void(num_classes, ignore_index, "use ignore_index=-1")
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)

    def __repr__(self):
        return (
            f"ConfusionMatrix({self.num_classes} classes, {self.matrix.sum():,} pixels, "
            f"pixel accuracy {self.pixel_accuracy:.3f}, mean IoU {self.mean_iou:.3f})"
        )

    def update(self, pred, target) -> None:
        """Count a picture or a batch.

        Args:
            pred: integers of the target's shape, 0..K−1 wherever the target is not ignored; or logits
                N×K×H×W, of which the largest is taken.
            target: integers of any shape (N×H×W for logits), 0..K−1 or `ignore_index`.
        Raises:
            ValueError: shapes that do not fit, labels out of range. TypeError: a float or boolean map.
            FloatingPointError: logits that are NaN or +inf.
        """
        check_integers(target, "target")
        if pred.is_floating_point():
            pred = self._largest(pred, target)
        check_integers(pred, "pred")
        if pred.shape != target.shape:
            raise ValueError(
                f"pred {tuple(pred.shape)} and target {tuple(target.shape)} must be of equal shape"
            )
        self.matrix += self._count(pred.long(), target.long()).cpu()

    def _largest(self, logits, target):
        if logits.ndim != 4:
            raise TypeError(
                f"pred must be integers or logits N×K×H×W, got {logits.dtype} {tuple(logits.shape)}: take argmax"
            )
        if logits.shape[1] != self.num_classes:
            raise ValueError(
                f"pred must have {self.num_classes} classes, got the shape {tuple(logits.shape)}"
            )
        check_fit(logits, target)
        check_finite(logits)
        return logits.argmax(1)

    def _count(self, pred, target):
        """The K×K matrix of one batch: count all pairs of labels, void too, then see which may occur."""
        k, void = self.num_classes, self.ignore_index
        lowest, highest = min(0, void), max(k - 1, void)
        for name, labels in {"pred": pred, "target": target}.items():
            low, high = labels.aminmax() if labels.numel() else (0, 0)
            if low < lowest or high > highest:
                found = int(low if low < lowest else high)
                raise ValueError(f"{name} must hold classes 0..{k - 1} or ignore_index={void}, found {found}")

        n = highest - lowest + 1
        pair = torch.add(pred, target, alpha=n)  # one number for each (target, pred)
        if lowest < 0:
            pair -= lowest * (n + 1)
        # Row: target − lowest, column: pred − lowest.
        table = pair.flatten().bincount(minlength=n * n).view(n, n)
        table[void - lowest] = 0
        classes = slice(-lowest, k - lowest)
        counts = table[classes, classes].clone()
        table[classes, classes] = 0
        if table.any():
            t, p = (table.nonzero()[0] + lowest).tolist()
            raise ValueError(
                f"a pixel of label {t} was called {p}: both must be classes 0..{k - 1}, unless the target is "
                f"ignore_index={void}"
            )
        return counts

    @property
    def _right(self):
        """n_ii: the pixels of each class that were called by their name."""
        return self.matrix.diagonal().double()

    @property
    def _true(self):
        """t_i: the pixels that are of each class."""
        return self.matrix.sum(1).double()

    @property
    def _called(self):
        """Σ_j n_ji: the pixels that were called each class."""
        return self.matrix.sum(0).double()

    @property
    def pixel_accuracy(self) -> torch.Tensor:
        """Share of all pixels that are right, Σ n_ii / Σ t_i; SegNet's G."""
        return self._right.sum() / self._true.sum()

    @property
    def class_accuracy(self) -> torch.Tensor:
        """Share of each class's own pixels that are right, n_ii / t_i (K). Its `.nanmean()` is SegNet's C."""
        return self._right / self._true

    @property
    def iou(self) -> torch.Tensor:
        """Overlap over union of each class, n_ii / (t_i + Σ_j n_ji − n_ii) (K)."""
        return self._right / (self._true + self._called - self._right)

    @property
    def mean_iou(self) -> torch.Tensor:
        """Mean of `iou` over the classes that the target or the prediction contains."""
        return self.iou.nanmean()

    @property
    def frequency_weighted_iou(self) -> torch.Tensor:
        """Mean of `iou` in which a class counts by its share of the pixels, Σ t_i·iou_i / Σ t_i."""
        return (self._true * self.iou).nansum() / self._true.sum()

    @property
    def dice(self) -> torch.Tensor:
        """Dice or F1 of each class, 2n_ii / (t_i + Σ_j n_ji) = 2·iou / (1 + iou) (K)."""
        return 2 * self._right / (self._true + self._called)


def boundary_f1(pred, target, tolerance=0.0075, ignore_index=255) -> torch.Tensor:
    """F1 score of the outlines, 0..1: how many pixels of each outline lie near the other one.

    The boundary of a class is its pixels with a 4-neighbour of another class; the picture's edge is no
    boundary. Void is no class: its pixels leave both boundaries, and no pixel is a boundary for touching it.
    Precision is the share of the predicted boundary within reach of the true one, recall the reverse, F1
    their harmonic mean; two empty boundaries agree (1). The result is the mean over pictures of the mean over
    the classes in the target, as a 0-dim float64 tensor; pictures that are all void are left out, and NaN is
    returned if all are.

    Args:
        pred, target: integers H×W or N×H×W, of equal shape.
        tolerance: how far "near" reaches, as a fraction of the picture's diagonal.
    Raises: ValueError: shapes that differ or are neither H×W nor N×H×W. TypeError: a float or boolean map.
    Source: Csurka et al. (2013); SegNet (Badrinarayanan et al., 2017) for the tolerance and the means.

    >>> edge = lambda column: (torch.arange(100) >= column).long().expand(100, 100)
    >>> [boundary_f1(edge(50 + off), edge(50)).item() for off in (0, 1, 2)]  # "near" is 1.06 px here
    [1.0, 1.0, 0.0]
    """
    check_integers(pred, "pred")
    check_integers(target, "target")
    if pred.shape != target.shape or target.ndim not in (2, 3):
        raise ValueError(
            f"pred {tuple(pred.shape)} and target {tuple(target.shape)} must be of equal shape, H×W or N×H×W"
        )
    if target.ndim == 3:
        each = [boundary_f1(*pair, tolerance, ignore_index) for pair in zip(pred, target, strict=True)]
        return torch.stack(each).nanmean()

    pred, target = pred.cpu().numpy(), target.cpu().numpy()
    reach = tolerance * math.hypot(*target.shape) + 1e-9  # a distance equal to the tolerance is near
    void = target == ignore_index
    scores = [
        _outline_f1(_boundary(pred == c, void), _boundary(target == c, void), reach)
        for c in np.unique(target[~void])
    ]
    return torch.tensor(scores, dtype=torch.float64).mean()


def _boundary(region, void):
    """Coordinates (P×2) of the pixels of a region that touch something else than the region or void."""
    from scipy import ndimage

    inside = ndimage.binary_erosion(region | void, border_value=1)
    return np.argwhere(region & ~void & ~inside)


def _outline_f1(pred, target, reach):
    if not len(pred) or not len(target):
        return float(len(pred) == len(target))
    precision, recall = _share_near(pred, target, reach), _share_near(target, pred, reach)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _share_near(points, others, reach):
    from scipy.spatial import KDTree

    distance, _ = KDTree(others).query(points)
    return (distance <= reach).mean()
