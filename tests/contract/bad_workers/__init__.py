"""Planted workers and definitions, each of which breaks exactly one rule, and the good ones that they are made from.

A planted worker is a shell script, since a process start is all that it costs: most of them copy a prepared
output.json that stands beside them.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..judge import Outcome
from ..runner import Job

SECRET = "planted/secret+0123456789=="
SOURCE_NAMES = ("Planted", "Planted Source")

JOB = Job(
    data_type="domain",
    data="seed.example",
    config={"key": SECRET, "auto_import_score": None, "check_tlp": None, "max_tlp": None},
    secrets=frozenset({SECRET}),
)

# stands for the schema of the pack's reports, so that the planted ones do not depend on it
SCHEMA = {
    "type": "object",
    "required": ["verdict", "nodes"],
    "properties": {
        "verdict": {"type": "object", "required": ["level", "score"]},
        "nodes": {"type": "array", "items": {"type": "object"}},
    },
}

DEFINITION: dict[str, Any] = {
    "name": "Planted_Lookup",
    "version": "1.0",
    "author": "A. Author",
    "url": "https://example.org/planted",
    "license": "AGPL-V3",
    "description": "Looks nothing up.",
    "dataTypeList": ["domain", "ip"],
    "baseConfig": "Planted",
    "command": "Planted/planted_lookup.sh",
    "config": {"worker": "Planted_Lookup", "check_tlp": True, "max_tlp": 2},
    "configurationItems": [
        {"name": "key", "description": "API key", "type": "string", "multi": False, "required": True, "secret": True},
        {"name": "lists", "description": "Lists", "type": "string", "multi": True, "required": True},
        {"name": "limit", "description": "At most", "type": "number", "required": False, "defaultValue": 10},
        {"name": "url", "description": "Where", "type": "string", "required": False},
    ],
    "service_homepage": "https://example.org",
}


def output() -> dict[str, Any]:
    """A fresh output.json that breaks no rule, for :data:`JOB`."""
    return {
        "success": True,
        "summary": {
            "taxonomies": [
                {"level": "suspicious", "namespace": "Planted", "predicate": "Verdict", "value": "40"},
                {"level": "info", "namespace": "Planted", "predicate": "Related", "value": 2},
            ]
        },
        "artifacts": [
            {
                "dataType": "ip",
                "data": "192.0.2.7",
                "tlp": 2,
                "tags": ["relation:resolves-to", "pyramid:ip", "source:planted"],
                "message": "seed.example resolves to 192.0.2.7",
            },
            {
                "dataType": "fqdn",
                "data": "www.seed.example",
                "tlp": 2,
                "tags": ["relation:has-subdomain", "pyramid:domain", "source:planted"],
                "message": "www.seed.example is a sub-domain of seed.example",
            },
        ],
        "operations": [],
        "full": {"verdict": {"level": "suspicious", "score": 40}, "nodes": [{"id": "domain:seed.example"}]},
    }


def failure() -> dict[str, Any]:
    """A fresh failure that breaks no rule."""
    return {
        "success": False,
        "errorMessage": "Planted: 127.0.0.1 refused the key (401). Check the item key.",
        "input": {},
    }


@dataclass(frozen=True, slots=True)
class Planted:
    """A worker that breaks exactly ``rule``: what it leaves in output.json, or the script that it is."""

    rule: str
    slug: str
    outcome: Outcome
    body: bytes | None = None
    script: str = '#!/bin/sh\ncp "$0.json" "$1/output/output.json"\n'
    kind: str = "analyzer"
    job: Job = JOB
    timeout: float | None = None
    mode: int = 0o755
    stored: int | None = None  # artifacts that Cortex stores nevertheless
    files: dict[str, bytes] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.rule}-{self.slug}" if self.slug else self.rule


def breaks(
    rule: str,
    slug: str,
    change: Callable[[dict[str, Any]], Any],
    outcome: Outcome = Outcome.SUCCESS,
    base: Callable[[], dict[str, Any]] = output,
    **more: Any,
) -> Planted:
    """A planted worker whose output is the good one with one change (in place, or what ``change`` returns)."""
    value = base()
    replaced = change(value)
    value = value if replaced is None else replaced
    return Planted(rule, slug, outcome, json.dumps(value).encode(), **more)


def plant(folder: Path, worker: Planted) -> Path:
    """Write a planted worker below ``folder`` as the pack would lay it out; its command."""
    home = folder / "Planted"
    home.mkdir(exist_ok=True)
    command = home / "planted_lookup.sh"
    command.write_text(worker.script)
    command.chmod(worker.mode)
    if worker.body is not None:
        (home / "planted_lookup.sh.json").write_bytes(worker.body)
    for name, content in worker.files.items():
        (home / name).write_bytes(content)
    return command


def definition(**changes: Any) -> dict[str, Any]:
    """A fresh good definition with ``changes``; a value of ``...`` takes the key out."""
    value = copy.deepcopy(DEFINITION)
    value.update(changes)
    return {key: member for key, member in value.items() if member is not ...}
