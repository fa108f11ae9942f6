"""Workers whose output.json breaks one rule."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from ..cortex import MISSING
from ..judge import Outcome
from ..runner import Job
from . import JOB, SECRET, Planted, breaks, failure, output

Value = dict[str, Any]
STUCK, FAILS, FAILURE = Outcome.STUCK_FOREVER, Outcome.JOB_FAILS, Outcome.FAILURE


def put(*path: Any, to: Any) -> Callable[[Value], None]:
    """Set the member at ``path``."""

    def change(value: Any) -> None:
        for step in path[:-1]:
            value = value[step]
        value[path[-1]] = to

    return change


def drop(*path: Any) -> Callable[[Value], None]:
    """Remove the member at ``path``."""

    def change(value: Any) -> None:
        for step in path[:-1]:
            value = value[step]
        del value[path[-1]]

    return change


def artifact(**members: Any) -> Callable[[Value], None]:
    """Change members of the first artifact; ``...`` takes one out."""

    def change(value: Value) -> None:
        first = value["artifacts"][0]
        first.update(members)
        for key in [key for key, member in first.items() if member is ...]:
            del first[key]

    return change


def many(count: int, **members: Any) -> Callable[[Value], None]:
    """``count`` artifacts, each another address."""

    def change(value: Value) -> None:
        first = {**value["artifacts"][0], **members}
        value["artifacts"] = [{**first, "data": f"192.0.2.{number}"} for number in range(count)]

    return change


def file_artifact(**members: Any) -> Callable[[Value], None]:
    """The first artifact as a file."""
    return artifact(
        **{
            "dataType": "file",
            "data": ...,
            "file": "sample",
            "filename": "sample.bin",
            "tags": ["relation:drops", "pyramid:hash", "source:planted"],
            **members,
        }
    )


def taxonomy(**members: Any) -> Callable[[Value], None]:
    def change(value: Value) -> None:
        entry = value["summary"]["taxonomies"][1]
        entry.update(members)
        for key in [key for key, member in entry.items() if member is ...]:
            del entry[key]

    return change


def operation(**members: Any) -> Callable[[Value], None]:
    return put("operations", to=[members])


def raw(rule: str, slug: str, body: bytes, outcome: Outcome = STUCK, **more: Any) -> Planted:
    return Planted(rule, slug, outcome, body, **more)


def within(text: str) -> bytes:
    """The good output with ``text`` pasted in as a value inside ``full``."""
    value = output()
    value["full"]["odd"] = "@@"
    return json.dumps(value).replace('"@@"', text).encode()


WITH_FILE = '#!/bin/sh\nprintf x > "$1/output/sample"\ncp "$0.json" "$1/output/output.json"\n'
CASE = Job(data_type="thehive:case", data={"_type": "case", "caseId": 1}, secrets=frozenset({SECRET}))
ALERT = dataclasses.replace(CASE, data_type="thehive:alert")
RESPONDER: dict[str, Any] = {"kind": "responder", "job": CASE}
SCORED = dataclasses.replace(JOB, config={**JOB.config, "auto_import_score": 60})
ATTACHED = dataclasses.replace(JOB, data_type="file", data=MISSING, attachment=b"seed", filename="seed.bin")
IMPORT = ["relation:resolves-to", "pyramid:ip", "source:planted", "autoImport:true"]

OUTPUTS: list[Planted] = [
    # the file
    raw("invalid-json", "half-written", within("1")[:-9]),
    raw("invalid-json", "nan", within("NaN")),
    raw("invalid-json", "infinity", within("-Infinity")),
    raw("invalid-json", "trailing", within("1") + b"\n{}"),
    raw("invalid-json", "blank", b" \n"),
    raw("invalid-json", "python", b"{'success': True}"),
    raw("invalid-json", "control-character", within('"a\nb"')),
    raw("invalid-json", "latin-1", within('"caf\xe9"').decode().encode("latin-1")),
    raw("invalid-json", "byte-order-mark", b"\xef\xbb\xbf" + within("1")),
    raw("json-limits", "depth", within("[" * 1001 + "]" * 1001)),
    raw("json-limits", "digits", within("1" * 311)),
    raw("json-limits", "number", within("1." + "0" * 1000)),
    raw("json-limits", "scale", within("1e6179")),
    raw("json-limits", "name", within('{"' + "n" * 50_001 + '": 1}')),
    raw("json-limits", "string", within('"' + "s" * 20_000_001 + '"')),
    breaks("success-not-boolean", "string", put("success", to="true"), FAILURE, failure),
    breaks("success-not-boolean", "missing", drop("success"), FAILURE, failure),
    breaks("full-not-object", "list", put("full", to=[]), STUCK),
    breaks("full-not-object", "text", put("full", to="{}"), STUCK),
    breaks("full-not-object", "missing", drop("full"), STUCK),
    breaks("summary-not-object", "list", put("summary", to=[]), kind="responder", job=CASE),
    breaks("artifacts-emptied", "null-member", lambda value: value["artifacts"].append(None), stored=0),
    breaks("artifacts-emptied", "object", put("artifacts", to={}), stored=0),
    breaks("operations-emptied", "text-member", put("operations", to=["CloseTask"])),
    # one artifact
    breaks("artifact-no-type", "missing", artifact(dataType=...), stored=1),
    breaks("artifact-no-type", "type", artifact(dataType=None), stored=1),
    breaks("artifact-no-file", "no-name", file_artifact(filename=...), script=WITH_FILE, stored=1),
    breaks("artifact-no-file", "absent", file_artifact(), stored=1),
    breaks("artifact-no-file", "path", file_artifact(file="../input/input.json"), stored=1),
    breaks("artifact-key", "ioc", artifact(ioc=None), FAILS),
    breaks("artifact-key", "type-value", artifact(type="ip", value="192.0.2.7"), FAILS),
    breaks("artifact-key", "pap", artifact(pap=2), FAILS),
    breaks("artifact-value", "data", artifact(data=4), FAILS),
    breaks("artifact-value", "message", artifact(message=["x"]), FAILS),
    breaks("artifact-value", "tags", artifact(tags="relation:resolves-to"), FAILS),
    breaks("artifact-value", "tag", artifact(tags=["relation:resolves-to", 1]), FAILS),
    breaks("artifact-tlp", "four", artifact(tlp=4), FAILS),
    breaks("artifact-tlp", "negative", artifact(tlp=-1), FAILS),
    breaks("artifact-tlp", "text", artifact(tlp="2"), FAILS),
    breaks("artifact-filename", "slash", file_artifact(filename="a/b"), FAILS, script=WITH_FILE),
    breaks("artifact-filename", "colon", file_artifact(filename="a:b"), FAILS, script=WITH_FILE),
    breaks("artifact-term", "tag", artifact(tags=["x" * 32_767]), FAILS),
    breaks("artifact-term", "bytes", artifact(dataType="\u00e9" * 16_384), FAILS),
    breaks("artifact-empty", "missing", artifact(data=...), stored=1),
    breaks("artifact-empty", "null", artifact(data=None), stored=1),
    # TheHive
    breaks("taxonomies-dropped", "null", lambda value: value["summary"]["taxonomies"].append(None)),
    breaks("taxonomies-dropped", "object", put("summary", "taxonomies", to={})),
    breaks("taxonomies-dropped", "no-value", taxonomy(value=...)),
    breaks("taxonomies-dropped", "predicate", taxonomy(predicate=None)),
    breaks("taxonomy-level", "case", taxonomy(level="Info")),
    breaks("taxonomy-level", "unknown", put("summary", "taxonomies", 0, "level", to="high")),
    breaks("taxonomy-value", "object", taxonomy(value={"count": 2})),
    breaks("taxonomy-value", "quoted", taxonomy(value='"2"')),
    breaks("taxonomy-count", "none", put("summary", "taxonomies", to=[])),
    breaks("taxonomy-count", "no-summary", drop("summary")),
    breaks(
        "taxonomy-count",
        "five",
        lambda value: value["summary"]["taxonomies"].extend(output()["summary"]["taxonomies"][1:] * 3),
    ),
    breaks(
        "data-type",
        "",
        artifact(
            dataType="cve", data="CVE-2021-44228", tags=["relation:resolves-to", "pyramid:artifact", "source:planted"]
        ),
    ),
    breaks(
        "data-length",
        "",
        artifact(
            dataType="url",
            data="https://seed.example/" + "a" * 4096,
            tags=["relation:resolves-to", "pyramid:artifact", "source:planted"],
        ),
    ),
    breaks("tag-length", "", lambda value: value["artifacts"][0]["tags"].append("t" * 129)),
    breaks("operation-type", "unknown", operation(type="AddTag", tag="x")),
    breaks("operation-type", "missing", operation(tag="x")),
    breaks("operation-fields", "missing", operation(type="CreateTask", title="x")),
    breaks("operation-fields", "tpe", operation(type="AddCustomFields", name="x", value=1), **RESPONDER),
    breaks(
        "operation-fields",
        "optional",
        operation(type="AddArtifactToCase", data="x", dataType="other", message="m", ioc="yes"),
    ),
    breaks("operation-context", "alert-tag", operation(type="AddTagToAlert", tag="x")),
    breaks("operation-context", "task-log", operation(type="AddLogToTask", content="x"), **RESPONDER),
    breaks(
        "operation-context", "case-tag-from-alert", operation(type="AddTagToCase", tag="x"), kind="responder", job=ALERT
    ),
    breaks("operation-context", "file", operation(type="AddArtifactToCase", data="x", dataType="file", message="m")),
    breaks("data-type", "operation", operation(type="AddArtifactToCase", data="x", dataType="cve", message="m")),
    breaks(
        "data-length", "operation", operation(type="AddArtifactToCase", data="x" * 4097, dataType="other", message="m")
    ),
    breaks("tag-length", "operation", operation(type="AddTagToCase", tag="x" * 129)),
    # the pack
    breaks("artifact-null", "message", artifact(message=None)),
    breaks("artifact-null", "tags", artifact(tags=None)),
    breaks("artifact-null", "tlp", artifact(tlp=None)),
    breaks("artifact-null", "array", artifact(message=[])),
    breaks(
        "artifact-duplicate", "", lambda value: value["artifacts"].append(dict(value["artifacts"][0], message="again"))
    ),
    breaks("artifact-seed", "", lambda value: value["artifacts"][1].update(data="seed.example")),
    breaks(
        "artifact-seed",
        "other-type",
        lambda value: value["artifacts"][1].update(dataType="domain", data="seed.example"),
    ),
    breaks(
        "artifact-seed",
        "own-digest",
        artifact(
            dataType="hash",
            data=hashlib.sha256(b"seed").hexdigest(),
            tags=["relation:drops", "pyramid:hash", "source:planted"],
        ),
        job=ATTACHED,
    ),
    breaks("artifact-inherits", "other", artifact(tlp=1)),
    breaks("artifact-inherits", "default", drop("artifacts", 0, "tlp"), job=dataclasses.replace(JOB, tlp=3)),
    breaks("artifact-count", "", many(101)),
    breaks("artifact-shape", "ip", artifact(data="999.1.1.1")),
    breaks("artifact-shape", "long-ipv6", artifact(data="2001:db8:0:0:0:0:0:1")),
    breaks("artifact-shape", "upper-case", lambda value: value["artifacts"][1].update(data="WWW.seed.example")),
    breaks("artifact-shape", "defanged", lambda value: value["artifacts"][1].update(data="www[.]seed.example")),
    breaks("artifact-message", "missing", artifact(message=...)),
    breaks("artifact-message", "lines", artifact(message="one\ntwo")),
    breaks("tag-relation", "missing", artifact(tags=["pyramid:ip", "source:planted"])),
    breaks("tag-relation", "unknown", artifact(tags=["relation:related-somehow", "pyramid:ip", "source:planted"])),
    breaks("tag-pyramid", "missing", artifact(tags=["relation:resolves-to", "source:planted"])),
    breaks("tag-pyramid", "wrong", artifact(tags=["relation:resolves-to", "pyramid:domain", "source:planted"])),
    breaks("tag-source", "", artifact(tags=["relation:resolves-to", "pyramid:ip", "source:"])),
    breaks("auto-import", "unasked", many(1, tags=IMPORT)),
    breaks("auto-import", "eleven", many(11, tags=IMPORT), job=SCORED),
    breaks("taxonomy-verdict", "", put("full", "verdict", "level", to="safe")),
    breaks("full-size", "", put("full", "nodes", to=[{"id": "x" * 5_000_000}])),
    breaks("full-schema", "", drop("full", "nodes")),
    raw("lone-surrogate", "", within('"\\ud800"'), Outcome.SUCCESS),
    breaks("error-message", "missing", drop("errorMessage"), FAILURE, failure),
    breaks("error-message", "blank", put("errorMessage", to=" "), FAILURE, failure),
    breaks("error-message", "object", put("errorMessage", to={"why": "Planted"}), FAILURE, failure),
    breaks("error-source", "", put("errorMessage", to="Request failed (401)."), FAILURE, failure),
    breaks(
        "error-traceback",
        "",
        put("errorMessage", to="Planted failed: Traceback (most recent call last): ..."),
        FAILURE,
        failure,
    ),
    breaks("secret", "input", put("input", to={"config": {"key": SECRET}}), FAILURE, failure),
    breaks("secret", "quoted-in-url", put("full", "asked", to="https://127.0.0.1/?k=" + quote(SECRET, safe=""))),
    raw("secret", "escaped", within(json.dumps(SECRET).replace("/", "\\u002f")), Outcome.SUCCESS),
    breaks("secret", "base64", put("full", "header", to="Basic " + base64.b64encode(SECRET.encode()).decode())),
    breaks("secret", "name-of-member", put("full", SECRET, to=1)),
]
