"""What is read of the lake is what messages of the topic would have told."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.dashboard.sample import SampleModel, history, write_lake
from dashboard import retention
from dashboard.history import History
from dashboard.scope import Scope
from dashboard.series import Frame
from dashboard.store import Store
from tests.dashboard.messages import DAY_MS, HOUR_MS, encoded

NOW = 20_000 * DAY_MS + 5 * HOUR_MS


def test_history_is_what_its_messages_would_have_told(tmp_path: Path) -> None:
    models = [
        SampleModel(f"model-{number}", "binary", ("age",), 40.0, 1.0, ("control", "treatment"), ["v1"], ["region=eu"])
        for number in range(2)
    ]
    messages = list(history(models, NOW))
    write_lake(tmp_path, messages, offset=0)
    told, read = Store(), Store()
    lake = History.of(tmp_path)
    scopes = [Scope("model-0"), Scope("model-0", "v1"), Scope("model-1", segment="region=eu")]
    for scope in scopes:
        told.open(scope)
        read.open(scope)
    for model, window, block in lake.fleet():  # a page may be opened before: this has but some of the metrics that it shows
        read.load_fleet(model, window, block)
    for scope in scopes:
        for window, block in lake.detail(scope):
            read.load(scope, window, block)
    for offset, each in enumerate(sorted(messages, key=lambda each: each.window_start)):
        told.receive(*encoded(each), 0, offset)
    assert read.models().keys() == told.models().keys()
    for model in ("model-0", "model-1"):
        assert read.models()[model][0] == told.models()[model][0]
        wanted, found = told.fleet(model), read.fleet(model)
        assert found.keys() == wanted.keys()
        for key, points in wanted.items():
            for name in ("times", "value", "n", "low", "high", "final"):
                np.testing.assert_array_equal(getattr(found[key], name), getattr(points, name), err_msg=f"{key} {name}")
    for scope in scopes:
        for window in retention.DETAIL_SPAN_MS:
            assert_equal(read._open[scope].frames[window], told._open[scope].frames[window])


def assert_equal(found: Frame, wanted: Frame) -> None:
    columns = sorted(wanted.columns)
    assert sorted(found.columns) == columns
    assert columns
    ours, theirs = found.pull(columns, 0), wanted.pull(columns, 0)
    np.testing.assert_array_equal(ours.times, theirs.times)
    np.testing.assert_array_equal(ours.final, theirs.final)
    for column in columns:
        np.testing.assert_array_equal(ours.values[column], theirs.values[column], err_msg=str(column))
