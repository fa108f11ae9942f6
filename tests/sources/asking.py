"""Asking a source at the lab by configuration alone, as a job does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cortex_grow.lab import Lab
from cortex_grow.model.indicator import Indicator
from cortex_grow.model.report import Report
from cortex_grow.source import registry
from cortex_grow.source.base import Source
from cortex_grow.source.circumstances import open_job
from cortex_grow.source.run import answer
from cortex_grow.source.settings import Settings


class Desk:
    """Asks one definition at a lab; quota, cache and breaker live below ``place``."""

    def __init__(self, lab: Lab, definition: str, place: Path, **settings: Any) -> None:
        self.lab = lab
        self.declaration = registry.named(definition)
        loaded = registry.load(self.declaration)
        assert issubclass(loaded, Source)
        self.source = loaded
        self.values = {**lab.config_for(definition), "state_dir": str(place / "state"), **settings}

    def ask(self, type: str, value: str, **settings: Any) -> Report:
        """The report about one indicator. Raises what the source raises."""
        chosen = Settings({**self.values, **settings}, self.declaration)
        return answer(self.source, Indicator.parse(type, value), chosen, open_job(chosen, 10))

    def sent(self) -> list[tuple[str, str, dict[str, str], int | str]]:
        """What came in so far: method, path, parameters, status."""
        return [(row.method, row.path, dict(row.params), row.status) for row in self.lab.requests]


def edges(report: Report) -> set[tuple[str, str, str]]:
    """The edges of a report without what is said of them."""
    return {(edge.source, edge.relation, edge.target) for edge in report.edges.values()}


def points(report: Report, node_id: str | None = None) -> dict[str, int]:
    """The points of a node (the seed's) by rule."""
    node = report.nodes[node_id or report.seed.id]
    return {term.rule: term.points for term in node.terms if term.provider != "hygiene"}
