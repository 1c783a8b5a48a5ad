"""The gate: every mutant of a reference that behaves otherwise fails, and every known mistake meets its own sentence."""

import pytest

from book.tools import mutants
from segnb.exercises import engine, registry, variant
from tests.exercises.equivalent import EQUIVALENT

EXERCISES = list(registry.values())


def named(exercises):
    return pytest.mark.parametrize("exercise", exercises, ids=[exercise.name for exercise in exercises])


def hand_in(exercise, answer, seed):
    """The verdict on an answer; where values are handed in, on what a function computes."""
    if exercise.literal and callable(answer):
        answer = answer(*exercise.inputs(seed)[0])
    return engine.judge(exercise, exercise.observe(answer, seed), seed)


@named(EXERCISES)
def test_every_mutant_fails_or_is_equivalent_for_a_reason(exercise):
    found = mutants.run(exercise)
    reasons = EQUIVALENT.get(exercise.name, {})
    alive = [what for what, hint in found if hint is None]
    assert not [what for what in alive if not any(part in what for part in reasons)]
    assert not [part for part in reasons if not any(part in what for what in alive)], "no longer needed"
    assert [hint for _, hint in found if hint], "a reference without a mutant that fails is not tested at all"


@named([exercise for exercise in EXERCISES if not any(case.holds for case in exercise.cases)])
@pytest.mark.parametrize("seed", [0, 7])
def test_the_reference_passes_and_each_mistake_meets_its_own_sentence(exercise, seed):
    seed = variant("ada") if exercise.literal else seed
    assert hand_in(exercise, exercise.reference, seed).right
    for answer, told in exercise.wrong_answers().items():
        hint = hand_in(exercise, answer, seed).hint
        assert hint
        assert callable(told) or hint.lower() == told.lower()


@named(EXERCISES)
def test_a_task_says_what_it_takes(exercise):
    assert 1 <= exercise.difficulty <= 5
    assert 1 <= exercise.importance <= 5
    assert 3 <= exercise.minutes <= 25
