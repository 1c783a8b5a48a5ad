"""What a data set is made of: `SegmentationData`, its items, and how both are brought to one size."""

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import Dataset

from ..shapes import ClassCounts, class_counts
from .files import DataError

# The label of void pixels, everywhere in the course.
IGNORE = 255
SPLITS = ("train", "val", "test")
# Bytes of items kept in memory after their first use.
KEPT_BYTES = 512 * 2**20


class SegmentationData(Dataset):
    """A split of a data set: item i is (image float32 C×H×W in 0..1, mask int64 H×W); 255 is void.

    `num_classes` is K and `ignore_index` 255.

    Args:
        name, split: what was loaded.
        classes: K names.
        palette: K×3 uint8 array, one colour per class.
        count: number of items.
        item: function i → (image float32 tensor C×H×W, mask uint8 array H×W).
        generated: whether pictures are drawn, as a twin's are.
    """

    ignore_index = IGNORE

    def __init__(self, name, split, *, classes, palette, count, item, generated):
        self.name, self.split, self.generated = name, split, generated
        self.classes = tuple(classes)
        self.palette = np.array(palette, dtype=np.uint8)
        self.num_classes = len(self.classes)
        self._count, self._item = count, item
        self._kept, self._kept_bytes = {}, 0  # items in memory, so that every epoch after the first is quick
        self._stack = self._counts = None

    def __len__(self):
        return self._count

    def __repr__(self):
        kind = "generated" if self.generated else "real"
        return f"<{self.name}, {self.split}: {len(self)} {kind} images, {self.num_classes} classes>"

    def __getitem__(self, index):
        index = range(len(self))[index]  # negative indices count from the end; IndexError outside
        if self._stack:
            return self._stack[0][index].clone(), self._stack[1][index].clone()
        image, mask = self._kept.get(index) or self._keep(index, *self._item(index))
        return image.clone(), torch.from_numpy(mask).long()

    def _keep(self, index, image, mask):
        if self._kept_bytes < KEPT_BYTES:
            self._kept[index] = image, mask
            self._kept_bytes += image.nbytes + mask.nbytes
        return image, mask

    def stack(self) -> tuple[torch.Tensor, torch.Tensor]:
        """All items as (images N×C×H×W, masks N×H×W), made once and shared: do not write into them.

        Raises: ValueError: the pictures differ in size.
        """
        if self._stack is None:
            items = [self[i] for i in range(len(self))]
            sizes = sorted({tuple(mask.shape) for _, mask in items})
            if len(sizes) > 1:
                raise ValueError(
                    f"{self.name} has pictures of {len(sizes)} sizes, from {sizes[0]} to {sizes[-1]}, which cannot be "
                    f"stacked. Load them again at one size, with size={sizes[0]}"
                )
            self._stack = tuple(torch.stack(column) for column in zip(*items, strict=True))
            self._kept.clear()
        return self._stack

    def class_counts(self) -> ClassCounts:
        """This split's `ClassCounts`: `pixels`, `images`, `pixels_in_images`, int64 of K + 1, void last."""
        if self._counts is None:
            self._counts = class_counts((mask for _, mask in self), self.num_classes, IGNORE)
        return self._counts

    def cells(self, index) -> torch.Tensor:
        """The single cells of item `index`: int32 H×W, 0 outside, 1, 2, ... in 4-connected pieces of "cell".

        Raises: ValueError: a data set without a class "cell".
        """
        if "cell" not in self.classes:
            raise ValueError(f"{self.name} has no class 'cell'; its classes are {', '.join(self.classes)}")
        from scipy import ndimage

        is_cell = self[index][1].numpy() == self.classes.index("cell")
        return torch.from_numpy(ndimage.label(is_cell)[0].astype(np.int32))


def from_files(name, split, files, read, *, classes, palette, size=None) -> SegmentationData:
    """The `SegmentationData` of a real set.

    Args:
        files: its (image path, mask path).
        read: function of both → (H×W or H×W×C, uint8 or float32 in 0..1; uint8 H×W with 255 = void).
        size: None, or the (height, width) that every item is brought to.
    """
    return SegmentationData(
        name,
        split,
        classes=classes,
        palette=palette,
        count=len(files),
        item=partial(_read, files, read, size, len(classes)),
        generated=False,
    )


def _read(files, read, size, num_classes, index):
    return real_item(*files[index], read, size, num_classes)


def real_item(image_path, mask_path, read, size, num_classes) -> tuple[torch.Tensor, np.ndarray]:
    """One checked item of a real set, at `size` if not None: (image float32 C×H×W in 0..1, mask uint8 H×W).

    Raises: DataError: image and mask differ in size, or a label is neither a class nor 255.
    """
    image, mask = read(image_path, mask_path)
    if image.shape[:2] != mask.shape:
        raise DataError(
            f"{mask_path} is {mask.shape[0]}×{mask.shape[1]} pixels but its image {image_path} is "
            f"{image.shape[0]}×{image.shape[1]}. Image and mask need the same size: save one of them again."
        )
    unknown = [int(label) for label in np.unique(mask) if label >= num_classes and label != IGNORE]
    if unknown:
        raise DataError(
            f"{mask_path} has the unknown label {unknown[0]} ({len(unknown)} unknown in all). "
            f"Labels are 0 to {num_classes - 1}, and {IGNORE} for void."
        )
    planes = torch.from_numpy(np.atleast_3d(image)).permute(2, 0, 1)
    image = planes.to(torch.float32, memory_format=torch.contiguous_format)
    if planes.dtype == torch.uint8:
        image.div_(255)
    if size:
        image, mask = resize_image(image, size), resize_mask(mask, size)
    return image, mask


def resize_image(image, size) -> torch.Tensor:
    """A float image C×H×W (or N×C×H×W) at `size` (height, width), bilinear with antialiasing."""
    batch = image if image.ndim == 4 else image[None]
    resized = F.interpolate(batch, size, mode="bilinear", antialias=True, align_corners=False)
    return resized if image.ndim == 4 else resized[0]


def resize_mask(mask, size) -> np.ndarray | torch.Tensor:
    """An H×W mask at `size` (height, width): each pixel takes the label nearest to its centre."""
    # Lists: an array takes a tensor of one element for a plain number, and loses the axis.
    rows, columns = (
        ((torch.arange(n) + 0.5) * (old / n)).long().clamp(max=old - 1).tolist()
        for n, old in zip(size, mask.shape, strict=True)
    )
    return mask[rows][:, columns]
