"""Values to compare with upstream: from every list, from just beside it, and from nowhere. Always the same ones."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Iterator
from functools import cache

from tests.hygiene.support import raw

Value = tuple[str, str]


@cache
def values() -> tuple[Value, ...]:
    """Type and value of each, in canonical form, without doubles."""
    dice = random.Random(20251223)
    found = [*_addresses(dice), *_names(dice), *_digests(dice), *_mails(dice), *_hostile()]
    return tuple(dict.fromkeys(found))


def _entries(dice: random.Random, kind: str, attribute: str, most: int) -> Iterator[tuple[str, str]]:
    for slug, data in sorted(raw().items()):
        if data["type"] == kind and attribute in data["matching_attributes"] and data["list"]:
            for entry in dice.sample(sorted(data["list"]), min(most, len(data["list"]))):
                yield slug, entry


def _addresses(dice: random.Random) -> Iterator[Value]:
    for _, entry in _entries(dice, "cidr", "ip-src", 5):
        net = ipaddress.ip_network(entry)
        first, last, width = int(net.network_address), int(net.broadcast_address), net.max_prefixlen
        make = ipaddress.IPv4Address if net.version == 4 else ipaddress.IPv6Address
        for number in (first, last, dice.randint(first, last), first - 1, last + 1):
            if 0 <= number < 1 << width and dice.random() < 0.6:
                yield "ip", str(make(number))
    for _ in range(60):
        yield "ip", str(ipaddress.IPv4Address(dice.getrandbits(32)))
        yield "ip", str(ipaddress.IPv6Address(0x2 << 124 | dice.getrandbits(124)))
    for text in ("0.0.0.0", "255.255.255.255", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::ffff:9270:3d68"):
        yield "ip", text
    for text in ("8.8.8.8", "1.1.1.1", "192.0.2.7", "198.51.100.9", "203.0.113.5", "2001:db8::1", "52.168.52.134"):
        yield "ip", text
    for text in ("::ffff:808:808", "104.16.0.0/13", "104.16.0.0/14", "104.0.0.0/8", "192.0.2.0/24"):
        yield ("network" if "/" in text else "ip"), text


def _names(dice: random.Random) -> Iterator[Value]:
    for kind in ("hostname", "string", "substring"):
        for _, entry in _entries(dice, kind, "domain", 9):
            name = entry.lower().strip(".")
            if not name.isascii() or " " in name or "\\" in name:
                continue
            shapes = [name, f"www.{name}", f"a.b-c.{name}", f"x{name}", f"{name}.example", name.partition(".")[2]]
            for shape in (name, *dice.sample(shapes[1:], 2)):
                if shape:
                    yield ("fqdn" if shape.count(".") > 1 else "domain"), shape
            if dice.random() < 0.6:
                yield "url", dice.choice(_URLS).format(dice.choice(shapes[:5]))
    for _ in range(60):
        name = "".join(dice.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(dice.randint(5, 20)))
        yield "domain", f"{name}.{dice.choice(('com', 'net', 'ru', 'xyz', 'de'))}"
        yield "url", f"http://{name}.com/{name}.exe"
    # Well-known names, and names that strangers have below well-known ones.
    for name in (
        "google.com",
        "mail.google.com",
        "github.io",
        "evil.github.io",
        "x.duckdns.org",
        "bit.ly",
        "example.com",
    ):
        yield ("fqdn" if name.count(".") > 1 else "domain"), name


_URLS = (
    "http://{}/",
    "https://{}/a/b.php?c=http://example.net/#d",
    "https://{}:8443/x",
    "ftp://user:word@{}/file",
    "http://{}",
    "http://203.0.113.9/{}",
)


def _digests(dice: random.Random) -> Iterator[Value]:
    for slug, entry in _entries(dice, "string", "sha256", 60):
        yield "hash", entry.lower()
        if dice.random() < 0.4:
            yield "hash", entry[:-1].lower() + ("0" if entry[-1] != "0" else "1")
        if slug.startswith("mozilla"):
            yield "certificate", entry.lower()
    for length in (32, 40, 64, 128):
        for _ in range(10):
            yield "hash", "".join(dice.choice("0123456789abcdef") for _ in range(length))
    yield "hash", "3::"
    yield "other", raw()["microsoft-azure-appid"]["list"][0]


def _mails(dice: random.Random) -> Iterator[Value]:
    for _, entry in _entries(dice, "substring", "email-src", 60):
        yield "mail", f"someone@{entry}"
        yield "mail", dice.choice((f"a@x{entry}", f"{entry}@example.org", f"a@{entry[1:]}", f"a@b.{entry}.example"))


def _hostile() -> Iterator[Value]:
    """Odd values on which two readings are likely to differ."""
    yield "url", "http://google.com\\@example.net/"
    yield "url", "http://example.net/VirusTotal.com"
    yield "url", "http://[::1]/x"
    yield "url", "http:///nothing"
    yield "url", "https://mail.google.com./"
    yield "domain", "a..google.com"
    yield "fqdn", ".".join("abcdefghijklmnopqrstuvwxyz") + ".google.com"
    yield "domain", "google.com\0"
    yield "domain", ""
    yield "ip", "008.008.008.008"
    yield "ip", "8.8.8.8/32"
