"""What can be configured in the dashboard, with its defaults."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DashboardSettings:
    """Times are in milliseconds.

    `host` is the address to listen on. `allowed_origins` are further `host:port` from which browsers may open the
    live connection, beside this machine's own names. `push_interval_ms` is the shortest time between two updates of a page.
    `stale_after_ms`: a model without newer data for so long is stale, unless it is usually slower than that.
    `model_limit` bounds the models on the fleet page (about 0.2 MB each), `open_scopes` the (model, version, segment) kept in
    detail while no page shows them (about 3 MB each).

    A statement of the Explore page may take `query_time_limit_ms` and `query_memory_mb`; a page shows `query_rows` of its rows, a
    file has `download_rows`. `queries_at_once` run side by side, the others wait.
    """

    host: str = "127.0.0.1"
    port: int = 5006
    title: str = "Control Tower"
    allowed_origins: list[str] = field(default_factory=list)
    push_interval_ms: int = 250
    stale_after_ms: int = 120_000
    model_limit: int = 500
    open_scopes: int = 32
    session_lifetime_ms: int = 15_000
    query_time_limit_ms: int = 20_000
    query_memory_mb: int = 512
    query_rows: int = 10_000
    download_rows: int = 1_000_000
    queries_at_once: int = 2
