import os

import numpy as np
import pytest
import torch
from PIL import Image

from segnb.data import DataError, load
from segnb.data.real import isbi2012


def test_slices_are_divided_as_the_course_says(isbi_root):
    train = isbi2012.files(isbi_root / "isbi2012", "train")
    val = isbi2012.files(isbi_root / "isbi2012", "val")
    assert [path.name for path, _ in train] == [f"{n}.png" for n in range(20)]
    assert [path.name for _, path in val] == ["20.png", "21.png", "22.png", "23.png"]
    assert list(isbi2012.SLICES["test"]) == [24, 25, 26, 27, 28, 29]


def test_black_is_membrane_and_white_is_cell(isbi_root):
    image, mask = load("isbi2012", root=isbi_root)[4]
    folder = isbi_root / "isbi2012" / "train"
    assert torch.equal((mask == 0).any(0).nonzero().flatten(), torch.tensor([4, 5, 6]))
    assert torch.equal(image[0], torch.from_numpy(np.array(Image.open(folder / "image" / "4.png"))) / 255)


def test_a_label_that_was_resized_smoothly_is_refused(isbi_root):
    path = isbi_root / "isbi2012" / "train" / "label" / "1.png"
    Image.fromarray(np.full((24, 32), 130, np.uint8)).save(path)
    with pytest.raises(DataError, match=r"1\.png has the unknown label 130"):
        load("isbi2012", root=isbi_root)[1]


@pytest.mark.parametrize("kind", ["image", "label"])
def test_an_image_without_its_label_is_named(isbi_root, kind):
    (isbi_root / "isbi2012" / "train" / kind / "21.png").unlink()
    with pytest.raises(DataError, match=rf"{kind}/21\.png is missing"):
        load("isbi2012", "val", root=isbi_root)
    assert len(load("isbi2012", root=isbi_root)) == 20


def test_an_absent_or_empty_folder_is_named_with_the_cures(tmp_path):
    with pytest.raises(DataError, match=r"download=True.*SEGNB_DATA.*load\('cells'\)"):
        load("isbi2012", root=tmp_path)
    (tmp_path / "isbi2012" / "train" / "image").mkdir(parents=True)
    with pytest.raises(DataError, match="no slices 0-19"):
        load("isbi2012", root=tmp_path)


def test_the_real_slices():
    if not os.path.isdir(os.path.join(os.environ.get("SEGNB_DATA", ""), "isbi2012")):
        pytest.skip("SEGNB_DATA names no folder with isbi2012/")
    train, val = load("isbi2012"), load("isbi2012", "val", size=256)
    assert (len(train), len(val)) == (20, 4)
    assert train[0][0].shape == (1, 512, 512)
    assert val[0][1].shape == (256, 256)
    counts = val.class_counts().pixels
    assert 0.15 < counts[0] / counts.sum() < 0.3
