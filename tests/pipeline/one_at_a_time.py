"""The join done naively: one event at a time, in dicts, straight from the words of the contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

HORIZON_MS = 1_000
"""Short, so that small examples cross it."""
FIELDS = ("label", "converted", "revenue")


@dataclass(frozen=True, slots=True)
class Served:
    """A prediction: `answer` is an int, a float or a text."""

    id: int
    at: int
    answer: Any
    variant: int = 0


@dataclass(frozen=True, slots=True)
class Known:
    """An outcome; None is a field that it does not carry."""

    id: int
    at: int
    tie: int
    label: Any = None
    converted: bool | None = None
    revenue: float | None = None


Event = Served | Known
Field = tuple[int, int, Any]
"""Of one field the time, tie and value that count."""


@dataclass(slots=True)
class Remembered:
    """What is known of one id: its prediction, what counts for that, and what waits for another one."""

    served: Served | None = None
    fields: dict[str, Field] = field(default_factory=dict)
    waiting: list[Known] = field(default_factory=list)

    def take(self, event: Known) -> None:
        """Take an outcome."""
        if self.served is None or abs(event.at - self.served.at) > HORIZON_MS:
            self.waiting.append(event)
            return
        for name in FIELDS:
            value, before = getattr(event, name), self.fields.get(name)
            if value is not None and (before is None or (event.at, event.tie) > before[:2]):
                self.fields[name] = (event.at, event.tie, value)


@dataclass(slots=True)
class Naive:
    """Takes events in order; `counted` and `repeated` hold the positions of predictions among all predictions."""

    ids: dict[int, Remembered] = field(default_factory=dict)
    past: list[Remembered] = field(default_factory=list)
    counted: list[int] = field(default_factory=list)
    repeated: list[int] = field(default_factory=list)
    _predictions: int = 0

    def take(self, event: Event) -> None:
        """Take one event."""
        known = self.ids.setdefault(event.id, Remembered())
        if isinstance(event, Served):
            self._serve(known, event)
        elif carries_any(event):
            known.take(event)

    def _serve(self, known: Remembered, event: Served) -> None:
        position, self._predictions = self._predictions, self._predictions + 1
        if known.served is not None and event.at - known.served.at <= HORIZON_MS:
            self.repeated.append(position)
            return
        if known.served is not None:
            self.past.append(known)
        self.counted.append(position)
        anew = self.ids[event.id] = Remembered(event)
        for outcome in known.waiting:
            anew.take(outcome)


def carries_any(event: Known) -> bool:
    """Return whether an outcome says anything."""
    return any(getattr(event, name) is not None for name in FIELDS)


def unmatched(naive: Naive) -> set[Known]:
    """Return the outcomes that no prediction has taken."""
    return {event for known in naive.ids.values() for event in known.waiting}


def at_once(events: Iterable[Event]) -> Naive:
    """Return the state after all events, of which each id has one prediction at most, or repeats of it: in no order at all."""
    events = list(events)
    naive = play([event for event in events if isinstance(event, Served)])
    for event in events:
        if isinstance(event, Known) and carries_any(event):
            naive.ids.setdefault(event.id, Remembered()).take(event)
    return naive


def matched(naive: Naive) -> Iterable[tuple[Served, dict[str, Any]]]:
    """Yield each prediction that counted, with the outcome that counts for it."""
    for known in [*naive.past, *naive.ids.values()]:
        if known.served is not None:
            yield known.served, {name: value for name, (_, _, value) in known.fields.items()}


def sums(naive: Naive) -> Counter[tuple[int, str, Any]]:
    """Return what the panes must come to: (event time, what, which) -> how much. Numbers written as floats are no classes."""
    result: Counter[tuple[int, str, Any]] = Counter()
    for served, outcome in matched(naive):
        at = served.at
        if "label" in outcome:
            label = outcome["label"]
            result[at, "labelled", None] += 1
            numbers = not isinstance(label, str) and not isinstance(served.answer, str)
            if numbers and (isinstance(label, float) or isinstance(served.answer, float)):
                result[at, "absolute", None] += abs(served.answer - label)
                result[at, "squared", None] += (served.answer - label) ** 2
            else:
                result[at, "confusion", (served.answer, label)] += 1
        if "converted" in outcome:
            result[at, "known", served.variant] += 1
            result[at, "converted", served.variant] += outcome["converted"]
        if "revenue" in outcome:
            result[at, "revenue", None] += outcome["revenue"]
    return Counter({key: value for key, value in result.items() if value})


def play(events: Sequence[Event]) -> Naive:
    """Return the state after all events."""
    naive = Naive()
    for event in events:
        naive.take(event)
    return naive
