"""Every row goes to one shard, the one of its id; and shards spread evenly over the workers of a cluster."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.placement import shard_keys, sip_hash_13
from pipeline.route import slices
from schemas.topics import OUTCOMES
from tests.pipeline.events import encoded, outcome, prediction, read

ROOT = Path(__file__).resolve().parents[2]
SENT = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.dictionaries(st.sampled_from("xyz"), st.none() | st.integers(0, 3))), min_size=1, max_size=30
)


@given(SENT, st.integers(1, 8))
def test_every_row_goes_to_exactly_one_shard_with_its_nulls(sent: list[tuple[str, dict[str, int | None]]], shards: int) -> None:
    intake = read([encoded(prediction(prediction_id=id_, features=features)) for id_, features in sent])
    parts = slices(intake.progress, intake.predictions, None, shards)
    assert [part.shard for part in parts] == list(range(shards))
    assert all(part.progress is intake.progress for part in parts)
    rows = [part.predictions for part in parts if part.predictions is not None]
    assert sorted(offset for some in rows for offset in some.offset.tolist()) == list(range(len(sent)))
    for some in rows:
        assert some.offset.tolist() == sorted(some.offset.tolist())
        nulls = [(int(some.offset[row]), some.features[feature][1]) for row, feature in zip(some.null_row, some.null_feature, strict=True)]
        expected = [(offset, name) for offset in some.offset.tolist() for name, value in sent[offset][1].items() if value is None]
        assert sorted(nulls) == sorted(expected)


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=20), st.integers(1, 8))
def test_a_prediction_and_its_outcomes_meet_in_one_shard(ids: list[str], shards: int) -> None:
    served = read([encoded(prediction(prediction_id=id_)) for id_ in ids])
    known = read([encoded(outcome(prediction_id=id_)) for id_ in ids], topic=OUTCOMES)

    def shard_of_each(parts: list[tuple[int, list[int]]]) -> dict[str, set[int]]:
        found: dict[str, set[int]] = {}
        for shard, offsets in parts:
            for offset in offsets:
                found.setdefault(ids[offset], set()).add(shard)
        return found

    predictions = slices(served.progress, served.predictions, None, shards)
    outcomes = slices(known.progress, None, known.outcomes, shards)
    first = shard_of_each([(part.shard, part.predictions.offset.tolist()) for part in predictions if part.predictions is not None])
    second = shard_of_each([(part.shard, part.outcomes.offset.tolist()) for part in outcomes if part.outcomes is not None])
    assert first == second
    assert all(len(found) == 1 for found in first.values())


def test_a_batch_without_rows_still_tells_every_shard_how_far_it_is() -> None:
    intake = read([None])
    assert [(part.shard, part.predictions, part.progress.end) for part in slices(intake.progress, None, None, 3)] == [
        (0, None, 1),
        (1, None, 1),
        (2, None, 1),
    ]


def test_ids_spread_evenly_over_the_shards() -> None:
    intake = read([encoded(prediction(prediction_id=f"p{number}")) for number in range(4000)])
    sizes = [len(part.predictions) for part in slices(intake.progress, intake.predictions, None, 4) if part.predictions is not None]
    assert min(sizes) > 900


def test_the_hash_is_siphash_1_3_with_zero_keys() -> None:
    # What Rust's DefaultHasher returns when nothing was written to it.
    assert sip_hash_13(b"") == 15_130_871_412_783_076_140


@pytest.mark.parametrize("workers", [1, 2, 3, 5])
def test_each_shard_has_its_own_key(workers: int) -> None:
    assert len(set(shard_keys(8, workers))) == 8


PROGRAM = """
import os, sys
from multiprocessing import Process
import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.testing import TestingSink, TestingSource
from bytewax._bytewax import cluster_main
from pipeline.placement import shard_keys

WORKERS, SHARDS = 2, 8

class Where(StatefulBatchLogic):
    def on_batch(self, values):
        return [(os.getpid(), value) for value in values], False
    def snapshot(self):
        return None

def member(number, addresses, out):
    flow = Dataflow("placement")
    items = op.input("in", flow, TestingSource(list(zip(shard_keys(SHARDS, WORKERS), range(SHARDS))) if number == 0 else []))
    where = op.stateful_batch("where", items, lambda _: Where())
    op.inspect("see", where, lambda _, item: os.write(out, f"shard {item[1][1]} process {number}\\n".encode()))
    op.output("out", where, TestingSink([]))
    cluster_main(flow, addresses, number, worker_count_per_proc=1)

if __name__ == "__main__":
    import socket
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(WORKERS)]
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    members = [Process(target=member, args=(number, addresses, sys.stdout.fileno())) for number in range(WORKERS)]
    for one in members:
        one.start()
    for one in members:
        one.join(30)
"""


def test_in_a_real_cluster_each_worker_gets_its_even_share_of_the_shards() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    placed = {int(line.split()[1]): int(line.split()[3]) for line in done.stdout.splitlines() if line.startswith("shard")}
    assert sorted(placed) == list(range(8)), done.stderr
    assert placed == {shard: shard % 2 for shard in range(8)}
    assert Counter(placed.values()) == {0: 4, 1: 4}


def test_take_keeps_the_columns_of_its_rows() -> None:
    rows = read([encoded(prediction(prediction_id=f"p{number}", response_time_ms=number)) for number in range(6)]).predictions
    assert rows is not None
    taken = rows.take(np.array([1, 4]))
    assert (taken.offset.tolist(), taken.latency_ms.tolist()) == ([1, 4], [1.0, 4.0])
    assert len(rows.take(np.array([], dtype=np.int64))) == 0
