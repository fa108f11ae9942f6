"""Indicators out of a text of any shape, line by line; see :func:`cortex_grow.model.detect.extract`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from cortex_grow.model.canonical import SPECIAL_USE
from cortex_grow.model.detect import (
    HASH_NAMES,
    LONGEST_TEXT,
    NAMES,
    SELF_EVIDENT,
    Found,
    Skipped,
    labelled,
    named,
    single,
    trimmed,
    unwrapped,
    whole,
)
from cortex_grow.model.fangs import refang
from cortex_grow.model.indicator import Indicator, InvalidIndicator

MOST_SKIPPED = 10_000
MOST_WORDS = 50_000  # remembered, so as not to read the same again
MOST_COLUMNS = 500
SAMPLE = 40  # lines looked at to find out what shape this is

# Types whose values have one form, but the form of a file hash: a label, a column or a row that says so decides.
STRICT = frozenset({"ja3", "ja3s", "jarm", "hassh", "imphash", "favicon", "certificate"})
# Types whose values may be any text: taken from a column or key that is called so.
BY_COLUMN = STRICT | {"mutex", "filename", "registry", "user-agent", "autonomous-system"}
# Of free text, these are taken from a line only when they are labelled as the pack writes them, or have no blanks.
LOOSE = frozenset({"mutex", "filename", "organisation", "family", "actor", "rule", "user-agent"})
# Columns and keys with links to where the indicator was seen: no indicators.
_REFERENCES = "link permalink reference references reference-link reference-url urlhaus-link urlhaus-reference"
REFERENCES = frozenset(_REFERENCES.split())
_HEADER = """
    category comment confidence count date dateadded description first-seen first-seen-utc full id indicator-type
    ioc-type ioc-value last-online last-seen last-seen-utc md5-hash name port reporter score sha1-hash sha256-hash
    signature source tag tags threat threat-type timestamp time type value verdict
"""
HEADER = frozenset(NAMES) | HASH_NAMES | SELF_EVIDENT | REFERENCES | frozenset(_HEADER.split())
# Rows and columns of names of hosts: evil.zip is no file there.
HOSTS = frozenset({"domain", "fqdn", "host", "hostname"})
# In prose a name of one dot with these endings is as likely a file as a domain.
EITHER = frozenset({"as", "cc", "inc", "pl", "pm", "properties", "ps", "pub", "rs"})
NOTHING = frozenset({"", "-", "--", "?", "n/a", "na", "nil", "none", "null", "unknown", "false", "true"})

_DELIMITERS = "\t,;|"
# The look-behinds let a pattern begin once in a run, which keeps the whole search linear.
_WORD = re.compile(r"[^\s\"<>`\u00ab\u00bb\u201c\u201d]+")
_CANDIDATE = re.compile(r"(?i)[.:@]|[0-9a-f]{32}|cve-|\bas[0-9]|\bt[0-9]{4}|[\[({]dot[\])}]")
_LABEL_WORD = re.compile(r"(?i)\W{0,2}(?:ja3|jarm|hassh|imp|favicon|cert|thumb|x509|ssl-|tls-)")
_SPACED_DOT = re.compile(r"(?i) ?([\[({](?:dot|\.)[\])}]) ?")
_SPACED_AT = re.compile(r"(?i) ([\[({](?:at|@)[\])}]) (?=[a-z0-9-]{1,63} ?[\[({](?:dot|\.)[\])}])")
_COMMAS = re.compile(r"[,;|]+")
_BETWEEN_URLS = re.compile(r"\||(?<![,;])[,;]++(?=[A-Za-z][A-Za-z0-9+.-]{0,15}(?:\[?:\]?//|\[://\]))")
_GLUED = re.compile(r"[,;|:(){}\[\]=@/\s`\"<>]")
_BRACKETS = re.compile(r"[(){}\[\]=]+")
_URL_START = re.compile(r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9+.-]{0,31}://")
_SPAN = re.compile(r"`([^`]{4,1000})`|\"([^\"]{4,1000})\"")
_BULLET = re.compile(r"^(?:[-*+\u2022]|[0-9]{1,4}[.)])\s+")
_WITH_BLANKS = re.compile(
    r"""(?ix) \W{0,2} (?: [a-z][a-z0-9 _-]{1,24}\ ?: | hk | \\ | computer | [a-z]:\\ | % | / | asn?\ [0-9]
    | [a-z-]{3,20}/[0-9v] )"""
)
_NUMBERS = re.compile(r"[0-9]+(?:\.[0-9]+){3,}(?:[:/-]|$)")
_LONG_HEX = re.compile(r"[0-9A-Fa-f]{32,}$")
_DOTTED_NAME = re.compile(r"[\w-]+(?:\.[\w-]+)*\.[A-Za-z][\w-]*$")
_IPV6_IN_PROSE = re.compile(r"[0-9A-Fa-f]{3,4}:[0-9A-Fa-f:.]*[0-9]|(?:[0-9A-Fa-f]{1,4}:){7}|::ffff:")
_HEADER_CELL = re.compile(r"[\"'#]?[A-Za-z_@][\w ./@()-]{0,60}[\"']?")


Item = tuple[str, Indicator]


class Extraction(Iterator[Found]):
    """Iterates over what is found; ``skipped`` (at most 10,000 of ``skipped_count``) grows meanwhile."""

    def __init__(self, text: str | Iterable[str]) -> None:
        self.skipped: list[Skipped] = []
        self.skipped_count = 0
        self._seen: set[tuple[str, str]] = set()
        self._seen_skipped: set[str] = set()
        self._words: set[str] = set()
        self._line = 0
        self._delimiter: str | None = None
        self._comments = False
        self._columns: list[str] = []
        self._header_may_come = True
        self._found = self._run(_lines(text) if isinstance(text, str) else iter(text))

    def __iter__(self) -> Extraction:
        return self

    def __next__(self) -> Found:
        return next(self._found)

    def _run(self, lines: Iterator[str]) -> Iterator[Found]:
        sample = list(islice(lines, SAMPLE))
        self._delimiter = _delimiter(sample)
        self._comments = bool(self._delimiter) or _is_list(sample)
        for self._line, line in enumerate(chain(sample, lines), 1):
            for text, indicator in self._of_line(line.strip()):
                key = (indicator.type, indicator.value)
                if key not in self._seen:
                    self._seen.add(key)
                    yield Found(indicator, text, self._line)

    def _skip(self, text: str, reason: str) -> None:
        text = text[:200]
        if text not in self._seen_skipped:
            self.skipped_count += 1
            if len(self.skipped) < MOST_SKIPPED:
                self._seen_skipped.add(text)
                self.skipped.append(Skipped(text, reason, self._line))

    def _known(self, text: str) -> bool:
        """Whether ``text`` was read before, so that all that is in it is known; remembers it."""
        if len(text) > 400:
            return False
        if text in self._words:
            return True
        if len(self._words) >= MOST_WORDS:
            self._words.clear()
        self._words.add(text)
        return False

    def _of_line(self, line: str) -> Iterator[Item]:
        if not line:
            return
        if line[0] in "{[" and line.rstrip(",")[-1:] in ("}", "]"):
            tree = _json(line.rstrip(","))
            if isinstance(tree, dict | list):
                yield from self._of_tree(tree)
                return
        delimiter = "|" if line[0] == "|" == line[-1] and len(line) > 2 else self._delimiter
        cells = _split(line.removeprefix("#").strip() if delimiter != "|" else line, delimiter) if delimiter else []
        if len(cells) > 1 and self._header_may_come and _is_header(cells):
            self._columns = [named(cell) for cell in cells]
            self._header_may_come = False
        elif self._comments and line.startswith("#"):
            if "://" in line or "[.]" in line:
                self._skip(line, "is in a comment")
        elif len(cells) > 1:
            self._header_may_come = False
            columns = self._columns if len(self._columns) == len(cells) else [""] * len(cells)
            row = _row_type(cells)
            for name, cell in zip(columns, cells, strict=True):
                if cell:
                    yield from self._of_cell(cell, name, row)
        else:
            yield from self._of_cell(_BULLET.sub("", line))

    def _of_tree(self, tree: object) -> Iterator[Item]:
        """The strings of a JSON value, in order; keys only name what they hold."""
        stack: list[tuple[object, str, str]] = [(tree, "", "")]
        while stack:
            node, name, row = stack.pop()
            if isinstance(node, dict):
                row = _row_type([value for value in node.values() if isinstance(value, str)])
                stack.extend((value, named(key), row) for key, value in reversed(node.items()))
            elif isinstance(node, list):
                stack.extend((value, name, row) for value in reversed(node))
            elif isinstance(node, str):
                yield from self._of_cell(node, name, row)

    def _of_cell(self, cell: str, name: str = "", row: str = "") -> Iterator[Item]:
        """A line, or a cell with the ``name`` of its column, in a ``row`` that says of which type it is."""
        if self._known(f"{name} {row} {cell}"):
            return
        text = unwrapped(cell.strip())
        if name in REFERENCES or text.lower() in NOTHING:
            return
        column = NAMES.get(name, "")
        if row in STRICT and column in ("", row) and name not in HASH_NAMES and (found := _parsed(row, text)):
            yield text, found
            return
        if column in BY_COLUMN:
            if found := _parsed(column, text):
                yield text, found
            elif not re.search(r"\s", text):
                self._skip(text, f"is no {column}, as its column says")
            return
        reason = ""
        short = len(text) <= LONGEST_TEXT
        one_word = short and not re.search(r"\s", text) and not _BETWEEN_URLS.search(text)
        if one_word or (short and _WITH_BLANKS.match(text)):
            try:
                found = _whole(text) or (single(text) if one_word else None)
            except InvalidIndicator as error:
                found, reason = None, error.reason
            if found and found.type == "filename" and not HOSTS.isdisjoint((row, name)):
                found = _parsed("host", text) or found
            if found:
                yield text, found
                return
        if reason and not _GLUED.search(text):
            if _looks(text):
                self._skip(text, reason)
            return
        nothing = True
        for item in self._of_prose(text):
            nothing = False
            yield item
        if nothing and one_word and reason and _looks(text):
            self._skip(text, reason)

    def _of_prose(self, text: str) -> Iterator[Item]:
        if "[" in text or "(" in text or "{" in text:
            text = _SPACED_DOT.sub(r"\1", _SPACED_AT.sub(r"\1", text))
        if "`" in text or '"' in text:
            for match in _SPAN.finditer(text):
                inner = match[1] or match[2]
                if found := _spanned(inner):
                    yield inner, found
        label, left = "", 0
        for match in _WORD.finditer(text):
            word = match[0]
            left -= 1
            if len(word) < 40 and _LABEL_WORD.match(word) and (type := NAMES.get(named(word), "")) in STRICT:
                label, left = type, 4
                continue
            if not _CANDIDATE.search(word):
                continue
            if "\\/" in word:
                word = word.replace("\\/", "/")  # as JSON may write a slash
            if left <= 0 and self._known(word):
                continue
            for piece in (_BETWEEN_URLS if "//" in word else _COMMAS).split(word):
                if left > 0 and (found := _parsed(label, trimmed(piece))):
                    left = 0
                    yield trimmed(piece), found
                elif piece and (piece == word or not self._known(piece)):
                    yield from self._of_piece(piece)

    def _of_piece(self, piece: str) -> Iterator[Item]:
        """A word, or what stands between its commas: a URL with what is glued to its front, or no URL."""
        plain = refang(piece)
        fanged = plain != piece
        stood = trimmed(piece) if fanged and len(piece) <= LONGEST_TEXT else ""
        start = _URL_START.search(plain) if "://" in plain else None
        for part in _BRACKETS.split(plain[: start.start()] if start else plain):
            yield from self._of_part(part, stood, fanged)
        if start is None:
            return
        # As it stands, if it begins there as well: a URL may hold what looks defanged.
        raw = _URL_START.search(piece) if fanged else None
        url = piece[raw.start() :] if raw and raw.start() == start.start() else plain[start.start() :]
        if len(url) > LONGEST_TEXT:
            self._skip(url, "is longer than a URL may be")
            return
        url = trimmed(url)
        try:
            yield (stood or url), single(url)
        except InvalidIndicator as error:
            self._skip(stood or url, error.reason)

    def _of_part(self, part: str, stood: str, fanged: bool) -> Iterator[Item]:
        """A word of prose without brackets; ``stood`` is how it stood before it was refanged."""
        part = trimmed(part[: LONGEST_TEXT + 1])
        if not 2 < len(part) <= LONGEST_TEXT or not _CANDIDATE.search(part):
            return
        try:
            found = single(part)
        except InvalidIndicator as error:
            pieces = part.split(":", 6)
            if 1 < len(pieces) < 6 and not re.fullmatch(r"[0-9A-Fa-f:.%]+", part):
                for piece in pieces:
                    yield from self._of_part(piece, stood, fanged)
            elif _NUMBERS.match(part) or _LONG_HEX.match(part) or ((fanged or "@" in part) and _looks(part)):
                self._skip(stood or part, error.reason)
            return
        doubt = "" if fanged else _doubt(found, part)
        if not doubt:
            yield (stood or part), found
        elif doubt != SILENT:
            self._skip(part, doubt)


SILENT = "says too little"


def _doubt(found: Indicator, word: str) -> str:
    """Why a word of prose, not defanged, should not be taken for what it may be; empty where it should."""
    if found.type in ("filename", "user-agent", "registry"):
        return SILENT
    if found.type == "ip" and ":" in found.value:
        # a::b is C++ and dead::beef a joke: written addresses begin with a whole group, or stand in full.
        return "" if _IPV6_IN_PROSE.match(word) else SILENT
    if found.type not in ("domain", "fqdn", "url"):
        return ""
    host = re.split("[:/?#]", word, maxsplit=1)[0].rstrip(".")
    last = host.rpartition(".")[2]
    if last != last.lower() and host != host.upper():
        return SILENT  # System.Net, and sentences without a space between.Them
    if last.lower() in SPECIAL_USE:
        return SILENT
    if host == word and host.count(".") == 1 and last in EITHER:
        return "may be a file or a domain: put it on a line of its own, or defang it"
    return ""


def _whole(text: str) -> Indicator | None:
    """:func:`whole`, less what any sentence with a colon in it would give."""
    found = whole(text)
    if found is None or found.type not in LOOSE or found.value == text:
        return found
    label, _, rest = text.partition(":")
    if found.type == "user-agent":
        return found if "/" in rest else None
    exact = label == found.type and not rest.startswith(" ")
    return found if exact or not re.search(r"\s", rest.strip()) else None


def _spanned(text: str) -> Indicator | None:
    """What stands between quotes in prose, where it is of a kind that may hold blanks."""
    try:
        found = _whole(text) if _WITH_BLANKS.match(text) else None
    except InvalidIndicator:
        return None
    return found if found and found.type in STRICT | {"registry", "user-agent", "mutex"} else None


def _parsed(type: str, text: str) -> Indicator | None:
    try:
        return Indicator.parse("host", text) if type == "host" else labelled(type, text)
    except InvalidIndicator:
        return None


def _looks(text: str) -> bool:
    """Whether a word that is no indicator looks like one, so that it is told why."""
    word = refang(trimmed(text))
    before, at, after = word.rpartition("@")
    mail = bool(at and before and "." in after)
    return bool("://" in word or mail or _NUMBERS.match(word) or _LONG_HEX.match(word) or _DOTTED_NAME.match(word))


def words(text: str) -> Iterator[Item]:
    """The indicators in a piece of prose, each with how it stood."""
    return Extraction("")._of_prose(text)


def _lines(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield text[start:end]
        start = end + 1


def _json(line: str) -> object:
    import json

    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _split(line: str, delimiter: str) -> list[str]:
    if delimiter == "|":
        line = line.strip("|")
    if '"' not in line:
        return line.split(delimiter)
    import csv

    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [line])
    except csv.Error:
        return [line]


def _row_type(cells: list[str]) -> str:
    """What the row is about, where one of the cells says so and it cannot be told by its look."""
    for cell in cells:
        if 1 < len(cell) < 40 and ((type := NAMES.get(name := named(cell), "")) in STRICT or name in HOSTS):
            return type or name
    return ""


def _delimiter(sample: list[str]) -> str | None:
    """What separates the cells, where the lines are those of one table: as many cells in nearly all of them."""
    lines = [line.strip() for line in sample]
    header = any(
        _is_header(_split(line.removeprefix("#").strip(), mark))
        for line in lines
        for mark in _DELIMITERS
        if mark in line
    )
    lines = [line for line in lines if line and not line.startswith(("#", "//", "{"))]
    if len(lines) < (1 if header else 3):
        return None
    for mark in _DELIMITERS:
        widths = [len(_split(line, mark)) for line in lines]
        usual = max(set(widths), key=widths.count)
        if usual > 1 and widths.count(usual) >= 0.9 * len(widths):
            return mark
    return None


def _is_list(sample: list[str]) -> bool:
    """Whether this is a list, one word a line: there ``#`` begins a comment, elsewhere a heading."""
    lines = [line.strip() for line in sample if line.strip() and not line.strip().startswith("#")]
    return len(lines) > 1 and sum(len(line.split(maxsplit=1)) == 1 for line in lines) > 0.5 * len(lines)


def _is_header(cells: list[str]) -> bool:
    """Whether these are names of columns: enough of them well known, and none an indicator."""
    if not 1 < len(cells) <= MOST_COLUMNS or not all(
        _HEADER_CELL.fullmatch(cell.strip()) for cell in cells if cell.strip()
    ):
        return False
    known = [named(cell) in HEADER or named(cell.rpartition(".")[2]) in HEADER for cell in cells]
    if sum(known) < max(1, len(cells) // 3):
        return False
    for cell, name_is_known in zip(cells, known, strict=True):
        if not name_is_known and "." in cell:
            try:
                single(cell.strip())
            except InvalidIndicator:
                continue
            return False
    return not any(_LONG_HEX.match(cell.strip()) for cell in cells)
