"""The networks beside their peers: seconds of a forward and backward pass, and peak memory, on two threads.

Interleaved: every round runs both contestants once, and the ratio is the median over the rounds of each round's ratio.
Memory is what the resident set of a fresh process rises by during its second pass, as Linux reports it.

FCN-8s with one upsampling kernel for each class, beside the same network with dense K×K kernels, which are zero off
the diagonal and are how most public FCNs are written. DeepLabV3 beside torchvision's deeplabv3_resnet50.
"""

import multiprocessing
import os
import statistics
import time
from functools import partial
from pathlib import Path

import torch
from torch import nn
from torchvision.models import resnet50
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.segmentation import deeplabv3

from segnb.models import FCN, DeepLabV3
from segnb.models.fcn import BilinearUpsampling

THREADS = 2


def dense_upsampling(channels, factor):
    """A K×K transposed convolution that does what BilinearUpsampling does with K kernels."""
    layer = nn.ConvTranspose2d(channels, channels, 2 * factor, factor, bias=False)
    nn.init.zeros_(layer.weight)
    for i in range(channels):
        layer.weight.data[i, i] = BilinearUpsampling(1, factor).weight[0, 0]
    return layer


def dense_fcn(**arguments):
    """FCN with its upsampling layers replaced by dense ones."""
    model = FCN(**arguments)
    for name, layer in list(model.named_children()):
        if isinstance(layer, BilinearUpsampling):
            setattr(model, name, dense_upsampling(layer.in_channels, layer.stride[0]))
    return model


def torchvision_deeplab(output_stride):
    """torchvision's network at this output stride, its rates scaled with it; without the auxiliary head."""
    backbone = resnet50(replace_stride_with_dilation=[False, output_stride == 8, True])
    head = deeplabv3.DeepLabHead(2048, 21, [6 * 16 // output_stride * i for i in (1, 2, 3)])
    return deeplabv3.DeepLabV3(IntermediateLayerGetter(backbone, {"layer4": "out"}), head)


def step(model, x):
    """One forward and backward pass; the gradients are dropped again."""
    out = model(x)
    (out["out"] if isinstance(out, dict) else out).square().mean().backward()
    model.zero_grad()


def seconds(model, x):
    start = time.perf_counter()
    step(model, x)
    return time.perf_counter() - start


def resident(field):
    """A line of /proc/self/status in MB: VmRSS is the memory in use, VmHWM its highest mark."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def peak_memory(make, shape):
    """MB that one pass of make() needs beyond its weights; NaN where Linux's counters are missing."""
    reset = Path("/proc/self/clear_refs")
    if not reset.exists():
        return float("nan")
    torch.set_num_threads(THREADS)
    model, x = make(), torch.rand(shape, requires_grad=True)
    step(model, x)
    reset.write_text("5")  # lowers the highest mark to what is in use now
    before = resident("VmRSS")
    step(model, x)
    return resident("VmHWM") - before


def in_fresh_process(function, *arguments):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def compare(title, ours, theirs, shape, rounds, target):
    """Print the median ratio of seconds, ours over theirs, with its quartiles, and the ratio of peak memory."""
    memory = [in_fresh_process(peak_memory, make, shape) for make in (ours, theirs)]
    models, x = [ours(), theirs()], torch.rand(shape, requires_grad=True)
    for model in models:
        step(model, x)
    times = []
    for i in range(rounds):
        order = (0, 1) if i % 2 else (1, 0)  # so that neither always runs on the warmer cache
        took = {which: seconds(models[which], x) for which in order}
        times.append((took[0], took[1]))
    low, middle, high = statistics.quantiles([mine / peer for mine, peer in times], n=4)
    mine, peer = (1e3 * statistics.median(column) for column in zip(*times))
    print(
        f"{title:44}{mine:8.1f} /{peer:8.1f} ms {middle:6.2f} ({low:.2f}-{high:.2f}) {target:>8}"
        f"{memory[0]:8.0f} /{memory[1]:5.0f} MB {memory[0] / memory[1]:6.2f}",
        flush=True,
    )


def main():
    # Freed memory goes back at once, so that the resident set is what is in use; read when a process starts.
    os.environ["MALLOC_MMAP_THRESHOLD_"] = "65536"
    torch.set_num_threads(THREADS)
    print(
        f"forward + backward, {THREADS} threads, torch {torch.__version__}: ours / theirs, ratio (quartiles)"
    )

    for maps, factor in ((34, 2), (70, 8), (17, 32)):
        compare(
            f"upsampling x{factor} of 21x{maps}x{maps}, grouped / dense",
            partial(BilinearUpsampling, 21, factor, learn=True),
            partial(dense_upsampling, 21, factor),
            (1, 21, maps, maps),
            20,
            "<= 1",
        )
    for title, sizes, rounds in (("width 8", {"width": 8, "hidden": 64}, 15), ("paper", {}, 5)):
        for learn in (True, False):
            compare(
                f"FCN-8s, {title}, {'learnt' if learn else 'fixed'} grouped / dense",
                partial(FCN, **sizes, learn_upsampling=learn),
                partial(dense_fcn, **sizes),
                (1, 3, 128, 128),
                rounds,
                "<= 1",
            )
    for output_stride in (16, 8):
        compare(
            f"DeepLabV3 R50, stride {output_stride}, segnb / torchvision",
            partial(DeepLabV3, output_stride=output_stride),
            partial(torchvision_deeplab, output_stride),
            (2, 3, 193, 193),
            9,
            "<= 1.05",
        )


if __name__ == "__main__":
    main()
