"""Dates as WHOIS servers write them."""

from __future__ import annotations

import re

from cortex_grow.source.answer import utc

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
    )
    if name
}
# Hours before or after UTC of the zones that registries write by name.
_ZONES = {
    "utc": 0, "gmt": 0, "z": 0, "wet": 0, "cet": 1, "west": 1, "bst": 1, "cest": 2, "eet": 2, "eest": 3, "msk": 3,
    "jst": 9, "kst": 9, "brt": -3, "brst": -2, "clt": -4, "clst": -3, "art": -3, "uyt": -3, "est": -5, "edt": -4,
}  # fmt: skip
_DAY = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        r"(?P<y>\d{4})[-./] ?(?P<m>\d{1,2})[-./] ?(?P<d>\d{1,2})(?!\d)",  # 2019-02-06, 2019/03/26, 1999. 07. 28.
        r"(?P<y>\d{4})-(?P<n>[a-z]{3})[a-z]*-(?P<d>\d{1,2})\b",  # 2001-Aug-23.
        r"(?P<y>(?:19|20)\d\d)(?P<m>\d\d)(?P<d>\d\d)\b",  # 19990518
        r"(?P<d>\d{1,2})[-./](?P<m>\d{1,2})[-./](?P<y>\d{4})\b",  # 18.7.2012, 30/10/2002, 05-06-1999
        r"(?P<d>\d{1,2})[-./ ](?P<n>[a-z]{3})[a-z]*[-./ ](?P<y>\d{4})\b",  # 15-sep-1997, 8 Apr 2013
        r"[a-z]{3} (?P<n>[a-z]{3}) +(?P<d>\d{1,2}) [\d:]{8} (?P<y>\d{4})\b",  # Tue Feb 10 09:42:42 2004
        r"(?:[a-z]{3},? )?(?P<n>[a-z]{3})[a-z]* +(?P<d>\d{1,2}),? (?P<y>\d{4})\b",  # May 22 2002
    )
)
_CLOCK = re.compile(r"[t ]*(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d{1,9})?)?", re.I)
_ZONE = re.compile(r"[ (]*(?:(?:utc|gmt)(?=[+-]))?(?:([+-])(\d{1,2}):?(\d{2})?|([a-z]{1,4}))\)?", re.I)


def moment(text: str | None) -> str | None:
    """A point in time as ISO 8601 in UTC; ``None`` for what is no date, or none in particular (``before Aug-1996``).

    Day before month, as all of them write it. Without a zone it is taken as UTC, though it may be local time: it is
    then wrong by some hours. ``1970-01-01`` stands for *not known*.
    """
    if not text:
        return None
    text = text.strip()[:64]
    for pattern in _DAY:
        found = pattern.match(text)
        if not found:
            continue
        part = found.groupdict()
        month = _MONTHS.get(part["n"].lower(), 0) if part.get("n") else int(part["m"])
        rest = text[found.end() :]
        clock = _CLOCK.match(rest)
        hour, minute, second = (int(piece or 0) for piece in clock.groups()) if clock else (0, 0, 0)
        zone = _offset(rest[clock.end() :]) if clock else ""
        moment = utc(f"{int(part['y']):04}-{month:02}-{int(part['d']):02} {hour:02}:{minute:02}:{second:02}{zone}")
        return None if moment is None or moment.startswith("1970-01-01") else moment
    return None


def _offset(text: str) -> str:
    found = _ZONE.match(text)
    if not found:
        return ""
    sign, hours, minutes, name = found.groups()
    if name:
        hour = _ZONES.get(name.lower(), 0)
        return f"{hour:+03}:00"
    return f"{sign}{int(hours):02}:{minutes or '00'}"
