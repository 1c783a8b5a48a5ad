"""Which cells the site folds."""

import pytest

from book.tools import notebooks
from book.tools.folding import folds

FOLDED = """
assert a > b, "more"
===
study = f["x"]
for name in study:
    assert study[name] > 0.5
===
figure, axes = show.canvas(height=2)
axes.plot(values.mean(0))
show.picture(figure, "a line")
===
alt = "Two maps."
show.compare({"a": a[0], "b": b}, alt=alt)
===
rows = []
for i in (1, 2):
    rows += [images[i], masks[i]]
show.compare(rows, data=val)
===
show.explore(net, image)
===
# @title Guess first
segnb.demos.guess("How many?", 1, "One.", within=0)
"""
SHOWN = """
net = segnb.models.UNet()
===
guess = segnb.predict(net, image).argmax(0)
show.compare([image, guess])
===
def crop(x):
    return x[2:-2]


show.compare([crop(x)])
===
print(value)
assert value > 0
===
x = F.conv2d(a, b)
assert x.shape == a.shape
===
by_hand - library
===
%pip install x
===
1 +
"""


@pytest.mark.parametrize("source", FOLDED.split("===\n"))
def test_drawing_and_asserting_is_folded(source):
    assert folds(source)


@pytest.mark.parametrize("source", SHOWN.split("===\n"))
def test_what_teaches_is_shown(source):
    assert not folds(source)


@pytest.mark.parametrize(
    "path", notebooks.find("chapter", "deeper"), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_lectures_are_tagged_so(path):
    for cell in notebooks.code_cells(notebooks.read(path))[1:]:
        assert folds(cell.source) <= ("hide-input" in notebooks.tags(cell)), cell.source
