"""What can happen to a pipeline. Each action does it, and returns in some words what it did."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress

from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from schemas.topics import METRICS, OUTCOMES, PREDICTIONS
from tests.chaos.faulty import POINTS
from tests.chaos.world import ANSWER_S, TOML, World
from tests.oracle.system import PipelineProcess

HOUR_MS = 3_600_000
DEATH_WATCHED_S = 2.0
Action = Callable[[World], str]


def kill_all(world: World) -> str:
    """End all processes of the pipeline at once."""
    world.power_cut()
    return "kill -9 of the whole pipeline"


def kill_a_member(world: World) -> str:
    """End one of the processes that do the work."""
    members = world.members()
    if members:
        number = world.rng.randrange(len(members))
        with suppress(ProcessLookupError):
            os.kill(members[number].pid, signal.SIGKILL)
    return f"kill -9 of one of {len(members)} working processes"


def kill_the_supervisor(world: World) -> str:
    """End the process that was started: the members of a cluster are orphans then, and must leave the home."""
    with suppress(ProcessLookupError):
        os.kill(world.pipeline.pid, signal.SIGKILL)
    world.pipeline.runs_for(ANSWER_S)
    return "kill -9 of the process that was started"


def die_at_a_point(world: World) -> str:
    """Start again, to die at a certain place in the code."""
    point, passage = world.rng.choice(sorted(POINTS)), world.rng.randint(1, 12)
    world.power_cut()
    world.start(death=(point, passage))
    world.let_load_in(0.02)
    reached = not world.pipeline.runs_for(DEATH_WATCHED_S)
    return f"death at passage {passage} {point}{'' if reached or world.processes > 1 else ' (not reached yet)'}"


def stop(world: World) -> str:
    """Stop politely, and start again."""
    world.stop()
    world.start()
    return "SIGTERM"


def change_the_number_of_processes(world: World) -> str:
    """Go on as a cluster, or as one process."""
    world.stop()
    world.processes = 3 - world.processes
    world.start()
    return f"restart with --processes {world.processes}"


def hold_the_pipeline(world: World) -> str:
    """SIGSTOP some of the working processes."""
    members = world.members()
    held = world.rng.sample(members, world.rng.randint(1, len(members))) if members else []
    return f"SIGSTOP of {len(held)} working processes for {world.hold_still(held):.1f} s"


def hold_the_broker(world: World) -> str:
    """SIGSTOP Kafka: produced messages and fetches time out."""
    return f"SIGSTOP of Kafka for {world.hold_still([world.broker_process()]):.1f} s"


def kill_the_broker(world: World) -> str:
    """Kill -9 Kafka; its keeper starts it again."""
    world.broker_process().kill()
    return "kill -9 of Kafka"


def restart_the_broker(world: World) -> str:
    """Let Kafka shut down in order; its keeper starts it again."""
    world.broker_process().terminate()
    return "Kafka restarted"


def add_a_partition(world: World) -> str:
    """Add a partition to a topic while it is read."""
    topic = world.rng.choice((PREDICTIONS, OUTCOMES))
    if world.partitions()[topic] >= 6:
        return f"{topic} has its partitions already"
    return f"partition {world.add_partition(topic)} added to {topic}"


def cut_a_log_short(world: World) -> str:
    """Cut the power: one store comes back without its last writes, in the middle of one."""
    world.power_cut()
    folders = sorted(folder for folder in (world.home / "state").glob("*") if folder.is_dir())
    logs = sorted(world.rng.choice(folders).glob("*.log")) if folders else []
    if not logs:
        return "power cut"
    cut = min(logs[-1].stat().st_size, world.rng.randint(1, 200_000))
    os.truncate(logs[-1], logs[-1].stat().st_size - cut)
    return f"power cut; the log of {logs[-1].parent.name} lost its last {cut} bytes"


def damage_a_store(world: World) -> str:
    """Cut the power: some bytes of a store's file are others. Where they are needed it is told, and the store moved away."""
    world.power_cut()
    files = [file for file in (*sorted((world.home / "state").glob("*/*.sst")), world.home / "tower.duckdb") if file.exists()]
    if not files:
        return "power cut"
    file = world.rng.choice(files)
    place = world.rng.randrange(file.stat().st_size)
    with file.open("r+b") as opened:
        opened.seek(place)
        opened.write(world.rng.randbytes(min(64, file.stat().st_size - place)))
    return f"power cut; {file.relative_to(world.home)} is damaged at byte {place:,} of {file.stat().st_size:,}"


def spoil_a_parquet_file(world: World) -> str:
    """Cut the power: an exported file is half written."""
    world.power_cut()
    files = sorted((world.home / "lake" / "metrics").rglob("*.parquet"))
    if not files:
        return "power cut"
    file = world.rng.choice(files)
    os.truncate(file, file.stat().st_size // 2)
    return f"power cut; {file.parent.name}/{file.name} is cut in half"


def set_the_clock(world: World) -> str:
    """Set the wall clock back, or right again."""
    hours = world.rng.choice((-26, -1, 0, 1))
    world.set_clock(hours * HOUR_MS)
    return f"the clock set to {hours:+d} h"


def refuse_results(world: World) -> str:
    """Have Kafka refuse the messages on the results topic for a while."""
    for operation in (AlterConfigOpType.SET, AlterConfigOpType.DELETE):
        entry = ConfigEntry("max.message.bytes", "300", incremental_operation=operation)
        change = ConfigResource(ResourceType.TOPIC, METRICS, incremental_configs=[entry])
        world.ask_kafka(lambda change=change: next(iter(world.admin.incremental_alter_configs([change]).values())))
        if operation is AlterConfigOpType.SET:
            world.pipeline.runs_for(world.rng.uniform(0.5, 2.0))
    return "messages to tower.metrics refused for a while"


def start_a_second_one(world: World) -> str:
    """Start another pipeline on the same home: it is refused, and the first goes on."""
    for _ in range(5):
        world.see_it_hold_the_home()
        with PipelineProcess(world.home, world.kafka, toml=TOML) as second:
            runs = second.runs_for(ANSWER_S)
        if world.pipeline.exit_code is None:
            break
        # The first has just come upon what is damaged, and holds nothing any more.
    assert not runs, second.output()
    assert second.exit_code == 1
    assert "is in use by another pipeline" in second.output(), second.output()
    return "a second pipeline on the same home refused"


ACTIONS: tuple[Action, ...] = (
    kill_all,
    kill_all,
    kill_a_member,
    kill_a_member,
    kill_the_supervisor,
    die_at_a_point,
    die_at_a_point,
    die_at_a_point,
    stop,
    change_the_number_of_processes,
    hold_the_pipeline,
    hold_the_broker,
    kill_the_broker,
    restart_the_broker,
    add_a_partition,
    cut_a_log_short,
    cut_a_log_short,
    damage_a_store,
    spoil_a_parquet_file,
    set_the_clock,
    refuse_results,
    start_a_second_one,
)
"""All of them; one that stands here twice comes twice as often."""
