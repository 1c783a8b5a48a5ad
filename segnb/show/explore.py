"""Look around inside a network by hand: choose a stage and a channel, see the map beside the image."""

from .figures import compare, strongest
from .style import quick_png, render


def explore(model, image, layers=None):
    """Choose a stage and a channel of `model` and see its feature map beside `image` (C×H×W). → `Explorer`

    `layers`: names as in ``model.named_modules()``, default ``model.stages``. The image must have a size the model takes.
    A running notebook shows two controls and one picture. The same output also holds a still picture with alt text,
    the image and the strongest channel of every stage: that is what a page without a kernel shows, once the mime type
    ``application/vnd.jupyter.widget-view+json`` has been taken out of the stored output (`make execute` does).
    """
    from ..feature_maps import features

    if image.ndim != 3:
        shape = "×".join(map(str, image.shape))
        raise ValueError(f"image is {shape}; expected one image C×H×W, without a batch axis")
    maps = features(model, image[None], layers)
    flat = [name for name, stage in maps.items() if stage.ndim != 4]
    if flat:
        raise ValueError(f"{', '.join(flat)} gives no maps (N×C×h×w) to look at: leave it out of layers=")
    return Explorer(image, {name: stage[0] for name, stage in maps.items()})


class Explorer:
    """What `explore` returns. `maps` is layer → C×h×w, `still` the picture for pages without a kernel."""

    def __init__(self, image, maps):
        self.image, self.maps = image, maps
        self.best = {name: strongest(stage, 1)[0] for name, stage in maps.items()}
        self.still = self._still()
        self.alt = self.still.alt
        self._widget = None

    def view(self, layer, channel):
        """The image beside one channel of one layer, as a `Picture`."""
        chosen = self.maps[layer][channel]
        return compare(
            [self.image, chosen],
            captions=["image", f"{layer}, channel\u00a0{channel}"],
            alt=f"The image beside channel {channel} of {layer}: {self.describe(layer, channel)}.",
        )

    def describe(self, layer, channel):
        """The numbers of one channel in words."""
        chosen = self.maps[layer][channel]
        low, high, mean = chosen.min().item(), chosen.max().item(), chosen.mean().item()
        size = " × ".join(map(str, chosen.shape))
        return f"{size} values, min {low:.3g}, max {high:.3g}, mean {mean:.3g}, {_zeros(chosen)} % zero"

    @property
    def widget(self):
        """The ipywidgets view: a dropdown for the stage, a slider for the channel, one picture, one line of numbers."""
        if self._widget is None:
            self._widget = self._build()
        return self._widget

    def _build(self):
        import ipywidgets as widgets

        first = next(iter(self.maps))
        stage = widgets.Dropdown(options=list(self.maps), value=first, description="stage")
        channel = widgets.IntSlider(
            value=self.best[first], min=0, max=len(self.maps[first]) - 1, description="channel"
        )
        frame = widgets.Image(format="png", layout=widgets.Layout(max_width="100%", width="520px"))
        words = widgets.HTML()

        def show(_):
            frame.value = quick_png(render(self.view(stage.value, channel.value).figure))
            words.value = self.describe(stage.value, channel.value)

        def turn(_):
            channel.unobserve(show, names="value")  # one drawing, of a channel that the new stage has
            channel.max = len(self.maps[stage.value]) - 1
            channel.value = self.best[stage.value]
            channel.observe(show, names="value")
            show(None)

        stage.observe(turn, names="value")
        channel.observe(show, names="value")
        show(None)
        return widgets.VBox(
            [widgets.HBox([stage, channel], layout=widgets.Layout(flex_flow="row wrap")), frame, words]
        )

    def _still(self):
        chosen = {f"{name}, channel\u00a0{best}": self.maps[name][best] for name, best in self.best.items()}
        sizes = "; ".join(f"{caption} ({' × '.join(map(str, x.shape))})" for caption, x in chosen.items())
        text = f"The image, and of each stage the channel that varies most: {sizes}."
        return compare({"image": self.image, **chosen}, alt=text)

    def _repr_mimebundle_(self, include=None, exclude=None):
        data, metadata = self.still._repr_mimebundle_()
        data["application/vnd.jupyter.widget-view+json"] = {
            "version_major": 2,
            "version_minor": 0,
            "model_id": self.widget.model_id,
        }
        return data | {"text/plain": "<Explorer>"}, metadata


def _zeros(chosen):
    return f"{100 * (chosen == 0).float().mean().item():.0f}"
