"""What a model's charts draw: the fan of percentiles, requests with their errors, latencies over time, and small multiples."""

from __future__ import annotations

import re
import time
from dataclasses import replace

import pytest
from playwright.sync_api import Page

from benchmarks.dashboard.sample import CHURN, DIGITS, history, write_lake
from dashboard.pages.breakdowns import intervals_of
from tests.dashboard.browsing import IN_PAGE, barriers, column, drawn, wait_for, wait_ready
from tests.dashboard.conftest import Visit
from tests.dashboard.serving import Server
from tests.waiting import wait_until


@pytest.fixture(scope="module", autouse=True)
def data(server: Server) -> None:
    now = int(time.time() * 1000)
    versions = replace(DIGITS, versions=tuple(f"v{number}" for number in range(6)), segments=())
    write_lake(server.home, [*history([CHURN], now, all_scopes=False), *history([versions], now)], offset=0)
    server.start()


def known(page: Page, source: str, name: str) -> list[float]:
    """Return a column of a source without what is missing."""
    return [value for value in column(page, source, name) if value is not None]


AREAS = """() => tower.plots.get_model_by_name("latency").renderers.map(({ glyph }) => glyph)
    .filter(({ type }) => type === "VArea").map(({ y1, y2, fill_alpha }) => [y1.field, y2.field, fill_alpha.value ?? fill_alpha])"""
GAP = """
    const its = { spec: { fan: true }, keys: ["p50", "p90"], bands: [] }, of = Object.assign(Object.create(module.Drawn.prototype), its);
    const data = of.finished({ t: [0, 10, 20, 30, 40], open: [0, 0, 0, 0, 1], p50: [1, 2, NaN, 3, 4], p90: [5, 6, NaN, 7, 8] });
    return [data.t, data.p90_final.map((each) => each || null), data.p50_edge, data.p90_edge];
"""


def test_latency_is_a_fan_of_percentiles_and_throughput_shows_its_errors(visit: Visit) -> None:
    page = visit().open(model="churn", range="3h")
    assert page.evaluate(AREAS) == [["p50_edge", "p90_edge", 0.42], ["p90_edge", "p95_edge", 0.28], ["p95_edge", "p99_edge", 0.16]]
    fan = [drawn(page, "latency", f"p{percent}") for percent in (50, 90, 95, 99)]
    for percent, shown in zip((50, 90, 95, 99), fan, strict=True):
        assert shown[1:] == known(page, "minute", f"p{percent}")[1 - len(shown) :]
        assert drawn(page, "latency", f"p{percent}_edge") == shown
    assert len(fan[0]) > 170
    assert all(p50 < p90 < p95 < p99 for p50, p90, p95, p99 in zip(*fan, strict=True))
    legend = page.locator("#card-latency .legend-entry:visible").all_inner_texts()
    assert [entry.split()[0] for entry in legend] == ["p50", "p90", "p95", "p99"]
    assert [float(entry.split()[1]) for entry in legend] == pytest.approx([shown[-1] for shown in fan], abs=0.51)
    assert all(entry.endswith("ms") for entry in legend)
    # Where nothing was measured the area has no height; what is provisional is not drawn as final.
    times, final, low, high = page.evaluate(IN_PAGE, ["drawn.js", GAP, None])
    assert times == [0, 10, 20, 29, 30, 40]
    assert final == [5, 6, None, None, 7, None]
    assert [upper - lower for lower, upper in zip(low, high, strict=True)] == [4, 4, 0, 0, 4, 4]
    rate, failed = drawn(page, "throughput", "rate"), drawn(page, "throughput", "failed")
    minutes = list(zip(known(page, "minute", "rate"), known(page, "minute", "errors"), strict=True))[1 - len(rate) :]
    assert rate[1:] == [each for each, _ in minutes]
    assert failed[1:] == pytest.approx([each * share for each, share in minutes])
    assert 0 < max(failed) < max(rate) / 20
    legend = page.locator("#card-throughput .legend-entry:visible").all_inner_texts()
    assert [entry.split()[0] for entry in legend] == ["Predictions", "with"]
    assert all(entry.endswith("/s") for entry in legend)


def test_latencies_over_time_are_a_heatmap_whose_cells_tell_share_and_count(visit: Visit) -> None:
    page = visit().open(model="churn", range="7d")
    names: dict[str, str] = page.evaluate("JSON.parse(tower.live.get_model_by_name('state').lasting).names")
    rows = [names[key] for key in names if re.fullmatch(r"latency_\d+", key)]
    assert rows[-3:] == ["(5,10]", "(2,5]", "(1,2]"]
    counts = [column(page, "hour", f"latency_{place}") for place in range(len(rows))]
    total = [sum(each or 0 for each in hour) for hour in zip(*counts, strict=True)]
    for place, of_interval in enumerate(counts):
        shares = [(each or 0) / all_of_hour for each, all_of_hour in zip(of_interval, total, strict=True)]
        shown = drawn(page, "latencies", f"latency_{place}")
        assert shown == pytest.approx(shares[-len(shown) :])
    fan, heat = (page.locator(f"#plot-{name}").bounding_box() for name in ("latency", "latencies"))
    assert fan is not None
    assert heat is not None
    assert (heat["x"], heat["width"]) == (fan["x"], fan["width"])
    assert heat["y"] > fan["y"] + fan["height"]
    texts = page.evaluate("tower.plots.get_model_by_name('latencies').left[0].formatter.args.texts ?? null")
    assert texts[-3:] == ["5\u202fms", "2\u202fms", "1\u202fms"]
    colors = page.evaluate(IN_PAGE, ["heat.js", "return module.shades('latencies', [0, 0.004, 0.3, NaN])", None])
    assert len(set(colors)) == 4
    assert colors[3] == "transparent"
    page.locator("#card-latencies").scroll_into_view_if_needed()
    heat = page.locator("#plot-latencies").bounding_box()
    assert heat is not None
    place = rows.index("(20,50]")
    page.mouse.move(heat["x"] + 0.6 * heat["width"], heat["y"] + 6 + (place + 0.5) * (190 - 32) / len(rows))
    read = page.locator("#card-latencies .heat-read")
    wait_until(lambda: read.inner_text() != "", "the cell is told")
    told = re.fullmatch(r"20\u202fms to 50\u202fms: ([\d.]+)\u202f% \(([\d,]+) of ([\d,]+)\)", read.inner_text())
    assert told is not None, read.inner_text()
    share, count, everything = (float(each.replace(",", "")) for each in told.groups())
    assert everything in total
    assert counts[place][total.index(everything)] == count
    assert share == pytest.approx(100 * count / everything, abs=0.06)


def test_the_rows_of_the_heatmap_are_all_intervals_between_the_slowest_and_the_fastest() -> None:
    assert intervals_of([("", "latency_p99_ms")]) == []
    seen = [("response_time_ms=(2,5]", "latency_histogram"), ("response_time_ms=(20,50]", "latency_histogram"), ("x", "latency_histogram")]
    assert intervals_of(seen) == ["(20,50]", "(10,20]", "(5,10]", "(2,5]"]


SCALES = """() => [...document.querySelectorAll(".multiples .chart:not([hidden])")].map((card) => {
    const plot = tower.plots.get_model_by_name(card.id.slice(5));
    return [plot.y_range.id, plot.y_range.start, plot.y_range.end];
})"""


def test_what_is_compared_can_be_small_charts_on_one_scale_which_the_address_restores(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open(model="digits", range="7d", overlay="versions", metric="latency_p99_ms")
    page.locator("#card-overlay").wait_for()
    page.locator("#layout").select_option("multiples")
    page.locator("#card-overlay").wait_for(state="hidden")
    assert "multiples=1" in page.url
    restored = visitor.context.new_page()
    restored.on("console", visitor.note)
    restored.goto(page.url)
    wait_ready(restored)
    for each in (page, restored):
        wait_for(each, "document.querySelectorAll('.multiples .chart:not([hidden]) .empty[hidden]').length === 6")
        wait_for(each, "tower.plots.get_model_by_name('multiple_7') && tower.plots.is_idle")
        # All six: one chart has room for four.
        titles = each.locator(".multiples .chart:visible .chart-title").all_inner_texts()
        assert sorted(titles) == [f"v{number}" for number in range(6)]
        assert titles[0] == "v1"
        assert each.locator("#multiples-title").inner_text() == "Latency p99, each hour, by version"
        scales = each.evaluate(SCALES)
        assert len({tuple(scale) for scale in scales}) == 1
        values = [value for place in range(6) for value in drawn(each, f"multiple_{place}", f"overlay_{place}")]
        assert len(values) > 6 * 160
        assert scales[0][1] < min(values) < max(values) < scales[0][2]
    assert barriers(restored) == []
    restored.locator("#metric").select_option("f1_score")
    wait_for(restored, "document.querySelector('#multiples-title').textContent === 'F1, each hour, by version'")
    wait_until(lambda: restored.evaluate(SCALES)[0][2] <= 1.1, "the scale is that of the other number")
    restored.locator("#layout").select_option("")
    restored.locator("#card-overlay").wait_for()
    assert restored.locator("#multiples").is_hidden()
