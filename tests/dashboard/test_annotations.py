"""What is accepted as an annotation, and that one that was acknowledged is there for ever."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dashboard.annotations.annotation import Annotation, Draft
from dashboard.annotations.store import MOST_SHOWN, AnnotationStore, NotKept
from tests.dashboard.serving import ROOT
from tests.waiting import wait_until

NOW = 1_764_000_000_000


def opened(home: Path) -> tuple[AnnotationStore, list[int]]:
    """A store that has read its file, and how often it said that something changed."""
    changes: list[int] = []
    store = AnnotationStore(home, changed=lambda: changes.append(1), now_ms=lambda: NOW)
    store.start()
    wait_until(lambda: bool(changes), "the store is open")
    return store, changes


def draft(**given: object) -> Draft:
    return msgspec.json.decode(msgspec.json.encode({"kind": "note", "text": "x", **given}), type=Draft)


@pytest.mark.parametrize(
    ("given", "start", "end"),
    [
        ({}, NOW, None),
        ({"start": NOW - 5, "end": NOW}, NOW - 5, NOW),
        ({"start": "2025-11-24T16:00:00Z", "end": "2025-11-24T17:30:00+01:00"}, 1_764_000_000_000, 1_764_001_800_000),
        ({"start": NOW, "end": NOW}, NOW, None),
    ],
)
def test_times_are_given_as_in_events(given: dict[str, object], start: int, end: int | None) -> None:
    made = draft(**given).written("k", "ann", NOW)
    assert (made.start, made.end, made.author, made.model) == (start, end, "ann", "*")


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "party"},
        {"text": ""},
        {"text": "   "},
        {"text": "x" * 501},
        {"model": ""},
        {"start": NOW, "end": NOW - 1},
        {"start": -1},
        {"start": NOW + 400 * 86_400_000},
        {"end": NOW * 1000},
        {"start": "2025-11-24T16:00:00"},
        {"start": "yesterday"},
        {"author": "somebody else"},
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises((msgspec.ValidationError, ValueError)):
        draft(**given).written("k", "ann", NOW)


def test_annotations_are_added_replaced_and_removed_and_each_change_is_told(tmp_path: Path) -> None:
    store, changes = opened(tmp_path)

    def done(future: Future[Annotation]) -> Annotation:
        return future.result(20)

    one = done(store.add(draft(model="churn", start=NOW - 10), "ann"))
    two = done(store.add(draft(start=NOW), "ann"))
    done(store.add(draft(model="digits"), "ann"))
    assert store.of("churn") == [two, one]
    changed = done(store.replace(one.id, draft(model="churn", text="<b>later</b>", start=NOW + 1), "bob"))
    assert store.of("churn") == [changed, two]
    assert (changed.id, changed.author) == (one.id, "bob")
    store.remove(two.id).result(20)
    assert [each.text for each in store.of("churn")] == ["<b>later</b>"]
    assert len(changes) == 6
    store.close()
    again, _ = opened(tmp_path)
    assert again.of("churn") == [changed]
    for turn in range(MOST_SHOWN + 5):
        again.add(draft(model="many", start=NOW - turn), "ann")
    again.add(draft(model="other"), "ann").result(60)
    assert [each.start for each in again.of("many")] == [NOW - turn for turn in range(MOST_SHOWN)]
    again.close()


def test_one_that_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    program = f"""
import os, signal, pathlib
from dashboard.annotations.annotation import Draft
from dashboard.annotations.store import AnnotationStore
store = AnnotationStore(pathlib.Path({str(tmp_path)!r}), changed=lambda: None, now_ms=lambda: {NOW})
store.start()
store.add(Draft("deployment", "v2 to all"), "ci").result()
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == -9
    store, _ = opened(tmp_path)
    assert [(each.text, each.start) for each in store.all()] == [("v2 to all", NOW)]
    store.close()


def test_a_home_that_cannot_be_written_is_said_when_something_is_to_be_kept(tmp_path: Path) -> None:
    (tmp_path / "dashboard").write_text("in the way")
    store = AnnotationStore(tmp_path, changed=lambda: None, now_ms=lambda: NOW)
    store.start()
    with pytest.raises(NotKept, match=r"annotations\.sqlite cannot be used"):
        store.add(draft(), "ann").result(20)
    assert store.all() == []
    store.close()
