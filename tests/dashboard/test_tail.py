"""The lake up to an export and the tail after it together miss nothing, or the tail says that they do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dashboard.scope import Scope
from dashboard.tail import Tail

SCOPES = [Scope("a"), Scope("b", "v1")]

# (scope, key, size): one message each, in the order of the log; and now and then an export of all up to some share of the log.
steps = st.lists(
    st.one_of(st.tuples(st.sampled_from([0, 1]), st.integers(0, 6), st.integers(1, 40)), st.floats(0, 1)), min_size=1, max_size=80
)


@given(steps, st.integers(20, 300))
def test_export_and_tail_miss_nothing_unless_the_tail_says_so(order: list[tuple[int, int, int] | float], limit: int) -> None:
    tail, exported = Tail(limit), 0
    log: list[tuple[Scope, bytes, bytes]] = []
    for step in order:
        if isinstance(step, float):
            exported = max(exported, int(step * len(log)))
            tail.exported({0: exported})
        else:
            which, number, size = step
            scope, key, value = SCOPES[which], f"{which}/{number}".encode(), f"{len(log)}".encode() * size
            log.append((scope, key, value))
            tail.add(key, scope, value, 0, len(log) - 1)
        assert tail.size <= limit
        assert tail.size == sum(len(value) for scope in SCOPES for value in tail.of(scope))
        if tail.complete_after({0: exported}):
            for scope in SCOPES:
                after = {key: value for of, key, value in log[exported:] if of == scope}
                assert sorted(tail.of(scope)) == sorted(after.values())


def test_a_tail_that_dropped_a_message_is_complete_again_once_an_export_contains_it() -> None:
    tail = Tail(100)
    for offset in range(10):
        tail.add(f"{offset}".encode(), SCOPES[0], bytes(30), 0, offset)
    assert not tail.complete_after({0: 6})
    assert tail.complete_after({0: 7})
    assert not tail.complete_after({1: 7})
    assert len(tail) == 3


def test_each_partition_has_its_own_offsets() -> None:
    tail = Tail()
    tail.add(b"k", SCOPES[0], b"one", 0, 5)
    tail.add(b"l", SCOPES[0], b"two", 1, 5)
    tail.exported({0: 6, 1: 5})
    assert list(tail.of(SCOPES[0])) == [b"two"]
