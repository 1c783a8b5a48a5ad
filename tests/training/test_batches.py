"""Items of every usual form, and messages whose cure works when it is obeyed."""

import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader, Subset, TensorDataset

import segnb
from segnb.losses import cross_entropy, dice, median_frequency_weights
from segnb.metrics import ConfusionMatrix
from segnb.shapes import as_item
from segnb.training import fit
from tests.training.shared import FAST, assert_same, network, pictures

# Of bytes, so that a PIL picture loses nothing.
ITEMS = [((image * 255).round() / 255, mask) for image, mask in pictures(4, weights=False)]


def picture(image, mode="L"):
    return Image.fromarray((image[0] * 255).round().byte().numpy()).convert(mode)


FORMS = {
    "PIL": lambda image, mask: (picture(image), Image.fromarray(mask.byte().numpy())),
    "PIL of one bit": lambda image, mask: (picture(image), Image.fromarray(mask.bool().numpy())),
    "H×W×C bytes": lambda image, mask: (np.array(picture(image))[..., None], mask.numpy()),
    "H×W bytes": lambda image, mask: (np.array(picture(image)), mask.numpy().astype(np.uint16)),
    "H×W×C floats": lambda image, mask: (image.permute(1, 2, 0).numpy(), mask.numpy()),
    "C×H×W floats": lambda image, mask: (image.numpy(), mask.numpy().astype(np.int16)),
    "list": lambda image, mask: [image, mask],
    "dict": lambda image, mask: {"image": image, "mask": mask, "name": "a"},
    "dict of others": lambda image, mask: {"pixel_values": image, "labels": mask.numpy()},
    "tv_tensors": lambda image, mask: (_tv("Image")(image), _tv("Mask")(mask)),
}


def _tv(name):
    from torchvision import tv_tensors

    return getattr(tv_tensors, name)


@pytest.mark.parametrize("form", FORMS)
def test_items_of_every_usual_form(form):
    data = [FORMS[form](*item) for item in ITEMS]
    one, two = network(), network()
    for augment in (None, segnb.data.augment(segnb.data.flips())):
        fit(one, ITEMS, loss=F.cross_entropy, augment=augment, **FAST)
        fit(two, data, loss=F.cross_entropy, augment=augment, **FAST)
        assert_same(one, two)
    assert torch.equal(segnb.evaluate(one, ITEMS).matrix, segnb.evaluate(two, data).matrix)


def test_colour_pictures_and_weights():
    rgb = torch.rand(8, 6, 3).mul(255).byte()
    mask = torch.ones(8, 6, dtype=torch.int64)
    image, _, weight = as_item(
        {"img": Image.fromarray(rgb.numpy()), "label": mask, "pixel_weight": np.ones((8, 6))}
    )
    assert torch.equal(image, rgb.permute(2, 0, 1) / 255)
    assert weight.shape == (8, 6)
    # A square of side 3 fits both ways: then it is C×H×W, as tensors are.
    cube = np.random.default_rng(0).random((3, 3, 3))
    assert np.array_equal(as_item((cube, np.zeros((3, 3), int)))[0].numpy(), cube)
    palette = Image.new("P", (4, 4))
    with pytest.raises(ValueError, match="palette") as told:
        as_item((palette, mask))
    assert obey(told, r"image\.convert\('RGB'\)", image=palette).mode == "RGB"


def test_a_dict_without_a_mask_tells_its_keys():
    with pytest.raises(ValueError, match="'image' and 'mask'; it has 'picture', 'mask'"):
        fit(network(), [{"picture": 0, "mask": 1}] * 2, loss=F.cross_entropy, **FAST)
    with pytest.raises(ValueError, match="not a dict of 'masks'"):
        fit(network(), [(ITEMS[0][0], {"masks": 1})] * 2, loss=F.cross_entropy, **FAST)


def obey(told, pattern, **names):
    """What the code that an error prints as its cure gives. Fails if it prints none such."""
    return eval(re.search(pattern, str(told.value)).group(), {"torch": torch, **names})


# --- cures ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "use", [lambda data: fit(network(), data, loss=F.cross_entropy, **FAST), "val", "evaluate"]
)
def test_a_loader_is_not_a_set(use):
    loader = DataLoader(TensorDataset(*map(torch.stack, zip(*ITEMS))), batch_size=2)
    if use == "val":
        use = lambda data: fit(network(), ITEMS, data, loss=F.cross_entropy, **FAST)  # noqa: E731
    elif use == "evaluate":
        use = lambda data: segnb.evaluate(network(), data)  # noqa: E731
    with pytest.raises(TypeError, match="DataLoader") as told:
        use(loader)
    use(obey(told, r"loader\.dataset", loader=loader))


def test_a_stream_is_not_a_set():
    data = iter(ITEMS)
    with pytest.raises(TypeError, match="list_iterator") as told:
        fit(network(), data, loss=F.cross_entropy, **FAST)
    fit(network(), obey(told, r"list\(data\)", data=data), loss=F.cross_entropy, **FAST)


CURES = {
    "bytes": (lambda x, y: ((x * 255).byte(), y), r"image\.float\(\) / 255", "image"),
    "bytes for v2": (lambda x, y: ((x * 255).byte(), y), r"v2\.ToDtype\(.*?scale=True\)", "v2"),
    "mask 1×H×W": (lambda x, y: (x, y[None]), r"mask\[0\]", "mask"),
    "a plane a class": (lambda x, y: (x, F.one_hot(y).permute(2, 0, 1)), r"mask\.argmax\(0\)", "mask"),
    "image H×W": (lambda x, y: (x[0], y), r"image\[None\]", "image"),
    "image H×W×C": (lambda x, y: (x.permute(1, 2, 0), y), r"image\.permute\(2, 0, 1\)", "image"),
    "mask of bools": (lambda x, y: (x, y.bool()), r"mask\.long\(\)", "mask"),
    "mask of whole floats": (lambda x, y: (x, y.float()), r"mask\.long\(\)", "mask"),
    "mask of ToTensor": (lambda x, y: (x, y / 255), r"\(mask \* 255\)\.round\(\)\.long\(\)", "mask"),
    "the same in half": (lambda x, y: (x, (y / 255).half()), r"\(mask \* 255\)\.round\(\)\.long\(\)", "mask"),
    "soft labels": (lambda x, y: (x, y * 0.81 + 0.1234), r"\(mask > 0\.5\)\.long\(\)", "mask"),
}


@pytest.mark.parametrize("kind", CURES)
def test_the_cure_of_an_item_works(kind):
    spoil, pattern, part = CURES[kind]
    data = [spoil(*item) for item in ITEMS]
    with pytest.raises((TypeError, ValueError)) as told:
        fit(network(), data, loss=F.cross_entropy, **FAST)

    def mend(image, mask):
        if part == "v2":
            from torchvision.transforms import v2

            return obey(told, pattern, v2=v2)(_tv("Image")(image)), mask
        return (
            (obey(told, pattern, image=image), mask)
            if part == "image"
            else (image, obey(told, pattern, mask=mask))
        )

    one, two = network(), network()
    fit(one, [mend(*item) for item in data], loss=F.cross_entropy, **FAST)
    fit(
        two,
        [((x * 255).byte() / 255 if "bytes" in kind else x, y) for x, y in ITEMS],
        loss=F.cross_entropy,
        **FAST,
    )
    # torchvision multiplies by 1/255 where we divide.
    if part != "v2":
        assert_same(one, two)


def test_evaluate_prints_the_cure_too():
    data = [(image, mask[None]) for image, mask in ITEMS]
    with pytest.raises(ValueError, match="item 0") as told:
        segnb.evaluate(network(), data)
    segnb.evaluate(network(), [(image, obey(told, r"mask\[0\]", mask=mask)) for image, mask in data])


SOFT = torch.rand(2, 4, 4, generator=torch.Generator().manual_seed(0))
FLOATS = {
    "k/255": (torch.arange(16).view(1, 4, 4) % 3 / 255, torch.arange(16).view(1, 4, 4) % 3),
    "whole": ((SOFT > 0.5).float(), (SOFT > 0.5).long()),
    "soft": (SOFT, (SOFT > 0.5).long()),
    "soft, a plane a class": (torch.stack([1 - SOFT, SOFT, 0 * SOFT], 1), (SOFT > 0.5).long()),
}


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("use", ["dice", "cross_entropy", "matrix"])
def test_the_cure_of_a_float_mask_works_in_losses_and_metrics(kind, use):
    target, right = FLOATS[kind]
    logits = torch.randn(len(right), 3, 4, 4)

    def call(target):
        if use == "matrix":
            return ConfusionMatrix(3).update(logits, target)
        return {"dice": dice, "cross_entropy": cross_entropy}[use](logits, target)

    with pytest.raises(TypeError) as told:
        call(target)
    mended = obey(told, r"(?<=use ).*", target=target)
    assert torch.equal(mended, right)
    call(mended)


# --- weights of a part of a set ---------------------------------------------------------------------------------------


def test_median_frequency_weights_of_a_part_of_a_set():
    street = segnb.data.load("street", size=(24, 32))
    part = Subset(street, range(8))
    alone = segnb.data.load("street", size=(24, 32))
    alone._count = 8
    assert torch.equal(median_frequency_weights(part), median_frequency_weights(alone))
    # Classes that the part lacks still count: K is what the whole set says.
    assert len(median_frequency_weights(Subset(street, [0]))) == 11
    assert len(median_frequency_weights(ITEMS)) == 2
    with pytest.raises(TypeError, match=r"loader\.dataset"):
        median_frequency_weights(DataLoader(ITEMS))
