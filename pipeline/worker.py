"""One process of the dataflow: all of it, or a member of a cluster."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from threading import Event as Flag

import pyarrow
from bytewax._bytewax import cluster_main, run_main

from pipeline.dataflow import Job, Run, build
from pipeline.memory import collect_seldom
from schemas.errors import BrokerUnavailable

log = logging.getLogger("tower.pipeline")
_EPOCH = timedelta(days=365)
"""An epoch never ends: Bytewax has nothing to store then, and what is in flight is bounded by credit.

At its end each worker would wait for the slowest, spinning, for as long as their epochs began apart.
"""


def run_worker(
    job: Job, stopping: Flag, *, told: Callable[[], bool] | None = None, addresses: Sequence[str] = (), process: int = 0
) -> None:
    """Run the dataflow until it is stopped or caught up; with `addresses`, as member number `process` of a cluster.

    `told` says that it ends for good, which `stopping` alone need not mean.

    Raises the first error of a step as it was raised: Bytewax would wrap it, and in a cluster drop it.
    """
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())  # else Arrow keeps a heap of its own
    collect_seldom()
    shards = set(range(process, job.shards, job.workers))
    run = Run(stopping, clock=lambda: time.time_ns() // 1_000_000, told=told or stopping.is_set, telling=shards)
    flow = build(job, run, process)
    try:
        with run.opened:
            if addresses:
                cluster_main(  # type: ignore[no-untyped-call]
                    flow, list(addresses), process, epoch_interval=_EPOCH, worker_count_per_proc=1
                )
            else:
                run_main(flow, epoch_interval=_EPOCH)  # type: ignore[no-untyped-call]
    except BaseException as error:
        failure = run.failures[0] if run.failures else error
        if isinstance(failure, BrokerUnavailable) and run.told():
            log.warning("%s", failure)  # told to stop while the broker was away: what was not sent is sent next time
            return
        raise failure from None
