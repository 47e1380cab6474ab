"""From events to columns.

All work here is a list comprehension or NumPy over a batch. What only some events have (text times,
nulls) is worked on only where it is.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import NamedTuple, TypeVar

import numpy as np
import orjson
import xxhash

from pipeline.cells import Floats, Ints
from pipeline.columns import ABSENT, Bools, Hashes, KeySet, Outcomes, Predictions, Profile
from pipeline.decode import ReadPrediction, read_segments
from pipeline.reasons import Rejection, expected, missing_prediction, without_offset
from schemas.events import Outcome, Scalar
from schemas.limits import EXACT_BELOW

Item = TypeVar("Item", bound=Hashable)
Source = TypeVar("Source", bound=Hashable)

_CLASS_TYPES = {str, bool}
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_FEATURES: dict[str, str | bool | int | float | None] = {}


def predictions_of(events: Sequence[ReadPrediction], offsets: Ints, *, text_length: int) -> Predictions:
    """Return the columns of `events`. Raises Rejection for the first that breaks the contract."""
    models = [event.model for event in events]
    answers = [event.prediction for event in events]
    features = [event.features or _NO_FEATURES for event in events]
    error = np.array([event.status == "error" for event in events])
    if None in answers and (np.array([answer is None for answer in answers]) & ~error).any():
        raise missing_prediction()
    shape, shapes = _shapes(events, features)
    profile, profiles = _positions([one.profile for one in shapes], lambda raw: _profile(raw, text_length))
    key_set, key_sets = _positions([one.key_set for one in shapes], lambda raw: _key_set(raw, text_length))
    variant, variant_names = _positions([one.variant for one in shapes], _same)
    nulls = dict.fromkeys([row for row, sent in enumerate(features) for value in sent.values() if value is None])
    null_pairs = [(row, (models[row], name)) for row in nulls for name, value in features[row].items() if value is None]
    null_feature, null_features = _positions([pair for _, pair in null_pairs], _same)
    class_, classes = class_positions(models, answers, "prediction", text_length)
    number, written_as_float = numbers(answers, "prediction")
    return Predictions(
        hash=hashes(events),
        offset=offsets,
        created_at=event_times([event.created_at for event in events]),
        profile=profile[shape],
        key_set=key_set[shape],
        variant=variant[shape],
        class_=class_,
        number=number,
        written_as_float=written_as_float,
        latency_ms=np.array([event.response_time_ms for event in events], dtype=np.float64),
        error=error,
        null_row=np.array([row for row, _ in null_pairs], dtype=np.int64),
        null_feature=null_feature,
        profiles=profiles,
        key_sets=key_sets,
        variants=variant_names,
        classes=classes,
        features=null_features,
    )


def outcomes_of(events: Sequence[Outcome], offsets: Ints, *, text_length: int) -> Outcomes:
    """Return the columns of `events`. Raises Rejection for the first that breaks the contract."""
    models = [event.model for event in events]
    labels = [event.label for event in events]
    profile, profiles = _positions(models, lambda model: Profile(model, "", ()))
    class_, classes = class_positions(models, labels, "label", text_length)
    number, written_as_float = numbers(labels, "label")
    return Outcomes(
        hash=hashes(events),
        offset=offsets,
        created_at=event_times([event.created_at for event in events]),
        profile=profile,
        class_=class_,
        number=number,
        written_as_float=written_as_float,
        converted=np.array([ABSENT if event.converted is None else event.converted for event in events], dtype=np.int64),
        revenue=np.array([event.revenue_generated for event in events], dtype=np.float64),
        profiles=profiles,
        classes=classes,
    )


class _Seeds(dict[str, int]):
    def __missing__(self, model: str) -> int:
        self[model] = seed = xxhash.xxh3_64_intdigest(model.encode())
        return seed


def hashes(events: Sequence[ReadPrediction] | Sequence[Outcome]) -> Hashes:
    """Return the 128-bit hash of each (model, prediction id): XXH3 of the id, seeded by that of the model."""
    digest, seeds = xxhash.xxh3_128_digest, _Seeds()
    joined = b"".join([digest(event.prediction_id.encode(), seeds[event.model]) for event in events])
    return np.frombuffer(joined, dtype=">u8").astype(np.uint64).reshape(-1, 2)


def event_times(times: Sequence[int | float | datetime]) -> Ints:
    """Return event times in whole epoch milliseconds. Raises Rejection for a time without an offset or out of any range."""
    try:
        values = np.array(times, dtype=np.float64)
    except (TypeError, OverflowError):
        values = np.array([_milliseconds(time) for time in times], dtype=np.float64)
    floor: Floats = np.floor(values)
    if not (np.abs(floor) < 2**53).all():
        raise expected("created_at", times[int(np.argmin(np.abs(floor) < 2**53))])
    return floor.astype(np.int64)


def _milliseconds(time: int | float | datetime) -> float:
    if not isinstance(time, datetime):
        try:
            return float(time)
        except OverflowError:
            raise expected("created_at", time) from None
    if time.tzinfo is None:
        raise without_offset(time)
    elapsed = time - _UNIX_EPOCH
    return elapsed.days * 86_400_000 + elapsed.seconds * 1000 + elapsed.microseconds // 1000


def class_positions(
    models: Sequence[str], values: Sequence[Scalar | None], field: str, text_length: int
) -> tuple[Ints, list[tuple[str, str]]]:
    """Return the position of each text or boolean in a list of distinct (model, class as JSON text).

    Integers and floats have no position: whether a number is a class or a measured value is known only when
    its partner is (see `join`). Booleans are the classes 0 and 1.
    """

    def canonical(raw: tuple[str, Scalar]) -> tuple[str, str]:
        model, value = raw
        if isinstance(value, str) and len(value) > text_length:
            raise Rejection(f"$.{field}", f"expected at most {text_length} characters, got {len(value)}")
        return model, orjson.dumps(value if isinstance(value, str) else int(value)).decode()

    kinds = list(map(type, values))
    if not _CLASS_TYPES & set(kinds):
        return np.full(len(values), ABSENT, dtype=np.int64), []
    rows = [row for row, kind in enumerate(kinds) if kind in _CLASS_TYPES]
    found, classes = _positions([(models[row], value) for row in rows if (value := values[row]) is not None], canonical)
    if len(found) == len(values):
        return found, classes
    positions = np.full(len(values), ABSENT, dtype=np.int64)
    positions[rows] = found
    return positions, classes


def numbers(values: Sequence[Scalar | None], field: str) -> tuple[Floats, Bools]:
    """Return the numeric values (NaN for what is no number; booleans are none) and which were written as floats.

    Raises Rejection for an integer that float64 does not hold exactly: it would be another class.
    """
    kinds = list(map(type, values))
    distinct = set(kinds)
    try:
        if distinct <= {int} or distinct <= {float}:
            as_float = np.full(len(values), float in distinct)
            result = np.array(values, dtype=np.float64)
        else:
            as_float = np.array([kind is float for kind in kinds], dtype=bool)
            usable = [value if kind is int or kind is float else math.nan for value, kind in zip(values, kinds, strict=True)]
            result = np.array(usable, dtype=np.float64)
    except OverflowError:
        as_float, result = np.zeros(len(values), dtype=bool), np.full(len(values), np.inf)
    if (np.abs(result[~as_float]) >= EXACT_BELOW).any():
        raise Rejection(f"$.{field}", "expected an integer of less than 2**53 in size, or a number with a decimal point")
    return result, as_float


class _Shape(NamedTuple):
    """What many events share: (model, version, *segment names, *segment values), (model, *feature names), (model, variant)."""

    profile: tuple[str, ...]
    key_set: tuple[str, ...]
    variant: tuple[str, str]


def _shapes(events: Sequence[ReadPrediction], features: Sequence[Collection[str]]) -> tuple[Ints, list[_Shape]]:
    """Return for each event the position of its shape, and the distinct shapes: one look-up an event instead of three."""
    # Each event is looked at once: thousands of them are more than the processor's cache holds.
    position, distinct = _distinct(
        [
            (event.model, event.model_version, event.variant, bytes(event.segments), tuple(sent))
            for event, sent in zip(events, features, strict=True)
        ]
    )
    shapes = []
    for model, version, variant, text, sent in distinct:
        segments = read_segments(text)
        shapes.append(_Shape((model, version, *segments, *segments.values()), (model, *sent), (model, variant or "")))
    return position, shapes


def _positions(raws: Sequence[Source], canonical: Callable[[Source], Item]) -> tuple[Ints, list[Item]]:
    """Return for each raw value its position in the list of distinct canonical values."""
    position, distinct = _distinct(raws)
    items: dict[Item, int] = {}
    merged = np.array([items.setdefault(canonical(raw), len(items)) for raw in distinct], dtype=np.int64)
    return merged[position], list(items)


def _distinct(raws: Iterable[Source]) -> tuple[Ints, list[Source]]:
    """Return for each value its position in the list of distinct values."""
    first_seen: defaultdict[Source, int] = defaultdict(count().__next__)  # counts in C: a third of the time of setdefault
    position = np.fromiter(map(first_seen.__getitem__, raws), dtype=np.int64)
    return position, list(first_seen)


def _same(raw: Source) -> Source:
    return raw


def _profile(raw: tuple[str, ...], text_length: int) -> Profile:
    """Return the profile of (model, version, *segment names, *segment values)."""
    model, version, *parts = raw
    half = len(parts) // 2
    segments = sorted(zip(parts[:half], parts[half:], strict=True))
    for name, value in segments:
        if not name or max(len(name), len(value)) > text_length:
            raise Rejection(f"$.segments.{name[:80]}", f"expected names and values of 1 to {text_length} characters")
    return Profile(model, version, tuple(segments))


def _key_set(raw: tuple[str, ...], text_length: int) -> KeySet:
    model, *names = raw
    for name in names:
        if len(name) > text_length:
            raise Rejection(f"$.features.{name[:80]}", f"expected a name of at most {text_length} characters")
    return KeySet(model, tuple(sorted(names)))
