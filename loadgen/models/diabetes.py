"""`diabetes-progression`: how far has the disease gone after a year? A regression on scikit-learn's diabetes data.

Half of the 442 patients train. The other half are served, each time with slightly other measurements, and
their progression (25 to 346) is measured with its own small error, always to one decimal.
"""

from __future__ import annotations

import functools

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from loadgen.models.service import Feature, Floats, Inputs, Service, Trained

FEATURES = (
    Feature("age", "integer", null_share=0.01, low=18, high=99),
    Feature("sex", "category", null_share=0.01, categories=("female", "male")),
    Feature("bmi", null_share=0.02, decimals=1, low=12, high=70),
    Feature("blood_pressure", null_share=0.02, decimals=1, low=40, high=220),
    Feature("total_cholesterol", null_share=0.025, decimals=1, low=60, high=500),
    Feature("ldl", null_share=0.025, decimals=1, low=10, high=400),
    Feature("hdl", null_share=0.02, decimals=1, low=10, high=150),
    Feature("cholesterol_ratio", null_share=0.025, decimals=2, low=1, high=15),
    Feature("log_triglycerides", null_share=0.03, decimals=3, low=2, high=8),
    Feature("glucose", null_share=0.015, decimals=1, low=40, high=400),
)
_MEASURED = np.array([0, 0, 0.02, 0.03, 0.03, 0.03, 0.03, 0.02, 0.02, 0.03])
"""Relative error of each measurement, column by column."""
_TRAINING_SEED = 20_240_819


@functools.cache
def _patients() -> tuple[Floats, Floats]:
    """Return the measurements (442, 10), in medical units, and the progression; read from the disk once."""
    bunch = load_diabetes(scaled=False)
    values = np.array(bunch.data, dtype=np.float64)
    values[:, 1] -= 1  # sex is coded 1 and 2 in the data
    return values, np.asarray(bunch.target, dtype=np.float64)


def sample(rng: np.random.Generator, n: int) -> Inputs:
    """Draw `n` patients of the half that did not train, with their progression.

    After the drift a new therapy halves the progression of those it would have hit hardest.
    """
    values, progression = _patients()
    served = 1 + 2 * rng.integers(0, len(progression) // 2, n)
    measured = values[served] * (1 + _MEASURED * rng.normal(size=(n, len(_MEASURED))))
    truth = np.clip(progression[served] + rng.normal(0, 4, n), 10, 400)
    return Inputs(measured, truth.round(1), np.where(truth > 120, truth / 2, truth).round(1))


def train() -> Trained:
    """Train the stable model, gradient-boosted trees, and the canary, a ridge regression, each on its own draw of patients."""
    rng = np.random.default_rng(_TRAINING_SEED)
    values, progression = _patients()
    values, progression = values[0::2], progression[0::2]
    drawn = rng.integers(0, len(values), 3 * len(values))
    stable = GradientBoostingRegressor(n_estimators=60, max_depth=2, learning_rate=0.08, random_state=1)
    stable.fit(values[drawn], progression[drawn])
    canary = make_pipeline(StandardScaler(), Ridge(alpha=5.0))
    canary.fit(values, progression)
    return Trained(stable, canary, np.median(values, axis=0), values.std(axis=0))


DIABETES = Service("diabetes-progression", "regression", "0.9.4", "1.0.0", FEATURES, train, sample)
