"""Indicators of compromise in canonical form, so that the same thing is equal wherever it came from.

The types are TheHive's own data types (``ObservableType.scala``) and, beside them, those of the pack, which travel to
TheHive as its type ``other`` with a label (``ja3:…``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cortex_grow.model.canonical import DIGESTS, LABELLED_TYPES, READERS, Unfit
from cortex_grow.model.fangs import FANGS, REFANGABLE, defang_value, refang, url_parts

LONGEST = 4096

BARE_TYPES = frozenset({"cve", "technique"})
TYPES = frozenset(READERS) - {"host"}

_PYRAMID = {
    **dict.fromkeys(("hash", "file"), "hash"),
    **dict.fromkeys(("ip", "network", "autonomous-system"), "ip"),
    **dict.fromkeys(("domain", "fqdn", "hostname"), "domain"),
    **dict.fromkeys(("family", "rule"), "tool"),
    **dict.fromkeys(("technique", "actor"), "ttp"),
}
# Other names of the same types, as the official pack, MISP and custom data types in TheHive have them.
_ALIASES = {
    "asn": "autonomous-system",
    "certificate_hash": "certificate",
    "cidr": "network",
    "email": "mail",
    "ip-range": "network",
    "mail_subject": "mail-subject",
    "regkey": "registry",
    "user_agent": "user-agent",
    "vulnerability": "cve",
}
_CONTROL = "[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"


class InvalidIndicator(ValueError):
    """A text that is no indicator of the wanted type.

    ``value`` is the text, at most 120 characters of it and printable; ``reason`` says what is wrong, as the rest of a
    sentence that begins with the value.
    """

    def __init__(self, value: object, reason: str) -> None:
        text = value if isinstance(value, str) else repr(value)
        text = "".join(
            char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text[:121]
        )
        self.value = text if len(text) <= 120 else text[:119] + "…"
        self.reason = reason
        super().__init__(self.value, reason)

    def __str__(self) -> str:
        return f"'{self.value}' {self.reason}"


@dataclass(frozen=True, slots=True)
class Indicator:
    """An indicator: its type, its canonical value, and what else is known of the thing (not compared), such as ``md5``.

    Made by :meth:`parse`, :meth:`file` or :meth:`from_observable`; the plain constructor checks nothing.
    """

    type: str
    value: str
    attributes: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def id(self) -> str:
        """``type:value``, the same for the same thing."""
        return f"{self.type}:{self.value}"

    @property
    def pyramid(self) -> str:
        """The level on the Pyramid of Pain: ``hash``, ``ip``, ``domain``, ``artifact``, ``tool`` or ``ttp``."""
        return _PYRAMID.get(self.type, "artifact")

    @property
    def hash_kind(self) -> str | None:
        """``md5``, ``sha1``, ``sha224``, ``sha256``, ``sha384``, ``sha512``, ``ssdeep`` or ``tlsh``; else ``None``."""
        if self.type not in ("hash", "file"):
            return None
        if ":" in self.value:
            return "ssdeep"
        return "tlsh" if self.value.startswith("T") else DIGESTS.get(len(self.value))

    @property
    def host(self) -> Indicator | None:
        """The host in a URL or a mail address: an ip, domain, fqdn or (in a URL) hostname. ``None`` for other types."""
        if self.type == "mail":
            return _parsed("host", self.value.rpartition("@")[2])
        if self.type != "url":
            return None
        host = url_parts(self.value)[2].strip("[]")
        return _parsed("host", host) or _parsed("hostname", host)

    @property
    def defanged(self) -> str:
        """The value as it may be shown: nothing that a program makes a link of. ``refang`` gives the value back."""
        return defang_value(self.type, self.value)

    def observable(self) -> tuple[str, str]:
        """TheHive's data type and data. The pack's own types go as ``other``, a file as the hash it is known by."""
        if self.type in LABELLED_TYPES:
            return "other", f"{self.type}:{self.value}"
        if self.type in BARE_TYPES:
            return "other", self.value
        return "hash" if self.type == "file" else self.type, self.value

    @classmethod
    def parse(cls, type: str, text: str) -> Indicator:
        """``text`` as an indicator of ``type``, in canonical form. Nothing is refanged or guessed here.

        ``host`` stands for ip, domain or fqdn, by value. Domain and fqdn are told apart by the public suffix list
        whatever ``type`` says; a hostname under a public suffix is one of them; ``other`` with a label of the pack is
        of that type. Raises :class:`InvalidIndicator`.
        """
        reader = READERS.get(type)
        if reader is None:
            raise InvalidIndicator(type, "is no type of indicator")
        if not isinstance(text, str):
            raise InvalidIndicator(text, f"is no valid {type}: it is no text")
        trimmed = text.strip()
        try:
            if not trimmed:
                raise Unfit("is empty")
            if len(trimmed) > LONGEST:
                raise Unfit(f"is longer than {LONGEST} characters")
            if re.search(_CONTROL, trimmed):
                raise Unfit("holds a control character")
            found, value = reader(trimmed)
            if len(value) > LONGEST:
                raise Unfit(f"is longer than {LONGEST} characters")
        except Unfit as unfit:
            raise InvalidIndicator(text, f"is no valid {type}: it {unfit}") from None
        return cls(found, value)

    @classmethod
    def file(
        cls,
        sha256: str | None = None,
        sha1: str | None = None,
        md5: str | None = None,
        sha512: str | None = None,
        **attributes: str | int | None,
    ) -> Indicator:
        """A file by its digests: a ``hash`` of the first that is given, in this order, with the others as attributes.

        Empty digests and attributes are left out. Raises :class:`InvalidIndicator` for a digest that is none of its
        kind, or no digest at all.
        """
        digests: dict[str, str] = {}
        for kind, text in (("sha256", sha256), ("sha1", sha1), ("md5", md5), ("sha512", sha512)):
            if text:
                found = cls.parse("hash", text)
                if found.hash_kind != kind:
                    raise InvalidIndicator(text, f"is no {kind}")
                digests[kind] = found.value
        if not digests:
            raise InvalidIndicator("", "is no file: it has no sha256, sha1, md5 or sha512")
        value = digests.pop(next(iter(digests)))
        extra = {name: str(text) for name, text in attributes.items() if text is not None and text != ""}
        return cls("hash", value, {**digests, **extra})

    @classmethod
    def from_observable(cls, data_type: str, data: str) -> Indicator:
        """The indicator behind an observable's data type and data: the inverse of :meth:`observable`.

        People type observables in, so a value that is valid only when refanged is read so. Raises
        :class:`InvalidIndicator`.
        """
        type = _ALIASES.get(data_type, data_type)
        try:
            return cls.parse(type, data)
        except InvalidIndicator:
            if (
                type not in REFANGABLE
                or not isinstance(data, str)
                or len(data) > 4 * LONGEST
                or not re.search(FANGS, data)
            ):
                raise
        return cls.parse(type, refang(data, type))


def _parsed(type: str, text: str) -> Indicator | None:
    try:
        return Indicator.parse(type, text)
    except InvalidIndicator:
        return None
