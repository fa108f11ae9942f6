"""Registration: whom it asks, how it is answered by the lab, and what hostile answers cannot do."""

from __future__ import annotations

import http.server
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from cortex_grow.lab import Lab
from cortex_grow.model.indicator import Indicator
from cortex_grow.model.report import Report
from cortex_grow.net import errors
from cortex_grow.source import registry
from cortex_grow.source.answer import Answer, Json
from cortex_grow.source.circumstances import open_job
from cortex_grow.source.registration import asking, compile_bootstrap, rdap, servers
from cortex_grow.source.run import answer
from cortex_grow.source.settings import Settings
from tests.sources import checking
from tests.support import needs_shared, sample, shared

NAME = "Registration_Lookup"
DECLARATION = registry.named(NAME)


def ask(type: str, value: str, tmp_path: Path, **settings: Any) -> Report:
    """Ask as a job does, with a state of its own and no patience."""
    values = {"state_dir": str(tmp_path / "state"), "read_timeout": 2, "retries": 0, **settings}
    known = Settings(values, DECLARATION)
    source = registry.load(DECLARATION)
    return answer(source, Indicator.parse(type, value), known, open_job(known, 20))


def edges(report: Report) -> set[tuple[str, str, str]]:
    return {(edge.source, edge.relation, edge.target) for edge in report.edges.values()}


def asked(lab: Lab) -> list[tuple[str, str]]:
    return [(row.service, row.path) for row in lab.requests]


# --- whom to ask ---


@pytest.mark.parametrize(
    ("type", "value", "url"),
    [
        ("domain", "example.com", "https://rdap.verisign.com/com/v1/domain/example.com"),
        ("fqdn", "a.b.example.com", "https://rdap.verisign.com/com/v1/domain/example.com"),
        ("domain", "example.xn--p1acf", "https://api.rdap.nic.xn--p1acf/domain/example.xn--p1acf"),
        ("ip", "1.1.1.1", "https://rdap.apnic.net/ip/1.1.1.1"),
        ("ip", "62.239.237.1", "https://rdap.db.ripe.net/ip/62.239.237.1"),
        ("ip", "2001:4860:4860::8888", "https://rdap.arin.net/registry/ip/2001:4860:4860::8888"),
        ("ip", "2001:240::1", "https://rdap.apnic.net/ip/2001:240::1"),
        ("autonomous-system", "AS15169", "https://rdap.arin.net/registry/autnum/15169"),
        ("autonomous-system", "AS327680", "https://rdap.afrinic.net/rdap/autnum/327680"),
    ],
)
def test_the_bootstrap_names_the_server(type: str, value: str, url: str) -> None:
    source = checking.source_of(NAME)
    question = next(source.ask(Indicator.parse(type, value), Answer()))
    assert (question.part, question.text) == ("rdap", f"GET {url}")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("example.de", "WHOIS whois.denic.de -T dn,ace example.de"),
        ("example.co.jp", "WHOIS whois.jprs.jp example.co.jp/e"),
        ("example.ch", "WHOIS by referral of whois.iana.org example.ch"),
    ],
)
def test_whois_is_asked_where_the_bootstrap_has_no_server(value: str, text: str) -> None:
    questions = list(checking.source_of(NAME).ask(Indicator.parse("domain", value), Answer()))
    assert [(question.part, question.text) for question in questions] == [("whois", text)]


@needs_shared
def test_the_table_is_what_the_bootstrap_files_say(tmp_path: Path) -> None:
    iana = json.loads(sample("rdap/iana_bootstrap_whoisit.json"))
    table = json.loads(compile_bootstrap.TABLE.read_text(encoding="utf-8"))
    assert compile_bootstrap.compiled(iana) == table
    assert {compile_bootstrap.kind_of(iana[kind]): kind for kind in compile_bootstrap.KINDS} == {
        kind: kind for kind in compile_bootstrap.KINDS
    }
    with pytest.raises(ValueError, match="asn"):
        compile_bootstrap.compiled({kind: iana[kind] for kind in ("dns", "ipv4", "ipv6")})


@needs_shared
def test_every_range_of_the_bootstrap_leads_to_its_own_server() -> None:
    iana = json.loads(sample("rdap/iana_bootstrap_whoisit.json"))
    for kind in ("dns", "asn", "ipv4", "ipv6"):
        for entries, addresses in iana[kind]["services"]:
            for entry in entries:
                if kind == "dns":
                    seed = Indicator("domain", f"example.{entry.lower()}")
                elif kind == "asn":
                    seed = Indicator("autonomous-system", f"AS{entry.partition('-')[0]}")
                else:
                    seed = Indicator("ip", entry.partition("/")[0])
                assert servers.rdap_server(seed) in addresses, entry


def test_a_referral_of_iana_is_followed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[tuple[str, str]] = []

    def whois(server: str, query: str, *_: Any, **__: Any) -> str:
        lines.append((server, query))
        if server == servers.IANA:
            return "domain:       CH\n\nrefer:        whois.nic.example.org\nwhois:        whois.nic.example.org\n"
        return "Domain name:\nexample.ch\n\nRegistrar:\nExample Registrar AG\n\nFirst registration date:\n1996-02-08\n"

    monkeypatch.setattr("cortex_grow.net.whois.whois", whois)
    source = checking.source_of(NAME)
    source.job = open_job(source.settings, 5)
    question = asking.by_whois(source, Indicator("domain", "example.ch"))
    assert question.fetch()["server"] == "whois.nic.example.org"
    assert lines == [(servers.IANA, "ch"), ("whois.nic.example.org", "example.ch")]
    assert question.calls == 2


# --- asking the lab ---


def test_the_registrar_is_followed(tmp_path: Path) -> None:
    with Lab.demo() as lab:
        config = lab.config_for(NAME)
        report = ask("domain", "cdn-update.example", tmp_path, **config)
        assert [path for _, path in asked(lab)] == [
            "/domain/cdn-update.example",
            "/registry/domain/cdn-update.example",
            "/registrar/rdap.registrar.example.org/domain/CDN-UPDATE.EXAMPLE",
        ]
        targets = {target for _, relation, target in edges(report) if relation == "registered-to"}
        assert targets == {"mail:registrant@invoice-portal.test", "organisation:Example Shell Company"}
        thin = ask("domain", "cdn-update.example", tmp_path, **config, follow_registrar=False, cache=False)
    assert len(asked(lab)) == 5
    assert not [edge for edge in edges(thin) if edge[1] == "registered-to"]


def test_a_second_question_comes_from_the_cache(tmp_path: Path) -> None:
    with Lab.demo() as lab:
        first = ask("domain", "cdn-update.example", tmp_path, **lab.config_for(NAME))
        count = len(lab.requests)
        again = ask("domain", "cdn-update.example", tmp_path, **lab.config_for(NAME))
        assert len(lab.requests) == count
    assert again.provenance[0].from_cache
    assert edges(again) == edges(first)


def test_a_name_below_a_domain_asks_about_the_domain(tmp_path: Path) -> None:
    with Lab.demo() as lab:
        report = ask("fqdn", "www.cdn-update.example", tmp_path, **lab.config_for(NAME))
    assert ("rdap", "/domain/cdn-update.example") in asked(lab)
    assert ("fqdn:www.cdn-update.example", "subdomain-of", "domain:cdn-update.example") in edges(report)


def test_whois_answers_where_rdap_does_not_know(tmp_path: Path) -> None:
    with Lab.demo() as lab:
        report = ask("domain", "example.org", tmp_path, **lab.config_for(NAME))
    assert asked(lab)[-1] == ("whois", "example.org")
    assert report.provenance[0].status == "found"
    assert not report.partial


@pytest.mark.parametrize(
    ("type", "value"),
    [("domain", "nothing-known.example"), ("ip", "203.0.113.254"), ("autonomous-system", "AS64511")],
)
def test_not_found_is_an_answer(type: str, value: str, tmp_path: Path) -> None:
    with Lab.demo() as lab:
        report = ask(type, value, tmp_path, **lab.config_for(NAME))
    assert report.provenance[0].status == "not-found"
    assert not report.edges
    assert not report.partial


@needs_shared
@pytest.mark.parametrize(
    ("type", "value", "edge"),
    [
        ("ip", "1.1.1.1", ("ip:1.1.1.1", "belongs-to", "network:1.1.1.0/24")),
        ("autonomous-system", "AS16509", None),
        ("domain", "afnic.fr", ("fqdn:ns2.nic.fr", "resolves-to", "ip:192.93.0.4")),
        ("domain", "google.co.il", ("domain:google.co.il", "delegated-to", "fqdn:ns1.google.com")),
    ],
)
def test_recorded_answers(type: str, value: str, edge: tuple[str, str, str] | None, tmp_path: Path) -> None:
    with Lab.replay(shared("samples")) as lab:
        report = ask(type, value, tmp_path, **lab.config_for(NAME))
    assert report.provenance[0].status == "found"
    assert edge is None or edge in edges(report)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("html", errors.NotAnAnswerError),
        ("garbage", errors.NotAnAnswerError),
        ("429", errors.QuotaError),
        ("500", errors.UnreachableError),
        ("silence", errors.UnreachableError),
        ("reset", errors.UnreachableError),
    ],
)
def test_a_failed_question_is_never_success(fault: str, error: type[errors.SourceError], tmp_path: Path) -> None:
    with Lab.demo(misbehave=fault) as lab, pytest.raises(error) as raised:
        ask("domain", "cdn-update.example", tmp_path, **lab.config_for(NAME), read_timeout=1)
    assert NAME in str(raised.value)
    assert "127.0.0.1" in str(raised.value)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("rate-limit", errors.QuotaError),
        ("garbage", errors.NotAnAnswerError),
        ("empty", errors.NotAnAnswerError),
        ("silence", errors.UnreachableError),
    ],
)
def test_a_failed_whois_question(fault: str, error: type[errors.SourceError], tmp_path: Path) -> None:
    """Not registered by RDAP, and WHOIS fails: the answer stands, and says what is missing."""
    with Lab.demo() as lab:
        lab.misbehave("whois", fault)
        report = ask("domain", "nothing-known.example", tmp_path, **lab.config_for(NAME), read_timeout=1)
        assert [part.part for part in report.partial] == ["whois"]
        source = checking.source_of(NAME, {**lab.config_for(NAME), "read_timeout": 1})
        source.job = open_job(source.settings, 5)
        with pytest.raises(error):
            asking.by_whois(source, Indicator("domain", "cdn-update.example")).fetch()


def test_one_dead_server_of_many_does_not_end_the_question(tmp_path: Path) -> None:
    """The bootstrap's server cannot be reached (a dead proxy): WHOIS answers, and no breaker opens."""
    with Lab.demo() as lab:
        config = {"whois_server": lab.where("whois"), "proxy_https": "http://127.0.0.1:9"}
        for _ in range(6):
            report = ask("domain", "example.org", tmp_path, **config, cache=False)
    assert [part.part for part in report.partial] == ["rdap"]
    assert report.provenance[0].status == "found"


def test_an_error_of_one_server_says_when_to_come_back() -> None:
    error = errors.QuotaError("R", "too many requests", host="rdap.example", status=429, retry_at=4102444800.0)
    one = asking.OneServerError.of(error)
    assert one.retry_at is None
    assert not one.breaks
    assert "Come back after 2100-01-01" in str(one)
    assert "429 from rdap.example" in str(one)


# --- hostile answers ---


class Listener:
    """A server that answers every question with one object, and remembers what it was asked."""

    def __init__(self, body: Any) -> None:
        self.seen: list[str] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.seen.append(self.path)
                raw = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/rdap+json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Listener:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.mark.parametrize(
    "href",
    [
        "http://127.0.0.1:{port}/inside",
        "https://127.0.0.1:{port}/inside",
        "https://localhost:{port}/inside",
        "https://[::1]:{port}/inside",
        "https://user:secret@127.0.0.1:{port}/inside",
        "https://2130706433:{port}/inside",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/inside",
        "//127.0.0.1:{port}/inside",
        "https://10.0.0.1/inside",
        "https:///inside",
        "not an address",
    ],
)
def test_a_link_to_an_inside_address_is_not_asked(href: str, tmp_path: Path) -> None:
    with Listener({}) as inside:
        link = {"rel": "related", "type": "application/rdap+json", "href": href.format(port=inside.port)}
        body = {"objectClassName": "domain", "ldhName": "example.com", "status": ["active"], "links": [link]}
        with Listener(body) as registry_server:
            report = ask("domain", "example.com", tmp_path, rdap_url=f"http://127.0.0.1:{registry_server.port}")
        assert inside.seen == []
    assert registry_server.seen == ["/domain/example.com"]
    assert [part.part for part in report.partial] == ["rdap_registrar"]
    assert report.provenance[0].status == "found"


@pytest.mark.parametrize(
    "link",
    [
        {"rel": "related", "type": "text/html", "href": "https://registrar.example/"},
        {"rel": "self", "type": "application/rdap+json", "href": "https://registrar.example/domain/example.com"},
        {"rel": "related", "type": "application/rdap+json", "href": "https://rdap.example/domain/example.com"},
        {"rel": "related", "type": "application/rdap+json", "href": None},
        {"rel": ["related"], "href": ["https://registrar.example/"]},
        "related",
    ],
)
def test_no_registrar_to_follow(link: Any) -> None:
    assert rdap.related(Json({"links": [link]}), "https://rdap.example/domain/example.com") is None


def test_the_answer_about_another_name_is_not_taken(tmp_path: Path) -> None:
    body = {"objectClassName": "domain", "ldhName": "other.example", "nameservers": [{"ldhName": "ns.other.example"}]}
    with Listener(body) as server:
        report = ask("domain", "example.com", tmp_path, rdap_url=f"http://127.0.0.1:{server.port}")
    assert not report.edges
    assert "another name" in report.partial[0].why


@pytest.mark.parametrize(("code", "error"), [(429, errors.RefusedError), (501, errors.RefusedError)])
def test_an_error_object_with_a_good_status(code: int, error: type[errors.SourceError], tmp_path: Path) -> None:
    with Listener({"errorCode": code, "title": "No"}) as server:
        source = checking.source_of(NAME, {"rdap_url": f"http://127.0.0.1:{server.port}"})
        source.job = open_job(source.settings, 5)
        question = asking.by_rdap(source, Indicator("domain", "example.com"))
        assert question is not None
        with pytest.raises(error):
            question.fetch()


@pytest.mark.parametrize("body", [[], "text", 5, None, [{"ldhName": "example.com"}]])
def test_json_that_is_no_object_is_no_answer(body: Any) -> None:
    with Listener(body) as server:
        source = checking.source_of(NAME, {"rdap_url": f"http://127.0.0.1:{server.port}"})
        source.job = open_job(source.settings, 5)
        question = asking.by_rdap(source, Indicator("domain", "example.com"))
        assert question is not None
        with pytest.raises(errors.NotAnAnswerError):
            question.fetch()


@pytest.mark.parametrize(
    ("setting", "place"),
    [
        ("whois.example.org", ("whois.example.org", 43)),
        ("127.0.0.1:4343", ("127.0.0.1", 4343)),
        ("[2001:db8::1]:4343", ("2001:db8::1", 4343)),
        ("[2001:db8::1]", ("2001:db8::1", 43)),
        ("2001:db8::1", ("2001:db8::1", 43)),
    ],
)
def test_the_setting_of_the_whois_server(setting: str, place: tuple[str, int]) -> None:
    assert asking._host_and_port(NAME, setting) == place


@pytest.mark.parametrize("setting", ["whois.example.org:0", "whois.example.org:x", "whois.example.org:70000"])
def test_a_whois_server_that_cannot_be(setting: str) -> None:
    with pytest.raises(errors.SettingsError):
        asking._host_and_port(NAME, setting)


def test_sessions_are_kept_but_not_without_end() -> None:
    source = checking.source_of(NAME)
    source.job = open_job(source.settings, 5)
    first = source.session_to("https://rdap0.example")
    assert source.session_to("https://rdap0.example") is first
    for number in range(1, 40):
        source.session_to(f"https://rdap{number}.example")
    assert source.session_to("https://rdap0.example") is not first
    assert source.session_to("https://once.example", kept=False) is not source.session_to(
        "https://once.example", kept=False
    )
