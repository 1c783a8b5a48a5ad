"""What a training went through."""

from dataclasses import dataclass, field


@dataclass
class History:
    """What a training went through. Lists with one entry per step, but for `val`.

    Attributes:
        step, lr: 1, 2, 3, ...; the learning rate used.
        loss: of that step's batch, before its update.
        seconds: since the start, without the time in which training was interrupted.
        val: pairs (step, mean IoU on the validation set after that step).
    """

    step: list = field(default_factory=list)
    loss: list = field(default_factory=list)
    lr: list = field(default_factory=list)
    val: list = field(default_factory=list)
    seconds: list = field(default_factory=list)

    def add(self, step, loss, lr, seconds) -> None:
        """Append one step's entries: numbers, `seconds` since the start."""
        for entries, entry in zip((self.step, self.loss, self.lr, self.seconds), (step, loss, lr, seconds)):
            entries.append(entry)
