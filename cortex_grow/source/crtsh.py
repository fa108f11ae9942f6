"""What crt.sh answers about a name (``output=json``): entries of the logs, put together to certificates and names.

An entry's ``name_value`` holds the names that match the question only, so names of other domains show in
``common_name``. A precertificate and its certificate are two entries with one issuer and serial number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from cortex_grow.model.indicator import Indicator, InvalidIndicator
from cortex_grow.model.report import earliest, latest
from cortex_grow.source.answer import Json

MOST_ENTRIES = 20_000  # crt.sh gives 10,000 at most


@dataclass(slots=True)
class Listed:
    """One certificate of the list: all entries with its issuer and serial number. ``id`` is that of the last entry.

    ``together``: the seed, or a name below it, is on it.
    """

    id: int
    issuer: str
    common_name: str
    not_before: str | None
    not_after: str | None
    logged: str | None
    names: set[str] = field(default_factory=set)
    together: bool = False


@dataclass(slots=True)
class Named:
    """One name, and the certificates that carry it.

    ``first_seen``: the earliest ``not_before``, since the authority vouches for the name from then on. ``last_seen``:
    the newest time at which an entry was logged; ``not_after`` is a promise. ``plain``: it stands there also without
    ``*.`` in front. ``together``: on a certificate with the seed.
    """

    indicator: Indicator
    certificates: set[tuple[str, ...]] = field(default_factory=set)
    newest: Listed | None = None
    first_seen: str | None = None
    last_seen: str | None = None
    plain: bool = False
    together: bool = False


class Listing:
    """The certificates and names of an answer about ``seed``, in the order in which they come (newest first)."""

    def __init__(self, seed: Indicator, body: Json) -> None:
        self.seed = seed
        self.certificates: dict[tuple[str, ...], Listed] = {}
        self.names: dict[str, Named] = {}
        self.entries = 0
        self.matches = 0  # of names, as crt.sh counts them: it stops at 10,000
        self._parsed: dict[str, Indicator | None] = {}
        for entry in islice(body, MOST_ENTRIES):
            self._add(entry)

    def _add(self, entry: Json) -> None:
        lines = [text for line in (entry["name_value"].text or "").splitlines() if (text := line.strip())]
        if "_" in self.seed.value and not any(self.seed.value in text.lower() for text in lines):
            return  # crt.sh takes "_" for any character
        self.entries += 1
        self.matches += max(len(lines), min(entry["result_count"].number or 0, 10_000))
        common_name = entry["common_name"].text or ""
        found = [
            (name, not text.startswith("*."))
            for text in dict.fromkeys((*lines, common_name))
            if (name := self._name(text))
        ]
        id = entry["id"].number or 0
        id = id if 0 < id < 1 << 63 else 0
        issuer, serial = entry["issuer_ca_id"].text, entry["serial_number"].text
        key = (issuer or "", serial) if serial else (str(id),)
        first, logged = entry["not_before"].time, entry["entry_timestamp"].time
        one = self.certificates.get(key)
        if one is None:
            authority, last = entry["issuer_name"].text or "", entry["not_after"].time
            one = self.certificates[key] = Listed(id, authority, common_name, first, last, logged)
        one.id = max(one.id, id)
        one.logged = latest(one.logged, logged)
        one.names.update(name.id for name, _ in found)
        one.together = one.together or any(covers(self.seed, name) for name, _ in found)
        for name, plain in found:
            named = self.names.setdefault(name.id, Named(name))
            named.certificates.add(key)
            named.newest = named.newest or one
            named.first_seen = earliest(named.first_seen, first)
            named.last_seen = latest(named.last_seen, logged)
            named.plain = named.plain or plain
            named.together = named.together or one.together

    def _name(self, text: str) -> Indicator | None:
        """The host or mail address that a line is; ``None`` for the names of persons, products and authorities."""
        if text not in self._parsed:
            name = text.removeprefix("*.")
            try:
                self._parsed[text] = Indicator.parse("mail" if "@" in name else "host", name) if "." in name else None
            except InvalidIndicator:
                self._parsed[text] = None
        return self._parsed[text]

    def worth_downloading(self) -> list[int]:
        """Numbers of the certificates that the seed is on: the newest of each set of names, newest first."""
        usable = [one for one in self.certificates.values() if one.together and one.id > 0]
        usable.sort(key=lambda one: (one.not_before or "", one.id), reverse=True)
        newest: dict[frozenset[str], int] = {}
        for one in usable:
            newest.setdefault(frozenset(one.names), one.id)
        return list(newest.values())


def covers(above: Indicator, name: Indicator) -> bool:
    """Whether ``name`` is ``above``, or lies below it by its labels."""
    return name.id == above.id or (name.type == "fqdn" and name.value.endswith(f".{above.value}"))


def registrable(name: Indicator) -> str:
    """The registrable domain that a host's name lies below; of anything else, its value."""
    if name.type != "fqdn":
        return name.value
    from cortex_grow.model import suffixes

    return suffixes.registrable(name.value) or ".".join(name.value.split(".")[-2:])


def hosts(texts: tuple[str, ...]) -> Iterator[Indicator]:
    """The hosts among the names of a certificate, each once, wildcards as what they stand below."""
    known: set[str] = set()
    for text in texts:
        try:
            host = Indicator.parse("host", text.removeprefix("*."))
        except InvalidIndicator:
            continue
        if host.id not in known:
            known.add(host.id)
            yield host
