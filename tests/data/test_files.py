"""Reading files of which nothing is known: all of what they hold, or a DataError whose cure works."""

import re
import struct
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from segnb.data import DataError, files
from segnb.data.reader import Page, load, pages, read_colours, read_labels, read_picture

GREY = np.arange(6 * 4, dtype=np.uint8).reshape(6, 4) * 10
COLOUR = np.random.default_rng(0).integers(0, 256, (6, 4, 3), dtype=np.uint8)
DEEP = np.random.default_rng(1).integers(0, 65536, (6, 4, 3), dtype=np.uint16)


def refused(call, *args, **options):
    """The sentence with which a call is refused."""
    with pytest.raises(DataError) as problem:
        call(*args, **options)
    return str(problem.value)


def tried(call, *args):
    """(what a call gives, "") or (None, the sentence with which it is refused)."""
    try:
        return call(*args), ""
    except DataError as problem:
        return None, str(problem)


def png(path, pixels):
    """Writes a 16-bit PNG of several bands, which Pillow cannot."""
    height, width, bands = pixels.shape

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[bands], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


# --- which way up -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
def test_pictures_and_masks_are_read_upright(tmp_path, orientation, ending):
    path, exif = tmp_path / f"a.{ending}", Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if ending == "webp" else {}
    Image.fromarray(COLOUR).save(path, exif=exif, **options)
    turned = Image.fromarray(COLOUR)
    turned.getexif()[0x0112] = orientation
    expected = np.array(ImageOps.exif_transpose(turned))
    assert expected.shape[:2] == ((6, 4) if orientation < 5 else (4, 6))
    assert np.array_equal(read_picture(path), expected)
    assert load(path).turned == (orientation > 1)
    if ending != "webp":
        again = Image.Exif()
        again[0x0112] = orientation
        Image.fromarray(GREY).save(path, exif=again)
        turned = Image.fromarray(GREY)
        turned.getexif()[0x0112] = orientation
        assert np.array_equal(read_labels(path), np.array(ImageOps.exif_transpose(turned)))


def test_a_deep_tiff_is_read_upright_too(tmp_path):
    import tifffile

    tifffile.imwrite(tmp_path / "a.tif", DEEP, photometric="rgb", extratags=[(274, "H", 1, 6, True)])
    expected = (np.rot90(DEEP, -1) / 65535).astype(np.float32)
    assert np.array_equal(read_picture(tmp_path / "a.tif"), expected)


# --- bands ------------------------------------------------------------------------------------------------------------


def test_grey_and_colour_become_each_other(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "grey.png")
    Image.fromarray(COLOUR).save(tmp_path / "colour.png")
    assert np.array_equal(read_picture(tmp_path / "grey.png", 1)[..., 0], GREY)
    assert np.array_equal(read_picture(tmp_path / "grey.png", 3), np.dstack([GREY] * 3))
    assert np.array_equal(read_picture(tmp_path / "colour.png", 3), COLOUR)
    grey = np.array(Image.fromarray(COLOUR).convert("L"))
    assert np.array_equal(read_picture(tmp_path / "colour.png", 1)[..., 0], grey)


@pytest.mark.parametrize("bands", [2, 4, 5, 13])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_many_bands_are_read_as_they_are(tmp_path, bands, planar):
    import tifffile

    pixels = np.random.default_rng(0).integers(0, 256, (7, 9, bands), dtype=np.uint8)
    np.save(tmp_path / "a.npy", pixels)
    stored = pixels if planar == "contig" else np.moveaxis(pixels, -1, 0)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="minisblack", planarconfig=planar)
    for name in ("a.npy", "a.tif"):
        assert np.array_equal(read_picture(tmp_path / name, bands), pixels), name
        told = refused(read_picture, tmp_path / name, 3)
        assert f"{name} has {bands} bands" in told
        assert "3 are asked for" in told
        cure = int(re.search(r"channels=(\d+)", told)[1])
        assert read_picture(tmp_path / name, cure).shape == (7, 9, bands)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_alpha_is_dropped_only_if_it_is_opaque(tmp_path, mode, ending):
    path = tmp_path / f"a.{ending}"
    alpha = np.full((6, 4), 255, np.uint8)
    for lowest in (255, 7):
        alpha[2, 1] = lowest
        if mode == "P":
            path = tmp_path / "a.png"
            picture = Image.fromarray(np.uint8(alpha != 255))
            picture.putpalette([200, 100, 50, 20, 10, 5])
            picture.save(path, transparency=bytes([255, lowest]))
        else:
            Image.fromarray(np.dstack([COLOUR, alpha])).convert(mode).save(path)
        if lowest == 255:
            assert read_picture(path).shape == (6, 4, 3)
    told = refused(read_picture, path)
    assert str(path) in told
    assert "alpha is 7 to 255" in told
    assert read_picture(path, int(re.search(r"channels=(\d+)", told)[1]))[2, 1, -1] == 7
    exec(re.search(r"import PIL.*", told)[0], {"path": path})
    assert read_picture(path).shape == (6, 4, 3)


def test_a_colour_key_is_alpha_too(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(COLOUR).save(path, transparency=tuple(COLOUR[0, 0].tolist()))
    assert "transparent" in refused(read_picture, path)


def test_cmyk(tmp_path):
    picture = Image.fromarray(COLOUR).convert("CMYK")
    picture.save(tmp_path / "a.tif")
    assert np.array_equal(read_picture(tmp_path / "a.tif"), np.array(picture.convert("RGB")))
    assert np.array_equal(read_picture(tmp_path / "a.tif", 4), np.array(picture))
    picture.save(tmp_path / "a.jpg", quality=100)
    assert read_picture(tmp_path / "a.jpg").shape == (6, 4, 3)


def test_npy_is_height_width_bands(tmp_path):
    path = tmp_path / "a.npy"
    bands = np.random.default_rng(0).random((13, 8, 9), dtype=np.float32)
    np.save(path, bands)
    told = refused(read_picture, path, 13)
    assert "13×8" not in told
    assert "has 9 bands, and 13 are asked for" in told
    array = np.load(path)
    np.save(path, eval(re.search(r"np\.moveaxis\([^)]*\)", told)[0], {"np": np, "array": array}))
    assert np.array_equal(read_picture(path, 13), np.moveaxis(bands, 0, -1))


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros((1, 2, 3, 4)), np.zeros((0, 4)), np.array(["a"])])
def test_arrays_that_are_no_pictures(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    assert "a.npy" in refused(read_picture, tmp_path / "a.npy")


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return open, (str(self.file), "w")


def test_pickles_are_never_loaded(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[Trap(tmp_path / "trapped")]], dtype=object))
    assert "a.npy is not a whole picture" in refused(read_picture, tmp_path / "a.npy")
    assert not (tmp_path / "trapped").exists()


# --- depth ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["png", "tif", "pgm", "npy"])
def test_16_bits_are_divided_by_their_full_range(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    np.save(path, DEEP[..., 0]) if ending == "npy" else Image.fromarray(DEEP[..., 0]).save(path)
    expected = (DEEP[..., :1] / 65535).astype(np.float32)
    assert np.array_equal(read_picture(path, 1), expected)
    assert np.array_equal(read_picture(path, 3), np.repeat(expected, 3, 2))
    assert np.array_equal(read_labels(path), DEEP[..., 0])


def test_16_bits_in_colour_keep_their_depth(tmp_path):
    import tifffile

    dark = DEEP // 256  # of which Pillow would leave nothing
    tifffile.imwrite(tmp_path / "a.tif", dark, photometric="rgb")
    png(tmp_path / "a.png", dark)
    for name in ("a.tif", "a.png"):
        assert np.array_equal(read_picture(tmp_path / name), (dark / 65535).astype(np.float32)), name
        grey = (dark / 255) @ [0.299, 0.587, 0.114]
        assert np.abs(read_picture(tmp_path / name, 1, white=255)[..., 0] - grey).max() < 1 / 255
    png(tmp_path / "b.png", np.dstack([dark, DEEP[..., 0]]))
    assert np.array_equal(
        read_picture(tmp_path / "b.png", 4)[..., 3], (DEEP[..., 0] / 65535).astype(np.float32)
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_in_0_to_1_are_taken_as_they_are(tmp_path, dtype):
    array = np.linspace(0, 1, 24).reshape(6, 4).astype(dtype)
    np.save(tmp_path / "a.npy", array)
    assert np.array_equal(read_picture(tmp_path / "a.npy", 1)[..., 0], array.astype(np.float32))
    if dtype == np.float32:
        Image.fromarray(array).save(tmp_path / "a.tif")
        assert np.array_equal(read_picture(tmp_path / "a.tif", 1)[..., 0], array)


@pytest.mark.parametrize(
    "array",
    [
        *(np.float32([[0, 300.5]]), np.int32([[0, 70000]]), np.uint32([[0, 2**31]]), np.int16([[0, 40]])),
        # No float is this number.
        np.uint64([[0, 2**60 + 1]]),
    ],
)
def test_numbers_whose_white_nobody_knows_are_named(tmp_path, array):
    path = tmp_path / "a.npy"
    np.save(path, array)
    told = refused(read_picture, path, 1)
    assert str(path) in told
    white = int(re.search(r": white=(\d+)", told)[1])
    assert read_picture(path, 1, white)[0, 1, 0] == pytest.approx(float(array.max()) / white)


@pytest.mark.parametrize(
    "array", [np.float32([[-3, 2], [0, 1]]), np.int16([[-1000, 3000]]), np.float32([[0, np.nan]])]
)
def test_numbers_below_0_and_nan_are_named(tmp_path, array):
    path = tmp_path / "a.npy"
    np.save(path, array)
    told = refused(read_picture, path, 1, 5000)
    exec(re.search(r"np\.save\(.*\)", told)[0], {"np": np, "array": array, "path": path})
    fixed = read_picture(path, 1)
    assert (fixed.min(), fixed.max()) == (0, 0 if np.isnan(array).any() else 1)


def test_white_of_a_12_bit_camera(tmp_path):
    np.save(tmp_path / "a.npy", np.uint16([[0, 4095, 1024]]))
    assert read_picture(tmp_path / "a.npy", 1, 4095)[0, :, 0].tolist() == [0, 1, np.float32(1024 / 4095)]
    assert "more than white=4000" in refused(read_picture, tmp_path / "a.npy", 1, 4000)


# --- labels -----------------------------------------------------------------------------------------------------------


def test_tiff_of_several_bands_of_one_bit_is_refused(tmp_path):
    import tifffile

    bands = np.random.default_rng(0).random((5, 6, 2)) < 0.5
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, bands, photometric="minisblack", planarconfig="contig", metadata=None)
    told = refused(load, path)
    assert str(path) in told
    assert "2 bands of 1 bit" in told
    # The cure, obeyed: bytes.
    tifffile.imwrite(
        path, bands.astype(np.uint8), photometric="minisblack", planarconfig="contig", metadata=None
    )
    assert np.array_equal(load(path).pixels, bands)


def test_labels_of_1_2_4_8_and_16_bits(tmp_path):
    small = np.uint8([[0, 1], [3, 2]])
    picture = Image.fromarray(small)
    picture.putpalette([0, 0, 0, 9, 9, 9, 200, 0, 0, 0, 200, 0])
    for bits in (2, 4, 8):
        picture.save(tmp_path / f"p{bits}.png", bits=bits)
        assert read_labels(tmp_path / f"p{bits}.png").tolist() == small.tolist()
    Image.fromarray(small == 3).save(tmp_path / "b.png")
    assert read_labels(tmp_path / "b.png").tolist() == [[0, 0], [1, 0]]
    Image.fromarray(np.uint16([[0, 60000]])).save(tmp_path / "deep.png")
    assert read_labels(tmp_path / "deep.png").tolist() == [[0, 60000]]


@pytest.mark.parametrize(("bits", "packed"), [(2, [0b00011011]), (4, [0x01, 0x23])])
def test_grey_of_2_and_4_bits_is_not_stretched(tmp_path, bits, packed):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 4, 1, bits, 0, 0, 0, 0)
    data = zlib.compress(bytes([0, *packed]))
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    assert read_labels(tmp_path / "a.png").tolist() == [[0, 1, 2, 3]]


def test_a_pgm_with_another_maximum_is_not_stretched(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P5 3 1 7 " + bytes([0, 1, 7]))
    assert read_labels(tmp_path / "a.pgm").tolist() == [[0, 1, 7]]
    assert read_picture(tmp_path / "a.pgm", 1)[0, :, 0].tolist() == [0, 36, 255]


def test_a_ppm_of_16_bits_is_not_cut_to_8(tmp_path):
    (tmp_path / "a.ppm").write_bytes(b"P6 4 6 65535 " + DEEP.astype(">u2").tobytes())
    assert "Save it as PNG or TIFF" in refused(read_picture, tmp_path / "a.ppm")
    png(tmp_path / "a.png", DEEP)
    assert np.array_equal(read_picture(tmp_path / "a.png"), (DEEP / 65535).astype(np.float32))
    (tmp_path / "a.ppm").write_bytes(b"P6 4 6 255 " + COLOUR.tobytes())
    assert np.array_equal(read_picture(tmp_path / "a.ppm"), COLOUR)


def test_a_coloured_mask_is_refused_with_the_mapping_of_its_colours(tmp_path):
    Image.fromarray(np.uint8([[[0, 0, 0], [255, 0, 0]]])).save(tmp_path / "a.png")
    told = refused(read_labels, tmp_path / "a.png")
    mapping = eval(re.search(r"mapping=(\{.*\})", told)[1])
    assert list(mapping) == [(0, 0, 0), (255, 0, 0)]
    assert read_colours(tmp_path / "a.png").tolist() == [[[0, 0, 0], [255, 0, 0]]]
    Image.fromarray(COLOUR).save(tmp_path / "a.jpg")
    assert "never as JPEG" in refused(read_labels, tmp_path / "a.jpg")


def test_a_16_bit_mask_is_no_colour(tmp_path):
    Image.fromarray(np.uint16([[0, 300]])).save(tmp_path / "a.png")
    told = refused(read_colours, tmp_path / "a.png")
    mapping = eval(re.search(r"mapping=(\{.*\})", told)[1])
    assert list(mapping) == read_labels(tmp_path / "a.png")[0].tolist()


@pytest.mark.parametrize(
    ("array", "labels"), [([[0, 1 / 255, 1]], [0, 1, 255]), ([[0, 0.99999994, 3.0000002]], [0, 1, 3])]
)
def test_float_masks_are_refused_with_a_cure_that_keeps_them(tmp_path, array, labels):
    mask = np.float32(array)
    np.save(tmp_path / "a.npy", mask)
    told = refused(read_labels, tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", eval(re.search(r"np\.rint.*\)", told)[0], {"np": np, "mask": mask}))
    assert read_labels(tmp_path / "a.npy")[0].tolist() == labels
    np.save(tmp_path / "a.npy", np.float32([[0, 1, 255]]))
    assert read_labels(tmp_path / "a.npy").tolist() == [[0, 1, 255]]


def test_labels_below_0_are_refused_with_a_cure(tmp_path):
    mask = np.int32([[-1, 5, 70000]])
    np.save(tmp_path / "a.npy", mask)
    told = refused(read_labels, tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", eval(re.search(r"np\.where.*uint16\)", told)[0], {"np": np, "mask": mask}))
    assert read_labels(tmp_path / "a.npy").tolist() == [[65535, 5, 65535]]


# --- pages ------------------------------------------------------------------------------------------------------------


def test_pages_are_refused_or_asked_for(tmp_path, monkeypatch):
    path = tmp_path / "a.tif"
    shifted = [Image.fromarray(GREY + n) for n in range(3)]
    shifted[0].save(path, save_all=True, append_images=shifted[1:])
    assert pages(path) == 3
    assert np.array_equal(read_labels(Page(path, 2)), GREY + 2)
    told = refused(read_labels, path)
    assert "has 3 pages" in told
    monkeypatch.chdir(tmp_path)
    exec(re.search(r"import PIL.*", told)[0], {})
    assert [read_labels(f"page_{k}.png")[0, 0] for k in range(3)] == [0, 1, 2]
    assert "page 4 was there" in refused(read_labels, Page(path, 3))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_imagej_writes_as_one_page_are_many(tmp_path, dtype):
    import tifffile

    stack = np.arange(5 * 6 * 4, dtype=dtype).reshape(5, 6, 4)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    with open(tmp_path / "a.tif", "r+b") as file:  # ImageJ itself leaves out all descriptions but the first
        content = file.read()
        order = "<" if content[:2] == b"II" else ">"
        (start,) = struct.unpack(order + "I", content[4:8])
        (entries,) = struct.unpack(order + "H", content[start : start + 2])
        file.seek(start + 2 + 12 * entries)
        file.write(b"\0\0\0\0")
    assert pages(tmp_path / "a.tif") == 5
    assert np.array_equal(read_labels(Page(tmp_path / "a.tif", 3)), stack[3])
    assert "has 5 pages" in refused(read_labels, tmp_path / "a.tif")


def test_thumbnails_are_no_pages(tmp_path):
    import tifffile

    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(GREY, photometric="minisblack")
        file.write(GREY[::2, ::2], photometric="minisblack", subfiletype=1)
    assert pages(tmp_path / "a.tif") == 1
    assert np.array_equal(read_labels(tmp_path / "a.tif"), GREY)


def test_a_tiff_without_its_packages_is_refused_with_what_to_install(tmp_path, monkeypatch):
    import sys

    import tifffile

    tifffile.imwrite(tmp_path / "a.tif", DEEP, photometric="rgb")
    monkeypatch.setitem(sys.modules, "tifffile", None)
    assert "pip install tifffile" in refused(read_picture, tmp_path / "a.tif")


# --- size and damage --------------------------------------------------------------------------------------------------


def test_pictures_beyond_pillows_limit_are_read_without_a_word(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 7)
    for ending in ("png", "tif", "gif"):
        Image.fromarray(GREY).save(tmp_path / f"a.{ending}")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert read_labels(tmp_path / f"a.{ending}").shape == (6, 4)
    assert files.read_mask(tmp_path / "a.png").shape == (6, 4)
    assert Image.MAX_IMAGE_PIXELS == 7


def test_a_picture_of_too_many_pixels_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MOST_PIXELS", 23)
    Image.fromarray(GREY).save(tmp_path / "a.png")
    told = refused(read_picture, tmp_path / "a.png")
    assert "6×4 pixels" in told
    assert "Cut it into parts" in told
    for k, part in enumerate(np.split(GREY, 2)):
        Image.fromarray(part).save(tmp_path / f"{k}.png")
        assert read_picture(tmp_path / f"{k}.png").shape == (3, 4, 3)


def test_what_cannot_be_opened_is_named(tmp_path):
    assert "does not exist" in refused(read_picture, tmp_path / "no.png")
    assert "does not exist" in refused(read_picture, tmp_path / "no.npy")
    (tmp_path / "folder.png").mkdir()
    assert "cannot be read" in refused(read_picture, tmp_path / "folder.png")
    for name in ("a.png", "a.tif", "a.npy"):
        (tmp_path / name).write_bytes(b"II*\0" + b"\xff" * 40)
        assert name in refused(read_picture, tmp_path / name)
        assert pages(tmp_path / name) == 1


MODES = {
    "1": ("png", "tif", "bmp", "gif"),
    "L": ("png", "tif", "jpg", "bmp", "webp", "pgm", "gif"),
    "P": ("png", "tif", "gif", "bmp"),
    "LA": ("png", "tif", "webp"),
    "RGB": ("png", "tif", "jpg", "bmp", "webp", "ppm"),
    "RGBA": ("png", "tif", "webp"),
    "CMYK": ("tif", "jpg"),
    "YCbCr": ("tif", "jpg"),
    "LAB": ("tif",),
    "I;16": ("png", "tif", "pgm"),
    "I": ("tif",),
    "F": ("tif",),
}


@settings(
    max_examples=120,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_picture_is_read_whole_or_refused_by_name(tmp_path, data):
    mode = data.draw(st.sampled_from(sorted(MODES)))
    path = tmp_path / f"a.{data.draw(st.sampled_from(MODES[mode]))}"
    height, width = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    raw = np.random.default_rng(data.draw(st.integers(0, 99))).bytes(height * width * 4)
    size = {"L": 1, "P": 1, "LA": 2, "RGB": 3, "YCbCr": 3, "LAB": 3, "I;16": 2}.get(mode, 4)
    if mode == "1":
        picture = Image.frombytes("L", (width, height), raw[: height * width]).convert("1")
    else:
        picture = Image.frombytes(mode, (width, height), raw[: height * width * size])
    if mode == "P":
        picture.putpalette(list(range(256)) * 3)
    picture.save(path)
    content = path.read_bytes()
    damage = data.draw(st.sampled_from(["none", "cut", "bytes"]))
    if damage == "cut":
        path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    if damage == "bytes":
        broken = bytearray(content)
        for _ in range(data.draw(st.integers(1, 6))):
            broken[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(broken)
    channels = data.draw(st.sampled_from([1, 2, 3, 4]))
    for read, shape in ((read_picture, (height, width, channels)), (read_labels, (height, width))):
        array, told = tried(read, path, *([channels] if read is read_picture else []))
        if told:
            assert str(path) in told
            continue
        if damage == "none":
            assert array.shape == shape
        assert array.dtype in (np.uint8, np.float32) or read is read_labels
        assert array.min() >= 0
        if array.dtype == np.float32:
            assert array.max() <= 1
        if (
            damage == "none"
            and read is read_labels
            and mode in ("L", "P", "I;16")
            and path.suffix not in (".jpg", ".gif")
        ):
            assert np.array_equal(array, np.array(picture)) or path.suffix == ".webp"


@settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    dtype=st.sampled_from(["u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"]),
    bands=st.integers(1, 5),
    planar=st.booleans(),
    cut=st.integers(0, 400),
    ending=st.sampled_from(["tif", "npy"]),
)
def test_any_array_is_read_whole_or_refused_by_name(tmp_path, dtype, bands, planar, cut, ending):
    import tifffile

    path = tmp_path / f"a.{ending}"
    pixels = np.random.default_rng(bands).integers(0, 100, (5, 7, bands)).astype(dtype)
    if ending == "npy":
        np.save(path, pixels)
    else:
        stored = np.moveaxis(pixels, -1, 0) if planar else pixels
        config = {"planarconfig": "separate" if planar else "contig"} if bands > 1 else {}
        tifffile.imwrite(path, stored if bands > 1 else pixels[..., 0], photometric="minisblack", **config)
    assert np.abs(read_picture(path, bands, 100) - pixels.astype(np.float64) / 100).max() < 1e-6
    path.write_bytes(path.read_bytes()[:cut])
    _, told = tried(read_picture, path, bands, 100)
    assert str(path) in (told or str(path))


# --- memory -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "channels", "numbers"),
    # For each pixel: what is read, what is returned if that is another array, and what tells if alpha is opaque.
    [("RGB", 3, 3), ("RGB", 1, 4), ("L", 1, 1), ("L", 3, 4), ("P", 3, 4), ("RGBA", 3, 5), ("I;16", 1, 6)],
)
def test_a_large_picture_is_held_once(tmp_path, monkeypatch, mode, channels, numbers):
    """Of 4 megapixels: NumPy's and Python's memory is traced, and Pillow makes no second picture of that size."""
    pixels = np.zeros((2000, 2000), np.uint16 if mode == "I;16" else np.uint8)
    picture = Image.fromarray(pixels)
    (picture if mode == "I;16" else picture.convert(mode)).save(tmp_path / "large.png")
    made, new = [], Image.Image._new
    monkeypatch.setattr(Image.Image, "_new", lambda *parts: made.append(new(*parts)) or made[-1])
    assert traced(read_picture, tmp_path / "large.png", channels) < 1.1 * numbers * pixels.size + 2**20
    assert max((one.height for one in made), default=0) < 100


def traced(call, *arguments):
    """The largest number of bytes that Python and NumPy held during a call."""
    tracemalloc.start()
    try:
        call(*arguments)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_array_is_read_without_a_copy(tmp_path):
    np.save(tmp_path / "large.npy", np.zeros((2000, 2000, 3), np.uint8))
    assert traced(read_picture, tmp_path / "large.npy") < 1.1 * 2000 * 2000 * 3


@pytest.mark.parametrize(("mode", "key"), [("1", None), ("1", 1), ("L", 3), ("P", 3)])
def test_labels_beside_a_colour_key_or_a_palette_are_those_stored(tmp_path, mode, key):
    picture = Image.fromarray(GREY).convert(mode)
    picture.save(tmp_path / "a.png", **({} if key is None else {"transparency": key}))
    assert np.array_equal(read_labels(tmp_path / "a.png"), np.array(picture).astype(np.uint8))
