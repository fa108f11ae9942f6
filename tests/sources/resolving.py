"""Asking DNS_Resolve at a small name server of the test's own, by configuration alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from cortex_grow.model.indicator import Indicator
from cortex_grow.model.report import Report, Table
from cortex_grow.source import registry
from cortex_grow.source.base import Source
from cortex_grow.source.circumstances import open_job
from cortex_grow.source.run import answer
from cortex_grow.source.settings import Settings
from tests.net.nameserver import NameServer

NAME = "DNS_Resolve"


class Asker:
    """Asks about indicators in ``zone``; what ``wrong`` says is as in :class:`~tests.net.nameserver.NameServer`."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.declaration = registry.named(NAME)
        loaded = registry.load(self.declaration)
        assert issubclass(loaded, Source)
        self.source = loaded

    def ask(
        self, server: NameServer | str, type: str, value: str, *, tlp: int = 2, pap: int = 1, **settings: Any
    ) -> Report:
        """The report about one indicator. Raises what the source raises."""
        where = server if isinstance(server, str) else server.where
        values = {"resolvers": [where], "query_timeout": 1, "state_dir": str(self.place / "state"), **settings}
        chosen = Settings(values, self.declaration)
        job = replace(open_job(chosen, 30), tlp=tlp, pap=pap)
        return answer(self.source, Indicator.parse(type, value), chosen, job)

    def about(self, zone: str, type: str, value: str, wrong: Any = None, **settings: Any) -> Report:
        """The same, with the name server started for this one question."""
        with NameServer(zone, wrong) as server:
            return self.ask(server, type, value, **settings)


def edges(report: Report, relation: str | None = None) -> set[tuple[str, str, str]]:
    """The edges, of one relation where one is named, without what is said of them."""
    return {
        (edge.source, edge.relation, edge.target) for edge in report.edges.values() if relation in (None, edge.relation)
    }


def targets(report: Report, relation: str, source: str | None = None) -> set[str]:
    """The right ends of a relation, as ``type:value``; with ``source``, of that left end only."""
    return {end for start, _, end in edges(report, relation) if source in (None, start)}


def sources(report: Report, relation: str) -> set[str]:
    """The left ends of a relation."""
    return {start for start, _, _ in edges(report, relation)}


def table(report: Report, title: str) -> Table:
    """The one table whose title begins so."""
    found = [table for table in report.facts if table.title.startswith(title)]
    assert len(found) == 1, f"{len(found)} tables {title!r} among {[table.title for table in report.facts]}"
    return found[0]


def shown(report: Report) -> str:
    """Every cell of every table, for a look whether something is shown at all."""
    return "\n".join(cell for table in report.facts for row in table.rows for cell in row)


def partial(report: Report) -> dict[str, str]:
    """What is listed as partial: the reasons by part, those of one part joined."""
    found: dict[str, str] = {}
    for entry in report.partial:
        found[entry.part] = f"{found[entry.part]}\n{entry.why}" if entry.part in found else entry.why
    return found


def points(report: Report) -> dict[str, int]:
    """The points about the seed by rule, without what hygiene says."""
    return {term.rule: term.points for term in report.verdict.terms if term.provider != "hygiene"}


def unreadable(report: Report) -> int:
    """How many values could not be read."""
    return sum(limit.found for limit in report.limits if limit.what == "values that cannot be read")
