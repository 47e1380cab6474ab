"""A real Chromium for the benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

from control.chromium import ensure_chromium

DESKTOP = {"width": 1440, "height": 900}
_ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage")
READY = "html[data-ready=yes]"


@contextmanager
def chromium_page() -> Iterator[Page]:
    """Give an empty page as wide as a desktop's."""
    path = ensure_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        try:
            yield browser.new_page(viewport=DESKTOP)
        finally:
            browser.close()
