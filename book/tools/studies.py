"""Studies: claims that take too long to test live, run over seeds and stored: `make studies [NAME=...]`.

A study is a file book/studies/CHAPTER/NAME.py with one function, marked with `study`, that runs one seed and
returns figures:

    from book.tools.studies import study

    @study(data="cells", seeds=(0, 1, 2), steps=150, brief=2)
    def one_seed(seed, steps):
        '''Do skips sharpen membranes?'''
        ...
        return {"with skips": {"boundary F1": 0.9}, "without skips": {"boundary F1": 0.7}}

`make studies` runs every seed and writes book/results/NAME.json; `segnb.results("NAME")` reads it. The file
carries a stamp, a hash of all code that the study reaches (see reach.py), so that a test can tell when the
figures no longer belong to the code. `make restamp` renews it without the run where no number has changed
(see restamp.py). A study marked `real=True` calls `segnb.data.choose` and is run by `make real`, which insists
on the real set; the tests run it briefly on the twin.
"""

import argparse
import datetime
import importlib.util
import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from book.tools import notebooks, reach

STUDIES = notebooks.ROOT / "book" / "studies"
RESULTS = notebooks.ROOT / "book" / "results"
KEYS = (
    "study", "question", "command", "data", "steps", "seeds", "figures",
    "seconds", "date", "device", "threads", "versions", "code",
)  # fmt: skip


@dataclass(frozen=True)
class Study:
    """One study; made by `study`, from the function it marks."""

    name: str
    question: str
    one_seed: Callable[[int, int], dict]
    data: str
    seeds: tuple[int, ...]
    steps: int
    brief: int
    real: bool

    @property
    def command(self) -> str:
        return f"make {'real' if self.real else 'studies'} NAME={self.name}"

    @property
    def path(self) -> Path:
        """Where the results are stored."""
        return RESULTS / f"{self.name}.json"

    def code(self) -> str:
        """The stamp: a hash of all code of this repository with which the figures are computed."""
        return reach.stamp(self.one_seed, self.data)

    def run(self) -> dict:
        """All seeds; → what is stored."""
        import numpy
        import torch

        import segnb

        if self.real:
            need_real(self.data)
        # Before the run: files may change while it lasts.
        code = self.code()
        start = time.perf_counter()
        found = []
        for seed in self.seeds:
            print(f"  seed {seed}", end="", flush=True)
            found.append(self.one_seed(seed, self.steps))
            print(f"  {time.perf_counter() - start:.0f} s", flush=True)
        device = segnb.setup().device
        return {
            "study": self.name,
            "question": self.question,
            "command": self.command,
            "data": self.data,
            "steps": self.steps,
            "seeds": list(self.seeds),
            "figures": gather(found),
            "seconds": round(time.perf_counter() - start),
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "device": torch.cuda.get_device_name() if device.type == "cuda" else device.type,
            "threads": torch.get_num_threads(),
            "versions": {
                "python": platform.python_version(),
                "torch": torch.__version__,
                "numpy": numpy.__version__,
                "segnb": notebooks.project()["version"],
            },
            "code": code,
        }

    def store(self) -> dict:
        """Run and write the results; a run that is broken off leaves the old ones."""
        results = self.run()
        self.write(results)
        return results

    def write(self, results: dict) -> None:
        """Write the file of results, in one step."""
        RESULTS.mkdir(exist_ok=True)
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        part.replace(self.path)


def study(
    *,
    data: str,
    seeds: Sequence[int] = (0, 1, 2),
    steps: int,
    brief: int = 2,
    real: bool = False,
) -> Callable[[Callable[[int, int], dict]], Study]:
    """Mark `one_seed(seed, steps) -> {variant: {measure: number}}` (nested as deep as you like) as a study.

    data: the name of the data set. brief: the steps with which the tests run one seed. The question is
    the first line of the function's docstring, the name that of its file.
    """

    def mark(one_seed: Callable[[int, int], dict]) -> Study:
        source = Path(one_seed.__code__.co_filename)
        question = (one_seed.__doc__ or "").strip().split("\n")[0]
        if not question:
            raise ValueError(f"{source.name}: one_seed needs a docstring that asks the study's question")
        return Study(source.stem, question, one_seed, data, tuple(seeds), steps, brief, real)

    return mark


def gather(found: Sequence[dict]) -> dict:
    """[{a: {b: 1}}, {a: {b: 2}}] → {a: {b: [1, 2]}}: one list for each figure, in the order of the seeds."""
    first = found[0]
    if any(one.keys() != first.keys() for one in found):
        raise ValueError(f"the seeds return different figures: {[sorted(one) for one in found]}")
    return {
        key: gather([one[key] for one in found])
        if isinstance(first[key], dict)
        else [float(one[key]) for one in found]
        for key in first
    }


def shape(figures: dict) -> dict:
    """The names of the figures, without their values: what two runs must have in common."""
    return {key: shape(value) if isinstance(value, dict) else None for key, value in figures.items()}


def leaves(figures: dict) -> list:
    """All values of nested figures."""
    return [
        leaf for value in figures.values() for leaf in (leaves(value) if isinstance(value, dict) else [value])
    ]


def load(path: Path) -> Study:
    """The study in a file."""
    name = ".".join(("book", "studies", *path.relative_to(STUDIES).with_suffix("").parts))
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = [value for value in vars(module).values() if isinstance(value, Study)]
    if len(found) != 1:
        raise ValueError(f"{path.name} holds {len(found)} studies instead of one")
    return found[0]


def find() -> list[Path]:
    """The files of all studies, in the order of their names. ValueError for a name that two folders have."""
    files = STUDIES.glob("*/*.py")
    found = sorted(
        (path for path in files if "\n@study(" in path.read_text("utf-8")), key=lambda path: path.stem
    )
    for one, other in pairwise(found):
        if one.stem == other.stem:
            raise ValueError(
                f"two studies have the name {one.stem}, in {one.parent.name}/ and {other.parent.name}/"
            )
    return found


def stored(one: Study) -> dict | None:
    """What was stored for a study, None if it was never run."""
    return json.loads(one.path.read_text(encoding="utf-8")) if one.path.exists() else None


def need_real(name: str) -> None:
    """Raise `segnb.data.DataError` if the real set is not there: its twin would answer another question."""
    import segnb

    if segnb.data.choose(name).generated:
        raise segnb.data.DataError(
            f"{name} was not found, and its twin would not do: name its folder, SEGNB_DATA=folder make real"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="default: all")
    parser.add_argument("--real", action="store_true", help="the studies on real data")
    parser.add_argument(
        "--restamp", action="store_true", help="run nothing anew: stamp what a brief run shows to be equal"
    )
    parser.add_argument(
        "--since", metavar="COMMIT", help="equal to what it was then; default: to what was stored last"
    )
    arguments = parser.parse_args()
    there = {path.stem: path for path in find()}
    if unknown := set(arguments.names) - set(there):
        print(
            f"No study {', '.join(sorted(unknown))}; there are {', '.join(there) or 'none'}.", file=sys.stderr
        )
        return 2
    chosen = [load(there[name]) for name in arguments.names or there]
    if arguments.restamp:
        from book.tools import restamp

        stale = [one for one in chosen if arguments.names or (stored(one) or {}).get("code") != one.code()]
        return restamp.main(stale, arguments.since)
    for one in chosen:
        if one.real != arguments.real:
            if arguments.names:
                print(f"{one.name} is run by `{one.command}`.", file=sys.stderr)
                return 2
            continue
        print(f"{one.name}: {one.question}", flush=True)
        one.store()
        print(f"  → {one.path.relative_to(notebooks.ROOT)}", flush=True)
    return 0


if __name__ == "__main__":
    from book.tools import studies  # the module the studies import, so that there is one class Study

    sys.exit(studies.main())
