"""The graph as trees."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise

from cortex_grow.model.indicator import Indicator
from cortex_grow.model.relations import vocabulary
from cortex_grow.model.report import Node
from cortex_grow.model.tree import Leaf, forest
from cortex_grow.model.verdict import Term
from cortex_grow.share.summary import in_order
from tests.share import reports
from tests.share.reports import BEYOND, FAMILY, FILE, LOOSE, NOISE, OTHER, SEED, URL, edge, report, whole


def drawn(leaf: Leaf, level: int = 0) -> list[str]:
    """A tree as indented lines."""
    lines = []
    for branch in leaf.branches:
        lines.append(
            f"{' ' * level}{branch.relation} -{branch.suppressed}"
            if branch.suppressed
            else " " * level + branch.relation
        )
        for below in branch.leaves:
            mark = "*" if below.given else "~" if below.again else ""
            lines.append(f"{' ' * level} {below.indicator.id}{mark}")
            lines.extend(drawn(below, level + 2))
    return lines


def test_each_seed_has_its_neighbours_and_each_indicator_one_place() -> None:
    grown = forest(whole())
    first, second = grown.trees
    assert (first.indicator, second.indicator) == (SEED, OTHER)
    assert drawn(first) == [
        "hosts",
        f" {URL.id}",
        f"  {vocabulary()['downloaded-from'].inverse}",
        f"   {FILE.id}",
        "    variant-of",
        f"     {FAMILY.id}",
        "resolution-of -1",
        f" {OTHER.id}*",
    ]
    assert drawn(second) == ["resolves-to", f" {SEED.id}*", f" {BEYOND.id}", "hosts", f" {URL.id}~"]
    assert [node.indicator for node in grown.loose] == [LOOSE]


def test_the_relation_is_read_from_the_indicator_above() -> None:
    leaf = forest(whole()).trees[0].branches[0].leaves[0]
    assert leaf.indicator == URL
    assert {one.provider for one in leaf.edges} == {"VirusTotal", "URLhaus"}
    assert leaf.branches[0].relation == vocabulary()["downloaded-from"].inverse


def test_noise_is_counted_and_shown_only_where_something_hangs_below() -> None:
    whole_report = whole()
    assert forest(whole_report).trees[0].suppressed_below == 1
    far = Indicator("ip", "192.0.2.9")
    edges = [*whole_report.edges.values(), edge(NOISE.id, "resolves-to", far.id)]
    more = replace(
        whole_report,
        nodes={**whole_report.nodes, far.id: Node(far)},
        edges={one.key: one for one in edges},
    )
    branch = next(branch for branch in forest(more).trees[0].branches if branch.relation == "resolution-of")
    shown = next(leaf for leaf in branch.leaves if leaf.indicator == NOISE)
    assert shown.suppressed is not None and branch.suppressed == 0
    assert [leaf.indicator for leaf in shown.branches[0].leaves] == [far]


def test_two_relations_to_one_indicator_are_both_shown() -> None:
    edges = [
        edge(FILE.id, "drops", "hash:b"),
        edge(FILE.id, "executes", "hash:b"),
        edge("hash:b", "variant-of", FAMILY.id),
    ]
    tree = forest(report([Node(FILE), Node(Indicator("hash", "b")), Node(FAMILY)], edges, [FILE])).trees[0]
    assert drawn(tree) == ["drops", " hash:b", "  variant-of", f"   {FAMILY.id}", "executes", " hash:b~"]


def test_every_node_of_a_large_graph_has_a_place_in_little_time() -> None:
    seeds = [Indicator("domain", f"s{number}.example") for number in range(1000)]
    nodes = [Node(seed) for seed in seeds]
    edges = []
    shared = Indicator("ip", "192.0.2.1")
    for number, seed in enumerate(seeds):
        edges.append(edge(seed.id, "resolves-to", shared.id))
        for other in range(10):
            far = Indicator("ip", f"10.{number // 250}.{number % 250}.{other}")
            nodes.append(Node(far))
            edges.append(edge(seed.id, "resolves-to", far.id))
    began = time.monotonic()
    grown = forest(report([*nodes, Node(shared)], edges, seeds))
    assert time.monotonic() - began < 5
    placed = {leaf.indicator.id for tree in grown.trees for _, _, leaf in tree.all_below() if not leaf.again}
    assert len(placed) == 10001 and not grown.loose


def test_a_long_chain_is_no_recursion() -> None:
    nodes = [Node(Indicator("url", f"http://a.example/{number}")) for number in range(5000)]
    ids = [node.indicator.id for node in nodes]
    edges = [edge(one, "redirects-to", two) for one, two in pairwise(ids)]
    tree = forest(report(nodes, edges, [nodes[0].indicator])).trees[0]
    assert sum(1 for _ in tree.all_below()) == 4999


def test_a_seed_without_a_node_still_has_a_tree() -> None:
    assert forest(report([], [], [reports.SEED])).trees[0].indicator == reports.SEED


def test_many_trees_come_in_order_of_worth() -> None:
    seeds = [Indicator("domain", f"s{number}.example") for number in range(30)]
    far = Indicator("ip", "192.0.2.1")
    nodes = [Node(seed) for seed in seeds[:28]] + [
        Node(seeds[28], (Term("x", "y", 50, "z"),)),
        Node(seeds[29]),
        Node(far),
    ]
    made = report(nodes, [edge(seeds[29].id, "resolves-to", far.id)], seeds)
    ordered = [tree.indicator for tree in in_order(made, forest(made).trees)]
    assert ordered == [seeds[28], seeds[29], *seeds[:28]]
    assert in_order(made, forest(made).trees[:3]) == forest(made).trees[:3]
