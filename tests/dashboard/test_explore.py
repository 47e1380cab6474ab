"""The Explore page in a browser: what it shows is what the lake has, by choices and by SQL, within its limits."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Sequence
from urllib.parse import urljoin

import duckdb
import psutil
import pyarrow.parquet as pq
import pytest
import requests
from playwright.sync_api import Page

from benchmarks.dashboard.sample import CHURN, starts, write_lake
from benchmarks.dashboard.sample import message as sample
from dashboard.scope import Scope
from schemas.lake import metrics_view_sql, quoted
from tests.dashboard.browsing import PHONE_WIDTH, barriers, wait_for
from tests.dashboard.conftest import Visit
from tests.dashboard.messages import DAY_MS, HOUR_MS, MINUTE_MS, message, row
from tests.dashboard.serving import Server
from tests.waiting import slowness, wait_until

IMG = "<img src=x onerror=alert(1)>'; --"
FOREVER = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3"


@pytest.fixture(scope="module", autouse=True)
def data(server: Server) -> None:
    now = int(time.time() * 1000)
    names = [row("f1_score", 0.5 + part / 10, 30, dimension=f"class={name}") for part, name in enumerate((IMG, "=1+1"))]
    hostile = [message("1h", now // HOUR_MS * HOUR_MS - back * HOUR_MS, *names, scope=Scope(IMG)) for back in range(1, 4)]
    hours = [
        sample(CHURN, "1h", start, version=version, now_ms=now)
        for start in starts("1h", now - 8 * DAY_MS, now)
        for version in ("*", "v1", "v2")
    ]
    minutes = [sample(CHURN, "1m", start, now_ms=now) for start in starts("1m", now - 10 * MINUTE_MS, now)]
    write_lake(server.home, [*hours, *minutes, *hostile], offset=0)
    server.start()


def lake(server: Server, sql: str) -> list[tuple[object, ...]]:
    """Run SQL over the lake as anyone may who has its files."""
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    return connection.execute(f"WITH metrics AS ({metrics_view_sql(server.home)}) {sql}").fetchall()


def wait_shown(page: Page, text: str = " row") -> None:
    wait_for(page, "(text) => document.getElementById('status').textContent.includes(text)", text)


def download(page: Page, form: str) -> bytes:
    """Return the file behind a link of the page."""
    return requests.get(urljoin(page.url, page.locator(f"#{form}").get_attribute("href")), timeout=60).content


def rows_of(page: Page) -> list[list[str]]:
    return list(csv.reader(io.StringIO(download(page, "csv").decode())))


def written(rows: Sequence[tuple[object, ...]]) -> list[list[str]]:
    return [["" if cell is None else repr(cell) if isinstance(cell, float) else str(cell) for cell in row] for row in rows]


def test_choices_become_sql_whose_rows_are_those_of_the_lake_and_the_address_restores_them(visit: Visit, server: Server) -> None:
    page = visit(timezone_id="Asia/Kolkata").open(page="explore", model="churn")
    wait_shown(page)
    page.select_option("#range", "7d")
    page.select_option("#version", label="Each")
    where = "model = 'churn' AND metric = 'latency_p99_ms' AND \"window\" = '1h' AND model_version <> '*' AND segment = '*'"
    wait_for(page, "document.querySelectorAll('#legend .legend-entry').length === 2")
    found = rows_of(page)
    assert found[0] == ["window_start", "model_version", "value", "n", "low", "high", "status"]
    columns = "strftime(window_start, '%Y-%m-%dT%H:%M:%SZ'), model_version, value, n, low, high, status"
    expected = written(lake(server, f"SELECT {columns} FROM metrics WHERE {where} ORDER BY window_start DESC, model_version"))
    assert found[1:] == expected[: len(found) - 1]
    assert 2 * 168 - 2 <= len(found) - 1 <= 2 * 168
    assert pq.read_table(io.BytesIO(download(page, "parquet"))).column("value").to_pylist() == [float(each[2]) for each in found[1:]]
    page.select_option("#layout", label="Time by version")
    wait_for(page, "document.querySelectorAll('#grid th').length === 3")
    pivoted = rows_of(page)
    by_time: dict[str, dict[str, str]] = {}
    for start, version, value, *_ in found[1:]:
        by_time.setdefault(start, {})[version] = value
    assert pivoted[0] == ["window_start", "v1", "v2"]
    assert pivoted[1:] == [[start, values["v1"], values["v2"]] for start, values in by_time.items()]
    first = page.locator("#grid tbody tr:not(.space)").first.locator("td").all_inner_texts()
    assert first[0].endswith(":30")  # on the viewer's clock
    assert first[1].endswith("\u202fms")
    assert "GMT+5:30" in page.locator("#grid th").first.inner_text()
    page.reload()
    wait_shown(page)
    assert page.locator("#layout option:checked").inner_text() == "Time by version"
    assert page.locator("#range").input_value() == "7d"
    assert rows_of(page) == pivoted
    page.locator("#grid th button").nth(1).click()
    assert page.locator("#grid th").nth(1).get_attribute("aria-sort") == "descending"
    top = page.locator("#grid tbody tr:not(.space)").first.locator("td").nth(1).get_attribute("title")
    assert float(top or 0) == max(float(each[1]) for each in pivoted[1:])


def test_sql_by_hand_is_kept_in_the_address_and_names_and_errors_are_text(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open(page="explore", model="churn")
    wait_shown(page)
    sql = f"SELECT window_start, dimension, value FROM metrics WHERE model = {quoted(IMG)} ORDER BY 1, 2"
    page.fill("#sql", sql)
    page.locator("#sql").press("Control+Enter")
    wait_shown(page, "6 rows")
    page.reload()
    wait_shown(page, "6 rows")
    assert page.locator("#sql").input_value() == sql
    assert page.locator("#legend .legend-name").all_inner_texts() == [f"class={IMG}", "class==1+1"]
    assert page.locator("#grid td", has_text=IMG).count() == 3
    page.fill("#sql", "SELECT '=1+1' AS \"@a\", * FROM range(20000)")
    page.click("#run")
    wait_shown(page, "First 10,000 rows of more")
    assert page.locator("#grid tbody tr").count() < 100
    page.locator("#grid").evaluate("(grid) => grid.scrollTo(0, grid.scrollHeight)")
    wait_for(page, "[...document.querySelectorAll('#grid tr')].some((row) => row.textContent.endsWith('9,999'))")
    found = rows_of(page)
    assert found[:2] == [["'@a", "range"], ["'=1+1", "0"]]
    assert len(found) == 20_001
    page.fill("#sql", f"SELECT {quoted(IMG)} FROM nothing")
    page.click("#run")
    page.locator("#error").wait_for()
    assert page.locator("#error").inner_text() == "there is no table nothing - the views are: metrics"
    page.fill("#sql", f"SELECT {quoted(IMG)}::INT")
    page.click("#run")
    page.locator("#error", has_text=IMG).wait_for()
    assert page.locator("main img").count() == 0
    page.click("#rebuild")
    wait_shown(page)
    assert "sql=" not in page.url
    for example in page.locator("#example option").all_inner_texts()[1:]:
        page.select_option("#example", label=example)
        wait_for(page, "/^[\\d,]+ rows? in/.test(document.getElementById('status').textContent)")
    assert "sql=" in page.url


def test_sql_of_a_link_runs_when_somebody_has_seen_it(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open(page="explore", sql="SELECT 42 AS n")
    wait_shown(page, "Not run yet")
    assert page.locator("#sql").input_value() == "SELECT 42 AS n"
    assert "came with a link" in page.locator("#sql-note").inner_text()
    assert page.locator("#grid td").count() == 0
    page.click("#run")
    wait_shown(page, "1 row in")
    assert page.locator("#grid td").all_inner_texts() == ["42"]
    wait_shown(visitor.open(page="explore", sql="SELECT 42 AS n"), "1 row in")  # an address that is kept
    wait_shown(visitor.open(page="explore", sql="SELECT 43 AS n"), "Not run yet")


def test_the_sql_is_copied_also_where_a_page_may_not_write_to_the_clipboard(visit: Visit) -> None:
    visitor = visit()
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = visitor.open(page="explore", model="churn")
    for sql in (page.locator("#sql").input_value(), "SELECT 'by hand'"):
        page.fill("#sql", sql)
        page.click("#copy")
        page.locator("#copy", has_text="Copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == sql
        page.evaluate("void (navigator.clipboard.writeText = () => Promise.reject())")  # as by http
        page.locator("#copy", has_text="Copy").wait_for()


def test_the_band_of_a_chart_ends_where_there_is_no_interval(visit: Visit) -> None:
    page = visit().open(page="explore", model="churn")
    page.fill(
        "#sql",
        """
        SELECT TIMESTAMPTZ '2026-01-05 00:00+00' + to_hours(range::INT) AS window_start, 5 AS value,
            CASE WHEN range NOT IN (3, 5) THEN 4 END AS low, CASE WHEN range <> 3 THEN 6 END AS high FROM range(8)""",
    )
    page.click("#run")
    wait_shown(page, "8 rows in")
    [areas] = page.locator("#plot .band-0").all()
    # Hours 0 to 2, hour 4 by itself, hours 6 and 7.
    assert [len(re.findall("[MLVh]", each)) for each in (areas.get_attribute("d") or "").split("Z")[:-1]] == [6, 4, 4]
    assert (page.locator("#plot path.line-0").get_attribute("d") or "").count("M") == 1


def test_odd_names_and_values_hold_up_neither_the_builder_nor_the_browser(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open(page="explore", model=IMG, metric="f1_score", dimension="*", layout="dimension")
    wait_shown(page, "3 rows in")
    assert page.locator("#grid th button span:first-child").all_inner_texts()[1:] == [f"class={IMG}", "class==1+1"]
    page = visitor.open(page="explore", model=IMG, metric="f1_score", dimension=f"class={IMG}")
    wait_shown(page, "3 rows in")
    assert page.locator("#dimension option:checked").inner_text() == f"class={IMG}"

    def run(sql: str, says: str) -> None:
        page.fill("#sql", sql)
        page.click("#run")
        wait_shown(page, says)

    run("SELECT 9223372036854775807 AS big, repeat('x', 2000000) AS long", "1 row in")
    big, long = page.locator("#grid td").all()
    assert big.inner_text() == "9,223,372,036,854,775,807"
    assert len(long.inner_text()) == 301
    run("PIVOT (FROM range(500)) ON range USING count(*)", "The first 200 of 500 columns")
    assert page.locator("#grid th").count() == 200
    # Numbers that are next to each other, and times that are far from each other.
    value = "CASE WHEN range = 0 THEN 9007199254740994 ELSE 9007199254740998 END"
    run(f"SELECT make_timestamp(range::INT * 9000 + 500, 1, 1, 0, 0, 0) AS at, {value} AS value FROM range(2)", "2 rows in")
    assert 0 < page.locator("#plot text.tick-x").count() <= 12
    assert page.locator("#plot text.tick-y").count() < 20


def test_queries_wait_for_others_end_when_cancelled_and_keep_nobody_waiting(visit: Visit, server: Server) -> None:
    visitor = visit()
    fleet = visitor.open()
    before = len(server.slow_callbacks())
    *busy, third = [visitor.open(page="explore", sql=sql) for sql in (FOREVER, FOREVER, "SELECT 7 AS seven")]
    for page in busy:
        page.click("#run")
        wait_shown(page, "Running")
    third.click("#run")
    wait_shown(third, "Waiting for 1 other query")
    fleet.reload()
    fleet.wait_for_selector("html[data-ready=yes]", state="attached")
    busy[0].click("#cancel")
    wait_shown(busy[0], "Cancelled")
    wait_shown(third, "1 row in")
    busy[1].close()
    assert server.process is not None
    dashboard = psutil.Process(server.process.pid)
    wait_until(lambda: len(dashboard.children()) <= 1, "only the process that waits for the next query is left")
    slow = server.slow_callbacks()[before:]
    assert max((cpu for _, cpu in slow), default=0.0) < 50 * slowness()


def test_no_other_site_can_have_a_query_run(visit: Visit, server: Server) -> None:
    page = visit().open(page="explore", sql="SELECT 1")
    page.click("#run")
    wait_shown(page)
    address = urljoin(page.url, page.locator("#csv").get_attribute("href"))
    assert requests.get(address, timeout=60).content == b"1\n1\n"
    assert requests.get(address.replace("key=", "key=a"), timeout=60).status_code == 403
    assert requests.get(f"{server.url}query?sql=SELECT+1", timeout=60).status_code == 403
    for site in ("cross-site", "same-site"):
        assert requests.get(address, headers={"Sec-Fetch-Site": site}, timeout=60).status_code == 403
    assert requests.get(address, headers={"Host": "elsewhere.example"}, timeout=60).status_code == 421
    refused = requests.get(address.replace("SELECT+1", "COPY+metrics+TO+'a'"), timeout=60)
    assert (refused.status_code, refused.text) == (400, "COPY is not a statement that reads - write a SELECT")


def test_it_has_no_barriers_and_fits_a_phone(visit: Visit) -> None:
    page = visit(color_scheme="dark").open(page="explore", model="churn", version="")
    wait_shown(page)
    assert barriers(page) == []
    for width in (PHONE_WIDTH, 320):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
