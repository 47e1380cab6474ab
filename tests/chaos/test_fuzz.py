"""Hostile bytes by the thousand: each message is an event or a dead letter with its reason, and nothing hangs, crashes or is lost.

`./tower test -m chaos --fuzz-inputs 1000000` is the long run.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.intake import EventReader
from pipeline.route import slices
from pipeline.settings import Limits, PipelineSettings
from pipeline.shard.shard import Shard
from pipeline.watermark import BEGINNING
from schemas.topics import OUTCOMES, PREDICTIONS
from tests.oracle.events import NOW, generate
from tests.pipeline.events import batch
from tests.pipeline.shards import ONE_PARTITION

BATCH = 1_000
SLOWEST_S = 2e-3
"""A message may cost so much on average, however bad its batch: a flood of them must not hold up the others for long."""
SETTINGS = PipelineSettings(
    limits=Limits(
        models=20,
        versions_per_model=5,
        segment_names_per_model=5,
        segment_values_per_name=10,
        features_per_model=20,
        key_sets_per_model=20,
        classes_per_model=20,
        variants_per_model=5,
        message_bytes=50_000,
    )
)
TOKENS = (
    *(b"null true false NaN Infinity -Infinity 1e999 -1e999 1e308 5e-324 -0.0 9007199254740993 1e18 -9223372036854775809".split()),
    *b'"" "\\u0000" "\\ud800" "\\u202e" "__other__" "*" "<script>alert(1)</script>" "=1+1"'.split(),
    *'"\N{COLLISION SYMBOL}" {} [] {"a":{"b":1}}'.encode().split(),
    b"[" * 3_000,
    b'{"a":' * 3_000,
    b'"' + b"x" * 300 + b'"',
    b'"' + b"y" * 60_000 + b'"',
    b"1" * 400,
    b"\xff\xfe",
    b"\x00",
    b",",
    b"}",
    b'"',
    b":",
    b'"created_at":',
    b'"features":{"a":null,"a":1},',
    b'"prediction_id":"again",',
)


def a_bit_flipped(rng: random.Random, message: bytes, corpus: list[bytes]) -> bytes:
    at = rng.randrange(len(message) or 1)
    return message[:at] + bytes([(message[at] if message else 0) ^ (1 << rng.randrange(8))]) + message[at + 1 :]


def a_piece_left_out(rng: random.Random, message: bytes, corpus: list[bytes]) -> bytes:
    at = rng.randrange(len(message) or 1)
    return message[:at] + message[at + rng.randint(1, 20) :]


def a_piece_twice(rng: random.Random, message: bytes, corpus: list[bytes]) -> bytes:
    at, length = rng.randrange(len(message) or 1), rng.randint(1, 60)
    return message[: at + length] + message[at:]


def a_token_put_in(rng: random.Random, message: bytes, corpus: list[bytes]) -> bytes:
    at = rng.randrange(len(message) or 1)
    return message[:at] + rng.choice(TOKENS) + message[at + rng.randint(0, 8) :]


def a_value_exchanged(rng: random.Random, message: bytes, corpus: list[bytes]) -> bytes:
    pieces = message.split(b":")
    at = rng.randrange(len(pieces))
    head, comma, tail = pieces[at].partition(b",")
    pieces[at] = (rng.choice(TOKENS) if at else head) + comma + tail
    return b":".join(pieces)


def two_halves(rng: random.Random, message: bytes, corpus: list[bytes]) -> bytes:
    other = rng.choice(corpus)
    return message[: rng.randrange(len(message) or 1)] + other[rng.randrange(len(other) or 1) :]


def noise(rng: random.Random, message: bytes, corpus: list[bytes]) -> bytes:
    return rng.randbytes(rng.randint(0, 200))


Mutation = Callable[[random.Random, bytes, list[bytes]], bytes]
MUTATIONS: tuple[Mutation, ...] = (
    a_bit_flipped,
    a_piece_left_out,
    a_piece_twice,
    a_token_put_in,
    a_value_exchanged,
    a_value_exchanged,
    two_halves,
    noise,
)


def hostile(rng: random.Random, corpus: list[bytes]) -> bytes:
    """Return a message of the corpus after one to three mutations, or as it is."""
    message = rng.choice(corpus)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        message = rng.choice(MUTATIONS)(rng, message, corpus)
    return message


@pytest.mark.chaos
def test_each_hostile_message_is_an_event_or_a_dead_letter(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    inputs = int(request.config.getoption("--fuzz-inputs"))
    rng = random.Random(11)
    corpora = {
        topic: [draft.value for draft in generate(3_000, seed=11, bad_share=0.05) if draft.topic == topic and draft.value is not None]
        for topic in (PREDICTIONS, OUTCOMES)
    }
    reader = EventReader(SETTINGS, lambda: NOW, BEGINNING)
    shard = Shard(0, tmp_path, SETTINGS, ONE_PARTITION, lambda: NOW, lambda: 0)
    events = letters = 0
    ends = dict.fromkeys(corpora, 0)
    for number in range(inputs // BATCH):
        topic = PREDICTIONS if number % 3 else OUTCOMES
        messages: list[bytes | None] = [hostile(rng, corpora[topic]) for _ in range(BATCH)]
        started = time.process_time()
        intake = reader.read(batch(messages, topic=topic, start=ends[topic]))
        ends[topic] += BATCH
        (part,) = slices(intake.progress, intake.predictions, intake.outcomes, 1)
        shard.take(part)
        shard.commit()
        assert time.process_time() - started < SLOWEST_S * BATCH, f"batch {number} is slow"
        good = intake.predictions if topic == PREDICTIONS else intake.outcomes
        kept = set() if good is None else set(good.offset.tolist())
        dead = {letter.offset for letter in intake.dead}
        assert kept.isdisjoint(dead)
        assert len(kept) + len(dead) == BATCH
        for letter in intake.dead:
            assert letter.rejection.path.startswith("$")
            assert letter.rejection.reason.startswith(f"{letter.rejection.path}: ")
            assert len(letter.rejection.reason.encode()) < 1_000  # a header that is UTF-8, and of a size for headers
            assert letter.value == messages[letter.offset - (ends[topic] - BATCH)]
        for event in (messages[offset - (ends[topic] - BATCH)] for offset in sorted(kept)):
            assert event is not None
            assert isinstance(json.loads(event, parse_constant=pytest.fail), dict)  # another parser sees an object too
        events, letters = events + len(kept), letters + len(dead)
    names = Counter[str]()
    for update in shard.unpublished():
        assert np.isfinite(update.cells.value).all()
        names.update({name: len(items) for name, (_, items) in update.names.items()})
    assert {name for name, count in names.items() if count > 2_000} == set()
    print(f"{inputs:,} messages: {events:,} events, {letters:,} dead letters")
    assert events > inputs / 10
    assert letters > inputs / 4
