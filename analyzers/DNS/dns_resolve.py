#!/usr/bin/env python3
"""The DNS: records at a name, names of an address, its autonomous system, block lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from cortex_grow.model.indicator import Indicator
from cortex_grow.net.errors import SourceError
from cortex_grow.source.answer import Answer, Json
from cortex_grow.source.base import Question, Source
from cortex_grow.source.dns import addresses, lists, names
from cortex_grow.source.facts import Fact, Related, found

Body = dict[str, Any]


class DNSResolve(Source):
    """Three parts: ``records`` reach the owner's name servers, ``asn`` and ``dnsbl`` third parties.

    A part is made of several answers by key. What of them failed is asked for in questions of their own behind the
    first: so it is listed as partial, and no cached answer is taken for whole that is not.
    """

    @cached_property
    def session(self) -> Any:
        """The resolvers."""
        from cortex_grow.net.dns import DnsSession

        timeout = self.settings.number("query_timeout", 5, low=1, high=60)
        return DnsSession(self.name, self.settings.texts("resolvers"), timeout=timeout, deadline=self.job.deadline)

    @property
    def key(self) -> str:
        """The resolvers, in place of a credential: what one of them answers, or fails to, is no other's."""
        return " ".join(self.settings.texts("resolvers"))

    def ask(self, seed: Indicator, answer: Answer) -> Iterator[Question]:
        """Records first; the autonomous systems of the addresses found; block lists where some are configured."""
        if seed.type == "ip":
            yield from self._of_address(seed, answer)
            known = [seed.value]
        else:
            yield from self._of_name(seed, answer)
            known = self._public(answer)
        if known:
            some = known[: addresses.MOST_ADDRESSES]
            text = f"origin of {' '.join(some)}" + (f" of {len(known)}" if len(known) > len(some) else "")
            yield Question("asn", text, lambda: self._origins(some, len(known)))
            yield from self._rest("asn", seed, answer, some, self._systems)
            yield from self._rest("asn", seed, answer, addresses.systems_in(answer["asn"]), self._systems)
        yield from self._in_lists(seed, answer)

    def read(self, seed: Indicator, answer: Answer) -> Iterator[Fact]:
        """What each part says."""
        if "records" in answer:
            when, body = answer.parts["records"].as_of, answer["records"]
            if seed.type == "ip":
                yield from addresses.pointers(seed, body, when)
            else:
                if seed.type == "fqdn":
                    yield Related(seed, "subdomain-of", found("domain", _registrable(seed.value)))
                yield from names.records(seed, body, when)
        if "asn" in answer:
            yield from addresses.origins(seed, answer["asn"])
        if "dnsbl" in answer:
            yield from lists.listings(answer["dnsbl"])
        elif "dnsbl" in answer.parts:
            yield from lists.listings(Json({zone: {} for zone in self._fitting(seed)}))

    def _of_address(self, seed: Indicator, answer: Answer) -> Iterator[Question]:
        yield Question("records", f"PTR of {seed.value}", lambda: self._pointers(seed.value))
        checked = answer["records"]["PTR"]["values"].texts[: addresses.MOST_POINTERS]
        yield from self._rest("records", seed, answer, checked, lambda keys: self._forward(seed.value, keys))

    def _of_name(self, seed: Indicator, answer: Answer) -> Iterator[Question]:
        kinds = (*names.KINDS, names.DMARC)
        yield Question("records", f"records of {seed.value}", lambda: self._records(seed.value, kinds))
        yield from self._rest("records", seed, answer, kinds, lambda keys: self._kinds(seed.value, keys))

    def _public(self, answer: Answer) -> list[str]:
        """The addresses of a name, sorted; none that is internal or the operator's own: that is nobody's business."""
        known = {text for kind in ("A", "AAAA") for text in answer["records"][kind]["values"].texts}
        return sorted(text for text in known if not self.job.assets.own(Indicator("ip", text)))

    def _in_lists(self, seed: Indicator, answer: Answer) -> Iterator[Question]:
        try:
            fitting = self._fitting(seed)
        except SourceError as error:
            yield Question("dnsbl", "block lists", partial(_raised, error), calls=0)
            return
        if fitting:
            yield Question("dnsbl", f"{seed.value} in {' '.join(fitting)}", lambda: self._listed(seed, fitting))
            ask = partial(self._asked, seed, fitting)
            yield from self._rest("dnsbl", seed, answer, list(fitting), ask)
            yield from self._rest("dnsbl", seed, answer, lists.reasons_in(answer["dnsbl"]), ask)

    def _fitting(self, seed: Indicator) -> dict[str, lists.Zone]:
        """The block lists to ask about ``seed``, by name. Raises :class:`~cortex_grow.net.errors.SettingsError`."""
        plain, keyed = self.settings.texts("dnsbl_zones"), self.settings.texts("dnsbl_keyed_zones")
        return {zone.name: zone for zone in lists.zones(self.name, plain, keyed) if zone.fits(seed)}

    def _rest(
        self, part: str, seed: Indicator, answer: Answer, wanted: Sequence[str], ask: Callable[[Sequence[str]], Body]
    ) -> Iterator[Question]:
        """One question for each key of a part that its body has no answer for."""
        for key in wanted:
            body = answer[part].raw
            if isinstance(body, dict) and key not in body:
                as_of = answer.parts[part].as_of
                text = f"{key} for {seed.value}, left out of {as_of}"
                yield Question(part, text, partial(_joined, body, as_of, ask, key), calls=0)

    def _said(self, questions: Mapping[str, tuple[str, str]]) -> Body:
        """What the DNS answers, by key, without what failed; raises where everything did."""
        session = self.session
        session.begin(self.job.deadline)
        said = session.ask_all(questions.values())
        body, failures = {}, []
        for key, question in questions.items():
            records = said[question]
            if isinstance(records, SourceError):
                failures.append(records)
            else:
                body[key] = {
                    "exists": records.exists,
                    "values": list(records.values),
                    "aliases": [list(link) for link in records.aliases],
                    "owner": records.owner,
                    "total": records.total,
                }
        if failures and not body:
            raise failures[0]
        return body

    def _kinds(self, name: str, kinds: Sequence[str]) -> Body:
        return self._said({kind: names.question(name, kind) for kind in kinds})

    def _records(self, name: str, kinds: Sequence[str]) -> Body | None:
        """Every kind of record at a name; ``None`` where the name does not exist."""
        body = self._kinds(name, kinds)
        at_name = [entry for kind, entry in body.items() if kind != names.DMARC]
        if not at_name:
            self._kinds(name, names.KINDS)  # raises what it failed with
        return body if any(entry["exists"] or entry["aliases"] for entry in at_name) else None

    def _pointers(self, address: str) -> Body | None:
        """The names that an address claims, and what addresses they have; ``None`` where it claims none."""
        body = self._said({"PTR": (addresses.pointer_name(address), "PTR")})
        claimed = body["PTR"]["values"][: addresses.MOST_POINTERS]
        return _with(body, partial(self._forward, address), claimed) if claimed else None

    def _forward(self, address: str, hosts: Sequence[str]) -> Body:
        return self._said({host: (host, "AAAA" if ":" in address else "A") for host in hosts})

    def _origins(self, known: Sequence[str], total: int) -> Body | None:
        """Autonomous systems of addresses, and their names; ``None`` where no address is announced."""
        body = self._systems(known)
        systems = addresses.systems_in(Json(body))
        if len(body) == len(known) and not systems:
            return None
        return {**_with(body, self._systems, systems), "addresses": {"total": total}}

    def _systems(self, keys: Sequence[str]) -> Body:
        """What Team Cymru says of some addresses and systems."""
        said = self._said({key: (addresses.origin_name(key), "TXT") for key in keys})
        return {
            key: {"name": addresses.title_of(entry["values"])}
            if key.startswith("AS")
            else {"origins": addresses.origins_of(entry["values"])}
            for key, entry in said.items()
        }

    def _listed(self, seed: Indicator, zones: Mapping[str, lists.Zone]) -> Body | None:
        """What each list answers, and the reasons of those that list the seed; ``None`` where none of them does."""
        ask = partial(self._asked, seed, zones)
        body = ask(list(zones))
        listing = lists.reasons_in(Json(body))
        return _with(body, ask, listing) if listing or len(body) < len(zones) else None

    def _asked(self, seed: Indicator, zones: Mapping[str, lists.Zone], keys: Sequence[str]) -> Body:
        """The answers of lists, or their reasons, by key; a list that does not say has failed."""
        questions = {}
        for key in keys:
            name = key.removesuffix(lists.REASONS)
            questions[key] = (zones[name].question(seed), "A" if name == key else "TXT")
        try:
            said = self._said(questions)
        except SourceError as error:
            raise lists.without_keys(error, zones.values()) from None
        refused = {key: lists.refusal(self.name, key, entry["values"]) for key, entry in said.items()}
        body = {key: {"values": entry["values"]} for key, entry in said.items() if not refused[key]}
        failures = [error for error in refused.values() if error]
        if failures and not body:
            raise failures[0]
        return body


def _with(body: Body, ask: Callable[[Sequence[str]], Body], keys: Sequence[str]) -> Body:
    """A body with the answers for more keys; what fails is left out, to be asked for by itself."""
    try:
        return {**body, **ask(keys)}
    except SourceError:
        return body


def _joined(body: Body, as_of: str, ask: Callable[[Sequence[str]], Body], key: str) -> Body:
    """A body with one more answer, the others marked with their time."""
    return {**{known: {"as_of": as_of, **entry} for known, entry in body.items()}, **ask([key])}


def _raised(error: SourceError) -> None:
    raise error


def _registrable(name: str) -> str:
    """The domain that a host's name lies below; below a top-level domain without suffixes its last two labels."""
    from cortex_grow.model.suffixes import registrable

    return registrable(name) or ".".join(name.split(".")[-2:])


if __name__ == "__main__":
    from cortex_grow.worker import run

    run(DNSResolve)
