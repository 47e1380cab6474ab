"""The judgement of the health page: what is well, and what is not, what that means, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard.feed import FeedStatus
from dashboard.format import age, number
from dashboard.watch.report import Check, Letters, PartitionLag, Sample
from schemas.health import PipelineHealth

_SILENT_MS = 10_000
_LAG_S = 10.0
"""A pipeline is behind when what waits is more than it takes in within this time, and more than a handful."""
_LAG_AT_LEAST = 2_000
_FREE_WARNING, _FREE_CRITICAL = 0.10, 0.03
_RECENT_MS = 300_000


def checks(
    *,
    now: int,
    health: PipelineHealth | None,
    feed: FeedStatus,
    partitions: Sequence[PartitionLag],
    samples: Sequence[Sample],
    letters: Letters,
    free_share: float,
) -> list[Check]:
    """Return the judgements, always the same ones in the same order."""
    return [_kafka(feed, now), _pipeline(health, now), _lag(partitions, samples), _letters(letters, now), _disk(free_share)]


def _kafka(feed: FeedStatus, now: int) -> Check:
    since = f"since {age(now - feed.since_ms)}"
    if feed.state == "unreachable":
        return Check("Kafka", "critical", f"Not reachable {since}: check that it runs, and its address with ./tower doctor")
    if feed.state == "live":
        return Check("Kafka", "ok", "Reachable; the dashboard follows live")
    return Check("Kafka", "no data", f"The dashboard is {feed.state} {since}")


def _pipeline(health: PipelineHealth | None, now: int) -> Check:
    if health is None:
        return Check("Pipeline", "no data", "Has not run on this home yet: start it with ./tower up, or ./tower pipeline")
    silent = now - health.updated_at
    if silent > _SILENT_MS:
        return Check("Pipeline", "critical", f"Silent for {age(silent)}: start it with ./tower up, or see the last line of its log")
    return Check("Pipeline", "ok", f"Runs for {age(now - health.started_at)}")


def _lag(partitions: Sequence[PartitionLag], samples: Sequence[Sample]) -> Check:
    if not partitions:
        return Check("Lag", "no data", "Kafka has not said yet how far its logs go")
    waiting = sum(each.lag for each in partitions)
    rate = max((sample.events_per_s for sample in samples[-10:]), default=0.0)
    text = f"{number(waiting, 'count').number} events wait"
    if waiting <= _LAG_AT_LEAST or waiting <= _LAG_S * rate:
        return Check("Lag", "ok", text)
    left = f", {age(1000 * waiting / rate)} of work at its present rate" if rate else ", and none is taken in"
    growing = len(samples) >= 10 and samples[-1].lag > samples[-10].lag
    return Check("Lag", "critical" if growing or not rate else "warning", text + left)


def _letters(letters: Letters, now: int) -> Check:
    newest = max((letter.received_at for letter in letters.last), default=0)
    if not letters.kept:
        return Check("Dead letters", "ok", "None: all messages are events")
    text = f"{letters.last_hour:,} within the hour, the newest {age(now - newest)} ago"
    return Check("Dead letters", "warning" if now - newest < _RECENT_MS else "ok", text)


def _disk(free_share: float) -> Check:
    state = "critical" if free_share < _FREE_CRITICAL else "warning" if free_share < _FREE_WARNING else "ok"
    mend = "" if state == "ok" else ": free some space; a full disk stops the pipeline, and nothing is lost by it"
    return Check("Disk", state, f"{100 * free_share:.0f} % free{mend}")
