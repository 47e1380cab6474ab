from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score, mean_absolute_error

from loadgen.models import SERVICES, Trained, train_cached
from loadgen.models.cache import cache_file
from loadgen.models.service import Floats, Mask, Service, answer, impute
from schemas.errors import TowerError

ROWS = 4_000


def _quality(service: Service, truth: Floats, predicted: Floats) -> float:
    if service.task == "regression":
        return -float(mean_absolute_error(truth, predicted))
    return float(f1_score(truth, predicted, average="binary" if service.task == "binary" else "macro"))


def _asked(service: Service, trained: Trained, *, canary: bool) -> tuple[float, float]:
    """Return the quality on the truth, and on the truth after the concept drift."""
    inputs = service.sample(np.random.default_rng(5), ROWS)
    rows: Mask = np.full(ROWS, canary)
    predicted = answer(service, trained, inputs.values, rows).predicted
    return _quality(service, inputs.truth, predicted), _quality(service, inputs.drifted_truth, predicted)


@pytest.mark.parametrize(("name", "at_least"), [("churn", 0.75), ("digits", 0.8), ("diabetes-progression", -50.0)])
def test_both_versions_are_good_on_requests_that_training_never_saw(trained: dict[str, Trained], name: str, at_least: float) -> None:
    for canary in (False, True):
        assert _asked(SERVICES[name], trained[name], canary=canary)[0] > at_least


@pytest.mark.parametrize("name", list(SERVICES))
def test_a_concept_drift_costs_quality(trained: dict[str, Trained], name: str) -> None:
    before, after = _asked(SERVICES[name], trained[name], canary=False)
    assert after < before - (0.3 if SERVICES[name].task != "regression" else 15)


@pytest.mark.parametrize("name", list(SERVICES))
def test_the_two_versions_are_different_models(trained: dict[str, Trained], name: str) -> None:
    service = SERVICES[name]
    values = service.sample(np.random.default_rng(6), ROWS).values
    stable = answer(service, trained[name], values, np.zeros(ROWS, dtype=np.bool_)).predicted
    canary = answer(service, trained[name], values, np.ones(ROWS, dtype=np.bool_)).predicted
    assert np.mean(stable != canary) > 0.01


@pytest.mark.parametrize("name", list(SERVICES))
def test_a_model_has_six_to_ten_features_with_one_to_three_percent_nulls(name: str) -> None:
    features = SERVICES[name].features
    assert 6 <= len(features) <= 10
    assert all(0.01 <= feature.null_share <= 0.03 for feature in features)


def test_a_null_is_answered_as_the_median_is(trained: dict[str, Trained]) -> None:
    service, models = SERVICES["churn"], trained["churn"]
    values = service.sample(np.random.default_rng(7), 200).values
    missing = np.zeros(values.shape, dtype=np.bool_)
    missing[:, 2] = True
    with_median = values.copy()
    with_median[:, 2] = models.median[2]
    assert np.array_equal(impute(values, missing, models.median), with_median)


def test_models_are_trained_once_and_then_come_from_the_cache(tmp_path: Path) -> None:
    trainings: list[str] = []
    service = SERVICES["diabetes-progression"]
    first = train_cached(service, tmp_path, trainings.append)
    second = train_cached(service, tmp_path, trainings.append)
    values = service.sample(np.random.default_rng(8), 50).values
    assert trainings == [service.name]
    assert np.array_equal(first.stable.predict(values), second.stable.predict(values))


def test_a_torn_cache_file_is_trained_again(tmp_path: Path) -> None:
    trainings: list[str] = []
    service = SERVICES["diabetes-progression"]
    train_cached(service, tmp_path)
    path = cache_file(tmp_path, service)
    path.write_bytes(path.read_bytes()[:-100])
    train_cached(service, tmp_path, trainings.append)
    assert trainings == [service.name]


def test_the_cache_is_kept_by_service_and_version(tmp_path: Path) -> None:
    churn = SERVICES["churn"]
    assert cache_file(tmp_path, churn) != cache_file(tmp_path, replace(churn, name="churn-2"))


def test_whatever_cannot_be_loaded_is_trained_again(tmp_path: Path) -> None:
    """The checksum holds, but not what it is of: written by another version of a library."""
    trainings: list[str] = []
    service = SERVICES["diabetes-progression"]
    content = b"no pickle"
    cache_file(tmp_path, service).write_bytes(hashlib.sha256(content).digest() + content)
    train_cached(service, tmp_path, trainings.append)
    assert trainings == [service.name]
    assert [path.name for path in tmp_path.iterdir()] == [cache_file(tmp_path, service).name]


def test_a_cache_that_cannot_be_written_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(TowerError, match="the models cannot be kept in"):
        train_cached(SERVICES["diabetes-progression"], tmp_path / "cache")
