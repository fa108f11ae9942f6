"""Addresses and names that mean something inside one network only (RFC 6890 and its registries).

Documentation is not among them: 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24 (RFC 5737), 2001:db8::/32 (RFC 3849),
3fff::/20 (RFC 9637), `example`, `test`, `invalid` and example.com, .net, .org (RFC 2606) stand in examples, exercises
and the demo for things on the open internet, and asking about them gives nothing away. The lists rfc5735, rfc3849 and
rfc6761, which hold them beside the private ranges, are context in ``policy.toml`` for that reason.
The table is the pack's own: what :mod:`ipaddress` calls private differs between versions of Python.
"""

from __future__ import annotations

from cortex_grow.hygiene.kinds import ipv4, ipv6

# First address, length of the prefix, what it is.
_V4 = (
    (0x00000000, 8, "an address of this network (RFC 1122)"),
    (0x0A000000, 8, "a private address (RFC 1918)"),
    (0x64400000, 10, "an address shared behind a provider's NAT (RFC 6598)"),
    (0x7F000000, 8, "a loopback address (RFC 1122)"),
    (0xA9FE0000, 16, "a link-local address (RFC 3927)"),
    (0xAC100000, 12, "a private address (RFC 1918)"),
    (0xC0000000, 24, "an address for protocols (RFC 6890)"),
    (0xC0A80000, 16, "a private address (RFC 1918)"),
    (0xC6120000, 15, "an address for measurements (RFC 2544)"),
    (0xE0000000, 4, "a multicast address (RFC 5771)"),
    (0xF0000000, 4, "a reserved address (RFC 1112)"),
)
_V6 = (
    (0, 128, "the unspecified address (RFC 4291)"),
    (1, 128, "the loopback address (RFC 4291)"),
    (0x0064FF9B0001 << 80, 48, "a local translation address (RFC 8215)"),
    (0x0100 << 112, 64, "a discard address (RFC 6666)"),
    (0xFC00 << 112, 7, "a unique local address (RFC 4193)"),
    (0xFE80 << 112, 10, "a link-local address (RFC 4291)"),
    (0xFEC0 << 112, 10, "a site-local address (RFC 3879)"),
    (0xFF00 << 112, 8, "a multicast address (RFC 4291)"),
)
# IPv6 that carries an IPv4 address: first address, length of the prefix, bits to the right of the IPv4 address.
_CARRIERS = (
    (0xFFFF << 32, 96, 0),  # IPv4-mapped (RFC 4291)
    (0x0064FF9B << 96, 96, 0),  # translated by the provider (RFC 6052)
    (0x2002 << 112, 16, 80),  # 6to4 (RFC 3056)
)
_NAMES = {
    "localhost": "RFC 6761",
    "localdomain": "a custom of Unix",
    "local": "multicast DNS, RFC 6762",
    "internal": "kept for private use by ICANN",
    "lan": "RFC 6762, appendix G",
    "home": "RFC 6762, appendix G",
    "corp": "RFC 6762, appendix G",
    "private": "RFC 6762, appendix G",
    "intranet": "RFC 6762, appendix G",
    "home.arpa": "RFC 8375",
}


def network(version: int, first: int, length: int) -> str | None:
    """What makes a network (or an address, of full length) that lies wholly in an internal one internal, or None."""
    width, table = (32, _V4) if version == 4 else (128, _V6)
    for start, prefix, what in table:
        if length >= prefix and start >> (width - prefix) == first >> (width - prefix):
            return what
    if version == 4:
        return None
    for start, prefix, right in _CARRIERS:
        if length >= prefix and start >> (128 - prefix) == first >> (128 - prefix):
            inner = network(4, first >> right & 0xFFFFFFFF, min(32, length + right - 96))
            return inner and f"{inner}, carried in IPv6"
    if length >= 3 and first >> 125 != 1:  # all that the IANA has given out for use lies in 2000::/3
        return "a reserved address (RFC 4291)"
    return None


def address(text: str) -> str | None:
    """What makes an address internal, or None; None as well where the text is no address."""
    number = ipv4(text)
    if number >= 0:
        return network(4, number, 32)
    number = ipv6(text)
    return network(6, number, 128) if number >= 0 else None


def name(host: str) -> str | None:
    """What makes a host name (lower case, without dot at the end) internal, or None."""
    if not host:
        return None
    if "." not in host:
        return "a single label, which is no public name"
    labels = host.split(".")
    for suffix in (labels[-1], ".".join(labels[-2:])):
        if suffix in _NAMES:
            return f"a name below .{suffix} ({_NAMES[suffix]})"
    if labels[-1] == "arpa":
        what = _reversed(labels)
        if what:
            return f"the reverse name of {what}"
    return None


def _reversed(labels: list[str]) -> str | None:
    """What the address (or, with labels missing, the network) is that a reverse name stands for (RFC 1035, 3596)."""
    digits = labels[-3::-1]
    if labels[-2] == "in-addr" and 0 < len(digits) <= 4:
        number = ipv4(".".join(digits + ["0"] * (4 - len(digits))))
        return network(4, number, 8 * len(digits)) if number >= 0 else None
    hexed = "".join(digits)
    if labels[-2] == "ip6" and 0 < len(digits) == len(hexed) <= 32 and not set(hexed) - set("0123456789abcdef"):
        return network(6, int(hexed, 16) << 4 * (32 - len(hexed)), 4 * len(hexed))
    return None


def legacy(host: str) -> int:
    """An IPv4 address in one of the forms that browsers and resolvers take besides the usual one, or -1.

    ``0x0a000001``, ``167772161`` and ``012.1`` all stand for 10.0.0.1 (``inet_aton``; URL Standard, host parser).
    """
    parts = host.split(".")
    if not 1 <= len(parts) <= 4 or len(host) > 64:
        return -1
    numbers = []
    for part in parts:
        base = 16 if part.startswith(("0x", "0X")) else 8 if part.startswith("0") and len(part) > 1 else 10
        digits = part[2:] or "0" if base == 16 else part
        if not digits or set(digits.lower()) - set("0123456789abcdef"[:base]):
            return -1
        numbers.append(int(digits, base))
    if any(number > 255 for number in numbers[:-1]) or numbers[-1] >= 256 ** (5 - len(numbers)):
        return -1
    result = numbers[-1]
    for place, number in enumerate(numbers[:-1]):
        result |= number << 8 * (3 - place)
    return result
