"""The deeper notebook on FCN: the exact network with one, two or three scores, trained in different ways, its kernels learned."""

import segnb
from book.studies.fcn.networks import narrow_fcn
from book.studies.streets import measure, predictions, train
from book.tools.studies import study
from segnb.models.fcn import BilinearUpsampling, bilinear_kernel

VARIANTS = {
    "32s, jointly": {"stride": 32},
    "16s, jointly": {"stride": 16},
    "8s, jointly": {},
    "8s, at once": {"at_once": True},
    "8s, learned": {"learn_upsampling": True},
}


@study(data="street", seeds=(0, 1, 2), steps=600, brief=2)
def one_seed(seed, steps):
    """With equal numbers of steps: what are finer scores worth to the exact FCN, and stages, scaled pools, learned upsampling?

    One image a step, as in the authors' later trainings, and 40 scenes to measure: the frame of zeros makes a pass of
    this network eight times the work of one without.
    """
    data = segnb.data.load("street", "train")
    images, masks = (part[:40] for part in segnb.data.load("street", "val").stack())
    figures = {}
    for name, options in VARIANTS.items():
        model = narrow_fcn(seed, **options)
        train_singly(model, data, steps, seed)
        figures[name] = measure(predictions(model, images), masks, data.classes)
    figures["8s, learned"]["kernels moved by"] = moved(model)
    staged = in_stages(data, steps, seed)
    figures["8s, in stages"] = measure(predictions(staged, images), masks, data.classes)
    return figures


def train_singly(model, data, steps, seed, lr=2e-3):
    train(model, data, steps, seed, batch_size=1, lr=lr, clip=1.0)


def in_stages(data, steps, seed):
    """32s for half of the steps, then its weights in a 16s and then an 8s, a quarter each, with a third of the rate."""
    previous = None
    for stride, share, lr in ((32, 0.5, 2e-3), (16, 0.25, 7e-4), (8, 0.25, 7e-4)):
        model = narrow_fcn(seed, stride=stride)
        if previous is not None:
            model.load_state_dict(previous.state_dict(), strict=False)
        train_singly(model, data, max(1, round(steps * share)), seed, lr)
        previous = model
    return previous


def moved(model):
    """How far the upsampling kernels have come from bilinear ones, relative to their size: the mean over the layers."""
    changes = []
    for layer in model.modules():
        if isinstance(layer, BilinearUpsampling):
            weight = layer.weight.detach().cpu()
            start = bilinear_kernel(layer.stride[0]).expand_as(weight)
            changes.append(((weight - start).norm() / start.norm()).item())
    return sum(changes) / len(changes)
