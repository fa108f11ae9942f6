"""From the parts of an answer to facts."""

from __future__ import annotations

from collections.abc import Iterator

from cortex_grow.model.indicator import Indicator
from cortex_grow.net.errors import SourceError
from cortex_grow.source.answer import Answer
from cortex_grow.source.facts import Fact, Missing
from cortex_grow.source.registration import facts, library, names, networks, ranges, rdap
from cortex_grow.source.registration.asking import subject
from cortex_grow.source.registration.outcome import Outcome, outcome
from cortex_grow.source.registration.record import Registration, Resources


def read(seed: Indicator, answer: Answer, source: str) -> Iterator[Fact]:
    """What the registry, the registrar or the WHOIS server says of the seed."""
    asked = subject(seed)
    text = answer["whois"]["text"].raw if "whois" in answer else None
    if isinstance(text, str):
        server = answer["whois"]["server"].text or "the WHOIS server"
        is_name = seed.type in ("domain", "fqdn")
        try:
            if outcome(text, asked.value, is_name, source, server) is not Outcome.RECORD:
                text = None
        except SourceError as error:
            # Only a text that was judged elsewhere comes here: by an older version, into the cache.
            yield Missing("whois", str(error))
            text = None
    if seed.type == "ip":
        yield from facts.of_address(seed, _address(seed, answer, text))
    elif seed.type == "autonomous-system":
        yield from facts.of_number(seed, _number(seed, answer, text))
    else:
        yield from _name(seed, asked, answer, text)


def _address(seed: Indicator, answer: Answer, text: str | None) -> Resources:
    held = ranges.address(seed.value)
    resources = rdap.network(answer["rdap"], held) if held is not None and "rdap" in answer else Resources()
    return resources or (networks.read(text, seed.value) if isinstance(text, str) else resources)


def _number(seed: Indicator, answer: Answer, text: str | None) -> Resources:
    resources = rdap.number(answer["rdap"], int(seed.value[2:])) if "rdap" in answer else Resources()
    return resources or (networks.read(text, seed.value) if isinstance(text, str) else resources)


def _name(seed: Indicator, asked: Indicator, answer: Answer, text: str | None) -> Iterator[Fact]:
    found: Registration | None = None
    for part in ("rdap", "rdap_registrar"):
        if part in answer:
            one = rdap.domain(answer[part], asked.value)
            if one is None:
                yield Missing(part, f"the answer is about another name than {asked.value}")
            else:
                found = found.filled(one) if found else one
    if isinstance(text, str):
        reading = names.read(text, asked.value)
        one = reading.registration
        if not (one.statuses and {"created", "expires"} <= reading.seen):
            one = library.filled(one, text, asked.value, reading.seen)
        found = found.filled(one) if found else one
    if found is not None:
        yield from facts.of_name(seed, asked, found, answer.as_of)
