"""A network as one picture: a box for every stage, and a mark for everything that happens between them."""

from functools import cached_property

from .figures import Picture


class Blueprint(Picture):
    """The drawing of a network: in the page's own colours where HTML is shown, a `Picture` on white elsewhere.

    `nodes`: name → what stands in its box and where it comes from (`segnb.show.wiring.Node`). `html`: both layouts, the
    upright one for narrow columns, and the PNG for pages that drop drawings.
    """

    def __init__(self, nodes, here, alt):
        self.nodes, self.here, self.alt, self.said = nodes, here, alt, alt

    @cached_property
    def figure(self):
        from . import ink, plan

        return ink.figure(plan.draw(self.nodes, plan.NARROW, self.here))

    @cached_property
    def html(self) -> str:
        from base64 import b64encode
        from html import escape

        from . import ink, plan

        drawings = "\n".join(
            ink.svg(plan.draw(self.nodes, grid, self.here), self.alt, kind)
            for kind, grid in (("wide", plan.WIDE), ("narrow", plan.NARROW))
        )
        source = f"data:image/png;base64,{b64encode(self.png).decode()}"
        still = f'<img alt="{escape(self.alt)}" width="520" src="{source}">'
        # Where styles and drawings are dropped, the sentence is what is left.
        told = f"<figcaption>{escape(self.alt)}</figcaption>"
        style = f"<style>{ink.style_sheet()}</style>"
        return f'<figure class="ep-blueprint">{style}\n{drawings}\n{still}{told}</figure>'

    def small(self, label) -> str:
        """A thumbnail without words, as SVG; `label` says what it is to readers who do not see it."""
        from . import ink, plan

        return ink.svg(plan.draw(self.nodes, plan.SMALL), label, "small")

    def over(self, maps, here) -> Picture:
        """`maps`, a `Picture` such as `feature_maps` makes, below a small map of the network that marks the stages `here`.

        → `Picture`. ``ValueError`` for a stage that is not drawn.
        """
        from matplotlib.figure import Figure

        from . import ink, plan, style

        here = _drawn(here, self.nodes)
        sheet = plan.draw(self.nodes, plan.SMALL, here)
        wide, tall = maps.figure.get_size_inches()
        above = 1.9 * sheet.height / sheet.width
        figure = Figure(figsize=(wide, tall + above), facecolor=style.PAPER)
        ink.lay(sheet, figure, (0.02, tall / (tall + above), 1.9 / wide, above / (tall + above)))
        axes = figure.add_axes((0, 0, 1, tall / (tall + above)))
        axes.imshow(style.render(maps.figure), aspect="auto", interpolation="none")
        axes.axis("off")
        words = "\n".join(("you are here:", *here))
        middle = (tall + above / 2) / (tall + above)
        font = {"fontsize": style.FONT, "family": "DejaVu Sans", "color": style.INK}
        figure.text(2.2 / wide, middle, words, va="center", **font)
        return Marked(figure, maps)

    def _repr_mimebundle_(self, include=None, exclude=None):
        data, about = super()._repr_mimebundle_()
        return {"text/html": self.html, **data}, about


class Marked(Picture):
    """Maps below a small drawing of the network they are from."""

    def __init__(self, figure, maps):
        super().__init__(figure, f"{maps.alt.removesuffix('.')}; marked in a small drawing of the network.")
        self.maps = maps

    @property
    def svg(self) -> str:
        from . import vector

        _ = self.png, self.maps.png  # whose drawing has laid the figures out
        return vector.svg(self.figure, below=self.maps.figure)


def blueprint(model, size, *, stages=None, here=None, alt=None) -> Blueprint:
    """Draw `model` for a square image of `size` pixels: down on the left, up on the right. → `Blueprint`

    Beside each box stand the stage's name, its channels and its side; the box is taller for a larger map and wider for more
    channels. Marks say what happens on the way, and a legend what they mean. Only shapes are computed, of the very model
    that is given. What is no network of this kind becomes a chain of its stages.

    `stages`: names as in `named_modules()`, default `model.stages`. `here`: the name of a stage, or several, to mark as the
    place that is looked at. ``KeyError`` for an unknown stage, ``ValueError`` for one that is not drawn and for a size
    that the network refuses.
    """
    from .wiring import wiring

    nodes = wiring(model, size, stages)
    here = _drawn(here or (), nodes)
    return Blueprint(nodes, here, alt or _words(model, size, nodes, here))


def _drawn(here, nodes):
    """One name or several as a tuple, all of them on the drawing."""
    here = (here,) if isinstance(here, str) else tuple(here)
    if unknown := [name for name in here if name not in nodes]:
        raise ValueError(f"here={unknown[0]!r} is not drawn; there are {', '.join(nodes)}")
    return here


def _words(model, size, nodes, here):
    """The default alt text: every map in its order, and what crosses over."""
    from .plan import order

    left, turn, right, middle, beside, _ = order(nodes)
    text = f"{type(model).__name__} for an image of {size}×{size} pixels. Down: {_maps(nodes, [*left, *filter(None, [turn])])}."
    if beside:
        text += f" Side by side, then joined: {_maps(nodes, beside)}."
    if right:
        text += f" Up: {_maps(nodes, right)}."
    across = [
        f"{_maps(nodes, [start])} to {end} ({_kind(nodes[end], ops)})"
        for end in right
        for start, ops in nodes[end].sources.items()
        if start in (*left, *middle) and not (beside and end == right[0])
    ]
    if across:
        text += f" Across: {', '.join(across)}."
    return text + (f" You are here: {', '.join(here)}." if here else "")


def _maps(nodes, names):
    shapes = ((name, nodes[name].channels, nodes[name].side) for name in names)
    return ", ".join(
        f"{name} {channels}" + (f"×{side}×{side}" if side else "") for name, channels, side in shapes
    )


def _kind(node, ops):
    """What a way across carries."""
    kinds = {op.kind for op in ops}
    cropped = "cropped, " * ("crop" in kinds)
    return cropped + ("added" if node.is_sum else "places of maxima" if "index" in kinds else "copied")
