"""DNS_Resolve on addresses and lists: names of an address, autonomous systems, block lists, by their documents.

RFC 1035, 3.5, 2317 and 3596 (PTR); Team Cymru's IP to ASN mapping by DNS (https://www.team-cymru.com/ip-asn-mapping);
RFC 5782 (block lists) and the return codes of Spamhaus, SURBL and URIBL (https://docs.spamhaus.com, https://surbl.org,
https://uribl.com/refused.shtml).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cortex_grow.model.report import Report
from cortex_grow.net.errors import SettingsError, SourceError
from tests.net.nameserver import NameServer
from tests.sources.resolving import Asker, edges, partial, points, shown, sources, table, targets, unreadable

SEED = "ip:203.0.113.5"
NIBBLES = "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"  # 2001:db8::5, RFC 3596, 2.5
ORIGIN = '5.113.0.203.origin.asn.cymru.com. TXT "64496 | 203.0.113.0/24 | XX | ripencc | 2024-05-02"'
TITLE = 'AS64496.asn.cymru.com. TXT "64496 | XX | ripencc | 2024-05-01 | EXAMPLE-HOSTING - Example | Hosting, XX"'


@pytest.fixture
def asker(tmp_path: Path) -> Asker:
    return Asker(tmp_path)


# --- names of an address ---


def test_a_name_that_leads_back_resolves_to_the_address(asker: Asker) -> None:
    zone = """
    5.113.0.203.in-addr.arpa. PTR Mail.Seed.Example.
    5.113.0.203.in-addr.arpa. PTR liar.bank.test.
    5.113.0.203.in-addr.arpa. PTR gone.bank.test.
    mail.seed.example. A 203.0.113.99
    mail.seed.example. A 203.0.113.5
    liar.bank.test. A 198.51.100.1
    bank.test. A 198.51.100.1
    """
    report = asker.about(zone, "ip", "203.0.113.5")
    assert edges(report) == {
        ("fqdn:mail.seed.example", "resolves-to", SEED),
        (SEED, "related-to", "fqdn:liar.bank.test"),
        (SEED, "related-to", "fqdn:gone.bank.test"),
    }
    assert not partial(report)


def test_an_address_of_ipv6_by_nibbles(asker: Asker) -> None:
    zone = f"""
    {NIBBLES}.ip6.arpa. PTR six.seed.example.
    six.seed.example. AAAA 2001:0DB8:0:0:0:0:0:5
    {NIBBLES}.origin6.asn.cymru.com. TXT "64496 | 2001:db8::/32 | XX | ripencc | 2024-05-02"
    {TITLE}
    """
    with NameServer(zone) as server:
        report = asker.ask(server, "ip", "2001:DB8::5")
        assert ("UDP", "six.seed.example", "AAAA") in server.asked
        assert not [row for row in server.asked if row[1] == "six.seed.example" and row[2] == "A"]
    assert edges(report) == {
        ("fqdn:six.seed.example", "resolves-to", "ip:2001:db8::5"),
        ("ip:2001:db8::5", "belongs-to", "autonomous-system:AS64496"),
        ("ip:2001:db8::5", "belongs-to", "network:2001:db8::/32"),
        ("network:2001:db8::/32", "belongs-to", "autonomous-system:AS64496"),
    }


def test_a_classless_delegation_is_followed(asker: Asker) -> None:
    """RFC 2317, 4: the reverse name is an alias into the customer's zone, which says nothing about the address."""
    zone = """
    5.113.0.203.in-addr.arpa. CNAME 5.0-25.113.0.203.in-addr.arpa.
    5.0-25.113.0.203.in-addr.arpa. PTR mail.seed.example.
    mail.seed.example. A 203.0.113.5
    """
    report = asker.about(zone, "ip", "203.0.113.5")
    assert edges(report) == {("fqdn:mail.seed.example", "resolves-to", SEED)}


def test_a_name_that_could_not_be_checked_is_not_called_a_lie(asker: Asker) -> None:
    zone = """
    5.113.0.203.in-addr.arpa. PTR mail.seed.example.
    5.113.0.203.in-addr.arpa. PTR ok.test.
    ok.test. A 203.0.113.5
    """
    report = asker.about(zone, "ip", "203.0.113.5", {("mail.seed.example", "A"): "SERVFAIL"})
    (edge,) = [edge for edge in report.edges.values() if edge.target == "fqdn:mail.seed.example"]
    assert edge.relation == "related-to"
    assert "not checked" in dict(edge.context)["record"]
    assert "mail.seed.example" in partial(report)["records"]
    assert sources(report, "resolves-to") == {"domain:ok.test"}


def test_names_beyond_those_checked_are_said_to_be_so(asker: Asker) -> None:
    zone = "\n".join(f"5.113.0.203.in-addr.arpa. PTR n{number}.test." for number in range(40))
    with NameServer(zone) as server:
        report = asker.ask(server, "ip", "203.0.113.5")
        checked = {name for _, name, kind in server.asked if kind == "A"}
    assert 0 < len(checked) < 40
    contexts = {edge.target: dict(edge.context)["record"] for edge in report.edges.values()}
    assert len(contexts) == 40
    assert {name for name, said in contexts.items() if "does not lead back" in said} == {f"domain:{n}" for n in checked}
    assert [(limit.found, limit.kept) for limit in report.limits if "PTR" in limit.what] == [(40, len(checked))]


def test_an_address_that_nobody_knows(asker: Asker) -> None:
    report = asker.about("", "ip", "203.0.113.5")
    assert report.provenance[0].status == "not-found"
    assert not report.edges
    assert not report.partial


def test_a_pointer_that_is_no_name(asker: Asker) -> None:
    zone = r"5.113.0.203.in-addr.arpa. PTR localhost." + "\n" + r"5.113.0.203.in-addr.arpa. PTR <b>.x\.y.test."
    report = asker.about(zone, "ip", "203.0.113.5")
    assert not report.edges
    assert unreadable(report) == 2


# --- autonomous systems ---


def test_origin_and_its_title(asker: Asker) -> None:
    report = asker.about(f"{ORIGIN}\n{TITLE}", "ip", "203.0.113.5")
    assert edges(report) == {
        (SEED, "belongs-to", "autonomous-system:AS64496"),
        (SEED, "belongs-to", "network:203.0.113.0/24"),
        ("network:203.0.113.0/24", "belongs-to", "autonomous-system:AS64496"),
    }
    row = table(report, "Autonomous systems").rows[0]
    for cell in ("203.0.113.5", "AS64496", "203.0.113.0/24", "XX", "ripencc", "2024-05-02"):
        assert cell in row
    assert "EXAMPLE-HOSTING - Example | Hosting, XX" in shown(report)


def test_several_origins_of_one_prefix(asker: Asker) -> None:
    """Several numbers in the first field: all announce it."""
    zone = '5.113.0.203.origin.asn.cymru.com. TXT "64496 64497 64498 | 203.0.113.0/24 | XX | arin | 1998-09-25"'
    report = asker.about(f"{zone}\n{TITLE}", "ip", "203.0.113.5")
    systems = {f"autonomous-system:AS{number}" for number in (64496, 64497, 64498)}
    assert targets(report, "belongs-to", SEED) == systems | {"network:203.0.113.0/24"}
    assert targets(report, "belongs-to", "network:203.0.113.0/24") == systems
    assert "EXAMPLE-HOSTING" in shown(report)


def test_nested_prefixes_belong_to_who_announces_them(asker: Asker) -> None:
    """One record a covering prefix; the address goes where the longest leads."""
    zone = """
    5.113.0.203.origin.asn.cymru.com. TXT "64500 | 203.0.112.0/20 | XX | arin | 1998-09-25"
    5.113.0.203.origin.asn.cymru.com. TXT "64496 | 203.0.113.0/24 | XX | ripencc | 2024-05-02"
    """
    report = asker.about(zone, "ip", "203.0.113.5")
    assert edges(report) == {
        (SEED, "belongs-to", "autonomous-system:AS64496"),
        (SEED, "belongs-to", "network:203.0.113.0/24"),
        (SEED, "belongs-to", "network:203.0.112.0/20"),
        ("network:203.0.113.0/24", "belongs-to", "autonomous-system:AS64496"),
        ("network:203.0.112.0/20", "belongs-to", "autonomous-system:AS64500"),
    }


@pytest.mark.parametrize(
    "text", ["NA | NA | NA | NA | NA", "", "|", "no such thing", "64496", "| 203.0.113.0/24 |  |  | "]
)
def test_origins_that_say_nothing(asker: Asker, text: str) -> None:
    report = asker.about(f'5.113.0.203.origin.asn.cymru.com. TXT "{text}"', "ip", "203.0.113.5")
    assert not targets(report, "belongs-to") - {"network:203.0.113.0/24"}
    assert unreadable(report) == 0


def test_origins_of_the_addresses_of_a_name(asker: Asker) -> None:
    """Five addresses at most are asked about, the rest is said; internal ones are nobody's business."""
    zone = "\n".join(f"seed.example. A 203.0.113.{number}" for number in range(1, 9))
    zone += "\nseed.example. A 10.1.2.3\nseed.example. AAAA fd00::1"
    zone += '\n*.origin.asn.cymru.com. TXT "64496 | 203.0.113.0/24 | XX | ripencc | 2024-05-02"'
    with NameServer(zone) as server:
        report = asker.ask(server, "domain", "seed.example")
        asked = {name for _, name, _ in server.asked if "origin" in name}
    assert len(asked) == 5
    assert not {name for name in asked if name.startswith("3.2.1.10.") or "d.f.origin6" in name}
    assert len({start for start in sources(report, "belongs-to") if start.startswith("ip:")}) == 5
    assert [(limit.found, limit.kept) for limit in report.limits if "autonomous" in limit.what] == [(8, 5)]


def test_own_addresses_are_not_asked_about(asker: Asker) -> None:
    with NameServer("seed.example. A 203.0.113.5\nseed.example. A 198.51.100.9") as server:
        asker.ask(server, "domain", "seed.example", own_assets=["203.0.113.0/24"])
        asked = [name for _, name, _ in server.asked if "cymru" in name]
    assert asked == ["9.100.51.198.origin.asn.cymru.com"]


# --- block lists ---


def listed(asker: Asker, answers: str, zone: str = "bl.test", **settings: Any) -> Report:
    """What comes of the answers of one block list about 203.0.113.5, which has an origin too."""
    lines = "\n".join(f"5.113.0.203.{zone}. A {answer}" for answer in answers.split())
    return asker.about(f"{ORIGIN}\n{lines}", "ip", "203.0.113.5", dnsbl_zones=[zone], cache=False, **settings)


def test_no_list_is_asked_unless_configured(asker: Asker) -> None:
    with NameServer(ORIGIN) as server:
        asker.ask(server, "ip", "203.0.113.5")
        names = {name for _, name, _ in server.asked}
    assert {name.split(".", 4)[-1] for name in names} == {"in-addr.arpa", "origin.asn.cymru.com", "com"}


@pytest.mark.parametrize("answer", ["127.0.0.2", "127.0.0.4", "127.0.1.5", "127.1.2.3", "127.0.0.2 127.0.0.10"])
def test_listed(asker: Asker, answer: str) -> None:
    """RFC 5782, 2.1 and 2.3: any address of 127/8 may stand for a listing, one or several."""
    report = listed(asker, answer)
    assert points(report) == {"block list bl.test": 25}
    assert all(code in report.verdict.terms[0].why for code in answer.split())
    assert not partial(report)


def test_not_listed(asker: Asker) -> None:
    report = listed(asker, "")
    assert points(report) == {}
    assert not partial(report)
    assert dict(table(report, "Block lists").rows) == {"listed by": "none", "asked": "bl.test"}
    unknown = asker.about("", "ip", "203.0.113.9", dnsbl_zones=["bl.test"])
    assert unknown.provenance[0].status == "not-found"


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ("127.255.255.252", "mistyped"),
        ("127.255.255.254", "open resolver"),
        ("127.255.255.255", "too many"),
        ("127.255.255.250", "127.255.255.250"),
        ("127.0.0.1", "127.0.0.1"),  # RFC 5782, 5 bars it from every list; SURBL and URIBL refuse with it
        ("192.0.2.1", "192.0.2.1"),  # RFC 5782, 2.1: parked, or a resolver that rewrites answers
        ("0.0.0.0", "0.0.0.0"),
    ],
)
def test_errors_are_never_listings(asker: Asker, answer: str, word: str) -> None:
    report = listed(asker, answer)
    assert points(report) == {}
    assert report.verdict.level == "info"
    assert word in partial(report)["dnsbl"]
    assert "bl.test" in partial(report)["dnsbl"]
    assert "listed" not in shown(report).lower().replace("not listed", "")


def test_an_error_beside_a_listing_does_not_hide_it(asker: Asker) -> None:
    assert points(listed(asker, "127.0.0.2 127.255.255.254")) == {"block list bl.test": 25}


def test_reasons_are_asked_for_where_something_is_listed_and_shown(asker: Asker) -> None:
    zone = """
    5.113.0.203.bl.test. A 127.0.0.2
    5.113.0.203.bl.test. TXT "See https://bl.test/?203.0.113.5 <b>spam</b>"
    """
    with NameServer(zone) as server:
        report = asker.ask(server, "ip", "203.0.113.5", dnsbl_zones=["bl.test", "clean.test"])
        assert server.kinds("5.113.0.203.bl.test") == ["A", "TXT"]
        assert server.kinds("5.113.0.203.clean.test") == ["A"]
    assert "See https://bl.test/?203.0.113.5 <b>spam</b>" in report.verdict.terms[0].why


def test_lists_of_names_and_lists_of_addresses(asker: Asker) -> None:
    """RFC 5782, 3: a name list is asked for the name as it is; asking it about an address is an error to some."""
    zones = ["zen.spamhaus.org", "dbl.spamhaus.org", "multi.surbl.org", "names:rhsbl.test", "both:all.test", "bl.test"]
    with NameServer("seed.example. A 203.0.113.5") as server:
        asker.ask(server, "domain", "seed.example", dnsbl_zones=zones)
        asked = {name for _, name, _ in server.asked if name.startswith("seed.example.")}
        assert asked == {
            f"seed.example.{zone}" for zone in ("dbl.spamhaus.org", "multi.surbl.org", "rhsbl.test", "all.test")
        }
        server.asked.clear()
        asker.ask(server, "ip", "203.0.113.5", dnsbl_zones=zones)
        asked = {name for _, name, kind in server.asked if kind == "A"}
        ends = ("zen.spamhaus.org", "multi.surbl.org", "all.test", "bl.test")
        assert asked == {f"5.113.0.203.{zone}" for zone in ends}


def test_addresses_of_ipv6_in_lists(asker: Asker) -> None:
    report = asker.about(f"{NIBBLES}.bl.test. A 127.0.0.2", "ip", "2001:db8::5", dnsbl_zones=["bl.test"])
    assert points(report) == {"block list bl.test": 25}


@pytest.mark.parametrize(
    ("zone", "answer", "worth", "word"),
    [
        ("zen.spamhaus.org", "127.0.0.2", 25, "SBL"),
        ("zen.spamhaus.org", "127.0.0.3", 25, "CSS"),
        ("zen.spamhaus.org", "127.0.0.4", 25, "XBL"),
        ("zen.spamhaus.org", "127.0.0.2 127.0.0.9", 40, "DROP"),
        ("zen.spamhaus.org", "127.0.0.10", 0, "PBL"),  # an address of end users: policy, no malice
        ("pbl.spamhaus.org", "127.0.0.11", 0, "PBL"),
        ("zen.spamhaus.org", "127.0.0.10 127.0.0.4", 25, "XBL"),
        ("multi.surbl.org", "127.0.0.24", 40, "malware"),  # 8 phishing + 16 malware
        ("multi.surbl.org", "127.0.0.128", 10, "cracked"),
    ],
)
def test_codes_of_known_lists(asker: Asker, zone: str, answer: str, worth: int, word: str) -> None:
    report = listed(asker, answer, zone)
    assert points(report) == {f"block list {zone}": worth}
    assert word in report.verdict.terms[0].why
    assert not partial(report)


@pytest.mark.parametrize(
    ("zone", "answer", "worth"),
    [
        ("dbl.spamhaus.org", "127.0.1.2", 25),
        ("dbl.spamhaus.org", "127.0.1.4", 40),
        ("dbl.spamhaus.org", "127.0.1.5", 40),
        ("dbl.spamhaus.org", "127.0.1.6", 40),
        ("dbl.spamhaus.org", "127.0.1.102", 10),
        ("dbl.spamhaus.org", "127.0.1.105", 10),
        ("dbl.spamhaus.org", "127.0.1.255", None),  # asked about an address: an error
        ("multi.uribl.com", "127.0.0.2", 25),
        ("multi.uribl.com", "127.0.0.1", None),
        ("multi.uribl.com", "127.0.0.3", None),  # bit 1 is how URIBL refuses
        ("multi.surbl.org", "127.0.0.1", None),
    ],
)
def test_codes_of_known_name_lists(asker: Asker, zone: str, answer: str, worth: int | None) -> None:
    lines = f"seed.example. A 203.0.113.5\nseed.example.{zone}. A {answer}"
    report = asker.about(lines, "domain", "seed.example", dnsbl_zones=[zone])
    assert points(report) == ({f"block list {zone}": worth} if worth is not None else {})
    assert ("dnsbl" in partial(report)) is (worth is None)


def test_many_listings_alone_are_no_verdict_of_malice(asker: Asker) -> None:
    zones = [f"bl{number}.test" for number in range(20)]
    lines = "\n".join(f"5.113.0.203.{zone}. A 127.0.0.2" for zone in zones)
    report = asker.about(lines, "ip", "203.0.113.5", dnsbl_zones=zones)
    assert len(points(report)) == 20
    assert report.verdict.level == "suspicious"


def test_lists_that_fail_are_partial_and_the_others_count(asker: Asker) -> None:
    zone = f"{ORIGIN}\n5.113.0.203.good.test. A 127.0.0.2"
    wrong = {("5.113.0.203.broken.test", "A"): "SERVFAIL", ("5.113.0.203.slow.test", "A"): "silent"}
    zones = ["broken.test", "good.test", "slow.test"]
    report = asker.about(zone, "ip", "203.0.113.5", wrong, dnsbl_zones=zones)
    assert points(report) == {"block list good.test": 25}
    assert "broken.test" in partial(report)["dnsbl"]
    assert "slow.test" in partial(report)["dnsbl"]
    assert "good.test" not in partial(report)["dnsbl"]


def test_all_lists_failing_is_a_failed_part(asker: Asker) -> None:
    report = listed(asker, "127.255.255.254")
    assert "dnsbl" in partial(report)
    assert targets(report, "belongs-to", SEED)
    zone = "seed.example.dbl.spamhaus.org. A 127.255.255.254"
    with pytest.raises(SourceError, match=r"dbl\.spamhaus\.org") as caught:
        asker.about(zone, "domain", "seed.example", pap=2, dnsbl_zones=["dbl.spamhaus.org"])
    assert "resolvers" in str(caught.value)


def test_a_zone_with_a_key_shows_no_key(asker: Asker) -> None:
    """Spamhaus' Data Query Service has the key as a label in front of the zone."""
    key = "abcdefghij0123456789klmnop"
    zone = f"{ORIGIN}\n5.113.0.203.{key}.zen.dq.spamhaus.net. A 127.0.0.4"
    how: dict[str, Any] = {"dnsbl_keyed_zones": [f"{key}.zen.dq.spamhaus.net"]}
    report = asker.about(zone, "ip", "203.0.113.5", **how, cache=False)
    assert points(report) == {"block list zen.dq.spamhaus.net": 25}
    failing = {(f"5.113.0.203.{key}.zen.dq.spamhaus.net", "A"): "SERVFAIL"}
    failed = asker.about(zone, "ip", "203.0.113.5", failing, **how, cache=False)
    assert "zen.dq.spamhaus.net" in partial(failed)["dnsbl"]
    for each in (report, failed):
        assert key not in str(each.to_dict())
    with NameServer(zone) as server:
        asker.ask(server, "domain", "seed.example", **how)
        assert not [name for _, name, _ in server.asked if key in name]


@pytest.mark.parametrize("text", ["abc.zen.dq.spamhaus.net", "abc.combined.mail.abusix.zone"])
def test_a_key_in_the_wrong_setting_is_refused_without_being_shown(asker: Asker, text: str) -> None:
    with NameServer(ORIGIN) as server:
        report = asker.ask(server, "ip", "203.0.113.5", dnsbl_zones=[text])
        assert not [name for _, name, _ in server.asked if "abc" in name]
    assert "dnsbl_keyed_zones" in partial(report)["dnsbl"]
    assert "abc" not in str(report.to_dict())


@pytest.mark.parametrize("text", ["no zone", "x..test", "http://bl.test/", "-", "names:", "a" * 300])
def test_a_zone_that_is_none_is_a_wrong_setting(asker: Asker, text: str) -> None:
    with pytest.raises(SettingsError, match="dnsbl_zones"):
        asker.about("", "domain", "seed.example", pap=2, dnsbl_zones=[text])
