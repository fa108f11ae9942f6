"""crt.sh: what is asked and downloaded, what a failure is, and certificates that no recorded answer shows."""

from __future__ import annotations

import base64
import datetime
import hashlib
import ipaddress
import random
import ssl
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from cortex_grow.lab import Lab
from cortex_grow.model.indicator import Indicator
from cortex_grow.net.errors import NotAnAnswerError, QuotaError, UnreachableError, UnsupportedError
from cortex_grow.source import certificate
from cortex_grow.source.answer import Answer
from cortex_grow.source.build import Builder
from tests.sources import checking
from tests.sources.asking import Desk, edges
from tests.support import ROOT, needs_shared, sample_json, shared

NAME = "Crtsh_Certificates"
PEM = (ROOT / "cortex_grow/lab/data/demo/crtsh/certificate_shared.pem").read_text()
SHA256 = hashlib.sha256(ssl.PEM_cert_to_DER_cert(PEM)).hexdigest()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Lab.demo() as lab:
        yield Desk(lab, NAME, tmp_path)


def read(seed: Indicator, **parts: Any) -> Builder:
    return checking.read(NAME, seed, Answer.of(parts))


def found(builder: Builder) -> set[tuple[str, str, str]]:
    return {(edge.source, edge.relation, edge.target) for edge in builder.edges.values()}


def entry(id: int = 1, **fields: Any) -> dict[str, Any]:
    """One entry of the list, in the shape of the recorded ones."""
    usual = {
        "issuer_ca_id": 7,
        "issuer_name": "C=XX, O=Example, CN=Example CA",
        "common_name": "bad.example",
        "name_value": "bad.example",
        "id": id,
        "entry_timestamp": "2026-01-02T00:00:00.123",
        "not_before": "2026-01-01T00:00:00",
        "not_after": "2026-04-01T00:00:00",
        "serial_number": f"{id:032x}",
    }
    return {**usual, **fields}


# --- asking ---


def test_a_name_costs_the_list_and_its_certificates(desk: Desk) -> None:
    report = desk.ask("domain", "cdn-update.example")
    assert desk.sent() == [
        ("GET", "/", {"q": "cdn-update.example", "output": "json"}, 200),
        ("GET", "/", {"d": "9000000101"}, 200),
    ]
    assert report.provenance[0].calls == 2
    cert = f"certificate:{SHA256}"
    assert edges(report) == {
        ("fqdn:www.cdn-update.example", "subdomain-of", "domain:cdn-update.example"),
        (cert, "identifies", "domain:cdn-update.example"),
        (cert, "identifies", "fqdn:www.cdn-update.example"),
        (cert, "identifies", "fqdn:gate.panel-login.example"),
    }
    assert report.verdict.score == 0
    assert [(line.predicate, line.value) for line in report.headlines] == [("certificates", "1"), ("names", "1")]
    desk.ask("domain", "cdn-update.example")
    assert len(desk.sent()) == 2, "the second answer comes from the cache"


def test_downloads_are_bounded_and_can_be_left_out(desk: Desk) -> None:
    desk.ask("domain", "panel-login.example", max_downloads=0)
    assert len(desk.sent()) == 1
    report = desk.ask("domain", "panel-login.example", max_downloads=1, cache=False)
    assert [params for _, _, params, _ in desk.sent()[2:]] == [{"d": "9000000102"}]
    assert report.provenance[0].calls == 2
    known = desk.ask("domain", "panel-login.example", max_downloads=20, cache=False)
    assert not known.partial, "a certificate that crt.sh does not give is no failure"


def test_expired_certificates_can_be_left_out(desk: Desk) -> None:
    desk.ask("domain", "cdn-update.example", exclude_expired=True, max_downloads=0)
    assert desk.sent()[0][2] == {"q": "cdn-update.example", "output": "json", "exclude": "expired"}


def test_an_unknown_name_is_not_found(desk: Desk) -> None:
    report = desk.ask("domain", "nothing-known.example")
    assert [known.status for known in report.provenance] == ["not-found"]
    assert not report.edges
    assert len(desk.sent()) == 1


@pytest.mark.parametrize("type", ["hash", "certificate"])
def test_a_fingerprint_is_downloaded(desk: Desk, type: str) -> None:
    report = desk.ask(type, SHA256.upper())
    assert desk.sent() == [("GET", "/", {"d": SHA256}, 200)]
    cert = f"certificate:{SHA256}"
    wanted = {
        (cert, "identifies", "domain:cdn-update.example"),
        (cert, "identifies", "fqdn:www.cdn-update.example"),
        (cert, "identifies", "fqdn:gate.panel-login.example"),
    }
    assert edges(report) == wanted | ({(f"hash:{SHA256}", "related-to", cert)} if type == "hash" else set())
    attributes = report.nodes[cert].indicator.attributes
    assert attributes["sha1"] == hashlib.sha1(ssl.PEM_cert_to_DER_cert(PEM)).hexdigest()
    assert attributes["issuer"] == "CN=Example CA 1,O=Example Trust Services,C=XX"
    assert attributes["serial"] == "00c294e586e5114ea0ecae4a1935bb1c"[2:]
    assert report.nodes[cert].first_seen == "2026-01-04T08:00:00Z"


def test_an_unknown_fingerprint_is_not_found(desk: Desk) -> None:
    report = desk.ask("hash", "0" * 64)
    assert [known.status for known in report.provenance] == ["not-found"]
    assert len(desk.sent()) == 1


@pytest.mark.parametrize(("type", "value"), [("hash", "0" * 32), ("hash", "1" * 40), ("certificate", "1" * 40)])
def test_other_digests_are_refused_before_a_call(desk: Desk, type: str, value: str) -> None:
    with pytest.raises(UnsupportedError, match="SHA-256"):
        desk.ask(type, value)
    assert desk.sent() == []


def test_quota_of_the_service_and_of_the_pack(desk: Desk) -> None:
    desk.lab.quota("crtsh", 0)
    with pytest.raises(QuotaError) as caught:
        desk.ask("domain", "cdn-update.example")
    assert caught.value.status == 429
    desk.lab.quota("crtsh", None)
    report = desk.ask("domain", "cdn-update.example", quota_day=2, quota_wait=0)
    assert report.found
    assert [part.part for part in report.partial] == ["certificate_9000000101"]
    assert "Come back" in report.partial[0].why


def test_a_quota_that_ends_between_list_and_download_keeps_the_list(desk: Desk) -> None:
    desk.lab.quota("crtsh", 1)
    report = desk.ask("domain", "cdn-update.example")
    assert ("fqdn:www.cdn-update.example", "subdomain-of", "domain:cdn-update.example") in edges(report)
    assert [part.part for part in report.partial] == ["certificate_9000000101"]


@pytest.mark.parametrize("fault", ["html", "empty", "garbage"])
@pytest.mark.parametrize(("type", "value"), [("domain", "cdn-update.example"), ("hash", SHA256)])
def test_what_is_no_answer(desk: Desk, fault: str, type: str, value: str) -> None:
    desk.lab.misbehave("crtsh", fault)
    with pytest.raises(NotAnAnswerError) as caught:
        desk.ask(type, value)
    assert "127.0.0.1" in str(caught.value)


def test_a_page_with_status_502_is_an_error(desk: Desk) -> None:
    desk.lab.misbehave("crtsh", "502")
    with pytest.raises(UnreachableError) as caught:
        desk.ask("domain", "cdn-update.example", deadline=5)
    assert caught.value.status == 502


def test_json_that_is_no_list_is_no_answer() -> None:
    source = checking.source_of(NAME, {"url": "http://192.0.2.1"})
    source.job = type("Job", (), {"deadline": None})()  # type: ignore[assignment]
    source.check([entry()])
    assert source.absent([])
    for body in ({}, {"error": "x"}, None, "[]", 1):
        assert not source.absent(body)
        with pytest.raises(NotAnAnswerError, match="list"):
            source.check(body)


def test_a_certificate_that_was_not_asked_for_is_no_answer(desk: Desk) -> None:
    source = checking.source_of(NAME)
    question = source._download("certificate", "0" * 64)  # type: ignore[attr-defined]
    assert question.text == f"GET /?d={'0' * 64}"
    source.__dict__["session"] = Stub(PEM)
    source.job = type("Job", (), {"deadline": None})()  # type: ignore[assignment]
    with pytest.raises(NotAnAnswerError, match="another certificate"):
        question.fetch()


class Stub:
    """A session that has one answer."""

    deadline: Any = None
    host = "192.0.2.1"

    def __init__(self, text: str) -> None:
        self.text, self.absent = text, False

    def request(self, *_: Any, **__: Any) -> Stub:
        return self


def test_a_value_stays_one_parameter(desk: Desk) -> None:
    desk.ask("fqdn", "_a.cdn-update.example")
    assert desk.sent()[0][2] == {"q": "_a.cdn-update.example", "output": "json"}
    assert {path for _, path, _, _ in desk.sent()} == {"/"}


@needs_shared
def test_recorded_answers_from_configuration_to_report(tmp_path: Path) -> None:
    with Lab.replay(shared("samples")) as lab:
        desk = Desk(lab, NAME, tmp_path)
        report = desk.ask("domain", "example.com")
        assert len(desk.sent()) == 3
        spans = {edge.source: edge for edge in report.edges.values() if edge.relation == "subdomain-of"}
        assert (spans["fqdn:www.example.com"].last_seen, spans["fqdn:www.example.com"].count) == (
            "2023-03-17T16:26:38Z",
            10,
        )
        assert report.nodes["fqdn:hosted.jivesoftware.com"].hub
        assert not report.nodes["fqdn:www.example.com"].hub


@needs_shared
@pytest.mark.parametrize(
    ("file", "name", "first", "last", "count"),
    [
        ("identity_example_com", "fqdn:www.example.org", "2023-01-13T00:00:00Z", "2023-03-17T16:26:38Z", 1),
        ("identity_example_com", "mail:user@example.com", "2023-01-27T01:21:18Z", None, 1),
        ("opencti_example_com", "fqdn:www.example.com", "2014-11-06T00:00:00Z", "2023-03-17T16:26:38Z", 10),
        ("opencti_example_com", "fqdn:www.example.org", "2014-11-06T00:00:00Z", "2023-03-17T16:26:38Z", 7),
        ("opencti_example_com", "fqdn:m.testexample.com", "2016-07-14T00:00:00Z", "2016-07-14T07:55:01Z", 1),
        ("opencti_example_com", "fqdn:hosted.jivesoftware.com", "2010-09-02T16:36:49Z", "2016-09-23T09:27:06Z", 1),
        ("opencti_example_com", "mail:subjectname@example.com", "2010-09-02T16:36:49Z", "2016-09-23T09:27:06Z", 2),
        ("identity_crt_sh", "fqdn:www.crt.sh", "2016-07-01T00:00:00Z", "2019-12-06T14:34:32Z", 10),
    ],
)
def test_spans_counted_by_hand(file: str, name: str, first: str, last: str | None, count: int) -> None:
    seed = Indicator.parse("domain", "crt.sh" if "crt_sh" in file else "example.com")
    built = read(seed, certificates=sample_json(f"crtsh/{file}.json"))
    (edge,) = [edge for edge in built.edges.values() if name in (edge.source, edge.target)]
    assert (edge.first_seen, edge.last_seen, edge.count) == (first, last, count)


# --- the list ---


def test_precertificate_and_certificate_are_one() -> None:
    seed = Indicator.parse("domain", "bad.example")
    both = [entry(2, serial_number="00aa", name_value="www.bad.example"), entry(1, serial_number="00aa")]
    built = read(seed, certificates=both)
    assert [line.value for line in built.headlines] == ["1", "1"]
    assert {edge.count for edge in built.edges.values()} == {1}


def test_relations_by_labels_not_by_text() -> None:
    seed = Indicator.parse("fqdn", "www.bad.example")
    names = "www.bad.example\n*.www.bad.example\na.www.bad.example\nbad.example\nother.bad.example\nxwww.bad.example"
    built = read(seed, certificates=[entry(name_value=names, common_name="evil.example")])
    assert found(built) == {
        ("fqdn:a.www.bad.example", "subdomain-of", "fqdn:www.bad.example"),
        ("fqdn:www.bad.example", "subdomain-of", "domain:bad.example"),
        ("fqdn:www.bad.example", "related-to", "fqdn:other.bad.example"),
        ("fqdn:www.bad.example", "related-to", "fqdn:xwww.bad.example"),
        ("fqdn:www.bad.example", "related-to", "domain:evil.example"),
    }


def test_names_that_are_none_are_left_out() -> None:
    seed = Indicator.parse("domain", "bad.example")
    odd = (
        "Example Test CA - bad.example\n\n \n*\n*.\n@\nbad.example.\nBAD.example\na..bad.example\n"
        + "x" * 300
        + ".bad.example"
    )
    built = read(seed, certificates=[entry(name_value=odd, common_name="CN")])
    assert set(built.nodes) == {seed.id}
    assert built.unreadable == []


def test_an_underscore_is_no_wildcard() -> None:
    seed = Indicator.parse("fqdn", "a_b.bad.example")
    rows = [
        entry(1, name_value="axb.bad.example", common_name="other.example"),
        entry(2, name_value="c.a_b.bad.example"),
    ]
    assert found(read(seed, certificates=rows)) == {
        ("fqdn:c.a_b.bad.example", "subdomain-of", "fqdn:a_b.bad.example"),
        ("fqdn:a_b.bad.example", "subdomain-of", "domain:bad.example"),
    }


def test_big_answers_are_bounded_and_say_so() -> None:
    seed = Indicator.parse("domain", "bad.example")
    rows = [entry(id, name_value=f"n{id}.bad.example", result_count=2) for id in range(1, 12001)]
    built = read(seed, certificates=rows)
    assert len(built.edges) == 1000
    assert [(cut.found, cut.kept) for cut in built.noted()] == [(12000, 1000)]
    assert "10000" in built.partial[0].why
    assert built.nodes[seed.id].hub == "12000 names below it on certificates"
    flood = read(seed, certificates=rows * 2)
    assert [(cut.found, cut.kept) for cut in flood.noted()] == [(12000, 1000), (24000, 20000)]
    few = read(seed, certificates=rows[:400])
    assert not few.partial
    assert not few.noted()
    assert few.nodes[seed.id].hub is None


def test_wildcards_of_others_are_hubs() -> None:
    seed = Indicator.parse("domain", "bad.example")
    names = "bad.example\n*.bad.example\n*.shared.host.example\n*.also-mine.example\n*.a.other.example\na.other.example"
    built = read(seed, certificates=[entry(name_value=names, common_name="")])
    assert {id for id, node in built.nodes.items() if node.hub} == {"fqdn:shared.host.example"}


def test_worth_downloading_are_the_newest_of_each_set_of_names() -> None:
    rows = [
        entry(9, not_before="2026-03-01T00:00:00", name_value="a.testbad.example", common_name="a.testbad.example"),
        entry(8, not_before="2026-02-01T00:00:00"),
        entry(7, not_before="2026-01-01T00:00:00"),
        entry(6, not_before="2025-01-01T00:00:00", common_name="other.example"),
        entry(0, not_before="2026-05-01T00:00:00", name_value="zero.bad.example"),
    ]
    source = checking.source_of(NAME)
    asked = [
        question.part
        for question in source.ask(Indicator.parse("domain", "bad.example"), Answer.of({"certificates": rows}))
    ]
    assert asked == ["certificates", "certificate_8", "certificate_6"]


# --- certificates ---


@cache
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def issue(names: list[x509.GeneralName], subject: list[x509.NameAttribute], *more: x509.ExtensionType) -> str:
    """A certificate in PEM."""
    began = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(subject))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Example CA")]))
        .public_key(key().public_key())
        .serial_number(10)
        .not_valid_before(began)
        .not_valid_after(began + datetime.timedelta(days=90))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    for extension in more:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(key(), hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def pem_of(der: bytes) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(der).decode()}\n-----END CERTIFICATE-----\n"


def dns(*names: str) -> list[x509.GeneralName]:
    return [x509.DNSName(name) for name in names]


def test_every_kind_of_name() -> None:
    names: list[x509.GeneralName] = [
        *dns("bad.example", "*.bad.example", "BAD.example", "not a host"),
        x509.IPAddress(ipaddress.ip_address("192.0.2.7")),
        x509.IPAddress(ipaddress.ip_address("2001:db8::7")),
        x509.RFC822Name("admin@bad.example"),
        x509.UniformResourceIdentifier("http://192.0.2.9/"),
    ]
    subject = [
        x509.NameAttribute(NameOID.COMMON_NAME, "cn.example"),
        x509.NameAttribute(NameOID.EMAIL_ADDRESS, "person@bad.example"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "www.no-host.example"),
    ]
    pem = issue(names, subject)
    digest = certificate.fingerprint(pem)
    assert digest == hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    seed = Indicator.parse("certificate", digest)
    assert {target for _, _, target in found(read(seed, certificate=pem))} == {
        "domain:bad.example",
        "domain:cn.example",
        "ip:192.0.2.7",
        "ip:2001:db8::7",
        "mail:admin@bad.example",
        "mail:person@bad.example",
    }
    assert certificate.read(pem).serial == "0a"


def test_the_openssl_of_python_reads_the_same_names() -> None:
    """An independent reader: a TLS library, asked through a process of its own since it has no other interface."""
    code = "import ssl, sys; c = ssl.create_default_context(cadata=sys.stdin.read()); print(c.get_ca_certs())"
    pem = issue(
        dns("bad.example", "a.bad.example"),
        [x509.NameAttribute(NameOID.COMMON_NAME, "bad.example")],
        x509.BasicConstraints(True, None),
    )
    said = subprocess.run([sys.executable, "-c", code], input=pem, capture_output=True, text=True, check=True).stdout
    assert "('DNS', 'bad.example'), ('DNS', 'a.bad.example')" in said
    assert "Jan  1 00:00:00 2026 GMT" in said
    read_here = certificate.read(pem)
    assert read_here.hosts == ("bad.example", "a.bad.example")
    assert read_here.not_before == "2026-01-01T00:00:00Z"


def test_a_precertificate_is_marked() -> None:
    pem = issue(dns("bad.example"), [], x509.PrecertPoison())
    seed = Indicator.parse("certificate", certificate.fingerprint(pem))
    assert read(seed, certificate=pem).nodes[seed.id].tags == ("precertificate",)


def test_shared_certificates_are_hubs() -> None:
    names = [f"customer{number}.example" for number in range(30)]
    pem = issue(dns("bad.example", "www.bad.example", *names), [])
    digest = certificate.fingerprint(pem)
    by_name = read(Indicator.parse("domain", "bad.example"), certificates=[entry(5)], certificate_5=pem)
    assert by_name.nodes[f"certificate:{digest}"].hub == "31 registrable domains on one certificate"
    assert {target for source, _, target in found(by_name) if source == f"certificate:{digest}"} == {
        "domain:bad.example",
        "fqdn:www.bad.example",
    }
    assert [(cut.found, cut.kept) for cut in by_name.noted()] == [(32, 2)]
    by_print = read(Indicator.parse("hash", digest), certificate=pem)
    assert by_print.nodes[f"certificate:{digest}"].hub
    assert len(by_print.edges) == 33
    few = issue(dns("bad.example", *names[:15]), [])
    assert (
        read(Indicator.parse("hash", certificate.fingerprint(few)), certificate=few)
        .nodes[f"certificate:{certificate.fingerprint(few)}"]
        .hub
        is None
    )


def test_many_names_on_one_certificate_are_bounded() -> None:
    pem = issue(dns(*(f"n{number}.bad.example" for number in range(500))), [])
    built = read(Indicator.parse("hash", certificate.fingerprint(pem)), certificate=pem)
    assert [(cut.found, cut.kept) for cut in built.noted()] == [(500, 200)]


@pytest.mark.parametrize(
    "body",
    ["", "-----BEGIN CERTIFICATE-----", PEM[:200], PEM.replace("M", "!"), pem_of(b"0\x82"), "<html></html>", "x" + PEM],
)
def test_what_is_no_certificate(body: str) -> None:
    with pytest.raises(certificate.UnreadableError):
        certificate.read(body)
    seed = Indicator.parse("hash", "a" * 64)
    built = read(seed, certificate=body)
    assert not built.edges
    assert [part.part for part in built.partial] == ["certificate"]


@pytest.mark.parametrize("body", [1, [], {}, {"pem": PEM}, True])
def test_a_body_that_is_no_text(body: Any) -> None:
    assert not read(Indicator.parse("hash", "a" * 64), certificate=body).edges


def test_mutated_certificates_never_crash() -> None:
    chance = random.Random(6962)
    whole = [
        certificate.der(PEM),
        certificate.der(
            issue(dns("bad.example", "*.bad.example"), [x509.NameAttribute(NameOID.COMMON_NAME, "a.example")])
        ),
    ]
    seed = Indicator.parse("hash", "a" * 64)
    outcomes = set()
    for _ in range(2000):
        der = bytearray(chance.choice(whole))
        for _ in range(chance.choice((1, 1, 2, 6))):
            der[chance.randrange(len(der))] = chance.randrange(256)
        if chance.random() < 0.1:
            der = der[: chance.randrange(len(der))]
        built = read(seed, certificate=pem_of(bytes(der)))
        outcomes.add((bool(built.edges), bool(built.partial)))
    assert {(True, False), (False, True)} <= outcomes
