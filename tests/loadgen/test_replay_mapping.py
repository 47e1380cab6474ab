from __future__ import annotations

import pytest

from loadgen.replay.mapping import map_columns
from schemas.errors import ConfigurationError


def test_obvious_columns_are_guessed_and_the_rest_become_features() -> None:
    mapping = map_columns(["id", "ts", "y_pred", "Probability", "y_true", "latency", "version", "age", "plan"], {}, None)
    assert mapping.fields == {
        "created_at": "ts", "prediction": "y_pred", "prediction_id": "id", "model_version": "version",
        "response_time_ms": "latency", "score": "Probability", "label": "y_true",
    }  # fmt: skip
    assert mapping.features == {"age": "age", "plan": "plan"}


@pytest.mark.parametrize("name", ["created_at", "timestamp", "ts", "event_time"])
def test_the_time_has_many_names(name: str) -> None:
    assert map_columns([name, "pred"], {}, None).fields["created_at"] == name


@pytest.mark.parametrize("name", ["label", "target", "y_true", "actual"])
def test_the_label_has_many_names(name: str) -> None:
    assert map_columns(["ts", "pred", name], {}, None).fields["label"] == name


def test_what_is_said_goes_before_what_is_guessed() -> None:
    mapping = map_columns(
        ["ts", "created_at", "pred", "churned", "region"], {"created_at": "ts", "label": "churned", "segments.area": "region"}, None
    )
    assert mapping.fields["created_at"] == "ts"
    assert mapping.fields["label"] == "churned"
    assert mapping.segments == {"area": "region"}
    assert mapping.features == {"created_at": "created_at"}


def test_an_empty_column_name_stops_a_guess() -> None:
    mapping = map_columns(["ts", "pred", "id"], {"prediction_id": ""}, None)
    assert "prediction_id" not in mapping.fields
    assert mapping.features == {"id": "id"}


def test_named_features_are_the_only_ones() -> None:
    mapping = map_columns(["ts", "pred", "a", "b", "label"], {}, ["a"])
    assert (mapping.features, mapping.unused, mapping.fields["label"]) == ({"a": "a"}, ("b",), "label")


def test_a_column_named_as_a_feature_is_not_guessed_to_be_a_field() -> None:
    mapping = map_columns(["ts", "pred", "target"], {}, ["target"])
    assert mapping.features == {"target": "target"}
    assert "label" not in mapping.fields


def test_a_minus_leaves_a_column_out() -> None:
    mapping = map_columns(["ts", "pred", "a", "notes"], {}, ["-notes"])
    assert (mapping.features, mapping.unused) == ({"a": "a"}, ("notes",))


def test_the_columns_of_our_own_events_are_understood() -> None:
    mapping = map_columns(["prediction_id", "model", "created_at", "prediction", "features", "segments", "schema_version"], {}, None)
    assert mapping.unused == ("model", "schema_version")
    assert mapping.fields["features"] == "features"
    assert mapping.features == {}


@pytest.mark.parametrize(
    ("columns", "asked", "features", "says"),
    [
        (
            ["when", "pred"],
            {},
            None,
            "no column says when a prediction was made - name it with --map created_at=COLUMN; columns are when, pred",
        ),
        (["ts", "answer"], {}, None, "no column says what was predicted"),
        (["ts", "pred"], {"lable": "pred"}, None, "no field 'lable' - did you mean label"),
        (["ts", "pred", "region"], {"segments.region": "regoin"}, None, "no column 'regoin' - did you mean region"),
        (["ts", "pred"], {"segments.": "pred"}, None, "no field 'segments.'"),
        (["ts", "pred", "age"], {}, ["agee"], "--features: there is no column 'agee' - did you mean age"),
        (["ts", "pred", "a", "b"], {}, ["a", "-b"], "both with and without a minus"),
    ],
)
def test_a_mapping_that_cannot_be_is_explained(columns: list[str], asked: dict[str, str], features: list[str] | None, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        map_columns(columns, asked, features)
