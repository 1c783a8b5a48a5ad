"""Pictures: what they show, what they say, that a phone can show them, and what they refuse."""

import base64
import io
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.text import Text
from PIL import Image

from segnb import show
from segnb.metrics import ConfusionMatrix
from segnb.show import sheet, style
from segnb.show.figures import _running_mean

DATA = SimpleNamespace(
    classes=("sky", "tall_building", "pole"),
    palette=((139, 194, 247), (223, 181, 118), (67, 64, 88)),
    ignore_index=255,
)
MASK = torch.tensor([[0, 0, 0, 2], [0, 1, 1, 2], [255, 1, 1, 2]])
IMAGE = torch.linspace(0, 1, 36).view(3, 3, 4)
RUN = SimpleNamespace(
    step=[1, 2, 3, 4], loss=[4.0, 2.0, 3.0, 1.0], lr=[0.4, 0.3, 0.2, 0.1], val=[(2, 0.3), (4, 0.5)]
)
PAPER = [int(style.PAPER[i : i + 2], 16) for i in (1, 3, 5)]


def noise(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


ALL = {
    "pair": lambda **k: show.pair(IMAGE, MASK, DATA, **k),
    "overlay": lambda **k: show.overlay(IMAGE, MASK, DATA, **k),
    "errors": lambda **k: show.errors(IMAGE, MASK.clamp(max=1), MASK, DATA, **k),
    "confusion": lambda **k: show.confusion(torch.tensor([[8, 1, 1], [2, 2, 0], [0, 0, 0]]), DATA, **k),
    "feature_maps": lambda **k: show.feature_maps({"low": noise(2, 6, 9, 9), "high": noise(2, 3, 4, 4)}, **k),
    "history": lambda **k: show.history({"with skips": RUN, "without": RUN}, lr=True, **k),
    "compare": lambda **k: show.compare([IMAGE, MASK, noise(5, 5), MASK == 1], DATA, vmin=0, vmax=1, **k),
    "picture": lambda **k: show.picture(show.canvas(2, 2)[0], **{"alt": "four empty axes"} | k),
}


@pytest.fixture(params=ALL, ids=list(ALL), scope="module")
def draw(request):
    return ALL[request.param]


@pytest.fixture(scope="module")
def drawn(draw):
    """One picture of each kind, made once."""
    return draw(alt="what there is to see")


def colours(pixels):
    return {tuple(colour) for colour in pixels.reshape(-1, 3).tolist()}


def inside(picture):
    """The pixels of the only axes of a picture, without their blurred rim."""
    axes = picture.figure.axes[0].get_position()
    height, width = picture.pixels.shape[:2]
    rows = slice(round((1 - axes.y1) * height) + 2, round((1 - axes.y0) * height) - 2)
    return picture.pixels[rows, round(axes.x0 * width) + 2 : round(axes.x1 * width) - 2]


# --- every picture -----------------------------------------------------------------------------------------------


def test_a_notebook_gets_one_png_with_its_alt_text(drawn):
    data, metadata = drawn._repr_mimebundle_()
    assert set(data) == {"image/png", "text/plain"}
    assert data["text/plain"] == "what there is to see."
    assert metadata == {
        "image/png": {
            "alt": "what there is to see",
            "width": round(drawn.figure.get_figwidth() * style.SHOWN),
        }
    }
    image = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert image.format == "PNG"
    assert base64.b64decode(data["image/png"]) == drawn.png


def test_every_picture_brings_an_alt_text_of_its_own():
    texts = [make().alt for make in ALL.values()]
    assert len(set(texts)) == len(texts)
    assert all(len(text) > 12 for text in texts)


OTHERS = {
    "pair": lambda: show.pair(1 - IMAGE, MASK.clamp(max=1), DATA),
    "overlay": lambda: show.overlay(IMAGE, MASK.flip(0).clamp(max=1), DATA),
    "errors": lambda: show.errors(IMAGE, MASK.clamp(max=0), MASK, DATA),
    "confusion": lambda: show.confusion(torch.tensor([[1, 1, 8], [0, 4, 0], [3, 0, 3]]), DATA),
    "feature_maps": lambda: show.feature_maps(
        {"low": noise(2, 6, 9, 9).flip(1), "high": noise(2, 3, 4, 4).flip(1)}
    ),
    "history": lambda: show.history(
        {name: SimpleNamespace(**vars(RUN) | {"loss": [3.0, 3.0, 2.0, 2.0], "lr": RUN.lr[::-1], "val": [(4, 0.9)]})
         for name in ("with skips", "without")},
        lr=True,
    ),
    "compare": lambda: show.compare([IMAGE, MASK.flip(0), noise(5, 5) / 3, MASK == 2], DATA, vmin=0, vmax=1),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_the_plain_text_says_what_it_is_and_nothing_that_was_measured(name):
    one, other = ALL[name](), OTHERS[name]()
    assert one.alt != other.alt
    said = one._repr_mimebundle_()[0]["text/plain"]
    assert said == other._repr_mimebundle_()[0]["text/plain"]
    assert len(said.split()) >= 4
    assert said.endswith(".")


def test_what_was_measured_is_left_out_of_captions():
    captions = ["net, 2.2 % wrong", "P(sky), 1e-5", "7 pixels", "IoU 0.75"]
    said = show.compare([IMAGE] * 4, captions=captions).said
    image = "a colour image of 3×4 pixels"
    assert said == f"Net: {image}; P(sky): {image}; 7 pixels: {image}; {image}."


def test_an_empty_alt_text_is_refused(drawn):
    with pytest.raises(ValueError, match="alt text"):
        show.picture(drawn.figure, "  ")


def test_letters_stay_legible_on_a_phone(drawn):
    figure = drawn.figure
    on_phone = min(style.SHOWN, style.PHONE / figure.get_figwidth()) / 72  # px per point
    letters = [text for text in figure.findobj(Text) if text.get_text()]
    assert all(text.get_fontsize() * on_phone >= 11 for text in letters)


def test_the_file_has_twice_the_pixels_of_the_page(drawn):
    shown = drawn._repr_mimebundle_()[1]["image/png"]["width"]
    assert abs(drawn.pixels.shape[1] - 2 * shown) <= 2


def drawn_words(figure):
    """The boxes of all texts on the page; ticks beyond the ends of an axis have one but are not drawn."""
    style.render(figure, dpi=100)
    figure.dpi = 100
    absent = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        absent |= {tick.label1 for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high}
    words = [
        text for text in figure.findobj(Text) if text.get_text() and text.get_visible() and text not in absent
    ]
    hidden = [axes for axes in figure.axes if not axes.axison]
    words = [text for text in words if text.axes not in hidden or text in text.axes.texts]
    return [text.get_window_extent() for text in words]


def test_nothing_is_cut_off_and_no_words_run_into_each_other(drawn):
    figure = drawn.figure
    words = drawn_words(figure)
    for i, box in enumerate(words):
        assert box.x0 > -1
        assert box.y0 > -1
        assert box.x1 < figure.bbox.x1 + 1
        assert box.y1 < figure.bbox.y1 + 1
        assert not any(box.shrunk(0.9, 0.6).overlaps(other.shrunk(0.9, 0.6)) for other in words[:i])


def test_the_ground_is_paper(drawn):
    pixels = drawn.pixels
    assert (np.abs(pixels[[0, 0, -1, -1], [0, -1, 0, -1]].astype(int) - PAPER) <= 3).all()


def test_nothing_global_changes_and_no_figure_stays_open(draw):
    import matplotlib.pyplot as plt

    before, open_figures = dict(matplotlib.rcParams), plt.get_fignums()
    _ = draw().png
    assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == open_figures


def test_the_same_picture_has_the_same_bytes(draw, drawn):
    assert draw(alt="drawn again").png == drawn.png


# --- size and colours --------------------------------------------------------------------------------------------


def test_even_noise_stays_within_the_limit():
    image, mask = noise(3, 512, 512), (noise(512, 512) > 0.5).long()
    for picture in (show.pair(image, mask, DATA), show.feature_maps(noise(1, 8, 256, 256), 8)):
        assert len(picture.png) <= style.LIMIT


def test_few_colours_are_kept_exactly():
    pixels = np.array(DATA.palette, dtype=np.uint8)[MASK.clamp(max=2)].repeat(20, 0).repeat(20, 1)
    png = style.encode(pixels)
    assert (np.asarray(Image.open(io.BytesIO(png)).convert("RGB")) == pixels).all()
    assert Image.open(io.BytesIO(png)).mode == "P"


def test_a_mask_has_the_colours_of_its_data_and_no_others():
    picture = show.compare([MASK], DATA)
    assert colours(inside(picture)) == {*DATA.palette, tuple(PAPER)}


def test_each_class_is_where_the_mask_has_it():
    cell = inside(show.compare([torch.tensor([[0, 1], [2, 255]])], DATA))
    height, width = cell.shape[:2]
    corners = [cell[y, x].tolist() for y in (9, height - 9) for x in (9, width - 9)]
    assert corners == [*map(list, DATA.palette), PAPER]


def test_an_overlay_lets_the_image_through():
    image, mask = torch.ones(1, 4, 4), torch.zeros(4, 4, dtype=torch.long)
    # ¾·255 + ¼·palette.
    assert colours(inside(show.overlay(image, mask, DATA, opacity=0.25))) == {(226, 240, 253)}
    assert colours(inside(show.overlay(image, mask + 255, DATA, opacity=1))) == {(255, 255, 255)}


def test_an_overlay_of_some_classes_leaves_the_others_clear():
    image, mask = torch.ones(1, 4, 4), torch.zeros(4, 4, dtype=torch.long)
    mask[2:] = 1
    whole, road = (
        show.overlay(image, mask, DATA, 1),
        show.overlay(image, mask, DATA, 1, classes=[DATA.classes[1]]),
    )
    assert colours(inside(road)) == {(255, 255, 255), tuple(DATA.palette[1])}
    assert colours(inside(show.overlay(image, mask, DATA, 1, classes=[0, 1]))) == colours(inside(whole))
    assert road.pixels.shape == whole.pixels.shape
    assert road.alt == f"An image with {DATA.classes[1].replace('_', ' ')} laid over it."
    assert show.overlay(image, mask, DATA, classes=[]).alt == "An image with nothing laid over it."


def test_errors_mark_what_is_wrong_and_leave_void_blank():
    mask = torch.tensor([[0, 1], [255, 1]])
    picture = show.errors(torch.zeros(1, 2, 2), torch.tensor([[0, 0], [0, 1]]), mask, DATA)
    cell = inside(picture)
    height, width = cell.shape[:2]
    corners = [tuple(cell[y, x].tolist()) for y in (9, height - 9) for x in (9, width - 9)]
    error = tuple(int(style.ERROR[i : i + 2], 16) for i in (1, 3, 5))
    assert corners[1] == error
    assert corners[2] == tuple(PAPER)
    assert corners[0] == corners[3] == (170, 170, 170)
    assert "33.3 %" in picture.alt
    assert "tall building taken for sky (100 % of them)" in picture.alt


def contrast(a, b):
    def luminance(colour):
        parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return linear @ (0.2126, 0.7152, 0.0722)

    light, dark = sorted([luminance(a), luminance(b)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_and_lines_stand_out_from_the_paper():
    assert contrast(style.INK, style.PAPER) > 12
    assert contrast(style.SOFT, style.PAPER) > 4.5
    assert all(contrast(colour, style.PAPER) >= 3 for colour in [*show.COLOURS.values(), style.ERROR])


# Machado, Oliveira and Fernandes (2009), severity 1: linear RGB as protanopes, deuteranopes and tritanopes see it.
BLIND = {
    "none": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def lab(colour, eyes="none"):
    """L*, a*, b* of #rrggbb, in which distances are about as large as they look."""
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    linear = (np.array(BLIND[eyes]) @ linear).clip(0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.cbrt(np.array(to_xyz) @ linear / (0.9505, 1, 1.089))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("eyes", BLIND)
def test_lines_differ_to_all_eyes(eyes):
    seen = [lab(colour, eyes) for colour in show.COLOURS.values()]
    apart = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
    assert min(apart) > 18


# --- the words ---------------------------------------------------------------------------------------------------


def test_default_alt_texts_say_what_is_there():
    assert show.pair(IMAGE, MASK, DATA).alt == (
        "An image and its mask: sky 33 %, tall building 33 %, pole 25 %, void 8 %."
    )
    assert show.compare({"before": IMAGE, "edge": torch.tensor([[0.0, 2.0]])}).alt == (
        "Before: a colour image of 3×4 pixels; edge: a map from 0 to 2."
    )
    assert ALL["confusion"]().alt == (
        "Confusion matrix, percent of each true class. Best: sky, 80 % found; worst: tall building, 50 % found, "
        "50 % called sky; absent: pole."
    )
    assert show.history(RUN).alt == (
        "Running mean of the loss over 4 steps, from 4 to 1, validation mean IoU 0.50 at the end."
    )
    assert show.history(RUN, lr=True).alt.endswith(
        "0.50 at the end, learning rate at most 0.4 and 0.1 at the end."
    )


def test_a_share_below_half_a_percent_is_not_called_nothing():
    mask = torch.zeros(100, 100, dtype=torch.long)
    mask[0, 0] = 2
    assert show.pair(noise(1, 100, 100), mask, DATA).alt.endswith("sky 100 %, pole under 1 %.")


def test_the_legend_names_the_classes_present_and_no_others():
    words = {text.get_text() for text in show.pair(IMAGE, MASK.clamp(max=1), DATA).figure.findobj(Text)} - {
        ""
    }
    assert words == {"sky", "tall building"}


def test_confusion_numbers_are_shares_of_the_true_class():
    cm = ConfusionMatrix(3)
    cm.update(torch.tensor([0, 0, 0, 1]), torch.tensor([0, 0, 0, 0]))
    words = [text.get_text() for text in show.confusion(cm, DATA).figure.findobj(Text) if text.get_text()]
    assert words.count("75") == words.count("25") == 1
    assert words.count("absent") == 2


# --- feature maps, history, canvas -------------------------------------------------------------------------------


def test_the_strongest_channels_come_first():
    maps = torch.zeros(1, 4, 6, 6)
    maps[0, 2, :3], maps[0, 0, 0], maps[0, 3] = 1, 0.5, 7.0  # a constant channel is not strong
    picture = show.feature_maps({"down.1": maps}, channels=2)
    assert picture.alt.endswith("down.1, 4 × 6 × 6, channels 2, 0.")
    assert "down.1: 4 × 6 × 6" in {text.get_text() for text in picture.figure.findobj(Text)}
    assert len(picture.figure.axes) == 2


def test_more_than_four_channels_go_on_below():
    axes = show.feature_maps(noise(1, 9, 5, 5), channels=6).figure.axes
    rows = {round(a.get_position().y0, 3) for a in axes}
    assert (len(axes), len(rows)) == (6, 2)


def test_a_feature_map_runs_from_dark_to_bright():
    cell = inside(show.feature_maps(torch.linspace(0, 1, 64).view(1, 1, 1, 64).expand(1, 1, 32, 64)))
    light = cell[cell.shape[0] // 2].astype(int).sum(-1)
    assert light[2] < 60
    assert light[-2] > 550
    assert (np.diff(light[::8]) >= -12).all()


def test_the_running_mean_by_hand():
    assert _running_mean(np.array([4.0, 2.0, 3.0, 1.0]), 2).tolist() == [4, 3, 2.5, 2]
    assert _running_mean(np.array([4.0, 2.0]), 9).tolist() == [4, 3]


def test_history_draws_what_there_is():
    def rows(run, **options):
        return [axes.get_ylabel() for axes in show.history(run, **options).figure.axes]

    silent = SimpleNamespace(step=[1, 2], loss=[1.0, 0.5], lr=[1.0, 0.5], val=[])
    assert rows(silent) == ["loss"]
    assert rows(RUN) == ["loss", "mean IoU"]
    assert rows(RUN, lr=True) == ["loss", "mean IoU", "learning rate"]
    drawn = show.history(RUN).figure.axes[1].lines[0]
    assert drawn.get_xydata().tolist() == [[2, 0.3], [4, 0.5]]


def test_runs_are_told_apart_by_more_than_colour():
    lines = [
        line
        for line in show.history({"a": RUN, "b": RUN}).figure.axes[0].lines
        if line.get_label() in ("a", "b")
    ]
    assert lines[0].get_color() != lines[1].get_color()
    assert lines[0].get_linestyle() != lines[1].get_linestyle()


def test_a_figure_of_ones_own_is_closed_and_made_to_fit():
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(10, 4))
    axes.set_title("tiny", fontsize=6)
    picture = show.picture(figure, "one empty axes")
    assert figure.number not in plt.get_fignums()
    assert picture.figure is figure
    assert tuple(figure.get_size_inches()) == (5, 2)
    assert axes.title.get_fontsize() == style.FONT


def test_canvas_gives_one_axes_or_a_grid():
    assert show.canvas()[1].get_ylabel() == ""
    figure, axes = show.canvas(2, 3, width=4, height=3, sharex=True)
    assert axes.shape == (2, 3)
    assert tuple(figure.get_size_inches()) == (4, 3)


# --- what goes in ------------------------------------------------------------------------------------------------


def test_the_same_picture_from_torch_numpy_and_bytes():
    exact = (IMAGE * 255).round() / 255
    a = show.compare([exact.requires_grad_(), MASK.int()], DATA).png
    b = show.compare([exact.detach().numpy().astype(np.float64), MASK.numpy().astype(np.uint8)], DATA).png
    c = show.compare([(exact.detach() * 255).round().to(torch.uint8), MASK], DATA).png
    assert a == b == c


def test_half_precision_maps_are_drawn():
    show.compare([noise(4, 4).to(torch.bfloat16), noise(4, 4).half()])


def test_maps_without_a_range_or_with_holes_are_drawn():
    holes = torch.tensor([[0.0, float("nan")], [1.0, float("inf")]])
    assert tuple(PAPER) in colours(inside(show.compare([holes])))
    show.compare([torch.zeros(3, 3)])
    show.compare([torch.full((2, 2), float("nan"))], alt="nothing but holes")


def test_one_scale_for_all_maps_if_asked():
    low, high = torch.zeros(2, 2), torch.ones(2, 2)
    figure = show.compare([low, high], vmin=0, vmax=1).figure
    first, second = (axes.images[0].get_array() for axes in figure.axes[:2])
    assert first.sum() < 20 < 500 < second[0, 0].sum()
    assert {"0", "1"} <= {text.get_text() for text in figure.findobj(Text)}


def test_numbers_are_written_into_their_pixels():
    axes = show.compare([torch.tensor([[1.5, 2.0], [-0.25, 0.333]])], numbers=True).figure.axes[0]
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written == {(0, 0): "1.5", (1, 0): "2", (0, 1): "-.25", (1, 1): ".33"}


def test_long_names_of_layers_do_not_run_into_each_other():
    name = "backbone.layer4.2.bottleneck"
    figure = show.compare([noise(4, 4)] * 4, captions=[name] * 4).figure
    words = drawn_words(figure)
    assert len(words) >= 12
    assert not any(
        box.overlaps(other) for i, box in enumerate(words) for other in words[:i] if box.x0 != other.x0
    )


BAD = {
    "batch of images": (lambda: show.pair(IMAGE[None], MASK, DATA), r"1×3×3×4; expected one image C×H×W"),
    "channels last": (lambda: show.pair(noise(5, 6, 3), MASK, DATA), "5×6×3; expected one image C×H×W"),
    "normalised image": (lambda: show.pair(IMAGE * 4 - 2, MASK, DATA), "normalised"),
    "nan in an image": (lambda: show.pair(IMAGE * float("nan"), MASK, DATA), "expected 0..1"),
    "float mask": (lambda: show.pair(IMAGE, MASK.float(), DATA), "H×W integers"),
    "mask with a channel": (lambda: show.pair(IMAGE, MASK[None], DATA), "H×W integers"),
    "unknown class": (lambda: show.pair(IMAGE, MASK + 1, DATA), r"\[3, 256\]; expected 0..2 or 255"),
    "sizes differ": (lambda: show.overlay(IMAGE, MASK[:2], DATA), "3×4 but the mask is 2×4"),
    "prediction cropped": (lambda: show.errors(IMAGE, MASK[:, :2], MASK, DATA), "crop"),
    "scores": (lambda: show.errors(IMAGE, torch.rand(3, 3, 4), MASK, DATA), "argmax"),
    "opacity": (lambda: show.overlay(IMAGE, MASK, DATA, opacity=50), "opacity=50"),
    "no such class": (lambda: show.overlay(IMAGE, MASK, DATA, classes=["moon"]), "no class 'moon'"),
    "matrix size": (lambda: show.confusion(torch.ones(2, 2), DATA), "2×2; expected 3×3"),
    "maps without a batch": (lambda: show.feature_maps({"low": torch.ones(3, 4, 4)}), "low are 3×4×4; expected N×C×h×w"),
    "no palette": (lambda: show.compare([MASK]), "give data="),
    "captions": (lambda: show.compare([IMAGE], captions=["a", "b"]), "2 captions for 1"),
    "nothing": (lambda: show.compare([]), "at least one"),
    "one end": (lambda: show.compare([noise(2, 2)], vmin=0), "vmin and vmax"),
    "numbers too small": (lambda: show.compare([noise(40, 40)], numbers=True), "40×40 map do not fit"),
    "columns": (lambda: show.compare([IMAGE] * 6, columns=6), "phone"),
    "no step": (lambda: show.history(SimpleNamespace(step=[], loss=[], lr=[], val=[])), "at least one step"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_its_cure(name):
    call, words = BAD[name]
    with pytest.raises(ValueError, match=words):
        call()


def test_something_else_than_a_tensor_is_a_type_error():
    with pytest.raises(TypeError, match="picture 0 must be a torch tensor"):
        show.compare([[[1, 2], [3, 4]]], DATA)


# --- in a notebook -----------------------------------------------------------------------------------------------


def test_a_cell_shows_its_picture_once_with_alt_text_in_the_metadata():
    import nbformat
    from nbclient import NotebookClient

    cells = [
        "%matplotlib inline\nimport matplotlib.pyplot as plt, torch\nfrom segnb import show",
        "show.compare([torch.eye(3)], alt='a bright diagonal')",
        "figure, axes = plt.subplots()\naxes.plot([1, 2])\nshow.picture(figure, 'a rising line')",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    for cell, alt in zip(notebook.cells[1:], ("a bright diagonal", "a rising line")):
        (output,) = cell.outputs
        assert output.metadata["image/png"]["alt"] == alt
        assert output.data["text/plain"] == f"{alt}."


def test_a_caption_too_wide_for_its_picture_is_cut_at_a_hyphen_an_underscore_or_a_dot():
    width = sheet.text_width("cross-entro")
    assert sheet.wrapped("cross-entropy", width) == ["cross-", "entropy"]
    assert sheet.wrapped("image_pooling", width) == ["image_", "pooling"]
    assert sheet.wrapped("branches.deep", width) == ["branches.", "deep"]
