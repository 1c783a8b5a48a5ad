"""The U-Net against the paper: sizes, counts, crops, initialisation (facts of section 2, figure 1 and section 3)."""

from math import sqrt

import pytest
import torch
from torch import nn

from segnb.models import UNet, unet
from segnb.models.unet import crop_and_concat
from tests.models.shared import outputs_of, parameter_count


def paper(**arguments):
    """A U-Net on the meta device: it has shapes, and computes nothing."""
    with torch.device("meta"):
        return UNet(**arguments)


def convolutions(model):
    return [(name, m) for name, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ({}, 31_030_658),
        ({"in_channels": 3}, 31_031_810),
        ({"in_channels": 3, "num_classes": 21}, 31_033_045),
        ({"width": 32}, 7_759_554),
    ],
)
def test_parameter_counts(arguments, count):
    assert parameter_count(paper(**arguments)) == count


def test_no_option_enlarges_bilinearly_and_halves_the_channels_with_it():
    """Well-known U-Nets have one: of 31.0 million parameters 17.3 are left, and the maps on the way up are half as many."""
    with pytest.raises(TypeError, match="bilinear"):
        UNet(bilinear=True)
    halves = [(2 * c, c) for c in (512, 256, 128, 64)]
    assert [(m.in_channels, m.out_channels) for m in paper().upconv] == halves
    assert parameter_count(paper().upconv) == sum(4 * c2 * c + c for c2, c in halves)


def test_weights_without_biases():
    assert sum(p.numel() for name, p in paper().named_parameters() if name.endswith("weight")) == 31_023_808


def test_23_convolutions_and_nothing_after_the_last():
    model = paper()
    sizes = [m.kernel_size[0] for _, m in convolutions(model)]
    assert (sizes.count(3), sizes.count(2), sizes.count(1)) == (18, 4, 1)
    assert not any(isinstance(m, nn.BatchNorm2d | nn.Dropout) for m in model.modules())
    assert [name for name, _ in model.named_children()][-1] == "head"
    torch.manual_seed(0)
    assert UNet(width=2, depth=1)(torch.rand(1, 1, 32, 32)).min() < 0  # no ReLU on the logits


def test_every_size_of_figure_1():
    model = paper()
    layers = [name for name, _ in convolutions(model)]
    x = torch.rand(1, 1, 572, 572, device="meta")
    sides = [output.shape[2] for output in outputs_of(model, x, layers).values()]
    down = [570, 568, 282, 280, 138, 136, 66, 64, 30, 28]
    up = [56, 54, 52, 104, 102, 100, 200, 198, 196, 392, 390, 388]
    assert sorted(sides) == sorted([*down, *up, 388])
    encoder = [side for name, side in zip(layers, sides) if name.startswith(("encoder", "bottom"))]
    assert encoder == down


def test_channels_double_down_and_halve_up():
    model = paper()
    x = torch.rand(1, 1, 572, 572, device="meta")
    channels = [output.shape[1] for output in outputs_of(model, x, model.stages).values()]
    assert channels == [64, 128, 256, 512, 1024, 512, 256, 128, 64, 2]


def test_skips_are_taken_before_pooling_and_cropped_at_the_centre(monkeypatch):
    seen = []

    def spy(skip, up):
        seen.append(
            (skip.shape[2], up.shape[2], (skip.shape[2] - up.shape[2]) // 2, skip.shape[1], up.shape[1])
        )
        return crop_and_concat(skip, up)

    monkeypatch.setattr(unet, "crop_and_concat", spy)
    paper()(torch.rand(1, 1, 572, 572, device="meta"))
    assert seen == [
        (64, 56, 4, 512, 512),
        (136, 104, 16, 256, 256),
        (280, 200, 40, 128, 128),
        (568, 392, 88, 64, 64),
    ]


@pytest.mark.parametrize(
    ("skip_side", "up_side", "cut"), [(64, 56, 4), (136, 104, 16), (280, 200, 40), (568, 392, 88)]
)
def test_crop_keeps_a_delta_in_its_place(skip_side, up_side, cut):
    skip = torch.zeros(1, 2, skip_side, skip_side)
    skip[0, 1, skip_side // 2, skip_side // 2 + 3] = 1
    up = torch.zeros(1, 3, up_side, up_side)
    joined = crop_and_concat(skip, up)
    assert joined.shape == (1, 5, up_side, up_side)
    assert joined.nonzero().tolist() == [[0, 1, up_side // 2, up_side // 2 + 3]]
    corner = skip[:, :, :up_side, :up_side]  # the classic mistake is `cut` pixels off
    assert corner.nonzero()[0, 2:].tolist() == [up_side // 2 + cut, up_side // 2 + 3 + cut]


def test_crop_of_unequal_height_and_width():
    skip = torch.arange(2 * 9.0).reshape(1, 1, 2, 9)
    assert crop_and_concat(skip, torch.zeros(1, 1, 2, 5))[0, 0].tolist() == [
        [2, 3, 4, 5, 6],
        [11, 12, 13, 14, 15],
    ]


def transparent(level):
    """A U-Net of width 1 whose every convolution hands its first channel on, and which opens the skip of one level only."""
    model = UNet(1, 1, width=1)
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    for block in (*model.encoder, model.bottom):
        for conv in (block[0], block[2]):
            conv.weight.data[0, 0, 1, 1] = 1
    for i, (upconv, block) in enumerate(zip(model.upconv, model.decoder)):
        upconv.weight.data[0, 0] = 1
        skip_channels = block[0].in_channels // 2
        block[0].weight.data[0, 0 if 3 - i == level else skip_channels, 1, 1] = 1
        block[2].weight.data[0, 0, 1, 1] = 1
    model.head.weight.data[0, 0] = 1
    return model


@pytest.mark.parametrize("level", range(5))  # level 4 is the bottom: no skip is open
def test_a_bright_pixel_comes_out_where_it_went_in(level):
    y, x = 141, 157
    image = torch.zeros(1, 1, 284, 284)
    image[0, 0, y, x] = 1
    model = transparent(level)
    out = model(image)[0, 0].detach()
    rows, columns = out.nonzero(as_tuple=True)
    block = 2**level  # a pixel that was pooled `level` times comes back as a block of this side
    assert len(rows) == block**2
    assert 0 <= y - model.margin - rows.min() < block
    assert 0 <= x - model.margin - columns.min() < block


def test_valid_sizes_are_12_more_than_multiples_of_16():
    model = paper()
    assert [n for n in range(720) if model.accepts(n)] == [n for n in range(188, 720) if n % 16 == 12]
    assert [n - 2 * model.margin for n in (188, 204, 572, 700)] == [4, 20, 388, 516]
    assert (model.margin, model.step) == (92, 16)
    assert [model.valid_size(n) for n in (1, 188, 189, 512, 572, 696)] == [188, 188, 204, 524, 572, 700]


class Unguarded(UNet):
    def accepts(self, side):
        return True


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_valid_sizes_by_trying_all(depth):
    with torch.device("meta"):
        model = Unguarded(width=1, depth=depth)
    sides = []
    model.pool.register_forward_hook(lambda module, inputs, output: sides.append(inputs[0].shape[2]))
    works = []
    for n in range(1, 110):
        sides.clear()
        try:
            out = model(torch.rand(1, 1, n, n, device="meta"))
        except RuntimeError:  # nothing left for a kernel or a pooling
            continue
        if all(side % 2 == 0 for side in sides) and out.shape[2] == n - 2 * model.margin:
            works.append(n)
    assert works == [n for n in range(1, 110) if UNet.accepts(model, n)]
    assert works


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_margin_is_what_the_forward_pass_loses(depth):
    model = paper(width=1, depth=depth)
    n = model.valid_size(1)
    out = model(torch.rand(1, 1, n, model.valid_size(n + 1), device="meta"))
    assert out.shape[2] == n - 2 * model.margin
    assert out.shape[3] == n + 2**depth - 2 * model.margin


def test_same_padding_keeps_the_size():
    model = UNet(1, 3, width=1, depth=3, padding="same")
    assert model.margin == 0
    assert model(torch.rand(1, 1, 8, 24)).shape == (1, 3, 8, 24)
    assert [model.valid_size(n) for n in (1, 8, 9, 65)] == [8, 8, 16, 72]


@pytest.mark.parametrize(
    ("padding", "side", "cure"),
    [
        ("valid", 570, "556 or 572"),
        ("valid", 187, "use 188"),
        ("same", 100, "96 or 112"),
        ("same", 5, "use 16"),
    ],
)
def test_wrong_sizes_name_the_ones_that_work(padding, side, cure):
    model = paper(padding=padding)
    good = model.valid_size(500)
    with pytest.raises(
        ValueError, match=rf"UNet cannot take a width of {side} px: use .*{cure.split('use ')[-1]}"
    ):
        model(torch.rand(1, 1, good, side, device="meta"))
    with pytest.raises(ValueError, match=f"height of {side} px"):
        model(torch.rand(1, 1, side, good, device="meta"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"padding": "full"}, '"valid" or "same"'),
        ({"norm": "layer"}, '"batch"'),
        ({"width": 0}, "at least 1"),
        ({"depth": 0}, "at least 1"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        UNet(**arguments)


def test_shifts_by_a_multiple_of_the_step_and_no_others_commute():
    torch.manual_seed(0)
    model = UNet(width=4, depth=2)
    image = torch.rand(1, 1, 96, 96)

    def error(shift):
        here, there = model(image[..., :76, :76]), model(image[..., shift : shift + 76, :76])
        return (here[..., shift:, :] - there[..., : here.shape[2] - shift, :]).abs().max().item()

    with torch.no_grad():
        assert error(4) < 1e-6
        assert error(8) < 1e-6
        assert error(2) > 1e-3


def test_zeros_at_the_border_reach_the_logits_of_a_padded_net_only():
    torch.manual_seed(0)
    image = torch.rand(1, 1, 96, 96)
    padded = UNet(width=4, depth=2, padding="same")
    with torch.no_grad():
        here, there = padded(image[..., :64, :64]), padded(image[..., 4:68, :64])
    difference = (here[..., 4:, :] - there[..., :-4, :]).abs().amax(3)[0].amax(0)
    assert difference[0] > 1e-3
    assert difference[-1] > 1e-3


def test_he_initialisation():
    torch.manual_seed(0)
    model = UNet()
    second = model.encoder[0][2]
    # The paper's example, N = 9·64.
    assert second.weight.std().item() == pytest.approx(sqrt(2 / 576), rel=0.02)
    for _, conv in convolutions(model):
        fan_in = conv.in_channels * (1 if isinstance(conv, nn.ConvTranspose2d) else conv.kernel_size[0] ** 2)
        if conv.weight.numel() > 10_000:
            assert conv.weight.std().item() == pytest.approx(sqrt(2 / fan_in), rel=0.02)
            assert conv.weight.mean().item() == pytest.approx(0, abs=0.02 * sqrt(2 / fan_in))
        assert not conv.bias.any()
    deepest = model.bottom[2].weight.flatten()
    outside = (deepest.abs() > 2 * deepest.std()).float().mean().item()
    assert outside == pytest.approx(0.0455, abs=0.002)  # a Gaussian; a uniform distribution would have none


def test_up_convolutions_by_hand():
    torch.manual_seed(0)
    upconv = UNet(width=2, depth=1).upconv[0]
    x = torch.rand(1, 4, 3, 5)
    by_hand = torch.einsum("nchw,cdij->ndhiwj", x, upconv.weight).reshape(1, 2, 6, 10)
    torch.testing.assert_close(upconv(x), by_hand)


def test_without_skips_the_decoder_sees_the_upper_path_only():
    model = UNet(width=2, depth=2, skips=False)
    assert [block[0].in_channels for block in model.decoder] == [4, 2]
    assert model(torch.rand(1, 1, 60, 60)).shape == UNet(width=2, depth=2)(torch.rand(1, 1, 60, 60)).shape


def test_batch_norm_after_every_3x3_convolution():
    model = UNet(width=2, norm="batch")
    kinds = [type(m) for m in model.modules() if not list(m.children())]
    after = [kinds[i + 1] for i, kind in enumerate(kinds[:-1]) if kind is nn.Conv2d]
    assert after == [nn.BatchNorm2d] * 18
