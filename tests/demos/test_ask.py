"""Ask the net: what a reader sees, paints and chooses, in a real browser, against torch."""

import re
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from torch import nn

import segnb
from book.tools import notebooks
from segnb import __main__ as command
from segnb import demos, models, run
from segnb.demos.shipped import SHIPPED, shipped
from segnb.run import Run

CHAPTERS = {
    "street": "01_every_pixel", "fcn": "05_fcn", "unet": "06_unet", "segnet": "07_segnet", "deeplabv3": "08_deeplabv3",
}  # fmt: skip
DEMO = "document.querySelector('.ep-ask').demo"


@cache
def stored(name):
    """The demo as it stands in its chapter."""
    notebook = notebooks.read(notebooks.ROOT / "chapters" / f"{CHAPTERS[name]}.ipynb")
    (cell,) = [one for one in notebooks.code_cells(notebook) if one.source == f'segnb.demos.ask("{name}")']
    return cell.outputs[0].data["text/html"]


@cache
def tiny():
    """A demo of a small untrained network on two pictures."""
    torch.manual_seed(0)
    model = models.UNet(3, 3, width=4, depth=2, padding="same")
    pictures = torch.rand(2, 3, 24, 32, generator=torch.Generator().manual_seed(0))
    question = {"text": "Make it class 1.", "picture": 0, "box": (0, 0, 24, 32), "become": 1}
    return model, pictures, demos.ask(model, list(pictures), questions=["Why?", question])


def wait(browser, condition):
    """Until a piece of JavaScript is true."""
    WebDriverWait(browser.driver, 30, poll_frequency=0.05).until(lambda _: browser.run(f"return {condition}"))


def opened(browser, html, **options):
    """The page with the demo, which has answered once."""
    browser.complaints()
    browser.open(html, **options)
    wait(browser, f"{DEMO}.reply() !== null")


def settled(browser):
    """Until the answer is that to the newest picture."""
    browser.run(f"window.before = {DEMO}.reply().turn; {DEMO}.ask()")
    wait(browser, f"{DEMO}.reply().turn > window.before && !{DEMO}.busy()")


def image_in(browser):
    """What stands in the canvas: 1×3×H×W in 0..1."""
    shape = browser.run(f"return [{DEMO}.pixels().length, document.querySelector('.ep-here canvas').width]")
    values = browser.run(f"return Array.from({DEMO}.pixels())")
    pixels = torch.tensor(values, dtype=torch.float32).reshape(-1, shape[1], 4)
    return pixels[..., :3].permute(2, 0, 1)[None] / 255


def logits_in(browser):
    found = browser.run(f"const r = {DEMO}.reply(); return [Array.from(r.logits), r.shape]")
    return torch.tensor(found[0]).reshape(1, *found[1])


@pytest.mark.parametrize("name", SHIPPED)
def test_the_chapters_net_answers_as_torch_does_under_every_switch(browser, name):
    given = shipped(name)
    opened(browser, stored(name))
    for number, (label, model) in enumerate(given["model"].items()):
        if number:
            browser.run(f"document.querySelectorAll('.ep-ask [type=radio]')[{number}].click()")
        settled(browser)
        image = image_in(browser)[:, : model.in_channels]
        assert torch.allclose(image[0], (given["pictures"][0] * 255).round() / 255, atol=1e-6)
        with torch.no_grad():
            right = model(image)
        found = logits_in(browser)
        assert (found - right).abs().max() <= 2e-3 * right.abs().max(), label
        assert (found.argmax(1) == right.argmax(1)).float().mean() >= 0.998, label
    assert browser.complaints() == []


def test_while_one_paints_the_answer_follows(browser):
    model, _, live = tiny()
    opened(browser, live.html)
    first = logits_in(browser)
    browser.run(f"{DEMO}.stroke([12, 8], true); {DEMO}.stroke([12, 12], false)")
    settled(browser)
    with torch.no_grad():
        right = model(image_in(browser))
    found = logits_in(browser)
    assert (found - right).abs().max() <= 2e-3 * right.abs().max()
    assert not torch.equal(found, first)
    # The bars are the softmax of the pixel that was pointed at.
    p = right[0, :, 12, 12].softmax(0)
    words = browser.run("return document.querySelector('.ep-bars').getAttribute('aria-label')")
    assert words == ", ".join(f"class {k} {p[k]:.2f}" for k in p.argsort(descending=True))


def pick(browser, tool):
    browser.run(
        f"[...document.querySelectorAll('.ep-tools button')].find((b) => b.textContent === '{tool}').click()"
    )


def test_every_brush_does_what_its_name_says(browser):
    opened(browser, tiny()[2].html)
    start = image_in(browser)
    stroke = f"{DEMO}.stroke([%d, %d], %s)"
    disk = (torch.arange(24)[:, None] - 12) ** 2 + (torch.arange(32) - 16) ** 2 <= 1.25**2

    browser.run("document.querySelectorAll('.ep-colour')[0].click()")
    browser.run(stroke % (12, 16, "true"))
    painted = image_in(browser)
    assert torch.equal((painted != start).any(1)[0], disk)
    assert len(painted[0, :, disk].T.unique(dim=0)) == 1

    pick(browser, "erase")
    browser.run(stroke % (12, 16, "true"))
    assert torch.equal(image_in(browser), start)

    pick(browser, "blur")
    browser.run(stroke % (12, 16, "true"))
    blurred = image_in(browser)
    assert (blurred[0, :, 12, 16] - start[0, :, 10:15, 14:19].mean((1, 2))).abs().max() <= 1 / 255

    browser.run("[...document.querySelectorAll('button')].find((b) => b.textContent === 'undo all').click()")
    assert torch.equal(image_in(browser), start)

    pick(browser, "copy")
    browser.run(stroke % (5, 5, "true"))
    assert torch.equal(image_in(browser), start)
    browser.run(stroke % (12, 16, "true"))
    copied = image_in(browser)
    assert torch.equal(copied[0, :, 12, 16], start[0, :, 5, 5])
    assert torch.equal(copied[0, :, 12, 17], start[0, :, 5, 6])


def test_a_thing_is_dragged_and_the_rows_close_behind_it(browser):
    opened(browser, tiny()[2].html)
    start = image_in(browser)
    classes = torch.tensor(browser.run(f"return Array.from({DEMO}.classes())")).reshape(24, 32)
    pick(browser, "move")
    browser.run(f"{DEMO}.stroke([12, 16], true); {DEMO}.stroke([12, 20], false)")
    moved = image_in(browser)
    assert torch.equal(moved[0, :, 12, 20], start[0, :, 12, 16])
    away = (moved != start).any(1)[0]
    assert (classes == classes[12, 16])[away].any()


def test_it_works_by_keyboard(browser):
    opened(browser, tiny()[2].html)
    start = image_in(browser)
    canvas = browser.driver.find_element("css selector", ".ep-here canvas")
    canvas.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_UP)
    assert browser.run(f"return {DEMO}.state.at") == [10, 18]
    assert "Row 10, column 18" in browser.driver.find_element("css selector", ".ep-ask .ep-said").text
    canvas.send_keys(" ")
    assert (image_in(browser) != start).any(1)[0][10, 18]


def test_a_stage_shows_its_liveliest_maps_and_what_its_pixels_see(browser):
    model, _, live = tiny()
    opened(browser, live.html)
    browser.run("document.querySelector('[data-stage=\"encoder.1\"]').click()")
    settled(browser)
    maps = segnb.features(model, image_in(browser), "encoder.1")["encoder.1"][0]
    liveliest = maps.flatten(1).var(1).argsort(descending=True)
    shown = browser.run(f"return {DEMO}.reply().maps.map((map) => [map.channel, map.low, map.high])")
    assert [channel for channel, _, _ in shown] == liveliest[:6].tolist()
    for channel, low, high in shown:
        extremes = maps[channel].amin().item(), maps[channel].amax().item()
        assert np.allclose((low, high), extremes, atol=2e-3 * maps.abs().max().item())
    said = browser.driver.find_element("css selector", ".ep-ask .ep-said").text
    size, _ = segnb.receptive_field(model, "encoder.1")
    assert "8 maps of 12 × 16" in said
    assert f"{size} × {size} pixels of the picture, the frame" in said


def test_segnet_says_which_index_it_remembers(browser):
    opened(browser, stored("segnet"))
    browser.run("document.querySelector('[data-stage=\"encoder.1\"]').click()")
    settled(browser)
    words = browser.driver.find_element("css selector", ".ep-ask .ep-said").text
    found = re.search(r"in map (\d+) the largest stands in row (\d+), column (\d+): index (\d+)", words)
    channel, row, column, index = map(int, found.groups())
    model = shipped("segnet")["model"]["remembered places"]
    maps = segnb.features(model, image_in(browser), "encoder.1")["encoder.1"]
    _, places = nn.functional.max_pool2d(maps, 2, return_indices=True)
    height, width = browser.run(
        "const c = document.querySelector('.ep-here canvas'); return [c.height, c.width]"
    )
    assert index == row * maps.shape[3] + column
    assert places[0, channel, height // 8, width // 8] == index


def test_a_question_is_done_when_the_frame_has_become_it(browser):
    opened(browser, tiny()[2].html)
    text = "return document.querySelector('.ep-goal').textContent"
    assert browser.run(text).startswith("1 of 2: Why?")
    browser.run("document.querySelector('.ep-goal button').click()")
    share = browser.run(f"return {DEMO}.share()")
    assert f"{round(100 * share)} % of the frame" in browser.run(text)
    assert ("✓" in browser.run(text)) == (share >= 0.5)


def test_no_question_is_done_by_a_switch_to_another_network(browser):
    def always(k):
        net = nn.Conv2d(3, 2, 1)
        nn.init.zeros_(net.weight)
        net.bias.data = torch.eye(2)[k]
        return net

    question = {"text": "Make it class 1.", "picture": 0, "box": (0, 0, 24, 32), "become": 1}
    pictures = list(torch.rand(1, 3, 24, 32))
    opened(browser, demos.ask({"own": always(0), "other": always(1)}, pictures, questions=[question]).html)
    browser.run("document.querySelectorAll('.ep-ask input[type=radio]')[1].click()")
    settled(browser)
    said = browser.run("return document.querySelector('.ep-goal').textContent")
    assert "100 % of the frame" in said
    assert "✓" not in said


@pytest.mark.parametrize("missing", ["Worker", "WebAssembly"])
def test_without_workers_or_webassembly_it_answers_all_the_same(browser, missing):
    model, _, live = tiny()
    opened(browser, f"<script>window.{missing} = undefined;</script>{live.html}")
    with torch.no_grad():
        right = model(image_in(browser))
    assert (logits_in(browser) - right).abs().max() <= 2e-3 * right.abs().max()


def test_in_a_frame_that_may_only_run_scripts(browser):
    """As Colab shows outputs: no origin of its own, no storage, no network."""
    from html import escape

    model, _, live = tiny()
    browser.complaints()
    browser.open(
        f'<iframe sandbox="allow-scripts" width="700" height="700" srcdoc="{escape(live.html)}"></iframe>'
    )
    browser.driver.switch_to.frame(0)
    try:
        wait(browser, f"{DEMO}.reply() !== null")
        with torch.no_grad():
            right = model(image_in(browser))
        assert (logits_in(browser) - right).abs().max() <= 2e-3 * right.abs().max()
    finally:
        browser.driver.switch_to.default_content()
    assert browser.complaints() == []


def test_without_scripts_a_picture_stands_there(browser):
    live = tiny()[2]
    browser.open(live.html, scripts=False)
    try:
        shown = browser.run("return document.querySelector('.ep-still img') !== null")
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert shown
    assert live.alt.split(": ", 1)[0] == "Ask the net"


def in_a_column(html):
    """As it stands on the site: in its letters, with its margins."""
    return f'<div style="font:17px/1.6 DejaVu Sans,sans-serif;padding:0 11px">{html}</div>'


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize(("width", "most"), [(720, 700), (390, 788), (360, 788)])
def test_picture_answer_and_network_are_seen_at_once(browser, name, width, most):
    opened(browser, in_a_column(stored(name)), width=width, dark=width == 360)
    stages = browser.run("return document.querySelectorAll('.ep-stages button').length")
    browser.run("document.querySelectorAll('.ep-stages button')[1].click()")
    settled(browser)
    assert browser.run("return document.querySelector('.ep-ask').getBoundingClientRect().height") <= most
    assert browser.overflow() <= 0
    narrowest = browser.run(
        "return Math.min(...[...document.querySelectorAll('.ep-ask button')].map((b) => b.getBoundingClientRect().width))"
    )
    assert narrowest >= 24, "a finger must find it"
    assert stages >= 8
    assert browser.complaints() == []


def test_it_is_ready_soon_and_small(browser):
    """Two seconds on a core of its own; the test allows for a busy machine."""
    for name in SHIPPED:
        weights = re.search(r'"weights": "([^"]*)"', stored(name))[1]
        assert len(weights) <= 1_400_000, name
    opened(browser, stored("street"))
    ready = browser.run(f"return {DEMO}.ready()")
    assert 0 < ready <= 10_000


def test_nothing_is_fetched():
    assert set(re.findall(r"https?://[\w./]+", stored("street"))) <= {"http://www.w3.org/2000/svg"}


# --- what Python refuses ------------------------------------------------------------------------------------------------


def test_any_module_of_these_operations_will_do():
    module = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1))
    live = demos.ask(module, [torch.rand(1, 9, 12)], name="Mine")
    assert 'id="ep-demo-ask-mine"' in live.html
    assert '"class 1"' in live.html
    data, _ = live._repr_mimebundle_()
    assert data["text/plain"].startswith("Ask the net: Sequential")


def test_wrong_arguments_are_named():
    module = nn.Conv2d(3, 2, 1)
    with pytest.raises(ValueError, match="at least one picture"):
        demos.ask(module)
    with pytest.raises(ValueError, match="one size, not 3×4×4 and 3×4×5"):
        demos.ask(module, [torch.rand(3, 4, 4), torch.rand(3, 4, 5)])
    with pytest.raises(ValueError, match="1×H×W or 3×H×W, not 2×4×4"):
        demos.ask(module, [torch.rand(2, 4, 4)])
    with pytest.raises(ValueError, match="2 classes and street has 11"):
        demos.ask(module, [torch.rand(3, 4, 4)], segnb.data.load("street", "val"))
    with pytest.raises(ValueError, match="no network 'vnet' ships with segnb; there are: street"):
        demos.ask("vnet")
    with pytest.raises(ValueError, match=r"would have 82\.\d MB"):
        demos.ask(models.UNet(3, 2), [torch.rand(3, 188, 188)])


# --- segnb page ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def trained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "_current", Run(torch.device("cpu"), torch.float32))
    torch.manual_seed(0)
    segnb.save(models.UNet(3, 3, width=4, depth=2, padding="same"), "net.pt")
    (tmp_path / "mine").mkdir()
    for k, size in enumerate([(64, 48), (50, 60)]):
        pixels = np.random.default_rng(k).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "mine" / f"{k}.png")
    return tmp_path


def test_one_file_opens_from_disk(browser, trained, capsys):
    assert command.main(["page", "net.pt", "--pictures", "mine", "--out", "my_net.html"]) == 0
    assert "2 pictures at 96×128 px" in capsys.readouterr().out
    browser.complaints()
    browser.driver.get((trained / "my_net.html").as_uri())
    wait(browser, f"{DEMO}.reply() !== null")
    assert browser.run("return document.documentElement.lang + document.title") == "ennet, alive"
    model = segnb.load("net.pt")
    with torch.no_grad():
        right = model(image_in(browser))
    assert (logits_in(browser) - right).abs().max() <= 2e-3 * right.abs().max()
    assert browser.complaints() == []


def test_a_page_that_is_too_large_is_refused(trained, capsys):
    segnb.save(models.UNet(3, 2, width=32), "net.pt")
    assert command.main(["page", "net.pt", "--pictures", "mine"]) == 2
    assert re.search(r"segnb page: the page would have 20\.\d MB", capsys.readouterr().err)
    assert not (trained / "my_net.html").exists()
    assert command.main(["page", "net.pt", "--pictures", "nowhere"]) == 2
