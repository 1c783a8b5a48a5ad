import pickle
import re
import unicodedata
from pathlib import Path

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


# --- how files are named, and what belongs together -------------------------------------------------------------------


def refused(**options):
    """The sentence with which `load("folder")` and the reading of all three splits are refused."""
    with pytest.raises(DataError) as problem:
        everything(**options)
    return str(problem.value)


def everything(**options):
    """How many items all three splits have, every one read."""
    splits = [load("folder", split, **options) for split in ("train", "val", "test")]
    for data in splits:
        data.class_counts()
    return sum(map(len, splits))


@pytest.mark.parametrize(
    "name",
    ["{stem}_mask.png", "{stem}.jpg.png", "mask of {stem}.PNG", "task-{n}-annotation-{n}7-by-1-{stem}-0.png"],
)
def test_masks_of_other_names_are_refused_with_the_pattern_that_fits(root, name):
    for n in range(10):
        new = name.format(stem=f"leaf_{n}", n=n)
        (root / f"masks/leaf_{n}.png").rename(root / "masks" / new)
    told = refused(root=root, mapping=VALUES)
    pattern = re.search(r'mask="([^"]*)"', told)[1]
    assert everything(root=root, mapping=VALUES, mask=pattern) == 10


def test_the_whole_name_and_stars_in_patterns(root):
    for n in range(10):
        (root / f"masks/leaf_{n}.png").rename(root / f"masks/leaf_{n}.jpg.png")
    assert everything(root=root, mapping=VALUES, mask="{name}.png") == 10
    assert everything(root=root, mapping=VALUES, mask="{stem}.*") == 10
    picture(root / "masks/leaf_3.tiff.png", values(0))
    assert "are both masks of" in refused(root=root, mapping=VALUES, mask="{stem}.*")
    assert "leaf_3.tiff.png has no picture" in refused(root=root, mapping=VALUES, mask="{name}.png")
    with pytest.raises(ValueError, match=r"\{stem\}"):
        load("folder", root=root, mapping=VALUES, mask="mask.png")


def test_names_in_two_unicode_forms_are_one(root):
    for n in range(10):
        for kind, form, ending in (("images", "NFD", "jpg"), ("masks", "NFC", "png")):
            new = unicodedata.normalize(form, f"Häuser_{n}.{ending}")
            (root / kind / f"leaf_{n}.{ending}").rename(root / kind / new)
    assert everything(root=root, mapping=VALUES) == 10
    assert everything(root=root, mapping=VALUES, mask="{stem}.png") == 10


def test_the_home_folder_may_be_a_tilde(root, monkeypatch):
    monkeypatch.setenv("HOME", str(root.parent))
    monkeypatch.setenv("USERPROFILE", str(root.parent))
    assert len(load("folder", root=f"~/{root.name}", mapping=VALUES)) == 6
    monkeypatch.setenv("SEGNB_DATA", f"~/{root.name}")
    assert len(load("folder", mapping=VALUES)) == 6


def test_keys_of_numpy_and_labels_of_16_bits(root):
    for path in (root / "masks").iterdir():
        picture(path, np.uint8(values(0)))
        Image.fromarray(np.where(values(0) == 7, 40000, values(0)).astype(np.uint16)).save(path)
    mapping = {np.uint8(0): "soil", np.int64(40000): "leaf", np.uint16(255): None}
    mask = load("folder", root=root, mapping=mapping)[0][1]
    assert mask[3:].unique().tolist() == [1]
    assert mask[0, 0] == 255
    colours = {tuple(np.uint8(key)): name for key, name in COLOURS.items()}
    assert load("folder", root=root, mapping=colours).classes == ("soil", "leaf")


@pytest.mark.parametrize("group", [r"(patient\d)_", lambda stem: stem.split("_")[0]])
def test_a_group_is_never_divided(tmp_path, group):
    for n in range(20):
        picture(tmp_path / f"images/patient{n % 5}_slice{n}.png", np.full((6, 8), n))
        picture(tmp_path / f"masks/patient{n % 5}_slice{n}.png", values(0))
    seen = []
    for split in ("train", "val", "test"):
        data = load("folder", split, root=tmp_path, mapping=VALUES, group=group, channels=1)
        seen.append({round(image[0, 0, 0].item() * 255) % 5 for image, _ in data})
        assert len(data) == 4 * len(seen[-1])
    assert sorted(n for part in seen for n in part) == list(range(5))


def test_groups_that_cannot_be(tmp_path, root):
    assert "is of no group" in refused(root=root, mapping=VALUES, group=r"(cell)_")
    for wrong in ("(", "leaf", 3):
        with pytest.raises(ValueError, match="group"):
            load("folder", root=root, mapping=VALUES, group=wrong)
    assert "10 pictures in 1 groups" in refused(root=root, mapping=VALUES, group="(leaf)")


def test_a_group_in_two_sub_folders_is_named(tmp_path):
    for split in ("train", "val", "test"):
        for n in range(2):
            picture(tmp_path / f"{split}/images/{split}{n}_a.png", np.zeros((6, 8)))
            picture(tmp_path / f"{split}/masks/{split}{n}_a.png", values(0))
    assert everything(root=tmp_path, mapping=VALUES, group=r"(.*)_") == 6
    for kind in ("images", "masks"):
        (tmp_path / f"val/{kind}/val0_a.png").rename(tmp_path / f"val/{kind}/train0_b.png")
    told = refused(root=tmp_path, mapping=VALUES, group=r"(.*)_")
    assert "train0_a.png" in told
    assert "train0_b.png" in told
    for kind in ("images", "masks"):  # "Move one of them"
        (tmp_path / f"val/{kind}/train0_b.png").rename(tmp_path / f"train/{kind}/train0_b.png")
    assert everything(root=tmp_path, mapping=VALUES, group=r"(.*)_") == 6


# --- pages, palettes, bands -------------------------------------------------------------------------------------------


def stack(path, pages):
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *rest = [Image.fromarray(np.uint8(page)) for page in pages]
    first.save(path, save_all=True, append_images=rest)


def test_each_page_is_an_item_and_a_file_stays_in_one_split(tmp_path):
    for n in range(4):
        stack(tmp_path / f"images/{n}.tif", [np.full((6, 8), 10 * n + k) for k in range(5)])
        stack(tmp_path / f"masks/{n}.tif", [values(k) for k in range(5)])
    seen = []
    for split in ("train", "val", "test"):
        data = load("folder", split, root=tmp_path, mapping=VALUES, channels=1)
        for image, mask in data:
            number = round(image[0, 0, 0].item() * 255)
            assert (mask[1] == 1).sum() == number % 10
            seen.append((number // 10, split))
    assert len(seen) == 20
    assert len(set(seen)) == 4


def test_one_file_of_many_pages_is_divided_as_the_error_says(tmp_path):
    stack(tmp_path / "images/a.tif", [np.full((6, 8), k) for k in range(10)])
    stack(tmp_path / "masks/a.tif", [values(0)] * 10)
    told = refused(root=tmp_path, mapping=VALUES)
    assert "10 pictures in 1 groups" in told
    assert everything(root=tmp_path, mapping=VALUES, group=re.search(r'group=r"(.*)"', told)[1]) == 10


def test_pages_without_masks_are_refused_and_both_cures_work(tmp_path):
    import tifffile

    for n in range(3):
        stack(tmp_path / f"images/{n}.tif", [np.full((6, 8), 10 * n + k) for k in range(3)])
        picture(tmp_path / f"masks/{n}.png", values(0))
    told = refused(root=tmp_path, mapping=VALUES)
    assert "0.tif has 3 pages" in told
    assert "0.png has 1 page." in told
    # The pages are bands:
    for n in range(3):
        path, path_of_the_tiff = tmp_path / f"images/{n}.npy", tmp_path / f"images/{n}.tif"
        eval(re.search(r"np\.save\(.*\)\)?", told)[0], {**locals(), "np": np, "tifffile": tifffile})
        path_of_the_tiff.rename(tmp_path / f"{n}.tif")
    assert load("folder", root=tmp_path, mapping=VALUES, channels=3)[0][0].shape == (3, 6, 8)
    # One TIFF of as many pages:
    for n in range(3):
        (tmp_path / f"images/{n}.npy").unlink()
        (tmp_path / f"{n}.tif").rename(tmp_path / f"images/{n}.tif")
        (tmp_path / f"masks/{n}.png").unlink()
        stack(tmp_path / f"masks/{n}.tif", [values(0)] * 3)
    assert everything(root=tmp_path, mapping=VALUES) == 9


def indexed(path, mask, palette):
    image = Image.fromarray(np.uint8(mask))
    image.putpalette(palette)
    image.save(path)


def test_palettes_that_differ_are_named_with_both_files(root):
    red, green = [0, 0, 0, 255, 0, 0], [0, 0, 0, 0, 255, 0]
    for n in range(10):
        indexed(root / f"masks/leaf_{n}.png", values(0) == 7, red)
    by_value = {0: "soil", 1: "leaf"}
    assert everything(root=root, mapping=by_value) == 10
    indexed(
        root / "masks/leaf_8.png", np.zeros((6, 8)), green
    )  # another colour for a value that it does not use
    indexed(root / "masks/leaf_0.png", np.zeros((6, 8)), green)
    assert everything(root=root, mapping=by_value) == 10
    indexed(root / "masks/leaf_6.png", values(0) == 7, green)
    told = refused(root=root, mapping=by_value)
    assert "leaf_1.png and" in told
    assert "leaf_6.png have different palettes: the value 1 is the colour (255, 0, 0) in one" in told
    by_colour = {(0, 0, 0): "soil", (255, 0, 0): "leaf", (0, 255, 0): "moss"}  # "Give the mapping by colours"
    assert everything(root=root, mapping=by_colour) == 10
    indexed(root / "masks/leaf_6.png", values(0) == 7, red)  # "or save the masks with one palette"
    assert everything(root=root, mapping=by_value) == 10


def test_palettes_of_all_splits_are_compared(tmp_path):
    for split, colour in (("train", 200), ("val", 100)):
        picture(tmp_path / split / "images/0.png", np.zeros((6, 8)))
        (tmp_path / split / "masks").mkdir()
        indexed(tmp_path / split / "masks/0.png", values(0) == 7, [0, 0, 0, colour, 0, 0])
    with pytest.raises(DataError, match="different palettes"):
        load("folder", root=tmp_path, mapping={0: "soil", 1: "leaf"})


@pytest.mark.parametrize("channels", [1, 3, 4, 13])
def test_bands_and_depth_reach_the_item(tmp_path, channels):
    for n in range(3):
        (tmp_path / "images").mkdir(exist_ok=True)
        np.save(tmp_path / f"images/{n}.npy", np.full((6, 8, channels), 30000, np.uint16))
        picture(tmp_path / f"masks/{n}.png", values(0))
    image, _ = load("folder", root=tmp_path, mapping=VALUES, channels=channels)[0]
    assert image.shape == (channels, 6, 8)
    assert image.dtype == torch.float32
    assert image.unique().tolist() == [pytest.approx(30000 / 65535)]
    image, _ = load("folder", root=tmp_path, mapping=VALUES, channels=channels, white=40000, size=(4, 4))[0]
    assert image.max().item() == pytest.approx(0.75)


@pytest.mark.parametrize("options", [{"channels": 0}, {"channels": 2.5}, {"white": 0}, {"white": "max"}])
def test_options_that_are_none(root, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        load("folder", root=root, mapping=VALUES, **options)


def test_outlines_in_json_are_noticed(root):
    for path in (root / "masks").iterdir():
        path.unlink()
    (root / "images/leaf_0.json").write_text("{}")
    told = refused(root=root, mapping=VALUES)
    assert "labelme or COCO" in told
    heading = re.search(r'"([^"]*)" in book/data\.md', told)[1]
    assert f"### {heading}" in (Path(__file__).parents[3] / "book/data.md").read_text(encoding="utf-8")
