"""Trainings and measurements that are too good to be true: each is noticed by name, and the course's own are not."""

import re
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import Subset, TensorDataset

import segnb
from book.tools import notebooks
from segnb import run as run_module
from segnb.data import load
from segnb.losses import cross_entropy, dice
from segnb.models import UNet
from segnb.run import Run
from segnb.training import Suspicious, fit, suspicion
from tests.training.shared import CPU, FAST, Recorder, network, pictures, weights_of

IMAGES = torch.stack([image for image, _ in pictures(6)])
MASKS = torch.stack([mask for _, mask in pictures(6)])


def net(num_classes, channels=1):
    torch.manual_seed(0)
    return nn.Conv2d(channels, num_classes, 3, padding=1)


def told(call):
    """(result, the suspicions in words) of a call."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        result = call()
    assert all(warning.category is Suspicious for warning in seen)
    return result, [str(warning.message) for warning in seen]


def fitted(masks, num_classes=2, images=IMAGES, **options):
    options = {"loss": cross_entropy, **FAST} | options
    return told(lambda: fit(net(num_classes), TensorDataset(images, masks), **options))[1]


def evaluated(masks, num_classes=2, images=IMAGES):
    return told(lambda: segnb.evaluate(net(num_classes), TensorDataset(images, masks)))[1]


def printed(message, pattern):
    """The code that a message prints as its cure."""
    return re.search(pattern, message).group()


def test_every_warning_has_its_row_on_the_page():
    page = (notebooks.ROOT / "book" / "when_it_does_not_learn.md").read_text(encoding="utf-8")
    assert f"# {suspicion.PAGE}\n" in page
    for row in suspicion.ROWS.values():
        assert f"\n| {row} |" in page


def test_masks_of_one_class():
    for found in (fitted(MASKS * 0), evaluated(MASKS * 0)):
        (message,) = found
        assert "no mask holds two classes" in message
        assert suspicion.ROWS["one class"] in message
    assert fitted(MASKS) == evaluated(MASKS) == []
    # One mask of two classes will do.
    assert evaluated(torch.cat([MASKS[:5] * 0, MASKS[5:]])) == []


@pytest.mark.parametrize("loss", [cross_entropy, dice, F.cross_entropy])
def test_masks_of_0_and_255(loss):
    loss = loss if loss is not F.cross_entropy else lambda x, y: F.cross_entropy(x, y, ignore_index=255)
    (message,) = fitted(MASKS * 255, loss=loss)
    assert re.search(r"void \(255\) in \d\d% of its pixels", message)
    assert suspicion.ROWS["void"] in message
    (again,) = evaluated(MASKS * 255)
    cure = printed(again, r"mask\.where\(.*?, 1\)")
    assert cure in message
    mended = eval(cure, {"mask": MASKS * 255})
    assert torch.equal(mended, MASKS)
    assert fitted(mended, loss=loss) == evaluated(mended) == []
    # Void beside two classes is what void is for.
    some = MASKS.clone()
    some[:, :2] = 255
    assert fitted(some, loss=loss) == evaluated(some) == []


def test_a_class_that_is_never_seen():
    (message,) = fitted(MASKS, num_classes=4)
    assert "no mask holds the label 2, 3," in message
    classes = int(printed(message, r"(?<=num_classes=)\d"))
    assert fitted(MASKS, num_classes=classes) == []
    (message,) = fitted(MASKS * 2, num_classes=3)
    assert "no mask holds the label 1," in message
    # Too few pictures were seen to say so; and a validation may lack a class.
    assert fitted(MASKS[:3], num_classes=4, images=IMAGES[:3]) == []
    assert fitted(MASKS, num_classes=4, steps=2) == []
    assert evaluated(MASKS, num_classes=4) == []


def test_augmented_masks_are_judged_at_the_end():
    """A class that only some crops show is seen in the end."""
    turn = iter([0, 1] * 30)
    seen = fitted(
        MASKS * 0, augment=lambda image, mask: (image, mask + next(turn) * (image[0] > 0.5)), steps=9
    )
    assert seen == []


def test_a_loss_of_0_from_the_start():
    void = torch.full_like(MASKS, 255)
    found = fitted(void, weight_decay=0)
    assert any("the loss is 0 from the first step" in message for message in found)
    half = torch.cat([void[:2], MASKS[2:]])
    assert fitted(half, seed=1) == []


def test_no_weight_moves():
    (message,) = fitted(MASKS, lr=0)
    assert "no weight has moved" in message
    (message,) = fitted(
        MASKS, optimizer=lambda parameters: torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=1)
    )
    assert suspicion.ROWS["still"] in message
    assert fitted(MASKS, lr=1e-6) == []


@pytest.mark.parametrize(
    ("spoil", "cure", "mend"),
    [
        (lambda x: x * 255, "image / 255", lambda image: image / 255),
        (lambda x: (x - 0.5) / 0.25, "leave out v2.Normalize", lambda image: image * 0.25 + 0.5),
        (lambda x: x * 65535, "65535", lambda image: image / 65535),
    ],
)
def test_pixels_outside_0_to_1(spoil, cure, mend):
    spoilt = spoil(IMAGES)
    for found in (fitted(MASKS, images=spoilt), evaluated(MASKS, images=spoilt)):
        (message,) = found
        assert "not in 0..1" in message
        assert cure in message
    assert fitted(MASKS, images=mend(spoilt)) == evaluated(MASKS, images=mend(spoilt)) == []
    noisy = IMAGES + 0.1 * torch.randn(IMAGES.shape, generator=torch.Generator().manual_seed(0))
    assert fitted(MASKS, images=noisy) == []


def test_a_network_of_one_class():
    for call in (fitted, evaluated):
        found = call(MASKS * 0, num_classes=1)
        assert any("one class, and of that it is always certain: use num_classes=2" in one for one in found)
        with pytest.raises(ValueError, match=r"label 1: .*num_classes=2") as error:
            call(MASKS, num_classes=1)
        assert call(MASKS, num_classes=int(printed(str(error.value), r"(?<=num_classes=)\d"))) == []
    with pytest.raises(ValueError, match=r"0\.\.0.*found 1.*num_classes=2"):
        cross_entropy(net(1)(IMAGES), MASKS)


def test_labels_beyond_the_classes_name_them_before_the_loss_sees_them():
    def loss(logits, mask):
        raise AssertionError

    with pytest.raises(
        ValueError, match=r"the network has 2 classes, 0\.\.1, and a mask the label 2.*num_classes=3"
    ):
        fitted(MASKS * 2, loss=loss)
    assert fitted(MASKS + (MASKS * 1).flip(1), num_classes=3) == []
    with pytest.raises(ValueError, match="2 classes"):
        evaluated(MASKS * 2)
    # Labels that the loss or the data leave out are none.
    assert (
        fitted(MASKS.where(IMAGES[:, 0] > 0.1, -1), loss=lambda x, y: F.cross_entropy(x, y, ignore_index=-1))
        == []
    )


def test_a_label_beyond_the_classes_is_named_though_it_comes_late():
    """Long after all pictures have gone by once, and beside void, which is none."""

    class Late(Recorder):
        def __getitem__(self, index):
            image, mask = super().__getitem__(index)
            return image, mask.where(image[0] > 0.2, 255 if len(self.asked) < 20 else 3)

    options = {"loss": cross_entropy, **FAST}
    assert told(lambda: fit(net(2), Late(pictures(6)), **options | {"steps": 9}))[1] == []
    with pytest.raises(ValueError, match=r"0\.\.1, and a mask the label 3"):
        fit(net(2), Late(pictures(6)), **options | {"steps": 12})


def test_labels_of_a_batch_are_counted_mask_by_mask():
    labels = torch.tensor([[[0, 0], [2, 1]], [[1, 255], [1, 1]], [[-1, -7], [70_000, 90_000]]])
    counts = suspicion._counts(labels)
    assert counts.shape == (3, suspicion.MANY + 1)
    assert counts[:, :3].tolist() == [[2, 1, 1], [0, 3, 0], [0, 0, 0]]
    assert counts[1, 255] == 1
    assert counts[2].nonzero().tolist() == [[suspicion.MANY]]
    assert suspicion._counts(labels[:2].byte()).sum(1).tolist() == [4, 4]
    assert suspicion._counts(labels[:, :0]).sum() == 0


def test_class_255_is_not_void_too():
    logits, mask = torch.zeros(1, 300, 2, 2), torch.tensor([[[255, 0], [1, 299]]])
    with pytest.raises(ValueError, match=r"255 is one.*use ignore_index=-1"):
        cross_entropy(logits, mask)
    assert cross_entropy(logits, mask, ignore_index=-1).item() == pytest.approx(5.7038, abs=1e-4)
    data = TensorDataset(IMAGES, MASKS)
    with pytest.raises(ValueError, match="attribute ignore_index = -1"):
        segnb.evaluate(net(300), data)
    data.ignore_index = -1
    assert segnb.evaluate(net(300), data).num_classes == 300


def test_a_mask_that_only_looks_black():
    mask = MASKS[0].byte()
    assert mask.max() == 1  # of 255: black to the eye
    assert (255 * mask).max() == 255


class Overflows(nn.Module):
    """Its maps pass 65,504, the largest number of float16, on pictures with a bright pixel."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(1)
        self.wide, self.narrow = nn.Conv2d(1, 2, 1), nn.Conv2d(2, 2, 1)
        nn.init.constant_(self.wide.weight, 3e4)
        nn.init.constant_(self.narrow.weight, 1e-5)

    def forward(self, x):
        return self.norm(self.narrow(self.wide(self.norm(x) * 3)).narrow(1, 0, 1)).expand(-1, 2, -1, -1) * 1.0


def test_half_precision_overflows_and_its_cure(monkeypatch):
    monkeypatch.setattr(run_module, "_current", Run(CPU, torch.float16))
    torch.manual_seed(0)
    with pytest.raises(FloatingPointError, match=r"at step 1.*SEGNB_DTYPE=float32") as error:
        fit(Overflows(), pictures(4), loss=cross_entropy, **FAST)
    variable, value = printed(str(error.value), r"SEGNB_DTYPE=\w+").split("=")
    monkeypatch.setenv(variable, value)
    segnb.setup()
    fit(Overflows(), pictures(4), loss=cross_entropy, **FAST)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers_stop_a_training_and_leave_the_last_good_step(bad):
    """In batch norm's statistics too; and the generators are as before."""
    data = [*pictures(4), (torch.full((1, 8, 8), bad), torch.zeros(8, 8, dtype=torch.int64))]
    orders = ((seed, torch.randperm(5, generator=torch.Generator().manual_seed(seed))) for seed in range(99))
    options = FAST | {
        "batch_size": 1,
        "steps": 5,
        "seed": next(seed for seed, order in orders if order[3] == 4),
    }
    model, other = network(), network()
    torch.manual_seed(7)
    state = torch.get_rng_state()
    with pytest.raises(FloatingPointError, match="logits hold nan at step 4"):
        fit(model, data, loss=dice, **options)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(part.isfinite().all() for part in model.state_dict().values())
    assert model[1].num_batches_tracked == 3
    # The same three steps, and no more.
    with pytest.raises(ZeroDivisionError):
        fit(other, Stops(data, 4), loss=dice, **options)
    for name, part in weights_of(other).items():
        assert torch.equal(part, model.state_dict()[name]), name


def test_logits_that_the_loss_does_not_look_at_stop_a_training_too():
    def loss(logits, mask):
        return logits.nan_to_num(0, 0, 0).square().mean()

    data = [(torch.full((1, 8, 8), float("nan")), mask) for _, mask in pictures(4)]
    with pytest.raises(FloatingPointError, match="logits hold nan at step 1"):
        fit(net(2), data, loss=loss, **FAST)


class Stops(list):
    def __init__(self, items, at):
        super().__init__(items)
        self.left = at

    def __getitem__(self, index):
        self.left -= 1
        if not self.left:
            raise ZeroDivisionError
        return super().__getitem__(index)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers_stop_a_measurement(bad):
    class Says(nn.Module):
        def forward(self, x):
            return torch.cat([x, x.where(x < 0.999, bad)], 1)

    images = IMAGES.clone()
    segnb.evaluate(Says(), TensorDataset(images.clamp(max=0.9), MASKS))
    images[4, 0, 0, 0] = 1
    with pytest.raises(FloatingPointError, match=f"logits hold {bad} for item 4"):
        segnb.evaluate(Says(), TensorDataset(images, MASKS))
    # A class that cannot be is −inf, and that is a number to the softmax.
    segnb.evaluate(net(2), TensorDataset(IMAGES, MASKS))


SETS = [
    ("cells", 32, 1, 2),
    ("dish", 32, 1, 2),
    ("street", (32, 48), 3, 11),
    ("worlds", 32, 3, 4),
    ("countries", 64, 3, 5),
]


@pytest.mark.parametrize(("name", "size", "channels", "num_classes"), SETS)
@pytest.mark.parametrize("count", [1, 2, 4, 8])
def test_nothing_is_suspicious_in_the_sets_of_the_course(name, size, channels, num_classes, count):
    train, val = (Subset(load(name, split, size=size), range(min(count, 4))) for split in ("train", "val"))
    model = UNet(channels, num_classes, width=2, depth=1, padding="same")
    options = {
        "loss": cross_entropy,
        "steps": 2 * count,
        "batch_size": min(2, count),
        "lr": 1e-3,
        "progress": False,
    }
    for augment in (
        None,
        segnb.data.augment(segnb.data.flips(), segnb.data.intensity(), segnb.data.elastic(2.0)),
    ):
        assert told(lambda augment=augment: fit(model, train, val, augment=augment, **options))[1] == []
    assert told(lambda: segnb.evaluate(model, val))[1] == []
