"""The explorer: two controls and one picture while a kernel runs, a still picture with alt text for everybody else."""

import io
from types import SimpleNamespace

import ipywidgets
import pytest
import torch
from PIL import Image

from segnb import show

WIDGET = "application/vnd.jupyter.widget-view+json"


class Steps(torch.nn.Module):
    """Two stages whose strongest channels are known: 2 of 3 and 1 of 2."""

    stages = ("wide", "small")

    def __init__(self):
        super().__init__()
        self.wide, self.small = (
            torch.nn.Conv2d(1, 3, 1, bias=False),
            torch.nn.Conv2d(3, 2, 1, stride=2, bias=False),
        )
        with torch.no_grad():
            self.wide.weight.copy_(torch.tensor([0.1, 0.0, 2.0]).view(3, 1, 1, 1))
            self.small.weight.copy_(torch.tensor([[0.0, 0, 0], [0, 0, 1]]).view(2, 3, 1, 1))

    def forward(self, x):
        return self.small(self.wide(x))


@pytest.fixture
def explorer():
    return show.explore(Steps(), torch.linspace(0, 1, 64).view(1, 8, 8))


def parts(explorer):
    controls, frame, words = explorer.widget.children
    stage, channel = controls.children
    return stage, channel, frame, words


def test_it_starts_at_the_strongest_channel_of_the_first_stage(explorer):
    stage, channel, frame, words = parts(explorer)
    assert (stage.value, channel.value, channel.max) == ("wide", 2, 2)
    assert list(stage.options) == ["wide", "small"]
    assert words.value == "8 × 8 values, min 0, max 2, mean 1, 2 % zero"
    assert Image.open(io.BytesIO(frame.value)).size[0] == round(show.style.WIDTH * show.style.DPI)


def test_choosing_replaces_the_one_picture(explorer):
    stage, channel, frame, words = parts(explorer)
    seen = {frame.value}
    channel.value = 1
    assert words.value == "8 × 8 values, min 0, max 0, mean 0, 100 % zero"
    seen.add(frame.value)
    stage.value = "small"
    assert (channel.max, channel.value) == (1, 1)  # its own strongest channel, and none that it has not
    assert words.value.startswith("4 × 4 values, min 0, max 1.71")
    seen.add(frame.value)
    stage.value = "wide"
    assert (channel.max, channel.value) == (2, 2)
    assert len(seen) == 3


@pytest.mark.parametrize("which", ["explorer", "mask_explorer"])
def test_only_widgets_that_ipywidgets_7_has(which, request):
    def walk(widget):
        yield type(widget)
        for child in getattr(widget, "children", ()):
            yield from walk(child)

    allowed = ["Dropdown", "IntSlider", "FloatSlider", "Checkbox", "Button", "Image", "HBox", "VBox", "HTML"]
    found = set(walk(request.getfixturevalue(which).widget))
    assert found <= {getattr(ipywidgets, name) for name in allowed}


def test_the_output_holds_the_widget_and_a_still_picture(explorer):
    data, metadata = explorer._repr_mimebundle_()
    assert data[WIDGET]["model_id"] == explorer.widget.model_id
    assert {"image/png", "text/plain"} < set(data)
    assert metadata["image/png"]["alt"] == explorer.alt == explorer.still.alt
    assert explorer.alt == (
        "The image, and of each stage the channel that varies most: wide, channel\u00a02 (8 × 8); small, channel\u00a01 (4 × 4)."
    )
    assert len(explorer.still.figure.axes) == 3


def test_the_plain_text_names_the_stages_and_what_there_is_to_do(explorer, mask_explorer):
    assert explorer._repr_mimebundle_()[0]["text/plain"] == (
        "The image, and of each stage the channel that varies most: wide (8 × 8); small (4 × 4). "
        "Run the cell, and choose the stage and the channel by hand."
    )
    assert mask_explorer._repr_mimebundle_()[0]["text/plain"] == (
        "An image with its mask laid over it. Run the cell, and choose the opacity and the classes by hand."
    )


def test_layers_are_chosen_by_name():
    image = torch.rand(1, 8, 8)
    assert list(show.explore(Steps(), image, layers=["small"]).maps) == ["small"]
    with pytest.raises(KeyError, match="wide"):
        show.explore(Steps(), image, layers=["wider"])


def test_a_batch_is_refused():
    with pytest.raises(ValueError, match="1×1×8×8; expected one image C×H×W"):
        show.explore(Steps(), torch.rand(1, 1, 8, 8))


def test_layers_without_maps_are_refused():
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.Flatten())
    with pytest.raises(ValueError, match="1 gives no maps"):
        show.explore(model, torch.rand(1, 8, 8), layers=["0", "1"])


STREET = SimpleNamespace(
    classes=("sky", "road", "car"), palette=((10, 20, 200), (60, 60, 60), (200, 0, 0)), ignore_index=255
)


@pytest.fixture
def mask_explorer():
    """Sky above road, one pixel of void, no car."""
    mask = torch.tensor([[0, 0, 255], [1, 1, 1]])
    return show.explore_mask(torch.ones(3, 2, 3), mask, STREET)


def test_a_mask_is_shown_class_by_class(mask_explorer):
    top, row, frame, words = mask_explorer.widget.children
    opacity, flip = top.children
    assert [box.description for box in row.children] == ["sky", "road"]  # neither void nor the absent car
    assert (opacity.value, words.value) == (0.6, "sky, road: 83 % of the picture")
    seen = {frame.value}
    row.children[0].value = False
    assert words.value == "road: 50 % of the picture"
    seen.add(frame.value)
    opacity.value = 1
    seen.add(frame.value)
    assert len(seen) == 3
    flip.click()
    assert words.value == "sky, road: 83 % of the picture"
    flip.click()
    assert words.value == "nothing: 0 % of the picture"
    assert [box.value for box in row.children] == [False, False]


def test_the_picture_keeps_its_size_when_classes_go(mask_explorer):
    sizes = {mask_explorer.view(0.5, classes).pixels.shape for classes in ([], [0], [0, 1])}
    assert len(sizes) == 1


def test_a_mask_explorer_has_a_still_picture_with_all_classes(mask_explorer):
    data, metadata = mask_explorer._repr_mimebundle_()
    assert data[WIDGET]["model_id"] == mask_explorer.widget.model_id
    assert metadata["image/png"]["alt"] == mask_explorer.alt
    assert mask_explorer.alt == "An image with its mask laid over it: road 50 %, sky 33 %, void 17 %."


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(ValueError, match="the image is 2×3 but the mask is 2×2"):
        show.explore_mask(torch.ones(3, 2, 3), torch.zeros(2, 2, dtype=torch.long), STREET)
