"""The values that the page shows are a trunk's own, and its meter is what torch measures."""

import pytest
import torch

from segnb import demos
from segnb.data import load
from segnb.demos.finer_map import STRIDES, _maps


@pytest.fixture(scope="module")
def html():
    return demos.finer_map().html


@pytest.fixture
def page(browser, html):
    browser.open(html)
    return browser


@pytest.fixture(scope="module")
def maps():
    views = [load("worlds", "val")[number][0] for number in range(8)]
    return [_maps(2, views, keep) for keep in (True, False)]


def shown(page, removed, way):
    return page.run("return document.querySelector('.ep-demo').demo.dots(...arguments)", removed, way)


@pytest.mark.parametrize("way", [0, 1])
@pytest.mark.parametrize("removed", [0, 1, 2])
def test_the_dots_are_the_maps_of_the_trunk(page, maps, removed, way):
    channel = maps[0][32].flatten(1).std(1).argmax()
    grid = maps[way][STRIDES[removed]][channel]
    dots = shown(page, removed, way)
    assert len(dots) == grid.numel() == 9 * 4**removed
    assert torch.allclose(torch.tensor([float(dot["value"]) for dot in dots]), grid.flatten(), atol=0.006)
    places = {(dot["row"], dot["column"]) for dot in dots}
    assert places == {(r, c) for r in range(0, 12, 4 >> removed) for c in range(0, 12, 4 >> removed)}
    assert {(dot["row"], dot["column"]) for dot in dots if dot["old"]} == {
        (r, c) for r in (0, 4, 8) for c in (0, 4, 8)
    }


@pytest.mark.parametrize("removed", [1, 2])
def test_the_meter_stays_at_nothing_or_moves_by_a_third(page, maps, removed):
    channel = maps[0][32].flatten(1).std(1).argmax()
    coarse = maps[0][32][channel]
    for way in (0, 1):
        finer = maps[way][STRIDES[removed]][channel][:: 2**removed, :: 2**removed]
        share = ((finer - coarse).abs().max() / coarse.max()).item()
        ours = page.run("return document.querySelector('.ep-demo').demo.moved(...arguments)", removed, way)
        assert ours == pytest.approx(share, abs=0.006)
        assert ours == 0 if way == 0 else 0.25 < ours < 0.45


def test_it_says_what_the_switch_does(page):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    driver = page.driver
    said, reading = (
        driver.find_element(By.CSS_SELECTOR, s) for s in (".ep-said", ".ep-panels p:not(.ep-said)")
    )
    assert said.text.startswith("9 values at output stride 32. With every stride in its place")
    driver.find_element(By.CSS_SELECTOR, "input[type=range]").send_keys(Keys.ARROW_RIGHT)
    assert said.text.startswith("36 values at output stride 16. The 9 old ones, ringed, are what they were")
    assert reading.text.endswith(": 0 % of the largest")
    driver.find_elements(By.CSS_SELECTOR, "input[type=radio]")[1].click()
    assert "are others now" in said.text
    assert not reading.text.endswith(": 0 % of the largest")


def test_control_and_effect_are_seen_together(browser, html):
    browser.open(html, width=1280)
    assert browser.run("return document.querySelector('.ep-demo').getBoundingClientRect().height") <= 700


def test_the_words_without_scripts():
    assert "9, 36 and 144 values from the same weights" in demos.finer_map().alt
