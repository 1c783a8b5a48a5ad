"""The exercises of chapter 1: wrong answers that learners really give, each with its own hint, and right ones in other words."""

import torch
import torch.nn.functional as F
from torchvision.ops import masks_to_boxes

from segnb.data.items import resize_mask
from segnb.exercises import every_pixel, variant
from tests.exercises.answers import answers_of
from tests.exercises.tasks import test_every_pixel_more as more

MINE = every_pixel.my_street(variant(""))


def box_by_any(mask, label):
    rows, columns = (mask == label).any(1).nonzero(), (mask == label).any(0).nonzero()
    return [columns[0].item(), rows[0].item(), columns[-1].item(), rows[-1].item()]


def with_end(mask, label):
    left, top, right, bottom = box_by_any(mask, label)
    return [left, top, right + 1, bottom + 1]


def painted_in_a_loop(mask, palette):
    picture = torch.full((3, *mask.shape), 255, dtype=torch.uint8)
    for number, colour in enumerate(palette):
        picture[:, mask == number] = colour[:, None]
    return picture


def squeezed(mode):
    def resize(mask, height, width):
        return F.interpolate(mask[None, None].float(), (height, width), mode=mode)[0, 0].round().long()

    return resize


def votes(masks, num_classes):
    counted = F.one_hot(masks.where(masks != 255, num_classes), num_classes + 1).sum(0)[..., :num_classes]
    return counted.argmax(-1).where(counted.sum(-1) > 0, 255)


def rounded_mean(masks, num_classes):
    means = torch.nanmean(masks.float().where(masks != 255, torch.nan), dim=0)
    return means.round().nan_to_num(255).long()


def table_by_loops(codes, masks, num_codes, num_classes, unseen=None):
    table = torch.zeros(num_codes, num_classes)
    for code, label in zip(codes.flatten().tolist(), masks.flatten().tolist()):
        if label != 255:
            table[code, label] += 1
    commonest = int(table.sum(0).argmax()) if unseen is None else unseen
    return torch.tensor([int(row.argmax()) if row.any() else commonest for row in table])


WRONG = {
    "image_labels": [
        (lambda mask, classes: [classes[n] if n != 255 else "void" for n in mask.unique()], "255 marks void"),
        (lambda mask, classes: mask[mask != 255].unique().tolist(), "These are the numbers of the classes"),
        (every_pixel.by_size, "with the largest area first"),
        (every_pixel.by_first_sight, "in the order in which they are met"),
        (lambda mask, classes: classes, "These are all classes there are"),
        (lambda mask, classes: [classes[n] for n in mask.flatten() if n != 255], "One name for each pixel"),
        (lambda mask, classes: [classes[n] for n in mask.unique()], "255 marks void"),
    ],
    "box_of": [
        (lambda mask, label: (lambda b: [b[1], b[0], b[3], b[2]])(box_by_any(mask, label)), "rows before columns"),
        (with_end, "Your box ends behind the last column"),
        (lambda mask, label: (lambda b: [b[0], b[1], b[2] - b[0] + 1, b[3] - b[1] + 1])(box_by_any(mask, label)), "width and height"),
        (lambda mask, label: [0, 0, mask.shape[1] - 1, mask.shape[0] - 1], "the box of the whole picture"),
        (lambda mask, label: (lambda b: [b[0], b[2], b[1], b[3]])(box_by_any(mask, label)), "the order is not: left, top"),
        (lambda mask, label: box_by_any(mask, label)[:2], "list"),
    ],
    "paint": [
        (lambda mask, palette: every_pixel.paint(mask, palette) * (mask != 255), "Void came out black"),
        (lambda mask, palette: every_pixel.paint(mask, palette).movedim(0, -1), "and stand last"),
        (lambda mask, palette: every_pixel.paint(mask, palette).movedim(0, -1).reshape(3, *mask.shape), "the numbers are scrambled"),
        (lambda mask, palette: every_pixel.paint(mask, palette.flip(1)), "Red and blue have changed places"),
        (lambda mask, palette: every_pixel.paint(mask, palette) / 255, "keep uint8"),
        (lambda mask, palette: palette[mask % len(palette)].movedim(-1, 0), "Void has the colour of a class"),
        (lambda mask, palette: palette[mask], "IndexError"),
    ],
    "mended_resize": [
        (squeezed("bilinear"), "bilinear resizing computes means"),
        (squeezed("area"), "the mean of an area is a mean too"),
        (squeezed("nearest"), "but the mask has moved"),
        (lambda mask, height, width: resize_mask(mask, (width, height)), "Height and width have changed places"),
        (lambda mask, height, width: resize_mask(mask, (height, width)).float(), "The labels are right, as floats"),
    ],
    "mended_item": [
        (lambda pixels, mask: [pixels.movedim(2, 0).mT / 255, mask.long()], "turned over on its diagonal"),
        (lambda pixels, mask: [pixels.permute(2, 1, 0) / 255, mask.T.long()], "both turned over"),
        (lambda pixels, mask: [pixels.view(3, *mask.shape) / 255, mask.long()], "scrambles the picture"),
        (lambda pixels, mask: [pixels.movedim(2, 0).float(), mask.long()], "divide by 255"),
        (lambda pixels, mask: [pixels.movedim(2, 0) / 255, mask / 255], "the mask holds class numbers"),
        (lambda pixels, mask: [pixels.movedim(2, 0).flip(2) / 255, mask.long()], "in your image it is in row 0, column 0"),
    ],
    "commonest_per_place": [
        (lambda masks, num_classes: masks.mode(0)[0], "you let 255 vote"),
        (rounded_mean, "the mean of the class numbers"),
        (lambda masks, num_classes: F.one_hot(masks.clamp(max=num_classes), num_classes + 1).sum(0)[..., :-1].argmax(-1), "argmax says class 0"),
        (lambda masks, num_classes: torch.full_like(masks[0], int(masks[masks != 255].mode()[0])), "One class for the whole picture"),
    ],
    "classes_of_colours": [
        (lambda *given: table_by_loops(*given, unseen=0), "argmax of zeros is 0"),
        (every_pixel.with_shares, "a rare class wins too easily"),
        (every_pixel.last_seen, "The last pixel of each colour decides"),
        (lambda codes, masks, n, k: table_by_loops(codes, masks, n, k).float(), "dtype"),
    ],
    "pole_pixels": [
        (-1, "-1 is not right. Count where"),
    ],
}  # fmt: skip

RIGHT = {
    "image_labels": [
        lambda mask, classes: [name for number, name in enumerate(classes) if (mask == number).any()],
        lambda mask, classes: tuple(classes[n] for n in sorted(set(mask.flatten().tolist()) - {255})),
    ],
    "box_of": [box_by_any, lambda mask, label: masks_to_boxes((mask == label)[None])[0].int().tolist()],
    "paint": [
        painted_in_a_loop,
        lambda mask, palette: torch.cat([palette, palette.new_full((1, 3), 255)])[mask.clamp(max=len(palette))].movedim(-1, 0),
    ],
    "mended_resize": [lambda mask, height, width: resize_mask(mask, (height, width)), squeezed("nearest-exact")],
    "mended_item": [
        lambda pixels, mask: (pixels.movedim(-1, 0) / 255, mask.to(torch.int64)),
        lambda pixels, mask: [torch.stack(pixels.unbind(2)).float().div(255), mask.long()],
    ],
    "commonest_per_place": [
        votes,
        lambda masks, k: torch.where((masks == 255).all(0), 255, torch.stack([(masks == c).sum(0) for c in range(k)]).argmax(0)),
    ],
    "classes_of_colours": [table_by_loops, lambda c, m, n, k: every_pixel.classes_of_colours(c.flatten(), m.flatten(), n, k)],
    "pole_pixels": [every_pixel.pole_pixels(*MINE), float(every_pixel.pole_pixels(*MINE))],
}  # fmt: skip


(
    test_a_wrong_answer_meets_its_own_hint,
    test_a_right_answer_in_other_words_passes,
    test_every_exercise_of_the_chapter_has_its_answers_here,
) = answers_of(every_pixel.EXERCISES[:8], WRONG, RIGHT)

# Whoever asks this module for the answers to all of the chapter's exercises finds the later ones, too.
WRONG, RIGHT = WRONG | more.WRONG, RIGHT | more.RIGHT


def test_everybody_has_a_street_with_poles_and_counts_differ():
    streets = [every_pixel.my_street(variant(str(n))) for n in range(20)]
    assert len(set(streets)) > 12
    assert len({every_pixel.pole_pixels(*street) for street in streets}) > 10
