"""``indicators.csv``: one line for each indicator of a run, for a spreadsheet or a script (RFC 4180, UTF-8).

A spreadsheet evaluates a cell that begins like a formula (OWASP, "CSV Injection"): such a cell gets an apostrophe in
front. Scores are numbers and stay so.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from cortex_grow.model.report import Edge, Node, Report
from cortex_grow.model.tree import Branch, Leaf, forest
from cortex_grow.model.verdict import Verdict
from cortex_grow.share.files import write_whole
from cortex_grow.share.text import visible

NAME = "indicators.csv"
COLUMNS = (
    "seed",
    "type",
    "value",
    "pyramid",
    "level",
    "score",
    "relation",
    "via",
    "first_seen",
    "last_seen",
    "providers",
    "tags",
    "suppressed",
)
SEED = "seed"
BETWEEN = "; "
# The last four are the full-width forms, which some spreadsheets take for the plain ones.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def cell(text: str) -> str:
    """``text`` as a spreadsheet shows it and never evaluates it; what is not seen becomes an escape."""
    return f"'{visible(text)}" if text.startswith(_FORMULA) else visible(text)


def encoded(report: Report) -> bytes:
    """The whole file: the seeds, then what grew from each, best first, then what no path joins, then what is noise."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in rows(report):
        score = row["score"]
        writer.writerow(score if name == "score" else cell(str(row[name])) for name in COLUMNS)
    return out.getvalue().encode("utf-8", "replace")


def write(report: Report, path: Path) -> None:
    """Write the file, whole. Raises :class:`OSError`."""
    write_whole(path, encoded(report))


def rows(report: Report) -> Iterator[dict[str, object]]:
    """The lines by column. ``seed`` names every seed that the indicator hangs below, ``via`` what stands in between."""
    grown = forest(report)
    seeds = {tree.indicator.id for tree in grown.trees}
    places: dict[str, list[tuple[Leaf, Branch, Leaf, Leaf]]] = {}
    for tree in grown.trees:
        for branch, parent, leaf in tree.all_below():
            places.setdefault(leaf.indicator.id, []).append((tree, branch, parent, leaf))
    for tree in grown.trees:
        yield _row(report, tree.node, tree.indicator.value, SEED)
    for node_id, there in places.items():
        tree, _, parent, leaf = next((place for place in there if not place[3].again), there[0])
        if node_id in seeds or leaf.suppressed is not None:
            continue
        above = [(one_branch, one) for one_tree, one_branch, one_parent, one in there if one_parent is parent]
        yield _row(
            report,
            leaf.node,
            BETWEEN.join(dict.fromkeys(one_tree.indicator.value for one_tree, *_ in there)),
            BETWEEN.join(dict.fromkeys(branch.relation for branch, _ in above)),
            "" if parent is tree else parent.indicator.value,
            [edge for *_, one in there for edge in one.edges],
        )
    for node in grown.loose:
        yield _row(report, node)
    for entry in report.suppressed.values():
        yield _row(report, entry.node, suppressed=f"{entry.list}: {entry.why}")


def _row(
    report: Report,
    node: Node,
    seed: str = "",
    relation: str = "",
    via: str = "",
    edges: list[Edge] | None = None,
    suppressed: str = "",
) -> dict[str, object]:
    verdict = Verdict.of(node.terms, report.thresholds)
    edges = edges or []
    providers = {edge.provider for edge in edges} | {term.provider for term in node.terms}
    return {
        "seed": seed,
        "type": node.indicator.type,
        "value": node.indicator.value,
        "pyramid": node.indicator.pyramid,
        "level": verdict.level if node.terms else "",
        "score": verdict.score if node.terms else "",
        "relation": relation,
        "via": via,
        "first_seen": min(filter(None, [node.first_seen, *(edge.first_seen for edge in edges)]), default=""),
        "last_seen": max(filter(None, [node.last_seen, *(edge.last_seen for edge in edges)]), default=""),
        "providers": BETWEEN.join(sorted(providers)),
        "tags": BETWEEN.join(node.tags),
        "suppressed": suppressed,
    }
