"""The tasks of chapter 4 that no chapter cell answers: tests to write, an order to predict, a net to train."""

import pytest
import torch

import segnb
from segnb.exercises import dice as ours
from tests.exercises.answers import answers_of

CE, DICE = segnb.losses.cross_entropy, segnb.losses.dice
ORDERS = {
    "at a half": ["generalised Dice", "Dice", "cross-entropy"],
    "measured": ["cross-entropy", "generalised Dice", "Dice"],
    "upside down": ["Dice", "generalised Dice", "cross-entropy"],
    "mixed": ["generalised Dice", "cross-entropy", "Dice"],
}


def all_but(place, logits, mask):
    """The right four tests, with another in one place."""
    tests = ours.dice_tests()
    tests[place] = (logits, torch.tensor(mask))
    return tests


def with_bytes(tests):
    return [(logits, mask.byte()) for logits, mask in tests]


def quiet(net, masks):
    return lambda logits, mask: 0 * logits.sum()


def quiet_after_a_fair_start(net, masks):
    ours.rare_recipe(net, masks)
    return quiet(net, masks)


def weighted(net, masks):
    return lambda logits, mask: CE(logits, mask, weight=torch.tensor([1.0, 113.0]))


def upside_down(net, masks):
    net.head.bias.data[1] = -(masks == 1).float().mean().logit()
    return CE


def painted(net, masks):
    masks.fill_(1)
    return CE


def greedy(net, masks):
    net(torch.zeros(8, 1, 32, 32))
    return CE


WRONG = {
    "dice_tests": [
        (ours.dice_tests()[:3], "Four tests are wanted, one for each"),
        (all_but(0, torch.zeros(1, 2, 4, 4), [[[0, 1, 0, 1]] * 4]), "it has 16 pixels"),
        (all_but(0, torch.zeros(1, 2, 1, 2), [[[255, 255]]]), "not all of them void"),
        (all_but(0, torch.zeros(1, 2, 1, 2), [[[0.0, 1.0]]]), "one whole number for each pixel"),
        (with_bytes(ours.dice_tests()), "the mask should be int64"),
        (all_but(0, torch.zeros(2, 1, 2), [[[0, 1]]]), "it should be (logits, mask), float"),
        (all_but(0, torch.zeros(1, 2, 1, 2), [[[0, 1]]]), "answers your test 1 as the right one does. It needs a void pixel"),
        (all_but(0, torch.zeros(1, 2, 1, 3), [[[0, 0, 255]]]), "but also loss B, which counts a class that is not there as missed: a failing test would not say which. Let each class of the logits have a pixel"),
        (all_but(1, torch.zeros(1, 3, 1, 2), [[[0, 1]]]), "a class that is not there has to be called nowhere"),
        (all_but(2, torch.zeros(1, 2, 1, 2), [[[0, 1]]]), "answers your test 3 as the right one does. It needs two pictures"),
        (all_but(3, torch.zeros(1, 2, 1, 2), [[[0, 1]]]), "answers your test 4 as the right one does. It needs classes of unequal size"),
    ],
    "who_wakes": [
        ([ORDERS["at a half"], ORDERS["at a half"]], "gives every pixel a half"),
        ([ORDERS["at a half"], ORDERS["upside down"]], "the weakest first"),
        ([ORDERS["at a half"], ORDERS["mixed"]], "Take the logits as the task gives them"),
        ([["cross-entropy", "Dice"], ORDERS["measured"]], "an order of these, each once"),
        (ORDERS["measured"], "Two things are wanted"),
        ([ORDERS["measured"], ["cross-entropy", "Dice", "generalised Dice"]], "The measurement is not"),
        ([ORDERS["measured"], []], "The guess stands. Now measure"),
        ([ORDERS["measured"], [2.4e-4, 4.5e-5, 2.2e-5]], "written as an order of the names"),
    ],
    "rare_recipe": [
        (lambda net, masks: CE, "your training reaches"),
        (painted, "changes the masks"),
        (greedy, "A batch holds at most 4 pictures"),
        (lambda net, masks: CE(torch.zeros(1, 2, 1, 1), torch.zeros(1, 1, 1).long()), "should return the loss"),
    ],
}  # fmt: skip


def summed(net, masks):
    ours.rare_recipe(net, masks)
    return lambda logits, mask: CE(logits, mask) + DICE(logits, mask)


def both_biases(net, masks):
    share = (masks == 1).double().mean().item()
    net.head.bias = torch.nn.Parameter(torch.tensor([1 - share, share]).log())
    return torch.nn.CrossEntropyLoss()


class Recipe:
    def __init__(self, net, masks):
        with torch.no_grad():
            net.head.bias.copy_(torch.tensor([2.35, -2.35]))

    def __call__(self, logits, mask):
        return torch.nn.functional.cross_entropy(logits, mask)


RIGHT = {
    "dice_tests": [
        all_but(0, torch.zeros(1, 3, 1, 4, dtype=torch.float64), [[[0, 1, 2, 255]]]),
        all_but(2, torch.zeros(2, 2, 2, 2), [[[0, 0], [0, 0]], [[1, 1], [1, 1]]]),
        [list(test) for test in ours.dice_tests()],
        all_but(0, torch.zeros(1, 2, 3, 1), [[[1], [255], [0]]]),
    ],
    "who_wakes": [[order, ORDERS["measured"]] for order in ORDERS.values()]
    + [(tuple(ORDERS["mixed"]), tuple(ORDERS["measured"]))],
    "rare_recipe": [ours.rare_recipe, summed, both_biases, Recipe],
}


(
    test_a_wrong_answer_meets_its_own_hint,
    test_a_right_answer_in_other_words_passes,
    test_every_exercise_of_the_chapter_has_its_answers_here,
) = answers_of(ours.EXERCISES[7:], WRONG, RIGHT)


@pytest.mark.parametrize("make", [lambda *size: torch.zeros(*size), lambda *size: torch.randn(*size)])
def test_the_right_one_of_the_five_is_the_package_s_dice(make):
    torch.manual_seed(3)
    logits, mask = make(2, 4, 3, 5), torch.randint(0, 3, (2, 3, 5))
    mask[0, 1] = 255
    assert ours.five_dice(logits, mask).item() == pytest.approx(DICE(logits, mask).item(), abs=1e-5)


@pytest.mark.parametrize("recipe", [weighted, quiet, quiet_after_a_fair_start, upside_down])
def test_neither_weights_nor_a_start_alone_reach_the_mark(recipe):
    assert ours.run_rare_recipe(recipe, 1) < 0.85
