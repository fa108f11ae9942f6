"""RDAP objects (RFC 9083) read into registrations: domains, networks, autonomous systems, and their contacts (jCard,
RFC 7095), with what is redacted (RFC 9537) left out."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from cortex_grow.source.answer import Json
from cortex_grow.source.registration import ranges
from cortex_grow.source.registration.contacts import mail_in, registrant_of
from cortex_grow.source.registration.record import (
    Address,
    Block,
    NameServer,
    Network,
    Number,
    Registrant,
    Registration,
    Resources,
    Route,
)
from cortex_grow.source.registration.withheld import STATUSES

JSON = "application/rdap+json"
_DEEPEST = 6  # contacts of contacts: the registries nest two deep


def domain(answer: Json, name: str) -> Registration | None:
    """The registration of ``name`` out of a domain object; ``None`` where the object is about another name."""
    if not _is_about(answer, name):
        return None
    registrar = next(_with_role(answer, "registrar"), Json())
    events = _events(answer)
    secure = answer["secureDNS"] or answer["secureDns"]
    signed = secure["delegationSigned"].raw
    return Registration(
        registrant=_registrant(answer, name),
        name_servers=tuple(_name_servers(answer)),
        registrar=_card(registrar, "fn") or _card(registrar, "org"),
        registrar_id=next((row["identifier"].text for row in registrar["publicIds"] if _iana(row)), None),
        registrar_abuse=tuple(dict.fromkeys(mail for entity in _nested(registrar, "abuse") for mail in _mails(entity))),
        statuses=tuple(answer["status"].texts),
        created=events.get("registration"),
        changed=events.get("last changed") or events.get("last update"),
        expires=events.get("expiration") or events.get("registrar expiration"),
        dnssec=signed if isinstance(signed, bool) else True if secure["dsData"] else None,
    )


def network(answer: Json, held: Address) -> Resources:
    """The network that holds an address, out of an ip network object."""
    found = _block(answer, held)
    if found is None or not ranges.of_somebody(found):
        return Resources()
    events = _events(answer)
    numbers = (entry.number for entry in answer["arin_originas0_originautnums"].each())
    block = Block(
        network=found,
        name=answer["name"].text,
        country=answer["country"].text,
        kind=answer["type"].text,
        registrant=_registrant(answer),
        abuse=_abuse(answer),
        numbers=tuple(number for number in numbers if number and 0 < number < 2**32),
        created=events.get("registration"),
        changed=events.get("last changed"),
    )
    return Resources(blocks=[block], routes=[Route(found, number) for number in block.numbers])


def number(answer: Json, asked: int) -> Resources:
    """The registration of an autonomous system, out of an autnum object: of the block of numbers that holds it."""
    first, last = answer["startAutnum"].number, answer["endAutnum"].number
    if first is not None and last is not None and not first <= asked <= last:
        return Resources()
    events = _events(answer)
    found = Number(
        name=answer["name"].text,
        country=answer["country"].text,
        registrant=_registrant(answer),
        abuse=_abuse(answer),
        created=events.get("registration"),
        changed=events.get("last changed"),
    )
    return Resources(numbers=[found])


def related(answer: Json, asked: str) -> str | None:
    """The address of the registrar's own answer: the link with ``rel`` related that is RDAP and is not ``asked``.

    An absolute address as it stands in the answer, so nothing to trust: see :func:`fit`.
    """
    own = {link["href"].text for link in answer["links"] if link["rel"].text == "self"} | {asked}
    for link in answer["links"]:
        href, kind = link["href"].text, link["type"].text
        if link["rel"].text == "related" and href and href not in own and (kind or JSON).lower().startswith(JSON):
            return href
    return None


def fit(href: str, own: str | None) -> tuple[str, bool] | None:
    """Whether the address in a link may be asked: its origin, and whether it must be on the public Internet.

    An answer can name any address. It is asked by https alone, without credentials, and never on this machine or a
    private network; only what lies at the configured server ``own`` (a proxy, a stand-in) is as trusted as that is.
    """
    if len(href) > 2000 or not href.isprintable() or not href.isascii() or " " in href or "\\" in href:
        return None
    try:
        parts = urlsplit(href)
        if not parts.hostname or parts.port == 0 or "@" in parts.netloc:
            return None
        mine = urlsplit(own) if own else None
        if mine and (parts.scheme, parts.hostname, parts.port) == (mine.scheme, mine.hostname, mine.port):
            return f"{parts.scheme}://{parts.netloc}", False
    except ValueError:
        return None
    return (f"https://{parts.netloc}", True) if parts.scheme == "https" else None


def _is_about(answer: Json, name: str) -> bool:
    from cortex_grow.model.suffixes import to_ascii

    for key in ("ldhName", "unicodeName"):
        written = answer[key].text
        if written:
            try:
                return to_ascii(written).rstrip(".") == name
            except ValueError:
                return False
    return True


def _entities(answer: Json) -> Iterator[Json]:
    yield from answer["entities"].each()


def _with_role(answer: Json, role: str) -> Iterator[Json]:
    for entity in _entities(answer):
        if role in (text.lower() for text in entity["roles"].texts):
            yield entity


def _nested(answer: Json, role: str, depth: int = 0) -> Iterator[Json]:
    """Entities with a role, also those that are contacts of another entity."""
    yield from _with_role(answer, role)
    if depth < _DEEPEST:
        for entity in _entities(answer):
            yield from _nested(entity, role, depth + 1)


def _iana(row: Json) -> bool:
    return "iana" in (row["type"].text or "").lower()


def _values(entity: Json, name: str) -> Iterator[Json]:
    """The values of a property of an entity's jCard (RFC 7095, section 3.3: name, parameters, type, value)."""
    for row in entity["vcardArray"][1]:
        if (row[0].text or "").lower() == name:
            yield row[3]


def _card(entity: Json, name: str) -> str | None:
    """The first text of a property; a value may be a list (``org`` with its units)."""
    return next((text for value in _values(entity, name) for text in value.texts), None)


def _mails(entity: Json) -> Iterator[str]:
    for value in _values(entity, "email"):
        for text in value.texts:
            mail = mail_in(text.removeprefix("mailto:"))
            if mail:
                yield mail


def _registrant(answer: Json, name: str = "") -> Registrant:
    """The registrant: of the object itself, never of one of its contacts."""
    replaced = " ".join(_replaced(answer)) if name else ""
    withheld = None
    for entity in _with_role(answer, "registrant"):
        handle = entity["handle"].text
        organisation = None if "registrant organization" in replaced else _card(entity, "org")
        person = None if "registrant name" in replaced else _card(entity, "fn")
        if organisation in (None, handle) and person == handle:
            person = None
        shown = [] if "registrant email" in replaced else list(_mails(entity))
        standing = {text.lower() for text in entity["status"].texts} & STATUSES
        found = registrant_of(organisation, person, shown, name, standing=bool(standing))
        if found:
            return found
        withheld = withheld or found.withheld
    return Registrant(withheld=withheld)


def _replaced(answer: Json) -> Iterator[str]:
    """Names of fields whose value was replaced by another one (RFC 9537, section 4.2, ``replacementValue``)."""
    for row in answer["redacted"]:
        if (row["method"].text or "").lower() == "replacementvalue":
            yield (row["name"]["type"].text or row["name"]["description"].text or "").lower()


def _abuse(answer: Json) -> tuple[str, ...]:
    return tuple(dict.fromkeys(mail for entity in _nested(answer, "abuse") for mail in _mails(entity)))


def _name_servers(answer: Json) -> Iterator[NameServer]:
    for server in answer["nameservers"]:
        name = server["ldhName"].text or server["unicodeName"].text
        if name:
            addresses = server["ipAddresses"]
            yield NameServer(name.rstrip("."), (*addresses["v4"].texts, *addresses["v6"].texts))


def _events(answer: Json) -> dict[str, str]:
    """When what happened, the first of each kind."""
    found: dict[str, str] = {}
    for event in answer["events"]:
        action, moment = event["eventAction"].text, event["eventDate"].time
        if action and moment and not moment.startswith("1970-01-01"):
            found.setdefault(action.lower(), moment)
    return found


def _block(answer: Json, held: Address) -> Network | None:
    for row in answer["cidr0_cidrs"]:
        found = ranges.network(row["v4prefix"].text or row["v6prefix"].text, row["length"].number)
        if found is not None and found.version == held.version and held in found:
            return found
    start, end = ranges.address(answer["startAddress"].text), ranges.address(answer["endAddress"].text)
    return ranges.holding(start, end, held) or ranges.in_text(answer["handle"].text, held)
