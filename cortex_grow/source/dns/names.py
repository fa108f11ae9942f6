"""Records at a name, as facts (RFC 1035, 7208 for SPF, 7489 for DMARC, 8659 for CAA)."""

from __future__ import annotations

from collections.abc import Iterator

from cortex_grow.model.indicator import Indicator
from cortex_grow.source.answer import Json
from cortex_grow.source.facts import Fact, Found, Known, Related, Rows, found

KINDS = ("A", "AAAA", "MX", "NS", "SOA", "TXT", "CAA")
SPF = "v=spf1"
DMARC = "v=dmarc1"


def records(seed: Indicator, body: Json, when: str) -> Iterator[Fact]:
    """What stands at the name. ``when`` is the time of the answer, ISO 8601 in UTC."""
    for source, target in ((entry[0].text, entry[1].text) for entry in body["aliases"]):
        yield Related(found("host", source), "alias-of", found("host", target), last_seen=when)
    owner = found("host", body["owner"].text or seed.value)
    for kind in ("A", "AAAA"):
        for address in body["records"][kind].texts:
            yield Related(owner, "resolves-to", found("ip", address), last_seen=when)
            yield Related(seed, "resolves-to", found("ip", address), last_seen=when)
    for text in body["records"]["NS"].texts:
        yield Related(seed, "delegated-to", found("host", _dotless(text)), last_seen=when)
    for text in body["records"]["MX"].texts:
        preference, _, exchanger = text.partition(" ")
        context = {"preference": preference}
        yield Related(seed, "mail-handled-by", _host(exchanger), last_seen=when, context=context)
    yield from _authority(seed, body, when)
    yield from _texts(seed, body, when)
    issuers = [text.split(" ", 2) for text in body["records"]["CAA"].texts]
    yield Rows(
        "Certificate authorities allowed (CAA)", ["property", "value"], [row[1:] for row in issuers if len(row) == 3]
    )


def _authority(seed: Indicator, body: Json, when: str) -> Iterator[Fact]:
    """SOA: the primary name server, and the mailbox of who is responsible, written as a host name."""
    for text in body["records"]["SOA"].texts:
        fields = text.split()
        if len(fields) < 7:
            continue
        yield Related(seed, "delegated-to", _host(fields[0]), last_seen=when)
        yield Related(found("mail", mailbox(fields[1])), "contact-for", seed, last_seen=when)
        yield Known("Authority (SOA)", {"primary": _dotless(fields[0]), "serial": fields[2], "refresh": fields[3]})


def mailbox(rname: str) -> str | None:
    """The mail address that an SOA's RNAME stands for: the first unescaped dot is the at sign (RFC 1035, 8)."""
    local, position = "", 0
    while position < len(rname):
        character = rname[position]
        if character == "\\" and position + 1 < len(rname):
            local += rname[position + 1]
            position += 2
        elif character == ".":
            domain = _dotless(rname[position + 1 :])
            return f"{local}@{domain}" if local and domain else None
        else:
            local += character
            position += 1
    return None


def _texts(seed: Indicator, body: Json, when: str) -> Iterator[Fact]:
    tokens = []
    for text in body["records"]["TXT"].texts:
        if text.lower().startswith(SPF):
            yield from _senders(seed, text, when)
            yield Known("Mail senders (SPF)", {"policy": text})
        elif "=" in text and " " not in text.strip():
            tokens.append(text.partition("=")[::2])
        else:
            tokens.append(("", text))
    yield Rows("Verification tokens and other texts", ["name", "value"], tokens)
    for text in body["dmarc"].texts:
        if text.lower().startswith(DMARC):
            yield Known("Mail policy (DMARC)", {"policy": text})
            for address in _reports(text):
                yield Related(found("mail", address), "contact-for", seed, last_seen=when)


def _senders(seed: Indicator, policy: str, when: str) -> Iterator[Fact]:
    """Whom the SPF policy lets send: only terms that allow (no qualifier, or +)."""
    for term in policy.split()[1:200]:
        allowed = term.removeprefix("+")
        if allowed[:1] in "-~?":
            continue
        name, _, value = allowed.partition("=" if allowed.lower().startswith("redirect=") else ":")
        kind = name.lower()
        if not value or "%" in value:  # a macro names no host
            continue
        if kind in ("include", "redirect", "a", "mx", "exists"):
            yield Related(seed, "authorises-sender", _host(value.partition("/")[0]), last_seen=when)
        elif kind in ("ip4", "ip6"):
            yield Related(seed, "authorises-sender", _range(value), last_seen=when)


def _range(text: str) -> Found:
    address, slash, length = text.partition("/")
    single = not slash or length == ("128" if ":" in address else "32")
    return found("ip", address) if single else found("network", text)


def _reports(policy: str) -> list[str]:
    """The mail addresses of a DMARC policy's reports."""
    addresses = []
    for tag in policy.split(";"):
        name, _, value = tag.strip().partition("=")
        if name.strip().lower() in ("rua", "ruf"):
            for uri in value.split(","):
                scheme, _, address = uri.strip().partition(":")
                if scheme.lower() == "mailto":
                    addresses.append(address.partition("!")[0].strip())
    return list(dict.fromkeys(addresses))[:10]


def _dotless(text: str) -> str:
    return text.strip().removesuffix(".").lower()


def _host(text: str) -> Found:
    """A host, or nothing for the root (a null MX: the domain takes no mail)."""
    return found("host", _dotless(text) or None)
