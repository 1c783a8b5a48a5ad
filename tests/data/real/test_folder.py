import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from segnb.data import DataError, load

VALUES = {0: "soil", 7: "leaf", 255: None}
COLOURS = {(0, 0, 0): "soil", (0, 128, 0): "leaf", (64, 128, 0): "leaf", (255, 255, 255): None}


def picture(path, content, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.uint8(content)).save(path, **options)


def values(n):
    """A mask of 6×8 values: 0 above, 7 below, one void pixel, and n leaf pixels more."""
    mask = np.zeros((6, 8))
    mask[3:] = 7
    mask[0, 0] = 255
    mask[1].flat[:n] = 7
    return mask


@pytest.fixture
def root(tmp_path):
    """Ten pictures of 6×8 pixels with masks by value."""
    for n in range(10):
        picture(tmp_path / f"images/leaf_{n}.jpg", np.full((6, 8, 3), 20 * n))
        picture(tmp_path / f"masks/leaf_{n}.png", values(n % 8))
    return tmp_path


def test_values_become_classes_and_void(root):
    data = load("folder", root=root, mapping=VALUES)
    assert data.classes == ("soil", "leaf")
    assert data.palette.shape == (2, 3)
    image, mask = data[0]
    assert image.shape == (3, 6, 8)
    assert mask[0, 0] == 255
    assert mask[0, 1] == 0
    assert (mask[3:] == 1).all()


def test_colours_become_classes_and_two_may_share_one(root):
    for path in (root / "masks").iterdir():
        colour = np.zeros((6, 8, 3))
        colour[3], colour[4], colour[5] = (0, 128, 0), (64, 128, 0), (255, 255, 255)
        picture(path, colour)
    data = load("folder", root=root, mapping=COLOURS)
    assert data.classes == ("soil", "leaf")
    assert data.palette.tolist() == [[0, 0, 0], [0, 128, 0]]
    assert data[0][1][:, 2].tolist() == [0, 0, 0, 1, 1, 255]


def test_a_seed_divides_the_pictures_without_overlap(root):
    def names(split, seed):
        data = load("folder", split, root=root, mapping=VALUES, seed=seed)
        return [round(image[0, 0, 0].item() * 255 / 20) for image, _ in data]

    for seed in (0, 1):
        train, val, test = (names(split, seed) for split in ("train", "val", "test"))
        assert (len(train), len(val), len(test)) == (6, 2, 2)
        assert sorted(train + val + test) == list(range(10))
        assert train == names("train", seed)
    assert names("train", 0) != names("train", 1)


@pytest.mark.parametrize("layout", ["{split}/{kind}", "{kind}/{split}"])
def test_sub_folders_are_splits(tmp_path, layout):
    for split, count in (("train", 3), ("val", 1)):
        for n in range(count):
            picture(tmp_path / layout.format(split=split, kind="images") / f"{n}.png", np.zeros((6, 8, 3)))
            picture(tmp_path / layout.format(split=split, kind="masks") / f"{n}.png", values(0))
    assert len(load("folder", root=tmp_path, mapping=VALUES)) == 3
    assert len(load("folder", "val", root=tmp_path, mapping=VALUES)) == 1
    with pytest.raises(DataError, match="no split 'test'"):
        load("folder", "test", root=tmp_path, mapping=VALUES)


def test_a_folder_of_that_name_in_the_root_will_do(root):
    (root / "folder").mkdir()
    (root / "images").rename(root / "folder" / "images")
    (root / "masks").rename(root / "folder" / "masks")
    assert len(load("folder", root=root, mapping=VALUES)) == 6


def test_grey_pictures_sizes_and_workers(root):
    data = load("folder", root=root, mapping=VALUES, channels=1, size=(12, 12))
    assert data[0][0].shape == (1, 12, 12)
    assert set(data[0][1].unique().tolist()) == {0, 1, 255}
    again = pickle.loads(pickle.dumps(data))  # as a DataLoader's workers get it
    assert torch.equal(again[0][1], data[0][1])


@pytest.mark.parametrize(
    "mapping",
    [None, {}, {0: "soil", (1, 2, 3): "leaf"}, {70000: "soil"}, {(0, 0): "soil"}, {0: None}, {"soil": 0}],
)
def test_a_mapping_that_is_none_is_refused_with_an_example(root, mapping):
    with pytest.raises(ValueError, match="mapping"):
        load("folder", root=root, mapping=mapping)


def test_palettes_of_many_classes_have_a_colour_for_each(root):
    data = load("folder", root=root, mapping={value: f"class {value}" for value in range(60)})
    assert len({tuple(colour) for colour in data.palette.tolist()}) == 60


def test_an_unknown_value_is_named_with_file_and_place(root):
    mask = values(0)
    mask[2, 5] = 9
    for path in (root / "masks").iterdir():
        picture(path, mask)
    with pytest.raises(DataError, match=r"leaf_\d\.png has the value 9 at row 2, column 5"):
        load("folder", root=root, mapping=VALUES)[0]


def test_an_unknown_colour_is_named_with_file_and_place(root):
    colour = np.zeros((6, 8, 3))
    colour[4, 1] = (0, 127, 3)
    for path in (root / "masks").iterdir():
        picture(path, colour)
    with pytest.raises(DataError, match=r"leaf_\d\.png has the colour \(0, 127, 3\) at row 4, column 1.*PNG"):
        load("folder", root=root, mapping=COLOURS)[0]


@pytest.mark.parametrize(
    ("gone", "named"),
    [("masks/leaf_3.png", r"leaf_3\.jpg has no mask"), ("images/leaf_3.jpg", r"leaf_3\.png has no picture")],
)
def test_a_picture_without_mask_and_a_mask_without_picture_are_named(root, gone, named):
    (root / gone).unlink()
    with pytest.raises(DataError, match=named):
        load("folder", root=root, mapping=VALUES)


def test_two_files_of_one_stem_are_both_named(root):
    picture(root / "images/leaf_4.png", np.zeros((6, 8, 3)))
    with pytest.raises(DataError, match=r"leaf_4\.jpg and .*leaf_4\.png have the same name"):
        load("folder", root=root, mapping=VALUES)


def test_a_mask_of_another_size_is_named(root):
    for path in (root / "masks").iterdir():
        picture(path, values(0)[:, :5])
    with pytest.raises(DataError, match=r"leaf_\d\.png is 6×5.*6×8"):
        load("folder", root=root, mapping=VALUES)[0]


def test_an_unreadable_picture_is_named(root):
    for path in (root / "images").iterdir():
        path.write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"leaf_\d\.jpg is not a whole picture"):
        load("folder", root=root, mapping=VALUES)[0]


def test_empty_and_missing_folders_are_named(root):
    for path in (root / "masks").iterdir():
        path.unlink()
    (root / "masks" / ".DS_Store").write_bytes(b"")
    (root / "masks" / "notes.txt").write_text("to do")
    with pytest.raises(DataError, match="masks has no pictures"):
        load("folder", root=root, mapping=VALUES)
    for path in (root / "masks").iterdir():
        path.unlink()
    (root / "masks").rmdir()
    with pytest.raises(DataError, match="masks does not exist"):
        load("folder", root=root, mapping=VALUES)
    with pytest.raises(DataError, match="no folder images/"):
        load("folder", root=root / "images", mapping=VALUES)


def test_too_few_pictures_to_divide_are_refused(root):
    for n in range(2, 10):
        (root / f"images/leaf_{n}.jpg").unlink()
        (root / f"masks/leaf_{n}.png").unlink()
    with pytest.raises(DataError, match="has 2 pictures; three splits"):
        load("folder", root=root, mapping=VALUES)


def test_there_is_nothing_to_download(tmp_path):
    with pytest.raises(DataError, match="pictures of your own"):
        load("folder", root=tmp_path, mapping=VALUES, download=True)


def test_every_mistake_is_found_by_counting(root):
    picture(root / "masks/leaf_9.png", np.full((6, 8), 3))
    splits = [load("folder", split, root=root, mapping=VALUES) for split in ("train", "val", "test")]
    failed = []
    for data in splits:
        try:
            data.class_counts()
        except DataError as problem:
            failed.append(str(problem))
    assert len(failed) == 1
    assert "leaf_9.png has the value 3" in failed[0]
