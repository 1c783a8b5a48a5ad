"""The lab of one pixel: what it computes and what it shows, against torch, and what the reader can do."""

import re

import pytest
import torch
import torch.nn.functional as F

from segnb import demos

CASES = [
    ([2.0, 0.5, -1.0], 1, 1),
    ([2.0, 0.5, -1.0], 0, 2),
    ([-10.0, 10.0, 10.0], 0, 0.5),
    ([10.0, -10.0, -10.0, -10.0], 0, 1),
    ([0.0, 0.0, 0.0, 0.0], 3, 2),
    ([900.0, 0.0, -900.0], 2, 1),  # too large for e to the power of it
]


@pytest.fixture(scope="module")
def html():
    return demos.one_pixel().html


@pytest.fixture
def page(browser, html):
    browser.open(html)
    return browser


def torchs(logits, truth, weight):
    """Probabilities, price and gradient, by torch, in float64."""
    z = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    weights = torch.ones_like(z).detach()
    weights[truth] = weight
    price = F.cross_entropy(z[None], torch.tensor([truth]), weight=weights, reduction="sum")
    price.backward()
    return z.detach().softmax(0), price.item(), z.grad


@pytest.mark.parametrize(("logits", "truth", "weight"), CASES)
def test_softmax_price_and_gradient_are_torchs(page, logits, truth, weight):
    seen = page.run(
        "return document.querySelector('.ep-demo').demo.measure(...arguments)", logits, truth, weight
    )
    p, price, gradient = torchs(logits, truth, weight)
    assert seen["p"] == pytest.approx(p.tolist(), abs=1e-9)
    assert seen["price"] == pytest.approx(price, abs=1e-6)
    assert seen["gradient"] == pytest.approx(gradient.tolist(), abs=1e-9)


def shown(page):
    """Every number with four decimals: in the bars p and p − y by turns, the price at the curve, and the words."""
    drawn, curve, words = page.run("""
      const [bars, curve] = document.querySelectorAll(".ep-demo svg"), texts = (e) => [...e.querySelectorAll("text")].map((t) => t.textContent);
      return [texts(bars), texts(curve), document.querySelector(".ep-said").textContent];
    """)
    numbers = [
        [float(x) for x in re.findall(r"[-+]?\d+\.\d{4}", " ".join(part).replace("−", "-"))]
        for part in (drawn, curve, [words])
    ]
    return numbers[0][::2], numbers[0][1::2], numbers[1][0], numbers[2]


def test_the_numbers_on_the_page_are_torchs(page):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    road = page.driver.find_element(By.CSS_SELECTOR, "input[aria-label=road]")
    pole = page.driver.find_element(By.CSS_SELECTOR, "input[aria-label=pole]")
    assert not pole.is_displayed()
    choose(page, "classes", 1)
    road.send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    pole.send_keys(Keys.ARROW_RIGHT)
    choose(page, "truth", 3)
    choose(page, "weight of truth", 2)
    p, price, gradient = torchs([1.7, 0.5, -1.0, 0.1], 3, 2)
    probabilities, slopes, at_curve, words = shown(page)
    assert probabilities == pytest.approx(p.tolist(), abs=5.1e-5)
    assert slopes == pytest.approx(gradient.tolist(), abs=5.1e-5)
    assert at_curve == pytest.approx(price, abs=5.1e-5)
    assert words == pytest.approx([price, *gradient.tolist()], abs=5.1e-5)


def choose(page, group, number):
    page.driver.find_elements("css selector", f"[role=radiogroup][aria-label='{group}'] label")[
        number
    ].click()


def test_the_arrows_point_against_the_gradient(page):
    ends = page.run("""
      return [...document.querySelectorAll(".ep-demo svg path[stroke-width='2.5']")].map((e) => e.getAttribute("d").match(/^M(\\S+) \\S+H([^m]+)/).slice(1).map(Number));
    """)
    _, _, gradient = torchs([2.0, 0.5, -1.0], 1, 1)
    lengths = torch.tensor([end - start for start, end in ends], dtype=torch.float64)
    assert torch.allclose(lengths / lengths.abs().max(), -gradient / gradient.abs().max(), atol=1e-6)


def test_a_constant_on_all_logits_changes_nothing(page):
    before = shown(page)
    add, take = page.driver.find_elements("css selector", ".ep-demo button")[:2]
    add.click()
    page.run("for (let i = 1; i < 8; i++) arguments[0].click()", add)
    assert page.run("return document.querySelector('.ep-demo').demo.state.logits.slice(0, 3)") == [10, 8.5, 7]
    assert not add.is_enabled()  # the largest logit has reached the end of its slider
    assert shown(page) == before
    assert page.run("return document.querySelector('.ep-said').textContent").startswith(
        "Every logit is 1 larger"
    )
    take.click()
    assert add.is_enabled()
    assert shown(page) == before


def test_the_first_state_comes_back(page):
    before = page.run("return document.querySelector('.ep-demo').innerHTML")
    choose(page, "classes", 1)
    choose(page, "truth", 3)
    choose(page, "weight of truth", 0)
    page.driver.find_elements("css selector", ".ep-demo button")[2].click()
    seen = page.run("return document.querySelector('.ep-demo').demo.state")
    assert seen == {"logits": [2, 0.5, -1, 0], "truth": 1, "classes": 3, "weight": 1}
    assert page.run("return document.querySelector('.ep-demo').innerHTML").count("<svg") == before.count(
        "<svg"
    )
    assert shown(page)[0] == pytest.approx(torchs([2.0, 0.5, -1.0], 1, 1)[0].tolist(), abs=5.1e-5)


def test_the_truth_goes_with_its_class(page):
    choose(page, "classes", 1)
    choose(page, "truth", 3)
    choose(page, "classes", 0)
    assert page.run("return document.querySelector('.ep-said').textContent").startswith("The truth is road")


def test_it_runs_in_a_frame_that_may_do_nothing_but_scripts(browser, html):
    from html import escape

    browser.open(
        f'<iframe sandbox="allow-scripts" width="700" height="600" srcdoc="{escape(html)}"></iframe>'
    )
    browser.driver.switch_to.frame(0)
    try:
        assert browser.run("return document.querySelectorAll('.ep-demo svg text').length") > 9
    finally:
        browser.driver.switch_to.default_content()


def test_the_words_without_scripts():
    demo = demos.one_pixel()
    assert "road 0.7856, car 0.1753 and sky 0.0391" in demo.alt
    assert "−log p = 1.7413" in demo.alt
    assert "road +0.7856, car −0.8247 and sky +0.0391" in demo.alt


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"logits": (1.0, 2.0)}, "three or four"),
        ({"logits": (1.0, 2.0, 11.0)}, "from −10 to 10"),
        ({"logits": (1.0, 2.0, float("nan"))}, "from −10 to 10"),
        ({"logits": (1.0, 2.0, 3.0, 4.0)}, "as many names"),
        ({"truth": 3}, "0 to 2"),
    ],
)
def test_what_it_does_not_take_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        demos.one_pixel(**options)
