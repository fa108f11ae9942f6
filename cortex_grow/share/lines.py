"""The graph as lines, one for each indicator: what the table of the page and ``indicators.csv`` both show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cortex_grow.model.indicator import Indicator
from cortex_grow.model.report import Edge, Node, Report
from cortex_grow.model.tree import Branch, Forest, Leaf
from cortex_grow.model.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Line:
    """One indicator.

    ``seeds``: every seed that it hangs below. ``relations``: to ``via``, or to the first of the seeds where ``via`` is
    ``None``; a seed's own line has neither. ``suppressed``: list and reason, empty where it is no noise.
    """

    node: Node
    verdict: Verdict
    seeds: tuple[Indicator, ...] = ()
    relations: tuple[str, ...] = ()
    via: Indicator | None = None
    edges: tuple[Edge, ...] = ()
    suppressed: str = ""
    is_seed: bool = False

    @property
    def first_seen(self) -> str:
        """The earliest time, of the indicator or of a relation, ISO 8601 in UTC; empty where none is known."""
        return min(filter(None, [self.node.first_seen, *(edge.first_seen for edge in self.edges)]), default="")

    @property
    def last_seen(self) -> str:
        """The latest time likewise."""
        return max(filter(None, [self.node.last_seen, *(edge.last_seen for edge in self.edges)]), default="")

    @property
    def providers(self) -> tuple[str, ...]:
        """Who tells of it."""
        return tuple(sorted({edge.provider for edge in self.edges} | {term.provider for term in self.node.terms}))


def lines(report: Report, grown: Forest) -> Iterator[Line]:
    """The seeds, then what grew from each, best first, then what no path joins to a seed, then what is noise."""
    seeds = {tree.indicator.id for tree in grown.trees}
    places: dict[str, list[tuple[Leaf, Branch, Leaf, Leaf]]] = {}
    for tree in grown.trees:
        yield Line(tree.node, _verdict(report, tree.node), (tree.indicator,), is_seed=True)
        for branch, parent, leaf in tree.all_below():
            places.setdefault(leaf.indicator.id, []).append((tree, branch, parent, leaf))
    for node_id, there in places.items():
        tree, _, parent, leaf = next((place for place in there if not place[3].again), there[0])
        if node_id in seeds or leaf.suppressed is not None:
            continue
        order = [tree.indicator, *(place[0].indicator for place in there)]
        yield Line(
            leaf.node,
            _verdict(report, leaf.node),
            tuple(dict.fromkeys(order)),
            tuple(dict.fromkeys(branch.relation for _, branch, above, _ in there if above is parent)),
            None if parent is tree else parent.indicator,
            tuple(edge for *_, one in there for edge in one.edges),
        )
    for node in grown.loose:
        yield Line(node, _verdict(report, node))
    for entry in report.suppressed.values():
        yield Line(entry.node, _verdict(report, entry.node), suppressed=f"{entry.list}: {entry.why}")


def _verdict(report: Report, node: Node) -> Verdict:
    return Verdict.of(node.terms, report.thresholds)
