"""The command line, from training to a picture's mask."""

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
        (["train", "unet", "folder"], "folder needs a mapping, which cannot be given here"),
        (["evaluate", "unet.pt", "folder"], "segnb.data.load('folder', root='leaves', mapping="),
        (["predict", "unet.pt", "picture.png", "--data", "folder"], "folder needs a mapping"),
        (["train", "unet", "cells", "--size", "27"], "UNet cannot take a height of 27 px"),
        (["train", "unet", "cells", "--set", "widht=3"], "widht"),
        (["train", "unet", "cells", "--size", "28", "--batch-size", "100", "--set", "depth=1"], "20 images"),
    ],
)
def test_mistakes_are_one_line_and_a_code(saved, arguments, message, capsys):
    Image.fromarray(np.zeros((9, 9), np.uint8)).save("picture.png")
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


def test_the_help_of_train_offers_no_set_that_it_refuses(capsys):
    with pytest.raises(SystemExit):
        command.main(["train", "--help"])
    assert "folder" not in capsys.readouterr().out


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
