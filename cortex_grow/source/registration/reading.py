"""From the parts of an answer to facts."""

from __future__ import annotations

from collections.abc import Iterator

from cortex_grow.model.indicator import Indicator
from cortex_grow.net.errors import SourceError
from cortex_grow.source.answer import Answer, Json
from cortex_grow.source.facts import Fact, Missing
from cortex_grow.source.registration import facts, ranges, rdap
from cortex_grow.source.registration.asking import subject
from cortex_grow.source.registration.record import Registration, Resources


def read(seed: Indicator, answer: Answer, source: str) -> Iterator[Fact]:
    """What the registry, the registrar or the WHOIS server says of the seed."""
    asked = subject(seed)
    text: str | None = None
    if "whois" in answer:
        try:
            text = _record(asked, answer["whois"], source)
        except SourceError as error:
            # Only a text that was judged elsewhere comes here: by an older version, into the cache.
            yield Missing("whois", str(error))
    if seed.type == "ip":
        yield from facts.of_address(seed, _address(seed, answer, text))
    elif seed.type == "autonomous-system":
        yield from facts.of_number(seed, _number(seed, answer, text))
    else:
        yield from _name(seed, asked, answer, text)


def _record(asked: Indicator, part: Json, source: str) -> str | None:
    """The text of a WHOIS answer where it is a record. What reads texts is loaded only where there is one."""
    from cortex_grow.source.registration.outcome import Outcome, outcome

    text, server = part["text"].raw, part["server"].text or "the WHOIS server"
    if not isinstance(text, str):
        return None
    found = outcome(text, asked.value, asked.type in ("domain", "fqdn"), source, server)
    return text if found is Outcome.RECORD else None


def _address(seed: Indicator, answer: Answer, text: str | None) -> Resources:
    held = ranges.address(seed.value)
    resources = rdap.network(answer["rdap"], held) if held is not None and "rdap" in answer else Resources()
    return resources or _resources(seed, text)


def _number(seed: Indicator, answer: Answer, text: str | None) -> Resources:
    resources = rdap.number(answer["rdap"], int(seed.value[2:])) if "rdap" in answer else Resources()
    return resources or _resources(seed, text)


def _resources(seed: Indicator, text: str | None) -> Resources:
    if text is None:
        return Resources()
    from cortex_grow.source.registration import networks

    return networks.read(text, seed.value)


def _name(seed: Indicator, asked: Indicator, answer: Answer, text: str | None) -> Iterator[Fact]:
    found: Registration | None = None
    for part in ("rdap", "rdap_registrar"):
        if part in answer:
            one = rdap.domain(answer[part], asked.value)
            if one is None:
                yield Missing(part, f"the answer is about another name than {asked.value}")
            else:
                found = found.filled(one) if found else one
    if text is not None:
        one = _from_text(text, asked.value)
        found = found.filled(one) if found else one
    if found is not None:
        yield from facts.of_name(seed, asked, found, answer.as_of)


def _from_text(text: str, name: str) -> Registration:
    from cortex_grow.source.registration import library, names

    reading = names.read(text, name)
    found = reading.registration
    if found.statuses and {"created", "expires"} <= reading.seen:
        return found
    return library.filled(found, text, name, reading.seen)
