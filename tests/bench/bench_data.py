"""Scenes per second of the generated sets on one core, beside what reading a real pair from PNG files takes.

Time is that of the processor, interleaved: every round draws a few scenes of each set and reads as many pairs; the table shows medians over
the rounds. The pair is a street drawn at CamVid's 360×480 pixels, decoded and resized to the twin's 96×128.
"""

import io
import statistics
import time

import numpy as np
import torch
from PIL import Image

from segnb.data.generated import cells, countries, dish, street, worlds
from segnb.data.items import real_item

ROUNDS, SCENES = 15, 8
SETS = {"street": street, "worlds": worlds, "countries": countries, "cells": cells, "dish": dish}
PEER = "a real pair from PNG"


def files():
    """Picture and mask of a street as PNG files in memory."""
    image, mask = street.render(0, 360, 480)
    made = []
    for content in ((image.transpose(1, 2, 0) * 255).astype(np.uint8), mask):
        made.append(io.BytesIO())
        Image.fromarray(content).save(made[-1], "PNG")
    return made


def read(image_file, mask_file):
    return np.array(Image.open(image_file)), np.array(Image.open(mask_file))


def seconds(draw, numbers):
    start = time.process_time()
    for number in numbers:
        draw(number)
    return (time.process_time() - start) / len(numbers)


def main():
    torch.set_num_threads(1)
    pair = files()
    contestants = {
        name: lambda seed, module=module: module.render(seed, *module.SIZE) for name, module in SETS.items()
    }
    contestants[PEER] = lambda _: real_item(*pair, read, street.SIZE, len(street.CLASSES))
    times = {name: [] for name in contestants}
    for draw in contestants.values():  # textures are made at the first scene of a size
        draw(0)
    for turn in range(ROUNDS):
        for name, draw in contestants.items():
            times[name].append(seconds(draw, range(turn * SCENES, (turn + 1) * SCENES)))
    print(f"{'':22}{'size':>10}{'ms':>8}{'per second':>12}{'of ' + PEER:>26}")
    for name, taken in times.items():
        one = statistics.median(taken)
        ratio = statistics.median(mine / peer for mine, peer in zip(taken, times[PEER], strict=True))
        height, width = SETS[name].SIZE if name in SETS else street.SIZE
        print(f"{name:22}{f'{height}×{width}':>10}{1000 * one:8.2f}{1 / one:12.0f}{ratio:26.2f}")


if __name__ == "__main__":
    main()
