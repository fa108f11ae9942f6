"""A registration, whatever it was read from: an RDAP object or the text of a WHOIS server."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field, replace

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Registrant:
    """Who something is registered to: an organisation or, where there is none, a name; and mail addresses.

    ``withheld`` says who or what stands in for the registrant; organisation and mails are then empty.
    """

    organisation: str | None = None
    mails: tuple[str, ...] = ()
    withheld: str | None = None

    def __bool__(self) -> bool:
        return bool(self.organisation or self.mails)


@dataclass(frozen=True, slots=True)
class NameServer:
    """A name server, with the addresses that the registry has for it."""

    name: str
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Registration:
    """The registration of a name. Times are ISO 8601 in UTC; ``dnssec`` is ``None`` where nothing is said of it."""

    registrant: Registrant = Registrant()
    name_servers: tuple[NameServer, ...] = ()
    registrar: str | None = None
    registrar_id: str | None = None
    registrar_abuse: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    created: str | None = None
    changed: str | None = None
    expires: str | None = None
    dnssec: bool | None = None

    def filled(self, other: Registration) -> Registration:
        """This registration, with what it does not say taken from ``other``."""
        registrant = self.registrant or other.registrant
        if not registrant and not registrant.withheld:
            registrant = replace(registrant, withheld=self.registrant.withheld)
        return Registration(
            registrant=registrant,
            name_servers=self.name_servers or other.name_servers,
            registrar=self.registrar or other.registrar,
            registrar_id=self.registrar_id or other.registrar_id,
            registrar_abuse=self.registrar_abuse or other.registrar_abuse,
            statuses=tuple(dict.fromkeys((*self.statuses, *other.statuses))),
            created=self.created or other.created,
            changed=self.changed or other.changed,
            expires=self.expires or other.expires,
            dnssec=other.dnssec if self.dnssec is None else self.dnssec,
        )


@dataclass(frozen=True, slots=True)
class Block:
    """The registration of a network: of the one CIDR block of it that holds the address asked about."""

    network: Network
    name: str | None = None
    country: str | None = None
    kind: str | None = None
    registrant: Registrant = Registrant()
    abuse: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    created: str | None = None
    changed: str | None = None


@dataclass(frozen=True, slots=True)
class Number:
    """The registration of an autonomous system."""

    name: str | None = None
    country: str | None = None
    registrant: Registrant = Registrant()
    abuse: tuple[str, ...] = ()
    created: str | None = None
    changed: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """A route object: ``network`` is announced by the autonomous system ``number``."""

    network: Network
    number: int


@dataclass(slots=True)
class Resources:
    """What an answer about an address or a number holds."""

    blocks: list[Block] = field(default_factory=list)
    numbers: list[Number] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.blocks or self.numbers or self.routes)
