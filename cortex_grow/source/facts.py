"""What a mapping says: facts, in the words of the field.

A mapping yields these and nothing else. Ends of relations may be raw values as the answer has them (:func:`found`): the
package makes them canonical, leaves out what is empty, and counts what cannot be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cortex_grow.model.indicator import Indicator


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Found:
    """An indicator as an answer writes it: a type (or ``host`` for ip, domain or fqdn) and a value still to be read."""

    type: str
    value: str | None
    attributes: Mapping[str, str] = field(default_factory=dict)


def found(type: str, value: str | None, **attributes: str | None) -> Found:
    """An indicator as the answer writes it; an empty value is left out, an unreadable one is counted."""
    return Found(type, value, {name: text for name, text in attributes.items() if text})


def found_file(**digests: str | None) -> Found | None:
    """A file by what an answer tells of it: its digests, filename, size …; ``None`` without a digest."""
    for kind in ("sha256", "sha1", "md5", "sha512"):
        if digests.get(kind):
            return found("hash", digests[kind], **{name: text for name, text in digests.items() if name != kind})
    return None


End = Indicator | Found | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Related:
    """``source`` stands in ``relation`` to ``target``; the relation's inverse may be used, read the same way round.

    Times are ISO 8601 in UTC as the source gives them, never now. ``context`` holds short texts.
    """

    source: End
    relation: str
    target: End
    first_seen: str | None = None
    last_seen: str | None = None
    count: int | None = None
    reference: str | None = None
    context: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class About:
    """What an answer says of an indicator itself: more digests, times, tags. ``indicator`` may be the seed."""

    indicator: End
    first_seen: str | None = None
    last_seen: str | None = None
    tags: Sequence[str] = ()
    attributes: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Score:
    """A score term about the seed, or about ``about``: points from -100 to 100, the rule's name, and why, for a person.

    ``when`` false says nothing.
    """

    points: int
    rule: str
    why: str
    about: End = None
    when: object = True


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Family:
    """A malware family that the seed, or ``about``, belongs to or points to."""

    name: str | None
    about: End = None
    reference: str | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Technique:
    """An ATT&CK technique (``T1055.012``) that the seed, or ``about``, uses, with what shows it."""

    id: str | None
    name: str | None = None
    evidence: str | None = None
    about: End = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Actor:
    """A threat actor that the seed, or ``about``, is attributed to."""

    name: str | None
    about: End = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Known:
    """Facts to show under a title, as name and value; empty values are left out."""

    title: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Rows:
    """A table to show under a title."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Summary:
    """A line of the summary: ``detections``, ``44/65``. The first is what is read first; at most three count."""

    predicate: str
    value: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Hub:
    """The indicator is a dead end for growth: a shared address, a proxy mail, a parking name server; and why."""

    indicator: End
    why: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Missing:
    """A part of the question that has no answer (premium only, truncated by the service), and why."""

    part: str
    why: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Cut:
    """The source had more than it gave or than was read: how many there are, how many were kept, and why."""

    what: str
    found: int
    kept: int
    why: str


Fact = Related | About | Score | Family | Technique | Actor | Known | Rows | Summary | Hub | Missing | Cut
