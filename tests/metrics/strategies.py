"""Random panes for property tests."""

from __future__ import annotations

import string

from hypothesis import strategies as st

from tests.metrics.events import Event, Pane

LATENCIES = st.one_of(st.just(0.0), st.floats(1e-5, 1e-3), st.floats(0.01, 1e5), st.floats(1e9, 1e12))
AMOUNTS = st.floats(-1e6, 1e6)
NUMBERED = st.integers(0, 3)
BINARY = st.one_of(st.integers(0, 1), st.booleans())
NAMED = st.sampled_from(["cat", "dog", "1", "true", '"', "null", "-1.5e3", "__other__"])
MIXED = st.one_of(NUMBERED, NAMED, BINARY, st.sampled_from([0.0, 1.0, 2.5]))
FEATURES = st.dictionaries(st.sampled_from(string.ascii_lowercase[:5]), st.booleans(), max_size=5).map(lambda nulls: tuple(nulls.items()))
CLASSES = st.sampled_from([NUMBERED, BINARY, NAMED, MIXED])


@st.composite
def events(draw: st.DrawFn) -> list[Event]:
    """Some predictions of one model: classes of one kind, or numbers."""
    classes = draw(CLASSES)
    maybe = st.one_of(st.none(), classes)
    one = st.builds(
        Event,
        prediction=maybe,
        label=maybe,
        latency_ms=st.one_of(st.none(), LATENCIES),
        failed=st.booleans(),
        nulls=FEATURES,
        uncommon_features=st.booleans(),
        variant=st.sampled_from(["", "control", "treatment", "other arm"]),
        converted=st.one_of(st.none(), st.booleans()),
        revenue=st.one_of(st.none(), AMOUNTS),
    )
    numeric = st.builds(Event, pair=st.one_of(st.none(), st.tuples(AMOUNTS, AMOUNTS)))
    return draw(st.lists(draw(st.sampled_from([one, one, numeric])), max_size=25))


@st.composite
def panes(draw: st.DrawFn) -> Pane:
    """A pane of any task."""
    return draw(
        st.builds(
            Pane,
            events=events(),
            elapsed_s=st.floats(0.1, 10),
            length_s=st.sampled_from((10.0, 3_600.0, 86_400.0)),
            task=st.integers(0, 3),
            positive_class=st.one_of(st.none(), MIXED),
            classes=st.one_of(st.just(()), st.lists(draw(CLASSES), min_size=1, max_size=4).map(tuple)),
            rolling=st.booleans(),
            duplicates=st.integers(0, 3),
            late=st.integers(0, 3),
        )
    )
