"""What the studies of the DeepLabv3 chapter share: a trunk that sees 31 pixels, its recipes, and a dense CRF."""

import torch
from torch import nn
from torch.nn import functional as F
from torchvision.transforms import v2

import segnb
from book.studies import _streets

# What the figures of any of these studies depend on, besides their data.
CODE = [*_streets.CODE, "book.studies._deeplabv3", "segnb.data.augment", "segnb.models.deeplabv3"]


def trunk(widths=(16, 32, 64, 64)):
    """Four convolutions at strides 2, 2, 2, 1: a map an eighth as large, each of whose values sees 31 pixels."""
    layers = []
    for inputs, outputs, stride in zip((3, *widths), widths, (2, 2, 2, 1)):
        layers += [nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)]
        layers += [nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


class ShortSighted(nn.Module):
    """The trunk of 31 pixels under ASPP with these rates on the map, at output stride 8."""

    def __init__(self, num_classes, rates=(), image_pooling=False):
        super().__init__()
        self.trunk = trunk()
        self.aspp = segnb.models.ASPP(64, rates, image_pooling, channels=32)
        self.head = nn.Conv2d(32, num_classes, 1)

    def forward(self, x):
        return F.interpolate(self.head(self.aspp(self.trunk(x))), size=x.shape[2:], mode="bilinear")


def grey_iou(seed, steps, rates, image_pooling=False):
    """Train on `worlds`; → the mean IoU of road and river, and that of grass and sand, on its val split."""
    torch.manual_seed(seed)
    model = ShortSighted(4, rates, image_pooling)
    train(model, segnb.data.load("worlds", "train"), steps, seed)
    iou = segnb.evaluate(model, segnb.data.load("worlds", "val")).iou
    return {"IoU of road and river": iou[:2].mean().item(), "IoU of grass and sand": iou[2:].mean().item()}


def train(model, data, steps, seed, batch_size=8, loss=segnb.losses.cross_entropy):
    """The chapter's recipe. → `segnb.History`"""
    return segnb.fit(model, data, loss=loss, steps=steps, batch_size=batch_size, lr=3e-3, seed=seed)


def train_on_streets(model, data, steps, seed):
    """The recipe for streets: rare classes weigh more, and every second scene is mirrored. → `segnb.History`"""
    mirror = segnb.data.augment(v2.RandomHorizontalFlip())
    return _streets.train(model, data, steps, seed, batch_size=8, augment=mirror)


def small(seed, output_stride, num_classes=11, rates=(1, 2, 3), image_pooling=True):
    """The chapter's small DeepLabv3; its rates are those for output stride 16."""
    torch.manual_seed(seed)
    return segnb.models.DeepLabV3(
        3,
        num_classes,
        backbone="small",
        output_stride=output_stride,
        rates=rates,
        image_pooling=image_pooling,
    )


def at_stride(model, output_stride):
    """The same weights at another output stride."""
    other = segnb.models.DeepLabV3(**{**model.config, "output_stride": output_stride})
    other.load_state_dict(model.state_dict())
    return other


class Views(nn.Module):
    """A network that looks at a picture several times, scaled and mirrored: the logarithm of its mean probabilities."""

    def __init__(self, model, scales=(1.0,), flip=False):
        super().__init__()
        self.model, self.scales, self.flip = model, scales, flip

    def forward(self, x):
        total = 0
        for scale in self.scales:
            seen = F.interpolate(x, scale_factor=scale, mode="bilinear", antialias=scale < 1)
            looks = [self.model(seen)] + ([self.model(seen.flip(-1)).flip(-1)] if self.flip else [])
            for logits in looks:
                total = total + F.interpolate(logits, size=x.shape[2:], mode="bilinear").softmax(1)
        return (total / total.sum(1, keepdim=True)).log()


def pairwise_kernel(features):
    """exp(−|f_i − f_j|²/2) for all pairs of N features, N×D → N×N: no pair with itself, rows and columns balanced."""
    kernel = torch.cdist(features, features).square_().mul_(-0.5).exp_().fill_diagonal_(0)
    F.threshold_(kernel, 1e-6, 0)  # what is far too small to count is also slow to multiply by
    share = kernel.sum(1).clamp_min(1e-12).rsqrt()
    return kernel.mul_(share[:, None]).mul_(share)


def crf_kernels(image, near=3.0, far=20.0, alike=0.08):
    """(near, near in place and in colour): the two kernels of a dense CRF for an image C×H×W in 0..1."""
    rows, columns = torch.meshgrid(*(torch.arange(float(n)) for n in image.shape[1:]), indexing="ij")
    place = torch.stack([rows, columns]).flatten(1).T
    colour = image.flatten(1).T / alike
    return pairwise_kernel(place / near), pairwise_kernel(torch.cat([place / far, colour], 1))


def mean_field(log_probabilities, kernels, weights, rounds=5):
    """Probabilities K×H×W of a dense CRF with Potts costs, after some rounds of mean field."""
    unary = log_probabilities.flatten(1)
    q = unary.softmax(0)
    for _ in range(rounds):
        support = sum(weight * (q @ kernel) for weight, kernel in zip(weights, kernels))
        q = (unary + support).softmax(0)
    return q.view_as(log_probabilities)
