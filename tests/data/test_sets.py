import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader

from segnb.data import DataError, SegmentationData, choose, files, items, load, names, sets
from segnb.data.real import download, isbi2012

TWINS = ["cells", "dish"]


@pytest.fixture(autouse=True)
def new_session(monkeypatch):
    """No download has failed yet, and no time been waited for one."""
    monkeypatch.setattr(sets, "_failed", {})
    monkeypatch.setattr(download, "patience", download.Patience())


def made_of(masks, classes=("sky", "road")):
    """A data set with these masks (uint8 arrays) and black images."""
    return SegmentationData(
        "made",
        "train",
        classes=classes,
        palette=[(0, 0, 0)] * len(classes),
        count=len(masks),
        item=lambda i: (torch.zeros(3, *masks[i].shape), masks[i]),
        generated=False,
    )


def write(root, kind, n, pixels):
    Image.fromarray(pixels).save(root / "isbi2012" / "train" / kind / f"{n}.png")


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize(("split", "count"), [("train", 20), ("val", 4), ("test", 6)])
def test_generated_sets_have_what_the_design_names(name, split, count):
    data = load(name, split, size=64)
    image, mask = data[0]
    assert (data.name, data.split, data.generated, data.ignore_index, data.num_classes) == (
        name,
        split,
        True,
        255,
        2,
    )
    assert len(data) == count
    assert data.palette.dtype == np.uint8
    assert data.palette.shape == (2, 3)
    assert image.dtype == torch.float32
    assert mask.dtype == torch.int64
    assert image.shape == (1, 64, 64)
    assert mask.shape == (64, 64)
    assert image.min() >= 0
    assert image.max() <= 1
    assert mask.unique().tolist() == [0, 1]


def test_twin_and_real_set_differ_in_the_word_only(isbi_root):
    twin, real = load("cells", size=48), load("isbi2012", size=48, root=isbi_root)
    assert len(twin) == len(real) == 20
    assert len(load("cells", "val")) == len(load("isbi2012", "val", root=isbi_root)) == 4
    assert (twin.classes, twin.num_classes, twin.ignore_index) == (
        real.classes,
        real.num_classes,
        real.ignore_index,
    )
    assert twin.classes == ("membrane", "cell")
    assert (twin.palette == real.palette).all()
    assert [t.shape for t in twin[0]] == [t.shape for t in real[0]]
    assert [t.dtype for t in twin[0]] == [t.dtype for t in real[0]]
    assert (twin.generated, real.generated) == (True, False)


@pytest.mark.parametrize("name", TWINS)
def test_generated_sets_are_equal_each_time_and_differ_between_splits(name):
    first = load(name, "val", size=32).stack()[0]
    assert torch.equal(load(name, "val", size=32)[2][0], first[2])  # whatever was asked for before
    everything = torch.cat([first, *(load(name, split, size=32).stack()[0] for split in ("train", "test"))])
    assert len({image.numpy().tobytes() for image in everything}) == 30


@pytest.mark.parametrize("name", TWINS)
def test_twins_are_native_or_drawn_at_the_size_asked_for(name):
    assert load(name)[0][0].shape == (1, 256, 256)
    assert load(name, size=(48, 80))[0][1].shape == (48, 80)
    small = load(name, size=128)[0][0]
    shrunk = F.interpolate(load(name)[0][0][None], (128, 128), mode="bilinear", antialias=True)[0]
    assert (small - shrunk).abs().mean() > 0.01  # rendered, not resized


def test_real_images_are_resized_smoothly_and_masks_by_nearest_neighbour(isbi_root):
    image, mask = load("isbi2012", root=isbi_root)[3]
    small_image, small_mask = load("isbi2012", root=isbi_root, size=(12, 20))[3]
    expected = F.interpolate(image[None], (12, 20), mode="bilinear", antialias=True)[0]
    assert torch.allclose(small_image, expected, atol=1e-6)
    assert torch.equal(
        small_mask, F.interpolate(mask[None, None].float(), (12, 20), mode="nearest-exact")[0, 0].long()
    )


def test_resizing_a_mask_never_invents_a_class():
    mask = torch.tensor([[1, 1, 3, 3]])
    assert items.resize_mask(mask, (1, 5)).unique().tolist() == [1, 3]
    assert items.resize_mask(torch.arange(4)[None], (1, 5)).tolist() == [[0, 1, 2, 2, 3]]
    assert items.resize_mask(torch.arange(4)[None], (1, 2)).tolist() == [[1, 3]]
    assert items.resize_mask(mask, (2, 8)).tolist() == [[1, 1, 1, 1, 3, 3, 3, 3]] * 2


def test_items_follow_the_protocol_of_a_map_style_dataset():
    data = load("cells", "val", size=32)
    assert torch.equal(data[-1][0], data[3][0])
    with pytest.raises(IndexError):
        data[4]
    assert len(list(data)) == 4
    image, mask = next(iter(DataLoader(data, batch_size=3)))
    assert image.shape == (3, 1, 32, 32)
    assert mask.shape == (3, 32, 32)
    copy = pickle.loads(pickle.dumps(data))  # what a DataLoader's worker processes get
    assert torch.equal(copy[1][0], data[1][0])


def test_writing_into_an_item_does_not_change_the_data():
    data = load("cells", "val", size=32)
    for _ in range(2):  # from the generator, then from memory; then from the stack
        data[0][0].fill_(7)
        data[0][1].fill_(7)
    data.stack()
    data[0][0].fill_(7)
    assert data[0][0].max() <= 1
    assert data[0][1].max() == 1


def test_items_that_do_not_fit_in_memory_are_read_again(monkeypatch):
    monkeypatch.setattr(items, "KEPT_BYTES", 0)
    calls = []
    data = made_of([np.zeros((2, 2), np.uint8)])
    item = data._item
    data._item = lambda i: calls.append(i) or item(i)
    assert torch.equal(data[0][1], data[0][1])
    assert calls == [0, 0]


def test_stack_is_made_once_and_holds_every_item():
    data = load("dish", "val", size=32)
    images, masks = data.stack()
    assert images.shape == (4, 1, 32, 32)
    assert masks.shape == (4, 32, 32)
    assert data.stack()[0] is images
    assert torch.equal(data[2][0], images[2])
    assert torch.equal(data[2][1], masks[2])


def test_pictures_of_unequal_sizes_cannot_be_stacked_and_the_cure_is_named():
    data = made_of([np.zeros((4, 6), np.uint8), np.zeros((5, 6), np.uint8)])
    with pytest.raises(ValueError, match="size="):
        data.stack()


def test_class_counts_by_hand():
    data = made_of([np.array([[0, 1, 1], [255, 1, 0]], np.uint8), np.array([[1, 1], [1, 255]], np.uint8)])
    counts = data.class_counts()
    assert counts.pixels.tolist() == [2, 6, 2]
    assert counts.images.tolist() == [1, 2, 2]
    assert counts.pixels_in_images.tolist() == [6, 10, 10]  # void pixels belong to the image
    assert {t.dtype for t in counts} == {torch.int64}
    assert data.class_counts() is counts


def test_a_class_that_is_nowhere_counts_zero():
    counts = made_of([np.zeros((2, 2), np.uint8)], classes=("a", "b", "c")).class_counts()
    assert counts.pixels.tolist() == [4, 0, 0, 0]
    assert counts.pixels_in_images.tolist() == [4, 0, 0, 0]


def test_cells_numbers_the_four_connected_pieces():
    data = made_of([np.array([[1, 0, 1], [1, 0, 0], [0, 1, 255]], np.uint8)], classes=("membrane", "cell"))
    numbers = data.cells(0)
    assert numbers.dtype == torch.int32
    assert numbers.tolist() == [[1, 0, 2], [1, 0, 0], [0, 3, 0]]
    with pytest.raises(ValueError, match="no class 'cell'"):
        made_of([np.zeros((2, 2), np.uint8)]).cells(0)


@pytest.mark.parametrize("name", ["nothing", "sets", "augment", "generated", "../cells", ""])
def test_unknown_names_are_refused_with_the_names_there_are(name):
    with pytest.raises(ValueError, match=r"cells, .*dish, .*isbi2012"):
        load(name)
    with pytest.raises(ValueError, match="cells"):
        choose(name)


def test_names_are_the_data_sets_and_no_helpers():
    assert {"cells", "dish", "isbi2012"} <= set(names())


@pytest.mark.parametrize("split", ["training", "", None, "Train"])
def test_unknown_splits_are_refused(split):
    for get in (load, choose):
        with pytest.raises(ValueError, match="train, val, test"):
            get("isbi2012", split)  # before anything is looked for or downloaded


@pytest.mark.parametrize("size", [0, -1, 1.5, "32", (32,), (1, 2, 3), (32, 0), (32.0, 32)])
def test_impossible_sizes_are_refused(size):
    with pytest.raises(ValueError, match="size is"):
        load("cells", size=size)


def test_unknown_options_are_refused(isbi_root):
    for name in ("cells", "isbi2012"):
        with pytest.raises(ValueError, match="no option 'colour'"):
            load(name, root=isbi_root, colour="red")
        with pytest.raises(ValueError, match="no option 'colour'"):
            choose(name, root=isbi_root, colour="red")


def test_data_is_found_through_root_then_the_environment_then_the_cache(
    isbi_root, monkeypatch, no_data, tmp_path
):
    with pytest.raises(DataError, match="cache"):
        load("isbi2012")
    (tmp_path / "cache").mkdir()
    isbi_root.rename(tmp_path / "cache" / "segnb")
    assert len(load("isbi2012")) == 20
    (tmp_path / "cache" / "segnb").rename(tmp_path / "elsewhere")
    monkeypatch.setenv("SEGNB_DATA", str(tmp_path / "elsewhere"))
    assert len(load("isbi2012")) == 20
    monkeypatch.setenv("SEGNB_DATA", str(tmp_path))
    assert len(load("isbi2012", root=tmp_path / "elsewhere")) == 20


def test_a_folder_that_does_not_exist_is_an_error_and_never_a_twin(monkeypatch, no_data):
    monkeypatch.setenv("SEGNB_DATA", "no/such/folder")
    for get in (load, choose):
        with pytest.raises(DataError, match=r"SEGNB_DATA is 'no/such/folder'"):
            get("isbi2012")
    with pytest.raises(DataError, match="root is"):
        choose("isbi2012", root="generated")
    assert load("cells", size=32).generated  # generated sets need no folder


def test_generated_in_the_environment_means_twins_only(monkeypatch, isbi_root, capsys):
    monkeypatch.setenv("SEGNB_DATA", "generated")
    data = choose("isbi2012", "val", size=32)
    assert (data.name, data.split, data.generated, len(data)) == ("cells", "val", True, 4)
    assert data[0][0].shape == (1, 32, 32)
    assert "twin" in capsys.readouterr().out
    with pytest.raises(DataError, match=r"load\('cells'\)"):
        load("isbi2012")
    assert not load("isbi2012", root=isbi_root).generated  # a root that is named wins


def test_choose_takes_the_real_set_when_it_is_on_disk_and_says_so_in_one_line(isbi_root, monkeypatch, capsys):
    monkeypatch.setenv("SEGNB_DATA", str(isbi_root))
    data = choose("isbi2012", "val")
    out = capsys.readouterr().out
    assert not data.generated
    assert out.count("\n") == 1
    assert "real" in out
    assert choose("cells", size=32).name == "cells"


def test_choose_takes_the_twin_when_nothing_can_be_downloaded(monkeypatch, no_data, capsys):
    monkeypatch.setattr(isbi2012, "URLS", ("http://127.0.0.1:9/isbi2012.zip",))
    data = choose("isbi2012", size=32)
    out = capsys.readouterr().out
    assert data.name == "cells"
    assert out.count("\n") == 2  # what is fetched, and what came of it
    assert "because the download failed: Connection refused. To try again" in out


def test_an_absent_split_raises_when_asked_for_and_never_becomes_a_twin(isbi_root):
    assert len(load("isbi2012", "val", root=isbi_root)) == 4
    for get in (load, choose):
        with pytest.raises(DataError, match="no slices 24-29"):
            get("isbi2012", "test", root=isbi_root)


def test_download_does_not_touch_a_set_that_is_on_disk(isbi_root, monkeypatch):
    monkeypatch.setattr(isbi2012, "URLS", ("http://127.0.0.1:9/isbi2012.zip",))
    assert len(load("isbi2012", root=isbi_root, download=True)) == 20
    with pytest.raises(DataError, match="no slices 24-29"):
        load("isbi2012", "test", root=isbi_root, download=True)


def test_a_damaged_picture_is_named(isbi_root):
    path = isbi_root / "isbi2012" / "train" / "image" / "5.png"
    path.write_bytes(path.read_bytes()[:200])
    data = load("isbi2012", root=isbi_root)
    assert data[4][0].shape == (1, 24, 32)
    with pytest.raises(DataError, match=r"5\.png is not a whole picture"):
        data[5]
    path.write_text("not a picture")
    with pytest.raises(DataError, match=r"5\.png is not a whole picture"):
        data[5]
    path.unlink()
    with pytest.raises(DataError, match=r"5\.png does not exist"):
        data[5]


def test_an_image_and_mask_of_different_sizes_are_named(isbi_root):
    write(isbi_root, "label", 2, np.zeros((24, 31), np.uint8))
    with pytest.raises(DataError, match=r"2\.png is 24×31 .* is 24×32"):
        load("isbi2012", root=isbi_root)[2]


def test_a_mask_that_is_a_colour_picture_and_an_image_of_16_bits_are_named(isbi_root):
    write(isbi_root, "label", 0, np.zeros((24, 32, 3), np.uint8))
    write(isbi_root, "image", 1, np.zeros((24, 32), np.uint16))
    data = load("isbi2012", root=isbi_root)
    with pytest.raises(DataError, match=r"0\.png is not a label picture"):
        data[0]
    with pytest.raises(DataError, match=r"1\.png has more than 8 bits"):
        data[1]


def test_unknown_labels_are_named():
    def read(image_path, mask_path):
        return np.zeros((2, 2, 3), np.uint8), np.array([[0, 1], [7, 255]], np.uint8)

    with pytest.raises(DataError, match=r"m\.png has the unknown label 7 .* 0 to 2, and 255"):
        items.real_item("i.png", "m.png", read, None, 3)
    image, mask = items.real_item("i.png", "m.png", read, None, 8)
    assert image.shape == (3, 2, 2)
    assert mask.tolist() == [[0, 1], [7, 255]]


def test_palette_and_two_level_pictures_are_label_pictures(tmp_path):
    indexed = Image.fromarray(np.array([[3, 255]], np.uint8), mode=None)
    indexed.putpalette([0] * 768)
    indexed.save(tmp_path / "p.png")
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "b.png")
    assert files.read_mask(tmp_path / "p.png").tolist() == [[3, 255]]
    assert files.read_mask(tmp_path / "b.png").tolist() == [[1, 0]]
