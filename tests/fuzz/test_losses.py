"""Laws of the losses: the values of plain formulas, gradients that are numbers, and nothing from void pixels."""

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import strategies as st

from segnb import losses
from tests.fuzz.laws import LAYOUTS, SEEDS, generator, law, layouts, numbers

NAMES = st.sampled_from(["cross_entropy", "focal", "dice", "tversky", "generalised_dice"])
VOID = st.sampled_from([255, -1, -100, 1000])


@st.composite
def batches(draw, precise=False):
    """(logits N×K×H×W, target N×H×W, void): any classes may be absent, any pixels void, also all of them."""
    n, k, h, w = (draw(st.integers(1, top)) for top in (3, 5, 5, 5))
    g, void = generator(draw(SEEDS)), draw(VOID)
    logits = torch.randn(n, k, h, w, generator=g, dtype=torch.float64) * draw(st.sampled_from([0, 1, 5]))
    present = draw(st.integers(1, k))
    target = torch.randint(present, (n, h, w), generator=g)
    share = draw(st.sampled_from([0, 0.3, 0.9, 1]))
    target = target.where(torch.rand(n, h, w, generator=g) >= share, void)
    if draw(st.booleans()):
        target[0] = void
    if not precise:
        logits = logits.to(
            draw(st.sampled_from([torch.float64, torch.float32, torch.bfloat16, torch.float16]))
        )
    return layouts(logits, draw(LAYOUTS)), layouts(target, draw(LAYOUTS)), void


def value_and_slope(loss, logits, *arguments, **options):
    logits = logits.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    value = loss(logits, *arguments, **options)
    value.backward()
    return value.detach(), logits.grad


def masses(logits, target, void, per_image, squared=False):
    """Σ p·g, Σ p (or p²), Σ g in the plainest way: rows × K."""
    k, known = logits.shape[1], (target != void)
    p = logits.softmax(1) * known[:, None]
    g = F.one_hot(target.where(known, 0), k).permute(0, 3, 1, 2) * known[:, None]
    axes = (2, 3) if per_image else (0, 2, 3)
    found = [x.sum(axes) for x in (p * g, p.square() if squared else p, g.double())]
    return [x if per_image else x[None] for x in found]


def mean_over_present(part, whole, true):
    """1 − the mean of part / whole (0/0 is 1) over the classes of each row, then over the rows that have any."""
    score = torch.where(whole == 0, 1, part / whole.where(whole != 0, 1))
    rows = [1 - s[t > 0].mean() for s, t in zip(score, true) if t.sum() > 0]
    return torch.stack(rows).mean() if rows else (score * 0).sum()


@law(batch=batches(precise=True), seed=SEEDS, weighted=st.booleans(), per_pixel=st.booleans())
def test_cross_entropy_is_torchs(batch, seed, weighted, per_pixel):
    """Value and gradient are those of PyTorch's own cross entropy, 0 where that has nothing to divide by."""
    logits, target, void = batch
    g = generator(seed)
    weight = torch.rand(logits.shape[1], generator=g, dtype=torch.float64) + 0.1 if weighted else None
    pixels = torch.rand(target.shape, generator=g, dtype=torch.float64) if per_pixel else None

    def plain(logits):
        loss = F.cross_entropy(logits, target, weight=weight, ignore_index=void, reduction="none")
        w = (
            (target != void).double()
            if weight is None
            else weight[target.where(target != void, 0)] * (target != void)
        )
        one = torch.ones_like(w) if pixels is None else pixels
        total = (w * one).sum()
        return (loss * one).sum() / total if total else (logits * 0).sum()

    ours = value_and_slope(
        losses.cross_entropy, logits, target, weight=weight, pixel_weight=pixels, ignore_index=void
    )
    torch.testing.assert_close(ours, value_and_slope(plain, logits))


@law(
    batch=batches(precise=True),
    per_image=st.booleans(),
    squared=st.booleans(),
    smooth=st.sampled_from([0.0, 1.0]),
)
def test_dice_is_the_plain_formula(batch, per_image, squared, smooth):
    """Value and gradient are those of the formula written with a one-hot target."""
    logits, target, void = batch

    def plain(logits):
        overlap, predicted, true = masses(logits, target, void, per_image, squared)
        return mean_over_present(2 * overlap + smooth, predicted + true + smooth, true)

    options = {"per_image": per_image, "squared": squared, "smooth": smooth}
    ours = value_and_slope(losses.dice, logits, target, ignore_index=void, **options)
    torch.testing.assert_close(ours, value_and_slope(plain, logits))


@law(batch=batches(precise=True), per_image=st.booleans(), alpha=st.floats(0, 2), beta=st.floats(0, 2))
def test_tversky_is_the_plain_formula(batch, per_image, alpha, beta):
    """Value and gradient are those of TP / (TP + α·FP + β·FN) written with a one-hot target."""
    logits, target, void = batch

    def plain(logits):
        tp, predicted, true = masses(logits, target, void, per_image)
        return mean_over_present(tp, tp + alpha * (predicted - tp) + beta * (true - tp), true)

    options = {"per_image": per_image, "alpha": alpha, "beta": beta}
    ours = value_and_slope(losses.tversky, logits, target, ignore_index=void, **options)
    torch.testing.assert_close(ours, value_and_slope(plain, logits), atol=1e-9, rtol=1e-6)


@law(batch=batches(precise=True), per_image=st.booleans())
def test_generalised_dice_is_the_plain_formula(batch, per_image):
    """Value and gradient are those of one score for all classes, weighed by 1 / (Σ g)²."""
    logits, target, void = batch

    def plain(logits):
        overlap, predicted, true = masses(logits, target, void, per_image)
        w = torch.where(true > 0, 1 / true.clamp(min=1) ** 2, 0)
        rows = [
            1 - 2 * (v * o).sum() / (v * (p + t)).sum()
            for v, o, p, t in zip(w, overlap, predicted, true)
            if t.sum() > 0
        ]
        return torch.stack(rows).mean() if rows else (logits * 0).sum()

    ours = value_and_slope(losses.generalised_dice, logits, target, ignore_index=void, per_image=per_image)
    torch.testing.assert_close(ours, value_and_slope(plain, logits))


@law(batch=batches(precise=True), gamma=st.floats(0, 5))
def test_focal_is_the_plain_formula(batch, gamma):
    """The value is that of Σ (1 − p)^γ·ℓ / n over the labelled pixels."""
    logits, target, void = batch
    known = target != void
    p = logits.softmax(1).gather(1, target.where(known, 0)[:, None])[:, 0][known]
    plain = (-((1 - p) ** gamma) * p.log()).sum() / max(1, len(p))
    ours = losses.focal(logits, target, gamma=gamma, ignore_index=void)
    torch.testing.assert_close(ours, plain, atol=1e-12, rtol=1e-6)


@law(name=NAMES, batch=batches(), scale=st.sampled_from([1, 100, 1e4]))
def test_values_and_gradients_are_numbers(name, batch, scale):
    """Whatever finite logits say, in any precision, loss and gradient are finite, and the loss is at least float32."""
    logits, target, void = batch
    logits = (logits * scale).clamp(-6e4, 6e4)  # what float16 can hold
    value, slope = value_and_slope(getattr(losses, name), logits, target, ignore_index=void)
    assert value.dtype == (torch.float64 if logits.dtype == torch.float64 else torch.float32)
    assert value.isfinite()
    assert value >= -1e-6
    assert slope.dtype == logits.dtype
    assert slope.isfinite().all()
    if (target == void).all():
        assert value == 0
        assert not slope.any()


@law(name=NAMES, batch=batches(precise=True), seed=SEEDS)
def test_void_pixels_say_nothing(name, batch, seed):
    """Other logits on void pixels leave the loss as it is, and get no gradient."""
    logits, target, void = batch
    loss, known = getattr(losses, name), (target != void)[:, None]
    other = logits.where(known, torch.randn(logits.shape, generator=generator(seed), dtype=logits.dtype))
    (value, _), (again, slope) = (
        value_and_slope(loss, x, target, ignore_index=void) for x in (logits, other)
    )
    torch.testing.assert_close(again, value)
    assert not slope.masked_select(~known).any()


@law(name=NAMES, batch=batches(), seed=SEEDS)
def test_nan_in_gives_nan_out(name, batch, seed):
    """A network that answers NaN on a labelled pixel gets NaN for a loss, not a good mark."""
    logits, target, void = batch
    places = (target != void).nonzero()
    if not len(places):
        return
    n, y, x = places[int(torch.randint(len(places), (), generator=generator(seed)))]
    broken = logits.clone()
    broken[n, int(torch.randint(logits.shape[1], (), generator=generator(seed))), y, x] = float("nan")
    assert getattr(losses, name)(broken, target, ignore_index=void).isnan()


@law(name=NAMES, batch=batches(precise=True), seed=SEEDS)
def test_names_of_classes_and_order_of_pictures_do_not_matter(name, batch, seed):
    """Renaming the classes and shuffling the pictures of a batch leaves the loss as it is."""
    logits, target, void = batch
    g = generator(seed)
    classes, pictures = torch.randperm(logits.shape[1], generator=g), torch.randperm(len(logits), generator=g)
    known = target != void
    renamed = classes.argsort()[target.where(known, 0)].where(known, void)
    loss = getattr(losses, name)
    ours = loss(logits[pictures][:, classes], renamed[pictures], ignore_index=void)
    torch.testing.assert_close(ours, loss(logits, target, ignore_index=void))


@law(
    seed=SEEDS, height=st.integers(1, 9), width=st.integers(1, 9), cells=st.integers(0, 4), void=st.booleans()
)
def test_the_weight_map_is_the_papers_sum(seed, height, width, cells, void):
    """w = w_c + w0·exp(−(d1 + d2)² / 2σ²), each distance measured to every pixel of every cell."""
    rng = numbers(seed)
    mask = rng.integers(0, cells + 1, (height, width)) * (rng.random((height, width)) < 0.5)
    mask[mask == 1] += cells > 1  # not only 0 and 1: labels are cells
    if void:
        mask[rng.random(mask.shape) < 0.2] = 255
    ours = losses.unet_weight_map(torch.from_numpy(mask), w0=10, sigma=2).numpy()
    inside, known = (mask > 0) & (mask != 255), mask != 255
    labels = sorted(set(mask[inside].tolist()))
    if labels == [1]:
        return  # of zeros and ones the connected pieces are cells
    places = np.stack(np.mgrid[:height, :width], -1)
    for y, x in places.reshape(-1, 2):
        if not known[y, x]:
            assert ours[y, x] == 0
            continue
        side = inside if inside[y, x] else known & ~inside
        expected = known.sum() / (2 * side.sum())
        d = sorted(np.hypot(*(places[mask == label] - (y, x)).T).min() for label in labels)
        if len(d) > 1:
            expected += 10 * np.exp(-((d[0] + d[1]) ** 2) / 8)
        assert abs(ours[y, x] - expected) < 1e-5
