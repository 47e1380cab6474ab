"""Numbers are written alike by the server and by the browser."""

from __future__ import annotations

import base64
import math
from pathlib import Path

import pytest
from playwright.sync_api import Browser

import dashboard
from dashboard.format import age, number, style_of
from dashboard.names import NAMES
from schemas.metrics import METRICS

NUMBERS_JS = Path(dashboard.__file__).parent / "assets" / "numbers.js"
STYLES = ["percent", "percentage", "points", "score", "ms", "rate", "count", "plain"]
VALUES = [0.0, 1e-9, 0.0004, 0.00996, 0.01, 0.0123, 0.05, 0.116, 0.5, 0.99949, 0.9996, 1.0, 9.94, 9.96, 12.345, 99.4, 99.6, 100.0]
VALUES += [999.4, 999.6, 1_000.0, 1_234.0, 9_960.0, 12_345.6, 999_499.0, 999_501.0, 1_234_567.0, 2.5e9, 1e25]
VALUES += [1.005, 2.675, 0.125, 0.375, 1.5, 2.5, 0.0625, 8.345, 99.95, 0.99995]  # halves, some only as they are written


@pytest.mark.parametrize(
    ("value", "style", "text"),
    [
        (0.1163, "percent", ("11.6", "%")),
        (0.0034, "percent", ("0.34", "%")),
        (1.52, "percentage", ("1.5", "%")),
        (0.0123, "points", ("+1.2", "pp")),
        (-0.0123, "points", ("\u22121.2", "pp")),
        (0.8425, "score", ("0.843", "")),
        (8.253, "ms", ("8.25", "ms")),
        (45.26, "ms", ("45.3", "ms")),
        (234.4, "ms", ("234", "ms")),
        (1_234.0, "ms", ("1.23", "s")),
        (12_345.0, "count", ("12,345", "")),
        (1_234_567.0, "count", ("1.23\u202fM", "")),
        (120.4, "rate", ("120", "/s")),
        (math.nan, "percent", ("\u2013", "")),
        (-0.00001, "points", ("0.0", "pp")),
        (2.5, "count", ("3", "")),
        (1e300, "plain", ("1" + ",000" * 98 + "\u202fM", "")),
    ],
)
def test_digits_and_units(value: float, style: str, text: tuple[str, str]) -> None:
    assert number(value, style) == text


def test_every_metric_has_a_style_that_fits_its_unit() -> None:
    fitting = {"ms": {"ms"}, "%": {"percentage"}, "1/s": {"rate"}, "": {"count"}, "currency": {"plain"}, "target": {"plain"}}
    for metric in METRICS.values():
        shares = {"percent", "points", "score"}
        assert style_of(metric.name) in fitting.get(metric.unit, shares), metric.name


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(-5, "0 s"), (999, "0 s"), (59_999, "59 s"), (60_000, "1 min"), (3_599_999, "59 min"), (3_600_000, "1 h"), (86_400_000, "1 d")],
)
def test_ages_are_in_their_largest_whole_unit(milliseconds: int, text: str) -> None:
    assert age(milliseconds) == text.replace(" ", "\u202f")


def test_the_browser_writes_the_same(browser: Browser) -> None:
    page = browser.new_page()
    source = base64.b64encode(NUMBERS_JS.read_bytes()).decode()
    values = sorted({*VALUES, *(-value for value in VALUES)})
    written = page.evaluate(
        """async ([source, values, styles]) => {
            const { number, age } = await import("data:text/javascript;base64," + source);
            const numbers = values.map((value) => styles.map((style) => number(value, style)));
            return [numbers, values.filter((value) => value < 1e12).map((value) => age(value * 1000))];
        }""",
        [source, values, STYLES],
    )
    page.close()
    assert written[0] == [[list(number(value, style)) for style in STYLES] for value in values]
    assert written[1] == [age(value * 1000) for value in values if value < 1e12]


def test_each_metric_has_a_name_of_its_own() -> None:
    assert set(NAMES) == set(METRICS)
    assert len(set(NAMES.values())) == len(NAMES)
