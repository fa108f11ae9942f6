"""What a person asks of a run first: what it cost, what is missing, and why; the same on a terminal and on a page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from cortex_grow.model.report import Report
from cortex_grow.model.tree import Leaf
from cortex_grow.model.view import LEVELS

MOST_REASONS = 40
FEW = 25


@dataclass(slots=True)
class Asked:
    """What one source was asked and gave. ``quota_left`` is the least that an answer told, ``None`` where none did."""

    source: str
    reference: str = ""
    found: int = 0
    not_found: int = 0
    internal: int = 0
    failed: int = 0
    calls: int = 0
    from_cache: int = 0
    quota_left: int | None = None
    oldest: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that is not in the graph: ``what`` (a source, a part of a question), how often, and ``why``."""

    what: str
    why: str
    count: int = 1


def by_source(report: Report) -> list[Asked]:
    """One line a source, by name."""
    asked: dict[str, Asked] = {}
    for entry in report.provenance:
        row = asked.setdefault(entry.source, Asked(entry.source, entry.reference))
        row.found += entry.status == "found"
        row.not_found += entry.status == "not-found"
        row.internal += entry.status == "internal"
        row.failed += entry.status == "failed"
        row.calls += entry.calls
        row.from_cache += entry.from_cache
        if entry.quota_left is not None:
            row.quota_left = min(entry.quota_left, entry.quota_left if row.quota_left is None else row.quota_left)
        if entry.as_of:
            row.oldest = min(entry.as_of, row.oldest or entry.as_of)
    return [asked[name] for name in sorted(asked)]


def answered(report: Report) -> bool:
    """Whether any question got an answer; *not found* and *internal, not asked* are answers."""
    return any(entry.status != "failed" for entry in report.provenance)


def missing(report: Report) -> list[Missing]:
    """What is not there: sources not asked, cuts, parts without an answer; the same reason is told once."""
    told: Counter[tuple[str, str]] = Counter()
    for skipped in report.skipped:
        told[skipped.source, skipped.why] += 1
    for limit in report.limits:
        told[limit.source, f"{limit.what}: {limit.kept} of {limit.found} kept: {limit.why}"] += 1
    for part in report.partial:
        told[part.source, part.why] += 1
    told = _plainly(told)
    rows = [Missing(what, why, count) for (what, why), count in told.items()]
    if len(rows) > MOST_REASONS:
        rest = sum(row.count for row in rows[MOST_REASONS:])
        rows = [*rows[:MOST_REASONS], Missing("and more", "see limits, partial and skipped in graph.json", rest)]
    return rows


def _plainly(told: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """The same reason once: an error is a sentence that begins with its source, a partial answer may not be."""
    plain: Counter[tuple[str, str]] = Counter()
    for (what, why), count in told.items():
        plain[what, why.removeprefix(f"{what}: ").rstrip(". ")] += count
    return plain


def in_order(report: Report, trees: list[Leaf]) -> list[Leaf]:
    """The trees as given; where they are too many to read them all, worst verdict and largest growth first."""
    if len(trees) <= FEW:
        return trees
    return sorted(trees, key=lambda tree: (-report.verdict_of(tree.indicator.id).score, -sum(climbed(tree).values())))


def climbed(tree: Leaf) -> dict[str, int]:
    """How many indicators hang below a seed on each level of the pyramid that has any, lowest first."""
    seen = {leaf.indicator.id: leaf.indicator.pyramid for _, _, leaf in tree.all_below() if leaf.suppressed is None}
    seen.pop(tree.indicator.id, None)
    counts = Counter(seen.values())
    return {level: counts[level] for level in LEVELS if counts[level]}
