"""The vocabulary of relations, read from ``relations.toml``.

Names follow the MISP relationship list where it has one (misp-objects, ``relationships/definition.json``); each has its
inverse and its STIX 2.1 verb. A source uses no other.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Relation:
    """One relation, read from source to target: *file communicates-with ip*.

    ``sources`` and ``targets`` are sets of indicator types; an empty set stands for every type.
    """

    name: str
    inverse: str
    sources: frozenset[str]
    targets: frozenset[str]
    misp: str
    stix: str
    words: str

    def allows(self, source: str, target: str) -> bool:
        """Whether the relation may run from an indicator of type ``source`` to one of type ``target``."""
        return (not self.sources or source in self.sources) and (not self.targets or target in self.targets)


def _types(names: list[str], groups: dict[str, list[str]]) -> frozenset[str]:
    if "any" in names:
        return frozenset()
    return frozenset(member for name in names for member in groups.get(name, [name]))


@cache
def vocabulary() -> dict[str, Relation]:
    """Every relation by its name, in the order of the table."""
    table = tomllib.loads(Path(__file__).with_name("relations.toml").read_text(encoding="utf-8"))
    groups = table.pop("groups")
    return {
        name: Relation(
            name=name,
            inverse=row["inverse"],
            sources=_types(row["sources"], groups),
            targets=_types(row["targets"], groups),
            misp=row["misp"],
            stix=row["stix"],
            words=row["words"],
        )
        for name, row in table.items()
    }


@cache
def _inverses() -> dict[str, Relation]:
    return {relation.inverse: relation for relation in vocabulary().values()}


def by_name(name: str) -> tuple[Relation, bool]:
    """The relation called ``name``, and whether the name is its inverse (``dropped-by`` is ``drops`` reversed).

    Raises :class:`KeyError` for a name outside the vocabulary.
    """
    relation = vocabulary().get(name)
    if relation is not None:
        return relation, False
    try:
        return _inverses()[name], True
    except KeyError:
        raise KeyError(f"{name!r} is not in the vocabulary of relations (cortex_grow/model/relations.toml)") from None


def seen_from(relation: str, outward: bool) -> str:
    """The name of ``relation`` as read from one end: its own name from its source, its inverse from its target."""
    return relation if outward else vocabulary()[relation].inverse
