"""The Compare page in a browser: its numbers are those of the lake, its verdicts follow, and the address restores it."""

from __future__ import annotations

import time

import duckdb
import pytest
from playwright.sync_api import Page

from benchmarks.dashboard.sample import write_lake
from dashboard.scope import Scope
from schemas.lake import metrics_view_sql
from schemas.metrics import MetricRow, MetricsMessage
from tests.dashboard.browsing import PHONE_WIDTH, barriers, wait_for
from tests.dashboard.conftest import Visit
from tests.dashboard.messages import DAY_MS, HOUR_MS, MINUTE_MS, message, row
from tests.dashboard.serving import Server
from tests.waiting import wait_until

IMG = "<img src=x onerror=alert(1)>"


def rows(errors: int, hour: int) -> list[MetricRow]:
    """An hour of 400 predictions, so many of them failed."""
    return [
        row("prediction_volume", 400.0, 400),
        row("error_rate", errors / 400, 400, low=max(0.0, errors / 400 - 0.01), high=errors / 400 + 0.01),
        row("latency_p99_ms", 80.0 + hour % 3, 400, low=70.0, high=95.0),
        row("input_null_percentage", 1.5, 400, dimension=f"feature={IMG}", low=0.9, high=2.1),
        row("revenue", 12.5, 4),
        row("conversion_rate_uplift_relative", -1.0 if errors == 4 else 0.25, 80, dimension="variant=b"),
    ]


def lake(now: int, errors: int) -> list[MetricsMessage]:
    """Two days of hours of two versions, the second of which fails more often, and their last seven days."""
    hour = now // HOUR_MS * HOUR_MS
    found = [message("1h", hour - HOUR_MS, *rows(8, 0), scope=Scope("no-segments"))]
    scopes = {
        Scope("churn"): 8,
        Scope("churn", "v1"): 4,
        Scope("churn", IMG): errors,
        Scope("churn", "*", "region=eu"): 4,
        Scope("churn", "*", "region=us"): 40,
        Scope("churn", "*", "plan=free"): 8,
    }
    for scope, failed in scopes.items():
        found += [message("1h", hour - back * HOUR_MS, *rows(failed, back), scope=scope) for back in range(1, 49)]
        found.append(message("7d", hour - 7 * DAY_MS, *rows(failed, 0), scope=scope))
        found.append(message("1m", now // MINUTE_MS * MINUTE_MS, *rows(failed, 0), scope=scope))
    return found


@pytest.fixture(scope="module", autouse=True)
def data(server: Server) -> None:
    write_lake(server.home, lake(int(time.time() * 1000), 24), offset=0)
    server.hold.touch()
    server.start(wait_live=False)


@pytest.fixture
def loaded(server: Server) -> None:
    server.hold.unlink(missing_ok=True)
    wait_until(lambda: server.health().history_loaded, "the dashboard has its data")


def wait_compared(page: Page) -> None:
    wait_for(page, "document.documentElement.dataset.loading === 'no' && !document.getElementById('compared').hidden")


def line(page: Page, metric: str, dimension: str = "") -> list[str]:
    """Return the texts of a metric's line; what stands beneath each other is separated by a space."""
    found = page.locator("tbody tr").filter(has=page.get_by_role("rowheader", name=f"{metric}{dimension}", exact=True))
    return [" ".join(text.split()) for text in found.locator("td").all_inner_texts()]


def test_a_page_that_was_opened_before_there_was_anything_compares_as_soon_as_there_is(visit: Visit, server: Server) -> None:
    page = visit().open(page="compare", by="range", ready=False)
    page.wait_for_selector("html[data-ready=yes]", state="attached")
    assert page.locator("#model option").count() == 0
    server.hold.unlink()
    wait_compared(page)
    assert page.locator("#model").input_value() == "churn"


@pytest.mark.usefixtures("loaded")
def test_two_versions_side_by_side_with_what_is_beyond_noise_and_names_as_text(visit: Visit, server: Server) -> None:
    visitor = visit()
    page = visitor.open(page="compare", model="churn", a="v1", b=IMG)
    wait_compared(page)
    a, b, difference, interval, verdict = line(page, "Error rate")
    assert (a, b) == ("1.0 % 0.0 % to 2.0 % n = 400", "6.0 % 5.0 % to 7.0 % n = 400")
    # 0.01 and 0.06, both +- 0.01: the difference is 5 points +- 1.41.
    assert difference == "+5.0 pp"
    assert interval == "+3.6 pp to +6.4 pp"
    assert verdict == "Beyond noise B worse"
    assert line(page, "Latency p99")[4] == "Within noise"
    assert line(page, "Revenue")[4] == "No interval"
    assert line(page, "Conversion uplift, relative", " variant b")[2] == "+125.0 pp"
    assert page.locator("#beyond li").all_inner_texts() != []
    assert page.locator("#beyond-title").inner_text() == "1 difference is beyond noise"
    assert page.locator("#data_quality tbody th").inner_text().splitlines() == ["Null inputs", f"feature {IMG}"]
    assert page.locator("main img").count() == 0
    over_time = page.get_by_role("link", name="Error rate").get_attribute("href") or ""
    assert over_time == "?page=explore&model=churn&metric=error_rate&range=7d&version=&segment=*&dimension="
    page.click("#swap")
    wait_for(page, "document.querySelector('#operational tbody tr td:nth-child(4)').textContent.startsWith('\u2212')")
    assert line(page, "Error rate")[4] == "Beyond noise B better"
    page.reload()
    wait_compared(page)
    assert page.locator("#a").input_value() == IMG
    assert line(page, "Error rate")[2] == "\u22125.0 pp"
    write_lake(server.home, lake(int(time.time() * 1000), 44), offset=0)
    wait_for(page, "document.querySelector('#operational tbody tr td:nth-child(4)').textContent === '\u221210.0\u202fpp'")


@pytest.mark.usefixtures("loaded")
def test_two_segments_side_by_side(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open(page="compare", model="churn", by="segment", a="region=us")
    wait_compared(page)
    assert page.locator("#b").input_value() == "region=eu"  # the other one of its kind
    a, b, difference, interval, verdict = line(page, "Error rate")
    assert (a, b) == ("10.0 % 9.0 % to 11.0 % n = 400", "1.0 % 0.0 % to 2.0 % n = 400")
    assert (difference, interval, verdict) == ("\u22129.0 pp", "\u221210.4 pp to \u22127.6 pp", "Beyond noise B better")
    assert line(page, "Latency p99")[0] == "80.0 ms 70.0 ms to 95.0 ms n = 400"
    assert "all versions, region=us, " in page.locator("#sides").inner_text()
    page.select_option("#a", "region=eu")
    page.select_option("#b", "plan=free")
    wait_for(page, "document.querySelector('#operational tbody tr td:nth-child(4)').textContent.startsWith('+1.0')")
    again = visitor.context.new_page()
    again.goto(page.url)
    wait_compared(again)
    assert line(again, "Error rate")[2:] == line(page, "Error rate")[2:]
    over_time = again.get_by_role("link", name="Error rate").get_attribute("href") or ""
    assert "version=*&segment=&" in over_time


@pytest.mark.usefixtures("loaded")
def test_ranges_of_several_windows_have_pooled_counts_and_no_quantiles(visit: Visit, server: Server) -> None:
    now = int(time.time() * 1000)
    hour = now // HOUR_MS * HOUR_MS
    texts = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime((hour - back * HOUR_MS) / 1000)) for back in (40, 35, 12, 2)]
    page = visit(timezone_id="Asia/Tokyo").open(
        page="compare", model="churn", by="range", range="custom", start=texts[0], end=texts[1], start_b=texts[2], end_b=texts[3]
    )
    wait_compared(page)
    connection = duckdb.connect(":memory:")
    count = f"""SELECT sum(value)::BIGINT FROM ({metrics_view_sql(server.home)})
        WHERE model = 'churn' AND model_version = '*' AND segment = '*' AND "window" = '1h'
            AND metric = 'prediction_volume' AND window_start >= ? AND window_start < ?"""
    volumes = [connection.execute(count, texts[at : at + 2]).fetchall()[0][0] for at in (0, 2)]
    assert volumes == [5 * 400, 10 * 400]
    assert [text.split()[0] for text in line(page, "Predictions")[:2]] == [f"{volume:,}" for volume in volumes]
    assert line(page, "Error rate")[0].endswith("n = 2,000")
    assert line(page, "Revenue")[:2] == ["62.5 n = 20", "125 n = 40"]
    assert line(page, "Latency p99") == []
    assert "Latency p99. Choose a whole hour" in page.locator("#notes").inner_text()
    page.select_option("#range", "7d")
    wait_compared(page)
    assert "start=" not in page.url


@pytest.mark.usefixtures("loaded")
def test_it_has_no_barriers_fits_a_phone_and_says_when_there_is_nothing(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open(page="compare", model="churn", a="v1", b=IMG)
    wait_compared(page)
    assert barriers(page) == []
    for width in (PHONE_WIDTH, 320):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    empty = visitor.open(page="compare", model="no-segments", by="segment")
    wait_for(empty, "document.getElementById('waiting').textContent === 'No segment of this model has been seen yet.'")
