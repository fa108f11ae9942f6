"""The registration of a name out of a WHOIS text."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cortex_grow.source.registration import dates, lines
from cortex_grow.source.registration.contacts import mail_in, mails_in, registrant_of
from cortex_grow.source.registration.lines import NAME_SERVER_KEYS, TextBlock
from cortex_grow.source.registration.record import NameServer, Registrant, Registration
from cortex_grow.source.registration.withheld import nobody

# Keys of the registrant wherever they stand.
_FLAT_ORGANISATION = (
    "registrant organization",
    "registrant organisation",
    "registrant org",
    "registrant company",
    "owner organization",
    "owner organisation",
)
_FLAT_NAME = (
    "registrant name",
    "owner name",
    "registrant contact name",
    "registrant",
    "holder",
    "domain holder",
    "owner",
)
_FLAT_MAIL = (
    "registrant email",
    "registrant e-mail",
    "registrant contact email",
    "registrant contact e-mail",
    "owner email",
    "owner e-mail",
    "holder email",
)
# Keys that name the block of a contact elsewhere in the text.
_BY_HANDLE = ("registrant", "holder", "holder-c", "domain holder handle", "registrant-c")
_HANDLES = ("nic-hdl", "nic-hdl-br", "nic handle", "contact", "contact id", "contact handle", "handle", "norid handle")
_ORGANISATION = (
    "organization",
    "organisation",
    "org",
    "organization name",
    "organisation name",
    "org-name",
    "organization-loc",
    "company",
    "company name",
    "company english name",
    "company chinese name",
)
_NAME = ("name", "person", "person-loc", "personname", "contact", "role", "contact name", "full name", "owner")
_MAIL = ("email", "e-mail", "email address", "e-mail address", "mail", "holder email", "electronic mail")
_IN_DOMAIN = ("org", "organization", "organisation", "owner", "person")
_REGISTRAR = (
    "registrar",
    "registrar name",
    "registrar-name",
    "sponsoring registrar",
    "current registar",
    "current registrar",
    "authorized agency",
    "registrar of record",
    "registration service provider",
)
_STATUS = ("domain status", "status", "eppstatus", "epp status", "state", "registration status", "query status")
_CREATED = (
    "created",
    "creation date",
    "created on",
    "created date",
    "registered",
    "registered on",
    "registered date",
    "registration date",
    "registration time",
    "record created",
    "record created on",
    "domain created",
    "domain created on",
    "domain registered on",
    "domain name commencement date",
    "domain registration date",
    "domain dateregistered",
    "first registration date",
    "activated on",
    "assigned",
    "fecha de creación",
    "fecha de creacion",
)
_CHANGED = (
    "updated date",
    "last updated",
    "last updated on",
    "last updated date",
    "updated",
    "changed",
    "modified",
    "last modified",
    "last-update",
    "last update",
    "last-updated",
    "modification date",
    "domain datelastmodified",
    "record last updated on",
    "ultima actualización",
)
_EXPIRES = (
    "registry expiry date",
    "expiry date",
    "expiration date",
    "registrar registration expiration date",
    "expiration time",
    "expires",
    "expires on",
    "expires at",
    "expires on date",
    "expire",
    "expire date",
    "expire-date",
    "paid-till",
    "valid until",
    "validity",
    "renewal date",
    "record expires on",
    "fecha de vencimiento",
)
_ANYWHERE = {"domain name commencement date", "expiry date"}
_SIGNED = {"signed", "signed delegation", "signeddelegation", "yes", "y", "active"}
_UNSIGNED = {"unsigned", "unsigned delegation", "no", "n", "inactive", "not signed"}
_ROLES = lines.REGISTRANT | lines.REGISTRAR | lines.OTHERS
_HOST = re.compile(
    r"(?=.{4,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.){1,20}[a-z][a-z0-9-]{0,61}[a-z0-9]", re.I
)


_HANDLE = re.compile(r"(?=\D*\d)[A-Z0-9]{1,30}(?:-[A-Z0-9]{1,30}){0,3}")


@dataclass(slots=True)
class Reading:
    """What was read of a name, and which of its dates and other facts the text has a line for, readable or not."""

    registration: Registration
    seen: set[str] = field(default_factory=set)

    @property
    def record(self) -> bool:
        """Whether the text is the record of a registration."""
        found = self.registration
        return bool(
            found.registrant
            or found.registrant.withheld
            or found.name_servers
            or found.registrar
            or found.registrar_id
            or self.seen & {"created", "expires"}
        )


def read(text: str, name: str) -> Reading:
    """Read the text of a WHOIS server about ``name``: the layouts of the registries, told apart by their lines."""
    # Old answers of the .com registry list hosts of others whose names begin with the name asked for.
    found = [block for block in lines.blocks(text) if not block.has("server name")]
    facts = [block for block in found if block.heading not in _ROLES and not _of_contact(block)]
    seen: set[str] = set()
    moments = {}
    for what, keys in (("created", _CREATED), ("changed", _CHANGED), ("expires", _EXPIRES)):
        value = _dated(facts, keys) or _dated(found, [key for key in keys if key in _ANYWHERE])
        if value:
            seen.add(what)
            moments[what] = dates.moment(value)
    everywhere = TextBlock(entries=[entry for block in found for entry in block.entries])
    signed = (everywhere.first(("dnssec", "dnssec signed", "domain signed", "signed")) or "").lower()
    number = everywhere.first(("registrar iana id",)) or ""
    registration = Registration(
        registrant=_registrant(found, name),
        name_servers=tuple(_name_servers(found, name)),
        registrar=_registrar(found, facts),
        registrar_id=number if number.isdecimal() else None,
        registrar_abuse=tuple(
            mail for value in everywhere.values("registrar abuse contact email") if (mail := mail_in(value))
        ),
        statuses=tuple(dict.fromkeys(_statuses(facts))),
        created=moments.get("created"),
        changed=moments.get("changed"),
        expires=moments.get("expires"),
        dnssec=True if signed in _SIGNED else False if signed in _UNSIGNED else None,
    )
    return Reading(registration, seen)


def _of_contact(block: TextBlock) -> bool:
    """Whether a block without a heading is that of a contact: it has a handle, and no name of a domain."""
    return not block.has(*lines.DOMAIN) and block.has(
        "nic-hdl", "nic-hdl-br", "nic handle", "contact", "contact id", "person"
    )


def _dated(found: Iterable[TextBlock], keys: Iterable[str]) -> str | None:
    wanted = tuple(keys)
    return next((value for block in found for value in block.values(*wanted)), None)


def _registrant(found: list[TextBlock], name: str) -> Registrant:
    """The first of the places where a registrant may stand that names one."""
    withheld = None
    for organisation, person, mails in _candidates(found, name):
        registrant = registrant_of(organisation, person, mails, name)
        if registrant:
            return registrant
        withheld = withheld or registrant.withheld
    return Registrant(withheld=withheld)


Contact = tuple[str | None, str | None, list[str]]


def _candidates(found: list[TextBlock], name: str) -> Iterator[Contact]:
    handle = _handle(found)
    block = _block_of(found, handle) if handle else None
    if handle and block is not None:
        yield _contact(block, handle)
    plain = TextBlock(entries=[entry for one in found if one.heading not in lines.OTHERS for entry in one.entries])
    named = plain.first(_FLAT_NAME)
    if named and named == handle and (block is not None or _is_handle(named, found)):
        named = None
    mails = [mail for value in plain.values(*_FLAT_MAIL) if (mail := mail_in(value))]
    yield plain.first(_FLAT_ORGANISATION), named, mails[:1]
    for block in found:
        if block.heading in lines.REGISTRANT:
            yield _contact(block)
    for block in found:
        if not block.heading and block.has(*lines.DOMAIN):
            yield block.first(_IN_DOMAIN), None, []
    if name.endswith(".il"):
        # ISOC-IL: the holder and its address are lines with one key, the mail stands with them.
        described = next((block for block in found if block.has("descr")), TextBlock())
        yield described.first(("descr",)), None, _mails(described)


def _handle(found: list[TextBlock]) -> str | None:
    return next(
        (value for key in _BY_HANDLE for block in found if not block.heading for value in block.values(key)), None
    )


def _block_of(found: list[TextBlock], handle: str) -> TextBlock | None:
    for block in found:
        if not block.has(*lines.DOMAIN) and handle.lower() in (value.lower() for value in block.values(*_HANDLES)):
            return block
    return None


def _is_handle(value: str, found: list[TextBlock]) -> bool:
    """Whether a registrant is only the handle of a contact that the text does not show."""
    if " " in value:
        return False
    objects = any(block.has("admin-c", "tech-c", "nsset") for block in found)
    return objects or (len(value) > 4 and _HANDLE.fullmatch(value) is not None)


def _contact(block: TextBlock, handle: str = "") -> Contact:
    """Organisation, name and mails of a contact's block, with keys or without."""
    organisation = next((value for key in _ORGANISATION for value in block.values(key) if not nobody(value)), None)
    person = next(
        (
            value
            for key in _NAME
            for value in block.values(key)
            if not nobody(value) and value.lower() != handle.lower()
        ),
        None,
    )
    bare = block.bare()
    mails = _mails(block) or [mail for line in bare for mail in mails_in(line)]
    if not organisation and not person and bare:
        person = bare[0]
        for mail in mails_in(person):
            person = person.replace(mail, "")
        person = person.strip(" ,;<>") or None
    return organisation, person, mails


def _mails(block: TextBlock) -> list[str]:
    return [mail for value in block.values(*_MAIL) if (mail := mail_in(value))]


def _name_servers(found: list[TextBlock], name: str) -> Iterator[NameServer]:
    servers: dict[str, list[str]] = {}
    for block in found:
        listed = block.heading in lines.SERVERS
        for entry in block.entries:
            if entry.key in NAME_SERVER_KEYS:
                text = entry.value
            elif listed:
                text = entry.line
            else:
                continue
            words = re.split(r"[\s,|()\[\]]+", text[:400].strip())
            host = words[0].strip(".").lower() if words else ""
            # Keys such as DNS: may hold the name asked for; it is no name server of its own here.
            if _HOST.fullmatch(host) and host != name and not nobody(host):
                servers.setdefault(host, []).extend(word for word in words[1:] if _is_address(word))
    for host, addresses in servers.items():
        yield NameServer(host, tuple(dict.fromkeys(addresses)))


def _is_address(word: str) -> bool:
    try:
        ipaddress.ip_address(word)
    except ValueError:
        return False
    return True


def _registrar(found: list[TextBlock], facts: list[TextBlock]) -> str | None:
    flat = next((value for block in facts for key in _REGISTRAR for value in block.values(key)), None)
    if flat and not flat.lower().startswith("no registrar"):
        for block in found:
            # SK-NIC: the registrar is a handle, explained by a block that begins with it.
            if block.entries[0].key == "registrar" and block.entries[0].value == flat:
                flat = block.first(("organization", "organisation", "name")) or flat
        return flat.partition(" ( http")[0].partition("(http")[0].strip()
    for block in found:
        if block.heading in lines.REGISTRAR:
            return block.first(("organization", "organisation", "name", "registrar name", "registrar")) or next(
                iter(block.bare()), None
            )
    return None


def _statuses(facts: list[TextBlock]) -> Iterator[str]:
    for block in facts:
        for value in block.values(*_STATUS):
            yield re.split(r"\s+(?:https?://|\(|- )", value)[0].strip()
