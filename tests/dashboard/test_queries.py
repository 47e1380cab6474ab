"""Statements of viewers, without a server: nobody keeps all others from asking."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.explore.queries import Queries, QueryFailed
from dashboard.settings import DashboardSettings

SLOW = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3"


def test_one_viewer_has_no_more_than_half_of_what_is_asked_at_a_time(tmp_path: Path) -> None:
    queries = Queries(home=tmp_path, settings=DashboardSettings(queries_at_once=1))
    try:
        asked = [queries.ask(SLOW, "page", "ann") for _ in range(8)]
        with pytest.raises(QueryFailed, match="8 of your queries"):
            queries.ask(SLOW, "page", "ann")
        for each in range(8):
            queries.ask(SLOW, "page", f"{each}")
        with pytest.raises(QueryFailed, match="16 queries run or wait"):
            queries.ask(SLOW, "page", "bob")
        queries.release(asked[-1])
        queries.ask("SELECT 1", "page", "ann")
    finally:
        queries.close()
