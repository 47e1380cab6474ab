"""The table, the goals and the JSON file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.throughput.candidate import Measured, Reads, Stage
from benchmarks.throughput.candidates.limits import LOADS
from benchmarks.throughput.candidates.tower_simple import SIMPLE
from benchmarks.throughput.events import Written
from benchmarks.throughput.table import Line, goals, table, typical, write_json
from benchmarks.throughput.verdict import Verdict

WRITTEN = Written(predictions=1000, distinct=990, outcomes=300, labelled=300, prediction_bytes=290_000, bytes=320_000)


@dataclass(frozen=True)
class Fake:
    key: str
    name: str
    reads: Reads = Reads.PREDICTIONS

    def measure(self, stage: Stage) -> Measured:
        raise NotImplementedError


def lines() -> list[Line]:
    return [
        Line(Fake(LOADS, "consume + loads"), Measured(1000, 1.0, 2.0, 2**20, Verdict())),
        Line(Fake("bytewax-2", "Bytewax"), Measured(1000, 10.0, 10.0, 2**21, Verdict(lost=1234), late=1234)),
        Line(Fake("quix", "Quix"), failure="its packages could not be installed: no network"),
        Line(Fake(SIMPLE, "ours"), Measured(1000, 2.0, 4.0, 3 * 2**20, Verdict())),
    ]


def test_the_table_shows_rates_ratios_losses_and_what_was_left_out() -> None:
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table(lines()).splitlines()]
    assert {len(row) for row in rows} == {7}
    assert rows[2] == ["consume + loads", "1,000", "2.0", "500", "1.000", "1 MiB", "yes"]
    assert rows[3] == ["Bytewax", "100", "10.0", "100", "0.100", "2 MiB", "no; 1,234 events lost"]
    assert rows[4] == ["Quix", "-", "-", "-", "-", "-", "not measured: its packages could not be installed: no network"]
    assert rows[5][4] == "0.500"


def test_goals_are_judged_only_where_both_sides_were_measured() -> None:
    assert [(goal.reached, goal.wanted) for goal in goals(lines())] == [(0.5, 0.45), (pytest.approx(2.5), 2.5)]


def test_several_runs_come_to_their_medians_and_to_the_worst_that_happened() -> None:
    runs = [Line(Fake(SIMPLE, "ours"), Measured(1000, s, 2 * s, int(s), Verdict(lost=int(s == 9)))) for s in (3.0, 9.0, 1.0)]
    found = typical(runs).measured
    assert found is not None
    assert (found.seconds, found.processor, found.memory, found.verdict.lost) == (3.0, 6.0, 9, 1)
    assert found.notes == ("3 runs, 2.0 to 18.0 CPU s",)
    assert typical([*runs, Line(Fake(SIMPLE, "ours"), failure="gone")]).failure == "gone"


def test_the_file_holds_the_same(tmp_path: Path) -> None:
    write_json(tmp_path / "found.json", lines(), WRITTEN, {"cores": 2})
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["cores"] == 2
    assert found["written"]["predictions"] == 1000
    by_key = {candidate["key"]: candidate for candidate in found["candidates"]}
    assert by_key["bytewax-2"]["events_lost"] == 1234
    assert by_key["quix"]["failure"] == "its packages could not be installed: no network"
    assert by_key[SIMPLE]["of_consume_and_loads"] == 0.5
