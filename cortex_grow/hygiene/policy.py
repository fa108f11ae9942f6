"""Reads ``policy.toml``: which list suppresses, demotes or is context, and why. Used by the compiler only."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cortex_grow.hygiene.kinds import fold

POLICY = Path(__file__).with_name("policy.toml")
ACTIONS = ("suppress", "demote", "context")
# The rules that the index applies across lists, in the order in which the compiled file holds them.
ACROSS = ("unnamed", "shared", "abused", "inside", "url")


class PolicyError(ValueError):
    """The policy file contradicts itself or holds something that is not known."""


@dataclass(frozen=True)
class Rule:
    """What a group or an exception says: its action, its name and the reason as the rest of a sentence."""

    name: str
    action: str
    why: str


@dataclass
class Policy:
    """The policy: ``rules`` by number, the rule of each list, and what is said about single entries."""

    rules: list[Rule]
    of_list: dict[str, int]
    entries: dict[tuple[str, str], int] = field(default_factory=dict)
    below: dict[str, int] = field(default_factory=dict)
    shared: frozenset[str] = frozenset()
    dotted: frozenset[str] = frozenset()
    abused: frozenset[str] = frozenset()

    def rule(self, slug: str, entry: str) -> int:
        """The number of the rule for one entry (folded) of the list ``slug``; 0 where no group names the list."""
        exact = self.entries.get((slug, entry))
        if exact is not None:
            return exact
        if self.below:
            name = entry
            while name:
                if name in self.below:
                    return self.below[name]
                name = name.partition(".")[2]
        return self.of_list.get(slug, 0)

    def names_suffix(self, slug: str, entry: str) -> bool:
        """Whether strangers have names below this entry (as the list writes it)."""
        return slug in self.shared or (slug in self.dotted and entry.startswith("."))


def _action(table: dict[str, Any], where: str) -> Rule:
    for key in ("action", "why"):
        if not isinstance(table.get(key), str):
            raise PolicyError(f"{where}: {key} is missing")
    if table["action"] not in ACTIONS:
        raise PolicyError(f"{where}: the action {table['action']!r} is not one of {', '.join(ACTIONS)}")
    return Rule(str(table.get("name", where)), table["action"], " ".join(table["why"].split()))


def read(path: Path = POLICY) -> Policy:
    """The policy in ``path``. Raises :class:`PolicyError` where it is wrong or names a list twice."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path}: {error}") from error
    across = data.get("rule", {})
    unnamed = Rule("not sorted", "context", "the policy does not name this list, so it changes nothing")
    url = across.get("url", {})
    if (url.get("suppress"), url.get("demote")) != ("demote", "context"):
        raise PolicyError("rule.url: each action becomes the next weaker one, nothing else is supported")
    policy = Policy(
        [
            unnamed,
            *(_action(across.get(name, {}), f"rule.{name}") for name in ("shared", "abused", "inside")),
            _action({"action": "context", **url}, "rule.url"),
        ],
        {},
        shared=frozenset(across["shared"].get("lists", ())),
        dotted=frozenset(across["shared"].get("dotted", ())),
        abused=frozenset(across["abused"].get("lists", ())),
    )
    for group in data.get("group", ()):
        rule = _action(group, f"group {group.get('name')!r}")
        for slug in group["lists"]:
            if slug in policy.of_list:
                raise PolicyError(f"{slug} stands in two groups")
            policy.of_list[slug] = len(policy.rules)
        policy.rules.append(rule)
    for table in data.get("except", ()):
        rule = _action(table, f"except {table.get('name')!r}")
        for slug in table.get("lists", ()):
            policy.entries.update({(slug, fold(entry)): len(policy.rules) for entry in table["entries"]})
        policy.below.update({fold(name): len(policy.rules) for name in table.get("below", ())})
        policy.rules.append(rule)
    if len(policy.rules) > 255:
        raise PolicyError("more than 255 groups and exceptions")
    return policy
