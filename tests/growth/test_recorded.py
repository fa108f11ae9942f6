"""``grow`` on the real indicators behind the recorded answers, against the lab that replays them.

The whole road is used: questions built by the sources, asked over sockets, answered as the services would, read,
judged, merged. What comes out must hold every relation that the hand-written expectations demand of the answers asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cortex_grow.growth.budget import Budget
from cortex_grow.growth.engine import Engine
from cortex_grow.growth.local import LocalRunner
from cortex_grow.growth.sources import chosen, sources
from cortex_grow.lab import Lab
from cortex_grow.model.indicator import Indicator
from cortex_grow.model.report import Report
from cortex_grow.source.circumstances import open_job
from cortex_grow.source.declaration import Declaration
from cortex_grow.source.settings import Settings
from tests.sources import checking
from tests.support import SHARED, needs_shared

UNBOUND = {"quota_minute": 0, "quota_day": 0, "quota_month": 0, "max_calls": 40, "premium": True, "cache": False}
# Samples that answer the same request as another one: each is served in a pass of its own.
TWINS = ["virustotal/ip_8_8_8_8_2026.json", "virustotal/url_google_com_2026.json"]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    assert SHARED is not None
    with Lab.replay(SHARED / "samples") as running:
        yield running


def cases() -> list[tuple[Declaration, Path, dict[str, Any]]]:
    found = []
    for declaration in sources():
        for path in checking.cases(declaration.name):
            found.append((declaration, path, json.loads(path.read_text(encoding="utf-8"))))
    return found


def grown(lab: Lab, seeds: list[Indicator], folder: Path) -> Report:
    ready, skipped = chosen(
        lambda declaration: {**lab.config_for(declaration.name, premium=True), **UNBOUND}, include=["DNS_Resolve"]
    )
    assert not skipped, "a source has no key in the lab"
    job = open_job(Settings({"state_dir": str(folder)}), 300)
    engine = Engine(
        {name: entry.declaration for name, entry in ready.items()},
        LocalRunner(ready, job, 8),
        Budget(depth=1, indicators=len(seeds), seconds=300),
    )
    return engine.run(seeds)


def reader(report: Report) -> Any:
    """The report as the checker of single mappings reads it."""
    nodes = {**{node_id: entry.node for node_id, entry in report.suppressed.items()}, **report.nodes}
    return SimpleNamespace(nodes=nodes, edges=report.edges)


def missing(report: Report, wanted: list[tuple[Declaration, Path, dict[str, Any]]]) -> list[str]:
    edges = checking.edges_of(reader(report))
    wrong = []
    for _, path, case in wanted:
        for must in case.get("must", []):
            edge = edges.get((must["source"], must["relation"], must["target"]))
            if edge is None:
                wrong.append(f"{path.stem}: {must['source']} {must['relation']} {must['target']} ({must['at']})")
                continue
            # Several answers may speak of one relation: its span holds the one that is expected.
            first, last = must.get("first_seen"), must.get("last_seen")
            if (first and not (edge.first_seen and edge.first_seen <= first)) or (
                last and not (edge.last_seen and edge.last_seen >= last)
            ):
                wrong.append(
                    f"{path.stem}: {edge.key} spans {edge.first_seen} to {edge.last_seen}, not {first} to {last}"
                )
    return wrong


@needs_shared
def test_growth_on_recorded_answers_holds_what_is_expected(lab: Lab, tmp_path: Path) -> None:
    everything = cases()
    idle = lab.idle()
    asked = [
        entry
        for entry in everything
        if not entry[2].get("error")
        and not any(place.partition("#")[0] in idle or "#" in place for place in entry[2]["answer"].values())
    ]
    assert len(asked) > 40
    reports = []
    for number, twin in enumerate([None, *TWINS]):
        if twin:
            lab.prefer(twin)
        fitting = [
            entry
            for entry in asked
            if (twin in entry[2]["answer"].values() if twin else not set(TWINS) & set(entry[2]["answer"].values()))
        ]
        seeds = list(dict.fromkeys(Indicator.parse(c["seed"]["type"], c["seed"]["value"]) for _, _, c in fitting))
        report = grown(lab, seeds, tmp_path / str(number))
        wrong = missing(report, fitting)
        assert not wrong, f"{len(wrong)} relations are missing:\n" + "\n".join(wrong[:40])
        reports.append(report)
    graph = reports[0]
    known = {*graph.nodes, *graph.suppressed}
    for edge in graph.edges.values():
        assert edge.source in known and edge.target in known
    for part in graph.partial:
        assert "failed:" not in part.why, part


@needs_shared
def test_every_sample_is_asked_for(lab: Lab) -> None:
    """After the growth above: a sample that no question reaches is a hole in the test, unless it says why."""
    left = [name for name in lab.unasked() if name not in UNASKED]
    assert not left, f"no test asks for {len(left)} samples: {left[:20]}"


# Answers that a run with the right key and one question each cannot meet.
UNASKED = {
    "virustotal/error_400_invalid_argument_domain.json",
    "virustotal/error_401_wrong_credentials.json",
    "virustotal/error_429_quota_exceeded.json",
}
