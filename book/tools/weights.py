"""Train the small networks that ship with the package (`make weights`): first screens load them with `segnb.load_trained`.

Each is trained on generated pictures only and stored in half precision, at most 1 MB.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import segnb

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


NETWORKS: dict[str, Callable] = {"unet": unet}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", choices=[*NETWORKS, []], help="which networks (default: all)")
    for name in parser.parse_args().names or NETWORKS:
        segnb.setup()
        model = NETWORKS[name]()
        matrix = segnb.evaluate(model, segnb.data.load("cells", "val"))
        path = FOLDER / f"{name}.pt"
        segnb.save(model.half(), path)
        print(f"{path.name}: mean IoU {matrix.mean_iou:.3f}, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
