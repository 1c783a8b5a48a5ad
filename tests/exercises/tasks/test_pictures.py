"""Inputs that several sheets are tried on."""

import torch

from segnb.exercises.tasks.pictures import logits_and_mask


def test_every_class_is_there_but_for_those_that_are_to_be_absent():
    for seed in range(20):
        logits, mask = logits_and_mask(seed, 2, 7, absent=(0, 3), void=0.5)
        assert logits.shape == (2, 7, 5, 7)
        assert set(mask.unique().tolist()) - {255} == {1, 2, 4, 5, 6}


def test_void_lies_mostly_in_the_first_picture():
    shares = torch.stack(
        [(logits_and_mask(seed, 3, 4, void=0.3)[1] == 255).float().mean((1, 2)) for seed in range(40)]
    )
    first, *others = shares.mean(0)
    assert all(first > 2 * other > 0 for other in others)
    assert not (logits_and_mask(0, 3, 4)[1] == 255).any()


def test_no_axis_can_be_mistaken_for_another():
    logits, mask = logits_and_mask(1, 3, 4)
    assert len({*logits.shape}) == 4
    assert mask.shape == (logits.shape[0], *logits.shape[2:])
