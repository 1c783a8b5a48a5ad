"""All that a training needs to go on where it stopped: `Checkpoint`, and the generators of random numbers."""

import os
import random
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

from ..run import seed_everything
from ..saving import read, write_atomically
from .history import History

FORMAT = "segnb training 1"


@dataclass
class Checkpoint:
    """All that a training needs to go on, in one file; the step reached is also the place in the data (see `_batches`)."""

    path: str | os.PathLike | None
    settings: dict
    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    history: History
    device: torch.device

    def network(self):
        """What tells this network from another one."""
        shapes = {name: tuple(part.shape) for name, part in self.model.state_dict().items()}
        return {
            "class": type(self.model).__name__,
            "config": repr(getattr(self.model, "config", None)),
            "shapes": shapes,
        }

    def write(self):
        if self.path is None:
            return
        content = {
            "format": FORMAT,
            "settings": self.settings,
            "network": self.network(),
            "history": vars(self.history),
        }
        content |= {part: getattr(self, part).state_dict() for part in ("model", "optimizer", "scaler")}
        write_atomically(content | {"random": random_states(self.device)}, self.path)

    def resume(self, rank):
        """Put back what the file holds, or write the first one (a path that cannot be written fails now). → steps done"""
        if self.path is None or not Path(self.path).exists():
            if rank == 0:
                self.write()
            return 0
        kept = read(self.path, FORMAT, "a checkpoint written by segnb.fit")
        was, now = kept["settings"] | kept["network"], self.settings | self.network()
        differing = [
            f"{name} was {was.get(name)}, is {now[name]}" for name in now if was.get(name) != now[name]
        ]
        if differing:
            what = "another network" if was["shapes"] != now["shapes"] else "; ".join(differing)
            raise ValueError(
                f"{self.path} belongs to a different training ({what}): delete it, or give another checkpoint="
            )
        for part in ("model", "optimizer", "scaler"):
            if kept[part]:  # a CPU has no scaler to hand over to a GPU
                getattr(self, part).load_state_dict(kept[part])
        vars(self.history).update(kept["history"])
        done = len(self.history.step)
        if rank == 0:
            set_random_states(kept["random"], self.device)
        else:
            seed_everything(self.settings["seed"] + rank + done * dist.get_world_size())
        return done


@contextmanager
def own_randomness(seed, device):
    """Generators seeded inside, and outside as if nothing had been drawn."""
    before = random_states(device)
    seed_everything(seed)
    try:
        yield
    finally:
        set_random_states(before, device)


def random_states(device):
    """The states of all generators, in types that torch.load reads with weights_only."""
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    return {
        "torch": torch.get_rng_state(),
        "device": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "numpy": (name, torch.from_numpy(keys.astype(np.int64)), *rest),
        "random": random.getstate(),
    }


def set_random_states(states, device):
    torch.set_rng_state(states["torch"])
    if states["device"] is not None and device.type == "cuda":
        torch.cuda.set_rng_state(states["device"], device)
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    random.setstate(states["random"])
