"""The exercises of chapter 1: wrong answers that learners really give, each with its own hint, and right ones in other words."""

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
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


def unseen_is_rarest(codes, masks, num_codes, num_classes):
    rarest = int(torch.bincount(masks[masks != 255], minlength=num_classes).argmin())
    return table_by_loops(codes, masks, num_codes, num_classes, unseen=rarest)


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
        (lambda mask, label: box_by_any(mask, label)[:2], "list ends too early"),
        (lambda mask, label: [float(edge) for edge in box_by_any(mask, label)], "and 2.0 is a float"),
        (lambda mask, label: masks_to_boxes((mask == label)[None])[0], "and 2.0 is a float"),
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
        (lambda mask, height, width: resize_mask(mask, (height, width)).byte(), "should be torch.int64, and yours is torch.uint8"),
    ],
    "mended_item": [
        (lambda pixels, mask: [pixels.movedim(2, 0).mT / 255, mask.long()], "turned over on its diagonal"),
        (lambda pixels, mask: [pixels.permute(2, 1, 0) / 255, mask.T.long()], "both turned over"),
        (lambda pixels, mask: [pixels.view(3, *mask.shape) / 255, mask.long()], "scrambles the picture"),
        (lambda pixels, mask: [pixels.movedim(2, 0).float(), mask.long()], "divide by 255"),
        (lambda pixels, mask: [pixels.movedim(2, 0) / 255, mask / 255], "the mask holds class numbers"),
        (lambda pixels, mask: [pixels.movedim(2, 0).flip(2) / 255, mask.long()], "in your image it is in row 0, column 0"),
        (lambda pixels, mask: [pixels.movedim(2, 0) / 254, mask.long()], "The red pixel is in its place. In its first channel it should be 1, and in yours it is 1.004"),
        (lambda pixels, mask: [pixels.movedim(2, 0) / 255, mask.T.long()], "The image is right, and the mask is not"),
        (lambda pixels, mask: [pixels.movedim(2, 0).double() / 255, mask.long()], "entry 1 of the list: the dtype should be torch.float32"),
        (lambda pixels, mask: [pixels.movedim(2, 0) / 255, mask.int()], "entry 2 of the list: the dtype should be torch.int64"),
    ],
    "commonest_per_place": [
        (lambda masks, num_classes: masks.mode(0)[0], "you let 255 vote"),
        (rounded_mean, "the mean of the class numbers"),
        (lambda masks, num_classes: F.one_hot(masks.clamp(max=num_classes), num_classes + 1).sum(0)[..., :-1].argmax(-1), "argmax says class 0"),
        (lambda masks, num_classes: torch.full_like(masks[0], int(masks[masks != 255].mode()[0])), "One class for the whole picture"),
    ],
    "classes_of_colours": [
        (lambda *given: table_by_loops(*given, unseen=0), "argmax of zeros is 0"),
        (unseen_is_rarest, "over all pixels class 1 is the commonest"),
        (every_pixel.with_shares, "a rare class wins too easily"),
        (every_pixel.last_seen, "The last pixel of each colour decides"),
        (lambda codes, masks, n, k: table_by_loops(codes, masks, n, k).float(), "dtype"),
    ],
    "pole_pixels": [
        (-1, "-1 is not right. Count where"),
    ],
}  # fmt: skip


class Names:
    """An object that is called like a function."""

    def __call__(self, mask, classes):
        counts = torch.bincount(mask[mask != 255].flatten(), minlength=len(classes))
        return [name for name, count in zip(classes, counts) if count > 0]


def names_by_numpy(mask, classes):
    return [classes[n] for n in np.setdiff1d(mask.numpy(), [255])]


def box_pixel_by_pixel(mask, label):
    left, top, right, bottom = mask.shape[1], mask.shape[0], -1, -1
    for y, row in enumerate(mask.tolist()):
        for x, here in enumerate(row):
            if here == label:
                left, top, right, bottom = min(left, x), min(top, y), max(right, x), max(bottom, y)
    return left, top, right, bottom


def box_by_scipy(mask, label):
    rows, columns = ndimage.find_objects((mask.numpy() == label).astype(int))[0]
    return torch.tensor([columns.start, rows.start, columns.stop - 1, rows.stop - 1])


def painted_by_numpy(mask, palette):
    picture = np.full((*mask.shape, 3), 255, dtype=np.uint8)
    known = mask.numpy() != 255
    picture[known] = palette.numpy()[mask.numpy()[known]]
    return torch.from_numpy(picture.transpose(2, 0, 1).copy())


def painted_by_products(mask, palette):
    one_hot = (mask[..., None] == torch.arange(len(palette))).double()
    picture = torch.einsum("hwk,kc->chw", one_hot, palette.double())
    return picture.masked_fill(mask == 255, 255).byte()


def resized_by_arithmetic(mask, height, width):
    old_height, old_width = mask.shape
    rows = (2 * torch.arange(height) + 1) * old_height // (2 * height)
    columns = (2 * torch.arange(width) + 1) * old_width // (2 * width)
    return mask[rows][:, columns]


def resized_in_a_loop(mask, height, width):
    new = np.empty((height, width), dtype=np.int64)
    for y, x in np.ndindex(height, width):
        new[y, x] = mask[int((y + 0.5) * mask.shape[0] / height), int((x + 0.5) * mask.shape[1] / width)]
    return torch.from_numpy(new)


def item_by_numpy(pixels, mask):
    image = np.transpose(pixels.numpy(), (2, 0, 1)).astype(np.float32) / 255
    return torch.from_numpy(image), torch.from_numpy(mask.numpy().astype(np.int64))


def item_in_a_loop(pixels, mask):
    image = torch.empty(3, *mask.shape)
    for channel in range(3):
        image[channel] = pixels[:, :, channel]
    image /= 255
    return image, mask.long()


def votes_by_counter(masks, num_classes):
    winners = torch.full(masks.shape[1:], 255)
    for y, x in np.ndindex(*winners.shape):
        here = [n for n in masks[:, y, x].tolist() if n != 255]
        if here:
            winners[y, x] = min(set(here), key=lambda n: (-here.count(n), n))
    return winners


def votes_by_numpy(masks, num_classes):
    counts = (masks.numpy()[None] == np.arange(num_classes)[:, None, None, None]).sum(1)
    return torch.from_numpy(np.where(counts.any(0), counts.argmax(0), 255))


def votes_added_in_place(masks, num_classes):
    counts = torch.zeros(num_classes + 1, *masks.shape[1:])
    own = masks.clone()
    own[own == 255] = num_classes
    counts.scatter_add_(0, own, torch.ones(own.shape))
    counts[num_classes] = 0.5  # less than one vote, more than none
    winners = counts.argmax(0)
    winners[winners == num_classes] = 255
    return winners


def table_by_numpy(codes, masks, num_codes, num_classes):
    table = np.zeros((num_codes, num_classes), dtype=int)
    known = masks.numpy() != 255
    np.add.at(table, (codes.numpy()[known], masks.numpy()[known]), 1)
    return torch.from_numpy(np.where(table.any(1), table.argmax(1), table.sum(0).argmax()))


def table_by_einsum(codes, masks, num_codes, num_classes):
    of_code = F.one_hot(codes.flatten(), num_codes).double()
    of_class = F.one_hot(masks.flatten(), 256)[:, :num_classes].double()
    table = torch.einsum("nc,nk->ck", of_code, of_class)
    table[table.sum(1) == 0] = table.sum(0)
    return table.max(1).indices


RIGHT = {
    "image_labels": [
        lambda mask, classes: [name for number, name in enumerate(classes) if (mask == number).any()],
        lambda mask, classes: tuple(classes[n] for n in sorted(set(mask.flatten().tolist()) - {255})),
        Names(),
        names_by_numpy,
    ],
    "box_of": [
        box_by_any,
        lambda mask, label: masks_to_boxes((mask == label)[None])[0].int().tolist(),
        box_pixel_by_pixel,
        box_by_scipy,
    ],
    "paint": [
        painted_in_a_loop,
        lambda mask, palette: torch.cat([palette, palette.new_full((1, 3), 255)])[mask.clamp(max=len(palette))].movedim(-1, 0),
        painted_by_numpy,
        painted_by_products,
    ],
    "mended_resize": [
        lambda mask, height, width: resize_mask(mask, (height, width)),
        squeezed("nearest-exact"),
        resized_by_arithmetic,
        resized_in_a_loop,
    ],
    "mended_item": [
        lambda pixels, mask: (pixels.movedim(-1, 0) / 255, mask.to(torch.int64)),
        lambda pixels, mask: [torch.stack(pixels.unbind(2)).float().div(255), mask.long()],
        item_by_numpy,
        item_in_a_loop,
    ],
    "commonest_per_place": [
        votes,
        lambda masks, k: torch.where((masks == 255).all(0), 255, torch.stack([(masks == c).sum(0) for c in range(k)]).argmax(0)),
        votes_by_counter,
        votes_by_numpy,
        votes_added_in_place,
    ],
    "classes_of_colours": [
        table_by_loops,
        lambda c, m, n, k: every_pixel.classes_of_colours(c.flatten(), m.flatten(), n, k),
        table_by_numpy,
        table_by_einsum,
    ],
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
