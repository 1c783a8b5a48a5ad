"""Checkpoints of `fit`: what goes on, what is refused and why, and what trouble on the disk leaves behind."""

import functools
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import segnb
from segnb import losses
from segnb import run as run_module
from segnb.models import UNet
from segnb.run import Run
from segnb.saving import unwrapped
from segnb.training import History, fit
from segnb.training.identity import data_identity, describe
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
)

ROOT = str(Path(__file__).resolve().parents[2])


def test_a_finished_training_returns_at_once(tmp_path):
    model, history = train(checkpoint=tmp_path / "c.pt")
    again = network(seed=8, dropout=0.3)
    data = Recorder(pictures(5), skip=READ)
    same = fit(again, data, loss=F.cross_entropy, augment=shake, checkpoint=tmp_path / "c.pt", **FAST)
    assert data.asked == []
    assert same == history
    assert isinstance(same, History)
    assert not again.training
    assert_same(again, model)


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 7},
        {"batch_size": 1},
        {"lr": 0.06},
        {"seed": 1},
        {"clip": 1.0},
        {"warmup": 0.1},
        {"optimizer": sgd},
    ],
)
def test_other_settings_are_refused_by_name(change, tmp_path):
    train(checkpoint=tmp_path / "c.pt")
    before = (tmp_path / "c.pt").read_bytes()
    with pytest.raises(ValueError, match=rf"c\.pt.*{next(iter(change))} was .*give another checkpoint="):
        train(checkpoint=tmp_path / "c.pt", **change)
    assert (tmp_path / "c.pt").read_bytes() == before


def test_another_network_is_refused(tmp_path):
    """Other shapes, another class, and the same shapes with other arguments."""
    data = pictures(4, side=16)

    def fit_to(model):
        fit(model, data, loss=F.cross_entropy, checkpoint=tmp_path / "c.pt", **FAST)

    fit_to(UNet(width=2, depth=1, padding="same"))
    with pytest.raises(ValueError, match="shapes of the weights was"):
        fit_to(UNet(width=3, depth=1, padding="same"))
    with pytest.raises(ValueError, match=r"'padding': 'same'.*'padding': 'valid'"):
        fit_to(UNet(width=2, depth=1, padding="valid"))
    with pytest.raises(ValueError, match="class was UNet, is Other"):
        fit_to(type("Other", (UNet,), {})(width=2, depth=1, padding="same"))


def test_a_compiled_part_is_the_plain_one(tmp_path):
    data, models = pictures(4, side=16), [UNet(width=2, depth=1, padding="same") for _ in range(2)]
    options = {"loss": F.cross_entropy, "checkpoint": tmp_path / "c.pt", **FAST}
    history = fit(models[0], data, **options)
    models[1].encoder = torch.compile(models[1].encoder, backend="eager")
    assert fit(models[1], data, **options) == history
    assert_same(unwrapped(models[1]), models[0])


def test_other_data_are_refused(tmp_path):
    train(checkpoint=tmp_path / "c.pt")
    with pytest.raises(ValueError, match="images was 5, is 4"):
        fit(network(dropout=0.3), pictures(4), loss=F.cross_entropy, checkpoint=tmp_path / "c.pt", **FAST)


@pytest.mark.parametrize("content", [b"", b"something else", "half"])
def test_a_file_that_is_no_checkpoint_is_not_written_over(content, tmp_path):
    path = tmp_path / "c.pt"
    if content == "half":
        train(checkpoint=path)
        content = path.read_bytes()[:-100]
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"c\.pt is not a checkpoint written by segnb\.fit"):
        train(checkpoint=path)
    assert path.read_bytes() == content


def test_a_path_that_cannot_be_written_fails_before_the_first_step(tmp_path):
    (tmp_path / "file").write_text("")
    data = Recorder(pictures(4), skip=8)
    with pytest.raises(OSError, match="file"):
        fit(network(), data, loss=F.cross_entropy, checkpoint=tmp_path / "file" / "c.pt", **FAST)
    assert data.asked == []


def test_numbers_of_numpy_survive_the_checkpoint(tmp_path):
    options = {"lr": np.float64(0.05), "steps": np.int64(6), "seed": np.int64(0)}
    _, history = train(checkpoint=tmp_path / "c.pt", **options)
    assert train(checkpoint=tmp_path / "c.pt", **options)[1] == history


def test_the_scaler_of_float16_is_kept(monkeypatch, tmp_path, ctrl_c):
    monkeypatch.setattr(run_module, "_current", Run(CPU, torch.float16))
    data = Recorder(pictures(5), at=6, do=ctrl_c, skip=READ)
    with pytest.raises(KeyboardInterrupt):
        fit(
            network(dropout=0.3),
            data,
            loss=F.cross_entropy,
            augment=shake,
            checkpoint=tmp_path / "c.pt",
            **FAST,
        )
    assert torch.load(tmp_path / "c.pt", weights_only=True)["scaler"]["scale"] == 65536.0
    again, history = train(checkpoint=tmp_path / "c.pt")
    whole, unbroken = train()
    assert history.loss == unbroken.loss
    assert_same(again, whole)


def test_a_training_of_another_number_format_is_refused(monkeypatch, tmp_path):
    train(checkpoint=tmp_path / "c.pt")
    monkeypatch.setattr(run_module, "_current", Run(CPU, torch.bfloat16))
    with pytest.raises(ValueError, match=r"number format was float32, is bfloat16.*another checkpoint="):
        train(checkpoint=tmp_path / "c.pt")


def steps_in(path):
    return len(torch.load(path, weights_only=True)["history"]["step"])


# --- what decides the result ------------------------------------------------------------------------------------------


def started(path, data=None, **options):
    """The training of one step whose file the others meet."""
    options = {"loss": losses.cross_entropy, **FAST, "steps": 1} | options
    return fit(network(), data or pictures(5), checkpoint=path, **options)


def adam(weight_decay):
    return functools.partial(torch.optim.Adam, weight_decay=weight_decay)


def weighted(weight):
    def loss(logits, mask):
        return F.cross_entropy(logits, mask, weight=weight)

    return loss


ONE, TWO = torch.tensor([1.0, 1.0]), torch.tensor([1.0, 2.0])
inverted = [(image, 1 - mask) for image, mask in pictures(5)]
one_pixel = [(image.clone(), mask.clone()) for image, mask in pictures(5)]
one_pixel[4][0][0, 0, 0] += 0.01
flips, turns = segnb.data.augment(segnb.data.flips()), segnb.data.augment(segnb.data.quarter_turns())
DIFFERENT = {
    "another loss": ("loss", {}, {"loss": losses.dice}),
    "another option of the loss": (
        "loss",
        {"loss": functools.partial(losses.tversky, beta=0.5)},
        {"loss": functools.partial(losses.tversky, beta=0.7)},
    ),
    "another tensor in a partial": (
        "loss",
        {"loss": functools.partial(losses.cross_entropy, weight=ONE)},
        {"loss": functools.partial(losses.cross_entropy, weight=TWO)},
    ),
    "another tensor in a closure": ("loss", {"loss": weighted(ONE)}, {"loss": weighted(TWO)}),
    "a module with another setting": (
        "loss",
        {"loss": nn.CrossEntropyLoss(label_smoothing=0.1)},
        {"loss": nn.CrossEntropyLoss(label_smoothing=0.2)},
    ),
    "lambdas that call different losses": (
        "loss",
        {"loss": lambda x, y: losses.dice(x, y)},
        {"loss": lambda x, y: losses.focal(x, y)},
    ),
    "another number in the code": (
        "loss",
        {"loss": lambda x, y: losses.dice(x, y, smooth=0.5)},
        {"loss": lambda x, y: losses.dice(x, y, smooth=0.25)},
    ),
    "augment or none": ("augment", {}, {"augment": flips}),
    "other parts": ("augment", {"augment": flips}, {"augment": turns}),
    "another setting of a part": (
        "augment",
        {"augment": segnb.data.augment(segnb.data.elastic(3.0))},
        {"augment": segnb.data.augment(segnb.data.elastic(4.0))},
    ),
    "inverted masks": ("data", {}, {"data": inverted}),
    "one pixel": ("data", {}, {"data": one_pixel}),
    "options of the optimiser": (
        "weight_decay of the optimiser",
        {"optimizer": adam(0.1)},
        {"optimizer": adam(0.2)},
    ),
    "weight decay": ("weight_decay of the optimiser", {}, {"weight_decay": 0.5}),
}


@pytest.mark.parametrize("kind", DIFFERENT)
def test_what_decides_the_result_is_told_apart_by_name(kind, tmp_path):
    name, first, then = DIFFERENT[kind]
    path = tmp_path / "c.pt"
    started(path, **first)
    before = path.read_bytes()
    with pytest.raises(
        ValueError, match=rf"c\.pt.*\({name} was .*give another checkpoint=, or delete"
    ) as told:
        started(path, **then)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["c.pt"]
    assert len(str(told.value)) < 700
    # Both cures, obeyed.
    started(tmp_path / "other.pt", **then)
    path.unlink()
    started(path, **then)
    assert steps_in(path) == 1


@pytest.mark.parametrize("kind", DIFFERENT)
def test_the_same_training_is_known_again(kind, tmp_path, capsys):
    """With every kind of setting, made a second time."""
    _, first, _ = DIFFERENT[kind]
    started(tmp_path / "c.pt", **first)
    if kind == "another tensor in a closure":
        first = {"loss": weighted(ONE.clone())}
    started(tmp_path / "c.pt", **first)
    assert "finished run: nothing to train" in capsys.readouterr().out


def test_dropout_and_frozen_layers_are_part_of_the_network(tmp_path):
    path = tmp_path / "c.pt"
    fit(network(dropout=0.1), pictures(4), loss=F.cross_entropy, checkpoint=path, **FAST)
    with pytest.raises(ValueError, match="layers was"):
        fit(network(dropout=0.2), pictures(4), loss=F.cross_entropy, checkpoint=path, **FAST)
    frozen = network(dropout=0.1)
    frozen[0].requires_grad_(False)
    with pytest.raises(ValueError, match=r"frozen weights was none, is 0\.weight"):
        fit(frozen, pictures(4), loss=F.cross_entropy, checkpoint=path, **FAST)


class Random:
    """A set whose items differ at each reading, drawn from a generator of its own or from the global one."""

    classes = ("a", "b")

    def __init__(self, own):
        self.generator = torch.Generator().manual_seed(1) if own else None
        self.numpy = np.random.default_rng(1)
        self.python = random.Random(1)

    def __len__(self):
        return 5

    def __getitem__(self, index):
        noise = torch.rand((1, 8, 8), generator=self.generator)
        noise = noise * 0.5 + float(self.numpy.random() + self.python.random()) * 0.2
        return noise, pictures(5)[index][1]


@pytest.mark.parametrize("own", [True, False])
def test_data_that_differ_at_each_reading_count_by_number_and_classes(own, tmp_path, capsys):
    without = fit(network(), Random(own), loss=F.cross_entropy, **FAST)
    assert capsys.readouterr().out == ""
    path = tmp_path / "c.pt"
    model, outside = network(), (torch.get_rng_state(), random.getstate())
    history = fit(model, Random(own), loss=F.cross_entropy, checkpoint=path, **FAST)
    assert torch.equal(torch.get_rng_state(), outside[0])
    assert random.getstate() == outside[1]
    assert "differ each time they are read" in capsys.readouterr().out
    # No generator was disturbed by the reading, neither the global ones nor the set's own.
    assert history.loss == without.loss
    fit(network(), Random(own), loss=F.cross_entropy, checkpoint=path, **FAST)
    assert "finished run" in capsys.readouterr().out
    renamed = Random(own)
    renamed.classes = ("a", "c")
    with pytest.raises(ValueError, match=r"classes was \('a', 'b'\), is \('a', 'c'\)"):
        fit(network(), renamed, loss=F.cross_entropy, checkpoint=path, **FAST)


def test_a_large_set_is_sampled_from_end_to_end():
    data = Recorder([(torch.zeros(1, 1, 1), torch.zeros(1, 1).long())] * 1000)
    data_identity(data, CPU)
    assert len(data.asked) == 64
    assert {min(data.asked), max(data.asked)} == {0, 999}
    assert max(b - a for a, b in zip(data.asked, data.asked[1:32])) <= 33


def test_descriptions_hold_no_place_in_memory():
    def loss(a, b, weight=ONE, *, c=2):
        return weighted(a)

    parts = [
        loss,
        functools.partial(loss, c=segnb.data.flips()),
        losses.dice,
        network(),
        segnb.data.augment(segnb.data.elastic()),
    ]
    parts += [
        np.float64(1),
        {1: {2}},
        nn.CrossEntropyLoss(TWO).forward,
        torch.float16,
        slice(1),
        loss.__call__,
    ]
    for part in parts:
        assert "0x" not in describe(part)
        assert describe(part) == describe(part)
    loop = []
    loop.append(loop)
    assert describe(loop) == "(...)"


# --- going on ---------------------------------------------------------------------------------------------------------


def test_fit_says_from_where_it_goes_on(tmp_path, ctrl_c, capsys):
    path = tmp_path / "c.pt"
    with pytest.raises(KeyboardInterrupt):
        started(path, Recorder(pictures(5), at=3, do=ctrl_c, skip=READ), steps=6)
    assert capsys.readouterr().out == ""
    started(path, steps=6)
    assert capsys.readouterr().out == f"{path}: going on from step 2 of 6\n"
    started(path, steps=6)
    assert capsys.readouterr().out == f"{path}: finished run: nothing to train\n"


def test_a_finished_run_goes_on_when_asked(tmp_path, capsys):
    path = tmp_path / "c.pt"
    started(path, steps=4, warmup=0.5)
    with pytest.raises(ValueError, match=r"steps was 4, is 10.*extend=True.*another checkpoint="):
        started(path, steps=10, warmup=0.5)
    history = started(path, steps=10, warmup=0.5, extend=True)
    assert "going on from step 4 of 10, where 4 were planned" in capsys.readouterr().out
    assert history.step == list(range(1, 11))
    short, long = (started(None, steps=n, warmup=0.5).lr for n in (4, 10))
    assert history.lr == short + long[4:]
    assert steps_in(path) == 10
    # From now on it is a training of ten steps.
    assert started(path, steps=10, warmup=0.5) == history
    with pytest.raises(ValueError, match="steps was 10, is 4"):
        started(path, steps=4, warmup=0.5, extend=True)
    with pytest.raises(ValueError, match="steps was 10, is 12; warmup was"):
        started(path, steps=12, warmup=0.1, extend=True)


def test_the_network_is_read_out_of_a_checkpoint(tmp_path):
    path = tmp_path / "c.pt"
    net = UNet(width=2, depth=1, padding="same", norm="batch")
    fit(net, pictures(4), loss=F.cross_entropy, checkpoint=path, **FAST)
    assert_same(segnb.load(path), net)
    fit(network(), pictures(4), loss=F.cross_entropy, checkpoint=tmp_path / "other.pt", **FAST)
    with pytest.raises(ValueError, match="not of segnb") as told:
        segnb.load(tmp_path / "other.pt")
    model = network(seed=3)
    exec(re.search(r"model\.load_state_dict.*", str(told.value)).group(), {"model": model, "torch": torch})
    trained = network()
    fit(trained, pictures(4), loss=F.cross_entropy, **FAST)
    assert_same(model, trained)


def test_a_checkpoint_of_an_older_segnb(tmp_path):
    torch.save({"format": "segnb training 1", "settings": {}, "history": {}}, tmp_path / "c.pt")
    for call in (lambda: started(tmp_path / "c.pt"), lambda: segnb.load(tmp_path / "c.pt")):
        with pytest.raises(ValueError, match=r"c\.pt is a checkpoint of an older segnb.*delete it"):
            call()
    (tmp_path / "c.pt").unlink()
    started(tmp_path / "c.pt")


@pytest.mark.parametrize("wrap", [lambda net: torch.compile(net, backend="eager"), nn.DataParallel])
def test_a_compiled_or_wrapped_network_goes_on_as_the_plain_one(wrap, tmp_path, ctrl_c):
    options = {"loss": F.cross_entropy, "checkpoint": tmp_path / "c.pt", **FAST}
    plain, wrapped = UNet(width=2, depth=1, padding="same"), UNet(width=2, depth=1, padding="same")
    wrapped.load_state_dict(plain.state_dict())
    fit(plain, pictures(5), loss=F.cross_entropy, **FAST)
    with pytest.raises(KeyboardInterrupt):
        fit(wrap(wrapped), Recorder(pictures(5), at=5, do=ctrl_c, skip=READ), **options)
    again = UNet(width=2, depth=1, padding="same")
    fit(again, pictures(5), **options)
    assert_same(again, plain)
    finished = UNet(width=2, depth=1, padding="same")
    fit(wrap(finished), pictures(5), **options)
    assert_same(finished, plain)
    assert type(segnb.load(tmp_path / "c.pt")) is UNet


# --- trouble ----------------------------------------------------------------------------------------------------------


class Fails(list):
    broken = True

    def __getitem__(self, index):
        if self.broken:
            raise RuntimeError("out of memory")
        return super().__getitem__(index)


def test_a_validation_that_fails_costs_nothing(tmp_path):
    val, path = Fails(pictures(2, seed=4)), tmp_path / "c.pt"
    options = {"loss": F.cross_entropy, "checkpoint": path, "val_every": 2, **FAST}
    for done in (2, 2):
        with pytest.raises(RuntimeError, match="out of memory"):
            fit(network(), pictures(5), val, **options, checkpoint_every=2)
        assert steps_in(path) == done
    with pytest.raises(RuntimeError, match="out of memory"):
        fit(network(), pictures(5), val, **options | {"checkpoint": tmp_path / "d.pt", "val_every": None})
    assert steps_in(tmp_path / "d.pt") == 6
    # Mended, the validation that was due is made, and the rest too.
    val.broken = False
    model = network(seed=5)
    history = fit(model, pictures(5), val, **options, checkpoint_every=2)
    whole = fit(network(), pictures(5), val, loss=F.cross_entropy, val_every=2, **FAST)
    assert (history.val, history.loss) == (whole.val, whole.loss)
    last = fit(
        network(seed=6), pictures(5), val, **options | {"checkpoint": tmp_path / "d.pt", "val_every": None}
    )
    assert last.val == whole.val[-1:]
    assert torch.load(tmp_path / "d.pt", weights_only=True)["history"]["val"] == last.val


FULL = """
import resource, signal, sys
sys.path.insert(0, sys.argv[2])
from tests.training import test_checkpoint as t

t.run_module._current = t.Run(t.CPU, t.torch.float32)
net = t.nn.Conv2d(1, 2, 9, padding=4)
optimizer = t.torch.optim.SGD
options = {"loss": t.F.cross_entropy, "checkpoint": sys.argv[1], "optimizer": optimizer} | t.FAST | {"lr": 0.1}
def shrink(*item):
    if sys.argv[3] == "later":
        limit(3000)
    return item
def limit(size):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
if sys.argv[3] == "at once":
    limit(3000)
before = net.weight.clone()
try:
    t.fit(net, t.pictures(4), augment=shrink, checkpoint_every=2, **options)
except OSError as error:
    print(type(error).__name__, error, "moved", not t.torch.equal(net.weight, before), "training", net.training)
"""


@pytest.mark.parametrize("when", ["at once", "later"])
def test_a_full_disk_is_named_and_leaves_what_was_there(when, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "c.pt"), ROOT, when],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("OSError [Errno 27]")
    assert "c.pt cannot be written, File too large" in done.stdout
    assert "training False" in done.stdout
    assert ("still there" in done.stdout) == (when == "later")
    assert f"moved {when == 'later'}" in done.stdout
    assert [file.name for file in tmp_path.iterdir()] == (["c.pt"] if when == "later" else [])
    if when == "later":
        assert steps_in(tmp_path / "c.pt") == 0


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_a_folder_that_may_only_be_read(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match=r"c\.pt cannot be written"):
        started(tmp_path / "c.pt")
    assert not list(tmp_path.iterdir())


def test_two_trainings_on_one_file(tmp_path):
    path = tmp_path / "c.pt"
    told = []

    def second():
        with pytest.raises(
            ValueError, match=r"another training is writing .*c\.pt.*another checkpoint="
        ) as error:
            started(path, steps=6)
        told.append(error)
        # The cure, obeyed.
        started(tmp_path / "other.pt", steps=6)

    started(path, Recorder(pictures(5), at=3, do=second, skip=READ), steps=6)
    assert len(told) == 1
    assert steps_in(path) == steps_in(tmp_path / "other.pt") == 6
    assert sorted(file.name for file in tmp_path.iterdir()) == ["c.pt", "other.pt"]
    # The other cure: to wait for its end.
    started(path, steps=6)


LOCKS = """
import sys
sys.path.insert(0, sys.argv[2])
from segnb.disk import locked
with locked(sys.argv[1], "taken"):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_the_lock_of_another_process_ends_with_it(tmp_path):
    path = tmp_path / "c.pt"
    other = subprocess.Popen(
        [sys.executable, "-c", LOCKS, str(path), ROOT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout.readline() == "locked\n"
    with pytest.raises(ValueError, match="another training is writing"):
        started(path)
    other.kill()
    other.communicate()
    assert (tmp_path / "c.pt.lock").exists()
    started(path)
    assert [file.name for file in tmp_path.iterdir()] == ["c.pt"]
