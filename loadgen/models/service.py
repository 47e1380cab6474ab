"""What a model service is: the inputs it is sent, the models that answer, and the truth that comes out later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, cast

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Estimator(Protocol):
    """The part of a fitted scikit-learn model that a service uses."""

    def predict(self, x: Floats, /) -> npt.NDArray[np.generic]:
        """Return the class or number for each row of `x`."""


class Classifier(Estimator, Protocol):
    """A fitted scikit-learn classifier."""

    def predict_proba(self, x: Floats, /) -> Floats:
        """Return the probability of each class (columns, ascending) for each row of `x`."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One input of a model, and how it is written in an event.

    A `category` and a `flag` are codes inside (index in `categories`; 0 or 1) and text or true/false
    in the event. `null_share` is how often it is missing on a normal day. `low` and `high` are what
    the world allows, whatever an incident does to the value.
    """

    name: str
    kind: Literal["number", "integer", "category", "flag"] = "number"
    null_share: float = 0.015
    categories: tuple[str, ...] = ()
    decimals: int = 3
    low: float = -np.inf
    high: float = np.inf


@dataclass(frozen=True, slots=True)
class Inputs:
    """A block of requests: one row each.

    `values` has the features as columns, without nulls. `truth` is what will turn out to be right,
    and `drifted_truth` what it is once the concept has drifted: class numbers, or the target.
    """

    values: Floats
    truth: Floats
    drifted_truth: Floats


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model said for each row: class numbers or the target, and the probability of each class (`None`: regression)."""

    predicted: Floats
    probabilities: Floats | None


@dataclass(frozen=True, slots=True)
class Trained:
    """A service after training: its two models, and what training has seen of each feature.

    A null is answered with `median` in its place. `spread` is the standard deviation, the unit of drift.
    """

    stable: Estimator
    canary: Estimator
    median: Floats
    spread: Floats


@dataclass(frozen=True, slots=True)
class Service:
    """One model service. `sample(rng, n)` draws requests that training never saw."""

    name: str
    task: Literal["binary", "multiclass", "regression"]
    stable_version: str
    canary_version: str
    features: tuple[Feature, ...]
    train: Callable[[], Trained]
    sample: Callable[[np.random.Generator, int], Inputs]

    def feature_index(self, name: str) -> int:
        """Return the column of the feature `name`. Raises KeyError when there is none."""
        for index, feature in enumerate(self.features):
            if feature.name == name:
                return index
        raise KeyError(name)


def impute(values: Floats, missing: Mask, median: Floats) -> Floats:
    """Return `values` with the training median where a value is missing: what the model is fed."""
    return np.where(missing, median, values)


def answer(service: Service, trained: Trained, values: Floats, canary: Mask) -> Answers:
    """Return what the stable model, or the canary where `canary` is true, says for each row of `values`."""
    predicted = np.zeros(len(values))
    probabilities: Floats | None = None
    for model, rows in ((trained.stable, ~canary), (trained.canary, canary)):
        if not rows.any():
            continue
        if service.task == "regression":
            predicted[rows] = model.predict(values[rows])
            continue
        found = cast("Classifier", model).predict_proba(values[rows])
        if probabilities is None:
            probabilities = np.zeros((len(values), found.shape[1]))
        probabilities[rows] = found
        predicted[rows] = found.argmax(axis=1)
    return Answers(predicted, probabilities)
