"""The drawing of a network: true sizes, a mark for everything that happens, and readable wherever it is shown."""

import math
import re
from functools import cache
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from torch import nn
from torch.nn import functional as F

import segnb
from segnb import show
from segnb.show import ink, marks, plan, style

UNet, SegNet, FCN, DeepLabV3 = (
    getattr(segnb.models, name) for name in ("UNet", "SegNet", "FCN", "DeepLabV3")
)
# What the chapters draw or train, and the marks that must be there.
CONFIGURATIONS = {
    "U-Net": (lambda: UNet(), 572, "conv pool up crop copy"),
    "U-Net, padded": (lambda: UNet(width=16, depth=3, padding="same"), 96, "conv pool up copy"),
    "U-Net without skips": (lambda: UNet(width=2, depth=2, skips=False, norm="batch"), 60, "conv pool up"),
    "SegNet": (lambda: SegNet(), 360, "conv pool up index"),
    "FCN-32s": (lambda: FCN(stride=32, width=8, hidden=64), 96, "conv pool up crop"),
    "FCN-16s": (lambda: FCN(stride=16, width=8, hidden=64), 96, "conv pool up crop add"),
    "FCN-8s": (lambda: FCN(), 500, "conv pool up crop add"),
    "DeepLabv3": (lambda: DeepLabV3(), 512, "conv unit rate pool stride mean up copy"),
    "DeepLabv3, stride 8": (
        lambda: DeepLabV3(3, 11, backbone="small", output_stride=8, rates=(1, 2, 3)),
        96,
        "conv unit rate pool stride mean up copy",
    ),
    "DeepLabv3, bare": (
        lambda: DeepLabV3(backbone="small", rates=(), image_pooling=False),
        64,
        "conv unit rate pool stride up",
    ),
}
PAPERS = ("U-Net", "SegNet", "FCN-8s", "DeepLabv3")


@cache
def network(name):
    with torch.device("meta"):  # shapes only
        return CONFIGURATIONS[name][0]()


def drawn(name, **options):
    return show.blueprint(network(name), CONFIGURATIONS[name][1], **options)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_mark_is_there_and_no_other(name):
    picture, expected = drawn(name), {*CONFIGURATIONS[name][2].split()}
    for grid in (plan.NARROW, plan.WIDE):
        assert {*plan.draw(picture.nodes, grid).used} == expected | {"box"}
    legend = {text for text in marks.WORDS.values() if text in picture.html}
    assert legend == {marks.WORDS[mark] for mark in expected}


@pytest.mark.parametrize(
    ("build", "size"),
    [
        (lambda: UNet(width=3, depth=2), 60),
        (lambda: SegNet(width=2), 70),
        (lambda: FCN(width=2, hidden=3, num_classes=5), 64),
        (lambda: DeepLabV3(backbone="small", output_stride=8), 64),
    ],
)
def test_channels_and_sides_are_those_of_the_maps(build, size):
    model = build().eval()
    picture = show.blueprint(model, size)
    maps = segnb.features(model, torch.zeros(1, model.in_channels, size, size))
    shown = {name: (node.channels, node.side) for name, node in picture.nodes.items()}
    for name, x in maps.items():
        if not name.startswith("unpool"):
            assert shown[name] == (x.shape[1], x.shape[3])
            assert f"{x.shape[1]} × {x.shape[3]}²<" in picture.html
            assert f"{name} {x.shape[1]}×{x.shape[3]}×{x.shape[3]}" in picture.alt


def test_what_joins_comes_from_where_it_should():
    def sources(name):
        return {key: {*node.sources} for key, node in drawn(name).nodes.items() if len(node.sources) > 1}

    assert sources("U-Net")["decoder.3"] == {"encoder.0", "decoder.2"}
    assert sources("SegNet")["decoder.0"] == {"encoder.4", "pooled 12"}
    assert sources("FCN-8s") == {"sum 1": {"score", "score_pool4"}, "sum 2": {"sum 1", "score_pool3"}}
    assert len(sources("DeepLabv3")["aspp.project"]) == 5
    assert not sources("FCN-32s")
    assert not sources("U-Net without skips")


def test_fcn_goes_up_by_two_two_and_eight_to_its_output():
    svg = BeautifulSoup(drawn("FCN-8s").html, "html.parser").select_one("svg.ep-narrow")
    written = [text.text for text in svg.select("text")]
    assert [text for text in written if re.fullmatch(r"×\d+", text)] == ["×2", "×2", "×8"]
    assert {"output", "21 × 500²", "score_pool4", "21 × 44²", "21 × 34²"} <= {*written}


def test_a_crop_says_from_how_much_to_how_much():
    assert "568 → 392" in drawn("U-Net").html
    assert "→" not in drawn("U-Net, padded").html


def test_rates_are_those_on_the_map():
    assert {"rate 6", "rate 12", "rate 18", "2, 4, 8"} <= {
        *re.findall(r">([^<>]+)</text>", drawn("DeepLabv3").html)
    }
    assert {"rate 2", "rate 4", "rate 6"} <= {
        *re.findall(r">([^<>]+)</text>", drawn("DeepLabv3, stride 8").html)
    }


class Unpooled(nn.Module):
    """The chapter's SegNet in small: no stages stated, and the way up is an argument."""

    def __init__(self, up):
        super().__init__()
        self.encoder = nn.ModuleList([nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1)])
        self.decoder = nn.ModuleList([nn.Conv2d(8, 4, 3, padding=1), nn.Conv2d(4, 2, 3, padding=1)])
        self.up = up

    def forward(self, x):
        kept = []
        for stage in self.encoder:
            x = stage(x)
            kept.append(x.shape[2:])
            x, places = F.max_pool2d(x, 2, return_indices=True, ceil_mode=True)
            kept.append(places)
        for stage in self.decoder:
            x = stage(self.up(x, kept.pop(), kept.pop()))
        return x


def test_bilinear_instead_of_indices_is_seen():
    def unpooled(x, places, size):
        return F.max_unpool2d(x, places, 2, output_size=size)

    def bilinear(x, places, size):
        return F.interpolate(x, size=size, mode="bilinear")

    with_indices, without = (show.blueprint(Unpooled(up), 33) for up in (unpooled, bilinear))
    assert "encoder.0 4×33×33 to decoder.1 (places of maxima)" in with_indices.alt
    assert "Across" not in without.alt
    assert marks.WORDS["index"] in with_indices.html
    assert marks.WORDS["index"] not in without.html


def test_other_modules_are_a_chain_of_their_stages():
    classifier = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 9, 5)
    )
    assert show.blueprint(classifier, 8).alt.endswith("Down: image 3×8×8, 0 4×6×6, 2 4×3×3, 4 5.")
    assert not drawn("FCN-32s").nodes["output"].is_sum


def test_a_stage_that_runs_twice_does_not_go_round_in_circles():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

        def forward(self, x):
            return self.two(self.one(self.two(self.one(x)))) + x

    assert "one 3×9×9, two 3×9×9" in show.blueprint(Twice(), 9).alt


def test_you_are_here():
    picture = drawn("FCN-8s", here="score_pool4")
    assert picture.alt.endswith("You are here: score_pool4.")
    for svg in BeautifulSoup(picture.html, "html.parser").select("svg"):
        assert "score_pool4" in [text.text for text in svg.select("text.ep-bold")]
        assert len(svg.select("path.ep-line-here[stroke-width='2']")) == 2  # round the box, and in the legend
    assert marks.WORDS["here"] not in drawn("FCN-8s").html
    several = drawn("SegNet", here=["encoder.0", "encoder.1"])
    assert several.html.count("ep-bold") > drawn("SegNet", here="encoder.0").html.count("ep-bold")


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="use 188"):
        show.blueprint(UNet(width=1, depth=4), 20)
    with pytest.raises(ValueError, match=r"'up' is not drawn; there are image, encoder\.0"):
        drawn("U-Net", here="up")
    with pytest.raises(KeyError, match="no layer 'nothing'"):
        drawn("U-Net", stages=["nothing"])


def test_the_model_is_left_as_it_was():
    model = UNet(width=2, depth=2).train()
    show.blueprint(model, 60)
    assert model.training
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())
    assert {parameter.device.type for parameter in model.parameters()} == {"cpu"}


@pytest.mark.parametrize("name", PAPERS)
def test_shown_as_html_as_png_and_in_words(name):
    data, about = drawn(name)._repr_mimebundle_()
    assert {*data} == {"text/html", "image/png", "text/plain"}
    picture = drawn(name)
    assert picture.png.startswith(b"\x89PNG")
    assert len(picture.png) <= 150_000
    assert (picture.pixels[:3] == 255).all()  # on white
    assert about["image/png"]["alt"] == data["text/plain"] == picture.alt
    for stage in picture.nodes:
        assert stage in data["text/plain"]
    page = BeautifulSoup(data["text/html"], "html.parser")
    assert [tag["alt"] for tag in page.select("img")] == [picture.alt]  # for pages that drop drawings
    assert all(svg["aria-label"] == picture.alt and svg["role"] == "img" for svg in page.select("svg"))


# --- in a browser -------------------------------------------------------------------------------------------------

TEXTS = """
const svg = [...document.querySelectorAll("svg")].filter((one) => one.getBoundingClientRect().width);
const room = svg[0].getBoundingClientRect();
return [svg.length, svg[0].getAttribute("class"), [room.left, room.right],
  [...svg[0].querySelectorAll("text")].map((one) => {
    const box = one.getBoundingClientRect();
    const scale = one.getScreenCTM().a;
    return [one.textContent, parseFloat(getComputedStyle(one).fontSize) * scale, box.left, box.right, box.top, box.bottom];
  })];"""


@pytest.mark.parametrize(("width", "kind"), [(360, "ep-narrow"), (720, "ep-wide")])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_readable_on_a_phone_and_no_label_on_another(browser, name, width, kind):
    browser.open(drawn(name).html, width=width)
    count, shown, (left, right), texts = browser.run(TEXTS)
    assert (count, shown) == (1, kind)
    assert browser.overflow() == 0
    for text, size, *(begin, end, _, _) in texts:
        assert size >= 11, text
        assert left <= begin < end <= right, text
    for one, other in combinations(texts, 2):
        _, _, l1, r1, t1, b1 = one
        _, _, l2, r2, t2, b2 = other
        # A line of text is a little taller than its letters.
        assert min(r1, r2) - max(l1, l2) <= 0.5 or min(b1, b2) - max(t1, t2) <= 2, (one, other)


def contrast(one, other):
    def light(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_colours_stand_out_by_day_by_night_and_on_paper():
    for tone, (day, night) in ink.TONES.items():
        assert min(contrast(day, "#fcfbf8"), contrast(day, "#ffffff")) >= 4.5, tone
        assert min(contrast(night, "#17181b"), contrast(night, "#000000")) >= 4.5, tone


COLOURS = """
const svg = document.querySelector("svg.ep-narrow");
return ["text", "path.ep-fill-box", "path.ep-line-copy", "path.ep-line-ink"].map((one) => {
  const style = getComputedStyle(svg.querySelector(one));
  return one.includes("line") ? style.stroke : style.fill;
});"""


@pytest.mark.parametrize(
    ("theme", "media", "expected"),
    [
        ("light", "screen", ("#111111", 0)),
        ("dark", "screen", ("#eeeeee", 1)),
        ("dark", "print", ("#eeeeee", 0)),  # the site's own style turns ink black on paper
    ],
)
def test_follows_the_page_s_theme_and_is_light_on_paper(browser, theme, media, expected):
    driver = browser.open(drawn("U-Net").html, width=360, dark=theme == "dark")
    browser.run("document.documentElement.dataset.theme = arguments[0]", theme)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media})
    try:
        found = browser.run(COLOURS)
    finally:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    written = ["#" + "".join(f"{int(n):02x}" for n in re.findall(r"\d+", colour)[:3]) for colour in found]
    text, which = expected
    assert written == [text, ink.TONES["box"][which], ink.TONES["copy"][which], text]


def test_without_styles_and_drawings_the_png_is_left(browser):
    html = drawn("U-Net").html
    bare = re.sub(r"<style>.*?</style>|<svg.*?</svg>", "", html, flags=re.S)
    shown = "const box = document.querySelector('img').getBoundingClientRect(); return box.width * box.height"
    browser.open(bare)
    assert browser.run(shown) > 0
    browser.open(html)
    assert browser.run(shown) == 0


def test_by_night_only_the_maps_keep_their_own_colours():
    """Drawing, words and titles are in the page's inks; the maps are windows on the PNG where they lie in it."""
    maps = show.compare({"encoder.0": torch.rand(8, 8), "above": torch.rand(8, 8)})
    picture = drawn("U-Net, padded").over(maps, here="encoder.0")
    svg = ElementTree.fromstring(picture.svg)
    inks = re.findall(r"(?:fill|stroke):([^;\"]+)", picture.svg)
    assert all(ink == "none" or ink.startswith("var(") for ink in inks)
    assert any("--ep-copy" in ink for ink in inks)
    (image,), (moved,) = svg.iter("image"), [part for part in svg.iter("g") if part.get("transform")]
    width, height = (float(number) for number in svg.get("viewBox").split()[2:])
    assert (float(image.get("width")), float(image.get("height"))) == (width, height)
    down = float(re.search(r"translate\(0 ([\d.]+)\)", moved.get("transform"))[1])
    assert float(image.get("y")) == -down < 0
    # All along its edge a window shows map, not paper.
    pixels = np.asarray(picture.pixels).astype(int)
    scale = pixels.shape[1] / width
    (cut,) = (cut for cut in svg.iter("clipPath") if f"url(#{cut.get('id')})" == image.get("clip-path"))
    assert len(cut) == 2
    for hole in cut:
        x, y, wide, high = (float(hole.get(name)) * scale for name in ("x", "y", "width", "height"))
        top = y + down * scale
        seen = pixels[math.ceil(top) : int(top + high), math.ceil(x) : int(x + wide)]
        paper = [int(style.PAPER[i : i + 2], 16) for i in (1, 3, 5)]
        edge = np.concatenate([seen[0], seen[-1], seen[:, 0], seen[:, -1]])
        assert np.abs(edge - paper).max(-1).min() > 8
    ids = re.findall(r' id="([^"]+)"', picture.svg)
    assert len(set(ids)) == len(ids)


def test_a_small_drawing_above_feature_maps_marks_their_stage():
    maps = show.compare({"encoder.0": torch.rand(8, 8)})
    picture = drawn("U-Net, padded").over(maps, here="encoder.0")
    assert picture.alt == maps.alt.removesuffix(".") + "; marked in a small drawing of the network."
    assert "you are here:\nencoder.0" in [text.get_text() for text in picture.figure.texts]
    assert picture.figure.get_figwidth() == maps.figure.get_figwidth()
    svg = ElementTree.fromstring(picture.svg)
    words = [part.text for part in svg.iter("text")]
    assert {"you are here:", "encoder.0"} <= set(words)
    unmarked = drawn("U-Net, padded").over(maps, here=())
    orange, less = ((one.pixels == (0xA8, 0x52, 0x00)).all(-1).sum() for one in (picture, unmarked))
    assert orange > less > 0
    with pytest.raises(ValueError, match=r"'head\.0' is not drawn"):
        drawn("U-Net").over(maps, here="head.0")
