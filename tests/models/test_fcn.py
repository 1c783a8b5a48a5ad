"""FCN against the paper and the released networks: counts, sizes, crops, upsampling, starts."""

from math import log

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from segnb.models import FCN
from segnb.models.fcn import BilinearUpsampling, bilinear_kernel, crop
from tests.models.shared import outputs_of, parameter_count, pooled, relative_difference, torchvision_vgg16

STRIDES = [32, 16, 8]


def paper(**arguments):
    with torch.device("meta"):
        return FCN(**arguments)


def narrow(**arguments):
    """A small FCN whose scores are not zero, so that its logits say something."""
    torch.manual_seed(0)
    model = FCN(**{"num_classes": 3, "width": 4, "hidden": 8, **arguments}).eval()
    for name, module in model.named_modules():
        if name.startswith("score"):
            nn.init.normal_(module.weight)
    return model


@pytest.mark.parametrize(
    ("stride", "count", "learnt"),
    [(32, 134_346_581, 86_016), (16, 134_357_354, 21_840), (8, 134_362_751, 6_048)],
)
def test_parameter_counts(stride, count, learnt):
    assert parameter_count(paper(stride=stride)) == count
    assert parameter_count(paper(stride=stride, learn_upsampling=True)) == count + learnt


def test_eight_strides_is_the_default_and_has_16_layers_with_skips():
    model = paper()
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 13 + 2 + 3
    assert (model.conv1[0].padding, model.fc6[0].kernel_size, model.fc6[0].padding) == (
        (100, 100),
        (7, 7),
        (0, 0),
    )
    assert [m.p for m in model.modules() if isinstance(m, nn.Dropout)] == [0.5, 0.5]
    assert (model.margin, model.step, model.valid_size(1)) == (0, 32, 1)


@pytest.mark.parametrize("stride", STRIDES)
def test_any_size_from_one_pixel_up(stride):
    model = paper(stride=stride, width=1, hidden=1)
    for n in (*range(1, 40), 180, 500, 512):
        assert model(torch.rand(1, 3, n, 131 - n % 100, device="meta")).shape == (1, 21, n, 131 - n % 100)


@pytest.mark.parametrize(("side", "pool5", "fc", "upscore"), [(512, 23, 17, 576), (500, 22, 16, 544)])
def test_sizes_on_the_way(side, pool5, fc, upscore):
    model = paper(stride=32)
    names = ["conv1", "pool5", "fc6", "fc7", "score", "upscore32"]
    sizes = outputs_of(model, torch.rand(1, 3, side, side, device="meta"), names)
    assert [sizes[name].shape[2] for name in names] == [side + 198, pool5, fc, fc, fc, upscore]


def test_uncropped_output_exceeds_the_image_by_38_to_69_pixels():
    model = paper(stride=32, width=1, hidden=1)
    excess = set()
    for n in range(100, 164):
        excess.add(
            outputs_of(model, torch.rand(1, 3, n, n, device="meta"), ["upscore32"])["upscore32"].shape[2] - n
        )
    assert (min(excess), max(excess)) == (38, 69)


@pytest.mark.parametrize(("padding", "enough"), [(96, False), (97, True), (100, True)])
def test_padding_97_is_the_least_that_takes_one_pixel(padding, enough):
    model = paper(stride=32, width=1, hidden=1)
    model.conv1[0].padding = (padding, padding)
    pixel = torch.rand(1, 3, 1, 1, device="meta")
    if enough:
        assert outputs_of(model, pixel, ["upscore32"])["upscore32"].shape[2] > padding - 81
    else:
        with pytest.raises(RuntimeError):
            model(pixel)


def linear(stride, path):
    """A one-channel FCN of averages with the scores of one path open: each logit is a weighted mean of the pixels around."""
    model = FCN(1, 1, stride=stride, width=1, hidden=1).eval()
    for parameter in model.parameters():
        nn.init.zeros_(parameter) if parameter.ndim == 1 else nn.init.constant_(
            parameter, 1 / parameter[0].numel()
        )
    for name in ("score", "score_pool4", "score_pool3"):
        if name != path and hasattr(model, name):
            nn.init.zeros_(getattr(model, name).weight)
    for i in range(1, 6):
        # The geometry of max pooling, and no choice.
        setattr(model, f"pool{i}", nn.AvgPool2d(2, ceil_mode=True))
    return model


def centre_of_view(model, y, x, side=520):
    """Where in the image the pixels lie, on average, that logit (y, x) looks at."""
    image = torch.ones(1, 1, side, side, requires_grad=True)
    model(image)[0, 0, y, x].backward()
    weights = image.grad[0, 0].double()
    place = torch.arange(side, dtype=torch.float64)
    return ((weights.sum(1) @ place) / weights.sum()).item(), (
        (weights.sum(0) @ place) / weights.sum()
    ).item()


PATHS = [
    (32, "score"),
    (16, "score"),
    (16, "score_pool4"),
    (8, "score"),
    (8, "score_pool4"),
    (8, "score_pool3"),
]


@pytest.mark.parametrize(("stride", "path"), PATHS)
def test_every_logit_looks_at_its_own_pixel(stride, path):
    model = linear(stride, path)
    for y, x in ((260, 260), (251, 269)):
        assert centre_of_view(model, y, x) == pytest.approx((y, x), abs=0.01)


@pytest.mark.parametrize(("stride", "offsets"), [(32, [19]), (16, [5, 27]), (8, [5, 9, 31])])
def test_crop_offsets_are_those_of_the_released_networks(stride, offsets, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "segnb.models.fcn.crop", lambda x, offset, like: seen.append(offset) or crop(x, offset, like)
    )
    paper(stride=stride, width=1, hidden=1)(torch.rand(1, 3, 9, 9, device="meta"))
    assert seen == offsets


@pytest.mark.parametrize("wrong", [0, 20])
def test_another_offset_is_as_many_pixels_off(wrong, monkeypatch):
    monkeypatch.setattr("segnb.models.fcn.crop", lambda x, offset, like: crop(x, wrong, like))
    assert centre_of_view(linear(32, "score"), 260, 260) == pytest.approx(
        (241 + wrong, 241 + wrong), abs=0.01
    )


def test_resizing_instead_of_cropping_moves_the_picture():
    model = linear(32, "score")
    image = torch.ones(1, 1, 512, 512, requires_grad=True)
    caught = []
    model.upscore32.register_forward_hook(lambda module, inputs, output: caught.append(output))
    model(image)
    stretched = F.interpolate(caught[0], size=(512, 512), mode="bilinear")
    stretched[0, 0, 300, 300].backward()
    rows = image.grad[0, 0].sum(1)
    centre = (rows @ torch.arange(512.0)) / rows.sum()
    assert abs(centre.item() - 300) > 10


def test_bilinear_kernel():
    row = torch.tensor([0.25, 0.75, 0.75, 0.25])
    assert torch.equal(bilinear_kernel(2), torch.outer(row, row))
    for factor in STRIDES:
        kernel = bilinear_kernel(factor)
        assert kernel.shape == (2 * factor, 2 * factor)
        assert torch.equal(kernel, kernel.flip(0))
        assert torch.equal(kernel, kernel.T)


@pytest.mark.parametrize("factor", [2, 8, 16, 32])
def test_upsampling_is_interpolation_away_from_the_border(factor):
    torch.manual_seed(0)
    maps = torch.randn(2, 3, 5, 6)
    up = BilinearUpsampling(3, factor)(maps)
    assert up.shape == (2, 3, 6 * factor, 7 * factor)
    half = factor // 2
    up = crop(up, half, torch.empty(1, 1, 5 * factor, 6 * factor))
    library = F.interpolate(maps, scale_factor=factor, mode="bilinear", align_corners=False)
    inside = (..., slice(half, -half), slice(half, -half))
    torch.testing.assert_close(up[inside], library[inside], rtol=0, atol=1e-6)
    assert (up - library).abs().max() > 0.1  # at the border the kernel meets zeros instead
    other = F.interpolate(maps, scale_factor=factor, mode="bilinear", align_corners=True)
    assert (up[inside] - other[inside]).abs().max() > 0.1


def test_upsampling_keeps_ones():
    up = BilinearUpsampling(1, 8)(torch.ones(1, 1, 6, 6))
    torch.testing.assert_close(up[..., 8:-8, 8:-8], torch.ones(1, 1, 40, 40))


@pytest.mark.parametrize("learn", [False, True])
def test_one_kernel_a_class_and_classes_never_mix(learn):
    layer = BilinearUpsampling(5, 4, learn)
    assert layer.weight.shape == (5, 1, 8, 8)
    one = torch.zeros(1, 5, 3, 3)
    one[0, 2] = 1
    assert layer(one)[0].abs().amax((1, 2)).nonzero().flatten().tolist() == [2]


def test_fixed_upsampling_has_nothing_to_train_and_learnt_upsampling_does():
    fixed, learnt = narrow(), narrow(learn_upsampling=True)
    assert not any("upscore" in name for name, _ in fixed.named_parameters())
    assert not any("upscore" in name for name in fixed.state_dict())
    names = [name for name, _ in learnt.named_parameters() if "upscore" in name]
    assert names == ["upscore2.weight", "upscore_pool4.weight", "upscore8.weight"]
    learnt.load_state_dict(fixed.state_dict(), strict=False)
    image = torch.rand(1, 3, 40, 40)
    assert torch.equal(learnt(image), fixed(image))
    learnt(image).square().sum().backward()
    assert all(
        parameter.grad.abs().sum() > 0 for name, parameter in learnt.named_parameters() if "upscore" in name
    )


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("at_once", [False, True])
def test_the_loss_starts_at_ln_21(stride, at_once):
    torch.manual_seed(0)
    model = FCN(stride=stride, width=2, hidden=4, at_once=at_once)
    logits = model(torch.rand(2, 3, 20, 30))
    assert not logits.any()
    loss = F.cross_entropy(logits, torch.randint(21, (2, 20, 30)))
    assert loss.item() == pytest.approx(log(21), abs=1e-6)
    loss.backward()
    # Zero scores can learn, because what feeds them is not zero.
    assert model.score.weight.grad.abs().sum() > 0


def test_only_the_scores_start_at_zero():
    model = FCN(width=2, hidden=4)
    zero = [name for name, p in model.named_parameters() if name.endswith("weight") and not p.any()]
    assert zero == ["score.weight", "score_pool4.weight", "score_pool3.weight"]


@pytest.mark.parametrize(("coarse", "fine"), [(32, 16), (16, 8)])
def test_a_finer_net_starts_from_the_scores_of_the_coarser(coarse, fine):
    trained = narrow(stride=coarse)
    model = FCN(num_classes=3, stride=fine, width=4, hidden=8).eval()
    skip = {16: "score_pool4", 8: "score_pool3"}[fine]
    missing, unexpected = model.load_state_dict(trained.state_dict(), strict=False)
    assert (missing, unexpected) == ([f"{skip}.weight", f"{skip}.bias"], [])

    image = torch.rand(1, 3, 100, 120)
    caught = []
    last = getattr(trained, f"upscore{coarse}")
    last.register_forward_hook(lambda module, inputs, output: caught.append(inputs[0]))
    with torch.no_grad():
        difference = (model(image) - trained(image)).abs().max()
        (score,) = caught
        up2, up = getattr(model, {16: "upscore2", 8: "upscore_pool4"}[fine]), getattr(model, f"upscore{fine}")
        assert torch.equal(model(image), crop(up(up2(score)), {16: 27, 8: 31}[fine], image))
    # Two bilinear steps round off the kinks of one: in each direction by at most 1/8 of the bend (second difference).
    score = F.pad(score, [1] * 4)
    bends = (score.diff(n=2, dim=2).abs().max() + score.diff(n=2, dim=3).abs().max()) / 8
    assert 0 < difference <= bends


def test_skips_are_added_before_the_last_upsampling():
    model = narrow()
    image = torch.rand(1, 3, 100, 90)
    maps = outputs_of(model, image, ["upscore_pool4", "score_pool3", "upscore8"])
    fused = maps["upscore_pool4"] + crop(maps["score_pool3"], 9, maps["upscore_pool4"])
    torch.testing.assert_close(model.upscore8(fused), maps["upscore8"])


def test_at_once_scales_what_is_scored():
    plain, scaled = narrow(), narrow(at_once=True)
    image = torch.rand(1, 3, 40, 40)
    ours, theirs = (
        outputs_of(model, image, ["score", "score_pool4", "score_pool3"]) for model in (plain, scaled)
    )
    torch.testing.assert_close(theirs["score"], ours["score"])
    torch.testing.assert_close(theirs["score_pool4"], 0.01 * ours["score_pool4"])
    torch.testing.assert_close(theirs["score_pool3"], 0.0001 * ours["score_pool3"])


def test_dropout_is_for_training():
    model = narrow(hidden=64)
    image = torch.rand(1, 3, 20, 20)
    assert torch.equal(model(image), model(image))
    model.train()
    assert not torch.equal(model(image), model(image))


def test_batch_norm_after_every_3x3_convolution():
    model = FCN(width=2, hidden=4, norm="batch")
    assert sum(isinstance(m, nn.BatchNorm2d) for m in model.modules()) == 13
    assert not any(isinstance(m, nn.BatchNorm2d) for m in (*model.fc6, *model.fc7))
    assert not any(isinstance(m, nn.BatchNorm2d) for m in FCN(width=2, hidden=4).modules())


@pytest.mark.parametrize(("norm", "width", "side"), [(None, 64, 26), ("batch", 16, 26), ("batch", 16, 58)])
def test_features_equal_torchvisions_on_the_padded_image(norm, width, side):
    theirs = torchvision_vgg16(norm == "batch", width)
    model = FCN(width=width, hidden=2, norm=norm).eval()
    model.load_encoder(theirs.state_dict())
    image = torch.rand(1, 3, side, 26)
    mean, std = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        wanted = pooled(theirs.features, F.pad((image - mean) / std, [99] * 4))
    ours = outputs_of(model, image, [f"pool{i}" for i in range(1, 6)])
    for mine, yours in zip(ours.values(), wanted):
        assert relative_difference(mine, yours) < 1e-5


def test_other_sides_round_differently():
    theirs = torchvision_vgg16(batch_norm=False, width=1).features.to("meta")
    model = paper(width=1, hidden=1)
    for side in range(20, 60):
        padded = torch.rand(1, 3, side + 198, side + 198, device="meta")
        ours = outputs_of(model, padded[..., 99:-99, 99:-99], ["pool5"])["pool5"]
        assert (pooled(theirs, padded)[-1].shape == ours.shape) == (side % 32 == 26)


def test_dense_layers_become_convolutions():
    theirs = torchvision_vgg16(batch_norm=False, width=4, hidden=16)
    model = FCN(width=4, hidden=16, num_classes=3).eval()
    model.load_encoder(theirs.state_dict())
    image = torch.rand(2, 3, 26, 26)
    with torch.no_grad():
        map7 = theirs.features(F.pad((image - model.mean) / model.std, [99] * 4))
        assert map7.shape == (2, 32, 7, 7)
        fc6, fc7 = theirs.classifier[:2](map7.flatten(1)), theirs.classifier[:5](map7.flatten(1))
    ours = outputs_of(model, image, ["fc6", "fc7"])
    assert relative_difference(ours["fc6"], fc6[:, :, None, None]) < 1e-5
    assert relative_difference(ours["fc7"], fc7[:, :, None, None]) < 1e-5


def test_dense_layers_of_another_width_are_left_out():
    theirs = torchvision_vgg16(batch_norm=False, width=4, hidden=16)
    model = FCN(width=4, hidden=8)
    before = model.fc6[0].weight.clone()
    model.load_encoder(theirs.state_dict())
    assert torch.equal(model.fc6[0].weight, before)
    assert torch.equal(model.conv1[0].weight, theirs.features[0].weight)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stride": 4}, "stride is 8, 16 or 32, not 4"),
        ({"norm": "layer"}, '"batch"'),
        ({"width": 0}, "width must be at least 1"),
        ({"hidden": 0}, "hidden must be at least 1"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        FCN(**arguments)
