"""Producers that send ever new names of each kind: the others' numbers stay exact, what is kept is kept whole, and memory is bounded.

`./tower test -m chaos --flood-events 180000` is the long run.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

import duckdb
import psutil
import pytest

from pipeline.settings import Limits
from pipeline.shard.admissions import LIMIT_OF, admissions_file, restore, usage
from schemas.kafka import KafkaSettings
from schemas.metrics import OTHER
from tests.oracle.batch import compute
from tests.oracle.compare import compare
from tests.oracle.dead_letters import check_dead_letters, dead_letters
from tests.oracle.events import MINUTE, NOW, generate
from tests.oracle.published import lake_rows
from tests.oracle.records import Draft, Record, lay_out
from tests.oracle.services import SERVICES, Event
from tests.oracle.system import STANDSTILL_S, Log, PipelineProcess, newest_change
from tests.waiting import wait_until

Topics = Callable[[int], KafkaSettings]
PARTITIONS = 4
EACH = 3
"""So often each name comes, in messages that lie anywhere."""
FLOOD = b"flood"
"""The key of a flood's messages."""
SPAN = 1_000_000
LONG = 100_000
"""So many messages come in three parts, and each is worked off with as much memory as the first. Fewer only warm up."""
MOST_MORE_MIB = 100
LIMITS = Limits(
    models=30,
    versions_per_model=12,
    segment_names_per_model=6,
    segment_values_per_name=10,
    segment_combinations_per_model=60,
    features_per_model=20,
    key_sets_per_model=20,
    classes_per_model=15,
    variants_per_model=8,
)
TOML = "[limits]\n" + "\n".join(f"{name} = {getattr(LIMITS, name)}" for name in LIMIT_OF.values())
FLOODS: dict[str, Callable[[int], Event]] = {
    "model": lambda n: {"model": f"m{n}"},
    "version": lambda n: {"model_version": f"v{n}"},
    "segment": lambda n: {"segments": {f"s{n}": "x"}},
    "value": lambda n: {"segments": {"region": f"r{n}"}},
    "segment combination": lambda n: {"segments": {"abcdef"[place]: str(n // 9**place % 9) for place in range(6)}},
    "feature": lambda n: {"features": {f"f{n}": None}},
    "key set": lambda n: {"features": {f"f{bit}": 1 for bit in range(18) if n >> bit & 1}},
    "class": lambda n: {"prediction": f"c{n}" if n % 2 else n},
    "variant": lambda n: {"variant": f"arm {n}"},
    "id": lambda n: {},
}


def flood(first: int, last: int) -> Iterator[Draft]:
    """Return messages with names of each kind from `first` to `last`: predictions, their labels, and labels of ids that never come."""
    rng = random.Random(first)
    for kind, fields in FLOODS.items():
        for number in range(first, last):
            for again in range(EACH):
                event: Event = {
                    "prediction_id": f"{number} {again}",
                    "model": f"flood of {kind}",
                    "created_at": NOW - 1 - rng.randrange(MINUTE),
                }
                event |= {"model_version": "v", "prediction": 1, "response_time_ms": 5, **fields(number)}
                known: Event = {key: event[key] for key in ("prediction_id", "model", "created_at")} | {"label": event["prediction"]}
                if kind == "id":
                    known["prediction_id"] = f"never {number} {again}"
                for topic, sent in (("predictions", event), ("outcomes", known)):
                    yield Draft(topic, FLOOD, json.dumps(sent).encode(), rng.randrange(SPAN))


def placed(parts: list[tuple[list[Draft], list[Draft]]]) -> list[list[Record]]:
    """Return the records of each part, behind those of the parts before it: its ordinary drafts in order, the others among them."""
    drafts = []
    for part, (ordinary, others) in enumerate(parts):
        spread = [replace(draft, arrival=number * SPAN // len(ordinary)) for number, draft in enumerate(ordinary)]
        drafts += [replace(draft, arrival=part * SPAN + draft.arrival) for draft in [*spread, *others]]
    records = iter(lay_out(drafts, {"predictions": PARTITIONS, "outcomes": PARTITIONS}, seed=3))
    return [[*islice(records, len(ordinary) + len(others))] for ordinary, others in parts]


def peak_mib(home: Path, kafka: KafkaSettings) -> float:
    """Let two processes catch up; return the most memory that they had together."""
    most = 0
    with PipelineProcess(home, kafka, "--until-caught-up", "--processes", "2", toml=TOML) as process:

        def ended() -> bool:
            nonlocal most
            with suppress(psutil.NoSuchProcess):
                one = psutil.Process(process.pid)
                most = max(most, sum(each.memory_info().rss for each in [one, *one.children(recursive=True)]))
            return process.exit_code is not None

        wait_until(ended, process.output, STANDSTILL_S, moves=lambda: newest_change(home))
        assert process.exit_code == 0, process.output()
    return most / 2**20


@pytest.mark.chaos
@pytest.mark.slow
def test_floods_of_names_leave_the_others_exact_and_memory_bounded(topics: Topics, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    messages = int(request.config.getoption("--flood-events"))
    names = messages // (3 * 2 * EACH * len(FLOODS))
    drafts = sorted(generate(600, seed=7, days=2), key=lambda draft: draft.arrival)
    thirds = [(drafts[200 * part : 200 * (part + 1)], [*flood(part * names, (part + 1) * names)]) for part in range(3)]
    parts = placed(thirds)
    known = [*(service.model for service in SERVICES), "nobody", *(f"flood of {kind}" for kind in FLOODS if kind != "model")]
    restore(admissions_file(tmp_path), [("model", "", model) for model in known])  # they are there before the flood
    kafka = topics(PARTITIONS)
    log = Log(kafka)
    peaks = []
    for part in parts if messages >= LONG else [[*chain(*parts)]]:
        log.write(part)
        peaks.append(peak_mib(tmp_path, kafka))
    print(f"memory at its peak, as more messages with new names have come: {', '.join(f'{peak:.0f} MiB' for peak in peaks)}")
    assert peaks[-1] < peaks[0] + MOST_MORE_MIB
    ordinary = [record for record in chain(*parts) if record.key != FLOOD]
    expected = compute(ordinary)
    with duckdb.connect() as database:
        database.register("expected", expected)
        database.register("lake", lake_rows(tmp_path))
        comparison = compare(expected, database.sql("SELECT * FROM lake WHERE model IN (SELECT model FROM expected)").to_arrow_table())
        assert comparison.differing == 0, comparison.account
        assert comparison.agreeing == expected.num_rows
        database.execute("""CREATE TABLE flood AS FROM lake WHERE "window" = '1d' AND model NOT IN (SELECT model FROM expected)""")
        assert_whole(database, 3 * names, LIMITS.models - len(known))
    assert check_dead_letters(ordinary, dead_letters(kafka)) == []
    assert {one.kind for one in usage(admissions_file(tmp_path)) if one.folded} == set(LIMIT_OF)


def assert_whole(database: duckdb.DuckDBPyConnection, names: int, models: int) -> None:
    """Demand that nothing of a flood is lost, and that of each kind as many names are kept as may be, each with all its events."""
    volume = "FROM flood WHERE metric = 'prediction_volume'"
    everything = f"{volume} AND model_version = '*' AND segment = '*'"
    assert database.sql(f"SELECT sum(value) {everything}").fetchall() == [(names * EACH * len(FLOODS),)]
    kept = {
        "model": (models, f"model, n {everything} AND regexp_full_match(model, 'm[0-9]+')"),
        "version": (LIMITS.versions_per_model, f"model_version, n {volume} AND model = 'flood of version' AND model_version <> '*'"),
        "value": (
            LIMITS.segment_values_per_name,
            f"segment, n {volume} AND model = 'flood of value' AND model_version = '*' AND segment <> '*'",
        ),
        "feature": (
            LIMITS.features_per_model,
            "dimension, n FROM flood WHERE metric = 'input_null_percentage' AND model = 'flood of feature' AND model_version = '*'"
            " AND dimension <> ''",
        ),
    }
    for kind, (limit, sql) in kept.items():
        found = {name: n for name, n in database.sql(f"SELECT {sql}").fetchall() if OTHER not in name}
        assert set(found.values()) == {EACH}, f"{kind}: {found}"
        assert len(found) == limit, f"{kind}: {found}"
