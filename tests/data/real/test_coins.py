"""The photograph that comes with the package."""

import pickle

import pytest
import torch

from segnb import data


def test_its_halves_are_one_photograph():
    (left, left_mask), (right, right_mask) = (data.coins(split)[0] for split in ("train", "test"))
    assert left.shape == right.shape == (1, 303, 192)
    assert left_mask.shape == right_mask.shape == (303, 192)
    # What lies on both sides of the cut belongs together, and other columns do not.
    step = (left[0, :, -1] - right[0, :, 0]).abs().mean()
    assert step < 0.5 * (left[0, :, 0] - right[0, :, -1]).abs().mean()


@pytest.mark.parametrize("split", ["train", "test"])
def test_coins_are_brighter_than_the_ground(split):
    image, mask = data.coins(split)[0]
    assert mask.unique().tolist() == [0, 1]
    assert 0.3 < mask.float().mean() < 0.4
    assert image[0][mask == 1].median() > 2 * image[0][mask == 0].median()


def test_it_can_be_sent_to_workers_and_says_what_it_is():
    coins = pickle.loads(pickle.dumps(data.coins()))
    assert torch.equal(coins[0][1], data.coins()[0][1])
    assert (coins.num_classes, coins.classes, coins.generated) == (2, ("ground", "coin"), False)


def test_another_split_is_refused_by_name():
    with pytest.raises(ValueError, match='"train" and "test", not \'val\''):
        data.coins("val")
