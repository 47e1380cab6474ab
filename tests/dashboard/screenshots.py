"""Pictures of the dashboard, for a look at it and for the README.

python -m tests.dashboard.screenshots URL OUT.png [--dark] [--phone] [--full]
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright, sync_playwright

_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-component-update"]
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


def chromium_path() -> str:
    """Return where Chromium is: `TOWER_CHROMIUM`, or on the PATH."""
    found = (
        os.environ.get("TOWER_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    )
    if found is None:
        raise FileNotFoundError("no Chromium on the PATH: install the package chromium, or set TOWER_CHROMIUM to its path")
    return found


def launch(playwright: Playwright) -> Browser:
    """Start a headless Chromium that asks nobody for anything."""
    return playwright.chromium.launch(executable_path=chromium_path(), args=_ARGUMENTS)


def wait_until_drawn(page: Page) -> None:
    """Wait until the page has its data and its charts have been painted."""
    page.wait_for_selector("html[data-ready=yes]", state="attached")
    page.wait_for_function("document.documentElement.dataset.loading !== 'yes' && Bokeh.documents[0].is_idle")


def take(url: str, out: Path, *, dark: bool = False, phone: bool = False, full: bool = False) -> None:
    """Write a picture of a page."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        context = browser.new_context(
            viewport=PHONE if phone else DESKTOP, device_scale_factor=2 if phone else 1, color_scheme="dark" if dark else "light"
        )
        page = context.new_page()
        page.goto(url)
        wait_until_drawn(page)
        page.screenshot(path=out, full_page=full)
        browser.close()


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description="Take a picture of the dashboard.")
    parser.add_argument("url")
    parser.add_argument("out", type=Path)
    for flag in ("--dark", "--phone", "--full"):
        parser.add_argument(flag, action="store_true")
    given = parser.parse_args()
    take(given.url, given.out, dark=given.dark, phone=given.phone, full=given.full)


if __name__ == "__main__":
    main()
