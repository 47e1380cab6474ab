"""Pictures of every page, light and dark, on a desk and on a phone, for a critical look.

python -m tests.dashboard.gallery FOLDER [--url URL]

Without URL it runs a dashboard of its own, on made-up data of three models of which two are in trouble, and ends it; else it takes what
runs there, as with `./tower demo --port 5006`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import product
from pathlib import Path

from playwright.sync_api import sync_playwright

from benchmarks.dashboard.sample import CHURN, DIGITS, MODELS, Incident, history
from benchmarks.dashboard.served import Updates, dashboard_of
from control.chromium import ensure_chromium
from tests.dashboard.browsing import wait_ready
from tests.dashboard.screenshots import DESKTOP, PHONE, launch

PAGES = {
    "fleet": "",
    "model": "?model=churn",
    "multiclass": "?model=digits&range=7d",
    "regression": "?model=diabetes-progression",
    "unknown": "?model=no-such-model",
    "compare": "?page=compare&model=churn",
    "explore": "?page=explore",
    "alerts": "?page=alerts",
    "health": "?page=health",
}
MINUTE_MS = 60_000
EVERY_S = 0.5
_SETTLE_S = 6.0
_PATIENCE_MS = 120_000


@contextmanager
def sample_url() -> Iterator[str]:
    """Run a dashboard on made-up data until the end of the block."""
    now = time.time_ns() // 1_000_000
    trouble = [
        Incident(CHURN.name, now - 5 * MINUTE_MS, nulls={"age": 0.3}),
        Incident(DIGITS.name, now - 12 * MINUTE_MS, latency=4.0),
    ]
    with dashboard_of(MODELS, partial(history, incidents=trouble)) as (home, dashboard), Updates(home, MODELS, EVERY_S, trouble):
        time.sleep(_SETTLE_S)
        yield dashboard.url


def take_all(url: str, folder: Path) -> Iterator[Path]:
    """Take all pictures, and yield each file once it is written."""
    chromium = ensure_chromium()
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = launch(playwright, chromium)
        for (device, viewport), scheme in product((("desktop", DESKTOP), ("phone", PHONE)), ("light", "dark")):
            context = browser.new_context(
                viewport=viewport, device_scale_factor=2 if device == "phone" else 1, color_scheme=scheme, has_touch=device == "phone"
            )
            context.set_default_timeout(_PATIENCE_MS)
            for name, query in PAGES.items():
                page = context.new_page()
                page.goto(url + query)
                wait_ready(page)
                file = folder / f"{name}-{device}-{scheme}.png"
                page.screenshot(path=file, full_page=True)
                page.close()
                yield file
            context.close()
        browser.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.dashboard.gallery", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url", help="of a dashboard that runs, with the slash at its end")
    options = parser.parse_args(arguments)
    with sample_url() if options.url is None else nullcontext(options.url) as url:
        for file in take_all(url, options.folder):
            print(file, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
