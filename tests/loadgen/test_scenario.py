from __future__ import annotations

from pathlib import Path

import pytest

from loadgen.models import SERVICES
from loadgen.scenario import Scenario
from loadgen.scenario_files import FOLDER, known_scenarios, load_scenario
from schemas.errors import ConfigurationError


def _changed(tmp_path: Path, old: str, new: str) -> str:
    text = (FOLDER / "demo.toml").read_text()
    assert old in text
    path = tmp_path / "changed.toml"
    path.write_text(text.replace(old, new, 1))
    return str(path)


@pytest.mark.parametrize("name", known_scenarios())
def test_each_scenario_that_has_a_name_can_be_played(name: str) -> None:
    assert load_scenario(name).name == name


def test_an_unknown_scenario_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="did you mean demo\\? known are demo, flood, soak, steady"):
        load_scenario("dmeo")


def test_the_demo_has_each_kind_of_incident_within_its_first_three_minutes(demo: Scenario) -> None:
    kinds = [incident.__struct_config__.tag for incident in demo.incidents]
    assert sorted(map(str, kinds)) == [
        "concept_drift", "conversion_drop", "drifted_segment", "failing_version", "latency_spike", "null_burst",
    ]  # fmt: skip
    assert max(incident.at + incident.lasts for incident in demo.incidents) <= 180_000


def test_the_demo_serves_all_models_with_few_scopes_each(demo: Scenario) -> None:
    assert [model.name for model in demo.models] == list(SERVICES)
    for model in demo.models:
        assert len(model.segments) <= 2
        assert all(2 <= len(values) <= 4 for values in model.segments.values())


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("rate = 200.0", "rate = -1.0", r"\$\.rate"),
        ("rate = 200.0", "rat = 200.0", "unknown field `rat`"),
        ('cycle = "4m"', 'cycle = "soon"', r"'soon' is not a duration.*\$\.cycle"),
        ('kind = "latency_spike"', 'kind = "latency_spkie"', "latency_spkie"),
        ('feature = "data_usage_gb"', 'feature = "data"', "churn has no feature 'data' - at `.*` - known are tenure_months"),
        ('value = "phone"', 'value = "watch"', "digits has no segment device=watch - at `.*` - known are device=scanner, device=phone"),
        ('name = "digits"', 'name = "digit"', "there is no model 'digit' - at `.*` - known are churn, digits, diabetes-progression"),
        ('cycle = "4m"', 'cycle = "2m"', "ends after the cycle"),
        ("rate = 200.0", "rate = ", "changed.toml"),
        ("rate = 200.0", "rate = nan", r"expected a finite number, got nan - at `\$\.rate`"),
        ("median_ms = 18.0", "median_ms = inf", r"\$\.models\[0\]\.latency\.median_ms"),
        ("peak_hour = 15.0", "peak_hour = inf", r"\$\.models\[0\]\.peak_hour"),
        ('cycle = "4m"', 'cycle = "0s"', r"\$\.cycle"),
        ('cycle = "4m"', 'cycle = "4m"\nfor = "0s"', r"must last longer than nothing - at `\$\.for`"),
        ('cycle = "4m"', 'cycle = "4m"\nspeed = 0.0', r"\$\.speed"),
        ("factor = 6.0", "factor = -3.0", r">= 0\.0 - at `\$\.incidents\[0\]\.factor"),
        ("factor = 6.0", "factor = 1e7", r"<= 1000000\.0 - at `\$\.incidents\[0\]\.factor"),
        ("share = 0.6", "share = 7.0", r"<= 1\.0 - at `\$\.incidents\[1\]\.share"),
        ('version = "canary"', 'version = "canry"', r"'canry' - at `\$\.incidents\[4\]\.version"),
        ("canary = 0.1\n", "canary = 0.0\n", r"no request to diabetes-progression goes to its canary - at `\$\.incidents\[4\]"),
        (
            "factor = 0.15",
            'factor = 0.15\nvariant = "treatmnt"',
            r"no variant 'treatmnt' - at `\$\.incidents\[5\]\.variant` - known",
        ),
        ('model = "churn"\nat = "145s"', 'model = "digits"\nat = "145s"', r"no experiment.* - at `\$\.incidents\[5\]\.model"),
        ('for = "20s"', 'for = "0s"', r"\$\.incidents\[0\]\.for"),
        ('features = ["ink_centre", "ink_upper_left", "ink_lower_right"]', "features = []", r"\$\.incidents\[2\]\.features"),
        ("region = { amer = 0.45, emea = 0.35, apac = 0.2 }", "region = {}", "length >= 1"),
        ("region = { amer", 'region = { "" ', "length >= 1"),
        ("arms = { control = 0.1, treatment = 0.14 }", "arms = {}", r"length >= 1 - at `\$\.models\[0\]\.experiment\.arms"),
        ('from = "5s", to = "45s"', 'from = "45s", to = "5s"', r"`to` is before `from` - at `\$\.models\[0\]\.label\.to"),
        ('late_to = "2d"', 'late_to = "10s"', r"\$\.models\[0\]\.label\.late_to"),
        ('name = "digits"\nshare', 'name = "churn"\nshare', r"is there twice - at `\$\.models\[1\]\.name"),
        ('cycle = "4m"', 'cycle = "4m"\ntemplates = true', r"copies of templates have no incidents"),
    ],
)
def test_what_a_scenario_file_gets_wrong_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        load_scenario(_changed(tmp_path, old, new))


def test_a_scenario_can_be_a_file_of_ones_own(tmp_path: Path) -> None:
    assert load_scenario(_changed(tmp_path, "rate = 200.0", "rate = 7.0")).rate == 7


def test_a_scenario_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no scenario file"):
        load_scenario(str(tmp_path / "none.toml"))


def test_nothing_is_a_factor_and_a_spread_too(tmp_path: Path) -> None:
    assert load_scenario(_changed(tmp_path, "sigma = 0.3,", "sigma = 0.0,")).models[1].latency.sigma == 0.0
    assert 0.0 in [getattr(one, "factor", 1.0) for one in load_scenario(_changed(tmp_path, "factor = 0.15", "factor = 0.0")).incidents]
