"""What studies on streets share: a recipe in which rare classes count, and what is measured."""

from functools import partial

import torch

import segnb

THIN = ("pole", "sign_symbol", "pedestrian", "bicyclist")


def train(model, data, steps, seed, *, batch_size=4, lr=3e-3, warmup=0.1, **options):
    """Rare classes weigh more, by the root of the median-frequency weights. → `segnb.History`

    With the weights themselves the large classes lose too much in a short training.
    """
    rare = segnb.losses.median_frequency_weights(data).sqrt()
    loss = partial(segnb.losses.cross_entropy, weight=rare)
    return segnb.fit(
        model, data, loss=loss, steps=steps, batch_size=batch_size, lr=lr, warmup=warmup, seed=seed, **options
    )


def predictions(model, images):
    """The predicted mask of every image: N×H×W."""
    return torch.stack([segnb.predict(model, image).argmax(0) for image in images])


def measure(guesses, masks, classes):
    """Mean IoU, the mean IoU of four thin classes, and boundary F1 of label maps N×H×W."""
    matrix = segnb.metrics.ConfusionMatrix(len(classes))
    matrix.update(guesses, masks)
    thin = [classes.index(name) for name in THIN]
    return {
        "mean IoU": matrix.mean_iou.item(),
        "thin classes": matrix.iou[thin].nanmean().item(),
        "boundary F1": segnb.metrics.boundary_f1(guesses, masks).item(),
    }


def measure_net(model, data):
    """The same, of a network's answers to every scene of `data`."""
    images, masks = data.stack()
    return measure(predictions(model, images), masks, data.classes)
