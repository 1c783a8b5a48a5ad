"""The second lecture's measures on real streets: a net that learned generated ones, and a small one trained there."""

import torch

import segnb
from book.studies.streets import predictions
from book.tools.studies import study


def measured(model, data):
    """{measure: number} on a whole set, with the scores of single pictures beside the set's."""
    images, masks = data.stack()
    guesses = predictions(model, images)
    whole = segnb.metrics.ConfusionMatrix(data.num_classes)
    whole.update(guesses, masks)
    each = []
    for pair in zip(guesses, masks):
        one = segnb.metrics.ConfusionMatrix(data.num_classes)
        one.update(*pair)
        each.append(one.mean_iou)
    each = torch.stack(each)
    return {
        "pixel accuracy": whole.pixel_accuracy.item(),
        "class accuracy": whole.class_accuracy.nanmean().item(),
        "mean IoU": whole.mean_iou.item(),
        "mean IoU per image": {name: getattr(each, name)().item() for name in ("mean", "min", "max")},
        "boundary F1": segnb.metrics.boundary_f1(guesses, masks).item(),
    }


@study(data="camvid", seeds=(0, 1, 2), steps=120, brief=2, real=True)
def one_seed(seed, steps):
    """How far do the measures of one net lie apart on real streets?"""
    train, val = (segnb.data.choose("camvid", split, size=(96, 128)) for split in ("train", "val"))
    torch.manual_seed(seed)
    net = segnb.models.UNet(3, 11, width=8, depth=3, padding="same", norm="batch")
    loss = segnb.losses.cross_entropy
    segnb.fit(net, train, loss=loss, steps=steps, batch_size=4, lr=3e-3, warmup=0.1, seed=seed)
    return {
        "trained on generated streets": measured(segnb.load_trained("street"), val),
        "trained there": measured(net, val),
    }
