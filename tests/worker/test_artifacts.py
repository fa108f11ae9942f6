"""Artifacts and taxonomies: only what Cortex and TheHive accept, best first, every cut noted."""

from __future__ import annotations

from typing import Any

import pytest

from cortex_grow.model.indicator import Indicator
from cortex_grow.model.report import Edge, Headline, Node, Provenance, Report, Source, Suppressed
from cortex_grow.model.verdict import Term
from cortex_grow.source.settings import Settings
from cortex_grow.worker.artifacts import artifacts, taxonomies

SEED = Indicator("domain", "seed.example")
KEYS = {"dataType", "data", "message", "tags", "tlp"}


def report(*related: tuple[str, Node], status: str = "found", **more: Any) -> Report:
    edges = [Edge(SEED.id, relation, node.indicator.id, "VirusTotal") for relation, node in related]
    return Report(
        Source("VirusTotal_Pivot", "1.0"),
        (SEED,),
        {SEED.id: Node(SEED, more.pop("terms", ())), **{node.indicator.id: node for _, node in related}},
        {edge.key: edge for edge in edges},
        provenance=(Provenance("VirusTotal_Pivot", "1.0", SEED.id, status),),
        **more,
    )


def address(number: int, points: int = 0) -> tuple[str, Node]:
    terms = (Term("VirusTotal", "engines", points, f"{points} engines"),) if points else ()
    return "resolves-to", Node(Indicator("ip", f"2001:db8::{number:x}"), terms)


def test_an_artifact_has_the_accepted_keys_and_says_what_it_is() -> None:
    made, _ = artifacts(report(address(1, 60)), 1, Settings())
    assert made == [
        {
            "dataType": "ip",
            "data": "2001:db8::1",
            "message": made[0]["message"],
            "tags": ["relation:resolves-to", "pyramid:ip", "source:virustotal", "score:60"],
            "tlp": 1,
        }
    ]
    assert "seed[.]example resolves-to" in made[0]["message"] and "60 engines" in made[0]["message"]


def test_the_relation_is_read_from_the_seed() -> None:
    url = Indicator("url", "http://seed.example/a")
    edge = Edge(url.id, "hosted-by", SEED.id, "URLhaus")
    whole = report()
    whole = Report(
        whole.source, (SEED,), {SEED.id: Node(SEED), url.id: Node(url)}, {edge.key: edge}, provenance=whole.provenance
    )
    made, _ = artifacts(whole, 2, Settings())
    assert "relation:hosts" in made[0]["tags"] and "source:urlhaus" in made[0]["tags"]


def test_at_most_a_hundred_best_first_and_the_cut_is_noted() -> None:
    made, cut = artifacts(report(*(address(number, number % 90) for number in range(1, 300))), 2, Settings())
    assert len(made) == 100
    scores = [int(tag.split(":")[1]) for row in made for tag in row["tags"] if tag.startswith("score:")]
    assert scores == sorted(scores, reverse=True) and scores[0] == 89
    assert [(limit.what, limit.found, limit.kept) for limit in cut.limits] == [("artifacts", 299, 100)]


def test_import_by_itself_only_when_asked_and_at_most_ten() -> None:
    whole = report(*(address(number, 80) for number in range(1, 30)))
    made, _ = artifacts(whole, 2, Settings())
    assert not any("autoImport:true" in row["tags"] for row in made)
    made, _ = artifacts(whole, 2, Settings({"auto_import_score": 70}))
    assert sum("autoImport:true" in row["tags"] for row in made) == 10
    made, _ = artifacts(whole, 2, Settings({"auto_import_score": 90}))
    assert not any("autoImport:true" in row["tags"] for row in made)


def test_what_is_no_observable_stays_in_the_report() -> None:
    nodes = [
        ("uses", Node(Indicator("technique", "T1055"))),
        ("indicates", Node(Indicator("family", "emotet"))),
        ("identified-by", Node(Indicator("certificate", "a" * 64))),
    ]
    made, cut = artifacts(report(*nodes[2:], *nodes[:2]), 2, Settings())
    assert [(row["dataType"], row["data"]) for row in made] == [("other", f"certificate:{'a' * 64}")]
    assert not cut.limits


def test_never_the_seed_nor_noise_nor_one_twice() -> None:
    hidden = Node(Indicator("ip", "2001:db8::53"))
    whole = report(address(1), suppressed={hidden.indicator.id: Suppressed(hidden, "resolvers", "noise")})
    made, _ = artifacts(whole, 2, Settings())
    assert [row["data"] for row in made] == ["2001:db8::1"]


def test_long_data_and_tags_are_held() -> None:
    long_url = Indicator("url", "http://seed.example/" + "a" * 5000)
    whole = report(("hosts", Node(long_url)), ("hosts", Node(Indicator("url", "http://seed.example/" + "b" * 4000))))
    made, cut = artifacts(whole, 4, Settings())
    assert len(made) == 1 and len(made[0]["data"]) <= 4096 and made[0]["tlp"] == 3
    assert all(len(tag) <= 128 for tag in made[0]["tags"]) and len(made[0]["message"]) <= 500
    assert cut.limits and set(made[0]) == KEYS


def test_artifacts_can_be_left_out() -> None:
    assert artifacts(report(address(1)), 2, Settings({"artifacts": False}))[0] == []


@pytest.mark.parametrize(
    ("status", "expected"),
    [("not-found", ("info", "VT", "known", "no")), ("internal", ("info", "VT", "internal", "not asked"))],
)
def test_there_is_always_one_taxonomy(status: str, expected: tuple[str, ...]) -> None:
    rows = taxonomies(report(status=status), "VT")
    assert [tuple(row.values()) for row in rows] == [expected]


def test_the_level_is_that_of_the_report_and_four_lines_are_the_most() -> None:
    lines = tuple(Headline("VT", f"line{number}", "v" * 300) for number in range(9))
    whole = report(terms=(Term("VirusTotal", "engines", 80, "64 of 72 engines"),), headlines=lines)
    rows = taxonomies(whole, "VT")
    assert rows[0]["level"] == whole.verdict.level == "malicious"
    assert 1 <= len(rows) <= 4 and {row["level"] for row in rows[1:]} == {"info"}
    assert all(len(row["value"]) <= 100 for row in rows)
