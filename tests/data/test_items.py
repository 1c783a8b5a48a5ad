"""How items are brought to one size."""

import numpy as np
import pytest
import torch

from segnb.data.items import resize_mask


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
@pytest.mark.parametrize("size", [(1, 1), (1, 3), (3, 1), (4, 2)])
def test_a_mask_keeps_both_axes_at_any_size(kind, size):
    mask = np.arange(6, dtype=np.uint8).reshape(2, 3)
    resized = resize_mask(kind(mask), size)
    assert tuple(resized.shape) == size
    # The pixel nearest to the centre of each.
    rows, columns = ([int((i + 0.5) * old / n) for i in range(n)] for n, old in zip(size, mask.shape))
    assert np.array_equal(np.asarray(resized), mask[np.ix_(rows, columns)])
