"""The analyzer side: cortexutils' Analyzer with the pack's report, artifacts, taxonomies and atomic output."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from cortexutils.analyzer import Analyzer

from cortex_grow.model.indicator import Indicator
from cortex_grow.model.report import Limit, Report
from cortex_grow.source.declaration import Declaration
from cortex_grow.source.settings import Settings
from cortex_grow.worker.job_input import JobInput
from cortex_grow.worker.output import Output

LARGEST_FULL = 5_000_000
READ_SIZE = 1024 * 1024


class JobAnalyzer(Analyzer):  # type: ignore[misc]
    """One analyzer job. cortexutils reads the job and builds the parts; :class:`Output` writes them."""

    def __init__(self, declaration: Declaration, job: JobInput, settings: Settings, output: Output) -> None:
        self.declaration, self.job, self.settings, self.output = declaration, job, settings, output
        self.made: list[dict[str, Any]] = []
        self.lines: list[dict[str, Any]] = []
        if job.folder is None:  # cortexutils reads standard input itself; it was read already
            sys.stdin = io.StringIO(json.dumps(job.raw))
        super().__init__(str(job.folder) if job.folder else None, None)

    def error(self, message: str, ensure_ascii: bool = False) -> NoReturn:
        """End the job with a failure."""
        self.output.failure(f"{self.declaration.name}: {message}")
        sys.exit(1)

    def report(self, full_report: dict[str, Any], ensure_ascii: bool = False) -> None:
        """End the job with a success."""
        self.output.success(
            {
                "summary": self.summary(full_report),
                "artifacts": self.artifacts(full_report),
                "operations": self.operations(full_report),
                "full": full_report,
            }
        )

    def summary(self, raw: dict[str, Any]) -> dict[str, Any]:
        """The taxonomies."""
        return {"taxonomies": self.lines}

    def artifacts(self, raw: dict[str, Any]) -> list[dict[str, Any]]:
        """The related indicators, typed; cortexutils' sweep over the report is never used."""
        return self.made

    def seed(self) -> Indicator:
        """The observable as an indicator; a file is hashed here."""
        if self.job.file is not None:
            return hashed(self.job.file, str(self.job.raw.get("filename") or ""))
        return Indicator.from_observable(self.job.data_type, str(self.get_data()))


def hashed(file: Path, name: str) -> Indicator:
    """The digests of a file, read in pieces, as an indicator of type hash."""
    import hashlib

    digests = {kind: hashlib.new(kind, usedforsecurity=False) for kind in ("md5", "sha1", "sha256")}
    size = 0
    with file.open("rb") as opened:
        while piece := opened.read(READ_SIZE):
            size += len(piece)
            for digest in digests.values():
                digest.update(piece)
    values = {kind: digest.hexdigest() for kind, digest in digests.items()}
    return Indicator.file(**values, filename=name, size=str(size))


def analyze(
    worker: type, declaration: Declaration, job: JobInput, settings: Settings, output: Output, seconds: int
) -> None:
    """Run one analyzer job to its end."""
    from cortex_grow.model.view import view
    from cortex_grow.source.base import Source
    from cortex_grow.worker.artifacts import artifacts, taxonomies
    from cortex_grow.worker.run import circumstances

    analyzer = JobAnalyzer(declaration, job, settings, output)
    seed = analyzer.seed()
    around = circumstances(job, settings, seconds)
    if issubclass(worker, Source):
        from cortex_grow.source.run import answer

        report = answer(worker, seed, settings, around)
    else:
        report = worker.grow(seed, settings, around)  # type: ignore[attr-defined]
    analyzer.made, report = artifacts(report, job.tlp, settings)
    analyzer.lines = taxonomies(report, declaration.namespace)
    report = fitting(report)
    analyzer.report({**report.to_dict(), "view": view(report)})


def fitting(report: Report, largest: int = LARGEST_FULL) -> Report:
    """The report cut to ``largest`` bytes with its view: facts first, then the least nodes; each cut is noted."""
    from cortex_grow.model.view import rank, view

    def size(candidate: Report) -> int:
        return len(
            json.dumps({**candidate.to_dict(), "view": view(candidate)}, ensure_ascii=False).encode("utf-8", "replace")
        )

    why = f"a report stays under {largest // 1_000_000} MB"
    name = report.source.name
    if size(report) > largest and report.facts:
        rows = sum(len(table.rows) for table in report.facts)
        tables = tuple(replace(table, rows=table.rows[:20]) for table in report.facts[:20])
        kept = sum(len(table.rows) for table in tables)
        report = replace(report, facts=tables, limits=(*report.limits, Limit(name, "rows of facts", rows, kept, why)))
    total = len(report.nodes) + len(report.suppressed)
    cut = report
    while size(cut) > largest and len(cut.nodes) + len(cut.suppressed) > 1:
        seeds = {seed.id for seed in cut.seeds}
        order = sorted(cut.nodes, key=lambda node_id: (node_id in seeds, rank(cut.nodes[node_id])), reverse=True)
        keep = set(order[: max(1, len(order) // 2)])
        hidden = dict(list(cut.suppressed.items())[: len(cut.suppressed) // 2])
        known = keep | set(hidden)
        cut = replace(
            report,
            nodes={node_id: node for node_id, node in cut.nodes.items() if node_id in keep},
            suppressed=hidden,
            edges={key: edge for key, edge in cut.edges.items() if edge.source in known and edge.target in known},
        )
        left = len(cut.nodes) + len(cut.suppressed)
        cut = replace(cut, limits=(*report.limits, Limit(name, "related indicators", total, left, why)))
    return cut
