"""Prediction at any size: mirroring, tiles on the network's grid, and whose state is left alone."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from segnb.inference import _run, evaluate, mirrored, predict
from segnb.metrics import ConfusionMatrix
from segnb.models import UNet


@pytest.fixture(scope="module")
def unet():
    """The paper's depth and padding, thin."""
    torch.manual_seed(0)
    return UNet(width=2).eval()


class Window(nn.Module):
    """The mean of the 5×5 pixels around each pixel, without padding: a network whose results are known."""

    margin, step = 2, 1

    def valid_size(self, n):
        return max(5, n)

    def forward(self, x):
        mean = F.avg_pool2d(x, 5, stride=1)
        return torch.cat([mean, -mean], 1)


def test_probabilities_at_the_images_own_size(unet):
    probability = predict(unet, torch.rand(1, 37, 61))
    assert probability.shape == (2, 37, 61)
    assert (probability.dtype, probability.device.type) == (torch.float32, "cpu")
    torch.testing.assert_close(probability.sum(0), torch.ones(37, 61))
    assert not probability.requires_grad


def test_the_border_is_a_mirror_image_and_the_result_aligned():
    image = torch.rand(1, 9, 12)
    expected = F.avg_pool2d(F.pad(image[None], (2, 2, 2, 2), mode="reflect"), 5, stride=1)[0]
    torch.testing.assert_close(predict(Window(), image), torch.cat([expected, -expected]).softmax(0))


@pytest.mark.parametrize("side", [1, 2, 3, 7, 92, 93])
def test_mirroring_again_and_again(side):
    row = np.arange(side)
    expected = np.pad(row, (92, 200), mode="reflect") if side > 1 else np.zeros(293)
    assert mirrored(side, 92, 200).tolist() == expected.tolist()


def test_exactly_the_margin_is_added_on_top_and_left_and_the_surplus_at_the_other_end(unet, monkeypatch):
    seen = []
    monkeypatch.setattr(unet, "forward", lambda x, forward=unet.forward: seen.append(x) or forward(x))
    image = torch.rand(1, 30, 21)
    predict(unet, image)
    assert seen[0].shape == (1, 1, 220, 220)  # 30 + 184 = 214 and 21 + 184 = 205: next come 220 and 220
    assert torch.equal(seen[0][0, :, 92:122, 92:113], image)
    rows = np.pad(np.arange(30), (92, 98), mode="reflect")
    columns = np.pad(np.arange(21), (92, 107), mode="reflect")
    assert torch.equal(seen[0][0, 0], image[0][rows][:, columns])


@pytest.mark.parametrize(
    ("size", "tile"), [((512, 400), 572), ((200, 33), 252), ((100, 70), 204), ((100, 70), 572), ((5, 1), 204)]
)
def test_tiles_give_what_one_run_gives(unet, size, tile):
    image = torch.rand(1, *size)
    torch.testing.assert_close(predict(unet, image, tile=tile), predict(unet, image), rtol=0, atol=1e-5)


def test_a_step_of_388_leaves_seams_and_384_none(unet):
    image = torch.rand(1, 1, 500, 120)
    whole = _run(unet, image, (700, 316), (500, 120))
    with torch.no_grad():
        seams = (_run(unet, image, (572, 316), (388, 120)) - whole).abs()
        assert (_run(unet, image, (572, 316), (384, 120)) - whole).abs().max() < 1e-4
    assert seams[:, :, :388].max() < 1e-4
    assert (
        seams[:, :, 388:].max() > 0.01
    )  # 388 is no multiple of 16: the second tile pools other pixels together


def test_a_mirror_of_94_pixels_would_pool_other_pixels_together(unet):
    image = torch.rand(1, 60, 60)
    index = mirrored(60, 94, 98)  # 252 in all, a size that the network takes
    with torch.no_grad():
        logits = unet(image[:, index[:, None], index][None])[0, :, 2:62, 2:62]
    assert (logits.softmax(0) - predict(unet, image)).abs().max() > 0.01


def test_a_padded_network_has_seams():
    torch.manual_seed(0)
    net = UNet(width=2, depth=2, padding="same")
    image = torch.rand(1, 64, 64)
    difference = (predict(net, image, tile=32) - predict(net, image)).abs().amax(0)
    assert difference[0, 0] < 1e-5  # far from the seams, which run through row and column 32
    assert difference.max() > 1e-3


@pytest.mark.parametrize(
    ("tile", "cure"), [(188, "204"), (12, "204"), (187, "204"), (573, "588"), (570, "572")]
)
def test_a_tile_that_cannot_work_names_the_next_that_can(unet, tile, cure):
    with pytest.raises(ValueError, match=cure):
        predict(unet, torch.rand(1, 20, 20), tile=tile)


@pytest.mark.parametrize(
    ("image", "error", "cure"),
    [
        (torch.rand(8, 8), ValueError, r"image\[None\]"),
        (torch.rand(2, 1, 8, 8), ValueError, r"image\[0\]"),
        (torch.rand(1, 0, 8), ValueError, "1×0×8"),
        (torch.zeros(1, 8, 8, dtype=torch.uint8), TypeError, "255"),
        (torch.rand(3, 8, 8), ValueError, "N×1×H×W"),
    ],
)
def test_images_that_are_none(unet, image, error, cure):
    with pytest.raises(error, match=cure):
        predict(unet, image)


def test_a_model_that_hides_its_margin_is_found_out():
    with pytest.raises(ValueError, match="margin"):
        predict(nn.Conv2d(1, 2, 3), torch.rand(1, 8, 8))


def test_any_module_and_torchvisions_dict_will_do():
    class Net(nn.Module):
        def forward(self, x):
            return {"out": torch.cat([x, 1 - x], 1), "aux": None}

    image = torch.rand(1, 7, 5)
    torch.testing.assert_close(predict(Net(), image), torch.cat([image, 1 - image]).softmax(0))
    torch.testing.assert_close(predict(Net(), image, tile=3), predict(Net(), image))


def test_a_network_of_torchvision():
    from torchvision.models.segmentation import lraspp_mobilenet_v3_large

    net = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=4).eval()
    image = torch.rand(3, 50, 41)
    with torch.no_grad():
        expected = net(image[None])["out"][0].softmax(0)
    torch.testing.assert_close(predict(net, image), expected)


def test_every_mode_comes_back_and_eval_was_used():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.frozen, self.drop = nn.BatchNorm2d(1), nn.Dropout(0.5)
            self.seen = []

        def forward(self, x):
            self.seen.append(
                (self.training, self.frozen.training, self.drop.training, torch.is_grad_enabled())
            )
            return self.drop(self.frozen(x))

    net = Net().train()
    net.frozen.eval()
    predict(net, torch.rand(1, 4, 4))
    assert net.seen == [(False, False, False, False)]
    assert (net.training, net.frozen.training, net.drop.training) == (True, False, True)
    with pytest.raises(ValueError, match="margin"):
        predict(nn.Sequential(net, nn.MaxPool2d(2)), torch.rand(1, 4, 4))
    assert net.drop.training
    assert torch.is_grad_enabled()


def test_float32_even_inside_autocast_and_without_tf32(unet, monkeypatch):
    kinds = []
    unet.head.register_forward_hook(
        lambda module, args, output: kinds.append((output.dtype, torch.backends.cudnn.allow_tf32))
    )
    image = torch.rand(1, 20, 20)
    before = torch.backends.cudnn.allow_tf32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = predict(unet, image)
    unet.head._forward_hooks.clear()
    assert kinds == [(torch.float32, False)]
    assert torch.backends.cudnn.allow_tf32 == before
    assert torch.equal(inside, predict(unet, image))


class Pairs:
    """Images of different sizes, with void, and a label that only an ignore_index of its own makes valid."""

    ignore_index = 7

    def __init__(self, sizes):
        g = torch.Generator().manual_seed(0)
        self.items = [
            (torch.rand(1, h, w, generator=g), torch.randint(0, 2, (h, w), generator=g)) for h, w in sizes
        ]
        self.items[0][1][0] = 7

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


def test_evaluate_counts_every_pixel_of_every_image(unet):
    data = Pairs([(12, 9), (30, 30), (1, 5)])
    matrix = evaluate(unet, data)
    expected = ConfusionMatrix(2, ignore_index=7)
    for image, mask in data.items:
        expected.update(predict(unet, image)[None].argmax(1), mask[None])
    assert torch.equal(matrix.matrix, expected.matrix)
    assert matrix.matrix.sum() == 12 * 9 - 9 + 900 + 5


def test_evaluate_runs_neighbours_of_one_size_together_within_bounds():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.seen = []

        def forward(self, x):
            self.seen.append(tuple(x.shape))
            return torch.cat([x, 1 - x], 1)

    net, sizes = Net(), [(20, 20)] * 3 + [(20, 30)] + [(20, 20)] + [(300, 300)] * 2 + [(256, 256)] * 3
    data = Pairs(sizes)
    matrix = evaluate(net, data)
    assert net.seen == [
        (3, 1, 20, 20),
        (1, 1, 20, 30),
        (1, 1, 20, 20),
        (1, 1, 300, 300),
        (1, 1, 300, 300),
        (2, 1, 256, 256),
        (1, 1, 256, 256),
    ]
    right = sum(((image[0] < 0.5) == mask)[mask != 7].sum() for image, mask in data.items)
    assert matrix.matrix.trace() == right


def test_evaluate_refuses_a_mask_of_another_size(unet):
    with pytest.raises(ValueError, match=r"item 1.*not one size"):
        evaluate(unet, [(torch.rand(1, 8, 8), torch.zeros(n, 8, dtype=torch.int64)) for n in (8, 7)])


def test_evaluate_takes_lists_arrays_and_items_with_weights(unet):
    pairs = Pairs([(12, 9), (12, 9)]).items[1:]
    triples = [(image.numpy(), mask.numpy(), torch.ones(12, 9)) for image, mask in pairs]
    assert torch.equal(evaluate(unet, triples).matrix, evaluate(unet, pairs).matrix)
    assert evaluate(unet, pairs).ignore_index == 255


def test_evaluate_on_nothing(unet):
    with pytest.raises(ValueError, match="empty"):
        evaluate(unet, [])
