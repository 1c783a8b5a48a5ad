"""One seed of one study, run briefly: `python brief_run.py FILE NAME SEED STEPS` writes what came out.

Without a seed nothing is run, and the study's stamp alone is written.

The code that runs is that of the working directory, also of an old commit: so this file stands alone, and
asks of the studies' machinery only `load` and `gather`.
"""

import hashlib
import json
import sys
import time
from pathlib import Path


def main(out: str, name: str, seed: str | None = None, steps: str = "0") -> None:
    import segnb
    from book.tools import studies

    for module in (segnb, studies):
        if not Path(module.__file__).is_relative_to(Path.cwd()):
            raise ImportError(f"{module.__name__} comes from {module.__file__}, not from {Path.cwd()}")
    files = list((Path.cwd() / "book" / "studies").rglob(f"{name}.py"))
    if len(files) != 1:
        raise FileNotFoundError(f"book/studies has {len(files)} files {name}.py")
    one = studies.load(files[0])
    code = one.code()
    if seed is None:
        Path(out).write_text(json.dumps({"code": code}))
        return
    fit, trainings = segnb.fit, []

    def recorded(model, *arguments, **options):
        history = fit(model, *arguments, **options)
        # Not the losses: the same ones, added up in another order, end in other digits, and weights show whether
        # their gradients were equal.
        trainings.append({"mean IoU": history.val, "weights": digest(model)})
        return history

    segnb.fit = recorded
    # Of two equal runs none takes the time of the other: here no time passes.
    time.perf_counter = float
    figures = studies.gather([one.one_seed(int(seed), int(steps))])
    Path(out).write_text(json.dumps({"code": code, "trainings": trainings, "figures": figures}))


def digest(model) -> str:
    """A hash of all weights and buffers, with their names."""
    found = hashlib.sha256()
    for name, numbers in model.state_dict().items():
        found.update(f"{name} {numbers.dtype} {tuple(numbers.shape)}".encode())
        found.update(numbers.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


if __name__ == "__main__":
    main(*sys.argv[1:])
