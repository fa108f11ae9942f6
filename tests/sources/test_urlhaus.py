"""URLhaus: what is asked, what a failure is, and the parts of the mapping that no recorded answer shows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cortex_grow.lab import Lab
from cortex_grow.model.indicator import Indicator
from cortex_grow.net.errors import (
    CredentialError,
    NotAnAnswerError,
    QuotaError,
    RefusedError,
    SourceError,
    UnsupportedError,
)
from cortex_grow.source.answer import Answer
from cortex_grow.source.build import Builder
from tests.sources import checking
from tests.sources.asking import Desk, edges, points
from tests.support import needs_shared, sample_json, shared

NAME = "URLhaus_Lookup"
STEALER = b"cortex-grow demo stealer"
SHA256, MD5 = hashlib.sha256(STEALER).hexdigest(), hashlib.md5(STEALER).hexdigest()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Lab.demo() as lab:
        yield Desk(lab, NAME, tmp_path)


def read(seed: Indicator, **parts: Any) -> Builder:
    return checking.read(NAME, seed, Answer.of(parts))


# --- asking ---


@pytest.mark.parametrize(
    ("type", "value", "path", "form"),
    [
        ("url", "http://cdn-update.example/load/stage2.bin", "/v1/url/", "url"),
        ("domain", "cdn-update.example", "/v1/host/", "host"),
        ("fqdn", "www.cdn-update.example", "/v1/host/", "host"),
        ("ip", "203.0.113.66", "/v1/host/", "host"),
        ("hash", SHA256, "/v1/payload/", "sha256_hash"),
        ("hash", MD5, "/v1/payload/", "md5_hash"),
    ],
)
def test_one_call_finds(desk: Desk, type: str, value: str, path: str, form: str) -> None:
    report = desk.ask(type, value)
    assert desk.sent() == [("POST", path, {form: value}, 200)]
    assert report.found
    assert report.provenance[0].calls == 1
    assert report.edges
    assert not report.partial
    desk.ask(type, value)
    assert len(desk.sent()) == 1, "the second answer comes from the cache"


@pytest.mark.parametrize(
    ("type", "value"),
    [
        ("url", "http://nothing-known.example/nothing"),
        ("domain", "nothing-known.example"),
        ("ip", "203.0.113.254"),
        ("hash", "0" * 64),
    ],
)
def test_not_known_is_a_report_without_a_verdict(desk: Desk, type: str, value: str) -> None:
    report = desk.ask(type, value)
    assert [entry.status for entry in report.provenance] == ["not-found"]
    assert (report.verdict.level, report.verdict.score) == ("info", 0)
    assert not report.edges
    desk.ask(type, value)
    assert len(desk.sent()) == 1, "not knowing is remembered too"


@pytest.mark.parametrize("value", ["0" * 40, "0" * 128, "T1" + "0A" * 35, "3:AXGBicFlgVNhBGcL6wCrFQEv:AXGHsNhxLsr2C"])
def test_other_digests_are_refused_before_a_call(desk: Desk, value: str) -> None:
    with pytest.raises(UnsupportedError, match="MD5 or SHA-256"):
        desk.ask("hash", value)
    assert desk.sent() == []


def test_wrong_key(desk: Desk) -> None:
    with pytest.raises(CredentialError) as caught:
        desk.ask("domain", "cdn-update.example", API_Key="wrong-key-of-somebody")
    assert caught.value.status == 403
    assert "wrong-key-of-somebody" not in str(caught.value)
    assert len(desk.sent()) == 1


def test_no_key_is_no_call(desk: Desk) -> None:
    with pytest.raises(CredentialError, match="API_Key"):
        desk.ask("domain", "cdn-update.example", API_Key=None)
    assert desk.sent() == []


def test_quota_of_the_service_and_of_the_pack(desk: Desk) -> None:
    desk.lab.quota("urlhaus", 0)
    with pytest.raises(QuotaError) as caught:
        desk.ask("domain", "cdn-update.example")
    assert caught.value.status == 429
    desk.lab.quota("urlhaus", None)
    sent = len(desk.sent())
    assert desk.ask("domain", "cdn-update.example", quota_day=2, quota_wait=0).provenance[0].quota_left == 0
    with pytest.raises(QuotaError, match="Come back"):
        desk.ask("ip", "203.0.113.66", quota_day=2, quota_wait=0)
    assert len(desk.sent()) == sent + 1


@pytest.mark.parametrize("fault", ["html", "empty", "garbage"])
def test_what_is_no_answer(desk: Desk, fault: str) -> None:
    desk.lab.misbehave("urlhaus", fault)
    with pytest.raises(NotAnAnswerError) as caught:
        desk.ask("domain", "cdn-update.example")
    assert "127.0.0.1" in str(caught.value)


def test_a_wrong_address_is_no_answer(desk: Desk) -> None:
    with pytest.raises(NotAnAnswerError, match="url"):
        desk.ask("domain", "cdn-update.example", url=f"{desk.values['url']}/api")


@pytest.mark.parametrize(
    ("body", "error", "says"),
    [
        ({"query_status": "unknown_auth_key"}, CredentialError, "API_Key"),
        ({"query_status": "no_api_key"}, CredentialError, "API_Key"),
        ({"query_status": "invalid_host"}, RefusedError, "invalid_host"),
        ({"query_status": "invalid_url"}, RefusedError, "invalid_url"),
        ({"query_status": "invalid_sha256"}, RefusedError, "invalid_sha256"),
        ({"query_status": "http_post_expected"}, RefusedError, "http_post_expected"),
        ({"query_status": "query_status"}, NotAnAnswerError, "unknown query_status"),
        ({"query_status": "bad\x1b[31m\u202e" + "x" * 5000}, NotAnAnswerError, "unknown query_status"),
        ({"query_status": None}, NotAnAnswerError, "no query_status"),
        ({"query_status": ["ok"]}, NotAnAnswerError, "no query_status"),
        ({}, NotAnAnswerError, "no query_status"),
        ([], NotAnAnswerError, "no query_status"),
        ("ok", NotAnAnswerError, "no query_status"),
        (None, NotAnAnswerError, "no query_status"),
    ],
)
def test_failures_that_come_with_status_200(desk: Desk, body: Any, error: type[SourceError], says: str) -> None:
    source = checking.source_of(NAME, {**desk.values, "url": "http://192.0.2.1"})
    source.job = type("Job", (), {"deadline": None})()  # type: ignore[assignment]
    assert not source.absent(body)
    with pytest.raises(error, match=says) as caught:
        source.check(body)
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


def test_answers_and_not_knowing_pass() -> None:
    source = checking.source_of(NAME)
    source.check({"query_status": "ok"})
    assert source.absent({"query_status": "no_results"})
    assert not source.absent({"query_status": "ok"})


def test_nothing_of_a_value_gets_out_of_its_field(desk: Desk) -> None:
    url = "http://cdn-update.example/a&host=other.example?x=%26url=1;b#'\"<{}>/../"
    desk.ask("url", url)
    assert desk.sent() == [("POST", "/v1/url/", {"url": url}, 200)]


# --- mapping: what no recorded answer shows ---


@needs_shared
def test_recorded_answers_from_configuration_to_report(tmp_path: Path) -> None:
    recorded = sample_json("urlhaus/url_emotet_105821.json")
    with Lab.replay(shared("samples")) as lab:
        desk = Desk(lab, NAME, tmp_path)
        report = desk.ask("url", recorded["url"])
        assert report.verdict.level == "malicious"
        assert points(report) == {"listed": 60, "SURBL": 15, "Spamhaus DBL": 5}
        assert points(report, "hash:01fa56184fcaa42b6ee1882787a34098c79898c182814774fd81dc18a6af0b00") == {
            "payload": 30,
            "signature": 50,
        }
        assert not [node for node in report.nodes if "abuse.ch" in node]
        host = desk.ask("domain", "vektorex.com")
        assert points(host) == {"host": 50, "many URLs": 10}
        assert [(cut.what, cut.found, cut.kept) for cut in host.limits] == [("malware URLs", 120, 2)]
        assert (host.headlines[0].predicate, host.headlines[0].value) == ("urls", "2 online of 120")


def test_a_payload_by_its_md5_is_one_node(desk: Desk) -> None:
    report = desk.ask("hash", MD5)
    files = [node.indicator for node in report.nodes.values() if node.indicator.type == "hash"]
    assert len(files) == 1
    assert files[0].attributes["sha256"] == SHA256
    assert report.verdict.level == "malicious"
    seed = files[0].id
    assert (seed, "downloaded-from", "url:http://cdn-update.example/load/stage2.bin") in edges(report)
    assert ("url:http://cdn-update.example/load/stage2.bin", "hosted-by", "domain:cdn-update.example") in edges(report)
    assert (seed, "known-as", "filename:stage2.bin") in edges(report)
    assert (seed, "variant-of", "family:AgentTesla") in edges(report)


def test_digests_of_another_file_are_not_the_seeds() -> None:
    seed = Indicator.parse("hash", "a" * 64)
    builder = read(seed, payload={"query_status": "ok", "md5_hash": "c" * 32, "sha256_hash": "b" * 64, "urls": []})
    assert not builder.nodes[seed.id].indicator.attributes


def test_a_listing_says_whether_it_is_online() -> None:
    seed = Indicator.parse("url", "http://bad.example/x")

    def listed(**body: Any) -> dict[str, int]:
        built = read(seed, url={"query_status": "ok", **body})
        return {term.rule: term.points for term in built.nodes[seed.id].terms}

    assert listed(url_status="online") == {"listed": 60}
    assert listed(url_status="offline") == {"listed": 40}
    assert listed(url_status="unknown") == {"listed": 40}
    assert listed(url_status=None) == {}


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ({"spamhaus_dbl": "phishing_domain", "surbl": "listed"}, {"Spamhaus DBL": 15, "SURBL": 15}),
        ({"spamhaus_dbl": "abused_legit_malware", "surbl": "not listed"}, {"Spamhaus DBL": 5}),
        ({"spamhaus_dbl": "not listed", "surbl": "not listed"}, {}),
        ({"spamhaus_dbl": "unknown_return_code", "surbl": None}, {}),
        ({"spamhaus_dbl": "spamhaus_dbl", "surbl": True}, {}),
        (None, {}),
        ([], {}),
    ],
)
def test_only_documented_words_are_listings(lists: Any, expected: dict[str, int]) -> None:
    seed = Indicator.parse("domain", "bad.example")
    built = read(seed, host={"query_status": "ok", "urls": [], "blacklists": lists})
    assert {term.rule: term.points for term in built.nodes[seed.id].terms} == expected


def test_an_import_hash_counts_for_executables_only() -> None:
    seed = Indicator.parse("hash", "b" * 64)
    for kind, wanted in (("exe", True), ("dll", True), ("doc", False), ("html", False)):
        body = {"query_status": "ok", "sha256_hash": seed.value, "file_type": kind, "imphash": "c" * 32}
        assert (f"imphash:{'c' * 32}" in read(seed, payload=body).nodes) is wanted
    empty = {"query_status": "ok", "sha256_hash": seed.value, "file_type": "exe", "imphash": "", "tlsh": ""}
    assert read(seed, payload=empty).unreadable == []


def test_tags_are_tags_and_no_families() -> None:
    seed = Indicator.parse("ip", "192.0.2.7")
    urls = [{"url": "http://192.0.2.7/Mozi.m", "url_status": "online", "tags": ["Mozi", "32-bit", None, {"a": 1}]}]
    built = read(seed, host={"query_status": "ok", "urls": urls})
    assert built.families == []
    assert built.nodes["url:http://192.0.2.7/Mozi.m"].tags == ("32-bit", "Mozi")


def test_big_answers_are_bounded_and_say_so() -> None:
    seed = Indicator.parse("domain", "bad.example")
    urls = [{"url": f"http://bad.example/{number}", "url_status": "offline"} for number in range(5000)]
    built = read(seed, host={"query_status": "ok", "urls": urls, "url_count": "9000"})
    assert len(built.edges) == 2000
    assert [(cut.found, cut.kept) for cut in built.noted()] == [(9000, 2000)]
    assert "2000" in built.noted()[0].why
