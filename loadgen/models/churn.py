"""`churn`: will this customer leave within the month? A binary model on generated telecom customers.

The truth is a known logistic relation, so what a model can reach is known too, and a concept drift
is a change of that relation: after it, long-standing customers on cheap plans are the ones who leave.
"""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from loadgen.models.service import Feature, Floats, Inputs, Service, Trained

FEATURES = (
    Feature("tenure_months", "integer", null_share=0.01, low=0, high=120),
    Feature("monthly_charges", "number", null_share=0.02, decimals=2, low=10, high=500),
    Feature("support_calls", "integer", null_share=0.015, low=0, high=60),
    Feature("late_payments", "integer", null_share=0.02, low=0, high=24),
    Feature("data_usage_gb", "number", null_share=0.03, decimals=2, low=0, high=2000),
    Feature("age", "integer", null_share=0.025, low=18, high=99),
    Feature("contract", "category", null_share=0.01, categories=("month-to-month", "one-year", "two-year")),
    Feature("paperless_billing", "flag", null_share=0.01),
)
_TRAINING_ROWS = 12_000
_TRAINING_SEED = 20_240_817


def _customers(rng: np.random.Generator, n: int) -> Floats:
    contract = rng.choice(3, size=n, p=(0.55, 0.25, 0.2)).astype(float)
    tenure = np.minimum(rng.gamma(1.6, 16 + 9 * contract), 120)
    usage = rng.lognormal(3.1, 0.8, n)
    charges = 22 + 9 * np.log1p(usage) + rng.gamma(3.0, 6.5, n)
    calls = rng.poisson(rng.gamma(1.1, 1.5, n))
    late = rng.poisson(rng.gamma(0.8, 1.0, n))
    age = np.clip(rng.normal(44, 15, n), 18, 95)
    paperless = rng.random(n) < 0.62
    columns = (np.floor(tenure), charges.round(2), calls, np.minimum(late, 24), usage.round(2), np.floor(age), contract, paperless)
    return np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)


def _probability(logit: Floats) -> Floats:
    chance: Floats = 1 / (1 + np.exp(-np.clip(logit, -30, 30)))
    return chance


def _leaving(values: Floats) -> Floats:
    """Return the probability that each customer leaves."""
    tenure, charges, calls, late, usage, age, contract, paperless = values.T
    logit = (
        -2.6
        - 0.075 * (tenure - 24)
        + 0.075 * (charges - 70)
        + 0.95 * calls
        + 0.8 * late
        - 1.9 * contract
        - 0.02 * (age - 44)
        + 0.35 * paperless
        + 0.6 * (usage < 8)
    )
    return _probability(1.3 * logit)


def _leaving_after_drift(values: Floats) -> Floats:
    """Return that probability after a competitor's offer to long-standing customers on cheap plans."""
    tenure, charges, *_ = values.T
    logit = 0.08 * (tenure - 26) - 0.06 * (charges - 68)
    return _probability(1.3 * logit)


def sample(rng: np.random.Generator, n: int) -> Inputs:
    """Draw `n` customers, and whether each leaves: 0 or 1."""
    values = _customers(rng, n)
    chance = rng.random(n)
    return Inputs(values, (chance < _leaving(values)).astype(np.float64), (chance < _leaving_after_drift(values)).astype(np.float64))


def train() -> Trained:
    """Train the stable model, a logistic regression, and the canary, gradient-boosted trees."""
    training = sample(np.random.default_rng(_TRAINING_SEED), _TRAINING_ROWS)
    half = _TRAINING_ROWS // 2
    stable = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    stable.fit(training.values[:half], training.truth[:half].astype(int))
    # Not the histogram-based kind: its OpenMP threads wait for each other for milliseconds on a busy machine, for each tree.
    canary = GradientBoostingClassifier(n_estimators=60, max_depth=3, learning_rate=0.2, subsample=0.7, random_state=1)
    canary.fit(training.values[half:], training.truth[half:].astype(int))
    return Trained(stable, canary, np.median(training.values, axis=0), training.values.std(axis=0))


CHURN = Service("churn", "binary", "3.1.0", "3.2.0", FEATURES, train, sample)
