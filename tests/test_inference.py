"""Prediction at any size, from memory and from files: mirroring, and whose state is left alone."""

import re
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from segnb.inference import evaluate, predict
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


# --- logits that are no numbers -----------------------------------------------------------------------------------


class Broken(nn.Module):
    """Puts `value` into one logit of one pixel."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, x):
        logits = torch.cat([x, 1 - x], 1)
        logits[0, 1, 2, 3] = self.value
        return logits


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    "call", [predict, lambda net, image: evaluate(net, [(image, torch.zeros(8, 8).long())])]
)
def test_logits_that_are_no_numbers_are_an_error(call, value):
    with pytest.raises(FloatingPointError, match="no class is the largest"):
        call(Broken(value), torch.rand(1, 8, 8))


def test_a_class_ruled_out_by_minus_infinity_is_none():
    assert predict(Broken(float("-inf")), torch.rand(1, 8, 8))[:, 2, 3].tolist() == [1, 0]


def test_a_picture_with_nan_is_named_and_its_cure_works():
    image = torch.rand(1, 8, 8)
    image[0, 4, 4] = float("nan")
    with pytest.raises(FloatingPointError, match="its picture is not finite") as caught:
        predict(Window(), image)
    (cure,) = re.findall(r"image\.nan_to_num\([^)]*\)", str(caught.value))
    assert predict(Window(), eval(cure, {"image": image})).isfinite().all()


# --- pictures on the disk -------------------------------------------------------------------------------------------


@pytest.fixture
def picture(tmp_path):
    """A colour picture of 50×70 pixels as a file, and its bytes."""
    pixels = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "street.png")
    return tmp_path / "street.png", pixels


@pytest.fixture(scope="module")
def padded():
    torch.manual_seed(0)
    return UNet(3, 4, width=2, depth=1, padding="same").eval()


def as_floats(pixels):
    return torch.from_numpy(pixels).permute(2, 0, 1) / 255


@pytest.mark.parametrize("tile", [None, 32])
def test_a_path_and_an_array_of_bytes_give_what_the_floats_give(padded, picture, tile):
    path, pixels = picture
    expected = predict(padded, as_floats(pixels), tile=tile)
    for image in (path, str(path), pixels):
        torch.testing.assert_close(predict(padded, image, tile=tile), expected)
    grey = UNet(1, 2, width=2, depth=1, padding="same")
    torch.testing.assert_close(predict(grey, pixels[:, :, 0]), predict(grey, as_floats(pixels)[:1]))


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4, 5), (0, 3, 3)])
def test_bytes_that_are_no_picture(padded, shape):
    with pytest.raises(ValueError, match="H×W or H×W×C"):
        predict(padded, np.zeros(shape, np.uint8))


def test_a_result_goes_to_a_file_strip_by_strip(padded, picture, tmp_path):
    _, pixels = picture
    expected = predict(padded, as_floats(pixels))
    kept = predict(padded, pixels, tile=32, out=tmp_path / "result.npy")
    assert isinstance(kept, np.memmap)
    np.testing.assert_allclose(kept, expected, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(np.load(tmp_path / "result.npy"), kept)
    mask = predict(padded, pixels, tile=32, out=tmp_path / "mask.png")
    assert torch.equal(mask, expected.argmax(0).to(torch.uint8))
    assert np.array_equal(np.array(Image.open(tmp_path / "mask.png")), mask)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mask.png", "result.npy", "street.png"]


@pytest.mark.parametrize("name", ["mask.jpg", "mask", "mask.gif"])
def test_a_file_that_could_not_hold_the_result_is_refused_before_any_work(padded, picture, tmp_path, name):
    padded_runs = []
    handle = padded.register_forward_hook(lambda *_: padded_runs.append(1))
    with pytest.raises(ValueError, match="loses detail") as caught:
        predict(padded, picture[1], out=tmp_path / name)
    handle.remove()
    assert not padded_runs
    (cure,) = re.findall(r"out='([^']*)'", str(caught.value))
    assert predict(padded, picture[1], out=cure).shape == (4, 50, 70)


@pytest.mark.filterwarnings("ignore:a pixel of this")
@pytest.mark.parametrize("name", ["result.npy", "mask.png"])
def test_a_prediction_that_fails_leaves_no_file_and_the_old_one(padded, tmp_path, name):
    class BrokenBelow(nn.Module):
        def forward(self, x):
            # The second strip holds white pixels.
            return torch.cat([x, 1 - x], 1) / (x.max() < 1)

    picture = np.zeros((16, 8), np.uint8)
    picture[12:] = 255
    (tmp_path / name).write_text("old")
    with pytest.raises(FloatingPointError):
        predict(BrokenBelow(), picture, tile=8, out=tmp_path / name)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_more_classes_than_a_mask_of_bytes_can_name(tmp_path):
    net = nn.Conv2d(1, 300, 1)
    with pytest.raises(ValueError, match="300 classes") as caught:
        predict(net, np.zeros((4, 4), np.uint8), out=tmp_path / "mask.png")
    (cure,) = re.findall(r"out='([^']*)'", str(caught.value))
    assert predict(net, np.zeros((4, 4), np.uint8), out=cure).shape == (300, 4, 4)


LARGE = """
import resource, sys
import numpy as np
import torch
import segnb

torch.set_num_threads(1)
net = segnb.models.UNet(3, 2, width=2, depth=1, padding="same")
segnb.predict(net, np.zeros((256, 256, 3), np.uint8), tile=128)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
picture = np.memmap(sys.argv[1], np.uint8, "r", shape=(3000, 2000, 3))
kept = segnb.predict(net, picture, tile=256, out=sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, kept.shape)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere ru_maxrss counts in other units")
def test_a_large_picture_needs_little_more_memory_than_its_bytes(tmp_path):
    pixels = np.memmap(tmp_path / "large.raw", np.uint8, "w+", shape=(3000, 2000, 3))
    pixels[:] = np.random.default_rng(0).integers(0, 256, (3000, 1, 3), dtype=np.uint8)
    pixels.flush()
    done = subprocess.run(
        [sys.executable, "-c", LARGE, str(tmp_path / "large.raw"), str(tmp_path / "large.npy")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    kilobytes, shape = done.stdout.split(maxsplit=1)
    assert shape.strip() == "(2, 3000, 2000)"
    # As floats the picture has 72 MB and its probabilities 48 MB.
    assert int(kilobytes) < 60_000, done.stdout


def test_evaluate_in_tiles_counts_the_same(unet):
    data = Pairs([(120, 90), (30, 30)])
    assert torch.equal(evaluate(unet, data, tile=204).matrix, evaluate(unet, data).matrix)


# --- full disks and palettes ------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the size of files")
@pytest.mark.parametrize("name", ["r.npy", "m.png", "m.tif", "m.bmp"])
@pytest.mark.parametrize("old", [True, False])
def test_a_full_disk_is_one_sentence_and_leaves_what_was_there(padded, tmp_path, name, old):
    import resource
    import signal

    pixels = np.random.default_rng(0).integers(0, 256, (80, 70, 3), dtype=np.uint8)
    if old:
        (tmp_path / name).write_text("old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        with pytest.raises(OSError, match=rf"{name} cannot be written, File too large") as caught:
            predict(padded, pixels, tile=64, out=tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert ("still there" in str(caught.value)) == old
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"] * old


def test_a_mask_with_a_palette_holds_the_same_numbers(padded, picture, tmp_path):
    palette = np.random.default_rng(0).integers(0, 256, (4, 3), dtype=np.uint8)
    mask = predict(padded, picture[1], out=tmp_path / "m.png", palette=palette)
    shown = Image.open(tmp_path / "m.png")
    assert np.array_equal(np.array(shown), mask)
    assert np.array_equal(np.array(shown.convert("RGB")), palette[mask])


def test_probabilities_in_a_file_are_laid_out_as_numpy_does_it(padded, picture, tmp_path):
    np.save(tmp_path / "a.npy", predict(padded, picture[1]).numpy())
    predict(padded, picture[1], out=tmp_path / "b.npy")
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


def test_a_picture_of_other_bands_names_what_the_network_takes(padded, tmp_path):
    from segnb.data import DataError

    np.save(tmp_path / "a.npy", np.zeros((9, 9, 5), np.uint8))
    with pytest.raises(DataError, match=r"has 5 bands.*The network takes 3: .*train one with 5"):
        predict(padded, tmp_path / "a.npy")


def test_evaluate_looks_at_logits_once(unet, monkeypatch):
    from segnb import metrics, tiling

    seen = []
    for module in (metrics, tiling):
        monkeypatch.setattr(module, "check_finite", lambda logits, *_, of=module.__name__: seen.append(of))
    evaluate(unet, Pairs([(12, 9)]))
    assert seen == ["segnb.tiling"]
