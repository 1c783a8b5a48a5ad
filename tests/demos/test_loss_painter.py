"""Every loss and gradient that the page draws, against segnb's losses and torch's autograd."""

import pytest
import torch

from segnb import demos
from segnb.losses import cross_entropy, dice, focal


@pytest.fixture(scope="module")
def html():
    return demos.loss_painter().html


@pytest.fixture
def page(browser, html):
    browser.open(html)
    return browser


def scene(kind):
    mask = torch.zeros(10, 10, dtype=torch.long)
    if kind == "small":
        mask[4:6, 4:6] = 1
    if kind == "ragged":
        mask = (torch.rand(10, 10, generator=torch.Generator().manual_seed(1)) > 0.7).long()
    return mask + (kind == "all")


def ours(page, mask, inside, outside, shift):
    script = """
      const demo = document.querySelector('.ep-demo').demo;
      const [mask, inside, outside, shift] = arguments, p = demo.predict({ mask, inside, outside, shift });
      return [p, demo.losses(p, mask), demo.losses(p, mask).map(loss => demo.share(loss.pull, mask))];"""
    return page.run(script, mask.flatten().tolist(), inside, outside, shift)


def foreground_dice(logits, target):
    p = logits.softmax(1)[:, 1]
    return 1 - 2 * (p * target).sum() / (p.sum() + target.sum()) if target.any() else 0 * p.sum()


@pytest.mark.parametrize(("inside", "outside", "shift"), [(0.2, 0.2, 0), (0.9, 0.05, 3), (0.3, 0.6, -5)])
@pytest.mark.parametrize("kind", ["small", "ragged", "none", "all"])
def test_values_and_gradients_are_torchs(page, kind, inside, outside, shift):
    mask = scene(kind)
    p, losses, shares = ours(page, mask, inside, outside, shift)
    z = torch.tensor(p, dtype=torch.float64).logit().view(1, 10, 10)
    target, front = mask[None], mask.sum()
    weight = 100 / (2 * torch.stack([100 - front, front]).double()).clamp(min=1)
    functions = [
        cross_entropy,
        lambda x, y: cross_entropy(x, y, weight=weight),
        focal,
        foreground_dice,
        dice,
    ]
    assert len(losses) == len(functions)
    for loss, share, function in zip(losses, shares, functions):
        leaf = z.clone().requires_grad_()
        value = function(torch.stack([torch.zeros_like(leaf), leaf], 1), target)
        value.backward()
        pull = torch.tensor(loss["pull"], dtype=torch.float64)
        assert abs(loss["value"] - value.item()) < 1e-6
        assert torch.allclose(pull, leaf.grad.flatten(), atol=1e-9)
        total = leaf.grad.abs().sum()
        expected = (leaf.grad.abs() * mask).sum() / total if total else 0
        assert abs(share - expected) < 1e-6


def test_the_prediction_is_the_shape_moved(page):
    mask = scene("small")
    p, _, _ = ours(page, mask, 0.9, 0.1, 5)
    moved = torch.full((10, 10), 0.1)
    moved[4:6, 9:] = 0.9  # what leaves the picture does not come back on the other side
    assert torch.allclose(torch.tensor(p).view(10, 10), moved)


def test_dice_pulls_a_hundred_times_as_hard_at_one_percent(page):
    mask = torch.zeros(100, dtype=torch.long)
    mask[0] = 1
    _, losses, _ = ours(page, mask, 0.5, 0.5, 0)
    by_dice, by_entropy = torch.tensor(losses[3]["pull"]).abs(), torch.tensor(losses[0]["pull"]).abs()
    assert by_entropy[0] / by_entropy[-1] == pytest.approx(1)
    assert by_dice[0] / by_dice[-1] == pytest.approx(101, rel=1e-3)  # (1 + f)/f at p = ½


def test_what_chapter_4_answers_about_a_single_pixel(page):
    mask = torch.zeros(10, 10, dtype=torch.long)
    mask[4, 4] = 1
    plain, weighted, focal_, front, both = ours(page, mask, 0.2, 0.2, 0)[2]
    assert plain < 0.05 < both < 0.15 < focal_ < 1 / 3 < weighted
    assert front == pytest.approx(0.5, abs=0.02)
    assert weighted > 0.75
    plain, weighted, focal_, front, both = ours(page, mask, 0.2, 0.01, 0)[2]
    assert min(front, both) > 0.55
    assert focal_ > 0.99
    plain, weighted, focal_, front, both = ours(page, mask, 0.99, 0.01, 0)[2]
    assert max(plain, focal_, front, both) < 0.021
    assert weighted == pytest.approx(0.5)


def test_painting_with_the_mouse(browser):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By

    blank = demos.loss_painter(torch.zeros(10, 10))
    assert "0 % under cross-entropy and 0 % under Dice" in blank.alt
    driver = browser.open(blank.html)
    canvas, said = (
        driver.find_element(By.CSS_SELECTOR, "svg"),
        driver.find_element(By.CSS_SELECTOR, ".ep-said"),
    )
    assert said.text.startswith("0 of 100")
    ActionChains(driver).click(canvas).perform()
    assert said.text.startswith("1 of 100")
    # A painted pixel is rubbed out.
    ActionChains(driver).move_to_element(canvas).click_and_hold().release().perform()
    assert said.text.startswith("0 of 100")
    drag = ActionChains(driver).move_to_element(canvas).click_and_hold()
    for _ in range(4):
        drag = drag.move_by_offset(30, 0)
    drag.release().perform()
    painted = browser.run(
        "return document.querySelector('.ep-demo').demo.state.mask.reduce((a, b) => a + b, 0)"
    )
    assert painted >= 4


def test_the_words_without_scripts():
    assert "14 % under cross-entropy and 55 % under Dice" in demos.loss_painter().alt


@pytest.mark.parametrize("wrong", [torch.zeros(8, 8), torch.full((10, 10), 2)])
def test_a_mask_is_28_by_28_zeros_and_ones(wrong):
    with pytest.raises(ValueError, match="10×10 zeros and ones"):
        demos.loss_painter(wrong)
