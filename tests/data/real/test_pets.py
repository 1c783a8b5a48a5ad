import hashlib
import http.server
import threading
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from segnb.data import DataError, choose, load, sets
from segnb.data.real import download, pets

NAMES = [f"Abyssinian_{n}" for n in range(9)] + [f"beagle_{n}" for n in range(11)]


@pytest.fixture(autouse=True)
def new_session(monkeypatch):
    """No download has failed yet, and no time been waited for one."""
    monkeypatch.setattr(sets, "_failed", {})
    monkeypatch.setattr(download, "patience", download.Patience())


@pytest.fixture
def site(tmp_path_factory, monkeypatch):
    """The folder of a server that stands for Oxford's, with two archives that `unpack` need not understand."""
    folder = tmp_path_factory.mktemp("site")
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    sums = {}
    for name in pets.ARCHIVES:
        (folder / name).write_bytes(name.encode() * 1000)
        sums[name] = hashlib.md5((folder / name).read_bytes()).hexdigest()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        monkeypatch.setattr(pets, "ARCHIVES", sums)
        monkeypatch.setattr(pets, "URL", f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield folder
        server.shutdown()


def make(base):
    """The data set as torchvision unpacks it: 20 pictures to train on, 4 to test; trimaps of rows 1, 2, 3, 3, 1, ..."""
    place = base / "oxford-iiit-pet"
    (place / "images").mkdir(parents=True)
    (place / "annotations" / "trimaps").mkdir(parents=True)
    tests = [f"pug_{n}" for n in range(4)]
    for name in NAMES + tests:
        Image.fromarray(np.full((8, 10, 3), 90, np.uint8)).save(place / "images" / f"{name}.jpg")
        trimap = np.repeat(np.uint8([1, 2, 3, 3, 1, 2, 2, 2])[:, None], 10, axis=1)
        Image.fromarray(trimap).save(place / "annotations" / "trimaps" / f"{name}.png")
    for listing, names in (("trainval", NAMES), ("test", tests)):
        lines = "".join(f"{name} 1 1 1\n" for name in names)
        (place / "annotations" / f"{listing}.txt").write_text(lines)
    return place


@pytest.fixture
def root(tmp_path):
    make(tmp_path / "pets")
    return tmp_path


def test_the_trimap_becomes_two_classes_and_void(root):
    data = load("pets", root=root)
    image, mask = data[0]
    assert data.classes == ("background", "pet")
    assert image.shape == (3, 8, 10)
    assert mask[:, 0].tolist() == [1, 0, 255, 255, 1, 0, 0, 0]


def test_train_and_val_divide_trainval_and_always_alike(root):
    train, val, test = (
        [image.stem for image, _ in pets.files(root / "pets", split)] for split in ("train", "val", "test")
    )
    assert sorted(train + val) == sorted(NAMES)
    assert val == ["Abyssinian_7", "beagle_5"]  # of the alphabetical list the 8th, the 16th, ...
    assert val == [image.stem for image, _ in pets.files(root / "pets", "val")]
    assert test == ["pug_0", "pug_1", "pug_2", "pug_3"]


def test_torchvisions_own_place_will_do(tmp_path):
    make(tmp_path)
    assert len(load("pets", "test", root=tmp_path)) == 4


def test_pictures_of_unequal_sizes_stack_at_one_size(root):
    name = "oxford-iiit-pet/annotations/trimaps/pug_0.png"
    Image.fromarray(np.ones((6, 5), np.uint8)).save(root / "pets" / name)
    Image.fromarray(np.zeros((6, 5, 3), np.uint8)).save(root / "pets/oxford-iiit-pet/images/pug_0.jpg")
    with pytest.raises(ValueError, match="size="):
        load("pets", "test", root=root).stack()
    assert load("pets", "test", root=root, size=16).stack()[1].shape == (4, 16, 16)


def test_an_unknown_value_is_named_with_its_file(root):
    path = root / "pets" / "oxford-iiit-pet" / "annotations" / "trimaps" / "Abyssinian_0.png"
    Image.fromarray(np.full((8, 10), 7, np.uint8)).save(path)
    with pytest.raises(DataError, match=r"Abyssinian_0\.png has the unknown value 7"):
        load("pets", root=root)[0]


@pytest.mark.parametrize("name", ["images/beagle_0.jpg", "annotations/trimaps/beagle_0.png"])
def test_a_missing_file_is_named(root, name):
    (root / "pets" / "oxford-iiit-pet" / name).unlink()
    with pytest.raises(DataError, match=rf"{name} is missing"):
        load("pets", root=root)


def test_a_missing_or_empty_list_is_named(root):
    listing = root / "pets" / "oxford-iiit-pet" / "annotations" / "test.txt"
    listing.write_text("")
    with pytest.raises(DataError, match=r"test\.txt lists no pictures"):
        load("pets", "test", root=root)
    listing.unlink()
    with pytest.raises(DataError, match=r"test\.txt is missing"):
        load("pets", "test", root=root)
    assert len(load("pets", root=root)) == 18


def test_without_data_it_says_how_to_get_them(tmp_path):
    with pytest.raises(DataError, match=r"download=True.*SEGNB_DATA"):
        load("pets", root=tmp_path)


def unpack(base, download):
    """What torchvision does once the archives are there."""
    assert download
    for name in pets.ARCHIVES:
        assert (base / "oxford-iiit-pet" / name).read_bytes() == name.encode() * 1000
    make(base)


def test_the_download_appears_whole(tmp_path, monkeypatch, site, capsys):
    """torchvision unpacks into a folder of another name, which takes its place when every listed file is there."""
    monkeypatch.setattr("torchvision.datasets.OxfordIIITPet", unpack)
    half = tmp_path / "pets.unpacking" / "oxford-iiit-pet" / "images"  # of an unpacking that was interrupted
    half.mkdir(parents=True)
    (half / "pug_0.jpg").write_bytes(b"half")
    data = load("pets", "test", root=tmp_path, download=True)
    assert capsys.readouterr().out.startswith(f"fetching pets (800 MB, once) to {tmp_path / 'pets'}")
    assert len(data) == 4
    assert torch.equal(data[0][1].unique(), torch.tensor([0, 1, 255]))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pets"]
    assert not list(tmp_path.rglob("*.tar.gz"))


def test_half_a_download_is_no_data_set(tmp_path, monkeypatch, site):
    def unpack(base, download):
        (make(base) / "images" / "pug_1.jpg").unlink()

    monkeypatch.setattr("torchvision.datasets.OxfordIIITPet", unpack)
    with pytest.raises(DataError, match=r"pug_1\.jpg is missing"):
        load("pets", root=tmp_path, download=True)
    assert not list(tmp_path.iterdir())


def test_an_archive_of_another_checksum_is_thrown_away(tmp_path, monkeypatch, site):
    monkeypatch.setattr("torchvision.datasets.OxfordIIITPet", unpack)
    right = (site / "annotations.tar.gz").read_bytes()
    (site / "annotations.tar.gz").write_bytes(b"another")
    with pytest.raises(DataError, match=r"annotations\.tar\.gz has another checksum"):
        load("pets", root=tmp_path, download=True)
    left = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert left == ["images.tar.gz"]  # kept, for the next attempt
    (site / "annotations.tar.gz").write_bytes(right)
    (site / "images.tar.gz").unlink()
    assert len(load("pets", root=tmp_path, download=True)) == 18


def test_a_broken_network_is_a_data_error_and_is_remembered(tmp_path, monkeypatch, site):
    (site / "images.tar.gz").unlink()
    for get in (load, choose):
        options = {"download": True} if get is load else {}
        with pytest.raises(DataError, match=r"the server answers 404"):
            get("pets", root=tmp_path, **options)
    with pytest.raises(DataError, match=r"failed before in this session.*load\('pets', root="):
        choose("pets", root=tmp_path)


def test_what_torchvision_refuses_is_a_data_error(tmp_path, monkeypatch, site):
    def unpack(base, download):
        raise RuntimeError("File not found or corrupted.")

    monkeypatch.setattr("torchvision.datasets.OxfordIIITPet", unpack)
    with pytest.raises(DataError, match=r"could not be downloaded.*File not found or corrupted"):
        load("pets", root=tmp_path, download=True)


def test_the_archives_are_torchvisions():
    from torchvision.datasets import OxfordIIITPet

    theirs = {f"{pets.URL}/{name}": md5 for name, md5 in pets.ARCHIVES.items()}
    assert theirs == dict(OxfordIIITPet._RESOURCES)
