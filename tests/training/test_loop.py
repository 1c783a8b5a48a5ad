"""`fit` against a loop written by hand, and everything that may interrupt it."""

import functools
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from segnb import run as run_module
from segnb.metrics import ConfusionMatrix
from segnb.models import UNet
from segnb.run import Run, seed_everything
from segnb.training import fit
from tests.training.shared import (
    CPU,
    FAST,
    READ,
    Recorder,
    assert_same,
    network,
    pictures,
    sgd,
    shake,
    train,
    weights_of,
)

# --- the loop -----------------------------------------------------------------------------------------------------


def by_hand(model, data, loss, steps, batch_size, lr, make_optimizer, warmup=0.0, clip=None, seed=0):
    """What the design says, in the plainest words."""
    optimizer = make_optimizer(model.parameters())
    generator = torch.Generator().manual_seed(seed)
    step, losses = 0, []
    model.train().to(memory_format=torch.channels_last)
    while step < steps:
        order = torch.randperm(len(data), generator=generator)
        for start in range(0, len(data) - batch_size + 1, batch_size):
            if step == steps:
                break
            chosen = [data[int(i)] for i in order[start : start + batch_size]]
            rise = min(1, (step + 1) / (warmup * steps)) if warmup else 1
            for group in optimizer.param_groups:
                group["lr"] = lr * rise * (1 - step / steps) ** 0.9
            image = torch.stack([item[0] for item in chosen]).to(memory_format=torch.channels_last)
            value = loss(model(image), torch.stack([item[1] for item in chosen]))
            optimizer.zero_grad()
            value.backward()
            if clip:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            losses.append(value.item())
            step += 1
    return losses


@pytest.mark.parametrize("options", [{}, {"warmup": 0.5}, {"clip": 0.05}, {"seed": 3}])
@pytest.mark.parametrize("optimizer", ["adamw", sgd])
def test_fit_is_the_loop_by_hand(options, optimizer):
    data, one, two = pictures(7), network(), network()
    history = fit(
        one,
        data,
        loss=F.cross_entropy,
        steps=11,
        batch_size=2,
        lr=0.05,
        optimizer=optimizer,
        progress=False,
        **options,
    )
    make = sgd if optimizer is sgd else lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=1e-4)
    losses = by_hand(two, data, F.cross_entropy, 11, 2, 0.05, make, **options)
    assert history.loss == losses
    assert_same(one, two)


@pytest.mark.filterwarnings("ignore::segnb.training.Suspicious")
@pytest.mark.parametrize("classes", [2, 4, 11])
def test_a_gradient_goes_back_through_an_enlarging_in_channels_last(classes):
    """And nothing else changes by it: the loop by hand ends in the same weights."""
    last, layouts = {"memory_format": torch.channels_last}, []

    def loss(logits, mask):
        kept = logits.grad_fn
        kept.register_hook(lambda _, after: layouts.append(after[0].is_contiguous(**last)))
        return F.cross_entropy(logits, mask)

    def net():
        torch.manual_seed(0)
        larger = nn.Upsample(scale_factor=4, mode="bilinear")
        return nn.Sequential(nn.Conv2d(1, 8, 4, stride=4), nn.Conv2d(8, classes, 1), larger)

    one, two, data = net(), net(), pictures(4, side=32)
    losses = fit(one, data, loss=loss, **FAST).loss
    assert layouts == [True] * FAST["steps"]
    adamw = functools.partial(torch.optim.AdamW, lr=0.05, weight_decay=1e-4)
    assert losses == by_hand(two, data, F.cross_entropy, 6, 2, 0.05, adamw)
    assert_same(one, two)


def test_the_rate_rises_and_falls_as_the_formula_says():
    history = fit(network(), pictures(4), loss=F.cross_entropy, warmup=0.2, **FAST | {"steps": 10, "lr": 0.1})
    assert history.lr == pytest.approx(
        [0.1 * min(1, (i + 1) / 2) * (1 - i / 10) ** 0.9 for i in range(10)], rel=1e-12
    )
    assert history.lr[0] == pytest.approx(0.05)
    plain = fit(network(), pictures(4), loss=F.cross_entropy, **FAST | {"steps": 4, "lr": 0.1})
    assert plain.lr == pytest.approx([0.1 * (1 - i / 4) ** 0.9 for i in range(4)], rel=1e-12)
    assert plain.step == [1, 2, 3, 4]
    assert plain.seconds == sorted(plain.seconds)


def test_batches_are_slices_of_a_fresh_permutation_and_a_short_one_is_left_out():
    data = Recorder(pictures(5))
    fit(network(), data, loss=F.cross_entropy, seed=9, **FAST)  # 6 steps of 2: three epochs of two batches
    generator = torch.Generator().manual_seed(9)
    expected = [torch.randperm(5, generator=generator)[:4].tolist() for _ in range(3)]
    assert data.asked == [index for epoch in expected for index in epoch]


def test_it_learns():
    model = network()
    history = fit(model, pictures(8), pictures(4, seed=1), loss=F.cross_entropy, **FAST | {"steps": 60})
    assert history.val[-1][1] > 0.9
    assert history.loss[-1] < history.loss[0] / 2


def test_frozen_weights_stay():
    model = network().requires_grad_(False)
    model[4].requires_grad_(True)
    before = weights_of(model)
    fit(model, pictures(4), loss=F.cross_entropy, **FAST)
    assert torch.equal(model[0].weight, before["0.weight"])
    assert not torch.equal(model[4].weight, before["4.weight"])


def test_train_mode_inside_and_eval_mode_at_the_end():
    modes = []
    model = network().eval()
    model[0].register_forward_hook(lambda module, args, output: modes.append(module.training))
    fit(model, pictures(4), pictures(2), loss=F.cross_entropy, val_every=3, **FAST)
    assert modes == [
        True,
        True,
        True,
        False,
        True,
        True,
        True,
        False,
    ]  # both pictures in one validation batch
    assert not any(module.training for module in model.modules())


def test_networks_that_return_a_dict():
    class Dict(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = network()

        def forward(self, x):
            return {"out": self.net(x), "aux": None}

    one, two = Dict(), network()
    fit(one, pictures(4), loss=F.cross_entropy, **FAST)
    fit(two, pictures(4), loss=F.cross_entropy, **FAST)
    assert_same(one.net, two)


# --- number formats -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_for_the_convolutions_only(monkeypatch, dtype):
    monkeypatch.setattr(run_module, "_current", Run(CPU, dtype))
    seen = []
    model = network()
    model[4].register_forward_hook(lambda module, args, output: seen.append(("conv", output.dtype)))

    def loss(logits, mask):
        inner = logits @ logits  # half precision if autocast were still on
        seen.append(("loss", logits.dtype, inner.dtype))
        return F.cross_entropy(logits, mask)

    history = fit(model, pictures(8), loss=loss, **FAST | {"steps": 40})
    assert set(seen) == {("conv", dtype), ("loss", torch.float32, torch.float32)}
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    assert history.loss[-1] < history.loss[0] / 2


def test_gradients_are_clipped_after_the_scaler_is_taken_out(monkeypatch):
    monkeypatch.setattr(run_module, "_current", Run(CPU, torch.float16))
    norms = []

    def optimizer(parameters):
        parameters = list(parameters)

        class Watch(torch.optim.SGD):
            def step(self, closure=None):
                norms.append(torch.cat([p.grad.flatten() for p in parameters]).norm().item())
                return super().step(closure)

        return Watch(parameters, lr=0.1)

    fit(
        network(),
        pictures(4),
        loss=F.cross_entropy,
        clip=0.02,
        optimizer=optimizer,
        **FAST,
    )
    assert norms == pytest.approx([0.02] * 6, rel=1e-3)


# --- masks, weights, sizes ----------------------------------------------------------------------------------------


class Valid(nn.Module):
    """Loses `top`, `left`, ... pixels like a network without padding; one weight, so that it can be trained."""

    def __init__(self, margin):
        super().__init__()
        self.margin, self.scale = margin, nn.Parameter(torch.ones(1))

    def forward(self, x):
        m = self.margin
        x = x[:, :, m : x.shape[2] - m, m : x.shape[3] - m] if m >= 0 else F.pad(x, (-m,) * 4)
        return torch.cat([x, -x], 1) * self.scale


def test_mask_and_weight_are_cropped_to_the_centre_never_stretched():
    """One bright pixel in image, mask and weight stays in one place."""
    image, mask, weight = torch.zeros(1, 20, 30), torch.zeros(20, 30, dtype=torch.int64), torch.zeros(20, 30)
    image[0, 7, 21] = mask[7, 21] = weight[7, 21] = 1
    seen = []

    def loss(logits, target, pixel_weight):
        seen.append((logits.shape, target.shape, pixel_weight.shape))
        for part in (logits[0, 0], target[0], pixel_weight[0]):
            assert part.nonzero().tolist() == [[4, 18]]
            assert part.max() == 1
        return logits.sum()

    fit(Valid(3), [(image, mask, weight)], loss=loss, **FAST | {"batch_size": 1, "steps": 1})
    assert seen == [((1, 2, 14, 24), (1, 14, 24), (1, 14, 24))]


def test_the_valid_u_net_is_trained_on_what_it_sees():
    history = fit(UNet(width=2, depth=1), pictures(4, side=24), loss=F.cross_entropy, **FAST)
    assert len(history.loss) == 6


def test_logits_larger_than_the_mask_are_refused():
    with pytest.raises(ValueError, match="larger than the masks"):
        fit(Valid(-1), pictures(2), loss=F.cross_entropy, **FAST)


def test_pixel_weights_reach_the_loss_with_their_own_image():
    data = pictures(4, weights=True)

    def loss(logits, mask, *, pixel_weight):
        assert torch.equal(pixel_weight - 0.1 > 0.5, mask == 1)
        return F.cross_entropy(logits, mask)

    fit(network(), data, loss=loss, **FAST)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda image, mask: (image, mask.float()), TypeError, r"mask.*float32.*mask\.long\(\)"),
        (lambda image, mask: (image, mask.bool()), TypeError, "mask.*bool"),
        (lambda image, mask: ((image * 255).byte(), mask), TypeError, "uint8.*255"),
        (lambda image, mask: (image[0], mask), ValueError, "C×H×W"),
        (lambda image, mask: (image, mask[None]), ValueError, "H×W"),
        (lambda image, mask: (image, mask[:4]), ValueError, "H×W"),
        (lambda image, mask: (image, mask, torch.ones(8, 7)), ValueError, "H×W"),
        (lambda image, mask: (image,), ValueError, "an item of the data set"),
        (lambda image, mask: image, ValueError, "an item of the data set"),
    ],
)
def test_items_that_are_none(change, error, message):
    with pytest.raises(error, match=message):
        fit(network(), [change(*item) for item in pictures(2)], loss=F.cross_entropy, **FAST)


def test_images_of_different_sizes_name_the_cure():
    with pytest.raises(ValueError, match=r"8, 8.*9, 9.*size="):
        fit(network(), pictures(1) + pictures(1, side=9), loss=F.cross_entropy, **FAST)
    fit(network(), pictures(1) + pictures(1, side=9), loss=F.cross_entropy, **FAST | {"batch_size": 1})


def test_numpy_items_and_small_integers_will_do():
    data = pictures(4)
    arrays = [(image.numpy(), mask.numpy().astype(np.uint8)) for image, mask in data]
    one, two = network(), network()
    fit(one, data, loss=F.cross_entropy, **FAST)
    fit(two, arrays, loss=F.cross_entropy, **FAST)
    assert_same(one, two)


def test_settings_that_cannot_work():
    data = pictures(3)
    with pytest.raises(ValueError, match="validation set is empty"):
        fit(network(), data, [], loss=F.cross_entropy, **FAST)
    with pytest.raises(ValueError, match=r"3 images.*batch_size=4"):
        fit(network(), data, loss=F.cross_entropy, **FAST | {"batch_size": 4})
    for wrong in ({"steps": 0}, {"batch_size": 0}, {"warmup": -0.1}, {"val_every": 2}, {"optimizer": "sgd"}):
        with pytest.raises(ValueError, match=r"at least 1|val_every=2|'sgd'"):
            fit(network(), data, loss=F.cross_entropy, **FAST | wrong)


# --- randomness ---------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_numbers_whatever_was_drawn_before():
    one, first = train()
    seed_everything(77)
    two, second = train()
    assert first.loss == second.loss
    assert_same(one, two)
    assert train(seed=1)[1].loss != first.loss


def test_validation_changes_nothing():
    one, first = train()
    two = network(dropout=0.3)
    second = fit(two, pictures(5), pictures(2), loss=F.cross_entropy, augment=shake, val_every=1, **FAST)
    assert first.loss == second.loss
    assert_same(one, two)


def test_the_generators_outside_are_left_alone():
    model = network()
    seed_everything(4)
    expected = (torch.rand(2).tolist(), np.random.rand(), random.random())  # noqa: NPY002
    seed_everything(4)
    train(model=model)
    assert (torch.rand(2).tolist(), np.random.rand(), random.random()) == expected  # noqa: NPY002


def test_augmentation_sees_each_item_with_its_weight():
    seen = []

    def augment(*item):
        seen.append(len(item))
        return item

    fit(network(), pictures(4), loss=F.cross_entropy, augment=augment, **FAST)
    fit(
        network(),
        pictures(4, weights=True),
        loss=lambda x, y, pixel_weight: F.cross_entropy(x, y),
        augment=augment,
        **FAST,
    )
    assert seen == [2] * 12 + [3] * 12


# --- validation and progress --------------------------------------------------------------------------------------


def test_validation_after_so_many_steps_and_at_the_end():
    model = network()
    val = pictures(3, seed=5)
    history = fit(model, pictures(4), val, loss=F.cross_entropy, val_every=4, **FAST)
    assert [step for step, _ in history.val] == [4, 6]
    matrix = ConfusionMatrix(2)
    for image, mask in val:
        matrix.update(model(image[None]), mask[None])
    assert history.val[-1][1] == pytest.approx(matrix.mean_iou.item())
    assert [step for step, _ in fit(model, pictures(4), val, loss=F.cross_entropy, **FAST).val] == [6]
    assert fit(model, pictures(4), loss=F.cross_entropy, **FAST).val == []


def test_a_bar_with_the_time_left_that_goes_away(capsys):
    fit(network(), pictures(4), loss=F.cross_entropy, **FAST | {"progress": True})
    out, err = capsys.readouterr()
    assert out == ""
    assert "/6 [" in err
    assert "<" in err  # elapsed<left
    assert err.endswith("\r")
    fit(network(), pictures(4), loss=F.cross_entropy, **FAST)
    assert capsys.readouterr() == ("", "")


# --- trouble on the way -------------------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_names_the_step_and_the_cures(tmp_path):
    calls = []

    def loss(logits, mask):
        calls.append(1)
        return F.cross_entropy(logits, mask) * (float("nan") if len(calls) == 4 else 1)

    model = network()
    with pytest.raises(FloatingPointError, match=r"nan at step 4.*lr.*warmup.*clip"):
        fit(model, pictures(4), loss=loss, checkpoint=tmp_path / "c.pt", checkpoint_every=1, **FAST)
    assert not model.training
    assert len(torch.load(tmp_path / "c.pt", weights_only=True)["history"]["step"]) == 3
    assert all(part.isfinite().all() for part in model.state_dict().values())


def test_ctrl_c_lets_the_step_finish(ctrl_c, tmp_path):
    data = Recorder(pictures(5), at=5, do=ctrl_c, skip=READ)  # the first item of step 3
    model = network(dropout=0.3)
    options = {"loss": F.cross_entropy, "augment": shake, "checkpoint": tmp_path / "c.pt"}
    with pytest.raises(KeyboardInterrupt, match="after step 3 of 6; call it again"):
        fit(model, data, **options, **FAST)
    assert len(data.asked) == 6
    assert not model.training
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    again = network(seed=8, dropout=0.3)  # other weights: the file's take their place
    data.asked.clear()
    data.at, data.skip = None, READ
    history = fit(again, data, **options, **FAST)
    assert len(data.asked) == 6  # three steps more, not six
    whole, unbroken = train()
    assert history.loss == unbroken.loss
    assert history.step == [1, 2, 3, 4, 5, 6]
    assert history.seconds == sorted(history.seconds)
    assert_same(again, whole)


def test_without_a_checkpoint_ctrl_c_still_leaves_a_network_to_look_at(ctrl_c):
    model = network()
    with pytest.raises(KeyboardInterrupt, match="after step 2 of 6; checkpoint= would"):
        fit(model, Recorder(pictures(5), at=4, do=ctrl_c), loss=F.cross_entropy, **FAST)
    assert not model.training


def test_a_second_ctrl_c_stops_at_once_and_the_last_checkpoint_stays(ctrl_c, tmp_path):
    data = Recorder(pictures(5), at=8, do=lambda: (ctrl_c(), ctrl_c()), skip=READ)  # within step 4
    with pytest.raises(KeyboardInterrupt):
        fit(
            network(dropout=0.3),
            data,
            loss=F.cross_entropy,
            augment=shake,
            checkpoint=tmp_path / "c.pt",
            checkpoint_every=2,
            **FAST,
        )
    assert len(data.asked) == 8
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    again, history = train(
        model=network(seed=8, dropout=0.3), checkpoint=tmp_path / "c.pt", checkpoint_every=2
    )
    whole, unbroken = train()
    assert history.loss == unbroken.loss
    assert_same(again, whole)


def test_somebody_elses_signal_handler_is_left_in_place():
    def other(signum, frame):
        raise AssertionError

    before = signal.signal(signal.SIGINT, other)
    try:
        data = Recorder(pictures(4), at=3, do=lambda: found.append(signal.getsignal(signal.SIGINT)))
        found = []
        fit(network(), data, loss=F.cross_entropy, **FAST)
        assert found == [other]
        assert signal.getsignal(signal.SIGINT) is other
    finally:
        signal.signal(signal.SIGINT, before)


def test_fit_runs_in_a_thread_too():
    done = []
    thread = threading.Thread(target=lambda: done.append(train()[1]))
    thread.start()
    thread.join()
    assert done[0].loss == train()[1].loss


ROOT = str(Path(__file__).resolve().parents[2])

# A training in another process, which sends itself a signal in the first half of step 14.
BROKEN = """
import os, signal, sys
sys.path.insert(0, sys.argv[3])
from tests.training import test_loop as t

kind, path = sys.argv[1:3]
signal.signal(signal.SIGINT, signal.default_int_handler)
t.run_module._current = t.Run(t.CPU, t.torch.float32)
t.long_training(path, t.Recorder(t.pictures(5), at=27, do=lambda: os.kill(os.getpid(), getattr(signal, kind)), skip=t.READ))
"""


def long_training(path, data):
    """Twenty steps with everything that has a state: momentum, batch norm, dropout, three generators, a warmup."""
    model = network(dropout=0.3)
    history = fit(
        model,
        data,
        loss=F.cross_entropy,
        steps=20,
        batch_size=2,
        lr=0.05,
        optimizer=sgd,
        clip=1.0,
        warmup=0.2,
        augment=shake,
        checkpoint=path,
        checkpoint_every=4,
        progress=False,
    )
    return model, history


@pytest.mark.parametrize(("kind", "kept"), [("SIGINT", 14), ("SIGKILL", 12)])
def test_training_killed_in_another_process_goes_on_to_the_same_numbers(kind, kept, tmp_path):
    path = tmp_path / "c.pt"
    broken = subprocess.run(
        [sys.executable, "-c", BROKEN, kind, str(path), ROOT],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
    )
    if kind == "SIGKILL":
        assert broken.returncode == -signal.SIGKILL
    else:
        assert "training stopped after step 14 of 20; call it again to go on" in broken.stderr
    assert len(torch.load(path, weights_only=True)["history"]["step"]) == kept

    data = Recorder(pictures(5), skip=READ)
    model, history = long_training(path, data)
    whole, unbroken = long_training(None, pictures(5))
    assert len(data.asked) == 2 * (20 - kept)
    assert history.loss == unbroken.loss
    assert history.lr == unbroken.lr
    assert_same(model, whole)


# --- several processes --------------------------------------------------------------------------------------------

TOGETHER = """
import os, sys
sys.path.insert(0, sys.argv[2])
from tests.training import test_loop as t

t.run_module._current = t.Run(t.CPU, t.torch.float32)
rank = os.environ["RANK"]
result = t.watched_training(seed=int(rank), checkpoint=sys.argv[1] + ".checkpoint")  # the first one's weights count
t.torch.save(result, sys.argv[1] + rank)
try:
    t.fit(t.network(), t.pictures(9), loss=t.F.cross_entropy, **t.FAST | {"batch_size": 3})
except ValueError as error:
    print("rank", rank, error)
"""


def watched_training(seed=0, checkpoint=None):
    """Five steps of a network without batch norm; all gradients, losses, validations and final weights."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1))
    gradients = []

    def optimizer(parameters):
        class Watch(torch.optim.SGD):
            def step(self, closure=None):
                gradients.append([p.grad.clone() for p in parameters])
                return super().step(closure)

        return Watch(parameters, lr=0.1)

    options = {"steps": 5, "batch_size": 4, "lr": 0.1, "optimizer": optimizer, "checkpoint": checkpoint}
    history = fit(model, pictures(9), pictures(2), loss=F.cross_entropy, **options)
    return {"gradients": gradients, "loss": history.loss, "val": history.val, "weights": weights_of(model)}


def test_two_processes_have_the_gradients_of_one(tmp_path):
    (tmp_path / "together.py").write_text(TOGETHER)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*command, str(tmp_path / "together.py"), str(tmp_path / "rank"), ROOT],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("0/5 [") == 1  # one bar
    for rank in (0, 1):
        assert f"rank {rank} batch_size=3 cannot be shared equally by 2 processes" in done.stdout

    first, second = (torch.load(tmp_path / f"rank{rank}") for rank in (0, 1))
    alone = watched_training()
    for here, there, whole in zip(first["gradients"], second["gradients"], alone["gradients"], strict=True):
        for one, two, three in zip(here, there, whole, strict=True):
            assert torch.equal(one, two)
            torch.testing.assert_close(one, three, rtol=1e-4, atol=1e-6)
    assert first["loss"] == second["loss"] == pytest.approx(alone["loss"], rel=1e-5)
    torch.testing.assert_close(first["weights"], alone["weights"], rtol=1e-4, atol=1e-6)
    assert first["val"][0][1] == pytest.approx(alone["val"][0][1], abs=0.02)
    assert second["val"] == []  # only the first one validates and writes
    assert len(torch.load(tmp_path / "rank.checkpoint", weights_only=True)["history"]["step"]) == 5
