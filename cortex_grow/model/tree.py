"""The graph as trees, one a seed: what a person reads of a run, and where each indicator came from.

Each indicator hangs where a shortest path from a seed reaches it. What a seed is related to directly is shown below
that seed even where another seed reaches it too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cortex_grow.model.indicator import Indicator
from cortex_grow.model.relations import vocabulary
from cortex_grow.model.report import Edge, Node, Report, Suppressed
from cortex_grow.model.view import rank, relation_name


@dataclass(slots=True)
class Leaf:
    """An indicator at its place in a tree.

    ``edges`` join it to the indicator above it. ``again``: it stands in full elsewhere, being a seed (``given``), or
    hanging below another one or in another relation. ``suppressed``: it is noise, shown since something hangs below it.
    """

    node: Node
    edges: tuple[Edge, ...] = ()
    again: bool = False
    given: bool = False
    suppressed: Suppressed | None = None
    branches: list[Branch] = field(default_factory=list)

    @property
    def indicator(self) -> Indicator:
        """The indicator."""
        return self.node.indicator

    @property
    def suppressed_below(self) -> int:
        """How many suppressed indicators hang directly below."""
        return sum(branch.suppressed for branch in self.branches)

    def all_below(self) -> Iterator[tuple[Branch, Leaf, Leaf]]:
        """Everything below that is shown, parents first, as (branch, parent, leaf)."""
        stack = [(branch, self, leaf) for branch in reversed(self.branches) for leaf in reversed(branch.leaves)]
        while stack:
            entry = stack.pop()
            yield entry
            leaf = entry[2]
            stack.extend(
                (branch, leaf, below) for branch in reversed(leaf.branches) for below in reversed(branch.leaves)
            )


@dataclass(slots=True)
class Branch:
    """What stands in one relation to the indicator above, best first; ``suppressed`` more of it are noise."""

    relation: str
    words: str
    leaves: list[Leaf] = field(default_factory=list)
    suppressed: int = 0


@dataclass(frozen=True, slots=True)
class Forest:
    """``trees``: one for each seed, in their order. ``loose``: nodes that no path joins to a seed."""

    trees: list[Leaf]
    loose: list[Node]


def words_of(name: str) -> str:
    """How a person says a relation or its inverse."""
    relation = vocabulary().get(name)
    return relation.words if relation else name.replace("-", " ")


def forest(report: Report) -> Forest:
    """The report as trees. Takes time in proportion to nodes and edges, however many seeds there are."""
    nodes = {**{node_id: entry.node for node_id, entry in report.suppressed.items()}, **report.nodes}
    around: dict[str, dict[str, list[Edge]]] = {}
    for edge in report.edges.values():
        if edge.source in nodes and edge.target in nodes:
            around.setdefault(edge.source, {}).setdefault(edge.target, []).append(edge)
            around.setdefault(edge.target, {}).setdefault(edge.source, []).append(edge)
    seeds = {seed.id: seed for seed in report.seeds}
    for node_id, seed in seeds.items():
        nodes.setdefault(node_id, Node(seed))
    below, reached = _shortest(seeds, around, set(report.suppressed) - set(seeds))
    leaves = {node_id: Leaf(nodes[node_id], suppressed=report.suppressed.get(node_id)) for node_id in reached}
    for node_id in seeds:
        leaves[node_id].suppressed = None
    # Children before their parents: whether a suppressed node is shown depends on what hangs below it.
    for node_id in reversed(list(reached)):
        places = {child: leaves[child] for child in below.get(node_id, ())}
        if node_id in seeds:
            for other in around.get(node_id, {}):
                if other not in places:
                    places[other] = Leaf(
                        nodes[other], again=True, given=other in seeds, suppressed=leaves[other].suppressed
                    )
        leaves[node_id].branches = _branches(node_id, places, around.get(node_id, {}))
    loose = [node for node_id, node in report.nodes.items() if node_id not in leaves]
    return Forest([leaves[node_id] for node_id in seeds], loose)


def _shortest(
    seeds: Iterable[str], around: dict[str, dict[str, list[Edge]]], noise: set[str]
) -> tuple[dict[str, list[str]], dict[str, None]]:
    """The children of each node, and all nodes nearest first. A path leads through noise only where it must."""
    below: dict[str, list[str]] = {}
    reached: dict[str, None] = dict.fromkeys(seeds)
    for through_noise in (False, True):
        queue = deque(reached)
        while queue:
            here = queue.popleft()
            if here in noise and not through_noise:
                continue
            for there in around.get(here, ()):
                if there not in reached:
                    reached[there] = None
                    below.setdefault(here, []).append(there)
                    queue.append(there)
    return below, reached


def _branches(parent: str, places: dict[str, Leaf], joined: dict[str, list[Edge]]) -> list[Branch]:
    found: dict[str, Branch] = {}
    for child, leaf in places.items():
        by_relation: dict[str, list[Edge]] = {}
        for edge in joined[child]:
            by_relation.setdefault(relation_name(edge, parent), []).append(edge)
        for first, (name, edges) in enumerate(sorted(by_relation.items())):
            branch = found.setdefault(name, Branch(name, words_of(name)))
            if leaf.suppressed is not None and not leaf.branches:
                branch.suppressed += 1
                continue
            shown = leaf if not first else Leaf(leaf.node, again=True, suppressed=leaf.suppressed)
            shown.edges = tuple(edges)
            branch.leaves.append(shown)
    for branch in found.values():
        branch.leaves.sort(key=_order)
    return sorted(
        found.values(), key=lambda branch: (_order(branch.leaves[0]) if branch.leaves else _LAST, branch.relation)
    )


_LAST = ((1, 0, 0), "")


def _order(leaf: Leaf) -> tuple[tuple[int, int, int], str]:
    """Best first, and by name where two are as good."""
    known, score, tall = rank(leaf.node)
    return (-known, -score, -tall), leaf.indicator.id
