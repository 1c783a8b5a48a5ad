"""The tasks of chapter 3 that no chapter cell answers: annotators who disagree, a share to predict, runs to diagnose."""

import math

import pytest
import torch
import torch.nn.functional as F

from segnb.exercises import cross_entropy as ours
from tests.exercises.answers import answers_of


def pooled(logits, votes):
    known = votes != 255
    prices = torch.stack([F.cross_entropy(logits, m, ignore_index=255, reduction="none") for m in votes])
    return prices[known].mean()


def by_annotator(logits, votes):
    prices = [F.cross_entropy(logits, mask, ignore_index=255) for mask in votes]
    return torch.stack(prices)[~torch.stack(prices).isnan()].mean()


def shares(logits, votes, stand_in=0):
    known = votes != 255
    count = F.one_hot(votes.where(known, stand_in), logits.shape[1]) * known[..., None]
    return count.sum(0).movedim(-1, 1).float()


def void_as_zero(logits, votes):
    truth = F.one_hot(votes.where(votes != 255, 0), logits.shape[1]).float().mean(0).movedim(-1, 1)
    known = (votes != 255).any(0)
    return F.cross_entropy(logits, truth, reduction="none")[known].mean()


def by_all_pixels(logits, votes):
    count = shares(logits, votes)
    return F.cross_entropy(logits, count / count.sum(1, keepdim=True).clamp_min(1))


def by_annotators(logits, votes):
    known = (votes != 255).any(0)
    return F.cross_entropy(logits, shares(logits, votes) / len(votes), reduction="none")[known].mean()


def log_of_mean(logits, votes):
    count = shares(logits, votes)
    voters = count.sum(1)
    p = (count * logits.softmax(1)).sum(1) / voters.clamp_min(1)
    return -p[voters > 0].log().mean()


def all_shares(logits, votes):
    count = shares(logits, votes)
    return count / count.sum(1, keepdim=True).clamp_min(1)


def by_image(logits, votes):
    return torch.stack([by_library(z[None], votes[:, n : n + 1]) for n, z in enumerate(logits)]).mean()


def log_of_softmax(logits, votes):
    return -(all_shares(logits, votes) * logits.softmax(1).log()).sum() / (votes != 255).any(0).sum()


def hidden_nan(logits, votes):
    count = shares(logits, votes)
    return -(count / count.sum(1, keepdim=True) * logits.log_softmax(1)).sum(1).nanmean()


def written_into(logits, votes):
    votes[votes == 255] = 0
    return ours.voted_price(logits, votes)


ANSWER = ours.four_patients()


def but_for(place, cause):
    return [*ANSWER[:place], cause, *ANSWER[place + 1 :]]


WRONG = {
    "voted_price": [
        (pooled, "a pixel with three votes has three voices"),
        (by_annotator, "mean of the annotators' losses"),
        (lambda z, v: F.cross_entropy(z, v.mode(0).values, ignore_index=255), "You let the majority decide"),
        (void_as_zero, "counted as a vote for class 0"),
        (by_all_pixels, "You divide by all pixels"),
        (by_annotators, "You divide the votes by the number of annotators"),
        (log_of_mean, "logarithm of a mean probability"),
        (lambda z, v: -ours.voted_price(z, v), "Your price is negative"),
        (lambda z, v: ours.voted_price(z.detach(), v), "no gradient flows through your result"),
        (by_image, "You take the mean of each image"),
        (log_of_softmax, "Right where the logits are tame"),
        (hidden_nan, "their gradient by `logits` is not a number"),
        (lambda z, v: F.kl_div(z.log_softmax(1), all_shares(z, v), reduction="sum") / (v != 255).any(0).sum(), "This is the divergence"),
        (written_into, "your function changed `votes` itself"),
    ],
    "heard_twice": [
        ([0.5, 0.5], "Here both come together"),
        ([0.5, 0.02], "without weights. Asked for is the share"),
        ([0.5, 1.0208], "Take .abs() of each first"),
        ([0.5, 0.723], "as logits"),
        ([0.5, 98], "in per cent"),
        ([0.5, 0], "The guess stands"),
        ([0.9, 0.96], "The measurement is not 0.96"),
        ([2, 0.98], "The guess is a number from 0 to 1"),
        (0.98, "Two things are wanted"),
    ],
    "four_patients": [
        (ANSWER[:3], "Four causes are wanted"),
        (but_for(0, "too much void"), "is none of the causes"),
        (but_for(0, "the labels are one too high"), "Not the cause of run A"),
        (but_for(1, "no step is taken"), "Not the cause of run B"),
        (but_for(2, "softmax is taken twice"), "Not the cause of run C"),
        (but_for(3, "the loss is a sum, not a mean"), "Not the cause of run D"),
    ],
}  # fmt: skip


def in_a_loop(logits, votes):
    log_p, prices = logits.log_softmax(1), []
    for n, row, column in (votes != 255).any(0).nonzero().tolist():
        here = [v for v in votes[:, n, row, column].tolist() if v != 255]
        prices.append(-sum(log_p[n, v, row, column] for v in here) / len(here))
    return torch.stack(prices).mean()


def by_einsum(logits, votes):
    count = shares(logits, votes, stand_in=1)
    voters = count.sum(1)
    total = torch.einsum("nkhw,nkhw,nhw->", count, logits.log_softmax(1), 1 / voters.clamp_min(1))
    return -total / (voters > 0).sum()


def by_library(logits, votes):
    known = (votes != 255).any(0)
    count = shares(logits, votes)
    truth = count / count.sum(1, keepdim=True).clamp_min(1)
    return F.cross_entropy(logits, truth, reduction="none")[known].mean()


def in_float64(logits, votes):
    return by_library(logits.double(), votes)


class VotedPrice:
    def __call__(self, logits, votes):
        prices = torch.stack([F.cross_entropy(logits, m, ignore_index=255, reduction="none") for m in votes])
        voters = (votes != 255).sum(0)
        return (prices.sum(0) / voters.clamp_min(1)).sum() / (voters > 0).sum()


RIGHT = {
    "voted_price": [in_a_loop, by_einsum, by_library, in_float64, VotedPrice()],
    "heard_twice": [[0, 0.98], [1, 0.9800002], (0.5, 0.98), [0.02, 49 * 0.98 * 200 / (49 * 0.98 * 200 + 0.02 * 9800)]],
    "four_patients": [ANSWER, tuple(ANSWER), [cause.capitalize() for cause in ANSWER], [f"{cause} " for cause in ANSWER]],
}  # fmt: skip


(
    test_a_wrong_answer_meets_its_own_hint,
    test_a_right_answer_in_other_words_passes,
    test_every_exercise_of_the_chapter_has_its_answers_here,
) = answers_of(ours.EXERCISES[7:], WRONG, RIGHT)


def test_each_patient_shows_what_its_fault_does():
    _, masks = ours.drives()
    runs = {letter: ours.patient(letter) for letter in ours.PATIENTS}
    starts = {letter: losses[0] for letter, (losses, _) in runs.items()}
    ignorance = math.log(6)
    assert starts == pytest.approx(
        {"A": ignorance, "B": ignorance, "C": math.log(3), "D": 0.75 * ignorance}, abs=1e-4
    )
    assert min(runs["B"][0]) > math.log(1 + 5 / math.e)
    assert max(runs["A"][0][-1], runs["D"][0][-1]) < 0.05
    right = {letter: (called == masks)[masks != 255].float().mean() for letter, (_, called) in runs.items()}
    assert right["C"] < 0.6 < 0.85 < right["B"]
    assert right["A"] == right["D"] == 1
    assert not runs["A"][1][masks == 255].any()
    assert runs["D"][1][masks == 255].all()


def test_weights_and_a_net_that_knows_the_shares_are_one_too_many():
    assert ours.heard(49.0, 0.5) == pytest.approx(0.5, abs=1e-4)
    assert ours.heard(1.0, 0.02) == pytest.approx(0.5, abs=1e-4)
    assert ours.heard(49.0, 0.02) == pytest.approx(0.98, abs=1e-4)
    up, down = 49 * 0.98 * 200, 0.02 * 9800
    assert up / (up - down) == pytest.approx(ours.NO_ABS, abs=1e-4)
    assert ours.heard(49.0, torch.tensor([0.98, 0.02]).softmax(0)[1]) == pytest.approx(ours.NO_LOG, abs=1e-4)
