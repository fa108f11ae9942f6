"""What a service answered, read without trust.

A mapping reads an answer through :class:`Json`: a missing key, a null, a list where an object was expected all read as
empty, so that a mapping says what it looks for and never crashes on what it finds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_TIME = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[T ]+(\d{2}):(\d{2})(?::(\d{2})(?:[.,]\d{1,9})?)?)?[ ]?(Z|UTC|GMT|[+-]\d{2}:?\d{2})?",
    re.I,
)
_SECONDS = range(1, 253402300800)  # up to the end of the year 9999
LONGEST_TEXT = 65536


def utc(value: object) -> str | None:
    """A point in time as ISO 8601 in UTC, ``2019-11-04T10:00:00Z``; ``None`` where it is no time.

    Takes seconds since 1970 (as number or digits; milliseconds where too large for seconds) and ISO 8601 or
    ``2019-01-19 01:33:26 UTC`` texts; without a zone it is UTC.
    """
    from datetime import UTC, datetime, timedelta

    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 20:
        value = int(value)
    try:
        if isinstance(value, (int, float)):
            seconds = int(value)
            if seconds not in _SECONDS:
                seconds //= 1000
            if seconds not in _SECONDS:
                return None
            moment = datetime.fromtimestamp(seconds, UTC)
        elif isinstance(value, str) and (match := _TIME.fullmatch(value.strip()[:64])):
            year, month, day, hour, minute, second, zone = match.groups()
            moment = datetime(
                int(year), int(month), int(day), int(hour or 0), int(minute or 0), min(int(second or 0), 59), tzinfo=UTC
            )
            if zone and zone[0] in "+-":
                offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
                moment = moment - offset if zone[0] == "+" else moment + offset
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment.year > 1000 else None


class Json:
    """A tolerant, read-only view of parsed JSON. ``raw`` is what stands there, whatever it is."""

    __slots__ = ("raw",)

    def __init__(self, raw: Any = None) -> None:
        self.raw = raw

    def __getitem__(self, key: str | int) -> Json:
        """The member of an object by name, or of a list by position; empty where there is none."""
        raw = self.raw
        if isinstance(key, str):
            return Json(raw.get(key)) if isinstance(raw, dict) else Json()
        return Json(raw[key]) if isinstance(raw, list) and -len(raw) <= key < len(raw) else Json()

    def __iter__(self) -> Iterator[Json]:
        """The members of a list; nothing for anything else (use :meth:`each` for the values of an object)."""
        return (Json(item) for item in self.raw) if isinstance(self.raw, list) else iter(())

    def __bool__(self) -> bool:
        return bool(self.raw)

    def __len__(self) -> int:
        return len(self.raw) if isinstance(self.raw, (list, dict, str)) else 0

    def items(self) -> Iterator[tuple[str, Json]]:
        """Names and members of an object; nothing for anything else."""
        if isinstance(self.raw, dict):
            for key, value in self.raw.items():
                yield str(key), Json(value)

    def each(self) -> Iterator[Json]:
        """The members of a list, or the one value that stands where a list may: services write both."""
        if isinstance(self.raw, list):
            yield from self
        elif self.raw not in (None, "", {}):
            yield self

    @property
    def text(self) -> str | None:
        """A text, stripped, of at most 64 KiB, a number as digits; ``None`` for anything else, also the empty text."""
        raw = self.raw
        if isinstance(raw, str):
            return raw[:LONGEST_TEXT].strip() or None
        if isinstance(raw, (int, float)) and not isinstance(raw, bool):
            try:
                return str(raw)
            except ValueError:  # more digits than Python turns into text
                return None
        return None

    @property
    def texts(self) -> list[str]:
        """The texts of a list, or the one text that stands where a list may."""
        return [text for item in self.each() if (text := item.text)]

    @property
    def number(self) -> int | None:
        """A whole number, also one written as text; ``None`` for anything else."""
        raw = self.raw
        if isinstance(raw, bool):
            return None
        try:
            if isinstance(raw, (int, float)):
                return int(raw)
            if isinstance(raw, str) and len(raw) < 32:
                return int(raw.strip())
        except (ValueError, OverflowError):
            pass
        return None

    @property
    def flag(self) -> bool:
        """True for ``true`` and the texts true, yes and 1."""
        return self.raw is True or (isinstance(self.raw, str) and self.raw.strip().lower() in {"true", "yes", "1"})

    @property
    def time(self) -> str | None:
        """A point in time as by :func:`utc`."""
        return utc(self.raw)


@dataclass(slots=True)
class Part:
    """One answered question: its body (``None`` for *not found*), when it was asked, and whether the cache had it."""

    body: Any
    as_of: str
    from_cache: bool = False
    age_s: int = 0

    @property
    def found(self) -> bool:
        """Whether the service knew the thing asked about."""
        return self.body is not None


@dataclass(slots=True)
class Answer:
    """The parts of an answer by name; a part that was not asked, or not found, reads as empty."""

    parts: dict[str, Part] = field(default_factory=dict)

    def __getitem__(self, part: str) -> Json:
        known = self.parts.get(part)
        return Json(known.body if known else None)

    def __contains__(self, part: str) -> bool:
        known = self.parts.get(part)
        return known is not None and known.found

    @property
    def as_of(self) -> str:
        """The time of the oldest part, ISO 8601 in UTC; empty where nothing was asked."""
        return min((part.as_of for part in self.parts.values()), default="")

    @classmethod
    def of(cls, bodies: Mapping[str, Any], as_of: str = "1970-01-01T00:00:00Z") -> Answer:
        """An answer from plain bodies by part: what a mapping is tried on."""
        return cls({part: Part(body, as_of) for part, body in bodies.items()})
