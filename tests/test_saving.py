"""Networks in files: what comes back, what is refused, and what a kill in the middle leaves."""

import os
import signal
import subprocess
import sys
import zipfile

import pytest
import torch
from torch import nn

import segnb
from segnb import run as run_module
from segnb import saving
from segnb.models import UNet
from segnb.run import Run
from segnb.saving import load, load_trained, save, write_atomically


@pytest.fixture(autouse=True)
def cpu(monkeypatch):
    monkeypatch.setattr(run_module, "_current", Run(torch.device("cpu"), torch.float32))


@pytest.fixture
def unet():
    torch.manual_seed(0)
    net = UNet(3, 4, width=2, depth=1, padding="same", norm="batch")
    net.mean.fill_(0.25)  # a buffer that is not what a new network has
    return net


def test_a_saved_network_comes_back_whole(unet, tmp_path):
    save(unet.train(), tmp_path / "new folder" / "net.pt")
    again = load(str(tmp_path / "new folder" / "net.pt"))
    assert type(again) is UNet
    assert again.config == unet.config
    assert not again.training
    for (name, one), (other, two) in zip(unet.state_dict().items(), again.state_dict().items(), strict=True):
        assert name == other
        assert torch.equal(one, two)
    x = torch.rand(1, 3, 8, 8)
    assert torch.equal(unet.eval()(x), again(x))
    assert list((tmp_path / "new folder").iterdir()) == [tmp_path / "new folder" / "net.pt"]


def test_weights_in_half_precision_are_loaded_into_float32(unet, tmp_path):
    save(unet, tmp_path / "net.pt")
    content = torch.load(tmp_path / "net.pt", weights_only=True)
    content["weights"] = {
        name: part.half() if part.is_floating_point() else part for name, part in content["weights"].items()
    }
    torch.save(content, tmp_path / "half.pt")
    assert load(tmp_path / "half.pt").head.weight.dtype == torch.float32


@pytest.mark.parametrize(
    "module", [nn.Conv2d(1, 1, 1), type("UNet", (nn.Module,), {})(), type("Mine", (UNet,), {})()]
)
def test_only_networks_that_can_be_built_again_are_saved(module, tmp_path):
    with pytest.raises(TypeError, match=r"segnb\.models"):
        save(module, tmp_path / "net.pt")
    assert not list(tmp_path.iterdir())


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.pt"):
        load(tmp_path / "gone.pt")


def test_every_half_written_file_is_refused(unet, tmp_path):
    save(unet, tmp_path / "net.pt")
    whole = (tmp_path / "net.pt").read_bytes()
    for length in range(0, len(whole), len(whole) // 100):
        (tmp_path / "half.pt").write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"half\.pt"):
            load(tmp_path / "half.pt")


def test_one_wrong_byte_in_the_weights_is_noticed(unet, tmp_path):
    save(unet, tmp_path / "net.pt")
    content = bytearray((tmp_path / "net.pt").read_bytes())
    start = content.find(unet.head.weight.detach().numpy().tobytes())
    assert start > 0
    content[start] ^= 1
    (tmp_path / "net.pt").write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        load(tmp_path / "net.pt")


class Harm:
    """An object that would run code when unpickled."""

    def __reduce__(self):
        return os.mkdir, ("harm",)


def test_a_file_cannot_run_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"format": saving.FORMAT, "class": "UNet", "config": Harm(), "weights": {}}, "evil.pt")
    with pytest.raises(ValueError, match=r"evil\.pt"):
        load("evil.pt")
    assert not (tmp_path / "harm").exists()


def write_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "hello")


FOREIGN = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not a network"),
    "picture": lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100)),
    "zip": write_zip,
    "weights alone": lambda path: torch.save(UNet(width=1, depth=1).state_dict(), path),
    "a tensor": lambda path: torch.save(torch.zeros(3), path),
    "old torch format": lambda path: torch.save({}, path, _use_new_zipfile_serialization=False),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_files(kind, tmp_path):
    FOREIGN[kind](tmp_path / "x.pt")
    with pytest.raises(ValueError, match=r"x\.pt is not a network written by segnb\.save"):
        load(tmp_path / "x.pt")


def test_a_network_of_another_version(unet, tmp_path):
    content = {"format": saving.FORMAT, "class": "UNet", "config": unet.config, "weights": unet.state_dict()}
    for change, hint in (
        ({"class": "VNet"}, "VNet"),
        ({"class": "nn"}, "nn"),
        ({"config": unet.config | {"dropout": 0.5}}, "dropout"),
        ({"config": unet.config | {"width": 3}}, "size mismatch"),
        ({"weights": {}}, "Missing key"),
    ):
        torch.save(content | change, tmp_path / "net.pt")
        with pytest.raises(ValueError, match=hint):
            load(tmp_path / "net.pt")


def test_a_kill_while_writing_leaves_the_old_file(unet, tmp_path):
    path = tmp_path / "net.pt"
    save(unet, path)
    script = (
        "import os, signal, sys, torch\n"
        "from segnb import saving\n"
        "def half(content, file):\n"
        "    file.write(b'half of it'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
        "torch.save = half\n"
        "saving.write_atomically({}, sys.argv[1])\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert torch.equal(load(path).head.weight, unet.head.weight)
    save(unet, path)  # what the killed one left behind is in nobody's way
    assert [file.name for file in tmp_path.iterdir()] == ["net.pt"]


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_atomically({}, tmp_path / "file" / "net.pt")


def test_an_unknown_trained_network_names_those_that_ship(tmp_path, monkeypatch, unet):
    monkeypatch.setattr(saving.resources, "files", lambda package: tmp_path)
    with pytest.raises(ValueError, match="there are: none"):
        load_trained("unet")
    save(unet, tmp_path / "trained" / "unet.pt")
    save(unet, tmp_path / "trained" / "fcn.pt")
    with pytest.raises(ValueError, match=r"'vnet'.*there are: fcn, unet"):
        load_trained("vnet")
    assert torch.equal(load_trained("unet").head.weight, unet.head.weight)


def test_the_names_are_those_of_the_package():
    assert (segnb.save, segnb.load, segnb.load_trained) == (save, load, load_trained)
