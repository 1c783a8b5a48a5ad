"""Items with the U-Net paper's pixel weights: `with_weight_map`."""

from torch.utils.data import Dataset


def with_weight_map(data, w0=10, sigma=5) -> "WeightedData":
    """`data` with items (image, mask, pixel weight float32 H×W), by `segnb.losses.unet_weight_map`.

    Each map is computed at its first use and kept.

    Args:
        data: any map-style data set of (image, mask); a `SegmentationData`'s names and colours are kept.
        w0, sigma: height of the border term; its width in pixels of the masks as they are loaded.
    Source: U-Net (Ronneberger et al., 2015), eq. 2.
    """
    return WeightedData(data, w0, sigma)


class WeightedData(Dataset):
    """What `with_weight_map` returns; `.data` is the data set inside."""

    def __init__(self, data, w0, sigma):
        self.data, self.w0, self.sigma = data, w0, sigma
        self._weights = {}
        for name in ("name", "split", "classes", "palette", "num_classes", "ignore_index", "generated"):
            if hasattr(data, name):
                setattr(self, name, getattr(data, name))

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        from ...losses import unet_weight_map

        index = range(len(self))[index]
        image, mask = self.data[index]
        if index not in self._weights:
            self._weights[index] = unet_weight_map(mask, w0=self.w0, sigma=self.sigma)
        return image, mask, self._weights[index].clone()
