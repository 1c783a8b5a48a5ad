"""The measures that the page shows are those of segnb's confusion matrix."""

import pytest
import torch

from segnb import demos
from segnb.demos.measures import PREDICTION, TRUTH
from segnb.metrics import ConfusionMatrix

NAMES = ["pixel_accuracy", "class_accuracy", "iou", "mean_iou", "frequency_weighted_iou", "dice"]


@pytest.fixture(scope="module")
def html():
    return demos.measures().html


@pytest.fixture
def page(browser, html):
    browser.open(html)
    return browser


def compare(page, prediction, truth):
    cm = ConfusionMatrix(3)
    cm.update(torch.as_tensor(prediction), torch.as_tensor(truth))
    # JSON has no NaN: an absent class travels as null
    script = """
      const demo = document.querySelector('.ep-demo').demo, matrix = demo.count(arguments[0]);
      return [matrix, JSON.parse(JSON.stringify(demo.measure(matrix)))];"""
    matrix, measures = page.run(script, torch.as_tensor(prediction).tolist())
    assert matrix == cm.matrix.tolist()
    for name in NAMES:
        numbers = measures[name] if isinstance(measures[name], list) else [measures[name]]
        ours = torch.tensor([float("nan") if x is None else x for x in numbers], dtype=torch.float64)
        assert torch.allclose(ours, getattr(cm, name).reshape(-1), atol=1e-12, equal_nan=True), name
    accuracy = cm.class_accuracy.nanmean()
    assert measures["mean_class_accuracy"] == pytest.approx(accuracy.item(), abs=1e-12)


def test_they_are_segnbs(page):
    generator = torch.Generator().manual_seed(0)
    random = torch.randint(3, (6, 8), generator=generator)
    for prediction in (PREDICTION, TRUTH, random, torch.zeros(6, 8, dtype=torch.long)):
        compare(page, prediction, TRUTH)


def test_an_absent_class_has_no_iou_and_leaves_the_mean(browser):
    truth = torch.tensor(TRUTH).clamp(max=1)
    browser.open(demos.measures(prediction=torch.zeros(6, 8, dtype=torch.long), truth=truth).html)
    compare(browser, torch.zeros(6, 8, dtype=torch.long), truth)
    assert "–" in browser.run("return document.querySelectorAll('table')[1].textContent")


def test_pressing_a_pixel_moves_the_numbers(page):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    driver = page.driver
    said = driver.find_element(By.CSS_SELECTOR, ".ep-said")
    assert said.text.startswith("5 of 48 pixels are wrong")
    driver.find_element(By.CSS_SELECTOR, "svg[tabindex]").send_keys(Keys.SPACE)
    assert said.text.startswith("Row 1, column 1 is now building. 6 of 48 pixels are wrong")
    driver.find_elements(By.TAG_NAME, "button")[0].click()
    assert said.text == "0 of 48 pixels are wrong. Pixel accuracy 1.000. Mean IoU 1.000."


def test_sizes_must_agree():
    with pytest.raises(ValueError, match="one size"):
        demos.measures(prediction=[[0, 1]], truth=[[0], [1]])
