"""Where the page lays the maps of FCN and U-Net is where torch has them, and so are the crops, tiles and stamps."""

import inspect
import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from segnb import demos, models

PAIRS = {"fcn": ["32s, image", "pool4", "16s, image", "pool3", "8s, image"]}
DEMO = "const d = document.querySelector('.ep-demo').demo, a = arguments; "
SETTINGS = [(100, 5, 7), (97, 5, 7), (1, 5, 1), (30, 4, 3), (12, 3, 5), (81, 5, 7)]


@pytest.fixture(scope="module")
def htmls():
    return {view: demos.alignment(view).html for view in ("fcn", "unet", "tiles", "stamps")}


@pytest.fixture
def fcn(browser, htmls):
    browser.open(htmls["fcn"])
    return browser


@pytest.fixture
def unet(browser, htmls):
    browser.open(htmls["unet"])
    return browser


def crops(page, net, padding, poolings, kernel):
    """The crop at each place where two maps of a net meet, as the page computes it."""
    asked = {"padding": padding, "poolings": poolings, "kernel": kernel}
    found = page.run(
        DEMO + "return d.nets[a[0]](a[1]).pairs.map((pair) => [pair.title, d.right(pair)])", net, asked
    )
    return dict(found)


def centre(output, source, at):
    """The place in `source` that output pixel `at` looks at in the middle: the centre of mass of its gradient."""
    (pull,) = torch.autograd.grad(output[0, 0, at], source, retain_graph=True)
    weight = pull[0, 0].double()
    return float((weight * torch.arange(len(weight))).sum() / weight.sum())


def stamped(x, factor):
    tent = 1 - (torch.arange(2 * factor) + 0.5 - factor).abs() / factor
    return F.conv_transpose1d(x, tent[None, None], stride=factor)


def averaged(x, kernel, padding=0):
    return F.conv1d(x, torch.ones(1, 1, kernel) / kernel, padding=padding)


@pytest.mark.parametrize(("padding", "poolings", "kernel"), SETTINGS)
def test_maps_of_an_fcn_lie_where_torch_has_them(fcn, padding, poolings, kernel):
    x = torch.zeros(1, 1, 900, requires_grad=True)
    maps = [averaged(x, 3, padding)]
    for _ in range(poolings):
        maps.append(F.avg_pool1d(maps[-1], 2, ceil_mode=True))
    score = averaged(maps[-1], kernel)
    two = stamped(score, 2)
    four = stamped(two, 2)
    step = 2**poolings

    # First centre of each map: that of a pixel far from the border, less the steps to it.
    def first(y, apart):
        at = y.shape[-1] // 2
        return centre(y, x, at) - at * apart

    starts = [first(y, step // f) for y, f in ((score, 1), (two, 2), (four, 4))]
    pool = {back: first(maps[poolings - back], step >> back) for back in (1, 2)}
    expected = {
        f"{step}s, image": -first(stamped(score, step), 1),
        f"pool{poolings - 1}": (starts[1] - pool[1]) / (step / 2),
        f"{step // 2}s, image": -first(stamped(two, step // 2), 1),
        f"pool{poolings - 2}": (starts[2] - pool[2]) / (step / 4),
        f"{step // 4}s, image": -first(stamped(four, step // 4), 1),
    }
    assert crops(fcn, "fcn", padding, poolings, kernel) == pytest.approx(expected, abs=1e-3)


def test_the_paper_s_crops_are_those_of_our_networks(fcn):
    written = [int(n) for n in re.findall(r"crop\([^\n]*?\), (\d+), ", inspect.getsource(models.FCN.forward))]
    written += [
        int(n)
        for n in re.findall(r"upscore\d+\(score\), (\d+), image", inspect.getsource(models.FCN.forward))
    ]
    ours = crops(fcn, "fcn", 100, 5, 7)
    assert ours == dict(zip(PAIRS["fcn"], [19, 5, 27, 9, 31]))
    assert set(written) == set(ours.values())


@pytest.mark.parametrize(("padding", "poolings", "kernel"), SETTINGS)
def test_the_smallest_image_is_the_first_that_torch_takes(fcn, padding, poolings, kernel):
    asked = {"padding": padding, "poolings": poolings, "kernel": kernel}
    least = fcn.run(DEMO + "return d.smallest(a[0])", asked)

    def fits(side):
        x = F.pad(torch.zeros(1, 1, side), [padding - 1] * 2)
        for _ in range(poolings):
            x = F.max_pool1d(x, 2, ceil_mode=True)
        return x.shape[-1] >= kernel

    assert fits(least)
    assert least == 1 or not fits(least - 1)


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_a_u_net_s_crops_are_what_its_maps_differ_by(unet, depth):
    net = models.UNet(width=1, depth=depth).eval()
    skips, ups = {}, {}
    for i, part in enumerate(net.encoder):
        part.register_forward_hook(lambda m, x, y, i=i: skips.update({f"encoder.{i}": y.shape[-1]}))
    for i, part in enumerate(net.upconv):
        part.register_forward_hook(lambda m, x, y, i=i: ups.update({f"encoder.{depth - 1 - i}": y.shape[-1]}))
    net(torch.zeros(1, 1, 572, 572))
    expected = {name: (skips[name] - ups[name]) / 2 for name in ups} | {"mask": net.margin}
    assert crops(unet, "unet", 0, depth, 3) == expected
    if depth == 4:
        assert list(expected.values()) == [4, 16, 40, 88, 92]
    assert set(crops(unet, "unet", 1, depth, 3).values()) == {0}
    assert set(crops(unet, "unet", 0, depth, 1).values()) == {0}


@pytest.mark.parametrize(("depth", "steps"), [(2, (530, 532, 534)), (3, (476, 480, 484)), (4, (384, 388))])
def test_tiles_agree_where_the_page_says_so(browser, htmls, depth, steps):
    browser.open(htmls["tiles"])
    torch.manual_seed(0)
    net = models.UNet(width=1, depth=depth).double().eval()
    for weight in net.parameters():
        nn.init.uniform_(weight, 0.1, 1)  # all positive, so that no ReLU hides what changes
    picture = torch.rand(1, 1, 572, 572 + 560, dtype=torch.double)
    with torch.no_grad():
        whole = net(picture[..., : net.valid_size(1100)])
        for step in steps:
            ours = browser.run(DEMO + "return d.tiles(a[0], a[1])", depth, step)
            second = net(picture[..., step : step + 572])
            assert (ours["margin"], ours["answers"]) == (net.margin, second.shape[-1])
            assert ours["twice"] == second.shape[-1] - step
            agree = min(whole.shape[-1] - step, second.shape[-1])
            same = torch.allclose(whole[..., step : step + agree], second[..., :agree], rtol=1e-9)
            assert same == (ours["off"] == 0)


@pytest.mark.parametrize("kernel", range(1, 9))
def test_stamps_are_torch_s(browser, htmls, kernel):
    browser.open(htmls["stamps"])
    for stride in (1, 2, 3, 4):
        ours = browser.run(DEMO + "return d.reaches(a[0], a[1]).map((seen) => seen.length)", kernel, stride)
        ones = F.conv_transpose1d(torch.ones(1, 1, 7), torch.ones(1, 1, kernel), stride=stride)[0, 0]
        assert ours == ones.tolist()


def said(page):
    return page.run("return document.querySelector('.ep-said').textContent")


def slide(page, label, value):
    page.run(
        "const e = document.querySelector(`input[aria-label='${arguments[0]}']`);"
        "e.value = arguments[1]; e.dispatchEvent(new Event('input'))",
        label, value,
    )  # fmt: skip


def test_lines_stand_upright_at_the_paper_s_crop(fcn):
    lines = """
      const path = [...document.querySelectorAll('.ep-demo svg path')].at(-1), moves = path.getAttribute('d').match(/[\\d.]+/g).map(Number);
      return moves.filter((_, i) => i % 4 === 0).map((x, i) => moves[4 * i + 2] - x);"""
    for pair, crop in enumerate([19, 5, 27, 9, 31]):
        fcn.run("document.querySelectorAll('input[type=radio]')[arguments[0]].click()", pair)
        assert min(abs(x) for x in fcn.run(lines)) > 1
        slide(fcn, "crop", crop)
        assert max(abs(x) for x in fcn.run(lines)) < 1e-6
        assert f"Crop {crop}: they meet." in said(fcn)


def test_it_says_how_far_off_a_crop_is(fcn, browser, htmls):
    assert "Crop 0: everything comes out 19 pixels too far right." in said(fcn)
    slide(fcn, "padding", 81)
    assert "they meet" in said(fcn)
    assert "Smallest image that fits: 33 pixels." in said(fcn)
    fcn.run("document.querySelectorAll('input[type=radio]')[1].click()")
    slide(fcn, "last kernel", 1)
    assert "No crop can make them meet: pool4 begins 16 pixels too late." in said(fcn)
    browser.open(htmls["unet"])
    assert "lies 32 pixels apart, 4 of its own; encoder.3 is taken too far left." in said(browser)


def test_it_says_where_tiles_leave_a_seam(browser, htmls):
    browser.open(htmls["tiles"])
    assert "388 = 24 · 16 + 4" in said(browser)
    assert "a seam" in said(browser)
    slide(browser, "step", 384)
    assert "no seam. 4 pixels of the picture are answered twice, alike both times." in said(browser)
    slide(browser, "poolings", 2)
    assert "A tile of 572 answers for 532. 532 = 133 · 4: both tiles" in said(browser)


def test_it_says_why_stamps_are_uneven(browser, htmls):
    browser.open(htmls["stamps"])
    assert "3/2 = 1.5, no whole number: windows hold 1 or 2, in turn." in said(browser)
    slide(browser, "kernel", 4)
    assert "every window holds 2." in said(browser)


@pytest.mark.parametrize("view", ["unet", "tiles", "stamps"])
@pytest.mark.parametrize(("width", "most"), [(720, 700), (360, 788)])
def test_every_view_fits_its_screen(browser, htmls, view, width, most):
    browser.complaints()
    browser.open(htmls[view], width=width)
    tall = "return document.querySelector('.ep-demo').getBoundingClientRect().height"
    browser.run(
        "const r = document.querySelectorAll('input[type=radio]'); if (r.length) r[r.length - 1].click()"
    )
    assert browser.run(tall) <= most
    assert browser.overflow() <= 0
    assert browser.complaints() == []


def test_the_words_without_scripts():
    assert "lies at pixel 12.5, and its enlargement begins at −19" in demos.alignment().alt
    assert "4, 16, 40, 88 pixels" in demos.alignment("unet").alt


def test_a_view_that_there_is_not():
    with pytest.raises(ValueError, match="segnet"):
        demos.alignment("segnet")
