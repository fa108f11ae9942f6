"""Holding a mapping against hand-written expectations: the same for every source.

The mapping is read strictly: a relation outside of the vocabulary, between types it does not allow, or not declared
under ``yields`` is an error here. Hygiene is left out, since expectations say what an answer holds, noise included.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from cortex_grow.model.indicator import Indicator
from cortex_grow.source import registry
from cortex_grow.source.answer import Answer
from cortex_grow.source.base import Source
from cortex_grow.source.build import Builder
from cortex_grow.source.settings import Settings
from tests.expected import reading

EXPECTED = Path(__file__).resolve().parent.parent / "expected"


def cases(definition: str) -> list[Path]:
    """Every expectation file of a definition."""
    return sorted((EXPECTED / definition).glob("*.json"))


def source_of(definition: str, settings: dict[str, Any] | None = None) -> Source:
    """A source that can read, not ask."""
    declaration = registry.named(definition)
    loaded = registry.load(declaration)
    assert issubclass(loaded, Source)
    return loaded(Settings(settings or {}, declaration), None)  # type: ignore[arg-type]


def answer_of(case: dict[str, Any]) -> Answer:
    """The recorded answer behind a case, part by part; a WHOIS text as the source hands it on."""
    bodies = {}
    for part, place in case["answer"].items():
        name, _, pointer = place.partition("#")
        body = reading.answer(name)
        if part == "whois":
            from tests.support import sample

            body = {"server": "whois.example", "text": sample(name).decode("utf-8", "replace")}
        bodies[part] = reading.resolve(body, pointer) if pointer else body
        if isinstance(bodies[part], dict) and "error" in bodies[part] and case.get("not_found"):
            bodies[part] = None
    return Answer.of(bodies, case.get("as_of", "2024-01-01T00:00:00Z"))


def read(definition: str, seed: Indicator, answer: Answer, strict: bool = True) -> Builder:
    """What the mapping makes of an answer."""
    source = source_of(definition)
    builder = Builder(source.described(), seed, None, None, strict=strict)  # type: ignore[arg-type]
    if any(part.found for part in answer.parts.values()):
        builder.add(source.read(seed, answer))
    return builder


def names_of(builder: Builder, node_id: str) -> set[str]:
    """Every way in which an expectation may write a node: by each of its digests, and personal data as a digest."""
    node = builder.nodes.get(node_id)
    names = {node_id, masked(node_id)}
    if node is not None and node.indicator.type == "hash":
        attributes = node.indicator.attributes
        names |= {f"hash:{attributes[kind]}" for kind in ("sha256", "sha1", "md5") if kind in attributes}
    return names


def masked(node_id: str) -> str:
    """A node as expectations write it where its value is personal data."""
    type, _, value = node_id.partition(":")
    return f"{type}:sha256:{hashlib.sha256(value.strip().lower().encode()).hexdigest()}"


def edges_of(builder: Builder) -> dict[tuple[str, str, str], Any]:
    """Every edge under every way in which an expectation may write its ends."""
    found = {}
    for edge in builder.edges.values():
        for source in names_of(builder, edge.source):
            for target in names_of(builder, edge.target):
                found[(source, edge.relation, target)] = edge
    return found


def check(definition: str, path: Path) -> list[str]:
    """What a mapping gets wrong of one case, as sentences; empty where it is right."""
    case = json.loads(path.read_text(encoding="utf-8"))
    seed = Indicator.parse(case["seed"]["type"], case["seed"]["value"])
    builder = read(definition, seed, answer_of(case))
    edges = edges_of(builder)
    wrong = [_missing(edges, must) for must in case.get("must", [])]
    wrong += [_present(builder, edges, never) for never in case.get("must_not", [])]
    families = {text.lower() for label in builder.families for text in (label.name, label.raw)}
    wrong += [
        f"no family {wanted['name']}" for wanted in case.get("families", []) if wanted["name"].lower() not in families
    ]
    techniques = {label.id for label in builder.techniques}
    wrong += [f"no technique {wanted['id']}" for wanted in case.get("techniques", []) if wanted["id"] not in techniques]
    wrong += [_term(builder, seed, wanted) for wanted in case.get("terms", [])]
    if case.get("not_found") and (builder.edges or builder.families or builder.nodes[seed.id].terms):
        wrong.append("something was found where nothing is known")
    return [text for text in wrong if text]


def _missing(edges: dict[tuple[str, str, str], Any], must: dict[str, Any]) -> str | None:
    edge = edges.get((must["source"], must["relation"], must["target"]))
    if edge is None:
        return f"missing: {must['source']} {must['relation']} {must['target']} ({must['at']})"
    for name in ("first_seen", "last_seen"):
        if name in must and getattr(edge, name) != must[name]:
            said = f"{must['source']} {must['relation']} {must['target']}"
            return f"{said}: {name} is {getattr(edge, name)}, not {must[name]}"
    return None


def _present(builder: Builder, edges: dict[tuple[str, str, str], Any], never: dict[str, Any]) -> str | None:
    if "edge" in never:
        wanted = never["edge"]
        for source, relation, target in edges:
            if all(
                given == wanted.get(name, given)
                for name, given in zip(("source", "relation", "target"), (source, relation, target), strict=True)
            ):
                return f"must not: {source} {relation} {target} ({never['why']})"
        return None
    if "relation" in never:
        hit = next((edge for edge in builder.edges.values() if edge.relation == never["relation"]), None)
        return f"must not: {hit.source} {hit.relation} {hit.target} ({never['why']})" if hit else None
    name = f"{never['type']}:{never['value']}"
    if any(name in (node_id, masked(node_id)) for node_id in builder.nodes if node_id != builder.seed.id):
        return f"must not: node {name} ({never['why']})"
    labels = {"family": builder.families, "technique": builder.techniques, "actor": builder.actors}.get(
        never["type"], []
    )
    if any(never["value"].lower() in (label.name.lower(), label.raw.lower(), label.id.lower()) for label in labels):
        return f"must not: {name} ({never['why']})"
    return None


def _term(builder: Builder, seed: Indicator, wanted: dict[str, Any]) -> str | None:
    about = wanted.get("about", "seed")
    node_id = seed.id if about == "seed" else about
    terms = builder.nodes[node_id].terms if node_id in builder.nodes else ()
    text = wanted.get("contains", "")
    fitting = [term for term in terms if text.lower() in term.why.lower()]
    if wanted["sign"] == "0":
        heavy = [term for term in fitting if term.points]
        return f"term with points: {heavy[0]}" if heavy else None
    right = [term for term in fitting if (term.points > 0) == (wanted["sign"] == "+") and term.points]
    return None if right else f"no term {wanted['sign']} {text!r} about {about}; there are {terms}"
