"""A dashboard on a home with seven days of history, whose topic the benchmark itself writes to."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import orjson
import psutil
from confluent_kafka import Producer

from benchmarks.dashboard.sample import Incident, SampleModel, current, history, key_of, write_lake
from benchmarks.home import PATIENCE_S, Home, home_with_kafka, say, stop
from schemas.kafka import producer_config
from schemas.metrics import MetricsMessage
from schemas.topics import METRICS

_LAKE_BEHIND_MS = 60_000
_SETTLED_S = 3.0
Past = Callable[[Sequence[SampleModel], int], Iterable[MetricsMessage]]


def whole_models(shown: Sequence[SampleModel], now_ms: int) -> Iterable[MetricsMessage]:
    """Return seven days of models, of all versions and segments together."""
    return history(shown, now_ms, all_scopes=False)


def models(count: int, *, versions: int = 3, segments: int = 10) -> list[SampleModel]:
    """Return models with two variants and five features each."""
    features = ("tenure", "monthly_charges", "contract", "support_calls", "age")
    names = [f"v{number}" for number in range(1, versions + 1)]
    slices = [f"region=r{number:02}" for number in range(segments)]
    return [
        SampleModel(f"model-{number:02}", "binary", features, 40.0 + number, 100.0, ("control", "treatment"), names, slices)
        for number in range(count)
    ]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One that runs: its address without a page, and its process."""

    url: str
    process: psutil.Process

    def page(self, **query: str) -> str:
        """Return the address of a page, as of a model."""
        return self.url + ("?" + urlencode(query) if query else "")

    def health(self) -> dict[str, object]:
        """Return what `/health` says."""
        with urllib.request.urlopen(self.url + "health", timeout=10) as answer:
            found: dict[str, object] = orjson.loads(answer.read())
        return found

    def cpu_s(self) -> float:
        """Return the processor seconds that it has used."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def rss(self) -> int:
        """Return its resident memory in bytes."""
        return int(self.process.memory_info().rss)


@contextmanager
def dashboard_of(shown: Sequence[SampleModel], past: Past = history) -> Iterator[tuple[Home, Dashboard]]:
    """Run a dashboard on the history of models, which `past` makes of them up to a time; it has read all of it."""
    with (
        tempfile.TemporaryDirectory(prefix="tower-dashboard-") as folder,
        home_with_kafka(Path(folder), {}, retention_bytes=1 << 30) as home,
    ):
        say("writing history ...")
        now = _now_ms()
        write_lake(home.folder, list(past(shown, now - _LAKE_BEHIND_MS)), offset=0)
        with running(home) as dashboard:
            yield home, dashboard


@contextmanager
def running(home: Home) -> Iterator[Dashboard]:
    """Run the dashboard of a home until the end of the block; it is live."""
    port = _free_port()
    process = home.start("dashboard", f"--port={port}", log=home.folder / "dashboard.txt")
    try:
        made = Dashboard(f"http://127.0.0.1:{port}/", psutil.Process(process.pid))
        until = time.monotonic() + PATIENCE_S
        while not _is_live(made):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the dashboard does not come up: {(home.folder / 'dashboard.txt').read_text()[-500:]}")
            time.sleep(0.1)
        time.sleep(_SETTLED_S)
        yield made
    finally:
        if process.poll() is None:
            stop(process)


def _is_live(dashboard: Dashboard) -> bool:
    try:
        health = dashboard.health()
    except urllib.error.URLError:
        return False
    return health["status"] == "live" and bool(health["history_loaded"])


class Updates(threading.Thread):
    """Publishes the windows that are open of all models, `every_s`, until the end of its block."""

    def __init__(self, home: Home, shown: Sequence[SampleModel], every_s: float, incidents: Sequence[Incident] = ()) -> None:
        super().__init__(name="updates", daemon=True)
        self._incidents = incidents
        self._home, self._shown, self._every_s = home, shown, every_s
        self._ended = threading.Event()

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        """Publish in step with the clock."""
        producer = Producer(producer_config(self._home.kafka) | {"linger.ms": 0})
        due = time.monotonic()
        made = self._made(_now_ms())
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            for message in made:
                # As new as the moment at which it is sent: how long it took to make is no delay of the dashboard's.
                sent = msgspec.structs.replace(message, updated_at=_now_ms())
                producer.produce(METRICS, msgspec.json.encode(sent), key_of(sent))
                producer.poll(0)
            due += self._every_s
            made = self._made(_now_ms() + int(1000 * self._every_s))
        producer.flush(PATIENCE_S)

    def _made(self, now_ms: int) -> list[MetricsMessage]:
        return list(current(self._shown, now_ms, self._incidents))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
