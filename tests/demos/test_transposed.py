"""The stamps that the page counts are the sums that torch's transposed convolution makes."""

import pytest
import torch
import torch.nn.functional as F

from segnb import demos


@pytest.fixture(scope="module")
def html():
    return demos.transposed().html


@pytest.fixture
def page(browser, html):
    browser.open(html)
    return browser


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5, 6])
def test_the_counts_are_torchs(page, kernel, stride):
    for kind in (0, 1):
        script = """
          const demo = document.querySelector('.ep-demo').demo, [kernel, stride, kind] = arguments;
          return [demo.stamped(kernel, stride, kind), demo.weights(kernel, kind)];"""
        sums, weights = page.run(script, kernel, stride, kind)
        stamp = torch.tensor(weights, dtype=torch.float32)[None, None]
        expected = F.conv_transpose1d(torch.ones(1, 1, 6), stamp, stride=stride)[0, 0]
        assert torch.allclose(torch.tensor(sums, dtype=torch.float32), expected, atol=1e-6)


def test_bilinear_weights_enlarge_as_interpolation_does(page):
    weights = torch.tensor(page.run("return document.querySelector('.ep-demo').demo.weights(4, 1)"))
    assert weights.tolist() == [0.25, 0.75, 0.75, 0.25]
    row = torch.tensor([[[1.0, 5.0, 2.0, 2.0, 8.0]]])
    ours = F.conv_transpose1d(row, weights[None, None], stride=2, padding=1)
    library = F.interpolate(row, scale_factor=2, mode="linear", align_corners=False)
    assert torch.allclose(ours[..., 1:-1], library[..., 1:-1])


@pytest.mark.parametrize(
    ("kernel", "stride", "verdict"), [(3, 2, "Uneven"), (4, 2, "Even"), (3, 3, "Even"), (2, 3, "nothing")]
)
def test_the_verdict(browser, kernel, stride, verdict):
    browser.open(demos.transposed(kernel, stride).html)
    assert verdict in browser.run("return document.querySelector('.ep-said').textContent")


@pytest.mark.parametrize(
    ("kernel", "stride", "span"), [(3, 2, "1 to 4"), (4, 2, "4 to 4"), (5, 2, "4 to 9"), (2, 3, "0 to 1")]
)
def test_the_words_without_scripts(kernel, stride, span):
    assert f"{span} times" in demos.transposed(kernel, stride).alt


@pytest.mark.parametrize(("kernel", "stride"), [(0, 1), (7, 1), (3, 4)])
def test_sliders_have_ends(kernel, stride):
    with pytest.raises(ValueError, match="expected a kernel of 1 to 6"):
        demos.transposed(kernel, stride)
