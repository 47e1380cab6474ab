"""A stop is certain and happens once: for the signal that comes first, for one that gets lost, and for those that come after it."""

from __future__ import annotations

import errno
import io
import signal
from collections.abc import Iterator

import pytest

from control.cli import main
from control.commands import doctor
from control.console import Console
from control.interruption import Interruption
from control.supervisor import deferring
from control.supervisor.deferring import interrupts_deferred


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Put the handlers of this process back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_first_signal_raises_and_those_during_the_stop_do_nothing() -> None:
    now = [0.0]
    interruption = Interruption(lambda: now[0])
    interruption.listen()
    interruption.check()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        now[0] += 10
        signal.raise_signal(number)
    assert interruption.came
    now[0] += 60
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_whose_exception_gets_lost_is_seen_at_the_next_look() -> None:
    class Fragile:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    interruption = Interruption()
    interruption.listen()
    fragile = Fragile()
    del fragile
    with pytest.raises(KeyboardInterrupt):
        interruption.check()


def test_a_library_that_makes_an_error_of_its_own_of_a_signal_hides_it_from_nobody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(options: object, call: object) -> int:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise ImportError("half imported") from None
        return 0

    monkeypatch.setattr(doctor, "run", run)
    assert main(["doctor"], {}) == 130
    assert capsys.readouterr().err == ""


def test_what_was_started_to_ignore_ctrl_c_goes_on_ignoring_it() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Interruption().listen()
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_handlers_are_put_back_though_one_of_them_raises_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    interruption = Interruption()
    interruption.listen()
    exchange = signal.signal
    calls: list[int] = []

    def interrupted(number: int, handler: object) -> object:
        before = exchange(number, handler)  # type: ignore[arg-type]
        calls.append(number)
        if len(calls) == 3:
            # The first handler is back, and a signal comes before the second is.
            signal.raise_signal(signal.SIGINT)
        return before

    monkeypatch.setattr(deferring.signal, "signal", interrupted)
    with pytest.raises(KeyboardInterrupt), interrupts_deferred():
        assert len(calls) == 2
    assert {signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)} == {interruption.note}


class Failing(io.StringIO):
    """An output that fails with each error of a list, and then takes what is written."""

    def __init__(self, *errors: OSError) -> None:
        super().__init__()
        self.failures = list(errors)

    def write(self, text: str) -> int:
        if self.failures:
            raise self.failures.pop(0)
        return super().write(text)


def test_a_console_whose_reader_has_left_says_so_and_does_not_stop_a_stop() -> None:
    out = Failing(OSError(errno.ENOSPC, "No space left"), BrokenPipeError(errno.EPIPE, "Broken pipe"))
    console = Console(out, lambda: 0.0)
    console.line("one")
    assert not console.reader_left
    console.plain("two")
    assert console.reader_left
    console.plain("three")
    assert out.getvalue() == "three\n"


def test_a_console_that_knows_ascii_alone_writes_the_rest_as_escapes() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    Console(out, lambda: 0.0).plain("größe")
    assert raw.getvalue() == b"gr\\xf6\\xdfe\n"
