"""Pooling with indices and the four ways up, as the page computes them, are torch's."""

import pytest
import torch
import torch.nn.functional as F

from segnb import demos


@pytest.fixture(scope="module")
def html():
    return demos.unpooling().html


@pytest.fixture
def page(browser, html):
    browser.open(html)
    return browser


def maps():
    generator = torch.Generator().manual_seed(0)
    ties = torch.tensor([[3.0, 3, 0, 0], [3, 3, 0, 0], [1, 2, 5, 4], [2, 1, 5, 5]])
    return [ties, *torch.randint(10, (8, 4, 4), generator=generator).float()]


def ascended(small, indices, way, size):
    """torch's four ways up, to size×size; a transposed convolution's map is cut, or has zeros behind it."""
    stamp = torch.tensor([[1.0, 0.5], [0.5, 0.25]])[None, None]
    if way == 0:
        return F.max_unpool2d(small, indices, 2, output_size=(size, size))
    if way == 3:
        large = F.conv_transpose2d(small, stamp, stride=2)
        return F.pad(large, [0, max(0, size - large.shape[-1])] * 2)[..., :size, :size]
    mode = {1: {"mode": "nearest"}, 2: {"mode": "bilinear", "align_corners": False}}[way]
    return F.interpolate(small, size=(size, size), **mode)


@pytest.mark.parametrize("ceil", [True, False])
@pytest.mark.parametrize("side", [4, 5])
def test_every_size_it_is_told_does_what_torch_does(page, side, ceil):
    generator = torch.Generator().manual_seed(1)
    stopped = sheared = 0
    for x in torch.randint(10, (6, side, side), generator=generator).float():
        small, indices = F.max_pool2d(x[None, None], 2, ceil_mode=ceil, return_indices=True)
        for size in range(2 * small.shape[-1] - 1, 2 * small.shape[-1] + 2):
            ours = page.run(
                "const d = document.querySelector('.ep-demo').demo, [x, round, size] = arguments, p = d.pool(x, round);"
                "return [d.homes(p, size), [0, 1, 2, 3].map((way) => d.ascend(p, way, size))]",
                x.tolist(), int(not ceil), size,
            )  # fmt: skip
            try:
                ascended(small, indices, 0, size)
            except RuntimeError:
                stopped += 1
                assert None in ours[0]
            else:
                assert None not in ours[0]
                own = [[k // side, k % side] for k in indices.flatten().tolist()]
                sheared += ours[0] != own
            for way in range(1 if None in ours[0] else 0, 4):
                expected = ascended(small, indices, way, size)[0, 0]
                assert torch.allclose(torch.tensor(ours[1][way]).float(), expected, atol=1e-6)
    assert sheared
    assert stopped or (ceil and side == 5)


def test_a_wrong_size_shears_the_map_and_says_so(browser):
    from selenium.webdriver.common.by import By

    driver = browser.open(demos.unpooling(side=5).html)
    sizes = driver.find_elements(By.CSS_SELECTOR, "[aria-label='size it is told'] input")
    said, moved = (
        driver.find_element(By.CSS_SELECTOR, ".ep-said"),
        "return document.querySelectorAll('.ep-moved').length",
    )
    for size in (2, 0):
        sizes[size].click()
    assert said.text.endswith("Each number is back in its own place; the others are 0.")
    assert browser.run(moved) == 0
    sizes[1].click()
    assert "8 of 9 stand in the wrong place, and torch says nothing" in said.text
    assert browser.run(moved) == 16
    driver.find_elements(By.CSS_SELECTOR, "[aria-label='half is rounded'] input")[1].click()
    assert said.text.endswith("in its own place, and nothing in the last row and column.")
    sizes[0].click()
    assert "torch stops here: " in said.text


@pytest.mark.parametrize(("width", "most"), [(720, 700), (360, 788)])
def test_an_odd_map_fits_its_screen_too(browser, width, most):
    from selenium.webdriver.common.by import By

    driver = browser.open(demos.unpooling(side=5).html, width=width)
    driver.find_elements(By.CSS_SELECTOR, "[aria-label='size it is told'] input")[2].click()
    box = browser.run(
        "const svg = document.querySelector('svg'); return [document.querySelector('.ep-demo').getBoundingClientRect().height,"
        "30 * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width]"
    )
    assert box[0] <= most
    assert box[1] >= 24  # a pixel to press
    assert browser.overflow() <= 0


@pytest.mark.parametrize("way", range(4), ids=["unpool", "nearest", "bilinear", "transposed"])
def test_every_way_up_is_torchs(page, way):
    for x in maps():
        ours = page.run(
            "const d = document.querySelector('.ep-demo').demo; return d.ascend(d.pool(arguments[0]), arguments[1])",
            *(x.tolist(), way),
        )
        small, indices = F.max_pool2d(x[None, None], 2, return_indices=True)
        expected = ascended(small, indices, way, 4)[0, 0]
        assert torch.allclose(torch.tensor(ours, dtype=torch.float32), expected, atol=1e-6)


def test_the_steps_tell_the_story(browser, html):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    driver = browser.open(html)
    step, said = (
        driver.find_element(By.CSS_SELECTOR, "input[type=range]"),
        driver.find_element(By.CSS_SELECTOR, ".ep-said"),
    )
    told = [said.text]
    for _ in range(3):
        step.send_keys(Keys.ARROW_RIGHT)
        told.append(said.text)
    assert "5, 4, 7, 8" in told[1]
    assert "7 from row 3, column 2" in told[2]
    assert "0 0 0 0 / 5 0 0 4 / 0 7 0 0 / 0 0 8 0" in told[3]


def test_pressing_a_number_raises_it(browser, html):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    driver = browser.open(html)
    driver.find_element(By.CSS_SELECTOR, "svg").send_keys(Keys.SPACE)
    assert driver.find_element(By.CSS_SELECTOR, ".ep-said").text.startswith("Now 2.")


@pytest.mark.parametrize("wrong", [[[1, 2], [3, 4]], [[0.5] * 4] * 4, [[10] * 4] * 4])
def test_a_map_is_four_by_four_or_five_by_five_digits(wrong):
    with pytest.raises(ValueError, match="4×4 or 5×5 whole numbers from 0 to 9"):
        demos.unpooling(wrong)


def test_a_side_is_four_or_five():
    with pytest.raises(ValueError, match="side 4 or 5"):
        demos.unpooling(side=6)
