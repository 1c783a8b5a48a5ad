"""The engine in the page against torch, in a real browser: every operation, every map of every network."""

import base64
import json
from importlib.resources import files

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import segnb
from segnb import models
from segnb.demos.engine import Weights, program

FOLDER = files("segnb.demos.engine")
KERNEL = base64.b64encode((FOLDER / "kernel.wasm").read_bytes()).decode()


class Interpreter:
    """The program itself in torch, with its own numbers: what the page has to find, map by map."""

    def __init__(self, written, weights):
        self.program = written
        self.numbers = torch.from_numpy(np.frombuffer(weights.bytes(), np.float16).copy())

    def read(self, place, *shape):
        count = int(np.prod(shape))
        return self.numbers[place : place + count].float().reshape(shape)

    def exact(self, place, count):
        return self.read(place, 2, count).sum(0)

    def run(self, image):
        self.maps, self.indices = [image], {}
        for step in self.program["steps"]:
            sources = [self.maps[k] for k in step["from"]]
            y = getattr(self, step["op"])(step, *sources)
            self.maps.append(y.relu() if step.get("relu") else y)
            assert list(y.shape[1:]) == step["shape"], step
        return self.maps

    def conv(self, step, x):
        out, groups = step["shape"][0], step["groups"]
        weight = self.read(step["weight"], out, x.shape[1] // groups, *step["kernel"])
        if "scale" in step:
            weight = weight * self.exact(step["scale"], out)[:, None, None, None]
        sizes = (step["stride"], step["padding"], step["dilation"], groups)
        return F.conv2d(x, weight, self.exact(step["bias"], out), *sizes)

    def transposed(self, step, x):
        out, groups = step["shape"][0], step["groups"]
        weight = self.read(step["weight"], x.shape[1], out // groups, *step["kernel"])
        sides, whole = step["shape"][1:], zip(x.shape[2:], step["stride"], step["padding"], step["kernel"])
        more = [side - ((n - 1) * s - 2 * p + k) for side, (n, s, p, k) in zip(sides, whole)]
        return F.conv_transpose2d(
            x, weight, self.exact(step["bias"], out), step["stride"], step["padding"], more, groups
        )

    def pool(self, step, x):
        sizes = (step["kernel"], step["stride"], step["padding"])
        for ceil in (False, True):
            y, places = F.max_pool2d(x, *sizes, ceil_mode=ceil, return_indices=True)
            if list(y.shape[1:]) == step["shape"]:
                break
        self.indices[len(self.maps)] = places
        return y

    def unpool(self, step, x, _):
        return F.max_unpool2d(x, self.indices[step["from"][1]], 2, output_size=step["shape"][1:])

    def average(self, step, x):
        return F.avg_pool2d(x, step["kernel"], step["stride"], step["padding"])

    def mean(self, step, x):
        return x.mean((2, 3), keepdim=True)

    def spread(self, step, x):
        return x.expand(-1, -1, *step["shape"][1:])

    def bilinear(self, step, x):
        return F.interpolate(x, size=step["shape"][1:], mode="bilinear", align_corners=step["corners"])

    def scale(self, step, x):
        scale, shift = (self.exact(step[key], x.shape[1])[:, None, None] for key in ("scale", "shift"))
        return x * scale + shift

    def relu(self, step, x):
        return x.relu()

    def add(self, step, x, y):
        return x + y

    def concat(self, step, *parts):
        silent = step.get("silent", ())
        return torch.cat([part * (k not in silent) for k, part in enumerate(parts)], 1)

    def crop(self, step, x):
        (top, left), (down, along), (_, height, width) = step["first"], step["every"], step["shape"]
        return x[:, :, top::down, left::along][:, :, :height, :width]


RUN = """
const { program, weights, kernel, image } = JSON.parse(document.getElementById("ep-data").textContent), one = engine();
const pack = (part) => btoa(Array.from(new Uint8Array(part.slice().buffer), (b) => String.fromCharCode(b)).join(""));
const net = one.network(program, one.halves(one.bytes(weights).buffer), arguments[0] ? one.bytes(kernel) : null);
net.run(new Float32Array(one.bytes(image).buffer));
return [program.image, ...program.steps].map((_, k) => pack(net.map(k)));
"""


def in_page(browser, written, weights, image, kinds=(True,)):
    """All maps as the engine in the page makes them: with WebAssembly (True) or plain JavaScript (False)."""
    given = {
        "program": written, "weights": base64.b64encode(weights.bytes()).decode(), "kernel": KERNEL,
        "image": base64.b64encode(image.numpy().tobytes()).decode(),
    }  # fmt: skip
    data = f'<script type="application/json" id="ep-data">{json.dumps(given)}</script>'
    browser.complaints()
    browser.open(f"{data}<script>{(FOLDER / 'engine.js').read_text('utf-8')}</script>")
    shapes = [written["image"], *(step["shape"] for step in written["steps"])]
    for compiled in kinds:
        yield [
            torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.float32).reshape(1, *shape)
            for shape, text in zip(shapes, browser.run(RUN, compiled))
        ]
    assert browser.complaints() == []


def off(found, right):
    """The largest difference, in units of the largest value."""
    return ((found - right).abs().max() / right.abs().max().clamp_min(1e-12)).item()


def compare(browser, module, shape):
    """Export, run in torch and in the page, and hold every map of one to the other."""
    weights = Weights()
    written = program(module, shape, weights)
    image = torch.rand(1, *shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        right = Interpreter(written, weights).run(image)
        plain = module.eval()(image)
    (found,) = in_page(browser, written, weights, image)
    for k, one in enumerate(found):
        assert off(one, right[k]) <= 1e-4, (k, written["steps"][k - 1])
    # The program is the module, but for float16's eleven bits, which move a maximum here and there.
    assert (right[written["output"]] - plain).abs().mean() <= 0.01 * plain.abs().max()


class Calls(nn.Module):
    """A function of maps as a module."""

    def __init__(self, function, *parts):
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(parts)

    def forward(self, x):
        return self.function(x, *self.parts)


def norm(channels):
    layer = nn.BatchNorm2d(channels)
    for part in (layer.weight, layer.bias, layer.running_mean):
        nn.init.normal_(part, 1)
    return layer


PER_CHANNEL = torch.tensor([[[1.0]], [[2.0]], [[4.0]]])
OPERATIONS = {
    "convolution": nn.Conv2d(3, 5, 3),
    "1×1": nn.Conv2d(3, 4, 1),
    "oblong, padded, in steps": nn.Conv2d(3, 6, (5, 2), stride=(2, 3), padding=(3, 1)),
    "rate 3": nn.Conv2d(3, 4, 3, padding=3, dilation=3),
    "rate 2 in steps of 2": nn.Conv2d(3, 4, 3, padding=2, dilation=2, stride=2),
    "groups": nn.Conv2d(3, 6, 3, padding=1, groups=3, bias=False),
    "transposed 2/2": nn.ConvTranspose2d(3, 5, 2, stride=2),
    "transposed 4/2, padded": nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1),
    "transposed 3/2, one more": nn.ConvTranspose2d(3, 5, 3, stride=2, padding=1, output_padding=1),
    "transposed in groups, 5/3": nn.ConvTranspose2d(3, 6, 5, stride=3, groups=3),
    "pooling": nn.MaxPool2d(2),
    "pooling 3/2, padded": nn.MaxPool2d(3, stride=2, padding=1),
    "pooling, sides up": nn.MaxPool2d(2, ceil_mode=True),
    "unpooling": Calls(lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, ceil_mode=True, return_indices=True), 2, output_size=x.shape[2:])),
    "average": nn.AvgPool2d(3, stride=2, padding=1),
    "global average, spread": Calls(lambda x: nn.functional.adaptive_avg_pool2d(x, 1).expand_as(x)),
    "mean added everywhere": Calls(lambda x: x + x.mean((2, 3), keepdim=True)),
    "bilinear": nn.Upsample(size=(31, 20), mode="bilinear"),
    "bilinear, corner on corner": nn.Upsample(scale_factor=3, mode="bilinear", align_corners=True),
    "batch norm folded": nn.Sequential(nn.Conv2d(3, 4, 3), norm(4), nn.ReLU()),
    "batch norm alone": nn.Sequential(norm(3), nn.ReLU()),
    "ReLU alone": nn.Sequential(nn.MaxPool2d(3), nn.ReLU()),
    "a map before and after ReLU": Calls(lambda x, conv: torch.cat([y := conv(x), y.relu()], 1), nn.Conv2d(3, 4, 3)),
    "add, sub, mul, div": Calls(lambda x: (x - 0.5) / PER_CHANNEL * 3 + 1),
    "two maps added": Calls(lambda x, conv: (conv(x) + x).relu(), nn.Conv2d(3, 3, 1)),
    "crop": Calls(lambda x: x[:, :, 3:-2, 1:9]),
    "every second pixel": Calls(lambda x: x[..., ::2, 1::3]),
    "dropout": nn.Sequential(nn.Conv2d(3, 4, 1), nn.Dropout(0.5), nn.ReLU()),
}  # fmt: skip


class Together(nn.Module):
    """Every operation on the same maps, so that they are exported at once."""

    def __init__(self, modules):
        super().__init__()
        self.parts = nn.ModuleList(modules)
        self.stages = tuple(f"parts.{k}" for k in range(len(self.parts)))

    def forward(self, x):
        return tuple(part(x) for part in self.parts)


def test_every_operation_equals_torchs(browser):
    torch.manual_seed(0)
    module, weights, shape = Together(OPERATIONS.values()).eval(), Weights(), (3, 13, 18)
    written = program(module, shape, weights)
    image = torch.rand(1, *shape)
    with torch.no_grad():
        right = Interpreter(written, weights).run(image)
        plain = module(image)
    for name, end, answer in zip(OPERATIONS, written["stages"].values(), plain, strict=True):
        assert off(right[end], answer) <= 1e-3, name  # float16 rounds the kernels
    for found in in_page(browser, written, weights, image, kinds=(True, False)):
        for k, one in enumerate(found):
            assert off(one, right[k]) <= 1e-5, written["steps"][k - 1]


SHIPPED = {
    "street": (96, 128),
    "unet": (188, 188),
    "segnet": (96, 128),
    "fcn": (96, 128),
    "deeplabv3": (96, 96),
}
PICTURES = {"unet": "cells", "deeplabv3": "worlds"}


@pytest.mark.parametrize("name", SHIPPED)
def test_every_map_of_a_shipped_network_equals_torchs(browser, name):
    model = segnb.load_trained(name).cpu()
    data = segnb.data.load(PICTURES.get(name, "street"), "val", size=SHIPPED[name])
    image = (data[1][0][None] * 255).round() / 255
    weights = Weights()
    written = program(model, image.shape[1:], weights)
    with torch.no_grad():
        right = Interpreter(written, weights).run(image)
        answer = model(image)
    (found,) = in_page(browser, written, weights, image)
    for k, one in enumerate(found):
        assert off(one, right[k]) <= 1e-4, written["steps"][k - 1]
    same = found[written["output"]].argmax(1) == answer.argmax(1)
    assert same.float().mean() >= 0.998
    assert tuple(written["stages"]) == model.stages
    # A rounded weight moves a maximum here and there, and with it what SegNet puts back.
    for stage, maps in segnb.features(model, image).items():
        off_by = (found[written["stages"][stage]] - maps).abs().mean()
        assert off_by <= 0.005 * maps.abs().max(), stage
    assert len(weights.bytes()) * 4 / 3 <= 1.4e6


RANDOM = {
    "U-Net, valid": (models.UNet(1, 3, width=4, depth=2, norm="batch"), (1, 60, 76)),
    "SegNet, odd": (models.SegNet(3, 5, width=4), (3, 37, 45)),
    "FCN-32s": (models.FCN(3, 4, stride=32, width=4, hidden=8), (3, 41, 33)),
    "FCN-16s, learned": (models.FCN(3, 4, stride=16, width=4, hidden=8, learn_upsampling=True), (3, 41, 33)),
    "FCN-8s at once": (models.FCN(3, 4, width=4, hidden=8, at_once=True, norm="batch"), (3, 64, 33)),
    "DeepLabv3, odd, no mean": (
        models.DeepLabV3(3, 4, backbone="small", output_stride=8, rates=(1, 3), image_pooling=False), (3, 50, 49),
    ),
}  # fmt: skip


def test_random_networks_of_every_kind(browser):
    torch.manual_seed(0)
    for name, (model, shape) in RANDOM.items():
        for part in model.modules():
            if isinstance(part, nn.BatchNorm2d):
                nn.init.uniform_(part.running_mean, -0.2, 0.2)
                nn.init.uniform_(part.running_var, 0.5, 2)
            elif isinstance(part, nn.Conv2d) and not part.weight.any():  # FCN's scores begin at zero
                nn.init.normal_(part.weight, std=0.1)
        try:
            compare(browser, model, shape)
        except AssertionError as error:
            raise AssertionError(name) from error


WIDEST = """
const [program, k, first, last] = arguments, { reach } = engine();
let most = 0;
for (let row = first; row < last; row++) { const [top, bottom] = reach(program, k, row, 0); most = Math.max(most, bottom - top + 1); }
return most;
"""


def test_a_networks_reach_is_the_receptive_field(browser):
    browser.open(f"<script>{(FOLDER / 'engine.js').read_text('utf-8')}</script>")
    for model, shape in (
        (models.UNet(1, 2, width=1, depth=2), (1, 140, 140)),
        (models.FCN(3, 2, width=1, hidden=1), (3, 64, 64)),
        (models.DeepLabV3(3, 2, backbone="small", rates=(1, 2)), (3, 96, 96)),
    ):
        written = program(model, shape, Weights())
        for stage, k in list(written["stages"].items())[1::2]:
            side = written["steps"][k - 1]["shape"][1]
            size, _ = segnb.receptive_field(model, stage)
            widest = browser.run(WIDEST, written, k, side // 4, side - side // 4 or 1)
            # With the mean of the image: all of it, or the field of the other branches where that reaches further out.
            fits = widest == size if size < float("inf") else widest >= shape[1]
            assert fits, (type(model).__name__, stage, widest, size)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sigmoid()), "sigmoid"),
        (nn.Upsample(scale_factor=2), "upsample_nearest2d"),
        (nn.MaxPool2d(2, dilation=2), "max pooling with a rate"),
        (Calls(lambda x: x * x), "mul of two maps"),
        (nn.AvgPool2d(2, ceil_mode=True), "whole windows"),
        (nn.AdaptiveAvgPool2d(2), "parts of it"),
    ],
)
def test_a_missing_operation_is_named(module, name):
    with pytest.raises(NotImplementedError, match=name):
        program(module, (3, 12, 12), Weights())


def test_a_weight_that_float16_cannot_hold_is_refused():
    layer = nn.Conv2d(1, 1, 1)
    nn.init.constant_(layer.weight, 1e6)
    with pytest.raises(ValueError, match="float16"):
        program(layer, (1, 2, 2), Weights())


def test_programs_share_their_weights():
    weights = Weights()
    model = models.UNet(1, 2, width=2, depth=1)
    first = program(model, (1, 28, 28), weights)
    before = weights.count
    assert program(model, (1, 28, 28), weights) == first
    assert weights.count == before


def test_a_slice_that_takes_all_of_an_axis_is_no_step():
    class Sliced(nn.Conv2d):
        axis, end = 0, 2**63 - 1  # as torch 2.6 writes a `:`

        def forward(self, x):
            return torch.ops.aten.slice.Tensor(super().forward(x), self.axis, 0, self.end)

    net = Sliced(1, 2, 3)
    assert [step["op"] for step in program(net, (1, 8, 8), Weights())["steps"]] == ["conv"]
    net.axis, net.end = 1, 1
    with pytest.raises(NotImplementedError, match="rows and columns only"):
        program(net, (1, 8, 8), Weights())
