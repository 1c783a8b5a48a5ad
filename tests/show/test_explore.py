"""The explorer: two controls and one picture while a kernel runs, a still picture with alt text for everybody else."""

import io

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
    assert Image.open(io.BytesIO(frame.value)).size[0] == 750


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


def test_only_widgets_that_ipywidgets_7_has(explorer):
    def walk(widget):
        yield type(widget)
        for child in getattr(widget, "children", ()):
            yield from walk(child)

    allowed = {
        getattr(ipywidgets, name) for name in ("Dropdown", "IntSlider", "Image", "HBox", "VBox", "HTML")
    }
    assert set(walk(explorer.widget)) <= allowed


def test_the_output_holds_the_widget_and_a_still_picture(explorer):
    data, metadata = explorer._repr_mimebundle_()
    assert data[WIDGET]["model_id"] == explorer.widget.model_id
    assert {"image/png", "text/plain"} < set(data)
    assert metadata["image/png"]["alt"] == explorer.alt == explorer.still.alt
    assert explorer.alt == (
        "The image, and of each stage the channel that varies most: wide, channel\u00a02 (8 × 8); small, channel\u00a01 (4 × 4)."
    )
    assert len(explorer.still.figure.axes) == 3


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
