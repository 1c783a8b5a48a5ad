"""Field of view, holes and paths, as the page computes them, against the gradients of torch's convolutions."""

import pytest
import torch

from segnb import demos

STACKS = [
    ((3, 1, 1), (3, 1, 1), (3, 1, 1)),
    ((3, 1, 2), (3, 1, 2), (3, 1, 2)),
    ((3, 1, 1), (3, 1, 2), (3, 1, 5)),
    ((5, 2, 1), (3, 1, 6), (1, 2, 1)),
    ((3, 2, 3), (5, 2, 2), (3, 1, 4)),
]


@pytest.fixture(scope="module")
def html():
    return demos.atrous().html


@pytest.fixture
def page(browser, html):
    browser.open(html)
    return browser


def by_gradient(layers):
    """How many paths lead from each input pixel to the middle output pixel of convolutions of ones."""
    x = torch.zeros(1, 1, 801, dtype=torch.float64, requires_grad=True)
    y = x
    for kernel, stride, rate in layers:
        y = torch.conv1d(y, torch.ones(1, 1, kernel, dtype=torch.float64), stride=stride, dilation=rate)
    y[0, 0, y.shape[-1] // 2].backward()
    seen = x.grad[0, 0].nonzero().flatten()
    return x.grad[0, 0, seen.min() : seen.max() + 1]


@pytest.mark.parametrize("layers", STACKS)
def test_the_paths_are_torchs(page, layers):
    ours = page.run(
        "return document.querySelector('.ep-demo').demo.measure(arguments[0])", [list(x) for x in layers]
    )
    paths = by_gradient(layers)
    assert ours["paths"] == paths.int().tolist()
    assert ours["size"] == len(paths)
    assert ours["holes"] == int((paths == 0).sum())
    assert ours["seen"] + ours["holes"] == ours["size"]
    assert ours["stride"] == torch.tensor(layers)[:, 1].prod()


@pytest.mark.parametrize("layers", STACKS)
def test_the_words_without_scripts(layers):
    paths = by_gradient(layers)
    seen, size = int((paths > 0).sum()) ** 2, len(paths)
    assert demos.atrous(layers).alt.endswith(
        f"{seen} of the {size * size} pixels in a field of {size}×{size}."
    )


def test_gridding_and_its_cure(browser, html):
    from selenium.webdriver.common.by import By

    driver = browser.open(html)
    buttons, said = (
        driver.find_elements(By.TAG_NAME, "button"),
        driver.find_element(By.CSS_SELECTOR, ".ep-said"),
    )
    assert "13 × 13 pixels from 27 weights" in said.text
    assert "6 holes" in said.text
    buttons[2].click()
    assert "17 × 17 pixels from 27 weights. It looks at every one" in said.text


@pytest.mark.parametrize(
    "wrong", [((3, 1, 1),), ((2, 1, 1),) * 3, ((3, 3, 1),) * 3, ((3, 1, 7),) * 3, ((3, 1),) * 3]
)
def test_layers_within_reach(wrong):
    with pytest.raises(ValueError, match="expected three of"):
        demos.atrous(wrong)
