"""The report: one versioned shape for every source, a graph of nodes and edges around its seeds.

The shape on the wire is ``report.schema.json``. All times are ISO 8601 in UTC with a ``Z``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from cortex_grow.model.indicator import Indicator
from cortex_grow.model.verdict import Term, Thresholds, Verdict, distinct

SCHEMA = "cortex-grow/report/1"
MERGED = "cortex-grow"
DIGESTS = ("sha256", "sha1", "md5", "sha512")

Item = TypeVar("Item")


def earliest(*times: str | None) -> str | None:
    """The earliest of some ISO 8601 UTC times, ``None`` standing for unknown."""
    return min((time for time in times if time), default=None)


def latest(*times: str | None) -> str | None:
    """The latest of some ISO 8601 UTC times, ``None`` standing for unknown."""
    return max((time for time in times if time), default=None)


def union(*groups: Iterable[Item]) -> tuple[Item, ...]:
    """The members of all groups, each once, in order of first appearance."""
    return tuple(dict.fromkeys(item for group in groups for item in group))


def _least(left: Mapping[str, str], right: Mapping[str, str]) -> dict[str, str]:
    return {name: min(filter(None, (left.get(name), right.get(name))), default="") for name in sorted({*left, *right})}


def _present(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if value not in (None, "", (), [], {})}


@dataclass(frozen=True, slots=True, repr=False)
class Node:
    """An indicator in the graph, with what is known of it.

    ``hub`` says why it is a dead end for growth (4,112 names on one address), ``None`` where it is none.
    """

    indicator: Indicator
    terms: tuple[Term, ...] = ()
    first_seen: str | None = None
    last_seen: str | None = None
    tags: tuple[str, ...] = ()
    hub: str | None = None

    def joined(self, other: Node) -> Node:
        """Both nodes in one. Where they differ in a plain value the smaller counts, so that the order does not."""
        attributes = _least(self.indicator.attributes, other.indicator.attributes)
        return Node(
            Indicator(self.indicator.type, self.indicator.value, attributes),
            distinct((*self.terms, *other.terms)),
            earliest(self.first_seen, other.first_seen),
            latest(self.last_seen, other.last_seen),
            tuple(sorted({*self.tags, *other.tags})),
            min(filter(None, (self.hub, other.hub)), default=None),
        )

    def to_dict(self, thresholds: Thresholds) -> dict[str, Any]:
        """The node as the report holds it; without a verdict where no source said anything of it."""
        row: dict[str, Any] = {
            "id": self.indicator.id,
            "type": self.indicator.type,
            "value": self.indicator.value,
            "pyramid": self.indicator.pyramid,
            "attributes": dict(self.indicator.attributes),
            "verdict": Verdict.of(self.terms, thresholds).to_dict() if self.terms else None,
            "tags": list(self.tags),
            "hub": self.hub,
        }
        return {**_present(row), "first_seen": self.first_seen, "last_seen": self.last_seen}


@dataclass(frozen=True, slots=True, repr=False)
class Edge:
    """One relation that a provider reports, from source id to target id, read as in the vocabulary."""

    source: str
    relation: str
    target: str
    provider: str
    first_seen: str | None = None
    last_seen: str | None = None
    count: int | None = None
    reference: str | None = None
    context: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes two edges the same: ends, relation and provider."""
        return (self.source, self.relation, self.target, self.provider)

    def joined(self, other: Edge) -> Edge:
        """Both in one: the widest time span, the highest count, the union of the context."""
        counts = [count for count in (self.count, other.count) if count is not None]
        return replace(
            self,
            first_seen=earliest(self.first_seen, other.first_seen),
            last_seen=latest(self.last_seen, other.last_seen),
            count=max(counts, default=None),
            reference=min(filter(None, (self.reference, other.reference)), default=None),
            context=tuple(_least(dict(self.context), dict(other.context)).items()),
        )

    def to_dict(self) -> dict[str, Any]:
        """The edge as the report holds it."""
        row = {"count": self.count, "reference": self.reference, "context": dict(self.context)}
        return {
            "source": self.source,
            "relation": self.relation,
            "target": self.target,
            "provider": self.provider,
            "first_seen": self.first_seen,
            "last_seen": self.last_seen,
            **_present(row),
        }


@dataclass(frozen=True, slots=True, repr=False)
class Label:
    """A family, technique or actor: the name it goes by, its id where it has one, the raw name, who says so."""

    name: str
    raw: str
    provider: str
    id: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Table:
    """What else a source knows, as text that needs no code to show: rows under columns, or name and value pairs."""

    title: str
    provider: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, repr=False)
class Suppressed:
    """A node that is shown but not followed, shared or emitted: by which list, and what that list means."""

    node: Node
    list: str
    why: str


@dataclass(frozen=True, slots=True, repr=False)
class Limit:
    """A cut: how many there were, how many are kept, and why."""

    source: str
    what: str
    found: int
    kept: int
    why: str


@dataclass(frozen=True, slots=True, repr=False)
class Partial:
    """A part of a question that has no answer, and why."""

    source: str
    part: str
    why: str


@dataclass(frozen=True, slots=True, repr=False)
class Skipped:
    """A source that was not asked, and why."""

    source: str
    why: str


@dataclass(frozen=True, slots=True, repr=False)
class Headline:
    """One line for the summary: ``VT:detections="44/65"``."""

    namespace: str
    predicate: str
    value: str


@dataclass(frozen=True, slots=True, repr=False)
class Provenance:
    """How one source answered for one seed.

    ``status`` is found, not-found, internal (own or private, not asked) or failed. ``age_s`` counts seconds since
    ``as_of``. ``quota_left`` is the scarcest budget that is left, ``None`` where the source declares none.
    """

    source: str
    version: str
    seed: str
    status: str
    reference: str = ""
    exposure: str = ""
    as_of: str | None = None
    from_cache: bool = False
    age_s: int = 0
    calls: int = 0
    quota_left: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Source:
    """Who made the report: definition name, version, and where a person can read more."""

    name: str
    version: str
    reference: str = ""


@dataclass(frozen=True)
class Report:
    """A graph around its seeds. The verdict is that of the first seed; every other node carries its own terms."""

    source: Source
    seeds: tuple[Indicator, ...]
    nodes: Mapping[str, Node] = field(default_factory=dict)
    edges: Mapping[tuple[str, str, str, str], Edge] = field(default_factory=dict)
    families: tuple[Label, ...] = ()
    techniques: tuple[Label, ...] = ()
    actors: tuple[Label, ...] = ()
    facts: tuple[Table, ...] = ()
    suppressed: Mapping[str, Suppressed] = field(default_factory=dict)
    limits: tuple[Limit, ...] = ()
    partial: tuple[Partial, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    headlines: tuple[Headline, ...] = ()
    provenance: tuple[Provenance, ...] = ()
    thresholds: Thresholds = field(default_factory=Thresholds)

    @property
    def seed(self) -> Indicator:
        """The first seed, whose verdict the report gives."""
        return self.seeds[0]

    @property
    def verdict(self) -> Verdict:
        """The verdict about the first seed."""
        return self.verdict_of(self.seed.id)

    @property
    def found(self) -> bool:
        """Whether any source knew a seed."""
        return any(entry.status == "found" for entry in self.provenance)

    def verdict_of(self, node_id: str) -> Verdict:
        """The verdict about the node with this id; ``info`` where there is no such node or nothing is said of it."""
        node = self.nodes.get(node_id)
        return Verdict.of(node.terms if node else (), self.thresholds)

    def related(self) -> list[Node]:
        """The nodes that are not seeds, in order."""
        seeds = {seed.id for seed in self.seeds}
        return [node for node_id, node in self.nodes.items() if node_id not in seeds]

    def to_dict(self) -> dict[str, Any]:
        """The report as ``full`` of output.json and as ``graph.json`` hold it (``report.schema.json``)."""
        return {
            "schema": SCHEMA,
            "source": _fields(self.source),
            "seed": _seed(self.seed),
            "seeds": [_seed(seed) for seed in self.seeds],
            "verdict": self.verdict.to_dict(),
            "nodes": [node.to_dict(self.thresholds) for node in self.nodes.values()],
            "edges": [edge.to_dict() for edge in self.edges.values()],
            "families": [_present(_fields(label)) for label in self.families],
            "techniques": [_present(_fields(label)) for label in self.techniques],
            "actors": [_present(_fields(label)) for label in self.actors],
            "facts": [
                {**_fields(table), "columns": list(table.columns), "rows": [list(row) for row in table.rows]}
                for table in self.facts
            ],
            "suppressed": [
                {"node": entry.node.to_dict(self.thresholds), "list": entry.list, "why": entry.why}
                for entry in self.suppressed.values()
            ],
            "limits": [_fields(limit) for limit in self.limits],
            "partial": [_fields(part) for part in self.partial],
            "skipped": [_fields(entry) for entry in self.skipped],
            "headlines": [_fields(line) for line in self.headlines],
            "provenance": [{**_fields(entry), "notes": list(entry.notes)} for entry in self.provenance],
            "thresholds": _fields(self.thresholds),
        }

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Report:
        """Read a report back. Raises :class:`ValueError` where the shape is another or newer one."""
        if row.get("schema") != SCHEMA:
            raise ValueError(f"not a report of this version: schema is {row.get('schema')!r}, expected {SCHEMA!r}")
        try:
            nodes = [_node(entry) for entry in row["nodes"]]
            edges = [Edge(**{**entry, "context": tuple(entry.get("context", {}).items())}) for entry in row["edges"]]
            suppressed = [Suppressed(_node(e["node"]), e["list"], e["why"]) for e in row["suppressed"]]
            return cls(
                source=Source(**row["source"]),
                seeds=tuple(
                    Indicator(seed["type"], seed["value"], seed.get("attributes", {})) for seed in row["seeds"]
                ),
                nodes={node.indicator.id: node for node in nodes},
                edges={edge.key: edge for edge in edges},
                families=tuple(Label(**entry) for entry in row["families"]),
                techniques=tuple(Label(**entry) for entry in row["techniques"]),
                actors=tuple(Label(**entry) for entry in row["actors"]),
                facts=tuple(
                    Table(e["title"], e["provider"], tuple(e["columns"]), tuple(tuple(line) for line in e["rows"]))
                    for e in row["facts"]
                ),
                suppressed={entry.node.indicator.id: entry for entry in suppressed},
                limits=tuple(Limit(**entry) for entry in row["limits"]),
                partial=tuple(Partial(**entry) for entry in row["partial"]),
                skipped=tuple(Skipped(**entry) for entry in row["skipped"]),
                headlines=tuple(Headline(**entry) for entry in row["headlines"]),
                provenance=tuple(Provenance(**{**e, "notes": tuple(e["notes"])}) for e in row["provenance"]),
                thresholds=Thresholds(**row["thresholds"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a report: {error}") from error


def _fields(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__slots__}


def _seed(seed: Indicator) -> dict[str, Any]:
    row = {"type": seed.type, "value": seed.value, "pyramid": seed.pyramid, "attributes": dict(seed.attributes)}
    return _present(row)


def _node(row: Mapping[str, Any]) -> Node:
    reasons = (row.get("verdict") or {}).get("reasons", ())
    return Node(
        Indicator(row["type"], row["value"], row.get("attributes", {})),
        tuple(Term(**reason) for reason in reasons),
        row.get("first_seen"),
        row.get("last_seen"),
        tuple(row.get("tags", ())),
        row.get("hub"),
    )
