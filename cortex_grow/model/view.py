"""What a person is shown of a report: the same for a template in TheHive and for the pages of a run.

Nothing here adds to what the report says; it is sorted, worded and defanged, so that a template needs no code.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from typing import Any

from cortex_grow.model.indicator import Indicator
from cortex_grow.model.relations import vocabulary
from cortex_grow.model.report import Edge, Node, Report
from cortex_grow.model.verdict import Term, Verdict

LEVELS = ("hash", "ip", "domain", "artifact", "tool", "ttp")
ROWS = 500
NAMED = frozenset({"family", "technique", "actor"})  # shown in a section of their own
COMMON = frozenset({"filename", "network", "autonomous-system", "organisation", "user-agent"})


def height(indicator: Indicator) -> int:
    """How high on the Pyramid of Pain an indicator stands, 0 (hash) to 5 (TTP)."""
    return LEVELS.index(indicator.pyramid)


def rank(node: Node) -> tuple[int, int, int]:
    """How much a node is worth to look at: no hub, its score, its height on the pyramid. Higher is better.

    File names and owners of networks are easily changed or shared, so they come last of all.
    """
    tall = 0 if node.indicator.type in COMMON else height(node.indicator)
    return (0 if node.hub else 1, Verdict.of(node.terms).score, tall)


def paths(report: Report) -> dict[str, tuple[str, Edge]]:
    """For each node that a seed reaches: the node before it on a shortest path, and the edge between them."""
    around: dict[str, list[Edge]] = {}
    for edge in report.edges.values():
        around.setdefault(edge.source, []).append(edge)
        around.setdefault(edge.target, []).append(edge)
    reached: dict[str, tuple[str, Edge]] = {}
    seen = {seed.id for seed in report.seeds}
    queue = deque(seen)
    while queue:
        here = queue.popleft()
        for edge in around.get(here, ()):
            there = edge.target if edge.source == here else edge.source
            if there not in seen:
                seen.add(there)
                reached[there] = (here, edge)
                queue.append(there)
    return reached


def relation_name(edge: Edge, origin: str) -> str:
    """The edge's relation as read from ``origin``, one of its ends."""
    return edge.relation if edge.source == origin else vocabulary()[edge.relation].inverse


def view(report: Report, rows: int = ROWS) -> dict[str, Any]:
    """The report in the order in which it is read: headline, climb, groups of related indicators, what was left out."""
    verdict = report.verdict
    related = report.related()
    return {
        "seed": _shown(report.seed),
        "level": verdict.level,
        "score": verdict.score,
        "headline": _headline(report),
        **_by_provider(report),
        "climb": climb(related),
        "groups": _groups(report, rows),
        "related": len(related),
        "suppressed": [
            {**_shown(entry.node.indicator), "list": entry.list, "why": entry.why}
            for entry in list(report.suppressed.values())[:rows]
        ],
        "suppressed_total": len(report.suppressed),
    }


def _by_provider(report: Report) -> dict[str, Any]:
    """What each provider alone makes of the seed, and whether one calls malicious what another calls safe."""
    terms: dict[str, list[Term]] = {}
    for term in report.verdict.terms:
        terms.setdefault(term.provider, []).append(term)
    verdicts = {provider: Verdict.of(said, report.thresholds) for provider, said in sorted(terms.items())}
    levels = {verdict.level for verdict in verdicts.values()}
    return {
        "by_provider": [
            {"provider": provider, "level": verdict.level, "score": verdict.score}
            for provider, verdict in verdicts.items()
        ],
        "disagreement": "safe" in levels and bool(levels & {"suspicious", "malicious"}),
    }


def climb(nodes: Iterable[Node]) -> list[dict[str, Any]]:
    """How many nodes stand on each level of the pyramid that has any, lowest first."""
    counts = dict.fromkeys(LEVELS, 0)
    for node in nodes:
        counts[node.indicator.pyramid] += 1
    return [{"level": level, "count": count} for level, count in counts.items() if count]


def _headline(report: Report) -> str:
    statuses = {entry.status for entry in report.provenance}
    if statuses == {"internal"}:
        return "internal, not asked"
    if not report.found:
        return "unknown to this source" if len(report.provenance) == 1 else "unknown to every source asked"
    reasons = report.verdict.terms
    if not reasons:
        return "known, and nothing said for or against it"
    return "; ".join(term.why for term in reasons[:2])


def visible(indicator: Indicator) -> str:
    """An indicator as a person is shown it: defanged, and what would turn the line around marked as such.

    A file that is named ``invoice`` U+202E ``fdp.exe`` looks like a document; the indicator keeps its true name.
    """
    return re.sub("[\u202a-\u202e\u2066-\u2069]", "\N{REPLACEMENT CHARACTER}", indicator.defanged)


def _shown(indicator: Indicator) -> dict[str, Any]:
    return {
        "type": indicator.type,
        "value": indicator.value,
        "shown": visible(indicator),
        "pyramid": indicator.pyramid,
    }


def _groups(report: Report, most: int) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    seeds = {seed.id for seed in report.seeds}
    reached = paths(report)
    by_target: dict[tuple[str, str, str], list[Edge]] = {}
    for edge in report.edges.values():
        by_target.setdefault((edge.source, edge.relation, edge.target), []).append(edge)
    for edges in by_target.values():
        edge = edges[0]
        far = edge.target
        if edge.source not in seeds and (edge.target in seeds or reached.get(edge.source, ("",))[0] == edge.target):
            far = edge.source
        near = edge.source if far == edge.target else edge.target
        node, origin = report.nodes.get(far), report.nodes.get(near)
        if node is None or origin is None or node.indicator.type in NAMED:
            continue
        via = "" if near in seeds else visible(origin.indicator)
        groups.setdefault((relation_name(edge, near), "direct" if near in seeds else "further"), []).append(
            _row(report, node, edges, via)
        )
    order = sorted(groups.items(), key=lambda item: (item[0][1], -max(row["rank"] for row in item[1]), item[0][0]))
    shown = []
    for (name, reach), rows in order:
        rows.sort(key=lambda row: (-row["rank"], row["value"]))
        for row in rows:
            del row["rank"]
        shown.append({"relation": name, "words": _words(name), "reach": reach, "total": len(rows), "rows": rows[:most]})
    return shown


def _words(name: str) -> str:
    relation = vocabulary().get(name)
    return relation.words if relation else name.replace("-", " ")


def _row(report: Report, node: Node, edges: list[Edge], via: str) -> dict[str, Any]:
    verdict = Verdict.of(node.terms, report.thresholds)
    known, score, tall = rank(node)
    return {
        **_shown(node.indicator),
        "via": via,
        "first_seen": min((edge.first_seen for edge in edges if edge.first_seen), default=None),
        "last_seen": max((edge.last_seen for edge in edges if edge.last_seen), default=None),
        "count": max((edge.count for edge in edges if edge.count is not None), default=None),
        "providers": ", ".join(sorted({edge.provider for edge in edges})),
        "level": verdict.level if node.terms else "",
        "score": verdict.score if node.terms else None,
        "why": "; ".join(term.why for term in verdict.terms[:2]),
        "tags": [text for text in node.tags if not text.startswith("list:")][:5],
        "hub": node.hub or "",
        "rank": known * 1000 + score * 5 + tall,
    }
