"""Verdicts: named score terms that add up, and the level that follows from their sum."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

LEVELS = ("safe", "info", "suspicious", "malicious")


@dataclass(frozen=True, slots=True)
class Term:
    """One reason of a verdict: ``points`` (-100 to 100) given by ``rule`` of ``provider``, and why, for a person.

    ``provider`` and ``rule`` name the term: of two with the same names only the weightier counts.
    """

    provider: str
    rule: str
    points: int
    why: str


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which score on a verdict has which level; below ``suspicious`` and above ``safe`` it is ``info``."""

    malicious: int = 70
    suspicious: int = 40
    safe: int = -20

    def level(self, score: int) -> str:
        """The level of ``score``: safe, info, suspicious or malicious."""
        if score >= self.malicious:
            return "malicious"
        if score >= self.suspicious:
            return "suspicious"
        return "safe" if score <= self.safe else "info"


def distinct(terms: Iterable[Term]) -> tuple[Term, ...]:
    """The terms with one per (provider, rule), the weightier of two kept, weightiest first.

    Unions of such sets are associative and commutative: ties are broken by the text.
    """
    kept: dict[tuple[str, str], Term] = {}
    for term in terms:
        name = (term.provider, term.rule)
        other = kept.get(name)
        if other is None or (abs(term.points), term.points, term.why) > (abs(other.points), other.points, other.why):
            kept[name] = term
    return tuple(sorted(kept.values(), key=lambda term: (-abs(term.points), term.provider, term.rule)))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is made of one indicator: the sum of its terms held between -100 and 100, and the level of that sum."""

    level: str = "info"
    score: int = 0
    terms: tuple[Term, ...] = field(default=())

    @classmethod
    def of(cls, terms: Iterable[Term], thresholds: Thresholds | None = None) -> Verdict:
        """Add up distinct ``terms``. No term at all is ``info`` with score 0: unknown is never safe."""
        kept = distinct(terms)
        score = max(-100, min(100, sum(term.points for term in kept)))
        return cls((thresholds or Thresholds()).level(score), score, kept)

    def to_dict(self) -> dict[str, Any]:
        """The verdict as the report holds it."""
        return {
            "level": self.level,
            "score": self.score,
            "reasons": [
                {"points": term.points, "why": term.why, "provider": term.provider, "rule": term.rule}
                for term in self.terms
            ],
        }
