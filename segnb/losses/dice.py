"""Dice and its relatives: losses of the overlap of two areas; a small class counts like a large one."""

import torch
from torch.autograd.function import once_differentiable

from ..shapes import check_input


def dice(
    logits,
    target,
    *,
    ignore_index=255,
    per_image=False,
    present_only=True,
    smooth=0.0,
    squared=False,
) -> torch.Tensor:
    """1 − the mean over the classes of the soft Dice score D_k = (2 Σ p·g + smooth) / (Σ p + Σ g + smooth).

    p is the softmax of the logits, g is 1 where the target is class k and 0 elsewhere, and the sums run over
    the labelled pixels. The loss lies in 0..1, and 0 is perfect. If no pixel is labelled it is 0, and so is
    its gradient.

    Args:
        logits: N×K×H×W, any floating dtype; sums are taken in float32, or in float64 if the logits are.
        target: N×H×W integers, a class 0..K−1 or `ignore_index`.
        per_image: sum over each picture and average the losses of the pictures that have a labelled pixel,
            rather than sum over the whole batch.
        present_only: average over the classes in the target; otherwise over all K, and then a class that is
            nowhere scores 0 for the faintest p > 0 (1 if p is exactly 0), unless `smooth` forgives some.
        smooth: added above and below; with 1, a class of one pixel scores ½ though it is missed.
        squared: Σ p² + Σ g² in the denominator (V-Net).
    Raises:
        ValueError: shapes that do not fit, labels outside 0..K−1 (on a GPU only under SEGNB_STRICT=1).
        TypeError: wrong dtypes.
    Source: V-Net (Milletari et al., 2016), "Dice loss layer", for two classes and with squares.
    """
    overlap, predicted, true = soft_areas(logits, target, ignore_index, per_image, squared)
    score = _ratio(2 * overlap + smooth, predicted + true + smooth)
    return _mean_loss(score, true, present_only)


def tversky(
    logits,
    target,
    *,
    alpha=0.5,
    beta=0.5,
    ignore_index=255,
    per_image=False,
    present_only=True,
    smooth=0.0,
) -> torch.Tensor:
    """1 − the mean over the classes of TP / (TP + α·FP + β·FN), each with `smooth` added to both sides.

    α is the price of inventing a pixel, β of missing one: ½ and ½ is `dice`, 1 and 1 the soft IoU, and β > α
    finds more of a rare class. Soft counts: TP = Σ p·g, FP = Σ p·(1 − g), FN = Σ (1 − p)·g. The rest as in
    `dice`. All classes share the prices: between two classes of one size they cancel, on a small foreground
    they act nearly in full.
    Source: Salehi et al. (2017), the Tversky index and its loss, for two classes.
    """
    overlap, predicted, true = soft_areas(logits, target, ignore_index, per_image)
    errors = alpha * (predicted - overlap) + beta * (true - overlap)
    return _mean_loss(_ratio(overlap + smooth, overlap + errors + smooth), true, present_only)


def generalised_dice(logits, target, *, ignore_index=255, per_image=False) -> torch.Tensor:
    """1 − 2 Σ_k w_k Σ p·g / Σ_k w_k (Σ p + Σ g) with w_k = 1/(Σ g)²: one Dice score for all classes together.

    The classes are summed before the division, else the weights would cancel. A class that is not in the
    target has weight 0, not 1/0. The rest as in `dice`.

    Source: Sudre et al. (2017), the generalised Dice loss (GDL), for two classes.
    """
    overlap, predicted, true = soft_areas(logits, target, ignore_index, per_image)
    w = (1 / true**2).where(true > 0, 0)
    score = _ratio(2 * (w * overlap).sum(1, keepdim=True), (w * (predicted + true)).sum(1, keepdim=True))
    return _mean_loss(score, true.sum(1, keepdim=True), present_only=True)


def soft_areas(
    logits, target, ignore_index=255, per_image=False, squared=False
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(Σ p·g, Σ p or, if `squared`, Σ p², Σ g) of each class over the labelled pixels.

    Three tensors R×K with one row for each picture, or a single row for the whole batch.
    """
    logits, target = check_input(logits, target, ignore_index)
    areas_of = _TwoSoftAreas if logits.shape[1] == 2 else _SoftAreas
    areas = areas_of.apply(logits.flatten(2), target.flatten(1), ignore_index, squared)
    return areas if per_image else tuple(area.sum(0, keepdim=True) for area in areas)


class _SoftAreas(torch.autograd.Function):
    """The three sums for each picture (N×K), without ever making a one-hot g.

    Σ p·g only asks each pixel for the p of its own class: `gather` fetches it, `scatter_add_` adds it to the
    pixel's picture and class. The gradient is written out since autograd would keep several maps of the
    logits' size where p will do: if the loss changes by v_k with p_k, softmax turns that into p_k·(v_k − Σ_j
    p_j·v_j). A CPU goes through all steps with one picture before it takes the next: then its maps are still
    in the cache.
    """

    @staticmethod
    def forward(ctx, logits, target, ignore_index, squared):
        on_cpu = logits.device.type == "cpu"
        labelled = target != ignore_index
        some_void = not on_cpu or not labelled.all()  # to ask would make a GPU wait
        own = target.where(labelled, 0) if some_void else target
        ctx.pictures = 1 if on_cpu else max(len(logits), 1)  # at a time
        maps, p_own, predicted = [], [], []
        for z, k, known in zip(*(x.split(ctx.pictures) for x in (logits, own[:, None], labelled[:, None]))):
            p = z.softmax(1)
            if some_void:
                p *= known  # an ignored pixel belongs to no class at all
            maps.append(p)
            p_own.append(p.gather(1, k)[:, 0])
            predicted.append((p.square() if squared else p).sum(2))
        p_own = torch.cat(p_own)

        wide = torch.float32 if logits.device.type == "mps" else torch.float64  # mps has no float64
        overlap, true = torch.zeros(2, *logits.shape[:2], dtype=wide, device=logits.device)
        overlap = overlap.scatter_add_(1, own, p_own.to(wide)).to(logits.dtype)
        true = true.scatter_add_(1, own, labelled.to(wide)).to(logits.dtype)

        ctx.save_for_backward(own, p_own, *maps)
        ctx.squared = squared
        ctx.mark_non_differentiable(true)
        return overlap, torch.cat(predicted), true

    @staticmethod
    @once_differentiable
    def backward(ctx, by_overlap, by_predicted, _):
        own, p_own, *maps = ctx.saved_tensors
        by_predicted = (2 * by_predicted if ctx.squared else by_predicted)[:, :, None]
        by_own = (p_own * by_overlap.gather(1, own))[:, None]
        grad = maps[0].new_empty(*by_predicted.shape[:2], own.shape[1])
        parts = (x.split(ctx.pictures) for x in (grad, by_predicted, by_own, own[:, None]))
        for p, part, v, v_own, k in zip(maps, *parts):
            torch.mul(p.square() if ctx.squared else p, v, out=part)  # p·v, first from Σ p,
            part.scatter_add_(1, k, v_own)  # then from Σ p·g
            part.addcmul_(p, part.sum(1, keepdim=True), value=-1)
        return grad, None, None, None


def _ratio(part, whole):
    """part / whole, and 1 for 0/0: where there is nothing to find and nothing is found, all is well."""
    return torch.where(whole == 0, 1, part / whole.where(whole != 0, 1))  # NaN stays NaN


def _mean_loss(score, true, present_only):
    """Mean of 1 − score (R×K) over the classes that count, then over the rows with a labelled pixel."""
    labelled = true.sum(1, keepdim=True) > 0
    counted = true > 0 if present_only else labelled.expand_as(true)
    loss = ((1 - score) * counted).sum(1) / counted.sum(1).clamp_min(1)
    return loss.sum() / labelled.sum().clamp_min(1)


class _TwoSoftAreas(torch.autograd.Function):
    """The same for two classes: p_1 = σ(z_1 − z_0), and what pulls one logit up pulls the other one down.

    The gradient above has become p_0·p_1·(v_1 − v_0), in half of the time.
    """

    @staticmethod
    def forward(ctx, logits, target, ignore_index, squared):
        ahead = logits[:, 1] - logits[:, 0]
        p1, p0 = ahead.sigmoid(), ahead.neg_().sigmoid_()  # not 1 − p1, in which a faint p0 is lost
        labelled = target != ignore_index
        if logits.device.type != "cpu" or labelled.count_nonzero() < target.numel():
            target, labelled = target.where(labelled, 0), labelled.to(logits.dtype)
            p1 *= labelled
            p0 *= labelled
            count = labelled.sum(1)
        else:
            count = target.shape[1]
        g1 = target.to(logits.dtype)
        true = g1.sum(1)
        overlap = p0.sum(1) - (p0 * g1).sum(1), (p1 * g1).sum(1)
        predicted = [(p.square() if squared else p).sum(1) for p in (p0, p1)]

        ctx.save_for_backward(p0, p1, g1)
        ctx.squared = squared
        true = torch.stack((count - true, true), 1)
        ctx.mark_non_differentiable(true)
        return torch.stack(overlap, 1), torch.stack(predicted, 1), true

    @staticmethod
    @once_differentiable
    def backward(ctx, by_overlap, by_predicted, _):
        p0, p1, g1 = ctx.saved_tensors
        by_overlap, by_predicted = by_overlap[:, :, None], by_predicted[:, :, None]
        grad = p1.new_empty(*by_overlap.shape[:2], p1.shape[1])
        pull = torch.mul(g1, by_overlap.sum(1), out=grad[:, 1])
        if ctx.squared:
            pull += 2 * (p1 * by_predicted[:, 1] - p0 * by_predicted[:, 0]) - by_overlap[:, 0]
        else:
            pull += by_predicted[:, 1] - by_predicted[:, 0] - by_overlap[:, 0]
        pull *= p0
        pull *= p1
        torch.neg(pull, out=grad[:, 0])
        return grad, None, None, None
