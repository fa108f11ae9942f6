"""Which warning lists speak about which type of indicator, and how a value of that type is read.

A list names the MISP attribute types that it is meant for (``matching_attributes``,
https://github.com/MISP/misp-warninglists). MISP compares a list with an attribute only where the attribute's type is
among them; a list that names none is compared with everything. Composite types (``domain|ip``, ``filename|md5``) are
left out: every list that has one has its halves as well, but for the disposable mail domains, where ``domain|ip``
would match the end of unrelated domains.
"""

from __future__ import annotations

_DIGESTS = "md5 sha1 sha224 sha256 sha384 sha512 ssdeep tlsh"
_MAIL = "email email-src email-dst email-reply-to target-email whois-registrant-email dns-soa-email"
_PRINTS = "x509-fingerprint-md5 x509-fingerprint-sha1 x509-fingerprint-sha256"

# The type of an indicator: how its value is read, and the MISP attribute types that are the same thing.
TYPES: dict[str, tuple[str, str]] = {
    "ip": ("address", "ip-src ip-dst"),
    "network": ("network", "ip-src ip-dst"),
    "domain": ("host", "domain hostname"),
    "fqdn": ("host", "domain hostname"),
    "hostname": ("host", "domain hostname"),
    "url": ("url", "url uri link"),
    "mail": ("text", _MAIL),
    "hash": ("text", _DIGESTS),
    "file": ("text", _DIGESTS),
    "certificate": ("text", _PRINTS),
    "filename": ("text", "filename"),
    "user-agent": ("text", "user-agent"),
    "autonomous-system": ("text", "AS"),
    # TheHive keeps under `other` what it has no type for; of that the lists know these.
    "other": ("text", "phone-number whois-registrant-phone azure-application-id"),
}


def fits(indicator_type: str, attributes: frozenset[str]) -> bool:
    """Whether a list with these ``matching_attributes`` (none: any) is meant for indicators of ``indicator_type``."""
    if indicator_type not in TYPES:
        return False
    return not attributes or not attributes.isdisjoint(TYPES[indicator_type][1].split())


def fold(value: str) -> str:
    """The form in which entries and values are compared: lower case (host names, digests and mails know no other)."""
    return value.lower()


def host_of(url: str) -> str:
    """The host of a URL without user, port and brackets, lower case; empty where there is none (RFC 3986, 3.2)."""
    before, mark, after = url.partition("://")
    rest = after if mark else before
    for end in "/?#\\":
        rest = rest.partition(end)[0]
    rest = rest.rpartition("@")[2]
    if rest.startswith("["):
        return rest[1:].partition("]")[0].lower()
    return rest.partition(":")[0].lower()


def ipv4(text: str) -> int:
    """An IPv4 address in its one canonical form as a number, or -1. A job is spared :mod:`ipaddress` (3 ms)."""
    parts = text.split(".", 4)
    if len(parts) != 4:
        return -1
    number = 0
    for part in parts:
        if not (part.isascii() and part.isdigit()) or len(part) > 3 or (part[0] == "0" and len(part) > 1):
            return -1
        octet = int(part)
        if octet > 255:
            return -1
        number = number << 8 | octet
    return number


def ipv6(text: str) -> int:
    """An IPv6 address as a number, a zone (``%eth0``) left out, or -1 (RFC 4291, 4007)."""
    if ":" not in text or len(text) > 100:
        return -1
    from ipaddress import AddressValueError, IPv6Address

    try:
        return int(IPv6Address(text.partition("%")[0]))
    except AddressValueError:
        return -1


def network_of(version: int, number: int, length: int) -> str:
    """The network of ``length`` bits around an address as text; a single address without its length."""
    from ipaddress import IPv4Address, IPv6Address

    width = 32 if version == 4 else 128
    base = number >> (width - length) << (width - length)
    address = IPv4Address(base) if version == 4 else IPv6Address(base)
    return str(address) if length == width else f"{address}/{length}"
