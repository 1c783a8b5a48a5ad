"""The dense CRF of the DeepLabv3 studies: against brute force on a tiny picture."""

import pytest
import torch

from book.studies.deeplabv3.dense_crf import crf_kernels, mean_field, pairwise_kernel


def exact(unary, kernel):
    """Probabilities 2×N of a CRF over N pixels and two labels, by adding up all 2^N labellings."""
    number = unary.shape[1]
    labellings = torch.cartesian_prod(*[torch.arange(2)] * number)
    own = unary[labellings, torch.arange(number)].sum(1)
    agree = (labellings[:, :, None] == labellings[:, None, :]).double()
    weight = (own + (agree * kernel).sum((1, 2)) / 2).softmax(0)
    ones = (weight[:, None] * labellings).sum(0)
    return torch.stack([1 - ones, ones])


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    unary = torch.randn(2, 9, dtype=torch.float64).log_softmax(0)
    kernel = torch.rand(9, 9, dtype=torch.float64).triu(1)
    return unary, kernel + kernel.T


@pytest.mark.parametrize(("strength", "allowed"), [(0.0, 1e-12), (0.01, 1e-4), (0.1, 5e-3), (0.2, 3e-2)])
def test_mean_field_approaches_brute_force_as_pairs_grow_weak(tiny, strength, allowed):
    unary, kernel = tiny
    found = mean_field(unary.view(2, 3, 3), (kernel,), (strength,), rounds=100)
    assert (found.flatten(1) - exact(unary, strength * kernel)).abs().max() < allowed


def test_a_wrong_update_does_not(tiny):
    unary, kernel = tiny
    truth = exact(unary, 0.02 * kernel)

    def gap(kernel, strength):
        found = mean_field(unary.view(2, 3, 3), (kernel,), (strength,), rounds=100)
        return (found.flatten(1) - truth).abs().max()

    right = gap(kernel, 0.02)
    assert gap(kernel + torch.eye(9), 0.02) > 5 * right  # a pixel that hears itself
    assert gap(kernel, 0.04) > 5 * right  # every pair counted twice


def test_kernels_are_symmetric_and_know_colour():
    image = torch.zeros(3, 6, 8)
    image[:, :, 4:] = 1
    near, alike = crf_kernels(image)
    for kernel in (near, alike):
        assert kernel.shape == (48, 48)
        torch.testing.assert_close(kernel, kernel.T)
        assert (kernel.diagonal() == 0).all()
    left = (image[0] == 0).flatten()
    assert (alike[left][:, ~left] == 0).all()
    assert (near[left][:, ~left] > 0).any()


def test_rows_are_balanced():
    kernel = pairwise_kernel(torch.rand(50, 2, generator=torch.Generator().manual_seed(0)))
    assert kernel.sum(1).mean() == pytest.approx(1, abs=0.05)
