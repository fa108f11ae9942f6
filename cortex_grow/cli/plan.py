"""What a run would cost, said before a call is spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from cortex_grow.cli.terminal import Terminal
from cortex_grow.growth.budget import Budget
from cortex_grow.growth.local import Ready
from cortex_grow.growth.sources import plan as costs
from cortex_grow.model.indicator import Indicator
from cortex_grow.model.report import Skipped
from cortex_grow.source.base import Job
from cortex_grow.source.declaration import EXPOSURES, Declaration
from cortex_grow.source.exposure import barred

UNITS = {"minute": 60, "day": 86400, "month": 30 * 86400}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one source is asked. ``calls`` at most; ``quota`` and ``left`` by unit; ``seconds`` by quota alone.

    ``key``: the configuration item that holds it, empty where none is needed. ``notes``: parts that are not asked.
    """

    source: str
    indicators: int
    calls: int
    quota: Mapping[str, int]
    left: Mapping[str, int]
    seconds: float
    key: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The first round of a run: what is asked of whom, what is not and why."""

    costs: list[Cost] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    internal: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)
    indicators: int = 0
    depth: int = 1
    most: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The plan for programs."""
        return {
            "indicators": self.indicators,
            "depth": self.depth,
            "max_indicators": self.most,
            "sources": [{**asdict(cost), "notes": list(cost.notes)} for cost in self.costs],
            "skipped": [{"source": entry.source, "why": entry.why} for entry in self.skipped],
            "internal": self.internal,
            "unasked": self.unasked,
        }


def plan(
    seeds: Sequence[Indicator], ready: Mapping[str, Ready], skipped: Sequence[Skipped], budget: Budget, job: Job
) -> Plan:
    """What the first round would ask at most. Reads the shared state and asks nobody."""
    asked = list(seeds[: budget.indicators])
    internal = [seed for seed in asked if job.assets.own(seed)]
    outside = [seed for seed in asked if seed not in set(internal)]
    left_out = list(skipped)
    rows = []
    fitting: set[Indicator] = set()
    for name, entry in ready.items():
        declaration = entry.declaration
        reasons = {one: barred(one, job.tlp, job.pap, entry.settings) for one in _exposures(declaration)}
        if all(reasons.values()):
            left_out.append(Skipped(name, "; ".join(dict.fromkeys(map(str, reasons.values())))))
            continue
        of = outside if declaration.exposures() != {"local"} else asked
        indicators, calls = costs(of, [declaration]).get(name, (0, 0))
        fitting.update(seed for seed in asked if seed.type in declaration.types)
        notes = [f"not asked: {parts(declaration.grow, one)} ({reason})" for one, reason in reasons.items() if reason]
        bound = budget.calls_of(name)
        if bound is not None and calls > bound:
            notes.append(f"{calls} calls would be needed, and {bound} may be spent (--calls)")
            calls = bound
        quota, left = _quota(entry, job)
        rows.append(
            Cost(
                name,
                indicators,
                calls,
                quota,
                left,
                seconds_for(calls, quota, left),
                declaration.key or "",
                tuple(notes),
            )
        )
    unasked = [seed.id for seed in asked if seed not in fitting and ready]
    return Plan(
        sorted(rows, key=lambda cost: cost.source),
        left_out,
        [seed.id for seed in internal],
        unasked,
        len(asked),
        budget.depth,
        budget.indicators,
    )


def _exposures(declaration: Declaration) -> list[str]:
    return sorted(declaration.exposures(), key=EXPOSURES.index)


def parts(grow: Mapping[str, Any], exposure: str) -> str:
    """The parts of a question that have this exposure, by name."""
    declared = grow.get("exposure", "vendor")
    if isinstance(declared, str):
        return "everything"
    return ", ".join(part for part, one in declared.items() if one == exposure)


def _quota(entry: Ready, job: Job) -> tuple[dict[str, int], dict[str, int]]:
    """The calls by unit that the key allows, and those that are left of them now."""
    from cortex_grow.net.state import credential_id

    limits = entry.declaration.quota
    for unit in UNITS:
        if entry.settings.given(f"quota_{unit}"):
            limits[unit] = entry.settings.number(f"quota_{unit}", low=0)
    limits = {unit: number for unit, number in limits.items() if number > 0}
    key = entry.declaration.key
    credential = credential_id(entry.declaration.name, (entry.settings.text(key) or "") if key else "")
    left = job.state.quota.left(credential, limits)
    return limits, dict(left.units) if left is not None else dict(limits)


def seconds_for(calls: int, quota: Mapping[str, int], left: Mapping[str, int]) -> float:
    """How long the quota alone makes ``calls`` take: whole windows that have to pass, of the scarcest unit."""
    waits = [0.0]
    for unit, limit in quota.items():
        over = calls - left.get(unit, limit)
        if over > 0:
            waits.append(-(-over // limit) * float(UNITS[unit]))
    return max(waits)


def lasting(seconds: float) -> str:
    """A time for a person: ``at once``, ``40 s``, ``3 min``, ``2 h``, ``5 d``."""
    if seconds <= 0:
        return "at once"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.0f} s"


def show(planned: Plan, terminal: Terminal) -> None:
    """Print a plan."""
    rows: list[tuple[object, ...]] = [
        (
            cost.source,
            cost.indicators,
            cost.calls,
            _of(cost, "minute"),
            _of(cost, "day"),
            lasting(cost.seconds),
            f"present ({cost.key})" if cost.key else "none needed",
        )
        for cost in planned.costs
    ]
    rows += [(entry.source, 0, 0, "", "", "", "") for entry in planned.skipped]
    columns = ("source", "indicators", "calls at most", "left/minute", "left/day", "time by quota", "key")
    terminal.table(columns, rows, frozenset(columns[1:6]))
    terminal.say("")
    total = sum(cost.calls for cost in planned.costs)
    longest = max((cost.seconds for cost in planned.costs), default=0)
    terminal.say(
        f"{planned.indicators} indicators, {total} calls at most, {lasting(longest)}; what is cached costs none."
    )
    if planned.depth > 1:
        terminal.say(
            f"This is the first round of {planned.depth}: further ones follow what is found, up to "
            f"{planned.most} indicators in all (--max-indicators)."
        )
    for cost in planned.costs:
        for note in cost.notes:
            terminal.say(("  ", ""), (f"{cost.source}: ", "dim"), note)
    for entry in planned.skipped:
        terminal.say(("  ", ""), (f"{entry.source} is skipped: ", "dim"), entry.why)
    _listed("internal, not asked", planned.internal, terminal)
    _listed("no source answers for it", planned.unasked, terminal)


def _of(cost: Cost, unit: str) -> str:
    return f"{cost.left.get(unit, cost.quota[unit])} of {cost.quota[unit]}" if unit in cost.quota else ""


def _listed(why: str, ids: list[str], terminal: Terminal) -> None:
    for one in ids[:5]:
        terminal.say(("  ", ""), one, (f"  {why}", "dim"))
    if len(ids) > 5:
        terminal.say((f"  and {len(ids) - 5} more: {why}", "dim"))
