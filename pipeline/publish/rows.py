"""From merged panes to what is published: messages for the topic, and an Arrow table for DuckDB."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np
import pyarrow as pa

from pipeline.cells import Ints, Keys, Names
from pipeline.exact import collapsed
from pipeline.metrics import METRIC_NAMES, compute
from pipeline.metrics.table import MetricTable, PaneBatch
from pipeline.panes import LENGTH_MS, ROLLING_INDEX, WINDOWS, Cells, pane_scope, pane_start_ms, pane_window
from pipeline.publish.hints import Hints
from schemas.metrics import MetricRow, MetricsMessage, message_key

_SHORTEST_ELAPSED_MS = 1_000
"""A window that has just begun is taken as a second old, so that its first event is no burst."""


@dataclass(frozen=True, slots=True)
class Moment:
    """As of when rows are published; times in epoch milliseconds."""

    now: int
    revision: int
    watermark: int
    newest_event_time: int
    lateness: int


@dataclass(frozen=True, slots=True)
class Published:
    """Rows to publish: the panes that have any, their window ends and whether they are final, and their metric rows.

    The rows of pane i are `table`'s from `bounds[i]` to `bounds[i + 1]`.
    """

    panes: Keys
    ends: Ints
    final: np.ndarray[tuple[int], np.dtype[np.bool_]]
    bounds: Ints
    table: MetricTable
    moment: Moment


def published(cells: Cells, names: Names, hints: Hints, moment: Moment) -> Published:
    """Return the metric rows of merged panes."""
    cells = collapsed(cells)
    starts = np.flatnonzero(np.append(True, cells.pane[1:] != cells.pane[:-1])) if len(cells) else np.zeros(0, dtype=np.int64)
    panes = cells.pane[starts]
    index = np.repeat(np.arange(len(panes)), np.diff(np.append(starts, len(cells))))
    window, start = pane_window(panes), pane_start_ms(panes)
    length = LENGTH_MS[window]
    elapsed = np.clip(moment.newest_event_time - start, np.minimum(_SHORTEST_ELAPSED_MS, length), length)
    scopes, of_pane = np.unique(pane_scope(panes), return_inverse=True)
    found = [hints.of(scope) for scope in scopes.tolist()]
    task, positive, class_set = (
        np.array([(hint.task, hint.positive_class, hint.class_set) for hint in found], dtype=np.int64).reshape(-1, 3)[of_pane].T
    )
    table = compute(
        PaneBatch(
            count=len(panes),
            pane=index,
            key=cells.cell,
            value=cells.value,
            length_s=length / 1000,
            elapsed_s=elapsed / 1000,
            positive_class=positive,
            task=task.astype(np.int8),
            rolling=window == ROLLING_INDEX,
            names=names,
            class_set=class_set,
            class_sets=hints.class_sets,
        )
    )
    counts = np.bincount(table.pane, minlength=len(panes))
    some = counts > 0
    bounds = np.append(0, np.cumsum(counts[some]))
    end = start + length
    final = end + moment.lateness <= moment.watermark
    return Published(panes[some], end[some], final[some], bounds, table, moment)


def messages(rows: Published, scope_names: Callable[[int], tuple[str, str, str]]) -> list[tuple[bytes, bytes]]:
    """Return (key, value) of the message of each pane."""
    table, moment = rows.table, rows.moment
    dimensions, encode = table.dimensions, msgspec.json.Encoder().encode
    columns = zip(
        [dimensions[dimension] for dimension in table.dimension.tolist()],
        [METRIC_NAMES[metric] for metric in table.metric.tolist()],
        table.value.tolist(),
        table.n.tolist(),
        table.low.tolist(),
        table.high.tolist(),
        strict=True,
    )
    metric_rows = [MetricRow(*row) for row in columns]  # NaN is written as null
    result = []
    bounds = rows.bounds.tolist()
    for pane, (window, start, scope, end, final) in enumerate(_headers(rows)):
        model, version, segment = scope_names(scope)
        status = "final" if final else "provisional"
        message = MetricsMessage(
            model,
            version,
            segment,
            WINDOWS[window],
            start,
            end,
            status,
            moment.revision,
            moment.now,
            metric_rows[bounds[pane] : bounds[pane + 1]],
        )
        result.append((message_key(model, version, segment, WINDOWS[window], start), encode(message)))
    return result


def arrow_table(rows: Published, scope_names: Callable[[int], tuple[str, str, str]]) -> pa.Table:
    """Return the wide rows (`schemas.lake.WIDE_COLUMNS`), one a pane, with their metric rows as a list of structs."""
    table, moment = rows.table, rows.moment
    structs = pa.StructArray.from_arrays(
        [
            _texts(table.dimension, table.dimensions),
            _texts(table.metric, list(METRIC_NAMES)),
            pa.array(table.value),
            pa.array(table.n.astype(np.int64)),
            pa.array(table.low, from_pandas=True),
            pa.array(table.high, from_pandas=True),
        ],
        ["dimension", "metric", "value", "n", "low", "high"],
    )
    count = len(rows.panes)
    scopes, of_pane = np.unique(pane_scope(rows.panes), return_inverse=True)
    named = [scope_names(scope) for scope in scopes.tolist()]
    model, version, segment = (_texts(of_pane, [name[part] for name in named]) for part in range(3))
    return pa.table(
        {
            "model": model,
            "model_version": version,
            "segment": segment,
            "window": _texts(pane_window(rows.panes), list(WINDOWS)),
            "window_start": _times(pane_start_ms(rows.panes)),
            "window_end": _times(rows.ends),
            "status": _texts(rows.final.astype(np.int64), ["provisional", "final"]),
            "revision": pa.array(np.full(count, moment.revision, dtype=np.int64)),
            "updated_at": _times(np.full(count, moment.now, dtype=np.int64)),
            "rows": pa.ListArray.from_arrays(pa.array(rows.bounds.astype(np.int32)), structs),
        }
    )


def _headers(rows: Published) -> list[tuple[int, int, int, int, bool]]:
    panes = rows.panes
    columns = (pane_window(panes), pane_start_ms(panes), pane_scope(panes), rows.ends, rows.final)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _texts(positions: Ints, texts: list[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(positions.astype(np.int32)), pa.array(texts, pa.string())).cast(pa.string())


def _times(milliseconds: Ints) -> pa.Array:
    return pa.array(milliseconds.astype(np.int64) * 1000, pa.timestamp("us", "UTC"))
