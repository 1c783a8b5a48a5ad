import os

import numpy as np
import pytest
import torch
from PIL import Image

from segnb.data import DataError, choose, load
from segnb.data.generated import street
from segnb.data.real import camvid
from tests.camvid_counts import IMAGES, PIXELS


@pytest.fixture
def root(tmp_path):
    """A root with camvid/ of 3 train and 2 val pictures of 12×16 pixels, each mask with labels 0 to 11; no test."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 3), ("val", 2)):
        for kind in ("", "annot"):
            (tmp_path / "camvid" / f"{split}{kind}").mkdir(parents=True)
        for n in range(count):
            mask = np.repeat(np.arange(12, dtype=np.uint8)[:, None], 16, axis=1)
            Image.fromarray(mask).save(tmp_path / "camvid" / f"{split}annot" / f"s{n}.png")
            image = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
            Image.fromarray(image).save(tmp_path / "camvid" / split / f"s{n}.png")
    return tmp_path


def test_it_is_the_twin_of_street():
    assert camvid.TWIN == "street"
    assert camvid.CLASSES == street.CLASSES
    assert camvid.PALETTE == street.PALETTE


def test_eleven_is_void(root):
    data = load("camvid", root=root)
    image, mask = data[1]
    assert len(data) == 3
    assert not data.generated
    assert torch.equal(mask[:, 0], torch.tensor([*range(11), 255]))
    original = np.array(Image.open(root / "camvid" / "train" / "s1.png"))
    assert torch.equal(image, torch.from_numpy(original).permute(2, 0, 1) / 255)
    assert data.class_counts().pixels.tolist() == [48] * 12


def test_any_size_will_do(root):
    image, mask = load("camvid", "val", root=root, size=(24, 40))[0]
    assert image.shape == (3, 24, 40)
    assert mask.unique().tolist() == [*range(11), 255]


def test_an_absent_split_is_reported_only_when_asked_for(root):
    assert len(load("camvid", "val", root=root)) == 2
    with pytest.raises(DataError, match=r"camvid/test is missing.*split 'test'.*download=True"):
        load("camvid", "test", root=root)
    with pytest.raises(DataError, match="split 'test'"):
        choose("camvid", "test", root=root)


def test_masks_that_are_absent_altogether_are_reported(root):
    for path in (root / "camvid" / "valannot").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"valannot/s0\.png is missing"):
        load("camvid", "val", root=root)
    (root / "camvid" / "valannot").rmdir()
    with pytest.raises(DataError, match="valannot is missing"):
        load("camvid", "val", root=root)


@pytest.mark.parametrize("kind", ["train", "trainannot"])
def test_a_picture_or_mask_without_its_partner_is_named(root, kind):
    (root / "camvid" / kind / "s2.png").unlink()
    with pytest.raises(DataError, match=rf"{kind}/s2\.png is missing"):
        load("camvid", root=root)


def test_empty_folders_are_no_split(root):
    for kind in ("train", "trainannot"):
        for path in (root / "camvid" / kind).iterdir():
            path.unlink()
    with pytest.raises(DataError, match="camvid/train has no pictures"):
        load("camvid", root=root)


@pytest.mark.parametrize("label", [12, 200, 255])
def test_an_unknown_label_is_named_with_its_file(root, label):
    path = root / "camvid" / "trainannot" / "s0.png"
    Image.fromarray(np.full((12, 16), label, np.uint8)).save(path)
    with pytest.raises(DataError, match=rf"s0\.png has the unknown label {label}"):
        load("camvid", root=root)[0]


def test_a_mask_of_another_size_is_refused(root):
    Image.fromarray(np.zeros((6, 8), np.uint8)).save(root / "camvid" / "trainannot" / "s0.png")
    with pytest.raises(DataError, match=r"s0\.png is 6×8.*12×16"):
        load("camvid", root=root)[0]


def test_a_colour_mask_is_refused(root):
    Image.fromarray(np.zeros((12, 16, 3), np.uint8)).save(root / "camvid" / "trainannot" / "s0.png")
    with pytest.raises(DataError, match=r"s0\.png is not a label picture"):
        load("camvid", root=root)[0]


def test_without_data_it_says_how_to_get_them(tmp_path):
    with pytest.raises(DataError, match=r"187 MB.*download=True.*SEGNB_DATA.*load\('street'\)"):
        load("camvid", root=tmp_path)


def test_the_download_wants_every_picture_of_every_split():
    assert camvid.PARTS["CamVid/train"] == ("train", 367, camvid.HASHES["train"])
    assert camvid.PARTS["CamVid/testannot"] == ("testannot", 233, camvid.HASHES["testannot"])
    assert len(camvid.PARTS) == 6
    assert all("bb68b64" in url for url in camvid.URLS)


def test_the_real_streets():
    if not os.path.isdir(os.path.join(os.environ.get("SEGNB_DATA", ""), "camvid")):
        pytest.skip("SEGNB_DATA names no folder with camvid/")
    train, val = load("camvid"), load("camvid", "val")
    assert (len(train), len(val)) == (367, 101)
    counts = train.class_counts()
    assert counts.images.tolist() == IMAGES
    share = counts.pixels / counts.pixels.sum()
    official = torch.tensor(PIXELS) / sum(PIXELS)
    assert ((share / official - 1).abs() < 0.01).all()  # copies at half the size drop a few
