"""Fixtures of all tests of training."""

import signal

import pytest
import torch

from segnb import run as run_module
from segnb.run import Run
from tests.training.shared import CPU


@pytest.fixture(autouse=True)
def float32(monkeypatch):
    """The same number format on every machine, and no trace of torchrun."""
    monkeypatch.setattr(run_module, "_current", Run(CPU, torch.float32))
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ctrl_c():
    """Ctrl-C as an interactive Python has it, even where the tests themselves run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)
