"""The operator's own lists: what is theirs, what is noise to them, what is known bad to them.

Three settings, each a text, or a list of texts, of entries one a line (``#`` begins a comment):

``own_assets``
    domains (all names below them and mail at them included), ``@domain`` (mail at that very domain only), addresses and
    networks. What is own is not asked of others.
``allow_list``, ``deny_list``
    any value: a domain (names below it included), address, network, URL (exactly that one), digest, mail, ``@domain``,
    or ``type:value`` for a type of the pack that cannot be told by its looks, such as ``mutex:Global\\x``.

An entry that begins with ``/``, ``./``, ``../``, ``~/`` or ``file:`` names a file of such entries, as does one behind
an ``@`` (``@https://intranet.example/own.txt``, ``@/etc/own.txt``); in ``own_assets`` an ``http(s)`` URL as well.
This module opens files but no connections: the caller passes a function that fetches (and caches) an URL.
"""

from __future__ import annotations

import os

from cortex_grow.hygiene import internal
from cortex_grow.hygiene.errors import AssetsError
from cortex_grow.hygiene.kinds import TYPES, fold, host_of, ipv4, ipv6

TYPE_CHECKING = False  # as in typing, which a job can spare (7 ms); type checkers know the name
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from cortex_grow.model.indicator import Indicator

    Fetch = Callable[[str], str | bytes]

SETTINGS = ("own_assets", "allow_list", "deny_list")
_FILE = ("/", "./", "../", "~/", "file:")
_WEB = ("http://", "https://")
# Types that an entry may name in front of its value; those that a value tells by its looks are not needed.
_NAMED = frozenset(TYPES) | {
    "ja3", "ja3s", "jarm", "hassh", "imphash", "favicon", "mutex", "organisation", "cve", "registry", "mail-subject",
    "uri_path", "regexp", "rule", "family", "actor", "technique",
}  # fmt: skip
_HOSTS = frozenset({"domain", "fqdn", "hostname"})
_LONGEST_LINE = 4096
_LARGEST_FILE = 64 << 20


class Problem:
    """A line of an operator's list that cannot be used: where it stands (file and line), what it is, what is wrong."""

    __slots__ = ("line", "text", "where", "why")

    def __init__(self, where: str, line: int, text: str, why: str) -> None:
        self.where, self.line, self.text, self.why = where, line, text, why

    def __str__(self) -> str:
        shown = self.text if len(self.text) <= 80 else f"{self.text[:79]}…"
        shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in shown)
        return f"{self.where}:{self.line}: {shown!r} {self.why}; the line is left out"


class Entries:
    """One of the three lists, ready to be looked up. ``origin`` of a hit tells the entry and where it stands."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[Problem] = []
        self._names: dict[str, str] = {}
        self._mails: dict[str, str] = {}
        self._values: dict[tuple[str, str], str] = {}
        self._nets: dict[tuple[int, int], dict[int, str]] = {}

    def __len__(self) -> int:
        flat = len(self._names) + len(self._mails) + len(self._values)
        return flat + sum(len(table) for table in self._nets.values())

    def add(self, text: str, where: str, line: int, own: bool) -> None:
        """Take in one line; what is wrong with it goes to :attr:`problems`."""
        entry = text.partition(" #")[0].partition("\t#")[0].strip()
        if not entry or entry.startswith("#"):
            return
        if len(entry) > _LONGEST_LINE:
            wrong: str | None = "is longer than any indicator"
        else:
            wrong = self._put(entry, f"{entry} ({where}:{line})", own)
        if wrong:
            self.problems.append(Problem(where, line, entry, wrong))

    def _put(self, entry: str, origin: str, own: bool) -> str | None:
        """Store an entry; what is wrong with it, or None."""
        label, colon, value = entry.partition(":")
        if not own and colon and label.lower() in _NAMED:
            kind = label.lower()
            if kind not in ("ip", "network", *_HOSTS):
                value = value.strip()
                if not value:
                    return "has no value"
                self._values[kind, fold(value)] = origin
                return None
            entry = value.strip()
        if "://" in entry:
            if own:
                return "is an URL: own assets are domains, addresses and networks"
            self._values["", fold(entry)] = origin
            return None
        network = _network(entry)
        if network is not None:
            version, number, length = network
            if length < 0:
                return "is no network: the address does not fit the length of its prefix"
            if own and length < (8 if version == 4 else 16):
                return "is too wide to be anyone's own network"
            self._nets.setdefault((version, length), {})[number >> ((32 if version == 4 else 128) - length)] = origin
            return None
        if "@" in entry:
            local, _, domain = entry.rpartition("@")
            name = _name(domain)
            if name is None:
                return "is neither a mail address nor a mail domain"
            if local:
                self._values["mail", f"{fold(local)}@{name}"] = origin
            else:
                self._mails[name] = origin
            return None
        if not own and len(entry) in (32, 40, 56, 64, 96, 128) and not set(entry.lower()) - set("0123456789abcdef"):
            self._values["", fold(entry)] = origin
            return None
        name = _name(entry)
        if name is None or ("." not in name and own):
            return "is neither a domain nor an address nor a network" + (
                "" if own else "; name its type, as in mutex:value"
            )
        self._names[name] = origin
        return None

    def host(self, host: str) -> str | None:
        """The entry that holds a host, an address or a name, or None."""
        number = ipv4(host)
        if number < 0:
            number = internal.legacy(host)
        if number >= 0:
            return self.network(4, number, 32)
        number = ipv6(host)
        if number >= 0:
            return self.network(6, number, 128)
        name = host.rstrip(".")
        if len(name) > 1024:
            name = name[-1024:].partition(".")[2]
        while name:
            if name in self._names:
                return self._names[name]
            name = name.partition(".")[2]
        return None

    def network(self, version: int, number: int, length: int) -> str | None:
        """The entry whose network holds the network (an address: of full length), or None."""
        width = 32 if version == 4 else 128
        for (family, prefix), table in self._nets.items():
            if family == version and prefix <= length:
                found = table.get(number >> (width - prefix))
                if found:
                    return found
        if version == 6 and length >= 96 and number >> 32 == 0xFFFF:  # IPv4 written as IPv6
            return self.network(4, number & 0xFFFFFFFF, length - 96)
        return None

    def find(self, type: str, value: str) -> str | None:
        """The entry that holds an indicator, with the place where it stands, or None."""
        if not len(self):
            return None
        text = fold(value)
        found = self._values.get((type, text)) or self._values.get(("", text))
        if found:
            return found
        if type in _HOSTS or type == "ip":
            return self.host(text)
        if type == "url":
            return self.host(host_of(text))
        if type == "mail":
            domain = text.rpartition("@")[2]
            return self._mails.get(domain) or self.host(domain)
        if type == "network":
            network = _network(text)
            return self.network(*network) if network and network[2] >= 0 else None
        return None


class Assets:
    """The operator's lists. ``problems`` names the lines that could not be used."""

    def __init__(self, own: Entries | None = None, allow: Entries | None = None, deny: Entries | None = None) -> None:
        self.mine = Entries("own_assets") if own is None else own
        self.allow = Entries("allow_list") if allow is None else allow
        self.deny = Entries("deny_list") if deny is None else deny

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], fetch: Fetch | None = None) -> Assets:
        """Read the lists that ``settings`` name; a missing or null setting is an empty list.

        ``fetch`` returns what stands behind an URL. Raises :class:`~cortex_grow.hygiene.errors.AssetsError` where a
        file or an URL cannot be read; a line in it that is wrong only goes to :attr:`problems`.
        """
        lists = []
        for name in SETTINGS:
            entries = Entries(name)
            for where, line, text in _lines(settings.get(name), name, fetch):
                entries.add(text, where, line, own=name == "own_assets")
            lists.append(entries)
        return cls(*lists)

    @property
    def problems(self) -> list[Problem]:
        """The lines of all three lists that could not be used."""
        return [*self.mine.problems, *self.allow.problems, *self.deny.problems]

    def own(self, indicator: Indicator) -> str | None:
        """Why an indicator is internal: by the operator's list, or by its very address or name; None where it is not.

        Of an URL and a mail the host counts. Documentation addresses and names are not internal (:mod:`.internal`).
        """
        found = self.mine.find(indicator.type, indicator.value)
        if found:
            return f"among your own assets: {found}"
        text = fold(indicator.value)
        if indicator.type == "network":
            network = _network(text)
            return internal.network(*network) if network and network[2] >= 0 else None
        if indicator.type == "url":
            text = host_of(text)
        elif indicator.type == "mail":
            text = text.rpartition("@")[2].removeprefix("[").removesuffix("]").removeprefix("ipv6:")
        elif indicator.type not in _HOSTS and indicator.type != "ip":
            return None
        text = text.rstrip(".")
        number = internal.legacy(text)
        if number >= 0:
            return internal.network(4, number, 32)
        if ipv6(text) >= 0:
            return internal.address(text)
        return internal.name(text)


def _network(text: str) -> tuple[int, int, int] | None:
    """Version, first address and length of a network or address; length -1 where it is none; None: something else."""
    address, slash, length = text.partition("/")
    number, version, width = ipv4(address), 4, 32
    if number < 0:
        number, version, width = ipv6(address), 6, 128
    if number < 0:
        return None
    if not slash:
        return version, number, width
    if not (length.isascii() and length.isdigit()) or len(length) > 3 or int(length) > width:
        return version, number, -1
    bits = int(length)
    return (version, number, bits) if not number & ((1 << (width - bits)) - 1) else (version, number, -1)


def _name(text: str) -> str | None:
    """A host name in canonical form (``*.`` and outer dots left out, punycode), or None where it is none."""
    name = text.lower().removeprefix("*").strip(".")
    if not name.isascii():
        from cortex_grow.model.suffixes import to_ascii

        try:
            name = to_ascii(name)
        except ValueError:
            return None
    if not name or len(name) > 253:
        return None
    for label in name.split("."):
        if not 1 <= len(label) <= 63 or not label.replace("-", "").replace("_", "").isalnum():
            return None
    return name


def _lines(setting: Any, name: str, fetch: Fetch | None) -> Iterator[tuple[str, int, str]]:
    """Every line of a setting with its place, the files and URLs that it names opened."""
    if setting is None:
        return
    if isinstance(setting, str):
        setting = [setting]
    if not isinstance(setting, (list, tuple)) or not all(isinstance(text, str) for text in setting):
        raise AssetsError(f"the setting {name} is neither a text nor a list of texts")
    number = 0
    for text in setting:
        for line in text.splitlines():
            number += 1
            source = line.strip()
            if source.startswith("@") and source[1:].startswith((*_FILE, *_WEB)):
                source = source[1:]
            elif source.startswith(_WEB) and name != "own_assets":
                source = ""
            if source.startswith((*_FILE, *_WEB)):
                for place, content in enumerate(_read(source, name, fetch).splitlines(), 1):
                    yield source, place, content
            else:
                yield name, number, line


def _read(source: str, name: str, fetch: Fetch | None) -> str:
    """The text of a file or behind an URL. Raises :class:`AssetsError`."""
    advice = f"correct the setting {name} or what it names"
    try:
        if source.startswith(_WEB):
            if fetch is None:
                raise AssetsError(f"{source} cannot be fetched here (setting {name}): name a file instead")
            content = fetch(source)
        else:
            path = os.path.expanduser(source.removeprefix("file://").removeprefix("file:"))
            with open(path, "rb") as file:
                content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise AssetsError(f"{source} cannot be read ({error.strerror or error}): {advice}") from error
    if len(content) > _LARGEST_FILE:
        raise AssetsError(f"{source} is larger than {_LARGEST_FILE >> 20} MB: {advice}")
    if isinstance(content, str):
        return content
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AssetsError(f"{source} is no UTF-8 text ({error.reason} at byte {error.start}): {advice}") from error
