"""The compiled warning lists: which of them know a value, and what that means.

:meth:`Index.open` maps the file that :mod:`cortex_grow.hygiene.compile` made; nothing is parsed but a page of text.
A job pays for this module at every start, so it imports next to nothing.
"""

from __future__ import annotations

import mmap
import os
import sys
import zlib
from bisect import bisect_left, bisect_right

from cortex_grow.hygiene import layout
from cortex_grow.hygiene.errors import IndexFileError
from cortex_grow.hygiene.kinds import TYPES, fits, fold, host_of, ipv4, ipv6, network_of

TYPE_CHECKING = False  # as in typing, which a job can spare (7 ms); type checkers know the name
if TYPE_CHECKING:
    import re
    from collections.abc import Iterator
    from types import TracebackType

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "warninglists.bin")
ADVICE = "build it with `python -m cortex_grow.hygiene.compile`"
# Longer values are not searched for patterns: no telephone number or mail address is longer (RFC 5321, 4.5.3.1: 254),
# and a pattern of somebody else's must not be given the time to run wild.
LONGEST_FOR_REGEX = 320
# Longer values are not searched for the entries of the big substring lists (mail domains).
LONGEST_FOR_SUBSTRINGS = 4096
_STRENGTH = {"suppress": 0, "demote": 1, "context": 2}
_WEAKER = {"suppress": "demote", "demote": "context", "context": "context"}
_SHARED, _ABUSED, _INSIDE, _URL = 1, 2, 3, 4  # numbers of the rules across lists (policy.ACROSS)


class Match:
    """That a list knows a value.

    ``list`` is the name of the list and ``slug`` that of its folder in MISP's repository, ``why`` the description that
    the list gives of itself, ``matched`` what it was that matched: the entry, the parent domain, the network, or the
    pattern. ``action`` (suppress, demote, context) is what the pack makes of it and ``because`` the reason, as the rest
    of a sentence.
    """

    __slots__ = ("action", "because", "list", "matched", "slug", "why")

    def __init__(self, list: str, slug: str, why: str, matched: str, action: str, because: str) -> None:
        self.list, self.slug, self.why = list, slug, why
        self.matched, self.action, self.because = matched, action, because

    def __repr__(self) -> str:
        return f"Match({self.slug}: {self.matched}, {self.action})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Match):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __hash__(self) -> int:
        return hash((self.slug, self.matched, self.action))


class Listing:
    """What the file says about one list. ``attributes`` are the MISP attribute types that it is meant for."""

    __slots__ = ("attributes", "entries", "name", "slug", "type", "version", "why")

    def __init__(self, record: str) -> None:
        self.slug, self.name, self.type, version, attributes, entries, self.why = record.split(layout.FIELD)
        self.version, self.entries, self.attributes = int(version), int(entries), frozenset(attributes.split())


class Plan:
    """What a lookup for one type of indicator has to look at: which lists are meant for it, and of which kinds."""

    __slots__ = ("fit", "grams", "keys", "kind", "nets", "patterns", "small")

    def __init__(self, kind: str, fit: bytes, types: set[str], small: list[tuple[int, int, str]], grams: bool) -> None:
        self.kind, self.fit, self.small, self.grams = kind, fit, small, grams
        self.keys = not types.isdisjoint(("string", "hostname"))
        self.nets, self.patterns = "cidr" in types, "regex" in types


class Index:
    """The compiled warning lists, open for reading. Any number of threads and processes may share the file."""

    def __init__(self, path: str, data: mmap.mmap, sections: dict[str, memoryview]) -> None:
        self.path, self._data, self._sections = path, data, sections
        self._heads, self._keys, self._marks = sections["HEADS"], sections["KEYS"], sections["MARKS"]
        self._starts, self._sets = sections["SETS"], sections["SETDATA"]
        self._bits, self._grams = sections["BITS"], sections["GRAMS"]
        records = str(sections["META"], "utf-8").split(layout.RECORD)
        about = records[0].split(layout.FIELD)
        #: Which edition of the lists it is (``pymispwarninglists 1.7.0``), and the day of the newest (``YYYY-MM-DD``).
        self.version, self.made_at = about[0], about[1]
        #: How many entries all lists have together.
        self.entries = int(about[2])
        self._depth, self._longest = int(about[3]), int(about[4])
        ends: list[int] = []
        for count in about[5:9]:
            ends.append((ends[-1] if ends else 1) + int(count))
        self.lists = tuple(Listing(record) for record in records[1 : ends[0]])
        self._rules = [tuple(record.split(layout.FIELD)) for record in records[ends[0] : ends[1]]]
        self._regexes, self._small = records[ends[1] : ends[2]], records[ends[2] : ends[3]]
        self._patterns: dict[int, re.Pattern[str]] = {}
        self._plans: dict[str, Plan] = {}

    @classmethod
    def open(cls, path: str | os.PathLike[str] | None = None) -> Index:
        """Open the compiled file, the one in the package without ``path``.

        Raises :class:`~cortex_grow.hygiene.errors.IndexFileError` where it is missing, cut short, damaged in what is
        read here (header and list names; :meth:`verify` reads all), or made for another version of the pack.
        """
        place = os.fspath(path) if path is not None else PATH
        try:
            with open(place, "rb") as file:
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except FileNotFoundError:
            raise IndexFileError(f"the compiled warning lists are missing ({place}): {ADVICE}") from None
        except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
            raise IndexFileError(f"the compiled warning lists cannot be read ({place}: {error}): {ADVICE}") from error
        try:
            return cls(place, data, _sections(data))
        except IndexFileError as error:
            raise IndexFileError(f"the compiled warning lists {place} {error}: {ADVICE}") from None
        except (ValueError, IndexError, TypeError) as error:
            raise IndexFileError(f"the compiled warning lists {place} are damaged ({error}): {ADVICE}") from error

    def __enter__(self) -> Index:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. Looking up afterwards raises :class:`ValueError`."""
        for view in self._sections.values():
            view.release()
        self._data.close()

    def verify(self) -> None:
        """Read the whole file and compare it with its check sum. Raises ``IndexFileError`` where it is damaged."""
        with memoryview(self._data) as whole:
            head = layout.HEADER.size + layout.SECTION.size * len(layout.SECTIONS)
            if zlib.crc32(whole[head:]) != layout.HEADER.unpack_from(whole)[5]:
                raise IndexFileError(f"the compiled warning lists {self.path} are damaged: {ADVICE}")

    @property
    def age_days(self) -> int:
        """Days since the newest list was made, by the clock in UTC; 0 at least."""
        from datetime import UTC, date, datetime

        return max(0, (datetime.now(UTC).date() - date.fromisoformat(self.made_at)).days)

    def lookup(self, type: str, value: str) -> list[Match]:
        """All lists that know ``value``, an indicator of ``type`` in canonical form, the strongest action first.

        Only lists that are meant for the type are looked at, each with the meaning that MISP gives to its kind: string
        lists hold the value itself, hostname lists the host of the value or a domain above it, cidr lists a network
        around it, substring lists a part of it, regex lists a pattern for it. Never raises for a value, however odd.
        """
        plan = self._plans.get(type)
        if plan is None:
            if type not in TYPES:
                return []
            plan = self._plan(type)
        text = fold(value)
        hits: list[tuple[int, int, int, str]] = []  # list, rule, rule that weakens it, what matched
        abused = False
        if plan.kind == "address" or plan.kind == "network":
            if plan.nets:
                self._networks(plan, text, hits)
            if plan.keys:
                self._exact(plan, text, hits)
        elif plan.kind == "text":
            if plan.keys:
                self._exact(plan, text, hits)
        else:
            host = text
            if plan.kind == "url":
                self._exact(plan, text, hits)
                host = host_of(text)
            if plan.keys and host:
                abused = self._host(plan, host.rstrip("."), hits)
        if plan.small or plan.grams:
            self._parts(plan, text, hits)
        if plan.patterns and len(text) <= LONGEST_FOR_REGEX:
            self._search(plan, value, hits)
        if not hits:
            return []
        found = [self._match(hit, abused, plan.kind == "url") for hit in hits]
        found.sort(key=lambda match: _STRENGTH[match.action])
        return found

    def _plan(self, type: str) -> Plan:
        fit = bytes(fits(type, listing.attributes) for listing in self.lists)
        types = {listing.type for number, listing in enumerate(self.lists) if fit[number]}
        small = []
        for record in self._small:
            number, rule, entry = record.split(layout.FIELD)
            if fit[int(number)]:
                small.append((int(number), int(rule), entry))
        grams = any(fit[number] for number in set(self._sections["GRAMSETS"][::2]))
        plan = self._plans[type] = Plan(TYPES[type][0], fit, types, small, grams)
        return plan

    def _set(self, text: str) -> Iterator[tuple[int, int]]:
        """The lists that have an entry ``text``, with their rules, and the flags of that entry."""
        bucket, rest = layout.key(text)
        end = self._heads[bucket + 1]
        at = bisect_left(self._keys, rest, self._heads[bucket], end)
        if at == end or self._keys[at] != rest:
            return iter(())
        number = self._marks[at]
        if number == layout.RARE_MARK:
            number = self._rare(at)
        pairs = self._sets[self._starts[number] : self._starts[number + 1]]
        return zip(pairs[::2], pairs[1::2], strict=True)

    def _rare(self, at: int) -> int:
        rare = self._sections["RARE"]
        return int(rare[2 * bisect_left(rare[::2], at) + 1])

    def _exact(self, plan: Plan, text: str, hits: list[tuple[int, int, int, str]]) -> None:
        if len(text) > self._longest:
            return
        for number, rule in self._set(text):
            if number != layout.FLAG and plan.fit[number] and self.lists[number].type == "string":
                hits.append((number, rule, 0, text))

    def _host(self, plan: Plan, host: str, hits: list[tuple[int, int, int, str]]) -> bool:
        """Look for a host and the domains above it; whether one of them is on a list of what attackers abuse."""
        url, weaker, abused = plan.kind == "url", 0, False
        # No entry has more labels than `_depth`, so that of a longer name only the end can match.
        labels = host.rsplit(".", self._depth)
        whole = len(labels) <= self._depth
        name = host if whole else ".".join(labels[1:])
        taken = set()
        while name:
            found = []
            for number, rule in self._set(name) if len(name) <= self._longest else ():
                if number != layout.FLAG:
                    found.append((number, rule))
                elif rule == layout.ABUSED:
                    abused = True
                elif url or not whole:
                    weaker = _SHARED
            for number, rule in found:
                if not plan.fit[number] or number in taken:
                    continue
                host_list = self.lists[number].type == "hostname"
                if host_list or (whole and not url):
                    taken.add(number)
                    hits.append((number, rule, weaker if host_list else 0, name))
            name, whole = name.partition(".")[2], False
        return abused

    def _networks(self, plan: Plan, text: str, hits: list[tuple[int, int, int, str]]) -> None:
        address, mark, length = text.partition("/")
        number = ipv4(address)
        if number >= 0:
            self._covered(plan, 4, number, int(length) if length.isdecimal() and len(length) < 4 else 32, hits)
            return
        number = ipv6(address)
        if number < 0:
            return
        self._covered(plan, 6, number, int(length) if length.isdecimal() and len(length) < 4 else 128, hits)
        if not mark and number >> 32 == 0xFFFF:  # an IPv4 address written as IPv6 (RFC 4291, 2.5.5.2)
            self._covered(plan, 4, number & 0xFFFFFFFF, 32, hits)

    def _covered(
        self, plan: Plan, version: int, number: int, longest: int, hits: list[tuple[int, int, int, str]]
    ) -> None:
        """Look for networks around an address (a network of ``longest`` bits); of one list the narrowest counts."""
        if version == 4:
            at = bisect_right(self._sections["V4"], number) - 1
        else:
            at = self._range6(number.to_bytes(16, "big"))
        cover = self._sections[f"V{version}SETS"][at]
        if not cover:
            return
        starts, data = self._sections["NETS"], self._sections["NETDATA"]
        narrowest: dict[int, tuple[int, int]] = {}
        for place in range(starts[cover], starts[cover + 1], 3):
            listed, length, rule = data[place : place + 3]
            if plan.fit[listed] and length <= longest:
                narrowest[listed] = max((length, rule), narrowest.get(listed, (-1, 0)))
        for listed, (length, rule) in narrowest.items():
            hits.append((listed, rule, 0, network_of(version, number, length)))

    def _range6(self, address: bytes) -> int:
        begins = self._sections["V6"]
        low, high = 0, len(begins) // 16
        while low < high:
            middle = (low + high) // 2
            if bytes(begins[16 * middle : 16 * middle + 16]) <= address:
                low = middle + 1
            else:
                high = middle
        return low - 1

    def _parts(self, plan: Plan, text: str, hits: list[tuple[int, int, int, str]]) -> None:
        host = host_of(text) if plan.kind == "url" else text
        taken = set()
        for number, rule, entry in plan.small:
            if number not in taken and entry in text:
                taken.add(number)
                whole = plan.kind in ("address", "text") or host == entry or host.endswith(f".{entry}")
                hits.append((number, rule, 0 if whole else _INSIDE, entry))
        if not plan.grams or len(text) > LONGEST_FOR_SUBSTRINGS:
            return
        raw, bits, width = text.encode("utf-8", "surrogatepass"), self._bits, layout.GRAM
        for at in range(len(raw) - width + 1):
            gram = int.from_bytes(raw[at : at + width], "little")
            place = layout.bit(gram)
            if not bits[place >> 3] >> (place & 7) & 1:
                continue
            for number, rule, part in self._candidates(gram):
                if plan.fit[number] and number not in taken and part in raw:
                    taken.add(number)
                    hits.append((number, rule, 0, part.decode()))

    def _candidates(self, gram: int) -> Iterator[tuple[int, int, bytes]]:
        ends, sets, text = self._sections["GRAMENDS"], self._sections["GRAMSETS"], self._sections["GRAMTEXT"]
        at = bisect_left(self._grams, gram)
        while at < len(self._grams) and self._grams[at] == gram:
            begin = ends[at - 1] if at else 0
            yield sets[2 * at], sets[2 * at + 1], bytes(text[begin : ends[at]])
            at += 1

    def _search(self, plan: Plan, value: str, hits: list[tuple[int, int, int, str]]) -> None:
        taken = set()
        for place, record in enumerate(self._regexes):
            number, rule, flags, body = record.split(layout.FIELD)
            if not plan.fit[int(number)] or number in taken:
                continue
            pattern = self._patterns.get(place)
            if pattern is None:
                import re

                pattern = self._patterns[place] = re.compile(body, int(flags))
            if pattern.search(value):
                taken.add(number)
                hits.append((int(number), int(rule), 0, body))

    def _match(self, hit: tuple[int, int, int, str], abused: bool, url: bool) -> Match:
        number, rule, weaker, matched = hit
        listing = self.lists[number]
        action, _, because = self._rules[rule]
        if weaker and action != self._rules[weaker][0]:
            action, _, because = self._rules[weaker]
        if abused and action == "suppress":
            action, _, because = self._rules[_ABUSED]
        if url and action != "context":
            action, because = _WEAKER[action], self._rules[_URL][2]
        return Match(listing.name, listing.slug, listing.why, matched, action, because)


def _sections(data: mmap.mmap) -> dict[str, memoryview]:
    """The sections of the file by name. Raises ``IndexFileError`` with the rest of a sentence about the file."""
    if sys.byteorder != "little":
        raise IndexFileError("are for little-endian machines, which this one is not")
    if len(data) < layout.HEADER.size or data[:16] != layout.MAGIC:
        raise IndexFileError("are another kind of file")
    _, form, count, size, sum_, _ = layout.HEADER.unpack_from(data)
    if form != layout.FORMAT or count != len(layout.SECTIONS):
        raise IndexFileError(f"have format {form}, this version reads format {layout.FORMAT}")
    if size != len(data):
        raise IndexFileError(f"are damaged (they hold {len(data)} bytes instead of {size})")
    head = layout.HEADER.size + layout.SECTION.size * count
    table = data[layout.HEADER.size : head]
    places = dict(zip(layout.SECTIONS, layout.SECTION.iter_unpack(table), strict=True))
    begin, length = places["META"]
    if zlib.crc32(data[begin : begin + length], zlib.crc32(table)) != sum_:
        raise IndexFileError("are damaged (check sum)")
    whole = memoryview(data)
    views = {}
    for name, (begin, length) in places.items():
        view = whole[begin : begin + length]
        bits = layout.NUMBERS.get(name)
        views[name] = (
            view.cast("Q") if bits == 64 else view.cast("I") if bits == 32 else view.cast("H") if bits == 16 else view
        )
    return views
