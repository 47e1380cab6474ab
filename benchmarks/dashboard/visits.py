"""Twelve hours of viewers who come, look, and go or vanish, to see whether anything of them stays.

    python -m benchmarks.dashboard.visits [--visits 4320] [--at-once 10]

4,320 visits are twelve hours of one every ten seconds; here they follow each other as fast as the dashboard serves them. A visitor opens
the fleet or the page of one of five models, looks for a second while live data comes, and leaves: every third closes the page, every third
is cut off without a word, and every third has only asked for the page and never connects. Memory is sampled after each fortieth part of
the visits; the first quarter is warm-up.

Ends with exit code 1 when the median memory of the last third of what follows is more than 5 % above that of the first third, or when
a page or a session is left half a minute after the last visit.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Sequence

from tornado.httpclient import AsyncHTTPClient

from benchmarks.dashboard.client import Viewer
from benchmarks.dashboard.served import Dashboard, Updates, dashboard_of, models, whole_models
from benchmarks.home import say

MODELS = 5
EVERY_S = 0.5
PARTS = 40
WARM_UP = PARTS // 4
LOOK_S = 1.0
MOST_GROWTH = 0.05
LEFT_AFTER_S = 30.0


async def _visit(number: int, dashboard: Dashboard, names: Sequence[str]) -> None:
    url = dashboard.url if number % 6 == 0 else dashboard.page(model=names[number % len(names)])
    if number % 3 == 2:
        await AsyncHTTPClient().fetch(url)
        return
    async with Viewer(url) as viewer:
        await viewer.watch(time.monotonic() + LOOK_S, EVERY_S)
        if number % 3 == 1:
            viewer.vanish()


async def _visits(numbers: range, dashboard: Dashboard, names: Sequence[str], at_once: int) -> None:
    free = asyncio.Semaphore(at_once)

    async def one(number: int) -> None:
        async with free:
            await _visit(number, dashboard, names)

    await asyncio.gather(*(one(number) for number in numbers))


def main(arguments: Sequence[str] | None = None) -> int:
    """Visit, print, and say by the exit code whether all is as before."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dashboard.visits", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--visits", type=int, default=4_320)
    parser.add_argument("--at-once", type=int, default=10)
    options = parser.parse_args(arguments)
    shown = models(MODELS)
    names = [model.name for model in shown]
    rss = []
    with dashboard_of(shown, whole_models) as (home, dashboard), Updates(home, shown, EVERY_S):
        begun = time.monotonic()
        for part in range(PARTS):
            numbers = range(part * options.visits // PARTS, (part + 1) * options.visits // PARTS)
            asyncio.run(_visits(numbers, dashboard, names, options.at_once))
            rss.append(dashboard.rss() / 1e6)
            if part % 8 == 7:
                say(f"{numbers.stop:,} visits in {time.monotonic() - begun:.0f} s: {rss[-1]:.0f} MB, {dashboard.health()['viewers']} pages")
        time.sleep(LEFT_AFTER_S)
        left = dashboard.health()["viewers"]
    kept = rss[WARM_UP:]
    third = len(kept) // 3
    first, last = statistics.median(kept[:third]), statistics.median(kept[-third:])
    print(f"{options.visits:,} visits: {first:.0f} MB, then {last:.0f} MB ({last / first - 1:+.1%}); {left} pages left")
    missed = [f"memory grows by {last / first - 1:.1%}"] if last > first * (1 + MOST_GROWTH) else []
    missed += [f"{left} pages are left"] if left else []
    print("All goals are met." if not missed else "Missed: " + "; ".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
