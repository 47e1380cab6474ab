"""The scenario format: which models are served, how much, to whom, and what goes wrong. Read from TOML, strictly."""

from __future__ import annotations

import math
from typing import Annotated

import msgspec

from loadgen.duration import Milliseconds
from loadgen.incidents import AnyIncident
from loadgen.ranges import Factor, Positive, Share, Spread, Word


class Delay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long something takes to become known: `share` of it ever does, within `from`-`to`.

    `late_share` of that takes longer: up to `late_to`.
    """

    earliest: Milliseconds = msgspec.field(name="from")
    latest: Milliseconds = msgspec.field(name="to")
    share: Share = 1.0
    late_share: Share = 0.0
    late_to: Milliseconds = Milliseconds(0)


class Latency(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Response times: log-normal around `median_ms`, and `slow_share` of them several times slower.

    `canary_factor` is how much slower the canary is.
    """

    median_ms: Positive
    sigma: Spread = 0.35
    slow_share: Share = 0.012
    canary_factor: Factor = 1.1


class Experiment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An experiment with conversions: units are split evenly over the arms, each with its conversion rate.

    `revenue` is the median revenue of a conversion. `outcome` and `past` say when it becomes known, live and in the history.
    """

    arms: Annotated[dict[Word, Share], msgspec.Meta(min_length=1)]
    revenue: Positive
    outcome: Delay
    past: Delay


class ModelTraffic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model service in a scenario. `peak_hour` (UTC) and `swing` (0-1) shape its day."""

    name: str
    share: Positive
    latency: Latency
    label: Delay
    past_label: Delay
    segments: dict[Word, Annotated[dict[Word, Positive], msgspec.Meta(min_length=1)]]
    canary: Share = 0.12
    errors: Share = 0.003
    peak_hour: float = 14.0
    swing: Share = 0.45
    times_as_text: bool = False
    experiment: Experiment | None = None


class Disorder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the network treats events: shares that are sent twice, come late by up to `late_by`, or far too late by up to `too_late_by`."""

    duplicates: Share = 0.005
    late: Share = 0.01
    late_by: Milliseconds = Milliseconds(20_000)
    too_late: Share = 0.0003
    too_late_by: Milliseconds = Milliseconds(300_000)


class History(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What happened before the scenario starts."""

    predictions_per_day: Positive = 12_500.0
    incidents: tuple[AnyIncident, ...] = ()


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A scenario. `rate` is in events per second, all models and topics together; infinite is as fast as possible.

    `speed` is event time over wall time, `for` how long it is played (wall time) where nobody says so; without it, without end.
    `templates`: events are copies of pre-encoded ones, with their own id and time; incidents are then left out.
    """

    name: str
    description: str
    models: tuple[ModelTraffic, ...]
    rate: Annotated[float, msgspec.Meta(gt=0)] = math.inf
    speed: Positive = 1.0
    lasts: Milliseconds | None = msgspec.field(name="for", default=None)
    templates: bool = False
    cycle: Milliseconds = Milliseconds(240_000)
    disorder: Disorder = Disorder()
    incidents: tuple[AnyIncident, ...] = ()
    history: History = History()
