"""What the studies of the DeepLabv3 chapter share: its small nets, how they are trained, and several views of a picture."""

import torch
from torch import nn
from torch.nn import functional as F
from torchvision.transforms import v2

import segnb
from book.studies import streets


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


def train(model, data, steps, seed, batch_size=8, loss=segnb.losses.cross_entropy, lr=3e-3):
    """The chapter's recipe. → `segnb.History`"""
    return segnb.fit(model, data, loss=loss, steps=steps, batch_size=batch_size, lr=lr, seed=seed)


def train_on_streets(model, data, steps, seed):
    """The recipe for streets: rare classes weigh more, and every second scene is mirrored. → `segnb.History`"""
    mirror = segnb.data.augment(v2.RandomHorizontalFlip())
    return streets.train(model, data, steps, seed, batch_size=8, augment=mirror)


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


def at_stride(model, output_stride, **changes):
    """The same weights at another output stride, and with other changes to how the model was built."""
    other = segnb.models.DeepLabV3(**model.config | {"output_stride": output_stride} | changes)
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
