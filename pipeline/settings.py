"""What can be configured in the pipeline, with its defaults."""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.errors import ConfigurationError
from schemas.limits import MAX_FUTURE_MS, MESSAGE_BYTES, TEXT_LENGTH
from schemas.metrics import DEFAULT_RETENTION_MS, ROLLING, ROLLING_STEP_MS, TUMBLING, WINDOW_LENGTH_MS


@dataclass(frozen=True, slots=True)
class Limits:
    """How many distinct names a home keeps apart; what is beyond is counted as `__other__`.

    `segment_combinations_per_model` and `key_sets_per_model` bound the memory of a shard, and are no names. An event with a combination
    of segments beyond that limit counts for its model and version, and for none of its segments; a set of features beyond it is
    counted feature by feature, with the same numbers.
    """

    models: int = 1000
    versions_per_model: int = 100
    segment_names_per_model: int = 20
    segment_values_per_name: int = 200
    segment_combinations_per_model: int = 50_000
    features_per_model: int = 500
    key_sets_per_model: int = 1000
    classes_per_model: int = 1000
    variants_per_model: int = 50
    message_bytes: int = MESSAGE_BYTES
    text_length: int = TEXT_LENGTH


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What is known of a model beforehand; empty means: find out from its events.

    `task` is `binary`, `multiclass` or `regression`. `positive_class` and `classes` are JSON values as text (`1`, `"yes"`, `yes`).
    """

    task: str = ""
    positive_class: str = ""
    classes: list[str] = field(default_factory=list)
    label_horizon_ms: int | None = None


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """Times are in milliseconds.

    `shards` is used when a home is made and is then fixed; 0 means one per core, from 2 to 8.
    `batch_messages` is the most that is read of a partition at once.
    `accept_loss` goes on where Kafka has dropped events that were not yet read, instead of stopping with an error.
    """

    processes: int = 1
    shards: int = 0
    batch_messages: int = 10_000
    commit_interval_ms: int = 100
    publish_interval_ms: int = 200
    export_interval_ms: int = 20_000
    allowed_lateness_ms: int = 60_000
    max_future_ms: int = MAX_FUTURE_MS
    idle_after_ms: int = 5_000
    accept_loss: bool = False
    label_horizon_ms: int = 30 * 86_400_000
    retention_ms: dict[str, int] = field(default_factory=lambda: dict(DEFAULT_RETENTION_MS))
    limits: Limits = Limits()
    models: dict[str, ModelSettings] = field(default_factory=dict)

    @property
    def panes_kept_ms(self) -> dict[str, int]:
        """How long the panes behind the windows are kept: hours as long as a rolling window that is kept is made of them."""
        hours = self.retention_ms[ROLLING] + WINDOW_LENGTH_MS[ROLLING] - ROLLING_STEP_MS
        return {**self.retention_ms, "1h": max(self.retention_ms["1h"], hours)}

    def first_kept(self, newest: int) -> int:
        """Return the start of the earliest window that is kept when this is the newest event time: it may hold what is older than its end.

        Were that turned away, such a window would have it or not by the order of reading.
        """
        kept_ms = self.panes_kept_ms
        return min((newest - kept_ms[name]) // WINDOW_LENGTH_MS[name] * WINDOW_LENGTH_MS[name] for name in TUMBLING)

    def __post_init__(self) -> None:
        """Raise ConfigurationError for what no pipeline can run with."""
        if self.processes < 1:
            raise ConfigurationError(f"pipeline.processes: expected a whole number from 1 on, got {self.processes}", "correct the value")
