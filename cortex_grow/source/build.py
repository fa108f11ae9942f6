"""From facts to a report: canonical ends, the vocabulary, hygiene, scores and caps."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cortex_grow.model.indicator import Indicator, InvalidIndicator
from cortex_grow.model.relations import by_name
from cortex_grow.model.report import (
    DIGESTS,
    Edge,
    Headline,
    Label,
    Limit,
    Node,
    Partial,
    Suppressed,
    Table,
    union,
)
from cortex_grow.model.verdict import Term, distinct
from cortex_grow.source.declaration import Declaration
from cortex_grow.source.facts import (
    About,
    Actor,
    Cut,
    End,
    Fact,
    Family,
    Found,
    Hub,
    Known,
    Missing,
    Related,
    Rows,
    Score,
    Summary,
    Technique,
)

if TYPE_CHECKING:
    from cortex_grow.hygiene.assets import Assets
    from cortex_grow.hygiene.index import Index, Match

LONGEST_CELL = 2000
MOST = 2**63 - 1  # Cortex's reader refuses numbers of hundreds of digits, and with them the whole answer
# Types whose values are names that people gave: several spaces are one, and what could turn a line around is no part.
_NAMES = frozenset({"organisation", "family", "actor", "rule"})
MOST_ROWS = 500
MOST_TERMS_PER_NODE = 50
# What a warning list is worth as a score term, by what the pack does with its members.
HYGIENE_POINTS = {"suppress": -40, "demote": -15}  # popular is not safe: demoted alone stays above safe_to
DENIED_POINTS = 80


@dataclass
class Builder:
    """Collects the facts of one source about one seed."""

    declaration: Declaration
    seed: Indicator
    hygiene: Index
    assets: Assets
    strict: bool = False
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: dict[tuple[str, str, str, str], Edge] = field(default_factory=dict)
    families: list[Label] = field(default_factory=list)
    techniques: list[Label] = field(default_factory=list)
    actors: list[Label] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    partial: list[Partial] = field(default_factory=list)
    headlines: list[Headline] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    own: dict[str, Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.provider = self.declaration.provider
        self.nodes[self.seed.id] = Node(self.seed)
        self._seed_digests = {self.seed.value} if self.seed.type == "hash" else set()
        self._seed_digests.update(self.seed.attributes.get(kind, "") for kind in DIGESTS)
        self._seed_digests.discard("")

    def add(self, facts: Iterable[Fact]) -> None:
        """Take in facts; digests of the seed itself are learnt first, whatever their order."""
        rows = list(facts)
        for fact in rows:
            if isinstance(fact, About):
                self._about(fact)
        for fact in rows:
            if isinstance(fact, Related):
                self._related(fact)
            elif isinstance(fact, Score):
                if fact.when:
                    self._score(fact.about, Term(self.provider, fact.rule, fact.points, line(fact.why)))
            elif isinstance(fact, (Family, Technique, Actor)):
                self._label(fact)
            elif isinstance(fact, Known):
                pairs = tuple(
                    (line(name), cell(value)) for name, value in fact.values.items() if value not in (None, "", [], ())
                )
                if pairs:
                    self.tables.append(Table(line(fact.title), self.provider, (), pairs))
            elif isinstance(fact, Rows):
                self._rows(fact)
            elif isinstance(fact, Summary):
                self.headlines.append(Headline(self.declaration.namespace, line(fact.predicate), line(fact.value)))
            elif isinstance(fact, Hub):
                indicator = self._end(fact.indicator)
                if indicator is not None:
                    node = self._node(indicator)
                    self.nodes[indicator.id] = replace(node, hub=line(fact.why))
            elif isinstance(fact, Missing):
                self.partial.append(Partial(self.declaration.name, line(fact.part), line(fact.why)))
            elif isinstance(fact, Cut):
                how_many, kept = _count(fact.found) or 0, _count(fact.kept) or 0
                self.limits.append(Limit(self.declaration.name, line(fact.what), how_many, kept, line(fact.why)))

    def _end(self, end: End) -> Indicator | None:
        """The indicator an end stands for; the seed for what is the same file under another digest."""
        if isinstance(end, Found):
            if not end.value:
                return None
            try:
                parsed = Indicator.parse(end.type, line(end.value) if end.type in _NAMES else end.value)
            except InvalidIndicator as error:
                self.unreadable.append(line(str(error)))
                return None
            attributes = {name: line(text) for name, text in end.attributes.items() if text}
            end = Indicator(parsed.type, parsed.value, {**parsed.attributes, **attributes})
        if end is None or end.id == self.seed.id:
            return None if end is None else self.seed
        if end.type == "hash" and self._seed_digests & {end.value, *(end.attributes.get(kind, "") for kind in DIGESTS)}:
            return self.seed
        return end

    def _node(self, indicator: Indicator) -> Node:
        node = self.nodes.get(indicator.id)
        if node is None:
            node = self.nodes[indicator.id] = Node(indicator)
        elif indicator.attributes and indicator.attributes != node.indicator.attributes:
            node = self.nodes[indicator.id] = node.joined(Node(indicator))
        return node

    def _about(self, fact: About) -> None:
        digests = {kind: text for kind in DIGESTS if (text := fact.attributes.get(kind))}
        indicator = self._end(fact.indicator)
        if indicator is None:
            return
        attributes = {name: line(text) for name, text in fact.attributes.items() if text}
        attributes = {name: text for name, text in attributes.items() if text != indicator.value}
        if indicator is self.seed:
            self._seed_digests.update(text.lower() for text in digests.values())
        extra = Node(
            Indicator(indicator.type, indicator.value, attributes),
            first_seen=fact.first_seen,
            last_seen=fact.last_seen,
            tags=tuple(sorted({tag(text) for text in fact.tags if text})),
        )
        self.nodes[indicator.id] = self._node(indicator).joined(extra)

    def _related(self, fact: Related) -> None:
        source, target = self._end(fact.source), self._end(fact.target)
        if source is None or target is None or source.id == target.id:
            return
        relation, backwards = by_name(fact.relation)
        if backwards:
            source, target = target, source
        if self.strict and relation.name not in self.declaration.yields(self.seed.type):
            raise ValueError(
                f"{self.declaration.name} does not declare that it yields {relation.name} for {self.seed.type}"
            )
        if not relation.allows(source.type, target.type):
            if self.strict:
                raise ValueError(
                    f"{relation.name} does not run from {source.type} to {target.type}: {source.id}, {target.id}"
                )
            self.unreadable.append(f"{source.type} {relation.name} {target.type}: {line(target.value)[:80]}")
            return
        self._node(source)
        self._node(target)
        context = tuple((line(name), line(text)) for name, text in fact.context.items() if text)
        edge = Edge(
            source.id,
            relation.name,
            target.id,
            self.provider,
            fact.first_seen,
            fact.last_seen,
            _count(fact.count),
            _page(fact.reference),
            context,
        )
        self.edges[edge.key] = self.edges[edge.key].joined(edge) if edge.key in self.edges else edge

    def _score(self, about: End, term: Term) -> None:
        indicator = self.seed if about is None else self._end(about)
        if indicator is None:
            return
        node = self._node(indicator)
        if len(node.terms) < MOST_TERMS_PER_NODE:
            points = max(-100, min(100, term.points))
            self.nodes[indicator.id] = replace(node, terms=distinct((*node.terms, replace(term, points=points))))

    def _label(self, fact: Family | Technique | Actor) -> None:
        about = self.seed if fact.about is None else self._end(fact.about)
        text = line((fact.id if isinstance(fact, Technique) else fact.name) or "")
        if about is None or not text:
            return
        type = {Family: "family", Technique: "technique", Actor: "actor"}[fact.__class__]
        try:
            named = Indicator.parse(type, text)
        except InvalidIndicator as error:
            self.unreadable.append(line(str(error)))
            return
        if isinstance(fact, Technique):
            label = Label(line(fact.name or named.value), text, self.provider, named.value, line(fact.evidence or ""))
            relation, labels = "uses", self.techniques
        elif isinstance(fact, Family):
            label = Label(named.value, text, self.provider)
            relation, labels = "variant-of" if about.type in ("hash", "file") else "indicates", self.families
        else:
            label = Label(named.value, text, self.provider)
            relation, labels = "attributed-to", self.actors
        if label not in labels:
            labels.append(label)
        reference = fact.reference if isinstance(fact, Family) else None
        self._related(Related(about, relation, named, reference=reference))

    def _rows(self, fact: Rows) -> None:
        kept = tuple(tuple(cell(value) for value in row) for row in list(fact.rows)[:MOST_ROWS])
        if kept:
            columns = tuple(line(column) for column in fact.columns)
            self.tables.append(Table(line(fact.title), self.provider, columns, kept))
        if len(fact.rows) > len(kept):
            why = "a table of facts shows this many rows"
            self.limits.append(Limit(self.declaration.name, line(fact.title), len(fact.rows), len(kept), why))

    def judged(self) -> dict[str, Suppressed]:
        """Let hygiene judge every node: noise leaves :attr:`nodes` and comes back by id, with list and reason."""
        from cortex_grow.hygiene import judge

        suppressed: dict[str, Suppressed] = {}
        for node_id, node in list(self.nodes.items()):
            indicator = node.indicator
            if node_id != self.seed.id and self._own_host(indicator):
                why = "the source's own page or server"
                suppressed[node_id] = Suppressed(self.nodes.pop(node_id), self.declaration.name, why)
                continue
            judgement = judge(indicator, self.hygiene, self.assets)
            if judgement.action == "none":
                continue
            terms = _hygiene_terms(judgement.matches)
            tags = tuple(sorted({*node.tags, *(tag(f"list:{match.list}") for match in judgement.matches)}))
            node = replace(node, terms=distinct((*node.terms, *terms)), tags=tags)
            if node_id != self.seed.id and judgement.action in ("suppress", "own"):
                first = judgement.matches[0]
                del self.nodes[node_id]
                suppressed[node_id] = Suppressed(node, first.list, line(first.why))
            else:
                self.nodes[node_id] = node
        return suppressed

    def _own_host(self, indicator: Indicator) -> bool:
        own = self.declaration.own_hosts
        if not own or indicator.type not in ("url", "domain", "fqdn"):
            return False
        host = indicator.value
        if indicator.type == "url":
            from urllib.parse import urlsplit

            host = urlsplit(indicator.value).hostname or ""
        return any(host == name or host.endswith(f".{name}") for name in own)

    def noted(self) -> tuple[Limit, ...]:
        """The limits, with what could not be read among them."""
        if not self.unreadable:
            return union(self.limits)
        examples = "; ".join(union(self.unreadable)[:3])
        found = len(self.unreadable)
        unread = Limit(self.declaration.name, "values that cannot be read", found, 0, line(examples))
        return union((*self.limits, unread))


def _hygiene_terms(matches: Sequence[Match]) -> list[Term]:
    """One term for what the warning lists say, however many of them name the indicator, and one for a denial."""
    terms = []
    denied = any(match.action == "deny" for match in matches)
    for action in ("deny",) if denied else HYGIENE_POINTS:
        named = [match.list for match in matches if match.action == action]
        if named:
            points = DENIED_POINTS if action == "deny" else HYGIENE_POINTS[action]
            more = f" and {len(named) - 1} more" if len(named) > 1 else ""
            rule = "deny list" if action == "deny" else "warning lists"
            terms.append(Term("hygiene", rule, points, line(f"on the list {named[0]}{more}")))
    return terms


_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def line(text: object) -> str:
    """A text fit for one line of a report: no control or direction characters, no line breaks, bounded."""
    raw = str(text)[:LONGEST_CELL]
    return " ".join(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", raw).split())


def _count(number: int | None) -> int | None:
    return number if number is not None and 0 <= number <= MOST else None


def _page(address: str | None) -> str | None:
    """The address of a page for a person: nothing but http and https, and nothing that could not stand in a link."""
    fit = address and len(address) <= LONGEST_CELL and re.fullmatch(r"https?://[!-~]+", address)
    return address if fit else None


def cell(value: object) -> str:
    """A value as a cell of a table: lists joined, booleans as yes and no."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple, set)):
        return line(", ".join(cell(entry) for entry in list(value)[:100]))
    if isinstance(value, Mapping):
        return line(", ".join(f"{name}: {cell(entry)}" for name, entry in list(value.items())[:100]))
    return line(value)


def tag(text: str) -> str:
    """A text as a tag: one line of at most 128 characters (TheHive's limit)."""
    return line(text)[:128]
