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


@pytest.mark.parametrize("way", range(4), ids=["unpool", "nearest", "bilinear", "transposed"])
def test_every_way_up_is_torchs(page, way):
    for x in maps():
        ours = page.run(
            "const d = document.querySelector('.ep-demo').demo; return d.ascend(d.pool(arguments[0]), arguments[1])",
            *(x.tolist(), way),
        )
        small, indices = F.max_pool2d(x[None, None], 2, return_indices=True)
        stamp = torch.tensor([[1.0, 0.5], [0.5, 0.25]])[None, None]
        expected = [
            F.max_unpool2d(small, indices, 2),
            F.interpolate(small, scale_factor=2, mode="nearest"),
            F.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False),
            F.conv_transpose2d(small, stamp, stride=2),
        ][way][0, 0]
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
def test_a_map_is_four_by_four_digits(wrong):
    with pytest.raises(ValueError, match="4×4 whole numbers from 0 to 9"):
        demos.unpooling(wrong)
