from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

ROWS = {"big.csv": 1_000_000, "big.ndjson": 300_000, "big.parquet": 1_000_000}
_READ = """
import resource, sys
from pathlib import Path
from loadgen.replay.events import Reading
from loadgen.replay.formats import open_table
from loadgen.replay.mapping import map_columns
from loadgen.replay.table import Chunk
from loadgen.replay.events import rows_of_chunk
from schemas.limits import EventLimits

def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

path = Path(sys.argv[1])
table = open_table(path)
reading = Reading("m", "1", path.name, "", map_columns(table.columns, {}, None), 0, EventLimits(), lambda: 1_800_000_000_000)
rows = converted = 0
early = 0.0
for chunk in table.chunks(reading.mapping.fields["created_at"], set()):
    rows += chunk.size
    if converted < 50_000:
        converted += sum(1 for _ in rows_of_chunk(chunk, reading))
    if rows > 60_000 and not early:
        early = peak_mb()
print(rows, round(early), round(peak_mb()))
"""


@pytest.mark.parametrize("name", list(ROWS))
def test_memory_does_not_grow_with_the_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    _write_rows(path)
    done = subprocess.run(
        [sys.executable, "-c", _READ, str(path)], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    rows, early_mb, peak_mb = map(int, done.stdout.split())
    assert rows == ROWS[name]
    assert peak_mb - early_mb < 60, f"{early_mb} MB after 60,000 rows, {peak_mb} MB at the end"


def _write_rows(path: Path) -> None:
    query = f"""SELECT 1700000000000 + i AS ts, i % 2 AS pred, (i // 3) % 2 AS label, (i % 97) * 1.0 AS latency_ms, i % 80 AS age,
                'plan-' || (i % 5) AS plan, 'some more text to carry ' || i AS remark FROM range({ROWS[path.name]}) t(i)"""
    form = {".csv": "FORMAT csv, HEADER true", ".ndjson": "FORMAT json", ".parquet": "FORMAT parquet"}[path.suffix]
    duckdb.connect().execute(f"COPY ({query}) TO '{path}' ({form})")
