"""The one call that the Cortex job, Grow and the engine all use: :func:`answer`.

In order: own assets, exposure, cache, breaker, quota, ask, read, hygiene, score, caps.
"""

from __future__ import annotations

import json
import time

from cortex_grow.model.graph import unified
from cortex_grow.model.indicator import Indicator
from cortex_grow.model.report import Node, Partial, Provenance, Report
from cortex_grow.model.report import Source as Origin
from cortex_grow.model.view import rank
from cortex_grow.net.errors import (
    BlockedError,
    CredentialError,
    DeadlineError,
    QuotaError,
    SourceError,
    UnreachableError,
    UnsupportedError,
)
from cortex_grow.source.answer import Answer, Part, utc
from cortex_grow.source.base import Job, Question, Source
from cortex_grow.source.build import Builder
from cortex_grow.source.declaration import EXPOSURES, Declaration
from cortex_grow.source.exposure import barred
from cortex_grow.source.settings import Settings

# Failures after which the other questions of the same source would fail too.
_HOPELESS = (CredentialError, QuotaError, UnreachableError, BlockedError, DeadlineError)
NODES = 2000


class BarredError(SourceError):
    """TLP or PAP bar every question of the source."""


def answer(source: type[Source] | Source, seed: Indicator, settings: Settings, job: Job) -> Report:
    """Ask ``source`` about ``seed`` and return what it knows.

    Raises a :class:`~cortex_grow.net.errors.SourceError` where the question failed; *not found* is a report. A part
    that failed while others were answered stands in ``partial``. A source object may be used again for the next
    question: it keeps its connections.
    """
    return Asking(source, seed, settings, job).report()


class Asking:
    """One question on its way: which parts were asked, answered, barred or failed."""

    def __init__(self, source: type[Source] | Source, seed: Indicator, settings: Settings, job: Job) -> None:
        self.declaration: Declaration = source.described()
        self.settings, self.job, self.seed = settings, job, seed
        self.source = source if isinstance(source, Source) else source(settings, job)
        self.source.job = job
        self.answer = Answer()
        self.partial: list[Partial] = []
        self.failures: list[SourceError] = []
        self.barred: dict[str, str] = {}
        self.exposures: set[str] = set()
        self.calls = 0
        self.quota_left: int | None = None
        self.credential = ""

    def report(self) -> Report:
        """Ask, read and judge."""
        if self.seed.type not in self.declaration.types:
            raise UnsupportedError(
                self.declaration.name,
                f"does not answer for {self.seed.type}; it takes {', '.join(self.declaration.types)}",
            )
        internal = self.job.assets.own(self.seed)
        if internal and self.declaration.exposures() != {"local"}:
            return self._report(Builder(self.declaration, self.seed, self.job.hygiene, self.job.assets), internal)
        self._ask()
        builder = Builder(self.declaration, self.seed, self.job.hygiene, self.job.assets)
        builder.partial.extend(self.partial)
        if any(part.found for part in self.answer.parts.values()):
            builder.add(self.source.read(self.seed, self.answer))
        return self._report(builder, None)

    def _ask(self) -> None:
        from cortex_grow.net.state import credential_id

        name = self.declaration.name
        exposures = sorted(self.declaration.exposures(), key=EXPOSURES.index)
        everything = [barred(one, self.job.tlp, self.job.pap, self.settings) for one in exposures]
        if all(everything):
            raise BarredError(name, str(everything[0]))
        if self.declaration.key and not self.source.key and not self.declaration.grow.get("key_optional"):
            raise CredentialError(
                name, f"no key is configured; set {self.declaration.key!r} in the configuration of {name}"
            )
        self.credential = credential_id(name, self.source.key or "")
        for question in self.source.ask(self.seed, self.answer):
            exposure = self.declaration.exposure(question.part)
            reason = barred(exposure, self.job.tlp, self.job.pap, self.settings)
            if reason:
                self.partial.append(Partial(name, question.part, reason))
                continue
            try:
                self.answer.parts[question.part] = self._part(question)
                self.exposures.add(exposure)
            except SourceError as error:
                if question.required or not self._go_on(error):
                    if not self.answer.parts or question.required:
                        raise
                    self._failed(question, error)
                    break
                self._failed(question, error)
        if not self.answer.parts:
            if self.failures:
                raise self.failures[0]
            why = self.partial[0].why if self.partial else "there was nothing to ask"
            raise BarredError(name, why)

    def _go_on(self, error: SourceError) -> bool:
        return not isinstance(error, _HOPELESS)

    def _failed(self, question: Question, error: SourceError) -> None:
        self.failures.append(error)
        self.partial.append(Partial(self.declaration.name, question.part, str(error)))

    def _part(self, question: Question) -> Part:
        """One part, from the cache or from the service."""
        name, state = self.declaration.name, self.job.state
        use_cache = self.settings.flag("cache", True) and self.declaration.exposure(question.part) != "local"
        fresh = self.settings.number("fresh_for", self.declaration.fresh(True), low=0)
        absent_fresh = min(fresh, self.declaration.fresh(False))
        if use_cache:
            cached = state.cache.get(name, question.text, self.credential, fresh, absent_fresh)
            if cached is not None:
                body = json.loads(cached.body) if cached.body is not None else None
                return Part(body, cached.as_of, True, cached.age_s)
        if question.calls:
            state.breaker.check(self.credential, name)
            self._take(question.calls)
        self.job.deadline.check(name)
        try:
            body = question.fetch()
        except SourceError as error:
            if question.calls and error.breaks:
                state.breaker.failed(self.credential, str(error), self.settings.number("retry_after", 300, low=0))
            elif question.calls and error.status:  # it refused, so it is there
                state.breaker.worked(self.credential)
            if isinstance(error, QuotaError) and error.retry_at:
                state.quota.block(self.credential, error.retry_at)
            raise
        if question.calls:
            state.breaker.worked(self.credential)
        if use_cache:
            state.cache.put(name, question.text, self.credential, None if body is None else json.dumps(body).encode())
        return Part(body, str(utc(time.time())))

    def _take(self, calls: int) -> None:
        limits = self.declaration.quota
        for unit in ("minute", "day", "month"):
            if self.settings.given(f"quota_{unit}"):
                limits[unit] = self.settings.number(f"quota_{unit}", low=0)
        limits = {unit: number for unit, number in limits.items() if number > 0}
        wait: float = self.settings.number("quota_wait", 20, low=0)
        if self.answer.parts:
            wait = max(wait, self.job.patience)
        for _ in range(calls):
            left = self.job.state.quota.take(self.credential, limits, wait, self.job.deadline, self.declaration.name)
            self.quota_left = left
            self.calls += 1

    def _report(self, builder: Builder, internal: str | None) -> Report:
        suppressed = builder.judged()
        nodes = builder.nodes
        limit = self.settings.number("max_nodes", NODES, low=1, high=10000)
        if len(nodes) > limit:
            nodes = _best(nodes, limit, self.seed.id)
            why = f"a report keeps the best {limit} nodes (max_nodes)"
            from cortex_grow.source.facts import Cut

            builder.add([Cut("related indicators", len(builder.nodes), len(nodes), why)])
        known = {*nodes, *suppressed}
        edges = {key: edge for key, edge in builder.edges.items() if edge.source in known and edge.target in known}
        return unified(
            Report(
                source=Origin(self.declaration.name, self.declaration.version, self.declaration.reference),
                seeds=(nodes[self.seed.id].indicator,),
                nodes=nodes,
                edges=edges,
                families=tuple(builder.families),
                techniques=tuple(builder.techniques),
                actors=tuple(builder.actors),
                facts=tuple(builder.tables),
                suppressed=suppressed,
                limits=builder.noted(),
                partial=tuple(builder.partial),
                headlines=tuple(builder.headlines[:3]),
                provenance=(self._provenance(internal),),
                thresholds=self.settings.thresholds,
            )
        )

    def _provenance(self, internal: str | None) -> Provenance:
        parts = self.answer.parts.values()
        status = "internal" if internal else "found" if any(part.found for part in parts) else "not-found"
        notes = [f"internal, not asked: {internal}"] if internal else []
        notes.extend(str(problem) for problem in self.job.assets.problems[:5])
        if not internal and not self.job.state.shared:
            notes.append(f"quota and cache not shared: {self.job.state.why_not}")
        return Provenance(
            source=self.declaration.name,
            version=self.declaration.version,
            seed=self.seed.id,
            status=status,
            reference=self.declaration.reference,
            exposure=max(self.exposures, key=EXPOSURES.index, default="local"),
            as_of=self.answer.as_of or str(utc(time.time())),
            from_cache=bool(parts) and all(part.from_cache for part in parts),
            age_s=max((part.age_s for part in parts), default=0),
            calls=self.calls,
            quota_left=self.quota_left,
            notes=tuple(notes),
        )


def _best(nodes: dict[str, Node], limit: int, seed: str) -> dict[str, Node]:
    ordered = sorted(nodes.items(), key=lambda item: (item[0] == seed, rank(item[1])), reverse=True)
    kept = {node_id for node_id, _ in ordered[:limit]}
    return {node_id: node for node_id, node in nodes.items() if node_id in kept}
