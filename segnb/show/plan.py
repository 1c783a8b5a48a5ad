"""Where everything of a blueprint stands: down on the left, up on the right, what crosses over in the middle."""

from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from . import marks
from .sheet import text_width

SIZE = 12  # of letters, in units; a phone shows a unit as 0.95 pixels
GAP = 5  # between a box and what is written beside it


class Grid(NamedTuple):
    """One of the sizes a drawing comes in, in units: its width, from row to row, and the largest box."""

    width: int
    pitch: int
    tall: int
    wide: int
    leans: bool = False  # the two sides come closer as they go down
    words: bool = True


NARROW = Grid(328, 50, 32, 25)
WIDE = Grid(640, 60, 40, 44, leans=True)
SMALL = Grid(150, 21, 15, 18, leans=True, words=False)


class Shape(NamedTuple):
    """Lines or areas of one tone. rings: lists of (x, y); filled ones are closed."""

    rings: list
    tone: str
    filled: bool = False
    width: float = 1.4
    dashed: bool = False


class Words(NamedTuple):
    """One line of text; y is its middle, anchor start, middle or end."""

    x: float
    y: float
    text: str
    anchor: str = "start"
    bold: bool = False


@dataclass
class Sheet:
    """A finished drawing: `parts` are `Shape`s and `Words`."""

    width: float
    height: float = 0
    parts: list = field(default_factory=list)
    used: dict = field(default_factory=dict)  # marks in the order they were drawn


class Order(NamedTuple):
    """Names by place. turn: what stands lowest. middle: on the way across. beside: parallel branches."""

    left: list
    turn: str | None
    right: list
    middle: list
    beside: list
    rows: dict


def order(nodes) -> Order:
    """Sort `nodes` (of `wiring`) into two sides and what lies between. → `Order`; a plain chain if they do not fit."""
    path, beside = _trunk(nodes)
    start = next((i for i, name in enumerate(path) if i and _rises(nodes, path[i - 1], name)), len(path))
    if beside:
        start = path.index(next(name for name in path if beside[0] in nodes[name].sources))
    left, right = path[:start], path[start:]
    middle = [name for name in nodes if name not in (*path, *beside)]
    fits = [
        len(nodes[name].sources) == 1
        and {*nodes[name].sources} <= {*left}
        and any(name in nodes[end].sources for end in right)
        for name in middle
    ]
    if not all(fits):
        left, right, middle, beside = list(nodes), [], [], []
    turn = left.pop() if right and not beside else None
    lowest = max(len(left), len(right))
    rows = {name: lowest - len(left) + i for i, name in enumerate(left)}
    rows |= {name: rows[next(iter(nodes[name].sources))] for name in middle}
    row = lowest
    for i, name in enumerate(right):
        across = [rows[source] for source in nodes[name].sources if source in (*left, *middle)]
        row = min([max(row - 1, len(right) - 1 - i), *across])
        rows[name] = row if i < len(right) - 1 else 0
    if turn:
        rows[turn] = lowest
    return Order(left, turn, right, middle, beside, rows)


def _trunk(nodes):
    """The longest way from the first node to the last, and the parallel branches on it, if there are any."""
    depth, earlier = {}, {}
    for name, node in nodes.items():
        earlier[name] = [source for source in node.sources if source in depth]  # not what ran again later
        depth[name] = 1 + max((depth[source] for source in earlier[name]), default=0)
    path, beside = [next(reversed(nodes))], []
    while sources := earlier[path[-1]]:
        below = {frozenset(nodes[source].sources) for source in sources}
        if len(sources) > 1 and len(below) == 1 and len(next(iter(below))) == 1:
            beside, sources = sources, list(next(iter(below)))
        path.append(max(sources, key=depth.get))
    return path[::-1], beside


def _rises(nodes, before, name):
    return any(op.kind in ("up", "unpool") for op in nodes[name].sources.get(before, ()))


def draw(nodes, grid, here=()) -> Sheet:
    """The whole drawing. → `Sheet`"""
    return _Draughtsman(nodes, grid, here).sheet


class _Draughtsman:
    """Draws one network on one grid; its methods follow the picture from top to bottom."""

    def __init__(self, nodes, grid, here):
        self.nodes, self.grid, self.here, self.order = nodes, grid, here, order(nodes)
        self.sheet = Sheet(grid.width)
        sides = [node.side for node in nodes.values() if node.side]
        self.largest, self.most = max(sides), max(node.channels for node in nodes.values())
        self.place_columns()
        self.down()
        self.up()
        self.across()
        if self.order.beside:
            self.branches()
        for name in (*self.order.left, *filter(None, [self.order.turn]), *self.order.right):
            self.box(name)
        if grid.words:
            self.legend()
        else:
            self.sheet.height = self.first + self.lowest * grid.pitch + grid.tall / 2

    # --- places -----------------------------------------------------------------------------------------------------

    def place_columns(self):
        """x of the two sides in each row, y of the rows."""
        grid, order = self.grid, self.order
        at_left = self.beside([*order.left, *filter(None, [order.turn])])
        at_right = self.beside(order.right)
        self.from_left = at_left + GAP + grid.wide / 2 + 2
        self.from_right = grid.width - at_right - GAP - grid.wide / 2 - 2
        self.lowest = max(order.rows.values())
        stack = 26 if grid.words else 13
        self.apart = 1.35 * stack
        rise = (len(order.beside) - 1) * self.apart
        last_left = len(order.left) - 1
        self.first = max(grid.tall / 2 + 4, rise + 42 - last_left * grid.pitch if order.beside else 0)
        room = (190 if order.beside else 130) if grid.words else (64 if order.beside else 46)
        space = self.from_right - self.from_left - grid.wide - room
        self.lean = space / 2 / max(self.lowest - 1, 1) if grid.leans and order.right else 0

    def beside(self, names):
        """Units that the longest label or row of marks takes beside the boxes of one side."""
        if not self.grid.words:
            return 0
        found = [breadth(line) for name in names for line in self.lines(name)]
        nearer = (
            self.grid.wide / 2 + GAP - 7
        )  # marks begin so much closer to the middle of the boxes than labels
        for before in self.nodes:
            found += [
                length(self.ops(before, name)) - nearer
                for name in names
                if before in self.nodes[name].sources
            ]
        return max(found, default=0)

    def xy(self, name):
        row = self.order.rows[name]
        y = self.first + row * self.grid.pitch
        lean = self.lean * min(row, self.lowest - bool(self.order.turn))
        if name in self.order.left:
            return self.from_left + lean, y
        if name in self.order.right:
            return self.from_right - lean, y
        return (self.from_left + self.from_right) / 2, y

    def extent(self, name):
        """Width and height of the box: they grow with the root of channels and side."""
        node = self.nodes[name]
        if node.is_sum:
            return (18, 18) if self.grid.words else (9, 9)
        tall = self.grid.tall * ((node.side or 1) / self.largest) ** 0.5
        return max(3, self.grid.wide * (node.channels / self.most) ** 0.5), max(3, tall)

    def lines(self, name):
        """What is written beside a box."""
        node = self.nodes[name]
        shape = f"{node.channels} × {node.side}²" if node.side else f"{node.channels}"
        return [shape] if node.is_sum else [short(name, self.nodes), shape]

    # --- strokes ----------------------------------------------------------------------------------------------------

    def add(self, *parts):
        self.sheet.parts += parts

    def line(self, points, tone="ink", arrow=False, dashed=False):
        if arrow:
            (x0, y0), (x, y) = points[-2:]
            length = ((x - x0) ** 2 + (y - y0) ** 2) ** 0.5 or 1
            ux, uy, long = (x - x0) / length, (y - y0) / length, 6 if self.grid.words else 4
            back = x - ux * long, y - uy * long
            head = [(x, y)] + [(back[0] - s * uy * long / 2, back[1] + s * ux * long / 2) for s in (1, -1)]
            self.add(Shape([head], tone, filled=True))
            points = [*points[:-1], back]
        self.add(Shape([points], tone, dashed=dashed))

    def write(self, x, y, lines, anchor="start", bold=False):
        for i, line in enumerate(lines if self.grid.words else ()):
            self.add(Words(x, y + (i - (len(lines) - 1) / 2) * 14, line, anchor, bold))

    def mark(self, name, x, y, radius=5.5):
        self.add(*(Shape(rings, *how) for rings, *how in marks.shapes(name, x, y, radius)))
        self.sheet.used[name] = None

    def tokens(self, x, y, found, anchor="start"):
        """Marks in a row, each with its text; → where the row begins and ends."""
        wide = length(found)
        x = begin = x - {"start": 0, "middle": wide / 2, "end": wide}[anchor]
        for mark, text in found:
            self.mark(mark, x + marks.WIDTH / 2, y)
            x += marks.WIDTH + 3
            if text:
                self.write(x, y, [text])
                x += breadth(text) + 4
        return begin - 2, begin + wide + 2

    def box(self, name):
        """The map itself with what is written beside it: outside on both sides, below at the turn."""
        (x, y), (wide, tall) = self.xy(name), self.extent(name)
        node = self.nodes[name]
        self.outline(name, x, y)
        if name == self.order.turn:
            return self.write(x, y + tall / 2 + 18, self.lines(name), "middle", name in self.here)
        sign = -1 if name in self.order.left else 1
        beside = x + sign * ((wide if not node.is_sum else 18) / 2 + GAP)
        self.write(beside, y, self.lines(name), "end" if sign < 0 else "start", name in self.here)

    def outline(self, name, x, y):
        node, (wide, tall) = self.nodes[name], self.extent(name)
        if node.is_sum:
            return self.mark("add", x, y, wide / 2)
        tone = "here" if name in self.here else "box"
        box = rectangle(x, y, wide, tall)
        self.add(Shape([box], tone, True) if name != "image" else Shape([[*box, box[0]]], tone))
        if name in self.here:
            around = rectangle(x, y, wide + 7, tall + 7)
            self.add(Shape([[*around, around[0]]], "here", width=2))
            self.sheet.used["here"] = None

    # --- ways -------------------------------------------------------------------------------------------------------

    def down(self):
        """From stage to stage on the left, and round the corner to the lowest one."""
        order = self.order
        for before, name in zip(order.left, order.left[1:]):
            (x0, y0), (x1, y1) = self.xy(before), self.xy(name)
            y0, end = y0 + self.extent(before)[1] / 2 + 1, y1 - self.extent(name)[1] / 2 - 1
            self.line([(x0, y0), (x1, end)], arrow=True)
            self.beside_a_way(x0, y1 - self.grid.pitch / 2, self.ops(before, name), -1)
        if order.turn:
            before = order.left[-1]
            (x0, y0), (x1, y1) = self.xy(before), self.xy(order.turn)
            start, end = y0 + self.extent(before)[1] / 2 + 1, x1 - self.extent(order.turn)[0] / 2 - 1
            self.line([(x0, start), (x0, y1), (end, y1)], arrow=True)
            self.beside_a_way(x0, y1 - self.grid.pitch / 2, self.ops(before, order.turn), -1)

    def up(self):
        """From the lowest stage up on the right."""
        order = self.order
        if order.turn:
            (x0, y0), (x1, y1) = self.xy(order.turn), self.xy(order.right[0])
            start, end = x0 + self.extent(order.turn)[0] / 2 + 1, y1 + self.extent(order.right[0])[1] / 2 + 1
            self.line([(start, y0), (x1, y0), (x1, end)], arrow=True)
            self.beside_a_way(x1, y1 + self.grid.pitch / 2, self.ops(order.turn, order.right[0]), 1)
        for before, name in zip(order.right, order.right[1:]):
            (x0, y0), (x1, y1) = self.xy(before), self.xy(name)
            start, end = y0 - self.extent(before)[1] / 2 - 1, y1 + self.extent(name)[1] / 2 + 1
            self.line([(x0, start), (x1, end)], arrow=True)
            self.beside_a_way(x1, y1 + self.grid.pitch / 2, self.ops(before, name), 1)

    def beside_a_way(self, x, y, found, side):
        if self.grid.words:
            self.tokens(x + side * 7, y, found, "end" if side < 0 else "start")

    def ops(self, before, name):
        """The marks between two nodes; what joins there is drawn elsewhere."""
        node = self.nodes[name]
        return marks.summary((*node.sources.get(before, ()), *node.inside))

    def across(self):
        """What the left hands over to the right: a map, places of maxima, scores."""
        for end in self.order.right:
            for start, ops in self.nodes[end].sources.items():
                if start in self.order.middle:
                    self.by_way_of(start, end, ops)
                elif start in self.order.left:
                    kind = "index" if any(op.kind == "index" for op in ops) else "copy"
                    self.handed_over(start, end, ops, kind)

    def handed_over(self, start, end, ops, kind):
        a, b, y = self.edges(start, end)
        crops = [op for op in ops if op.kind == "crop"]
        found = [("crop", "")] * bool(crops and self.grid.words) + [(kind, "")]
        left, right = self.tokens((a + b) / 2, y, found, "middle")
        self.line([(a, y), (left, y)], kind, dashed=kind == "index")
        self.line([(right, y), (b, y)], kind, arrow=True, dashed=kind == "index")
        if crops:
            self.write((a + b) / 2, y - 14, [f"{crops[0].sides[0]} → {crops[-1].sides[1]}"], "middle")

    def by_way_of(self, name, end, ops):
        """Scores of a finer map: a box of their own in the middle."""
        (start,) = self.nodes[name].sources
        a, b, y = self.edges(start, end)
        x, (wide, tall) = (a + b) / 2, self.extent(name)
        first, second = marks.summary(self.nodes[name].inside), marks.summary(ops)
        for begin, stop, found, arrow in ((a, x - wide / 2 - 1, first, 0), (x + wide / 2 + 1, b, second, 1)):
            found = found if self.grid.words else []
            left, right = self.tokens((begin + stop) / 2 - 2 * arrow, y, found, "middle")
            self.line([(begin, y), (left if found else stop, y)], "copy", arrow=bool(arrow and not found))
            if found:
                self.line([(right, y), (stop, y)], "copy", arrow=bool(arrow))
        self.outline(name, x, y)
        lines = self.lines(name)
        self.write(x, y - tall / 2 - 11, lines[:1], "middle", name in self.here)
        self.write(x, y + tall / 2 + 11, lines[1:], "middle", name in self.here)

    def edges(self, start, end):
        """Where a way across begins and ends, and its y."""
        (a, y), (b, _) = self.xy(start), self.xy(end)
        return a + self.extent(start)[0] / 2 + 2, b - self.extent(end)[0] / 2 - 2, y

    def branches(self):
        """Several looks at one map, one above the other, joined on the right."""
        order, small = self.order, not self.grid.words
        a, b, y = self.edges(order.left[-1], order.right[0])
        rail, joint = (a + 3, b - 9) if small else (a + 6, b - 27)
        top = y - (len(order.beside) - 1) * self.apart
        self.line([(a, y), (rail, y), (rail, top)])
        self.line([(joint, top), (joint, y)])
        self.sheet.used["copy"] = None
        left, right = self.tokens(joint + 4, y, [] if small else [("copy", "")])
        self.line([(joint, y), (joint + 4 if small else left, y)])
        self.line([(joint + 4 if small else right, y), (b, y)], arrow=True)
        if not small:
            shapes = dict.fromkeys(self.lines(name)[1] for name in order.beside)
            self.write((rail + joint) / 2, top - 32, [f"each {' or '.join(shapes)}"], "middle")
        for i, name in enumerate(order.beside):
            self.branch(name, rail, joint, top + i * self.apart)

    def branch(self, name, rail, joint, y):
        found = marks.summary(self.nodes[name].inside)
        if not self.grid.words:
            found = [(mark, "") for mark, _ in found[:1]]
        wide = self.extent(name)[0]
        left, right = self.tokens((rail + joint - wide) / 2 - 4, y, found, "middle")
        x = right + wide / 2 + 5
        self.line([(rail, y), (left, y)])
        self.line([(x + wide / 2 + 1, y), (joint, y)])
        self.add(Shape([rectangle(x, y, wide, 12 if self.grid.words else 7)], "box", filled=True))
        if name in self.here:
            self.outline(name, x, y)
        self.write((rail + joint) / 2, y - 15, [short(name, self.nodes)], "middle", name in self.here)

    # --- below ------------------------------------------------------------------------------------------------------

    def legend(self):
        """One entry for each mark that was drawn."""
        turn = self.order.turn
        y = (
            self.first
            + self.lowest * self.grid.pitch
            + (self.extent(turn)[1] / 2 + 56 if turn else self.grid.tall / 2 + 24)
        )
        if self.order.beside:
            y = self.first + (len(self.order.left) - 1) * self.grid.pitch + 40
        stage = next(node for node in list(self.nodes.values())[1:] if node.side)
        shape = f"{stage.channels} × {stage.side}²"
        entries = [
            ("box", f"{shape}: {stage.channels} channels, {stage.side} × {stage.side} pixels"),
            ("", "taller box: larger map; wider: more channels"),
        ]
        entries += [(mark, marks.WORDS[mark]) for mark in marks.WORDS if mark in self.sheet.used]
        x = 2
        for mark, text in entries:
            wide = (marks.WIDTH + 5) * bool(mark) + breadth(text) + 14
            if x > 2 and x + wide - 14 > self.grid.width:
                x, y = 2, y + 20
            self.mark(mark, x + marks.WIDTH / 2, y) if mark else None
            self.write(x + wide - breadth(text) - 14, y, [text])
            x += wide
        self.sheet.height = y + 12


def rectangle(x, y, wide, tall) -> list[tuple[float, float]]:
    """The corners of a box around (x, y)."""
    return [(x + sx * wide / 2, y + sy * tall / 2) for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))]


@cache
def breadth(text) -> float:
    """Units a line of text takes in the widest of the fonts it may be shown in."""
    return text_width(text, SIZE) * 72


def length(found) -> float:
    """Units a row of marks takes."""
    return sum(marks.WIDTH + 3 + (breadth(text) + 4 if text else 0) for _, text in found) - 3 if found else 0


def short(name, nodes) -> str:
    """The last part of a stage's name, with what a number stands behind; all of it where that names two."""

    def end(full):
        parts = full.split(".")
        return ".".join(parts[-2:] if parts[-1].isdigit() else parts[-1:])

    alone = sum(end(other) == end(name) for other in nodes) == 1
    text = end(name) if alone else name
    return "pooled" if text.startswith("pooled ") else text.replace("image_pooling", "image pooling")
