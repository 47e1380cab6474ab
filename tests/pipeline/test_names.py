"""Names get ids that last; beyond a limit they are counted together as `__other__`, and cost no more memory."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cells import Kind, cell_keys
from pipeline.columns import KeySet, Profile
from pipeline.panes import pane_ids, pane_scope
from pipeline.publish.names import PublishedNames
from pipeline.settings import Limits
from pipeline.shard.names import NameTables
from pipeline.shard.state import ShardState
from schemas.metrics import OTHER

LIMITS = Limits(
    models=2,
    versions_per_model=2,
    segment_names_per_model=2,
    segment_values_per_name=2,
    features_per_model=2,
    key_sets_per_model=3,
    classes_per_model=2,
    variants_per_model=2,
)


def scopes_of(names: NameTables, profile: int) -> set[tuple[str, ...]]:
    texts = names.texts.items
    return {tuple(texts[part] for part in names.scopes.items[scope]) for scope in names.profile_scopes[profile].tolist()}


def test_an_event_counts_for_all_and_for_its_version_and_for_all_and_each_of_its_segments() -> None:
    names = NameTables(Limits())
    profile = names.profile(Profile("churn", "v1", (("plan", "pro"), ("region", "eu"))))
    expected = {("churn", version, segment) for version in ("*", "v1") for segment in ("*", "plan=pro", "region=eu")}
    assert scopes_of(names, profile) == expected
    assert len(names.profile_scopes[profile]) == len(expected)


def test_a_version_named_star_is_not_counted_twice() -> None:
    names = NameTables(Limits())
    assert scopes_of(names, names.profile(Profile("churn", "*", ()))) == {("churn", "*", "*")}


def test_what_is_beyond_a_limit_is_counted_as_other_and_what_was_first_stays() -> None:
    names = NameTables(LIMITS)
    for model in "abc":
        for version in "123":
            names.profile(Profile(model, version, (("r", f"v{version}"), (f"n{version}", "x"))))
    seen = {names.texts.items[scope[0]] for scope in names.scopes.items}
    assert seen == {"a", "b", OTHER}
    of_a = {tuple(names.texts.items[part] for part in scope[1:]) for scope in names.scopes.items if names.texts.items[scope[0]] == "a"}
    assert {version for version, _ in of_a} == {"*", "1", "2", OTHER}
    assert {segment for _, segment in of_a} == {"*", "r=v1", "r=v2", f"r={OTHER}", "n1=x"}
    assert names.folded["model"] == 3
    assert scopes_of(names, names.profile(Profile("a", "1", (("r", "v1"),)))) >= {("a", "1", "r=v1")}


def test_classes_variants_and_features_fold_for_each_model_apart() -> None:
    names = NameTables(LIMITS)
    for model in ("a", "b"):
        assert [names.classes.items[names.class_(model, text)] for text in ("1", "2", "3", "1")] == ["1", "2", '"__other__"', "1"]
        assert [names.variants.items[names.variant(model, text)] for text in ("x", "y", "z", "")] == ["x", "y", OTHER, ""]
        assert [names.features.items[names.feature(model, text)] for text in ("f", "g", "h")] == ["f", "g", OTHER]


def test_endless_new_models_do_not_fill_the_memory() -> None:
    names = NameTables(LIMITS)
    for number in range(200):
        model = f"m{number}"
        names.key_set(KeySet(model, ("f", "g")))
        names.profile(Profile(model, f"v{number}", (("s", f"{number}"),)))
        names.class_(model, f"{number}")
        names.variant(model, f"{number}")
        names.feature(model, f"{number}")
    assert max(len(names.table(table).items) for table in NameTables.TABLES) < 60
    assert names.folded["model"] >= 198


def test_many_combinations_of_few_segments_take_no_memory_for_the_texts_of_each() -> None:
    tables, deliveries = NameTables(Limits()), 40

    def deliver(first: int) -> None:
        """Have profiles named that bring texts of their own, as those of each delivery do."""
        for number in range(first, first + 50):
            values = [f"value {number >> place & 1}".ljust(200) for place in range(11)]
            tables.profile(Profile("churn", "v1", tuple((f"segment {place}".ljust(200), value) for place, value in enumerate(values))))

    tracemalloc.start()
    try:
        deliver(0)
        before, _ = tracemalloc.get_traced_memory()
        for delivery in range(1, deliveries):
            deliver(50 * delivery)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / (50 * (deliveries - 1)) < 2_000  # ids and scopes; the texts alone would be 5,000


def test_features_beyond_the_limit_are_each_counted_as_sent() -> None:
    names = NameTables(LIMITS)
    key_set = names.key_set(KeySet("a", ("f", "g", "h", "i")))
    assert key_set is not None
    assert sorted(names.features.items[feature] for feature in names.key_sets.items[key_set]) == [OTHER, OTHER, "f", "g"]


def test_a_set_of_features_that_is_far_larger_than_the_limit_is_not_kept() -> None:
    names = NameTables(LIMITS)
    assert names.key_set(KeySet("a", tuple(f"f{number}" for number in range(9)))) is None
    assert names.folded["key set"] == 1
    assert len(names.key_sets.items) == 1


def test_beyond_the_limit_of_combinations_an_event_counts_for_its_version_and_for_none_of_its_segments() -> None:
    names = NameTables(replace(Limits(), segment_combinations_per_model=3))
    profiles = [Profile("a", "v1", (("r", f"{number}"), ("s", "x"))) for number in range(5)]
    ids = [names.profile(profile) for profile in profiles]
    assert len(set(ids)) == 4
    assert scopes_of(names, ids[4]) == {("a", "*", "*"), ("a", "v1", "*")}
    assert scopes_of(names, names.profile(Profile("b", "v1", (("r", "9"),)))) >= {("b", "*", "r=9")}
    assert (names.folded["segment combination"], names.profile(profiles[2])) == (2, ids[2])
    again = NameTables(names.limits)
    for table in NameTables.TABLES:
        again.load(table, list(names.table(table).items))
    assert [again.profile(profile) for profile in profiles] == ids


def test_more_sets_of_features_than_the_limit_are_not_kept_apart() -> None:
    names = NameTables(replace(LIMITS, features_per_model=100))
    ids = [names.key_set(KeySet("a", (f"f{number}",))) for number in range(5)]
    assert ids[3:] == [None, None]
    assert len(set(ids[:3])) == 3
    assert names.key_set(KeySet("a", ())) == 0


OPERATIONS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["1", "2", "3"]), st.sampled_from(["x", "y", "z"])), min_size=1, max_size=15
)


def use(names: NameTables, operations: list[tuple[str, str, str]]) -> list[object]:
    return [
        (
            names.profile(Profile(model, version, ((name, version),))),
            names.key_set(KeySet(model, (name, version))),
            names.class_(model, version),
            names.variant(model, name),
        )
        for model, version, name in operations
    ]


@given(OPERATIONS, OPERATIONS)
def test_after_a_restart_each_name_has_the_id_and_the_limits_that_it_had(
    before: list[tuple[str, str, str]], after: list[tuple[str, str, str]]
) -> None:
    lasting, restarted = NameTables(LIMITS), NameTables(LIMITS)
    use(lasting, before)
    stored = {table: orjson.loads(orjson.dumps(items)) for table, items in lasting.added().items()}
    for table in NameTables.TABLES:
        restarted.load(table, stored.get(table, []))
    assert restarted.added() == {}
    assert use(restarted, before + after) == use(lasting, before + after)
    assert [list(restarted.table(table).items) for table in NameTables.TABLES] == [
        list(lasting.table(table).items) for table in lasting.TABLES
    ]


def test_names_are_on_disk_with_the_shard(tmp_path: Path) -> None:
    operations = [("a", "1", "x"), ("b", "2", "y"), ("a", "3", "z"), ("c", "1", "x")]
    state, names = ShardState(tmp_path), NameTables(LIMITS)
    state.load_names(names)
    for part in (operations[:2], operations[2:]):
        use(names, part)
        batch = state.store.batch()
        state.put_names(batch, names.added())
        state.store.write(batch)
        del batch  # it holds the folder open
    state.close()
    again, restored = ShardState(tmp_path), NameTables(LIMITS)
    again.load_names(restored)
    again.close()
    assert use(restored, operations) == use(names, operations)


def told(names: NameTables) -> dict[str, tuple[int, list[object]]]:
    """Return all names of a shard as it tells them when it starts."""
    return {table: (0, list(names.table(table).items)) for table in NameTables.TABLES}


@given(OPERATIONS, OPERATIONS)
def test_the_publisher_finds_one_name_for_what_shards_number_differently(
    first: list[tuple[str, str, str]], second: list[tuple[str, str, str]]
) -> None:
    published = PublishedNames()
    for shard, operations in enumerate((first, second)):
        names = NameTables(Limits())
        used = use(names, operations)
        published.learn(shard, told(names))
        for (model, version, name), (_, key_set, class_, variant) in zip(operations, used, strict=True):
            scope = names.scopes.id_of(tuple(map(names.texts.id_of, (model, version, f"{name}={version}"))))
            panes = published.pane_ids(shard, pane_ids(0, np.array([60_000]), np.array([scope])))
            assert published.scope(int(pane_scope(panes)[0])) == (model, version, f"{name}={version}")
            for kind, id_, expected in (
                (Kind.CONFUSION, class_, cell_keys(Kind.CONFUSION, *[published.classes.id_of(version)] * 2)),
                (Kind.CONVERTED, variant, cell_keys(Kind.CONVERTED, published.variants.id_of(name))),
                (Kind.ERROR, 0, cell_keys(Kind.ERROR)),
            ):
                mine = cell_keys(kind, np.array([id_]), np.array([id_ if kind == Kind.CONFUSION else 0]))
                assert published.cell_keys(shard, mine)[0] == expected
            theirs = published.cell_keys(shard, cell_keys(Kind.KEYS, np.array([key_set]), np.array([0])))
            features = published.for_metrics().key_sets[int(theirs[0]) >> 28 & (1 << 28) - 1]
            assert {published.features.items[feature] for feature in features.tolist()} == {name, version}


def test_names_that_were_never_told_are_an_error_and_names_told_twice_are_not() -> None:
    published = PublishedNames()
    published.learn(0, {"texts": (0, ["*", OTHER, "a"])})
    published.learn(0, {"texts": (0, ["*", OTHER, "a", "b"])})
    assert published.texts.items == ["*", OTHER, "a", "b"]
    with pytest.raises(ValueError, match="shard 0 speaks of texts 7, but only 4 are known"):
        published.learn(0, {"texts": (7, ["c"])})
