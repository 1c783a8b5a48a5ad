"""A step of `fit` beside a plain loop's with the same network, pictures, loss and optimiser, in float32 on the CPU.

Interleaved: every round trains each contestant for eight epochs of four steps, so that the first, in which `fit` counts
the labels, has its part; the ratio is the median over the rounds of each round's.
The plain loop is what a reader would write, with images as torch makes them; the last one keeps channels last as `fit`
does, and shows what the guards cost. Losses are equal where the arithmetic is.
"""

import os
import statistics
import time

import torch

import segnb
from segnb import run
from segnb.losses import cross_entropy
from segnb.models import DeepLabV3, SegNet, UNet

STEPS, ROUNDS, BATCH = 32, 7, 8
SIZES = {"UNet": (112, 144), "SegNet": (96, 128), "DeepLabV3": (112, 144)}
NETWORKS = {
    "UNet": lambda: UNet(3, 11, width=8, depth=3, padding="same"),
    "SegNet": lambda: SegNet(3, 11, width=8),
    "DeepLabV3": lambda: DeepLabV3(3, 11, backbone="small"),
}
FIT, PLAIN, LAST = "segnb.fit", "plain loop", "plain loop, channels last"


def network(name):
    torch.manual_seed(0)
    return NETWORKS[name]()


def fit(name, data):
    options = {"steps": STEPS, "batch_size": BATCH, "lr": 1e-3, "progress": False}
    return segnb.fit(network(name), data, loss=cross_entropy, **options).loss


def plain(name, data, memory_format):
    model = network(name).train().to(memory_format=memory_format)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-4)
    generator = torch.Generator().manual_seed(0)
    losses = []
    for step in range(STEPS):
        place = step * BATCH % len(data)
        if place == 0:
            order = torch.randperm(len(data), generator=generator).tolist()
        image, mask = (torch.stack(part) for part in zip(*(data[i] for i in order[place : place + BATCH])))
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * (1 - step / STEPS) ** 0.9
        value = cross_entropy(model(image.contiguous(memory_format=memory_format)), mask)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(value.item())
    return losses


CONTESTANTS = {
    FIT: fit,
    PLAIN: lambda name, data: plain(name, data, torch.contiguous_format),
    LAST: lambda name, data: plain(name, data, torch.channels_last),
}


def main():
    threads = int(os.environ.get("OMP_NUM_THREADS", "2"))
    torch.set_num_threads(threads)
    run._current = run.Run(torch.device("cpu"), torch.float32)
    print(f"a step at batch {BATCH}, float32, {threads} threads, torch {torch.__version__}, {ROUNDS} rounds")
    print(f"{'':12}{FIT + ' ms':>16}{PLAIN + ' ms':>16}{'ratio':>8}{'to channels last':>18}")
    for name, size in SIZES.items():
        street = segnb.data.load("street", size=size)
        data = [street[i] for i in range(4 * BATCH)]
        losses = {which: train(name, data) for which, train in CONTESTANTS.items()}
        assert losses[FIT] == losses[LAST], losses
        times = {which: [] for which in CONTESTANTS}
        for _ in range(ROUNDS):
            for which, train in CONTESTANTS.items():
                start = time.perf_counter()
                train(name, data)
                times[which].append((time.perf_counter() - start) / STEPS)
        ratios = [
            statistics.median(mine / other for mine, other in zip(times[FIT], times[peer]))
            for peer in (PLAIN, LAST)
        ]
        mine, other = (1e3 * statistics.median(times[which]) for which in (FIT, PLAIN))
        print(f"{name:12}{mine:16.1f}{other:16.1f}{ratios[0]:8.2f}{ratios[1]:18.2f}", flush=True)
    print("(ratio: at most 1)")


if __name__ == "__main__":
    main()
