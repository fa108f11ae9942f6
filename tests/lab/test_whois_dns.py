"""The stand-ins that do not speak HTTP: WHOIS over a bare socket, DNS with dnspython and byte by byte."""

from __future__ import annotations

import socket
import struct

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from cortex_grow.lab import Lab
from tests.support import needs_shared, sample, shared


def whois(lab: Lab, line: str, ending: bytes = b"\r\n") -> bytes:
    host, _, port = lab.config_for("Registration_Lookup")["whois_server"].partition(":")
    text = b""
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(line.encode() + ending)
        while more := connection.recv(65536):
            text += more
    return text


def resolve(lab: Lab, name: str, rdtype: str, tcp: bool = False, **how: object) -> dns.message.Message:
    host, _, port = lab.config_for("DNS_Resolve")["resolvers"][0].partition(":")
    query = dns.message.make_query(name, rdtype, **how)  # type: ignore[arg-type]
    ask = dns.query.tcp if tcp else dns.query.udp
    return ask(query, host, port=int(port), timeout=3)


def values(message: dns.message.Message, rdtype: str) -> list[str]:
    wanted = dns.rdatatype.from_text(rdtype)
    return [item.to_text() for found in message.answer if found.rdtype == wanted for item in found]


# --- WHOIS ---


@pytest.mark.parametrize(
    "line", ["cdn-update.example", "CDN-UPDATE.EXAMPLE", "domain cdn-update.example", "=cdn-update.example"]
)
def test_whois_texts(lab: Lab, line: str) -> None:
    assert b"Registrant Email: registrant@invoice-portal.test" in whois(lab, line)
    assert lab.requests[-1].method == "WHOIS"
    assert lab.requests[-1].samples == ("whois/cdn-update.example.txt",)


def test_whois_takes_a_bare_line_feed(lab: Lab) -> None:
    assert b"Registrar IANA ID" in whois(lab, "panel-login.example", b"\n")


@pytest.mark.parametrize(
    "line", ["nothing-known.example", "cdn-update.example panel-login.example", "", "-T xx cdn-update.example"]
)
def test_whois_knows_nothing_else(lab: Lab, line: str) -> None:
    assert whois(lab, line).startswith(b"No match for ")


def test_whois_seeds_are_found(lab: Lab) -> None:
    for name in lab.services["whois"].seeds("domain"):
        assert b"Registrar" in whois(lab, name)
    assert whois(lab, lab.seeds_for("Registration_Lookup", "domain", "not-found")).startswith(b"No match")


@needs_shared
@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("google.com", "richardpenman/google.com.txt"),
        ("domain digg.com", "richardpenman/digg.com.txt"),
        ("-T dn,ace web.de", "richardpenman/web.de.txt"),
        ("free.ac", "iodev_tld/ac__free.txt"),
        ("xn--80a1acny.xn--p1ai", "iodev_tld/xn--p1ai__xn--80a1acny.xn--p1ai.txt"),
        ("n + 74.125.225.229", "ip/74.125.225.229.txt"),
        ("2001:240:10c:1::ca20:9d1d", "ip/2001-240-10c-1--ca20-9d1d.txt"),
        ("AS62041", "iodev_asn/AS62041__whois.radb.net.txt"),
        ("secuirty-services.co.nz", "iodev_tld/nz__free_secuirty-services.co.nz.txt"),
    ],
)
def test_recorded_whois_texts(line: str, file: str) -> None:
    with Lab.replay(shared("samples")) as replay:
        assert whois(replay, line) == sample(f"whois/{file}")


@needs_shared
def test_another_text_for_the_same_name_can_be_preferred() -> None:
    with Lab.replay(shared("samples")) as replay:
        replay.prefer("whois/iodev_tld/com__google.com_registrar_whois.txt")
        assert whois(replay, "google.com") == sample("whois/iodev_tld/com__google.com_registrar_whois.txt")


# --- DNS ---


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize(
    ("name", "rdtype", "value"),
    [
        ("cdn-update.example", "A", "203.0.113.66"),
        ("CDN-Update.Example", "A", "203.0.113.66"),
        ("cdn-update.example", "AAAA", "2001:db8:66::1"),
        ("cdn-update.example", "MX", "10 mail.panel-login.example."),
        ("cdn-update.example", "NS", "ns1.parking.example.net."),
        ("cdn-update.example", "CAA", '0 issue "ca.example.org"'),
        ("cdn-update.example", "TXT", '"v=spf1 ip4:203.0.113.70 include:_spf.panel-login.example -all"'),
        ("www.cdn-update.example", "A", "203.0.113.66"),
        ("anything.example.org", "A", "198.51.100.23"),
        ("66.113.0.203.in-addr.arpa", "PTR", "static-66.hosting.example.net."),
        ("66.113.0.203.origin.asn.cymru.com", "TXT", '"64496 | 203.0.113.64/26 | XX | ripencc | 2024-05-02"'),
        (
            "AS64496.asn.cymru.com",
            "TXT",
            '"64496 | XX | ripencc | 2024-05-01 | EXAMPLE-HOSTING Example Hosting Ltd, XX"',
        ),
        ("66.113.0.203.dnsbl.example.org", "A", "127.0.0.4"),
        ("2.0.0.127.dnsbl.example.org", "A", "127.0.0.2"),
        ("cdn-update.example.dnsbl.example.org", "A", "127.0.0.5"),
        ("1.113.0.203.blocked.example.net", "A", "127.255.255.254"),
    ],
)
def test_records(lab: Lab, name: str, rdtype: str, value: str, tcp: bool) -> None:
    message = resolve(lab, name, rdtype, tcp)
    assert message.rcode() == dns.rcode.NOERROR
    assert value in values(message, rdtype)
    assert message.flags & dns.flags.RA
    assert (lab.requests[-1].method, lab.requests[-1].params) == ("TCP" if tcp else "UDP", {"type": rdtype})


def test_ipv6_origin(lab: Lab) -> None:
    labels = ".".join("20010db8006600000000000000000001"[::-1])
    assert values(resolve(lab, f"{labels}.origin6.asn.cymru.com", "TXT"), "TXT")[0].startswith(
        '"64496 | 2001:db8:66::/48'
    )


def test_aliases_are_followed_and_shown(lab: Lab) -> None:
    message = resolve(lab, "gate.panel-login.example", "A")
    assert values(message, "CNAME") == ["cdn-update.example."]
    assert values(message, "A") == ["203.0.113.66"]


@pytest.mark.parametrize(
    ("name", "rdtype", "rcode"),
    [
        ("cdn-update.example", "SRV", "NOERROR"),
        ("parking.example.net", "A", "NOERROR"),
        ("nothing.cdn-update.example", "A", "NXDOMAIN"),
        ("nothing-known.example", "A", "NXDOMAIN"),
        ("1.113.0.203.dnsbl.example.org", "A", "NXDOMAIN"),
        ("254.113.0.203.origin.asn.cymru.com", "TXT", "NXDOMAIN"),
        ("AS64511.asn.cymru.com", "TXT", "NXDOMAIN"),
        ("66.113.0.203.origin.asn.cymru.com", "A", "NOERROR"),
    ],
)
def test_no_record_and_no_name_differ(lab: Lab, name: str, rdtype: str, rcode: str) -> None:
    message = resolve(lab, name, rdtype)
    assert dns.rcode.to_text(message.rcode()) == rcode
    assert message.answer == []
    if "cdn-update" in name:
        assert message.authority[0].rdtype == dns.rdatatype.SOA


def test_other_classes_opcodes_and_any(lab: Lab) -> None:
    assert dns.rcode.to_text(resolve(lab, "version.bind", "TXT", rdclass="CH").rcode()) == "REFUSED"
    assert values(resolve(lab, "cdn-update.example", "ANY"), "HINFO") == ['"RFC8482" ""']
    host, _, port = lab.where("dns").partition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.settimeout(3)
        sender.sendto(b"\x12\x34" + b"\x01\x00" + b"\0" * 3, (host, int(port)))
        assert sender.recv(512)[:4] == b"\x12\x34\x80\x01"  # FORMERR


def test_a_long_answer_is_truncated_over_udp_and_whole_over_tcp() -> None:
    """Read by hand: the header of RFC 1035 section 4.1.1, with the parser of the lab out of the way."""
    with Lab.demo() as lab:
        lab.misbehave("dns", "truncated")
        host, _, port = lab.where("dns").partition(":")
        wire = dns.message.make_query("cdn-update.example", "A").to_wire()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.settimeout(3)
            sender.sendto(wire, (host, int(port)))
            flags, _, answers = struct.unpack("!HHH", sender.recv(512)[2:8])
        assert flags & 0x0200 and answers == 0
        with socket.create_connection((host, int(port)), timeout=3) as connection:
            connection.sendall(len(wire).to_bytes(2, "big") + wire)
            length = int.from_bytes(connection.recv(2), "big")
            flags, _, answers = struct.unpack("!HHH", connection.recv(length)[2:8])
        assert not flags & 0x0200 and answers == 1
    with Lab.demo() as lab:
        message = dns.query.udp_with_fallback(
            dns.message.make_query("cdn-update.example", "A"),
            "127.0.0.1",
            port=int(lab.where("dns").split(":")[1]),
            timeout=3,
        )[0]
        assert values(message, "A") == ["203.0.113.66"]


def test_an_answer_fits_the_size_that_the_client_takes(lab: Lab) -> None:
    service = lab.services["dns"]
    text = "\n".join(f'long.example. 60 IN TXT "{letter * 200}"' for letter in "abcdef")
    service._zone(text)  # type: ignore[attr-defined]
    assert resolve(lab, "long.example", "TXT", use_edns=False).flags & dns.flags.TC
    assert len(values(resolve(lab, "long.example", "TXT", payload=4096), "TXT")) == 6
    assert len(values(resolve(lab, "long.example", "TXT", tcp=True), "TXT")) == 6


@needs_shared
def test_a_folder_without_zones_knows_no_name() -> None:
    with Lab.replay(shared("samples")) as replay:
        assert dns.rcode.to_text(resolve(replay, "example.com", "A").rcode()) == "NXDOMAIN"
