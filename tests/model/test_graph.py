"""Reports: their shape, and merging, which must not depend on grouping and must lose nothing."""

from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_grow.model.graph import Graph, merge, unified
from cortex_grow.model.indicator import Indicator
from cortex_grow.model.relations import by_name, vocabulary
from cortex_grow.model.report import (
    Edge,
    Label,
    Limit,
    Node,
    Partial,
    Provenance,
    Report,
    Source,
    Suppressed,
    Table,
)
from cortex_grow.model.verdict import Term, Thresholds, Verdict, distinct
from tests.support import ROOT

SCHEMA = json.loads((ROOT / "cortex_grow/model/report.schema.json").read_text(encoding="utf-8"))
TIMES = st.sampled_from([None, "2019-01-01T00:00:00Z", "2020-06-01T10:00:00Z", "2024-12-31T23:59:59Z"])
INDICATORS = st.sampled_from(
    [Indicator("ip", f"192.0.2.{last}") for last in range(4)]
    + [Indicator("domain", f"{name}.example") for name in "abc"]
    + [Indicator("hash", "a" * 64, {"md5": "b" * 32}), Indicator("hash", "b" * 32)]
)
TERMS = st.builds(
    Term,
    st.sampled_from(["VirusTotal", "URLhaus"]),
    st.sampled_from(["engines", "listed"]),
    st.integers(-100, 100),
    st.sampled_from(["x", "y"]),
)
NODES = st.builds(
    Node,
    INDICATORS,
    st.lists(TERMS, max_size=3).map(distinct),
    TIMES,
    TIMES,
    st.lists(st.sampled_from(["t1", "t2"]), max_size=2).map(lambda tags: tuple(sorted(set(tags)))),
    st.sampled_from([None, "many names", "shared"]),
)


@st.composite
def reports(draw: st.DrawFn) -> Report:
    name = draw(st.sampled_from(["A", "B"]))
    seeds = draw(st.lists(INDICATORS, min_size=1, max_size=2, unique=True))
    nodes = {node.indicator.id: node for node in draw(st.lists(NODES, max_size=5))}
    for seed in seeds:
        nodes.setdefault(seed.id, Node(seed))
    hidden = draw(st.lists(NODES, max_size=2))
    suppressed = {
        node.indicator.id: Suppressed(node, f"list of {name}", "noise")
        for node in hidden
        if node.indicator.id not in nodes
    }
    ids = [*nodes, *suppressed]
    edges = {}
    for _ in range(draw(st.integers(0, 4))):
        edge = Edge(
            draw(st.sampled_from(ids)),
            draw(st.sampled_from(["resolves-to", "related-to"])),
            draw(st.sampled_from(ids)),
            name,
            draw(TIMES),
            draw(TIMES),
            draw(st.sampled_from([None, 1, 7])),
            draw(st.sampled_from([None, "https://example.org/1", "https://example.org/2"])),
            draw(st.sampled_from([(), (("port", "80"),), (("port", "443"),)])),
        )
        edges[edge.key] = edge
    return Report(
        source=Source(name, "1.0"),
        seeds=tuple(seeds),
        nodes=nodes,
        edges=edges,
        suppressed=suppressed,
        families=(Label("emotet", "Emotet", name),),
        facts=(Table("t", name, ("c",), (("v",),)),),
        limits=(Limit(name, "urls", 9, 3, "cap"),),
        partial=(Partial(name, "part", "why"),),
        provenance=(Provenance(name, "1.0", seeds[0].id, "found"),),
    )


def comparable(report: Report) -> dict[str, object]:
    """A report without the order of nodes and edges, which merging may change."""
    row = report.to_dict()
    row["nodes"] = sorted(json.dumps(node, sort_keys=True) for node in row["nodes"])
    row["edges"] = sorted(json.dumps(edge, sort_keys=True) for edge in row["edges"])
    row["suppressed"] = sorted(json.dumps(entry, sort_keys=True) for entry in row["suppressed"])
    return row


@given(reports(), reports(), reports())
def test_merging_is_associative(a: Report, b: Report, c: Report) -> None:
    assert comparable(merge(merge(a, b), c)) == comparable(merge(a, merge(b, c)))


@given(reports(), reports())
def test_merging_loses_nothing(a: Report, b: Report) -> None:
    merged = merge(a, b)
    known = {*merged.nodes, *merged.suppressed}
    for report in (a, b):
        assert {*report.nodes, *report.suppressed} <= known
        assert set(report.edges) <= set(merged.edges)
        assert set(report.provenance) <= set(merged.provenance)
        assert set(report.limits) <= set(merged.limits)
        assert {seed.id for seed in report.seeds} <= set(merged.nodes)
    assert not set(merged.nodes) & set(merged.suppressed)


@given(reports(), reports())
def test_a_report_is_valid_and_comes_back(a: Report, b: Report) -> None:
    for report in (a, merge(a, b), unified(merge(a, b))):
        row = json.loads(json.dumps(report.to_dict()))
        jsonschema.validate(row, SCHEMA)
        assert Report.from_dict(row).to_dict() == report.to_dict()


@given(reports())
def test_a_report_merged_with_itself_is_itself(a: Report) -> None:
    once = merge(a, a)
    assert comparable(merge(once, a)) == comparable(once)


def test_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="not a report of this version"):
        Report.from_dict({"schema": "cortex-grow/report/99"})
    with pytest.raises(ValueError, match="not a report"):
        Report.from_dict({"schema": "cortex-grow/report/1", "nodes": 3})
    with pytest.raises(ValueError, match="no report was added"):
        Graph().report()


def test_digests_of_one_file_become_one_node() -> None:
    weak, strong = Indicator("hash", "b" * 32), Indicator("hash", "a" * 64, {"md5": "b" * 32})
    url = Indicator("url", "http://example.org/a")
    report = Report(
        Source("A", "1"),
        (weak,),
        {node.id: Node(node) for node in (weak, strong, url)},
        {
            ("x",) * 4: Edge(weak.id, "downloaded-from", url.id, "A"),
            ("y",) * 4: Edge(strong.id, "downloaded-from", url.id, "A"),
        },
    )
    one = unified(report)
    assert set(one.nodes) == {strong.id, url.id}
    assert [edge.source for edge in one.edges.values()] == [strong.id]
    assert one.seeds == (strong,) and one.nodes[strong.id].indicator.attributes["md5"] == "b" * 32


def test_two_files_that_claim_one_digest_stay_apart() -> None:
    nodes = [
        Indicator("hash", "b" * 32),
        Indicator("hash", "a" * 64, {"md5": "b" * 32}),
        Indicator("hash", "c" * 64, {"md5": "b" * 32}),
    ]
    report = Report(Source("A", "1"), (nodes[0],), {node.id: Node(node) for node in nodes})
    assert set(unified(report).nodes) == {node.id for node in nodes}


def test_a_seed_is_never_suppressed() -> None:
    seed, other = Indicator("ip", "192.0.2.1"), Indicator("domain", "a.example")
    hidden = {seed.id: Suppressed(Node(seed), "resolvers", "a public resolver")}
    first = Report(Source("A", "1"), (other,), {other.id: Node(other)}, suppressed=hidden)
    second = Report(Source("B", "1"), (seed,), {seed.id: Node(seed)})
    for merged in (merge(first, second), merge(second, first)):
        assert seed.id in merged.nodes and not merged.suppressed
        assert "list:resolvers" in merged.nodes[seed.id].tags


def test_terms_add_up_once_and_are_held() -> None:
    term = Term("A", "listed", 60, "listed")
    assert Verdict.of([term, term]).score == 60
    assert Verdict.of([term, Term("A", "listed", 40, "weaker")]).score == 60
    assert Verdict.of([term, Term("B", "listed", 60, "listed")]) == Verdict(
        "malicious", 100, Verdict.of([term, Term("B", "listed", 60, "listed")]).terms
    )
    assert Verdict.of([]).level == "info", "unknown is never safe"
    assert [Thresholds().level(score) for score in (70, 69, 40, 39, -19, -20)] == [
        "malicious",
        "suspicious",
        "suspicious",
        "info",
        "info",
        "safe",
    ]


def test_the_vocabulary_is_closed_and_reads_both_ways() -> None:
    names = vocabulary()
    for relation in names.values():
        assert by_name(relation.name) == (relation, False)
        back, _ = by_name(relation.inverse)
        assert back is relation, f"{relation.inverse} is the inverse of two relations"
    with pytest.raises(KeyError, match="not in the vocabulary"):
        by_name("hosted-in")


def test_names_are_those_of_misp_where_it_has_one() -> None:
    pymisp = pytest.importorskip("pymisp", reason="pymisp carries MISP's list of relationships")
    place = f"{pymisp.__path__[0]}/data/misp-objects/relationships/definition.json"
    with open(place, encoding="utf-8") as opened:
        known = {row["name"] for row in json.load(opened)["values"]}
    for relation in vocabulary().values():
        assert relation.misp in known, f"MISP has no {relation.misp}"
        if relation.name in known:
            assert relation.misp == relation.name


def test_direction_is_what_the_field_means() -> None:
    allowed = [
        ("communicates-with", "hash", "ip"),
        ("resolves-to", "domain", "ip"),
        ("hosted-by", "url", "ip"),
        ("downloaded-from", "hash", "url"),
        ("subdomain-of", "fqdn", "domain"),
        ("belongs-to", "ip", "autonomous-system"),
        ("registered-to", "domain", "mail"),
        ("serves", "ip", "certificate"),
        ("drops", "hash", "hash"),
        ("uses", "hash", "technique"),
    ]
    for name, source, target in allowed:
        relation = vocabulary()[name]
        assert relation.allows(source, target)
        if source != target and name != "uses":
            assert not relation.allows(target, source), f"{name} is allowed backwards"
