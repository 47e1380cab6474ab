"""The metrics messages that are newer than the lake's export.

A page that opens a scope nobody had open needs its history from the lake, and from here what came
after the export. Kept as bytes, the newest of each key, and dropped once an export contains them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dashboard.scope import Scope

TAIL_BYTES = 96_000_000


@dataclass(frozen=True, slots=True)
class _Entry:
    partition: int
    offset: int
    scope: Scope
    value: bytes


class Tail:
    """At most `limit_bytes` of messages; the longest unchanged go first, and `missing_up_to` remembers that they did."""

    def __init__(self, limit_bytes: int = TAIL_BYTES) -> None:
        self._limit = limit_bytes
        self._size = 0
        self._entries: dict[bytes, _Entry] = {}
        self._missing: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """The bytes of the messages kept."""
        return self._size

    def add(self, key: bytes, scope: Scope, value: bytes, partition: int, offset: int) -> None:
        """Keep a message in place of an earlier one of the same key."""
        earlier = self._entries.pop(key, None)
        if earlier is not None:
            self._size -= len(earlier.value)
        self._entries[key] = _Entry(partition, offset, scope, value)
        self._size += len(value)
        while self._size > self._limit:
            dropped = self._entries.pop(next(iter(self._entries)))
            self._size -= len(dropped.value)
            self._missing[dropped.partition] = max(dropped.offset, self._missing.get(dropped.partition, -1))

    def exported(self, offsets: Mapping[int, int]) -> None:
        """Drop what the lake now contains: all below `offsets[partition]`."""
        done = [key for key, entry in self._entries.items() if entry.offset < offsets.get(entry.partition, 0)]
        for key in done:
            self._size -= len(self._entries.pop(key).value)

    def complete_after(self, offsets: Mapping[int, int]) -> bool:
        """Say whether an export up to `offsets` and this tail together miss nothing."""
        return all(offset < offsets.get(partition, 0) for partition, offset in self._missing.items())

    def of(self, scope: Scope) -> Iterator[bytes]:
        """Yield the messages of a scope."""
        return (entry.value for entry in self._entries.values() if entry.scope == scope)
