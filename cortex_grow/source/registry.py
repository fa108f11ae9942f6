"""Which workers there are: every declaration of the pack, found in its folders, loaded when asked for."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path

from cortex_grow import pack
from cortex_grow.source.declaration import Declaration, read


class UnknownWorkerError(LookupError):
    """A worker that is not in the pack; the text names it and what there is."""


@cache
def analyzers() -> tuple[Declaration, ...]:
    """Every analyzer's declaration, by name."""
    return _declarations(pack.analyzers())


@cache
def responders() -> tuple[Declaration, ...]:
    """Every responder's declaration, by name."""
    return _declarations(pack.responders())


def _declarations(folder: Path) -> tuple[Declaration, ...]:
    return tuple(sorted((read(path) for path in folder.glob("*/*.json")), key=lambda one: one.name.lower()))


def named(name: str) -> Declaration:
    """The declaration called ``name`` (or by its id), capitals aside. Raises :class:`UnknownWorkerError`."""
    everything = (*analyzers(), *responders())
    wanted = name.lower()
    for declaration in everything:
        if wanted in (declaration.name.lower(), declaration.id.lower()):
            return declaration
    near = [declaration.name for declaration in everything if declaration.name.lower().startswith(wanted)]
    if len(near) == 1:
        return named(near[0])
    names = ", ".join(declaration.name for declaration in everything)
    raise UnknownWorkerError(f"there is no worker {name[:100]!r} in the pack; there are {names}")


@cache
def load(declaration: Declaration) -> type:
    """The class that a worker file defines. The file is executed once, as a module of its own."""
    file = declaration.worker_file
    module_name = f"cortex_grow_workers.{file.stem}"
    module = sys.modules.get(module_name)
    if module is None:
        spec = importlib.util.spec_from_file_location(module_name, file)
        if spec is None or spec.loader is None:
            raise UnknownWorkerError(f"{file} cannot be loaded")
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        spec.loader.exec_module(module)
    for value in vars(module).values():
        if isinstance(value, type) and value.__module__ == module_name and hasattr(value, "described"):
            return value
    raise UnknownWorkerError(f"{file} defines no worker")
