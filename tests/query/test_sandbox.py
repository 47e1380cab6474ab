"""The sandbox for SQL of viewers: the contract's view, and no way to files, the network, extensions or settings."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import msgspec
import pyarrow.parquet as pq
import pytest

from benchmarks.dashboard.sample import write_lake
from query.child import NICENESS, Answer, Request, answer
from query.sandbox import open_sandbox
from schemas.lake import metrics_folder, metrics_view_sql, quoted
from tests.dashboard.messages import HOUR_MS, message, row
from tests.waiting import wait_until

FORMULA = "=HYPERLINK(1)"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with 200 hours of two metrics, one of a class that is a formula."""
    home = tmp_path_factory.mktemp("sandbox")
    rows = (row("prediction_volume", 7.0), row("f1_score", 0.5, 30, dimension=f"class={FORMULA}", low=0.25, high=0.75))
    write_lake(home, [message("1h", hour * HOUR_MS, *rows) for hour in range(200)] + [message("1d", 0, *rows)], offset=0)
    return home


@pytest.fixture(scope="module")
def connection(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_sandbox(home, memory_mb=128) as connection:
        yield connection


ATTEMPTS = [
    "COPY (SELECT 1) TO '{out}'",
    "COPY metrics TO '{out}' (FORMAT parquet)",
    "COPY (SELECT 1) TO '{lake}/window=1h/0.parquet'",
    "EXPORT DATABASE '{out}'",
    "IMPORT DATABASE '{out}'",
    "ATTACH '{out}'",
    "ATTACH '{out}' AS a (READ_ONLY)",
    "SELECT * FROM read_csv('{secret}')",
    "SELECT * FROM read_text('{secret}')",
    "SELECT * FROM read_blob('{secret}')",
    "SELECT * FROM read_json('{secret}')",
    "SELECT * FROM sniff_csv('{secret}')",
    "SELECT * FROM '{secret}'",
    "SELECT * FROM query('FROM read_text(''{secret}'')')",
    "SELECT * FROM glob('{lake}/*')",
    "SELECT * FROM read_parquet('{lake}/window=1h/*.parquet')",
    "SELECT * FROM parquet_metadata('{lake}/window=1h/0.parquet')",
    "SELECT * FROM read_text('/proc/self/environ')",
    "CREATE TABLE a AS FROM read_csv('{secret}')",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '{out}.duckdb_extension'",
    "FORCE INSTALL httpfs FROM 'http://127.0.0.1:9'",
    "SELECT * FROM 'http://127.0.0.1:9/a.parquet'",
    "SELECT * FROM read_csv('http://127.0.0.1:9/a.csv')",
    "SELECT * FROM read_parquet('s3://bucket/a.parquet')",
    "CREATE SECRET a (TYPE s3)",
    "SELECT * FROM duckdb_secrets()",
    "SELECT getenv('HOME')",
    "SELECT * FROM os",
    "SELECT * FROM connection",
    "SET enable_external_access = true",
    "RESET enable_external_access",
    "SET lock_configuration = false",
    "SET memory_limit = '64GB'",
    "SET temp_directory = '{out}'",
    "SET GLOBAL allowed_directories = ['/']",
    "PRAGMA threads = 8",
    "PRAGMA profiling_output = '{out}'",
    "SET log_query_path = '{out}'",
    "CALL enable_logging(storage = 'file', storage_config = {{'path': '{out}'}})",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{out}'",
    "WITH a AS (COPY (SELECT 1) TO '{out}') FROM a",
    "SELECT list(range) FROM range(100000000)",
]


@pytest.mark.parametrize("sql", ATTEMPTS)
def test_duckdb_itself_refuses_what_would_leave_the_sandbox(
    connection: duckdb.DuckDBPyConnection, home: Path, tmp_path: Path, sql: str
) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\n1,2\n")
    lake = metrics_folder(home)
    before = {path: path.read_bytes() for path in lake.rglob("*.parquet")}
    with pytest.raises(duckdb.Error):
        connection.execute(sql.format(out=tmp_path / "out", secret=secret, lake=lake)).fetchall()
    assert list(tmp_path.iterdir()) == [secret]
    assert {path: path.read_bytes() for path in lake.rglob("*.parquet")} == before


def test_the_view_is_that_of_the_lake(connection: duckdb.DuckDBPyConnection, home: Path) -> None:
    direct = duckdb.connect(":memory:")
    direct.execute("SET TimeZone = 'UTC'")
    direct.execute(f"CREATE VIEW metrics AS {metrics_view_sql(home)}")
    for sql in (
        "DESCRIBE metrics",
        "FROM metrics ORDER BY ALL",
        "SELECT sum(value) FROM metrics WHERE \"window\" = '1h' AND window_start < '1970-01-03'",
    ):
        assert connection.execute(sql).fetchall() == direct.execute(sql).fetchall()


def test_without_a_lake_the_view_is_empty(tmp_path: Path) -> None:
    with open_sandbox(tmp_path, memory_mb=64) as connection:
        assert connection.execute("SELECT count(*) FROM metrics").fetchall() == [(0,)]


def ask(home: Path, out: Path, sql: str, form: str = "page", *, rows: int = 1_000) -> Answer:
    with out.open("w+b") as file:
        return answer(Request(str(home), sql, form, rows, 1_000_000, 128, 20), file)  # type: ignore[arg-type]


def test_rows_up_to_the_limit_as_a_page_has_them(home: Path, tmp_path: Path) -> None:
    columns = "window_start, value, 9007199254740993 AS big, 'nan'::DOUBLE AS nan"
    sql = f"SELECT DISTINCT {columns} FROM metrics WHERE metric = 'f1_score' ORDER BY 1"
    assert ask(home, tmp_path / "out", sql, rows=3) == Answer(3, more=True)
    assert msgspec.json.decode((tmp_path / "out").read_bytes()) == {
        "columns": [["window_start", "TIMESTAMP WITH TIME ZONE"], ["value", "DOUBLE"], ["big", "BIGINT"], ["nan", "DOUBLE"]],
        "rows": [[f"1970-01-01T0{hour}:00:00Z", 0.5, "9007199254740993", None] for hour in range(3)],
    }


def test_a_file_has_all_rows_and_no_formula(home: Path, tmp_path: Path) -> None:
    sql = "SELECT dimension[7:] AS name, value AS \"=1+1\", value FROM metrics WHERE metric = 'f1_score' AND \"window\" = '1h'"
    assert ask(home, tmp_path / "csv", sql, "csv") == Answer(200)
    assert (tmp_path / "csv").read_text().splitlines() == ["name,'=1+1,value"] + [f"'{FORMULA},0.5,0.5"] * 200
    assert ask(home, tmp_path / "parquet", sql, "parquet", rows=150) == Answer(150, more=True)
    table = pq.read_table(tmp_path / "parquet")
    assert table.column_names == ["name", "=1+1", "value"]
    assert table.to_pylist() == [{"name": FORMULA, "=1+1": 0.5, "value": 0.5}] * 150


def test_what_begins_like_a_formula_has_an_apostrophe_in_csv_whatever_it_is(home: Path, tmp_path: Path) -> None:
    texts = ["=1", "+a", "-a", "@a", "\t=1", "\r=1", "\n=1", "\uff1d1", "\uff0ba", "-5", "+1e9", "a=1"]
    rows = ", ".join(f"({quoted(text)})" for text in texts)
    assert ask(home, tmp_path / "csv", f"SELECT * FROM (VALUES {rows})", "csv") == Answer(len(texts))
    with (tmp_path / "csv").open(newline="", encoding="utf-8") as file:
        read = [row[0] for row in csv.reader(file)][1:]
    assert read == [*(f"'{text}" for text in texts[:9]), *texts[9:]]


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT list(range) FROM range(100000000)", "more than its 128 MB of memory"),
        ("SELECT 1; SELECT 2", "expected one SQL statement, got 2"),
        ("SELECT * FROM read_text('/etc/hostname')", "neither files nor networks"),
        ("SELEC", "syntax error"),
        ("SELECT INTERVAL '100000000 years'", "a column cannot be written"),
        ("SELECT * FROM sql", "there is no table sql"),
    ],
)
def test_what_is_too_much_or_wrong_is_told_in_one_line(home: Path, tmp_path: Path, sql: str, says: str) -> None:
    told = ask(home, tmp_path / "out", sql).error
    assert says in told
    assert "\n" not in told


def start(home: Path, out: Path, sql: str) -> subprocess.Popen[bytes]:
    with out.open("w+b") as file:
        command = [sys.executable, "-m", "query.start", str(file.fileno())]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[file.fileno()])
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(Request(str(home), sql, "page", 1_000, 1_000_000, 128, 60)) + b"\n")
    process.stdin.flush()
    return process


def test_the_process_has_limits_that_duckdb_does_not_know_of(home: Path, tmp_path: Path) -> None:
    statements = {
        "SELECT length(repeat('x', 2000000000))": "more than its 128 MB of memory",
        "SELECT range || repeat('x', 4000) FROM range(1000)": "larger than 1 MB",
    }
    running = {start(home, tmp_path / f"{index}", sql): says for index, (sql, says) in enumerate(statements.items())}
    for process, says in running.items():
        with process:
            assert process.stdout is not None
            assert says in msgspec.json.decode(process.stdout.read(), type=Answer).error


def test_a_statement_ends_with_whoever_asked_for_it(home: Path, tmp_path: Path) -> None:
    process = start(home, tmp_path / "out", "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3")
    wait_until(lambda: os.getpriority(os.PRIO_PROCESS, process.pid) >= NICENESS, "it runs, behind all others")
    process.communicate()  # which closes its stdin
    assert process.returncode == 1
