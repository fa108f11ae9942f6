"""Worker definitions as Cortex reads them, and the configuration that it hands to a job.

Written from ``contract`` 1, 2.4 and 4 alone; see :mod:`tests.contract.rules` for the name of each rule.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .rules import Finding
from .strict_json import BeyondLimits, InvalidJson, parse

MISSING: Any = type("Missing", (), {"__repr__": lambda self: "MISSING", "__bool__": lambda self: False})()

# contract 1.1
REQUIRED = ("name", "version", "description", "author", "url", "license")
OPTIONAL_STRINGS = ("dockerImage", "command", "baseConfig")
ITEM_TYPES = ("text", "string", "number", "boolean")  # contract 1.2


@dataclass(frozen=True, slots=True)
class Item:
    """One configuration item (contract 1.2)."""

    name: str
    type: str
    multi: bool = False
    required: bool = False
    default: Any = field(default_factory=lambda: MISSING)
    raw: Mapping[str, Any] = field(default_factory=dict)

    def error(self, value: Any) -> str | None:
        """What the value check at enabling says of ``value``; ``None`` when it passes."""
        if self.multi:
            if not isinstance(value, list) or not all(_is(self.type, member) for member in value):
                return f"{self.name}: {value!r} is not an array of {self.type}"
        elif value is None:
            if self.required:
                return f"{self.name}: null, but required"
        elif not _is(self.type, value):
            return f"{self.name}: {value!r} is not a {self.type}"
        return None

    def check(self, submitted: Any) -> Any:
        """The value stored for what was submitted (:data:`MISSING`: nothing); ``ValueError`` names what is wrong."""
        value = self.default if submitted is MISSING else submitted
        if value is MISSING:
            if self.multi:
                return []  # even if required
            if self.required:
                raise ValueError(f"{self.name}: missing, but required")
            return None
        if (error := self.error(value)) is not None:
            raise ValueError(error)
        return value


def _is(kind: str, value: Any) -> bool:
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str)


# contract 4: accepted in the configuration of every worker, with what is stored when they are left out
BUILT_IN = (
    Item("proxy_http", "string"),
    Item("proxy_https", "string"),
    Item("cacerts", "text"),
    Item("jobTimeout", "number", default=30),
    Item("check_tlp", "boolean"),
    Item("max_tlp", "number"),
    Item("check_pap", "boolean"),
    Item("max_pap", "number"),
)
BUILT_IN_ANALYZER = (Item("auto_extract_artifacts", "boolean", default=False), Item("jobCache", "number", default=10))
# contract 2.4: what the form of the web page sends beside the operator's own values
FORM = {"check_tlp": True, "max_tlp": 2, "check_pap": True, "max_pap": 2}


@dataclass(frozen=True, slots=True)
class Definition:
    """A worker definition in Cortex's catalog."""

    kind: str  # analyzer | responder
    path: Path
    name: str
    version: str
    data_types: tuple[str, ...]
    command: Path | None
    docker_image: str | None
    base_config: str | None
    items: tuple[Item, ...]
    config: Mapping[str, Any]
    raw: Mapping[str, Any]
    notes: tuple[Finding, ...] = ()

    @property
    def id(self) -> str:
        return (self.name + "_" + self.version).replace(".", "_")  # contract 1.3

    def __str__(self) -> str:
        return self.id

    @property
    def built_in(self) -> tuple[Item, ...]:
        return BUILT_IN + (BUILT_IN_ANALYZER if self.kind == "analyzer" else ())

    @property
    def secret_items(self) -> tuple[Item, ...]:
        """The items that the declaration marks as secret (Cortex itself ignores the mark)."""
        return tuple(item for item in self.items if item.raw.get("secret") is True)


@dataclass(slots=True)
class Catalog:
    """What one scanned folder holds: the accepted definitions, and what was refused, dropped or read otherwise."""

    definitions: list[Definition] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def scan(folder: str, kind: str, runners: Sequence[str] = ("process",)) -> Catalog:
    """Read ``<folder>/<subfolder>/*.json`` as an entry of ``analyzer.urls`` or ``responder.urls`` (contract 1.4).

    ``folder`` is taken as text, since Cortex compares paths without normalising this one.
    """
    catalog = Catalog()
    base = _parts(folder)
    if not folder.startswith("/") or base != _normal(base):
        catalog.findings.append(Finding("base-path", "not a clean absolute path", folder))
    root = Path(folder)
    for stray in sorted(root.rglob("*.json")):
        if len(stray.relative_to(root).parts) != 2 and _looks_like_definition(stray):
            catalog.findings.append(Finding("definition-not-scanned", "a definition where none is read", str(stray)))
    for directory in sorted(child for child in root.iterdir() if child.is_dir()):
        for path in sorted(child for child in directory.iterdir() if child.name.endswith(".json")):
            try:
                body = path.read_bytes()
            except OSError as error:
                catalog.definitions.clear()
                catalog.findings.append(Finding("definition-unreadable", str(error.strerror), str(path)))
                return catalog
            _read_file(catalog, body, path, base, kind, runners)
    return catalog


def _looks_like_definition(path: Path) -> bool:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(value, dict) and {"name", "version", "command"} <= value.keys()


def _read_file(catalog: Catalog, body: bytes, path: Path, base: list[str], kind: str, runners: Sequence[str]) -> None:
    try:
        value = parse(body)
    except (InvalidJson, BeyondLimits) as error:
        catalog.findings.append(Finding("definition-json", str(error), str(path)))
        return
    for entry in value if isinstance(value, list) else [value]:
        definition = _read(entry, path, base, kind, catalog.findings)
        if definition is None:
            continue
        if not ("process" in runners and definition.command) and not (
            {"docker", "kubernetes"} & set(runners) and definition.docker_image
        ):
            if not any(note.rule == "command-outside" for note in definition.notes):
                catalog.findings.append(Finding("no-runner", f"nothing that {', '.join(runners)} can start", str(path)))
            catalog.findings.extend(definition.notes)
            continue
        catalog.definitions.append(definition)
        catalog.findings.extend(definition.notes)


def _read(raw: Any, path: Path, base: list[str], kind: str, findings: list[Finding]) -> Definition | None:
    where = str(path)
    if not isinstance(raw, dict):
        findings.append(Finding("definition-json", "not an object", where))
        return None
    for key in REQUIRED:
        if not isinstance(raw.get(key), str):
            findings.append(Finding("definition-required", f"{key} is {raw.get(key)!r}", where))
            return None
    for key in OPTIONAL_STRINGS:
        if raw.get(key) is not None and not isinstance(raw[key], str):
            findings.append(Finding("definition-type", f"{key} is {raw[key]!r}", where))
            return None
    notes: list[Finding] = []

    types = raw.get("dataTypeList", [])
    if not isinstance(types, list) or not all(isinstance(name, str) for name in types):
        notes.append(Finding("data-types-emptied", f"dataTypeList is {types!r}", where))
        types = []

    items = (
        [_item(item) for item in raw["configurationItems"]] if isinstance(raw.get("configurationItems"), list) else []
    )
    wrong = [item for item in items if isinstance(item, str)]
    if wrong or not isinstance(raw.get("configurationItems", []), list):
        notes.append(Finding("items-emptied", "; ".join(wrong) or "configurationItems is not an array", where))
        items = []

    config = raw.get("config", {})
    if not isinstance(config, dict):
        notes.append(Finding("config-emptied", f"config is {config!r}", where))
        config = {}

    if raw.get("baseConfig") is None:
        notes.append(Finding("base-config", "no baseConfig", where))

    command = None
    if raw.get("command") is not None:
        resolved = _normal(_parts(raw["command"]) if raw["command"].startswith("/") else base + _parts(raw["command"]))
        if resolved[: len(base)] == base:
            command = Path("/".join(resolved))
        else:
            notes.append(Finding("command-outside", f"command is {raw['command']!r}", where))
    return Definition(
        kind=kind,
        path=path,
        name=raw["name"],
        version=raw["version"],
        data_types=tuple(types),
        command=command,
        docker_image=raw.get("dockerImage"),
        base_config=raw.get("baseConfig"),
        items=tuple(item for item in items if isinstance(item, Item)),
        config=config,
        raw=raw,
        notes=tuple(notes),
    )


def _item(raw: Any) -> Item | str:
    """A configuration item, or what is wrong with it (contract 1.2)."""
    if not isinstance(raw, dict):
        return f"item {raw!r} is not an object"
    name = raw.get("name")
    if not isinstance(name, str):
        return f"item without a name: {raw!r}"
    if not isinstance(raw.get("description"), str):
        return f"item {name} without a description"
    kind = raw.get("type")
    if not isinstance(kind, str) or kind.lower() not in ITEM_TYPES:
        return f"item {name} of type {kind!r}"
    for flag in ("multi", "required"):
        if not isinstance(raw.get(flag, False), bool):
            return f"item {name}: {flag} is {raw[flag]!r}"
    return Item(
        name=name,
        type=kind.lower(),
        multi=raw.get("multi", False),
        required=raw.get("required", False),
        default=raw.get("defaultValue", MISSING),
        raw=raw,
    )


def _parts(path: str) -> list[str]:
    """A path as Java holds it: doubled and trailing slashes gone, ``.`` and ``..`` kept; ``""`` first when absolute."""
    return ([""] if path.startswith("/") else []) + [part for part in path.split("/") if part]


def _normal(parts: list[str]) -> list[str]:
    done: list[str] = []
    for part in parts:
        if part == "..":
            if done and done[-1] not in ("", ".."):
                done.pop()
            elif not done or done[-1] == "..":
                done.append(part)
        elif part != ".":
            done.append(part)
    return done


def check_all(catalogs: Iterable[Catalog], official: Iterable[str] = ()) -> list[Finding]:
    """What is wrong with definitions side by side, and with each one once it is to be enabled and started."""
    findings: list[Finding] = []
    taken = set(official)
    seen: dict[str, Path] = {}
    for definition in (definition for catalog in catalogs for definition in catalog.definitions):
        where = str(definition.path)
        if definition.id in seen:
            findings.append(Finding("id-duplicate", f"{definition.id} is also in {seen[definition.id]}", where))
        if definition.id in taken:
            findings.append(Finding("id-official", definition.id, where))
        seen[definition.id] = definition.path
        findings.extend(_check_items(definition))
        findings.extend(_check_command(definition))
    return findings


def _check_items(definition: Definition) -> list[Finding]:
    findings = []
    seen = {item.name for item in definition.built_in}
    for item in definition.items:
        if item.name in seen:
            findings.append(Finding("item-duplicate", f"item {item.name}", str(definition.path)))
        seen.add(item.name)
        if item.default is not MISSING and (error := item.error(item.default)) is not None:
            findings.append(Finding("item-default", error, str(definition.path)))
    return findings


def _check_command(definition: Definition) -> list[Finding]:
    command, where = definition.command, str(definition.path)
    if command is None:
        return []
    if not command.is_file():
        return [Finding("command-missing", str(command), where)]
    if not command.stat().st_mode & 0o100 or not os.access(command, os.X_OK):
        return [Finding("command-run-bit", f"{command} has mode {command.stat().st_mode & 0o777:o}", where)]
    first = command.read_bytes().split(b"\n", 1)[0]
    interpreter = first[2:].strip(b" \t").split(b" ")[0].decode("utf-8", "replace") if first.startswith(b"#!") else ""
    if not interpreter.startswith("/") or first.endswith(b"\r") or not os.access(interpreter, os.X_OK):
        return [Finding("command-shebang", f"{command} starts with {first[:60]!r}", where)]
    return []


class EnableRefused(ValueError):
    """Cortex refuses to enable a worker; ``status`` is the HTTP status that a client sees (contract 1.2)."""

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = tuple(errors)
        self.status = 500 if len(errors) == 1 else 400


@dataclass(frozen=True, slots=True)
class Worker:
    """An enabled worker: the definition and the stored configuration."""

    definition: Definition
    configuration: Mapping[str, Any]

    def job_config(self) -> dict[str, Any]:
        """``config`` of input.json (contract 2.4): what is stored wins over the definition, nulls included."""
        config = deep_merge(self.definition.config, self.configuration)
        for scheme in ("http", "https"):
            if isinstance(proxy := self.configuration.get(f"proxy_{scheme}"), str):
                config = deep_merge(config, {"proxy": {scheme: proxy}})
        return config

    def secrets(self) -> set[str]:
        """Every value of this worker that must not be seen: its secret items, and credentials of proxies."""
        found: set[str] = set()
        for item in self.definition.secret_items:
            value = self.configuration.get(item.name)
            found.update(
                member for member in (value if isinstance(value, list) else [value]) if isinstance(member, str)
            )
        for scheme in ("http", "https"):
            proxy = self.configuration.get(f"proxy_{scheme}")
            if isinstance(proxy, str) and "@" in proxy:
                found.add(proxy.split("://")[-1].rsplit("@", 1)[0].split(":", 1)[-1])
        return {value for value in found if len(value) >= 4}


def enable(definition: Definition, configuration: Mapping[str, Any] | None = None, through: str = "api") -> Worker:
    """Enable a worker with what a client submits (``through`` the ``api`` or the ``form``); :class:`EnableRefused`."""
    submitted = dict(configuration or {})
    if through == "form":
        submitted = {**FORM, **submitted}
    items = (*definition.items, *definition.built_in)
    errors: list[str] = []
    stored: dict[str, Any] = {}
    for item in items:
        try:
            stored[item.name] = item.check(submitted.get(item.name, MISSING))
        except ValueError as error:
            errors.append(str(error))
    errors.extend(f"{name}: unknown" for name in submitted if name not in {item.name for item in items})
    if errors:
        raise EnableRefused(errors)
    return Worker(definition, stored)


def deep_merge(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Any]:
    """Objects merge member by member; of anything else the right one wins, ``null`` too (contract 2.4)."""
    merged = dict(left)
    for key, value in right.items():
        if isinstance(merged.get(key), Mapping) and isinstance(value, Mapping):
            merged[key] = deep_merge(merged[key], value)
        else:
            merged[key] = value
    return merged
