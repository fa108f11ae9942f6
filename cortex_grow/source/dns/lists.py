"""Block lists in the DNS (RFC 5782): which are asked, what their answers mean.

The part ``dnsbl`` holds by zone (as it is shown) the ``values`` that it answered, none where it does not list the seed,
and by ``<zone> TXT`` the reasons of those that list it.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator

from cortex_grow.model.indicator import Indicator
from cortex_grow.net.errors import RefusedError, SettingsError, SourceError
from cortex_grow.source.answer import Json
from cortex_grow.source.dns.addresses import packed, reversed_labels
from cortex_grow.source.facts import Fact, Known, Score, Summary

NAMES, ADDRESSES, BOTH = "names", "addresses", "both"
LISTED = 25
MOST_POINTS = 60  # of all block lists together: below malicious, whatever they say
REASONS = " TXT"

# What the known zones list, by the end of their name; every other zone takes addresses, unless the setting says so.
_TAKES = {
    "dbl.spamhaus.org": NAMES,
    "dbl.dq.spamhaus.net": NAMES,
    "zrd.dq.spamhaus.net": NAMES,
    "multi.surbl.org": BOTH,
    "uribl.com": NAMES,
    "uribl.spameatingmonkey.net": NAMES,
}
# Zones that carry their user's key as the label in front: https://docs.spamhaus.com, https://docs.abusix.com
_KEYED = r".+\.[a-z-]+\.(?:dq\.spamhaus\.net|mail\.abusix\.zone)"

# What Spamhaus' codes mean, and points: https://docs.spamhaus.com (datasets, available zones). The PBL lists addresses
# of end users, by policy.
_SPAMHAUS_ADDRESSES = {
    "127.0.0.2": ("SBL: spam operation", LISTED),
    "127.0.0.3": ("SBL CSS: spam, automatic", LISTED),
    **dict.fromkeys(("127.0.0.4", "127.0.0.5", "127.0.0.6", "127.0.0.7"), ("XBL: exploited machine", LISTED)),
    "127.0.0.9": ("DROP: hijacked or criminal network", 40),
    **dict.fromkeys(("127.0.0.10", "127.0.0.11"), ("PBL: end user, sends no mail by policy", 0)),
    "127.0.0.20": ("AuthBL: attacks on logins", LISTED),
    "127.0.0.30": ("BCL: botnet controller", 40),
}
_SPAMHAUS_NAMES = {
    "127.0.1.2": ("low reputation", LISTED),
    "127.0.1.4": ("phishing", 40),
    "127.0.1.5": ("malware", 40),
    "127.0.1.6": ("botnet controller", 40),
    "127.0.1.102": ("legitimate, abused for spam", 10),
    "127.0.1.103": ("legitimate redirector, abused", 10),
    "127.0.1.104": ("legitimate, abused for phishing", 10),
    "127.0.1.105": ("legitimate, abused for malware", 10),
    "127.0.1.106": ("legitimate, abused for botnets", 10),
    **{f"127.0.2.{hours}": (f"first seen {hours} hours ago or less", 15) for hours in range(2, 25)},
}
# Bits of the last octet: https://surbl.org (lists), https://uribl.com (about)
_SURBL = {8: ("phishing", 40), 16: ("malware", 40), 64: ("abuse", LISTED), 128: ("cracked site", 10)}
_URIBL = {2: ("black", LISTED), 4: ("grey", 0), 8: ("red", 10)}
_REFUSED = {
    "127.255.255.252": "the name of the list is mistyped",
    "127.255.255.254": "it was asked through a public or open resolver",
    "127.255.255.255": "it was asked too many questions",
}


class Zone:
    """A block list: its ``name`` as shown, the zone that is ``asked`` (its user's key in front), what it takes."""

    __slots__ = ("asked", "name", "takes")

    def __init__(self, name: str, asked: str, takes: str) -> None:
        self.name, self.asked, self.takes = name, asked, takes

    def fits(self, seed: Indicator) -> bool:
        """Whether the list is asked about indicators like ``seed``."""
        return self.takes == BOTH or (self.takes == ADDRESSES) == (seed.type == "ip")

    def question(self, seed: Indicator) -> str:
        """The name that is asked for: the address back to front, or the name as it is, in front of the zone."""
        return f"{reversed_labels(seed.value) if seed.type == 'ip' else seed.value}.{self.asked}"


def zones(source: str, plain: Iterable[str], keyed: Iterable[str]) -> list[Zone]:
    """The zones of both settings. Raises :class:`~cortex_grow.net.errors.SettingsError`, which shows no zone: it may
    hold a key.
    """
    found = [_zone(source, text, position, "dnsbl_zones") for position, text in enumerate(plain, 1)]
    found += [_zone(source, text, position, "dnsbl_keyed_zones") for position, text in enumerate(keyed, 1)]
    return list({zone.name: zone for zone in found}.values())


def _zone(source: str, text: str, position: int, setting: str) -> Zone:
    takes, colon, zone = text.strip().lower().rpartition(":")
    zone = zone.removesuffix(".")
    keyed = setting != "dnsbl_zones"
    if not re.fullmatch(r"(?=.{1,200}\Z)(?:[a-z0-9_-]{1,63}\.)+[a-z][a-z0-9-]{0,62}", zone) or (
        colon and takes not in (NAMES, ADDRESSES, BOTH)
    ):
        raise SettingsError(
            source,
            f"entry {position} of `{setting}` is no zone",
            advice=f"Write it as a domain name, with {NAMES}: or {BOTH}: in front for a list that takes names",
        )
    if not keyed and re.fullmatch(_KEYED, zone):
        advice = "Move it to `dnsbl_keyed_zones`, whose values are not shown"
        raise SettingsError(source, f"entry {position} of `{setting}` holds a key", advice=advice)
    name = zone.partition(".")[2] if keyed else zone
    known = next((what for end, what in _TAKES.items() if name == end or name.endswith(f".{end}")), ADDRESSES)
    return Zone(name, zone, takes or known)


def meaning(zone: str, answer: str) -> tuple[str, int] | None:
    """What one answer of a list says, and its points; ``None`` where it is no listing.

    127.255.255.x are errors, 127.0.0.1 is on no list (RFC 5782, 5) and how some refuse, and what lies outside of 127/8
    comes from a parked zone or from a resolver that rewrites answers (RFC 5782, 2.1).
    """
    octets = packed(answer, socket.AF_INET)
    if octets is None or octets[0] != 127 or octets[:3] == b"\x7f\xff\xff" or answer == "127.0.0.1":
        return None
    if _below(zone, "multi.surbl.org"):
        return _bits(_SURBL, octets[3])
    if _below(zone, "uribl.com"):
        return None if octets[3] & 1 else _bits(_URIBL, octets[3])
    if _below(zone, "spamhaus.org") or _below(zone, "dq.spamhaus.net"):
        if answer == "127.0.1.255":  # a list of names was asked about an address
            return None
        return _SPAMHAUS_ADDRESSES.get(answer) or _SPAMHAUS_NAMES.get(answer) or ("listed", LISTED)
    return "listed", LISTED


def _below(zone: str, parent: str) -> bool:
    return zone == parent or zone.endswith(f".{parent}")


def _bits(table: dict[int, tuple[str, int]], octet: int) -> tuple[str, int]:
    hits = [said for bit, said in table.items() if octet & bit]
    if not hits:
        return "listed", LISTED
    return ", ".join(words for words, _ in hits), max(worth for _, worth in hits)


def refusal(source: str, zone: str, answers: Iterable[str]) -> RefusedError | None:
    """The error that some answers of a list stand for; ``None`` where one of them is a listing, or there is none."""
    codes = list(answers)
    if not codes or zone.endswith(REASONS) or any(meaning(zone, code) for code in codes):
        return None
    why = next((_REFUSED[code] for code in codes if code in _REFUSED), "the answer is no listing")
    return RefusedError(
        source,
        f"the block list {zone} does not say: {why} ({', '.join(codes[:3])})",
        advice="Set `resolvers` to a resolver of your own, keep to the list's terms of use, or take it out",
    )


def without_keys(error: SourceError, zones: Iterable[Zone]) -> SourceError:
    """An error whose text may hold what was asked, without the keys of zones."""
    for zone in zones:
        error.what = error.what.replace(zone.asked, zone.name)
    return error


def reasons_in(body: Json) -> list[str]:
    """The keys under which the reasons stand of the lists that list the seed."""
    return [f"{name}{REASONS}" for name, entry in body.items() if entry["values"] and not name.endswith(REASONS)]


def listings(body: Json) -> Iterator[Fact]:
    """Each list that lists the seed is a term. All of them together stay below malicious."""
    asked = [zone for zone, _ in body.items() if not zone.endswith(REASONS)]
    hits = []
    for zone in asked:
        codes = body[zone]["values"].texts
        meanings = [said for code in codes if (said := meaning(zone, code))]
        if meanings:
            hits.append((max(worth for _, worth in meanings), zone, codes, [words for words, _ in meanings]))
    left = MOST_POINTS
    for worth, zone, codes, words in sorted(hits, key=lambda hit: (-hit[0], hit[1])):
        points = min(worth, left)
        left -= points
        reasons = "; ".join(body[zone + REASONS]["values"].texts[:2])
        what = ", ".join(dict.fromkeys(words))
        why = f"on the block list {zone}: {what} ({', '.join(codes[:5])})" + (f": {reasons}" if reasons else "")
        yield Score(points, f"block list {zone}", why)
    yield Known("Block lists", {"listed by": [hit[1] for hit in hits] or "none", "asked": asked})
    yield Summary("block lists", f"{len(hits)}/{len(asked)}")
