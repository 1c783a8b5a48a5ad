"""The tasks of chapter 5 that no chapter cell answers: broken upsamplings, how far a score reaches, offsets from what they do."""

import pytest
import torch

from segnb.exercises import registry
from segnb.exercises.tasks import fcn as ours
from segnb.models.fcn import BilinearUpsampling, crop
from tests.exercises.answers import answers_of


def scores(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)) + 0.1


def point(*shape):
    """A map with a single point in its middle."""
    x = torch.zeros(shape)
    x[..., shape[2] // 2, shape[3] // 2] = 1
    return x


def same_pictures(factor):
    return scores(1, 2, 3, 3).repeat(2, 1, 1, 1), factor


def whole_shifts(offsets, shifts):
    return [offsets[0] + shifts[1] // 16, offsets[1] + shifts[2] // 8, offsets[2] + shifts[0]]


def in_pixels_of_the_picture(offsets, shifts):
    end, pool4, pool3 = shifts
    return [offsets[0] + pool4 - end, offsets[1] + pool3 - end, offsets[2] + end]


def steps_swapped(offsets, shifts):
    end, pool4, pool3 = shifts
    return [offsets[0] + (pool4 - end) // 8, offsets[1] + (pool3 - end) // 16, offsets[2] + end]


def other_way(offsets, shifts):
    mended = ours.mended_offsets(offsets, shifts)
    return [2 * old - new for old, new in zip(offsets, mended, strict=True)]


def crop_forgotten(offsets, shifts):
    return [*ours.mended_offsets(offsets, shifts)[:2], offsets[2]]


def chained(offsets, shifts):
    mended = ours.mended_offsets(offsets, shifts)
    return [mended[0], offsets[1] + (shifts[2] - shifts[1]) // 8, mended[2]]


def last_alone(offsets, shifts):
    return [*offsets[:2], offsets[2] + shifts[0]]


def skips_other_way(offsets, shifts):
    return [*other_way(offsets, shifts)[:2], offsets[2] + shifts[0]]


def in_the_offsets_order(offsets, shifts):
    return ours.mended_offsets(offsets, [shifts[2], *shifts[:2]])


def by_division(offsets, shifts):
    steps = zip(offsets[:2], shifts[1:], (16, 8), strict=True)
    return *(old + (own - shifts[0]) / step for old, own, step in steps), offsets[2] + shifts[0]


def in_a_loop(offsets, shifts):
    mended = list(offsets)
    mended[2] += shifts[0]
    for place, step in enumerate((16, 8)):
        mended[place] += round((shifts[place + 1] - shifts[0]) / step)
    return mended


def as_tensor(offsets, shifts):
    end, *own = torch.tensor(shifts)
    return torch.stack(
        [offsets[0] + (own[0] - end) // 16, offsets[1] + (own[1] - end) // 8, offsets[2] + end]
    )


def off_the_last(offsets, shifts):
    """With the new end first: what the old one did is taken off by name."""
    end = offsets[2] + shifts[0]
    moved = end - offsets[2]
    return [
        (16 * offsets[0] + shifts[1] - moved) // 16,
        (8 * offsets[1] + shifts[2] - moved) // 8,
        end,
    ]


WRONG = {
    "upsampling_tests": [
        ([(scores(2, 1, 3, 3), 4)], "passes all your tests: A,"),
        ([(point(2, 2, 5, 5), 4)], "passes all your tests: B,"),
        ([same_pictures(4)], "passes all your tests: C,"),
        ([(scores(2, 2, 3, 3), 2), (scores(2, 2, 3, 3), 3)], "passes all your tests: D,"),
        ([(scores(2, 2, 3, 3), 1)], "the factor is an int, a whole number from 2 to 32"),
        ([(scores(2, 2, 3, 3), 4.0)], "the factor is an int, a whole number from 2 to 32"),
        ([(scores(2, 2, 3, 3)[0], 4)], "the scores are a tensor N×K×h×w"),
        ([(scores(2, 2, 3, 0), 4)], "there is no score in it"),
        ([], "a list of inputs is wanted"),
    ],
    "reach_of_score": [
        ([64, 64], "this is FCN-32s, one stamp"),
        ([64, 16], "the last stamp alone"),
        ([64, 80], "by 2 and by 16. FCN-8s enlarges by 2, by 2"),
        ([64, 40], "you have enlarged by 2 and by 8"),
        ([0, 88], "a number from 1 to 500"),
        ([64, 90], "the measurement is not 90"),
        ([88, 64], "88 is what a measurement gives, and it stands first"),
        ([64, (1, 1, 88, 88)], "the measurement is one number"),
        (88, "two things are wanted"),
    ],
    "mended_offsets": [
        (whole_shifts, "by its whole shift"),
        (in_pixels_of_the_picture, "cut in their own pixels"),
        (steps_swapped, "halved four times and pool3 three"),
        (other_way, "the other way: what lies too low"),
        (crop_forgotten, "the last crop is still wrong"),
        (lambda offsets, shifts: [5, 9, 31], "of the chapter's net"),
        (chained, "what it has more than pool4"),
        (last_alone, "a wrong crop of its own"),
        (skips_other_way, "the skips go the wrong way"),
        (in_the_offsets_order, "in the order of the table"),
    ],
}
RIGHT = {
    "upsampling_tests": [
        [(scores(2, 2, 3, 3), 4)],
        [(scores(3, 2, 1, 2) - 5, 8)],
        [(scores(2, 2, 3, 3).double(), 4)],
        [(torch.arange(1, 25).reshape(2, 2, 2, 3).numpy(), 12)],
        [(scores(1, 2, 3, 3), 2), (scores(2, 1, 2, 2), 3), (point(1, 1, 5, 5), 6)],
        ours.upsampling_tests(),
    ],
    "reach_of_score": [[64, 88], [32, 88.0], (500, 88), [1, torch.tensor(88).item()], torch.tensor([64, 88])],
    "mended_offsets": [by_division, in_a_loop, as_tensor, off_the_last],
}


(
    test_a_wrong_answer_meets_its_own_hint,
    test_a_right_answer_in_other_words_passes,
    test_every_exercise_of_the_chapter_has_its_answers_here,
) = answers_of([registry[name] for name in WRONG], WRONG, RIGHT)


def test_a_score_reaches_as_far_as_its_stamps():
    x = torch.ones(1, 1, 1, 1)
    for factor in (2, 2, 8):
        x = BilinearUpsampling(1, factor)(x)
    assert x.shape == (1, 1, 88, 88)
    assert x[0, 0, 0, 0] > 0
    assert ours.reach_of_score()[1] == 88


def lit_row(maps, offsets):
    """In which row of the answer a line lies that is drawn in some of the maps score, pool4 and pool3."""
    score, pool4, pool3 = maps
    x = BilinearUpsampling(1, 2)(score)
    x = BilinearUpsampling(1, 2)(x + crop(pool4, offsets[0], x))
    x = BilinearUpsampling(1, 8)(x + crop(pool3, offsets[1], x))
    rows = x[0, 0, offsets[2] :].sum(1)
    return (rows * torch.arange(len(rows))).sum() / rows.sum()


@pytest.mark.parametrize("wrong", [[5, 9, 19], [4, 9, 31], [5, 11, 31], [4, 10, 19]])
def test_the_shifts_are_those_of_the_way_up(wrong):
    shifts = []
    for alone in range(3):
        maps = [torch.zeros(1, 1, side, side) for side in (16, 44, 88)]  # 500 pixels
        maps[alone][:, :, maps[alone].shape[2] // 2] = 1
        shifts.append(round((lit_row(maps, wrong) - lit_row(maps, [5, 9, 31])).item()))
    assert ours.mended_offsets(wrong, shifts) == [5, 9, 31]
