"""DNS_Resolve where something is missing: failed parts, bars of TLP and PAP, the cache, resolvers that misbehave."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cortex_grow.lab import Lab
from cortex_grow.model.indicator import Indicator
from cortex_grow.net.dns import NoAnswerError
from cortex_grow.net.errors import (
    BlockedError,
    NotAnAnswerError,
    RefusedError,
    SettingsError,
    SourceError,
    UnreachableError,
)
from cortex_grow.source.answer import Answer
from cortex_grow.source.run import BarredError
from tests.net.nameserver import NameServer
from tests.sources import checking
from tests.sources.resolving import Asker, edges, partial, points, shown, sources, targets

SEED = "domain:seed.example"
ZONE = """
seed.example. A 203.0.113.5
seed.example. MX 10 mail.seed.example.
seed.example. NS ns.seed.example.
seed.example. TXT "v=spf1 ip4:203.0.113.70 -all"
_dmarc.seed.example. TXT "v=DMARC1; p=none; rua=mailto:a@seed.example"
5.113.0.203.in-addr.arpa. PTR seed.example.
5.113.0.203.origin.asn.cymru.com. TXT "64496 | 203.0.113.0/24 | XX | ripencc | 2024-05-02"
AS64496.asn.cymru.com. TXT "64496 | XX | ripencc | 2024-05-01 | EXAMPLE, XX"
5.113.0.203.bl.test. A 127.0.0.2
5.113.0.203.bl.test. TXT "spam seen"
"""


@pytest.fixture
def asker(tmp_path: Path) -> Asker:
    return Asker(tmp_path)


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab.demo() as running:
        yield running


# --- parts that failed ---


@pytest.mark.parametrize("how", ["SERVFAIL", "silent", "garbage", "cut", "REFUSED"])
def test_one_kind_of_record_that_fails_is_partial(asker: Asker, how: str) -> None:
    report = asker.about(ZONE, "domain", "seed.example", {("seed.example", "MX"): how})
    assert targets(report, "resolves-to", SEED) == {"ip:203.0.113.5"}
    assert targets(report, "authorises-sender", SEED) == {"ip:203.0.113.70"}
    assert targets(report, "belongs-to", "ip:203.0.113.5")
    assert list(partial(report)) == ["records"]
    assert "MX of seed.example" in partial(report)["records"]
    assert "127.0.0.1" in partial(report)["records"]
    assert report.provenance[0].status == "found"


def test_every_kind_that_fails_is_named(asker: Asker) -> None:
    wrong = {("seed.example", kind): "SERVFAIL" for kind in ("MX", "TXT", "CAA")} | {
        ("_dmarc.seed.example", "*"): "silent"
    }
    report = asker.about(ZONE, "domain", "seed.example", wrong)
    why = partial(report)["records"]
    for what in ("MX of seed", "TXT of seed", "CAA of seed", "TXT of _dmarc.seed"):
        assert what in why
    assert len(report.partial) == 4


def test_a_name_whose_servers_fail_is_an_error_and_does_not_shut_the_source(asker: Asker) -> None:
    """A dead zone is a fact about that zone: the resolver answers for the next name."""
    wrong = {("dead.example", "*"): "SERVFAIL", ("_dmarc.dead.example", "*"): "SERVFAIL"}
    with NameServer(ZONE, wrong) as server:
        for _ in range(6):
            with pytest.raises(NoAnswerError, match="SERVFAIL") as caught:
                asker.ask(server, "domain", "dead.example")
        assert "127.0.0.1" in str(caught.value)
        assert "resolvers" in str(caught.value)
        assert asker.ask(server, "domain", "seed.example").provenance[0].status == "found"


def test_a_resolver_that_is_gone_shuts_the_source_and_only_for_itself(asker: Asker) -> None:
    with NameServer(ZONE, {("*", "*"): "silent"}) as gone, NameServer(ZONE) as server:
        for _ in range(5):
            with pytest.raises(UnreachableError, match="does not answer"):
                asker.ask(gone, "domain", "seed.example", query_timeout=1)
        with pytest.raises(BlockedError):
            asker.ask(gone, "domain", "seed.example")
        assert asker.ask(server, "domain", "seed.example").provenance[0].status == "found"


@pytest.mark.parametrize("how", ["SERVFAIL", "silent"])
def test_reverse_names_that_fail_leave_the_rest(asker: Asker, how: str) -> None:
    wrong = {("5.113.0.203.in-addr.arpa", "PTR"): how}
    report = asker.about(f"{ZONE}\n. NS a.test.", "ip", "203.0.113.5", wrong, dnsbl_zones=["bl.test"])
    assert "PTR of 5.113.0.203.in-addr.arpa" in partial(report)["records"]
    assert targets(report, "belongs-to", "ip:203.0.113.5") == {"autonomous-system:AS64496", "network:203.0.113.0/24"}
    assert points(report) == {"block list bl.test": 25}


def test_autonomous_systems_that_fail_are_partial(asker: Asker) -> None:
    origin, title = ("5.113.0.203.origin.asn.cymru.com", "TXT"), ("as64496.asn.cymru.com", "TXT")
    report = asker.about(ZONE, "ip", "203.0.113.5", {origin: "SERVFAIL"}, cache=False)
    assert sources(report, "resolves-to") == {SEED}
    assert "origin.asn.cymru.com" in partial(report)["asn"]
    report = asker.about(ZONE, "ip", "203.0.113.5", {title: "SERVFAIL"}, cache=False)
    assert targets(report, "belongs-to", "ip:203.0.113.5")
    assert "AS64496.asn.cymru.com" in partial(report)["asn"]
    zone = f"{ZONE}\nseed.example. A 203.0.113.6"
    report = asker.about(zone, "domain", "seed.example", {origin: "SERVFAIL"}, cache=False)
    assert "5.113.0.203.origin" in partial(report)["asn"]
    assert "6.113.0.203.origin" not in partial(report)["asn"]


def test_reasons_that_fail_do_not_hide_the_listing(asker: Asker) -> None:
    wrong = {("5.113.0.203.bl.test", "TXT"): "SERVFAIL"}
    report = asker.about(ZONE, "ip", "203.0.113.5", wrong, dnsbl_zones=["bl.test"])
    assert points(report) == {"block list bl.test": 25}
    assert "TXT of 5.113.0.203.bl.test" in partial(report)["dnsbl"]


def test_everything_failing_is_an_error_that_names_the_resolver(asker: Asker) -> None:
    with pytest.raises(RefusedError, match="REFUSED") as caught:
        asker.about(ZONE, "ip", "203.0.113.5", {("*", "*"): "REFUSED"}, dnsbl_zones=["bl.test"])
    assert str(caught.value).startswith("DNS_Resolve: ")
    assert "127.0.0.1" in str(caught.value)
    assert "`resolvers`" in str(caught.value)


def test_a_resolver_that_goes_away_in_the_middle_costs_one_wait_and_every_part_is_named(asker: Asker) -> None:
    wrong = {
        ("5.113.0.203.origin.asn.cymru.com", "TXT"): "silent",
        (".", "NS"): "silent",
        ("5.113.0.203.bl.test", "A"): "silent",
    }
    began = time.monotonic()
    report = asker.about(ZONE, "ip", "203.0.113.5", wrong, dnsbl_zones=["bl.test"])
    assert time.monotonic() - began < 1.9
    assert sources(report, "resolves-to") == {SEED}
    assert set(partial(report)) == {"asn", "dnsbl"}


# --- the cache ---


def test_what_failed_is_asked_for_again_and_what_was_answered_is_not(asker: Asker) -> None:
    with NameServer(ZONE, {("seed.example", "MX"): "SERVFAIL"}) as server:
        first = asker.ask(server, "domain", "seed.example")
        assert "records" in partial(first)
        server.asked.clear()
        again = asker.ask(server, "domain", "seed.example")
        assert "records" in partial(again)
        assert server.asked == [("UDP", "seed.example", "MX")]
        server.wrong.clear()
        server.asked.clear()
        whole = asker.ask(server, "domain", "seed.example")
        assert targets(whole, "mail-handled-by", SEED) == {"fqdn:mail.seed.example"}
        assert not partial(whole)
        assert server.asked == [("UDP", "seed.example", "MX")]
        server.asked.clear()
        cached = asker.ask(server, "domain", "seed.example")
        assert edges(cached) == edges(whole)
        assert cached.provenance[0].from_cache
        assert not server.asked


def test_each_answer_keeps_its_own_time(asker: Asker) -> None:
    """What is asked for again later does not make the rest look newer than it is."""
    with NameServer(ZONE, {("seed.example", "MX"): "SERVFAIL"}) as server:
        first = asker.ask(server, "domain", "seed.example").provenance[0].as_of
        time.sleep(1.1)
        server.wrong.clear()
        report = asker.ask(server, "domain", "seed.example")
    seen = {edge.relation: edge.last_seen for edge in report.edges.values() if edge.source == SEED}
    assert seen["resolves-to"] == seen["delegated-to"] == seen["authorises-sender"] == first
    assert str(first) < str(seen["mail-handled-by"])


def test_a_refusal_of_a_list_is_not_remembered_as_an_answer(asker: Asker) -> None:
    def refusing(query: Any, over: str) -> bytes:
        import dns.message
        import dns.rrset

        response = dns.message.make_response(query, recursion_available=True)
        response.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", "127.255.255.254"))
        return response.to_wire()

    zones = ["bl.test", "other.test"]
    with NameServer(ZONE, {("5.113.0.203.bl.test", "A"): refusing}) as server:
        assert not points(asker.ask(server, "ip", "203.0.113.5", dnsbl_zones=zones))
        server.wrong.clear()
        assert points(asker.ask(server, "ip", "203.0.113.5", dnsbl_zones=zones)) == {"block list bl.test": 25}


def test_addresses_in_another_order_are_the_same_question(asker: Asker) -> None:
    """Resolvers rotate addresses; the origins of the same ones are not asked for twice."""
    zone = "seed.example. A 203.0.113.5\nseed.example. A 203.0.113.6\n"
    with NameServer(f"{zone}other.example. A 203.0.113.6\nother.example. A 203.0.113.5") as server:
        asker.ask(server, "domain", "seed.example")
        server.asked.clear()
        asker.ask(server, "domain", "other.example")
        assert server.kinds("other.example")
        assert not [name for _, name, _ in server.asked if "cymru" in name]


def test_other_resolvers_are_another_view(asker: Asker) -> None:
    with NameServer("seed.example. A 203.0.113.5") as inside, NameServer("seed.example. A 203.0.113.6") as outside:
        assert targets(asker.ask(inside, "domain", "seed.example"), "resolves-to") == {"ip:203.0.113.5"}
        assert targets(asker.ask(outside, "domain", "seed.example"), "resolves-to") == {"ip:203.0.113.6"}


# --- TLP and PAP ---


def test_pap_amber_bars_the_records_only(asker: Asker) -> None:
    with NameServer(ZONE) as server:
        report = asker.ask(server, "ip", "203.0.113.5", pap=2, dnsbl_zones=["bl.test"])
        assert not [name for _, name, _ in server.asked if "arpa" in name or name == "seed.example"]
    assert list(partial(report)) == ["records"]
    assert "PAP" in partial(report)["records"]
    assert targets(report, "belongs-to", "ip:203.0.113.5")
    assert points(report) == {"block list bl.test": 25}
    assert report.provenance[0].exposure == "vendor"


@pytest.mark.parametrize(("type", "value"), [("domain", "seed.example"), ("fqdn", "www.seed.example")])
def test_pap_amber_leaves_nothing_of_a_name(asker: Asker, type: str, value: str) -> None:
    with NameServer(ZONE) as server:
        with pytest.raises(BarredError, match="PAP"):
            asker.ask(server, type, value, pap=2)
        assert not server.asked
        report = asker.ask(server, type, value, pap=2, dnsbl_zones=["names:bl.test"])
        assert {name for _, name, _ in server.asked} == {f"{value}.bl.test"}
        assert "PAP" in partial(report)["records"]


@pytest.mark.parametrize(("tlp", "pap"), [(3, 1), (4, 0), (2, 3), (0, 3)])
def test_red_bars_everything(asker: Asker, tlp: int, pap: int) -> None:
    with NameServer(ZONE) as server:
        for type, value in (("domain", "seed.example"), ("fqdn", "www.seed.example"), ("ip", "203.0.113.5")):
            with pytest.raises(BarredError, match=r"TLP|PAP"):
                asker.ask(server, type, value, tlp=tlp, pap=pap, dnsbl_zones=["both:bl.test"])
        assert not server.asked


def test_what_the_operator_allows_is_asked(asker: Asker) -> None:
    report = asker.about(ZONE, "domain", "seed.example", pap=3, tlp=3, max_pap=3, max_tlp=3)
    assert report.provenance[0].exposure == "active"


@pytest.mark.parametrize(
    ("type", "value"), [("ip", "10.1.2.3"), ("ip", "fe80::1"), ("domain", "own.example"), ("fqdn", "pc.own.example")]
)
def test_internal_seeds_are_not_asked_about(asker: Asker, type: str, value: str) -> None:
    with NameServer(ZONE) as server:
        report = asker.ask(server, type, value, own_assets=["own.example"])
        assert not server.asked
    assert report.provenance[0].status == "internal"


# --- settings ---


@pytest.mark.parametrize("text", ["resolver.example", "127.0.0.1:99999"])
def test_a_wrong_resolver_is_said_to_be_the_setting(asker: Asker, text: str) -> None:
    with pytest.raises(SettingsError, match="resolvers"):
        asker.ask(text, "domain", "seed.example")


# --- resolvers that misbehave ---


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("silence", UnreachableError),
        ("reset", UnreachableError),
        ("garbage", NotAnAnswerError),
        ("wrong-id", NotAnAnswerError),
        ("refused", RefusedError),
        ("servfail", NoAnswerError),
    ],
)
@pytest.mark.parametrize("type", ["domain", "fqdn", "ip"])
def test_a_resolver_that_misbehaves_costs_one_wait(
    asker: Asker, lab: Lab, kind: str, error: type[SourceError], type: str
) -> None:
    lab.misbehave("dns", kind)
    began = time.monotonic()
    with pytest.raises(error) as caught:
        asker.ask(lab.where("dns"), type, lab.seeds_for("DNS_Resolve", type), dnsbl_zones=["both:bl.test"])
    assert time.monotonic() - began < 1.9
    assert "127.0.0.1" in str(caught.value)


def test_a_truncating_resolver_gives_the_same(asker: Asker, lab: Lab) -> None:
    seed = lab.seeds_for("DNS_Resolve", "domain")
    config = {name: value for name, value in lab.config_for("DNS_Resolve").items() if name != "resolvers"}
    straight = asker.ask(lab.where("dns"), "domain", seed, cache=False, **config)
    lab.misbehave("dns", "truncated")
    assert edges(asker.ask(lab.where("dns"), "domain", seed, cache=False, **config)) == edges(straight)


def test_the_story_of_the_lab(asker: Asker, lab: Lab) -> None:
    """Name, mail, senders, policy, origin and contact of the demo's domain, and the block list of its address."""
    config = {name: value for name, value in lab.config_for("DNS_Resolve").items() if name != "resolvers"}
    report = asker.ask(lab.where("dns"), "domain", "cdn-update.example", **config)
    assert edges(report) >= {
        ("domain:cdn-update.example", "resolves-to", "ip:203.0.113.66"),
        ("domain:cdn-update.example", "resolves-to", "ip:2001:db8:66::1"),
        ("domain:cdn-update.example", "mail-handled-by", "fqdn:mail.panel-login.example"),
        ("domain:cdn-update.example", "delegated-to", "fqdn:ns1.parking.example.net"),
        ("domain:cdn-update.example", "authorises-sender", "ip:203.0.113.70"),
        ("domain:cdn-update.example", "authorises-sender", "fqdn:_spf.panel-login.example"),
        ("mail:registrant@invoice-portal.test", "contact-for", "domain:cdn-update.example"),
        ("mail:hostmaster@parking.example.net", "contact-for", "domain:cdn-update.example"),
        ("ip:203.0.113.66", "belongs-to", "autonomous-system:AS64496"),
        ("ip:2001:db8:66::1", "belongs-to", "network:2001:db8:66::/48"),
    }
    assert "demo-site-verification" in shown(report)
    listed = asker.ask(lab.where("dns"), "ip", "203.0.113.66", **config)
    assert points(listed) == {"block list dnsbl.example.org": 25}
    assert "Listed for malware" in listed.verdict.terms[0].why
    assert sources(listed, "resolves-to") == {"fqdn:static-66.hosting.example.net"}


# --- the mapping on bodies that no server sent ---


def bodies(asker: Asker) -> dict[str, dict[str, Any]]:
    """What the parts hold after a real question, by seed."""
    found: dict[str, dict[str, Any]] = {}
    zone = (
        f'{ZONE}\nseed.example. SOA ns.hidden.test. host.seed.example. 1 2 3 4 5\nseed.example. CAA 0 issue "ca.test"'
    )
    zone += "\nwww.seed.example. CNAME seed.example."
    with NameServer(zone) as server:
        for type, value in (("domain", "seed.example"), ("fqdn", "www.seed.example"), ("ip", "203.0.113.5")):
            from dataclasses import replace

            from cortex_grow.source.circumstances import open_job
            from cortex_grow.source.run import Asking
            from cortex_grow.source.settings import Settings

            values = {
                "resolvers": [server.where],
                "dnsbl_zones": ["both:bl.test"],
                "state_dir": str(asker.place / "fuzz"),
            }
            settings = Settings(values, asker.declaration)
            asking = Asking(
                asker.source, Indicator.parse(type, value), settings, replace(open_job(settings, 30), pap=1)
            )
            asking.report()
            found[f"{type}:{value}"] = {part: one.body for part, one in asking.answer.parts.items()}
    return found


WEIRD: list[Any] = [
    None,
    True,
    -1,
    10**400,
    1.5,
    "",
    "x" * 70000,
    "\x00\ud800",
    [],
    {},
    [[]],
    [None, {"values": 3}],
    {"values": {}},
    "a|b/c|",
]


def mutated(value: Any, chance: random.Random) -> Any:
    """A copy with some of it replaced by something else, dropped or doubled."""
    if chance.random() < 0.06:
        return chance.choice(WEIRD)
    if isinstance(value, dict):
        return {key: mutated(entry, chance) for key, entry in value.items() if chance.random() > 0.04}
    if isinstance(value, list):
        return [mutated(entry, chance) for entry in value for _ in range(chance.choice((1, 1, 1, 0, 2)))]
    if isinstance(value, str) and value and chance.random() < 0.1:
        at = chance.randrange(len(value))
        return value[:at] + chance.choice(("", " ", "\\", "%", "|", "/", ":", "<", "\n", "é")) + value[at + 1 :]
    return value


def test_the_mapping_holds_whatever_stands_in_a_body(asker: Asker) -> None:
    chance = random.Random(5782)
    known = bodies(asker)
    for _ in range(1000):
        for seed_id, parts in known.items():
            seed = Indicator.parse(*seed_id.split(":", 1))
            builder = checking.read(
                "DNS_Resolve", seed, Answer.of({part: mutated(body, chance) for part, body in parts.items()})
            )
            assert seed.id in builder.nodes


def test_another_story_is_the_same_graph(asker: Asker) -> None:
    """Every name and number swapped for a fresh one: the mapping knows none of them."""
    swaps = {
        "seed.example": "other-one.test",
        "hidden.test": "elsewhere.invalid",
        "203.0.113": "198.51.100",
        "113.0.203": "100.51.198",
        "64496": "64511",
        "ca.test": "authority.invalid",
        "a@": "zed@",
    }

    def swapped(value: Any) -> Any:
        if isinstance(value, dict):
            return {swapped(key): swapped(entry) for key, entry in value.items()}
        if isinstance(value, (list, tuple, set)):
            return type(value)(swapped(entry) for entry in value)
        if isinstance(value, str):
            for old, new in swaps.items():
                value = value.replace(old, new)
        return value

    for seed_id, parts in bodies(asker).items():
        seed, other = (Indicator.parse(*one.split(":", 1)) for one in (seed_id, swapped(seed_id)))
        before = checking.read("DNS_Resolve", seed, Answer.of(parts))
        after = checking.read("DNS_Resolve", other, Answer.of(swapped(parts)))
        plain = {(edge.source, edge.relation, edge.target) for edge in before.edges.values()}
        assert {(edge.source, edge.relation, edge.target) for edge in after.edges.values()} == swapped(plain)
        assert plain
