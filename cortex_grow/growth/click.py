"""Grow as one Cortex job: every source that has a key, in parallel, within one budget, in one graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cortex_grow.growth.budget import Budget
from cortex_grow.growth.engine import Engine
from cortex_grow.growth.local import LocalRunner
from cortex_grow.growth.sources import chosen
from cortex_grow.model.indicator import Indicator
from cortex_grow.model.report import Headline, Report, Source
from cortex_grow.net.errors import RefusedError
from cortex_grow.source import declaration as declarations
from cortex_grow.source.base import Job
from cortex_grow.source.declaration import Declaration
from cortex_grow.source.settings import Settings

CONCURRENCY = 8
# Settings of Grow itself that a source has under the same name, but that are Grow's alone.
_GROWS_OWN = frozenset({"deadline", "max_nodes", "artifacts", "max_artifacts", "auto_import_score"})


class Growth:
    """The base of the Grow analyzer: its settings are its own, the common ones, and ``<source>_<item>`` by source."""

    @classmethod
    def described(cls) -> Declaration:
        """The declaration beside the module of this class."""
        return declarations.of_class(cls)

    @classmethod
    def grow(cls, seed: Indicator, settings: Settings, job: Job) -> Report:
        """The merged report about ``seed``, with what there is when the deadline comes.

        Raises a :class:`~cortex_grow.net.errors.SourceError` where there is no source to ask or every source failed.
        """
        declaration = cls.described()
        ready, skipped = chosen(
            lambda source: of_source(source, settings),
            include=settings.texts("include"),
            exclude=settings.texts("exclude"),
        )
        fitting = {name: entry for name, entry in ready.items() if seed.type in entry.declaration.types}
        if not fitting:
            why = "; ".join(f"{entry.source}: {entry.why}" for entry in skipped) or "no source answers for this type"
            raise RefusedError(declaration.name, f"there is no source to ask about {seed.type}", said=why)
        calls = settings.number("calls_per_source", 20, low=1)
        budget = Budget(
            depth=settings.number("depth", 1, low=1, high=5),
            indicators=settings.number("max_indicators", 50, low=1),
            calls={"*": calls},
            seconds=max(1.0, job.deadline.left() - 2),
        )
        engine = Engine(
            {name: entry.declaration for name, entry in ready.items()},
            LocalRunner(ready, job, CONCURRENCY),
            budget,
            skipped=skipped,
            name=Source(declaration.name, declaration.version, declaration.reference),
            thresholds=settings.thresholds,
        )
        report = engine.run([seed])
        return with_climb(report)


def of_source(source: Declaration, settings: Settings) -> Mapping[str, Any]:
    """The settings of one source inside Grow: the common ones, then ``<source>_<item>``."""
    prefix = f"{source.name.lower()}_"
    values = {
        name: value for name, value in settings.values.items() if name not in _GROWS_OWN and not name.startswith(prefix)
    }
    values.update(
        (name.removeprefix(prefix), value) for name, value in settings.values.items() if name.startswith(prefix)
    )
    return values


def with_climb(report: Report) -> Report:
    """The report with the climb of the pyramid as its first line: ``Grow:climb="hash to ttp, 23 new"``."""
    from dataclasses import replace

    from cortex_grow.model.view import climb

    levels = climb(report.related())
    if not levels:
        return report
    value = f"{report.seed.pyramid} to {levels[-1]['level']}, {len(report.related())} new"
    verdict = report.verdict
    first = Headline("Grow", "climb", value)
    second = Headline("Grow", "verdict", f"{verdict.level} {verdict.score}")
    return replace(report, headlines=(first, second, *report.headlines))
