"""A cluster of Bytewax processes on this machine, started and stopped as one.

A killed member takes the others down once all are connected; one that dies before leaves them retrying for
ever. So one dead process means that all are ended, and all start again from their shards.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from threading import Event as Flag
from threading import Thread

from pipeline.dataflow import Job
from pipeline.spawning import start_quietly
from pipeline.speech import set_up_log
from pipeline.worker import run_worker
from schemas.errors import TowerError

log = logging.getLogger("tower.pipeline")
_FAILED = 1
"""Exit code of a member whose error would come again: the cluster is not restarted."""
_POLL_S = 0.2
_STOP_S = 20.0
_LEAVE_S = 4.5
"""What has not left by then is ended: nothing is lost by it, since all is read again from the last commits."""
_LONGEST_PAUSE_S = 10.0


def run_cluster(first: Job, job: Callable[[], Job], stopping: Flag) -> None:
    """Run the members until all are done. `job` is asked again after each start but the first, since the shards have moved on.

    Raises TowerError when a member fails with an error that a restart does not mend.
    """
    pause, following = 0.5, first
    while not stopping.is_set():
        members = _start(following)
        try:
            ended = _watch(members, stopping)
        finally:
            _end(members)
        if ended == 0:
            return
        if ended == _FAILED:
            raise TowerError("a process of the pipeline failed", "its error is in the line above")
        if stopping.is_set():
            return
        log.warning("a process of the pipeline ended (%s); starting all again in %.1f s", ended, pause)
        stopping.wait(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)
        if not stopping.is_set():
            following = job()


def _start(job: Job) -> list[SpawnProcess]:
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(job.workers)]
    spawn = multiprocessing.get_context("spawn")
    members = [
        spawn.Process(target=_member, args=(job, addresses, number), name=f"tower-pipeline-{number}") for number in range(job.workers)
    ]
    start_quietly(members)
    return members


def _watch(members: Sequence[SpawnProcess], stopping: Flag) -> int | None:
    """Return 0 when all members are done, else the exit code of the first that was not well; None when they do not leave though told to."""
    leave_by: float | None = None
    while True:
        if stopping.is_set() and leave_by is None:
            leave_by = time.monotonic() + _LEAVE_S
            for member in members:
                member.terminate()
        if leave_by is not None and time.monotonic() > leave_by:
            log.warning("processes of the pipeline did not leave within %.1f s; ending them", _LEAVE_S)
            return None
        wait([member.sentinel for member in members if member.is_alive()], _POLL_S)
        codes = [member.exitcode for member in members]
        bad = [code for code in codes if code not in (None, 0)]
        if bad:
            return _FAILED if _FAILED in bad else bad[0]
        if all(code == 0 for code in codes):
            return 0


def _end(members: Sequence[SpawnProcess]) -> None:
    for member in members:
        if member.is_alive():
            member.kill()
    for member in members:
        member.join(_STOP_S)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [found.getsockname()[1] for found in sockets]
    for found in sockets:
        found.close()
    return ports


def _member(job: Job, addresses: list[str], number: int) -> None:
    """Run one member; its process ends with it."""
    set_up_log(number)
    stopping = Flag()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the supervisor says when to stop
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    Thread(target=_follow_parent, args=(stopping,), daemon=True).start()
    try:
        run_worker(job, stopping, addresses=addresses, process=number)
    except TowerError as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(_FAILED)
    except BaseException as error:
        if stopping.is_set():  # another has left already, and Bytewax panics over it; what is not committed is read again
            log.warning("process %d of the pipeline did not end by itself: %s", number, error)
        else:
            log.exception("process %d of the pipeline failed", number)
        os._exit(2)


def _follow_parent(stopping: Flag) -> None:
    """Stop when the supervisor is gone, however it went; what does not stop in time is ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        stopping.set()
        Flag().wait(_STOP_S)
        os._exit(2)
