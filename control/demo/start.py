"""The steps from nothing to a live dashboard, each of them told on the console."""

from __future__ import annotations

import os
import re
import sys
import time
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass

from control.config import Config
from control.console import Console
from control.demo.history import DAYS, SCENARIO, note_done, published_days, wanted_history
from control.ports import local_address
from control.supervisor.part import Part, PartSpec
from control.supervisor.readiness import CatchUp, answers
from control.supervisor.supervisor import Supervisor
from schemas.errors import TowerError
from schemas.kafka import KafkaSettings

TICK_S = 0.2
_HOW_FAR = re.compile(r"\d+:\d\d  |history: .* of ")
_SEED = 1
_ANSWER_DEADLINE_S = 120.0
# On a slow machine eight days take longer; the dashboard shows how far they are.
_CATCH_UP_DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """How the demo is run: predictions per second (None: the scenario's own), seconds (None: until Ctrl-C), and the browser."""

    rate: float | None
    duration_s: float | None
    open_browser: bool


class Demo:
    """One demo on one home. `epoch_ms` is the clock of the events; `check` raises KeyboardInterrupt when it is to stop."""

    def __init__(
        self,
        config: Config,
        kafka: KafkaSettings,
        supervisor: Supervisor,
        console: Console,
        options: DemoOptions,
        epoch_ms: Callable[[], int],
        check: Callable[[], None],
    ) -> None:
        self._config = config
        self._kafka = kafka
        self._supervisor = supervisor
        self._console = console
        self._options = options
        self._epoch_ms = epoch_ms
        self._check = check
        self._address = local_address(config.dashboard.host, config.dashboard.port)
        self._dashboard_answers = False
        self._catch_up: CatchUp | None = None
        self._caught_up = False

    def run(self) -> None:
        """Start everything, tell the steps, and run until `duration_s` after everything ran, or for ever.

        Raises TowerError when a part cannot run, and KeyboardInterrupt when it is to stop or nobody reads what it says any more.
        """
        try:
            self._run()
        finally:
            if self._catch_up is not None:
                self._catch_up.close()

    def _run(self) -> None:
        # The dashboard before the pipeline: parts stop in the opposite order, and it would show the other one as lost.
        self._supervisor.start(PartSpec("dashboard", ("dashboard", f"--port={self._config.dashboard.port}")))
        self._catch_up = CatchUp(self._kafka, published_days(self._config.home))
        self._supervisor.start(PartSpec("pipeline", ("pipeline",)))
        self._replay_history()
        self._catch_up.want_all_until_now()
        self._start_load()
        if self._wait(lambda: self._caught_up, _CATCH_UP_DEADLINE_S):
            self._console.line("pipeline caught up: events are in the metrics as they come")
        else:
            self._console.line(f"the pipeline is still catching up after {_CATCH_UP_DEADLINE_S:.0f} s; going on meanwhile")
        if not self._wait(lambda: self._dashboard_answers, _ANSWER_DEADLINE_S):
            raise TowerError(
                f"the dashboard does not answer on {self._address} within {_ANSWER_DEADLINE_S:.0f} s",
                f"see {self._config.home / 'logs' / 'dashboard.log'}",
            )
        self._open_browser()
        self._run_on()

    def _replay_history(self) -> None:
        history = wanted_history(self._config.home, self._epoch_ms(), _SEED)
        if history is None:
            return
        arguments = ("loadgen", SCENARIO, f"--history={DAYS:g}", f"--until={history.until_ms}", f"--seed={history.seed}")
        part = self._supervisor.start(PartSpec("history", arguments, repeats=False), show=self._show)
        self._wait_for_end(part)
        note_done(self._config.home, history)
        self._console.line(f"history replayed: {DAYS:g} days")

    def _start_load(self) -> None:
        arguments = ["loadgen", SCENARIO]
        if self._options.rate is not None:
            arguments.append(f"--rate={self._options.rate}")
        self._supervisor.start(PartSpec("loadgen", tuple(arguments)), show=self._show)

    def _show(self, line: str) -> None:
        """Show what the load generator says: how far it is in one place, its announcements line by line."""
        if _HOW_FAR.match(line):
            self._console.progress(line)
        else:
            self._console.plain(line)

    def _run_on(self) -> None:
        duration = self._options.duration_s
        self._console.line("everything runs" + (f"; stopping in {duration:g} s" if duration else "; Ctrl-C stops it"))
        end = time.monotonic() + duration if duration else float("inf")
        while time.monotonic() < end:
            self._tend()

    def _wait(self, condition: Callable[[], bool], deadline_s: float) -> bool:
        """Look after the parts until the condition holds, and say whether it did before the deadline."""
        end = time.monotonic() + deadline_s
        while not condition():
            if time.monotonic() > end:
                return False
            self._tend()
        return True

    def _wait_for_end(self, part: Part) -> None:
        while self._supervisor.running(part):
            self._tend()

    def _tend(self) -> None:
        self._check()
        if self._console.reader_left:
            raise KeyboardInterrupt
        self._supervisor.tend()
        if not self._dashboard_answers and answers(f"{self._address}/health"):
            self._dashboard_answers = True
            self._console.line(f"dashboard at {self._address}")
        if self._catch_up is not None and self._catch_up.reached():
            self._caught_up = True
            self._catch_up.close()
            self._catch_up = None
        time.sleep(TICK_S)

    def _open_browser(self) -> None:
        # Without a display Python would look for a browser in the terminal and take this one over.
        has_display = not sys.platform.startswith("linux") or bool({"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ))
        if self._options.open_browser and has_display:
            webbrowser.open(self._address)
