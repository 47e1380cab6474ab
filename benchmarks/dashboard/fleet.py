"""The fleet of 500 models: how soon it is seen, how smoothly it scrolls while live data comes, and whether it keeps the server from others.

    python -m benchmarks.dashboard.fleet [--models 500]

Each model has a day of history; the open windows of all come anew every five seconds. Chromium opens the page, and scrolls from its top
to its end, 120 pixels a frame. Meanwhile the server is asked for `/health` without a pause.

Ends with exit code 1 when the first row takes more than 2 s, one frame in twenty more than 50 ms, or an answer more than 0.5 s.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.dashboard.browser import chromium_page
from benchmarks.dashboard.sample import DAY_MS, HOUR_MS, SampleModel, message, starts
from benchmarks.dashboard.served import Dashboard, Updates, dashboard_of, models
from benchmarks.home import say
from schemas.metrics import MetricsMessage

EVERY_S = 5.0
GOALS = {"first row": 2.0, "frame p95": 0.05, "answer": 0.5}
SPANS = {"10s": 300_000, "1m": 600_000, "1h": DAY_MS + 2 * HOUR_MS, "7d": DAY_MS + 2 * HOUR_MS}
ROWS = """(count) => document.querySelectorAll(".model-row").length >= count && document.querySelector(".tile-number")?.textContent
    && new Promise((done) => requestAnimationFrame(() => done(performance.now())))"""
SCROLL = """() => new Promise((done) => {
    const frames = [];
    let last = performance.now();
    const step = (now) => {
        frames.push(now - last);
        last = now;
        const before = scrollY;
        scrollBy({ top: 120, behavior: "instant" });
        scrollY === before ? done(frames.slice(1)) : requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
})"""


def short_history(shown: Sequence[SampleModel], now_ms: int) -> Iterator[MetricsMessage]:
    """Yield what tiles look at: a day of hours and rolling windows, and minutes."""
    for model in shown:
        for window, span in SPANS.items():
            for start in starts(window, now_ms - span, now_ms):
                yield message(model, window, start, now_ms=now_ms)


class Asking(threading.Thread):
    """Asks the server for its health, again and again, until the end of its block."""

    def __init__(self, dashboard: Dashboard) -> None:
        super().__init__(daemon=True)
        self._dashboard = dashboard
        self._ended = threading.Event()
        self.answers_s: list[float] = []

    def __enter__(self) -> list[float]:
        self.start()
        return self.answers_s

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        """Ask, and note how long each answer took."""
        while not self._ended.wait(0.01):
            begun = time.perf_counter()
            self._dashboard.health()
            self.answers_s.append(time.perf_counter() - begun)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and say by the exit code whether the goals were met."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dashboard.fleet", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--models", type=int, default=500)
    options = parser.parse_args(arguments)
    shown = models(options.models)
    with (
        dashboard_of(shown, short_history) as (home, dashboard),
        Updates(home, shown, EVERY_S),
        chromium_page() as page,
        Asking(dashboard) as answers_s,
    ):
        say("opening the page ...")
        page.goto(dashboard.url, wait_until="commit")
        first = page.wait_for_function(ROWS, arg=1, polling="raf").json_value() / 1000
        every = page.wait_for_function(ROWS, arg=options.models, polling="raf").json_value() / 1000
        page.wait_for_selector("html[data-ready=yes]", state="attached")
        frames = page.evaluate(SCROLL)
    p50, p95 = (np.percentile(frames, [50, 95]) / 1000).tolist()
    found = {"first row": first, "frame p95": p95, "answer": max(answers_s)}
    print(f"{options.models} models: first row after {first:.2f} s, all after {every:.2f} s")
    print(f"scrolling, {len(frames)} frames: p50 {p50 * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms, max {max(frames):.0f} ms")
    print(f"{len(answers_s):,} answers of the server meanwhile: at most {max(answers_s):.2f} s")
    missed = [f"{name} {found[name]:.2f} s, wanted at most {goal:g}" for name, goal in GOALS.items() if found[name] > goal]
    print("All goals are met." if not missed else "Missed: " + "; ".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
