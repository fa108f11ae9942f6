"""The engine: what it asks, in which order, where it stops, and what it keeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest

from cortex_grow.growth.budget import Budget
from cortex_grow.growth.engine import Engine
from cortex_grow.growth.frontier import Frontier, Task, value
from cortex_grow.growth.journal import Journal
from cortex_grow.model.indicator import Indicator
from cortex_grow.model.report import Edge, Node, Provenance, Report, Skipped, Source, Suppressed
from cortex_grow.model.verdict import Term
from cortex_grow.net.errors import QuotaError, SourceError, UnreachableError
from cortex_grow.source.declaration import Declaration
from cortex_grow.source.run import BarredError

SEED = Indicator("domain", "seed.example")
IPS = [Indicator("ip", f"192.0.2.{last}") for last in range(1, 9)]


def declared(name: str, **grow: object) -> Declaration:
    yields = {type: ["resolves-to"] for type in ("domain", "ip", "hash")}
    return Declaration(
        Path("x"), name, "1.0", "", ("domain", "ip", "hash"), f"X/{name}.py", {}, {"yields": yields, **grow}
    )


def report(name: str, seed: Indicator, *related: Node, calls: int = 1, hidden: tuple[Node, ...] = ()) -> Report:
    edges = [Edge(seed.id, "related-to", node.indicator.id, name) for node in (*related, *hidden)]
    return Report(
        Source(name, "1.0"),
        (seed,),
        {seed.id: Node(seed), **{node.indicator.id: node for node in related}},
        {edge.key: edge for edge in edges},
        suppressed={node.indicator.id: Suppressed(node, "list", "noise") for node in hidden},
        provenance=(Provenance(name, "1.0", seed.id, "found", calls=calls),),
    )


class Scripted:
    """A runner that answers from a function, at once, and remembers what it was asked."""

    def __init__(self, answer: Callable[[Task], Report], concurrency: int = 1) -> None:
        self.answer, self.concurrency = answer, concurrency
        self.asked: list[Task] = []
        self.closed = False

    def submit(self, task: Task, seconds: float) -> Future[Report]:
        self.asked.append(task)
        future: Future[Report] = Future()
        try:
            future.set_result(self.answer(task))
        except SourceError as error:
            future.set_exception(error)
        return future

    def close(self, wait: bool = True) -> None:
        self.closed = True


def grown(answer: Callable[[Task], Report], budget: Budget, *names: str, **more: object) -> tuple[Report, Scripted]:
    runner = Scripted(answer)
    engine = Engine({name: declared(name) for name in names or ("A",)}, runner, budget, **more)  # type: ignore[arg-type]
    return engine.run([SEED]), runner


def star(task: Task) -> Report:
    """The seed has eight addresses, an address nothing."""
    related = [Node(ip) for ip in IPS] if task.indicator == SEED else []
    return report(task.source, task.indicator, *related)


def test_depth_one_asks_about_the_seeds_only() -> None:
    result, runner = grown(star, Budget(depth=1))
    assert [task.indicator for task in runner.asked] == [SEED]
    assert len(result.related()) == 8 and runner.closed


def test_depth_two_asks_about_what_grew_each_once() -> None:
    result, runner = grown(star, Budget(depth=2), "A", "B")
    asked = [(task.source, task.indicator.id) for task in runner.asked]
    assert len(asked) == len(set(asked)) == 2 + 2 * 8
    assert not result.limits


def test_the_best_is_asked_first() -> None:
    weighty = Node(IPS[5], (Term("A", "listed", 80, "listed"),))

    def answer(task: Task) -> Report:
        related = [Node(ip) for ip in IPS if ip != IPS[5]] + [weighty] if task.indicator == SEED else []
        return report("A", task.indicator, *related)

    _, runner = grown(answer, Budget(depth=2))
    assert runner.asked[1].indicator == IPS[5]


def test_value_prefers_score_height_rarity_and_nearness() -> None:
    source = declared("A")
    plain, listed = Node(IPS[0]), Node(IPS[0], (Term("A", "listed", 80, "listed"),))
    assert value(listed, 1, source, 1) > value(plain, 1, source, 1)
    assert value(Node(SEED), 1, source, 1) > value(plain, 1, source, 1)
    assert value(plain, 1, source, 1) > value(plain, 400, source, 1)
    assert value(plain, 1, source, 1) > value(plain, 1, source, 2)


def test_it_stops_at_the_number_of_indicators_and_says_so() -> None:
    result, runner = grown(star, Budget(depth=2, indicators=3))
    assert len(runner.asked) == 3
    assert any("3 indicators" in limit.why for limit in result.limits)


def test_it_stops_at_the_calls_of_a_source_and_says_so() -> None:
    result, runner = grown(star, Budget(depth=2, calls={"A": 4}), "A", "B")
    assert sum(task.source == "A" for task in runner.asked) == 4
    assert sum(task.source == "B" for task in runner.asked) == 9
    assert any("A has spent its 4 calls" in limit.why for limit in result.limits)


def test_dead_ends_are_shown_and_not_followed() -> None:
    def answer(task: Task) -> Report:
        if task.indicator != SEED:
            return report("A", task.indicator)
        hub = Node(IPS[0], hub="4,112 names resolved to this address")
        return report("A", task.indicator, hub, Node(IPS[1]), hidden=(Node(IPS[2]),))

    result, runner = grown(answer, Budget(depth=2))
    assert [task.indicator for task in runner.asked] == [SEED, IPS[1]]
    assert result.nodes[IPS[0].id].hub and IPS[2].id in result.suppressed


def test_a_spent_quota_puts_one_source_to_sleep_and_not_the_run() -> None:
    tries: list[str] = []

    def answer(task: Task) -> Report:
        tries.append(task.source)
        if task.source == "A" and tries.count("A") == 1:
            raise QuotaError("A", "the quota is spent", retry_at=time.time() + 0.2)
        return star(task)

    result, _ = grown(answer, Budget(depth=1, seconds=20), "A", "B")
    assert tries.index("B") < len(tries) - 1 and tries.count("A") == 2
    assert {entry.source for entry in result.provenance} == {"A", "B"} and not result.partial


def test_a_quota_that_comes_back_too_late_is_a_partial_answer() -> None:
    def answer(task: Task) -> Report:
        if task.source == "A":
            raise QuotaError("A", "the quota is spent", retry_at=time.time() + 86400)
        return star(task)

    result, _ = grown(answer, Budget(depth=1, seconds=20), "A", "B")
    assert [part.source for part in result.partial] == ["A"]
    assert {entry.status for entry in result.provenance} == {"found", "failed"}


def test_one_failure_is_partial_and_all_failures_are_an_error() -> None:
    def answer(task: Task) -> Report:
        if task.source == "A":
            raise UnreachableError("A", "no answer", host="a.example")
        return star(task)

    result, _ = grown(answer, Budget(depth=1), "A", "B")
    assert [part.source for part in result.partial] == ["A"] and len(result.related()) == 8
    with pytest.raises(UnreachableError):
        grown(answer, Budget(depth=1), "A")


def test_a_barred_source_is_skipped_with_the_reason() -> None:
    def answer(task: Task) -> Report:
        if task.source == "A":
            raise BarredError("A", "TLP is higher than allowed")
        return star(task)

    result, _ = grown(answer, Budget(depth=1), "A", "B", skipped=[Skipped("C", "no key is configured")])
    assert {entry.source for entry in result.skipped} == {"A", "C"}


def test_an_interrupt_leaves_what_there_is() -> None:
    def answer(task: Task) -> Report:
        if task.indicator == IPS[3]:
            raise KeyboardInterrupt
        return star(task)

    result, _ = grown(answer, Budget(depth=2))
    assert len(result.related()) == 8
    assert any("stopped by the user" in limit.why for limit in result.limits)


def test_time_is_a_bound() -> None:
    class Slow(Scripted):
        def submit(self, task: Task, seconds: float) -> Future[Report]:
            self.asked.append(task)
            return Future()

    runner = Slow(star)
    engine = Engine({"A": declared("A")}, runner, Budget(depth=1, seconds=0.3))
    with pytest.raises(UnreachableError, match="no source answered within"):
        engine.run([SEED])


def test_sources_that_are_all_barred_are_an_error() -> None:
    def answer(task: Task) -> Report:
        raise BarredError(task.source, "TLP is higher than allowed")

    with pytest.raises(BarredError, match="TLP is higher than allowed"):
        grown(answer, Budget(depth=1), "A", "B")


def test_a_run_goes_on_from_its_journal(tmp_path: Path) -> None:
    count = 0

    def dies(task: Task) -> Report:
        nonlocal count
        count += 1
        if count > 4:
            raise RuntimeError("killed")
        return star(task)

    first = Scripted(dies)
    engine = Engine({"A": declared("A")}, first, Budget(depth=2), journal=Journal(tmp_path))
    with pytest.raises(RuntimeError):
        engine.run([SEED])
    assert Journal(tmp_path).counts() == {"answered": 4, "sent": 1}
    second = Scripted(star)
    result = Engine({"A": declared("A")}, second, Budget(depth=2), journal=Journal(tmp_path)).run([SEED])
    answered = {task.id for task in first.asked[:4]}
    assert not answered & {task.id for task in second.asked}, "an answered question was asked again"
    assert {task.id for task in first.asked[:4]} | {task.id for task in second.asked} == {
        f"A {indicator.id}" for indicator in (SEED, *IPS)
    }
    whole, _ = grown(star, Budget(depth=2))
    assert set(result.nodes) == set(whole.nodes) and set(result.edges) == set(whole.edges)


def test_a_question_is_queued_once() -> None:
    frontier = Frontier()
    task = Task("A", SEED, 0)
    assert frontier.add(task, 1.0) and not frontier.add(task, 2.0)
    assert frontier.best(["A"]) == task and frontier.best(["A"]) is None
    assert not frontier.add(task, 3.0), "asked before"
