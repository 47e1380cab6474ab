"""Memory, open files and threads of a process and what it has started."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Footprint:
    """Sums over a process and its descendants: resident bytes, those of them that no file is behind, open files, threads, CPU seconds."""

    rss: int = 0
    anonymous: int = 0
    files: int = 0
    threads: int = 0
    cpu_s: float = 0.0

    def __add__(self, other: Footprint) -> Footprint:
        return Footprint(
            self.rss + other.rss,
            self.anonymous + other.anonymous,
            self.files + other.files,
            self.threads + other.threads,
            self.cpu_s + other.cpu_s,
        )


def footprint(pid: int) -> Footprint:
    """Return what a process and its descendants take now; nothing of those that have ended."""
    total = Footprint()
    try:
        processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return total
    for process in processes:
        try:
            cpu = process.cpu_times()
            rss = process.memory_info().rss
            total += Footprint(rss, _anonymous(process.pid, rss), process.num_fds(), process.num_threads(), cpu.user + cpu.system)
        except (psutil.NoSuchProcess, psutil.ZombieProcess, OSError):
            continue  # it has ended since
    return total


def load_a_core() -> float:
    """Return how many processes wanted to run on each core in the last minute: above 1, seconds say little."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)


def _anonymous(pid: int, rss: int) -> int:
    """Return the resident bytes that are mapped from no file, as Linux tells it; elsewhere all."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return rss
    for line in status.read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return rss
