"""A dense CRF with two Gaussian kernels, exact and for small pictures: mean field on all pairs of pixels."""

import torch
from torch.nn import functional as F


def pairwise_kernel(features):
    """exp(−|f_i − f_j|²/2) for all pairs of N features, N×D → N×N: no pair with itself, rows and columns balanced."""
    kernel = torch.cdist(features, features).square_().mul_(-0.5).exp_().fill_diagonal_(0)
    F.threshold_(kernel, 1e-6, 0)  # what is far too small to count is also slow to multiply by
    share = kernel.sum(1).clamp_min(1e-12).rsqrt()
    return kernel.mul_(share[:, None]).mul_(share)


def crf_kernels(image, near=3.0, far=20.0, alike=0.08):
    """(near, near in place and in colour): the two kernels of a dense CRF for an image C×H×W in 0..1."""
    rows, columns = torch.meshgrid(*(torch.arange(float(n)) for n in image.shape[1:]), indexing="ij")
    place = torch.stack([rows, columns]).flatten(1).T
    colour = image.flatten(1).T / alike
    return pairwise_kernel(place / near), pairwise_kernel(torch.cat([place / far, colour], 1))


def mean_field(log_probabilities, kernels, weights, rounds=5):
    """Probabilities K×H×W of a dense CRF with Potts costs, after some rounds of mean field."""
    unary = log_probabilities.flatten(1)
    q = unary.softmax(0)
    for _ in range(rounds):
        support = sum(weight * (q @ kernel) for weight, kernel in zip(weights, kernels))
        q = (unary + support).softmax(0)
    return q.view_as(log_probabilities)
