"""What is configured about a model is found again in the publisher's ids."""

from __future__ import annotations

import pytest

from pipeline.publish.hints import NONE, Hint, Hints, class_text
from pipeline.publish.names import PublishedNames
from pipeline.settings import ModelSettings


@pytest.mark.parametrize(
    ("configured", "text"),
    [
        ("1", "1"),
        ("true", "1"),
        ("false", "0"),
        ("1.0", "1.0"),
        ("yes", '"yes"'),
        ('"1"', '"1"'),
        ("", '""'),
        ("null", '"null"'),
        ("[1]", '"[1]"'),
    ],
)
def test_a_configured_class_is_the_json_value_that_it_says_and_else_a_text(configured: str, text: str) -> None:
    assert class_text(configured) == text


def test_a_scope_has_the_hint_of_its_model_and_others_have_none() -> None:
    names = PublishedNames()
    names.learn(0, {"texts": (0, ["*", "__other__", "churn", "price"]), "scopes": (0, [[2, 0, 0], [3, 0, 0]])})
    settings = ModelSettings(task="binary", positive_class="true", classes=["0", "1"])
    hints = Hints({"churn": settings, "never-seen": ModelSettings(task="regression")}, names)
    of_churn = hints.of(0)
    assert of_churn.task == 1
    assert names.classes.items[of_churn.positive_class] == "1"
    assert [names.classes.items[id_] for id_ in hints.class_sets[of_churn.class_set].tolist()] == ["0", "1"]
    assert hints.of(1) == Hint(0, NONE, NONE)


def test_the_last_of_a_binary_models_classes_is_the_positive_one_when_none_is_named() -> None:
    names = PublishedNames()
    names.learn(0, {"texts": (0, ["*", "__other__", "churn"]), "scopes": (0, [[2, 0, 0]])})
    hints = Hints({"churn": ModelSettings(task="binary", classes=["stay", "leave"])}, names)
    assert names.classes.items[hints.of(0).positive_class] == '"leave"'
