"""The command line: segnb train | evaluate | predict | grade | doctor."""

import argparse
import ast
import importlib
import os
import sys

import torch

from . import data, losses, models
from .inference import evaluate, predict
from .models.base import SegmentationNet
from .run import setup, too_old
from .saving import load, save
from .training import fit


def main(argv=None):
    """Run one command; returns 0, 1 when `doctor` found something wrong, or 2 with one line on what to change."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if argv[:1] == ["grade"]:  # has options of its own
        from .exercises.grading import main as grade

        return grade(argv[1:])
    arguments = _parser().parse_args(argv)
    try:
        return arguments.run(arguments) or 0
    except (ValueError, TypeError, FileNotFoundError, FloatingPointError, data.DataError) as error:
        print(f"segnb {arguments.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print(f"segnb {arguments.command}: {stop or 'stopped'}", file=sys.stderr)
        return 130


def _parser():
    parser = argparse.ArgumentParser(prog="segnb", description="The package behind the course Every Pixel.")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name, run, **options):
        added = commands.add_parser(name, formatter_class=argparse.ArgumentDefaultsHelpFormatter, **options)
        added.set_defaults(run=run)
        return added

    train = command("train", _train, help="train a network on a data set and save it")
    train.add_argument("model", choices=sorted(_networks()))
    train.add_argument("data", help="a name that segnb.data.load knows: cells, street, camvid, ...")
    train.add_argument("--out", help="file for the network (default: MODEL.pt)")
    train.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=VALUE", help="the network's own: width=16 depth=3"
    )
    train.add_argument(
        "--loss", choices=("cross_entropy", "dice", "generalised_dice", "focal"), default="cross_entropy"
    )
    train.add_argument("--steps", type=int, default=500)
    train.add_argument("--batch-size", type=int, default=4)
    train.add_argument("--lr", type=float, default=1e-3)
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--checkpoint", help="file to go on from after a stop")
    train.add_argument("--download", action="store_true", help="fetch a real data set that is not there")
    train.add_argument("--size", type=int, nargs="+", help="side, or height and width, of the images")

    test = command("evaluate", _evaluate, help="measure a saved network on a data set")
    test.add_argument("model", help="file written by train or segnb.save")
    test.add_argument("data", help="as for train")
    test.add_argument("--split", choices=("train", "val", "test"), default="val")
    test.add_argument("--size", type=int, nargs="+", help="side, or height and width, of the images")

    one = command("predict", _predict, help="the mask of one picture")
    one.add_argument("model", help="file written by train or segnb.save")
    one.add_argument("image", help="a picture file")
    one.add_argument("--mask", default="mask.png", help="file for the class numbers (a PNG with a palette)")
    one.add_argument("--overlay", help="file for the picture with the classes in colour over it")
    one.add_argument("--data", help="data set whose colours to use")
    one.add_argument("--tile", type=int, help="side of the square seen at a time, where memory is short")

    commands.add_parser("grade", help="grade a folder of exercise notebooks (segnb grade --help)")
    command("doctor", _doctor, help="what this machine can run, and what is wrong")
    return parser


def _networks():
    """Lower-case name → class of every network in segnb.models."""
    classes = (entry for entry in vars(models).values() if isinstance(entry, type))
    return {entry.__name__.lower(): entry for entry in classes if issubclass(entry, SegmentationNet)}


def _data_set(name, *split, **options):
    """`data.load`. ValueError for "folder", whose mapping no option of the command line gives."""
    if name == "folder":
        raise ValueError(
            "folder needs a mapping, which cannot be given here. Load your pictures in Python: "
            "segnb.data.load('folder', root='leaves', mapping={0: 'background', 1: 'leaf', 255: None})"
        )
    return data.load(name, *split, **options)


def _train(arguments):
    size = _size(arguments.size)
    train = _data_set(arguments.data, "train", size=size, download=arguments.download)
    val = _data_set(arguments.data, "val", size=size)
    options = {name: _value(text) for name, _, text in (pair.partition("=") for pair in arguments.set)}
    setup(arguments.seed)
    model = _networks()[arguments.model](train[0][0].shape[0], train.num_classes, **options)
    history = fit(
        model,
        train,
        val,
        loss=getattr(losses, arguments.loss),
        steps=arguments.steps,
        batch_size=arguments.batch_size,
        lr=arguments.lr,
        checkpoint=arguments.checkpoint,
        seed=arguments.seed,
    )
    if os.environ.get("RANK", "0") == "0":
        out = arguments.out or f"{arguments.model}.pt"
        save(model, out)
        print(
            f"loss {history.loss[-1]:.3f}, mean IoU {history.val[-1][1]:.3f} on val; the network is in {out}"
        )


def _evaluate(arguments):
    pictures = _data_set(arguments.data, arguments.split, size=_size(arguments.size))
    matrix = evaluate(load(arguments.model), pictures)
    print(f"{'class':<16} {'IoU':>6} {'found':>6}")
    for name, iou, accuracy in zip(pictures.classes, matrix.iou, matrix.class_accuracy):
        print(f"{name:<16} {iou:6.3f} {accuracy:6.3f}")
    print(f"{'mean':<16} {matrix.mean_iou:6.3f} {matrix.class_accuracy.nanmean():6.3f}")
    print(
        f"pixel accuracy {matrix.pixel_accuracy:.3f}, frequency weighted IoU {matrix.frequency_weighted_iou:.3f}"
    )


def _predict(arguments):
    import numpy as np
    from PIL import Image

    from .data.files import read_image

    model = load(arguments.model)
    pixels = np.atleast_3d(read_image(arguments.image, model.in_channels))
    mask = predict(model, torch.from_numpy(pixels).permute(2, 0, 1) / 255, tile=arguments.tile).argmax(0)
    if arguments.data:
        palette = _data_set(arguments.data).palette
    else:
        from matplotlib import colormaps

        palette = (np.array(colormaps["tab20"].colors * 13)[:256] * 255).astype(np.uint8)
    picture = Image.fromarray(mask.numpy().astype(np.uint8))
    picture.putpalette(palette.tobytes())
    picture.save(arguments.mask)
    if arguments.overlay:
        blend = (np.broadcast_to(pixels, (*mask.shape, 3)) * 0.5 + palette[mask] * 0.5).astype(np.uint8)
        Image.fromarray(blend).save(arguments.overlay)
    print(
        f"the mask is in {arguments.mask}: class numbers 0 to {model.num_classes - 1}, {mask.shape[0]}×{mask.shape[1]} px"
    )


def _doctor(arguments):
    """Print what works; the exit code is 1 if something does not."""
    run = setup()  # prints versions and device
    wrong = [sentence for sentence in (run.trouble, *too_old()) if sentence]
    for name in ("torchvision", "matplotlib", "scipy", "ipywidgets"):
        try:
            importlib.import_module(name)
        except (ImportError, RuntimeError, OSError) as error:  # RuntimeError: torchvision of another torch
            wrong.append(f"import {name} fails: {error}")
    for variable, otherwise in (
        ("SEGNB_DEVICE", f"the device is {run.device.type}"),
        ("SEGNB_DTYPE", f"numbers in training are {str(run.dtype).removeprefix('torch.')}"),
        ("SEGNB_SCALE", f"the chapters take their sizes for a {run.scale(cpu='CPU', gpu='GPU')}"),
        ("SEGNB_DATA", "real sets are looked for in the user cache"),
    ):
        print(f"{variable}: {os.environ.get(variable) or f'unset, so {otherwise}'}")
    place = os.environ.get("SEGNB_DATA", "")
    if place not in ("", "generated") and not os.path.isdir(place):
        wrong.append(f"SEGNB_DATA is {place}, which is no folder")
    for name in (name for name in data.names() if name != "folder"):  # needs a mapping
        found = []
        for split in ("train", "val", "test"):
            try:
                found.append(f"{split} {len(data.load(name, split))}")
            except data.DataError as error:
                reason = str(error)
        print(f"data {name}: {', '.join(found) or 'not found: ' + reason}")
    print("\n".join(f"wrong: {sentence}" for sentence in wrong) or "nothing is wrong")
    return 1 if wrong else 0


def _size(sides):
    return sides[0] if sides and len(sides) == 1 else sides


def _value(text):
    """16 → 16, (6,12,18) → a tuple, same → "same"."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


if __name__ == "__main__":
    sys.exit(main())
