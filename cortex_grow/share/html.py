"""``report.html``: the run for a person, in one file that needs no network and runs no script of a stranger.

Everything out of a report is text (:mod:`cortex_grow.share.markup`), shown defanged; the page's own style and script
are named in its Content-Security-Policy by their digests, so that nothing else is applied or run whatever gets through.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from cortex_grow.model.report import Edge, Node, Report
from cortex_grow.model.tree import Branch, Forest, Leaf, forest
from cortex_grow.model.verdict import LEVELS as VERDICTS
from cortex_grow.model.verdict import Verdict
from cortex_grow.model.view import LEVELS, climb
from cortex_grow.share import csv
from cortex_grow.share.files import write_whole
from cortex_grow.share.lines import Line, lines
from cortex_grow.share.markup import Markup, el, link, raw
from cortex_grow.share.summary import by_source, climbed, in_order, missing
from cortex_grow.share.text import shortened

NAME = "report.html"
# A page that a browser still scrolls: the whole stands in graph.json and indicators.csv.
IN_BRANCH = 50
IN_PAGE = 6000
IN_TABLE = 3000
DEEPEST = 12
LONGEST_SEED = 32
OPEN = 5

_HEIGHTS = {"hash": "hashes", "ip": "addresses", "domain": "domains", "artifact": "artifacts"}
_HEIGHTS |= {"tool": "tools and families", "ttp": "tactics and techniques"}


def write(report: Report, path: Path, made: str = "", notes: tuple[str, ...] = ()) -> None:
    """Write the file, whole. Raises :class:`OSError`."""
    write_whole(path, encoded(report, made, notes))


def encoded(report: Report, made: str = "", notes: tuple[str, ...] = ()) -> bytes:
    """The page. ``made`` says when the run ended (UTC), ``notes`` what else a reader should know first."""
    return page(report, made, notes).encode("utf-8", "replace")


def page(report: Report, made: str = "", notes: tuple[str, ...] = ()) -> str:
    """The page as text."""
    grown = forest(report)
    grown = Forest(in_order(report, grown.trees), grown.loose)
    style, script = _asset("report.css"), _asset("report.js")
    policy = (
        f"default-src 'none'; style-src 'sha256-{_digest(style)}'; script-src 'sha256-{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    title = report.seed.defanged if len(report.seeds) == 1 else f"{len(report.seeds)} indicators"
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="referrer", content="no-referrer"),
        el("meta", name="robots", content="noindex"),
        el("title", f"Grown from {title}"),
        raw("style", style),
    )
    body = el(
        "body",
        _top(report, title, made, notes),
        el("main", _seeds(report, grown), _trees(report, grown), _table(report, grown), _rest(report)),
        raw("script", script),
    )
    return f"<!DOCTYPE html>\n{el('html', head, body, lang='en')}\n"


@cache
def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


# --- the top ----------------------------------------------------------------------------------------------------------


def _top(report: Report, title: str, made: str, notes: tuple[str, ...]) -> Markup:
    related = len(report.related())
    verdicts = Counter(report.verdict_of(seed.id).level for seed in report.seeds)
    counts = [
        ("indicators given" if len(report.seeds) != 1 else "indicator given", len(report.seeds)),
        ("related to them", related),
        ("relations", len(report.edges)),
        ("suppressed as noise", len(report.suppressed)),
    ]
    return el(
        "header",
        el("h1", "Grown from ", el("bdi", title)),
        el("p", f"cortex-grow, {made}" if made else "cortex-grow", class_="quiet"),
        [el("p", note, class_="note") for note in notes],
        el(
            "div",
            _pyramid(report),
            el(
                "div",
                el(
                    "dl",
                    [el("div", el("dt", words), el("dd", f"{count:,}")) for words, count in counts],
                    class_="counts",
                ),
                el("p", "Verdicts on what was given: ", [_level(level, verdicts[level]) for level in _worst(verdicts)]),
            ),
            class_="overview",
        ),
    )


def _worst(verdicts: Counter[str]) -> list[str]:
    return [level for level in reversed(VERDICTS) if verdicts[level]]


def _level(level: str, more: object = "") -> Markup:
    return el("span", level, f" {more}" if more != "" else None, class_=f"level {level}")


def _pyramid(report: Report) -> Markup:
    """The Pyramid of Pain with what was found on each of its levels."""
    counts = {row["level"]: row["count"] for row in climb(report.related())}
    steps = []
    for position, level in enumerate(reversed(LEVELS)):
        count = counts.get(level, 0)
        steps.append(
            el(
                "div",
                el("span", f"{count:,}", class_="count"),
                el("span", _HEIGHTS[level]),
                class_=f"step step{position} {'some' if count else 'none'}",
            )
        )
    return el(
        "div", steps, class_="pyramid", role="img", aria_label="related indicators by level of the pyramid of pain"
    )


# --- seeds and trees --------------------------------------------------------------------------------------------------


def _seeds(report: Report, grown: Forest) -> Markup | None:
    if len(grown.trees) < 2:
        return None
    rows = []
    for number, tree in enumerate(grown.trees[:IN_TABLE]):
        below = climbed(tree)
        rows.append(
            el(
                "tr",
                el("td", el("a", el("bdi", tree.indicator.defanged), href=f"#seed{number}")),
                el("td", tree.indicator.type),
                el("td", _verdict(report, tree.node)),
                el("td", f"{sum(below.values()):,}", class_="number"),
                el("td", list(below)[-1] if below else ""),
            )
        )
    return el(
        "section",
        el("h2", "What was given"),
        el("div", _grid(("indicator", "type", "verdict", "related", "grew up to"), rows), class_="wide"),
        _more(len(grown.trees), len(rows)),
    )


def _grid(columns: tuple[str, ...], rows: list[Markup], **attributes: object) -> Markup:
    head = el("thead", el("tr", [el("th", name, scope="col") for name in columns]))
    return el("table", head, el("tbody", rows), **attributes)


def _more(total: int, shown: int) -> Markup | None:
    return el("p", f"… and {total - shown:,} more: {csv.NAME} has them all", class_="quiet") if total > shown else None


def _trees(report: Report, grown: Forest) -> Markup:
    room = [IN_PAGE]
    made = []
    for number, tree in enumerate(grown.trees):
        below = climbed(tree)
        total = sum(below.values())
        summary = el(
            "summary",
            el("span", tree.indicator.type, class_="type"),
            el("bdi", tree.indicator.defanged, class_="value"),
            " ",
            _verdict(report, tree.node),
            " ",
            el("span", f"{total:,} related" if total else "nothing related found", class_="quiet"),
        )
        reasons = [f"{term.points:+d} {term.why}" for term in Verdict.of(tree.node.terms, report.thresholds).terms]
        made.append(
            el(
                "details",
                summary,
                el("ul", [el("li", reason) for reason in reasons[:6]], class_="reasons") if reasons else None,
                _branches(report, tree.branches, room, 1),
                class_="tree",
                id=f"seed{number}",
                open=number < OPEN,
            )
        )
        if room[0] <= 0:
            made.append(_more(len(grown.trees), number + 1) or Markup(""))
            break
    return el("section", el("h2", "What grew from it"), made)


def _branches(report: Report, branches: list[Branch], room: list[int], depth: int) -> Markup | None:
    groups = []
    for branch in branches:
        leaves = branch.leaves[: min(IN_BRANCH, max(0, room[0]))]
        room[0] -= len(leaves)
        items = [_leaf(report, leaf, room, depth) for leaf in leaves]
        left = len(branch.leaves) - len(leaves)
        if left:
            items.append(el("li", f"… and {left:,} more", class_="quiet"))
        if branch.suppressed:
            items.append(el("li", f"{branch.suppressed:,} suppressed as noise", class_="quiet"))
        count = len(branch.leaves)
        groups.append(
            el(
                "li",
                el("span", branch.words, class_="relation"),
                el("span", f" {count:,}", class_="quiet") if count > 1 else None,
                el("ul", items),
            )
        )
    return el("ul", groups, class_="branches") if groups else None


def _leaf(report: Report, leaf: Leaf, room: list[int], depth: int) -> Markup:
    notes = []
    if leaf.suppressed is not None:
        notes.append(f"suppressed: {leaf.suppressed.list}")
    if leaf.node.hub:
        notes.append(f"not followed: {leaf.node.hub}")
    if leaf.again:
        notes.append("given" if leaf.given else "stands elsewhere too")
    deeper: Markup | None = None
    if leaf.branches and not leaf.again:
        if depth < DEEPEST:
            deeper = _branches(report, leaf.branches, room, depth + 1)
        else:
            notes.append("what hangs below is left out here")
    return el(
        "li",
        el("span", leaf.indicator.type, class_="type"),
        el("bdi", leaf.indicator.defanged, class_="value"),
        " ",
        _verdict(report, leaf.node) if leaf.node.terms else None,
        el("span", " · ".join([*_told(leaf.edges), *notes]), class_="quiet"),
        deeper,
    )


def _told(edges: tuple[Edge, ...]) -> Iterator[str]:
    """What the edges of a leaf say: since when, how often, who says so."""
    first = min((edge.first_seen for edge in edges if edge.first_seen), default="")
    last = max((edge.last_seen for edge in edges if edge.last_seen), default="")
    days = [time[:10] for time in (first, last) if time]
    if days:
        yield " to ".join(dict.fromkeys(days))
    count = max((edge.count for edge in edges if edge.count is not None), default=0)
    if count > 1:
        yield f"{count:,} times"
    providers = sorted({edge.provider for edge in edges})
    if providers:
        yield ", ".join(providers)


def _verdict(report: Report, node: Node) -> Markup:
    verdict = Verdict.of(node.terms, report.thresholds)
    if not node.terms:
        return el("span", "nothing said", class_="quiet")
    why = "; ".join(f"{term.points:+d} {term.why}" for term in verdict.terms[:8])
    return el("span", verdict.level, f" {verdict.score:+d}", class_=f"level {verdict.level}", title=why)


# --- the table --------------------------------------------------------------------------------------------------------

_COLUMNS = ("type", "value", "verdict", "relation", "via", "seed", "first seen", "last seen", "said by", "tags")


def _table(report: Report, grown: Forest) -> Markup:
    rows = [line for line in lines(report, grown) if not line.suppressed and not line.is_seed]
    made = [_line(line) for line in rows[:IN_TABLE]]
    types = Counter(line.node.indicator.type for line in rows)
    filters = el(
        "p",
        el("label", "Filter ", el("input", type="search", id="filter", placeholder="text", autocomplete="off")),
        _choice("by-type", "type", [(name, f"{name} ({count})") for name, count in types.most_common()]),
        _choice("by-level", "verdict", [(name, name) for name in (*reversed(VERDICTS), "none")]),
        el("output", f"{len(made):,} shown", id="shown"),
        class_="filters",
    )
    return el(
        "section",
        el("h2", "All related indicators"),
        filters if made else el("p", "Nothing related was found.", class_="quiet"),
        el("div", _grid(_COLUMNS, made, id="indicators"), class_="wide") if made else None,
        _more(len(rows), len(made)),
    )


def _line(line: Line) -> Markup:
    indicator = line.node.indicator
    seeds = [shortened(seed.defanged, LONGEST_SEED) for seed in line.seeds[:3]]
    if len(line.seeds) > 3:
        seeds.append(f"and {len(line.seeds) - 3} more")
    cells: list[object] = [
        indicator.type,
        el("bdi", indicator.defanged),
        _level(line.verdict.level, f"{line.verdict.score:+d}") if line.node.terms else None,
        ", ".join(line.relations),
        el("bdi", line.via.defanged) if line.via else None,
        el("bdi", ", ".join(seeds)),
        line.first_seen[:10],
        line.last_seen[:10],
        ", ".join(line.providers),
        ", ".join([tag for tag in line.node.tags if not tag.startswith("list:")][:5]),
    ]
    level = line.verdict.level if line.node.terms else "none"
    return el("tr", [el("td", cell) for cell in cells], data_type=indicator.type, data_level=level)


def _choice(id: str, words: str, options: list[tuple[str, str]]) -> Markup:
    made = [el("option", f"any {words}", value=""), *(el("option", text, value=value) for value, text in options)]
    return el("label", el("span", words, class_="hidden"), el("select", made, id=id))


# --- what is missing, what it cost ------------------------------------------------------------------------------------


def _rest(report: Report) -> list[Markup]:
    made = []
    gaps = missing(report)
    if gaps:
        rows = [
            el("tr", el("td", gap.what), el("td", gap.why), el("td", f"{gap.count:,}", class_="number")) for gap in gaps
        ]
        made.append(el("section", el("h2", "What is missing"), _grid(("of", "why", "times"), rows)))
    if report.suppressed:
        entries = list(report.suppressed.values())
        rows = [
            el(
                "tr",
                el("td", entry.node.indicator.type),
                el("td", el("bdi", entry.node.indicator.defanged)),
                el("td", entry.list),
                el("td", entry.why),
            )
            for entry in entries[:IN_TABLE]
        ]
        made.append(
            el(
                "section",
                el("h2", "Suppressed as noise"),
                el(
                    "details",
                    el("summary", f"{len(entries):,} indicators"),
                    _grid(("type", "indicator", "list", "why"), rows),
                ),
            )
        )
    sources = [
        el(
            "tr",
            el("td", link(row.source, row.reference)),
            [
                el("td", "" if value is None else value, class_="number")
                for value in (
                    row.found,
                    row.not_found,
                    row.internal,
                    row.failed,
                    row.calls,
                    row.from_cache,
                    row.quota_left,
                )
            ],
            el("td", row.oldest),
        )
        for row in by_source(report)
    ]
    columns: tuple[str, ...] = (
        "source",
        "found",
        "not found",
        "internal",
        "failed",
        "calls",
        "from cache",
        "calls left",
        "oldest answer",
    )
    made.append(el("section", el("h2", "What was asked"), el("div", _grid(columns, sources), class_="wide")))
    return made
