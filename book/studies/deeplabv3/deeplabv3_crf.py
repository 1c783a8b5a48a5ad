"""The deeper notebook on DeepLabv3: what a dense CRF still gains behind a coarse net and behind a finer one."""

from itertools import product

import torch

import segnb
from book.studies.deeplabv3.dense_crf import crf_kernels, mean_field
from book.studies.deeplabv3.recipe import small, train_on_streets
from book.studies.streets import measure
from book.tools.studies import study

# The same net at two output strides; the rates on the map are 1, 2, 3 and 2, 4, 6.
NETS = {"stride 32": (32, (2, 4, 6)), "stride 8": (8, (1, 2, 3))}
# Strengths of the two kernels, near and near with the same colour. No CRF is among them: it may be the best.
STRENGTHS = [(0.0, 0.0), *product((0.0, 2.0), (1.0, 2.0, 4.0))]
HEIGHT, WIDTH = 48, 64  # of a window; four of them tile a scene, and a pixel meets those of its own window


def windows(image):
    """The views of the windows of an image or mask ...×H×W."""
    rows, columns = range(0, image.shape[-2], HEIGHT), range(0, image.shape[-1], WIDTH)
    return [image[..., r : r + HEIGHT, c : c + WIDTH] for r, c in product(rows, columns)]


def joined(parts):
    """The picture that four windows tile."""
    return torch.cat([torch.cat(parts[:2], -1), torch.cat(parts[2:], -1)], -2)


def unaries(model, image):
    """Logarithms of the net's probabilities."""
    return segnb.predict(model, image).clamp_min(1e-6).log()


def choose_strengths(models, scenes):
    """For each net the pair of strengths with the best mean IoU on windows of scenes it has trained on."""
    matrices = {(name, pair): segnb.metrics.ConfusionMatrix(11) for name in models for pair in STRENGTHS}
    for number, (image, mask) in enumerate(scenes):
        place = number % 4  # one window a scene, each place in turn
        kernels = crf_kernels(windows(image)[place])
        for name, model in models.items():
            unary = windows(unaries(model, image))[place]
            for pair in STRENGTHS:
                guess = mean_field(unary, kernels, pair).argmax(0)
                matrices[name, pair].update(guess, windows(mask)[place])
    return {name: max(STRENGTHS, key=lambda pair: matrices[name, pair].mean_iou.item()) for name in models}


@study(data="street", seeds=(0, 1, 2), steps=400, brief=1)
def one_seed(seed, steps):
    """How much does a dense CRF gain behind a coarse net, and how much behind a finer one?"""
    data, val = segnb.data.load("street", "train"), segnb.data.load("street", "val")
    models = {name: small(seed, stride, rates=rates) for name, (stride, rates) in NETS.items()}
    for model in models.values():
        train_on_streets(model, data, steps, seed)
    few = max(1, steps // 20)  # scenes to choose on, and half as many again to measure on
    strengths = choose_strengths(models, [data[i] for i in range(few)])
    guesses = {(name, with_crf): [] for name in models for with_crf in (False, True)}
    masks = []
    for image, mask in (val[i] for i in range(3 * few // 2)):
        masks.append(mask)
        kernels = [crf_kernels(window) for window in windows(image)]
        for name, model in models.items():
            unary = unaries(model, image)
            after = [mean_field(u, k, strengths[name]) for u, k in zip(windows(unary), kernels)]
            guesses[name, False].append(unary.argmax(0))
            guesses[name, True].append(joined(after).argmax(0))
    figures = {}
    for name in models:
        before, after = (
            measure(torch.stack(guesses[name, crf]), torch.stack(masks), val.classes) for crf in (False, True)
        )
        chosen = dict(zip(("near", "near and alike"), strengths[name]))
        figures[name] = {"net": before, "with the CRF": after, "strength": chosen}
    return figures
