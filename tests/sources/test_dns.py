"""DNS_Resolve on names: what the records of a name say, by the documents that define them.

RFC 1034 and 1035 (aliases, MX, NS, SOA), 3596 (AAAA), 4592 (wildcards), 6672 (DNAME), 7208 (SPF), 7489 (DMARC), 7505
(null MX), 8659 (CAA). Each test asks a real name server by the source's own configuration.
"""

from __future__ import annotations

from pathlib import Path

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest

from tests.net.nameserver import NameServer
from tests.sources.resolving import Asker, edges, partial, shown, sources, table, targets, unreadable

SEED = "domain:seed.example"


@pytest.fixture
def asker(tmp_path: Path) -> Asker:
    return Asker(tmp_path)


def senders(asker: Asker, policy: str, zone: str = "") -> set[str]:
    """Whom an SPF record lets send."""
    report = asker.about(f'seed.example. TXT "{policy}"\n{zone}', "domain", "seed.example", cache=False)
    assert sources(report, "authorises-sender") <= {SEED}
    return targets(report, "authorises-sender")


# --- addresses and aliases ---


def test_addresses_of_a_name(asker: Asker) -> None:
    zone = "seed.example. A 203.0.113.5\nseed.example. A 203.0.113.6\nseed.example. AAAA 2001:DB8:0:0::1"
    report = asker.about(zone, "domain", "seed.example")
    assert targets(report, "resolves-to", SEED) == {"ip:203.0.113.5", "ip:203.0.113.6", "ip:2001:db8::1"}
    assert all(edge.last_seen == report.provenance[0].as_of for edge in report.edges.values())
    assert {edge.provider for edge in report.edges.values()} == {"DNS"}
    assert report.provenance[0].status == "found"
    assert [line.value for line in report.headlines if line.predicate == "addresses"] == ["3"]


def test_a_chain_of_aliases_is_kept_whole(asker: Asker) -> None:
    zone = """
    www.seed.example. CNAME edge.cdn.test.
    edge.cdn.test. CNAME Node-7.cdn.test.
    node-7.cdn.test. A 203.0.113.5
    node-7.cdn.test. AAAA 2001:db8::5
    """
    report = asker.about(zone, "fqdn", "www.seed.example")
    assert edges(report, "alias-of") == {
        ("fqdn:www.seed.example", "alias-of", "fqdn:edge.cdn.test"),
        ("fqdn:edge.cdn.test", "alias-of", "fqdn:node-7.cdn.test"),
    }
    addresses = {"ip:203.0.113.5", "ip:2001:db8::5"}
    assert targets(report, "resolves-to", "fqdn:node-7.cdn.test") == addresses
    assert targets(report, "resolves-to", "fqdn:www.seed.example") == addresses
    assert sources(report, "resolves-to") == {"fqdn:node-7.cdn.test", "fqdn:www.seed.example"}
    assert edges(report, "subdomain-of") == {("fqdn:www.seed.example", "subdomain-of", "domain:seed.example")}


def test_records_behind_an_alias_belong_to_the_name_they_stand_at(asker: Asker) -> None:
    """RFC 1034, 3.6.2: an alias has no other records; the zone of a CDN is not delegated by its customer."""
    zone = """
    www.seed.example. CNAME cdn.test.
    cdn.test. A 203.0.113.5
    cdn.test. NS ns.cdn.test.
    cdn.test. SOA ns.cdn.test. hostmaster.cdn.test. 1 2 3 4 5
    cdn.test. MX 10 mail.cdn.test.
    cdn.test. TXT "v=spf1 include:spf.cdn.test -all"
    """
    report = asker.about(zone, "fqdn", "www.seed.example")
    for relation in ("delegated-to", "mail-handled-by", "authorises-sender"):
        assert sources(report, relation) == {"domain:cdn.test"}, relation
    assert edges(report, "contact-for") == {("mail:hostmaster@cdn.test", "contact-for", "domain:cdn.test")}


def test_an_alias_that_leads_nowhere_is_found(asker: Asker) -> None:
    """RFC 6604, 3: the code of the answer is that of the end of the chain; the alias itself exists."""
    report = asker.about("www.seed.example. CNAME gone.cdn.test.\ncdn.test. A 203.0.113.9", "fqdn", "www.seed.example")
    assert edges(report, "alias-of") == {("fqdn:www.seed.example", "alias-of", "fqdn:gone.cdn.test")}
    assert "resolves-to" not in {edge.relation for edge in report.edges.values()}
    assert report.provenance[0].status == "found"
    assert "gone.cdn.test" in shown(report)
    assert "NXDOMAIN" in shown(report)


def test_only_the_chain_from_the_name_asked_about_counts(asker: Asker) -> None:
    """Records that nobody asked for are no answer."""

    def adding(query: object, over: str) -> bytes:
        import dns.message
        import dns.rrset

        assert isinstance(query, dns.message.Message)
        response = dns.message.make_response(query, recursion_available=True)
        response.answer.append(dns.rrset.from_text("seed.example.", 60, "IN", "A", "203.0.113.5"))
        response.answer.append(dns.rrset.from_text("bank.test.", 60, "IN", "CNAME", "evil.test."))
        response.answer.append(dns.rrset.from_text("bank.test.", 60, "IN", "A", "203.0.113.66"))
        return response.to_wire()

    zone = "seed.example. A 203.0.113.5"
    report = asker.about(zone, "domain", "seed.example", {("seed.example", "A"): adding})
    assert edges(report) == {(SEED, "resolves-to", "ip:203.0.113.5")}


def test_dname_is_followed_through_the_alias_made_of_it(asker: Asker) -> None:
    """RFC 6672, 3.1: the server makes a CNAME of it."""
    zone = "old.example. DNAME new.test.\nwww.new.test. A 203.0.113.7"
    report = asker.about(zone, "fqdn", "www.old.example")
    assert edges(report, "alias-of") == {("fqdn:www.old.example", "alias-of", "fqdn:www.new.test")}
    assert targets(report, "resolves-to", "fqdn:www.old.example") == {"ip:203.0.113.7"}


def test_aliases_in_a_circle_end_with_an_error_that_says_so(asker: Asker) -> None:
    from cortex_grow.net.errors import SourceError

    with pytest.raises(SourceError, match="alias") as caught:
        asker.about(
            "a.seed.example. CNAME b.seed.example.\nb.seed.example. CNAME a.seed.example.", "fqdn", "a.seed.example"
        )
    assert "127.0.0.1" in str(caught.value)


def test_a_wildcard_answers_for_the_name_below_it(asker: Asker) -> None:
    zone = "seed.example. A 203.0.113.1\n*.seed.example. A 203.0.113.2\n*.seed.example. MX 10 mail.seed.example."
    report = asker.about(zone, "fqdn", "whatever.seed.example")
    assert targets(report, "resolves-to", "fqdn:whatever.seed.example") == {"ip:203.0.113.2"}
    assert targets(report, "mail-handled-by") == {"fqdn:mail.seed.example"}


def test_names_with_underscores(asker: Asker) -> None:
    zone = "_sip._tcp.seed.example. CNAME _x.host.test.\n_x.host.test. A 203.0.113.3"
    report = asker.about(zone, "fqdn", "_sip._tcp.seed.example")
    assert edges(report, "alias-of") == {("fqdn:_sip._tcp.seed.example", "alias-of", "fqdn:_x.host.test")}


def test_international_names_are_asked_and_given_as_punycode(asker: Asker) -> None:
    zone = "xn--bcher-kva.example. A 203.0.113.4\nxn--bcher-kva.example. NS ns.xn--strae-oqa.test."
    with NameServer(zone) as server:
        report = asker.ask(server, "domain", "Bücher.example")
        assert {name for _, name, _ in server.asked if "cymru" not in name} == {
            "xn--bcher-kva.example",
            "_dmarc.xn--bcher-kva.example",
        }
    assert report.seed.value == "xn--bcher-kva.example"
    assert targets(report, "delegated-to") == {"fqdn:ns.xn--strae-oqa.test"}


# --- no such name, no such record ---


def test_a_name_that_does_not_exist_is_not_found(asker: Asker) -> None:
    report = asker.about("other.example. A 203.0.113.1", "domain", "seed.example")
    assert report.provenance[0].status == "not-found"
    assert not report.edges
    assert not report.partial


def test_a_name_below_the_zone_without_a_policy_is_no_missing_name(asker: Asker) -> None:
    """Only _dmarc does not exist: the name itself does, and nothing failed."""
    report = asker.about("seed.example. A 203.0.113.1", "domain", "seed.example")
    assert report.provenance[0].status == "found"
    assert not report.partial


def test_a_name_without_any_record_exists(asker: Asker) -> None:
    """An empty answer (NODATA, RFC 2308, 2.2) is none that says the name does not exist."""
    report = asker.about("below.seed.example. A 203.0.113.1", "domain", "seed.example")
    assert report.provenance[0].status == "found"
    assert not report.edges
    assert not report.partial


def test_a_server_that_denies_the_name_for_one_type_only(asker: Asker) -> None:
    """RFC 4074, 4.2: some say NXDOMAIN to AAAA though the name is there."""
    report = asker.about(
        "seed.example. A 203.0.113.1", "domain", "seed.example", {("seed.example", "AAAA"): "NXDOMAIN"}
    )
    assert targets(report, "resolves-to", SEED) == {"ip:203.0.113.1"}


# --- mail exchangers, name servers, authority ---


def test_mail_exchangers_with_their_preference(asker: Asker) -> None:
    zone = "seed.example. MX 10 mail.seed.example.\nseed.example. MX 20 Backup.Provider.TEST."
    report = asker.about(zone, "domain", "seed.example")
    assert targets(report, "mail-handled-by", SEED) == {"fqdn:mail.seed.example", "fqdn:backup.provider.test"}
    contexts = {edge.target: dict(edge.context) for edge in report.edges.values() if edge.relation == "mail-handled-by"}
    assert contexts["fqdn:backup.provider.test"]["preference"] == "20"


def test_a_null_mx_names_no_exchanger(asker: Asker) -> None:
    report = asker.about("seed.example. MX 0 .", "domain", "seed.example")
    assert not edges(report, "mail-handled-by")
    assert unreadable(report) == 0
    assert "takes no mail" in shown(report)


def test_an_exchanger_that_is_an_address_is_no_name(asker: Asker) -> None:
    """RFC 5321, 5.1 wants a name; what looks like an address there resolves to nothing."""
    report = asker.about("seed.example. MX 10 203.0.113.9.", "domain", "seed.example")
    assert not edges(report, "mail-handled-by")
    assert unreadable(report) == 1


def test_the_primary_of_the_authority_is_delegated_to_only_where_the_zone_says_so(asker: Asker) -> None:
    """Delegation is by NS (RFC 1034, 4.2.1); MNAME may be a hidden primary."""
    zone = """
    seed.example. NS ns1.seed.example.
    seed.example. NS ns2.provider.test.
    seed.example. SOA {primary}. hostmaster.seed.example. 2026012001 7200 3600 1209600 300
    """
    report = asker.about(zone.format(primary="ns1.seed.example"), "domain", "seed.example", cache=False)
    assert targets(report, "delegated-to", SEED) == {"fqdn:ns1.seed.example", "fqdn:ns2.provider.test"}
    assert not edges(report, "related-to")
    report = asker.about(zone.format(primary="hidden.operator.test"), "domain", "seed.example", cache=False)
    assert targets(report, "delegated-to", SEED) == {"fqdn:ns1.seed.example", "fqdn:ns2.provider.test"}
    assert edges(report, "related-to") == {(SEED, "related-to", "fqdn:hidden.operator.test")}
    assert "2026012001" in shown(report)


@pytest.mark.parametrize(
    ("rname", "mail"),
    [
        ("hostmaster.seed.example.", "hostmaster@seed.example"),
        (r"action\.domains.isi.test.", "action.domains@isi.test"),  # RFC 1035, 8: the example of the document
        (r"first\.last\.more.sub.seed.example.", "first.last.more@sub.seed.example"),
        (r"dns\046admin.seed.example.", "dns.admin@seed.example"),  # RFC 1035, 5.1: \DDD is a decimal code
        (r"a\095b.seed.example.", "a_b@seed.example"),
        (r"admin\@seed.example.", "admin@seed.example"),  # a mail address in place of a mailbox name
    ],
)
def test_the_mailbox_of_who_is_responsible(asker: Asker, rname: str, mail: str) -> None:
    report = asker.about(f"seed.example. SOA ns.seed.example. {rname} 1 2 3 4 5", "domain", "seed.example")
    assert edges(report, "contact-for") == {(f"mail:{mail}", "contact-for", SEED)}


@pytest.mark.parametrize("rname", [".", "com.", r"two\032words.seed.example.", r"a\000b.seed.example."])
def test_a_mailbox_that_is_none(asker: Asker, rname: str) -> None:
    report = asker.about(f"seed.example. SOA ns.seed.example. {rname} 1 2 3 4 5", "domain", "seed.example")
    assert not edges(report, "contact-for")


# --- texts ---


def test_sender_policy(asker: Asker) -> None:
    """RFC 7208, 5: each mechanism that may authorise, as the document writes it."""
    policy = (
        "v=spf1 ip4:203.0.113.70 ip4:198.51.100.0/25 ip6:2001:db8:1::/48 ip6:2001:db8::9 include:_spf.seed.example "
        "a:mail.seed.example a:out.seed.example/28 mx:provider.test//64 ptr:relay.test exists:%{i}._x.seed.example -all"
    )
    assert senders(asker, policy) == {
        "ip:203.0.113.70",
        "network:198.51.100.0/25",
        "network:2001:db8:1::/48",
        "ip:2001:db8::9",
        "fqdn:_spf.seed.example",
        "fqdn:mail.seed.example",
        "fqdn:out.seed.example",
        "domain:provider.test",
        "domain:relay.test",
    }


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        ("v=spf1 +ip4:203.0.113.1 -all", {"ip:203.0.113.1"}),  # 4.6.2: + is what stands where nothing does
        ("v=spf1 -ip4:203.0.113.1 ~include:a.test ?a:b.test +all", set()),
        ("V=SPF1 IP4:203.0.113.1 INCLUDE:A.Test -ALL", {"ip:203.0.113.1", "domain:a.test"}),  # 4.6.1: any case
        ("v=spf1 ip4:203.0.113.1/32 ip6:2001:db8::1/128", {"ip:203.0.113.1", "ip:2001:db8::1"}),
        ("v=spf1 redirect=_spf.host.test", {"fqdn:_spf.host.test"}),
        ("v=spf1 redirect=_spf.host.test -all", set()),  # 6.1: ignored where there is an all
        ("v=spf1 -all include:late.test ip4:203.0.113.1", set()),  # 5.1: nothing behind all is tested
        ("v=spf1 include:%{d}.a.test exists:%{ir}.b.test include:c.test -all", {"domain:c.test"}),
        ("v=spf1 exists:here.test exp=why.test moo=foo.test -all", set()),  # none of them names a sender
        ("v=spf1 include:trailing.test. -all", {"domain:trailing.test"}),
        ("v=spf10 include:a.test -all", set()),  # 4.5: the version is a word of its own
        ("spf1 include:a.test -all", set()),
        ("v=spf1", set()),
        ("v=spf1 ip4:2001:db8::1 ip6:203.0.113.1 ip4:999.1.1.1 ip4:203.0.113.0/40 include: ip4: a:/24", set()),
        ("v=spf1 ip4:0.0.0.0/0 ip6:::/0 ip4:203.0.113.1", {"ip:203.0.113.1"}),  # everybody is nobody
    ],
)
def test_sender_policy_by_the_letter(asker: Asker, policy: str, allowed: set[str]) -> None:
    assert senders(asker, policy) == allowed


def test_a_policy_that_lets_the_own_hosts_send(asker: Asker) -> None:
    """RFC 7208, 5.3 and 5.4: a and mx without a name mean those of the domain itself."""
    zone = """
    seed.example. A 203.0.113.5
    seed.example. AAAA 2001:db8::5
    seed.example. MX 10 mail.provider.test.
    """
    assert senders(asker, "v=spf1 a -all", zone) == {"ip:203.0.113.5", "ip:2001:db8::5"}
    assert senders(asker, "v=spf1 mx -all", zone) == {"fqdn:mail.provider.test"}
    assert senders(asker, "v=spf1 mx/30 ?a -all", zone) == {"fqdn:mail.provider.test"}
    assert senders(asker, "v=spf1 a/28//64 -all", zone) == {"network:203.0.113.0/28", "network:2001:db8::/64"}


def test_several_policies_are_shown_as_the_error_they_are(asker: Asker) -> None:
    """RFC 7208, 4.5: more than one record is a permanent error; what they name is worth knowing all the same."""
    zone = 'seed.example. TXT "v=spf1 include:a.test -all"\nseed.example. TXT "v=spf1 include:b.test -all"'
    report = asker.about(zone, "domain", "seed.example")
    assert targets(report, "authorises-sender") == {"domain:a.test", "domain:b.test"}
    assert all("several" in dict(edge.context)["policy"] for edge in report.edges.values())
    assert "several" in shown(report)


def test_a_text_of_several_strings_is_one_text(asker: Asker) -> None:
    """RFC 7208, 3.3: joined without a space."""
    zone = 'seed.example. TXT "v=spf1 inc" "lude:a.te" "st -all"'
    assert targets(asker.about(zone, "domain", "seed.example"), "authorises-sender") == {"domain:a.test"}


def test_texts_of_any_bytes(asker: Asker) -> None:
    zone = r"""
    seed.example. TXT "\255\254 raw \000\027 bytes"
    seed.example. TXT "gr\195\188n"
    seed.example. TXT "site-verification=\226\128\174gnp"
    seed.example. TXT ""
    """
    report = asker.about(zone, "domain", "seed.example")
    assert "grün" in shown(report)
    assert not {"\x00", "\x1b", "\u202e", "\udcff"} & set(shown(report))
    assert not report.edges


def test_verification_tokens(asker: Asker) -> None:
    zone = """
    seed.example. TXT "google-site-verification=abcDEF_123"
    seed.example. TXT "MS=ms12345"
    seed.example. TXT "just a note = nothing"
    """
    rows = table(asker.about(zone, "domain", "seed.example"), "Verification").rows
    assert ("google-site-verification", "abcDEF_123") in rows
    assert ("MS", "ms12345") in rows
    assert ("text", "just a note = nothing") in rows


@pytest.mark.parametrize(
    ("policy", "mails"),
    [
        ("v=DMARC1; p=none; rua=mailto:agg@seed.example", {"agg@seed.example"}),
        # RFC 7489, 6.2 and 6.3: lists, a size behind an exclamation mark, other schemes
        (
            "v=DMARC1; p=reject; rua=mailto:a@seed.example!10m,mailto:b@report.test ; "
            "ruf=mailto:c@seed.example!1g, https://report.test/x",
            {"a@seed.example", "b@report.test", "c@seed.example"},
        ),
        ("v=DMARC1;p=none;RUA=MAILTO:A@Seed.Example", {"a@seed.example"}),
        ("v = DMARC1 ; p = none ; rua = mailto:a@seed.example", {"a@seed.example"}),
        ("v=DMARC1; p=none; rua=mailto:a%2Cb@seed.example,mailto:c%21d@seed.example", {"c!d@seed.example"}),
        ("v=DMARC1; p=none; rua=mailto:a@seed.example?subject=x", {"a@seed.example"}),
        ("v=dmarc1; p=none; rua=mailto:a@seed.example", set()),  # 6.4: the version is written in capitals
        ("v=DMARC12; p=none; rua=mailto:a@seed.example", set()),
        ("p=none; v=DMARC1; rua=mailto:a@seed.example", set()),  # 6.3: the version comes first
        ("v=DMARC1; p=none; rua=mailto:, rua, ruf=mailto:nobody", set()),
        ("v=DMARC1", set()),
    ],
)
def test_mail_policy(asker: Asker, policy: str, mails: set[str]) -> None:
    zone = f'seed.example. A 203.0.113.1\n_dmarc.seed.example. TXT "{policy}"'
    report = asker.about(zone, "domain", "seed.example")
    assert edges(report, "contact-for") == {(f"mail:{mail}", "contact-for", SEED) for mail in mails}
    valid = policy.replace(" ", "").split(";")[0] == "v=DMARC1"
    assert any(table.title.startswith("Mail policy") for table in report.facts) is valid


def test_a_mail_policy_behind_an_alias_is_the_seeds(asker: Asker) -> None:
    zone = """
    seed.example. A 203.0.113.1
    _dmarc.seed.example. CNAME seed.dmarc.test.
    seed.dmarc.test. TXT "v=DMARC1; p=none; rua=mailto:a@dmarc.test"
    """
    report = asker.about(zone, "domain", "seed.example")
    assert edges(report, "contact-for") == {("mail:a@dmarc.test", "contact-for", SEED)}


def test_certificate_authorities(asker: Asker) -> None:
    zone = """
    seed.example. CAA 0 issue "ca.test; account=230123"
    seed.example. CAA 128 issuewild ";"
    seed.example. CAA 0 iodef "mailto:security@seed.example"
    seed.example. CAA 0 iodef "https://iodef.seed.example/"
    """
    report = asker.about(zone, "domain", "seed.example")
    rows = table(report, "Certificate authorities").rows
    assert ("issue", "ca.test; account=230123", "no") in rows
    assert ("issuewild", ";", "yes") in rows
    assert edges(report, "contact-for") == {("mail:security@seed.example", "contact-for", SEED)}


# --- hostile answers ---


def test_names_with_anything_in_them_are_no_indicators(asker: Asker) -> None:
    """A label may hold any octet (RFC 2181, 11); what is no host name is counted, not passed on."""
    labels = [b"<script>", b"a b", b"two\nlines", b"dot.inside", b"\xff\xfe", b"q'\"", b"*", b"a/../b"]
    with NameServer("seed.example. A 203.0.113.1\nseed.example. NS ns.seed.example.") as server:
        seed = dns.name.from_text("seed.example.")
        for label in labels:
            bad = dns.name.Name((label, b"evil", b"test", b""))
            for kind in ("NS", "MX"):
                text = bad.to_text() if kind == "NS" else f"10 {bad.to_text()}"
                server.put(seed, dns.rdata.from_text("IN", kind, text))
        report = asker.ask(server, "domain", "seed.example")
    assert set(report.nodes) | set(report.suppressed) == {SEED, "ip:203.0.113.1", "fqdn:ns.seed.example"}
    assert unreadable(report) == 2 * len(labels)


def test_markup_in_texts_stays_text(asker: Asker) -> None:
    zone = """seed.example. TXT "<img src=x onerror=alert(1)>{{7*7}}"\nseed.example. A 203.0.113.1"""
    assert "<img src=x onerror=alert(1)>{{7*7}}" in shown(asker.about(zone, "domain", "seed.example"))


def test_huge_and_countless_records(asker: Asker) -> None:
    """As much as 64 KB of TCP hold: read, cut, and the cut said."""
    zone = "\n".join(f"seed.example. A 203.0.{number // 250}.{number % 250}" for number in range(3000))
    terms = " ".join(f"ip4:198.51.{number // 250}.{number % 250}" for number in range(3000))
    pieces = [terms[start : start + 255] for start in range(0, len(terms), 255)]
    with NameServer(zone) as server:
        strings = " ".join(f'"{piece}"' for piece in ["v=spf1 ", *pieces])
        server.put(dns.name.from_text("seed.example."), dns.rdata.from_text("IN", "TXT", strings))
        report = asker.ask(server, "domain", "seed.example", max_nodes=10000)
        assert ("TCP", "seed.example", "A") in server.asked
    resolved, sent = targets(report, "resolves-to"), targets(report, "authorises-sender")
    assert 0 < len(resolved) < 3000
    assert 0 < len(sent) < 3000
    limits = {limit.what: (limit.found, limit.kept) for limit in report.limits}
    assert limits["A records"] == (3000, len(resolved))
    assert limits["senders in the SPF policy"] == (3000, len(sent))
    assert len(shown(report)) < 1_000_000
    assert not partial(report)
