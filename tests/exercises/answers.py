"""What every chapter's exercises are held to, given wrong answers with the hints they should meet, and right ones."""

import pytest

import segnb


def answers_of(exercises, wrong, right):
    """The three tests of a chapter: wrong answers meet their own hints, right ones pass, no exercise is left out.

    wrong: name → pairs (answer, a part of its hint); right: name → answers.
    """

    @pytest.mark.parametrize(
        ("name", "answer", "hint"), [(name, *pair) for name, pairs in wrong.items() for pair in pairs]
    )
    def test_a_wrong_answer_meets_its_own_hint(name, answer, hint, capsys, monkeypatch):
        monkeypatch.delenv("SEGNB_STRICT", raising=False)
        segnb.check(name, answer)
        out = capsys.readouterr().out
        (cross,) = [line for line in out.splitlines() if line.startswith("✗")]
        assert hint.lower() in cross.lower()
        others = [other for _, other in wrong[name] if other != hint]
        assert not [other for other in others if other.lower() in cross.lower() and other not in hint]

    @pytest.mark.parametrize(
        ("name", "answer"), [(name, answer) for name, answers in right.items() for answer in answers]
    )
    def test_a_right_answer_in_other_words_passes(name, answer, monkeypatch):
        monkeypatch.setenv("SEGNB_STRICT", "1")
        segnb.check(name, answer)

    def test_every_exercise_of_the_chapter_has_its_answers_here():
        assert list(wrong) == list(right) == [exercise.name for exercise in exercises]

    return (
        test_a_wrong_answer_meets_its_own_hint,
        test_a_right_answer_in_other_words_passes,
        test_every_exercise_of_the_chapter_has_its_answers_here,
    )
