"""The command line: segnb train | evaluate | predict | page | grade | doctor."""

import argparse
import ast
import importlib
import inspect
import json
import os
import sys
from pathlib import Path

from . import data, losses, models
from .disk import encoded, replacing
from .inference import evaluate, predict
from .models.base import SegmentationNet
from .run import setup, too_old
from .saving import load, save
from .training import fit


def main(argv=None) -> int:
    """Run one command of the command line.

    argv: its words, those of this program if left out.

    Returns 0; 1 when `doctor` found something wrong; 2 with one line on what to change; 130 after
    Ctrl-C; 141 where nobody reads the output to its end, as `head` does not.
    """
    try:
        try:
            return _command(sys.argv[1:] if argv is None else list(argv))
        finally:
            sys.stdout.flush()
    except OSError as error:
        # Python writes what is left when it ends, and would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return 141
        print(f"segnb: {error}", file=sys.stderr)
        return 2


def _command(argv):
    if argv[:1] == ["grade"]:  # has options of its own
        from .exercises.grading import main as grade

        return grade(argv[1:])
    arguments = _parser().parse_args(argv)
    try:
        return arguments.run(arguments) or 0
    except BrokenPipeError:
        raise
    except (ValueError, TypeError, OSError, FloatingPointError, data.DataError) as error:
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
    train.add_argument(
        "data", help="a name that segnb.data.load knows (cells, street, camvid, ...) or a folder"
    )
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
    train.add_argument("--workers", type=int, default=0, help="processes that read the data ahead")
    train.add_argument("--checkpoint", help="file to go on from after a stop")
    train.add_argument(
        "--extend", action="store_true", help="go on with a --checkpoint that was planned with fewer --steps"
    )
    train.add_argument("--download", action="store_true", help="fetch a real data set that is not there")
    train.add_argument(
        "--mapping", metavar="FILE", help="for a folder: what its masks mean, from segnb doctor"
    )
    train.add_argument("--size", type=int, nargs="+", help="side, or height and width, of the images")

    test = command("evaluate", _evaluate, help="measure a saved network on a data set")
    test.add_argument("model", help="file written by train or segnb.save")
    test.add_argument("data", help="as for train")
    test.add_argument("--split", choices=("train", "val", "test"), default="val")
    test.add_argument(
        "--mapping", metavar="FILE", help="for a folder: what its masks mean, from segnb doctor"
    )
    test.add_argument("--size", type=int, nargs="+", help="side, or height and width, of the images")

    one = command("predict", _predict, help="the masks of pictures")
    one.add_argument("model", help="file written by train or segnb.save")
    one.add_argument("image", help="a picture file, or a folder of them")
    one.add_argument(
        "--mask", help="file or folder for the class numbers, PNG with a palette (mask.png or masks)"
    )
    one.add_argument("--overlay", help="file or folder for the picture with the classes in colour over it")
    one.add_argument("--data", help="data set whose colours to use")
    one.add_argument("--mapping", metavar="FILE", help="of the data set, if that is a folder")
    one.add_argument("--white", type=float, help="the number that becomes 1, as in training")
    one.add_argument("--tile", type=int, help="side of the square seen at a time, where memory is short")

    alive = command("page", _page, help="one file with the network alive in it, to open from disk or to send")
    alive.add_argument("model", help="file written by train or segnb.save")
    alive.add_argument("--pictures", required=True, help="a picture file, or a folder of them")
    alive.add_argument("--out", default="my_net.html", help="file for the page")
    alive.add_argument("--data", help="data set whose class names and colours to use")
    alive.add_argument("--mapping", metavar="FILE", help="of the data set, if that is a folder")
    alive.add_argument("--white", type=float, help="the number that becomes 1, as in training")
    alive.add_argument(
        "--size",
        type=int,
        nargs="+",
        help="side, or height and width, the pictures get (default: 128 the longer)",
    )

    commands.add_parser("grade", help="grade a folder of exercise notebooks (segnb grade --help)")
    doctor = command(
        "doctor", _doctor, help="what this machine can run, or what a folder holds, and what is wrong"
    )
    doctor.add_argument("folder", nargs="?", help="pictures and masks of your own, to look at instead")
    doctor.add_argument(
        "--mapping", metavar="FILE", help="file for what train and evaluate need of the folder"
    )
    doctor.add_argument(
        "--picture", metavar="FILE", help="file for a picture of some samples with their masks"
    )
    return parser


def _networks():
    """Lower-case name → class of every network in segnb.models."""
    classes = (entry for entry in vars(models).values() if isinstance(entry, type))
    return {entry.__name__.lower(): entry for entry in classes if issubclass(entry, SegmentationNet)}


def _data_set(name, split="train", mapping=None, **options):
    """`data.load`, of a folder too. ValueError for a folder without the file that says what its masks mean."""
    place = Path(name).expanduser()
    if name == "folder" and not place.is_dir():
        raise ValueError(
            "folder stands for pictures of your own: give their folder's path, and --mapping with the file that this "
            "writes: segnb doctor PATH --mapping mapping.txt"
        )
    if name != "folder" and (name in data.names() or not place.is_dir()):
        if mapping:
            raise ValueError(f"--mapping is for a folder of your own, and {name!r} is none. Leave it out.")
        return data.load(name, split, **options)
    if not mapping:
        raise ValueError(
            f"{name} needs a file that says what its masks mean. This writes one, to be named with --mapping: "
            f"segnb doctor {name} --mapping mapping.txt"
        )
    return data.load("folder", split, root=place, **options, **_read_options(mapping))


def _read_options(file):
    """What `load("folder", ...)` takes, from a file: {"mapping": {...}, "channels": 1, ...} or the mapping alone."""
    text = Path(file).read_text(encoding="utf-8")
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
    if not isinstance(found, dict):
        raise ValueError(
            f"{file} holds no mapping, as JSON or in Python's words: {{0: 'background', 1: 'leaf', 255: None}}"
        )
    options = found if isinstance(found.get("mapping"), dict) else {"mapping": found}
    mapping = {_value(key) if isinstance(key, str) else key: name for key, name in options["mapping"].items()}
    return options | {"mapping": mapping}


def _network_options(network, pairs):
    """The constructor's arguments in NAME=VALUE pairs. ValueError for a name that it does not know, naming those it does."""
    options = {name: _value(text) for name, _, text in (pair.partition("=") for pair in pairs)}
    known = [
        name for name in inspect.signature(network).parameters if name not in ("in_channels", "num_classes")
    ]
    if unknown := options.keys() - set(known):
        raise ValueError(
            f"--set takes what {network.__name__} is built with: {', '.join(known)}; not {', '.join(sorted(unknown))}"
        )
    return options


def _train(arguments):
    if arguments.extend and not arguments.checkpoint:
        raise ValueError("--extend goes on with a checkpoint. Name it: --checkpoint FILE")
    size = _size(arguments.size)
    train = _data_set(arguments.data, "train", arguments.mapping, size=size, download=arguments.download)
    val = _data_set(arguments.data, "val", arguments.mapping, size=size)
    network = _networks()[arguments.model]
    options = _network_options(network, arguments.set)
    setup(arguments.seed)
    model = network(train[0][0].shape[0], train.num_classes, **options)
    history = fit(
        model,
        train,
        val,
        loss=getattr(losses, arguments.loss),
        steps=arguments.steps,
        batch_size=arguments.batch_size,
        lr=arguments.lr,
        checkpoint=arguments.checkpoint,
        extend=arguments.extend,
        seed=arguments.seed,
        workers=arguments.workers,
    )
    if os.environ.get("RANK", "0") == "0":
        out = arguments.out or f"{arguments.model}.pt"
        save(model, out)
        print(
            f"loss {history.loss[-1]:.3f}, mean IoU {history.val[-1][1]:.3f} on val; the network is in {out}"
        )


def _evaluate(arguments):
    pictures = _data_set(arguments.data, arguments.split, arguments.mapping, size=_size(arguments.size))
    model, channels = load(arguments.model), pictures[0][0].shape[0]
    if channels != model.in_channels:
        raise ValueError(
            f"the pictures of {arguments.data} have {channels} channels, and {arguments.model} takes {model.in_channels}: "
            "evaluate it on the data that it was trained for, or train another one with segnb train"
        )
    matrix = evaluate(model, pictures)
    print(f"{'class':<16} {'IoU':>6} {'found':>6}")
    for name, iou, accuracy in zip(pictures.classes, matrix.iou, matrix.class_accuracy):
        print(f"{name:<16} {iou:6.3f} {accuracy:6.3f}")
    print(f"{'mean':<16} {matrix.mean_iou:6.3f} {matrix.class_accuracy.nanmean():6.3f}")
    print(
        f"pixel accuracy {matrix.pixel_accuracy:.3f}, frequency weighted IoU {matrix.frequency_weighted_iou:.3f}"
    )


def _predict(arguments):
    from tqdm.std import tqdm

    model = load(arguments.model)
    palette = _palette(arguments, model.num_classes)
    jobs = _jobs(arguments, model.num_classes)
    failed = []
    for picture, mask, overlay in tqdm(jobs, desc="pictures", leave=False, disable=len(jobs) == 1):
        try:
            height, width = _predict_one(model, picture, mask, overlay, palette, arguments)
        except data.DataError as problem:
            failed.append(str(problem))
    if failed:
        others = f" (and {len(failed) - 1} more; the others are done)" if len(jobs) > 1 else ""
        raise data.DataError(failed[0] + others)
    if os.path.isdir(arguments.image):
        where, size = f"{len(jobs)} masks are in {Path(jobs[0][1]).parent}", ""
    else:
        where, size = f"the mask is in {jobs[0][1]}", f", {height}×{width} px"
    print(f"{where}: class numbers 0 to {model.num_classes - 1}{size}")


def _predict_one(model, picture, mask, overlay, palette, arguments):
    """Writes the mask of one picture, and the overlay if there is to be one. Returns height and width."""
    import numpy as np
    from PIL import Image

    from .data.reader import read_picture

    cure = f"{arguments.model} takes {model.in_channels}: train a network with channels={{bands}}, or give it other pictures."
    pixels = read_picture(picture, model.in_channels, arguments.white, cure)
    image = pixels if pixels.dtype == np.uint8 else pixels.transpose(2, 0, 1)
    if model.num_classes > 256:
        found = predict(model, image, tile=arguments.tile).argmax(0).numpy()
        _write(mask, encoded(Image.fromarray(found.astype(np.uint16)), mask))
    else:
        found = predict(model, image, tile=arguments.tile, out=mask, palette=palette).numpy()
    if overlay:
        seen = pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., :1]
        seen = seen if seen.dtype == np.uint8 else seen * 255
        # Of more classes than colours, some share one.
        colours = np.resize(palette, (model.num_classes, 3))
        blend = (seen * 0.5 + colours[found] * 0.5).astype(np.uint8)
        _write(overlay, encoded(Image.fromarray(blend), overlay))
    return found.shape


def _write(path, content):
    """Write bytes to a file, whole or not at all. OSError, naming it, if it cannot be written."""
    with replacing(path) as partial:
        partial.write_bytes(content)


def _palette(arguments, num_classes):
    """The colours of the data set that was named, else others."""
    import numpy as np
    from matplotlib import colormaps

    if not arguments.data:
        return (np.array(colormaps["tab20"].colors * 13)[:256] * 255).astype(np.uint8)
    pictures = _data_set(arguments.data, mapping=arguments.mapping)
    if pictures.num_classes < num_classes:
        raise ValueError(
            f"{arguments.data} has {pictures.num_classes} classes and the network {num_classes}. Leave out --data, or name "
            "the set of its training."
        )
    return pictures.palette


def _jobs(arguments, num_classes):
    """[(picture, file for its mask, file for its overlay or None)], all of which may be written."""
    from .data.real import folder

    if os.path.isdir(arguments.image):
        pictures, problem = folder.listed(Path(arguments.image))
        stems, doubles = folder.by_stem(pictures)
        if problem or doubles:
            raise data.DataError(problem or doubles[0])
        places = [Path(arguments.mask or "masks"), Path(arguments.overlay) if arguments.overlay else None]
        jobs = [
            (path, *(place / f"{path.stem}.png" if place else None for place in places))
            for path in stems.values()
        ]
    else:
        places = []
        jobs = [
            (
                Path(arguments.image),
                Path(arguments.mask or "mask.png"),
                arguments.overlay and Path(arguments.overlay),
            )
        ]
    _check_outputs(jobs, num_classes, arguments.model)
    for file in () if places else (file for file in jobs[0][1:] if file and not file.parent.is_dir()):
        raise ValueError(f"{file} cannot be written: there is no folder {file.parent}. Make it first.")
    for place in places:
        if place:
            place.mkdir(parents=True, exist_ok=True)
    return jobs


def _check_outputs(jobs, num_classes, model):
    """ValueError if a file to be written is one that is read, or cannot hold what it is for."""
    from PIL import Image

    precious = {_identity(path) for path in (*(picture for picture, _, _ in jobs), model)} - {None}
    formats = (".png", ".tif", ".tiff") if num_classes > 256 else (".png", ".tif", ".tiff", ".bmp")
    for _, mask, overlay in jobs:
        if mask.suffix.lower() not in formats:
            raise ValueError(
                f"{mask} cannot hold a mask: its format has no class numbers, or changes them. Give "
                f"--mask {mask.with_suffix('.png')}"
            )
        if overlay and overlay.suffix.lower() not in Image.registered_extensions():
            raise ValueError(
                f"{overlay} is no format for a picture. Give --overlay {overlay.with_suffix('.png')}"
            )
        for option, file in (("mask", mask), ("overlay", overlay)):
            if file and _identity(file) in precious:
                other = file.with_name(f"{file.stem}_{option}.png")
                raise ValueError(f"{file} would be overwritten, and it is read. Give --{option} {other}")
        if overlay and overlay.absolute() == mask.absolute():
            raise ValueError(f"mask and overlay are both {mask}. Give --overlay {mask.stem}_overlay.png")


def _identity(path):
    """What tells a file from all others, by whatever name; None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _page(arguments):
    from torch.nn.functional import interpolate

    from .demos.ask import ask, document

    model = load(arguments.model)
    pictures = [_picture(path, model, arguments) for path in _pictures(arguments.pictures)]
    height, width = pictures[0].shape[1:]
    longer = max(height, width)
    wanted = arguments.size or (128 * height // longer, 128 * width // longer)
    size = [model.valid_size(side) for side in (*wanted, *wanted)[:2]]
    pictures = [
        interpolate(picture[None], size=size, mode="bilinear", antialias=True)[0] for picture in pictures
    ]
    classes = _data_set(arguments.data, mapping=arguments.mapping) if arguments.data else None
    page = document(ask(model, pictures, classes), Path(arguments.model).stem)
    _write(arguments.out, page.encode())
    print(
        f"the page is in {arguments.out}: {len(page) / 1e6:.1f} MB, {len(pictures)} pictures at {size[0]}×{size[1]} px"
    )


def _pictures(place):
    """The picture files in a folder, or the one file. DataError for a folder without any."""
    from .data.real import folder

    if not os.path.isdir(place):
        return [Path(place)]
    found, problem = folder.listed(Path(place))
    if problem:
        raise data.DataError(problem)
    return found


def _picture(path, model, arguments):
    """C×H×W in 0..1, as the network takes it."""
    import torch

    from .data.reader import read_picture

    cure = f"{arguments.model} takes {model.in_channels}: give it other pictures."
    pixels = torch.from_numpy(read_picture(path, model.in_channels, arguments.white, cure)).permute(2, 0, 1)
    return pixels / 255 if pixels.dtype == torch.uint8 else pixels


def _doctor(arguments):
    """Print what works; the exit code is 1 if something does not."""
    if arguments.folder:
        return _doctor_of_folder(arguments)
    if arguments.mapping or arguments.picture:
        raise ValueError("--mapping and --picture are of a folder. Name it: segnb doctor FOLDER")
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


def _doctor_of_folder(arguments):
    """Print what a folder holds; the exit code is 1 if something in it has to be mended."""
    if arguments.mapping and os.path.exists(arguments.mapping):
        raise ValueError(
            f"{arguments.mapping} is there and may have names of yours. Move it, or give another name."
        )
    found = data.inspect(arguments.folder)
    print(found)
    if arguments.mapping and found.options:
        _write(arguments.mapping, f"{found.options!r}\n".encode())
        print(f"What the masks mean is in {arguments.mapping}: give the classes names there, then")
        print(f"segnb train unet {arguments.folder} --mapping {arguments.mapping}")
    if arguments.picture and found.samples:
        picture = _samples_picture(found.samples)
        _write(arguments.picture, picture.png)
        print(f"samples are in {arguments.picture}: {picture.alt}")
    return 1 if found.problems else 0


def _samples_picture(samples):
    """Images above, their masks below."""
    from .show import compare

    items = [samples[k] for k in range(len(samples))]
    images = [image[:3] if len(image) >= 3 else image[:1] for image, _ in items]
    return compare([*images, *(mask for _, mask in items)], samples, columns=len(items))


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
