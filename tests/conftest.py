"""Fixtures that several folders of tests share, and how examples are drawn."""

import pytest
from hypothesis import Phase, settings

from tests.browser import launch

# The same few examples in each run, from no memory of earlier ones; `make fuzz` tries others.
settings.register_profile(
    "fixed",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=25,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)
settings.load_profile("fixed")


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """One headless Chromium for all tests; see `tests.browser.Browser`."""
    it = launch(tmp_path_factory.mktemp("browser"))
    yield it
    it.driver.quit()
