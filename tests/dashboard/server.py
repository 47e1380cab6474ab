"""A dashboard for tests, in a process of its own, which notes every callback that keeps its event loop from the others.

python -m tests.dashboard.server HOME BOOTSTRAP PORT PROBE HOLD ACCESS

PROBE is a file: a line `wall_ms cpu_ms` for each callback of the loop of 20 ms and more. While the file HOLD exists, reading the
lake hangs, as on a disk that does not answer. ACCESS is JSON: who may see it.
"""

from __future__ import annotations

import json
import sys
import time
from asyncio.events import Handle
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import pyarrow as pa
from bokeh.server.tornado import BokehTornado

from dashboard import app
from dashboard.access.access import Access
from dashboard.access.login import LoginPage
from dashboard.access.settings import AccessSettings
from dashboard.history import History
from dashboard.settings import DashboardSettings
from schemas.kafka import KafkaSettings

SLOW_MS = 20


def note_slow_callbacks(probe: TextIO) -> None:
    """Time each callback of asyncio's loop: by the clock, and by the processor time of the loop's thread."""
    run = Handle._run  # type: ignore[attr-defined]

    def timed(handle: Handle) -> None:
        wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
        run(handle)
        took = (time.perf_counter_ns() - wall) / 1e6
        if took >= SLOW_MS:
            print(f"{took:.1f} {(time.thread_time_ns() - cpu) / 1e6:.1f}", file=probe, flush=True)

    Handle._run = timed  # type: ignore[attr-defined]


def hang_while(hold: Path) -> None:
    """Make reading the lake wait until `hold` is gone."""
    select = History._select

    def waiting(history: History, sql: str, values: Mapping[str, object]) -> pa.Table:
        while hold.exists():
            time.sleep(0.02)
        return select(history, sql, values)

    History._select = waiting  # type: ignore[method-assign]


def note_routes(file: Path) -> None:
    """Write down all routes that there are when they are put under guard."""
    guard = app.guard

    def noting(application: BokehTornado, access: Access, assets: str, page: LoginPage) -> None:
        rules = application.wildcard_router.rules
        file.write_text("\n".join(rule.matcher.regex.pattern for rule in rules))
        guard(application, access, assets, page)

    app.guard = noting


def main() -> None:
    """Run as a command."""
    home, bootstrap, port, probe, hold, access = sys.argv[1:]
    hang_while(Path(hold))
    note_routes(Path(probe).with_name("routes"))
    settings = DashboardSettings(port=int(port), session_lifetime_ms=1_500)
    with Path(probe).open("a", encoding="utf-8") as lines:
        note_slow_callbacks(lines)
        app.serve(
            home=Path(home),
            kafka=KafkaSettings(bootstrap_servers=bootstrap),
            settings=settings,
            access=AccessSettings(**json.loads(access)),
        )


if __name__ == "__main__":
    main()
