"""The judge judged: each planted bad worker breaks one rule and exactly that rule is named; good ones pass."""

from __future__ import annotations

import dataclasses
import json
import os
import stat
import sys
from pathlib import Path

import pytest

from . import rules
from .bad_workers import DEFINITION, JOB, SCHEMA, SECRET, SOURCE_NAMES, Planted, definition, failure, output, plant
from .bad_workers.behaviours import BEHAVIOURS
from .bad_workers.definitions import DEFINITIONS, BadDefinition, lay_out
from .bad_workers.outputs import ATTACHED, CASE, OUTPUTS, SCORED, WITH_FILE, file_artifact, many, within
from .cortex import MISSING, EnableRefused, check_all, deep_merge, enable, scan
from .judge import Judgement, Outcome, judge
from .runner import Job, make_folder, needs_mount, run_docker, run_kubernetes, run_process, run_stdin
from .strict_json import BeyondLimits, InvalidJson, parse

OFFICIAL = ("AbuseIPDB_2_0",)
ENV = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def judged(tmp_path: Path, worker: Planted) -> Judgement:
    command = plant(tmp_path / "pack", worker)
    folder = make_folder(tmp_path, worker.job)
    patience = 1.0 if worker.rule == "never-ends" else 20.0
    run = run_process(command, folder, timeout=worker.timeout, patience=patience, grace=0.5)
    return judge(run, worker.job, kind=worker.kind, source_names=SOURCE_NAMES, schema=SCHEMA)


@pytest.fixture(autouse=True)
def pack(tmp_path: Path) -> Path:
    (tmp_path / "pack").mkdir()
    return tmp_path / "pack"


@pytest.mark.parametrize("worker", [*OUTPUTS, *BEHAVIOURS], ids=str)
def test_planted_worker_is_caught(tmp_path: Path, worker: Planted) -> None:
    verdict = judged(tmp_path, worker)
    assert verdict.rules == [worker.rule], str(verdict)
    assert verdict.outcome is worker.outcome, str(verdict)
    if worker.stored is not None:
        assert len(verdict.artifacts) == worker.stored
    if verdict.outcome in (Outcome.STUCK_FOREVER, Outcome.JOB_FAILS):
        assert verdict.reason
        assert not verdict.artifacts and not verdict.full


@pytest.mark.parametrize("bad", DEFINITIONS, ids=str)
def test_planted_definition_is_caught(pack: Path, bad: BadDefinition) -> None:
    bad.lay_out(pack)
    catalog = scan(bad.entry.format(folder=pack, name=pack.name), "analyzer")
    found = [*catalog.findings, *check_all([catalog], OFFICIAL)]
    # under a base that is not clean the command falls outside as well: that is what the rule is about
    named = [name for name in rules.names(found) if (bad.rule, name) != ("base-path", "command-outside")]
    assert named == [bad.rule], "\n".join(map(str, found))
    assert len(catalog.definitions) == bad.accepted


def test_every_rule_has_its_planted_worker() -> None:
    planted = {worker.rule for worker in (*OUTPUTS, *BEHAVIOURS)} | {bad.rule for bad in DEFINITIONS}
    assert planted == set(rules.RULES)


GOOD = {
    "success": Planted("", "", Outcome.SUCCESS, json.dumps(output()).encode()),
    "failure": Planted("", "", Outcome.FAILURE, json.dumps(failure()).encode()),
    "non-zero exit": Planted(
        "",
        "",
        Outcome.SUCCESS,
        json.dumps(output()).encode(),
        '#!/bin/sh\ncp "$0.json" "$1/output/output.json"\nexit 9\n',
    ),
    "nothing related": Planted("", "", Outcome.SUCCESS, json.dumps({**output(), "artifacts": []}).encode()),
    "no operations, no artifacts": Planted(
        "",
        "",
        Outcome.SUCCESS,
        json.dumps({key: output()[key] for key in ("success", "summary", "full")}).encode(),
    ),
    "unicode": Planted("", "", Outcome.SUCCESS, within('"caf\u00e9 \U0001f600"')),
    "deep": Planted("", "", Outcome.SUCCESS, within("[" * 990 + "]" * 990)),
    "digits": Planted("", "", Outcome.SUCCESS, within("1" * 310)),
    "brackets in a string": Planted("", "", Outcome.SUCCESS, within('"' + "[" * 2000 + '\\""')),
    "responder": Planted(
        "", "", Outcome.SUCCESS, b'{"success": true, "full": {"message": "done"}}', kind="responder", job=CASE
    ),
}


def _changed(change: object) -> bytes:
    value = output()
    change(value)  # type: ignore[operator]
    return json.dumps(value).encode()


GOOD["file artifact"] = Planted("", "", Outcome.SUCCESS, _changed(file_artifact()), WITH_FILE)
GOOD["ten marked for import"] = Planted(
    "",
    "",
    Outcome.SUCCESS,
    _changed(many(10, tags=["relation:resolves-to", "pyramid:ip", "source:planted", "autoImport:true"])),
    job=SCORED,
)
GOOD["a hundred artifacts"] = Planted("", "", Outcome.SUCCESS, _changed(many(100)))


@pytest.mark.parametrize("name", GOOD)
def test_good_output_passes(tmp_path: Path, name: str) -> None:
    verdict = judged(tmp_path, GOOD[name])
    assert not verdict.findings, str(verdict)
    assert verdict.outcome is GOOD[name].outcome


def test_good_definition_passes(pack: Path) -> None:
    lay_out(pack, definition())
    lay_out(pack, [definition(name="Second"), definition(name="Third", version="2.0.1")], name="Array")
    catalog = scan(str(pack), "analyzer")
    assert [entry.id for entry in catalog.definitions] == ["Second_1_0", "Third_2_0_1", "Planted_Lookup_1_0"]
    assert not catalog.findings + check_all([catalog], OFFICIAL)
    assert catalog.definitions[0].command == pack / "Planted" / "planted_lookup.sh"


def test_ids_are_unique_across_analyzers_and_responders(pack: Path) -> None:
    lay_out(pack / "analyzers", definition())
    lay_out(pack / "responders", definition())
    catalogs = [scan(str(pack / kind), kind[:-1]) for kind in ("analyzers", "responders")]
    assert rules.names(check_all(catalogs)) == ["id-duplicate"]


def test_image_alone_is_enough_for_docker(pack: Path) -> None:
    lay_out(pack, definition(command=..., dockerImage="example.org/planted:1"))
    catalog = scan(str(pack), "analyzer", ("kubernetes", "docker", "process"))
    assert [entry.id for entry in catalog.definitions] == ["Planted_Lookup_1_0"]


def test_an_invalid_entry_of_an_array_leaves_the_others(pack: Path) -> None:
    lay_out(pack, [definition(author=...), definition()])
    catalog = scan(str(pack), "analyzer")
    assert [entry.id for entry in catalog.definitions] == ["Planted_Lookup_1_0"]
    assert rules.names(catalog.findings) == ["definition-required"]


# enabling and the configuration of a job


def test_worker_enabled_through_the_api_gets_nulls_over_its_own_defaults(pack: Path) -> None:
    lay_out(pack, definition())
    worker = enable(scan(str(pack), "analyzer").definitions[0], {"key": "k"})
    assert worker.job_config() == {
        "worker": "Planted_Lookup",
        "key": "k",
        "lists": [],
        "limit": 10,
        "url": None,
        "proxy_http": None,
        "proxy_https": None,
        "cacerts": None,
        "jobTimeout": 30,
        "jobCache": 10,
        "auto_extract_artifacts": False,
        "check_tlp": None,
        "max_tlp": None,
        "check_pap": None,
        "max_pap": None,
    }


def test_worker_enabled_through_the_form_checks_tlp(pack: Path) -> None:
    lay_out(pack, definition())
    config = enable(scan(str(pack), "analyzer").definitions[0], {"key": "k"}, through="form").job_config()
    assert (config["check_tlp"], config["max_tlp"], config["check_pap"], config["max_pap"]) == (True, 2, True, 2)


def test_proxy_reaches_the_job_twice(pack: Path) -> None:
    lay_out(pack, definition())
    proxy = "http://user:hunter22@proxy.example:3128"
    worker = enable(scan(str(pack), "responder").definitions[0], {"key": "kkkk", "proxy_https": proxy})
    config = worker.job_config()
    assert config["proxy"] == {"https": proxy} and config["proxy_https"] == proxy
    assert "jobCache" not in config
    assert worker.secrets() == {"kkkk", "hunter22"}


@pytest.mark.parametrize(
    ("configuration", "errors", "status"),
    [
        ({}, ["key: missing, but required"], 500),
        ({"key": None}, ["key: null, but required"], 500),
        ({"key": 1}, ["key: 1 is not a string"], 500),
        ({"key": "k", "lists": None}, ["lists: None is not an array of string"], 500),
        ({"key": "k", "lists": "one"}, ["lists: 'one' is not an array of string"], 500),
        ({"key": "k", "limit": True}, ["limit: True is not a number"], 500),
        ({"key": "k", "max_tlp": "2"}, ["max_tlp: '2' is not a number"], 500),
        (
            {"lists": [1], "odd": 1},
            ["key: missing, but required", "lists: [1] is not an array of string", "odd: unknown"],
            400,
        ),
    ],
)
def test_enabling_is_refused(pack: Path, configuration: dict[str, object], errors: list[str], status: int) -> None:
    lay_out(pack, definition())
    with pytest.raises(EnableRefused) as refused:
        enable(scan(str(pack), "analyzer").definitions[0], configuration)
    assert list(refused.value.errors) == errors
    assert refused.value.status == status


def test_deep_merge() -> None:
    left = {"a": {"b": 1, "c": 2}, "d": {"e": 1}, "f": [1]}
    assert deep_merge(left, {"a": {"c": None}, "d": None, "f": []}) == {"a": {"b": 1, "c": None}, "d": None, "f": []}


# the runner


def test_job_folder_is_laid_out_as_cortex_does(tmp_path: Path) -> None:
    job = Job("file", attachment=b"MZ", filename="a b.exe", config={"cacerts": "-----BEGIN CERTIFICATE-----"})
    folder = make_folder(tmp_path, job)
    value = json.loads((folder / "input" / "input.json").read_text())
    attachment = folder / "input" / value["file"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(attachment.stat().st_mode) == 0o600
    assert attachment.read_bytes() == b"MZ"
    assert set(value) == {"file", "filename", "contentType", *JOB.input()} - {"data"}
    assert (folder / "input" / "cacerts").read_text() == "-----BEGIN CERTIFICATE-----"
    assert list((folder / "output").iterdir()) == []
    assert json.loads((make_folder(tmp_path, JOB) / "input" / "input.json").read_text()) == {
        "data": "seed.example",
        "dataType": "domain",
        "tlp": 2,
        "pap": 2,
        "message": "",
        "parameters": {},
        "config": JOB.config,
    }
    assert not (make_folder(tmp_path, JOB, raw=None) / "input" / "input.json").exists()
    assert (make_folder(tmp_path, JOB, raw=b"{") / "input" / "input.json").read_bytes() == b"{"


PROBE = """#!/bin/sh
echo "$#"; echo "$1"; pwd; echo "$REQUESTS_CA_BUNDLE"; echo "$CORTEX_JOB_FOLDER"; echo "$MARK" >&2
if read -r line; then echo "stdin: $line"; fi
"""


def test_process_gets_what_cortex_gives(tmp_path: Path, pack: Path) -> None:
    command = plant(pack, Planted("", "", Outcome.FAILURE, script=PROBE))
    folder = make_folder(tmp_path, dataclasses.replace(JOB, config={"cacerts": "PEM"}))
    run = run_process(command, folder, env={**ENV, "MARK": "inherited"})
    assert run.printed.replace("inherited", "") == f"1{folder}{pack}{folder}/input/cacerts"
    assert "inherited" in run.printed  # stderr too; its place among the lines is not fixed
    assert run.written_by_cortex and json.loads(run.output or b"")["errorMessage"] == run.printed


@needs_mount
def test_containers_get_what_cortex_gives(tmp_path: Path, pack: Path) -> None:
    command = plant(pack, Planted("", "", Outcome.FAILURE, script=PROBE))
    folder = make_folder(tmp_path, dataclasses.replace(JOB, config={"cacerts": "PEM"}))
    env = {key: value for key, value in ENV.items() if key != "MARK"}
    assert run_docker([str(command)], folder, env=env).printed == "0//job/input/cacerts"
    run = run_kubernetes([str(command)], folder, env=env)
    assert run.printed == f"1/job//job/input/cacerts{folder.name}"
    assert not (folder / "output" / "output.json").exists() or run.output  # Docker's message was written before
    assert not Path("/job").is_symlink()


@needs_mount
def test_kubernetes_captures_no_log(tmp_path: Path, pack: Path) -> None:
    command = plant(pack, Planted("", "", Outcome.FAILURE, script="#!/bin/sh\necho lost\n"))
    verdict = judge(run_kubernetes([str(command)], make_folder(tmp_path, JOB), env=ENV), JOB)
    assert verdict.rules == ["no-output"] and verdict.error_message == "no output"


def test_timeout_message_is_what_was_printed_so_far(tmp_path: Path) -> None:
    worker = Planted("", "", Outcome.FAILURE, script="#!/bin/sh\necho one\necho two\nexec sleep 20\n", timeout=0.5)
    verdict = judged(tmp_path, worker)
    assert verdict.error_message == "onetwo"


# a good worker in each of the four ways


@pytest.fixture
def worker(pack: Path) -> Path:
    home = pack / "Planted"
    home.mkdir()
    command = home / "planted_lookup.py"
    command.write_bytes((Path(__file__).parent / "good_worker.py").read_bytes())
    command.chmod(0o755)
    return command


@pytest.mark.parametrize(
    "way", ["process", "stdin", *(pytest.param(way, marks=needs_mount) for way in ("docker", "kubernetes"))]
)
def test_good_worker_passes_in_every_way(tmp_path: Path, worker: Path, way: str) -> None:
    folder = make_folder(tmp_path, JOB)
    if way == "process":
        run = run_process(worker, folder, env=ENV)
    elif way == "stdin":
        run = run_stdin([str(worker)], JOB, env=ENV)
    elif way == "docker":
        run = run_docker([str(worker)], folder, env=ENV)
    else:
        run = run_kubernetes([str(worker)], folder, env=ENV)
    verdict = judge(run, JOB, source_names=SOURCE_NAMES, schema=SCHEMA)
    assert verdict.outcome is Outcome.SUCCESS and not verdict.findings, f"{verdict}\n{run.printed}"
    assert [artifact["data"] for artifact in verdict.artifacts] == ["192.0.2.7"]
    assert run.way == way and run.exit_code == 0


def test_good_worker_says_that_the_file_type_is_not_its_own(tmp_path: Path, worker: Path) -> None:
    run = run_process(worker, make_folder(tmp_path, ATTACHED), env=ENV)
    verdict = judge(run, ATTACHED, source_names=SOURCE_NAMES, schema=SCHEMA)
    assert verdict.outcome is Outcome.FAILURE and not verdict.findings, str(verdict)


# strict JSON


@pytest.mark.parametrize("text", ["{}", " [1, -0.5e3, null] \n", '"\\ud83d\\ude00"', '{"a": {"a": []}}', "1E400"])
def test_strict_json_is_taken(text: str) -> None:
    parse(text.encode())


@pytest.mark.parametrize(
    "text", ["", "{} x", "nan", "NaN", "01", "1.", ".5", "'a'", '{"a": 1,}', "[1 2]", '"\t"', "// x\n1", '"\\x"']
)
def test_anything_else_is_not(text: str) -> None:
    with pytest.raises(InvalidJson):
        parse(text.encode())


def test_limits_count_characters_not_escapes() -> None:
    assert len(parse(b'"' + b"\\u0061" * 60_000 + b'"')) == 60_000
    parse(b'{"' + b"\\u0061" * 50_000 + b'": 1}')
    with pytest.raises(BeyondLimits):
        parse(b'{"' + b"\\u0061" * 50_001 + b'": 1}')


def test_a_secret_is_not_mistaken(tmp_path: Path, pack: Path) -> None:
    """The negative of the search: without the secret in the job nothing is found in the same output."""
    bad = next(worker for worker in OUTPUTS if worker.rule == "secret" and worker.slug == "input")
    assert SECRET.encode() in (bad.body or b"")
    clean = dataclasses.replace(bad, job=dataclasses.replace(JOB, secrets=frozenset()))
    assert judged(tmp_path, clean).rules == []


def test_missing_is_not_null() -> None:
    assert MISSING is not None and "data" not in Job("ip").input() and Job("ip", data=None).input()["data"] is None
    assert DEFINITION["name"] == definition()["name"]
