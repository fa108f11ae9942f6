"""Definitions that break one rule."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import DEFINITION, definition

ITEM = DEFINITION["configurationItems"][0]
WORKER = "#!/bin/sh\n"


@dataclass(frozen=True, slots=True)
class BadDefinition:
    """Files that break exactly ``rule``, laid out below a folder; ``accepted`` definitions remain nevertheless."""

    rule: str
    slug: str
    lay_out: Callable[[Path], None]
    accepted: int = 1
    entry: str = "{folder}"  # as it stands in analyzer.urls

    def __str__(self) -> str:
        return f"{self.rule}-{self.slug}" if self.slug else self.rule


def lay_out(
    folder: Path, body: object, *, script: str | None = WORKER, mode: int = 0o755, name: str = "Planted"
) -> None:
    """One worker folder with a definition (an object, or raw bytes) and its command."""
    home = folder / "Planted"
    home.mkdir(parents=True, exist_ok=True)
    (home / f"{name}.json").write_bytes(body if isinstance(body, bytes) else json.dumps(body).encode())
    if script is not None:
        (home / "planted_lookup.sh").write_text(script)
        (home / "planted_lookup.sh").chmod(mode)


def _case(rule: str, slug: str, body: object, accepted: int = 1, **more: object) -> BadDefinition:
    return BadDefinition(rule, slug, lambda folder: lay_out(folder, body, **more), accepted)  # type: ignore[arg-type]


def _items(*items: object) -> dict[str, object]:
    return definition(configurationItems=list(items))


def _too_deep(folder: Path) -> None:
    lay_out(folder, definition())
    deep = folder / "Planted" / "more"
    deep.mkdir()
    (deep / "Deep.json").write_text(json.dumps(definition(name="Deep")))


def _directory(folder: Path) -> None:
    lay_out(folder, definition())
    (folder / "Planted" / "Odd.json").mkdir()


def _twice(folder: Path) -> None:
    lay_out(folder, definition())
    lay_out(folder, definition(name="Planted", version="Lookup.1_0"), name="Again")


DEFINITIONS: list[BadDefinition] = [
    BadDefinition("base-path", "dots", lambda folder: lay_out(folder, definition()), 0, "{folder}/../{name}"),
    BadDefinition("definition-not-scanned", "deep", _too_deep),
    BadDefinition("definition-unreadable", "", _directory, 0),
    _case("definition-json", "broken", b'{"name": ', 0),
    _case("definition-json", "text", b'"Planted"', 0),
    _case("definition-required", "license", definition(license=...), 0),
    _case("definition-required", "version", definition(version=1.0), 0),
    _case("definition-type", "base-config", definition(baseConfig=["Planted"]), 0),
    _case("definition-type", "command", definition(command=["planted_lookup.sh"]), 0),
    _case("command-outside", "absolute", definition(command="/bin/sh"), 0),
    _case("command-outside", "up", definition(command="../elsewhere/worker.sh"), 0),
    _case("no-runner", "nothing", definition(command=...), 0),
    _case("no-runner", "image-only", definition(command=..., dockerImage="example.org/planted:1"), 0),
    _case("data-types-emptied", "", definition(dataTypeList=["ip", None])),
    _case("items-emptied", "description", _items(ITEM, {"name": "x", "type": "string"})),
    _case("items-emptied", "type", _items({**ITEM, "type": "password"})),
    _case("items-emptied", "name", _items({**ITEM, "name": None})),
    _case("items-emptied", "flag", _items({**ITEM, "multi": "no"})),
    _case("items-emptied", "object", definition(configurationItems={"key": ITEM})),
    _case("config-emptied", "", definition(config=[])),
    _case("base-config", "", definition(baseConfig=...)),
    BadDefinition("id-duplicate", "", _twice, 2),
    _case("id-official", "", definition(name="AbuseIPDB", version="2.0")),
    _case("item-duplicate", "twice", _items(ITEM, ITEM)),
    _case("item-duplicate", "built-in", _items({**ITEM, "name": "proxy_http"})),
    _case("item-default", "type", _items({**ITEM, "defaultValue": 5})),
    _case("item-default", "multi", _items({**ITEM, "multi": True, "defaultValue": "x"})),
    _case("item-default", "null", _items({**ITEM, "required": True, "defaultValue": None})),
    _case("command-missing", "", definition(), script=None),
    _case("command-run-bit", "", definition(), mode=0o644),
    _case("command-shebang", "none", definition(), script="import sys\n"),
    _case("command-shebang", "carriage-return", definition(), script="#!/bin/sh\r\n"),
    _case("command-shebang", "absent", definition(), script="#!/nowhere/python3\n"),
]
