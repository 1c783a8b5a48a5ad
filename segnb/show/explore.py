"""Look around by hand: inside a network, stage by stage (`explore`), or through a mask, class by class (`explore_mask`)."""

from .figures import Picture, compare, overlay, strongest
from .pixels import class_map, class_name, percent
from .style import quick_png, render


def explore(model, image, layers=None) -> "Explorer":
    """Choose a stage and a channel of `model` and see its feature map beside `image` (C×H×W). → `Explorer`

    `layers`: names as in ``model.named_modules()``, default ``model.stages``. The image must have a size the model takes.
    A running notebook shows two controls and one picture. The same output also holds a still picture with alt text,
    the image and the strongest channel of every stage: that is what a page without a kernel shows, once the mime type
    ``application/vnd.jupyter.widget-view+json`` has been taken out of the stored output (`make execute` does).
    """
    from ..features import features

    if image.ndim != 3:
        shape = "×".join(map(str, image.shape))
        raise ValueError(f"image is {shape}; expected one image C×H×W, without a batch axis")
    maps = features(model, image[None], layers)
    flat = [name for name, stage in maps.items() if stage.ndim != 4]
    if flat:
        raise ValueError(f"{', '.join(flat)} gives no maps (N×C×h×w) to look at: leave it out of layers=")
    return Explorer(image, {name: stage[0] for name, stage in maps.items()})


def explore_mask(image, mask, data, opacity=0.6) -> "MaskExplorer":
    """Lay a mask (H×W) over its image (C×H×W), as thick as you like, classes on and off. → `MaskExplorer`

    A running notebook shows a slider, a box for each class and one picture; a page without a kernel the still picture
    with all classes. `data` gives names and colours.
    """
    return MaskExplorer(image, mask, data, opacity)


class _Explorer:
    """What both explorers are for a notebook: a widget, and a still picture for pages without a kernel."""

    _widget = None

    @property
    def alt(self):
        return self.still.alt

    @property
    def widget(self):
        """The ipywidgets view: the controls, one picture, one line of words."""
        if self._widget is None:
            self._widget = self._build()
        return self._widget

    def _repr_mimebundle_(self, include=None, exclude=None):
        data, metadata = self.still._repr_mimebundle_()
        data["application/vnd.jupyter.widget-view+json"] = {
            "version_major": 2,
            "version_minor": 0,
            "model_id": self.widget.model_id,
        }
        return data | {"text/plain": f"{self.still.said} {self.controls}"}, metadata


def _frame():
    """Where a widget shows its picture, and where its words."""
    import ipywidgets as widgets

    return widgets.Image(format="png", layout=widgets.Layout(max_width="100%", width="520px")), widgets.HTML()


class Explorer(_Explorer):
    """What `explore` returns. `maps` is layer → C×h×w, `still` the picture for pages without a kernel."""

    controls = "Run the cell, and choose the stage and the channel by hand."

    def __init__(self, image, maps):
        self.image, self.maps = image, maps
        self.best = {name: strongest(stage, 1)[0] for name, stage in maps.items()}
        self.still = self._still()

    def view(self, layer, channel) -> Picture:
        """The image beside one channel of one layer, as a `Picture`."""
        chosen = self.maps[layer][channel]
        return compare(
            [self.image, chosen],
            captions=["image", f"{layer}, channel\u00a0{channel}"],
            alt=f"The image beside channel {channel} of {layer}: {self.describe(layer, channel)}.",
        )

    def describe(self, layer, channel) -> str:
        """The numbers of one channel in words."""
        chosen = self.maps[layer][channel]
        low, high, mean = chosen.min().item(), chosen.max().item(), chosen.mean().item()
        size = " × ".join(map(str, chosen.shape))
        return f"{size} values, min {low:.3g}, max {high:.3g}, mean {mean:.3g}, {_zeros(chosen)} % zero"

    def _build(self):
        import ipywidgets as widgets

        first = next(iter(self.maps))
        stage = widgets.Dropdown(options=list(self.maps), value=first, description="stage")
        channel = widgets.IntSlider(
            value=self.best[first], min=0, max=len(self.maps[first]) - 1, description="channel"
        )
        frame, words = _frame()

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
        text = "The image, and of each stage the channel that varies most"
        still = compare({"image": self.image, **chosen}, alt=f"{text}: {sizes}.")
        # Which channel that is may differ by machine.
        stages = "; ".join(f"{name} ({' × '.join(map(str, x.shape[1:]))})" for name, x in self.maps.items())
        still.said = f"{text}: {stages}."
        return still


class MaskExplorer(_Explorer):
    """What `explore_mask` returns. `classes` are the numbers of the classes that the mask holds."""

    controls = "Run the cell, and choose the opacity and the classes by hand."

    def __init__(self, image, mask, data, opacity):
        self.image, self.mask, self.data, self.opacity = image, mask, data, opacity
        present = {int(number) for number in class_map(mask, data).flat}
        self.classes = sorted(present - {data.ignore_index})
        self.still = overlay(image, mask, data, opacity)

    def view(self, opacity, classes) -> Picture:
        """The image with some classes of the mask laid over it, as a `Picture`."""
        return overlay(self.image, self.mask, self.data, opacity, classes=classes)

    def describe(self, classes) -> str:
        """How much of the picture the chosen classes cover."""
        names = [class_name(number, self.data) for number in classes]
        covered = sum((self.mask == number).sum().item() for number in classes) / self.mask.numel()
        return f"{', '.join(names) or 'nothing'}: {percent(covered)} of the picture"

    def _build(self):
        import ipywidgets as widgets

        opacity = widgets.FloatSlider(
            value=self.opacity, min=0, max=1, step=0.05, description="opacity", continuous_update=False
        )
        fit = widgets.Layout(width="auto")
        boxes = [
            widgets.Checkbox(value=True, description=class_name(number, self.data), indent=False, layout=fit)
            for number in self.classes
        ]
        flip = widgets.Button(description="all or none", layout=fit)
        frame, words = _frame()

        def show(_):
            chosen = [number for number, box in zip(self.classes, boxes) if box.value]
            frame.value = quick_png(render(self.view(opacity.value, chosen).figure))
            words.value = self.describe(chosen)

        def turn(_):
            wanted = not all(box.value for box in boxes)
            for box in boxes:
                box.unobserve(show, names="value")  # one drawing, not one for each box
                box.value = wanted
                box.observe(show, names="value")
            show(None)

        for control in (opacity, *boxes):
            control.observe(show, names="value")
        flip.on_click(turn)
        show(None)
        wrap = widgets.Layout(flex_flow="row wrap")
        return widgets.VBox(
            [widgets.HBox([opacity, flip], layout=wrap), widgets.HBox(boxes, layout=wrap), frame, words]
        )


def _zeros(chosen):
    return f"{100 * (chosen == 0).float().mean().item():.0f}"
