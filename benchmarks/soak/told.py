"""What the pipeline says of itself in its log, and how far behind Kafka that is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(r"since the start: (?P<counts>.*); [\d,]+ events/s; event time (?P<at>\S+ \S+)$")
_COUNT = re.compile(r"([\d,]+) ([a-z][a-z ]*)")


@dataclass(frozen=True, slots=True)
class Told:
    """The counts of a line of progress by their names, and the newest event time as text."""

    counts: dict[str, int]
    event_time: str

    @property
    def events(self) -> int:
        """All events that the pipeline has taken since its start."""
        return sum(self.counts.get(name, 0) for name in ("predictions", "duplicates", "outcomes"))

    @property
    def pending(self) -> int:
        """The predictions that it holds, if it began with none."""
        return self.counts.get("predictions", 0) - self.counts.get("expired predictions", 0)


def told(line: str) -> Told | None:
    """Return what a line of the log tells of the progress, or None for another line."""
    found = _LINE.search(line.rstrip())
    if found is None:
        return None
    counts = {name: int(number.replace(",", "")) for number, name in _COUNT.findall(found["counts"])}
    return Told(counts, found["at"])


class LogFollower:
    """Reads what is new in the log of a pipeline; `ends` returns how many events Kafka holds, and is asked at each line of progress."""

    def __init__(self, file: Path, ends: Callable[[], int]) -> None:
        self._file = file
        self._ends = ends
        self._read = 0
        self._rest = ""
        self.last = Told({}, "")
        self.lag = 0

    def look(self) -> bool:
        """Take in the new lines, and say whether there was one of progress."""
        with self._file.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        self._read += len(data)
        *lines, self._rest = (self._rest + data.decode(errors="replace")).split("\n")
        found = [one for line in lines if (one := told(line)) is not None]
        if found:
            self.last = found[-1]
            self.lag = max(self._ends() - self.last.events, 0)
        return bool(found)
