"""History from the lake: Parquet that the pipeline exports, read through an in-memory DuckDB."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb
import msgspec
import numpy as np
import pyarrow as pa

from dashboard import retention
from dashboard.scope import Scope
from dashboard.series import Block, Ints
from schemas.lake import export_manifest, wide_metrics_sql
from schemas.metrics import ALL, MetricsMessage

_ATTEMPTS = 5
_FLEET_ROWS = "list_contains($metrics, r.metric) AND NOT starts_with(r.dimension, 'class=')"
_DETAIL_ROWS = """"window" <> '1m' OR (r.dimension = '' AND list_contains($metrics, r.metric))"""
_SCOPES = """
    SELECT DISTINCT model, model_version, segment FROM ({wide}) WHERE "window" = '1h' AND window_start >= make_timestamptz($since * 1000)
"""
_VOLUMES = """
    SELECT model_version, segment, sum(list_filter(rows, lambda r: r.metric = 'prediction_volume' AND r.dimension = '')[1].value) AS volume
    FROM ({wide}) WHERE "window" = '1h' AND model = $model AND window_start >= make_timestamptz($since * 1000)
         AND (model_version = $all) <> (segment = $all)
    GROUP BY ALL HAVING volume IS NOT NULL
"""


class Manifest(msgspec.Struct, frozen=True):
    """`export.json`: up to which offset (exclusive) of each partition of `tower.metrics` the lake goes; times in ms."""

    exported_at: int = 0
    offsets: dict[str, int] = {}
    newest_event_time: int = 0

    def by_partition(self) -> dict[int, int]:
        """Return the offsets by partition number."""
        return {int(partition): offset for partition, offset in self.offsets.items()}


def read_manifest(home: Path) -> Manifest:
    """Return what the lake contains: nothing, when there was no export yet."""
    try:
        return msgspec.json.decode(export_manifest(home).read_bytes(), type=Manifest)
    except FileNotFoundError:
        return Manifest()


@dataclass(frozen=True, slots=True)
class History:
    """Reads the lake under one home; each thread has its own."""

    home: Path
    connection: duckdb.DuckDBPyConnection

    @classmethod
    def of(cls, home: Path) -> History:
        """Open an in-memory DuckDB with one thread, so that it leaves the processor to the others."""
        return cls(home, duckdb.connect(":memory:", config={"threads": 1, "memory_limit": "512MB"}))

    def scopes(self) -> list[Scope]:
        """Return all (model, version, segment) of the last week."""
        since = read_manifest(self.home).newest_event_time - retention.DETAIL_SPAN_MS["7d"]
        rows = self._select(_SCOPES, {"since": since}).to_pylist()
        return [Scope(str(row["model"]), str(row["model_version"]), str(row["segment"])) for row in rows]

    def fleet(self) -> Iterator[tuple[str, str, Block]]:
        """Yield (model, window, history), all versions and segments together, as the fleet page needs it."""
        where = "model_version = $version AND segment = $segment"
        values = {"version": ALL, "segment": ALL, "metrics": sorted(retention.FLEET_METRICS)}
        return self._blocks(where, values, _FLEET_ROWS, retention.FLEET_SPAN_MS)

    def detail(self, scope: Scope) -> Iterator[tuple[str, Block]]:
        """Yield (window, history) of one scope."""
        where = "model = $model AND model_version = $version AND segment = $segment"
        values = {**scope._asdict(), "metrics": sorted(retention.LINE_METRICS)}
        return ((window, block) for _, window, block in self._blocks(where, values, _DETAIL_ROWS, retention.DETAIL_SPAN_MS))

    def windows(self, scope: Scope, ranges: Iterable[tuple[str, int, int]]) -> list[MetricsMessage]:
        """Return the windows of a scope that are among (window, first start, last start exclusive), in epoch ms, with all their rows."""
        values: dict[str, object] = {**scope._asdict()}
        among = []
        for index, (window, first, last) in enumerate(ranges):
            values |= {f"window_{index}": window, f"first_{index}": first, f"last_{index}": last}
            starts = f"window_start >= make_timestamptz($first_{index} * 1000) AND window_start < make_timestamptz($last_{index} * 1000)"
            among.append(f'("window" = $window_{index} AND {starts})')
        where = f"model = $model AND model_version = $version AND segment = $segment AND ({' OR '.join(among)})"
        select = f"""
            SELECT model, model_version, segment, "window", epoch_ms(window_start) AS window_start, epoch_ms(window_end) AS window_end,
                   status, revision, epoch_ms(updated_at) AS updated_at, rows
            FROM ({{wide}}) WHERE {where} ORDER BY window_start
        """
        # msgspec checks each row against the message's type, as it does with messages of the topic.
        return [msgspec.convert(row, MetricsMessage) for row in self._select(select, values).to_pylist()]

    def volumes(self, model: str) -> dict[Scope, float]:
        """Return the predictions of the last week of each version, and of each segment."""
        since = read_manifest(self.home).newest_event_time - retention.DETAIL_SPAN_MS["1h"]
        rows = self._select(_VOLUMES, {"model": model, "since": since, "all": ALL}).to_pylist()
        return {Scope(model, str(row["model_version"]), str(row["segment"])): float(str(row["volume"])) for row in rows}

    def _blocks(self, where: str, names: Mapping[str, object], rows: str, spans: Mapping[str, int]) -> Iterator[tuple[str, str, Block]]:
        newest = read_manifest(self.home).newest_event_time
        since = " OR ".join(f"(\"window\" = '{window}' AND window_start >= make_timestamptz(${_key(window)} * 1000))" for window in spans)
        # A rolling window starts its own length before it ends, so its start is that much older.
        starts = {_key(window): newest - span - (retention.ROLLING_LENGTH_MS if window == "7d" else 0) for window, span in spans.items()}
        select = f"""
            SELECT model, "window", start, revision, updated, final, r.dimension AS dimension, r.metric AS metric,
                   r.value AS value, r.n::DOUBLE AS n, r.low AS low, r.high AS high
            FROM (
                SELECT model, "window", epoch_ms(window_start) AS start, revision, epoch_ms(updated_at) AS updated,
                       status = 'final' AS final, unnest(rows) AS r
                FROM ({{wide}}) WHERE {where} AND ({since})
            )
            WHERE {rows}
        """
        return _blocks_of(self._select(select, {**names, **starts}))

    def _select(self, sql: str, values: Mapping[str, object]) -> pa.Table:
        """Return the rows of a SELECT over `{wide}`; a file that a newer export replaced meanwhile makes it start again."""
        for _ in range(_ATTEMPTS - 1):
            with suppress(duckdb.IOException):
                return self._table(sql, values)
            time.sleep(0.1)
        return self._table(sql, values)

    def _table(self, sql: str, values: Mapping[str, object]) -> pa.Table:
        return self.connection.sql(sql.format(wide=wide_metrics_sql(self.home)), params=values).to_arrow_table()


def _blocks_of(table: pa.Table) -> Iterator[tuple[str, str, Block]]:
    """Yield (model, window, block) of a table of one row a number; pages would wait for Python objects."""
    models, of_model = _numbered(table, "model")
    windows, of_window = _numbered(table, "window")
    dimensions, of_dimension = _numbered(table, "dimension")
    metrics, of_metric = _numbered(table, "metric")
    starts, revision, updated, final = (table.column(name).to_numpy() for name in ("start", "revision", "updated", "final"))
    numbers = np.stack([table.column(name).to_numpy() for name in ("value", "n", "low", "high")], axis=1)
    for group in _groups(of_model * len(windows) + of_window):
        times, first, at = np.unique(starts[group], return_index=True, return_inverse=True)
        values = {}
        for part in _groups(of_dimension[group] * len(metrics) + of_metric[group]):
            row = group[part[0]]
            values[dimensions[of_dimension[row]], metrics[of_metric[row]]] = at[part], numbers[group[part]]
        of = group[first]
        yield models[of_model[of[0]]], windows[of_window[of[0]]], Block(times, revision[of], updated[of], final[of], values)


def _numbered(table: pa.Table, name: str) -> tuple[list[str], Ints]:
    """Return the texts of a column, and for each row the number of its own."""
    column = table.column(name).combine_chunks().dictionary_encode()
    return column.dictionary.to_pylist(), column.indices.to_numpy().astype(np.int64)


def _groups(keys: Ints) -> list[Ints]:
    """Return the rows of each key."""
    order = np.argsort(keys, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(keys[order])) + 1) if len(keys) else []


def _key(window: str) -> str:
    return f"since_{window}"
