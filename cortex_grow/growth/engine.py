"""The engine: asks the sources about the seeds, and about what they yield, best first, until a bound is met."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from typing import Protocol

from cortex_grow.growth.budget import Budget, Spent
from cortex_grow.growth.frontier import SEED_VALUE, Frontier, Task, value
from cortex_grow.growth.journal import Journal
from cortex_grow.model.graph import Graph, unified
from cortex_grow.model.indicator import Indicator
from cortex_grow.model.report import Limit, Node, Partial, Provenance, Report, Skipped, Source
from cortex_grow.model.verdict import Thresholds
from cortex_grow.net.errors import BlockedError, QuotaError, SourceError, UnreachableError, UnsupportedError
from cortex_grow.source.declaration import Declaration
from cortex_grow.source.run import BarredError

NAME = "cortex-grow"
SLICE = 0.5  # seconds between looks at the clock while answers are awaited


class Runner(Protocol):
    """Where questions are asked: in this process, or by a Cortex."""

    concurrency: int

    def submit(self, task: Task, seconds: float) -> Future[Report]:
        """Ask one question."""

    def close(self, wait: bool = True) -> None:
        """Let go of everything."""


@dataclass(frozen=True)
class Progress:
    """How a run stands: for a progress bar."""

    asked: int
    answered: int
    failed: int
    waiting: int
    nodes: int
    sleeping: Mapping[str, float]  # by source, the time (seconds since 1970) when it wakes
    quota_left: Mapping[str, int]


class Engine:
    """One run. ``sources`` are the declarations that ``runner`` can ask, by name, ``skipped`` those it cannot."""

    def __init__(
        self,
        sources: Mapping[str, Declaration],
        runner: Runner,
        budget: Budget,
        *,
        skipped: Sequence[Skipped] = (),
        journal: Journal | None = None,
        listen: Callable[[Progress], None] | None = None,
        name: Source | None = None,
        thresholds: Thresholds | None = None,
    ) -> None:
        self.sources, self.runner, self.budget = sources, runner, budget
        self.journal, self.listen = journal, listen
        self.graph = Graph()
        self.frontier = Frontier()
        self.spent = Spent(budget)
        self.name = name or Source(NAME, "")
        self.thresholds = thresholds or Thresholds()
        self.skipped = tuple(skipped)
        self.partial: dict[Partial, None] = {}
        self.failed: list[Provenance] = []
        self.sleeping: dict[str, float] = {}
        self.quota_left: dict[str, int] = {}
        self.expanded: set[str] = set()
        self.asked = self.answered = 0
        self.errors: dict[str, SourceError] = {}
        self.barred: dict[str, None] = {}
        self.unsupported: list[UnsupportedError] = []
        self.interrupted = False
        self._flight: dict[Future[Report], Task] = {}
        self._degree: dict[str, int] = {}

    def run(self, seeds: Sequence[Indicator]) -> Report:
        """Grow ``seeds``; the report holds what there is when the run ends, also after an interrupt.

        Raises a :class:`~cortex_grow.net.errors.SourceError` where every question failed.
        """
        self._begin(seeds)
        try:
            self._loop()
        except KeyboardInterrupt:
            self.interrupted = True
            self.spent.reasons["stopped by the user"] = None
        finally:
            self._abandon()
        return self.report(seeds)

    def _begin(self, seeds: Sequence[Indicator]) -> None:
        nodes = {seed.id: Node(seed) for seed in seeds}
        self.graph.add(Report(source=self.name, seeds=tuple(seeds), nodes=nodes, thresholds=self.thresholds))
        if self.journal is not None:
            answers = list(self.journal.answers())
            for task, _ in answers:
                self.frontier.skip(task)
            for task, report in answers:
                self._take_in(task, report)
        for position, seed in enumerate(seeds):
            self._expand(Node(seed), 0, SEED_VALUE - position / (1 + len(seeds)))

    def _expand(self, node: Node, depth: int, worth: float | None = None) -> None:
        indicator = node.indicator
        if indicator.id in self.expanded or depth >= self.budget.depth:
            return
        if len(self.expanded) >= self.budget.indicators:
            self.spent.reasons[f"{self.budget.indicators} indicators were asked about"] = None
            return
        self.expanded.add(indicator.id)
        for name, declaration in self.sources.items():
            if indicator.type in declaration.types:
                task = Task(name, indicator, depth)
                ranked = (
                    worth if worth is not None else value(node, self._degree.get(indicator.id, 1), declaration, depth)
                )
                self.frontier.add(task, ranked)

    def _loop(self) -> None:
        while True:
            self._wake()
            self._fill()
            self._tell()
            if not self._flight:
                if not len(self.frontier) or self.spent.left <= 0:
                    break
                pause = min(list(self.sleeping.values()) or [time.time()]) - time.time()
                if pause > self.spent.left:
                    break
                time.sleep(max(0.0, min(pause, SLICE)))
                continue
            if self.spent.left <= 0:
                break
            done, _ = wait(self._flight, timeout=min(SLICE, self.spent.left), return_when=FIRST_COMPLETED)
            for future in done:
                self._done(self._flight.pop(future), future)

    def _fill(self) -> None:
        while len(self._flight) < self.runner.concurrency and self.spent.left > 0:
            awake = [name for name in self.sources if name not in self.sleeping and self._has_room(name)]
            task = self.frontier.best(awake)
            if task is None:
                return
            if not self.spent.may_call(task.source, self.sources[task.source].calls(task.indicator.type)):
                self.frontier.drop(task.source)
                continue
            if self.journal is not None:
                self.journal.sent(task, time.time())
            self.asked += 1
            self._flight[self.runner.submit(task, self.spent.left)] = task

    def _has_room(self, source: str) -> bool:
        """No source may hold more than its share of the places while another waits, nor more calls than it has left."""
        asking = [task for task in self._flight.values() if task.source == source]
        bound = self.budget.calls_of(source)
        if asking and bound is not None:
            declaration = self.sources[source]
            under_way = sum(declaration.calls(task.indicator.type) for task in asking)
            dearest = max(declaration.calls(type) for type in declaration.types)
            if self.spent.calls.get(source, 0) + under_way + dearest > bound:
                return False
        waiting = sum(1 for name in self.sources if name not in self.sleeping and self.frontier.waiting(name))
        share = max(1, -(-self.runner.concurrency // max(1, waiting)))
        return len(asking) < share

    def _done(self, task: Task, future: Future[Report]) -> None:
        try:
            report = future.result()
        except (QuotaError, BlockedError) as error:
            self._sleep(task, error)
        except SourceError as error:
            self._fail(task, error)
        else:
            self.answered += 1
            if self.journal is not None:
                self.journal.answered(task, report, time.time())
            self._take_in(task, report)

    def _take_in(self, task: Task, report: Report) -> None:
        new = [node for node_id, node in report.nodes.items() if node_id not in self.graph.nodes]
        for key, edge in report.edges.items():
            if key not in self.graph.edges:
                for end in (edge.source, edge.target):
                    self._degree[end] = self._degree.get(end, 0) + 1
        self.graph.add(report, seeds=False)
        for entry in report.provenance:
            self.spent.add(task.source, entry.calls)
            if entry.quota_left is not None:
                self.quota_left[task.source] = entry.quota_left
        for node in new:
            if node.indicator.id not in self.graph.suppressed and not node.hub:
                self._expand(node, task.depth + 1)

    def _sleep(self, task: Task, error: QuotaError | BlockedError) -> None:
        """Put a source to sleep that has no call left now; its questions keep their places."""
        wakes = error.retry_at
        if wakes is None or wakes - time.time() > self.spent.left:
            self._fail(task, error)
            dropped = self.frontier.drop(task.source)
            if dropped:
                self.partial[Partial(task.source, f"{dropped} more questions", str(error))] = None
            return
        self.asked -= 1
        if self.journal is not None:
            self.journal.unsent(task)
        self.sleeping[task.source] = max(wakes, time.time() + 0.05)
        self.frontier.again(task, SEED_VALUE if task.depth == 0 else 1.0)

    def _wake(self) -> None:
        now = time.time()
        for source in [name for name, wakes in self.sleeping.items() if wakes <= now]:
            del self.sleeping[source]

    def _fail(self, task: Task, error: SourceError) -> None:
        if isinstance(error, UnsupportedError):
            self.unsupported.append(error)
            return
        if self.journal is not None:
            self.journal.failed(task, str(error), time.time())
        if isinstance(error, BarredError):
            self.barred[str(error)] = None
            self.skipped = tuple(dict.fromkeys((*self.skipped, Skipped(task.source, str(error)))))
            return
        self.errors.setdefault(task.source, error)
        declaration = self.sources[task.source]
        self.spent.add(task.source, min(error.attempts, declaration.calls(task.indicator.type)))
        self.partial[Partial(task.source, task.indicator.id, str(error))] = None
        self.failed.append(
            Provenance(task.source, declaration.version, task.indicator.id, "failed", declaration.reference)
        )

    def _abandon(self) -> None:
        """Let go of what is still in flight; it stays in the journal as sent and is asked again on resume."""
        for future, task in self._flight.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                self._done(task, future)
            else:
                future.cancel()
                self.partial[Partial(task.source, task.indicator.id, "not answered when the run ended")] = None
        self._flight.clear()
        self.runner.close(wait=False)

    def report(self, seeds: Sequence[Indicator]) -> Report:
        """The graph as it stands, with what it cost and what bounded it."""
        report = unified(self.graph.report())
        limits = []
        left = len(self.frontier)
        if left and (self.spent.left <= 0 or not self.spent.reasons):
            self.spent.reasons[f"{self.budget.seconds:g} seconds were too few for all questions"] = None
        for why in self.spent.reasons:
            limits.append(Limit(self.name.name, "growth", len(self.expanded) + left, len(self.expanded), why))
        if not report.provenance and not self.interrupted:
            self._nothing()
        return replace(
            report,
            source=self.name,
            limits=(*report.limits, *limits),
            partial=(*report.partial, *self.partial),
            skipped=(*report.skipped, *self.skipped),
            provenance=(*report.provenance, *self.failed),
        )

    def _nothing(self) -> None:
        """Raise where not one question was answered: a failed question is never a success."""
        if len(self.errors) == 1:
            raise next(iter(self.errors.values()))
        if self.errors:
            raise SourceError(self.name.name, "every source failed", said=" ".join(map(str, self.errors.values())))
        if self.partial:
            what = f"no source answered within {self.budget.seconds:.3g} seconds"
            raise UnreachableError(self.name.name, what, advice="Give it more time (setting `deadline`)")
        if self.unsupported and not self.barred:
            raise self.unsupported[0]
        if self.barred:
            raise BarredError(self.name.name, "no source may be asked", said="; ".join(self.barred))

    def _tell(self) -> None:
        if self.listen is not None:
            self.listen(
                Progress(
                    self.asked,
                    self.answered,
                    len(self.failed),
                    len(self.frontier),
                    len(self.graph.nodes),
                    dict(self.sleeping),
                    dict(self.quota_left),
                )
            )
