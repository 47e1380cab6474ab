"""A hundred viewers at two updates a second each: what they cost the dashboard, and how soon each of them has new data.

    python -m benchmarks.dashboard.push [--viewers 100] [--for 30]

A quarter of them look at the fleet of 20 models, the others at the models' pages, in turn. All speak Bokeh's protocol over a web socket of
their own, from another process. The benchmark publishes the open windows of all models twice a second; each message has its time
of making, which pages show as the newest, so how late a viewer has it is known to the millisecond. What newer data overtakes on its way
to a viewer counts as late as that.

Ends with exit code 1 when the dashboard's process needs a core or more, p99 is a second or more, a viewer takes 3 MB or more, or one gets
fewer than one and a half updates a second.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack
from multiprocessing import get_context

import numpy as np

from benchmarks.dashboard.client import Told, Viewer
from benchmarks.dashboard.served import Dashboard, Updates, dashboard_of, models, whole_models
from benchmarks.home import say

MODELS = 20
EVERY_S = 0.5
GOALS = {"cores": 1.0, "p99": 1.0, "MB a viewer": 3.0}
LEAST_UPDATES = 1.5
_SETTLE_S = 5.0
_OPEN_S = 1.0
"""A page may take so long to open, one after the other."""


async def _look(urls: Sequence[str], opened: float, until: float) -> list[Told]:
    async with AsyncExitStack() as stack:
        viewers = [await stack.enter_async_context(Viewer(url)) for url in urls]
        say(f"{len(viewers)} pages are open")
        if time.monotonic() > opened:
            raise TimeoutError("the pages took too long to open")
        watching = [asyncio.create_task(viewer.watch(until, EVERY_S)) for viewer in viewers]
        await asyncio.sleep(max(0.0, opened - time.monotonic()))
        for viewer in viewers:
            viewer.told = Told()
        await asyncio.gather(*watching)
        return [viewer.told for viewer in viewers]


def look(urls: Sequence[str], opened: float, until: float) -> list[Told]:
    """Open the pages until `opened`, and return what each is told from then until `until` (both monotonic seconds)."""
    return asyncio.run(_look(urls, opened, until))


def addresses(dashboard: Dashboard, count: int, names: Sequence[str]) -> list[str]:
    """Return what viewers look at: one in four the fleet."""
    return [dashboard.url if number % 4 == 0 else dashboard.page(model=names[number % len(names)]) for number in range(count)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and say by the exit code whether the goals were met."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dashboard.push", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--viewers", type=int, default=100)
    parser.add_argument("--for", type=float, default=30, metavar="SECONDS", dest="duration_s")
    options = parser.parse_args(arguments)
    shown = models(MODELS)
    with (
        dashboard_of(shown, whole_models) as (home, dashboard),
        Updates(home, shown, EVERY_S),
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
    ):
        # What is kept for each open model, whoever looks, is no viewer's.
        names = [model.name for model in shown]
        pool.submit(look, [dashboard.page(model=name) for name in names], time.monotonic() + 60, time.monotonic() + _SETTLE_S).result()
        time.sleep(_SETTLE_S)
        before, idle = dashboard.rss(), dashboard.cpu_s()
        time.sleep(_SETTLE_S)
        idle = (dashboard.cpu_s() - idle) / _SETTLE_S
        opened = time.monotonic() + _SETTLE_S + options.viewers * _OPEN_S
        watching = pool.submit(look, addresses(dashboard, options.viewers, names), opened, opened + options.duration_s)
        time.sleep(opened - time.monotonic())
        cpu = dashboard.cpu_s()
        time.sleep(options.duration_s * 0.95)
        cores = (dashboard.cpu_s() - cpu) / (options.duration_s * 0.95)
        after = dashboard.rss()
        told = watching.result()
    delays = [delay for each in told for delay in each.delays]
    p50, p99 = np.percentile(delays, [50, 99]).tolist()
    updates = min(each.updates for each in told) / options.duration_s
    found = {"cores": cores, "p99": p99, "MB a viewer": (after - before) / options.viewers / 1e6}
    size = sum(each.size for each in told) / options.viewers / options.duration_s
    print(
        f"{options.viewers} viewers of {MODELS} models: {cores:.2f} of a core (without viewers {idle:.2f}), "
        f"{found['MB a viewer']:.2f} MB each, {size / 1e3:.0f} kB/s each"
    )
    fewest = f"{updates:.1f} a second at the viewer with the fewest"
    print(f"{sum(each.updates for each in told):,} updates, {fewest}: p50 {p50:.2f} s, p99 {p99:.2f} s, max {max(delays):.2f} s")
    missed = [f"{name} {found[name]:.2f}, wanted below {goal:g}" for name, goal in GOALS.items() if found[name] >= goal]
    missed += [f"{updates:.1f} updates a second"] if updates < LEAST_UPDATES else []
    print("All goals are met." if not missed else "Missed: " + "; ".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
