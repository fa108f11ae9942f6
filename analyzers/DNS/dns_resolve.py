#!/usr/bin/env python3
"""The DNS: records at a name, names of an address, its autonomous system, block lists."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from cortex_grow.model.indicator import Indicator
from cortex_grow.net.errors import SourceError
from cortex_grow.source.answer import Answer
from cortex_grow.source.base import Question, Source
from cortex_grow.source.dns import addresses, names
from cortex_grow.source.facts import Fact, Missing, Related, Summary, found

CYMRU = "cymru.com"  # https://www.team-cymru.com/ip-asn-mapping
MOST_ADDRESSES = 5
MOST_POINTERS = 5


class DNSResolve(Source):
    """Three parts: ``records`` reach the owner's name servers, ``asn`` and ``dnsbl`` third parties."""

    @cached_property
    def session(self) -> Any:
        """The resolvers."""
        from cortex_grow.net.dns import DnsSession

        timeout = self.settings.number("query_timeout", 5, low=1, high=60)
        return DnsSession(self.name, self.settings.texts("resolvers"), timeout=timeout, deadline=self.job.deadline)

    def ask(self, seed: Indicator, answer: Answer) -> Iterator[Question]:
        """Records first; the autonomous systems of the addresses found; block lists where some are configured."""
        if seed.type == "ip":
            yield Question("records", f"PTR {seed.value}", lambda: self._pointers(seed.value))
            known = [seed.value]
        else:
            yield Question("records", f"records of {seed.value}", lambda: self._records(seed.value))
            known = [text for kind in ("A", "AAAA") for text in answer["records"]["records"][kind].texts]
        known = known[:MOST_ADDRESSES]
        if known:
            yield Question("asn", f"origin of {' '.join(known)}", lambda: self._origins(known))
        fitting = [
            zone for zone in self.settings.texts("dnsbl_zones") if addresses.takes_names(zone) == (seed.type != "ip")
        ]
        if fitting:
            yield Question("dnsbl", f"{seed.value} in {' '.join(fitting)}", lambda: self._listed(seed, fitting))

    def read(self, seed: Indicator, answer: Answer) -> Iterator[Fact]:
        """What each part says."""
        body = answer["records"]
        when = answer.parts["records"].as_of if "records" in answer.parts else answer.as_of
        if seed.type == "ip":
            yield from addresses.pointers(seed, body, when)
        else:
            if seed.type == "fqdn":
                from cortex_grow.model.suffixes import registrable

                yield Related(seed, "subdomain-of", found("domain", registrable(seed.value)))
            yield from names.records(seed, body, when)
            count = sum(len(body["records"][kind]) for kind in ("A", "AAAA"))
            if "records" in answer:
                yield Summary("addresses", str(count))
        for kind, why in body["failed"].items():
            yield Missing(f"records {kind}", why.text or "no answer")
        yield from addresses.origins(answer["asn"])
        yield from addresses.listings(answer["dnsbl"])

    def _records(self, name: str) -> dict[str, Any] | None:
        """Every kind of record at a name, and its DMARC policy; ``None`` where the name does not exist."""
        policy = (f"_dmarc.{name}", "TXT")
        said = self._asked([*((name, kind) for kind in names.KINDS), policy])
        here = {kind: said[(name, kind)] for kind in names.KINDS}
        answered = [records for records in here.values() if not isinstance(records, SourceError)]
        if not answered:
            raise next(error for error in here.values() if isinstance(error, SourceError))
        if not any(records.exists for records in answered):
            return None
        chain = max((records.aliases for records in answered), key=len)
        dmarc = said[policy]
        return {
            "records": {
                kind: list(records.values) for kind, records in here.items() if not isinstance(records, SourceError)
            },
            "failed": {kind: str(error) for kind, error in here.items() if isinstance(error, SourceError)},
            "aliases": [list(alias) for alias in chain],
            "owner": next((records.owner for records in answered if records.aliases), name),
            "dmarc": [] if isinstance(dmarc, SourceError) else list(dmarc.values),
        }

    def _pointers(self, address: str) -> dict[str, Any] | None:
        """The names that an address claims, and which of them lead back to it."""
        suffix = "ip6.arpa" if ":" in address else "in-addr.arpa"
        pointer = self.session_now().ask(f"{addresses.reversed_labels(address)}.{suffix}", "PTR")
        if not pointer.values:
            return None
        claimed = [value.removesuffix(".").lower() for value in pointer.values]
        forward = self._asked([(name, "AAAA" if ":" in address else "A") for name in claimed[:MOST_POINTERS]])
        confirmed = [
            name for (name, _), said in forward.items() if not isinstance(said, SourceError) and address in said.values
        ]
        return {"records": {"PTR": claimed}, "confirmed": confirmed}

    def _origins(self, known: list[str]) -> dict[str, Any] | None:
        """Autonomous system, prefix, country and registry of addresses, from Team Cymru's zones."""
        zones = {
            address: f"{addresses.reversed_labels(address)}.origin{'6' if ':' in address else ''}.asn.{CYMRU}"
            for address in known
        }
        said = self._asked([(zone, "TXT") for zone in zones.values()])
        errors = [answer for answer in said.values() if isinstance(answer, SourceError)]
        if len(errors) == len(said):
            raise errors[0]
        found_ = {}
        for address, zone in zones.items():
            answer = said[(zone, "TXT")]
            if isinstance(answer, SourceError) or not answer.values:
                continue
            numbers, prefix, country, registry, allocated = (answer.values[0].split("|") + [""] * 5)[:5]
            entry = {"asn": numbers.split(), "prefix": prefix, "country": country, "registry": registry}
            found_[address] = {**entry, "allocated": allocated}
        systems = {number for entry in found_.values() for number in entry["asn"] if number.isdecimal()}
        titles = self._asked([(f"AS{number}.asn.{CYMRU}", "TXT") for number in systems])
        for entry in found_.values():
            title = titles.get((f"AS{entry['asn'][0]}.asn.{CYMRU}", "TXT")) if entry["asn"] else None
            if title is not None and not isinstance(title, SourceError) and title.values:
                entry["name"] = title.values[0].rpartition("|")[2].strip()
        return found_ or None

    def _listed(self, seed: Indicator, zones: list[str]) -> dict[str, Any]:
        """What each block list answers about the seed."""
        labels = addresses.reversed_labels(seed.value) if seed.type == "ip" else seed.value
        said = self._asked([(f"{labels}.{zone}", kind) for zone in zones for kind in ("A", "TXT")])
        body: dict[str, Any] = {}
        for zone in zones:
            answer, text = said[(f"{labels}.{zone}", "A")], said[(f"{labels}.{zone}", "TXT")]
            if isinstance(answer, SourceError):
                body[zone] = {"failed": str(answer)}
            else:
                texts = [] if isinstance(text, SourceError) else list(text.values)
                body[zone] = {"answers": list(answer.values), "texts": texts}
        failures = [answer for answer in said.values() if isinstance(answer, SourceError)]
        if all("failed" in entry for entry in body.values()):
            raise failures[0]
        return body

    def _asked(self, questions: list[tuple[str, str]]) -> Any:
        return self.session_now().ask_all(questions)

    def session_now(self) -> Any:
        """The resolvers, under the deadline of the present job."""
        self.session.deadline = self.job.deadline
        return self.session


if __name__ == "__main__":
    from cortex_grow.worker import run

    run(DNSResolve)
