"""The player: alive in a browser without a kernel, readable without scripts, small, and the same on every run."""

import base64
import io
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from PIL import Image

from segnb import show
from segnb.show.live import WHERE

ALTS = ["nothing bright", 'bright "left" & <b>above</b>', "bright right"]


def frames():
    dark = torch.zeros(3, 8, 12)
    left, right = dark.clone(), dark.clone()
    left[:, :4, :6], right[:, :, 6:] = 1, 1
    return [dark, left, right]


def sources(player):
    return re.findall(r"data:image/(png|webp);base64,([\w+/=]+)", player.html)


def test_without_scripts_all_pictures_stand_there(browser):
    browser.open(show.player(frames(), ALTS).html, scripts=False)
    try:
        source = browser.driver.page_source
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert 'alt="nothing bright"' in source
    shown = re.sub(r"<script>.*?</script>", "", source, flags=re.S)
    assert "<input" not in shown  # nothing that cannot be moved
    assert re.findall(r"<figcaption>(.*?)</figcaption>", shown) == ["1 of 3", "2 of 3", "3 of 3"]
    assert len(re.findall(r'<img [^>]*alt="[^"]+"', shown)) == 3


def test_the_slider_changes_picture_words_and_alt(browser):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    driver = browser.open(show.player(frames(), ALTS, captions=["dark", "above", "right"]).html)
    image, slider = driver.find_element(By.TAG_NAME, "img"), driver.find_element(By.TAG_NAME, "input")
    said = driver.find_element(By.TAG_NAME, "output")
    assert slider.is_enabled()
    assert said.get_attribute("aria-live") == "polite"
    seen = {image.get_attribute("src")}
    for alt, caption in zip(ALTS[1:], ("above", "right")):
        slider.send_keys(Keys.ARROW_RIGHT)
        assert image.get_attribute("alt") == slider.get_attribute("aria-valuetext") == alt
        assert said.text == caption
        seen.add(image.get_attribute("src"))
    assert len(seen) == 3
    assert browser.run("return document.querySelector('img').naturalWidth") == 12
    assert browser.complaints() == []


def test_play_runs_to_the_end_and_stops(browser):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    driver = browser.open(show.player(frames(), ALTS, fps=50).html)
    button = driver.find_element(By.TAG_NAME, "button")
    button.click()
    WebDriverWait(driver, 10).until(lambda _: driver.find_element(By.TAG_NAME, "output").text == "3 of 3")
    WebDriverWait(driver, 10).until(lambda _: button.text == "Play")


def test_it_plays_and_pauses_by_keys_and_is_silent_meanwhile(browser):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    driver = browser.open(show.player(frames(), ALTS, fps=0.01, label="Sides").html)
    button, slider = driver.find_element(By.TAG_NAME, "button"), driver.find_element(By.TAG_NAME, "input")
    said = driver.find_element(By.TAG_NAME, "output")
    assert (button.text, button.get_attribute("aria-label")) == ("Play", "Play: Sides")
    slider.send_keys(Keys.SPACE)
    assert (button.text, said.get_attribute("aria-live")) == ("Pause", "off")
    button.send_keys(Keys.ARROW_RIGHT)  # whoever moves takes over
    assert (button.text, said.text, said.get_attribute("aria-live")) == ("Play", "2 of 3", "polite")
    button.send_keys(Keys.SPACE)
    assert button.text == "Pause"
    slider.send_keys(Keys.HOME)
    assert (button.text, said.text) == ("Play", "1 of 3")
    assert button.size["height"] >= 24


def charts():
    lines = ({"loss": (range(3), [i, 1, 2])} for i in (0, 1, 2))
    return [show.curves(one, alt="A line", xlabel="step", ylabel="loss") for one in lines]


def test_a_notebook_keeps_the_drawings_of_charts_when_asked(monkeypatch):
    def kept(frames):
        return show.player(frames, ["a", "b", "c"])._repr_mimebundle_()[1].get("segnb")

    monkeypatch.delenv("SEGNB_SVG", raising=False)
    assert kept(charts()) is None
    monkeypatch.setenv("SEGNB_SVG", "1")
    assert kept(charts()) == {"frames": [chart.svg for chart in charts()]}
    # Only pixels; or paper of one size around them, which a drawing would not have.
    assert kept(frames()) is None
    assert kept([*charts()[:2], show.compare([torch.rand(4, 9)])]) is None


def test_drawings_in_the_place_of_pictures_are_played_too(browser):
    """Each refers to a part of its own, which must be there while the contact sheet is hidden."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    def drawing(image):
        number = next(numbers)
        hole = f'<clipPath id="hole-{number}"><rect width="{number + 1}" height="9"/></clipPath>'
        inside = f'<rect width="9" height="9" fill="red" clip-path="url(#hole-{number})"/>'
        return f'<svg viewBox="0 0 9 9" width="90" height="90" role="img" aria-label="{image[1]}">{hole}{inside}</svg>'

    numbers = iter(range(3))
    html = re.sub(r'<img [^>]*alt="([^"]*)"[^>]*>', drawing, show.player(frames(), ["a", "b", "c"]).html)
    driver = browser.open(html)
    look = """
      const shown = document.querySelector(".ep-stage svg"), part = shown.querySelector("[clip-path]");
      const hole = document.querySelector(part.getAttribute("clip-path").slice(4, -1));
      return [shown.getAttribute("aria-label"), hole.checkVisibility === undefined || shown.contains(hole),
              document.querySelectorAll(".ep-stage svg").length, hole.firstChild.getAttribute("width"),
              new Set([...document.querySelectorAll("[id]")].map((one) => one.id)).size === document.querySelectorAll("[id]").length];
    """
    slider = driver.find_element(By.TAG_NAME, "input")
    for number, label in enumerate("abc"):
        assert browser.run(look) == [label, True, 1, str(number + 1), True]
        assert slider.get_attribute("aria-valuetext") == label
        slider.send_keys(Keys.ARROW_RIGHT)
    assert browser.complaints() == []


def test_every_player_has_a_name_of_its_own():
    captions = ["coarse", "middle", "fine"]
    names = [
        re.search(r'aria-label="([^"]+)"', player.html)[1]
        for player in (
            show.player(frames(), ["One.", "Two.", "Three."]),
            show.player(frames(), ALTS, captions=captions),
            show.player(frames(), ALTS, captions=captions, label="FCN"),
        )
    ]
    assert names == ["From One to Three", "From coarse to fine", "FCN"]


def test_paper_shows_all_pictures_and_no_controls(browser):
    player = show.player(frames(), ALTS, captions=["dark", "above", "right"])
    visible = """
      const seen = (words) => [...document.querySelectorAll(words)].filter((e) => e.checkVisibility());
      return [seen(".ep-sheet img").map((e) => e.alt), seen("figcaption").length, seen("button, input, output, .ep-stage img").length];
    """
    browser.open(player.html)
    assert browser.run(visible) == [[], 0, 4]
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert browser.run(visible) == [ALTS, 3, 0]
        assert browser.overflow() <= 0
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_need_not_scroll_sideways(browser, dark):
    data = SimpleNamespace(classes=("a", "b"), palette=((0, 0, 0), (200, 200, 0)), ignore_index=255)
    pictures = [show.pair(torch.rand(1, 64, 64), torch.ones(64, 64, dtype=torch.long), data)] * 2
    browser.open(
        show.player(pictures, ["a", "b"], fps=2, captions=["a long caption " * 9, "short"]).html,
        width=360,
        dark=dark,
    )
    assert browser.overflow() <= 0
    box = browser.run("return document.querySelector('input').getBoundingClientRect().toJSON()")
    assert box["width"] >= 120
    assert box["height"] >= 24
    colour = browser.run("return getComputedStyle(document.querySelector('output')).color")
    assert colour == ("rgb(238, 238, 238)" if dark else "rgb(17, 17, 17)")  # the page's own ink


def test_the_same_player_twice_on_a_page_works_twice(browser):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    html = show.player(frames(), ALTS).html
    driver = browser.open(html + html)
    for slider in driver.find_elements(By.TAG_NAME, "input"):
        slider.send_keys(Keys.END)
    assert [said.text for said in driver.find_elements(By.TAG_NAME, "output")] == ["3 of 3", "3 of 3"]


def test_it_is_the_same_on_every_run_and_differs_with_its_content():
    one = show.player(frames(), ALTS)
    assert one.html == show.player(frames(), ALTS).html
    ids = {
        re.search(r'id="([^"]+)"', p.html)[1]
        for p in (one, show.player(frames()[::-1], ALTS), show.player(frames(), ALTS, name="My U-Net!"))
    }
    assert len(ids) == 3
    assert "ep-player-my-u-net" in ids


def test_words_cannot_break_out_of_the_page():
    evil = '</script><img src=x onerror="alert(1)">'
    html = show.player(frames(), [evil] * 3, captions=[evil] * 3, label=evil).html
    assert html.count("</script>") == 1
    assert html.count("<img") == 3


def test_the_pixels_survive():
    image = Image.open(io.BytesIO(base64.b64decode(sources(show.player(frames(), ALTS))[0][1])))
    assert not np.asarray(image.convert("RGB")).any()
    red = Image.new("RGB", (5, 4), (250, 10, 20))
    pixels = Image.open(io.BytesIO(base64.b64decode(sources(show.player([red], ["red"]))[0][1]))).convert(
        "RGB"
    )
    assert pixels.getcolors() == [(20, (250, 10, 20))]


def test_frames_of_several_sizes_get_paper_of_one_size():
    player = show.player([torch.zeros(1, 4, 4), torch.zeros(1, 2, 6)], ["square", "flat"])
    sizes = {Image.open(io.BytesIO(base64.b64decode(data))).size for _, data in sources(player)}
    assert sizes == {(6, 4)}


def test_noisy_pictures_stay_small():
    noise = torch.rand(3, 512, 512, generator=torch.Generator().manual_seed(0))
    assert len(show.player([show.compare([noise])] * 2, ["a", "b"]).html) < 3 * 4 / 3 * show.style.LIMIT


def test_it_says_what_it_shows():
    player = show.player(frames(), ["First.", "Second.", "Third."], label="Stages")
    assert player.alt == "Stages: First; Second; Third."
    data, metadata = player._repr_mimebundle_()
    assert data["text/html"] == player.html
    assert data["text/plain"] == f"Stages: First; Second; Third. {WHERE}"
    still = np.asarray(Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB"))
    assert not still.any()  # the first frame
    assert metadata["image/png"]["alt"] == player.alt


def test_without_scripts_all_frames_stand_there_with_their_captions():
    html = show.player(frames(), ["First.", "Second.", "Third."], captions=["one", "two", "three"]).html
    words = BeautifulSoup(html, "html.parser")
    assert [one.text for one in words.find_all("figcaption")] == ["one", "two", "three"]
    assert [one["alt"] for one in words.find_all("img")] == ["First.", "Second.", "Third."]


@pytest.mark.parametrize(
    ("frames", "alts", "options"),
    [
        ([], [], {}),
        (frames(), ALTS[:2], {}),
        (frames(), ["a", " ", "c"], {}),
        (frames(), ALTS, {"captions": ["a"]}),
        (frames(), ALTS, {"fps": 0}),
    ],
)
def test_every_frame_needs_words_of_its_own(frames, alts, options):
    with pytest.raises(ValueError, match=r"frames and|fps=0"):
        show.player(frames, alts, **options)


def test_a_wrong_frame_is_named():
    with pytest.raises(ValueError, match="frame 1 is 2×3×4×4"):
        show.player([torch.zeros(3, 4, 4), torch.zeros(2, 3, 4, 4)], ["a", "b"])
