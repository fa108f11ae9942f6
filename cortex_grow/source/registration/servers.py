"""Whom to ask: the RDAP server for a name, an address or a number, and the WHOIS server where there is none.

The RDAP servers are IANA's bootstrap (RFC 9224), shipped as a table that ``compile_bootstrap`` renews. WHOIS servers
are few where the query must be particular; IANA's own server refers to all the others.
"""

from __future__ import annotations

import ipaddress
import json
from functools import cache
from typing import Any

from cortex_grow.model.indicator import Indicator
from cortex_grow.source.registration.compile_bootstrap import TABLE

IANA = "whois.iana.org"
# Registries without an RDAP server in the bootstrap, or with one that may be down: their WHOIS servers, as IANA has
# them. Those that are not here are asked for at IANA.
WHOIS = {
    "at": "whois.nic.at",
    "be": "whois.dnsbelgium.be",
    "bg": "whois.register.bg",
    "by": "whois.cctld.by",
    "cl": "whois.nic.cl",
    "cn": "whois.cnnic.cn",
    "com": "whois.verisign-grs.com",
    "de": "whois.denic.de",
    "ee": "whois.tld.ee",
    "eu": "whois.eu",
    "hk": "whois.hkirc.hk",
    "hu": "whois.nic.hu",
    "il": "whois.isoc.org.il",
    "io": "whois.nic.io",
    "ir": "whois.nic.ir",
    "it": "whois.nic.it",
    "jp": "whois.jprs.jp",
    "kr": "whois.kr",
    "kz": "whois.nic.kz",
    "lt": "whois.domreg.lt",
    "lv": "whois.nic.lv",
    "mx": "whois.mx",
    "net": "whois.verisign-grs.com",
    "nu": "whois.iis.nu",
    "pl": "whois.dns.pl",
    "ro": "whois.rotld.ro",
    "rs": "whois.rnids.rs",
    "ru": "whois.tcinet.ru",
    "se": "whois.iis.se",
    "sk": "whois.sk-nic.sk",
    "su": "whois.tcinet.ru",
    "tw": "whois.twnic.net.tw",
    "ua": "whois.ua",
    "xn--p1ai": "whois.tcinet.ru",
}
# How these servers want to be asked: names (DENIC: no page of help, punycode as well; Verisign: the name alone and not
# every host that begins so; JPRS: in English), addresses and numbers (ARIN: whole records instead of a list of them).
_NAMES = {
    "whois.denic.de": "-T dn,ace {}",
    "whois.jprs.jp": "{}/e",
    "whois.verisign-grs.com": "domain {}",
}


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return table


def rdap_server(asked: Indicator) -> str | None:
    """The base address of the RDAP server for a name, an address or a number; ``None`` where the bootstrap has none."""
    if asked.type == "ip":
        address = ipaddress.ip_address(asked.value)
        return _network_server(address)
    if asked.type == "autonomous-system":
        number = int(asked.value.removeprefix("AS"))
        for server, ranges in _table()["asn"].items():
            for entry in ranges.split(" "):
                first, _, last = entry.partition("-")
                if int(first) <= number <= int(last or first):
                    return str(server)
        return None
    labels = asked.value.split(".")
    zones = {".".join(labels[start:]) for start in range(1, len(labels))} or {asked.value}
    found: dict[str, str] = {}
    for server, entries in _table()["dns"].items():
        for zone in zones.intersection(entries.split(" ")):
            found[zone] = str(server)
    return found[max(found, key=lambda zone: zone.count("."))] if found else None


def _network_server(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str | None:
    best, longest = None, -1
    for server, entries in _table()[f"ipv{address.version}"].items():
        for entry in entries.split(" "):
            network = ipaddress.ip_network(entry)
            if address in network and network.prefixlen > longest:
                best, longest = str(server), network.prefixlen
    return best


def rdap_path(asked: Indicator) -> str:
    """The path of the question below the base address (RFC 9082, section 3.1). Nothing in it needs encoding."""
    if asked.type == "ip":
        return f"ip/{asked.value}"
    if asked.type == "autonomous-system":
        return f"autnum/{asked.value.removeprefix('AS')}"
    return f"domain/{asked.value}"


def whois_server(asked: Indicator) -> str | None:
    """The WHOIS server of a name's registry; ``None`` where IANA must be asked for it."""
    return WHOIS.get(asked.value.rpartition(".")[2]) if asked.type in ("domain", "fqdn") else None


def whois_query(server: str, asked: Indicator) -> str:
    """The line to send to a WHOIS server."""
    if asked.type in ("domain", "fqdn"):
        return _NAMES.get(server, "{}").format(asked.value)
    if server == "whois.arin.net":
        return f"n + {asked.value}" if asked.type == "ip" else f"a + {asked.value.removeprefix('AS')}"
    return asked.value


def iana_query(asked: Indicator) -> str:
    """The line to ask IANA's server for the one in charge: the top-level domain, the address or the number."""
    return asked.value.rpartition(".")[2] if asked.type in ("domain", "fqdn") else asked.value
