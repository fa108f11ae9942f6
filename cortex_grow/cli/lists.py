"""``cortex-grow sources``, ``hygiene`` and ``config``: what there is, and what holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cortex_grow.cli.config import Config, Value, common_items, places
from cortex_grow.cli.terminal import Terminal
from cortex_grow.cli.work import common_settings, configured
from cortex_grow.growth.sources import sources as all_sources
from cortex_grow.source.declaration import Declaration
from cortex_grow.source.settings import Settings, secret_name


def sources(terminal: Terminal, config_file: Path | None, as_json: bool) -> int:
    """Print every source."""
    config = configured(config_file, terminal)
    rows = [_source(declaration, config) for declaration in all_sources()]
    if as_json:
        terminal.json(rows)
        return 0
    shown: list[tuple[object, ...]] = [
        (
            row["name"],
            " ".join(row["types"]),
            _exposure(row["exposure"]),
            _costs(row["calls"]),
            ", ".join(f"{number}/{unit}" for unit, number in row["quota"].items()) or "none declared",
            _key(row["key"]),
            row["share"],
        )
        for row in rows
    ]
    terminal.table(("source", "takes", "discloses to", "calls", "quota", "key", "may be shared"), shown)
    return 0


def _source(declaration: Declaration, config: Config) -> dict[str, Any]:
    settings = Settings(config.values(declaration), declaration)
    key = declaration.key
    quota = declaration.quota
    for unit in ("minute", "day", "month"):
        if settings.given(f"quota_{unit}"):
            quota[unit] = settings.number(f"quota_{unit}", low=0)
    exposure = declaration.grow.get("exposure", "vendor")
    return {
        "name": declaration.name,
        "version": declaration.version,
        "description": declaration.description,
        "reference": declaration.reference,
        "types": list(declaration.types),
        "exposure": exposure,
        "calls": {type: declaration.calls(type) for type in declaration.types},
        "quota": {unit: number for unit, number in quota.items() if number},
        "key": {
            "item": key,
            "present": bool(key and settings.text(key)),
            "optional": key is None or bool(declaration.grow.get("key_optional")),
        },
        "share": declaration.share,
    }


def _exposure(exposure: Any) -> str:
    if isinstance(exposure, str):
        return exposure
    return ", ".join(f"{part}: {one}" for part, one in exposure.items())


def _costs(calls: dict[str, int]) -> str:
    """``1 each``, or the types that cost other than one."""
    by_number: dict[int, list[str]] = {}
    for type, number in calls.items():
        by_number.setdefault(number, []).append(type)
    if len(by_number) == 1:
        return f"{next(iter(by_number))} each"
    usual = max(by_number, key=lambda number: len(by_number[number]))
    special = [f"{number} for {' '.join(types)}" for number, types in sorted(by_number.items()) if number != usual]
    return f"{usual} each, {', '.join(special)}"


def _key(key: dict[str, Any]) -> str:
    if key["item"] is None:
        return "none needed"
    state = "present" if key["present"] else "optional" if key["optional"] else "missing"
    return f"{state} ({key['item']})"


def hygiene(terminal: Terminal, config_file: Path | None, values: list[str]) -> int:
    """Explain each value; 2 where one of them is no indicator."""
    from cortex_grow.hygiene import explain
    from cortex_grow.hygiene.assets import Assets
    from cortex_grow.hygiene.index import Index
    from cortex_grow.model.detect import detect
    from cortex_grow.model.indicator import InvalidIndicator

    config = configured(config_file, terminal)
    index, assets = Index.open(), Assets.from_settings(common_settings(config).values)
    code = 0
    for number, value in enumerate(values):
        if number:
            terminal.say("")
        try:
            indicator = detect(value)
        except InvalidIndicator as error:
            terminal.error(str(error))
            code = 2
            continue
        for line in explain(indicator, index, assets).splitlines():
            terminal.say(line)
    return code


def configuration(terminal: Terminal, config_file: Path | None, path_only: bool, as_json: bool) -> int:
    """Print every value with its origin; with ``path_only`` which file is read."""
    config = configured(config_file, terminal)
    looked = [str(place) for place in places(os.environ)]
    if path_only:
        terminal.say(str(config.path) if config.path else f"no file is read; one may stand at {', '.join(looked)}")
        return 0
    sections = _sections(config)
    if as_json:
        tree = {
            section: {name: {"value": _masked(entry), "origin": entry.origin} for name, entry in entries.items()}
            for section, entries in sections.items()
        }
        terminal.json({"path": str(config.path) if config.path else None, "looked": looked, "sections": tree})
        return 0
    terminal.say(f"configuration: {config.path}" if config.path else f"no configuration file ({', '.join(looked)})")
    rows: list[tuple[object, ...]] = [
        (section if not number else "", name, entry.shown, entry.origin)
        for section, entries in sections.items()
        for number, (name, entry) in enumerate(entries.items())
    ]
    terminal.table(("section", "item", "value", "from"), rows)
    return 0


def _sections(config: Config) -> dict[str, dict[str, Value]]:
    """Every item: the common ones, and for each source its own and what it overrides."""
    common = common_items()
    sections = {"common": {name: _entry(config.common.get(name), common[name].default) for name in common}}
    for declaration in all_sources():
        given = config.sources.get(declaration.name, {})
        own = {
            name: _entry(given.get(name), item.default, item.secret or secret_name(name))
            for name, item in declaration.items.items()
            if name not in common or name in given
        }
        own.update({name: entry for name, entry in given.items() if name not in own})
        sections[f"sources.{declaration.name}"] = own
    return sections


def _entry(given: Value | None, default: Any, secret: bool = False) -> Value:
    return given or Value(default, "default" if default not in (None, "", []) else "not set", secret)


def _masked(entry: Value) -> Any:
    return entry.shown if entry.secret or isinstance(entry.value, str) else entry.value
