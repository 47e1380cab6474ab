"""Ids for texts, kept on disk with the shard, and the limits on how many of them are kept apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

import numpy as np
import orjson

from pipeline.cells import Ints
from pipeline.columns import KeySet, Profile
from pipeline.settings import Limits
from pipeline.shard.admissions import COMBINATION, KEY_SET, Admissions, OwnAdmissions
from schemas.metrics import ALL, OTHER

Item = TypeVar("Item", bound=Hashable)
Scope = tuple[int, int, int]
"""Text ids of (model, model_version, segment)."""
_LARGEST_SET = 4
"""A set of features is kept when it is no larger than this times what a model may have: memory holds each set."""
_MOST_KNOWN = 20_000
"""So many profiles are looked up at once; the others name by name."""
NewNames = dict[str, list[Any]]
"""For each table the items that were added, in the order of their ids."""


class Interner(Generic[Item]):
    """A table of distinct items; an item's id is its position."""

    def __init__(self, *first: Item) -> None:
        self.items: list[Item] = []
        self._ids: dict[Item, int] = {}
        for item in first:
            self.id_of(item)
        self._taken = len(self.items)

    def id_of(self, item: Item) -> int:
        """Return the item's id, adding the item if it is new."""
        found = self._ids.setdefault(item, len(self.items))
        if found == len(self.items):
            self.items.append(item)
        return found

    def added(self) -> list[Item]:
        """Return the items that are new since the last call."""
        new = self.items[self._taken :]
        self._taken = len(self.items)
        return new

    def load(self, items: Iterable[Item]) -> None:
        """Take over items that were stored earlier, in the order of their ids."""
        for item in items:
            self.id_of(item)
        self._taken = len(self.items)


@dataclass(slots=True)
class NameTables:
    """All tables of a shard. `members` records which names count towards which limit: (kind, owner, name).

    `admissions` decides which new names are kept; without it the shard decides alone.
    """

    limits: Limits
    admissions: Admissions = field(default_factory=OwnAdmissions)
    texts: Interner[str] = field(default_factory=lambda: Interner(ALL, OTHER))
    features: Interner[str] = field(default_factory=lambda: Interner(OTHER))
    variants: Interner[str] = field(default_factory=lambda: Interner("", OTHER))
    classes: Interner[str] = field(default_factory=lambda: Interner(orjson.dumps(OTHER).decode()))
    scopes: Interner[Scope] = field(default_factory=Interner)
    key_sets: Interner[tuple[int, ...]] = field(default_factory=lambda: Interner(()))
    profiles: Interner[tuple[int, ...]] = field(default_factory=Interner)
    members: Interner[tuple[str, str, str]] = field(default_factory=Interner)
    profile_scopes: list[Ints] = field(default_factory=list)
    folded: Counter[str] = field(default_factory=Counter)
    """How often a name was folded, by kind: once for each batch that held it."""
    _key_sets: OwnAdmissions = field(default_factory=OwnAdmissions)
    _profiles_of: Counter[int] = field(default_factory=Counter)
    _known: dict[Profile, int] = field(default_factory=dict)
    _parts: dict[Hashable, Any] = field(default_factory=dict)
    """What known profiles are made of, each once: many combinations have few names and values, and each delivery brings its own copies."""

    TABLES = ("texts", "features", "variants", "classes", "scopes", "key_sets", "profiles", "members")

    def table(self, name: str) -> Interner[Any]:
        """Return the table of that name."""
        return cast("Interner[Any]", getattr(self, name))

    def admit(self, kind: str, owner: str, name: str, limit: int) -> str:
        """Return `name`, or `__other__` when `owner` has as many distinct names of that kind as it may."""
        kept = self._kept(self.admissions, kind, owner, name, limit)
        if kept != name:
            self._fold(kind, owner, limit)
        return kept

    def _kept(self, admissions: Admissions, kind: str, owner: str, name: str, limit: int) -> str:
        if name == OTHER or (kind, owner, name) in self.members._ids:
            return name
        if not admissions.admits(kind, owner, name, limit):
            return OTHER
        self.members.id_of((kind, owner, name))
        return name

    def _fold(self, kind: str, owner: str, limit: int) -> None:
        self.folded[kind] += 1
        self.admissions.note_folded(kind, owner, limit)

    def _owner(self, model: str) -> str:
        """Return to whose limits a model's names count: all models beyond the limit share theirs, or endless models had endless names."""
        return self._kept(self.admissions, "model", "", model, self.limits.models)

    def profile(self, profile: Profile) -> int:
        """Return the id of a profile (model, version, segments), folded to the limits."""
        found = self._known.get(profile)
        if found is not None:
            return found
        folded = self.folded.total()
        found = self._profile(profile)
        if self.folded.total() == folded:  # what is kept stays kept; what is folded is counted each time
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
                self._parts.clear()
            once = self._parts.setdefault
            segments = tuple(once(pair, pair) for pair in profile.segments)
            self._known[Profile(once(profile.model, profile.model), once(profile.version, profile.version), segments)] = found
        return found

    def _profile(self, profile: Profile) -> int:
        limits = self.limits
        model = self.admit("model", "", profile.model, limits.models)
        version = self.admit("version", model, profile.version, limits.versions_per_model) if profile.version else ALL
        segments = []
        for name, value in profile.segments:
            kept = self.admit("segment", model, name, limits.segment_names_per_model)
            if kept != OTHER:
                owner = orjson.dumps([model, name]).decode()
                segments.append(f"{name}={self.admit('value', owner, value, limits.segment_values_per_name)}")
        text = self.texts.id_of
        whole = (text(model), text(version))
        found = self.profiles.id_of(self._within_limit((*whole, *sorted(set(map(text, segments)))), model))
        self._extend_scopes()
        return found

    def _within_limit(self, profile: tuple[int, ...], model: str) -> tuple[int, ...]:
        """Return a profile, without its segments when the model has too many combinations of them: memory holds each that was ever seen."""
        if profile in self.profiles._ids:
            return profile
        limit = self.limits.segment_combinations_per_model
        if len(profile) > 2 and self._profiles_of[profile[0]] >= limit:
            self._fold(COMBINATION, model, limit)
            return profile[:2]
        self._profiles_of[profile[0]] += 1
        return profile

    def _extend_scopes(self) -> None:
        """Work out the scopes of profiles that have none yet: {*, version} x {*, each segment}."""
        everything = 0
        for model, version, *segments in self.profiles.items[len(self.profile_scopes) :]:
            versions = [everything] if version == everything else [everything, version]
            scopes = [self.scopes.id_of((model, v, s)) for v in versions for s in [everything, *segments]]
            self.profile_scopes.append(np.array(scopes, dtype=np.int64))

    def model_of(self, profile: int) -> str:
        """Return the name of the model that a profile belongs to."""
        return self.texts.items[self.profiles.items[profile][0]]

    def key_set(self, key_set: KeySet) -> int | None:
        """Return the id of a set of feature names, or None when the model has too many different sets, or it is larger than it may be.

        Then its features are counted one by one, which is slower and gives the same numbers: so each shard decides that for itself.
        A feature beyond the limit stands in it as `__other__`, each once: as often as its nulls are counted.
        """
        owner, limits = self._owner(key_set.model), self.limits
        if len(key_set.features) > _LARGEST_SET * limits.features_per_model:
            self._fold(KEY_SET, owner, limits.key_sets_per_model)
            return None
        features = tuple(sorted(self.feature(key_set.model, name) for name in key_set.features))
        name = orjson.dumps(features).decode()
        if features and self._kept(self._key_sets, KEY_SET, owner, name, limits.key_sets_per_model) == OTHER:
            self._fold(KEY_SET, owner, limits.key_sets_per_model)
            return None
        return self.key_sets.id_of(features)

    def feature(self, model: str, name: str) -> int:
        """Return the id of a feature."""
        return self.features.id_of(self.admit("feature", self._owner(model), name, self.limits.features_per_model))

    def variant(self, model: str, name: str) -> int:
        """Return the id of an experiment arm; 0 is none."""
        return self.variants.id_of(self.admit("variant", self._owner(model), name, self.limits.variants_per_model)) if name else 0

    def class_(self, model: str, json_text: str) -> int:
        """Return the id of a class."""
        admitted = self.admit("class", self._owner(model), json_text, self.limits.classes_per_model)
        return 0 if admitted == OTHER else self.classes.id_of(admitted)

    def added(self) -> NewNames:
        """Return what is new in each table since the last call."""
        return {name: new for name in self.TABLES if (new := self.table(name).added())}

    def load(self, table: str, items: list[Any]) -> None:
        """Take over a table that was stored earlier."""
        self.table(table).load(tuple(item) if isinstance(item, list) else item for item in items)
        if table == "members":
            self._key_sets.learn(self.members.items)
            self.admissions.learn(self.members.items)
        if table == "profiles":
            self._profiles_of.update(model for model, *_ in self.profiles.items)
            self._extend_scopes()
