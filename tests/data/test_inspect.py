"""`segnb.data.inspect`: everything at once, and a call that works when it is pasted."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import segnb
from segnb.data import DataError, inspect
from segnb.show import compare

PAGE = Path(__file__).parents[2] / "book" / "data.md"


def picture(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, content)
    else:
        Image.fromarray(content).save(path)


def fill(root, image, mask, count=6, names=("{n}.png", "{n}.png")):
    """A folder of pictures 8×9; image, mask: functions of n -> array."""
    for n in range(count):
        picture(root / "images" / names[0].format(n=n), image(n))
        picture(root / "masks" / names[1].format(n=n), mask(n))
    return root


def colour(n):
    return np.full((8, 9, 3), 20 * n, np.uint8)


def binary(n):
    return np.uint8(np.arange(72).reshape(8, 9) < 10 + n)


def pasted(found):
    """How many items the printed call gives, in all three splits, each of them read."""
    count = 0
    for split in ("train", "val", "test"):
        scope = {"segnb": segnb}
        exec("data = " + str(found).splitlines()[-1].replace('"folder",', f'"folder", {split!r},'), scope)
        scope["data"].class_counts()
        count += len(scope["data"])
    return count


def deep(n):
    return np.full((8, 9), 300 * n, np.uint16)


def indexed(n):
    image = Image.fromarray(binary(n))
    image.putpalette([0, 0, 0, *((200, 0, 0) if n % 2 else (0, 200, 0))])
    return image


KINDS = {
    "0 and 1": (colour, binary, ".png", {0: "background", 1: "class 1"}, {}),
    "0 and 255": (colour, lambda n: binary(n) * 255, ".png", {0: "background", 255: "class 1"}, {}),
    "void": (
        colour,
        lambda n: np.uint8(np.arange(72).reshape(8, 9) % 3 * 127.5),
        ".png",
        {0: "background", 127: "class 1", 255: None},
        {},
    ),
    "1 bit": (colour, lambda n: binary(n) == 1, ".png", {0: "background", 1: "class 1"}, {}),
    "16 bits": (
        colour,
        lambda n: binary(n).astype(np.uint16) * 40000,
        ".png",
        {0: "background", 40000: "class 1"},
        {},
    ),
    "colours": (
        colour,
        lambda n: np.uint8([0, 200, 0]) * binary(n)[..., None],
        ".png",
        {(0, 0, 0): "background", (0, 200, 0): "class 1"},
        {},
    ),
    "grey": (lambda n: colour(n)[..., 0], binary, ".png", {0: "background", 1: "class 1"}, {"channels": 1}),
    "grey and colour": (
        lambda n: colour(n)[..., 0] if n % 2 else colour(n),
        binary,
        ".png",
        {0: "background", 1: "class 1"},
        {},
    ),
    "deep": (deep, binary, ".png", {0: "background", 1: "class 1"}, {"channels": 1}),
    "floats": (
        lambda n: np.full((8, 9, 5), n, np.float32),
        binary,
        ".npy",
        {0: "background", 1: "class 1"},
        {"channels": 5, "white": 5},
    ),
    "transparent": (
        lambda n: np.full((8, 9, 4), 7 * n, np.uint8),
        binary,
        ".png",
        {0: "background", 1: "class 1"},
        {"channels": 4},
    ),
    "opaque": (
        lambda n: np.full((8, 9, 4), 255, np.uint8),
        binary,
        ".png",
        {0: "background", 1: "class 1"},
        {},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_call_works_when_it_is_pasted(tmp_path, kind):
    image, mask, ending, mapping, options = KINDS[kind]
    found = inspect(fill(tmp_path, image, mask, names=(f"{{n}}{ending}", "{n}.png")))
    assert found.problems == []
    assert found.options == {"mapping": mapping} | options
    assert pasted(found) == 6
    assert found.samples[0][0].shape == (options.get("channels", 3), 8, 9)


def test_names_of_masks_are_in_the_call(tmp_path):
    found = inspect(fill(tmp_path, colour, binary, names=("a {n}.jpg", "label of a {n}.png")))
    assert found.options["mask"] == "label of {stem}.png"
    assert pasted(found) == 6


def test_palettes_that_differ_make_a_mapping_by_colours(tmp_path):
    fill(tmp_path, colour, binary)
    for n in range(6):
        indexed(n).save(tmp_path / f"masks/{n}.png")
    found = inspect(tmp_path)
    assert list(found.options["mapping"]) == [(0, 0, 0), (0, 200, 0), (200, 0, 0)]
    assert "palettes: the value 1 is (0, 200, 0)" in str(found)
    assert pasted(found) == 6


def test_grey_masks_beside_a_palette_are_values(tmp_path):
    fill(tmp_path, colour, binary)
    indexed(1).save(tmp_path / "masks/1.png")
    found = inspect(tmp_path)
    assert list(found.options["mapping"]) == [0, 1]
    assert pasted(found) == 6


def test_everything_that_is_wrong_is_told_at_once(tmp_path):
    fill(tmp_path, colour, binary, count=12)
    (tmp_path / "images/0.png").write_bytes(b"no picture")
    picture(tmp_path / "masks/1.png", binary(1)[:4])
    (tmp_path / "masks/2.png").unlink()
    (tmp_path / "images/3.png").unlink()
    picture(tmp_path / "images/4.png", np.full((8, 9, 4), 9, np.uint8))
    picture(tmp_path / "images/5.jpg", colour(5))
    (tmp_path / "images/5.png").rename(tmp_path / "images/6.gif")
    np.save(tmp_path / "images/7.npy", np.full((8, 9, 3), -1.0))
    (tmp_path / "images/7.png").unlink()
    found = inspect(tmp_path)
    for sentence in (
        "0.png is not a whole picture",
        "1.png is 4×9 pixels but its image",
        "2.png has no mask",
        "3.png has no picture",
        "4.png has 4",
        "6.gif and",
        "7.npy has numbers from -1",
    ):
        assert sum(sentence in problem for problem in found.problems) == 1, sentence
    assert len(found.problems) == 7
    assert str(found).count("wrong: ") == 7
    assert found.call in str(found)


def test_the_call_works_once_everything_is_mended(tmp_path):
    fill(tmp_path, colour, binary)
    picture(tmp_path / "images/4.png", np.full((8, 9, 4), 9, np.uint8))
    (tmp_path / "masks/2.png").unlink()
    found = inspect(tmp_path)
    assert len(found.problems) == 2
    Image.open(tmp_path / "images/4.png").convert("RGB").save(tmp_path / "images/4.png")  # "without alpha"
    picture(tmp_path / "masks/2.png", binary(2))  # "Add it"
    found = inspect(tmp_path)
    assert found.problems == []
    assert pasted(found) == 6


def test_shares_rare_classes_sizes_and_turned_images(tmp_path):
    fill(tmp_path, colour, lambda n: binary(n) * np.uint8(2 if n == 3 else 1))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(colour(0))).save(tmp_path / "images/0.png", exif=exif)
    told = str(inspect(tmp_path))
    assert "orientation: 1 images are stored turned" in told
    assert "sizes: 6 × 8×9" in told
    assert "images: 6 × RGB (3 bands) of 8 bits" in told
    assert re.search(r"1: class 1, 14 % of the pixels, in 5 of 6 masks$", told, re.M)
    assert re.search(r"2: class 2, 3 % of the pixels, in 1 of 6 masks - rarely seen", told)


def test_groups_are_noticed_and_the_expression_works(tmp_path):
    names = [f"patient{n % 4}_slice{n}" for n in range(12)]
    fill(tmp_path, colour, binary, count=12)
    for n, name in enumerate(names):
        for kind in ("images", "masks"):
            (tmp_path / kind / f"{n}.png").rename(tmp_path / kind / f"{name}.png")
    found = inspect(tmp_path)
    group = re.search(r"group='(.*)'", str(found))[1]
    data = segnb.data.load("folder", root=tmp_path, mapping=found.options["mapping"], group=group)
    assert len(data) == 6
    assert "group=" not in str(inspect(fill(tmp_path / "other", colour, binary)))


def test_dark_pictures_of_16_bits_are_noticed(tmp_path):
    found = inspect(fill(tmp_path, deep, binary))
    white = int(re.search(r"white=(\d+)", str(found))[1])
    data = segnb.data.load("folder", root=tmp_path, mapping=found.options["mapping"], channels=1, white=white)
    assert max(image.max() for image, _ in data) <= 1
    assert white == 1500


def test_numbers_of_single_objects_are_no_classes(tmp_path):
    found = inspect(fill(tmp_path, colour, lambda n: np.arange(72, dtype=np.uint16).reshape(8, 9) * 9))
    assert found.call is None
    (problem,) = found.problems
    mapping = eval(re.search(r"mapping=(.*\))", problem)[1])
    assert segnb.data.load("folder", root=tmp_path, mapping=mapping).classes == ("background", "object")
    segnb.data.load("folder", root=tmp_path, mapping=mapping).class_counts()


def test_masks_of_two_kinds_and_no_masks(tmp_path):
    fill(tmp_path / "a", colour, lambda n: colour(n) if n else binary(n).astype(np.uint16) * 999)
    found = inspect(tmp_path / "a")
    assert "some masks have values, others colours" in found.problems[0]
    assert found.call is None
    fill(tmp_path / "b", colour, lambda n: np.full((8, 9), -0.5), names=("{n}.png", "{n}.npy"))
    assert len(inspect(tmp_path / "b").problems) == 6
    with pytest.raises(DataError, match="no folder images/"):
        inspect(tmp_path)


def test_splits_and_pages(tmp_path):
    for split in ("train", "val", "test"):
        for kind, of in (("images", colour), ("masks", binary)):
            first, *rest = [Image.fromarray(of(n)) for n in range(3)]
            (tmp_path / split / kind).mkdir(parents=True)
            first.save(tmp_path / split / kind / "a.tif", save_all=True, append_images=rest)
    found = inspect(tmp_path)
    assert found.lines[:3] == [f"{split}: 3 pictures with masks" for split in ("train", "val", "test")]
    assert pasted(found) == 9


def test_other_files_and_outlines_are_named(tmp_path):
    fill(tmp_path, colour, binary)
    (tmp_path / "images/scan.heic").write_bytes(b"")
    (tmp_path / "annotations.json").write_text("{}")
    told = str(inspect(tmp_path))
    assert "not read, as they are no pictures: scan.heic" in told
    assert "labelme or COCO" in told


def test_samples_can_be_shown(tmp_path):
    samples = inspect(fill(tmp_path, colour, binary)).samples
    assert len(samples) == 4
    shown = compare([samples[0][0], samples[0][1]], samples)
    assert "class 1" in shown.alt


def fragments(word):
    """The page's Python fragments that have the word."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    return [block for block in blocks if word in block]


SQUARE = [[2.0, 1.0], [6.0, 1.0], [6.0, 5.0], [2.0, 5.0]]


@pytest.mark.parametrize("kind", ["shapes", "coco"])
def test_the_pages_fragments_draw_masks_of_outlines(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    for n in range(3):
        picture(tmp_path / f"leaves/images/{n}.png", colour(n))
        outline = {"label": "leaf", "shape_type": "polygon", "points": SQUARE}
        labelme = {"shapes": [outline], "imagePath": f"{n}.png", "imageHeight": 8, "imageWidth": 9}
        if kind == "shapes":
            (tmp_path / f"leaves/images/{n}.json").write_text(json.dumps(labelme))
    if kind == "coco":
        coco = {
            "images": [{"id": n, "file_name": f"{n}.png", "height": 8, "width": 9} for n in range(3)],
            "categories": [{"id": 17, "name": "leaf"}],
            "annotations": [
                {"image_id": n, "category_id": 17, "segmentation": [np.ravel(SQUARE).tolist()]}
                for n in range(3)
            ],
        }
        (tmp_path / "leaves/annotations.json").write_text(json.dumps(coco))
    with pytest.raises(DataError, match="labelme or COCO"):
        segnb.data.load("folder", root="leaves", mapping={0: "background", 1: "leaf"})
    (code,) = fragments(kind)
    exec(code, {})
    expected = np.zeros((8, 9))
    expected[1:6, 2:7] = 1
    data = segnb.data.load("folder", root="leaves", mapping={0: "background", 1: "leaf"})
    assert np.array_equal(data[0][1], expected)


def test_the_pages_other_fragments_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "leaves", colour, binary)
    scope = {"segnb": segnb}
    for code in (*fragments("inspect"), *fragments("class_counts")):
        exec(code, scope)
    assert scope["leaves"].classes == ("background", "leaf")
