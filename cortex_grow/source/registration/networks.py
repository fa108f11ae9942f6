"""Networks, autonomous systems and routes out of a WHOIS text: RPSL objects (RFC 2622; RIPE NCC, APNIC, AFRINIC and the
routing registries), LACNIC's kindred layout, and ARIN's."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cortex_grow.source.registration import dates, lines, ranges
from cortex_grow.source.registration.contacts import mail_in, registrant_of
from cortex_grow.source.registration.lines import TextBlock
from cortex_grow.source.registration.record import Address, Block, Network, Number, Registrant, Resources, Route

_NETWORK = ("inetnum", "inet6num", "netrange")
_HANDLES = ("nic-hdl", "irt", "organisation", "role", "organization")
_CONTACTS = ("abuse-c", "mnt-irt", "org", "admin-c", "tech-c")
_ABUSE = re.compile(r"%\s*Abuse contact for '([^']{1,100})' is '([^']{3,254})'", re.I)
# What a registry calls what is not its own.
_NOBODYS = ("IANA-BLK", "NON-RIPE-NCC-MANAGED-ADDRESS-BLOCK", "IANA-NETBLOCK", "IANA-BLOCK")


Objects = dict[str, TextBlock]
# Networks nest; more than this is no answer about one address.
_DEEPEST = 16


def read(text: str, value: str) -> Resources:
    """What a text about an address, or about an autonomous system (``AS64496``), holds of it."""
    held = ranges.address(value)
    asked = int(value[2:]) if value[:2].upper() == "AS" and value[2:].isdecimal() else None
    found = lines.blocks(text)
    objects = _objects(found)
    comments = {shown.strip(): mail_in(mail) for line in lines.lines(text) for shown, mail in _ABUSE.findall(line)}
    resources = Resources()
    for position, block in enumerate(found):
        key = block.head.key
        if held is not None and key in _NETWORK:
            network = _network(block, held)
            wanted = network is not None and not set(block.values("netname")) & set(_NOBODYS)
            if network is not None and wanted and len(resources.blocks) < _DEEPEST:
                resources.blocks.append(_block(found, position, network, objects, comments))
        elif asked is not None and key in ("aut-num", "asnumber"):
            about = _in_range(block.head.value, asked) if key == "asnumber" else asked in _numbers(block.head.value)
            if about and len(resources.numbers) < _DEEPEST:
                resources.numbers.append(_number(found, position, objects, comments))
        elif key in ("route", "route6"):
            resources.routes.extend(_routes(block, held, asked))
    if asked is not None:
        resources.blocks = []
    resources.routes += [Route(block.network, number) for block in resources.blocks for number in block.numbers]
    return resources


def _network(block: TextBlock, held: Address) -> Network | None:
    for value in (*block.values("cidr"), block.head.value):
        found = ranges.in_text(value, held)
        if ranges.of_somebody(found):
            return found
    return None


def _block(
    found: list[TextBlock], position: int, network: Network, objects: Objects, comments: dict[str, str | None]
) -> Block:
    block = found[position]
    return Block(
        network=network,
        name=block.first(("netname",)),
        country=block.first(("country",)),
        kind=block.first(("status", "nettype")),
        registrant=_registrant(found, position, objects),
        abuse=tuple(dict.fromkeys(_abuse(found, position, objects, comments))),
        numbers=tuple(number for value in block.values("originas") for number in _numbers(value)),
        created=dates.moment(block.first(("created", "regdate"))),
        changed=dates.moment(block.first(("last-modified", "updated"))),
    )


def _number(found: list[TextBlock], position: int, objects: Objects, comments: dict[str, str | None]) -> Number:
    block = found[position]
    return Number(
        name=block.first(("as-name", "asname")),
        country=block.first(("country",)),
        registrant=_registrant(found, position, objects),
        abuse=tuple(dict.fromkeys(_abuse(found, position, objects, comments))),
        created=dates.moment(block.first(("created", "regdate"))),
        changed=dates.moment(block.first(("last-modified", "updated"))),
    )


def _below(found: list[TextBlock], position: int) -> Iterator[TextBlock]:
    """ARIN: what belongs to a network stands below it, up to the next one."""
    for block in found[position + 1 :]:
        if block.head.key in ("netrange", "asnumber"):
            return
        yield block


def _registrant(found: list[TextBlock], position: int, objects: Objects) -> Registrant:
    block = found[position]
    name = block.first(("owner",))
    handle = block.first(("org",))
    if not name and handle:
        explained = objects.get(handle.lower())
        name = explained.first(("org-name",)) if explained else None
    if not name and block.head.key in ("netrange", "asnumber"):
        name = next((text for one in _below(found, position) if (text := one.first(("orgname", "custname")))), None)
    return registrant_of(name, None, (), "")


def _abuse(found: list[TextBlock], position: int, objects: Objects, comments: dict[str, str | None]) -> Iterator[str]:
    block = found[position]
    told = comments.get(block.head.value)
    if told:
        yield told
    for key in _CONTACTS:
        for handle in block.values(key):
            explained = objects.get(handle.lower())
            if explained is None:
                continue
            # Who is named as the abuse contact is meant with any mail; of the others only the mailbox for abuse.
            for value in explained.values("abuse-mailbox", *(("e-mail",) if key == "abuse-c" else ())):
                if mail := mail_in(value):
                    yield mail
    if block.head.key in ("netrange", "asnumber"):
        for one in _below(found, position):
            for value in one.values("orgabuseemail", "rabuseemail"):
                if mail := mail_in(value):
                    yield mail


def _objects(found: list[TextBlock]) -> Objects:
    """The objects that handles stand for, by handle."""
    objects: Objects = {}
    for block in found:
        if block.head.key not in (*_NETWORK, "aut-num", "route", "route6"):
            for value in block.values(*_HANDLES):
                objects.setdefault(value.lower(), block)
    return objects


def _routes(block: TextBlock, held: Address | None, asked: int | None) -> Iterator[Route]:
    network = ranges.network(block.head.value)
    if network is None:
        return
    for value in block.values("origin"):
        for number in _numbers(value):
            about_address = held is not None and held.version == network.version and held in network
            if number == asked or about_address:
                yield Route(network, number)


def _numbers(text: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\bAS(\d{1,10})\b", text[:400], re.I) if 0 < int(digits) < 2**32]


def _in_range(text: str, asked: int) -> bool:
    """ARIN: ``ASNumber: 701 - 705``."""
    digits = re.findall(r"\d{1,10}", text[:60])
    return bool(digits) and int(digits[0]) <= asked <= int(digits[-1])
