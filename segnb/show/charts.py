"""What chapters draw of numbers again and again: dots of runs, bars of classes, curves with their spread.

Each is one call that returns a `Picture`. ``alt=`` has no default: only whoever asks the question knows what there is to see.
"""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np

from . import style
from .figures import Picture, canvas, picture

ROW = 0.34  # inches of a row of dots or a bar
MARKERS = "os^Dv"


def dots(
    runs: Mapping,
    measures: str | Sequence[str] | None = None,
    *,
    alt: str,
    label: str | Sequence[str] | None = None,
    xlim: tuple[float, float] | None = None,
    groups: Sequence[str] | None = None,
) -> Picture:
    """A row for each name, a dot for each of its runs, a short line at their mean.

    Args:
        runs: name → the values of its runs; or, with `measures`, name → measure → values, as studies store them.
        measures: one of them, or several, side by side.
        label: what the axis shows, one for each measure; None: the measures' names.
        xlim: both ends of every axis; None: they fit the values.
        groups: a name for each row; rows of one group share a colour. None: all do.
    Raises: ValueError: no row, a row without a value, labels or groups of another number.
    """
    if measures is None:
        panels = [dict(runs)]
        labels = [label or ""]
    else:
        measures = [measures] if isinstance(measures, str) else list(measures)
        panels = [{name: figures[measure] for name, figures in runs.items()} for measure in measures]
        labels = measures if label is None else [label] if isinstance(label, str) else list(label)
    names = list(panels[0])
    if not names or not all(len(values) for panel in panels for values in panel.values()):
        raise ValueError("dots needs a row, and in every row at least one run")
    if len(labels) != len(panels):
        raise ValueError(f"{len(labels)} labels for {len(panels)} measures: give one each")
    if groups is not None and len(groups) != len(names):
        raise ValueError(f"{len(groups)} groups for {len(names)} rows: give one each")
    colour = _by_group(groups or [""] * len(names))
    figure, axes = canvas(1, len(panels), height=ROW * len(names) + 0.75, sharey=True, squeeze=False)
    for axis, panel, text in zip(axes[0], panels, labels, strict=True):
        for row, (values, one) in enumerate(zip(panel.values(), colour, strict=True)):
            values = np.asarray(values, dtype=float)
            axis.plot([values.mean()] * 2, [row - 0.28, row + 0.28], "-", color=one, linewidth=1.5)
            axis.plot(values, [row] * len(values), "o", color=one, markersize=6, alpha=0.75)
        # Side by side there is no room for two words in a line.
        text = text.replace(" ", "\n") if len(panels) > 2 else text
        axis.set(xlabel=text, xlim=xlim, ylim=(len(names) - 0.5, -0.5))
        axis.set_yticks(range(len(names)), [_words(name) for name in names])
        axis.tick_params(axis="y", length=0)
        axis.grid(axis="x")
        if xlim is None:
            axis.margins(x=0.12)
        # Numbers of a narrow axis are few and short, 0.85 and not 0.875, or they run into each other.
        axis.locator_params(axis="x", nbins={1: 5, 2: 3}.get(len(panels), 2), steps=[1, 2, 5, 10])
    return picture(figure, alt)


def bars(
    values: Mapping,
    *,
    alt: str,
    label: str = "",
    colours: Sequence | None = None,
    percent: bool = False,
) -> Picture:
    """Horizontal bars, from the first name at the top, each with its number at the end.

    Args:
        values: name → number; or title → (name → number), for several with the same names side by side.
        colours: one for each bar, as 0..255 triples (a data set's `palette`) or as matplotlib takes them.
        percent: the values are shares of 1 and are written as percentages.
    Raises: ValueError: no bar, another number of colours, panels of different names.
    """
    panels = values if values and isinstance(next(iter(values.values())), Mapping) else {label: values}
    names = list(next(iter(panels.values()), {}))
    if not names:
        raise ValueError("bars needs at least one bar")
    if any(list(panel) != names for panel in panels.values()):
        raise ValueError("all panels of bars need the same names in the same order")
    if colours is None:
        colours = [style.COLOURS["blue"]] * len(names)
    if len(colours) != len(names):
        raise ValueError(f"{len(colours)} colours for {len(names)} bars: give one each")
    fill = [one if isinstance(one, str) else np.asarray(one) / 255 for one in colours]
    figure, axes = canvas(1, len(panels), height=ROW * 0.8 * len(names) + 0.7, sharey=True, squeeze=False)
    for axis, (title, panel) in zip(axes[0], panels.items(), strict=True):
        lengths = [float(value) for value in panel.values()]
        drawn = axis.barh(range(len(names)), lengths, color=fill, edgecolor=style.SOFT, linewidth=0.6)
        axis.bar_label(drawn, [_number(value, percent) for value in lengths], padding=3)
        axis.set(xlabel=title, ylim=(len(names) - 0.4, -0.6))
        axis.set_yticks(range(len(names)), [_words(name) for name in names])
        axis.tick_params(axis="y", length=0)
        # Beside the longest bar its number needs room.
        axis.margins(x=0.34 if len(panels) > 1 else 0.14)
        axis.xaxis.set_ticks([])
        axis.spines["bottom"].set_visible(False)
    return picture(figure, alt)


def curves(
    lines: Mapping,
    *,
    alt: str,
    xlabel: str,
    ylabel: str,
    xlim: tuple[float | None, float | None] | None = None,
    ylim: tuple[float | None, float | None] | None = None,
    logx: bool = False,
    marks: bool | None = None,
    height: float = 2.8,
) -> Picture:
    """Curves, told apart by colour and dash, with their names in a row above.

    Args:
        lines: name → (x, y) with P numbers each, or y runs×P: then the mean is drawn, and between the lowest and
            the highest run a pale band.
        logx: the places on a logarithmic scale, each of the first curve's with its number.
        marks: a mark at every point; None: where there are at most a dozen.
    Raises: ValueError: no curve, or x and y of different lengths.
    """
    if not lines:
        raise ValueError("curves needs at least one curve")
    figure, axis = canvas(height=height)
    kinds = zip(cycle(style.COLOURS.values()), cycle(style.DASHES), cycle(MARKERS))
    for (name, (x, y)), (colour, dash, marker) in zip(lines.items(), kinds):
        x, y = np.asarray(x, dtype=float), np.atleast_2d(np.asarray(y, dtype=float))
        if y.shape[-1] != len(x):
            raise ValueError(
                f"{name}: {len(x)} places and {y.shape[-1]} values; give y as P or runs×P numbers"
            )
        if len(y) > 1:
            axis.fill_between(x, y.min(0), y.max(0), color=colour, alpha=0.18, linewidth=0)
        marked = len(x) <= 12 if marks is None else marks
        point = {"marker": marker, "markersize": 5} if marked else {}
        axis.plot(x, y.mean(0), color=colour, linestyle=dash, label=name, **point)
    axis.set(xlabel=xlabel, ylabel=ylabel)
    if logx:
        places = np.asarray(next(iter(lines.values()))[0])
        axis.set_xscale("log")
        axis.set_xticks(places, [f"{place:g}" for place in places])
        axis.minorticks_off()
    # None would keep the limits of the moment: on a logarithmic axis linear ones, below zero.
    axis.set(**{name: limits for name, limits in (("xlim", xlim), ("ylim", ylim)) if limits is not None})
    axis.grid(axis="y")
    if len(lines) > 1 or next(iter(lines)):
        columns = 2 if max(map(len, lines)) > 14 else 3
        figure.legend(loc="outside upper left", ncols=columns, handlelength=1.8, columnspacing=1.2)
    return picture(figure, alt)


def _by_group(groups):
    """A colour for each member, the same within a group, in the order the groups first appear."""
    order = list(dict.fromkeys(groups))
    palette = list(style.COLOURS.values())
    return [palette[order.index(group) % len(palette)] for group in groups]


def _words(name):
    return str(name).replace("_", " ")


def _number(value, percent):
    if percent:
        return f"{100 * value:.0f} %" if value >= 0.0095 or value == 0 else f"{100 * value:.1f} %"
    return f"{value:.2f}" if abs(value) < 100 else f"{value:,.0f}"
