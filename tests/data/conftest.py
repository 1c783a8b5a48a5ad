"""Small data folders made on the spot, so that the tests of real sets need no real pictures."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def no_data(monkeypatch, tmp_path):
    """No $SEGNB_DATA, and a user's cache that is empty."""
    monkeypatch.delenv("SEGNB_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def isbi_root(tmp_path):
    """A root with isbi2012/ as in the real set, but slices of 24×32 pixels, and 24 of them."""
    rng = np.random.default_rng(0)
    for kind in ("image", "label"):
        (tmp_path / "root" / "isbi2012" / "train" / kind).mkdir(parents=True)
    for n in range(24):
        folder = tmp_path / "root" / "isbi2012" / "train"
        label = np.full((24, 32), 255, np.uint8)
        label[:, n : n + 3] = 0
        Image.fromarray(label).save(folder / "label" / f"{n}.png")
        Image.fromarray(rng.integers(0, 256, (24, 32), dtype=np.uint8)).save(folder / "image" / f"{n}.png")
    return tmp_path / "root"
