"""Incidents as they begin and end: a line on the console, and a record that annotations can be made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TextIO

import msgspec

from loadgen.incidents import (
    AnyIncident,
    ConceptDrift,
    ConversionDrop,
    DriftedSegment,
    Episode,
    FailingVersion,
    LatencySpike,
    NullBurst,
)

LOG_BYTES = 5_000_000
"""A log of incidents that is longer is put aside when it is next written to."""


class Announcement(msgspec.Struct, frozen=True):
    """The begin or the end of an incident. `at` is its event time, in milliseconds; `details` are its settings in the scenario."""

    phase: Literal["begin", "end"]
    at: int
    scenario: str
    model: str
    kind: str
    title: str
    expected: str
    details: dict[str, str | float]


Listener = Callable[[Announcement], None]


def describe(incident: AnyIncident) -> tuple[str, str]:
    """Return what happens, and what the metrics should show."""
    match incident:
        case LatencySpike(factor=factor):
            return f"latency spike: response times x{factor:g}", f"latency_p50_ms to latency_p99_ms about x{factor:g}"
        case NullBurst(feature=feature, share=share):
            return (
                f"null burst: {feature} missing in {share:.0%} of requests",
                f"input_null_percentage of {feature} near {100 * share:.0f}",
            )
        case DriftedSegment(segment=segment, value=value, features=features, shift=shift):
            return (
                f"drifted segment: in {segment}={value}, {', '.join(features)} shifted by {shift:g} standard deviations",
                f"f1_score worse (mae higher) in {segment}={value} only, as labels come in",
            )
        case ConceptDrift(share=share):
            return f"concept drift: {share:.0%} of the truth follows another relation", "f1_score falls (mae rises), as labels come in"
        case FailingVersion(version=version, share=share):
            return f"failing version: the {version} fails in {share:.0%} of requests", f"error_rate of the {version} near {share:g}"
        case ConversionDrop(factor=factor, variant=variant):
            return (
                f"conversion drop: {variant or 'all variants'} convert x{factor:g}",
                "conversion_rate and revenue fall, as outcomes come in",
            )


def announcement(phase: Literal["begin", "end"], episode: Episode, scenario: str, at_ms: int) -> Announcement:
    """Return the record of an episode that begins or ends at `at_ms`."""
    incident = episode.incident
    title, expected = describe(incident)
    details = {
        key: value for key, value in msgspec.to_builtins(incident, enc_hook=int).items() if key not in ("kind", "model", "at", "for")
    }
    kind = str(type(incident).__struct_config__.tag)
    return Announcement(phase, at_ms, scenario, incident.model, kind, title, expected, details)


def console_line(said: Announcement) -> str:
    """Return the one line that a watcher reads."""
    clock = datetime.fromtimestamp(said.at / 1000, UTC).strftime("%H:%M:%SZ")
    if said.phase == "begin":
        return f"{clock}  BEGIN  {said.model}: {said.title}; expect {said.expected}"
    return f"{clock}  END    {said.model}: {said.title}; back to normal"


class Announcer:
    """Says each begin and end once, as event time goes on."""

    def __init__(self, scenario: str, listeners: Iterable[Listener]) -> None:
        self._scenario = scenario
        self._listeners = list(listeners)
        self._open: dict[Episode, None] = {}
        self._seen_until = 0

    def advance(self, episodes: Iterable[Episode], until_ms: int) -> None:
        """Announce what of `episodes` begins or ends before `until_ms` and has not been announced."""
        for episode in episodes:
            if self._seen_until <= episode.start_ms < until_ms:
                self._open[episode] = None
                self._say(announcement("begin", episode, self._scenario, episode.start_ms))
        for episode in [episode for episode in self._open if episode.end_ms < until_ms]:
            del self._open[episode]
            self._say(announcement("end", episode, self._scenario, episode.end_ms))
        self._seen_until = until_ms

    def finish(self, at_ms: int) -> None:
        """Announce the end, at `at_ms`, of what has begun: the scenario stops, so do its incidents."""
        for episode in self._open:
            self._say(announcement("end", episode, self._scenario, min(at_ms, episode.end_ms)))
        self._open.clear()

    def _say(self, said: Announcement) -> None:
        for listener in self._listeners:
            listener(said)


def to_console(out: TextIO) -> Listener:
    """Return a listener that writes a line on `out`."""
    return lambda said: print(console_line(said), file=out, flush=True)


def to_json_lines(path: Path, *, again: bool = False) -> Listener:
    """Return a listener that appends a JSON line to the file `path`; with `again`, unless the same line is there already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".1" + path.suffix))

    known = set(path.read_bytes().splitlines()) if again and path.exists() else set[bytes]()

    def listen(said: Announcement) -> None:
        if msgspec.json.encode(said) in known:
            return
        with path.open("ab") as file:
            file.write(msgspec.json.encode(said) + b"\n")

    return listen
