import pytest
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader

from segnb import losses
from segnb.data import load, with_weight_map


def test_items_are_image_mask_and_the_papers_weights():
    data = load("dish", "val", size=64)
    weighted = with_weight_map(data, w0=7, sigma=3)
    image, mask, weight = weighted[1]
    assert torch.equal(image, data[1][0])
    assert torch.equal(mask, data[1][1])
    assert weight.dtype == torch.float32
    assert torch.equal(weight, losses.unet_weight_map(mask, w0=7, sigma=3))
    assert torch.equal(with_weight_map(data)[1][2], losses.unet_weight_map(mask, w0=10, sigma=5))
    assert not torch.equal(with_weight_map(data)[1][2], weight)


def test_background_between_touching_cells_weighs_much_more_than_open_background():
    _, mask, weight = with_weight_map(load("dish", "val"))[0]
    background = (mask == 0).float()[None]
    open_background = -F.max_pool2d(-background, 9, 1, 4)[0] == 1
    line = (mask == 0) & (F.max_pool2d(open_background.float()[None], 9, 1, 4)[0] == 0)
    assert line.sum() > 500
    assert weight[line].mean() > 4 * weight[open_background].mean()


def test_each_map_is_computed_once(monkeypatch):
    calls = []
    original = losses.unet_weight_map
    monkeypatch.setattr(losses, "unet_weight_map", lambda *a, **k: calls.append(1) or original(*a, **k))
    weighted = with_weight_map(load("dish", "val", size=32))
    for _ in range(3):
        weighted[0][2].fill_(-1)  # an item is the caller's own
        weighted[-1]
    assert len(calls) == 2
    assert weighted[0][2].min() >= 0


def test_it_is_a_dataset_with_the_names_of_the_one_inside():
    data = load("dish", "val", size=32)
    weighted = with_weight_map(data)
    assert len(weighted) == 4
    assert len(list(weighted)) == 4
    with pytest.raises(IndexError):
        weighted[4]
    assert weighted.classes == data.classes
    assert (weighted.palette == data.palette).all()
    assert (weighted.num_classes, weighted.ignore_index, weighted.split) == (2, 255, "val")
    image, mask, weight = next(iter(DataLoader(weighted, batch_size=4)))
    assert image.shape == (4, 1, 32, 32)
    assert mask.shape == weight.shape == (4, 32, 32)


def test_any_map_style_dataset_will_do():
    pairs = [(torch.zeros(1, 6, 6), torch.eye(6, dtype=torch.long))]
    assert with_weight_map(pairs)[0][2].shape == (6, 6)
