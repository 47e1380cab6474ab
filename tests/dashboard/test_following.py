"""Messages, exports, history loads and pulls in any order: a page shows the newest state of everything all the same."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, multiple, rule

from dashboard.retention import DETAIL_SPAN_MS
from dashboard.scope import Scope
from dashboard.store import Store
from dashboard.widgets.source import LiveSource
from dashboard.widgets.specs import HOUR
from schemas.metrics import MetricRow, MetricsMessage
from tests.dashboard.messages import HOUR_MS, block_of, encoded, message, row

SCOPES = [Scope("churn"), Scope("churn", "v1"), Scope("digits", "*", "region=eu")]
HOURS = DETAIL_SPAN_MS["1h"] // HOUR_MS
State = tuple[int, int]
"""(revision, value)"""


def rows_of(value: int) -> list[MetricRow]:
    """Numbers of all kinds; which there are depends on the value."""
    rows = [row("f1_score", value, low=value - 1.0, high=value + 1.0)]
    rows += [row("late_events", value * 2.0)] if value % 2 else [row("conversion_rate", value / 10, dimension="variant=control")]
    return rows


class Following(RuleBasedStateMachine):
    """A log, an export that follows it, and one page; `tail_bytes` is what the dashboard keeps of the log."""

    loads = Bundle("loads")
    tail_bytes = 1_000_000

    def __init__(self) -> None:
        super().__init__()
        self.log: list[MetricsMessage] = []
        self.newest: dict[tuple[Scope, int], State] = {}
        self.read = self.exported = self.known = 0
        self.pending: list[Scope] = []
        self.store = Store(open_scopes=1, tail_bytes=self.tail_bytes)
        self.scope: Scope | None = None
        self.source = LiveSource(HOUR)

    @initialize(published=st.lists(st.tuples(st.sampled_from(SCOPES), st.integers(0, HOURS), st.integers(0, 9)), max_size=20))
    def begin(self, published: list[tuple[Scope, int, int]]) -> None:
        """The dashboard starts where the newest export ends."""
        for each in published:
            self.publish(*each)
        self.exported = self.known = self.read = len(self.log) // 2
        self.store.exported({0: self.known})

    @rule(scope=st.sampled_from(SCOPES), hour=st.integers(0, HOURS + 60), value=st.integers(0, 9))
    def publish(self, scope: Scope, hour: int, value: int) -> None:
        revision = self.newest.get((scope, hour), (0, 0))[0] + 1
        self.newest[scope, hour] = revision, value
        self.log.append(message("1h", hour * HOUR_MS, *rows_of(value), scope=scope, revision=revision, final=value > 5))

    @rule(count=st.integers(1, 10))
    def deliver(self, count: int) -> None:
        for offset in range(self.read, min(self.read + count, len(self.log))):
            self.store.receive(*encoded(self.log[offset]), 0, offset)
            self.read = offset + 1

    @rule(share=st.floats(0, 1))
    def export(self, share: float) -> None:
        """The pipeline may export what the dashboard has not read yet, and the dashboard hears of it later."""
        self.exported += int(share * (len(self.log) - self.exported))

    @rule(target=loads)
    def hear_of_the_export(self) -> object:
        self.known = self.exported
        again = self.store.exported({0: self.known})
        self.pending += again
        return multiple(*again)

    @rule(target=loads, scope=st.sampled_from(SCOPES))
    def open(self, scope: Scope) -> object:
        """Pick a scope, in place of the one that is shown."""
        fresh = self.store.open(scope)
        if self.scope is not None:
            self.store.close(self.scope)
        self.scope = scope
        self.source.reset()
        if not fresh:
            return multiple()
        self.pending.append(scope)
        return scope

    @rule(scope=consumes(loads))
    def load(self, scope: Scope) -> None:
        self.pending.remove(scope)
        lake: dict[tuple[Scope, int], MetricsMessage] = {
            (Scope(each.model, each.model_version, each.segment), each.window_start): each for each in self.log[: self.exported]
        }
        self.store.load(scope, "1h", block_of([each for (of, _), each in sorted(lake.items()) if of == scope]))
        self.store.loaded(scope)

    @rule()
    def pull(self) -> None:
        if self.scope is not None:
            self.source.pull(self.store, self.scope, {"variant": ["control"], "feature": [], "picked": [], "interval": []})

    def settle(self) -> None:
        """All that is under way arrives."""
        self.deliver(len(self.log))
        for scope in list(self.pending):
            self.load(scope)

    def teardown(self) -> None:
        if self.scope is None:
            return
        self.settle()
        self.pull()
        wanted = {hour: value for (scope, hour), (_, value) in sorted(self.newest.items()) if scope == self.scope}
        wanted = {hour: value for hour, value in wanted.items() if hour > max(wanted) - HOURS}
        found = self.store.detail(self.scope, "1h", "", "f1_score")
        assert dict(zip((found.times // HOUR_MS).tolist(), found.value.tolist(), strict=True)) == wanted
        self.compare_source(wanted)

    def compare_source(self, wanted: dict[int, int]) -> None:
        """The chart has the same numbers; it may still show older ones at its left end, which the store has dropped."""
        data = {name: np.asarray(values) for name, values in self.source.model.data.items()}
        times = (data["t"] - HOUR_MS // 2) // HOUR_MS
        shown = np.isin(times, list(wanted)) & ~np.isnan(data["f1"])
        assert times[shown].tolist() == list(wanted)
        assert wanted or not len(times)
        values = np.array(list(wanted.values()), dtype=np.float64)
        odd, final = values % 2 == 1, values > 5
        expected = {
            "f1": values,
            "f1_low": values - 1,
            "f1_high": values + 1,
            "late": np.where(odd, values * 2, np.nan),
            "conversion_0": np.where(odd, np.nan, values / 10),
            "open": np.where(final, 0.0, 1.0),
        }
        for name, column in expected.items():
            np.testing.assert_array_equal(data[name][shown], column, err_msg=name)
        inside = times >= min(wanted, default=0)
        assert np.isnan(data["f1"][inside & ~shown]).all()
        assert (np.diff(data["t"]) > 0).all()


class FollowingWithAShortTail(Following):
    """The tail forgets messages that no export contains yet: the next export that does mends it."""

    tail_bytes = 900

    def settle(self) -> None:
        super().settle()
        self.export(1.0)
        self.hear_of_the_export()
        super().settle()


for machine in (Following, FollowingWithAShortTail):
    machine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestFollowing = Following.TestCase
TestFollowingWithAShortTail = FollowingWithAShortTail.TestCase
