"""Laws of the reader: all that a file holds comes back, or an error that names the file; never half of it in silence."""

import io
import re
import string
import unicodedata

import numpy as np
import tifffile
import torch
from hypothesis import assume
from hypothesis import strategies as st
from PIL import Image, ImageOps

import segnb
from segnb.data import DataError
from segnb.data.reader import load, pages, read_colours, read_labels, read_picture
from tests.fuzz.laws import SEEDS, folder, law, numbers, tried

SIDES = {"height": st.integers(1, 9), "width": st.integers(1, 9)}
ORIENTATIONS = st.integers(1, 8)


def array(seed, shape, kind):
    kind = np.dtype(kind)
    if kind.kind == "b":
        return numbers(seed).random(shape) < 0.5
    if kind.kind == "f":
        return numbers(seed).random(shape).astype(kind)
    return numbers(seed).integers(0, np.iinfo(kind).max, shape, dtype=kind, endpoint=True)


@law(**SIDES, seed=SEEDS, bands=st.sampled_from([None, 1, 2, 3, 4, 5, 13]), kind=st.sampled_from("?BHIQbhiqefd"), order=st.sampled_from("=<>"), fortran=st.booleans())  # fmt: skip
def test_arrays_come_back(seed, height, width, bands, kind, order, fortran):
    """An array of any numbers is read as it is (whole numbers of known depth divided by the largest), and as labels."""
    shape = (height, width) if bands is None else (height, width, bands)
    stored = array(seed, shape, kind).astype(np.dtype(kind).newbyteorder(order))
    with folder() as place:
        path = place / "a.npy"
        np.save(path, np.asfortranarray(stored) if fortran else stored)
        picture, told = tried(DataError, read_picture, path, bands or 1)
        labels, refused = tried(DataError, read_labels, path)
        if told:
            # Of 32 bits and more nobody knows which number is white; the error knows one.
            assert np.dtype(kind).kind in "ui"
            assert str(path) in told
            white = int(re.search(r"white=(\d+)", told)[1]) or 1
            picture = read_picture(path, bands or 1, white)
            expected = stored.astype(np.float64) / white
        else:
            known = np.dtype(kind).kind == "u" and np.iinfo(kind).max
            expected = stored.astype(np.float64) / (known or 1)
        picture = picture / 255 if picture.dtype == np.uint8 else picture
        np.testing.assert_allclose(picture, np.atleast_3d(expected), rtol=1e-6, atol=1e-7)
        if refused is None:
            assert np.array_equal(labels, np.atleast_3d(stored)[..., 0])
        else:
            assert str(path) in refused
            assert (bands or 1) > 1 or stored.max() > 65535 or np.dtype(kind).kind == "f"


@law(**SIDES, seed=SEEDS, mode=st.sampled_from(["1", "L", "LA", "RGB", "RGBA", "I;16"]), ending=st.sampled_from(["png", "tif"]), orientation=ORIENTATIONS)  # fmt: skip
def test_pictures_come_back_upright(seed, height, width, mode, ending, orientation):
    """A picture of any mode, stored in any orientation, is read as a viewer shows it, with every band and bit."""
    bands = {"1": (), "L": (), "LA": (2,), "RGB": (3,), "RGBA": (4,), "I;16": ()}[mode]
    stored = array(seed, (height, width, *bands), {"1": "?", "I;16": "H"}.get(mode, "B"))
    with folder() as place:
        path, exif = place / f"a.{ending}", Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(stored).save(path, exif=exif)
        raw = load(path)
        # As a viewer shows it: Pillow's own, of the picture before it was written.
        shown = Image.fromarray(stored)
        shown.getexif()[0x0112] = orientation
        shown = np.atleast_3d(np.array(ImageOps.exif_transpose(shown)))
        assert raw.turned == (orientation > 1)
        assert np.array_equal(raw.pixels.astype(int), shown.astype(int) * (255 if mode == "1" else 1))
        if not bands:
            assert np.array_equal(read_labels(path), shown[..., 0])
        _, told = tried(DataError, read_picture, path, 3)
        if told:
            assert "transparent" in told
            assert mode.endswith("A")


@law(**SIDES, seed=SEEDS, colours=st.integers(1, 256), ending=st.sampled_from(["png", "tif", "gif", "bmp"]), clear=st.booleans())  # fmt: skip
def test_palettes_come_back(seed, height, width, colours, ending, clear):
    """Of a picture with a palette the labels are its indices and the colours those of the palette."""
    indices = numbers(seed).integers(0, colours, (height, width), dtype=np.uint8)
    palette = numbers(seed + 1).integers(0, 256, (colours, 3), dtype=np.uint8)
    picture = Image.fromarray(indices)
    picture.putpalette(palette.tobytes())
    with folder() as place:
        path = place / f"a.{ending}"
        picture.save(path, **({"transparency": 0} if clear and ending in ("png", "gif") else {}))
        labels, colours_read = read_labels(path), load(path).pixels[..., :3]
        assert np.array_equal(colours_read, palette[indices])
        # GIF may sort its palette; the others keep indices.
        assert ending == "gif" or np.array_equal(labels, indices)
        seen, told = tried(DataError, read_colours, path)
        assert np.array_equal(seen, palette[indices]) if told is None else "transparent" in told


@law(**SIDES, seed=SEEDS, bands=st.sampled_from([None, 1, 2, 3, 4, 5, 13]), kind=st.sampled_from("?BHIbhiefd"), planar=st.booleans(), orientation=ORIENTATIONS, compression=st.sampled_from([None, "zlib"]), big=st.booleans())  # fmt: skip
def test_tiffs_come_back(seed, height, width, bands, kind, planar, orientation, compression, big):
    """A TIFF of any numbers and bands, planar or not, is read with all of them, upright, or refused by name."""
    stored = array(seed, (height, width) if bands is None else (height, width, bands), kind)
    planar = planar and (bands or 1) > 1
    with folder() as place:
        path = place / "a.tif"
        tifffile.imwrite(
            path,
            np.moveaxis(stored, -1, 0) if planar else stored[..., 0] if bands == 1 else stored,
            photometric="rgb" if bands in (3, 4) and np.dtype(kind).kind == "u" else "minisblack",
            planarconfig=None if (bands or 1) == 1 else "separate" if planar else "contig",
            compression=compression,
            extratags=[(274, "H", 1, orientation, True)],
            bigtiff=big,
            metadata=None,
        )
        raw, told = tried(DataError, load, path)
        if told:
            assert str(path) in told
            return
        upright = np.atleast_3d(stored)
        if orientation >= 5:
            upright = upright.swapaxes(0, 1)
        upright = upright[
            :: -1 if orientation in (3, 4, 7, 8) else 1, :: -1 if orientation in (2, 3, 6, 7) else 1
        ]
        whole = raw.pixels if raw.labels is None else np.atleast_3d(raw.labels)
        np.testing.assert_array_equal(whole.astype(np.float64), upright.astype(np.float64))
        assert raw.turned == (orientation > 1)


def valid_files():
    """Names and bytes of small pictures of many kinds."""
    rng, found = numbers(0), {}
    grey, rgb = rng.integers(0, 256, (6, 5), dtype=np.uint8), rng.integers(0, 256, (6, 5, 3), dtype=np.uint8)
    deep = rng.integers(0, 65536, (6, 5, 3), dtype=np.uint16)
    for ending in ("png", "tif", "gif", "bmp", "jpg", "webp", "ppm"):
        for name, picture in {
            "grey": Image.fromarray(grey),
            "rgb": Image.fromarray(rgb),
            "p": Image.fromarray(rgb).quantize(7),
        }.items():
            file = io.BytesIO()
            exif = Image.Exif()
            exif[0x0112] = 6
            try:
                picture.save(
                    file,
                    {"tif": "TIFF", "jpg": "JPEG"}.get(ending, ending.upper()),
                    **({"exif": exif} if ending in ("png", "tif", "jpg", "webp") else {}),
                )
            except OSError:  # no palette in a JPEG
                continue
            found[f"{name}.{ending}"] = file.getvalue()
    for name, options in {"deep": {}, "zlib": {"compression": "zlib"}, "tiles": {"tile": (16, 16)}}.items():
        file = io.BytesIO()
        tifffile.imwrite(file, deep, photometric="rgb", **options)
        found[f"{name}.tif"] = file.getvalue()
    file = io.BytesIO()
    np.save(file, deep)
    return found | {"deep.npy": file.getvalue()}


FILES = valid_files()


@st.composite
def damage(draw, content):
    """The bytes of a file, some of them changed, taken out or put in, or its end cut off."""
    content = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        kind, place = (
            draw(st.sampled_from(["flip", "zero", "cut", "out", "in"])),
            draw(st.integers(0, max(0, len(content) - 1))),
        )
        if kind == "flip" and content:
            content[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "zero":
            content[place : place + 4] = bytes(len(content[place : place + 4]))
        elif kind == "cut":
            del content[place:]
        elif kind == "out":
            del content[place : place + draw(st.integers(1, 8))]
        else:
            content[place:place] = draw(st.binary(min_size=1, max_size=4))
    return bytes(content)


@law(name=st.sampled_from(sorted(FILES)), data=st.data())
def test_a_damaged_picture_is_read_or_named(name, data):
    """Whatever has happened to a file, the reader gives pixels in 0..1 or a DataError that names it, and nothing else."""
    content = data.draw(damage(FILES[name]))
    with folder() as place:
        path = place / name
        path.write_bytes(content)
        for call in (
            lambda: read_picture(path, 3),
            lambda: read_picture(path, 1),
            lambda: read_labels(path),
            lambda: read_colours(path),
        ):
            found, told = tried(DataError, call)
            if told is not None:
                assert name in told
            elif found.dtype == np.float32:
                assert 0 <= found.min() <= found.max() <= 1
        assert pages(path) >= 1


# --- folders ------------------------------------------------------------------------------------------------------------

LETTERS = st.sampled_from([*string.ascii_letters, *"0123456789 .-_,'#%&()[]{}!+=@~$^`äß漢é́‍🙂*?"])
STEMS = st.text(LETTERS, min_size=1, max_size=12).filter(lambda s: s.strip(". ") and not s.startswith("."))


@st.composite
def sets_of_stems(draw):
    stems = draw(
        st.lists(
            STEMS, min_size=3, max_size=9, unique_by=lambda s: unicodedata.normalize("NFC", s).casefold()
        )
    )
    return [s for s in stems if len(s.encode()) < 80]


@law(dear=2, stems=sets_of_stems(), pattern=st.sampled_from(["{stem}", "{stem}_mask", "{name}.png", "m[{stem}]", "{{{stem}}}"]), form=st.sampled_from(["NFC", "NFD"]), seed=SEEDS)  # fmt: skip
def test_a_folder_with_any_names_is_read_whole(stems, pattern, form, seed):
    """Whatever the files are called, every picture is in one split, once, beside its own mask."""
    assume(len(stems) >= 3)
    rng = numbers(seed)
    pattern = pattern.replace("{{", "{").replace("}}", "}") if "{{{" not in pattern else "{" + "{stem}" + "}"
    with folder() as root:
        (root / "images").mkdir()
        (root / "masks").mkdir()
        values = rng.permutation(len(stems))
        for stem, value in zip(stems, values.tolist()):
            size = tuple(rng.integers(1, 6, 2).tolist())
            name = f"{stem}.png"
            mask = unicodedata.normalize(form, pattern.replace("{stem}", stem).replace("{name}", name))
            mask += "" if mask.endswith(".png") and "{name}" in pattern else ".png"
            Image.fromarray(np.full(size, value, np.uint8)).save(root / "images" / name)
            Image.fromarray(np.full(size, value, np.uint8)).save(root / "masks" / mask)
        mapping, seen = {k: f"class {k}" for k in range(len(stems))}, []
        for split in ("train", "val", "test"):
            found = segnb.data.load(
                "folder", split, root=root, mapping=mapping, channels=1, mask=pattern, seed=seed % 7
            )
            for image, mask in found:
                assert image.shape[1:] == mask.shape
                assert torch.equal((image[0] * 255).round().long(), mask)
                seen.append(int(mask[0, 0]))
        assert sorted(seen) == sorted(values.tolist())


@law(dear=2, sizes=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=3, max_size=5), size=st.one_of(st.none(), st.integers(1, 33), st.tuples(st.integers(1, 33), st.integers(1, 33))), seed=SEEDS)  # fmt: skip
def test_pictures_of_any_size_come_at_the_size_asked_for(sizes, size, seed):
    """`size` is the size of every item, labels are the mask's own, and pixels keep the range of the picture."""
    rng = numbers(seed)
    with folder() as root:
        for part in ("images", "masks"):
            (root / part).mkdir()
        for i, shape in enumerate(sizes):
            image = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
            mask = rng.choice([0, 7, 255], shape).astype(np.uint8)
            Image.fromarray(image).save(root / f"images/{i}.png")
            Image.fromarray(mask).save(root / f"masks/{i}.png")
        for split in ("train", "val", "test"):
            found = segnb.data.load(
                "folder", split, root=root, mapping={0: "a", 7: "b", 255: None}, size=size
            )
            for image, mask in found:
                wanted = None if size is None else (size, size) if isinstance(size, int) else size
                assert image.shape == (3, *mask.shape)
                assert mask.shape in ([wanted] if wanted else sizes)
                assert set(mask.unique().tolist()) <= {0, 1, 255}
                assert 0 <= image.min() <= image.max() <= 1
