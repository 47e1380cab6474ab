"""What a shard remembers of ids: the records as bytes, and the filter that says which ids it cannot have."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.shard import records as r
from pipeline.shard.records import RECORD, SHORT, empty_records, pack, unpack
from pipeline.shard.seen import SeenIds

PREDICTED = st.fixed_dictionaries(
    {
        "created_at": st.integers(0, 2**62),
        "profile": st.integers(0, 2**32 - 1),
        "variant": st.integers(0, 2**32 - 1),
        "class": st.integers(0, 2**32 - 1),
        "number": st.floats(),
    }
)
LABEL = st.fixed_dictionaries({"label_at": st.integers(0, 2**62), "label_tie": st.integers(0, 2**62), "label_class": st.integers(0, 9)})
CONVERTED = st.fixed_dictionaries({"converted_at": st.integers(0, 9), "converted_tie": st.integers(0, 9), "converted": st.integers(0, 1)})
REVENUE = st.fixed_dictionaries({"revenue_at": st.integers(0, 9), "revenue_tie": st.integers(0, 9), "revenue": st.floats()})
PARTS = ((PREDICTED, r.HAS_PREDICTION), (LABEL, r.HAS_LABEL), (CONVERTED, r.HAS_CONVERTED), (REVENUE, r.HAS_REVENUE))


@st.composite
def records(draw: st.DrawFn) -> Any:
    made = empty_records(draw(st.integers(1, 6)))
    for row in range(len(made)):
        for part, flag in PARTS:
            if draw(st.booleans()):
                made["flags"][row] |= flag
                for name, value in draw(part).items():
                    made[name][row] = value
    return made


@given(records())
def test_records_come_back_from_bytes_as_they_were(made: Any) -> None:
    assert unpack(pack(made)).tobytes() == made.tobytes()


@given(records(), st.data())
def test_a_record_that_is_not_stored_is_one_of_which_nothing_is_known(made: Any, data: st.DataObject) -> None:
    stored: list[bytes | None] = list(pack(made))
    row = data.draw(st.integers(0, len(stored) - 1))
    stored[row] = None
    found = unpack(stored)
    assert found[row].tobytes() == empty_records(1)[0].tobytes()
    kept = np.arange(len(made)) != row
    assert found[kept].tobytes() == made[kept].tobytes()


def test_a_prediction_that_waits_for_its_outcome_is_stored_short() -> None:
    made = empty_records(2)
    made["flags"] = [r.HAS_PREDICTION, r.HAS_PREDICTION | r.HAS_LABEL]
    assert [len(value) for value in pack(made)] == [SHORT.itemsize, RECORD.itemsize]
    assert SHORT.itemsize < RECORD.itemsize / 2


def ids(first: int, count: int) -> np.ndarray:
    """Return hashes that are as good as random, and the same each time."""
    return np.random.default_rng(first).integers(0, 2**64, (count, 2), dtype=np.uint64)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=12))
def test_an_id_that_was_added_is_never_called_new_however_the_filter_grows(sizes: list[int]) -> None:
    seen = SeenIds(first_capacity=64)
    for number, size in enumerate(sizes):
        seen.add(ids(number, size), expires_at=number)
        for earlier in range(number + 1):
            assert seen.may_hold(ids(earlier, sizes[earlier])).all()


def test_most_new_ids_are_known_to_be_new() -> None:
    seen = SeenIds(first_capacity=1000)
    for number in range(30):
        seen.add(ids(number, 1000), expires_at=0)
    assert seen.may_hold(ids(77, 20_000)).mean() < 0.05


@given(st.lists(st.integers(0, 50), min_size=1, max_size=12), st.integers(0, 60))
def test_forgetting_drops_no_id_that_is_still_needed(expiries: list[int], now: int) -> None:
    seen = SeenIds(first_capacity=8)
    for number, expires_at in enumerate(expiries):
        seen.add(ids(number, 5), expires_at)
    seen.forget(now)
    for number, expires_at in enumerate(expiries):
        if expires_at >= now:
            assert seen.may_hold(ids(number, 5)).all()


def test_ids_that_have_expired_take_no_more_memory() -> None:
    seen = SeenIds(first_capacity=8)
    for hour in range(500):
        seen.add(ids(hour, 8), expires_at=hour + 10)
        seen.forget(hour)
    needed = 10 * 8
    assert sum(generation.capacity for generation in seen._generations) < 8 * needed
    assert seen.may_hold(ids(0, 8)).mean() < 1


def test_an_empty_filter_holds_nothing() -> None:
    assert not SeenIds().may_hold(ids(1, 100)).any()
