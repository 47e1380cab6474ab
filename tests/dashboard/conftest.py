"""How much Hypothesis looks at in these tests, and a dashboard with a browser for each module that wants one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from confluent_kafka.admin import AdminClient
from hypothesis import settings
from playwright.sync_api import Browser

from schemas.kafka import KafkaSettings
from schemas.topics import METRICS, ensure_topics
from tests.conftest import have_leaders, remove_topics
from tests.dashboard.browsing import DESKTOP_WIDTH, Visitor
from tests.dashboard.serving import Server
from tests.waiting import DEADLINE_S, slowness, wait_until

settings.register_profile("dashboard", max_examples=60, deadline=None)  # no deadline: the machine may be busy
settings.load_profile("dashboard")

Visit = Callable[..., Visitor]


@pytest.fixture(scope="module")
def server(kafka: KafkaSettings, admin: AdminClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A dashboard on an empty metrics topic, with an empty home, not started; stopped after the module."""
    remove_topics(admin, [METRICS])
    ensure_topics(admin, event_partitions=1)
    wait_until(lambda: have_leaders(admin), "all partitions have their leaders")
    made = Server(kafka, tmp_path_factory.mktemp("dashboard"))
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop()
    assert "Traceback" not in made.log()


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Visit]:
    """A function that makes a visitor (keywords of Playwright's `new_context`); what its pages complain of fails the test."""
    with ExitStack() as contexts:
        visitors: list[Visitor] = []

        def begin(**options: object) -> Visitor:
            given = {"viewport": {"width": DESKTOP_WIDTH, "height": 900}, **options}
            context = browser.new_context(**given)  # type: ignore[arg-type]
            contexts.callback(context.close)
            context.set_default_timeout(DEADLINE_S * 1000 * slowness())
            visitors.append(Visitor(context, server))
            return visitors[-1]

        yield begin
        for visitor in visitors:
            visitor.check()
