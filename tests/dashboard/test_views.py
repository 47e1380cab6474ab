"""What a viewer does with a page: the range, the pause, the search; and that the address holds it all."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
import requests
from PIL import Image
from playwright.sync_api import Page

from benchmarks.dashboard.sample import CHURN, DIABETES, DIGITS, history, publish, write_lake
from tests.dashboard.browsing import IN_PAGE, PHONE_WIDTH, barriers, column, drawn, is_drawn, wait_for, wait_ready
from tests.dashboard.conftest import Visit
from tests.dashboard.messages import HOUR_MS, MINUTE_MS, WHOLE, message, row
from tests.dashboard.serving import Server
from tests.waiting import wait_until


@pytest.fixture(scope="module", autouse=True)
def data(server: Server) -> None:
    now = int(time.time() * 1000)
    versions = replace(DIGITS, versions=("a0", "v1"), segments=("region=eu",))
    write_lake(server.home, [*history([CHURN, DIABETES], now, all_scopes=False), *history([versions], now)], offset=0)
    server.start()


def latency(server: Server, value: float) -> None:
    """Publish the newest minute of `churn` with this latency."""
    now = int(time.time() * 1000)
    rows = [row("latency_p99_ms", value, 500), row("prediction_volume", 500, 500)]
    publish(server.kafka, [message("1m", now // MINUTE_MS * MINUTE_MS, *rows, scope=WHOLE, revision=now, updated_at=now, final=False)])


AXIS = """() => {
    const { start, end } = tower.plots.get_model_by_name("time");
    return [start, end];
}"""
LAST = """(document) => {
    const data = [tower.live, tower.plots][document].get_model_by_name(["minute", "latency-drawn"][document]).data;
    return (data instanceof Map ? data.get("p99") : data.p99).at(-1);
}"""
"""The newest value of the live document, 0, or of what is drawn, 1."""


def names(page: Page) -> list[str]:
    """The models of the fleet's page that are to be seen, from the top."""
    return page.locator(".model-row:visible h2").all_inner_texts()


def test_the_range_is_picked_in_the_address_and_decides_how_fine_charts_are(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open(model="churn")
    start, end = page.evaluate(AXIS)
    assert 24 <= (end - start) / HOUR_MS <= 25
    assert ", by minute" in page.locator("#card-latency .when").inner_text()
    page.locator("#range").select_option("7d")
    start, end = page.evaluate(AXIS)
    assert 168 <= (end - start) / HOUR_MS <= 169
    assert page.locator("#card-latency .when").inner_text().startswith("7 days, by hour, ")
    assert page.locator("#card-latency .legend-value").first.inner_text().endswith("ms")
    assert "range=7d" in page.url
    again = visitor.open(model="churn", range="3h")
    start, end = again.evaluate(AXIS)
    assert 3 <= (end - start) / HOUR_MS <= 3.1
    assert again.locator("#range").input_value() == "3h"
    # A range or theme that this page does not have: what is in force is picked.
    odd = visitor.open(model="churn", range="30d", theme="blue")
    assert (odd.locator("#range").input_value(), odd.locator("#theme").input_value()) == ("24h", "auto")


def test_a_stretch_that_is_dragged_or_typed_stays_until_one_goes_back_to_live(visit: Visit) -> None:
    visitor = visit(timezone_id="UTC")
    page = visitor.open(model="churn")
    page.locator("#card-latency").scroll_into_view_if_needed()
    box = page.locator("#plot-latency").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 80, steps=4)
    page.mouse.up()
    wait_for(page, "location.search.includes('from=')")
    start, end = page.evaluate(AXIS)
    assert 5 <= (end - start) / HOUR_MS <= 10
    restored = visitor.context.new_page()
    restored.goto(page.url)
    wait_ready(restored)
    assert max(abs(one - other) for one, other in zip(restored.evaluate(AXIS), (start, end), strict=True)) <= 1_000
    restored.locator("#from").fill("2026-01-05T10:00")
    restored.locator("#to").fill("2026-01-05T12:30")
    restored.locator("#to").dispatch_event("change")
    wait_for(restored, "location.search.includes('2026-01-05T12%3A30')")
    assert (restored.evaluate(AXIS)[1] - restored.evaluate(AXIS)[0]) / HOUR_MS == pytest.approx(2.5)
    assert restored.locator("#card-latency .empty").inner_text() == "Nothing in this range."
    restored.get_by_role("button", name="Back to live").click()
    assert "from=" not in restored.url
    assert restored.locator("#live").is_hidden()


def test_a_view_that_is_frozen_stays_as_it_was_while_data_goes_on_collecting(visit: Visit, server: Server) -> None:
    page = visit().open(model="churn")
    latency(server, 501)
    wait_until(lambda: page.evaluate(LAST, 1) == 501, "the chart has the new value")
    page.keyboard.press("p")
    assert page.locator("#pause").get_attribute("aria-pressed") == "true"
    latency(server, 777)
    wait_until(lambda: page.evaluate(LAST, 0) == 777, "the page has the new value")
    assert page.evaluate(LAST, 1) == 501
    assert "paused=" in page.url
    page.keyboard.press("l")
    assert page.evaluate(LAST, 1) == 777
    assert is_drawn(page, "minute")


def test_the_fleet_is_searched_and_sorted_and_the_address_says_so(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open(sort="name")
    assert names(page) == ["churn", "diabetes-progression", "digits"]
    page.keyboard.press("/")
    page.keyboard.type("di")
    assert names(page) == ["diabetes-progression", "digits"]
    assert page.locator("#found").inner_text().startswith("2 of ")
    again = visitor.context.new_page()
    again.goto(page.url)
    wait_ready(again)
    assert names(again) == ["diabetes-progression", "digits"]
    assert again.locator("#sort").input_value() == "name"


def test_a_chart_is_saved_as_a_picture_with_its_title_and_shown_on_the_whole_screen(visit: Visit, tmp_path: Path) -> None:
    page = visit().open(model="churn", range="7d")
    page.locator("#card-f1").hover()
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save as a picture: F1 score, rolling 7 days").click()
    assert saving.value.suggested_filename.startswith("churn-f1-2")
    saving.value.save_as(tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.width >= 400
        assert picture.height >= 190 + 64
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 10
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save as SVG, for print: F1 score, rolling 7 days").click()
    assert saving.value.suggested_filename.endswith(".svg")
    saving.value.save_as(tmp_path / "picture.svg")
    root = ElementTree.parse(tmp_path / "picture.svg").getroot()
    tags, texts = [each.tag.rpartition("}")[2] for each in root.iter()], {each.text for each in root.iter()}
    assert {"F1 score, rolling 7 days", "F1"} <= texts
    assert any(text and text.startswith("churn \u00b7 7 days, by hour") for text in texts)
    assert tags.count("path") > 5
    assert not {"image", "script", "foreignObject"} & set(tags)
    page.get_by_role("button", name="Show on the whole screen: F1 score, rolling 7 days").click()
    wait_for(page, "document.fullscreenElement?.id === 'card-f1' && document.querySelector('#plot-f1').offsetHeight > 500")
    page.evaluate("document.exitFullscreen()")
    wait_for(page, "document.querySelector('#plot-f1').offsetHeight < 200")


def test_a_chart_has_fewer_points_than_pixels_and_yet_every_peak(visit: Visit) -> None:
    page = visit().open(model="churn")
    code = """
        const columns = { t: [], open: [], p99: [] };
        for (let at = 0; at < 1440; at++) columns.t.push(at * 60e3), columns.open.push(0), columns.p99.push((at * 7919) % 1009);
        return [0, 1, 2, 3].map((later) => {
            const range = { start: later * 60e3, end: (1440 + later) * 60e3 };
            const { rows } = module.thinned(module.within(columns, range.start, range.end), ["p99"], [], range, 500);
            return rows.t.map((time, row) => [time, rows.p99[row]]);
        });
    """
    first, *later = page.evaluate(IN_PAGE, ["drawn.js", code, None])
    for rows in (first, *later):
        assert len(rows) <= 500
        assert {0, 1008} <= {value for _, value in rows}
        assert rows[4:-4] in [first[start : start + len(rows) - 8] for start in range(20)]  # what is drawn stays while the range moves on
    width = page.locator("#plot-latency").evaluate("(plot) => plot.clientWidth")
    minutes = [value for value in column(page, "minute", "p99") if value is not None]
    assert len(minutes) > width > len(drawn(page, "latency", "p99")) > width / 3
    assert {min(minutes[20:]), max(minutes[20:])} <= set(drawn(page, "latency", "p99")) | {min(minutes), max(minutes)}
    page.locator("#range").select_option("3h")
    assert drawn(page, "latency", "p99")[1:] == minutes[-len(drawn(page, "latency", "p99")) + 1 :]


def test_minutes_with_few_events_are_drawn_by_hour(visit: Visit) -> None:
    page = visit().open(model="churn")
    code = """
        const [few, steady] = given, minute = { t: [], n: [], open: [], p99: [] }, hour = { t: [], open: [], p99: [] };
        for (let at = 0; at < 180; at++) {
            minute.t.push(at * 60e3 + 30e3), minute.n.push(at < few ? 5 : 50), minute.open.push(0), minute.p99.push(at);
        }
        for (let at = 0; at < 3; at++) hour.t.push(at * 3600e3 + 1800e3), hour.open.push(0), hour.p99.push(1000 + at);
        return module.chosen(minute, hour, steady).p99;
    """
    for few, steady, hours, first in ((0, False, 0, 0), (60, False, 1, 60), (150, False, 2, 150), (150, True, 0, 0), (181, False, 3, 180)):
        found = page.evaluate(IN_PAGE, ["drawn.js", code, [few, steady]])
        assert found == [1000.0 + hour for hour in range(hours)] + list(range(first, 180))


def test_the_limits_of_the_rules_are_lines_or_words_in_the_charts(visit: Visit) -> None:
    page = visit().open(model="churn", range="7d")
    facts = page.evaluate("JSON.parse(tower.live.get_model_by_name('state').lasting).limits")
    [limits] = [each["limits"] for each in facts if each["metric"] == "latency_p99_ms"]
    assert limits["critical"] == pytest.approx(2 * limits["warning"])
    attributes = "(name) => tower.plots.get_model_by_name(name).attributes"
    line, *texts = (page.evaluate(attributes, f"latency-{part}") for part in ("warning", "warning-text", "critical-text"))
    assert (line["visible"], line["location"]) == (True, limits["warning"])
    told = " ".join(text["text"] for text in texts if text["visible"])
    for level in ("warning", "critical"):
        assert re.search(f"{level} (above )?{limits[level]:.0f}\u202fms", told)


def test_keys_go_to_pages_and_a_list_tells_them_and_a_kiosk_needs_nothing_but_its_address(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open(model="churn", range="3h")
    page.keyboard.press("?")
    told = page.get_by_role("dialog", name="Keyboard shortcuts")
    assert {"Go to Health", "Pause the view, and go on", "This list"} <= set(told.locator("dd").all_inner_texts())
    assert barriers(page) == []
    page.get_by_label("Use keyboard shortcuts").uncheck()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("p")
    assert page.locator("#pause").get_attribute("aria-pressed") == "false"
    page.keyboard.press("?")
    page.get_by_label("Use keyboard shortcuts").check()
    page.keyboard.press("Escape")
    # Both at once: a machine that is busy would take too long between them.
    page.evaluate("for (const key of 'gh') document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }))")
    page.wait_for_selector("html[data-ready=yes][data-page=health]", state="attached")
    page.locator("#theme").select_option("dark")
    page.keyboard.press("Tab")
    page.keyboard.press("k")
    assert page.url.endswith("?page=health&theme=dark&kiosk")
    page.evaluate("localStorage.clear()")
    again = visitor.context.new_page()
    again.goto(page.url)
    wait_ready(again)
    assert again.evaluate("document.documentElement.dataset.theme") == "dark"
    assert again.locator("a:visible, button:visible, select:visible, input:visible").all_inner_texts() == ["Control Tower"]
    again.keyboard.press("k")
    assert again.url.endswith("?page=health&theme=dark")
    assert again.get_by_role("link", name="Fleet").is_visible()
    phone = visit(viewport={"width": PHONE_WIDTH, "height": 844}).open(model="churn", range="3h")
    # The header takes two lines.
    assert phone.locator(".top").evaluate("(top) => top.offsetHeight") <= 100
    text = "tower.plots.get_model_by_name('latency').left[0].major_label_text_font_size"
    assert phone.evaluate(text) == "12px"
    phone.keyboard.press("k")
    assert phone.evaluate(text) == "20px"  # read from three metres
    phone.keyboard.press("k")
    phone.get_by_role("button", name="Settings").click()
    phone.get_by_label("Time zone").select_option("UTC")


ANNOTATED = """(text) => {
    const { start, end } = tower.plots.get_model_by_name("annotations").data;
    return [...document.querySelectorAll("#annotations .annotation-text")].some((cell) => cell.textContent === text) && end[0] - start[0];
}"""
"""How long the newest annotation is on the charts of a page whose list shows the text."""


def test_what_happened_is_marked_on_all_charts_of_all_who_look(visit: Visit, server: Server) -> None:
    visitor, text = visit(timezone_id="UTC"), "<img src=x onerror=alert(1)> rolled out"
    page, other = visitor.open(model="churn", range="3h"), visitor.open(model="churn", range="3h")
    digits = visitor.open(model="digits")
    page.bring_to_front()
    page.keyboard.press("a")
    assert barriers(page) == []
    page.keyboard.type(text)
    minute = int(time.time()) // 60 * 60_000
    page.locator("#annotate-from").fill(written(minute - 60 * MINUTE_MS))
    page.locator("#annotate-to").fill(written(minute - 30 * MINUTE_MS))
    page.keyboard.press("Enter")
    for each in (page, other):
        wait_until(lambda each=each: each.evaluate(ANNOTATED, text) == 30 * MINUTE_MS, "it is on the charts")  # type: ignore[misc]
    page.locator("#card-latency").scroll_into_view_if_needed()
    box = page.locator("#plot-latency").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 60)
    page.locator("#card-latency .tip .tip-text").filter(has_text=text).wait_for()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 60)
    page.locator("#card-latency .tip").wait_for(state="hidden")
    # A service tells of a deployment of all models.
    deployed = {"kind": "deployment", "text": "v7 everywhere", "start": minute}
    made = requests.post(server.url + "annotations", json=deployed)
    assert made.status_code == 201
    wait_until(lambda: digits.evaluate(ANNOTATED, "v7 everywhere") == 0, "it is on every model's page")
    other.bring_to_front()
    other.get_by_role("button", name=f"Edit: {text}").click()
    other.get_by_label("What happened").fill("rolled back")
    other.get_by_role("button", name="Save", exact=True).click()
    wait_for(page, "document.querySelector('#annotations').textContent.includes('rolled back')")
    other.get_by_role("button", name="Remove: rolled back").click()
    wait_for(page, "!document.querySelector('#annotations').textContent.includes('rolled back')")
    other.keyboard.press("Enter")  # what removed it has become the button that takes that back
    wait_for(page, "document.querySelector('#annotations').textContent.includes('rolled back')")
    assert requests.delete(f"{server.url}annotations/{made.json()['id']}").status_code == 200
    assert requests.post(server.url + "annotations", json={"kind": "party", "text": "x"}).status_code == 400


def written(ms: int) -> str:
    """A time as a browser's input has it."""
    return time.strftime("%Y-%m-%dT%H:%M", time.gmtime(ms / 1000))


def test_a_feature_that_is_clicked_in_the_heatmap_has_a_chart_and_is_in_the_address(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open(model="churn", range="7d")
    assert sorted(page.locator(".heat-name").all_inner_texts()) == sorted(CHURN.features)
    assert page.locator("#card-feature").is_hidden()
    page.locator("#card-features").scroll_into_view_if_needed()
    box = page.locator("#plot-features").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.7 * box["width"], box["y"] + 6 + 1.5 * 8 * 22 / len(CHURN.features))
    second = page.locator(".heat-name").nth(1)
    page.locator("#card-feature").wait_for()
    assert second.get_attribute("aria-pressed") == "true"
    assert page.locator("#card-feature .legend-name").inner_text() == second.inner_text()
    assert column(page, "hour", "picked") == column(page, "hour", "null_1")
    assert len(set(drawn(page, "features", "null_1"))) > 100
    restored = visitor.context.new_page()
    restored.goto(page.url)
    wait_ready(restored)
    assert restored.locator("#card-feature .legend-name").inner_text() == second.inner_text()
    second.click()
    wait_for(page, "document.querySelector('#card-feature').hidden && !location.search.includes('feature=')")


def test_the_confusion_matrix_is_that_of_the_range(visit: Visit) -> None:
    page = visit().open(model="churn", range="3h")
    page.locator("#matrix td").first.wait_for()
    few = page.locator("#matrix .breakdown-note").inner_text()
    assert page.locator("#matrix th").all_inner_texts()[1:] == ["0", "1", "0", "1"]
    assert page.locator("#matrix td.right").count() == page.locator("#matrix td.wrong").count() == 2
    page.locator("#range").select_option("7d")
    wait_for(page, "(few) => document.querySelector('#matrix .breakdown-note').textContent !== few", few)
    shares = [float(text.split()[0]) for text in page.locator("#matrix .matrix-share").all_inner_texts()]
    assert shares[0] + shares[1] == pytest.approx(100, abs=1)
    total, last = (drawn(page, name, "revenue") for name in ("revenue_total", "revenue"))
    assert total[-1] == pytest.approx(sum(last[-len(total) :]))


def test_versions_and_segments_are_laid_over_each_other_the_largest_first_and_in_the_address(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open(model="digits", range="7d")
    assert page.locator("#card-overlay").is_hidden()
    page.locator("#overlay").select_option("versions")
    page.locator("#card-overlay").wait_for()
    names = (
        "[...document.querySelectorAll('#card-overlay .legend-entry:not([hidden]) .legend-name')].map((each) => each.textContent).join()"
    )
    wait_for(page, f"{names} === 'v1,a0'")
    page.locator("#metric").select_option("latency_p99_ms")
    wait_for(page, "document.querySelector('#card-overlay .legend-value').textContent.endsWith('ms')")
    wait_until(lambda: len(set(drawn(page, "overlay", "overlay_0"))) > 100, "all of its history is drawn")
    assert drawn(page, "overlay", "overlay_0") != drawn(page, "overlay", "overlay_1")
    restored = visitor.context.new_page()
    restored.goto(page.url)
    wait_ready(restored)
    wait_for(restored, f"{names} === 'v1,a0'")
    assert restored.locator("#metric").input_value() == "latency_p99_ms"
    restored.locator("#overlay").select_option("region")
    wait_for(restored, f"{names} === 'eu'")
    restored.locator("#overlay").select_option("")
    restored.locator("#card-overlay").wait_for(state="hidden")
