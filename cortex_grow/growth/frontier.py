"""The frontier: what to ask next. Best first, not breadth first."""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import dataclass

from cortex_grow.model.indicator import Indicator
from cortex_grow.model.report import Node
from cortex_grow.model.verdict import Verdict
from cortex_grow.model.view import height
from cortex_grow.source.declaration import Declaration

SEED_VALUE = 1000.0


@dataclass(frozen=True, slots=True)
class Task:
    """One question: which source, about which indicator, how many hops from a seed."""

    source: str
    indicator: Indicator
    depth: int

    @property
    def id(self) -> str:
        """What makes two questions the same."""
        return f"{self.source} {self.indicator.id}"


def value(node: Node, degree: int, declaration: Declaration, depth: int) -> float:
    """What asking ``declaration`` about ``node`` is expected to be worth.

    The score and the height on the pyramid say how much the node matters; a node that hangs on few edges is rarer and
    so says more; a source that can yield more relations finds more; every hop away from the seed costs.
    """
    score = max(0, Verdict.of(node.terms).score) / 25
    rarity = 2 / (1 + math.log1p(degree))
    yields = len(declaration.yields(node.indicator.type)) / 5
    return (score + height(node.indicator) / 2 + rarity + yields) / (1 + depth)


class Frontier:
    """A queue of questions for each source, the most valuable first; a question is taken in once."""

    def __init__(self) -> None:
        self._queues: dict[str, list[tuple[float, int, Task]]] = {}
        self._known: set[str] = set()
        self._order = itertools.count()

    def add(self, task: Task, worth: float) -> bool:
        """Queue a question; False where it was queued or asked before."""
        if task.id in self._known:
            return False
        self._known.add(task.id)
        self.again(task, worth)
        return True

    def again(self, task: Task, worth: float) -> None:
        """Queue a question that came back unasked."""
        heapq.heappush(self._queues.setdefault(task.source, []), (-worth, next(self._order), task))

    def skip(self, task: Task) -> None:
        """Note a question as asked, so that it is not asked again."""
        self._known.add(task.id)

    def best(self, sources: list[str]) -> Task | None:
        """Take the most valuable question of these sources, ``None`` where they have none."""
        heads = [(self._queues[name][0], name) for name in sources if self._queues.get(name)]
        if not heads:
            return None
        _, name = min(heads)
        return heapq.heappop(self._queues[name])[2]

    def waiting(self, source: str) -> int:
        """How many questions wait for ``source``."""
        return len(self._queues.get(source, ()))

    def drop(self, source: str) -> int:
        """Forget what waits for ``source``; how many that were."""
        return len(self._queues.pop(source, ()))

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._queues.values())
