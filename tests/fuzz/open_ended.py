"""`make fuzz`: the laws of this folder with ever new examples, until it is stopped or the time is over.

It says how many examples of each law were tried, and shows what failed with the example that broke it, made as small as
it goes. A law that failed is set aside, and its example kept in .hypothesis/, so that the next run begins with it. The
exit code is 1 if any failed.
"""

import _thread
import argparse
import importlib
import logging
import os
import signal
import sys
import threading
import time
import traceback
from itertools import count
from math import inf
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, settings
from hypothesis.errors import HypothesisException

# Examples of the cheapest law in one round: few, so that a short run gets round to all of them.
ROUND = 30


def laws():
    """Name → property, of all laws in this folder."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        module = importlib.import_module(f"tests.fuzz.{path.stem}")
        found |= {
            f"{path.stem.removeprefix('test_')}.{name.removeprefix('test_')}": test
            for name, test in vars(module).items()
            if name.startswith("test_") and hypothesis.is_hypothesis_test(test)
        }
    return found


def watched(test, name, counts, seen):
    """The property, its examples counted, and the latest that broke it kept, in words."""
    inner = test.hypothesis.inner_test

    def watching(*args, **values):
        counts[name] += 1
        try:
            return inner(*args, **values)
        except HypothesisException:  # an example that was not wanted
            raise
        except Exception:
            seen[name] = f"{traceback.format_exc()}with {values!r}"
            raise

    test.hypothesis.inner_test = watching
    return test


def interrupted(problem):
    """Whether the time ended inside the library, which then fails over its own half-done work."""
    while problem and not isinstance(problem, KeyboardInterrupt):
        problem = problem.__context__
    return bool(problem)


def explore(properties, seconds, first_seed):
    """(examples tried by name, what failed by name) of going round the properties until the time is over or Ctrl-C."""
    counts, failed, seen = dict.fromkeys(properties, 0), {}, {}
    tests = {name: watched(test, name, counts, seen) for name, test in properties.items()}
    # As Ctrl-C would, also in the middle of making an example small.
    timer = threading.Timer(seconds, _thread.interrupt_main)
    try:
        if seconds < inf:
            timer.start()
        for seed in count(first_seed):
            for name in [name for name in tests if name not in failed]:
                try:
                    hypothesis.seed(seed)(tests[name])()
                except Exception as problem:  # whatever a law raises is what is looked for
                    if interrupted(problem):
                        raise KeyboardInterrupt from problem
                    failed[name] = "".join(traceback.format_exception(problem))
                    print(f"\n=== {name} failed (seed {seed})\n{failed[name]}", flush=True)
            if len(failed) == len(tests):
                break
    except KeyboardInterrupt:
        for name in seen.keys() - failed.keys():
            failed[name] = seen[name]
            print(f"\n=== {name} failed; there was no time to make the example small\n{seen[name]}")
    finally:
        timer.cancel()
    return counts, failed


def main(argv=None):
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=inf, help="default: until it is stopped")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first round")
    parser.add_argument("--only", default="", help="laws with this in their name")
    arguments = parser.parse_args(argv)
    settings.register_profile(
        "open-ended",
        max_examples=ROUND,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("open-ended")
    os.environ.setdefault("SEGNB_DATA", "generated")
    logging.disable()  # what decoders say of damaged files
    # Shells start what runs in the background deaf to Ctrl-C, and the end of the time comes as one.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    properties = {name: test for name, test in laws().items() if arguments.only in name}
    print(f"{len(properties)} laws, first seed {arguments.seed}", flush=True)
    start = time.monotonic()
    counts, failed = explore(properties, arguments.seconds, arguments.seed)
    print()
    for name, tried in counts.items():
        print(f"{tried:8,}  {name}{'  FAILED' if name in failed else ''}")
    print(
        f"{sum(counts.values()):8,}  examples in {time.monotonic() - start:.0f} s, {len(failed)} of {len(counts)} laws failed"
    )
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
