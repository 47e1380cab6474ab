"""What the pipeline has published, as tables: the exported history, and the messages on `tower.metrics`."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

from schemas.lake import metrics_view_sql
from tests.oracle.batch import Configuration

_MESSAGE = """{
    "model": "VARCHAR", "model_version": "VARCHAR", "segment": "VARCHAR", "window": "VARCHAR", "window_start": "BIGINT",
    "window_end": "BIGINT", "status": "VARCHAR", "revision": "BIGINT", "updated_at": "BIGINT",
    "rows": [{"dimension": "VARCHAR", "metric": "VARCHAR", "value": "DOUBLE", "n": "BIGINT", "low": "DOUBLE", "high": "DOUBLE"}]
}"""


def lake_rows(home: Path) -> pa.Table:
    """Return all rows of the view `metrics`, read from the exported files as `tower query` does; times in epoch ms."""
    with duckdb.connect() as connection:
        return connection.sql(
            f"SELECT * REPLACE (epoch_ms(window_start) AS window_start, epoch_ms(window_end) AS window_end) FROM ({metrics_view_sql(home)})"
        ).to_arrow_table()


def message_rows(messages: dict[bytes, bytes], newest: int, configuration: Configuration) -> pa.Table:
    """Return the rows of the last message of each key on `tower.metrics`; `newest` is the newest event time.

    Windows that the retention no longer keeps may still lie on the topic, and are left out.
    """
    retention = configuration.retention
    kept = {"window": list(retention), "kept_after": [newest - length for length in retention.values()]}
    with duckdb.connect() as connection:
        connection.register("messages", _messages(messages))
        connection.register("kept", pa.table(kept))
        return connection.sql(f"""
            SELECT * EXCLUDE (row, kept_after), unnest(row)
            FROM (SELECT * EXCLUDE (rows), unnest(rows) AS row FROM (SELECT unnest(from_json(value, '{_MESSAGE}')) FROM messages))
            JOIN kept USING ("window")
            WHERE window_end > kept_after
        """).to_arrow_table()


def keys_that_lie(messages: dict[bytes, bytes]) -> list[bytes]:
    """Return the keys on `tower.metrics` that are not the JSON array of what their message says."""
    names = ("model", "model_version", "segment", "window", "window_start")
    differs = " OR ".join(f"(key ->> '$[{index}]') IS DISTINCT FROM (value ->> '$.{name}')" for index, name in enumerate(names))
    with duckdb.connect() as connection:
        connection.register("messages", _messages(messages))
        found = connection.sql(f"SELECT key FROM messages WHERE {differs} OR json_array_length(key) <> 5").fetchall()
    return [key.encode() for (key,) in found]


def _messages(messages: dict[bytes, bytes]) -> pa.Table:
    keys, values = ([text.decode() for text in column] for column in (messages.keys(), messages.values()))
    return pa.table({"key": pa.array(keys, pa.string()), "value": pa.array(values, pa.string())})
