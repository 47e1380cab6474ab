"""The dead letters of a log, and whether they are what the contract demands of each bad record."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import cast

from schemas.kafka import KafkaSettings
from schemas.topics import DEAD_LETTERS
from tests.oracle.records import Record
from tests.oracle.system import read_all


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message on `tower.dead-letters`."""

    key: bytes | None
    value: bytes | None
    headers: dict[str, str]

    @property
    def place(self) -> tuple[str, int, int]:
        """Topic, partition and offset that it came from."""
        return self.headers["topic"], int(self.headers["partition"]), int(self.headers["offset"])


def dead_letters(kafka: KafkaSettings) -> list[DeadLetter]:
    """Return all dead letters; their headers are UTF-8 text."""
    letters = []
    for message in read_all(kafka, DEAD_LETTERS):
        headers = cast("list[tuple[str, bytes]]", message.headers() or [])
        letters.append(DeadLetter(message.key(), message.value(), {name: value.decode() for name, value in headers}))
    return letters


def check_dead_letters(records: list[Record], letters: list[DeadLetter], *, once: bool = True) -> list[str]:
    """Return what is wrong with the dead letters of these records; `once` demands each exactly once, else at least once."""
    wrong = []
    found = {letter.place: letter for letter in letters}
    bad = {(record.topic, record.partition, record.offset): record for record in records if record.defect is not None}
    wrong += [f"{bad[place].defect}: not in the dead letters" for place in bad.keys() - found.keys()]
    wrong += [f"{found[place].headers}: a sound record, {found[place].value!r:.300}" for place in found.keys() - bad.keys()]
    if once:
        wrong += [f"{place}: {count} dead letters" for place, count in Counter(letter.place for letter in letters).items() if count > 1]
    for place in bad.keys() & found.keys():
        wrong += _judge_letter(bad[place], found[place])
    return wrong


def _judge_letter(record: Record, letter: DeadLetter) -> list[str]:
    defect, headers = record.defect, letter.headers
    assert defect is not None
    problems = []
    if (letter.key, letter.value) != (record.key, record.value):
        problems.append(f"{defect.name}: other bytes than received")
    if set(headers) != {"reason", "path", "topic", "partition", "offset", "received_at"}:
        problems.append(f"{defect.name}: headers are {sorted(headers)}")
    elif not headers["reason"] or not headers["path"].startswith(defect.path):
        problems.append(f"{defect.name}: path {headers['path']!r} should begin with {defect.path!r}; reason {headers['reason']!r}")
    elif defect.reason not in f"{headers['path']}: {headers['reason']}":
        problems.append(f"{defect.name}: reason {headers['reason']!r} should contain {defect.reason!r}")
    return problems
