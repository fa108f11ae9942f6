"""What the text of a WHOIS server is: a record, *not registered*, or no answer at all.

The servers have one channel for all three, so words tell them apart. A record is known by what it holds, whatever its
boilerplate says; the words of the others are looked for line by line.
"""

from __future__ import annotations

import re
from enum import Enum

from cortex_grow.net.errors import NotAnAnswerError, QuotaError, RefusedError, SourceError, UnreachableError
from cortex_grow.source.registration import lines, names, networks

_FREE_STATUS = re.compile(
    r"(?:free|available|no object found|not registered|220 available|unassigned|object not found)\b.*", re.I
)
# A line that says so; comment signs and the number of an error in front of it do not count.
_FREE = re.compile(
    "|".join(
        (
            r"no match(?:!!|\b.*)|no matching (?:record|object)s?\b.*|\S{1,80} no match|.{0,40}no match found for\b.*",
            r".{0,120}\bno entries found\b.*|no (?:data )?found\b.*|nothing found\b.*|nincs találat.*",
            r"not found\W*|not found: \S+|\S{0,80}not found|domain not found\b.*|no object found.*",
            r"(?:the )?domain \S{1,100} (?:was )?not found\W*|.{0,120}\bwas not found in the registry\b.*",
            r".{0,80}\bnot found in (?:the )?(?:database|registry)\b.*|.{0,80}\bdoes not exist in (?:the )?database.*",
            r".{0,40}object[_ ](?:does not exist|not[_ ]found).*|the queried object does not exist\b.*",
            r"no (?:domain )?(?:records?|data) (?:were|was) found\b.*|we do not have an entry for\b.*",
            r"no information available about domain name\b.*|there is no information available on the domain\b.*",
            r"available|status: free|\S{1,80} is free|.{0,60}\bis available for (?:purchase|registration)\b.*",
            r"(?:the )?(?:domain )?(?:name )?\S{0,80} ?(?:is|has) (?:not |n't )?(?:been )?(?:not )?registered\b.*",
            r"this domain name has not been registered.*|.{0,80}\bnot registered\b.*|.{0,60} is undelegated\b.*",
            r".{0,80}\bno existe\b.*|.{0,60}\bno se encuentra registrado\b.*|.{0,60}\bdomain name not known\b.*",
            r".{0,20}unallocated resource\b.*",
        )
    ),
    re.I,
)
_QUOTA = re.compile(
    "|".join(
        (
            r"rate limit|quota (?:has been )?exceeded|limit (?:has been )?exceeded|exceeded (?:the|your|its|maximum)",
            r"too many (?:requests|queries|connections)|maintain at least \S+ time|try again (?:in|after) \d",
            r"queries per (?:hour|minute|day)|query rate|lookup quota|requests of this client",
        )
    ),
    re.I,
)
# The same in a comment, where boilerplate speaks of limits as well.
_LIMITED = re.compile(
    r"(?:your |the )?(?:maximum )?(?:query |request )?(?:rate|quota|limit)(?: limit)? "
    r"(?:is |was |has been )?(?:reached|exceeded)\W*",
    re.I,
)
_LATER = re.compile(
    r"temporarily|try again|(?:server|service|database) (?:is )?(?:busy|down|unavailable|not available)|"
    r"timed? ?out|internal (?:server )?error|connection refused|maintenance",
    re.I,
)
_DENIED = re.compile(
    r"denied|not (?:permitted|authori[sz]ed|allowed)|blacklisted|blocked|banned|prohibited|forbidden|refused", re.I
)
_MARKS = re.compile(r"^(?:[%#>*&;\s-]*(?:error:?\s*\d*:?)?\s*)", re.I)


_LOOKED_AT = 300


class Outcome(Enum):
    """What a text is."""

    RECORD = "a record"
    FREE = "not registered"


def outcome(text: str, value: str, is_name: bool, source: str = "", server: str = "") -> Outcome:
    """What the text of ``server`` about ``value`` is.

    Raises :class:`QuotaError`, :class:`UnreachableError` (later) or :class:`RefusedError` where the server did not
    answer the question, :class:`NotAnAnswerError` where the text says nothing that is understood.
    """
    if is_name:
        reading = names.read(text, value)
        statuses = reading.registration.statuses
        if any(_FREE_STATUS.fullmatch(status) for status in statuses):
            return Outcome.FREE
        if reading.record:
            return Outcome.RECORD
    elif networks.read(text, value):
        return Outcome.RECORD
    rows = list(lines.lines(text))
    # What counts stands at the beginning, or below a page of terms.
    said = [_MARKS.sub("", line, count=1).strip()[:300] for line in (*rows[:_LOOKED_AT], *rows[-_LOOKED_AT:])]
    said = [line for line in said if line]
    if any(_FREE.fullmatch(line) for line in said):
        return Outcome.FREE
    error = any(re.match(r"\s*[%#]\s*error", line, re.I) for line in rows)
    spoken = said if error else [line for line in rows if line.strip() and not re.match(r"\s*[%#]", line)]
    limited = [line for line in said if len(line) < 100 and _LIMITED.fullmatch(line)]
    failure = _failure(limited + spoken, source, server)
    if failure is not None:
        raise failure
    if is_name and statuses and not any(re.match(r"[345]\d\d\b", status) for status in statuses):
        return Outcome.RECORD
    raise NotAnAnswerError(
        source,
        f"the text of {server} neither is a record nor says that there is none",
        host=server,
        said=_short(spoken or said),
        breaks=False,
    )


def _failure(spoken: list[str], source: str, server: str) -> SourceError | None:
    """The error that a text without a record stands for: its first lines say so; the threats of terms come later."""
    for words, kind, what, advice in (
        (_QUOTA, QuotaError, "has had too many questions from here", "Ask less often"),
        (_DENIED, RefusedError, "refuses the question", ""),
        (_LATER, UnreachableError, "cannot answer now", "Ask again later"),
    ):
        line = next((line for line in spoken[:20] if words.search(line[:300])), None)
        if line is not None:
            said = _short([line])
            return kind(source, f"{server} {what}", host=server, said=said, advice=advice, breaks=False)
    return None


def _short(spoken: list[str]) -> str:
    text = next((line.strip() for line in spoken if line.strip()), "")
    printable = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[:160])
    return printable.strip()
