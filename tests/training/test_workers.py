"""`fit(..., workers=n)`: the same numbers for any n, the same errors, and no process left over."""

import multiprocessing
import os
import random
import signal
import threading

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader, Subset

import segnb
from segnb.__main__ import main
from segnb.training import fit
from tests.training.shared import FAST, assert_same, network, pictures, sgd, shake, train
from tests.training.test_loop import by_hand

pytestmark = pytest.mark.skipif(
    multiprocessing.get_start_method() != "fork", reason="functions of a test cannot be sent to processes"
)


@pytest.fixture(autouse=True)
def no_process_is_left():
    yield
    assert multiprocessing.active_children() == []


class Drawn:
    """Items that draw from all generators, of which two are the data set's own."""

    def __init__(self):
        self.items = pictures(5)
        self.own = torch.Generator().manual_seed(7), np.random.default_rng(7), random.Random(7)

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        image, mask = self.items[index]
        theirs, numpys, pythons = self.own
        drawn = torch.rand((), generator=theirs) + float(numpys.random()) + pythons.random()
        return image + 0.1 * (drawn + torch.rand(()) + float(np.random.rand()) + random.random()), mask  # noqa: NPY002


@pytest.mark.parametrize("kind", ["augment", "random data", "both", "neither"])
def test_the_numbers_are_the_same_for_any_number_of_workers(kind):
    results = []
    for workers in (0, 1, 2):
        model, data = network(dropout=0.3), Drawn() if kind in ("random data", "both") else pictures(5)
        augment = shake if kind in ("augment", "both") else None
        history = fit(model, data, loss=F.cross_entropy, augment=augment, workers=workers, **FAST)
        results.append((model, history.loss))
    for model, losses in results[1:]:
        assert losses == results[0][1]
        assert_same(model, results[0][0])


def test_a_sum_over_many_pixels_is_the_same_on_any_number_of_threads():
    def contrast(image, mask):
        return (image - image.mean() + 0.5) / 1.1, mask

    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        losses = [
            fit(
                network(),
                pictures(3, side=400),
                loss=F.cross_entropy,
                augment=contrast,
                workers=workers,
                **FAST | {"steps": 2},
            ).loss
            for workers in (0, 1)
        ]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert losses[0] == losses[1]


def test_reading_moves_no_generator_that_the_network_draws_from():
    """Dropout's masks do not depend on what augmenting draws, or on who does it."""

    def draws_and_drops(image, mask):
        torch.rand(3), np.random.rand(3), random.random()  # noqa: NPY002
        return image, mask

    models = []
    for augment, workers in ((None, 0), (draws_and_drops, 0), (draws_and_drops, 2), (None, 2)):
        models.append(network(dropout=0.5))
        fit(models[-1], pictures(5), loss=F.cross_entropy, augment=augment, workers=workers, **FAST)
    for model in models[1:]:
        assert_same(model, models[0])


def test_a_generator_of_the_data_is_afterwards_as_it_was():
    data = Drawn()
    before = data.own[0].get_state(), data.own[1].bit_generator.state, data.own[2].getstate()
    fit(network(), data, loss=F.cross_entropy, **FAST)
    assert torch.equal(data.own[0].get_state(), before[0])
    assert (data.own[1].bit_generator.state, data.own[2].getstate()) == before[1:]


def test_no_two_items_draw_the_same():
    drawn = []

    def note(image, mask):
        drawn.append(torch.rand(()).item())
        return image, mask

    fit(network(), pictures(5), loss=F.cross_entropy, augment=note, **FAST)
    fit(network(), pictures(5), loss=F.cross_entropy, augment=note, seed=-1, **FAST)
    assert len(set(drawn)) == len(drawn) == 24


@pytest.mark.parametrize("workers", [1, 2])
def test_with_workers_it_is_the_loop_by_hand(workers):
    one, two = network(), network()
    data = pictures(7)
    history = fit(
        one, data, loss=F.cross_entropy, optimizer=sgd, workers=workers, **FAST | {"lr": 0.05, "steps": 11}
    )
    assert history.loss == by_hand(two, data, F.cross_entropy, 11, 2, 0.05, sgd)
    assert_same(one, two)


FORMS = {
    "PIL": lambda image, mask: (
        Image.fromarray((image[0] * 255).byte().numpy()),
        Image.fromarray(mask.byte().numpy()),
    ),
    "dict": lambda image, mask: {"image": image, "mask": mask},
    "H×W×C": lambda image, mask: (image.permute(1, 2, 0).numpy(), mask.numpy()),
    "weights": lambda image, mask: (image, mask, image[0] + 0.1),
}


def weighted(logits, mask, pixel_weight=None):
    return segnb.losses.cross_entropy(logits, mask, pixel_weight=pixel_weight)


@pytest.mark.parametrize("form", FORMS)
def test_items_of_every_form_and_a_part_of_a_set(form):
    data = Subset([FORMS[form](*item) for item in pictures(6)], [5, 1, 2, 4])
    one, two = network(), network()
    fit(one, data, loss=weighted, **FAST)
    fit(two, data, loss=weighted, workers=2, **FAST)
    assert_same(one, two)


class Fails:
    """A data set of which item 3 cannot be read."""

    def __init__(self, error):
        self.items, self.error = pictures(5), error

    def __len__(self):
        return 5

    def __getitem__(self, index):
        if index == 3:
            raise self.error
        return self.items[index]


class Odd(Exception):
    """Cannot be sent: it is made of two things and tells of one."""

    def __init__(self, one, two):
        super().__init__(one)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    "error", [segnb.data.DataError("3.png is no picture"), KeyError("a"), OSError(2, "gone", "3.png")]
)
def test_an_error_of_an_item_is_the_same_wherever_it_is_read(error, workers):
    told, models = [], []
    for number in (0, workers):
        models.append(network())
        with pytest.raises(type(error)) as raised:
            fit(models[-1], Fails(error), loss=F.cross_entropy, workers=number, **FAST)
        assert multiprocessing.active_children() == []  # while the error is still looked at
        told.append(raised.value)
    assert str(told[0]) == str(told[1])
    assert type(told[0]) is type(told[1])
    assert "in __getitem__" in told[1].__notes__[0]
    assert_same(*models)  # both stopped after the same step


def test_an_error_that_cannot_be_sent_is_told_in_words():
    with pytest.raises(RuntimeError, match=r"^Odd: one$"):
        fit(network(), Fails(Odd("one", "two")), loss=F.cross_entropy, workers=1, **FAST)


def test_items_that_do_not_fit_are_refused_as_ever():
    data = [*pictures(3), *pictures(2, side=12)]
    with pytest.raises(ValueError, match="cannot share a batch"):
        fit(network(), data, loss=F.cross_entropy, workers=2, **FAST)
    with pytest.raises(TypeError, match=r"loader\.dataset"):
        fit(network(), DataLoader(data), loss=F.cross_entropy, workers=2, **FAST)
    with pytest.raises(ValueError, match=r"workers is 0 .*, not -1"):
        fit(network(), pictures(4), loss=F.cross_entropy, workers=-1, **FAST)


def test_a_loss_that_fails_leaves_no_process():
    def fails(logits, mask):
        raise ValueError("no loss")

    with pytest.raises(ValueError, match="no loss") as held:
        fit(network(), pictures(5), loss=fails, workers=2, **FAST)
    assert multiprocessing.active_children() == []
    assert held


class Interrupts:
    """A loss that at its n-th call sends Ctrl-C to this process and its workers, as a terminal does."""

    def __init__(self, at=0, times=1):
        self._at, self._times, self._calls = at, times, 0

    def __call__(self, logits, mask):
        self._calls += 1
        if self._calls == self._at:
            for child in multiprocessing.active_children():
                os.kill(child.pid, signal.SIGINT)
            for _ in range(self._times):
                signal.raise_signal(signal.SIGINT)
        return F.cross_entropy(logits, mask)


def interrupted(loss, **options):
    """A network's training with workers; what it drew is in dropout, data and augment."""
    model = network(dropout=0.3)
    return model, fit(model, Drawn(), loss=loss, augment=shake, **FAST | options)


@pytest.mark.parametrize(("first", "then"), [(2, 0), (0, 2), (2, 2)])
def test_ctrl_c_lets_the_step_finish_and_any_number_of_workers_goes_on(first, then, ctrl_c, tmp_path):
    """What was read ahead and not used leaves no trace."""
    path = tmp_path / "c.pt"
    with pytest.raises(KeyboardInterrupt, match="after step 3 of 6; call it again") as held:
        interrupted(Interrupts(at=3), workers=first, checkpoint=path)
    assert multiprocessing.active_children() == []
    assert held
    assert len(torch.load(path, weights_only=True)["history"]["step"]) == 3

    model, history = interrupted(Interrupts(), workers=then, checkpoint=path)
    whole, unbroken = interrupted(Interrupts())
    assert history.loss == unbroken.loss
    assert_same(model, whole)
    _, longer = interrupted(Interrupts(), workers=then, checkpoint=path, extend=True, steps=8)
    _, alone = interrupted(Interrupts(), checkpoint=tmp_path / "d.pt")
    _, alone = interrupted(Interrupts(), checkpoint=tmp_path / "d.pt", extend=True, steps=8)
    assert longer.loss == alone.loss


def test_a_second_ctrl_c_stops_at_once(ctrl_c):
    with pytest.raises(KeyboardInterrupt) as held:
        interrupted(Interrupts(at=3, times=2), workers=2)
    assert multiprocessing.active_children() == []
    assert held


@pytest.mark.filterwarnings("ignore:Got pickle error")  # torch's own words
def test_data_that_cannot_be_sent_name_the_cure():
    before = multiprocessing.get_start_method()
    multiprocessing.set_start_method("spawn", force=True)
    try:
        with pytest.raises(TypeError, match="workers=0"):
            fit(network(), pictures(4), loss=F.cross_entropy, augment=lambda *item: item, workers=1, **FAST)
    finally:
        multiprocessing.set_start_method(before, force=True)


def test_in_a_thread():
    results = []
    thread = threading.Thread(target=lambda: results.append(train(workers=1)[1].loss))
    thread.start()
    thread.join()
    assert results == [train(workers=0)[1].loss]


def test_the_command_line_takes_workers(tmp_path, capsys):
    out = tmp_path / "net.pt"
    command = (
        f"train unet cells --size 32 --set width=2 depth=1 padding=same --steps 2 --batch-size 2 --out {out}"
    )
    lines = []
    for more in ("", " --workers 2"):
        assert main((command + more).split()) == 0
        lines.append(capsys.readouterr().out.splitlines()[-1])
    assert lines[0] == lines[1]
    assert main((command + " --workers -1").split()) == 2
    assert "workers" in capsys.readouterr().err
