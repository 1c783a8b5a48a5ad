"""ConfusionMatrix.update with its label check beside torchmetrics, on 16×512×512 pixels of 21 classes and void.

Interleaved: every round runs each once, and the table shows medians over the rounds.
"""

import statistics
import time

import torch
from torchmetrics import JaccardIndex

from segnb.metrics import ConfusionMatrix, boundary_f1

K, VOID, ROUNDS = 21, 255, 9


def masks():
    """A blocky target with a strip of void, and a prediction with one pixel in ten wrong."""
    torch.manual_seed(0)
    target = torch.randint(K, (16, 32, 32)).repeat_interleave(16, 1).repeat_interleave(16, 2)
    noise = torch.randint(K, target.shape)
    pred = target.where(torch.rand(target.shape) < 0.9, noise)
    target[:, ::20] = VOID
    return pred, target


def contestants(pred, target):
    ours, theirs = (
        ConfusionMatrix(K, VOID),
        JaccardIndex("multiclass", num_classes=K, ignore_index=VOID, average="none"),
    )
    unchecked = JaccardIndex(
        "multiclass", num_classes=K, ignore_index=VOID, average="none", validate_args=False
    )
    ours.update(pred, target)
    theirs.update(pred, target)
    torch.testing.assert_close(ours.iou.float(), theirs.compute())
    return {
        "segnb ConfusionMatrix": lambda: ours.update(pred, target),
        "torchmetrics JaccardIndex": lambda: theirs.update(pred, target),
        "the same, unchecked": lambda: unchecked.update(pred, target),
    }


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main():
    torch.set_num_threads(2)
    pred, target = masks()
    calls = contestants(pred, target)
    times = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            times[name].append(seconds(call))
    median = {name: statistics.median(values) for name, values in times.items()}

    print(
        f"update, {'×'.join(map(str, target.shape))}, {K} classes and void, {torch.get_num_threads()} threads"
    )
    for name, value in median.items():
        print(f"{name:28}{1e3 * value:8.1f} ms{value / median['segnb ConfusionMatrix']:8.1f} ×")
    print("(torchmetrics: at least 10 ×)")

    outlines = seconds(lambda: boundary_f1(pred[:2], target[:2]))
    print(f"boundary_f1, 512², noisy prediction: {1e3 * outlines / 2:.0f} ms a picture")


if __name__ == "__main__":
    main()
