"""What a run may spend, and what it has spent."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Budget:
    """The bounds of a run.

    ``depth`` counts hops: 1 asks about the seeds only, 2 about what they yield as well. ``indicators`` bounds how many
    indicators are asked about, ``calls`` the calls per source (by definition name, ``*`` for every other), ``seconds``
    the time in all.
    """

    depth: int = 1
    indicators: int = 500
    calls: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 3600.0

    def calls_of(self, source: str) -> int | None:
        """The calls that ``source`` may spend, ``None`` where it has no bound."""
        return self.calls.get(source, self.calls.get("*"))


class Spent:
    """What was spent so far, and which bound was met first."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.began = time.monotonic()
        self.calls: dict[str, int] = {}
        self.reasons: dict[str, None] = {}

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.budget.seconds - (time.monotonic() - self.began)

    def may_call(self, source: str, calls: int) -> bool:
        """Whether ``source`` may spend ``calls`` more; notes it where it may not."""
        bound = self.budget.calls_of(source)
        if bound is None or self.calls.get(source, 0) + calls <= bound:
            return True
        self.reasons[f"{source} has spent its {bound} calls"] = None
        return False

    def add(self, source: str, calls: int) -> None:
        """Count calls of ``source``."""
        self.calls[source] = self.calls.get(source, 0) + calls
