"""The public suffix list, compiled: where a registrable domain begins.

Rules as published at https://publicsuffix.org/list/ (algorithm: https://github.com/publicsuffix/list/wiki/Format), with
one departure: a name under no listed top-level domain has no suffix at all, where the published algorithm would take
its last label. That is what tells ``setup.exe`` from a domain.

The list is one sorted text file, read as bytes and searched in place: a job, which asks for a few names, parses
nothing; who asks for many gets a table. The file is made by ``python -m cortex_grow.model.compile_suffixes``.
"""

from __future__ import annotations

import os
import re
from functools import cache

MANY = 200  # searches in place (some 5 us each) that cost as much as making the table
# A plain path: pathlib would cost a job 3 ms (it imports urllib).
BUNDLED = os.path.join(os.path.dirname(__file__), "data", "public_suffixes.txt")

_DOTS = "[\u3002\uff0e\uff61]"
# Ignored in names (RFC 3454, table B.1): soft hyphen, zero-width space, word joiner, byte order mark, variation
# selectors.
_IGNORED = "[\u00ad\u200b\u2060\ufeff\ufe00-\ufe0f]"
_DEVIATIONS = "([\u00df\u1e9e\u03c2])"
# The punctuation that RFC 5892 (appendix A) lets into a label by exception.
_CONTEXTUAL = frozenset("\u00b7\u0375\u05f3\u05f4\u30fb")


def _label(label: str) -> str:
    import unicodedata

    def fold(part: str) -> str:
        return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", part).casefold())

    parts = re.split(_DEVIATIONS, re.sub(_IGNORED, "", label))
    parts[::2] = [fold(part) for part in parts[::2]]
    parts[1::2] = ["\u00df" if part == "\u1e9e" else part for part in parts[1::2]]
    mapped = "".join(parts)
    if mapped.isascii():
        return mapped
    if len(mapped) > 63:
        raise ValueError("a label is longer than 63 characters")
    if mapped.startswith("xn--") or unicodedata.category(mapped[0])[0] == "M":
        raise ValueError("a label is no valid international name")
    for char in mapped:
        category = unicodedata.category(char)
        if char != "-" and category[0] not in "LM" and category != "Nd" and char not in _CONTEXTUAL:
            raise ValueError(f"U+{ord(char):04X} is not allowed in a name")
    return "xn--" + mapped.encode("punycode").decode("ascii")


def to_ascii(name: str) -> str:
    """``name`` (any case, any script) in lower case with its international labels in punycode.

    The mapping is that of UTS #46 (https://www.unicode.org/reports/tr46/) in its present form, as browsers do it
    (``ß`` is kept, where the older IDNA 2003, and with it Python's codec, makes ``ss`` of it), reduced to letters,
    marks and decimal digits: symbols and emoji are refused, and so are the zero-width joiners. The rules for
    right-to-left text are not checked. Labels that are punycode already pass as they are. Raises :class:`ValueError`
    with the reason.
    """
    if name.isascii():
        return name.lower()
    if len(name) > 1000:
        raise ValueError("the name is longer than 253 characters")
    return ".".join(
        label.lower() if label.isascii() else _label(label) for label in re.sub(_DOTS, ".", name).split(".")
    )


class Suffixes:
    """A compiled list, opened. Safe to share between threads: it never changes."""

    def __init__(self, path: str | os.PathLike[str] = BUNDLED) -> None:
        """Read the compiled list at ``path``. Raises :class:`OSError` where it cannot be read."""
        with open(path, "rb") as file:
            self._data = file.read()
        self._start = 0
        self.header: dict[str, str] = {}
        while self._data.startswith(b"#", self._start):
            end = self._data.index(b"\n", self._start)
            key, _, value = self._data[self._start + 1 : end].decode("utf-8").strip().partition(": ")
            self.header[key] = value
            self._start = end + 1
        self._depth = int(self.header.get("depth", "127"))
        self._searches = 0
        self._table: dict[str, str] | None = None

    def rule(self, name: str) -> str:
        """The marks of ``name`` in the list (see the file's header), or an empty string."""
        if self._table is not None:
            return self._table.get(name, "")
        self._searches += 1
        if self._searches > MANY:
            rows = (line.partition(" ") for line in self._data[self._start :].decode("ascii").splitlines())
            self._table = {key: marks or "i" for key, _, marks in rows}
        return self._search(name.encode("ascii"))

    def _search(self, key: bytes) -> str:
        data, low, high = self._data, self._start, len(self._data)
        while low < high:
            middle = (low + high) // 2
            start = max(data.rfind(b"\n", low, middle) + 1, low)
            end = data.find(b"\n", middle)
            found, _, marks = data[start:end].partition(b" ")
            if found == key:
                return marks.decode("ascii") or "i"
            if found < key:
                low = end + 1
            else:
                high = start
        return ""

    def public_suffix(self, host: str, *, private: bool = False) -> str:
        """The public suffix of ``host`` (``co.uk`` for ``www.example.co.uk``); empty where its last label is unknown.

        ``host`` may be in any case and script; the answer is in lower case and punycode. With ``private`` the list's
        second section counts too, in which companies enter the names below which they hand out names (``github.io``).
        """
        labels = self._labels(host)
        return ".".join(labels[len(labels) - self._length(labels, private) :])

    def registrable(self, host: str, *, private: bool = False) -> str | None:
        """The registrable domain above or at ``host``; ``None`` for an unknown suffix or what is itself a suffix."""
        labels = self._labels(host)
        length = self._length(labels, private)
        if not length or length >= len(labels) or not labels[-length - 1]:
            return None
        return ".".join(labels[-length - 1 :])

    @staticmethod
    def _labels(host: str) -> list[str]:
        try:
            return to_ascii(host).removesuffix(".").split(".")
        except ValueError:
            return []

    def _length(self, labels: list[str], private: bool) -> int:
        """How many labels the public suffix has: the longest rule wins, an exception beats them all."""
        rules, wildcards, exceptions = ("iP", "wW", "xX") if private else ("i", "w", "x")
        best, below_wildcard = 0, False
        for length in range(1, min(len(labels), self._depth) + 1):
            marks = self.rule(".".join(labels[-length:]))
            if length == 1:
                if not marks:
                    return 0
                best = 1
            if marks and any(mark in exceptions for mark in marks):
                return length - 1
            if below_wildcard or (marks and any(mark in rules for mark in marks)):
                best = length
            below_wildcard = bool(marks) and any(mark in wildcards for mark in marks)
        return best


@cache
def bundled() -> Suffixes:
    """The list that ships with the package, opened once."""
    return Suffixes()


def public_suffix(host: str, *, private: bool = False) -> str:
    """:meth:`Suffixes.public_suffix` of the bundled list."""
    return bundled().public_suffix(host, private=private)


def registrable(host: str, *, private: bool = False) -> str | None:
    """:meth:`Suffixes.registrable` of the bundled list."""
    return bundled().registrable(host, private=private)
