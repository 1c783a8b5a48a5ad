"""What the fuzzers share: how a law is tried, and how often.

A law is a sentence that must hold for anything that a reader may hand in: the docstring of a property. The tests try a
few fixed examples of each (see tests/conftest.py); `make fuzz` goes on with new ones until it is stopped.
"""

import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**32 - 1)


def law(*, dear=1, **strategies):
    """Marks a property, to be tried with values of these strategies. dear: how much more an example costs than usual."""

    def mark(test):
        count = max(3, settings.default.max_examples // dear)
        return settings(max_examples=count)(given(**strategies)(test))

    return mark


def tried(refusal, call, *arguments, **options):
    """(what a call gives, None) or (None, the sentence with which it is refused)."""
    try:
        return call(*arguments, **options), None
    except refusal as problem:
        return None, str(problem)


def generator(seed):
    return torch.Generator().manual_seed(seed)


def numbers(seed):
    return np.random.default_rng(seed)


@contextmanager
def folder():
    """An empty folder, gone afterwards."""
    with tempfile.TemporaryDirectory() as place:
        yield Path(place)


def layouts(tensor, kind):
    """The same numbers, lying otherwise in memory."""
    if kind == "transposed":
        return tensor.mT.contiguous().mT
    if kind == "every other":
        wide = torch.stack([tensor, tensor.flip(-1)], -1).flatten(-2)
        return wide[..., ::2]
    if kind == "channels last" and tensor.ndim == 4:
        return tensor.contiguous(memory_format=torch.channels_last)
    return tensor


LAYOUTS = st.sampled_from(["plain", "transposed", "every other", "channels last"])
