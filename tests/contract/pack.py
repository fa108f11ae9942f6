"""The pack's own rules, stricter than Cortex's and TheHive's (``DESIGN.md``: the report, rules that never bend)."""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import html
import ipaddress
import json
import re
import tomllib
import urllib.parse
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..support import ROOT
from .runner import Job, Run
from .strict_json import deep, parse, strings
from .thehive import LEVELS

if TYPE_CHECKING:
    from .judge import Judgement

SCHEMA = ROOT / "cortex_grow" / "model" / "report.schema.json"
RELATIONS = ROOT / "cortex_grow" / "model" / "relations.toml"
MAX_ARTIFACTS = 100
MAX_AUTO_IMPORT = 10
MAX_FULL = 5_000_000  # bytes of compact JSON

_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_SHAPES: dict[str, re.Pattern[str]] = {
    "domain": _NAME,
    "fqdn": _NAME,
    "hostname": _NAME,
    "hash": re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{128}|\d+:\S+:\S+|T1[0-9A-F]{70}"),
    "url": re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#]+\S*"),
    "mail": re.compile(r"[^@\s]+@[^@\s]+"),
    "autonomous-system": re.compile(r"AS\d{1,10}"),
    "registry": re.compile(r"HKEY_[A-Z_]+(\\.*)?", re.DOTALL),
}
# the pyramid level of each of TheHive's types, and of the pack's types that travel as `other`
_LEVELS = {
    "hash": "hash",
    "file": "hash",
    "ip": "ip",
    "autonomous-system": "ip",
    "domain": "domain",
    "fqdn": "domain",
    "hostname": "domain",
    "other network": "ip",
}


def read_success(verdict: Judgement, run: Run, job: Job, kind: str, schema: Mapping[str, Any] | Path | None) -> None:
    """Add to ``verdict`` what the pack forbids in a successful report."""
    if kind == "analyzer":
        _artifacts(verdict, job)
        _level(verdict)
    with deep():
        compact = json.dumps(verdict.full, ensure_ascii=False, separators=(",", ":"))
    size = len(compact.encode("utf-8", "surrogatepass"))
    if size >= MAX_FULL:
        verdict.add("full-size", f"{size} bytes")
    for error in _invalid(verdict.full, schema) if kind == "analyzer" else ():
        verdict.add("full-schema", error)
    if any("\ud800" <= character <= "\udfff" for text in _texts(verdict) for character in text):
        verdict.add("lone-surrogate", "in full, summary or artifacts")


def _texts(verdict: Judgement) -> Iterator[str]:
    return strings([verdict.full, verdict.summary, verdict.artifacts, verdict.operations])


def read_failure(verdict: Judgement, source_names: Collection[str]) -> None:
    """Add to ``verdict`` what the pack forbids in a failure."""
    message = verdict.error_message
    if message is None or not message.strip():
        verdict.add("error-message", f"errorMessage is {message!r}")
        return
    if source_names and not any(_plain(name) in _plain(message) for name in source_names):
        verdict.add("error-source", f"none of {', '.join(sorted(source_names))} in {message!r}")
    if "Traceback (most recent" in message or re.search(r'File "[^"]+", line \d+', message):
        verdict.add("error-traceback", message[:200])


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _artifacts(verdict: Judgement, job: Job) -> None:
    artifacts = verdict.artifacts
    if len(artifacts) > MAX_ARTIFACTS:
        verdict.add("artifact-count", f"{len(artifacts)} artifacts")
    seeds = _seeds(job)
    marked = [artifact for artifact in artifacts if "autoImport:true" in (artifact.get("tags") or ())]
    if marked and (len(marked) > MAX_AUTO_IMPORT or job.config.get("auto_import_score") is None):
        score = job.config.get("auto_import_score")
        verdict.add("auto-import", f"{len(marked)} artifacts marked, auto_import_score is {score!r}")
    for (kind, data), count in Counter((each["dataType"], each.get("data")) for each in artifacts).items():
        if data is not None and count > 1:
            verdict.add("artifact-duplicate", f"{count} times", f"{kind} {data:.60}")
    for artifact in artifacts:
        where = f"{artifact['dataType']} {artifact.get('data')!s:.60}"
        nulls = [key for key, value in artifact.items() if value is None or (value == [] and key != "tags")]
        if nulls:
            verdict.add("artifact-null", ", ".join(nulls), where)
        if (artifact.get("data") or "").strip().lower() in seeds:
            verdict.add("artifact-seed", "is the seed", where)
        if "tlp" not in nulls and artifact.get("tlp") != job.tlp:
            verdict.add("artifact-inherits", f"tlp {artifact.get('tlp')!r}, the job's is {job.tlp}", where)
        if artifact.get("data") is not None and not _shaped(artifact["dataType"], artifact["data"]):
            verdict.add("artifact-shape", f"{artifact['data']:.80}", where)
        if "message" not in nulls:
            message = artifact.get("message") or ""
            if not message.strip() or len(message.splitlines()) != 1:
                verdict.add("artifact-message", f"message is {artifact.get('message')!r:.80}", where)
        if "tags" not in nulls:
            _tags(verdict, artifact, where)


def _tags(verdict: Judgement, artifact: dict[str, Any], where: str) -> None:
    found: dict[str, list[str]] = {"relation": [], "pyramid": [], "source": []}
    for tag in artifact.get("tags") or ():
        prefix, colon, value = tag.partition(":")
        if colon and prefix in found:
            found[prefix].append(value)
    known = _relations()
    if not found["relation"] or (known and not set(found["relation"]) <= known):
        verdict.add("tag-relation", f"relation tags: {found['relation']}", where)
    level = _pyramid(artifact)
    if found["pyramid"] != [level]:
        verdict.add("tag-pyramid", f"pyramid tags: {found['pyramid']}, expected {level}", where)
    if not any(value.strip() for value in found["source"]):
        verdict.add("tag-source", f"source tags: {found['source']}", where)


def _pyramid(artifact: dict[str, Any]) -> str:
    kind = artifact["dataType"]
    label = f"{kind} {(artifact.get('data') or '').partition(':')[0]}"
    return _LEVELS.get(kind) or _LEVELS.get(label) or "artifact"


@functools.cache
def _relations() -> frozenset[str]:
    """The names and inverses of the vocabulary; empty where there is none to read."""
    if not RELATIONS.is_file():
        return frozenset()
    tables = tomllib.loads(RELATIONS.read_text(encoding="utf-8"))
    entries = {name: table for name, table in tables.items() if isinstance(table, dict) and "inverse" in table}
    return frozenset(entries) | frozenset(table["inverse"] for table in entries.values())


def _seeds(job: Job) -> set[str]:
    if job.attachment is not None:
        return {hashlib.new(name, job.attachment).hexdigest() for name in ("md5", "sha1", "sha256", "sha512")}
    return {job.data.strip().lower()} if isinstance(job.data, str) else set()


def _shaped(kind: str, data: str) -> bool:
    """Whether data is what its type says, in the form in which equal things are equal."""
    if not data or data != data.strip():
        return False
    if kind == "ip":
        try:
            return str(ipaddress.ip_address(data)) == data
        except ValueError:
            return False
    return kind not in _SHAPES or _SHAPES[kind].fullmatch(data) is not None


def _level(verdict: Judgement) -> None:
    entries = verdict.summary.get("taxonomies")
    stated = verdict.full.get("verdict")
    if not (isinstance(entries, list) and entries and isinstance(entries[0], dict) and isinstance(stated, dict)):
        return
    level = entries[0].get("level")
    if isinstance(level, str) and level in LEVELS and level != stated.get("level"):  # others are TheHive's business
        verdict.add("taxonomy-verdict", f"{level!r}, the report says {stated.get('level')!r}")


def _invalid(full: Mapping[str, Any], schema: Mapping[str, Any] | Path | None) -> list[str]:
    if isinstance(schema, Path):
        if not schema.is_file():
            return []
        schema = json.loads(schema.read_text(encoding="utf-8"))
    if schema is None:
        return []
    import jsonschema  # an outside check of the pack's own

    validator = jsonschema.validators.validator_for(schema)(schema)
    return [
        f"{'/'.join(map(str, error.absolute_path)) or 'full'}: {error.message:.200}"
        for error in sorted(validator.iter_errors(full), key=lambda error: list(map(str, error.absolute_path)))[:5]
    ]


def search_secrets(verdict: Judgement, run: Run, job: Job) -> None:
    """Look for every secret of the job, as it is and in the encodings in which it travels."""
    left = [run.output.decode("utf-8", "replace")] if run.output is not None and not run.written_by_cortex else []
    with contextlib.suppress(ValueError):  # not JSON: the raw text is searched
        left.extend(strings(parse(run.output or b"null")))
    if run.folder is not None and (run.folder / "output").is_dir():
        for path in sorted((run.folder / "output").iterdir()):
            if path.is_file():
                left.extend((path.name, path.read_bytes().decode("utf-8", "replace")))
    for number, secret in enumerate(sorted(job.secrets)):
        forms = _forms(secret)
        name = next((key for key, value in job.config.items() if value == secret), f"secret {number}")
        if not run.written_by_cortex and any(form in text for form in forms for text in left):
            verdict.add("secret", f"the value of {name} stands in the output")
        if any(form in run.printed for form in forms):
            verdict.add("secret-printed", f"the value of {name} was printed")


def _forms(secret: str) -> set[str]:
    whole = base64.b64encode(secret.encode()).decode()
    return {
        secret,
        urllib.parse.quote(secret, safe=""),
        urllib.parse.quote_plus(secret),
        json.dumps(secret)[1:-1],
        html.escape(secret),
        whole.rstrip("=")[: len(whole) // 4 * 4 - 1] if whole.endswith("=") else whole,
    }
