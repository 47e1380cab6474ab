"""The judgement of Control Tower's own health, and dead letters as text that harms nobody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.feed import FeedStatus
from dashboard.watch.checks import checks
from dashboard.watch.lag import lags
from dashboard.watch.letters import letter_of, shown, summary
from dashboard.watch.report import Check, Letter, Letters, PartitionLag, Sample
from schemas.health import PartitionProgress, PipelineHealth
from schemas.topics import OUTCOMES, PREDICTIONS

NOW = 1_800_000_000_000
HOUR_MS = 3_600_000
LIVE = FeedStatus("live", NOW - HOUR_MS)
WELL = PipelineHealth({}, 1, NOW - HOUR_MS, NOW - 500)


def judged(
    *,
    health: PipelineHealth | None = WELL,
    feed: FeedStatus = LIVE,
    lag: int = 10,
    rates: tuple[float, ...] = (1_000.0,),
    letters: Letters = Letters(),  # noqa: B008 - it is frozen
    free: float = 0.5,
) -> dict[str, Check]:
    partitions = [PartitionLag(PREDICTIONS, 0, 100, 100 + lag)]
    samples = [Sample(NOW, rate, lag) for rate in rates]
    found = checks(now=NOW, health=health, feed=feed, partitions=partitions, samples=samples, letters=letters, free_share=free)
    return {check.name: check for check in found}


def letter(reason: str, received_at: int = NOW) -> Letter:
    headers = {"reason": reason, "path": "$", "topic": PREDICTIONS, "partition": "2", "offset": "7", "received_at": str(received_at)}
    return letter_of([(name, value.encode()) for name, value in headers.items()], b"{")


def test_when_all_is_well_all_checks_say_so() -> None:
    found = judged()
    assert [(check.name, check.state) for check in found.values()] == [
        (name, "ok") for name in ("Kafka", "Pipeline", "Lag", "Dead letters", "Disk")
    ]
    assert found["Pipeline"].text == "Runs for 1\u202fh"
    assert found["Lag"].text == "10 events wait"


@pytest.mark.parametrize(
    ("given", "name", "state", "says"),
    [
        ({"feed": FeedStatus("unreachable", NOW - 60_000)}, "Kafka", "critical", "Not reachable since 1\u202fmin"),
        ({"feed": FeedStatus("catching up", NOW)}, "Kafka", "no data", "catching up"),
        ({"health": None}, "Pipeline", "no data", "./tower up"),
        ({"health": PipelineHealth({}, 1, 0, NOW - 20_000)}, "Pipeline", "critical", "Silent for 20\u202fs"),
        ({"lag": 9_000}, "Lag", "ok", "9,000 events wait"),
        ({"lag": 60_000}, "Lag", "warning", "1\u202fmin of work"),
        ({"lag": 60_000, "rates": (0.0,)}, "Lag", "critical", "none is taken in"),
        ({"letters": summary([letter("bad")], 1, NOW)}, "Dead letters", "warning", "1 within the hour"),
        ({"letters": summary([letter("bad", NOW - 2 * HOUR_MS)], 1, NOW)}, "Dead letters", "ok", "2\u202fh ago"),
        ({"free": 0.05}, "Disk", "warning", "5 % free"),
        ({"free": 0.01}, "Disk", "critical", "free some space"),
    ],
)
def test_what_is_not_well_is_told_with_its_mend(given: dict[str, object], name: str, state: str, says: str) -> None:
    check = judged(**given)[name]  # type: ignore[arg-type]
    assert check.state == state
    assert says in check.text


def test_a_lag_that_grows_is_critical() -> None:
    samples = [Sample(NOW + number, 1_000.0, 50_000 + number) for number in range(10)]
    partitions = [PartitionLag(PREDICTIONS, 0, 0, 60_000)]
    found = checks(now=NOW, health=WELL, feed=LIVE, partitions=partitions, samples=samples, letters=Letters(), free_share=1)
    assert found[2].state == "critical"


def test_lag_counts_from_what_is_committed_and_else_from_the_beginning_of_the_log() -> None:
    health = PipelineHealth({}, 1, 0, 0, partitions=[PartitionProgress(PREDICTIONS, 0, 70)])
    found = lags(health, {(PREDICTIONS, 0): (10, 100), (OUTCOMES, 1): (5, 25)})
    assert [(each.topic, each.partition, each.lag) for each in found] == [(OUTCOMES, 1, 20), (PREDICTIONS, 0, 30)]


def test_dead_letters_are_counted_by_what_is_the_same_in_their_reasons() -> None:
    reasons = [f"$.score: expected a number from 0 to 1, got {number}" for number in (7, 8)] + ['$.model: expected text, got "a"']
    found = summary([letter(reason, NOW + number) for number, reason in enumerate(reasons)], 90, NOW)
    assert [(each.example, each.count) for each in found.reasons] == [(reasons[1], 2), (reasons[2], 1)]
    assert (found.kept, found.looked_at, found.last_hour) == (90, 3, 3)
    assert [each.reason for each in found.last] == reasons[::-1]
    assert (found.last[0].topic, found.last[0].partition, found.last[0].offset, found.last[0].size) == (PREDICTIONS, "2", "7", 1)


@given(st.none() | st.binary(max_size=2_000))
def test_every_byte_of_a_dead_letter_is_shown_as_text_that_does_nothing(value: bytes | None) -> None:
    text = shown(value)
    assert text.isprintable()
    assert len(text) <= 300 * 10 + 1


def test_bytes_that_are_text_are_shown_as_they_are() -> None:
    assert shown('{"model": "größe"}\n\x00\u202e'.encode()) == '{"model": "größe"}\\n\\x00\\u202e'
    assert shown(b"\xff\xfe") == "\\xff\\xfe"
    assert shown(b"x" * 301) == "x" * 300 + "\u2026"
