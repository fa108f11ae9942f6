"""WHOIS texts as blocks of keys and values.

There is no standard: RFC 3912 says only that a text comes. Registries write ``key: value``, keys with dots behind them,
``[Key] value``, headings with lines below them, RPSL objects (RFC 2622) parted by blank lines, and mixtures. A block is
what stands under one heading, or between two blank lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

LONGEST = 1000
MOST = 20_000

# What a heading opens. Keys are folded: see :func:`fold`.
REGISTRANT = frozenset(
    {
        "registrant",
        "registrants",
        "holder",
        "domain holder",
        "holder of domain name",
        "owner",
        "owner contact",
        "titular",
        "registrant contact",
        "registrant contact information",
        "registrant information",
        "registrant details",
        "organization using domain name",
        "organisation using domain name",
        "domain owner",
    }
)
SERVERS = frozenset(
    {
        "name servers",
        "nameservers",
        "nservers",
        "name server",
        "name server information",
        "name servers information",
        "domain nameservers",
        "domain name servers",
        "domain servers",
        "domain servers in listed order",
        "nameserver in listed order",
        "nameservers in listed order",
        "primary name server",
        "secondary name server",
        "primary nameserver",
        "secondary nameservers",
        "servidores de nombres de dominios",
        "servidores de nombres de dominio",
        "dns servers",
        "name servers in the listed order",
        "delegated zone",
    }
)
REGISTRAR = frozenset({"registrar", "sponsoring registrar", "registrar information", "registrar of record"})
OTHERS = frozenset(
    {
        "admin",
        "admin contact",
        "admin contacts",
        "administrator",
        "administrative",
        "administrative contact",
        "administrative contacts",
        "administrative contact information",
        "administrative contact/agent",
        "contacto administrativo",
        "tech",
        "tech contact",
        "technical",
        "technical contact",
        "technical contacts",
        "technical contact information",
        "contacto tecnico",
        "contacto técnico",
        "billing contact",
        "billing contacts",
        "contacto de cobranza",
        "zone contact",
        "reseller",
        "abuse contact",
        "abuse contacts",
        "registration service provider",
        "contact information",
        "onsite",
        "keys",
    }
)
DOMAIN = ("domain", "domain name", "domainname", "nombre de dominio", "object", "ascii")
_HEADINGS = REGISTRANT | SERVERS | REGISTRAR | OTHERS
_COMMENT = re.compile(r"[%#;]|>>>|--|\*\*\*|\+\+\+|===")
_BRACKETED = re.compile(r"(?:[a-z]\. ?)?\[([^\[\]]{1,60})\]\s*(.*)")
_SAYS_ON = re.compile(r"((?:record|domain) (?:created|registered|expires|last updated|updated) on):? +(\d.*)", re.I)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: its key (folded; empty for a bare line), its value, and the line itself without the space around it."""

    key: str
    value: str
    line: str


@dataclass(slots=True)
class TextBlock:
    """What stands together. ``heading`` is folded, empty for a block without one."""

    heading: str = ""
    entries: list[Entry] = field(default_factory=list)

    def values(self, *keys: str) -> Iterator[str]:
        """The values of keys that are not empty, in the order of the text."""
        return (entry.value for entry in self.entries if entry.value and entry.key in keys)

    def first(self, keys: Iterable[str]) -> str | None:
        """The first value of the first of ``keys`` that has one."""
        for key in keys:
            found = next(self.values(key), None)
            if found:
                return found
        return None

    def has(self, *keys: str) -> bool:
        """Whether a key stands here, with a value or without."""
        return any(entry.key in keys for entry in self.entries)

    @property
    def head(self) -> Entry:
        """The line that says what the block is: the first with a key that is no warning (routing registries)."""
        return next((entry for entry in self.entries if entry.key not in ("", "warning")), self.entries[0])

    def bare(self) -> list[str]:
        """The lines without a key."""
        return [entry.line for entry in self.entries if not entry.key]


def fold(key: str) -> str:
    """A key as it is compared: lower case, one space, underscores as spaces, nothing in parentheses, no dots behind."""
    key = key[:300].lower().replace("(s)", "s").replace("(es)", "es").partition("(")[0]
    return " ".join(key.replace("_", " ").strip(" .*-…\t").split())


def lines(text: str) -> Iterator[str]:
    """The lines of a text, as many and as long as are read."""
    for count, line in enumerate(re.split(r"\r\n|\n|\r", text)):
        if count >= MOST:
            return
        yield line[:LONGEST].rstrip().expandtabs()


def blocks(text: str) -> list[TextBlock]:
    """The blocks of a text, in its order; comments are left out, but for those that are headings (hostmaster.ua)."""
    return [block for block in _blocks(list(lines(text))) if block.entries]


def _blocks(rows: list[str]) -> Iterator[TextBlock]:
    block = TextBlock()
    waiting = ""  # a key without a value, whose value may stand on the next line
    for count, row in enumerate(rows):
        # A registrar's text may begin on the last line of Verisign's: "…and Registrars.Registrant:".
        row = row.removeprefix("Registrars.")
        line = row.strip()
        heading = _heading(row, rows[count + 1] if count + 1 < len(rows) else "")
        if heading is not None:
            yield block
            block, waiting = TextBlock(heading[0]), ""
            if heading[1]:
                block.entries.append(Entry("", heading[1], heading[1]))
        elif not line:
            # A blank line may part a heading from what stands under it.
            if block.entries:
                yield block
                block = TextBlock()
            waiting = ""
        elif not _COMMENT.match(line):
            entry = _entry(line)
            if waiting and not entry.key:
                block.entries.append(Entry(waiting, entry.value, line))
            else:
                if entry.key and ((block.heading in SERVERS and not _of_servers(entry)) or _starts(entry, block)):
                    yield block
                    block = TextBlock()
                block.entries.append(entry)
            waiting = entry.key if entry.key and not entry.value else ""
    yield block


def _heading(row: str, next_row: str) -> tuple[str, str] | None:
    """The heading that a line is, and what of its block stands on the same line."""
    line = row.strip()
    comment = line.startswith(("%", "#"))
    plain = line.lstrip("%# ") if comment else line.removeprefix("**").strip()
    bracketed = _BRACKETED.fullmatch(plain)
    if bracketed:
        key = fold(bracketed[1])
        return (key, "") if not bracketed[2] and key in _HEADINGS else None
    key, colon, rest = plain.partition(":")
    folded, rest = fold(key), rest.strip()
    if folded not in _HEADINGS or (comment and (rest or not colon)):
        return None
    if rest:
        # "nameservers: dns1.example. [192.0.2.1]", with the others on lines of their own (NASK).
        return (folded, rest) if folded == "nameservers" and not _entry(next_row.strip()).key else None
    if folded in REGISTRANT or not colon:
        return folded, ""
    # "Reseller:" may be a field that is empty: then a field of another kind follows, no deeper than it.
    below = _entry(next_row.strip())
    deeper = len(next_row) - len(next_row.lstrip()) > len(row) - len(row.lstrip())
    return None if below.key and not deeper and below.key not in _BELOW else (folded, "")


def _entry(line: str) -> Entry:
    line = line.removeprefix("- ").strip()
    bracketed = _BRACKETED.fullmatch(line)
    if bracketed:
        return Entry(fold(bracketed[1]), bracketed[2].strip(), line)
    says = _SAYS_ON.match(line)
    if says:
        return Entry(fold(says[1]), says[2].strip(" ."), line)
    at = line.find(":")
    while line.startswith("://", at) and at > 0:
        at = line.find(":", at + 1)
    key = fold(line[:at]) if 0 < at <= 300 else ""
    return Entry(key, line[at + 1 :].lstrip(" .").rstrip(), line) if key else Entry("", line, line)


def _starts(entry: Entry, block: TextBlock) -> bool:
    """Whether an object begins here without a blank line before it (CZ.NIC's software, NIC.AT)."""
    starts = entry.key in ("contact", "nsset", "keyset", "personname")
    if entry.key == "nsset" and block.has(*DOMAIN):
        starts = block.has("contact", "expire")
    return starts and not block.heading and bool(block.entries) and not block.has("nic-hdl")


def _of_servers(entry: Entry) -> bool:
    """Whether a line with a key belongs to a list of name servers: an address behind the name holds colons too."""
    return entry.key in NAME_SERVER_KEYS or entry.key in ("handle", "changed") or "." in entry.key.split(" ")[0]


NAME_SERVER_KEYS = frozenset(
    {
        "nserver",
        "nservers",
        "name server",
        "name servers",
        "nameserver",
        "nameservers",
        "domain nameservers",
        "dns",
        "ns",
        "hostname",
        "host name",
        "primary server",
        "secondary server",
        "primary dns",
        "secondary dns",
        "primary nameserver",
        "secondary nameserver",
        "호스트이름",
    }
    | {f"ns name {number:02d}" for number in range(1, 14)}
    | {f"ns {number}" for number in range(1, 14)}
    | {f"ns{number}" for number in range(1, 14)}
    | {f"name server {number}" for number in range(1, 14)}
    | {f"nameserver {number}" for number in range(1, 14)}
    | {f"dns{number}" for number in range(1, 14)}
)
# Keys that stand directly under a heading, no deeper than it.
_BELOW = NAME_SERVER_KEYS | {
    "name",
    "organization",
    "organisation",
    "org",
    "person",
    "company",
    "type",
    "handle",
    "nic handle",
    "email",
    "e-mail",
    "given name",
    "organization name",
    "changed",
    "url",
}
