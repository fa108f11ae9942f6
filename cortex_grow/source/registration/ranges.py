"""Addresses and ranges as registries write them: padded with zeros, shortened, as a range or with a prefix length."""

from __future__ import annotations

import ipaddress
import re

from cortex_grow.source.registration.record import Address, Network

# A registry's answer about everything (RIPE for what is not its own, a parent handle): no network of anybody.
_SMALLEST = {4: 8, 6: 12}


def address(text: str | None) -> Address | None:
    """An address; leading zeros are decimal (ARIN pads ``074.125.000.000``), a prefix length behind it is dropped."""
    if not text or len(text) > 64:
        return None
    text = text.strip().partition("/")[0]
    if re.fullmatch(r"\d{1,3}(\.\d{1,3}){3}", text):
        text = ".".join(str(int(part)) for part in text.split("."))
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def network(text: str | None, length: int | str | None = None) -> Network | None:
    """A CIDR block, ``200.57.128/19`` (LACNIC) among them."""
    if not text or len(text) > 64:
        return None
    first, _, written = text.strip().partition("/")
    if ":" not in first and re.fullmatch(r"[\d.]+", first):
        first = ".".join((first.rstrip(".").split(".") + ["0"] * 3)[:4])
    start = address(first)
    size = written if length is None else str(length)
    if start is None or not size.strip().isdecimal() or len(size) > 3:
        return None
    try:
        return ipaddress.ip_network(f"{start}/{int(size)}", strict=False)
    except ValueError:
        return None


def holding(start: Address | None, end: Address | None, held: Address) -> Network | None:
    """The CIDR block of the range from ``start`` to ``end`` that holds an address."""
    if start is None or end is None or not start.version == end.version == held.version:
        return None
    if not int(start) <= int(held) <= int(end):
        return None
    # The largest aligned block around the address that stays inside the range: what summarising the range would give.
    best: Network = ipaddress.ip_network(str(held))
    while best.prefixlen:
        larger = best.supernet()
        if int(larger[0]) < int(start) or int(larger[-1]) > int(end):
            break
        best = larger
    return best


def in_text(text: str | None, held: Address) -> Network | None:
    """The block that holds an address out of a text: ``a - b``, a CIDR block, or several of them with commas."""
    for piece in (text or "")[:400].split(","):
        first, dash, last = piece.partition(" - ")
        found = holding(address(first), address(last), held) if dash else network(piece)
        if found is not None and held.version == found.version and held in found:
            return found
    return None


def of_somebody(found: Network | None) -> bool:
    """Whether a network can be somebody's: not the whole address space or a piece of it that only IANA has."""
    return found is not None and found.prefixlen >= _SMALLEST[found.version]
