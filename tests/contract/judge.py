"""What becomes of a job: output.json read as Cortex reads it (contract 2.2, 2.5, 2.6), then as TheHive and the pack do.

A job that Cortex would leave running or fail as a whole is not looked at further: nothing of it is stored.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import pack, thehive
from .rules import Finding, names
from .runner import Job, Run
from .strict_json import BeyondLimits, InvalidJson, parse

# contract 2.6
KEYS = frozenset({"dataType", "data", "message", "tags", "tlp", "attachment"})
FILE_KEYS = frozenset({"filename", "file", "contentType"})
FORBIDDEN_IN_FILENAME = re.compile(r'[/\\\n\r\t\0\f`?*<>":;|]')
MAX_TERM = 32_766  # bytes


class Outcome(enum.Enum):
    """How a job ends in Cortex."""

    SUCCESS = "Success"
    FAILURE = "Failure"  # the worker says so
    STUCK_FOREVER = "StuckForever"  # InProgress for ever, and served from the cache
    JOB_FAILS = "JobFails"  # Cortex makes a failure of it, whatever the worker says


@dataclass(slots=True)
class Judgement:
    """The verdict over one run: what Cortex stores, and which rules were broken."""

    outcome: Outcome
    reason: str = ""
    full: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    artifacts: list[dict[str, Any]] = field(default_factory=list)  # with attachment and default tlp, as stored
    dropped: list[tuple[Any, str]] = field(default_factory=list)  # artifact, name of the rule
    operations: list[dict[str, Any]] = field(default_factory=list)
    error_message: str | None = None
    input: Any = None
    findings: list[Finding] = field(default_factory=list)

    @property
    def rules(self) -> list[str]:
        """Names of the broken rules."""
        return names(self.findings)

    def add(self, rule: str, what: str, where: str = "") -> None:
        self.findings.append(Finding(rule, what, where))

    def __str__(self) -> str:
        head = f"{self.outcome.value}: {self.reason or self.error_message or f'{len(self.artifacts)} artifacts'}"
        return "\n  ".join([head, *map(str, self.findings)])


class JobFails(Exception):
    """Cortex refuses to store the report."""


def judge(
    run: Run,
    job: Job,
    *,
    kind: str = "analyzer",
    source_names: Collection[str] = (),
    schema: Mapping[str, Any] | Path | None = pack.SCHEMA,
) -> Judgement:
    """Judge a run of ``job`` by a worker of ``kind``.

    ``source_names`` are the names one of which a failure must hold; ``schema`` that of ``full`` (a path that does not
    exist, or ``None``: not checked).
    """
    verdict = _outcome(run)
    if verdict.outcome in (Outcome.SUCCESS, Outcome.FAILURE):
        if run.input_changed:
            verdict.add("input-written", ", ".join(run.input_changed))
        if verdict.outcome is Outcome.SUCCESS:
            thehive.read(verdict, job, kind)
            pack.read_success(verdict, run, job, kind, schema)
        elif not run.written_by_cortex and run.output is not None:
            pack.read_failure(verdict, source_names)
    pack.search_secrets(verdict, run, job)
    return verdict


def _outcome(run: Run) -> Judgement:
    if run.start_error is not None:
        return _ends(Outcome.JOB_FAILS, "cannot-start", run.start_error)
    if run.ignored_sigterm:
        return _ends(Outcome.STUCK_FOREVER, "ignores-sigterm", "still running after SIGTERM")
    if run.never_ended:
        return _ends(Outcome.STUCK_FOREVER, "never-ends", f"still running after {run.seconds:.0f} s")
    if run.held_output:
        return _ends(Outcome.STUCK_FOREVER, "holds-output", "ended, but something it started keeps stdout open")
    if run.output is None or run.written_by_cortex:
        verdict = Judgement(Outcome.FAILURE, error_message=run.printed if run.written_by_cortex else "no output")
        verdict.add("no-output", f"Cortex writes: {verdict.error_message[:200]!r}")
        return verdict
    try:
        value = parse(run.output)
    except InvalidJson as error:
        return _ends(Outcome.STUCK_FOREVER, "invalid-json", str(error))
    except BeyondLimits as error:
        return _ends(Outcome.STUCK_FOREVER, "json-limits", str(error))
    report = value if isinstance(value, dict) else {}
    success = report.get("success")
    if success is not True:
        return _failure(report, success)
    if not isinstance(report.get("full"), dict):
        return _ends(Outcome.STUCK_FOREVER, "full-not-object", f"full is {report.get('full')!r:.80}")
    return _success(report, run)


def _ends(outcome: Outcome, rule: str, what: str) -> Judgement:
    verdict = Judgement(outcome, reason=what)
    verdict.add(rule, what)
    return verdict


def _failure(report: dict[str, Any], success: Any) -> Judgement:
    message = report.get("errorMessage")
    verdict = Judgement(
        Outcome.FAILURE,
        error_message=message if isinstance(message, str) else None,
        input=report.get("input"),
    )
    if success is not False:
        verdict.add("success-not-boolean", f"success is {success!r}")
    return verdict


def _success(report: dict[str, Any], run: Run) -> Judgement:
    verdict = Judgement(Outcome.SUCCESS, full=report["full"])
    if isinstance(report.get("summary", {}), dict):
        verdict.summary = report.get("summary", {})
    else:
        verdict.add("summary-not-object", f"summary is {report['summary']!r:.80}")
    verdict.operations = _objects(verdict, report, "operations")
    artifacts = _objects(verdict, report, "artifacts")
    output = run.folder / "output" if run.folder is not None else None
    try:
        for number, artifact in enumerate(artifacts):
            _store(verdict, artifact, f"artifacts/{number}", output)
    except JobFails as error:
        rule, what = error.args
        return _ends(Outcome.JOB_FAILS, rule, what)
    return verdict


def _objects(verdict: Judgement, report: dict[str, Any], key: str) -> list[dict[str, Any]]:
    members = report.get(key, [])
    if not isinstance(members, list):
        verdict.add(f"{key}-emptied", f"{key} is {members!r:.80}")
        return []
    for number, member in enumerate(members):
        if not isinstance(member, dict):
            verdict.add(f"{key}-emptied", f"{member!r:.80} empties a list of {len(members)}", f"{key}/{number}")
            if key == "artifacts":
                verdict.dropped.extend((each, "artifacts-emptied") for each in members)
            return []
    return members


def _store(verdict: Judgement, artifact: dict[str, Any], where: str, output: Path | None) -> None:
    """Store one artifact as Cortex does, drop it, or fail the job (contract 2.6)."""
    kind = artifact.get("dataType")
    if not isinstance(kind, str):
        verdict.add("artifact-no-type", f"dataType is {kind!r}", where)
        verdict.dropped.append((artifact, "artifact-no-type"))
        return
    stored = dict(artifact)
    if kind == "file":
        file, filename = artifact.get("file"), artifact.get("filename")
        if (error := _file_error(file, filename, output)) is not None:
            verdict.add("artifact-no-file", error, where)
            verdict.dropped.append((artifact, "artifact-no-file"))
            return
        if FORBIDDEN_IN_FILENAME.search(filename):
            raise JobFails("artifact-filename", f"{where}: filename {filename!r}")
        content_type = artifact.get("contentType")
        for key in FILE_KEYS:
            stored.pop(key, None)
        stored["attachment"] = {
            "name": filename,
            "contentType": content_type if isinstance(content_type, str) else "application/octet-stream",
            "size": (output / file).stat().st_size if output is not None else 0,
        }
    unknown = stored.keys() - KEYS
    if unknown:
        raise JobFails("artifact-key", f"{where}: {', '.join(sorted(unknown))}")
    given = {key: value for key, value in stored.items() if value is not None and value != []}  # both are accepted
    for key in ("data", "message"):
        if not isinstance(given.get(key, ""), str):
            raise JobFails("artifact-value", f"{where}: {key} is {stored[key]!r:.80}")
    tags = given.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise JobFails("artifact-value", f"{where}: tags is {tags!r:.80}")
    tlp = given.get("tlp", 2)
    if isinstance(tlp, bool) or not isinstance(tlp, int | float) or not 0 <= tlp <= 3:
        raise JobFails("artifact-tlp", f"{where}: tlp is {tlp!r:.80}")
    for term in (kind, *tags):
        if len(term.encode("utf-8", "surrogatepass")) > MAX_TERM:
            raise JobFails("artifact-term", f"{where}: {term[:40]!r}... is too long to be indexed")
    if "data" not in given and "attachment" not in given:
        verdict.add("artifact-empty", "neither data nor attachment", where)
        verdict.dropped.append((artifact, "artifact-empty"))
        return
    stored.setdefault("tlp", 2)
    verdict.artifacts.append(stored)


def _file_error(file: Any, filename: Any, output: Path | None) -> str | None:
    if not isinstance(filename, str) or not isinstance(file, str):
        return f"filename is {filename!r}, file is {file!r}"
    if "/" in file or file in ("", ".", "..") or output is None or not (output / file).is_file():
        return f"no file {file!r} directly in the output folder"
    return None
