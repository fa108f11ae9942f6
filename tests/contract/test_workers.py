"""Every worker in the tree, run as Cortex runs it against the lab, in every situation that a job meets."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .cortex import Definition
from .judge import Outcome, judge
from .runner import Job, can_mount, make_folder, needs_mount, run_docker, run_kubernetes, run_stdin
from .scenarios import (
    BROKEN,
    BROKEN_SCENARIO,
    FAULTS,
    SCENARIOS,
    STOPPED,
    UNSERVED,
    Lab,
    LoopbackLab,
    Played,
    Scenario,
    broken_cases,
    cases,
    complaints,
    environment,
    job_for,
    play,
    serving,
)
from .tree import DEFINITIONS, source_names

ENTRY = [sys.executable, "-m", "cortex_grow.worker"]  # of an image that holds every worker
ANALYZERS = [definition for definition in DEFINITIONS if definition.kind == "analyzer"]
GOOD = next(scenario for scenario in SCENARIOS if scenario.name == "good")
OpenLab = Callable[[str | None], Lab]


@pytest.fixture(scope="session")
def lab() -> Iterator[OpenLab]:
    """``lab(misbehave)``: the lab behaving well (``None``) or in one wrong way; each is started once."""
    opened: dict[str | None, LoopbackLab] = {}

    def open_lab(misbehave: str | None) -> Lab:
        if misbehave not in opened:
            opened[misbehave] = LoopbackLab(misbehave, DEFINITIONS)
        return opened[misbehave]

    yield open_lab
    for each in opened.values():
        each.close()


def seed_source(definition: Definition, data_type: str) -> Definition:
    """The source whose seed an engine is given: the first within it that answers for the type."""
    return serving(definition, data_type, DEFINITIONS)[0]


def told(played: Played, problems: list[str]) -> str:
    verdict = played.verdict
    return "\n".join([*problems, f"-- {verdict}", f"-- printed: {played.run.printed[-3000:]}"])


@pytest.mark.parametrize(
    ("definition", "data_type", "scenario"),
    [pytest.param(*case, id="-".join(map(str, case))) for case in cases(DEFINITIONS)],
)
def test_scenario(tmp_path: Path, lab: OpenLab, definition: Definition, data_type: str, scenario: Scenario) -> None:
    stand = lab(scenario.misbehave)
    if scenario is UNSERVED:
        job = Job(data_type, "unserved value", config=job_config(definition, stand), pap=1)
        sources: list[Definition] = []
    else:
        sources = serving(definition, data_type, DEFINITIONS)
        job = job_for(scenario, definition, data_type, stand, seed_of=sources[0])
    played = play(scenario, definition, job, stand, tmp_path, sources=sources)
    problems = complaints(played, definition, stand, sources)
    assert not problems, told(played, problems)


def job_config(definition: Definition, stand: Lab) -> dict[str, Any]:
    from .cortex import enable

    return enable(definition, stand.config_for(definition)).job_config()


@pytest.mark.parametrize(
    ("definition", "data_type", "name"),
    [pytest.param(*case, id="-".join(map(str, case))) for case in broken_cases(DEFINITIONS)],
)
def test_broken_input(tmp_path: Path, lab: OpenLab, definition: Definition, data_type: str, name: str) -> None:
    """Whatever stands in input.json, the job ends with a failure that says what is wrong, and nothing is asked."""
    stand = lab(None)
    config = job_config(definition, stand)
    job = Job(data_type, "192.0.2.1", config=config, secrets=frozenset(secrets(definition, config)), pap=1)
    value: dict[str, Any] = job.input()
    if data_type == "file":
        value.pop("data")
        value.update({"file": "attachment1", "filename": "x", "contentType": "text/plain"})
    body = BROKEN[name](value)
    if isinstance(body, dict):
        body = {key: member for key, member in body.items() if member is not ...}
    if not isinstance(body, bytes | None):
        body = json.dumps(body).encode()
    played = play(BROKEN_SCENARIO, definition, job, stand, tmp_path, raw=body)
    problems = complaints(played, definition, stand, [definition])
    assert not problems, told(played, problems)


def secrets(definition: Definition, config: dict[str, Any]) -> set[str]:
    return {config[item.name] for item in definition.secret_items if isinstance(config.get(item.name), str)}


@pytest.mark.parametrize(
    ("definition", "data_type"),
    [
        pytest.param(definition, data_type, id=f"{definition}-{data_type}")
        for definition in ANALYZERS
        for data_type in definition.data_types
        if serving(definition, data_type, DEFINITIONS)
    ],
)
def test_sigterm_in_the_middle(tmp_path: Path, lab: OpenLab, definition: Definition, data_type: str) -> None:
    """Cortex's time-out is a SIGTERM: the job ends at once and says so, in output.json."""
    stand = lab(STOPPED.misbehave)
    job = job_for(STOPPED, definition, data_type, stand, seed_of=seed_source(definition, data_type))
    sources = serving(definition, data_type, DEFINITIONS)
    played = play(STOPPED, definition, job, stand, tmp_path, stop_when_asked=True, sources=sources)
    assert played.run.timed_out, f"the job ended before a service was asked: {played.verdict}"
    problems = complaints(played, definition, stand, [definition])
    assert not problems, told(played, problems)


def check(played: Played, definition: Definition, stand: Lab, sources: list[Definition]) -> None:
    problems = complaints(played, definition, stand, sources)
    assert not problems, told(played, problems)


# an image has no command and no name, and an older Cortex writes the job to standard input
WAYS = [
    "stdin",
    "entry-stdin",
    *(pytest.param(way, marks=needs_mount) for way in ("docker", "entry-docker", "entry-kubernetes")),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("definition", ANALYZERS, ids=str)
def test_every_way_to_start(tmp_path: Path, lab: OpenLab, definition: Definition, way: str) -> None:
    stand = lab(None)
    data_type = next(
        name for name in definition.data_types if name != "file" and serving(definition, name, DEFINITIONS)
    )
    sources = serving(definition, data_type, DEFINITIONS)
    job = job_for(GOOD, definition, data_type, stand, seed_of=sources[0])
    argv = ENTRY if way.startswith("entry-") else [str(definition.command)]
    home = tmp_path / "home"
    home.mkdir()
    env, before = environment(home), stand.asked()
    if way.endswith("stdin"):
        run = run_stdin(argv, job, env=env)
    elif way.endswith("docker"):
        run = run_docker(argv, make_folder(tmp_path, job), env=env)
    else:
        run = run_kubernetes(argv, make_folder(tmp_path, job), env=env)
    verdict = judge(run, job, source_names=source_names(definition))
    check(Played(GOOD, run, verdict, stand.asked() - before), definition, stand, sources)


@pytest.mark.parametrize("name", ["", "No_Such_Worker", 4, None])
def test_entry_point_without_a_worker_ends_with_a_failure(tmp_path: Path, name: Any) -> None:
    """The image's one entry point, given a configuration that names no worker of the pack."""
    if not can_mount():
        run = run_stdin(ENTRY, job := Job("ip", "192.0.2.1", {"worker": name}), env=environment(tmp_path))
    else:
        job = Job("ip", "192.0.2.1", {"worker": name})
        run = run_kubernetes(ENTRY, make_folder(tmp_path, job), env=environment(tmp_path))
    verdict = judge(run, job, source_names={"cortex-grow"})
    assert verdict.outcome is Outcome.FAILURE, str(verdict)
    assert not verdict.findings, str(verdict)


def test_every_fault_is_used() -> None:
    assert set(FAULTS) == {scenario.misbehave for scenario in SCENARIOS if scenario.misbehave}
