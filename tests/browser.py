"""A real browser for what runs in the page: headless Chromium that can reach nothing but local files and hosts."""

import os
import shutil

import pytest

FLAGS = [
    *(
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-sync",
    ),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
]
# No name resolves, so a page that asks another host for anything fails in its test and not only on an aeroplane.
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"


def required():
    """In CI the browser tests must run; elsewhere they skip where there is no Chromium."""
    return os.environ.get("CI", "").lower() in ("1", "true")


def launch(folder):
    """Start Chromium with a fresh profile in `folder` and return the `Browser`; skip if this machine has none."""
    chromium, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not (chromium and driver):
        if required():
            raise RuntimeError("CI needs chromium and chromedriver: the browser tests must run there")
        pytest.skip("no chromium or chromedriver on this machine")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in [*FLAGS, OFFLINE, f"--user-data-dir={folder / 'profile'}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return Browser(webdriver.Chrome(options=options, service=webdriver.ChromeService(driver)), folder)


class Browser:
    """Selenium's `driver`, and a few things tests of pages need again and again."""

    def __init__(self, driver, folder):
        self.driver, self.folder, self._pages = driver, folder, 0

    def open(self, html, *, width=800, dark=False, scripts=True):
        """Put a fragment into a page of its own, `width` CSS pixels wide, black if `dark`; return the driver."""
        ink, paper = ("#eee", "#000") if dark else ("#111", "#fff")
        self._pages += 1
        page = self.folder / f"page{self._pages}.html"
        page.write_text(
            '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f'<title>page</title><body style="margin:15px;color:{ink};background:{paper};font:16px sans-serif">{html}'
        )
        self.size(width)
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        self.driver.get(page.as_uri())
        return self.driver

    def size(self, width, height=1200):
        """The viewport, in CSS pixels; narrower than any window can be."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def run(self, script, *arguments):
        """The value a script returns."""
        return self.driver.execute_script(script, *arguments)

    def overflow(self):
        """How many pixels the page is wider than its window: 0 on a page one need not scroll sideways."""
        return self.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def complaints(self):
        """What the console said since the last call, warnings and errors."""
        log = self.driver.get_log("browser")
        return [entry["message"] for entry in log if entry["level"] in ("WARNING", "SEVERE")]
