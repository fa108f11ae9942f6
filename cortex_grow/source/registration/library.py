"""What python-whois makes of a text, for the layouts and lines that this package does not read itself.

Only dates and statuses are taken from it. What it calls the registrant is often somebody else (of ``.at``, ``.il``,
``.ir`` and others), and so is its registrar (of ``.com`` in its old layout, of ``.co`` and ``.ml``); its mails are all
those of the text, and its name servers may be whole paragraphs. Imported here and not before: the import takes as long
as the rest of a job.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from cortex_grow.source.registration import lines
from cortex_grow.source.registration.record import Registration

log = logging.getLogger(__name__)
# Its expressions were not written for hostile texts: some of them take time that grows with the square of a line's
# length, or of the number of lines.
_LONGEST = 200
_MOST = 400
_DATES = {"creation_date": "created", "updated_date": "changed", "expiration_date": "expires"}


def filled(registration: Registration, text: str, name: str, seen: Iterable[str]) -> Registration:
    """``registration`` with what it lacks taken from the library.

    ``seen``: the dates that the text has lines for; those are not guessed (``before Aug-1996`` is no date).
    """
    found = parsed(text, name)
    dates = {
        ours: moment for theirs, ours in _DATES.items() if ours not in seen and (moment := _moment(found.get(theirs)))
    }
    return registration.filled(
        Registration(
            statuses=() if registration.statuses else tuple(_statuses(found.get("status"))),
            created=dates.get("created"),
            changed=dates.get("changed"),
            expires=dates.get("expires"),
        )
    )


def parsed(text: str, name: str) -> dict[str, Any]:
    """The library's own reading of a text, empty where it has none: it raises for what it does not understand."""
    from whois.parser import WhoisEntry

    short = [line[:_LONGEST] for line in lines.lines(text) if line.strip() and not line.lstrip().startswith(("%", "#"))]
    try:
        return dict(WhoisEntry.load(name, "\n".join(short[:_MOST]) + "\n"))
    except Exception as error:  # a parser of anybody's text raises anything; it then only has nothing to add
        log.debug("python-whois cannot read the text about %s: %r", name, error)
        return {}


def _moment(value: Any) -> str | None:
    """The date that the library found; the first where it is a list: those that follow are of contacts."""
    from datetime import UTC, datetime

    first = next(iter(value), None) if isinstance(value, (list, tuple)) else value
    if not isinstance(first, datetime) or first.year < 1980:
        return None
    moment = first.astimezone(UTC) if first.tzinfo else first
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _statuses(value: Any) -> Iterable[str]:
    for entry in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(entry, str) and 0 < len(entry.split()) <= 3:
            yield entry.split()[0]
