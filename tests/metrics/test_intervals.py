"""Intervals against published values, and their coverage by seeded simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from pipeline.cells import Floats
from pipeline.metrics.intervals import f1_bounds, katz, mean_bounds, newcombe, wilson

DRAWS = 20_000


def test_wilson_gives_the_values_of_newcombe_1998_single_proportion_table_1() -> None:
    low, high = wilson(_floats(81, 15, 0, 1), _floats(263, 148, 20, 29))
    np.testing.assert_allclose(low, [0.2553, 0.0624, 0.0000, 0.0061], atol=5e-5)
    np.testing.assert_allclose(high, [0.3662, 0.1605, 0.1611, 0.1718], atol=5e-5)


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (3, 7), (50, 50), (999, 100_000)])
def test_wilson_agrees_with_scipy(successes: int, n: int) -> None:
    expected = binomtest(successes, n).proportion_ci(method="wilson")
    low, high = wilson(_floats(successes), _floats(n))
    assert (low[0], high[0]) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_nothing_is_undefined() -> None:
    assert np.isnan(wilson(_floats(0), _floats(0))).all()


def test_newcombe_gives_the_values_of_method_10_in_newcombe_1998_table_2() -> None:
    low, high = newcombe(
        _floats(56, 9, 6, 5, 0, 0, 10, 10),
        _floats(70, 10, 7, 56, 10, 10, 10, 10),
        _floats(48, 3, 2, 0, 0, 0, 0, 0),
        _floats(80, 10, 7, 29, 20, 10, 20, 10),
    )
    np.testing.assert_allclose(low, [0.0524, 0.1705, 0.0582, -0.0381, -0.1611, -0.2775, 0.6791, 0.6075], atol=5e-5)
    np.testing.assert_allclose(high, [0.3339, 0.8090, 0.8062, 0.1926, 0.2775, 0.2775, 1.0000, 1.0000], atol=5e-5)


def test_katz_gives_the_interval_of_the_physicians_health_study() -> None:
    """Agresti, Categorical Data Analysis: heart attacks 189/11034 with placebo, 104/11037 with aspirin: 1.43 to 2.31."""
    low, high = katz(_floats(189), _floats(11_034), _floats(104), _floats(11_037))
    assert (low[0], high[0]) == pytest.approx((1.433, 2.306), abs=1e-3)


def test_katz_is_undefined_where_none_converted() -> None:
    low, high = katz(_floats(0, 3), _floats(9, 9), _floats(3, 0), _floats(9, 9))
    assert np.isnan(low).all()
    assert np.isnan(high).all()


def test_the_f1_interval_has_the_width_of_the_delta_method_when_n_is_large() -> None:
    true, wrong = 60_000.0, 25_000.0
    f1 = 2 * true / (2 * true + wrong)
    half = 1.959964 * np.sqrt(f1 * (1 - f1) * (2 - f1) / (2 * true + wrong))
    low, high = f1_bounds(_floats(true), _floats(wrong))
    assert (high[0] - low[0]) / 2 == pytest.approx(half, rel=1e-3)
    assert (low[0], high[0]) == pytest.approx((f1 - half, f1 + half), abs=0.01 * half)


@pytest.mark.parametrize("n", [30, 100, 1000])
@pytest.mark.parametrize("cells", [(0.2, 0.05, 0.1, 0.65), (0.4, 0.02, 0.02, 0.56), (0.1, 0.2, 0.1, 0.6)])
def test_the_f1_interval_covers_the_true_f1(n: int, cells: tuple[float, float, float, float]) -> None:
    counts = np.random.default_rng(n).multinomial(n, cells, DRAWS).astype(np.float64)
    low, high = f1_bounds(counts[:, 0], counts[:, 1] + counts[:, 2])
    f1 = 2 * cells[0] / (2 * cells[0] + cells[1] + cells[2])
    assert 0.935 <= np.mean((low <= f1) & (f1 <= high)) <= 0.975


@pytest.mark.parametrize(("n", "base_n", "rate", "base_rate"), [(60, 40, 0.2, 0.1), (500, 500, 0.06, 0.05), (2000, 100, 0.5, 0.5)])
def test_the_uplift_intervals_cover_the_true_uplift(n: int, base_n: int, rate: float, base_rate: float) -> None:
    random = np.random.default_rng(n)
    arm, base = random.binomial(n, rate, DRAWS).astype(np.float64), random.binomial(base_n, base_rate, DRAWS).astype(np.float64)
    low, high = newcombe(arm, _floats(n), base, _floats(base_n))
    assert 0.94 <= np.mean((low <= rate - base_rate) & (rate - base_rate <= high)) <= 0.97
    low, high = katz(arm, _floats(n), base, _floats(base_n))
    defined = ~np.isnan(low)
    assert 0.94 <= np.mean((low <= rate / base_rate)[defined] & (rate / base_rate <= high)[defined]) <= 0.985


def test_the_interval_of_mae_covers_the_true_mean() -> None:
    errors = np.abs(np.random.default_rng(1).normal(0, 2, (DRAWS, 50)))
    low, high = mean_bounds(errors.mean(axis=1), np.mean(errors**2, axis=1), _floats(50))
    truth = 2 * np.sqrt(2 / np.pi)
    assert 0.93 <= np.mean((low <= truth) & (truth <= high)) <= 0.96


def test_the_mean_of_one_has_no_interval() -> None:
    low, high = mean_bounds(_floats(2), _floats(4), _floats(1))
    assert np.isnan([low[0], high[0]]).all()


def _floats(*values: float) -> Floats:
    return np.array(values, dtype=np.float64)
