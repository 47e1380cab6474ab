"""The health page in a browser: what it says of Kafka, the pipeline and dead letters, and that it goes on saying it."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer

from schemas.files import replace_file
from schemas.health import PartitionProgress, PipelineHealth, ShardHealth, health_file
from schemas.kafka import KafkaSettings, producer_config
from schemas.topics import DEAD_LETTERS, OUTCOMES, PREDICTIONS
from tests.dashboard.browsing import PHONE_WIDTH, barriers, wait_for
from tests.dashboard.conftest import Visit
from tests.dashboard.serving import Server

STATES = ["Active", "Acknowledged", "Silenced", "Resolved"]
HOSTILE = '<img src=x onerror="alert(1)">'


def tell(home: Path, taken: int) -> None:
    """Say what a pipeline would say that has taken so many events."""
    now = int(time.time() * 1000)
    partitions = [PartitionProgress(PREDICTIONS, 0, taken)]
    health = PipelineHealth(
        {"Control Tower": "1.2.3"},
        1,
        now - 120_000,
        now,
        now,
        now,
        {"predictions": taken, "outcomes": 4},
        partitions,
        [ShardHealth(0, 3, 12.5, now)],
        8.25,
        now,
    )
    replace_file(health_file(home), msgspec.json.encode(health))


def send_dead(kafka: KafkaSettings, value: bytes, reason: str) -> None:
    producer = Producer(producer_config(kafka))
    headers = {
        "reason": reason,
        "path": "$",
        "topic": PREDICTIONS,
        "partition": "0",
        "offset": "3",
        "received_at": str(int(time.time() * 1000)),
    }
    producer.produce(DEAD_LETTERS, value, headers={name: text.encode() for name, text in headers.items()})
    assert producer.flush(10) == 0


@pytest.fixture(scope="module", autouse=True)
def started(server: Server) -> None:
    server.start(wait_live=False)


def test_it_tells_of_the_pipeline_and_of_dead_letters_as_they_come(visit: Visit, server: Server) -> None:
    producer = Producer(producer_config(server.kafka))
    for _ in range(5):
        producer.produce(PREDICTIONS, b"{}", partition=0)
    producer.flush(10)
    page = visit().open(page="health")
    wait_for(page, "[...document.querySelectorAll('.check')].some((check) => check.textContent.includes('Has not run on this home'))")
    tell(server.home, 3)
    wait_for(page, "document.querySelector('#counts').textContent.includes('Predictions3')")
    row = "[...document.querySelectorAll('#partitions tbody tr')].find((row) => row.textContent.startsWith('predictions0'))"
    wait_for(page, f"{row}?.children[2].textContent === '3'")
    assert page.evaluate(f"Number({row}.children[3].textContent) - 3 === Number({row}.children[4].textContent)")
    assert page.locator("#partitions tbody tr", has_text=OUTCOMES).count() >= 1
    assert "12.5\u202fms" in page.locator("#work").inner_text()
    send_dead(server.kafka, HOSTILE.encode() + b"\x00\xff", f"$: {HOSTILE}")
    wait_for(page, "document.querySelectorAll('#letters tbody tr').length > 0")
    cells = page.locator("#letters tbody tr").first.locator("td").all_inner_texts()
    assert cells[1:] == ["predictions/0 at 3", f"$: {HOSTILE}", "32", HOSTILE + "\\x00\\xff"]
    assert page.locator("#letters img").count() == 0
    assert page.locator("#reasons tbody tr").count() == 1
    wait_for(page, "document.querySelector('.check[data-state=warning]')?.textContent.includes('Dead letters')")
    assert barriers(page) == []


def test_it_can_be_reached_from_each_page_and_says_where_one_is(visit: Visit) -> None:
    page = visit().open()
    page.get_by_role("link", name="Health").click()
    page.wait_for_selector("html[data-ready=yes][data-page=health]", state="attached")
    assert page.locator(".pages a[aria-current=page]").inner_text() == "Health"
    assert page.title() == "Health \u00b7 Control Tower"


def test_the_alerts_page_says_that_no_alert_rules_run(visit: Visit) -> None:
    page = visit(viewport={"width": PHONE_WIDTH, "height": 844}).open(page="alerts")
    assert page.title() == "Alerts \u00b7 Control Tower"
    assert page.get_by_label("Alerts by state").locator("li").all_inner_texts() == [f"{each}\n\u2013" for each in STATES]
    assert "evaluates no alert rules and notifies nobody" in page.locator("main").inner_text()
    wait_for(page, "document.querySelector('#fleet-now').textContent === 'nothing is known yet'")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE_WIDTH
    assert barriers(page) == []
