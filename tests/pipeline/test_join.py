"""Predictions and outcomes meet, field by field, whatever comes first, and wherever commits cut the log."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cells import Kind, cell_a, cell_b, cell_kind
from pipeline.exact import collapsed
from pipeline.panes import Cells, summed
from pipeline.shard import records as r
from pipeline.shard.deltas import Delta, concatenated, outcome_deltas
from pipeline.shard.join import distinct_ids, join
from pipeline.shard.rows import NO_KEY_SET, OutcomeRows, PredictionRows
from pipeline.shard.waiting import as_records, as_rows
from tests.pipeline.one_at_a_time import HORIZON_MS, Event, Known, Naive, Served, at_once, carries_any, play, sums, unmatched

TEXTS = ("yes", "no")
HORIZONS = np.array([HORIZON_MS], dtype=np.int64)
NONE = np.zeros(0, dtype=np.int64)


def _hashes(ids: Sequence[int]) -> np.ndarray:
    return np.array([(id_ * 77 % 5, id_) for id_ in ids], dtype=np.uint64).reshape(-1, 2)


def _answers(values: Sequence[Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    texts = [TEXTS.index(value) if isinstance(value, str) else int(r.NO_CLASS) for value in values]
    numbers = [float("nan") if value is None or isinstance(value, str) else float(value) for value in values]
    return np.array(texts, dtype=np.int64), np.array(numbers), np.array([isinstance(value, float) for value in values])


def served_rows(events: Sequence[Served]) -> PredictionRows:
    count = len(events)
    class_, number, as_float = _answers([event.answer for event in events])
    zeros = np.zeros(count, dtype=np.int64)
    return PredictionRows(
        hash=_hashes([event.id for event in events]),
        created_at=np.array([event.at for event in events], dtype=np.int64),
        watermark=zeros,
        profile=zeros,
        key_set=np.full(count, NO_KEY_SET),
        variant=np.array([event.variant for event in events], dtype=np.int64),
        class_=class_,
        number=number,
        written_as_float=as_float,
        latency_ms=np.full(count, np.nan),
        error=np.zeros(count, dtype=bool),
        null_row=NONE,
        null_feature=NONE,
        sent_row=NONE,
        sent_feature=NONE,
    )


def known_rows(events: Sequence[Known]) -> OutcomeRows:
    class_, number, as_float = _answers([event.label for event in events])
    return OutcomeRows(
        hash=_hashes([event.id for event in events]),
        created_at=np.array([event.at for event in events], dtype=np.int64),
        tie=np.array([event.tie for event in events], dtype=np.int64),
        profile=np.zeros(len(events), dtype=np.int64),
        class_=class_,
        number=number,
        written_as_float=as_float,
        converted=np.array([-1 if event.converted is None else event.converted for event in events], dtype=np.int64),
        revenue=np.array([np.nan if event.revenue is None else event.revenue for event in events]),
    )


class Committed:
    """A shard's records and sums over several commits, without a store."""

    def __init__(self) -> None:
        self.stored: dict[tuple[int, ...], bytes] = {}
        self.entries: dict[tuple[int, ...], list[bytes]] = defaultdict(list)
        self.deltas: list[Delta] = []
        self.counted: list[int] = []
        self.repeated: list[int] = []
        self._predictions = 0

    def commit(self, events: Sequence[Event]) -> None:
        """Join a stretch of the log."""
        served = [event for event in events if isinstance(event, Served)]
        known = [event for event in events if isinstance(event, Known)]
        predictions, outcomes = served_rows(served) if served else None, known_rows(known) if known else None
        ids = distinct_ids(predictions, outcomes)
        keys = list(map(tuple, ids.hash.tolist()))
        joined = join(r.unpack([self.stored.get(key) for key in keys]), ids, predictions, outcomes, HORIZONS, self._recall)
        to_store = np.flatnonzero(joined.changed | joined.marked)
        self.stored |= zip([keys[row] for row in to_store.tolist()], r.pack(joined.after[to_store]), strict=True)
        for row, entry in zip(joined.entry_of.tolist(), r.pack(joined.entries), strict=True):
            self.entries[keys[row]].append(entry)
        changed = np.flatnonzero(joined.changed)
        self.deltas += outcome_deltas(joined.before[changed], joined.after[changed], np.zeros(1, dtype=np.int64), self._class_ids)
        self.counted += (joined.counted + self._predictions).tolist()
        self.repeated += (joined.repeated + self._predictions).tolist()
        self._predictions += len(served)

    def _recall(self, hashes: np.ndarray, served: r.Records) -> tuple[OutcomeRows, np.ndarray]:
        """Take out all that is near enough, as `Waiting.recall` does."""
        found, of = [], []
        for position, key in enumerate(map(tuple, hashes.tolist())):
            near = np.abs(r.newest_outcome(r.unpack(self.entries[key])) - served["created_at"][position]) <= HORIZON_MS
            found += [entry for entry, is_near in zip(self.entries[key], near, strict=True) if is_near]
            self.entries[key] = [entry for entry, is_near in zip(self.entries[key], near, strict=True) if not is_near]
            of += [position] * int(near.sum())
        positions = np.array(of, dtype=np.int64)
        return as_rows(r.unpack(found), hashes[positions]), positions

    def waiting(self) -> set[tuple[int, int, int]]:
        """Return (id, time, tie) of each outcome that waits, in a record or beside it. An id with entries is marked as having some."""
        found = [(key, value) for key, values in self.entries.items() for value in values]
        assert all(r.unpack([self.stored[key]])["flags"] & r.HAS_MORE for key, _ in found)
        found += [(key, value) for key, value in self.stored.items() if not r.unpack([value])["flags"] & r.HAS_PREDICTION]
        rows = as_rows(r.unpack([value for _, value in found]), np.zeros((len(found), 2), dtype=np.uint64))
        waiting = [(key[1], at, tie) for (key, _), at, tie in zip(found, rows.created_at.tolist(), rows.tie.tolist(), strict=True)]
        assert len(waiting) == len(set(waiting))
        return set(waiting)

    def sums(self) -> Counter[tuple[int, str, Any]]:
        """Return what the deltas come to, in the words of `one_at_a_time.sums`."""
        if not self.deltas:
            return Counter()
        all_ = concatenated(self.deltas)
        cells = collapsed(summed(all_.created_at.astype(np.uint64), all_.cell, all_.value))
        names = {
            Kind.LABELLED: "labelled",
            Kind.ERROR_ABSOLUTE: "absolute",
            Kind.ERROR_SQUARED: "squared",
            Kind.OUTCOME_KNOWN: "known",
            Kind.CONVERTED: "converted",
            Kind.REVENUE: "revenue",
            Kind.CONFUSION: "confusion",
        }
        return Counter({key: value for key, value in self._named(cells, names) if key[1] and value})

    def _named(self, cells: Cells, names: dict[Kind, str]) -> list[tuple[tuple[int, str, Any], float]]:
        columns = (cells.pane, cell_kind(cells.cell), cell_a(cells.cell), cell_b(cells.cell), cells.value)
        result = []
        for at, kind, a, b, value in zip(*(column.tolist() for column in columns), strict=True):
            which: Any = None
            if kind == Kind.CONFUSION:
                which = (self._class(a), self._class(b))
            elif kind in (Kind.OUTCOME_KNOWN, Kind.CONVERTED):
                which = a
            result.append(((at, names.get(kind, ""), which), value))
        return result

    @staticmethod
    def _class_ids(profile: np.ndarray, number: np.ndarray, as_float: np.ndarray) -> np.ndarray:
        # An integer n is the class n + 10, a float n the class n + 20.
        return (number + np.where(as_float, 20, 10)).astype(np.int64)

    @staticmethod
    def _class(id_: int) -> Any:
        return TEXTS[id_] if id_ < 10 else id_ - 10 if id_ < 20 else float(id_ - 20)


AT = st.sampled_from([5_000, 5_001, 5_600, 6_000, 6_001, 6_500, 7_001, 9_000])
ANSWER = st.sampled_from(["yes", "no", 0, 1, 2, 1.0, 2.0])
SERVED = st.builds(Served, st.integers(0, 2), AT, ANSWER, st.integers(0, 1))
KNOWN = st.tuples(st.integers(0, 2), AT, st.none() | ANSWER, st.none() | st.booleans(), st.none() | st.sampled_from([0.0, 2.5, -1.25]))


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    """Events in the order of reading; the tie of an outcome is unlike all others, and not in the order of reading."""
    drawn = draw(st.lists(st.one_of(SERVED, KNOWN), min_size=1, max_size=14))
    ties = draw(st.permutations(range(len(drawn))))
    return [
        one if isinstance(one, Served) else Known(one[0], one[1], tie, label=one[2], converted=one[3], revenue=one[4])
        for one, tie in zip(drawn, ties, strict=True)
    ]


def cut(events: list[Event], at: set[int]) -> list[list[Event]]:
    places = sorted({0, len(events), *(place for place in at if place < len(events))})
    return [events[start:end] for start, end in itertools.pairwise(places)]


def committed(parts: Sequence[Sequence[Event]]) -> Committed:
    shard = Committed()
    for part in parts:
        shard.commit(part)
    return shard


def waiting(naive: Naive) -> set[tuple[int, int, int]]:
    return {(event.id, event.at, event.tie) for event in unmatched(naive)}


@settings(max_examples=150)
@given(logs())
def test_one_event_at_a_time_gives_what_the_contract_says(events: list[Event]) -> None:
    naive, shard = play(events), committed([[event] for event in events])
    assert (shard.counted, shard.repeated) == (naive.counted, naive.repeated)
    assert (shard.sums(), shard.waiting()) == (sums(naive), waiting(naive))


def without_reuse(events: list[Event]) -> list[Event]:
    """Return the events but for predictions that start an id anew: which of the two an outcome counts for depends on what is read first."""
    return [event for event in events if isinstance(event, Known) or event.at <= 5_000 + HORIZON_MS]


@settings(max_examples=150)
@given(logs().map(without_reuse).filter(bool), st.sets(st.integers(1, 13)))
def test_where_the_commits_cut_the_log_does_not_show(events: list[Event], cuts: set[int]) -> None:
    naive, shard = play(events), committed(cut(events, cuts))
    assert (sorted(shard.counted), sorted(shard.repeated)) == (naive.counted, naive.repeated)
    assert (shard.sums(), shard.waiting()) == (sums(naive), waiting(naive))


@settings(max_examples=150)
@given(logs().map(without_reuse).filter(bool), st.randoms(use_true_random=False), st.sets(st.integers(1, 13)))
def test_in_which_order_outcomes_and_their_predictions_are_read_does_not_show(events: list[Event], rng: Random, cuts: set[int]) -> None:
    """Predictions keep their order, since of several with one id the first read counts; all else is shuffled."""
    naive = at_once(events)
    predictions = iter([event for event in events if isinstance(event, Served)])
    shuffled = rng.sample(events, len(events))
    read = [next(predictions) if isinstance(event, Served) else event for event in shuffled]
    shard = committed(cut(read, cuts))
    assert (shard.sums(), shard.waiting()) == (sums(naive), waiting(naive))


@settings(max_examples=150)
@given(st.lists(SERVED, min_size=1, max_size=10), st.sets(st.integers(1, 9)))
def test_an_id_that_comes_again_after_the_horizon_counts_anew_wherever_the_commits_cut(events: list[Event], cuts: set[int]) -> None:
    naive, shard = play(events), committed(cut(events, cuts))
    assert (sorted(shard.counted), sorted(shard.repeated)) == (naive.counted, naive.repeated)


def telling(events: list[Event]) -> list[Known]:
    return [event for event in events if isinstance(event, Known) and carries_any(event)]


@settings(max_examples=50)
@given(logs().map(telling).filter(bool))
def test_an_outcome_that_waits_comes_back_as_it_was(outcomes: list[Known]) -> None:
    rows = known_rows(outcomes)
    back = as_rows(as_records(rows, np.arange(len(rows))), rows.hash)
    for column in OutcomeRows.__slots__:
        np.testing.assert_array_equal(getattr(back, column), getattr(rows, column), column)


SOON = HORIZON_MS // 2


@pytest.mark.parametrize("cuts", [set(), {1}, {2}, {1, 2}], ids=str)
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)], ids=str)
def test_the_newest_label_counts_whatever_was_read_first(order: tuple[int, ...], cuts: set[int]) -> None:
    events = [Served(1, 5_000, "yes"), Known(1, 5_000 + SOON, 0, label="no"), Known(1, 5_001 + SOON, 1, label="yes")]
    assert committed(cut([events[place] for place in order], cuts)).sums() == {
        (5_000, "labelled", None): 1,
        (5_000, "confusion", ("yes", "yes")): 1,
    }


def test_of_labels_with_one_time_the_one_at_the_higher_offset_counts() -> None:
    events = [Served(1, 5_000, 1), Known(1, 5_100, 8, label=0), Known(1, 5_100, 7, label=1)]
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        assert committed([[events[place]] for place in order]).sums()[5_000, "confusion", (1, 0)] == 1


def test_fields_of_an_outcome_are_corrected_one_by_one() -> None:
    shard = committed(
        [
            [Served(1, 5_000, 1, variant=1), Known(1, 5_200, 0, label=1, converted=False, revenue=2.5)],
            [Known(1, 5_300, 1, converted=True), Known(1, 5_100, 2, label=0, revenue=9.0)],
        ]
    )
    assert shard.sums() == {
        (5_000, "labelled", None): 1,
        (5_000, "confusion", (1, 1)): 1,
        (5_000, "known", 1): 1,
        (5_000, "converted", 1): 1,
        (5_000, "revenue", None): 2.5,
    }


def test_a_correction_from_class_to_number_takes_the_class_back() -> None:
    shard = committed([[Served(1, 5_000, 3)], [Known(1, 5_100, 0, label="no")], [Known(1, 5_200, 1, label=2.5)]])
    assert shard.sums() == {(5_000, "labelled", None): 1, (5_000, "absolute", None): 0.5, (5_000, "squared", None): 0.25}


def test_an_outcome_further_away_than_the_horizon_is_not_this_predictions() -> None:
    far = Known(1, 5_000 + HORIZON_MS + 1, 0, label="no")
    for events in ([Served(1, 5_000, "no"), far], [far, Served(1, 5_000, "no")]):
        assert committed([events]).sums() == committed([[event] for event in events]).sums() == {}


def test_a_prediction_whose_id_was_used_before_the_horizon_leaves_the_earlier_ones_label_where_it_is() -> None:
    again = 5_000 + HORIZON_MS + 1
    shard = committed([[Served(1, 5_000, "no"), Known(1, 5_100, 0, label="no")], [Served(1, again, "yes")]])
    assert shard.counted == [0, 1]
    assert shard.sums() == {(5_000, "labelled", None): 1, (5_000, "confusion", ("no", "no")): 1}
