"""History from the lake: Parquet that the pipeline exports, read through an in-memory DuckDB."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import msgspec

from dashboard import retention
from dashboard.scope import Scope
from schemas.lake import export_manifest, wide_metrics_sql
from schemas.metrics import ALL, MetricsMessage

_ATTEMPTS = 5
_FLEET_ROWS = "list_filter(rows, lambda r: list_contains($metrics, r.metric) AND NOT starts_with(r.dimension, 'class='))"
_DETAIL_ROWS = (
    """CASE WHEN "window" = '1m' THEN list_filter(rows, lambda r: r.dimension = '' AND list_contains($metrics, r.metric)) ELSE rows END"""
)
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
        rows = self._select(_SCOPES, {"since": since})
        return [Scope(str(row["model"]), str(row["model_version"]), str(row["segment"])) for row in rows]

    def fleet(self) -> list[MetricsMessage]:
        """Return the history of all models, all versions and segments together, as the fleet page needs it."""
        where = "model_version = $version AND segment = $segment"
        values = {"version": ALL, "segment": ALL, "metrics": sorted(retention.FLEET_METRICS)}
        return self._messages(where, values, _FLEET_ROWS, retention.FLEET_SPAN_MS)

    def detail(self, scope: Scope) -> list[MetricsMessage]:
        """Return the history of one scope."""
        where = "model = $model AND model_version = $version AND segment = $segment"
        return self._messages(where, {**scope._asdict(), "metrics": sorted(retention.LINE_METRICS)}, _DETAIL_ROWS, retention.DETAIL_SPAN_MS)

    def windows(self, scope: Scope, ranges: Iterable[tuple[str, int, int]]) -> list[MetricsMessage]:
        """Return the windows of a scope that are among (window, first start, last start exclusive), in epoch ms, with all their rows."""
        values: dict[str, object] = {**scope._asdict()}
        among = []
        for index, (window, first, last) in enumerate(ranges):
            values |= {f"window_{index}": window, f"first_{index}": first, f"last_{index}": last}
            starts = f"window_start >= make_timestamptz($first_{index} * 1000) AND window_start < make_timestamptz($last_{index} * 1000)"
            among.append(f'("window" = $window_{index} AND {starts})')
        where = f"model = $model AND model_version = $version AND segment = $segment AND ({' OR '.join(among)})"
        return self._read(where, "rows", values)

    def volumes(self, model: str) -> dict[Scope, float]:
        """Return the predictions of the last week of each version, and of each segment."""
        since = read_manifest(self.home).newest_event_time - retention.DETAIL_SPAN_MS["1h"]
        rows = self._select(_VOLUMES, {"model": model, "since": since, "all": ALL})
        return {Scope(model, str(row["model_version"]), str(row["segment"])): float(str(row["volume"])) for row in rows}

    def _messages(self, where: str, names: Mapping[str, object], rows: str, spans: Mapping[str, int]) -> list[MetricsMessage]:
        newest = read_manifest(self.home).newest_event_time
        since = " OR ".join(f"(\"window\" = '{window}' AND window_start >= make_timestamptz(${_key(window)} * 1000))" for window in spans)
        # A rolling window starts its own length before it ends, so its start is that much older.
        starts = {_key(window): newest - span - (retention.ROLLING_LENGTH_MS if window == "7d" else 0) for window, span in spans.items()}
        return self._read(f"{where} AND ({since})", rows, {**names, **starts})

    def _read(self, where: str, rows: str, values: Mapping[str, object]) -> list[MetricsMessage]:
        select = f"""
            SELECT model, model_version, segment, "window", epoch_ms(window_start) AS window_start, epoch_ms(window_end) AS window_end,
                   status, revision, epoch_ms(updated_at) AS updated_at, {rows} AS rows
            FROM ({{wide}}) WHERE {where} ORDER BY window_start
        """
        # msgspec checks each row against the message's type, as it does with messages of the topic.
        return [msgspec.convert(row, MetricsMessage) for row in self._select(select, values)]

    def _select(self, sql: str, values: Mapping[str, object]) -> Iterator[dict[str, object]]:
        """Run a SELECT over `{wide}`, and yield its rows by column; a file that a newer export replaced meanwhile makes it start again."""
        for attempt in range(_ATTEMPTS):
            try:
                # By way of Arrow: nested rows become Python objects in a quarter of the time that `fetchall` takes.
                yield from self.connection.sql(sql.format(wide=wide_metrics_sql(self.home)), params=values).to_arrow_table().to_pylist()
                return
            except duckdb.IOException:
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(0.1)


def _key(window: str) -> str:
    return f"since_{window}"
