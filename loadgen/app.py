"""Playing a scenario: what `./tower loadgen` and the demo call."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import numpy as np

from loadgen.announcing import Announcer, Listener, to_console, to_json_lines
from loadgen.flood import FloodRun
from loadgen.generator import Generator, train_models
from loadgen.live import LiveRun
from loadgen.pace import event_clock
from loadgen.progress import Progress
from loadgen.scenario import Scenario
from loadgen.scenario_files import load_scenario
from loadgen.sending import Sender
from loadgen.stopping import stop_on_signals
from loadgen.templates import make_templates
from loadgen.topics import await_topics
from schemas.errors import BrokerUnavailable, ConfigurationError
from schemas.kafka import KafkaSettings
from schemas.limits import EARLIEST_MS

TEMPLATES_ABOVE = 10_000
"""Above so many events a second they are copied from templates: models cannot answer that fast."""
INCIDENT_LOG = "incidents.jsonl"


def run_scenario(
    *,
    kafka: KafkaSettings,
    scenario: str,
    rate: float | None,
    duration_s: float | None,
    seed: int,
    speed: float | None,
    cache: Path,
    out: TextIO,
    listener: Listener | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Play `scenario`, a name or the path of a TOML file, until `duration_s` have gone by, SIGTERM or Ctrl-C.

    `rate` is in events per second over all models and topics (`math.inf`: as fast as possible); it is kept
    exactly. `None` is the scenario's own rate, which follows the time of the day. `speed` is event time over wall
    time; it and `duration_s` are the scenario's own where they are None. Models are kept in `cache`, as is a log of the incidents
    (`incidents.jsonl`); `listener` is told of them too.
    `stop` ends the run from another thread.

    Raises ConfigurationError for a scenario, rate or speed that cannot be, BrokerUnavailable when Kafka refuses.
    """
    _check("rate", rate)
    _check("speed", speed)
    plan = load_scenario(scenario)
    speed = speed or plan.speed
    if duration_s is None and plan.lasts is not None:
        duration_s = plan.lasts / 1000
    with stop_on_signals() as signalled:
        flag = stop or signalled
        trained = train_models(plan, cache, training_note(out))
        if not await_topics(kafka, out, flag):
            return
        start_ms = time.time_ns() // 1_000_000
        run = f"{start_ms:x}{seed:x}"
        rng = np.random.default_rng([seed, 1])
        clock = event_clock(start_ms, speed, duration_s)
        if clock.origin_ms < EARLIEST_MS:
            raise ConfigurationError("the run would begin before the year 2000", "give less --speed, or less --for")
        generator = Generator(plan, trained, run, past=False)
        wanted = rate or plan.rate
        from_templates = plan.templates or wanted > TEMPLATES_ABOVE
        print(_opening(plan, rate, speed, duration_s, from_templates), file=out, flush=True)
        sender = Sender(kafka, out, flag, linger_ms=20 if from_templates else 5)
        progress = Progress(out, time.monotonic)
        if from_templates:
            FloodRun(make_templates(rng, plan, generator, start_ms), sender, clock, run, wanted).run(duration_s, flag, progress)
        else:
            listeners = [to_console(out), to_json_lines(cache / INCIDENT_LOG), *([listener] if listener else [])]
            live = LiveRun(plan, generator, sender, Announcer(plan.name, listeners), clock, seed, rate)
            live.run(duration_s, flag, progress)
            tell_evicted(live.evicted, out)
        finish(sender, out)


def tell_evicted(count: int, out: TextIO) -> None:
    """Say how many outcomes a full schedule did not keep."""
    if count:
        print(f"{count:,} outcomes that were due too late were left out: more were to come than wait in memory", file=out)


def finish(sender: Sender, out: TextIO) -> None:
    """Wait for the last acknowledgements, and print the counts.

    Raises BrokerUnavailable when events have not arrived, whether the run was stopped or not.
    """
    counts = sender.finish()
    print(sender.report(), file=out, flush=True)
    if counts.acknowledged < counts.produced:
        raise BrokerUnavailable(
            f"{counts.produced - counts.acknowledged:,} events were not acknowledged", "check the broker with ./tower doctor"
        )


def training_note(out: TextIO) -> Callable[[str], None]:
    """Return a function that says on `out` that a model is being trained."""
    return lambda name: print(f"training the models of {name}", file=out, flush=True)


def _opening(plan: Scenario, rate: float | None, speed: float, duration_s: float | None, from_templates: bool) -> str:
    wanted = rate or plan.rate
    pace = "as fast as possible" if math.isinf(wanted) else f"{wanted:g} events/s" + ("" if rate else " on a day's average")
    hurry = "" if speed == 1 else f", event time x{speed:g}"
    if duration_s is not None:
        hurry += f", for {duration_s:g} s"
    copies = ", copied from templates: no incidents" if from_templates else ""
    return f"scenario {plan.name}: {plan.description}; {pace}{hurry}{copies}"


def _check(name: str, value: float | None) -> None:
    if value is not None and not value > 0:
        raise ConfigurationError(f"{name} must be more than 0, not {value:g}", f"give a positive --{name}")
