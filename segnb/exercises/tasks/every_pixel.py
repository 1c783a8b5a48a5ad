"""The exercises of chapter 1, the task: what a mask answers, how it is painted and resized, and answers that only count."""

import functools
import itertools

import torch
import torch.nn.functional as F

from segnb.exercises.comparing import same_form
from segnb.exercises.engine import Case, Exercise, differ, show, wrong_answer
from segnb.exercises.kinds import exposes, predicts

VOID = 255


def labels(seed, *shape, classes=4, void=0.2):
    """A mask of random classes, some of it void."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.randint(classes, shape, generator=generator)
    mask = mask.masked_fill(torch.rand(shape, generator=generator) < void, VOID)
    if void:
        mask.view(-1)[seed % mask.numel()] = VOID  # so that no seed leaves it out
    return mask


def blocky(seed, height, width, classes=4):
    """A mask of patches, 2×3 pixels each."""
    rough = labels(seed, -(-height // 2), -(-width // 3), classes=classes, void=0)
    return rough.repeat_interleave(2, 0).repeat_interleave(3, 1)[:height, :width].contiguous()


# ----------------------------------------------------------------------------------------- image_labels

STREET = ["sky", "building", "pole", "road"]


def image_labels(mask, classes):
    present = [number for number in mask.unique().tolist() if number != 255]
    return [classes[number] for number in present]


def by_size(mask, classes):
    numbers, counts = mask[mask != VOID].unique(return_counts=True)
    return [classes[number] for number in numbers[counts.argsort(descending=True, stable=True)].tolist()]


def by_first_sight(mask, classes):
    return [classes[number] for number in dict.fromkeys(mask.flatten().tolist()) if number != VOID]


IMAGE_LABELS = Exercise(
    image_labels,
    points=1, minutes=6, difficulty=1, importance=3, short=True,
    cases=(
        Case(
            "three classes and one pixel of void",
            (torch.tensor([[3, 3, 0], [3, 255, 2]]), STREET),
            "0, 2 and 3 are there, so the answer is sky, pole, road.",
        ),
        Case("a class that is absent is not named", (torch.tensor([[1, 1], [1, 1]]), STREET)),
        Case("a picture of void alone has no label: the list is empty", (torch.full((2, 2), VOID), STREET)),
        Case("five other classes", lambda seed: (labels(seed, 5, 6, classes=5), ["a", "b", "c", "d", "e"])),
        Case("twenty classes, their names not in the order of the alphabet", lambda seed: (labels(seed, 7, 9, classes=20), [*"qwertzuiopasdfghjkly"])),
    ),
    mistakes={
        "if number != 255] → ]": "255 marks void: pixels that nobody labelled. It is no class of the picture, and asking for its name goes beyond the list.",
        "for number in present] → for number in sorted(present, key=lambda number: classes[number])]": "The right names, sorted by the alphabet. The order of the class numbers is wanted.",
        lambda mask, classes: [(*classes, "void")[min(n, len(classes))] for n in mask.unique().tolist()]: "255 marks void: pixels that nobody labelled. It is no class of the picture, so it has no name in the list.",
        lambda mask, classes: [n for n in mask.unique().tolist() if n != VOID]: "These are the numbers of the classes. Their names stand in `classes`, at these places.",
        by_size: "The right names, with the largest area first. The order of the class numbers is wanted.",
        by_first_sight: "The right names, in the order in which they are met. The order of the class numbers is wanted.",
        lambda mask, classes: list(classes): "These are all classes there are. Name only those of which the mask has a pixel.",
        lambda mask, classes: [classes[n] for n in mask.flatten().tolist() if n != VOID]: "One name for each pixel. mask.unique() has each number once.",
    },
    hints=(
        "Which numbers occur in the mask? A tensor knows: .unique().",
        "mask.unique().tolist() is a sorted list of numbers. One of them may be 255, which has no name.",
        "[classes[number] for number in mask.unique().tolist() if number != 255]",
    ),
)  # fmt: skip

# ----------------------------------------------------------------------------------------------- box_of


def box_of(mask, label):
    rows, columns = (mask == label).nonzero().T
    box = [columns.min(), rows.min(), columns.max(), rows.max()]
    return [int(edge) for edge in box]


def box_as(formula):
    """A wrong box: another formula of left, top, right and bottom."""
    return lambda mask, label: list(formula(*box_of(mask, label)))


def one_thing(seed):
    """A patch of class 8 at a place that depends on the seed, in a wide picture."""
    top, left, high, wide = (
        int(n) for n in torch.randint(1, 5, (4,), generator=torch.Generator().manual_seed(seed))
    )
    mask = torch.full((11, 17), 3)
    mask[top : top + high, 2 * left : 2 * left + wide] = 8
    mask[top, 2 * left] = 3  # no rectangle: a corner is missing
    mask[top + high, 2 * left + wide // 2] = 8
    return mask, 8


BOX_OF = Exercise(
    box_of,
    exact=True, points=2, minutes=8, difficulty=2, importance=3,
    cases=(
        Case(
            "a car of four pixels, by hand",
            (torch.tensor([[3, 3, 3, 3, 3], [3, 3, 8, 8, 3], [3, 3, 3, 8, 8]]), 8),
            "The car stands in columns 2 to 4 and rows 1 to 2, so the box is [2, 1, 4, 2].",
        ),
        Case("a single pixel: left is right, top is bottom", (torch.tensor([[0, 0, 0], [0, 0, 2]]), 2)),
        Case("the whole picture", (torch.zeros(3, 5, dtype=torch.int64), 0)),
        Case(
            "a thing that is widest in the middle",
            (torch.tensor([[3, 3, 8, 3, 3, 3], [8, 8, 8, 8, 3, 3], [3, 3, 8, 3, 3, 3]]), 8),
            "Its first pixel is neither the leftmost, nor is its last one the rightmost.",
        ),
        Case("a thing without a corner", one_thing),
    ),
    mistakes={
        box_as(lambda left, top, right, bottom: (top, left, bottom, right)): "You give rows before columns. A box names x first: left, top, right, bottom.",
        box_as(lambda left, top, right, bottom: (left, top, right + 1, bottom + 1)): "Your box ends behind the last column and row. Here right and bottom are pixels of the thing itself.",
        box_as(lambda left, top, right, bottom: (left, top, right - left + 1, bottom - top + 1)): "The last two numbers are width and height. Right and bottom are wanted.",
        box_as(lambda left, top, right, bottom: (left, right, top, bottom)): "The four numbers are right, the order is not: left, top, right, bottom.",
        "[columns.min(), rows.min(), columns.max(), rows.max()] → [columns[0], rows[0], columns[-1], rows[-1]]": "You take the first and the last pixel of the thing. The first one need not be the leftmost: look for the smallest and the largest of rows and columns.",
        lambda mask, label: [0, 0, mask.shape[1] - 1, mask.shape[0] - 1]: "This is the box of the whole picture. Where is mask == label?",
    },
    hints=(
        "(mask == label).nonzero() lists the places of the thing: a row and a column each.",
        "rows, columns = (mask == label).nonzero().T; left is the smallest of the columns, top the smallest of the rows.",
        "[int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())]",
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------------ paint


def paint(mask, palette):
    colours = torch.full((256, 3), 255, dtype=torch.uint8)
    colours[: len(palette)] = palette
    return colours[mask].permute(2, 0, 1)


def paint_wrongly(void=255, change=lambda picture: picture):
    """A wrong picture: void in another grey, or something done to it at the end."""

    def painted(mask, palette):
        colours = torch.full((256, 3), void, dtype=torch.uint8)
        colours[: len(palette)] = palette
        return change(colours[mask].permute(2, 0, 1))

    return painted


def two_colours(seed):
    return torch.tensor([[0, 1], [1, 255]]), torch.tensor([[10, 20, 200], [90, 80, 70]], dtype=torch.uint8)


def any_palette(seed, classes=4):
    generator = torch.Generator().manual_seed(seed)
    palette = torch.randint(256, (classes, 3), generator=generator, dtype=torch.uint8)
    return labels(seed, 3, 5), palette


PAINT = Exercise(
    paint,
    exact=True, points=2, minutes=8, difficulty=2, importance=3, short=True,
    cases=(
        Case(
            "two classes and a pixel of void, 2×2",
            two_colours,
            "The first channel is red: 10 and 90 above, 90 and 255 below, because void is white.",
        ),
        Case("no void at all", lambda seed: (labels(seed, 4, 3, void=0), any_palette(seed)[1])),
        Case("a 3×5 mask gives 3×3×5, channels first", any_palette),
        Case("twenty classes", lambda seed: (labels(seed, 4, 7, classes=20), any_palette(seed, 20)[1])),
    ),
    mistakes={
        paint_wrongly(void=0): "Void came out black. On paper what does not count is left white: 255.",
        paint_wrongly(change=lambda picture: picture.permute(1, 2, 0)): "The colours are right, and stand last: H×W×3. An image of this book is C×H×W: permute(2, 0, 1).",
        paint_wrongly(change=lambda picture: picture.permute(1, 2, 0).reshape(picture.shape)): "The shape is right, and the numbers are scrambled: reshape keeps their order in memory. Move the channels with permute(2, 0, 1).",
        paint_wrongly(change=lambda picture: picture.flip(0)): "Red and blue have changed places: the palette is red, green, blue.",
        paint_wrongly(change=lambda picture: picture / 255): "The colours are right as shares of 1. A palette has whole numbers from 0 to 255: keep uint8.",
        lambda mask, palette: palette[mask.clamp(max=len(palette) - 1)].permute(2, 0, 1): "Void has the colour of the last class. 255 needs a colour of its own, white.",
        "permute(2, 0, 1) → permute(2, 1, 0)": "Rows and columns have changed places: permute(2, 0, 1) keeps rows before columns.",
        lambda mask, palette: palette[mask % len(palette)].permute(2, 0, 1): "Void has the colour of a class. 255 needs a colour of its own, white.",
    },
    hints=(
        "A tensor can be indexed by a tensor: palette[mask] looks up one row for every pixel. Why does 255 not work?",
        "Make a palette of 256 rows, all white, put the given one into its first rows, and look up there.",
        "colours = torch.full((256, 3), 255, dtype=torch.uint8); colours[:len(palette)] = palette; then colours[mask], channels first.",
    ),
)  # fmt: skip

# ---------------------------------------------------------------------------------------- mended_resize


def mended_resize(mask, height, width):
    picture, size = mask[None, None].double(), (height, width)
    resized = F.interpolate(picture, size=size, mode="nearest-exact")
    return resized[0, 0].long()


def resize_as(mode, change=lambda mask: mask.round().long()):
    options = {"align_corners": False} if mode in ("bilinear", "bicubic") else {}
    return lambda mask, height, width: change(
        F.interpolate(mask[None, None].double(), size=(height, width), mode=mode, **options)[0, 0]
    )


MENDED_RESIZE = Exercise(
    mended_resize,
    exact=True, points=2, minutes=10, difficulty=2, importance=5, short=True,
    cases=(
        Case(
            "a row of 1, 1, 3, 3 becomes five wide: no 2 appears",
            (torch.tensor([[1, 1, 3, 3]]), 1, 5),
            "The middles of the five new pixels lie nearest to the old ones 0, 1, 2, 2 and 3: 1, 1, 3, 3, 3.",
        ),
        Case("twice as large: each pixel becomes 2×2", lambda seed: (blocky(seed, 4, 6), 8, 12)),
        Case(
            "a third of the size: the middle one of each three",
            (torch.arange(9).view(1, 9), 1, 3),
            "Each new pixel covers three old ones, and its middle lies on the middle one: 1, 4, 7.",
        ),
        Case("height and width change differently", lambda seed: (blocky(seed, 6, 9), 5, 14)),
        Case(
            "void stays void",
            lambda seed: (labels(seed, 4, 4, void=0.4), 8, 8),
            "255 is a label like any other here.",
        ),
    ),
    mistakes={
        resize_as("bilinear"): "New classes have appeared: bilinear resizing computes means, and between 1 and 3 the mean is 2. Each new pixel has to take one of the old labels.",
        resize_as("area"): "New classes have appeared: the mean of an area is a mean too. Each new pixel has to take one of the old labels.",
        resize_as("nearest"): 'No class is invented, but the mask has moved: mode="nearest" looks at the corner of each new pixel and not at its middle. PyTorch calls the right one "nearest-exact".',
        lambda mask, height, width: mended_resize(mask, width, height): "Height and width have changed places: size is (height, width), rows first.",
        resize_as("nearest-exact", lambda mask: mask.float()): "The labels are right, as floats. Class numbers are whole numbers: end with .long().",
    },
    hints=(
        "Which old pixel lies under the middle of each new one? Its label is the answer; nothing is computed from two labels.",
        'F.interpolate has a mode for that. It is not "nearest", which looks at corners.',
        'F.interpolate(mask[None, None].double(), size=(height, width), mode="nearest-exact")[0, 0].long()',
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------ mended_item


def mended_item(pixels, mask):
    return [pixels.permute(2, 0, 1).float() / 255, mask.long()]


def item_as(image, of_mask=lambda mask: mask.long()):
    return lambda pixels, mask: [image(pixels), of_mask(mask)]


def photograph(seed, height=4, width=6):
    """Pixels as a file has them, uint8 H×W×3, and a mask, uint8 H×W."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(20, 200, (height, width, 3), generator=generator, dtype=torch.uint8)
    return pixels, labels(seed, height, width).to(torch.uint8)


def red_dot(seed):
    """A dark picture with one red pixel in row 0, column 2, where the mask says 1."""
    pixels, mask = torch.zeros(3, 3, 3, dtype=torch.uint8), torch.zeros(3, 3, dtype=torch.uint8)
    pixels[0, 2], mask[0, 2] = torch.tensor([255, 0, 0], dtype=torch.uint8), 1
    return pixels, mask


def where_the_dot_went(got, want, pixels, mask):
    if len(got) != 2 or not all(same_form(yours, mine, exact=True) for yours, mine in zip(got, want)):
        return differ(got, want, 1e-4, exact=True)
    dots = (got[0][0] == got[0][0].max()).nonzero().tolist()
    if dots == [[0, 2]] and differ(got[0], want[0], 1e-4) is None:
        return "The image is right, and the mask is not. It says 1 in row 0, column 2, where the red pixel is, and 0 elsewhere."
    if dots == [[0, 2]]:
        return f"The red pixel is in its place. In its first channel it should be 1, and in yours it is {show(got[0][0, 0, 2].item())}; all else is 0."
    if len(dots) != 1 or got[0][0].max() == 0:
        return "The shapes are right, but the red pixel did not come out as one bright pixel of the first channel."
    return (
        "The shapes are right, but the picture no longer lies under its mask. I put a red pixel in row 0, column 2; in your image it "
        f"is in row {dots[0][0]}, column {dots[0][1]}."
    )


MENDED_ITEM = Exercise(
    mended_item,
    exact=True, points=2, minutes=8, difficulty=2, importance=5,
    cases=(
        Case("a red pixel stays on its label, in a square picture", red_dot, where_the_dot_went),
        Case("4×6 pixels give an image 3×4×6 and a mask 4×6", lambda seed: photograph(seed)),
        Case("and 5×2", lambda seed: photograph(seed, 5, 2)),
    ),
    mistakes={
        item_as(lambda pixels: pixels.permute(2, 1, 0).float() / 255): "The picture is turned over on its diagonal, C×W×H, and the mask is not. In a square picture no shape gives it away. permute(2, 0, 1) keeps rows before columns.",
        item_as(lambda pixels: pixels.permute(2, 1, 0).float() / 255, lambda mask: mask.T.long()): "Now image and mask are both turned over. They fit each other, and lie on their side: keep rows before columns in both.",
        item_as(lambda pixels: pixels.reshape(3, *pixels.shape[:2]).float() / 255): "reshape gives the right shape and scrambles the picture: it keeps the order in memory. permute(2, 0, 1) moves the axes.",
        item_as(lambda pixels: pixels.permute(2, 0, 1) / pixels.max()): "You divide by the brightest number of this picture, so a dark picture becomes as bright as a light one. Divide by 255.",
        item_as(lambda pixels: pixels.permute(2, 0, 1).float() / 256): "A byte goes from 0 to 255: divided by 256 white is not 1.",
        item_as(lambda pixels: pixels.permute(2, 0, 1).flip(0).float() / 255): "Red and blue have changed places: the channels are already red, green, blue.",
        item_as(lambda pixels: pixels.permute(2, 0, 1).float()): "Rows, columns and channels are right. Images of this book run from 0 to 1: divide by 255.",
        item_as(lambda pixels: pixels.permute(2, 0, 1).float() / 255, lambda mask: mask.float() / 255): "The mask holds class numbers, not brightnesses: it is not divided by anything.",
    },
    hints=(
        "In a file each pixel keeps its three colours together: H×W×3. Which axis has to go first, and which order have the other two?",
        "permute(2, 0, 1) puts axis 2 first and keeps rows before columns. The mask has no channels to move.",
        "return [pixels.permute(2, 0, 1).float() / 255, mask.long()]",
    ),
)  # fmt: skip

# ----------------------------------------------------------------------------------- commonest_per_place


def commonest_per_place(masks, num_classes):
    counts = torch.stack([(masks == k).sum(0) for k in range(num_classes)])
    return counts.argmax(0).masked_fill(counts.sum(0) == 0, 255)


def with_void(masks, num_classes):
    return masks.mode(0).values


def mean_class(masks, num_classes):
    known = masks != VOID
    mean = masks.where(known, 0).sum(0) / known.sum(0).clamp(min=1)
    return mean.round().long().masked_fill(~known.any(0), VOID)


def void_is_class_0(masks, num_classes):
    return torch.stack([(masks == k).sum(0) for k in range(num_classes)]).argmax(0)


COMMONEST_PER_PLACE = Exercise(
    commonest_per_place,
    points=2, minutes=10, difficulty=3, importance=2,
    cases=(
        Case(
            "three masks of two pixels",
            (torch.tensor([[[1, 3]], [[1, 0]], [[3, 3]]]), 4),
            "The first place has 1, 1, 3 and the second 3, 0, 3: the commonest are 1 and 3.",
        ),
        Case(
            "void does not vote",
            (torch.tensor([[[255, 2]], [[255, 255]], [[1, 2]]]), 4),
            "The first place has void twice and class 1 once. Void is no class, so 1 wins.",
        ),
        Case(
            "a place that is void in every mask stays void",
            (torch.tensor([[[255, 2]], [[255, 255]]]), 3),
            "Nobody voted at the first place: 255.",
        ),
        Case("one vote is enough where all others are void", (torch.tensor([[[255, 2]], [[255, 255]], [[255, 2]], [[1, 255]]]), 4), "A vote counts, however few there are."),
        Case("a tie goes to the smaller number", (torch.tensor([[[3]], [[1]], [[3]], [[1]]]), 4)),
        Case("nine masks of 5×6", lambda seed: (labels(seed, 9, 5, 6, void=0.4), 4)),
    ),
    mistakes={
        with_void: "Void wins where it is common: you let 255 vote. Count each class by itself, and void not at all.",
        lambda masks, num_classes: masks.median(0).values: "You take the middle of the sorted numbers. Classes have no order: count votes instead.",
        lambda masks, num_classes: (num_classes - 1 - torch.stack([(masks == k).sum(0) for k in range(num_classes)]).flip(0).argmax(0)).where((masks != VOID).any(0), VOID): "Of two equally common classes yours is the larger number. The smaller one wins.",
        mean_class: "You take the mean of the class numbers. Half-way between sky (0) and pole (2) there is no building: count votes instead.",
        void_is_class_0: "Where every mask is void, all counts are 0 and argmax says class 0. Nobody voted there: put 255.",
        lambda masks, num_classes: masks[masks != VOID].mode().values.expand(masks.shape[1:]).clone(): "One class for the whole picture. Count at each place by itself: sum over the first axis only.",
    },
    hints=(
        "(masks == k).sum(0) counts, at each place, in how many masks class k stands there.",
        "Stack these counts for k = 0, 1, ..., num_classes − 1; argmax(0) is the winner at each place. What if all counts are 0?",
        "counts = torch.stack([(masks == k).sum(0) for k in range(num_classes)]); counts.argmax(0), with 255 where counts.sum(0) == 0.",
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------ classes_of_colours


def classes_of_colours(codes, masks, num_codes, num_classes):
    known = masks != 255
    pairs = codes[known] * num_classes + masks[known]
    counts = torch.bincount(pairs, minlength=num_codes * num_classes)
    table = counts.view(num_codes, num_classes)
    return torch.where(table.sum(1) > 0, table.argmax(1), table.sum(0).argmax())


def unseen_is_0(codes, masks, num_codes, num_classes):
    known = masks != VOID
    pairs = codes[known] * num_classes + masks[known]
    return torch.bincount(pairs, minlength=num_codes * num_classes).view(num_codes, num_classes).argmax(1)


def with_shares(codes, masks, num_codes, num_classes):
    """Each class counted relative to its own pixels."""
    known = masks != VOID
    pairs = codes[known] * num_classes + masks[known]
    table = torch.bincount(pairs, minlength=num_codes * num_classes).view(num_codes, num_classes)
    shares = table / table.sum(0).clamp(min=1)
    return torch.where(table.sum(1) > 0, shares.argmax(1), table.sum(0).argmax())


def last_seen(codes, masks, num_codes, num_classes):
    known = masks != VOID
    answer = masks[known].bincount(minlength=num_classes).argmax().repeat(num_codes)
    for code, label in zip(codes[known].tolist(), masks[known].tolist()):
        answer[code] = label
    return answer


def coloured(seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(7, (3, 5, 6), generator=generator), labels(seed, 3, 5, 6, void=0.3), 8, 4


CLASSES_OF_COLOURS = Exercise(
    classes_of_colours,
    points=3, minutes=12, difficulty=3, importance=3,
    cases=(
        Case(
            "six pixels of two colours, by hand",
            (torch.tensor([[[0, 0, 0, 1, 1, 1]]]), torch.tensor([[[3, 3, 1, 2, 2, 2]]]), 2, 4),
            "Colour 0 is class 3 twice and class 1 once; colour 1 is always class 2. So the answer is [3, 2].",
        ),
        Case(
            "a colour that nobody has seen gets the commonest class of all",
            (torch.tensor([[[0, 0, 2, 2]]]), torch.tensor([[[1, 1, 3, 1]]]), 4, 4),
            "Colours 1 and 3 never occur; over all pixels class 1 is the commonest.",
        ),
        Case(
            "a colour that is seen under void only has not been seen",
            (torch.tensor([[[0, 0, 1, 1]]]), torch.tensor([[[2, 2, 255, 255]]]), 2, 3),
            "Colour 1 has no pixel that counts: it gets the commonest class of all, 2.",
        ),
        Case(
            "the commonest of all pixels, not of all colours",
            (torch.tensor([[[0, 0, 0, 0, 0, 2, 2, 2, 3]]]), torch.tensor([[[1, 1, 1, 1, 1, 3, 0, 3, 3]]]), 4, 4),
            "Colour 1 never occurs. Five pixels are of class 1, three of class 3.",
        ),
        Case(
            "void does not count",
            (torch.tensor([[[0, 0, 0]]]), torch.tensor([[[255, 255, 2]]]), 1, 3),
            "Two of the three pixels are void: the one that counts is class 2.",
        ),
        Case("three pictures of 5×6", coloured),
    ),
    mistakes={
        unseen_is_0: "A colour that never occurred has only zeros in its row, and argmax of zeros is 0. Give it the commonest class of all pixels.",
        "table.sum(0).argmax() → table.argmax(1)[table.sum(1) > 0].mode().values": "A colour that never occurred gets the class that most colours have. The commonest over all pixels is wanted.",
        "table.sum(1) > 0 → torch.bincount(codes.flatten(), minlength=num_codes) > 0": "A colour that lies under void only has zeros in its row, and argmax of zeros is 0. It has not been seen: give it the commonest class of all pixels.",
        with_shares: "You divide each class by its own number of pixels: then a rare class wins too easily. Count pixels, nothing else.",
        last_seen: "The last pixel of each colour decides. Let all of them vote: count how often each class occurs.",
    },
    hints=(
        "You need a table: a row for each colour, a column for each class, and in it how often the two occurred together.",
        "torch.bincount(codes[known] * num_classes + masks[known], minlength=num_codes * num_classes).view(num_codes, num_classes)",
        "argmax(1) of the table is the answer where a row has a count at all; elsewhere it is table.sum(0).argmax().",
    ),
)  # fmt: skip

# -------------------------------------------------------------------------------------------- my_poles


def my_street(seed):
    """One learner's own street: its number in street's val split, and how many columns are cut off on its left (3,232 of them).

    The seed comes from `variant`."""
    return seed % 101, 1 + seed // 101 % 32


def pole_pixels(number, left):
    from segnb.data import load

    return int((load("street", "val")[number][1][:, left:] == 2).sum())


POLE_PIXELS = Exercise(
    pole_pixels,
    literal=True, minutes=5, difficulty=1, importance=2,
    cases=(
        Case(
            "the pole pixels of your own street",
            my_street,
            "Count where the mask equals the number of the class pole.",
        ),
    ),
    mistakes={
        "[:, left:] → ": "These are the poles of the whole street. Cut its first columns off: mask[:, left:].",
        '"val" → "train"': 'This is the picture of that number in "train". Yours is in "val", pictures that no net has learned from.',
        "== 2).sum → == 2).any(0).sum": "So many columns have a pole in them. Every pixel counts, not every column.",
        "== 2 → == 6": 'This is the number of sign pixels. The place of "pole" in street.classes is its class number.',
    },
    hints=(
        'segnb.data.load("street", "val")[number] is the pair (image, mask); mask[:, left:] is your part of it.',
        'street.classes.index("pole") is the class number; mask == that number is true where a pole is.',
        '(mask[:, left:] == street.classes.index("pole")).sum()',
    ),
)  # fmt: skip

EXERCISES = [
    IMAGE_LABELS,
    BOX_OF,
    PAINT,
    MENDED_RESIZE,
    MENDED_ITEM,
    COMMONEST_PER_PLACE,
    CLASSES_OF_COLOURS,
    POLE_PIXELS,
]

# ----------------------------------------------------------------------------------------- relabel_tests


def relabel(ids, table):
    """The numbers of a file made classes; table: pairs (number in the file, class). What is in no pair is void."""
    mask = torch.full_like(ids, VOID)
    for old, new in table:
        mask[ids == old] = new
    return mask


def in_a_chain(ids, table):
    mask = ids.where(torch.isin(ids, torch.tensor([old for old, _ in table])), VOID)
    for old, new in table:
        mask[mask == old] = new
    return mask


def without_class_0(ids, table):
    mask = sum(new * (ids == old) for old, new in table)
    return mask.where(mask > 0, VOID)


def by_rank(ids, table):
    mask = torch.full_like(ids, VOID)
    for old, (_, new) in zip(ids.unique(), table):
        mask[ids == old] = new
    return mask


def can_be_relabelled(*inputs):
    """None, or why these are no inputs of `relabel` that somebody can check at a glance."""
    if len(inputs) != 2 or not isinstance(inputs[0], torch.Tensor) or not isinstance(inputs[1], list):
        return "it should be a tuple (ids, table): a tensor, and a list of pairs."
    ids, table = inputs
    if ids.dtype != torch.int64 or ids.ndim != 2 or not 1 <= ids.numel() <= 4:
        return (
            "ids should be an int64 tensor H×W of one to four pixels: a test is something one sees through."
        )
    if ids.min() < 0 or ids.max() > 255:
        return "ids should hold numbers from 0 to 255."
    pairs = [pair for pair in table if isinstance(pair, list) and len(pair) == 2]
    numbers = [number for pair in pairs for number in pair]
    if not table or len(pairs) < len(table) or not all(type(n) is int and 0 <= n <= 255 for n in numbers):
        return "table should be a list of pairs (old, new), and all numbers whole ones from 0 to 255."
    if len({old for old, _ in table}) < len(table):
        return "one number of the file stands in two pairs, so nobody can say which class it is."
    return None


def relabel_tests():
    chain = (torch.tensor([[7, 1]]), [(7, 1), (1, 2)])
    unknown = (torch.tensor([[7, 9]]), [(7, 3)])
    class_0 = (torch.tensor([[7]]), [(7, 0)])
    absent = (torch.tensor([[8]]), [(7, 1), (8, 2)])
    return [chain, unknown, class_0, absent]


RELABEL_TESTS = Exercise(
    relabel_tests,
    literal=True, points=3, minutes=10, difficulty=3, importance=5, short=True,
    cases=exposes(
        relabel,
        {
            "version A, which changes a number that it has just written": in_a_chain,
            "version B, which keeps a number that it does not know": wrong_answer(relabel, "torch.full_like(ids, VOID) → ids.clone()"),
            "version C, which calls what it does not know class 0": wrong_answer(relabel, "VOID → 0"),
            "version D, which takes class 0 for nothing": without_class_0,
            "version E, which counts the numbers of this one picture": by_rank,
        },
        allowed=can_be_relabelled,
    ),
    hints=(
        "Take each version by itself: which line differs from the right one, and which number has to stand in ids or in the table for that line to matter?",
        "A: the class of one pair is the number of a later pair. B, C: a number that is in no pair. D: a pair (…, 0). E: a number of the table that this picture lacks.",
        "(torch.tensor([[7, 1]]), [(7, 1), (1, 2)]) for A, (torch.tensor([[7, 9]]), [(7, 3)]) for B and C, (torch.tensor([[7]]), [(7, 0)]) for D",
    ),
)  # fmt: skip

# ---------------------------------------------------------------------------------------- poles_returned


# What the run gives, so that judging draws no street (a test holds them to the masks): pole pixels afterwards for each one
# before; the share of the old ones that is pole again; the share of the new ones that was pole before; both of other runs.
RATIO, FOUND, PRECISE, AT_48, SMALL = 1.1035, 0.4444, 0.4027, 0.8818, 0.0690


@functools.cache
def masks_of_val(many):
    """The masks of the first streets of val, drawn once."""
    from segnb.data import load

    street = load("street", "val")
    return torch.stack([street[i][1] for i in range(many)])


def poles_returned():
    masks = masks_of_val(40)
    small = F.interpolate(masks[:, None].double(), size=(24, 32), mode="nearest-exact")
    back = F.interpolate(small, size=(96, 128), mode="nearest-exact")[:, 0].long()
    return [0.2, ((back == 2).sum() / (masks == 2).sum()).item()]


POLES_RETURNED = Exercise(
    poles_returned,
    literal=True, points=2, minutes=6, difficulty=2, importance=4, short=True,
    cases=predicts(
        (0, 10),
        measure=lambda: RATIO,
        tolerance=0.005,
        slips={
            FOUND: "This is the share of the old pole pixels that are pole again. Asked for is how many are pole now, wherever they stand, for each one that was.",
            PRECISE: "This is the share of today's pole pixels that were pole before. Asked for is how many there are, for each one that was.",
            1 / RATIO: "You divide before by after. How many are there now, for each one that was?",
            AT_48: "This is a mask of half the size and back. A quarter is asked for: 24×32.",
            SMALL: "You count the pole pixels of the small masks. Enlarge these to 96×128 again, then count.",
        },
    ),
    hints=(
        "The guess is yours, and any will do. To measure: shrink all forty masks with \"nearest-exact\", enlarge them again, count class 2 before and after.",
        "small = F.interpolate(masks[:, None].double(), size=(24, 32), mode=\"nearest-exact\"); the same with size=(96, 128) for the way back.",
        "[guess, ((back == 2).sum() / (masks == 2).sum()).item()], both typed as numbers",
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------ label_offset

STEPS = [step for step in range(-17, 18) if step]  # pixels
OFFSETS = [(down, right) for down in STEPS for right in STEPS if abs(down) != abs(right)]


def my_offset(seed):
    """One learner's own fault: the number of a street in val, and how far its mask has moved down and right; 109,888 of them.

    Two learners in 1,088 share the answer. The seed comes from `variant`."""
    return seed % 101, *OFFSETS[seed // 101 % len(OFFSETS)]


@functools.cache
def moved_pair(number, down, right):
    """A street of val, and its mask moved by a few pixels; what leaves on one side comes in on the other."""
    from segnb.data import load

    image, mask = load("street", "val")[number]
    return image, mask.roll((down, right), (0, 1))


def label_offset(number, down, right):
    image, mask = moved_pair(number, down, right)
    moves = [(image - image.roll(1, axis)).abs().sum(0) for axis in (1, 2)]
    edges = [mask != mask.roll(1, axis) for axis in (0, 1)]
    colours, classes = torch.stack(moves), torch.stack(edges).float()
    fits = {}
    for step in itertools.product(range(-17, 18), repeat=2):
        back = classes.roll((-step[0], -step[1]), (1, 2))
        fits[step] = (colours * back).sum().item()
    return list(max(fits, key=fits.get))


def lies_there(got, number, down, right):
    """None, or what is wrong with an offset, without saying the right one."""
    if differ([] if isinstance(got, (int, float)) else got, [down, right], 0) is None:
        return None
    slips = {
        "This is the way back. How far has the mask gone: down and right are positive?": [-down, -right],
        "Both numbers are right, in the other order: down first, then right.": [right, down],
        "This is the way back, and columns before rows. How far has the mask gone, down first, then right?": [-right, -down],
    }  # fmt: skip
    for told, slip in slips.items():
        if differ(got, slip, 0) is None:
            return told
    if not isinstance(got, list) or len(got) != 2 or not all(place in STEPS for place in got):
        return "Two whole numbers are wanted, [down, right], each from -17 to 17 and none 0."
    known = "rows are" if got[0] == down else "columns are" if got[1] == right else ""
    if known:
        return f"The {known} right. What about the other number?"
    return "Roll the mask back by your two numbers, and look: its outlines do not follow the picture's yet."


LABEL_OFFSET = Exercise(
    label_offset,
    literal=True, points=2, minutes=7, difficulty=3, importance=4, short=True,
    cases=(Case("how far the mask of your own street has moved", my_offset, holds=lies_there),),
    hints=(
        "Look at the mask's upper and lower edge. Road at the top, or sky at the bottom, has come in from the other side: that strip is as high as the step. Left and right, look for a thing of the picture that the mask has a few pixels further on.",
        "Where the mask changes its class, the picture changes its colour. For which step back is the change of colour along the mask's outlines largest? Try all 35·35.",
        "colours = (picture - picture.roll(1, 1)).abs().sum(0), classes = strange != strange.roll(1, 0); of all steps take the one with the largest (colours * classes.roll((-down, -right), (0, 1))).sum().",
    ),
)  # fmt: skip

EXERCISES += [RELABEL_TESTS, POLES_RETURNED, LABEL_OFFSET]
