"""A report on a terminal: the trees that grew, what is missing, what it cost."""

from __future__ import annotations

from cortex_grow.cli.terminal import STYLES, Terminal
from cortex_grow.model.report import Edge, Node, Report
from cortex_grow.model.tree import Branch, Leaf, forest
from cortex_grow.model.verdict import Verdict
from cortex_grow.share.summary import FEW, by_source, climbed, in_order, missing
from cortex_grow.share.text import shortened

IN_BRANCH = 12
IN_TREE = 60
DEEPEST = 6
LONGEST = 100
ROWS = 12

Parts = list[tuple[str, str] | str]


class _Lines:
    """How branches are drawn."""

    def __init__(self, fancy: bool) -> None:
        self.fork, self.last, self.bar, self.gap = (
            ("├─ ", "└─ ", "│  ", "   ") if fancy else ("|- ", "`- ", "|  ", "   ")
        )
        self.more = "…" if fancy else "..."
        self.dot = " · " if fancy else " - "


def show(report: Report, terminal: Terminal, *, tables: bool = False) -> None:
    """Print the trees, then what is missing and what was asked; with ``tables`` what else the source knows."""
    grown = forest(report)
    drawn = _Lines(terminal.fancy)
    for tree in in_order(report, grown.trees)[:FEW]:
        _tree(report, tree, terminal, drawn)
    if len(grown.trees) > FEW:
        terminal.say((f"{drawn.more} and {len(grown.trees) - FEW} more indicators, of less worth", "dim"))
    if grown.loose:
        terminal.say(
            (f"{len(grown.loose)} more that nothing joins to these any more, since limits cut in between", "dim")
        )
    if tables:
        _tables(report, terminal, drawn)
    _missing(report, terminal)
    _asked(report, terminal)


def _tree(report: Report, tree: Leaf, terminal: Terminal, drawn: _Lines) -> None:
    below = climbed(tree)
    parts: Parts = [(shortened(tree.indicator.defanged, LONGEST), "bold"), (f"  {tree.indicator.type}", "dim")]
    parts += _verdict(report, tree.node)
    if below:
        levels = ", ".join(f"{count} {level}" for level, count in below.items())
        parts.append((f"  {sum(below.values())} related: {levels}", "dim"))
    else:
        parts.append((f"  {_nothing(report, tree.indicator.id)}", "dim"))
    terminal.say(*parts)
    reasons = Verdict.of(tree.node.terms, report.thresholds).terms
    for term in reasons[:3]:
        terminal.say(("   " if not tree.branches else drawn.bar, "dim"), f"{term.points:+d} ", term.why)
    _branches(report, tree.branches, "", terminal, drawn, [IN_TREE], 1)
    terminal.say("")


def _nothing(report: Report, seed: str) -> str:
    statuses = {entry.status for entry in report.provenance if entry.seed == seed}
    if not statuses:
        return "no answer" if any(part.part == seed for part in report.partial) else "not asked"
    if statuses == {"internal"}:
        return "internal, not asked"
    if statuses == {"failed"}:
        return "no answer"
    return "nothing related" if "found" in statuses else "unknown to every source that answered"


def _branches(
    report: Report, branches: list[Branch], lead: str, terminal: Terminal, drawn: _Lines, room: list[int], depth: int
) -> None:
    for position, branch in enumerate(branches):
        final = position == len(branches) - 1
        words: Parts = [(lead + (drawn.last if final else drawn.fork), "dim"), (branch.words, "blue")]
        if len(branch.leaves) > 1:
            words.append((f" ({len(branch.leaves)})", "dim"))
        terminal.say(*words)
        inner = lead + (drawn.gap if final else drawn.bar)
        leaves = branch.leaves[: min(IN_BRANCH, max(room[0], 1))]
        room[0] -= len(leaves)
        left = len(branch.leaves) - len(leaves)
        rest = [f"{drawn.more} and {left} more"] if left else []
        rest += [f"{branch.suppressed} suppressed as noise"] if branch.suppressed else []
        for number, leaf in enumerate(leaves):
            end = number == len(leaves) - 1 and not rest
            terminal.say((inner + (drawn.last if end else drawn.fork), "dim"), *_leaf(report, leaf, drawn))
            if leaf.branches and not leaf.again:
                deeper = inner + (drawn.gap if end else drawn.bar)
                if depth < DEEPEST and room[0] > 0:
                    _branches(report, leaf.branches, deeper, terminal, drawn, room, depth + 1)
                else:
                    terminal.say((deeper + drawn.last, "dim"), (f"{drawn.more} and more below", "dim"))
        for number, words_left in enumerate(rest):
            mark = drawn.last if number == len(rest) - 1 else drawn.fork
            terminal.say((inner + mark, "dim"), (words_left, "dim"))


def _leaf(report: Report, leaf: Leaf, drawn: _Lines) -> Parts:
    parts: Parts = [shortened(leaf.indicator.defanged, LONGEST), (f"  {leaf.indicator.type}", "dim")]
    parts += _verdict(report, leaf.node) if leaf.node.terms else []
    told = [*_edges(leaf.edges)]
    if leaf.node.hub:
        told.append(f"not followed: {leaf.node.hub}")
    if leaf.suppressed is not None:
        told.append(f"suppressed: {leaf.suppressed.list}")
    if leaf.again:
        told.append("given" if leaf.given else "stands elsewhere too")
    if told:
        parts.append(("  " + drawn.dot.join(told), "dim"))
    return parts


def _edges(edges: tuple[Edge, ...]) -> list[str]:
    first = min((edge.first_seen[:10] for edge in edges if edge.first_seen), default="")
    last = max((edge.last_seen[:10] for edge in edges if edge.last_seen), default="")
    days = " to ".join(dict.fromkeys(day for day in (first, last) if day))
    providers = ", ".join(sorted({edge.provider for edge in edges}))
    return [words for words in (days, providers) if words]


def _verdict(report: Report, node: Node) -> Parts:
    verdict = Verdict.of(node.terms, report.thresholds)
    return [("  ", ""), (f"{verdict.level} {verdict.score:+d}", STYLES[verdict.level])] if node.terms else []


def _tables(report: Report, terminal: Terminal, drawn: _Lines) -> None:
    for table in report.facts:
        terminal.say((table.title, "bold"))
        if table.columns:
            terminal.table(table.columns, [*table.rows[:ROWS]])
        else:
            for row in table.rows[:ROWS]:
                terminal.say(("  ", ""), (f"{row[0]}: ", "dim"), " ".join(row[1:]))
        if len(table.rows) > ROWS:
            terminal.say((f"{drawn.more} and {len(table.rows) - ROWS} more", "dim"))
        terminal.say("")


def _missing(report: Report, terminal: Terminal) -> None:
    gaps = missing(report)
    if gaps:
        terminal.say(("What is missing", "bold"))
        for gap in gaps:
            times = f" ({gap.count} times)" if gap.count > 1 else ""
            terminal.say(("  ", ""), (f"{gap.what}: ", "dim"), gap.why, (times, "dim"))
        terminal.say("")


def _asked(report: Report, terminal: Terminal) -> None:
    rows: list[tuple[object, ...]] = [
        (row.source, row.found, row.not_found, row.internal, row.failed, row.calls, row.from_cache, row.quota_left)
        for row in by_source(report)
    ]
    if rows:
        columns = ("source", "found", "not found", "internal", "failed", "calls", "from cache", "calls left")
        terminal.table(columns, rows, frozenset(columns[1:]))
