"""The three weightings of the chapter on cross-entropy, so that twin and real streets are trained alike."""

from functools import partial

import torch

import segnb


def compare_weights(train, val, steps, seed):
    """A small U-Net without class weights, with median-frequency weights, and with their square root."""
    weights = segnb.losses.median_frequency_weights(train).to(segnb.setup().device)
    figures = {}
    for name, weight in (("none", None), ("square root", weights.sqrt()), ("median frequency", weights)):
        torch.manual_seed(seed)
        model = segnb.models.UNet(3, 11, width=8, depth=3, padding="same", norm="batch")
        loss = partial(segnb.losses.cross_entropy, weight=weight)
        segnb.fit(model, train, loss=loss, steps=steps, batch_size=4, lr=3e-3, warmup=0.1, seed=seed)
        matrix = segnb.evaluate(model, val)
        found = dict(zip(val.classes, matrix.class_accuracy.tolist()))
        figures[name] = {
            "global accuracy": matrix.pixel_accuracy.item(),
            "class accuracy": matrix.class_accuracy.nanmean().item(),
            "mean IoU": matrix.mean_iou.item(),
            "found": {name: share for name, share in found.items() if share == share},
        }
    return figures
