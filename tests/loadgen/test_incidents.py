from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.announcing import Announcement, Announcer, console_line, describe, to_console, to_json_lines
from loadgen.duration import Milliseconds
from loadgen.incidents import AnyIncident, Episode, LatencySpike, episodes_between, past_episodes
from loadgen.scenario import Scenario


def _spike(at: int, lasts: int) -> AnyIncident:
    return LatencySpike(model="churn", at=Milliseconds(at), lasts=Milliseconds(lasts))


def test_incidents_repeat_with_the_cycle() -> None:
    found = episodes_between([_spike(10, 5)], cycle_ms=100, origin_ms=1_000, start_ms=1_000, end_ms=1_300)
    assert [(episode.start_ms, episode.end_ms) for episode in found] == [(1_010, 1_015), (1_110, 1_115), (1_210, 1_215)]


@given(at=st.integers(0, 90), lasts=st.integers(1, 10), start=st.integers(0, 500), length=st.integers(1, 300), split=st.integers(1, 299))
def test_any_split_of_time_has_the_same_episodes(at: int, lasts: int, start: int, length: int, split: int) -> None:
    def between(first: int, last: int) -> set[Episode]:
        return set(episodes_between([_spike(at, lasts)], 100, 0, first, last))

    middle = min(start + split, start + length)
    assert between(start, start + length) == between(start, middle) | between(middle, start + length)
    assert all(episode.end_ms > start and episode.start_ms < start + length for episode in between(start, start + length))


def test_past_incidents_count_back_from_midnight() -> None:
    (episode,) = past_episodes([_spike(3_600_000, 60_000)], midnight_ms=86_400_000)
    assert (episode.start_ms, episode.end_ms) == (82_800_000, 82_860_000)


def test_begin_and_end_are_each_announced_once_with_what_to_expect() -> None:
    out = io.StringIO()
    announcer = Announcer("demo", [to_console(out)])
    episode = Episode(_spike(0, 20_000), 5_000, 25_000)
    for until in range(1_000, 40_000, 1_000):
        announcer.advance([episode] if until <= 26_000 else [], until)
    assert out.getvalue().splitlines() == [
        "00:00:05Z  BEGIN  churn: latency spike: response times x5; expect latency_p50_ms to latency_p99_ms about x5",
        "00:00:25Z  END    churn: latency spike: response times x5; back to normal",
    ]


def test_an_incident_that_has_begun_ends_with_the_scenario() -> None:
    said: list[Announcement] = []
    announcer = Announcer("demo", [said.append])
    announcer.advance([Episode(_spike(0, 20_000), 5_000, 25_000)], 6_000)
    announcer.finish(9_000)
    assert [(one.phase, one.at) for one in said] == [("begin", 5_000), ("end", 9_000)]


def test_announcements_are_kept_as_json_lines(tmp_path: Path) -> None:
    log = tmp_path / "incidents.jsonl"
    announcer = Announcer("demo", [to_json_lines(log)])
    announcer.advance([Episode(_spike(0, 10), 5, 15)], 100)
    lines = [msgspec.json.decode(line, type=Announcement) for line in log.read_bytes().splitlines()]
    assert [(line.phase, line.at, line.kind, line.details) for line in lines] == [
        ("begin", 5, "latency_spike", {"factor": 5.0}),
        ("end", 15, "latency_spike", {"factor": 5.0}),
    ]


def test_a_log_that_has_grown_long_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadgen.announcing.LOG_BYTES", 10)
    log = tmp_path / "incidents.jsonl"
    log.write_text("x" * 11)
    to_json_lines(log)
    assert not log.exists()
    assert (tmp_path / "incidents.1.jsonl").exists()


def test_each_incident_of_the_demo_is_told_in_one_line(demo: Scenario) -> None:
    for incident in (*demo.incidents, *demo.history.incidents):
        title, expected = describe(incident)
        line = console_line(Announcement("begin", 0, "demo", incident.model, "", title, expected, {}))
        assert "\n" not in line
        assert incident.model in line
        assert len(line) < 220


def test_a_history_that_is_sent_again_does_not_log_its_incidents_again(tmp_path: Path) -> None:
    log = tmp_path / "incidents.jsonl"
    for _ in range(2):
        announcer = Announcer("demo", [to_json_lines(log, again=True)])
        announcer.advance([Episode(_spike(0, 10), 5, 15)], 100)
    assert len(log.read_bytes().splitlines()) == 2
