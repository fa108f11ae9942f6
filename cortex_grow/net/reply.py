"""What came back: a reply, its JSON read without trust, and the words of an error page made fit for a sentence."""

from __future__ import annotations

import codecs
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from .errors import NotAnAnswerError

Redact = Callable[[str], str]

#: Deeper JSON is refused: what reads it later may recurse, and Cortex's own reader stops at 1000 levels.
DEEPEST = 200
WORDS = 12
#: How much of an error page is looked at, in bytes.
GLANCE = 65536


class Headers(Mapping[str, str]):
    """Header fields by name in any case; fields that came several times are joined by a comma (RFC 9110, 5.3)."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields: dict[str, str] = {}
        for name, value in fields:
            name = name.lower()
            self._fields[name] = f"{self._fields[name]}, {value}" if name in self._fields else value

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"Headers({sorted(self._fields)})"  # names alone: a value may be a cookie


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. ``body``: decompressed bytes. ``absent``: the service says that it does not know what was asked for.

    ``attempts``: requests sent to get it (each may have cost a call).
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    absent: bool = False
    source: str = ""
    host: str = ""
    attempts: int = 1
    redact: Redact = field(default=str, repr=False, compare=False)

    def json(self) -> Any:
        """The body as JSON, parsed anew at each call. Raises :class:`NotAnAnswerError` for anything else."""
        return parse_json(
            self.body,
            source=self.source,
            host=self.host,
            status=self.status,
            content_type=self.headers.get("content-type", ""),
            redact=self.redact,
        )

    @property
    def text(self) -> str:
        """The body as text: by the charset of its content type, else UTF-8; what fits neither becomes U+FFFD."""
        return decode(self.body, self.headers.get("content-type", ""))


# Only plain character sets: some codecs of Python are compressors, escapes or slow on hostile input.
_PLAIN: tuple[str, ...] = (
    "utf-8",
    "utf8",
    "utf-16",
    "ascii",
    "us-ascii",
    "iso-8859-",
    "iso8859",
    "windows-",
    "cp12",
    "koi8-",
)
_PLAIN += ("latin", "gb", "big5", "shift_jis", "euc-")


def decode(body: bytes, content_type: str) -> str:
    """``body`` as text, by the charset named in ``content_type`` or as UTF-8."""
    _, _, charset = content_type.lower().partition("charset=")
    charset = charset.split(";")[0].strip(" \"'")
    if charset.startswith(_PLAIN):
        try:
            codecs.lookup(charset)
            return body.decode(charset, "replace")
        except (LookupError, UnicodeError):
            pass  # an unknown name: read as UTF-8 below
    return body.decode("utf-8", "replace")


class _Refused(ValueError):
    """A JSON text that Python's parser would accept, and that is none (or harms what reads it later)."""


def _no_constant(name: str) -> NoReturn:
    raise _Refused(f"it holds {name}, which is no JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise _Refused("it holds a number too large for any reader")
    return number


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)


def parse_json(
    body: bytes,
    *,
    source: str,
    host: str | None = None,
    status: int | None = None,
    content_type: str = "",
    redact: Redact = str,
) -> Any:
    """JSON from bytes: UTF-8, UTF-16 or UTF-32 (RFC 8259 and RFC 4627, 3), at most 200 levels deep, finite numbers.

    A name that comes twice counts the last time; a lone surrogate becomes U+FFFD. Raises :class:`NotAnAnswerError` that
    says what came instead.
    """
    try:
        text = body.decode(json.detect_encoding(body))
        if text.startswith("\ufeff"):
            text = text[1:]
        value = _DECODER.decode(text)
        if body.count(b"[") + body.count(b"{") > DEEPEST:
            _check_depth(value)
    except UnicodeDecodeError:
        why = "it is no text"
    except RecursionError:
        why = "it is nested too deeply"
    except _Refused as error:
        why = str(error)
    except json.JSONDecodeError as error:
        why = f"{error.msg.lower()} at character {error.pos}"
    except ValueError:
        why = "it holds a number with too many digits"  # CPython's limit, sys.set_int_max_str_digits
    else:
        return _whole(value) if "\\ud" in text or "\\uD" in text else value
    kind = content_type.split(";")[0].strip()[:60] or "no content type"
    words = redact(first_words(body, content_type))
    what = f"not JSON but {kind}" if not body or is_html(body, content_type) else f"not valid JSON ({why}), {kind}"
    began = f', beginning "{words}"' if words else ", empty" if not body.strip() else ""
    raise NotAnAnswerError(
        source,
        f"the answer is {what}{began}",
        host=host,
        status=status,
        advice="Check the address in the settings; a proxy or a login page in between may have answered instead",
    )


def _check_depth(value: Any) -> None:
    level = [value] if type(value) in (dict, list) else []
    for _ in range(DEEPEST):
        below: list[Any] = []
        for item in level:
            children = item.values() if type(item) is dict else item
            below.extend(child for child in children if type(child) in (dict, list))
        if not below:
            return
        level = below
    raise _Refused("it is nested too deeply")


def _whole(value: Any) -> Any:
    """A copy without lone surrogates, which no UTF-8 file can hold."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_whole(name): _whole(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return value


def is_html(body: bytes, content_type: str) -> bool:
    """Whether that is a page for a browser."""
    if content_type.split(";")[0].strip().lower() in ("text/html", "application/xhtml+xml"):
        return True
    start = body[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script"))


def first_words(body: bytes, content_type: str, count: int = WORDS) -> str:
    """The first words of a text or a page, without markup, scripts and control characters; at most 200 characters."""
    if b"\0" in body[:GLANCE] and not body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ""
    text = decode(body[:GLANCE], content_type)
    if is_html(body, content_type) or text.lstrip().startswith("<"):
        text = _without_markup(text)
    return clean(" ".join(text.split(None, count)[:count]))


def clean(text: str, length: int = 200) -> str:
    """One line of printable characters, cut at ``length``."""
    line = "".join(character if character.isprintable() else " " for character in text[: 4 * length])
    line = " ".join(line.split())
    return line if len(line) <= length else line[: length - 1] + "…"


def _without_markup(text: str) -> str:
    """Text between tags, by plain search: linear whatever the page holds."""
    lower = text.lower()
    if len(lower) != len(text):
        lower = text  # a character whose lower case is longer: positions would not match
    parts: list[str] = []
    at = 0
    while (opened := text.find("<", at)) >= 0:
        parts.append(text[at:opened])
        for name, end in (("script", "</script"), ("style", "</style"), ("!--", "-->")):
            if lower.startswith(name, opened + 1):
                at = lower.find(end, opened)
                break
        else:
            at = opened
        at = text.find(">", at) if at >= 0 else -1
        if at < 0:
            return " ".join(parts)
        at += 1
    parts.append(text[at:])
    import html

    return html.unescape(" ".join(parts))


def own_words(body: bytes, content_type: str) -> str:
    """What an error body says, for a sentence: a message field of a JSON object, else the beginning of a short text."""
    if is_html(body, content_type):
        return f"a page that reads: {words}" if (words := first_words(body, content_type)) else ""
    try:
        value = _DECODER.decode(body[:GLANCE].decode("utf-8"))
    except (ValueError, RecursionError):
        plain = content_type.split(";")[0].strip().lower() in ("text/plain", "")
        return first_words(body, content_type) if plain else ""
    return clean(_message(value))


def _message(value: Any, depth: int = 0) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and depth < 3:
        return _message(value[0], depth + 1)
    if isinstance(value, dict) and depth < 3:
        words = []
        for names in (("code", "type", "query_status"), ("message", "error", "errors", "detail", "reason", "title")):
            for name in names:
                if isinstance(value.get(name), str | list | dict) and (said := _message(value[name], depth + 1)):
                    words.append(said)
                    break
        return ": ".join(words)
    return ""
