"""Records at a name, as facts (RFC 1035, 7208 for SPF, 7489 for DMARC, 8659 for CAA).

The part ``records`` about a name holds one answer by kind (:data:`KINDS` and :data:`DMARC`): ``values``, the name that
they stand at as ``owner``, the chain of ``aliases`` to it, whether its end ``exists``, how many there were in
``total``, and, where that is not the time of the whole part, when it was answered as ``as_of``.
"""

from __future__ import annotations

from collections.abc import Iterator

from cortex_grow.model.indicator import Indicator
from cortex_grow.source.answer import Json
from cortex_grow.source.facts import Cut, Fact, Found, Known, Related, Rows, Summary, found

KINDS = ("A", "AAAA", "MX", "NS", "SOA", "TXT", "CAA")
DMARC = "DMARC"  # the texts at _dmarc below the name
MOST_SENDERS = 300
MOST_REPORTS = 20

# Mechanisms of SPF that name senders (RFC 7208, 5). Read without regular expressions: those a job has to compile.
_MECHANISMS = frozenset({"include", "a", "mx", "ptr", "ip4", "ip6"})


def question(name: str, kind: str) -> tuple[str, str]:
    """What is asked for one kind: a name and a type of the DNS."""
    return (f"_dmarc.{name}", "TXT") if kind == DMARC else (name, kind)


def records(seed: Indicator, body: Json, when: str) -> Iterator[Fact]:
    """What stands at the name. ``when`` is the time of the answer, ISO 8601 in UTC."""
    entries = {kind: body[kind] for kind in KINDS}
    chain = []
    for entry in entries.values():
        for link in entry["aliases"]:
            name, target = link[0].text, link[1].text
            chain.append(target)
            yield Related(found("domain", name), "alias-of", found("domain", target), last_seen=seen(entry, when))
    if chain and not any(entry["exists"].flag for entry in entries.values()):
        yield Known("Alias", {"leads to": chain[-1], "which": "does not exist (NXDOMAIN)"})
    yield from _addresses(seed, entries, when)
    yield from _mail(seed, entries["MX"], when)
    yield from _zone(seed, entries["NS"], entries["SOA"], when)
    yield from _texts(seed, entries, when)
    yield from _dmarc(seed, body[DMARC], when)
    yield from _certificates(seed, entries["CAA"], when)
    for kind, entry in entries.items():
        kept, total = len(entry["values"]), entry["total"].number or 0
        if total > kept:
            yield Cut(f"{kind} records", total, kept, "of one kind of record this many are read")


def seen(entry: Json, when: str) -> str:
    """When an entry of a part was answered, where the part as a whole was at ``when``."""
    return entry["as_of"].time or when


def _owner(seed: Indicator, entry: Json) -> Found:
    """The name that records stand at: the end of the aliases."""
    return found("domain", entry["owner"].text or seed.value)


def _addresses(seed: Indicator, entries: dict[str, Json], when: str) -> Iterator[Fact]:
    count = 0
    for kind in ("A", "AAAA"):
        entry = entries[kind]
        owner = _owner(seed, entry)
        for address in entry["values"].texts:
            count += 1
            yield Related(owner, "resolves-to", found("ip", address), last_seen=seen(entry, when))
            if owner.value != seed.value:
                through = {"through": owner.value}
                yield Related(seed, "resolves-to", found("ip", address), last_seen=seen(entry, when), context=through)
    yield Summary("addresses", str(count))


def _mail(seed: Indicator, entry: Json, when: str) -> Iterator[Fact]:
    for text in entry["values"].texts:
        preference, _, exchanger = text.partition(" ")
        if exchanger == ".":
            yield Known("Mail", {"MX": "null: the domain takes no mail (RFC 7505)"})
            continue
        context = {"preference": preference}
        target = found("domain", exchanger)
        yield Related(_owner(seed, entry), "mail-handled-by", target, last_seen=seen(entry, when), context=context)


def _zone(seed: Indicator, servers: Json, authority: Json, when: str) -> Iterator[Fact]:
    """NS is the delegation. SOA names the primary, which may be a hidden one, and a mailbox written as a name."""
    names = servers["values"].texts
    for name in names:
        yield Related(_owner(seed, servers), "delegated-to", found("domain", name), last_seen=seen(servers, when))
    for text in authority["values"].texts:
        fields = text.split()
        if len(fields) != 7:
            continue
        owner, (primary, mailbox, serial, *_) = _owner(seed, authority), fields
        when = seen(authority, when)
        if primary not in names and primary != ".":
            context = {"record": "SOA: the zone's primary server, not among those it is delegated to"}
            yield Related(owner, "related-to", found("domain", primary), last_seen=when, context=context)
        mail = found("mail", mail_of(mailbox))
        yield Related(mail, "contact-for", owner, last_seen=when, context={"record": "SOA"})
        yield Known("Authority (SOA)", {"primary": primary, "responsible": mail.value, "serial": serial})


def mail_of(rname: str) -> str | None:
    """The mail address that an SOA's RNAME stands for: the first label is the part before the at sign (RFC 1035, 8).

    ``None`` where it is none. A mail address written in place of the name, ``admin\\@a.example``, is read as what is
    meant.
    """
    local, position = "", 0
    while position < len(rname) and rname[position] != ".":
        octet, step = rname[position], 1
        if octet == "\\":  # \\. or \\046 (RFC 1035, 5.1)
            code = rname[position + 1 : position + 4]
            octet, step = (chr(int(code)), 4) if len(code) == 3 and code.isdecimal() else (code[:1], 2)
        local, position = local + octet, position + step
    domain = rname[position + 1 :]
    if not local or not domain or not all("!" <= letter <= "~" for letter in local):
        return None
    return f"{local}.{domain}" if "@" in local else f"{local}@{domain}"


def _texts(seed: Indicator, entries: dict[str, Json], when: str) -> Iterator[Fact]:
    texts, when = entries["TXT"]["values"].texts, seen(entries["TXT"], when)
    policies = [text for text in texts if text.partition(" ")[0].lower() == "v=spf1"]  # a word of its own (4.5)
    several = len(policies) > 1
    note = "one of several SPF records: receivers take none of them (RFC 7208, 4.5)" if several else None
    for policy in policies:
        yield Known("Mail senders (SPF)", {"policy": policy, "note": note})
        senders = list(_senders(policy, entries))
        for term, target in senders[:MOST_SENDERS]:
            context = {"record": f"SPF: {term}", "policy": note}
            owner = _owner(seed, entries["TXT"])
            yield Related(owner, "authorises-sender", target, last_seen=when, context=context)
        if len(senders) > MOST_SENDERS:
            why = "of one policy this many senders are read"
            yield Cut("senders in the SPF policy", len(senders), MOST_SENDERS, why)
    rows = []
    for text in texts:
        if text not in policies:
            name, equals, value = text.partition("=")
            rows.append((name, value) if equals and name and value and len(text.split()) == 1 else ("text", text))
    yield Rows("Verification tokens and other texts", ["name", "value"], rows)


def _senders(policy: str, entries: dict[str, Json]) -> Iterator[tuple[str, Found]]:
    """Whom a policy lets send, with the term that does (RFC 7208).

    Only mechanisms that pass count (4.6.2), up to ``all`` (5.1), and ``redirect`` where there is none (6.1). ``exists``
    names no sender, and neither does a name with a macro in it (7).
    """
    redirect = None
    for term in policy.split()[1:]:
        mechanism = term.removeprefix("+")
        if mechanism.lower() in ("all", "-all", "~all", "?all"):
            return
        if mechanism.lower().startswith("redirect="):
            redirect = redirect or mechanism
            continue
        head, colon, value = mechanism.partition(":")
        kind, slash, length = head.partition("/")
        if kind.lower() in _MECHANISMS and bool(colon) is bool(value) and not (slash and colon):
            yield from ((term, target) for target in _allowed(kind.lower(), value, length, entries))
    if redirect:
        yield from ((redirect, target) for target in _allowed("redirect", redirect[9:], "", entries))


def _allowed(kind: str, value: str, length: str, entries: dict[str, Json]) -> Iterator[Found]:
    """The senders of one mechanism: addresses, networks or a host.

    ``length`` is that of a prefix behind the mechanism itself: ``28`` for IPv4, ``28//64`` and ``/64`` for both.
    """
    if kind in ("ip4", "ip6"):
        if (":" in value) is (kind == "ip6"):
            yield from _range(*value.partition("/")[::2])
    elif value:
        host = value.partition("/")[0].rstrip(".").lower()
        if "%" not in host:
            yield found("domain", host)
    elif kind == "a":
        four, _, six = length.partition("/")
        for address in entries["A"]["values"].texts:
            yield from _range(address, four)
        for address in entries["AAAA"]["values"].texts:
            yield from _range(address, six.removeprefix("/"))
    elif kind == "mx":
        for text in entries["MX"]["values"].texts:
            yield found("domain", text.partition(" ")[2].removesuffix("."))


def _range(address: str, length: str) -> Iterator[Found]:
    """An address or network; nothing for the whole of the internet."""
    if not length or length == ("128" if ":" in address else "32"):
        yield found("ip", address)
    elif length.strip("0"):
        yield found("network", f"{address}/{length}")


def _dmarc(seed: Indicator, entry: Json, when: str) -> Iterator[Fact]:
    policies = [text for text in entry["values"].texts if _is_dmarc(text)]
    for policy in policies:
        # RFC 7489, 6.6.3: more than one is as good as none.
        note = "one of several DMARC records: receivers take none of them" if len(policies) > 1 else None
        yield Known("Mail policy (DMARC)", {"policy": policy, "note": note})
        for tag, address in list(dict.fromkeys(_reports(policy)))[:MOST_REPORTS]:
            context = {"record": f"DMARC: {tag}"}
            mail = found("mail", address)
            yield Related(mail, "contact-for", seed, last_seen=seen(entry, when), context=context)


def _is_dmarc(text: str) -> bool:
    """Whether a text begins with ``v=DMARC1``, the version in capitals (RFC 7489, 6.4)."""
    tag, _, version = text.partition(";")[0].partition("=")
    return tag.strip().lower() == "v" and version.strip() == "DMARC1"


def _reports(policy: str) -> Iterator[tuple[str, str]]:
    """Where reports go: the tag and the mail address, a size limit behind ``!`` left out (RFC 7489, 6.2)."""
    for part in policy.split(";"):
        tag, _, value = part.partition("=")
        tag = tag.strip().lower()
        if tag in ("rua", "ruf"):
            for uri in value.split(","):
                if address := mail_uri(uri.partition("!")[0]):
                    yield tag, address


def mail_uri(uri: str) -> str | None:
    """The mail address of a ``mailto:`` URI (RFC 6068), ``None`` for any other."""
    scheme, _, address = uri.strip().partition(":")
    if scheme.lower() != "mailto":
        return None
    from urllib.parse import unquote

    return unquote(address.partition("?")[0]).strip() or None


def _certificates(seed: Indicator, entry: Json, when: str) -> Iterator[Fact]:
    """Who may issue certificates, and who is told of attempts (RFC 8659, 4)."""
    rows = []
    for text in entry["values"].texts:
        flags, tag, value = [*text.split(" ", 2), "", ""][:3]
        critical = flags.isdecimal() and int(flags) & 128
        rows.append((tag, value or "-", "yes" if critical else "no"))
        if tag.lower() == "iodef" and (address := mail_uri(value)):
            context = {"record": "CAA: iodef"}
            mail, owner = found("mail", address), _owner(seed, entry)
            yield Related(mail, "contact-for", owner, last_seen=seen(entry, when), context=context)
    yield Rows("Certificate authorities allowed (CAA)", ["property", "value", "critical"], rows)
