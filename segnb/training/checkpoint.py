"""All that a training needs to go on where it stopped, in one file."""

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist

from ..disk import file_at, locked
from ..run import seed_everything
from ..saving import TRAINING, contents, read, unwrapped, write_atomically
from .history import History
from .identity import data_identity, describe, network_identity, optimizer_identity
from .randomness import random_states, set_random_states

# Characters of a setting in an error message.
SHOWN = 160


@dataclass
class Checkpoint:
    """A training's state in a file; the step reached is also the place in the data (see `batches`).

    Attributes:
        path: None keeps nothing.
        settings: what decides the numbers, name → number or text (see `identity`), and "steps".
        rank: of this process; the first one (0) alone writes.
    """

    path: str | os.PathLike | None
    settings: dict
    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    history: History
    device: torch.device
    rank: int = 0

    @property
    def go_on(self) -> str:
        """What to do after a stop."""
        return "checkpoint= would let it go on" if self.path is None else "call it again to go on"

    def locked(self) -> AbstractContextManager:
        """A context in which no other training writes the file. Raises: ValueError: one does."""
        if self.path is None or self.rank > 0:
            return nullcontext()
        cure = "wait for its end, or give another checkpoint="
        return locked(file_at(self.path), f"another training is writing {self.path}: {cure}")

    def write(self) -> None:
        """Write the state after the last step in the history. Raises: OSError, naming the file."""
        if self.path is None or self.rank > 0:
            return
        content = {"format": TRAINING, "settings": self.settings, "history": vars(self.history)}
        content |= contents(unwrapped(self.model)) | {"random": random_states(self.device)}
        content |= {part: getattr(self, part).state_dict() for part in ("optimizer", "scaler")}
        write_atomically(content, self.path)

    def resume(self, extend) -> int:
        """Put back what the file holds, or write a first one (a bad path fails now); return the steps done.

        Args: extend: the file's training may have had fewer steps.
        Raises: ValueError, naming what differs: another training. OSError: the file cannot be written.
        """
        if self.path is None or not Path(self.path).exists():
            self.write()
            return 0
        kept = read(self.path, (TRAINING,), "a checkpoint written by segnb.fit")
        done, planned = len(kept["history"]["step"]), kept["settings"]["steps"]
        self._check(kept["settings"], done, extend)
        unwrapped(self.model).load_state_dict(kept["weights"])
        self.optimizer.load_state_dict(kept["optimizer"])
        self.scaler.load_state_dict(kept["scaler"])
        vars(self.history).update(kept["history"])
        if self.rank == 0:
            set_random_states(kept["random"], self.device)
            self._say(done, planned)
        else:
            seed_everything(self.settings["seed"] + self.rank + done * dist.get_world_size())
        return done

    def _check(self, was, done, extend):
        now = self.settings
        differing = [name for name in now if name in was and was[name] != now[name]]
        cure = "give another checkpoint=, or delete the file"
        if differing == ["steps"] and done <= now["steps"]:
            if extend:
                return
            cure = f"go on with it by extend=True, or --extend of segnb train (from step {done} the rate is that of the longer training), {cure}"
        if differing:
            parts = [
                f"{name} was {_short(was[name], now[name])}, is {_short(now[name], was[name])}"
                for name in differing
            ]
            raise ValueError(f"{self.path} belongs to a different training ({'; '.join(parts)}): {cure}")

    def _say(self, done, planned):
        steps = self.settings["steps"]
        if done == steps:
            print(f"{self.path}: finished run: nothing to train")
        elif steps == planned:
            print(f"{self.path}: going on from step {done} of {steps}")
        else:
            print(
                f"{self.path}: going on from step {done} of {steps}, where {planned} were planned before: the rate is from "
                f"here on that of a training of {steps} steps, so it jumps, and the result is not that of {steps} in one go"
            )


def identity(model, train, loss, augment, optimizer, device, tell) -> dict:
    """What decides a training's numbers besides `fit`'s own; if `tell`, say if data cannot be told apart."""
    data, steady = data_identity(train, device)
    if tell and not steady:
        print(
            "the items of the data differ each time they are read: the checkpoint knows these data by number and classes only"
        )
    functions = {"loss": describe(loss), "augment": describe(augment)}
    return functions | data | optimizer_identity(optimizer) | network_identity(model)


def _short(text, other):
    """A setting for an error message; of a long one the place where it begins to differ from `other`."""
    text, other = str(text), str(other)
    if len(text) <= SHOWN:
        return text
    start = max(0, next((i for i, pair in enumerate(zip(text, other)) if pair[0] != pair[1]), 0) - SHOWN // 2)
    return (
        ("..." if start else "") + text[start : start + SHOWN] + ("..." if start + SHOWN < len(text) else "")
    )
