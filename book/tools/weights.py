"""Train the small networks that ship with the package (`make weights`): first screens load them with `segnb.load_trained`.

Each is trained on generated pictures only and stored in half precision, at most 1 MB.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import segnb
from book.studies import streets

FOLDER = Path(segnb.__file__).parent / "trained"


def unet(steps: int = 800) -> segnb.models.UNet:
    """Chapter 6's small net, trained longer than a lecture allows."""
    data = segnb.data
    model = segnb.models.UNet(width=16, depth=3)
    augment = data.augment(data.crop(188), data.quarter_turns(), data.flips(), data.elastic(sigma=5))
    segnb.fit(
        model,
        data.load("cells", "train"),
        data.load("cells", "val"),
        loss=segnb.losses.cross_entropy,
        steps=steps,
        batch_size=4,
        lr=3e-3,
        warmup=0.05,
        augment=augment,
    )
    return model


def street(steps: int = 900) -> segnb.models.UNet:
    """A padded U-Net for street scenes: what chapters 1 and 2 show before any network has been explained."""
    from torchvision.transforms import v2

    data = segnb.data
    model = segnb.models.UNet(3, 11, width=16, depth=3, padding="same", norm="batch")
    segnb.fit(
        model,
        data.load("street", "train"),
        loss=segnb.losses.cross_entropy,
        steps=steps,
        batch_size=8,
        lr=4e-3,
        warmup=0.05,
        augment=data.augment(v2.RandomHorizontalFlip(), data.intensity()),
    )
    return model


def fcn(steps: int = 600) -> segnb.models.FCN:
    """Chapter 5's exact FCN-8s, padding and crops included, an eighth as wide and with batch normalisation."""
    return with_rare_classes(segnb.models.FCN(3, 11, width=8, hidden=64, norm="batch"), steps)


def segnet(steps: int = 6000) -> segnb.models.SegNet:
    """Chapter 7's exact SegNet, all 26 convolutions, an eighth as wide: unpooled maps need many steps."""
    return with_rare_classes(segnb.models.SegNet(width=8), steps, segnb.data.intensity())


def with_rare_classes(model: segnb.models.base.SegmentationNet, steps: int, *changes: Callable):
    """Train on streets; rare classes weigh more, and scenes are mirrored and changed at random. → the model"""
    from torchvision.transforms import v2

    augment = segnb.data.augment(v2.RandomHorizontalFlip(), *changes)
    streets.train(model, segnb.data.load("street", "train"), steps, seed=0, warmup=0.05, augment=augment)
    return model


def deeplabv3(steps: int = 500) -> segnb.models.DeepLabV3:
    """Chapter 8's small net at output stride 8, for the two worlds; its rates on the map are 2, 4 and 6."""
    data = segnb.data
    model = segnb.models.DeepLabV3(3, 4, backbone="small", output_stride=8, rates=(1, 2, 3))
    segnb.fit(
        model,
        data.load("worlds", "train"),
        loss=segnb.losses.cross_entropy,
        steps=steps,
        batch_size=8,
        lr=3e-3,
        warmup=0.05,
        augment=data.augment(data.flips()),
    )
    return model


# Each network, and the data on whose val split it is measured.
NETWORKS: dict[str, tuple[Callable, str]] = {
    "unet": (unet, "cells"),
    "street": (street, "street"),
    "fcn": (fcn, "street"),
    "segnet": (segnet, "street"),
    "deeplabv3": (deeplabv3, "worlds"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", choices=[*NETWORKS, []], help="which networks (default: all)")
    for name in parser.parse_args().names or NETWORKS:
        segnb.setup()
        train, data = NETWORKS[name]
        model = train()
        matrix = segnb.evaluate(model, segnb.data.load(data, "val"))
        path = FOLDER / f"{name}.pt"
        segnb.save(model.half(), path)
        print(f"{path.name}: mean IoU {matrix.mean_iou:.3f}, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
