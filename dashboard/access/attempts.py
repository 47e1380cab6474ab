"""Failed logins are slowed down: so many for an address, and for a name, within a while."""

from __future__ import annotations

from collections.abc import Callable

_WHILE_S = 300.0
_MOST_OF_ADDRESS, _MOST_OF_NAME = 10, 20
_MOST_KEPT = 10_000


class Attempts:
    """Counts failures; `now` returns seconds of a clock that never goes back."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._failed: dict[tuple[str, str], list[float]] = {}

    def begin(self, address: str, name: str) -> float:
        """Return 0 if a login may be tried now, else in how many seconds.

        It counts as failed until `succeeded`, so that a hundred at once are no more than one after another.
        """
        keys = (("address", address), _MOST_OF_ADDRESS), (("name", name), _MOST_OF_NAME)
        now = self._now()
        wait = 0.0
        for key, most in keys:
            recent = [time for time in self._failed.get(key, ()) if now - time < _WHILE_S]
            if len(recent) >= most:
                wait = max(wait, recent[-most] + _WHILE_S - now)
        if wait:
            return wait
        for key, most in keys:
            # Taken out and put in again, so that the first one is that which failed longest ago.
            recent = [time for time in self._failed.pop(key, ()) if now - time < _WHILE_S]
            self._failed[key] = [*recent[1 - most :], now]
        while len(self._failed) > _MOST_KEPT:
            del self._failed[next(iter(self._failed))]
        return 0.0

    def succeeded(self, address: str, name: str) -> None:
        """Take back what `begin` counted, and the failures of that name before."""
        self._failed.pop(("name", name), None)
        failed = self._failed.get(("address", address))
        if failed:
            failed.pop()
