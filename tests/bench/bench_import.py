"""`import segnb` against `import torch`, each in fresh interpreters, interleaved: the ratio should be at most 1.2."""

import statistics
import subprocess
import sys
import time

ROUNDS = 7


def seconds(code: str) -> float:
    """Wall time of one fresh interpreter that runs `code`."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def main() -> None:
    seconds("import segnb")  # files into the page cache, bytecode written
    rounds = [(seconds("import torch"), seconds("import segnb")) for _ in range(ROUNDS)]
    ratio = statistics.median(segnb / torch for torch, segnb in rounds)
    torch, segnb = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(
        f"import torch {torch:.2f} s, import segnb {segnb:.2f} s, ratio {ratio:.2f} (median of {ROUNDS}; at most 1.2)"
    )


if __name__ == "__main__":
    main()
