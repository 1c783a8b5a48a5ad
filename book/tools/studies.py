"""Studies: claims that take too long to test live, run over seeds and stored: `make studies [NAME=...]`.

A study is a file book/studies/NAME.py with one function, marked with `study`, that runs one seed and returns figures:

    from book.tools.studies import study

    @study(depends_on=["segnb.models.unet", "segnb.training"], data="cells", seeds=(0, 1, 2), steps=150, brief=2)
    def one_seed(seed, steps):
        '''Do skips sharpen membranes?'''
        ...
        return {"with skips": {"boundary F1": 0.9}, "without skips": {"boundary F1": 0.7}}

`make studies` runs every seed and writes book/results/NAME.json; `segnb.results("NAME")` reads it. The file carries a
hash of the study and the modules it depends on, so that a test can tell when the figures no longer belong to the code.
A study marked `real=True` calls `segnb.data.choose` and is run by `make real`, which insists on the real set; the tests
run it briefly on the twin.
"""

import argparse
import ast
import datetime
import hashlib
import importlib.util
import io
import json
import platform
import sys
import time
import tokenize
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from book.tools import notebooks

STUDIES = notebooks.ROOT / "book" / "studies"
RESULTS = notebooks.ROOT / "book" / "results"
KEYS = (
    "study", "question", "command", "data", "steps", "seeds", "figures",
    "seconds", "date", "device", "threads", "versions", "depends_on", "code",
)  # fmt: skip


@dataclass(frozen=True)
class Study:
    """One study; made by `study`, from the function it marks."""

    name: str
    question: str
    one_seed: Callable[[int, int], dict]
    source: Path
    depends_on: tuple[str, ...]
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
        """A hash of everything the figures were computed with: the study itself and the modules it names."""
        digest = hashlib.sha256()
        for path in [self.source, *map(module_file, sorted(self.depends_on))]:
            digest.update(essence(path.read_text(encoding="utf-8")).encode())
        return digest.hexdigest()[:16]

    def run(self) -> dict:
        """All seeds; → what is stored."""
        import numpy
        import torch

        import segnb

        if self.real:
            need_real(self.data)
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
            "depends_on": sorted(self.depends_on),
            "code": self.code(),
        }

    def store(self) -> dict:
        """Run and write the results; a run that is broken off leaves the old ones."""
        results = self.run()
        RESULTS.mkdir(exist_ok=True)
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        part.replace(self.path)
        return results


def study(
    *,
    depends_on: Sequence[str],
    data: str,
    seeds: Sequence[int] = (0, 1, 2),
    steps: int,
    brief: int = 2,
    real: bool = False,
) -> Callable[[Callable[[int, int], dict]], Study]:
    """Mark `one_seed(seed, steps) -> {variant: {measure: number}}` (nested as deep as you like) as a study.

    depends_on: the modules whose change makes the figures stale. data: the name of the data set. brief: the steps with
    which the tests run one seed. The question is the first line of the function's docstring, the name that of its file.
    """

    def mark(one_seed: Callable[[int, int], dict]) -> Study:
        source = Path(one_seed.__code__.co_filename)
        question = (one_seed.__doc__ or "").strip().split("\n")[0]
        if not question:
            raise ValueError(f"{source.name}: one_seed needs a docstring that asks the study's question")
        return Study(
            source.stem, question, one_seed, source, tuple(depends_on), data, tuple(seeds), steps, brief, real
        )

    return mark


def module_file(name: str) -> Path:
    """The file of a module, found by its import system's name ("segnb.losses.dice")."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.origin:
        raise ModuleNotFoundError(f"a study depends on {name}, which is no module with a file")
    return Path(spec.origin)


def essence(source: str) -> str:
    """Python source without what does not change its meaning: comments, docstrings, blank lines, trailing spaces.

    Lines and indentation stay, so that the result is the same under every version of Python.
    """
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", None), str):
                lines[first.lineno - 1 : first.end_lineno] = [""] * (first.end_lineno - first.lineno + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())


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
    spec = importlib.util.spec_from_file_location(f"book.studies.{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = [value for value in vars(module).values() if isinstance(value, Study)]
    if len(found) != 1:
        raise ValueError(f"{path.name} holds {len(found)} studies instead of one")
    return found[0]


def find() -> list[Path]:
    """The files of all studies, in order."""
    return sorted(STUDIES.glob("[a-z]*.py"))


def stored(one: Study) -> dict | None:
    """What was stored for a study, None if it was never run."""
    return json.loads(one.path.read_text(encoding="utf-8")) if one.path.exists() else None


def need_real(name: str) -> None:
    """Raise `segnb.data.DataError` if the real data set is not there: its twin would answer another question."""
    import segnb

    if segnb.data.choose(name).generated:
        raise segnb.data.DataError(
            f"{name} was not found, and its twin would not do: name its folder, SEGNB_DATA=folder make real"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="default: all")
    parser.add_argument("--real", action="store_true", help="the studies on real data")
    arguments = parser.parse_args()
    there = {path.stem: path for path in find()}
    if unknown := set(arguments.names) - set(there):
        print(
            f"No study {', '.join(sorted(unknown))}; there are {', '.join(there) or 'none'}.", file=sys.stderr
        )
        return 2
    chosen = [load(there[name]) for name in arguments.names or there]
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
