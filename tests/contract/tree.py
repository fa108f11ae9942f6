"""The pack's own definitions as Cortex's catalog holds them, found in the tree and never listed by name."""

from __future__ import annotations

from ..support import ROOT
from .cortex import Catalog, Definition, scan

FOLDERS = {kind: ROOT / f"{kind}s" for kind in ("analyzer", "responder")}
CATALOGS: dict[str, Catalog] = {kind: scan(str(folder), kind) for kind, folder in FOLDERS.items() if folder.is_dir()}
DEFINITIONS: list[Definition] = [entry for catalog in CATALOGS.values() for entry in catalog.definitions]


def source_names(definition: Definition) -> set[str]:
    """The names under which people know a definition's source: a failure must hold one of them."""
    grow = definition.raw.get("grow")
    namespace = grow.get("namespace") if isinstance(grow, dict) else None
    candidates = (definition.name, definition.name.split("_")[0], definition.base_config, namespace)
    return {name for name in candidates if isinstance(name, str) and len(name) > 2}
