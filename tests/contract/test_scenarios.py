"""The scenarios themselves: a worker that keeps every rule passes them all, and each bad habit is noticed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from .bad_workers import SCHEMA
from .bad_workers import definition as planted
from .bad_workers.definitions import lay_out
from .cortex import Definition, scan
from .judge import Judgement, Outcome
from .runner import Job, Run
from .scenarios import (
    BROKEN,
    BROKEN_SCENARIO,
    SCENARIOS,
    STOPPED,
    Played,
    Scenario,
    broken_cases,
    cases,
    complaints,
    job_for,
    play,
    serving,
    settings,
    within,
)

KEY = "a-key-that-opens-0123456789"
FOUND = {"domain": "found.example", "ip": "198.51.100.1"}
NOT_FOUND = {"domain": "unknown.example", "ip": "198.51.100.2"}


class StubLab:
    """One service over HTTP, in a thread of the test."""

    def __init__(self) -> None:
        self.fault: str | None = None
        self.count = 0
        self.released = threading.Event()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stub.count += 1
                self.close_connection = True
                status, body = stub.answer(self.path.rsplit("/", 1)[-1], self.headers.get("Key"))
                if status == 0:
                    return
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Tests are quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, seed: str, key: str | None) -> tuple[int, bytes]:
        if self.fault == "time-out":
            self.released.wait(30)
            return 0, b""
        if self.fault == "reset":
            return 0, b""
        if self.fault in ("garbage", "html"):
            return 200, b"\x00\x01" if self.fault == "garbage" else b"<html>Please log in</html>"
        if self.fault is not None:
            return {"quota": 429, "server-error": 503}[self.fault], b"{}"
        if key != KEY:
            return 401, b"{}"
        return (200, b'{"related": ["192.0.2.7"]}') if seed in FOUND.values() else (404, b"{}")

    def config_for(self, definition: Definition) -> dict[str, Any]:
        return {"key": KEY, "url": f"http://127.0.0.1:{self.server.server_port}"}

    def seeds_for(self, definition: Definition, data_type: str, kind: str) -> str:
        return (FOUND if kind == "found" else NOT_FOUND)[data_type]

    def file_for(self, definition: Definition, kind: str) -> bytes:
        raise KeyError(kind)

    def asked(self) -> int:
        return self.count

    def web_only(self, definition: Definition) -> bool:
        return True


@pytest.fixture
def lab() -> Iterator[StubLab]:
    stub = StubLab()
    yield stub
    stub.released.set()
    stub.server.shutdown()
    stub.server.server_close()


def worker(folder: Path, unruly: str = "") -> Definition:
    """The good worker laid out as a pack of one, with the bad habit named."""
    items = [*planted()["configurationItems"][:1], {"name": "url", "description": "Where", "type": "string"}]
    items.append({"name": "deadline", "description": "Seconds", "type": "number", "defaultValue": 2})
    value = planted(command="Planted/planted_lookup.py", configurationItems=items)
    lay_out(folder, value)
    home = folder / "Planted"
    script = home / "planted_lookup.py"
    script.write_bytes((Path(__file__).parent / "good_worker.py").read_bytes())
    script.chmod(0o755)
    if unruly:
        (home / "unruly").write_text(unruly)
    return scan(str(folder), "analyzer").definitions[0]


def played(
    scenario: Scenario, definition: Definition, lab: StubLab, root: Path, data_type: str = "domain"
) -> list[str]:
    lab.fault = scenario.misbehave
    if scenario.name == "time-out":
        scenario = Scenario("time-out", scenario.outcome, misbehave="time-out", settings={"deadline": 1})
    job = job_for(scenario, definition, data_type, lab)
    return complaints(play(scenario, definition, job, lab, root, schema=SCHEMA), definition, lab, [definition])


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_good_worker_passes(tmp_path: Path, lab: StubLab, scenario: Scenario) -> None:
    definition = worker(tmp_path / "pack")
    assert played(scenario, definition, lab, tmp_path) == []


HABITS = [
    ("fails-open", "tlp-too-high", "requests reached a service"),
    ("fails-open", "pap-too-high", "ended as Success"),
    ("hides-errors", "wrong-key", "ended as Success, not Failure"),
    ("hides-errors", "quota", "ended as Success, not Failure"),
    ("tells-the-key", "wrong-key", "[secret]"),
    ("unknown-is-safe", "not-found", "unknown is shown as safe"),
]


@pytest.mark.parametrize(("habit", "name", "complaint"), HABITS)
def test_bad_habit_is_noticed(tmp_path: Path, lab: StubLab, habit: str, name: str, complaint: str) -> None:
    definition = worker(tmp_path / "pack", habit)
    scenario = next(each for each in SCENARIOS if each.name == name)
    found = played(scenario, definition, lab, tmp_path)
    assert any(complaint in text for text in found), found


@pytest.mark.parametrize("name", BROKEN)
def test_good_worker_survives_a_broken_input(tmp_path: Path, lab: StubLab, name: str) -> None:
    definition = worker(tmp_path / "pack")
    job = Job("domain", "found.example", config={"key": KEY})
    body = BROKEN[name](job.input())
    if isinstance(body, dict):
        body = {key: member for key, member in body.items() if member is not ...}
    if name.startswith(("file", "no-file")):
        body = {**body, "dataType": "file"}
    body = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    result = play(BROKEN_SCENARIO, definition, job, lab, tmp_path, raw=body, schema=SCHEMA)
    assert complaints(result, definition, lab, [definition]) == []


def test_good_worker_ends_on_sigterm(tmp_path: Path, lab: StubLab) -> None:
    definition = worker(tmp_path / "pack")
    lab.fault = "time-out"
    job = job_for(STOPPED, definition, "domain", lab)
    result = play(STOPPED, definition, job, lab, tmp_path, stop_when_asked=True, schema=SCHEMA)
    assert result.run.timed_out
    assert complaints(result, definition, lab, [definition]) == []


def test_every_definition_meets_every_scenario(tmp_path: Path) -> None:
    definition = worker(tmp_path / "pack")
    met = {(data_type, scenario.name) for _, data_type, scenario in cases([definition])}
    every = {scenario.name for scenario in SCENARIOS}
    per_type = {scenario.name for scenario in SCENARIOS if scenario.every_type}
    assert met == {("domain", name) for name in every} | {("ip", name) for name in per_type}
    assert {name for _, _, name in broken_cases([definition])} >= {"missing", "no-data", "config-list"}


def engine(pack: Path) -> tuple[Definition, Definition]:
    source = worker(pack)
    items = [{"name": "planted_lookup_url", "description": "Where", "type": "string", "required": False}]
    lay_out(pack, planted(name="All", configurationItems=items, dataTypeList=["domain", "mail"]), name="All")
    by_name = {definition.name: definition for definition in scan(str(pack), "analyzer").definitions}
    return by_name["All"], source


def test_engine_is_known_by_the_settings_that_it_repeats(tmp_path: Path) -> None:
    whole, source = engine(tmp_path / "pack")
    both = [whole, source]
    assert within(whole, both) == [source]
    assert within(source, both) == []
    assert serving(whole, "domain", both) == [source]
    assert [scenario.name for _, data_type, scenario in cases(both) if data_type == "mail"] == ["unserved"]


@pytest.mark.parametrize(
    ("told", "value", "allowed"),
    [
        (["Planted"], "not asked", True),
        ([], "not asked", False),
        (["Other"], "not asked", False),
        (["Planted"], "unknown", False),
    ],
)
def test_engine_may_succeed_when_it_says_what_it_left_out(
    tmp_path: Path, lab: StubLab, told: list[str], value: str, allowed: bool
) -> None:
    whole, source = engine(tmp_path / "pack")
    scenario = next(each for each in SCENARIOS if each.name == "tlp-too-high")
    full = {"skipped": [{"source": name, "why": "TLP is higher than allowed"} for name in told]}
    summary = {"taxonomies": [{"level": "info", "namespace": "All", "predicate": "sources", "value": value}]}
    result = Played(scenario, Run("process", None), Judgement(Outcome.SUCCESS, full=full, summary=summary), 0)
    assert (complaints(result, whole, lab, [source]) == []) is allowed


def test_null_settings_leave_only_what_the_lab_needs(tmp_path: Path, lab: StubLab) -> None:
    definition = worker(tmp_path / "pack")
    scenario = next(each for each in SCENARIOS if each.nulls)
    given = settings(scenario, definition, lab)
    assert given["key"] == KEY
    assert given["deadline"] is None
    assert given["max_tlp"] is None
