"""From the bytes of one topic partition to events, strictly.

The fast path decodes a whole batch at once. Only when it raises is the batch taken apart, so that
one bad message costs its neighbours nothing but a second decode.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from pipeline.reasons import Rejection, explain
from schemas.events import Outcome, Prediction


class ReadPrediction(Prediction, gc=False):
    """A prediction whose segments are still JSON: they repeat, and whoever needs them reads each distinct text once, by `read_segments`."""

    segments: msgspec.Raw = msgspec.Raw()  # type: ignore[assignment]  # this one is only read, never taken for what it extends


class _Segments(msgspec.Struct):
    """A message of segments alone."""

    segments: dict[str, str] | None


Event = TypeVar("Event", ReadPrediction, Outcome)
_decode_segments = msgspec.json.Decoder(_Segments).decode


def read_segments(text: bytes) -> dict[str, str]:
    """Return the segments of a `ReadPrediction`. Raises Rejection as for a whole message."""
    message = b'{"segments":%b}' % (text or b"null")
    try:
        return _decode_segments(message).segments or {}
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise explain(message, error) from error


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message that is no event: its position in the batch, and why."""

    position: int
    rejection: Rejection


class Decoder(Generic[Event]):
    """Decodes messages of one topic into events of one type.

    `message_bytes` is the largest message accepted.
    """

    def __init__(self, event: type[Event], *, message_bytes: int) -> None:
        self._decode: Callable[[bytes], Event] = msgspec.json.Decoder(event).decode
        self._message_bytes = message_bytes

    def decode(self, values: Sequence[bytes | None]) -> tuple[list[int], list[Event], list[Rejected]]:
        """Return the positions and events of the good messages, and the bad ones with their reasons."""
        decode, limit = self._decode, self._message_bytes
        try:
            # msgspec does not look into the text of fields that it skips, so text that is not UTF-8 could hide there.
            if not all(map(bytes.isascii, values)):  # type: ignore[arg-type]  # a tombstone raises TypeError: the slow path names it
                b"".join(values).decode()  # type: ignore[arg-type]
            if max(map(len, values), default=0) <= limit:  # type: ignore[arg-type]
                return list(range(len(values))), list(map(decode, values)), []  # type: ignore[arg-type]
        except (TypeError, UnicodeDecodeError, msgspec.MsgspecError, RecursionError, ValueError, OverflowError):
            pass  # some message is bad: the slow path finds which, and says why
        return self._decode_one_by_one(values)

    def _decode_one_by_one(self, values: Sequence[bytes | None]) -> tuple[list[int], list[Event], list[Rejected]]:
        positions: list[int] = []
        events: list[Event] = []
        rejected: list[Rejected] = []
        for position, value in enumerate(values):
            try:
                events.append(self._decode_one(value))
                positions.append(position)
            except Rejection as rejection:
                rejected.append(Rejected(position, rejection))
        return positions, events, rejected

    def _decode_one(self, value: bytes | None) -> Event:
        if value is None:
            raise Rejection("$", "a tombstone (no value); expected an event")
        if len(value) > self._message_bytes:
            raise Rejection("$", f"{len(value)} bytes; expected at most {self._message_bytes}")
        try:
            value.decode()
            return self._decode(value)
        except UnicodeDecodeError as error:
            raise Rejection("$", f"invalid UTF-8 at byte {error.start}") from error
        except RecursionError as error:
            raise Rejection("$", "nested too deeply") from error
        except (msgspec.MsgspecError, ValueError, OverflowError) as error:
            raise explain(value, error) from error
