"""Pictures of the dashboard, for a look at it and for the README.

python -m tests.dashboard.screenshots URL OUT.png [--dark] [--phone] [--full]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright

from control.chromium import ensure_chromium
from tests.dashboard.browsing import wait_ready

_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-component-update"]
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


def launch(playwright: Playwright, chromium: Path) -> Browser:
    """Start a headless Chromium that asks nobody for anything."""
    return playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)


def take(url: str, out: Path, *, dark: bool = False, phone: bool = False, full: bool = False) -> None:
    """Write a picture of a page."""
    # Before Playwright runs, which the search for its own Chromium starts as well.
    chromium = ensure_chromium()
    with sync_playwright() as playwright:
        browser = launch(playwright, chromium)
        context = browser.new_context(
            viewport=PHONE if phone else DESKTOP, device_scale_factor=2 if phone else 1, color_scheme="dark" if dark else "light"
        )
        page = context.new_page()
        page.goto(url)
        wait_ready(page)
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
