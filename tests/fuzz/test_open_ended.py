"""The fuzzer of `make fuzz` itself: it goes on, counts, and sets aside what has failed."""

from itertools import count
from types import SimpleNamespace

from hypothesis import strategies as st

from tests.fuzz import open_ended
from tests.fuzz.laws import law


def stopping(at):
    """A law that holds, and at its n-th example somebody presses Ctrl-C."""
    calls = count(1)

    @law(n=st.integers(0, 10**6))
    def holds(n):
        if next(calls) == at:
            raise KeyboardInterrupt

    return holds


def breaking():
    @law(n=st.integers(0, 10**6))
    def breaks(n):
        assert n < 1000

    return breaks


def test_it_goes_on_until_it_is_stopped_and_sets_aside_what_failed(capsys):
    tests = {"breaks": breaking(), "holds": stopping(at=150)}
    counts, failed = open_ended.explore(tests, seconds=600, first_seed=0)
    assert list(failed) == ["breaks"]
    # The smallest number that breaks the law.
    assert "n=1000" in failed["breaks"]
    assert "=== breaks failed (seed 0)" in capsys.readouterr().out
    # More than one round of it, and of the broken one no more than one.
    assert counts["holds"] == 150


def test_what_fails_as_the_time_ends_is_told_though_there_is_no_time_to_make_it_small():
    @law(n=st.integers(0, 10**6))
    def breaks_late(n):
        if seen:
            raise KeyboardInterrupt
        seen.append(n)
        raise ValueError(f"no {n}")

    seen = []
    counts, failed = open_ended.explore({"late": breaks_late}, seconds=600, first_seed=0)
    assert f"no {seen[0]}" in failed["late"]
    assert counts["late"] == 2


def test_the_end_of_the_time_is_no_failure_of_a_law_wherever_it_falls():
    def stopped_in_the_library():
        try:
            raise KeyboardInterrupt
        finally:
            raise AssertionError("half done")

    stopped_in_the_library.hypothesis = SimpleNamespace(inner_test=None)
    _, failed = open_ended.explore({"holds": stopped_in_the_library}, seconds=600, first_seed=0)
    assert not failed


def test_the_time_ends_it():
    counts, failed = open_ended.explore({"holds": stopping(at=None)}, seconds=0.2, first_seed=0)
    assert counts["holds"] > 0
    assert not failed


def test_it_ends_when_nothing_is_left_to_try():
    _, failed = open_ended.explore({"breaks": breaking()}, seconds=600, first_seed=0)
    assert set(failed) == {"breaks"}


def test_it_finds_every_law_of_this_folder():
    found = open_ended.laws()
    assert {"metrics.parts_add_up", "reader.tiffs_come_back"} <= found.keys()
    assert all(test.__doc__ for test in found.values()), "a law is stated in one sentence"
