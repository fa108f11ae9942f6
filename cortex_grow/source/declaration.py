"""The declaration of a source or responder: the one JSON file that Cortex and the pack both read.

Cortex reads the keys of its worker definition (Cortex, ``app/org/thp/cortex/models/WorkerDefinition.scala``) and
ignores the rest; the pack reads what stands under ``grow``:

``namespace``    short name in taxonomies (``VT``)
``reference``    page of the service, for a person
``exposure``     ``local``, ``passive``, ``vendor``, ``active`` or ``public``, or one of these by part of the question
``key``          the configuration item that holds the credential; absent where none is needed
``key_optional`` true where the service answers without a credential too
``quota``        calls by ``minute``, ``day`` and ``month`` that the service allows one credential
``fresh``        seconds that an answer stays fresh in the cache, for ``found`` and ``not-found``
``calls``        calls that a question costs at most, by data type
``yields``       relations that an answer can hold, by data type
``also``         types of the pack beyond Cortex's data types that the source understands (``certificate``)
``own_hosts``    the service's own hosts: never related indicators
``share``        ``yes``, ``own-organisation`` or ``no``: what of the facts may leave
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

EXPOSURES = ("local", "passive", "vendor", "active", "public")


class DeclarationError(ValueError):
    """A declaration that cannot be used; the text names the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Item:
    """One configuration item: what Cortex asks the operator for."""

    name: str
    description: str
    type: str
    multi: bool
    required: bool
    default: Any
    secret: bool


@dataclass(frozen=True, slots=True, eq=False)
class Declaration:
    """What a source says of itself. ``path`` is the JSON file it was read from."""

    path: Path
    name: str
    version: str
    description: str
    data_types: tuple[str, ...]
    command: str
    items: Mapping[str, Item]
    grow: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The definition id that Cortex makes of name and version: ``VirusTotal_Pivot_1_0``."""
        return f"{self.name}_{self.version}".replace(".", "_")

    @property
    def worker_file(self) -> Path:
        """The Python file that Cortex runs."""
        return self.path.parent.parent / self.command

    @property
    def types(self) -> tuple[str, ...]:
        """Every type of indicator that the source can be asked about."""
        return (*self.data_types, *self.grow.get("also", ()))

    @property
    def namespace(self) -> str:
        """The short name in taxonomies."""
        return str(self.grow.get("namespace", self.name))

    @property
    def provider(self) -> str:
        """The name that facts of this source carry: the definition's name before its first underscore."""
        return self.name.split("_")[0]

    @property
    def reference(self) -> str:
        """The page of the service."""
        return str(self.grow.get("reference", ""))

    @property
    def key(self) -> str | None:
        """The configuration item that holds the credential."""
        return self.grow.get("key")

    @property
    def quota(self) -> dict[str, int]:
        """Calls by unit that the service allows one credential."""
        return dict(self.grow.get("quota", {}))

    @property
    def own_hosts(self) -> tuple[str, ...]:
        """The service's own hosts."""
        return tuple(self.grow.get("own_hosts", ()))

    @property
    def share(self) -> str:
        """What of the facts may leave: yes, own-organisation or no."""
        return str(self.grow.get("share", "own-organisation"))

    def exposure(self, part: str | None = None) -> str:
        """The exposure of one part of the question, or the highest of all parts."""
        declared = self.grow.get("exposure", "vendor")
        if isinstance(declared, str):
            return declared
        if part is not None:
            return str(declared.get(part, max(declared.values(), key=EXPOSURES.index)))
        return str(max(declared.values(), key=EXPOSURES.index))

    def exposures(self) -> set[str]:
        """Every exposure that a question of this source can have."""
        declared = self.grow.get("exposure", "vendor")
        return {declared} if isinstance(declared, str) else set(declared.values())

    def calls(self, type: str) -> int:
        """The calls that a question about this type costs at most."""
        return int(self.grow.get("calls", {}).get(type, 1))

    def yields(self, type: str) -> tuple[str, ...]:
        """The relations that an answer about this type can hold."""
        return tuple(self.grow.get("yields", {}).get(type, ()))

    def fresh(self, found: bool) -> int:
        """Seconds that an answer stays fresh."""
        fresh = self.grow.get("fresh", {})
        return int(fresh.get("found", 86400) if found else fresh.get("not-found", 3600))


@cache
def read(path: Path) -> Declaration:
    """Read one declaration. Raises :class:`DeclarationError` naming the file and the fault."""
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
        items = {
            entry["name"]: Item(
                entry["name"],
                entry["description"],
                entry["type"],
                bool(entry.get("multi", False)),
                bool(entry.get("required", False)),
                entry.get("defaultValue"),
                bool(entry.get("secret", False)),
            )
            for entry in row.get("configurationItems", ())
        }
        return Declaration(
            path=path,
            name=row["name"],
            version=row["version"],
            description=row["description"],
            data_types=tuple(row["dataTypeList"]),
            command=row["command"],
            items=items,
            grow=row.get("grow", {}),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DeclarationError(f"{path}: not a usable declaration: {error!r}") from error


_of_class: dict[type, Declaration] = {}


def of_class(worker: type) -> Declaration:
    """The declaration of a worker class: the JSON beside its module whose command names that module's file."""
    if worker in _of_class:
        return _of_class[worker]
    module = sys.modules[worker.__module__]
    file = Path(str(module.__file__)).resolve()
    for path in sorted(file.parent.glob("*.json")):
        declaration = read(path)
        if Path(declaration.command).name == file.name:
            _of_class[worker] = declaration
            return declaration
    raise DeclarationError(f"{file}: no declaration beside it has this file as its command")
