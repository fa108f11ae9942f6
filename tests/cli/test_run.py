"""cortex-grow run."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import jsonschema
import pytest

from cortex_grow.lab import Lab
from tests.cli.conftest import Shell
from tests.support import ROOT

VT = "VirusTotal_Pivot"
SCHEMA = json.loads((ROOT / "cortex_grow" / "model" / "report.schema.json").read_text())


def test_a_tree_for_a_person(ready: Shell, lab: Lab) -> None:
    seed = lab.seeds_for(VT, "ip")
    done = ready("run", VT, seed.replace(".", "[.]"))
    assert done.code == 0, done.err
    assert seed.replace(".", "[.]") in done.out and "resolution of" in done.out
    assert VT in done.out
    assert {row.service for row in lab.requests} == {"virustotal"}


def test_json_is_the_report(ready: Shell, lab: Lab) -> None:
    seed = lab.seeds_for(VT, "hash")
    done = ready("run", "virustotal", seed, "--json")
    assert done.code == 0, done.err
    jsonschema.validate(done.json, SCHEMA)
    assert done.json["seed"]["value"] == seed and done.json["provenance"][0]["status"] == "found"


def test_not_found_is_an_answer(ready: Shell, lab: Lab) -> None:
    done = ready("run", VT, lab.seeds_for(VT, "ip", "not-found"))
    assert done.code == 0, done.err
    assert "unknown to every source that answered" in done.out


def test_a_file_is_hashed_here_and_never_leaves(ready: Shell, lab: Lab) -> None:
    path = Path(lab.seeds_for(VT, "file"))
    done = ready("run", VT, "--file", path, "--json")
    assert done.code == 0, done.err
    assert done.json["seed"]["value"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert done.json["seed"]["attributes"]["size"] == str(path.stat().st_size)
    assert {row.method for row in lab.requests} == {"GET"}


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["Nothing", "203.0.113.66"], 2, "there is no worker 'Nothing'"),
        (["Grow", "203.0.113.66"], 2, "use cortex-grow grow"),
        ([VT, "AS64496"], 2, "does not answer for autonomous-system"),
        ([VT, "what is this"], 2, "no kind of indicator"),
        ([VT], 2, "give one indicator, or --file"),
        ([VT, "203.0.113.66", "--file", "x"], 2, "give one indicator, or --file"),
        ([VT, "--file", "nowhere"], 2, "there is no such file"),
        ([VT, "203.0.113.66", "--tlp", "purple"], 2, "--tlp is one of"),
        ([VT, "203.0.113.66", "--tlp", "red"], 1, "TLP is higher than allowed"),
        ([VT, "203.0.113.66", "--pap", "3"], 1, "PAP is higher than allowed"),
        ([VT, "203.0.113.66", "--nonsense"], 2, "No such option"),
    ],
)
def test_what_cannot_be_asked_is_told_in_a_sentence(
    ready: Shell, lab: Lab, arguments: list[str], code: int, says: str
) -> None:
    done = ready("run", *arguments)
    assert (done.code, done.out) == (code, "")
    assert says in " ".join(done.err.replace("│", " ").split())
    assert not lab.requests, "nothing was asked"


def test_a_failed_question_is_no_success(ready: Shell, lab: Lab) -> None:
    lab.misbehave("virustotal", "wrong-key")
    done = ready("run", VT, lab.seeds_for(VT, "ip"))
    assert (done.code, done.out) == (1, "")
    assert "401" in done.err and VT in done.err
    assert lab.config_for(VT)["key"] not in done.err


def test_without_a_key_nothing_is_asked(shell: Shell, lab: Lab) -> None:
    shell.configure(lab)
    text = (shell.folder / "cortex-grow.toml").read_text()
    key = lab.config_for(VT)["key"]
    (shell.folder / "cortex-grow.toml").write_text(text.replace(key, ""))
    done = shell("run", VT, lab.seeds_for(VT, "ip"))
    assert done.code == 1 and "no key is configured" in done.err
    assert not lab.requests


def test_the_type_can_be_told(ready: Shell, lab: Lab) -> None:
    done = ready("run", VT, "panel-login.example", "--type", "hash")
    assert done.code == 2 and "is no valid hash" in done.err
