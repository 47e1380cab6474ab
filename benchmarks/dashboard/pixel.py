"""How soon a produced event is a pixel in the browser, under load.

    python -m benchmarks.dashboard.pixel [--rate 10000] [--for 60]

Runs an embedded Kafka, `tower pipeline`, `tower dashboard` and `tower loadgen flood` at the asked rate, and Chromium with the page of a
model to which the benchmark sends an event every 0.7 s, each with a response time 5 % longer than the one before. So the end of the line
of the latency's p99 tells which event is in it. The minutes before have enough events of their own that the chart is drawn by minute. In
each frame of the page the heights that the line is drawn with are looked at; an event is a pixel with the frame after the one in which
they first tell of it, or of a later one. All clocks are this machine's.

Ends with exit code 1 when p99 is a second or more, or the load was less than was asked.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import orjson
from confluent_kafka import Producer
from playwright.sync_api import Page

from benchmarks.dashboard.browser import READY, chromium_page
from benchmarks.dashboard.served import running
from benchmarks.home import PATIENCE_S, Home, home_with_kafka, say, stop
from schemas.kafka import producer_config
from schemas.topics import PREDICTIONS

MODEL = "probe"
EVERY_S = 0.7
"""Fewer than a hundred a minute: the p99 of a minute is its longest response time then."""
FIRST_MS, STEP = 10.0, 1.05
MOST = 400
GOAL_S, _LEAST_OF_RATE = 1.0, 0.98
_WARM_UP = 10
_MINUTES_BEFORE, _EVENTS_BEFORE, _MINUTE_MS = 4, 40, 60_000
FOLLOW = """() => {
    const plots = tower.plots, seen = (window.seen = []);
    const line = plots.get_model_by_name("latency").renderers.find(
        (each) => each.visible && each.glyph.type === "Line" && each.glyph.y?.field === "p99");
    let last = NaN;
    const look = () => {
        const ys = Bokeh.index.find_one(plots.get_model_by_name("latency"))?.renderer_views.get(line)?.glyph.y ?? [];
        let index = ys.length - 1;
        while (index >= 0 && !Number.isFinite(ys[index])) index--;
        if (index >= 0 && ys[index] !== last) {
            last = ys[index];
            const value = last;
            requestAnimationFrame(() => seen.push([value, Date.now()]));
        }
        requestAnimationFrame(look);
    };
    look();
}"""


class Probe:
    """Sends numbered events of one model, and notes when (epoch ms)."""

    def __init__(self, home: Home) -> None:
        self._producer = Producer(producer_config(home.kafka) | {"linger.ms": 0})
        self.sent: list[int] = []

    def fill(self) -> None:
        """Send what a model in service has had in the last minutes: with fewer than 30 events most of them would be drawn by hour."""
        now = _now_ms()
        for back in range(1, _MINUTES_BEFORE + 1):
            start = (now // _MINUTE_MS - back) * _MINUTE_MS
            for number in range(_EVENTS_BEFORE):
                self._produce(f"before-{back}-{number}", start + number * 1_000, 1.0)
        self._producer.flush(PATIENCE_S)

    def send(self) -> None:
        """Send one event, and wait for its acknowledgement."""
        number, now = len(self.sent), _now_ms()
        self._produce(str(number), now, FIRST_MS * STEP**number)
        self._producer.flush(PATIENCE_S)
        self.sent.append(now)

    def _produce(self, name: str, created_at: int, response_time_ms: float) -> None:
        event = {
            "prediction_id": f"{MODEL}-{name}",
            "model": MODEL,
            "model_version": "v1",
            "created_at": created_at,
            "prediction": 1,
            "response_time_ms": response_time_ms,
        }
        self._producer.produce(PREDICTIONS, orjson.dumps(event), MODEL)

    def delays_s(self, seen: Sequence[tuple[float, int]]) -> list[float]:
        """Return how long each event that was followed took to its pixel; `seen` has (response time, epoch ms), ascending by time."""
        numbers = [round(math.log(value / FIRST_MS, STEP)) for value, _ in seen]
        found = []
        for number, sent in enumerate(self.sent):
            if number >= _WARM_UP:
                there = [at for of, (_, at) in zip(numbers, seen, strict=True) if of >= number and at >= sent]
                found.append((there[0] - sent) / 1000 if there else math.inf)
        return found


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def follow(home: Home, page: Page, probe: Probe, rate: float, duration_s: float) -> list[float]:
    """Send events while a flood runs, and return how long each took to its pixel."""
    load = home.start("loadgen", "flood", f"--rate={rate:g}", f"--for={duration_s:g}", log=home.folder / "load.txt")
    probe.fill()
    page.evaluate(FOLLOW)
    due = time.monotonic()
    while load.poll() is None and len(probe.sent) < MOST:
        probe.send()
        due += EVERY_S
        page.wait_for_timeout(max(0.0, due - time.monotonic()) * 1000)
    if load.wait():
        raise RuntimeError(f"the load generator ended with {load.returncode}: {(home.folder / 'load.txt').read_text()[-300:]}")
    page.wait_for_timeout(3_000)
    return probe.delays_s(page.evaluate("window.seen"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and say by the exit code whether the goal was met."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dashboard.pixel", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rate", type=float, default=10_000, metavar="EVENTS_PER_S")
    parser.add_argument("--for", type=float, default=60, metavar="SECONDS", dest="duration_s")
    options = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="tower-pixel-") as folder,
        home_with_kafka(Path(folder), {}, retention_bytes=1 << 30) as home,
    ):
        pipeline = home.start("pipeline", log=home.folder / "pipeline.txt")
        try:
            probe = Probe(home)
            probe.send()
            with running(home) as dashboard, chromium_page() as page:
                page.goto(dashboard.page(model=MODEL))
                page.wait_for_selector(READY, state="attached")
                say("the page is open; the load begins")
                held = home.events_held()
                delays = follow(home, page, probe, options.rate, options.duration_s)
                rate = (home.events_held() - held - len(probe.sent) - _MINUTES_BEFORE * _EVENTS_BEFORE) / options.duration_s
        finally:
            stop(pipeline)
    p50, p90, p99 = np.percentile(delays, [50, 90, 99]).tolist()
    print(f"{len(delays)} events at {rate:,.0f} events/s: p50 {p50:.2f}, p90 {p90:.2f}, p99 {p99:.2f}, max {max(delays):.2f} s")
    missed = [] if p99 < GOAL_S else [f"p99 {p99:.2f} s, wanted below {GOAL_S:g}"]
    missed += [] if rate > _LEAST_OF_RATE * options.rate else [f"{rate:,.0f} events/s, wanted {options.rate:,.0f}"]
    print("The goal is met." if not missed else "Missed: " + "; ".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
