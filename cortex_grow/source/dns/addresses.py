"""What the DNS says of an address: names, autonomous system (Team Cymru), block lists (RFC 5782)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from cortex_grow.model.indicator import Indicator
from cortex_grow.source.answer import Json
from cortex_grow.source.facts import Fact, Known, Missing, Related, Score, found

# Block lists that take names; every other zone takes addresses.
NAME_ZONES = ("dbl.spamhaus.org", "multi.surbl.org", "multi.uribl.com", "uribl.spameatingmonkey.net")
LISTED = 25
LISTED_MOST = 50


def reversed_labels(address: str) -> str:
    """The labels of an address back to front: octets of IPv4, nibbles of IPv6 (RFC 5782, 2.1 and 2.4)."""
    pointer = ipaddress.ip_address(address).reverse_pointer
    return pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")


def takes_names(zone: str) -> bool:
    """Whether a block list is asked about names instead of addresses."""
    return any(zone == known or zone.endswith(f".{known}") for known in NAME_ZONES)


def is_listing(answer: str) -> bool:
    """Whether an answer of a block list means *listed*.

    127.255.255.x are error codes (over quota, open resolver), 127.0.0.1 and anything outside 127/8 is no answer of a
    block list at all (RFC 5782, 2.1 and 2.3).
    """
    try:
        address = ipaddress.IPv4Address(answer)
    except ValueError:
        return False
    return address in _LOOPBACK and address not in _ERRORS and answer != "127.0.0.1"


_LOOPBACK = ipaddress.IPv4Network("127.0.0.0/8")
_ERRORS = ipaddress.IPv4Network("127.255.255.0/24")


def pointers(seed: Indicator, body: Json, when: str) -> Iterator[Fact]:
    """PTR names. Anyone can write any name there: only one that leads back to the address is a resolution."""
    confirmed = set(body["confirmed"].texts)
    for name in body["records"]["PTR"].texts:
        host = found("host", name)
        if name in confirmed:
            yield Related(host, "resolves-to", seed, last_seen=when, context={"record": "PTR, confirmed by A or AAAA"})
        else:
            context = {"record": "PTR, not confirmed: the name does not lead back"}
            yield Related(seed, "related-to", host, last_seen=when, context=context)


def origins(body: Json) -> Iterator[Fact]:
    """Autonomous system and announced prefix of each address."""
    for address, entry in body.items():
        where = found("ip", address)
        for number in entry["asn"].texts:
            yield Related(where, "belongs-to", found("autonomous-system", f"AS{number}"))
        yield Related(where, "belongs-to", found("network", entry["prefix"].text))
        yield Known(
            f"Origin of {address}",
            {
                "autonomous system": [f"AS{number}" for number in entry["asn"].texts],
                "name": entry["name"].text,
                "prefix": entry["prefix"].text,
                "country": entry["country"].text,
                "registry": entry["registry"].text,
                "allocated": entry["allocated"].text,
            },
        )


def listings(body: Json) -> Iterator[Fact]:
    """Block lists: each that lists the seed is a term; an answer that is an error is a part without an answer."""
    points = LISTED_MOST
    listed = []
    for zone, entry in body.items():
        answers = entry["answers"].texts
        codes = [answer for answer in answers if is_listing(answer)]
        if codes:
            listed.append(zone)
            worth = min(LISTED, points)
            points -= worth
            said = "; ".join(entry["texts"].texts[:2])
            why = f"listed by {zone} ({', '.join(codes)})" + (f": {said}" if said else "")
            yield Score(worth, f"block list {zone}", why)
        elif answers:
            yield Missing(f"dnsbl {zone}", f"the block list refused to say ({', '.join(answers[:3])}): no listing")
        elif entry["failed"].text:
            yield Missing(f"dnsbl {zone}", str(entry["failed"].text))
    yield Known("Block lists", {"asked": [zone for zone, _ in body.items()], "listed by": listed})
