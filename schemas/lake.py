"""Where history lies as Parquet, and the SQL that reads it.

`lake/metrics/window=<window>/<bucket start in epoch ms>.parquet`, one row a (model, model_version,
segment, window, window_start) with its metric rows as a list of structs. A file is written beside and renamed, so a reader
sees the old or the new one. `lake/metrics/export.json` says up to where (exclusive) each partition of
`tower.metrics` is contained: {"exported_at": epoch ms, "offsets": {"0": 123}, "newest_event_time": epoch ms}, and holds the checksum
of each file: {"crc32": {"10s": {"<bucket>": 123}}}.
"""

from __future__ import annotations

from pathlib import Path

ROWS_TYPE = "STRUCT(dimension VARCHAR, metric VARCHAR, value DOUBLE, n BIGINT, low DOUBLE, high DOUBLE)[]"
WIDE_COLUMNS: dict[str, str] = {
    "model": "VARCHAR",
    "model_version": "VARCHAR",
    "segment": "VARCHAR",
    "window": "VARCHAR",
    "window_start": "TIMESTAMPTZ",
    "window_end": "TIMESTAMPTZ",
    "status": "VARCHAR",
    "revision": "BIGINT",
    "updated_at": "TIMESTAMPTZ",
    "rows": ROWS_TYPE,
}


def metrics_folder(home: Path) -> Path:
    """Return the folder of the exported metrics."""
    return home / "lake" / "metrics"


def export_manifest(home: Path) -> Path:
    """Return the path of the file that says how far the export goes."""
    return metrics_folder(home) / "export.json"


def wide_metrics_sql(home: Path) -> str:
    """Return a SELECT of `WIDE_COLUMNS` over all exported files, or of no rows when there are none yet."""
    folder = metrics_folder(home)
    if not any(folder.glob("window=*/*.parquet")):
        return no_metrics_sql()
    columns = ", ".join(f'"{name}"' for name in WIDE_COLUMNS)
    pattern = quoted(as_pattern(folder) + "/window=*/*.parquet")
    return f"SELECT {columns} FROM read_parquet({pattern}, hive_partitioning = true, hive_types = {{'window': VARCHAR}})"


def no_metrics_sql() -> str:
    """Return a SELECT of `WIDE_COLUMNS` without rows."""
    nothing = ", ".join(f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in WIDE_COLUMNS.items())
    return f"SELECT {nothing} WHERE false"


def as_pattern(path: Path) -> str:
    """Return the pattern that DuckDB takes for this very path, whose name may contain what would be a pattern itself."""
    return "".join(f"[{one}]" if one in "*?[" else one for one in str(path))


def quoted(text: str) -> str:
    """Return the text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def metrics_view_sql(home: Path) -> str:
    """Return the SELECT behind the view `metrics` of contracts 5: one row a number."""
    return view_sql(wide_metrics_sql(home))


def view_sql(wide_sql: str) -> str:
    """Return the SELECT of one row a number over a SELECT of `WIDE_COLUMNS`."""
    return f"""
        SELECT model, model_version, segment, r.dimension AS dimension, r.metric AS metric, "window", window_start, window_end,
               r.value AS value, r.n AS n, r.low AS low, r.high AS high, status, revision, updated_at
        FROM (SELECT * EXCLUDE (rows), unnest(rows) AS r FROM ({wide_sql}))
    """
