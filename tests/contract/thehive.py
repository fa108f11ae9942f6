"""The stored report as TheHive 4.1 reads it (contract 7.4 and 8, templates 4), and the limits of TheHive 5's API."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .runner import Job

if TYPE_CHECKING:
    from .judge import Judgement

LEVELS = ("info", "safe", "suspicious", "malicious")
MAX_TAXONOMIES = 4
MAX_DATA = 4_096
MAX_TAG = 128
# fmt: off
DATA_TYPES = frozenset({
    "url", "other", "user-agent", "regexp", "mail-subject", "registry", "mail", "autonomous-system", "domain", "ip",
    "uri_path", "filename", "hash", "file", "fqdn", "hostname",
})
# fmt: on


def read(verdict: Judgement, job: Job, kind: str) -> None:
    """Add to ``verdict`` what TheHive would drop, refuse or leave unfinished."""
    if kind == "analyzer":
        _taxonomies(verdict)
    _artifacts(verdict)
    _operations(verdict, job, kind)


def _taxonomies(verdict: Judgement) -> None:
    entries = verdict.summary.get("taxonomies", [])
    if not isinstance(entries, list):
        verdict.add("taxonomies-dropped", f"taxonomies is {entries!r:.80}")
        return
    for number, entry in enumerate(entries):
        where = f"taxonomies/{number}"
        if not isinstance(entry, dict):
            verdict.add("taxonomies-dropped", f"{entry!r:.80} is not an object", where)
            return
        for key in ("level", "namespace", "predicate"):
            if not isinstance(entry.get(key), str):
                verdict.add("taxonomies-dropped", f"{key} is {entry.get(key)!r:.80}", where)
                return
        if "value" not in entry:
            verdict.add("taxonomies-dropped", "no value", where)
            return
    for number, entry in enumerate(entries):
        where = f"taxonomies/{number}"
        if entry["level"] not in LEVELS:
            verdict.add("taxonomy-level", repr(entry["level"]), where)
        value = entry["value"]
        if isinstance(value, dict | list) or (isinstance(value, str) and value[:1] == value[-1:] == '"'):
            verdict.add("taxonomy-value", repr(value)[:80], where)
    if not 1 <= len(entries) <= MAX_TAXONOMIES:
        verdict.add("taxonomy-count", f"{len(entries)} taxonomies")


def _artifacts(verdict: Judgement) -> None:
    for artifact in verdict.artifacts:
        where = f"{artifact['dataType']:.20} {artifact.get('data')!s:.60}"
        if artifact["dataType"] not in DATA_TYPES:
            verdict.add("data-type", artifact["dataType"][:80], where)
        if len(artifact.get("data") or "") > MAX_DATA:
            verdict.add("data-length", f"{len(artifact['data'])} characters", where)
        for tag in artifact.get("tags") or ():
            if len(tag) > MAX_TAG:
                verdict.add("tag-length", f"{tag[:40]!r}... has {len(tag)} characters", where)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _level(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 3


def _tags(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _anything(value: Any) -> bool:
    return True


Fields = dict[str, Callable[[Any], bool]]
# operation: required fields, optional fields, where it works (contract 7.4)
OPERATIONS: dict[str, tuple[Fields, Fields, str]] = {
    "AddTagToCase": ({"tag": _text}, {}, "case"),
    "AddTagToArtifact": ({"tag": _text}, {}, "observable"),
    "AddTagToAlert": ({"tag": _text}, {}, "alert"),
    "CreateTask": ({"title": _text, "description": _text}, {}, "case"),
    "AddCustomFields": ({"name": _text, "tpe": _text, "value": _anything}, {}, "case"),
    "AddArtifactToCase": (
        {"data": _text, "dataType": _text, "message": _text},
        {"tlp": _level, "ioc": _flag, "sighted": _flag, "ignoreSimilarity": _flag, "tags": _tags},
        "case",
    ),
    "AddLogToTask": ({"content": _text}, {"owner": _text}, "log"),
    "CloseTask": ({}, {}, "log"),
    "MarkAlertAsRead": ({}, {}, "alert"),
    "AssignCase": ({"owner": _text}, {}, "case"),
}
# what is at hand by the kind of entity that the job was started from (contract 7.4)
AT_HAND: dict[str, frozenset[str]] = {
    "observable": frozenset({"observable", "case"}),
    "thehive:case": frozenset({"case"}),
    "thehive:case_artifact": frozenset({"observable", "case"}),
    "thehive:alert": frozenset({"alert"}),
    "thehive:case_task": frozenset({"case"}),
    "thehive:case_task_log": frozenset({"case", "log"}),
}


def _operations(verdict: Judgement, job: Job, kind: str) -> None:
    entity = "observable" if kind == "analyzer" else job.data_type
    for number, operation in enumerate(verdict.operations):
        where = f"operations/{number}"
        name = operation.get("type")
        if not isinstance(name, str) or name not in OPERATIONS:
            verdict.add("operation-type", f"type is {name!r:.80}", where)
            continue
        required, optional, needs = OPERATIONS[name]
        for key, right in required.items():
            if key not in operation or not right(operation[key]):
                verdict.add("operation-fields", f"{name}: {key} is {operation.get(key, 'missing')!r:.80}", where)
        for key, right in optional.items():
            if operation.get(key) is not None and not right(operation[key]):
                verdict.add("operation-fields", f"{name}: {key} is {operation[key]!r:.80}", where)
        if needs not in AT_HAND.get(entity, ()):
            verdict.add("operation-context", f"{name} does not work from {entity}", where)
        if name == "AddArtifactToCase":
            _new_observable(verdict, operation, where)
        if isinstance(operation.get("tag"), str) and len(operation["tag"]) > MAX_TAG:
            verdict.add("tag-length", f"{operation['tag'][:40]!r}... has {len(operation['tag'])} characters", where)


def _new_observable(verdict: Judgement, operation: dict[str, Any], where: str) -> None:
    kind, data, tags = operation.get("dataType"), operation.get("data"), operation.get("tags")
    if kind == "file":
        verdict.add("operation-context", "AddArtifactToCase does not work for files", where)
    elif _text(kind) and kind not in DATA_TYPES:
        verdict.add("data-type", str(kind)[:80], where)
    if _text(data) and len(str(data)) > MAX_DATA:
        verdict.add("data-length", f"{len(str(data))} characters", where)
    for tag in tags if isinstance(tags, list) else ():
        if isinstance(tag, str) and len(tag) > MAX_TAG:
            verdict.add("tag-length", f"{tag[:40]!r}... has {len(tag)} characters", where)
