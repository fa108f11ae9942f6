"""Every mapping on mutants of every recorded answer: what comes out is a report, or a typed error, whatever came in.

``CORTEX_GROW_MUTANTS`` is the number of mutants of each answer (10), ``CORTEX_GROW_FUZZ_SEED`` the seed of chance.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cortex_grow.growth.sources import sources
from cortex_grow.model.indicator import Indicator
from cortex_grow.model.report import Edge, Headline, Node, Provenance, Report, Table
from cortex_grow.model.report import Source as Origin
from cortex_grow.model.verdict import Term
from cortex_grow.model.view import view
from cortex_grow.net.errors import SourceError
from cortex_grow.source import registry
from cortex_grow.source.answer import Answer
from cortex_grow.source.base import Job, Question, Source
from cortex_grow.source.circumstances import open_job
from cortex_grow.source.run import answer
from cortex_grow.source.settings import Settings
from cortex_grow.worker.analyzer import fitting
from cortex_grow.worker.artifacts import MOST_ARTIFACTS, THEHIVE_TYPES, artifacts, taxonomies
from cortex_grow.worker.output import encode
from tests.sources import checking, mutate
from tests.support import ROOT, needs_shared

MUTANTS = int(os.environ.get("CORTEX_GROW_MUTANTS", "10"))
SEED = os.environ.get("CORTEX_GROW_FUZZ_SEED", "0")
CASES = [(declaration.name, path) for declaration in sources() for path in checking.cases(declaration.name)]
# What ends a line, steers a terminal or turns a line around: C0 and C1, separators, directions, lone surrogates.
UNFIT = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# Where an indicator stands as it is: a file name may hold a direction mark, and is then shown without.
VALUES = re.compile(
    r"/(?:nodes/\*|seeds?(?:/\*)?|node|rows/\*)/(?:value|id)|/edges/\*/(?:source|target)|/artifacts/\*/data"
)
LARGEST_NUMBER = 2**63


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    made = open_job(Settings({"state_dir": str(tmp_path_factory.mktemp("state"))}), 3600)
    made.tlp, made.pap = 1, 1
    return made


@pytest.fixture(scope="module")
def schema() -> Any:
    import jsonschema

    shape = json.loads((ROOT / "cortex_grow/model/report.schema.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(shape)


def report_of(definition: str, seed: Indicator, bodies: dict[str, Any], job: Job) -> Report:
    """The report that a job makes of these bodies: the whole way from the questions to the caps."""
    declaration = registry.named(definition)
    loaded = registry.load(declaration)
    assert issubclass(loaded, Source)
    values = {declaration.key: "key-of-the-fuzz-test"} if declaration.key else {}
    settings = Settings({**values, "cache": False, "premium": True}, declaration)
    source = loaded(settings, job)

    def ask(seed: Indicator, answer: Answer) -> Iterator[Question]:
        for part, body in bodies.items():
            yield Question(part, part, lambda body=body: body, calls=0)  # type: ignore[misc]

    source.ask = ask  # type: ignore[method-assign]
    return answer(source, seed, settings, job)


def texts(tree: Any, where: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield f"{where} (name)", name
            yield from texts(value, f"{where}/{name}")
    elif isinstance(tree, (list, tuple)):
        for value in tree:
            yield from texts(value, f"{where}/*")
    elif isinstance(tree, str):
        yield where, tree


def numbers(tree: Any) -> Iterator[float]:
    if isinstance(tree, (dict, list, tuple)):
        for value in tree.values() if isinstance(tree, dict) else tree:
            yield from numbers(value)
    elif isinstance(tree, (int, float)) and not isinstance(tree, bool):
        yield tree


def complaints(report: Report, schema: Any) -> Iterator[str]:
    """What is wrong with a report, and with what a job makes of it."""
    made, report = artifacts(report, 2, Settings({}, registry.named(report.source.name)))
    report = fitting(report)
    lines = taxonomies(report, "Fuzz")
    tree = report.to_dict()
    for error in schema.iter_errors(tree):
        yield f"schema: {'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
    known = {*report.nodes, *report.suppressed}
    for edge in report.edges.values():
        if edge.source == edge.target:
            yield f"an edge from {edge.source[:80]} to itself"
        if not {edge.source, edge.target} <= known:
            yield f"an edge without an end: {edge.source[:80]} {edge.relation} {edge.target[:80]}"
    full = {**tree, "view": view(report)}
    for where, text in texts({"full": full, "artifacts": made, "taxonomies": lines}):
        unfit = UNFIT.search(text)
        if unfit and not (VALUES.search(where) and unfit[0] in mutate.BIDI):
            yield f"unfit text at {where}: {text[:80]!r}"
    for number in numbers(full):
        if abs(number) > LARGEST_NUMBER:
            yield f"a number that readers choke on: {str(number)[:40]}"
    whole = encode(
        {"success": True, "summary": {"taxonomies": lines}, "artifacts": made, "operations": [], "full": full}
    )
    if json.loads(whole)["full"] != json.loads(json.dumps(full)):
        yield "written otherwise than made"
    if Report.from_dict(tree).to_dict() != tree:
        yield "not read back as it was"
    yield from artifact_complaints(made, report)
    if not 1 <= len(lines) <= 4:
        yield f"{len(lines)} taxonomies"
    if lines[0]["level"] != report.verdict.level:
        yield "the taxonomy has another level than the report"


def artifact_complaints(made: list[dict[str, Any]], report: Report) -> Iterator[str]:
    if len(made) > MOST_ARTIFACTS:
        yield f"{len(made)} artifacts"
    if len({(row["dataType"], row["data"]) for row in made}) != len(made):
        yield "an artifact twice"
    for row in made:
        if set(row) != {"dataType", "data", "message", "tags", "tlp"}:
            yield f"an artifact with {sorted(row)}"
        if (
            row["dataType"] not in THEHIVE_TYPES
            or not 0 < len(row["data"]) <= 4096
            or row["data"] != row["data"].strip()
        ):
            yield f"an artifact {row['dataType']} {row['data'][:80]!r}"
        if (row["dataType"], row["data"]) == report.seed.observable():
            yield "the seed as an artifact"
        if len(row["message"]) > 500 or not all(0 < len(tag) <= 128 for tag in row["tags"]):
            yield f"message or tags too long: {row['data'][:80]!r}"


@needs_shared
@pytest.mark.parametrize(("definition", "path"), CASES, ids=[f"{name}-{path.stem}" for name, path in CASES])
def test_mutants(definition: str, path: Path, job: Job, schema: Any) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    seed = Indicator.parse(case["seed"]["type"], case["seed"]["value"])
    bodies = {name: part.body for name, part in checking.answer_of(case).parts.items()}
    chance = Random(f"{SEED} {definition} {path.stem}")
    for number in range(MUTANTS):
        part = chance.choice(list(bodies))
        mutant = {**bodies, part: next(mutate.mutants(bodies[part], chance, 1))}
        checking.read(definition, seed, Answer.of(mutant), strict=False)
        try:
            report = report_of(definition, seed, mutant, job)
        except SourceError:
            continue
        wrong = list(complaints(report, schema))
        assert not wrong, f"mutant {number} of {part}: " + "\n".join(wrong[:10])


# --- the test can fail ---

SEED_OF_ALL = Indicator.parse("domain", "bad.example")


def good() -> Report:
    node = Node(Indicator.parse("ip", "192.0.2.1"), (Term("URLhaus", "listed", 60, "listed"),))
    edge = Edge("domain:bad.example", "resolves-to", "ip:192.0.2.1", "URLhaus", "2026-01-01T00:00:00Z")
    return Report(
        source=Origin("URLhaus_Lookup", "1.0"),
        seeds=(SEED_OF_ALL,),
        nodes={SEED_OF_ALL.id: Node(SEED_OF_ALL), "ip:192.0.2.1": node},
        edges={edge.key: edge},
        facts=(Table("Facts", "URLhaus", ("a",), (("b",),)),),
        headlines=(Headline("URLhaus", "urls", "1"),),
        provenance=(Provenance("URLhaus_Lookup", "1.0", SEED_OF_ALL.id, "found"),),
    )


def edged(**changes: Any) -> Report:
    edge = replace(next(iter(good().edges.values())), **changes)
    return replace(good(), edges={edge.key: edge})


BAD = {
    "itself": edged(target="domain:bad.example"),
    "without an end": edged(target="ip:192.0.2.99"),
    "schema": edged(first_seen="2026-01-01 00:00:00"),
    "number": edged(count=10**400),
    "schema: edges/0/count": edged(count=-1),
    "unfit text at /full/edges": edged(context=(("a", "x\u202ey"),)),
    "unfit text at /full/facts": replace(good(), facts=(Table("a\x1b[31m", "URLhaus", (), ()),)),
    "unfit text at /taxonomies": replace(good(), headlines=(Headline("URLhaus", "urls\ud800", "1"),)),
    "written otherwise": replace(good(), headlines=(Headline("URLhaus", "urls", "x\ud800y"),)),
}


@pytest.mark.parametrize("says", BAD)
def test_what_is_wrong_with_a_report_is_seen(says: str, schema: Any) -> None:
    assert not list(complaints(good(), schema))
    assert [text for text in complaints(BAD[says], schema) if says in text]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"dataType": "ip", "data": "192.0.2.1", "message": "x" * 501}, "too long"),
        ({"dataType": "ip", "data": "192.0.2.1", "tags": ["x" * 129]}, "too long"),
        ({"dataType": "certificate", "data": "ab"}, "an artifact certificate"),
        ({"dataType": "other", "data": ""}, "an artifact other"),
        ({"dataType": "domain", "data": "bad.example"}, "the seed"),
        ({"dataType": "ip", "data": "192.0.2.1", "iocs": []}, "an artifact with"),
    ],
)
def test_what_is_wrong_with_artifacts_is_seen(row: dict[str, Any], says: str) -> None:
    usual = {"dataType": "ip", "data": "192.0.2.1", "message": "", "tags": [], "tlp": 2}
    assert not list(artifact_complaints([usual], good()))
    assert [text for text in artifact_complaints([{**usual, **row}], good()) if says in text]
    assert any("twice" in text for text in artifact_complaints([usual, usual], good()))
    assert any("101 artifacts" in text for text in artifact_complaints([usual] * 101, good()))


def test_a_mapping_without_tolerance_is_caught(job: Job) -> None:
    """Most of what a mapping could trust in, mutants break: reading plain members raises sooner or later."""
    body = {"urls": [{"url": "http://bad.example/x", "date_added": "2026-01-01 00:00:00 UTC", "tags": ["exe"]}]}
    caught = set()
    for mutant in mutate.mutants(body, Random(1), 300):
        try:
            for url in mutant["urls"]:
                url["url"].lower(), url["date_added"].split(" "), [tag.lower() for tag in url["tags"]]
        except Exception as error:  # whatever it is: that is what is counted
            caught.add(type(error))
    assert caught >= {KeyError, TypeError, AttributeError}


def test_mutants_come_again_with_the_same_seed_and_leave_the_original() -> None:
    body = {"a": [{"b": "c", "d": 1}, None, True], "e": {"f": ["g", "h"]}}
    before = json.dumps(body)
    first, second = (list(mutate.mutants(body, Random(5), 200)) for _ in range(2))
    assert repr(first) == repr(second)
    assert json.dumps(body) == before
    assert len({repr(mutant) for mutant in first}) > 150
    shown = repr(first)
    assert all(flaw in shown for flaw in ("\\u202e", "\\ud800", "\\x00", "<script>", "{{", "unknown_member"))
