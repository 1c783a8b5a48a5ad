"""The later exercises of chapter 1: tests that find nothing, measurements of something else, the way back for the way there."""

import numpy as np
import pytest
import torch

from segnb.exercises import every_pixel, variant
from tests.exercises.answers import answers_of

NEW = every_pixel.EXERCISES[8:]
NUMBER, DOWN, RIGHT_BY = every_pixel.my_offset(variant(""))

CHAIN = (torch.tensor([[7, 1]]), [(7, 1), (1, 2)])
UNKNOWN = (torch.tensor([[7, 9]]), [(7, 3)])
CLASS_0 = (torch.tensor([[7]]), [(7, 0)])
ABSENT = (torch.tensor([[8]]), [(7, 1), (8, 2)])
ALL_AT_ONCE = (torch.tensor([[7, 1], [5, 9]]), [(7, 1), (1, 2), (5, 0)])
IN_ORDER = (torch.tensor([[1, 7]]), [(1, 7), (7, 2)])

WRONG = {
    "relabel_tests": [
        ([], "A list of inputs is wanted"),
        ([UNKNOWN, CLASS_0, ABSENT], "passes all your tests: version A"),
        ([CHAIN, CLASS_0, ABSENT], "passes all your tests: version B"),
        ([IN_ORDER, UNKNOWN, CLASS_0], "passes all your tests: version E"),
        ([CHAIN, UNKNOWN, ABSENT], "passes all your tests: version D"),
        ([(CHAIN[0],)], "a tensor, and a list of pairs"),
        (CHAIN, "Is the list missing"),
        ([(torch.tensor([[300]]), [(7, 1)])], "ids should hold numbers from 0 to 255"),
        ([(torch.zeros(2, 3, dtype=torch.int64), [(0, 1)])], "one to four pixels"),
        ([(CHAIN[0], [(7, 1, 2)])], "a list of pairs (old, new)"),
        ([(CHAIN[0], [(7, 1), (7, 2)])], "stands in two pairs"),
        ([ALL_AT_ONCE] * 21, "At most 20 inputs"),
    ],
    "poles_returned": [
        ([0.2, 0.444], "the share of the old pole pixels that are pole again"),
        ([0.2, 0.403], "the share of today's pole pixels that were pole before"),
        ([0.2, 0.906], "You divide before by after"),
        ([0.2, 0.882], "a mask of half the size"),
        ([0.2, 0.069], "the pole pixels of the small masks"),
        ([0.2, 1.0], "The measurement is not 1. Run"),
        ([0.2, 0], "The guess stands"),
        ([0.2, 110], "in per cent"),
        ([-1, 1.1035], "a number from 0 to 10"),
        (1.1035, "[your guess, your measurement]"),
    ],
    "label_offset": [
        ([-DOWN, -RIGHT_BY], "This is the way back. How far"),
        ([RIGHT_BY, DOWN], "in the other order"),
        ([-RIGHT_BY, -DOWN], "and columns before rows"),
        ([DOWN, -RIGHT_BY], "The rows are right"),
        ([-DOWN, RIGHT_BY], "The columns are right"),
        ([DOWN - 96, RIGHT_BY], "each from -17 to 17"),
        ([DOWN + (1 if DOWN < 0 else -1), -RIGHT_BY], "do not follow the picture's yet"),
    ],
}  # fmt: skip

RIGHT = {
    "relabel_tests": [
        [CHAIN, UNKNOWN, CLASS_0, ABSENT],
        [ALL_AT_ONCE],
        ((ALL_AT_ONCE[0].numpy(), ALL_AT_ONCE[1]),),
        [[torch.tensor([[3], [4]]), [[3, 4], [4, 0]]], [torch.tensor([[5]]), [[4, 1]]]],
        [(torch.tensor([[n, n + 1]]), [(n, n + 1), (n + 1, 0)]) for n in range(3)] + [UNKNOWN, ABSENT],
    ],
    "poles_returned": [[0.1, 1.1035], (1, 1.1), [0.5, torch.tensor(1.1035)], [np.float64(4), np.float64(1.104)]],
    "label_offset": [
        [DOWN, RIGHT_BY],
        (DOWN, RIGHT_BY),
        torch.tensor([DOWN, RIGHT_BY]),
        every_pixel.label_offset(NUMBER, DOWN, RIGHT_BY),
    ],
}  # fmt: skip


(
    test_a_wrong_answer_meets_its_own_hint,
    test_a_right_answer_in_other_words_passes,
    test_every_exercise_of_the_chapter_has_its_answers_here,
) = answers_of(NEW, WRONG, RIGHT)


def test_the_stored_numbers_are_those_of_the_masks():
    masks = every_pixel.masks_of_val(40)
    small = every_pixel.F.interpolate(masks[:, None].double(), (24, 32), mode="nearest-exact")
    back = every_pixel.F.interpolate(small, (96, 128), mode="nearest-exact")[:, 0]
    half = every_pixel.F.interpolate(masks[:, None].double(), (48, 64), mode="nearest-exact")
    half = every_pixel.F.interpolate(half, (96, 128), mode="nearest-exact")[:, 0]
    before, after, both = masks == 2, back == 2, (masks == 2) & (back == 2)
    assert every_pixel.poles_returned()[1] == pytest.approx(every_pixel.RATIO, abs=1e-4)
    assert (both.sum() / before.sum()).item() == pytest.approx(every_pixel.FOUND, abs=1e-4)
    assert (both.sum() / after.sum()).item() == pytest.approx(every_pixel.PRECISE, abs=1e-4)
    assert ((half == 2).sum() / before.sum()).item() == pytest.approx(every_pixel.AT_48, abs=1e-4)
    assert ((small == 2).sum() / before.sum()).item() == pytest.approx(every_pixel.SMALL, abs=1e-4)


def test_faults_differ_from_learner_to_learner_and_can_be_found():
    faults = [every_pixel.my_offset(variant(str(n))) for n in range(300)]
    assert len(set(every_pixel.OFFSETS)) > 1000
    assert len(set(faults)) > 290
    for fault in faults[:5]:
        assert every_pixel.label_offset(*fault) == list(fault[1:])
