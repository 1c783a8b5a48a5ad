"""Tiles on the network's grid: what they give beside one run over the whole picture."""

import re
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from segnb.inference import predict
from segnb.models import FCN, DeepLabV3, SegNet, UNet
from segnb.run import evaluating
from segnb.tiling import Plan, Strip, logits_by_rows, mirrored, tiles


@pytest.fixture(scope="module")
def unet():
    """The paper's depth and padding, thin."""
    torch.manual_seed(0)
    return UNet(width=2).eval()


def settled(net):
    """The network with running statistics from a few pictures, and scores that are not zero."""
    for name, parameter in net.named_parameters():
        if "score" in name:
            nn.init.normal_(parameter)
    net.train()
    with torch.no_grad():
        net(torch.rand(2, net.in_channels, 96, 96))
    return net.eval()


@pytest.mark.parametrize("side", [1, 2, 3, 7, 92, 93])
def test_mirroring_again_and_again(side):
    row = np.arange(side)
    expected = np.pad(row, (92, 200), mode="reflect") if side > 1 else np.zeros(293)
    assert mirrored(side, 92, 200).tolist() == expected.tolist()


# --- networks without padding -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "tile"), [((512, 400), 572), ((200, 33), 252), ((100, 70), 204), ((100, 70), 572), ((5, 1), 204)]
)
def test_tiles_give_what_one_run_gives(unet, size, tile):
    image = torch.rand(1, *size)
    torch.testing.assert_close(predict(unet, image, tile=tile), predict(unet, image), rtol=0, atol=1e-5)


def rows_of(net, image, window, stride):
    """Logits from windows of which the rows stand `stride` apart; the columns are one."""
    height, width = image.shape[2:]
    firsts = range(0, height, stride)
    rows = [Strip(first - 92, first, torch.ones(min(stride, height - first))) for first in firsts]
    plan = Plan((window, 316), rows, [Strip(-92, 0, torch.ones(width))])
    with evaluating(net):
        strips = [
            strip.clone()
            for _, strip in logits_by_rows(
                net, lambda rows, columns: image[:, :, rows[:, None], columns], (height, width), plan
            )
        ]
    return torch.cat(strips, 2)


def test_a_step_of_388_leaves_seams_and_384_none(unet):
    image = torch.rand(1, 1, 500, 120)
    whole = rows_of(unet, image, 700, 500)
    seams = (rows_of(unet, image, 572, 388) - whole).abs()
    assert (rows_of(unet, image, 572, 384) - whole).abs().max() < 1e-4
    assert seams[:, :, :388].max() < 1e-4
    # 388 is no multiple of 16: the second tile pools other pixels together.
    assert seams[:, :, 388:].max() > 0.01


def test_a_mirror_of_94_pixels_would_pool_other_pixels_together(unet):
    image = torch.rand(1, 60, 60)
    # 252 in all, a size that the network takes.
    index = mirrored(60, 94, 98)
    with torch.no_grad():
        logits = unet(image[:, index[:, None], index][None])[0, :, 2:62, 2:62]
    assert (logits.softmax(0) - predict(unet, image)).abs().max() > 0.01


@pytest.mark.parametrize(
    ("tile", "cure"), [(188, "204"), (12, "204"), (187, "204"), (573, "588"), (570, "572")]
)
def test_a_tile_that_cannot_work_names_the_next_that_can(unet, tile, cure):
    with pytest.raises(ValueError, match=cure):
        predict(unet, torch.rand(1, 20, 20), tile=tile)
    assert predict(unet, torch.rand(1, 20, 20), tile=int(cure)).shape == (2, 20, 20)


# --- networks with padding ----------------------------------------------------------------------------------------

PADDED = {
    "unet": (lambda: UNet(1, 2, width=3, depth=2, padding="same"), (150, 90), 72),
    "segnet": (lambda: SegNet(1, 2, width=2), (672, 96), 576),
    "fcn": (lambda: FCN(1, 2, width=2, hidden=4), (704, 64), 608),
    "deeplabv3": (
        lambda: DeepLabV3(1, 2, backbone="small", rates=(), image_pooling=False, multi_grid=(1, 1, 1)),
        (400, 64),
        None,
    ),
}


@pytest.mark.parametrize("name", PADDED)
def test_tiles_larger_than_what_a_pixel_sees_give_what_one_run_gives(name):
    torch.manual_seed(0)
    make, size, tile = PADDED[name]
    net = settled(make())
    image = torch.rand(1, *size)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiled = predict(net, image, tile=tile or smallest_without_warning(net))
    torch.testing.assert_close(tiled, predict(net, image), rtol=0, atol=1e-5)


def smallest_without_warning(net):
    with pytest.warns(UserWarning, match="use tile=") as caught:
        tiles(net, (4000, 4000), net.step)
    return int(re.search(r"tile=(\d+)", str(caught[0].message))[1])


def test_a_smaller_tile_warns_names_what_a_pixel_sees_and_a_cure_that_works():
    torch.manual_seed(0)
    net = settled(UNet(1, 2, width=3, depth=2, padding="same"))
    image = torch.rand(1, 200, 90)
    whole = predict(net, image)
    with pytest.warns(UserWarning, match="depends on 44 px, and a tile of 32 px shows less") as caught:
        faded = predict(net, image, tile=32)
    assert caught[0].filename == __file__
    assert 1e-3 < (faded - whole).abs().max() < 0.2
    cure = int(re.search(r"tile=(\d+)", str(caught[0].message))[1])
    assert cure < 200
    torch.testing.assert_close(predict(net, image, tile=cure), whole, rtol=0, atol=1e-5)


def test_fading_differs_less_from_the_whole_than_tiles_side_by_side():
    torch.manual_seed(0)
    net = settled(UNet(1, 2, width=3, depth=2, padding="same"))
    image = torch.rand(1, 192, 192)
    whole = predict(net, image)
    with pytest.warns(UserWarning, match="fade into each other"):
        faded = predict(net, image, tile=32)
    beside = torch.cat(
        [
            torch.cat([predict(net, image[:, r : r + 32, c : c + 32]) for c in range(0, 192, 32)], 2)
            for r in range(0, 192, 32)
        ],
        1,
    )
    assert (faded - whole).abs().mean() < 0.7 * (beside - whole).abs().mean()


@pytest.mark.parametrize(("side", "tile", "step"), [(100, 32, 4), (33, 32, 1), (64, 32, 32), (97, 48, 16)])
def test_the_weights_of_windows_that_fade_add_up_to_one(side, tile, step):
    class Everywhere(nn.Module):
        margin, valid_size = 0, staticmethod(lambda n: -(-n // step) * step)

        def forward(self, x):
            return x + x.mean((2, 3), keepdim=True)

    net = Everywhere()
    net.step = step
    with pytest.warns(UserWarning, match="the whole picture"):
        plan = tiles(net, (side, side), tile)
    total = torch.zeros(side)
    for strip in plan.rows:
        assert strip.start % step == 0
        total[strip.first : strip.end] += strip.weights
    torch.testing.assert_close(total, torch.ones(side))


def test_image_pooling_sees_everything_and_says_so():
    net = settled(DeepLabV3(1, 2, backbone="small"))
    image = torch.rand(1, 80, 64)
    with pytest.warns(UserWarning, match=r"depends on the whole picture.*tile=None"):
        predict(net, image, tile=64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # A picture that fits into one tile is not cut.
        torch.testing.assert_close(predict(net, image, tile=80), predict(net, image))


def test_a_module_of_one_pixel_is_the_same_in_any_tile():
    class Net(nn.Module):
        def forward(self, x):
            return {"out": torch.cat([x, 1 - x], 1)}

    image = torch.rand(1, 7, 5)
    torch.testing.assert_close(predict(Net(), image, tile=3), predict(Net(), image))


def test_what_cannot_be_followed_is_said():
    class Sorted(nn.Module):
        def forward(self, x):
            return x.cumsum(3)

    with pytest.warns(UserWarning, match="an unknown number of pixels"):
        predict(Sorted(), torch.rand(1, 9, 9), tile=4)


def test_a_network_without_padding_is_tiled_without_looking_at_its_receptive_field(monkeypatch):
    class Window(nn.Module):
        margin, step = 2, 1

        def valid_size(self, n):
            return max(5, n)

        def forward(self, x):
            return F.avg_pool2d(x, 5, stride=1)

    monkeypatch.setattr("segnb.tiling.receptive_field", None)
    image = torch.rand(1, 20, 9)
    torch.testing.assert_close(predict(Window(), image, tile=7), predict(Window(), image))
