"""A run that is stopped or killed: what it had stays, and nothing that was answered is asked again."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from collections import Counter
from pathlib import Path

import pytest

from cortex_grow.lab import Lab
from tests.cli.conftest import Shell, until
from tests.support import ROOT

VT = "VirusTotal_Pivot"
EXAMPLES = ROOT / "examples" / "iocs.txt"
CONCURRENCY = 3


def begun(shell: Shell, lab: Lab, requests: int = 6):  # type: ignore[no-untyped-def]
    """A run in the middle of which some questions are answered and some are under way."""
    lab.misbehave("virustotal", "latency", seconds=0.4)
    process = shell.start(
        "grow", "-f", EXAMPLES, "-s", VT, "--depth", "2", "--concurrency", CONCURRENCY, "--out", "out"
    )
    until(lambda: lab.counts()["virustotal"] >= requests)
    return process


def states(folder: Path) -> Counter[str]:
    """How many questions of the journal stand how."""
    return Counter(state for (state,) in sqlite3.connect(folder / "journal.sqlite").execute("select state from job"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_leaves_what_it_has(ready: Shell, lab: Lab, number: signal.Signals, code: int) -> None:
    process = begun(ready, lab)
    stopped = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - stopped < 5, "nothing waits for the services any more"
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert "Stopped" in err and "--resume out" in err
    graph = json.loads((ready.folder / "out" / "graph.json").read_bytes())
    assert len(graph["nodes"]) > len(graph["seeds"]), "what was answered is there"
    assert any("stopped by the user" in limit["why"] for limit in graph["limits"])
    assert any("not answered when the run ended" in part["why"] for part in graph["partial"])
    assert "The run was stopped" in (ready.folder / "out" / "report.html").read_text()
    assert (ready.folder / "out" / "indicators.csv").stat().st_size > 500
    assert "└─" in out and "The report: out/report.html" in out


def test_a_killed_run_goes_on_and_asks_nothing_twice(shell: Shell, lab: Lab) -> None:
    shell.configure(lab, {"cache": False})
    process = begun(shell, lab)
    process.kill()
    process.communicate(timeout=30)
    lab.misbehave("virustotal", None)
    before = states(shell.folder / "out")
    assert before["answered"] and before["sent"], before
    assert not (shell.folder / "out" / "graph.json").exists()

    done = shell("grow", "--resume", "out")
    assert done.code == 0, done.err
    after = states(shell.folder / "out")
    assert set(after) == {"answered"} and after["answered"] > before["answered"]
    asked = Counter((row.path, tuple(sorted(row.params.items()))) for row in lab.requests)
    twice = {request for request, count in asked.items() if count > 1}
    assert max(asked.values()) <= 2
    # A question is two calls at most; only those under way when the process died may be asked again.
    assert len(twice) <= 2 * CONCURRENCY, twice

    whole = shell("grow", "-f", EXAMPLES, "-s", VT, "--depth", "2", "--out", "whole")
    assert whole.code == 0, whole.err
    resumed, fresh = (json.loads((shell.folder / name / "graph.json").read_bytes()) for name in ("out", "whole"))
    assert {node["id"] for node in resumed["nodes"]} == {node["id"] for node in fresh["nodes"]}
    assert len(resumed["edges"]) == len(fresh["edges"])


def test_a_finished_run_that_is_resumed_asks_nothing(ready: Shell, lab: Lab) -> None:
    ready.configure(lab, {"cache": False})
    assert ready("grow", "203.0.113.66", "-s", VT, "--out", "out").code == 0
    asked = len(lab.requests)
    done = ready("grow", "--resume", "out", "--json")
    assert done.code == 0 and len(lab.requests) == asked
    assert len(done.json["nodes"]) > 3
    deeper = ready("grow", "--resume", "out", "--json", "--depth", "2")
    assert len(deeper.json["nodes"]) > len(done.json["nodes"]) and len(lab.requests) > asked, "more was wished"


def test_two_runs_in_one_folder_are_refused(ready: Shell, lab: Lab) -> None:
    process = begun(ready, lab, 2)
    done = ready("grow", "--resume", "out")
    assert done.code == 2 and "another cortex-grow is at work" in done.err
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    process.communicate()


def test_a_source_that_waits_for_a_call_is_told(shell: Shell, lab: Lab) -> None:
    shell.configure(lab, {"quota_minute": 2})
    process = shell.start("grow", "-f", EXAMPLES, "-s", VT, "--seconds", "300", "--out", "out")
    until(lambda: lab.counts()["virustotal"] >= 2)
    time.sleep(12)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "waits for a free call until " in err
    assert lab.counts()["virustotal"] == 2, "the quota held"


def test_seconds_end_a_run(ready: Shell, lab: Lab) -> None:
    lab.misbehave("virustotal", "latency", seconds=3)
    began = time.monotonic()
    done = ready("grow", "-f", EXAMPLES, "-s", VT, "--seconds", "1", "--out", "out")
    assert time.monotonic() - began < 8
    assert done.code == 1 and "not answered when the run ended" in done.out
