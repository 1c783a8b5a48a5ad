"""The tasks of chapter 6 that no chapter cell answers: broken crops, the price of small tiles, a crop for any number of axes."""

import pytest
import torch
import torch.nn.functional as F

import segnb
from segnb.exercises import registry
from segnb.exercises.tasks import unet as ours
from tests.exercises.answers import answers_of


def pair(skip, up):
    return torch.rand(skip, generator=torch.Generator().manual_seed(0)), torch.zeros(up)


EVEN = pair((2, 1, 12, 8), (2, 1, 4, 6))
EQUAL = pair((1, 1, 2, 2), (1, 1, 2, 2))
LARGE, SMALL = (572 / 388) ** 2, (204 / 20) ** 2
PRICE = SMALL / LARGE


def from_the_corner(skip, up):
    places = tuple(slice(0, size) for size in up.shape[2:])
    return torch.cat([skip[(slice(None), slice(None), *places)], up], dim=1)


def two_axes(skip, up):
    for axis in range(2, 4):
        size = up.shape[axis]
        skip = skip.narrow(axis, (skip.shape[axis] - size) // 2, size)
    return torch.cat([skip, up], dim=1)


def up_first(skip, up):
    cut, given = ours.crop_any(skip, up).split([skip.shape[1], up.shape[1]], dim=1)
    return torch.cat([given, cut], dim=1)


def shrunk(skip, up):
    return torch.cat([F.interpolate(skip, size=up.shape[2:]), up], dim=1)


def both_ends(skip, up):
    for axis in range(2, skip.ndim):
        cut = (skip.shape[axis] - up.shape[axis]) // 2
        places = [slice(None)] * skip.ndim
        places[axis] = slice(cut, -cut)
        skip = skip[tuple(places)]
    return torch.cat([skip, up], dim=1)


def last_two(skip, up):
    sizes = up.shape[-2:]
    tops = [(a - b) // 2 for a, b in zip(skip.shape[-2:], sizes, strict=True)]
    for axis, top, size in zip((-2, -1), tops, sizes, strict=True):
        skip = skip.narrow(axis, top, size)
    return torch.cat([skip, up], 1)


def one_start(skip, up):
    start = (skip.shape[2] - up.shape[2]) // 2
    places = [slice(start, start + size) for size in up.shape[2:]]
    for axis, place in enumerate(places, start=2):
        skip = skip.narrow(axis, place.start, place.stop - start)
    return torch.cat([skip, up], 1)


def by_slices(skip, up):
    starts = [(a - b) // 2 for a, b in zip(skip.shape[2:], up.shape[2:], strict=True)]
    places = [slice(start, start + size) for start, size in zip(starts, up.shape[2:], strict=True)]
    return torch.cat((skip[(..., *places)], up), 1)


def by_padding(skip, up):
    cuts = [(b - a) // 2 for a, b in zip(skip.shape[2:], up.shape[2:], strict=True)]
    return torch.hstack((F.pad(skip, [cut for cut in reversed(cuts) for _ in range(2)]), up))


def by_picking(skip, up):
    for axis in range(2, up.ndim):
        start = (skip.shape[axis] - up.shape[axis]) // 2
        skip = skip.index_select(axis, torch.arange(start, start + up.shape[axis]))
    return torch.cat([skip, up], 1)


def by_turning(skip, up):
    """Each axis in turn becomes the last one, and is cut there."""
    for size in up.shape[2:]:
        skip = skip.movedim(2, -1)
        start = (skip.shape[-1] - size) // 2
        skip = skip[..., start : start + size]
    return torch.cat([skip, up], 1)


WRONG = {
    "crop_tests": [
        ([(torch.ones(2, 1, 12, 8), torch.zeros(2, 1, 4, 6))], "passes all your tests: A,"),
        ([pair((2, 1, 8, 8), (2, 1, 4, 4)), EQUAL], "passes all your tests: B,"),
        ([EVEN], "passes all your tests: C,"),
        ([pair((1, 1, 12, 8), (1, 1, 4, 6)), EQUAL], "passes all your tests: D,"),
        ([pair((2, 1, 9, 8), (2, 1, 4, 6))], "an even number of rows and of columns"),
        ([pair((2, 1, 4, 6), (2, 1, 12, 8))], "an even number of rows and of columns"),
        ([pair((2, 1, 4, 6), (1, 1, 4, 6))], "hold the same pictures"),
        ([EVEN[0]], "it should be a tuple of inputs"),
        ([EVEN[:1]], "two tensors, N×C×H×W"),
        ([], "a list of inputs is wanted"),
    ],
    "price_of_tiles": [
        ([9, SMALL], "the small tile's price alone"),
        ([9, LARGE], "the large tile's price alone"),
        ([9, PRICE**0.5], "pixels are counted in areas"),
        ([9, 1 / PRICE], "the other way round"),
        ([9, (572 / 204) ** 2], "look at what comes out of each"),
        ([-1, PRICE], "a number from 0 to 10000"),
        ([9, 30], "the measurement is not 30"),
        (PRICE, "two things are wanted"),
    ],
    "crop_any": [
        (from_the_corner, "you cut from the first corner"),
        (two_axes, "a signal has one and a volume three"),
        (up_first, "`skip` comes first"),
        (lambda skip, up: ours.crop_any(skip.detach(), up), "no gradient reaches `skip`"),
        (shrunk, "you shrink the whole of `skip`"),
        (both_ends, "a slice like [c:-c] is empty there"),
        (ours.crop_and_concat, "this is the crop of task 2"),
        (last_two, "the last two axes, however many"),
        (one_start, "where you start the first"),
        (lambda skip, up: ours.crop_any(skip[:1].expand_as(skip), up), "gets the first one's skip"),
    ],
}
RIGHT = {
    "crop_tests": [
        [EVEN, EQUAL],
        [pair((2, 3, 6, 4), (2, 1, 2, 4))],
        [pair((3, 1, 5, 9), (3, 2, 5, 3))],
        ours.crop_tests(),
    ],
    "price_of_tiles": [[2, PRICE], [9, 48], (7.9, 47.87), [0, 104.04 / 2.173], torch.tensor([9, 47.87])],
    "crop_any": [by_slices, by_padding, by_picking, by_turning],
}


(
    test_a_wrong_answer_meets_its_own_hint,
    test_a_right_answer_in_other_words_passes,
    test_every_exercise_of_the_chapter_has_its_answers_here,
) = answers_of([registry[name] for name in WRONG], WRONG, RIGHT)


@pytest.mark.parametrize(("tile", "left"), [(204, 20), (572, 388)])
def test_the_tiles_are_those_of_the_paper_s_net(tile, left):
    with torch.no_grad():
        assert segnb.models.UNet(1, 2, width=1)(torch.zeros(1, 1, tile, tile)).shape[2:] == (left, left)


def test_for_pictures_it_is_the_chapter_s_crop():
    skip, up = torch.rand(2, 3, 12, 9), torch.rand(2, 1, 4, 5)
    assert torch.equal(ours.crop_any(skip, up), segnb.models.unet.crop_and_concat(skip, up))
