"""Pages while there is nothing, not yet everything, or no server: they say so, and go on by themselves."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from playwright.sync_api import Page

from benchmarks.dashboard.sample import CHURN, DIGITS, history, publish, starts, write_lake
from schemas.kafka import KafkaSettings
from schemas.metrics import MetricsMessage
from tests.dashboard.browsing import column, wait_for, wait_loaded, wait_ready
from tests.dashboard.conftest import Visit
from tests.dashboard.messages import MINUTE_MS, WHOLE, message, row
from tests.dashboard.serving import Server

Topics = Callable[[int], KafkaSettings]
TILE_NUMBER = ".tile[data-category=operational] .tile-number"


def fresh(server: Server, topics: Topics) -> None:
    """Stop the server and leave it with an empty topic and an empty home of its own."""
    if server.process is not None and server.process.poll() is None:
        server.stop()
    topics(1)
    server.folder = server.folder.parent / f"{server.folder.name}-next"
    server.folder.mkdir()


def now_ms() -> int:
    return int(time.time() * 1000)


def latency(p99: float, revision: int, *, minutes: int = 1) -> list[MetricsMessage]:
    """The open windows of the model `churn`, and minutes before."""
    now = now_ms()
    rows = [row("latency_p99_ms", p99, 500), row("throughput_per_s", 50.0, 500), row("prediction_volume", 500, 500)]
    windows = [("10s", start) for start in starts("10s", now - 30_000, now)] + [
        ("1m", (now // MINUTE_MS - ago) * MINUTE_MS) for ago in range(minutes)
    ]
    return [message(window, start, *rows, scope=WHOLE, revision=revision, updated_at=now, final=False) for window, start in windows]


def test_without_models_pages_say_so_and_models_appear_by_themselves(server: Server, topics: Topics, visit: Visit) -> None:
    fresh(server, topics)
    server.start()
    visitor = visit()
    fleet, unknown = visitor.open(), visitor.open(model="churn", version="v9")
    assert fleet.locator("#empty").is_visible()
    assert "No models yet" in fleet.locator("#empty").inner_text()
    assert fleet.locator("#loading").is_hidden()
    assert fleet.locator("#all-well").is_hidden()
    assert "no data yet" in fleet.locator("#freshness").inner_text()
    assert "No data for this choice" in unknown.locator("#unknown").inner_text()
    assert unknown.locator("#card-latency .empty").inner_text() == "No response times are sent for this choice."
    assert unknown.locator("#version").input_value() == "v9"
    publish(server.kafka, latency(100.0, 1))
    wait_for(fleet, f"document.querySelector('{TILE_NUMBER}')?.textContent === '100'")
    assert fleet.locator("#empty").is_hidden()
    assert fleet.locator("#freshness-state").inner_text() == "Live"


PARTS = ".section, .chart, .plot, .tiles, .pickers, .top"


def moved(before: dict[str, list[int]], after: dict[str, list[int]]) -> dict[str, tuple[list[int] | None, list[int] | None]]:
    """Return what is elsewhere, or of another size, than before."""
    return {name: (before.get(name), after.get(name)) for name in {*before, *after} if before.get(name) != after.get(name)}


def boxes(page: Page, selector: str) -> dict[str, list[int]]:
    """Return (x, y, width, height) of the visible elements of a selector, by their ids."""
    script = """(selector) => Object.fromEntries([...document.querySelectorAll(selector)].filter((one) => one.offsetParent).map((one) => {
        const box = one.getBoundingClientRect();
        return [one.id || one.className, [box.x, box.y + scrollY, box.width, box.height].map(Math.round)];
    }))"""
    found: dict[str, list[int]] = page.evaluate(script, selector)
    return found


def test_while_history_is_read_pages_say_so_and_nothing_moves_when_it_comes(server: Server, topics: Topics, visit: Visit) -> None:
    fresh(server, topics)
    write_lake(server.home, list(history([CHURN, DIGITS], now_ms(), all_scopes=False)), offset=0)
    server.hold.touch()
    server.start(wait_live=False)
    visitor = visit()
    fleet = visitor.open(ready=False)
    fleet.wait_for_selector("html[data-ready=yes]", state="attached")
    assert fleet.locator("#loading").is_visible()
    assert fleet.locator("#empty").is_hidden()
    page = visitor.open(ready=False, model="churn")
    page.wait_for_selector("html[data-ready=yes]", state="attached")
    assert page.locator("#card-latency .empty").inner_text() == "Loading\u2026"
    assert page.locator("#unknown").is_hidden()
    before = boxes(page, PARTS)
    server.hold.unlink()
    wait_loaded(page)
    wait_for(page, "document.querySelectorAll('#tiles .tile').length === 4")
    assert moved(before, boxes(page, PARTS)) == {}
    wait_for(fleet, "document.querySelectorAll('.tile').length === 8")
    assert fleet.locator("#loading").is_hidden()


def test_picking_another_choice_moves_nothing_while_it_is_read(server: Server, topics: Topics, visit: Visit) -> None:
    fresh(server, topics)
    write_lake(server.home, list(history([replace(DIGITS, versions=("v1",), segments=())], now_ms())), offset=0)
    server.start()
    page = visit().open(model="digits")
    before = boxes(page, PARTS)
    server.hold.touch()
    page.select_option("#version", "v1")
    wait_for(page, "JSON.parse(tower.live.get_model_by_name('state').lasting).version === 'v1'")
    assert page.locator("#card-latency .empty").inner_text() == "Loading\u2026"
    assert moved(before, boxes(page, PARTS)) == {}
    server.hold.unlink()
    wait_loaded(page)
    assert moved(before, boxes(page, PARTS)) == {}


def test_a_server_that_stops_is_told_and_one_that_comes_back_is_found(server: Server, topics: Topics, visit: Visit) -> None:
    fresh(server, topics)
    publish(server.kafka, latency(100.0, 1))
    server.start()
    visitor = visit()
    fleet, detail = visitor.open(), visitor.open(model="churn")
    for page in (fleet, detail):
        assert page.locator("#banner").is_hidden()
    server.stop()
    for page in (fleet, detail):
        page.locator("#banner").filter(has_text="Disconnected, reconnecting").wait_for()
        assert page.locator("#freshness-state").inner_text() == "Not live"
    publish(server.kafka, latency(200.0, 2, minutes=5))
    server.start()
    for page in (fleet, detail):
        wait_for(page, f"document.querySelector('{TILE_NUMBER}')?.textContent === '200'")
        wait_ready(page)
        assert page.locator("#banner").is_hidden()
    wait_for(detail, "tower.live.get_model_by_name('minute') !== null")
    assert column(detail, "minute", "p99")[-5:] == [200.0] * 5
    assert (
        np.diff(np.array(column(detail, "minute", "t")[-5:], dtype=np.float64)).tolist() == [MINUTE_MS] * 4
    )  # what came meanwhile is there, too
    # What a browser itself says of a server that is away is no complaint of the page.
    visitor.complaints = [each for each in visitor.complaints if "WebSocket" not in each and "ERR_CONNECTION_REFUSED" not in each]


def test_after_a_sleep_each_chart_says_how_old_it_is_and_a_connection_that_was_lost_in_silence_is_found(
    server: Server, topics: Topics, visit: Visit
) -> None:
    fresh(server, topics)
    publish(server.kafka, latency(100.0, 1))
    server.start()
    visitor = visit()
    visitor.context.clock.install()
    page = visitor.open(model="churn")
    stale = page.locator("#card-latency .stale")
    assert stale.inner_text() == ""
    assert server.process is not None
    server.process.send_signal(signal.SIGSTOP)  # as if the network had gone: nothing is closed, and nothing answers
    page.clock.fast_forward(10 * MINUTE_MS)
    stale.filter(has_text=re.compile(r"^Stale: newest value 1\d\u202fmin old$")).wait_for()
    page.clock.fast_forward(15_000)
    page.locator("#banner").filter(has_text="Disconnected, reconnecting").wait_for()
    server.process.send_signal(signal.SIGCONT)
    publish(server.kafka, latency(200.0, 2))
    page.locator("#banner").wait_for(state="hidden")
    wait_for(page, f"document.querySelector('{TILE_NUMBER}')?.textContent === '200'")


def test_a_kafka_that_cannot_be_reached_is_told(server: Server, topics: Topics, visit: Visit) -> None:
    fresh(server, topics)
    reachable, server.kafka = server.kafka, replace(server.kafka, bootstrap_servers="127.0.0.1:1")
    server.start(wait_live=False)
    page = visit().open()
    page.locator("#banner").filter(has_text="Kafka cannot be reached since").wait_for()
    assert page.locator("#freshness-state").inner_text() == "Not live"
    server.stop()
    server.kafka = reachable
