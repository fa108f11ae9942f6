"""Compile the MISP warning lists into the one file that jobs open: ``python -m cortex_grow.hygiene.compile``.

Run by the build, from the lists inside the installed package ``pymispwarninglists`` or, with ``--lists``, from the
``lists`` folder of a checkout of https://github.com/MISP/misp-warninglists. The same lists give the same bytes.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import re
import struct
import sys
import tempfile
import zlib
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

from cortex_grow.hygiene import layout, policy
from cortex_grow.hygiene.kinds import fold, network_of
from cortex_grow.hygiene.ranges import Net, flatten

PACKAGE = "pymispwarninglists"
OUT = Path(__file__).with_name("data") / "warninglists.bin"
# A substring list of up to this many entries is searched one by one, a bigger one through its four-byte pieces.
SMALL = 64
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE, "u": 0, "g": 0}


class CompileError(Exception):
    """The lists cannot be compiled; the text says what to do."""


@dataclass(frozen=True)
class Listing:
    """One list as MISP has it; ``slug`` is the name of its folder."""

    slug: str
    name: str
    type: str
    version: int
    description: str
    attributes: tuple[str, ...]
    entries: tuple[str, ...]


def folder_of_package() -> Path:
    """The lists inside the installed package, found without importing it. Raises :class:`CompileError`."""
    spec = find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / "data" / "misp-warninglists" / "lists"
        if folder.is_dir():
            return folder
    raise CompileError(f"the package {PACKAGE}, which carries the lists, is not installed: pip install {PACKAGE}")


def load(folder: Path) -> list[Listing]:
    """All lists below ``folder`` (``*/list.json``), by name of their folder. Raises :class:`CompileError`."""
    found = []
    for path in sorted(folder.glob("*/list.json"), key=lambda path: path.parent.name):
        try:
            data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            entries = dict.fromkeys(str(entry) for entry in data["list"] if entry)
            found.append(
                Listing(
                    path.parent.name,
                    _line(data["name"]),
                    data.get("type", "string"),
                    int(data.get("version", 1)),
                    _line(data["description"]),
                    tuple(data.get("matching_attributes", ())),
                    tuple(entries),
                )
            )
        except (ValueError, KeyError, TypeError) as error:
            raise CompileError(f"{path} is not a warning list: {error!r}") from error
    if not found:
        raise CompileError(f"{folder} holds no */list.json")
    if len(found) >= layout.FLAG:
        raise CompileError(f"{len(found)} lists are more than the file can hold ({layout.FLAG - 1})")
    return found


def _line(text: str) -> str:
    return " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text).split())


def made_at(listings: Iterable[Listing]) -> str:
    """The day of the newest list, ``YYYY-MM-DD``: most lists are numbered by their date (``20251223``)."""
    newest = "1970-01-01"
    for listing in listings:
        found = re.fullmatch(r"(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", str(listing.version))
        if found:
            newest = max(newest, "-".join(found.groups()))
    return newest


@dataclass
class Compiler:
    """Gathers the lists one by one, then writes. ``warnings`` are for the person who builds."""

    policy: policy.Policy
    warnings: list[str] = field(default_factory=list)
    keys: dict[str, int] = field(default_factory=dict)
    sets: list[tuple[tuple[int, int], ...]] = field(default_factory=lambda: [()])
    nets: dict[int, list[Net]] = field(default_factory=lambda: {4: [], 6: []})
    small: list[str] = field(default_factory=list)
    grams: list[tuple[bytes, int, int]] = field(default_factory=list)
    regexes: list[str] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)
    excepted: set[tuple[str, str]] = field(default_factory=set)
    depth: int = 1
    longest: int = 0

    def __post_init__(self) -> None:
        self._numbers: dict[tuple[tuple[int, int], ...], int] = {(): 0}
        self._grown: dict[tuple[int, tuple[tuple[int, int], ...]], int] = {}

    def warn(self, text: str) -> None:
        """Note something that the compiler left out or did not know."""
        self.warnings.append(text)

    def rule(self, slug: str, entry: str) -> int:
        """The rule for an entry; remembers which exceptions were of use."""
        if (slug, entry) in self.policy.entries:
            self.excepted.add((slug, entry))
        return self.policy.rule(slug, entry)

    def add(self, listing: Listing) -> None:
        """Take in one list."""
        if listing.slug not in self.policy.of_list:
            self.warn(f"{listing.slug}: no group of policy.toml names this list, so it is context only")
        number = len(self.lists)
        stored = (listing.slug, listing.name, listing.type, str(listing.version), " ".join(listing.attributes))
        count = str(len(listing.entries))
        self.lists.append(layout.FIELD.join((*stored, count, listing.description)))
        if listing.type in ("string", "hostname"):
            self._keys(number, listing)
        elif listing.type == "cidr":
            self._nets(number, listing)
        elif listing.type == "substring":
            self._substrings(number, listing)
        elif listing.type == "regex":
            self._regexes(number, listing)
        else:
            self.warn(f"{listing.slug}: the type {listing.type!r} is not known, so its entries are left out")

    def _keys(self, number: int, listing: Listing) -> None:
        host = listing.type == "hostname"
        for written in listing.entries:
            # MISP compares host names without the dots around them and in lower case (Warninglist::getFilteredEntries).
            entry = fold(written).strip(".") if host else fold(written)
            if not entry:
                continue
            elements = [(number, self.rule(listing.slug, entry))]
            if self.policy.names_suffix(listing.slug, written):
                elements.append((layout.FLAG, layout.SHARED))
            if listing.slug in self.policy.abused:
                elements.append((layout.FLAG, layout.ABUSED))
            self.keys[entry] = self._grow(self.keys.get(entry, 0), tuple(elements))
            self.longest = max(self.longest, len(entry))
            self.depth = max(self.depth, entry.count(".") + 1)

    def _grow(self, number: int, elements: tuple[tuple[int, int], ...]) -> int:
        step = number, elements
        if step not in self._grown:
            grown = tuple(sorted({*self.sets[number], *elements}))
            if grown not in self._numbers:
                self._numbers[grown] = len(self.sets)
                self.sets.append(grown)
            self._grown[step] = self._numbers[grown]
        return self._grown[step]

    def _nets(self, number: int, listing: Listing) -> None:
        for entry in listing.entries:
            try:
                net = ipaddress.ip_network(entry)
            except ValueError as error:
                self.warn(f"{listing.slug}: {entry!r} is no network ({error}), so it is left out")
                continue
            first, last = int(net.network_address), int(net.broadcast_address)
            rule = self.rule(listing.slug, network_of(net.version, first, net.prefixlen))
            self.nets[net.version].append(Net(first, last, number, net.prefixlen, rule))

    def _substrings(self, number: int, listing: Listing) -> None:
        entries = [(fold(entry), self.rule(listing.slug, fold(entry))) for entry in listing.entries]
        big = len(entries) > SMALL
        for entry, rule in entries:
            if big and len(entry.encode()) >= layout.GRAM:
                self.grams.append((entry.encode(), number, rule))
            else:
                self.small.append(layout.FIELD.join((str(number), str(rule), entry)))

    def _regexes(self, number: int, listing: Listing) -> None:
        for written in listing.entries:
            found = re.fullmatch(r"/(.*)/([a-zA-Z]*)", written, re.DOTALL)
            body, letters = found.groups() if found else (written, "")
            flags = 0
            try:
                for letter in letters:
                    flags |= _FLAGS[letter]
                if runs_wild(re.compile(body, flags)):
                    self.warn(f"{listing.slug}: {written!r} can take for ever, so it is left out")
                    continue
            except (KeyError, re.error) as error:
                self.warn(f"{listing.slug}: {written!r} is no pattern that Python reads ({error}), so it is left out")
                continue
            rule = str(self.rule(listing.slug, written))
            self.regexes.append(layout.FIELD.join((str(number), rule, str(int(flags)), body)))

    def file(self, package: str, day: str) -> bytes:
        """The compiled file."""
        for slug, entry in sorted(set(self.policy.entries) - self.excepted):
            self.warn(f"policy.toml: {slug} does not hold {entry}, for which an exception is made")
        sections = {**self._key_sections(), **self._net_sections(), **self._gram_sections()}
        entries = sum(int(line.split(layout.FIELD)[5]) for line in self.lists)
        about = (package, day, str(entries), str(self.depth), str(self.longest))
        rules = [layout.FIELD.join((rule.action, rule.name, rule.why)) for rule in self.policy.rules]
        counts = (str(len(part)) for part in (self.lists, rules, self.regexes, self.small))
        records = [layout.FIELD.join((*about, *counts)), *self.lists, *rules, *self.regexes, *self.small]
        sections["META"] = layout.RECORD.join(records).encode()
        return assemble(sections)

    def _key_sections(self) -> dict[str, bytes]:
        placed = sorted((*layout.key(entry), number) for entry, number in self.keys.items())
        for one, next_one in pairwise(placed):
            if one[:2] == next_one[:2]:
                raise CompileError("two entries have the same 80-bit key: the file format needs longer ones")
        # The sets met most often get the numbers that fit into one byte.
        often = [number for number, _ in Counter(number for *_, number in placed).most_common()]
        order = {number: index for index, number in enumerate(often)}
        heads = array("I", bytes(4 * (layout.BUCKETS + 1)))
        keys, marks, rare = array("Q"), bytearray(), array("I")
        for index, (bucket, rest, number) in enumerate(placed):
            heads[bucket + 1] = index + 1
            keys.append(rest)
            mark = order[number]
            marks.append(min(mark, layout.RARE_MARK))
            if mark >= layout.RARE_MARK:
                rare.extend((index, mark))
        for bucket in range(layout.BUCKETS):
            heads[bucket + 1] = max(heads[bucket], heads[bucket + 1])
        starts, data = _packed([self.sets[number] for number in often])
        return {
            "HEADS": _little(heads),
            "KEYS": _little(keys),
            "MARKS": bytes(marks),
            "RARE": _little(rare),
            "SETS": starts,
            "SETDATA": data,
        }

    def _net_sections(self) -> dict[str, bytes]:
        numbers: dict[tuple[tuple[int, int, int], ...], int] = {(): 0}
        begins: dict[int, list[int]] = {4: [], 6: []}
        covers: dict[int, array[int]] = {4: array("H"), 6: array("H")}
        for family, width in ((4, 32), (6, 128)):
            for begin, elements in flatten(self.nets[family]):
                if begin >> width:
                    continue  # behind the last address
                begins[family].append(begin)
                covers[family].append(numbers.setdefault(elements, len(numbers)))
        starts, data = _packed(list(numbers))
        return {
            "V4": _little(array("I", begins[4])),
            "V4SETS": _little(covers[4]),
            "V6": b"".join(begin.to_bytes(16, "big") for begin in begins[6]),
            "V6SETS": _little(covers[6]),
            "NETS": starts,
            "NETDATA": data,
        }

    def _gram_sections(self) -> dict[str, bytes]:
        width = layout.GRAM
        pieces = Counter(entry[at : at + width] for entry, *_ in self.grams for at in range(len(entry) - width + 1))
        rows = []
        for entry, number, rule in self.grams:
            # Each entry is found by the rarest of its pieces: common ones (`mail`, `.com`) would always need a check.
            cut = (entry[at : at + width] for at in range(len(entry) - width + 1))
            piece = min(cut, key=lambda one: (pieces[one], one))
            rows.append((int.from_bytes(piece, "little"), entry, number, rule))
        rows.sort()
        bits = bytearray(layout.BITS >> 3)
        ends, grams, sets, text = array("I"), array("I"), bytearray(), bytearray()
        for gram, entry, number, rule in rows:
            place = layout.bit(gram)
            bits[place >> 3] |= 1 << (place & 7)
            text += entry
            ends.append(len(text))
            grams.append(gram)
            sets += bytes((number, rule))
        return {
            "BITS": bytes(bits),
            "GRAMS": _little(grams),
            "GRAMENDS": _little(ends),
            "GRAMSETS": bytes(sets),
            "GRAMTEXT": bytes(text),
        }


def runs_wild(pattern: re.Pattern[str]) -> bool:
    """Whether a pattern can take more than about n³ steps: a repetition of a repetition, or many without bound."""
    from re import _constants, _parser  # type: ignore[attr-defined]  # the parser of re itself, at build time only

    unbounded = 0

    def nested(parsed: Any, inside: bool) -> bool:
        nonlocal unbounded
        if isinstance(parsed, _parser.SubPattern):
            return any(nested(item, inside) for item in parsed)
        if not isinstance(parsed, (tuple, list)):
            return False
        if parsed and parsed[0] in (_constants.MAX_REPEAT, _constants.MIN_REPEAT):
            least, most, repeated = parsed[1]
            free = most is _constants.MAXREPEAT or most - least > 64
            unbounded += free
            return (inside and free) or nested(repeated, inside or most > 1)
        return any(nested(item, inside) for item in parsed)

    return nested(_parser.parse(pattern.pattern, pattern.flags), False) or unbounded > 3


def _little(numbers: array[int]) -> bytes:
    if sys.byteorder != "little":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


def _packed(sets: Iterable[tuple[tuple[int, ...], ...]]) -> tuple[bytes, bytes]:
    starts, data = array("I", [0]), bytearray()
    for elements in sets:
        for element in elements:
            data += bytes(element)
        starts.append(len(data))
    return _little(starts), bytes(data)


def assemble(sections: dict[str, bytes]) -> bytes:
    """The file made of its sections, with header and check sums."""
    at = layout.HEADER.size + layout.SECTION.size * len(layout.SECTIONS)
    table, body = bytearray(), bytearray()
    for name in layout.SECTIONS:
        body += bytes(-(at + len(body)) % 8)
        table += struct.pack("<QQ", at + len(body), len(sections[name]))
        body += sections[name]
    sums = zlib.crc32(sections["META"], zlib.crc32(table)), zlib.crc32(body)
    header = layout.HEADER.pack(layout.MAGIC, layout.FORMAT, len(layout.SECTIONS), at + len(body), *sums)
    return header + bytes(table) + bytes(body)


def compiled(folder: Path, package: str, rules: policy.Policy) -> tuple[bytes, list[str]]:
    """The file for the lists in ``folder``, and the warnings. Raises :class:`CompileError`."""
    listings = load(folder)
    compiler = Compiler(rules)
    for listing in listings:
        compiler.add(listing)
    data = compiler.file(package, made_at(listings))
    for slug in sorted(set(rules.of_list) - {listing.slug for listing in listings}):
        compiler.warn(f"policy.toml: there is no list {slug}")
    return data, compiler.warnings


def write(data: bytes, out: Path) -> None:
    """Put the file in place at once: a process that has the old one open keeps it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), 0o644)
        os.replace(partial, out)
    except BaseException:
        os.unlink(partial)
        raise


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns 0, or 1 where nothing could be written."""
    parser = argparse.ArgumentParser(description="Compile the MISP warning lists into one file that opens at once.")
    parser.add_argument("--lists", type=Path, help="folder of the lists (default: inside the installed package)")
    parser.add_argument(
        "--policy", type=Path, default=policy.POLICY, help="what each list means (default: %(default)s)"
    )
    parser.add_argument("--name", help="what to call this edition of the lists (default: the version of the package)")
    parser.add_argument("--out", type=Path, default=OUT, help="where to write (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        name = options.name or (f"{options.lists}" if options.lists else f"{PACKAGE} {version(PACKAGE)}")
        data, warnings = compiled(options.lists or folder_of_package(), name, policy.read(options.policy))
        write(data, options.out)
    except PackageNotFoundError:
        print(
            f"the package {PACKAGE}, which carries the lists, is not installed: pip install {PACKAGE}", file=sys.stderr
        )
        return 1
    except (CompileError, policy.PolicyError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{options.out}: {name}, {len(data) / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
