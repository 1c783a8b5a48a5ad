"""Networks in files: what comes back, what is refused, and what a kill in the middle leaves."""

import os
import re
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


# --- crafted files, wrapped networks, links and devices ---------------------------------------------------------------


@pytest.mark.parametrize("wrap", [lambda net: torch.compile(net, backend="eager"), nn.DataParallel])
def test_a_compiled_or_wrapped_network_is_saved_as_the_plain_one(wrap, unet, tmp_path):
    save(wrap(unet), tmp_path / "net.pt")
    for (name, one), (other, two) in zip(
        unet.state_dict().items(), load(tmp_path / "net.pt").state_dict().items(), strict=True
    ):
        assert name == other
        assert torch.equal(one, two)


def test_what_a_refused_network_prints_keeps_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, path = torch.compile(nn.Conv2d(1, 1, 1), backend="eager"), "net.pt"
    with pytest.raises(TypeError) as told:
        save(model, path)
    exec(
        re.search(r"torch\.save\(.*\)", str(told.value)).group(),
        {"torch": torch, "model": model, "path": path},
    )
    nn.Conv2d(1, 1, 1).load_state_dict(torch.load(path, weights_only=True))


CRAFTED = """
import resource, sys, time
from segnb.saving import load
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
try:
    load(sys.argv[1])
except ValueError as error:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, time.perf_counter() - start, error)
"""


@pytest.mark.parametrize(
    "change",
    [
        {"depth": 60},
        {"depth": 10},
        {"depth": 10**6},
        {"width": 2**14},
        {"num_classes": 10**8},
        {"padding": "x" * 10**7},
    ],
    ids=lambda change: str(change)[:20],
)
def test_a_file_takes_no_more_memory_than_it_holds(change, unet, tmp_path):
    content = {"format": saving.FORMAT, "class": "UNet", "weights": unet.state_dict()}
    torch.save(content | {"config": unet.config | change}, tmp_path / "net.pt")
    done = subprocess.run(
        [sys.executable, "-c", CRAFTED, str(tmp_path / "net.pt")], capture_output=True, text=True, check=True
    )
    kilobytes, seconds, message = done.stdout.split(" ", 2)
    assert "net.pt does not fit UNet" in message
    assert len(message) < 1000
    assert int(kilobytes) < 200_000
    assert float(seconds) < 20


def test_weights_that_repeat_one_number_are_refused(tmp_path):
    """A stride of 0 makes a large tensor of a small file."""
    net = UNet(width=8, depth=2)
    thin = {
        name: part.flatten()[:1].clone().as_strided(part.shape, [0] * part.ndim)
        for name, part in net.state_dict().items()
    }
    torch.save(
        {"format": saving.FORMAT, "class": "UNet", "config": net.config, "weights": thin}, tmp_path / "net.pt"
    )
    with pytest.raises(ValueError, match="more weights than it holds"):
        load(tmp_path / "net.pt")


def test_a_link_is_written_through(unet, tmp_path):
    (tmp_path / "there").mkdir()
    link = tmp_path / "net.pt"
    for target in (tmp_path / "there" / "old.pt", tmp_path / "there" / "new.pt"):
        if target.name == "old.pt":
            target.write_text("old")
        link.symlink_to(target)
        save(unet, link)
        assert link.is_symlink()
        assert torch.equal(load(target).head.weight, unet.head.weight)
        link.unlink()
    assert sorted(file.name for file in tmp_path.rglob("*.*")) == ["new.pt", "old.pt"]


def test_what_is_no_file_stays(unet, tmp_path):
    (tmp_path / "folder.pt").mkdir()
    os.mkfifo(tmp_path / "pipe.pt")
    for path in (tmp_path / "folder.pt", tmp_path / "pipe.pt", "/dev/null"):
        before = os.stat(path).st_mode
        with pytest.raises(ValueError, match="give the name of a file"):
            save(unet, path)
        assert os.stat(path).st_mode == before


def test_an_error_while_writing_leaves_nothing_behind(unet, tmp_path, monkeypatch):
    def stop(content, file):
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", stop)
    with pytest.raises(KeyboardInterrupt):
        save(unet, tmp_path / "net.pt")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("inner", ["head", "encoder.0.0"])
def test_compiled_parts_are_saved_as_plain_ones_at_any_depth(inner, unet, tmp_path):
    plain = {name: weight.clone() for name, weight in unet.state_dict().items()}
    folder, _, name = inner.rpartition(".")
    holder = unet.get_submodule(folder)
    setattr(holder, name, torch.compile(getattr(holder, name), backend="eager"))
    assert any("_orig_mod" in name for name in unet.state_dict())
    save(unet, tmp_path / "net.pt")
    assert set(torch.load(tmp_path / "net.pt", weights_only=True)["weights"]) == set(plain)
    for name, weight in load(tmp_path / "net.pt").state_dict().items():
        assert torch.equal(weight, plain[name])
    # A file of before, with the names as they were.
    content = torch.load(tmp_path / "net.pt", weights_only=True) | {"weights": unet.state_dict()}
    torch.save(content, tmp_path / "old.pt")
    assert torch.equal(load(tmp_path / "old.pt").head.weight, plain["head.weight"])
    # The network given keeps its compiled part, and weights loaded into its plain form are its own.
    with torch.no_grad():
        saving.unwrapped(unet).load_state_dict({name: weight + 1 for name, weight in plain.items()})
    assert any("_orig_mod" in name for name in unet.state_dict())
    assert all(
        torch.equal(weight, plain[name.replace("_orig_mod.", "")] + 1)
        for name, weight in unet.state_dict().items()
    )
