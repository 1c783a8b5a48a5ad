"""One training in several processes, each with its own GPU, as torchrun starts them."""

import atexit
import os

import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel


def join_processes(run) -> tuple[int, int]:
    """(rank, number) of this process among those that torchrun started; (0, 1) without it."""
    if not (dist.is_available() and dist.is_initialized()):
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return 0, 1
        dist.init_process_group("nccl" if run.device.type == "cuda" else "gloo")
        atexit.register(dist.destroy_process_group)
    return dist.get_rank(), dist.get_world_size()


def shared(model, run, processes) -> nn.Module:
    """The model, with gradients averaged over the processes at each backward pass if there are several."""
    if processes == 1:
        return model
    return DistributedDataParallel(model, device_ids=[run.device] if run.device.type == "cuda" else None)


def mean_over(numbers, processes) -> list[float]:
    """A tensor's numbers as floats, each the mean over all processes; NaN or infinite in one is so in all."""
    if processes > 1:
        dist.all_reduce(numbers)
    return [number / processes for number in numbers.tolist()]
