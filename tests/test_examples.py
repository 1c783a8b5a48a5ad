"""The examples in docstrings (`>>>`): each runs and prints what stands there, and what a learner asks for has one."""

import doctest
import importlib
import pkgutil

import pytest
import torch

import segnb

# The example may use what its module does, and these.
NAMES = {"torch": torch, "segnb": segnb, "UNet": segnb.models.UNet}
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
MODULES = [one.name for one in pkgutil.walk_packages(segnb.__path__, "segnb.")]
EXAMPLES = {
    found.name: found
    for module in (importlib.import_module(name) for name in MODULES)
    for found in doctest.DocTestFinder(exclude_empty=True).find(module, extraglobs=NAMES)
    if found.examples
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_prints_what_stands_there(name):
    said = []
    doctest.DocTestRunner(optionflags=OPTIONS).run(EXAMPLES[name], out=said.append)
    assert not said, "".join(said)


@pytest.mark.parametrize(
    "name",
    [
        *("metrics.ConfusionMatrix", "metrics.boundary_f1", "receptive_field.receptive_field"),
        *("shapes.as_item", "tiling.tiles", "tiling.mirrored", "data.sets.load"),
    ],
)
def test_what_a_learner_asks_for_has_an_example_of_two_or_three_lines(name):
    assert 1 <= len(EXAMPLES[f"segnb.{name}"].examples) <= 3
