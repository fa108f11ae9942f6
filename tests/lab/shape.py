"""The shape of JSON answers: which key paths they have, and of which JSON types."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tests.support import sample

# Objects whose keys are data (engines, techniques, sandboxes): every key stands for all.
MAPS = ("last_analysis_results", "attack_techniques", "sandbox_verdicts", "categories")
Shape = dict[str, set[str]]


def kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    names = {dict: "object", list: "array", str: "string", type(None): "null"}
    return names[type(value)]


def shape(tree: Any, at: str = "", found: Shape | None = None) -> Shape:
    """JSON pointers, list positions and keys of maps as ``*``, each with the types that occur there."""
    found = {} if found is None else found
    found.setdefault(at, set()).add(kind(tree))
    if isinstance(tree, list):
        for item in tree:
            shape(item, f"{at}/*", found)
    elif isinstance(tree, dict):
        for key, value in tree.items():
            shape(value, f"{at}/{'*' if at.rpartition('/')[2] in MAPS else key}", found)
    return found


def reference(names: Iterable[str]) -> Shape:
    """The shape of recorded answers put together.

    A name is ``service/file``, or ``service/file#/pointer -> /place``: the part at the pointer, put at that place.
    """
    joined: Shape = {}
    for name in names:
        file, _, part = name.partition("#")
        pointer, _, place = part.partition(" -> ")
        tree = json.loads(sample(file))
        for step in pointer.strip().split("/")[1:]:
            tree = tree[int(step)] if isinstance(tree, list) else tree[step]
        shape(tree, place.strip(), joined)
        if place.strip():
            joined.setdefault("", set()).add("object")
    return joined
