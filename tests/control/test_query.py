"""`tower query`: the contract's view over exported files, in three formats, and nothing but reading."""

from __future__ import annotations

import csv
import io
import json
import signal
import tempfile
from pathlib import Path
from types import SimpleNamespace

import duckdb
import psutil
import pytest

from query import lake
from query.formats import WRITERS
from query.lake import Result, run_query
from schemas.errors import ConfigurationError, TowerError
from schemas.lake import WIDE_COLUMNS, metrics_folder
from tests.control.command_line import start_tower, tower
from tests.waiting import wait_until

VIEW = "model model_version segment dimension metric window window_start window_end value n low high status revision updated_at"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with one exported file: one scope and window, with two numbers."""
    home = tmp_path / "o'home"
    folder = metrics_folder(home) / "window=1h"
    folder.mkdir(parents=True)
    columns = ", ".join(f'"{name}" {kind}' for name, kind in WIDE_COLUMNS.items() if name != "window")
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"CREATE TABLE wide ({columns})")
    connection.execute(
        "INSERT INTO wide VALUES ('churn', '*', 'country=de', '2026-01-01 10:00:00+00', '2026-01-01 11:00:00+00', 'final', 3, "
        "'2026-01-01 11:01:00+00', [{dimension: '', metric: 'prediction_volume', value: 1234567, n: 1234567, low: NULL, high: NULL}, "
        "{dimension: 'class=1', metric: 'f1_score', value: 0.123456789, n: 10, low: 0.05, high: 0.25}])"
    )
    path = str(folder / "1767225600000.parquet").replace("'", "''")
    connection.execute(f"COPY wide TO '{path}' (FORMAT parquet)")
    connection.close()
    return home


def rendered(home: Path, sql: str, format_name: str) -> str:
    out = io.StringIO()
    WRITERS[format_name](run_query(home, sql), out)
    return out.getvalue()


def test_the_view_has_the_columns_of_the_contract(home: Path) -> None:
    assert run_query(home, "SELECT * FROM metrics").columns == VIEW.split()
    assert run_query(home.parent / "nothing", "SELECT * FROM metrics").columns == VIEW.split()


def test_json_has_proper_types(home: Path) -> None:
    rows = json.loads(rendered(home, "SELECT * FROM metrics ORDER BY metric", "json"))
    assert rows[0] == {
        "model": "churn",
        "model_version": "*",
        "segment": "country=de",
        "dimension": "class=1",
        "metric": "f1_score",
        "window": "1h",
        "window_start": "2026-01-01T10:00:00Z",
        "window_end": "2026-01-01T11:00:00Z",
        "value": 0.123456789,
        "n": 10,
        "low": 0.05,
        "high": 0.25,
        "status": "final",
        "revision": 3,
        "updated_at": "2026-01-01T11:01:00Z",
    }
    assert rows[1]["low"] is None
    assert json.loads(rendered(home, "SELECT 'nan'::DOUBLE AS a, 1.5::DECIMAL(4,1) AS b, true AS c, [1, NULL] AS d", "json")) == [
        {"a": None, "b": 1.5, "c": True, "d": [1, None]}
    ]
    assert json.loads(rendered(home, "SELECT 1 WHERE false", "json")) == []


def test_csv_keeps_every_digit(home: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(rendered(home, "SELECT metric, value, low, window_start FROM metrics ORDER BY metric", "csv"))))
    assert rows == [
        {"metric": "f1_score", "value": "0.123456789", "low": "0.05", "window_start": "2026-01-01T10:00:00Z"},
        {"metric": "prediction_volume", "value": "1234567.0", "low": "", "window_start": "2026-01-01T10:00:00Z"},
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT f1_score FROM (PIVOT metrics ON metric USING first(value) GROUP BY window_start)",
        "PIVOT metrics ON metric USING first(value) GROUP BY window_start ORDER BY f1_score",
        "WITH p AS (PIVOT metrics ON metric USING first(value) GROUP BY model) SELECT model, f1_score FROM p",
    ],
)
def test_the_columns_of_a_pivot_can_be_named(home: Path, sql: str) -> None:
    assert json.loads(rendered(home, sql, "json"))[0]["f1_score"] == 0.123456789


AWKWARD = """SELECT 1 AS a, 2 AS a, 12345678901234567890123456789012345.67::DECIMAL(38,2) AS d, 2.50::DECIMAL(9,2) AS e,
    '-infinity'::TIMESTAMP AS i, 'nan'::DOUBLE AS n, NULL AS z, 'x' || chr(10) || chr(27) || '[31m' || chr(8238) AS t"""
DIGITS = "12345678901234567890123456789012345.67"


def test_what_a_format_lacks_is_still_told_apart(home: Path) -> None:
    (row,) = json.loads(rendered(home, AWKWARD, "json"))
    text = "x\n\x1b[31m\u202e"
    assert row == {"a": 1, "a_2": 2, "d": DIGITS, "e": 2.5, "i": "-infinity", "n": None, "z": None, "t": text}
    assert list(csv.reader(io.StringIO(rendered(home, AWKWARD, "csv"))))[1] == ["1", "2", DIGITS, "2.50", "-infinity", "nan", "", text]
    shown = rendered(home, AWKWARD, "table").splitlines()
    assert len(shown) == 4
    assert shown[2].endswith(r"x\n\x1b[31m\u202e")


def test_table_is_aligned(home: Path) -> None:
    assert rendered(home, "SELECT metric, value, low FROM metrics ORDER BY metric", "table").splitlines() == [
        "metric                value   low",
        "-----------------  --------  ----",
        "f1_score           0.123457  0.05",
        "prediction_volume   1234567",
        "(2 rows)",
    ]


def test_more_rows_than_a_batch_all_come(home: Path) -> None:
    assert rendered(home, "SELECT i FROM range(10000) AS r(i)", "csv").count("\n") == 10_001


PIVOT = "PIVOT metrics ON metric USING sum(value)"
READING = [
    "FROM metrics",
    "WITH a AS (SELECT 1) SELECT * FROM a",
    "DESCRIBE metrics",
    "SUMMARIZE metrics",
    "SHOW TABLES",
    "VALUES ('ü; --')",
    "/* ü */ SELECT 'a;' AS a, 2 AS a -- why; not\n ; -- done",
    "SELECT * FROM metrics WHERE metric IN (SELECT metric FROM metrics) ORDER BY ALL;",
    PIVOT,
    f"WITH a AS ({PIVOT}) FROM a",
    "EXPLAIN SELECT 1",
    "explain analyze SELECT count(*) FROM metrics",
    "EXPLAIN (ANALYZE, FORMAT json) SELECT 1",
    "EXPLAIN (SELECT 1)",
]
WRITING = [
    "COPY (SELECT 1) TO $file$",
    "EXPLAIN COPY (SELECT 1) TO $file$",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO $file$",
    "/* EXPLAIN SELECT */ EXPLAIN (ANALYZE) COPY (SELECT 1) TO $file$",
    "EXPLAIN ANALYZE CREATE TABLE a AS SELECT 1",
    f"COPY ({PIVOT}) TO $file$",
    f"COPY (FROM ({PIVOT})) TO $file$",
    f"CREATE TABLE a AS {PIVOT}",
    f"WITH a AS ({PIVOT}) INSERT INTO metrics FROM a",
    "WITH a AS (COPY (SELECT 1) TO $file$) FROM a",
    "EXPLAIN ANALYZE WITH a AS (COPY (SELECT 1) TO $file$) FROM a",
    f"WITH a AS (COPY (SELECT 1) TO $file$) {PIVOT}",
    "PIVOT (WITH a AS (COPY (SELECT 1) TO $file$) FROM a) ON Count USING sum(1)",
    "SELECT * FROM (WITH a AS (COPY (SELECT 1) TO $file$) FROM a)",
    "FROM query('COPY (SELECT 1) TO $$file$$')",
    "FROM query('WITH a AS (COPY (SELECT 1) TO $$file$$) FROM a')",
    "WITH a AS (DELETE FROM metrics RETURNING *) FROM a",
    "CREATE TABLE a (b INT)",
    "CREATE OR REPLACE VIEW metrics AS SELECT 1",
    "EXPORT DATABASE $file$",
    "ATTACH $file$",
    "ATTACH $file$ AS a; CREATE TABLE a.b AS SELECT 1",
    "SET threads = 1",
    "SET allowed_directories = []",
    "PRAGMA enable_profiling",
    "CALL enable_logging(storage = 'file', storage_path = $file$)",
    "FROM enable_logging(storage = 'file', storage_path = $file$)",
    "INSTALL httpfs",
    "LOAD httpfs",
    "CHECKPOINT",
    "DROP VIEW metrics",
    "BEGIN",
    "PREPARE a AS SELECT 1",
    "SELECT 1) TO 'a'; COPY (SELECT 1",
]


def writing(sql: str, path: Path) -> str:
    """Return the statement with the path as a literal, or as a literal within one."""
    literal = str(path).replace("'", "''")
    return sql.replace("$$file$$", "''" + literal.replace("'", "''") + "''").replace("$file$", f"'{literal}'")


@pytest.mark.parametrize("sql", READING)
def test_whatever_reads_is_allowed(home: Path, sql: str) -> None:
    assert run_query(home, sql).columns


@pytest.mark.parametrize("sql", WRITING)
@pytest.mark.parametrize("name", ["window=1h/1767225600000.parquet", "window=1h/new.parquet"])
def test_whatever_writes_is_refused_and_leaves_the_lake_as_it_is(home: Path, sql: str, name: str) -> None:
    before = {path: path.read_bytes() for path in home.parent.rglob("*") if path.is_file()}
    with pytest.raises(TowerError):
        list(run_query(home, writing(sql, metrics_folder(home) / name)).batches)
    assert {path: path.read_bytes() for path in home.parent.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("sql", ["SET threads = 1", WRITING[2], WRITING[5], WRITING[9]])
def test_a_statement_that_writes_is_wrong_usage(home: Path, sql: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a statement that reads - write a SELECT"):
        run_query(home, writing(sql, metrics_folder(home) / "x"))


@pytest.mark.parametrize("name", ["a[b]c", "st*r", "q?x", "[!x]"])
def test_a_home_is_read_by_its_name_also_when_that_looks_like_a_pattern(home: Path, name: str) -> None:
    named = home.rename(home.with_name(name))
    for other in ("abc", "stir", "qux", "y"):
        (metrics_folder(named.with_name(other)) / "window=1h").mkdir(parents=True)
        (metrics_folder(named.with_name(other)) / "window=1h" / "1.parquet").write_bytes(b"another home's")
    assert rendered(named, "SELECT count(*) AS n FROM metrics", "csv") == "n\n2\n"


def test_a_query_leaves_nothing_in_the_folder_that_it_is_called_from(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(lake, "_LEAST_MEMORY_MB", 100)
    monkeypatch.setattr(lake.psutil, "virtual_memory", lambda: SimpleNamespace(total=0))
    spilled: list[Path] = []
    rows = run_query(home, "SELECT i, repeat('x', 100) || i AS s FROM range(1000000) AS r(i) ORDER BY s").batches
    for batch in rows:
        spilled += [path for path in tmp_path.iterdir() if path.name.startswith("tower-query-")] if not spilled else []
        assert len(batch[0]) == 2
    assert spilled, "it was large enough"
    assert list(here.iterdir()) == []


def test_an_interrupted_query_is_an_interrupt_not_an_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object) -> Result:
        raise RuntimeError("Query interrupted")

    monkeypatch.setattr(lake, "_run_once", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_query(home, "SELECT 1")


def test_one_statement_at_a_time(home: Path) -> None:
    with pytest.raises(ConfigurationError, match="expected one SQL statement, got 2"):
        run_query(home, "SELECT 1; SELECT 2")
    with pytest.raises(ConfigurationError, match="got 0"):
        run_query(home, " ")


def test_nothing_outside_of_the_lake_can_be_read(home: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    with pytest.raises(TowerError, match="Permission"):
        run_query(home, f"SELECT * FROM read_csv('{secret}')")


@pytest.mark.parametrize("name", ["alerts", "predictions", "outcomes"])
def test_views_of_later_parts_are_named_as_such_when_they_are_queried(home: Path, name: str) -> None:
    with pytest.raises(TowerError, match=f"there is no view {name} yet: it comes with"):
        run_query(home, f"SELECT count(*) FROM {name}")
    assert run_query(home, f"SELECT '{name}' AS a").columns == ["a"]


def test_an_error_in_the_sql_is_one_line(home: Path) -> None:
    for sql in ("SELEC 1", "SELECT modl FROM metrics", "SELECT * FROM metric", "SELECT 'a'::INT"):
        with pytest.raises(TowerError) as error:
            run_query(home, sql)
        assert "\n" not in str(error.value)
        assert error.value.exit_code == 1


def test_no_data_yet_gives_the_header_and_a_hint(tmp_path: Path) -> None:
    done = tower("query", "SELECT model, value FROM metrics", "--format", "csv", home=tmp_path)
    assert (done.returncode, done.stdout) == (0, "model,value\n")
    assert "no metrics" in done.stderr


def test_a_query_of_minutes_ends_at_once_with_ctrl_c(home: Path) -> None:
    running = start_tower("query", "SELECT count(*) FROM range(100000) a, range(100000000) b WHERE a.range * b.range % 7 = 3", home=home)
    # It is in DuckDB when it works on all cores; before that it has hardly used one.
    wait_until(lambda: sum(psutil.Process(running.pid).cpu_times()[:2]) > 1.5, "the query runs")
    running.send_signal(signal.SIGINT)
    assert running.wait(5) == 130
    running.communicate()
