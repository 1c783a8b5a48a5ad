"""The generators of random numbers: kept, put back, and left alone."""

import copy
import functools
import random
import types
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from ..run import seed_everything

# Things that hold no generator, or whose attributes lead everywhere.
PLAIN = (torch.Tensor, np.ndarray, str, bytes, int, float, type(None), type, types.ModuleType)


@contextmanager
def own_randomness(seed, device) -> Iterator[None]:
    """Generators seeded inside, and outside as if nothing had been drawn."""
    before = random_states(device)
    seed_everything(seed)
    try:
        yield
    finally:
        set_random_states(before, device)


class ItemRandomness:
    """A context for reading items: what they draw depends on their place in the training, not on who reads.

    start(step, place) seeds the CPU's generators of torch, numpy and random, and those that `things` hold.
    Afterwards all are as they were. One thread computes inside, as in a process of a DataLoader: on two, a
    sum over many pixels has other last digits.
    """

    def __init__(self, seed, *things):
        self.seed, self.things, self.generators = seed, things, None

    def __enter__(self):
        if self.generators is None:  # not before: functions cannot be sent to other processes
            self.generators = [*_global(), *map(_access, _generators(self.things, {}))]
        self.before = [get() for get, _, _ in self.generators]
        self.one_thread = _pools().limit(limits=1, user_api="openmp")

    def start(self, step, place) -> None:
        number = np.random.SeedSequence((self.seed % 2**64, step, place)).generate_state(1)
        for _, _, seed in self.generators:
            seed(int(number[0]))

    def __exit__(self, *error):
        self.one_thread.__exit__(*error)
        for (_, put, _), state in zip(self.generators, self.before, strict=True):
            put(state)


def random_states(device) -> dict:
    """The states of all generators, in types that torch.load reads with weights_only."""
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    return {
        "torch": torch.get_rng_state(),
        "device": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "numpy": (name, torch.from_numpy(keys.astype(np.int64)), *rest),
        "random": random.getstate(),
    }


def set_random_states(states, device) -> None:
    """Put back what `random_states` gave."""
    torch.set_rng_state(states["torch"])
    if states["device"] is not None and device.type == "cuda":
        torch.cuda.set_rng_state(states["device"], device)
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    random.setstate(states["random"])


@functools.cache
def _pools():
    """The threads that torch computes with.

    torch.set_num_threads would do, but makes torch forget its plans for all convolutions: a fifth of a small step.
    """
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def held_generators(thing) -> Iterator[None]:
    """Generators that `thing` (a data set, its transforms) holds are afterwards as they were before."""
    states = [_access(generator) for generator in _generators(thing, {})]
    states = [(get(), put) for get, put, _ in states]
    try:
        yield
    finally:
        for state, put in states:
            put(state)


def held(function) -> dict:
    """The values that a function found where it was defined, by name: its closure."""
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    cells = dict(zip(names, getattr(function, "__closure__", None) or ()))
    # A name that was deleted, or not yet given a value, leaves an empty cell, which equals no other.
    return {name: cell.cell_contents for name, cell in cells.items() if cell != types.CellType()}


def _access(generator):
    """(function that reads its state, function that sets it, function that seeds it)."""
    if isinstance(generator, np.random.Generator):
        bits = generator.bit_generator

        def put(state):
            bits.state = state

        return lambda: copy.deepcopy(bits.state), put, lambda seed: put(type(bits)(seed).state)
    if isinstance(generator, random.Random):
        return generator.getstate, generator.setstate, generator.seed
    seed = generator.manual_seed if isinstance(generator, torch.Generator) else generator.seed
    return generator.get_state, generator.set_state, seed


def _generators(thing, seen):
    """All generators in the attributes, entries and closures of `thing`."""
    if id(thing) in seen or isinstance(thing, PLAIN):
        return
    # The thing itself is kept too: the place of one that is gone is given to another.
    seen[id(thing)] = thing
    if isinstance(thing, (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)):
        yield thing
    elif isinstance(thing, (list, tuple, set, dict)):
        for part in thing.values() if isinstance(thing, dict) else thing:
            yield from _generators(part, seen)
    else:
        yield from _generators(held(thing), seen)
        yield from _generators(getattr(thing, "__self__", None), seen)
        yield from _generators(getattr(thing, "__dict__", None), seen)


def _global():
    """The three that everybody draws from."""
    # Not a constant: numpy loads its generators only when they are named.
    return (
        _access(torch.default_generator),
        (np.random.get_state, np.random.set_state, np.random.seed),
        (random.getstate, random.setstate, random.seed),
    )
