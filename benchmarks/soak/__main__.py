"""Weeks of load in minutes, to see whether anything of the pipeline grows that must not.

    python -m benchmarks.soak [--minutes 30] [--days 30] [--rate 1000] [--json FILE]

Runs an embedded Kafka, `tower pipeline` with short retentions and a label horizon of two days, and `tower loadgen soak`: thirty days of
event time, whatever the minutes. It looks at everything every few seconds. The warm-up lasts twelve days: until the longest retention is
full, the labels of its first day have expired, and a day more for compaction to follow. What comes after is cut in two halves, and a
quantity grows when the median of the second is more than 5 % (and more than a small slack) above that of the first.

Ends by itself; exit code 1 when something grows.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.home import Home, home_with_kafka, say, stop
from benchmarks.soak.gaps import Gaps
from benchmarks.soak.quantities import QUANTITIES
from benchmarks.soak.sampler import Sample, Sampler
from benchmarks.soak.table import table, trends, write_json
from benchmarks.soak.told import LogFollower
from schemas.errors import TowerError

WARM_UP_DAYS = 12.0
SETTINGS = {
    "retention.10s": "2h",
    "retention.1m": "12h",
    "retention.1h": "8d",
    "retention.1d": "9d",
    "retention.7d": "3d",
    "pipeline.label_horizon": "2d",
    "pipeline.export_interval": "10s",
}
"""So short that all of them pass within the run; the rolling windows of seven days still have all their hours."""
KAFKA_BYTES = 256 << 20
EVERY_S = 3.0
_HALF_MINUTE = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and return 1 when something grows."""
    options = _options(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="tower-soak-") as folder,
        home_with_kafka(Path(folder), SETTINGS, retention_bytes=KAFKA_BYTES) as home,
    ):
        samples = _soak(home, options)
    warm_up_s = options.minutes * 60 * WARM_UP_DAYS / options.days
    found = trends(samples, warm_up_s)
    print(f"\n{options.days:g} days in {options.minutes:g} minutes, {options.rate:g} events/s; warm-up {warm_up_s / 60:.0f} minutes\n")
    print(table(found))
    if options.json is not None:
        environment = {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "minutes": options.minutes,
            "days": options.days,
            "rate": options.rate,
        }
        write_json(options.json, found, samples, environment)
    growing = [QUANTITIES[key].name for key, one in found.items() if one.grows]
    print(f"\nGrowing: {'; '.join(growing)}" if growing else "\nNothing grows.")
    return 1 if growing else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30, help="how long it runs (default 30); it needs 3 at least")
    parser.add_argument("--days", type=float, default=30, help="of event time in them (default 30); it needs 16 at least")
    parser.add_argument("--rate", type=float, default=1000, help="events per second, predictions and outcomes (default 1000)")
    parser.add_argument("--seed", type=int, default=1, help="of the load (default 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the trends and all samples there")
    options = parser.parse_args(arguments)
    if options.minutes < 3:
        parser.error("--minutes must be 3 at least: else there are too few samples")
    if options.days < WARM_UP_DAYS + 4:
        parser.error(f"--days must be {WARM_UP_DAYS + 4:g} at least: {WARM_UP_DAYS:g} are the warm-up")
    return options


def _soak(home: Home, options: argparse.Namespace) -> list[Sample]:
    """Run the load on a pipeline to its end, and return the samples. Raises TowerError when either of them ends before."""
    log = home.folder / "pipeline.txt"
    gaps = Gaps(home.kafka)
    pipeline = home.start("pipeline", log=log)
    try:
        seconds, speed = options.minutes * 60, options.days * 1440 / options.minutes
        load = home.start(
            "loadgen",
            "soak",
            f"--rate={options.rate:g}",
            f"--for={seconds:g}",
            f"--speed={speed:g}",
            f"--seed={options.seed}",
            log=home.folder / "load.txt",
        )
        try:
            sampler = Sampler(home, pipeline.pid, load.pid, LogFollower(log, home.events_held), gaps)
            sampler.run(EVERY_S, lambda: load.poll() is None and pipeline.poll() is None, _Progress())
        finally:
            if load.poll() is None:
                stop(load)
        for name, process, file in (("pipeline", pipeline, log), ("load generator", load, home.folder / "load.txt")):
            if process.poll():
                raise TowerError(f"the {name} ended with {process.returncode}: {file.read_text().strip().splitlines()[-1:]}")
        say((home.folder / "load.txt").read_text().strip().splitlines()[-1])
    finally:
        gaps.close()
        if pipeline.poll() is None:
            stop(pipeline)
    return sampler.samples


class _Progress:
    """Shows a sample every half minute."""

    def __init__(self) -> None:
        self._seen = 0

    def __call__(self, sample: Sample) -> None:
        """Take note of a sample."""
        self._seen += 1
        if self._seen % _HALF_MINUTE == 1:
            shown = ("pipeline_rss", "shards", "publisher", "duckdb", "lake", "lake_files", "lag", "pending", "gap")
            values = ", ".join(f"{key} {QUANTITIES[key].shown(sample.values[key])}" for key in shown)
            say(f"{sample.at_s:5.0f} s, {sample.event_time or 'nothing told yet'}: {values}")


if __name__ == "__main__":
    sys.exit(main())
