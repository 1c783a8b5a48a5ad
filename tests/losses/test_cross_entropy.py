"""Cross entropy and focal loss: hand values, torch's own as the measure, and everything that must be refused."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from segnb.losses import cross_entropy, dice, focal


def batch(seed=0, n=2, k=5, h=6, w=7, void=0.2, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, k, h, w, generator=generator, dtype=dtype)
    target = torch.randint(k, (n, h, w), generator=generator)
    target[torch.rand(n, h, w, generator=generator) < void] = 255
    return logits, target


def gradient(loss, logits):
    logits = logits.clone().requires_grad_()
    loss(logits).backward()
    return logits.grad


@pytest.mark.parametrize("k", [2, 11, 21])
def test_uniform_logits_cost_ln_k(k):
    target = torch.arange(4 * k).view(1, 4, k) % k
    assert cross_entropy(torch.zeros(1, k, 4, k), target).item() == pytest.approx(math.log(k), rel=1e-6)


def test_one_pixel_by_hand():
    logits = torch.tensor([2.0, 1.0, 0.0]).view(1, 3, 1, 1)
    target = torch.tensor([[[0]]])
    e = math.e
    assert cross_entropy(logits, target).item() == pytest.approx(-math.log(e**2 / (e**2 + e + 1)))
    p = torch.tensor([e**2, e, 1.0]) / (e**2 + e + 1)
    expected = (p - torch.tensor([1.0, 0.0, 0.0])).view(1, 3, 1, 1)
    torch.testing.assert_close(gradient(lambda x: cross_entropy(x, target), logits), expected)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignore_index", [255, -100, 0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_torch_in_every_shared_option(weighted, ignore_index, dtype):
    logits, target = batch(dtype=dtype)
    target[target == 255] = ignore_index
    weight = torch.tensor([0.5, 1.0, 3.0, 0.0, 2.0], dtype=dtype) if weighted else None

    def ours(x):
        return cross_entropy(x, target, weight=weight, ignore_index=ignore_index)

    def theirs(x):
        return F.cross_entropy(x, target, weight=weight, ignore_index=ignore_index)

    torch.testing.assert_close(ours(logits), theirs(logits))
    torch.testing.assert_close(gradient(ours, logits), gradient(theirs, logits))


def test_pixel_weight_is_the_mean_that_counts_pixels_so_often():
    logits, target = batch(void=0.3)
    times = torch.arange(target.numel()).view_as(target) % 4
    loss = F.cross_entropy(logits, target, ignore_index=255, reduction="none")
    repeated = loss.flatten().repeat_interleave(times.flatten())
    labelled = (target != 255).flatten().repeat_interleave(times.flatten())
    expected = repeated[labelled].mean()
    torch.testing.assert_close(cross_entropy(logits, target, pixel_weight=times.float()), expected)


def test_class_and_pixel_weights_multiply():
    logits, target = batch()
    weight, pixel_weight = torch.rand(5, dtype=torch.float64), torch.rand(target.shape, dtype=torch.float64)
    both = torch.where(target == 255, 0, weight[target.clamp(max=4)] * pixel_weight)
    for loss in (cross_entropy, focal):
        torch.testing.assert_close(
            loss(logits, target, weight=weight, pixel_weight=pixel_weight),
            loss(logits, target, pixel_weight=both),
        )


@pytest.mark.parametrize("loss", [cross_entropy, focal])
@pytest.mark.parametrize("why", ["ignored", "class weight 0", "pixel weight 0"])
def test_nothing_left_is_exactly_zero_with_a_zero_gradient(loss, why):
    logits, target = batch(void=0)
    options = {}
    if why == "ignored":
        target.fill_(255)
    elif why == "class weight 0":
        options["weight"] = torch.zeros(5)
    else:
        options["pixel_weight"] = torch.zeros(target.shape)
    assert loss(logits, target, **options).item() == 0
    assert not gradient(lambda x: loss(x, target, **options), logits).any()


def test_ignored_pixels_have_no_gradient_and_no_influence():
    logits, target = batch(void=0.4)
    void = (target == 255)[:, None].expand_as(logits)
    for loss in (cross_entropy, focal):
        assert not gradient(lambda x: loss(x, target), logits)[void].any()  # noqa: B023
        assert loss(logits.masked_fill(void, 77.0), target) == loss(logits, target)


def test_focal_by_hand_and_at_zero_gamma():
    probability = torch.tensor([0.9, 0.5, 0.1])
    logits = torch.stack([probability, 1 - probability]).log().view(1, 2, 1, 3)
    target = torch.zeros(1, 1, 3, dtype=torch.long)
    by_hand = -(0.01 * math.log(0.9) + 0.25 * math.log(0.5) + 0.81 * math.log(0.1)) / 3
    assert focal(logits, target).item() == pytest.approx(by_hand, rel=1e-5)
    logits, target = batch()
    torch.testing.assert_close(focal(logits, target, gamma=0), cross_entropy(logits, target))


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_focal_stays_finite_on_a_certain_pixel(gamma):
    logits = torch.tensor([200.0, 0.0]).view(1, 2, 1, 1)
    target = torch.zeros(1, 1, 1, dtype=torch.long)
    assert focal(logits, target, gamma=gamma) == 0
    assert not gradient(lambda x: focal(x, target, gamma=gamma), logits).any()


@pytest.mark.parametrize("loss", [cross_entropy, focal])
def test_gradcheck(loss):
    logits, target = batch(h=3, w=3)
    pixel_weight = torch.rand(target.shape, dtype=torch.float64)
    options = {"weight": torch.rand(5, dtype=torch.float64), "pixel_weight": pixel_weight}
    assert torch.autograd.gradcheck(lambda x: loss(x, target, **options), logits.requires_grad_())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("loss", [cross_entropy, focal])
def test_half_precision_sums_in_float32(dtype, loss):
    logits, target = batch(n=1, k=2, h=512, w=512, dtype=torch.float32)
    logits = logits.to(dtype)
    assert torch.finfo(torch.float16).max < target.numel()  # a float16 sum of so many ones is infinite
    value = loss(logits, target)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), loss(logits.double(), target), rtol=1e-5, atol=0)
    assert gradient(lambda x: loss(x, target), logits).dtype == dtype
    assert loss(logits.double(), target).dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32])
def test_any_integer_dtype_serves_as_target(dtype):
    logits, target = batch()
    assert cross_entropy(logits, target.to(dtype)) == cross_entropy(logits, target)


@pytest.mark.parametrize("loss", [cross_entropy, focal])
def test_refusals(loss):
    logits, target = batch(void=0)
    with pytest.raises(TypeError, match="logits"):
        loss(logits.long(), target)
    for dtype in (torch.float32, torch.bool):
        with pytest.raises(TypeError, match="target"):
            loss(logits, target.to(dtype))
    with pytest.raises(ValueError, match="N×K×H×W"):
        loss(logits[0], target[0])
    for wrong in (target[:, :-1], target[:1], target[:, None], F.one_hot(target), target.mT):
        with pytest.raises(ValueError, match="never resized"):
            loss(logits, wrong)
    for label in (5, -1, 254, 2**40):
        bad = target.clone()
        bad[1, 2, 3] = label
        with pytest.raises(ValueError, match=f"found {label}"):
            loss(logits, bad)
    with pytest.raises(ValueError, match="weight must hold 5"):
        loss(logits, target, weight=torch.ones(4))
    with pytest.raises(ValueError, match="pixel_weight"):
        loss(logits, target, pixel_weight=torch.ones(2, 1, 6, 7))


def test_a_small_dtype_does_not_fold_labels_onto_ignore_index():
    logits = torch.randn(1, 3, 1, 2)
    for label, dtype, ignore_index in ((156, torch.uint8, -100), (-1, torch.int8, 255)):
        with pytest.raises(ValueError, match=f"found {label}"):
            cross_entropy(logits, torch.tensor([[[0, label]]], dtype=dtype), ignore_index=ignore_index)


def test_off_the_cpu_labels_are_read_only_in_strict_mode(monkeypatch):
    logits, target = (x.to("meta") for x in batch())  # a device that has shapes but no values to read
    monkeypatch.delenv("SEGNB_STRICT", raising=False)
    assert cross_entropy(logits, target).shape == ()
    assert dice(logits, target).shape == ()
    monkeypatch.setenv("SEGNB_STRICT", "1")
    for loss in (cross_entropy, dice):
        with pytest.raises(RuntimeError, match="meta"):
            loss(logits, target)


def test_a_negative_gamma_is_refused():
    with pytest.raises(ValueError, match="gamma"):
        focal(*batch(), gamma=-1)


def test_the_inputs_stay_as_they_were():
    logits, target = batch()
    before = logits.clone(), target.clone()
    gradient(lambda x: cross_entropy(x, target, weight=torch.ones(5)), logits)
    assert torch.equal(logits, before[0])
    assert torch.equal(target, before[1])


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), k=st.integers(2, 6))
def test_renaming_the_classes_changes_nothing(seed, k):
    logits, target = batch(seed, k=k)
    order = torch.randperm(k, generator=torch.Generator().manual_seed(seed))
    renamed = torch.where(target == 255, 255, order.argsort()[target.clamp(max=k - 1)])
    weight = torch.rand(k, dtype=torch.float64)
    for loss in (cross_entropy, focal):
        value = loss(logits, target, weight=weight)
        torch.testing.assert_close(loss(logits[:, order], renamed, weight=weight[order]), value)
        assert value >= 0


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), cut=st.integers(1, 4))
def test_a_batch_is_the_mean_of_its_parts_weighed_by_their_labelled_pixels(seed, cut):
    logits, target = batch(seed, n=5)
    parts = [(logits[:cut], target[:cut]), (logits[cut:], target[cut:])]
    counts = [(t != 255).sum() for _, t in parts]
    expected = sum(cross_entropy(*part) * count for part, count in zip(parts, counts)) / sum(counts)
    torch.testing.assert_close(cross_entropy(logits, target), expected)
