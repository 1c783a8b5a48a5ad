"""Numbers in rows and columns, with headings: as HTML on a page, as aligned text elsewhere."""

import re
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

SPREAD = re.compile(r"± \S+")  # stays whole where a column is narrow


class Table:
    """Headings and rows of text. As the last line of a cell it shows as a table; `print` shows its text twin.

    `head`: the headings, the first over the rows' names. `rows`: tuples of as many texts.
    """

    def __init__(self, head: Sequence[str], rows: Sequence[Sequence[str]]):
        self.head, self.rows = tuple(head), [tuple(row) for row in rows]

    def _repr_html_(self) -> str:
        first, *rest = self.head
        head = f'<th scope="col">{escape(first)}</th>'
        head += "".join(f'<th scope="col" style="text-align:right">{escape(text)}</th>' for text in rest)
        body = ""
        for name, *cells in self.rows:
            body += f'<tr><th scope="row" style="text-align:left;font-weight:normal">{escape(name)}</th>'
            shown = [
                SPREAD.sub(r'<span style="white-space:nowrap">\g<0></span>', escape(text)) for text in cells
            ]
            body += "".join(f'<td style="text-align:right">{text}</td>' for text in shown) + "</tr>\n"
        return f'<table class="ep-table">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>'

    def __repr__(self) -> str:
        lines = [self.head, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                text.ljust(width) if place == 0 else text.rjust(width)
                for place, (text, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )


def table(
    rows: Mapping,
    columns: Sequence[str] | None = None,
    *,
    decimals: int | Mapping[str, int] = 2,
    corner: str = "",
) -> Table:
    """A table of results.

    Args:
        rows: name → (column → value), or name → values in the order of `columns`. A value is a number, a text, or
            the numbers of several runs: these become their mean ± their standard deviation. Missing ones stay
            empty.
        columns: which columns, in this order, with their units: ``"time (s)"``. None: all of the first row.
        decimals: of floats; one for all, or column → number. Integers are written whole, their thousands apart.
        corner: the heading over the rows' names.
    Raises: ValueError: no row, or a row with more or fewer values than columns.

    >>> table({"U-Net": [31_030_658, [0.88, 0.90]]}, ["parameters", "membrane F1"])
           parameters  membrane F1
    U-Net  31,030,658  0.89 ± 0.01
    """
    if not rows:
        raise ValueError("a table needs at least one row")
    first = next(iter(rows.values()))
    if columns is None:
        if not isinstance(first, Mapping):
            raise ValueError("say what the columns are: table(rows, columns=[...])")
        columns = list(first)
    columns = list(columns)
    lines = []
    for name, values in rows.items():
        if isinstance(values, Mapping):
            values = [values.get(column) for column in columns]
        values = [values] if np.isscalar(values) else list(values)
        if len(values) != len(columns):
            raise ValueError(f"row {name!r} has {len(values)} values for {len(columns)} columns")
        places = [
            decimals.get(column, 2) if isinstance(decimals, Mapping) else decimals for column in columns
        ]
        lines.append((str(name), *(_text(value, place) for value, place in zip(values, places, strict=True))))
    return Table((corner, *columns), lines)


def _text(value, decimals):
    """A value as it is read: no sign of its type, runs as mean ± spread."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    numbers = np.asarray(value, dtype=float)
    if numbers.ndim:
        return f"{numbers.mean():.{decimals}f} ± {numbers.std():.{decimals}f}"
    number = float(numbers)
    if np.isnan(number):
        return "–"
    whole = np.asarray(value).dtype.kind in "iu"
    return (f"{int(number):,}" if whole else f"{number:,.{decimals}f}").replace("-", "−")
