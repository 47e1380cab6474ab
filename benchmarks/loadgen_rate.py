"""How fast the load generator is, and how well it keeps a rate: against a real Kafka, from one process.

    python -m benchmarks.loadgen_rate [--seconds 8]

Prints a row a run: what was asked, what Kafka acknowledged per second, the difference, and the processor time an event took
in this process. Ends with exit code 1 when the flood stays below 100 000 events/s or an asked rate is missed by more than 2 %.
"""

from __future__ import annotations

import argparse
import io
import math
import re
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import AdminClient

from control.broker import EmbeddedBroker
from loadgen.app import run_scenario
from schemas.kafka import KafkaSettings, admin_config
from schemas.topics import ensure_topics

LEAST_FLOOD = 100_000
MOST_OFF = 0.02
RUNS: tuple[tuple[str, float], ...] = (
    ("demo", 200),
    ("demo", 5_000),
    ("flood", 20_000),
    ("flood", 50_000),
    ("flood", 90_000),
    ("flood", math.inf),
)
_REPORT = re.compile(r"([\d,]+) produced, ([\d,]+) acknowledged, ([\d,]+) failed$")


@dataclass(frozen=True, slots=True)
class Result:
    """`acknowledged` events, in `seconds` up to the last acknowledgement, with `cpu_s` of processor time."""

    acknowledged: int
    failed: int
    seconds: float
    cpu_s: float


def measure(kafka: KafkaSettings, cache: Path, scenario: str, rate: float, duration_s: float) -> Result:
    """Play `scenario` at `rate` events/s for `duration_s`."""
    out = io.StringIO()
    begin, cpu = time.monotonic(), time.process_time()
    run_scenario(kafka=kafka, scenario=scenario, rate=rate, duration_s=duration_s, seed=1, speed=1, cache=cache, out=out)
    found = _REPORT.search(out.getvalue().strip().splitlines()[-1])
    assert found is not None, out.getvalue()
    _, acknowledged, failed = (int(number.replace(",", "")) for number in found.groups())
    return Result(acknowledged, failed, time.monotonic() - begin, time.process_time() - cpu)


def main() -> int:
    """Run all of RUNS, print them, and return the exit code."""
    parser = argparse.ArgumentParser(description="rate and accuracy of the load generator")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each run (default 8)")
    seconds = parser.parse_args().seconds
    good = True
    print(f"{'scenario':<10}{'asked/s':>10}{'acknowledged/s':>16}{'off':>8}{'failed':>8}{'us cpu/event':>14}")
    with tempfile.TemporaryDirectory() as home, EmbeddedBroker(Path(home)) as kafka:
        ensure_topics(AdminClient(admin_config(kafka)), event_partitions=4, retention_bytes=500_000_000)
        cache = Path(home) / "models"
        measure(kafka, cache, "demo", 200, 1)  # trains, and warms Kafka up
        for scenario, rate in RUNS:
            result = measure(kafka, cache, scenario, rate, seconds)
            # An asked rate is counted over its own time; the flood until Kafka has acknowledged the last event.
            reached = result.acknowledged / (result.seconds if math.isinf(rate) else seconds)
            off = 0.0 if math.isinf(rate) else reached / rate - 1
            good = good and result.failed == 0 and abs(off) <= MOST_OFF and (not math.isinf(rate) or reached >= LEAST_FLOOD)
            asked = "max" if math.isinf(rate) else f"{rate:,.0f}"
            cpu_us = 1e6 * result.cpu_s / max(result.acknowledged, 1)
            print(f"{scenario:<10}{asked:>10}{reached:>16,.0f}{off:>8.2%}{result.failed:>8,}{cpu_us:>14.1f}", flush=True)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
