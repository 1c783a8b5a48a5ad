"""The command line, from training to a picture's mask."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from segnb import __main__ as command
from segnb import data, run
from segnb.data.real import camvid
from segnb.inference import predict
from segnb.run import Run
from segnb.saving import load, save

SMALL = ["--size", "28", "--steps", "3", "--set", "width=2", "depth=1", "norm=batch"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """In an empty folder, on a CPU, without real data; what setup() decides is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGNB_DATA", "generated")
    monkeypatch.setenv("SEGNB_DEVICE", "cpu")
    monkeypatch.setattr(run, "_current", Run(torch.device("cpu"), torch.float32))
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def saved(here):
    from segnb.models import UNet

    torch.manual_seed(0)
    model = UNet(1, 2, width=2, depth=1).eval()
    save(model, "unet.pt")
    return model


def test_train_then_evaluate(here, capsys):
    assert command.main(["train", "unet", "cells", *SMALL, "--checkpoint", "c.pt"]) == 0
    assert "mean IoU" in capsys.readouterr().out
    model = load("unet.pt")
    assert model.config["norm"] == "batch"
    assert (model.in_channels, model.num_classes) == (1, 2)

    # Going on from a finished checkpoint changes nothing; other settings are refused in one line.
    assert command.main(["train", "unet", "cells", *SMALL, "--checkpoint", "c.pt", "--out", "again.pt"]) == 0
    assert torch.equal(load("again.pt").head.weight, model.head.weight)
    capsys.readouterr()
    assert command.main(["train", "unet", "cells", *SMALL, "--checkpoint", "c.pt", "--lr", "1"]) == 2
    assert capsys.readouterr().err.startswith(
        "segnb train: c.pt belongs to a different training (lr was 0.001, is 1.0)"
    )

    more = [*SMALL, "--steps", "4", "--checkpoint", "c.pt", "--extend"]
    assert command.main(["train", "unet", "cells", *more, "--out", "more.pt"]) == 0
    assert "going on from step 3 of 4" in capsys.readouterr().out
    assert not torch.equal(load("more.pt").head.weight, model.head.weight)

    assert command.main(["evaluate", "unet.pt", "cells", "--size", "28", "36", "--split", "test"]) == 0
    lines = capsys.readouterr().out.splitlines()
    from segnb.inference import evaluate

    matrix = evaluate(model, data.load("cells", "test", size=(28, 36)))
    assert lines[1].split() == ["membrane", f"{matrix.iou[0]:.3f}", f"{matrix.class_accuracy[0]:.3f}"]
    assert lines[3].split()[:2] == ["mean", f"{matrix.mean_iou:.3f}"]
    assert f"pixel accuracy {matrix.pixel_accuracy:.3f}" in lines[4]


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_predict_writes_the_class_numbers_and_an_overlay(saved, mode, capsys):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 41), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save("picture.png")
    arguments = [
        "predict",
        "unet.pt",
        "picture.png",
        "--mask",
        "m.png",
        "--overlay",
        "o.png",
        "--data",
        "cells",
    ]
    assert command.main(arguments) == 0
    expected = predict(saved, torch.from_numpy(pixels)[None] / 255).argmax(0).numpy()
    mask = Image.open("m.png")
    assert mask.mode == "P"
    assert np.array_equal(np.array(mask), expected)
    colours = data.load("cells").palette[expected]
    assert np.array_equal(np.array(mask.convert("RGB")), colours)
    blend = np.array(Image.open("o.png")).astype(float)
    assert np.abs(blend - (pixels[..., None] * 0.5 + colours * 0.5)).max() <= 1
    assert "30×41" in capsys.readouterr().out

    assert command.main(["predict", "unet.pt", "picture.png", "--tile", "28"]) == 0
    assert (np.array(Image.open("mask.png")) == expected).mean() > 0.999


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "gone.pt", "a.png"], "there is no file gone.pt"),
        (["predict", "unet.pt", "gone.png"], "gone.png does not exist"),
        (["predict", "unet.pt", "picture.png", "--tile", "16"], "cannot cover a picture"),
        (["evaluate", "unet.pt", "celsl"], "no data set 'celsl'"),
        (["evaluate", "unet.pt", "isbi2012"], "SEGNB_DATA=generated"),
        (["train", "unet", "cells", "--extend"], "--checkpoint FILE"),
        (["train", "unet", "folder"], "give their folder's path"),
        (["evaluate", "unet.pt", "."], "segnb doctor . --mapping mapping.txt"),
        (["evaluate", "unet.pt", ".", "--mapping", "unet.pt"], "segnb evaluate: "),
        (["evaluate", "unet.pt", ".", "--mapping", "gone.txt"], "gone.txt"),
        (["evaluate", "unet.pt", "cells", "--mapping", "m.txt"], "Leave it out"),
        (["predict", "unet.pt", "picture.png", "--data", "folder"], "segnb doctor PATH"),
        (["predict", "unet.pt", "picture.png", "--mask", "no/such/m.png"], "no folder no/such. Make it"),
        (["predict", "unet.pt", "colour.npy"], "has 5 bands, and 1 are asked for. unet.pt takes 1"),
        (["doctor", "--mapping", "m.txt"], "segnb doctor FOLDER"),
        (["doctor", "gone"], "gone has no folder images/"),
        (["train", "unet", "cells", "--size", "27"], "UNet cannot take a height of 27 px"),
        (["train", "unet", "cells", "--set", "widht=3"], "; not widht"),
        (["train", "unet", "cells", "--set", "widht=3"], "UNet is built with: width, depth, "),
        (["evaluate", "unet.pt", "street"], "have 3 channels, and unet.pt takes 1"),
        (["train", "unet", "cells", "--size", "28", "--batch-size", "100", "--set", "depth=1"], "20 images"),
    ],
)
def test_mistakes_are_one_line_and_a_code(saved, arguments, message, capsys):
    Image.fromarray(np.zeros((9, 9), np.uint8)).save("picture.png")
    np.save("colour.npy", np.zeros((9, 9, 5), np.uint8))
    assert command.main(arguments) == 2
    error = capsys.readouterr().err.split("\r")[-1]  # what follows a progress bar that was taken away
    assert error.startswith(f"segnb {arguments[0]}: ")
    assert message in error
    assert error.count("\n") == 1


def test_ctrl_c_says_how_to_go_on(monkeypatch, capsys):
    def stopped(*args, **options):
        raise KeyboardInterrupt("training stopped after step 2 of 3; call it again to go on")

    monkeypatch.setattr(command, "fit", stopped)
    assert command.main(["train", "unet", "cells", *SMALL]) == 130
    assert "call it again" in capsys.readouterr().err


def test_values_of_the_networks_own_options():
    assert [command._value(text) for text in ("16", "(6,12,18)", "False", "same", "1e-3")] == [
        16,
        (6, 12, 18),
        False,
        "same",
        0.001,
    ]


def test_every_network_of_the_package_can_be_trained():
    from segnb import models

    assert "unet" in command._networks()
    assert set(command._networks()) <= {name.lower() for name in vars(models)}
    assert "segmentationnet" not in command._networks()


def test_grade_passes_its_arguments_on(monkeypatch):
    from segnb.exercises import grading

    seen = []
    monkeypatch.setattr(grading, "main", lambda argv: seen.append(argv) or 5)
    assert command.main(["grade", "submissions", "--out", "g.csv"]) == 5
    assert seen == [["submissions", "--out", "g.csv"]]


def test_doctor_on_a_sound_machine(capsys):
    assert command.main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "device: cpu" in printed
    assert "SEGNB_DATA: generated" in printed
    assert "data cells: train 20, val 4, test 6" in printed
    assert "data isbi2012: not found: SEGNB_DATA=generated" in printed
    assert printed.endswith("nothing is wrong\n")


@pytest.mark.parametrize("place", [None, "sets"])
def test_doctor_on_a_machine_without_real_sets(here, monkeypatch, capsys, place):
    monkeypatch.setenv("XDG_CACHE_HOME", str(here / "cache"))
    monkeypatch.delenv("SEGNB_DATA")
    if place:
        (here / place).mkdir()
        monkeypatch.setenv("SEGNB_DATA", place)
    monkeypatch.setattr(camvid, "download", None)  # it would fetch nothing even if it could
    assert command.main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert f"SEGNB_DATA: {place or 'unset'}" in printed
    assert f"data camvid: not found: camvid is not at {place or here / 'cache' / 'segnb'}/camvid" in printed
    assert "data street: train 367, val 101, test 233" in printed
    assert "data folder" not in printed
    assert printed.endswith("nothing is wrong\n")
    assert not (here / "cache").exists()


def test_doctor_lists_what_each_environment_variable_decides(monkeypatch, capsys):
    for name in ("SEGNB_DEVICE", "SEGNB_DTYPE", "SEGNB_SCALE", "SEGNB_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(data, "names", lambda: [])
    monkeypatch.setattr(run, "_choose_device", lambda wanted: (torch.device(wanted or "cpu"), None))
    monkeypatch.setattr(run, "_choose_dtype", lambda device: torch.bfloat16)
    assert command.main(["doctor"]) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("SEGNB_")] == [
        "SEGNB_DEVICE: unset, so the device is cpu",
        "SEGNB_DTYPE: unset, so numbers in training are bfloat16",
        "SEGNB_SCALE: unset, so the chapters take their sizes for a CPU",
        "SEGNB_DATA: unset, so real sets are looked for in the user cache",
    ]
    settings = {
        "SEGNB_DEVICE": "cpu",
        "SEGNB_DTYPE": "float16",
        "SEGNB_SCALE": "gpu",
        "SEGNB_DATA": "generated",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert command.main(["doctor"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in printed if line.startswith("SEGNB_")] == [
        f"{name}: {value}" for name, value in settings.items()
    ]
    assert "as asked by SEGNB_DEVICE=cpu, SEGNB_DTYPE=float16, SEGNB_SCALE=gpu" in printed
    monkeypatch.setenv("SEGNB_SCALE", "large")
    assert command.main(["doctor"]) == 2
    assert capsys.readouterr().err == "segnb doctor: SEGNB_SCALE is one of cpu, gpu or unset, not 'large'\n"


def test_doctor_names_what_is_wrong(monkeypatch, capsys):
    monkeypatch.setattr(command, "too_old", lambda: ["torch 1.0 is too old"])
    monkeypatch.setattr(run, "_choose_device", lambda wanted: (torch.device("cpu"), "The GPU failed"))
    monkeypatch.setitem(command.sys.modules, "scipy", None)  # an import of it fails
    monkeypatch.setenv("SEGNB_DATA", "/no/such/folder")
    assert command.main(["doctor"]) == 1
    wrong = [line for line in capsys.readouterr().out.splitlines() if line.startswith("wrong: ")]
    assert len(wrong) == 4
    for part in ("torch 1.0", "The GPU failed", "import scipy fails", "/no/such/folder"):
        assert any(part in line for line in wrong)


@pytest.mark.parametrize("arguments", [[], ["tarin"], ["train", "vnet", "cells"]])
def test_unknown_commands_show_the_choices(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        command.main(arguments)
    assert stop.value.code == 2
    assert "usage: segnb" in capsys.readouterr().err


# --- folders of one's own -----------------------------------------------------------------------------------------------


@pytest.fixture
def leaves(here):
    """leaves/: 8 colour pictures of 28×28 pixels and their masks, 0 and 1."""
    rng = np.random.default_rng(0)
    for n in range(8):
        for kind in ("images", "masks"):
            (here / "leaves" / kind).mkdir(parents=True, exist_ok=True)
        mask = np.zeros((28, 28), np.uint8)
        mask[5 + n : 15 + n, 4:20] = 1
        pixels = rng.integers(0, 80, (28, 28, 3), dtype=np.uint8) + 150 * mask[..., None]
        Image.fromarray(pixels).save(here / f"leaves/images/{n}.png")
        Image.fromarray(mask).save(here / f"leaves/masks/{n}_mask.png")
    return here / "leaves"


def error_of(arguments, capsys):
    """The one line with which a command is refused."""
    capsys.readouterr()
    assert command.main(arguments) == 2
    error = capsys.readouterr().err.split("\r")[-1]
    assert error.count("\n") == 1
    return error


def test_doctor_of_a_folder_then_train_evaluate_and_predict(leaves, capsys):
    told = error_of(["train", "unet", "leaves"], capsys)
    cure = told.split("segnb ")[-1].split()
    assert command.main([*cure, "--picture", "p.png"]) == 0
    printed = capsys.readouterr().out
    assert "all: 8 pictures with masks" in printed
    assert Image.open("p.png").width > 100
    assert "is there and may have names of yours" in error_of(cure, capsys)
    file = leaves.parent / "mapping.txt"
    text = file.read_text(encoding="utf-8")
    assert "{stem}_mask.png" in text
    file.write_text(text.replace("class 1", "leaf"), encoding="utf-8")

    line = next(line for line in printed.splitlines() if line.startswith("segnb train"))
    assert command.main([*line.split()[1:], *SMALL, "--set", "width=2", "depth=1", "padding=same"]) == 0
    assert command.main(["evaluate", "unet.pt", "leaves", "--mapping", "mapping.txt", "--split", "test"]) == 0
    assert "\nleaf " in capsys.readouterr().out
    options = ["--data", "leaves", "--mapping", "mapping.txt"]
    assert command.main(["predict", "unet.pt", "leaves/images/0.png", *options]) == 0
    assert np.array(Image.open("mask.png")).max() <= 1


@pytest.mark.parametrize(
    "text",
    [
        '{"0": "ground", "1": "leaf", "255": null}',
        "{0: 'ground', 1: 'leaf', 255: None}",
        '{"mapping": {"0": "ground", "1": "leaf"}, "mask": "{stem}_mask.png"}',
        '{"(0, 0, 0)": "ground", "(1, 1, 1)": "leaf"}',
    ],
)
def test_files_of_mappings(leaves, text):
    if "mask" not in text:
        for n in range(8):
            (leaves / f"masks/{n}_mask.png").rename(leaves / f"masks/{n}.png")
    with open("m.json", "w", encoding="utf-8") as file:
        file.write(text)
    assert command._data_set("leaves", "val", "m.json").classes == ("ground", "leaf")


@pytest.mark.parametrize(
    "text", ["[1, 2]", "{", "import os", "{" * 9999, "{'mapping': {0: 'a'}, 'chanels': 3}"]
)
def test_files_that_are_no_mapping(leaves, text, capsys):
    with open("m.txt", "w", encoding="utf-8") as file:
        file.write(text)
    assert (
        "mapping" in error_of(["evaluate", "unet.pt", "leaves", "--mapping", "m.txt"], capsys)
        or "chanels" in text
    )


def test_doctor_of_a_folder_with_mistakes(leaves, capsys):
    (leaves / "images/3.png").write_bytes(b"no picture")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(leaves / "masks/5_mask.png")
    assert command.main(["doctor", "leaves"]) == 1
    wrong = [line for line in capsys.readouterr().out.splitlines() if line.startswith("wrong: ")]
    assert len(wrong) == 2
    assert "3.png" in wrong[0]
    assert "5_mask.png" in wrong[1]


@pytest.fixture
def photo(saved):
    """photo.png and, beside it, unet.pt for grey pictures."""
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 41), dtype=np.uint8)).save("photo.png")
    return np.array(Image.open("photo.png"))


@pytest.mark.parametrize(
    "options",
    [
        ["--mask", "photo.png"],
        ["--mask", "same.png"],
        ["--overlay", "photo.png"],
        ["--mask", "m.jpg"],
        ["--mask", "m.gif"],
        ["--mask", "m"],
        ["--overlay", "o.unknown"],
        ["--mask", "m.png", "--overlay", "m.png"],
    ],
)
def test_predict_overwrites_no_input_and_its_cures_work(photo, options, capsys):
    os.link("photo.png", "same.png")
    told = error_of(["predict", "unet.pt", "photo.png", *options], capsys)
    assert np.array_equal(np.array(Image.open("photo.png")), photo)
    cure = told[told.index("Give --") + 5 :].split()
    assert command.main(["predict", "unet.pt", "photo.png", *options, *cure]) == 0
    assert np.array_equal(np.array(Image.open("photo.png")), photo)
    written = Image.open(cure[1])
    assert written.size == (41, 30)
    assert written.mode == ("RGB" if cure[0] == "--overlay" else "P")


def test_predict_overwrites_no_network(photo, capsys):
    os.link("unet.pt", "unet.png")
    assert "would be overwritten" in error_of(
        ["predict", "unet.pt", "photo.png", "--mask", "unet.png"], capsys
    )
    load("unet.pt")


def test_predict_turns_photos_upright(saved):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 41), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(pixels)).save("photo.png", exif=exif)
    assert command.main(["predict", "unet.pt", "photo.png"]) == 0
    expected = predict(saved, torch.from_numpy(pixels)[None] / 255).argmax(0).numpy()
    assert np.array_equal(np.array(Image.open("mask.png")), expected)


def test_predict_of_deep_pictures(saved):
    pixels = np.random.default_rng(0).integers(0, 4096, (30, 41), dtype=np.uint16)
    Image.fromarray(pixels).save("photo.png")
    assert command.main(["predict", "unet.pt", "photo.png", "--white", "4095", "--overlay", "o.png"]) == 0
    image = torch.from_numpy((pixels / np.float64(4095)).astype(np.float32))[None]
    assert np.array_equal(np.array(Image.open("mask.png")), predict(saved, image).argmax(0).numpy())


def test_predict_of_a_folder(saved, capsys):
    os.mkdir("pictures")
    for n in range(3):
        Image.fromarray(np.full((30, 41 + n), 60 * n, np.uint8)).save(f"pictures/{n}.png")
    assert command.main(["predict", "unet.pt", "pictures", "--overlay", "over"]) == 0
    assert sorted(os.listdir("masks")) == sorted(os.listdir("over")) == ["0.png", "1.png", "2.png"]
    assert Image.open("masks/2.png").size == (43, 30)
    told = error_of(["predict", "unet.pt", "pictures", "--mask", "pictures"], capsys)
    assert "would be overwritten" in told

    with open("pictures/1.png", "wb") as file:
        file.write(b"no picture")
    assert "1.png is not a whole picture" in error_of(
        ["predict", "unet.pt", "pictures", "--mask", "again"], capsys
    )
    assert sorted(os.listdir("again")) == ["0.png", "2.png"]
    os.mkdir("nothing")
    assert "has no pictures" in error_of(["predict", "unet.pt", "nothing"], capsys)


def test_masks_of_more_than_256_classes(here, capsys):
    from segnb.models import UNet

    torch.manual_seed(0)
    model = UNet(1, 300, width=2, depth=1, padding="same").eval()
    with torch.no_grad():
        model.head.bias[299] = 99
    save(model, "many.pt")
    Image.fromarray(np.zeros((30, 40), np.uint8)).save("photo.png")
    assert command.main(["predict", "many.pt", "photo.png", "--mask", "m.tif", "--overlay", "o.png"]) == 0
    assert np.array(Image.open("m.tif")).min() == 299
    assert "cannot hold a mask" in error_of(["predict", "many.pt", "photo.png", "--mask", "m.bmp"], capsys)
    told = error_of(["predict", "many.pt", "photo.png", "--data", "cells"], capsys)
    assert "cells has 2 classes and the network 300" in told


# --- disks and pipes ----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the size of files")
@pytest.mark.parametrize(
    ("arguments", "file"),
    [(["predict", "unet.pt", "photo.png"], "mask.png"), (["predict", "unet.pt", "photo.png", "--mask", "m.tif"], "m.tif"),
     (["train", "unet", "cells", *SMALL], "unet.pt"), (["train", "unet", "cells", *SMALL, "--checkpoint", "c.pt"], "c.pt"),
     (["doctor", "leaves", "--picture", "p.png"], "p.png")],
)  # fmt: skip
def test_a_full_disk_is_one_line_and_leaves_what_was_there(leaves, photo, arguments, file, capsys):
    import resource
    import signal

    before, there = resource.getrlimit(resource.RLIMIT_FSIZE), set(os.listdir())
    old = Path(file).read_bytes() if file in there else None
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        told = error_of(arguments, capsys)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    kept = "" if old is None else "; what it held before is still there"
    assert told == f"segnb {arguments[0]}: [Errno 27] {file} cannot be written, File too large{kept}\n"
    assert set(os.listdir()) == there
    assert old is None or Path(file).read_bytes() == old


def test_output_that_nobody_reads_ends_quietly():
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as unread:
        command = [sys.executable, "-m", "segnb", "doctor"]
        done = subprocess.run(command, stdout=unread, stderr=subprocess.PIPE, check=False)
    assert done.stderr == b""
    assert done.returncode == 141
