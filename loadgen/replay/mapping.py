"""Which column of a table is which field of an event: said by the user, or guessed when the name is obvious."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from schemas.errors import ConfigurationError

OBVIOUS_NAMES: dict[str, tuple[str, ...]] = {
    "created_at": (
        "created_at",
        "timestamp",
        "ts",
        "event_time",
        "predicted_at",
        "prediction_time",
        "served_at",
        "datetime",
        "time",
        "date",
    ),
    "prediction": ("prediction", "y_pred", "pred", "predicted", "predicted_class", "predicted_label", "y_hat", "yhat", "output"),
    "prediction_id": ("prediction_id", "id", "request_id", "event_id", "uuid"),
    "model_version": ("model_version", "version"),
    "response_time_ms": ("response_time_ms", "latency_ms", "response_time", "latency", "duration_ms", "elapsed_ms"),
    "status": ("status",),
    "score": ("score", "probability", "proba", "y_score", "y_proba", "y_prob", "prob"),
    "variant": ("variant", "experiment_arm", "arm"),
    "unit_id": ("unit_id", "user_id", "customer_id", "account_id"),
    "label": ("label", "target", "y_true", "actual", "ground_truth", "truth", "y"),
    "converted": ("converted", "conversion"),
    "revenue_generated": ("revenue_generated", "revenue"),
    "features": ("features",),
    "segments": ("segments",),
}
"""Names (in lower case) that make a column a field; an earlier one goes before a later one."""
IGNORED = ("model", "schema_version")
"""Columns of our own events that say nothing about a row here: the model is named by the user."""


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """Columns by what they become.

    `fields` are those of an event (`created_at` and so on); `features` and `segments` map names in the event to
    columns. `unused` columns become nothing. With `open_features` further columns that turn up become features.
    """

    fields: dict[str, str]
    features: dict[str, str]
    segments: dict[str, str]
    unused: tuple[str, ...]
    open_features: bool

    def columns(self) -> set[str]:
        """Return all columns that become something."""
        return {*self.fields.values(), *self.features.values(), *self.segments.values()}


def map_columns(
    columns: Iterable[str], asked: Mapping[str, str], features: list[str] | None, no_times: Mapping[str, object] | None = None
) -> ColumnMapping:
    """Return what each of `columns` becomes.

    `asked` maps a field, `segments.NAME` or `features.NAME` to a column, or to `""`: that field is not to be guessed. `features` are the
    only columns to become features; names that begin with `-` are those not to. `None`: all that are left.
    `no_times` are columns whose values, such as the one given, are no times whatever they are called.

    Raises ConfigurationError when a field is unknown, a column is missing, two become the same feature,
    or none has the time or the prediction.
    """
    present = list(columns)
    fields, chosen_features, segments = _asked(present, asked)
    wanted, excluded = _split_features(present, features)
    taken = {*fields.values(), *chosen_features.values(), *segments.values(), *wanted, *excluded}
    for field, names in OBVIOUS_NAMES.items():
        unfit = {*taken, *(no_times or ())} if field == "created_at" else taken
        if field not in asked and (column := _obvious(present, names, unfit)) is not None:
            fields[field] = column
            taken.add(column)
    for column in present:
        if column.startswith("segments.") and column not in taken:
            segments[column.removeprefix("segments.")] = column
            taken.add(column)
    for column in wanted:
        _add_feature(chosen_features, column)
    unused = [column for column in present if column in excluded]
    for column in present:
        if column in taken:
            continue
        if (features is None or excluded) and column not in IGNORED:
            _add_feature(chosen_features, column)
        else:
            unused.append(column)
    _require(fields, present, no_times or {})
    return ColumnMapping(fields, chosen_features, segments, tuple(unused), open_features=features is None or bool(excluded))


def _asked(present: list[str], asked: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    fields: dict[str, str] = {}
    features: dict[str, str] = {}
    segments: dict[str, str] = {}
    for field, column in asked.items():
        place, _, name = field.partition(".")
        known = field in OBVIOUS_NAMES or (place in ("segments", "features") and name != "")
        if not known:
            near = difflib.get_close_matches(field, OBVIOUS_NAMES, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise ConfigurationError(
                f"--map: there is no field {field!r}", f"{hint}fields are {', '.join(OBVIOUS_NAMES)} and segments.NAME"
            )
        if column == "":
            continue
        _require_column(column, present, f"--map {field}={column}")
        target = segments if place == "segments" and name else features if place == "features" and name else fields
        target[name or field] = column
    return fields, features, segments


def _split_features(present: list[str], features: list[str] | None) -> tuple[list[str], set[str]]:
    """Return the columns that are asked to be features, and those asked not to be."""
    wanted = [name for name in features or [] if not name.startswith("-")]
    excluded = [name[1:] for name in features or [] if name.startswith("-")]
    if wanted and excluded:
        raise ConfigurationError("--features names columns both with and without a minus", "name those to take, or those to leave out")
    for name in (*wanted, *excluded):
        _require_column(name, present, "--features")
    return wanted, set(excluded)


def _obvious(present: list[str], names: tuple[str, ...], taken: set[str]) -> str | None:
    by_lower = {column.lower().strip(): column for column in reversed(present) if column not in taken}
    return next((by_lower[name] for name in names if name in by_lower), None)


def _require_column(column: str, present: list[str], where: str) -> None:
    if column not in present:
        near = difflib.get_close_matches(column, present, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ConfigurationError(f"{where}: there is no column {column!r}", f"{hint}columns are {', '.join(present)}")


def _add_feature(features: dict[str, str], column: str) -> None:
    name = column.removeprefix("features.")
    if features.setdefault(name, column) != column:
        raise ConfigurationError(
            f"columns {features[name]} and {column} are both the feature {name}", f"leave one out: --features=-{column}"
        )


def _require(fields: dict[str, str], present: list[str], no_times: Mapping[str, object]) -> None:
    for field, meaning in (("created_at", "when a prediction was made"), ("prediction", "what was predicted")):
        if field not in fields:
            unfit = [name for name in present if field == "created_at" and name in no_times and name.lower() in OBVIOUS_NAMES[field]]
            why = f" ({unfit[0]} has numbers such as {no_times[unfit[0]]}, which are no times)" if unfit else ""
            raise ConfigurationError(
                f"no column says {meaning}{why}", f"name it with --map {field}=COLUMN; columns are {', '.join(present)}"
            )
