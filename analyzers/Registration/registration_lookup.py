#!/usr/bin/env python3
"""Registration: who holds a name, network or autonomous system, by RDAP (RFC 9082, 9083), else WHOIS (RFC 3912)."""

from __future__ import annotations

from collections.abc import Iterator

from cortex_grow.model.indicator import Indicator
from cortex_grow.source.answer import Answer
from cortex_grow.source.base import Question, Source
from cortex_grow.source.facts import Fact
from cortex_grow.source.registration import asking, rdap, reading


class RegistrationLookup(Source):
    """The registry's RDAP server, then the registrar's; the WHOIS server where RDAP has no answer."""

    def ask(self, seed: Indicator, answer: Answer) -> Iterator[Question]:
        """The bootstrap's server first; of a name below a domain, the domain is asked about."""
        asked = asking.subject(seed)
        question = asking.by_rdap(self, asked)
        if question is not None:
            yield question
        if "rdap" in answer:
            href = rdap.related(answer["rdap"], question.text.removeprefix("GET ")) if question else None
            if href and asked.type in ("domain", "fqdn") and self.settings.flag("follow_registrar", True):
                yield asking.by_registrar(self, href)
            return
        yield asking.by_whois(self, asked)

    def read(self, seed: Indicator, answer: Answer) -> Iterator[Fact]:
        """One registration out of all parts: what the registry says counts before what the registrar says."""
        yield from reading.read(seed, answer, self.name)


if __name__ == "__main__":
    from cortex_grow.worker import run

    run(RegistrationLookup)
