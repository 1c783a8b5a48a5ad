"""Fixtures that several folders of tests share."""

import pytest

from tests.browser import launch


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """One headless Chromium for all tests; see `tests.browser.Browser`."""
    it = launch(tmp_path_factory.mktemp("browser"))
    yield it
    it.driver.quit()
