"""Losses beside their peers: forward and backward time, and peak memory, at 2, 11 and 21 classes.

Time is interleaved: every round runs each loss twice and times the second run (the first settles the memory that
the loss before it left behind); the table shows medians over the rounds. Peak memory is what the process's resident
set rises by during one forward and backward, as Linux reports it.
"""

import ctypes
import os
import statistics
import time
from pathlib import Path

import monai.losses
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F

from segnb.losses import cross_entropy, dice, focal, generalised_dice

# Pictures and classes: the medical case, a street's, Pascal's.
SHAPES, SIZE, ROUNDS = ((8, 2), (4, 11), (4, 21)), 256, 20
CE, OUR_CE = "torch cross_entropy", "segnb cross_entropy"
OURS, MONAI, SMP = "segnb dice", "MONAI Dice", "Segmentation Models Dice"


def scene(n, k):
    """Logits and a blocky mask with every class, as a network half-way through its training would give them."""
    torch.manual_seed(0)
    logits = 2 * torch.randn(n, k, SIZE, SIZE)
    mask = torch.randint(k, (n, 16, 16)).repeat_interleave(16, 1).repeat_interleave(16, 2)
    return logits, mask


def contestants(mask):
    """Losses by name: each takes logits. The three Dice losses give the same value, and so do the cross entropies."""
    monai_dice = monai.losses.DiceLoss(
        to_onehot_y=True, softmax=True, batch=True, smooth_nr=0.0, smooth_dr=0.0
    )
    smp_dice = smp.losses.DiceLoss("multiclass")
    void = mask.clone()
    void[:, :8] = 255
    return {
        CE: lambda logits: F.cross_entropy(logits, mask),
        OUR_CE: lambda logits: cross_entropy(logits, mask),
        OURS: lambda logits: dice(logits, mask),
        "segnb dice, with void": lambda logits: dice(logits, void),
        MONAI: lambda logits: monai_dice(logits, mask[:, None]),
        SMP: lambda logits: smp_dice(logits, mask),
        "segnb generalised_dice": lambda logits: generalised_dice(logits, mask),
        "segnb focal": lambda logits: focal(logits, mask),
    }


def seconds(loss, logits):
    logits = logits.clone().requires_grad_()
    start = time.perf_counter()
    loss(logits).backward()
    return time.perf_counter() - start


def resident(field):
    """A line of /proc/self/status in MB: VmRSS is the memory in use, VmHWM its highest mark."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def peak_memory(loss, logits):
    """MB that one forward and backward need beyond the logits; NaN where Linux's counters are missing."""
    reset = Path("/proc/self/clear_refs")
    if not reset.exists():
        return float("nan")
    logits = logits.clone().requires_grad_()
    # Give back what earlier losses freed, or it would hide this one's need.
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    reset.write_text("5")  # lowers the highest mark to what is in use now
    before = resident("VmRSS")
    loss(logits).backward()
    return resident("VmHWM") - before


def table(n, k):
    """Print the table for n pictures of k classes."""
    logits, mask = scene(n, k)
    losses = contestants(mask)

    # In float64: Segmentation Models' sum of |p − g| loses four digits in float32.
    value = {name: losses[name](logits.double()).item() for name in losses}
    for same in ((OURS, MONAI, SMP), (CE, OUR_CE)):
        assert max(value[name] for name in same) - min(value[name] for name in same) < 1e-6, value

    times = {name: [] for name in losses}
    for _ in range(ROUNDS):
        for name, loss in losses.items():
            seconds(loss, logits)
            times[name].append(seconds(loss, logits))
    memory = {name: peak_memory(loss, logits) for name, loss in losses.items()}

    median = {name: statistics.median(times[name]) for name in losses}
    fastest = {name: min(times[name]) for name in losses}
    print(
        f"forward + backward, {n}×{k}×{SIZE}², {torch.get_num_threads()} threads, torch {torch.__version__}, "
        f"{ROUNDS} rounds; logits {logits.nbytes / 2**20:.0f} MB"
    )
    print(f"{'':26}{'median ms':>10}{'× CE':>7}{'fastest ms':>12}{'× CE':>7}{'peak MB':>9}")
    for name in losses:
        print(
            f"{name:26}{1e3 * median[name]:10.1f}{median[name] / median[CE]:7.2f}"
            f"{1e3 * fastest[name]:12.1f}{fastest[name] / fastest[CE]:7.2f}{memory[name]:9.0f}"
        )
    print(f"cross entropy / torch's             {median[OUR_CE] / median[CE]:5.2f}  (at most 1)")
    print(f"dice / MONAI's                      {median[OURS] / median[MONAI]:5.2f}  (at most 1)")
    print(f"Segmentation Models' dice / dice    {median[SMP] / median[OURS]:5.2f}  (at least 3)")
    print(f"peak memory / Segmentation Models'  {memory[OURS] / memory[SMP]:5.2f}  (at most 0.5)")
    print(f"peak memory / MONAI's               {memory[OURS] / memory[MONAI]:5.2f}  (at most 1)\n")


def main():
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    for n, k in SHAPES:
        table(n, k)


if __name__ == "__main__":
    main()
