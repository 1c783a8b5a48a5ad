"""Laws of training: what decides a checkpoint's numbers is noted in it, and a run that was stopped goes on bit by bit."""

import contextlib
import functools
import io

import pytest
import torch
from hypothesis import assume
from hypothesis import strategies as st
from torch import nn

import segnb
from segnb.losses import cross_entropy, dice
from segnb.training.batches import batches
from segnb.training.identity import describe
from tests.fuzz.laws import SEEDS, folder, law, tried
from tests.fuzz.test_reader import damage
from tests.training.shared import assert_same, network, pictures

DATA, OTHER = pictures(5), pictures(5, seed=1)


def quiet(call):
    with contextlib.redirect_stdout(io.StringIO()):
        return call()


def fit(model, data=DATA, **options):
    options = {"steps": 4, "batch_size": 2, "lr": 0.05, "loss": cross_entropy, "progress": False} | options
    return quiet(lambda: segnb.fit(model, data, **options))


@law(
    images=st.integers(1, 40),
    size=st.integers(1, 40),
    seed=SEEDS,
    steps=st.integers(0, 60),
    done=st.integers(0, 60),
)
def test_batches_go_through_all_items_and_go_on_where_they_stopped(images, size, seed, steps, done):
    """An epoch has no item twice and leaves out fewer than a batch; going on gives the batches of an unbroken run."""
    assume(size <= images)
    whole = list(batches(images, size, seed, 0, steps))
    assert [step for step, _ in whole] == list(range(steps))
    per_epoch = images // size
    for start in range(0, steps, per_epoch):
        epoch = [i for _, batch in whole[start : start + per_epoch] for i in batch]
        assert len(set(epoch)) == len(epoch)
        assert set(epoch) <= set(range(images))
        assert all(len(batch) == size for _, batch in whole[start : start + per_epoch])
    assert list(batches(images, size, seed, done, steps)) == whole[done:]


PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=4), st.binary(max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.tuples(inner, inner), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)  # fmt: skip


@law(one=PLAIN, other=PLAIN)
def test_a_description_is_equal_for_equals_only(one, other):
    """Equal things have one description, and things that differ have two (lists and tuples count as the same)."""

    def plain(thing):
        if isinstance(thing, (list, tuple)):
            return ("list", *map(plain, thing))
        if isinstance(thing, dict):
            return ("dict", *((key, plain(value)) for key, value in thing.items()))
        return type(thing).__name__, repr(thing)

    assert (describe(one) == describe(other)) == (plain(one) == plain(other))
    assert describe(functools.partial(dice, smooth=one)) == describe(functools.partial(dice, smooth=one))


@law(seed=SEEDS, shape=st.lists(st.integers(1, 4), max_size=3), place=st.integers(0, 63), kind=st.sampled_from(["float32", "int64", "uint8", "float64", "bfloat16"]))  # fmt: skip
def test_a_description_sees_every_number(seed, shape, place, kind):
    """A copy of a tensor is described alike, one number changed is not, and neither is another shape or type."""
    one = torch.randint(0, 100, shape, generator=torch.Generator().manual_seed(seed)).to(getattr(torch, kind))
    assert describe(one) == describe(one.clone())
    other = one.clone()
    other.view(-1)[place % one.numel()] += 1
    assert describe(one) != describe(other)
    if one.ndim:
        assert describe(one) != describe(one[None])
        assert describe(one) != describe(one.to(torch.int16))
    assert describe(one.float().numpy()) == describe(one.float())


CHANGES = {
    "lr": {"lr": 0.06},
    "seed": {"seed": 3},
    "batch_size": {"batch_size": 3},
    "steps": {"steps": 3},
    "warmup": {"warmup": 0.5},
    "clip": {"clip": 1.0},
    "loss": {"loss": dice},
    "loss ": {"loss": functools.partial(cross_entropy, ignore_index=-1)},
    "data": {"data": OTHER},
    "images": {"data": DATA[:4]},
    "augment": {"augment": lambda image, mask: (image, mask)},
    "weight_decay": {"weight_decay": 0.5},
    "optimizer": {"optimizer": lambda parameters: torch.optim.SGD(parameters, lr=1)},
    "model": {"model": nn.Conv2d(1, 2, 1)},
}


@law(dear=4, name=st.sampled_from(sorted(CHANGES)), stop=st.integers(1, 4))
def test_a_checkpoint_of_another_training_is_refused(name, stop):
    """If anything that decides the numbers is another, the file is refused, and what it holds stays."""
    change = dict(CHANGES[name])
    with folder() as place:
        file = place / "run.pt"
        fit(network(), checkpoint=file)
        before = file.read_bytes()
        with pytest.raises(ValueError, match="different training") as told:
            fit(change.pop("model", None) or network(), checkpoint=file, **change)
        assert name.strip() in str(told.value) or name == "model"
        assert file.read_bytes() == before


class Stopped(Exception):
    pass


class StoppingLoss:
    """Cross entropy that stops the training at its n-th call. What it remembers is private: no part of its identity."""

    def __init__(self, at):
        self._left = at

    def __call__(self, logits, mask):
        self._left -= 1
        if self._left == 0:
            raise Stopped
        return cross_entropy(logits, mask)


@law(dear=4, stop=st.integers(1, 6), every=st.integers(1, 4), seed=st.integers(0, 99))
def test_a_training_goes_on_bit_by_bit(stop, every, seed):
    """Stopped at any step and called again, a training ends in the weights and losses of one that was not."""
    unbroken, broken, again = (network(dropout=0.3) for _ in range(3))
    history = fit(unbroken, steps=6, seed=seed)
    with folder() as place:
        options = {"steps": 6, "seed": seed, "checkpoint": place / "run.pt", "checkpoint_every": every}
        with contextlib.suppress(Stopped):
            fit(broken, loss=StoppingLoss(stop), **options)
        found = fit(again, loss=StoppingLoss(0), **options)
    assert found.loss == history.loss
    assert found.lr == history.lr
    assert_same(again, unbroken)


@functools.cache
def checkpoint():
    with folder() as place:
        fit(network(), checkpoint=place / "run.pt")
        return (place / "run.pt").read_bytes()


@law(dear=2, data=st.data())
def test_a_damaged_checkpoint_is_named_or_harmless(data):
    """A checkpoint that was changed is a ValueError naming it, or goes on as if it had not been."""
    content = data.draw(damage(checkpoint()))
    with folder() as place:
        file = place / "run.pt"
        file.write_bytes(content)
        history, told = tried(ValueError, fit, network(), checkpoint=file)
    assert "run.pt" in told if told else len(history.loss) == 4
