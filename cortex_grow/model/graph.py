"""One graph out of many reports: nothing of any is lost, and the order in which they come does not matter."""

from __future__ import annotations

from dataclasses import replace

from cortex_grow.model.report import (
    DIGESTS,
    MERGED,
    Edge,
    Node,
    Report,
    Source,
    Suppressed,
    union,
)
from cortex_grow.model.verdict import Thresholds

_LISTED = ("families", "techniques", "actors", "facts", "limits", "partial", "skipped", "headlines", "provenance")


class Graph:
    """Takes in reports one by one, at the cost of each report alone.

    Nodes and edges unite by identity, terms by (provider, rule), everything else in order of first appearance. What one
    report suppresses stays suppressed, except a seed: what was asked for is always shown, with the list as a tag.
    """

    def __init__(self) -> None:
        self.source: Source | None = None
        self.thresholds = Thresholds()
        self.seeds: dict[str, Node] = {}
        self.nodes: dict[str, Node] = {}
        self.edges: dict[tuple[str, str, str, str], Edge] = {}
        self.suppressed: dict[str, Suppressed] = {}
        self.lists: dict[str, dict[object, None]] = {name: {} for name in _LISTED}

    def add(self, report: Report, seeds: bool = True) -> None:
        """Take in one report; without ``seeds`` it is about something grown, and its seeds are nodes like any other."""
        if self.source is None:
            self.source, self.thresholds = report.source, report.thresholds
        elif self.source != report.source:
            self.source = Source(MERGED, "")
        for seed in report.seeds if seeds else ():
            node = Node(seed)
            self.seeds[seed.id] = self.seeds[seed.id].joined(node) if seed.id in self.seeds else node
        for node_id, node in report.nodes.items():
            self.nodes[node_id] = self.nodes[node_id].joined(node) if node_id in self.nodes else node
        for node_id, entry in report.suppressed.items():
            named = replace(entry.node, tags=tuple(sorted({*entry.node.tags, f"list:{entry.list}"[:128]})))
            known = self.suppressed.get(node_id)
            node = known.node.joined(named) if known else named
            self.suppressed[node_id] = replace(known or entry, node=node)
        for key, edge in report.edges.items():
            self.edges[key] = self.edges[key].joined(edge) if key in self.edges else edge
        for name, listed in self.lists.items():
            listed.update(dict.fromkeys(getattr(report, name)))

    def report(self) -> Report:
        """Everything so far as one report. Raises :class:`ValueError` before the first report."""
        if self.source is None:
            raise ValueError("no report was added")
        nodes = dict(self.nodes)
        suppressed = {}
        for node_id, entry in self.suppressed.items():
            node = nodes.pop(node_id, None)
            whole = entry.node.joined(node) if node else entry.node
            if node_id in self.seeds:
                nodes[node_id] = whole
            else:
                suppressed[node_id] = replace(entry, node=whole)
        return Report(
            source=self.source,
            seeds=tuple(node.indicator for node in self.seeds.values()),
            nodes=nodes,
            edges=dict(self.edges),
            suppressed=suppressed,
            thresholds=self.thresholds,
            **{name: tuple(listed) for name, listed in self.lists.items()},  # type: ignore[arg-type]
        )


def merge(left: Report, right: Report) -> Report:
    """Both reports in one graph; associative. The thresholds are those of ``left``."""
    graph = Graph()
    graph.add(left)
    graph.add(right)
    return graph.report()


def unified(report: Report) -> Report:
    """The report with the digests of one file as one node.

    Sources name the same file by MD5, SHA-1 or SHA-256. Where exactly one node with a stronger digest says that it has
    the weaker one too, the weaker node becomes part of it, edges and seeds included.
    """
    claims: dict[str, set[str]] = {}
    for node in (*report.nodes.values(), *(entry.node for entry in report.suppressed.values())):
        if node.indicator.type == "hash":
            for kind in DIGESTS:
                digest = node.indicator.attributes.get(kind)
                if digest and digest != node.indicator.value:
                    claims.setdefault(f"hash:{digest}", set()).add(node.indicator.id)
    present = {*report.nodes, *report.suppressed, *(seed.id for seed in report.seeds)}
    renamed = {weak: next(iter(strong)) for weak, strong in claims.items() if weak in present and len(strong) == 1}
    renamed = {weak: strong for weak, strong in renamed.items() if strong not in renamed}
    if not renamed:
        return report
    nodes: dict[str, Node] = {}
    for node_id, node in report.nodes.items():
        final = renamed.get(node_id, node_id)
        if final in report.suppressed:
            continue
        kept = nodes.get(final)
        strong = report.nodes.get(final, node)
        nodes[final] = (kept or strong).joined(node)
    edges: dict[tuple[str, str, str, str], Edge] = {}
    for edge in report.edges.values():
        edge = replace(edge, source=renamed.get(edge.source, edge.source), target=renamed.get(edge.target, edge.target))
        if edge.source != edge.target:
            edges[edge.key] = edges[edge.key].joined(edge) if edge.key in edges else edge
    suppressed = {node_id: entry for node_id, entry in report.suppressed.items() if node_id not in renamed}
    seeds = union(nodes[renamed[seed.id]].indicator if renamed.get(seed.id) in nodes else seed for seed in report.seeds)
    return replace(report, nodes=nodes, edges=edges, suppressed=suppressed, seeds=seeds)
