"""Every cure that an error prints works when it is obeyed: the mistake, what is printed, and how it ends.

A row is (mistake, what of the message is the cure, what a reader then does with it). What is found by the pattern is
handed to the last part: run as code where it is code, looked up where it is a number or a name. Cures that need more than
a row stand in the tests of their part: of items and masks in training/test_batches.py, of files in data/test_files.py
and data/real/, of the command line in test_main.py, of tiles and of `out=` in test_tiling.py and test_inference.py.
"""

import re
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import TensorDataset

import segnb
from segnb import losses, show
from segnb.data import DataError
from segnb.data.reader import read_picture
from segnb.metrics import ConfusionMatrix
from segnb.models import FCN, DeepLabV3, SegNet, UNet
from tests.training.shared import FAST, network, pictures

IMAGE = torch.rand(1, 32, 32, generator=torch.Generator().manual_seed(0))
BYTES = (IMAGE * 255).byte()
LOGITS = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
TARGET = LOGITS.argmax(1)
DISH = segnb.data.load("dish", "val", size=16)


def same_net():
    torch.manual_seed(0)
    return UNet(1, 2, width=2, depth=1, padding="same").eval()


def counted(pred, target, k=3, **options):
    matrix = ConfusionMatrix(k, **options)
    matrix.update(pred, target)
    return matrix


def fit(data=None, model=None, **options):
    options = {"loss": losses.cross_entropy, **FAST} | options
    return segnb.fit(model or network(), data or pictures(4), **options)


class Items(list):
    """A data set that says which label is void."""

    ignore_index = 255


def margin_of(told):
    """A network that loses a border, once it says so."""
    net = nn.Conv2d(1, 2, 3)
    net.__dict__[told] = 1
    return segnb.predict(net, IMAGE)


def many(**options):
    """Items with classes beyond 255."""
    data = Items([(IMAGE, torch.full((32, 32), 299))])
    data.__dict__.update(options)
    return segnb.evaluate(nn.Conv2d(1, 300, 1), data)


class Row(NamedTuple):
    mistake: object
    cure: str
    obeyed: object


def code(**names):
    """What the printed code gives with these names."""
    return lambda told: eval(told, {"np": np, "torch": torch, "segnb": segnb, **names})


def then(use, **names):
    """`use` of what the printed code gives."""
    return lambda told: use(code(**names)(told))


CURES = {
    # --- images for a network
    "a network is given bytes": Row(
        lambda: same_net()(BYTES[None]),
        r"use (image\.float\(\) / 255)",
        then(same_net(), image=BYTES[None]),
    ),
    "a network is given one image": Row(
        lambda: same_net()(IMAGE), r"with (image\[None\])", then(same_net(), image=IMAGE)
    ),
    "predict is given bytes": Row(
        lambda: segnb.predict(same_net(), BYTES),
        r"use (image\.float\(\) / 255)",
        then(lambda x: segnb.predict(same_net(), x), image=BYTES),
    ),
    "predict is given H×W": Row(
        lambda: segnb.predict(same_net(), IMAGE[0]),
        r"with (image\[None\])",
        then(lambda x: segnb.predict(same_net(), x), image=IMAGE[0]),
    ),
    "predict is given a batch": Row(
        lambda: segnb.predict(same_net(), IMAGE[None]),
        r"batch, (image\[0\])",
        then(lambda x: segnb.predict(same_net(), x), image=IMAGE[None]),
    ),
    **{
        f"a side that {type(net).__name__} does not take, {way}": Row(
            lambda net=net, side=side: net(torch.rand(1, net.in_channels, side, 572)),
            rf"of {side} px: use {pattern}",
            lambda told, net=net: net(torch.rand(1, net.in_channels, int(told), net.valid_size(33))),
        )
        for net, side in (
            (UNet(width=1), 570),
            (UNet(width=1, depth=2, padding="same"), 30),
            (SegNet(width=1), 31),
        )
        for way, pattern in (("larger", r".*?(\d+)$"), ("the first named", r"(\d+)"))
    },
    "a net that loses a border and hides it": Row(
        lambda: segnb.predict(nn.Conv2d(1, 2, 3), IMAGE), r"the attribute `(\w+)`", margin_of
    ),
    # --- logits, targets, labels
    "class numbers for logits": Row(
        lambda: losses.dice(TARGET, TARGET),
        r"pass the (network's raw output)",
        lambda told: losses.dice(LOGITS, TARGET),
    ),
    "a target with a class dimension": Row(
        lambda: losses.cross_entropy(LOGITS, TARGET[:, None]),
        r"(without a class dimension)",
        lambda told: losses.cross_entropy(LOGITS, TARGET[:, None][:, 0]),
    ),
    "a target larger than the logits": Row(
        lambda: losses.dice(LOGITS[..., 2:-2, 2:-2], TARGET),
        r"(cropped to the logits)",
        lambda told: losses.dice(LOGITS[..., 2:-2, 2:-2], TARGET[..., 2:-2, 2:-2]),
    ),
    "a label beyond the classes": Row(
        lambda: losses.dice(LOGITS, TARGET + 1),
        r"needs num_classes=(\d+)",
        lambda told: losses.dice(torch.randn(2, int(told), 8, 8), TARGET + 1),
    ),
    "an object and one class": Row(
        lambda: losses.dice(LOGITS[:, :1], TARGET.clamp(max=1)),
        r"num_classes=(\d+)",
        lambda told: losses.dice(torch.randn(2, int(told), 8, 8), TARGET.clamp(max=1)),
    ),
    "void of 255 where another number is void": Row(
        lambda: losses.dice(LOGITS, TARGET.where(TARGET > 0, 255), ignore_index=-1),
        r"ignore_index=(255) leaves",
        lambda told: losses.dice(LOGITS, TARGET.where(TARGET > 0, 255), ignore_index=int(told)),
    ),
    "a map of scores for the matrix": Row(
        lambda: counted(LOGITS[0], TARGET[0]),
        r"take (argmax)",
        lambda told: counted(getattr(LOGITS[0], told)(0), TARGET[0]),
    ),
    "a void that is too far away": Row(
        lambda: ConfusionMatrix(3, ignore_index=65535),
        r": (\d+) as a rule",
        lambda told: counted(TARGET, TARGET.where(TARGET > 0, int(told)), ignore_index=int(told)),
    ),
    "300 classes and void": Row(many, r"attribute ignore_index = (-1)", lambda told: many(ignore_index=int(told))),
    # --- training
    "pictures of two sizes, brought to one": Row(
        lambda: fit(pictures(1) + pictures(1, side=9)),
        r"at one (size=)",
        lambda told: fit(pictures(1, side=9) + pictures(1, side=9)),
    ),
    "pictures of two sizes, one at a time": Row(
        lambda: fit(pictures(1) + pictures(1, side=9)),
        r"use (batch_size=1)",
        lambda told: fit(pictures(1) + pictures(1, side=9), **code(dict=dict)(f"dict({told})")),
    ),
    "val_every without a set for it": Row(
        lambda: fit(val_every=2),
        r"fit\((model, train, val), \.\.\.\)",
        lambda told: fit(val=pictures(2), val_every=2),
    ),
    "an empty set for val": Row(lambda: fit(val=[]), r"(leave it out)", lambda told: fit()),
    "an optimiser by another name": Row(
        lambda: fit(optimizer="sgd"), r'is "(adamw)"', lambda told: fit(optimizer=told)
    ),
    "an optimiser that is no function yet": Row(
        lambda: fit(optimizer="sgd"),
        r"(a function parameters → optimiser)",
        lambda told: fit(optimizer=lambda parameters: torch.optim.SGD(parameters, lr=1)),
    ),
    "a rate that is far too large": Row(
        lambda: fit(lr=1e30, optimizer=lambda parameters: torch.optim.SGD(parameters, lr=1)),
        r"Try a (smaller lr)",
        lambda told: fit(lr=1e-3, optimizer=lambda parameters: torch.optim.SGD(parameters, lr=1)),
    ),
    "one image for DeepLabv3": Row(
        lambda: DeepLabV3(1, 2, backbone="small")(torch.rand(1, 1, 32, 32)),
        r"build with (image_pooling=False)",
        lambda told: DeepLabV3(1, 2, backbone="small", **code(dict=dict)(f"dict({told})"))(
            torch.rand(1, 1, 32, 32)
        ),
    ),
    "weights for the encoder from nowhere": Row(
        lambda: FCN(width=1, hidden=1).load_encoder(),
        r"either the (weights) of torchvision's vgg16",
        lambda told: FCN(hidden=1).load_encoder(vgg16_without_dense_layers()),
    ),
    # --- names
    "a layer that is not there": Row(
        lambda: segnb.features(same_net(), IMAGE[None], ["middle"]),
        r"there are .*\b(bottom)\b",
        lambda told: segnb.features(same_net(), IMAGE[None], [told]),
    ),
    "a trained network that is not there": Row(
        lambda: segnb.load_trained("vnet"), r"there are: .*\b(unet)\b", segnb.load_trained
    ),
    "a study that is not there": Row(
        lambda: segnb.results("unet"), r"there are .*\b(unet_skips)\b", segnb.results
    ),
    "a set that is not there": Row(lambda: segnb.data.load("cell"), r"\b(cells)\b", segnb.data.load),
    "a split that is not there": Row(
        lambda: segnb.data.load("cells", "valid"), r"\b(val)\b", lambda told: segnb.data.load("cells", told)
    ),
    "a size of one number too many": Row(
        lambda: segnb.data.load("cells", size=(1, 16, 16)),
        r"(\(height, width\))",
        lambda told: segnb.data.load("cells", size=code(height=16, width=16)(told))[0],
    ),
    "an option that a set does not have": Row(
        lambda: segnb.data.load("folder", mappings={}),
        r"it takes (mapping)",
        lambda told: refused(segnb.data.load, "folder", root="tests", **{told: {0: "a"}}).index("no folder images/"),
    ),
    "cells of a set without any": Row(
        lambda: segnb.data.load("street").cells(0), r"(no class 'cell')", lambda told: DISH.cells(0)
    ),
    # --- augmentation, pictures
    "a transform that was not called": Row(
        lambda: segnb.data.augment(segnb.data.flips, type(nn.Identity())),
        r"such as (segnb\.data\.flips\(\))",
        then(lambda part: segnb.data.augment(part)(IMAGE, TARGET[0].new_zeros(32, 32))),
    ),
    "an image with the mask of a valid network": Row(
        lambda: show.overlay(DISH[0][0], DISH[0][1][2:-2, 2:-2], DISH),
        r"(crop the larger one)",
        lambda told: show.overlay(DISH[0][0][:, 2:-2, 2:-2], DISH[0][1][2:-2, 2:-2], DISH),
    ),
    "scores in the place of a mask": Row(
        lambda: show.overlay(DISH[0][0], torch.rand(2, 16, 16), DISH),
        r"scores: (\.argmax\(0\))",
        lambda told: show.overlay(DISH[0][0], eval(f"scores{told}", {"scores": torch.rand(2, 16, 16)}), DISH),
    ),
    "a mask without its colours": Row(
        lambda: show.compare([DISH[0][1]]), r"give (data)=", lambda told: show.compare([DISH[0][1]], **{told: DISH})
    ),
    "fewer captions than pictures": Row(
        lambda: show.compare([IMAGE, IMAGE], captions=["one"]),
        r"give one each, or ('')",
        lambda told: show.compare([IMAGE, IMAGE], captions=["one", code()(told)]),
    ),
    "one end of a scale": Row(
        lambda: show.compare([IMAGE[0]], vmin=0),
        r"give (vmin and vmax) together",
        lambda told: show.compare([IMAGE[0]], **dict(zip(told.split(" and "), (0, 1)))),
    ),
}  # fmt: skip


def vgg16_without_dense_layers():
    from torchvision.models import vgg16

    with torch.device("meta"):
        names = {name: part.shape for name, part in vgg16(weights=None).state_dict().items()}
    return {name: torch.zeros(shape) for name, shape in names.items() if name.startswith("features")}


@pytest.mark.filterwarnings("ignore::segnb.training.Suspicious")
@pytest.mark.parametrize("mistake", CURES)
def test_the_printed_cure_works(mistake):
    row = CURES[mistake]
    with pytest.raises((TypeError, ValueError, KeyError, FloatingPointError, FileNotFoundError)) as told:
        row.mistake()
    cure = re.search(row.cure, str(told.value))
    assert cure, f"{row.cure} is not in: {told.value}"
    row.obeyed(cure[1])


# --- data: each error, and then what it says ------------------------------------------------------------------------


@pytest.fixture
def leaves(tmp_path):
    """A function (height, width of each picture) → a folder of them with masks of 0 and 1."""

    def make(*sizes):
        for part in ("images", "masks"):
            (tmp_path / part).mkdir(exist_ok=True)
        for i, size in enumerate(sizes):
            Image.new("RGB", size[::-1]).save(tmp_path / f"images/{i}.png")
            Image.fromarray(np.arange(size[0] * size[1], dtype=np.uint8).reshape(size) % 2).save(
                tmp_path / f"masks/{i}.png"
            )
        return tmp_path

    return make


MAPPING = {0: "background", 1: "leaf"}


def refused(call, *arguments, **options):
    with pytest.raises((DataError, ValueError)) as told:
        call(*arguments, **options)
    return str(told.value)


def test_pictures_of_several_sizes_are_stacked_at_the_size_that_is_named(leaves):
    root = leaves((6, 8), (5, 7), (6, 8), (4, 4), (9, 9))
    options = {"root": root, "mapping": MAPPING}
    told = refused(segnb.data.load("folder", **options).stack)
    size = eval(re.search(r"size=(\(\d+, \d+\))", told)[1])
    images, masks = segnb.data.load("folder", **options, size=size).stack()
    assert images.shape[2:] == masks.shape[1:] == size


def test_pictures_that_lie_elsewhere_are_put_where_the_error_says(leaves, tmp_path):
    root = leaves(*[(4, 4)] * 3)
    (root / "images").rename(root / "photos")
    told = refused(segnb.data.load, "folder", root=root, mapping=MAPPING)
    (root / "photos").rename(root / re.search(r"Put the pictures into (\w+)/", told)[1])
    assert len(segnb.data.load("folder", root=root, mapping=MAPPING)) == 1


def test_too_few_pictures_are_enough_with_one_more(leaves):
    told = refused(segnb.data.load, "folder", root=leaves((4, 4), (4, 4)), mapping=MAPPING)
    assert "at least three. Add some" in told
    assert len(segnb.data.load("folder", root=leaves(*[(4, 4)] * 3), mapping=MAPPING)) == 1


def test_a_value_that_the_mapping_lacks_is_added_to_it(leaves):
    root = leaves(*[(4, 4)] * 3)
    told = refused(lambda: segnb.data.load("folder", root=root, mapping={0: "background"})[0])
    value = int(re.search(r"has the value (\d+) .* Add it to the mapping", told)[1])
    assert segnb.data.load("folder", root=root, mapping={0: "background", value: None})[0][1].max() == 255


def test_a_mapping_that_is_none_is_replaced_by_the_one_shown(leaves):
    told = refused(segnb.data.load, "folder", root=leaves(*[(4, 4)] * 3))
    mapping = eval(re.search(r": (\{0: .*?\}) or", told)[1])
    assert segnb.data.load("folder", root=leaves(), mapping=mapping).classes == ("background", "leaf")


def test_a_mask_without_picture_is_removed_or_gets_one(leaves):
    root = leaves(*[(4, 4)] * 4)
    (root / "images/3.png").unlink()
    told = refused(segnb.data.load, "folder", root=root, mapping=MAPPING)
    assert "Add it or remove the file" in told
    wanted = re.search(r"picture: (.*) does not exist", told)[1]
    Image.new("RGB", (4, 4)).save(wanted)
    segnb.data.load("folder", root=root, mapping=MAPPING)
    (root / "images/3.png").unlink()
    (root / "masks/3.png").unlink()
    segnb.data.load("folder", root=root, mapping=MAPPING)


def test_an_expression_for_groups_is_mended_after_the_example(leaves):
    root = leaves(*[(4, 4)] * 3)
    for part in ("images", "masks"):
        for i, path in enumerate(sorted((root / part).iterdir())):
            path.rename(path.with_name(f"patient{i}_slice.png"))
    options = {"root": root, "mapping": MAPPING}
    told = refused(segnb.data.load, "folder", **options, group=r"patient\d+")
    pattern = eval(re.search(r"as in (r'.*?')", told)[1])
    assert len(segnb.data.load("folder", **options, group=pattern)) == 1


@pytest.mark.parametrize("name", ["camvid", "isbi2012"])
def test_a_real_set_that_is_absent_has_a_twin_that_loads(name, tmp_path):
    told = refused(segnb.data.load, name, root=tmp_path)
    twin = eval(re.search(r"segnb\.data\.load\('\w+'\)(?=\.$)", told)[0], {"segnb": segnb})
    assert twin.generated


def test_where_only_generated_sets_are_allowed_the_twin_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("SEGNB_DATA", "generated")
    told = refused(segnb.data.load, "camvid")
    assert eval(re.search(r"load\('\w+'\)", told)[0], {"load": segnb.data.load}).generated
    monkeypatch.setenv("SEGNB_DATA", str(tmp_path / "sets"))
    told = refused(segnb.data.load, "camvid")
    assert "Make it or unset it" in told
    (tmp_path / "sets").mkdir()
    assert "camvid" in refused(segnb.data.load, "camvid")
    monkeypatch.delenv("SEGNB_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert str(tmp_path / "segnb") in refused(segnb.data.load, "camvid")


def test_a_picture_in_lab_colours_is_read_once_it_is_saved_as_it_says(tmp_path):
    Image.new("LAB", (4, 4)).save(tmp_path / "a.tif")
    mode = re.search(r"Save it in (\w+)", refused(read_picture, tmp_path / "a.tif"))[1]
    Image.new(mode, (4, 4)).save(tmp_path / "a.tif")
    assert read_picture(tmp_path / "a.tif").shape == (4, 4, 3)


def test_a_damaged_network_is_written_again(tmp_path):
    path = tmp_path / "net.pt"
    segnb.save(same_net(), path)
    content = bytearray(path.read_bytes())
    content[content.index(same_net().head.weight.detach().numpy().tobytes())] ^= 1
    path.write_bytes(content)
    assert "write or fetch it again" in refused(segnb.load, path)
    segnb.save(same_net(), path)
    assert segnb.load(path).config == same_net().config


def test_a_network_is_saved_under_the_name_of_a_file(tmp_path):
    assert "give the name of a file" in refused(segnb.save, same_net(), tmp_path)
    segnb.save(same_net(), tmp_path / "net.pt")


@pytest.mark.parametrize("name", ["SEGNB_DEVICE", "SEGNB_DTYPE", "SEGNB_SCALE"])
def test_a_word_that_an_environment_variable_does_not_know(name, monkeypatch, capsys):
    monkeypatch.setenv(name, "gpus")
    told = refused(segnb.setup)
    for word in re.search(r"is one of (\w+(?:, \w+)*) or unset", told)[1].split(", "):
        if word in ("cpu", "gpu", "float32", "bfloat16"):
            monkeypatch.setenv(name, word)
            segnb.setup()
    monkeypatch.delenv(name)
    segnb.setup()


def test_items_of_a_network_with_too_few_classes_name_the_number():
    data = TensorDataset(torch.rand(4, 1, 8, 8), torch.arange(256).view(4, 8, 8) % 4)
    told = refused(fit, data)
    k = int(re.search(r"needs num_classes=(\d+)", told)[1])
    fit(data, nn.Conv2d(1, k, 3, padding=1))
