"""The taps that the page counts alive are those that torch's convolution multiplies with ones of the map."""

import pytest
import torch
import torch.nn.functional as F

from segnb import demos

CASES = [(12, 1, 3), (12, 4, 3), (12, 11, 3), (12, 12, 3), (65, 36, 3), (7, 2, 5), (12, 5, 5), (9, 9, 5)]


@pytest.fixture(scope="module")
def html():
    return demos.taps().html


@pytest.fixture
def page(browser, html):
    browser.open(html)
    return browser


def alive(side, rate, kernel):
    """The taps on the map for a kernel at each of its places: side×side."""
    ones, taps = torch.ones(1, 1, side, side), torch.ones(1, 1, kernel, kernel)
    return F.conv2d(ones, taps, padding=rate * (kernel - 1) // 2, dilation=rate)[0, 0]


@pytest.mark.parametrize(("side", "rate", "kernel"), CASES)
def test_live_taps_are_torchs(page, side, rate, kernel):
    ours = page.run(
        "const d = document.querySelector('.ep-demo').demo, [n, r, k] = arguments, all = [...Array(n).keys()];"
        "return [all.map((i) => all.map((j) => d.alive(n, r, k, i, j))), d.mean(n, r, k)]",
        side, rate, kernel,
    )  # fmt: skip
    expected = alive(side, rate, kernel)
    assert ours[0] == expected.int().tolist()
    assert ours[1] == pytest.approx(expected.mean().item(), abs=1e-5)


def said(page):
    return page.run("return document.querySelector('.ep-said').textContent")


def shown(page):
    """Taps drawn on the map and taps drawn grey."""
    return page.run(
        "return ['.ep-tap', 'rect.ep-faint[rx]'].map((s) => document.querySelectorAll('.ep-demo ' + s).length)"
    )


def test_it_is_moved_by_keys_and_stays_on_the_map(page):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    field = page.driver.find_element(By.CSS_SELECTOR, "svg[tabindex]")
    assert said(page).startswith("Row 2, column 2: 4 of 9 taps meet the map, 5 lie in the padding.")
    field.send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    assert said(page).startswith("Row 5, column 3: 6 of 9 taps")
    assert shown(page) == [6, 3]
    field.send_keys(*[Keys.ARROW_UP] * 9)
    assert said(page).startswith("Row 1, column 3: 4 of 9 taps")


def test_it_is_dragged_by_mouse(page):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By

    field = page.driver.find_element(By.CSS_SELECTOR, "svg[tabindex]")
    drag = ActionChains(page.driver, duration=20)
    drag.move_to_element_with_offset(field, -80, -80).click_and_hold().move_to_element_with_offset(
        field, 1, 1
    )
    drag.release().perform()
    assert said(page).startswith("Row 7, column 7: 9 of 9 taps")
    drag = ActionChains(page.driver, duration=20)
    drag.move_to_element_with_offset(field, 1, 1).click_and_hold().move_to_element_with_offset(
        field, -120, -120
    )
    drag.release().perform()
    assert said(page).startswith("Row 1, column 1: 4 of 9 taps")


def test_a_finger_drags_it_and_not_the_page(page):
    assert page.run("return getComputedStyle(document.querySelector('svg[tabindex]')).touchAction") == "none"


def test_a_rate_as_large_as_the_map_is_dead(page):
    slide = (
        "const e = document.querySelector('input[aria-label=rate]'); e.value = arguments[0]; "
        "e.dispatchEvent(new Event('input'))"
    )
    page.run(slide, 11)
    assert "dead" not in said(page)
    page.run(slide, 12)
    assert "Rate 12 is dead here" in said(page)
    assert shown(page) == [1, 8]


def test_the_words_without_scripts():
    grid = alive(12, 4, 3)
    assert f"{grid.min():.0f} to {grid.max():.0f}, {grid.mean():.1f} in the mean." in demos.taps().alt


@pytest.mark.parametrize("wrong", [{"side": 5}, {"side": 66}, {"rate": 0}, {"rate": 37}])
def test_within_reach(wrong):
    with pytest.raises(ValueError, match="side of 6 to 65 and a rate of 1 to 36"):
        demos.taps(**wrong)
