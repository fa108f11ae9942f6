"""Which sources a run asks: those that have what they need, the others listed with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from cortex_grow.growth.local import Ready
from cortex_grow.model.report import Skipped
from cortex_grow.source import registry
from cortex_grow.source.base import Source
from cortex_grow.source.declaration import Declaration
from cortex_grow.source.settings import Settings

Configured = Callable[[Declaration], Mapping[str, Any]]


def sources() -> list[Declaration]:
    """Every analyzer of the pack that is a source: that declares what it yields."""
    return [declaration for declaration in registry.analyzers() if declaration.grow.get("yields")]


def chosen(
    configured: Configured, *, include: Iterable[str] = (), exclude: Iterable[str] = (), only: Iterable[str] = ()
) -> tuple[dict[str, Ready], list[Skipped]]:
    """The sources that can be asked, ready, and those that cannot.

    ``configured`` gives the settings of a source. An active source is asked only where ``include`` or ``only`` names
    it; with ``only``, nothing else is asked. Raises :class:`~cortex_grow.source.registry.UnknownWorkerError` for a
    name that is none of a source.
    """
    wanted = {registry.named(name).name for name in include}
    barred = {registry.named(name).name for name in exclude}
    sole = {registry.named(name).name for name in only}
    ready: dict[str, Ready] = {}
    skipped: list[Skipped] = []
    for declaration in sources():
        name = declaration.name
        if (sole and name not in sole) or name in barred:
            continue
        values = dict(configured(declaration))
        settings = Settings(values, declaration)
        key = declaration.key
        if key and not settings.text(key) and not declaration.grow.get("key_optional"):
            skipped.append(Skipped(name, f"no key is configured ({key})"))
            continue
        active = name in wanted or name in sole
        if not active and declaration.exposures() == {"active"}:
            skipped.append(Skipped(name, "it would touch the target's own machines; name it in include to ask it"))
            continue
        if not active:
            values["allow_active"] = False
            settings = Settings(values, declaration)
        loaded = registry.load(declaration)
        assert issubclass(loaded, Source), f"{name} declares what it yields and is no source"
        ready[name] = Ready(declaration, loaded, settings)
    return ready, skipped


def plan(seeds: Sequence[Any], declarations: Iterable[Declaration]) -> dict[str, tuple[int, int]]:
    """What a run of depth 1 would cost: by source, how many indicators it is asked about and how many calls at most."""
    costs: dict[str, tuple[int, int]] = {}
    for declaration in declarations:
        fitting = [seed for seed in seeds if seed.type in declaration.types]
        if fitting:
            costs[declaration.name] = (len(fitting), sum(declaration.calls(seed.type) for seed in fitting))
    return costs
