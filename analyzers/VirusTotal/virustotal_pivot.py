#!/usr/bin/env python3
"""VirusTotal: what it relates to a file, address, domain or URL (API v3, docs.virustotal.com/reference)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from cortex_grow.model.indicator import Indicator
from cortex_grow.net.errors import RefusedError
from cortex_grow.source.answer import Answer, Json
from cortex_grow.source.base import Question, Source
from cortex_grow.source.facts import Fact, Missing
from cortex_grow.source.virustotal import behaviour, objects

COLLECTIONS = {"hash": "files", "ip": "ip_addresses", "domain": "domains", "fqdn": "domains", "url": "urls"}

# Relationships that come with the object in its one call, by collection: those open to every key, and those that only a
# premium key may name (one of them makes the whole call fail for any other key).
INLINE = {
    "files": "contacted_ips contacted_domains contacted_urls dropped_files execution_parents bundled_files",
    "ip_addresses": "communicating_files referrer_files resolutions historical_ssl_certificates",
    "domains": "communicating_files referrer_files subdomains siblings immediate_parent historical_ssl_certificates",
    "urls": "last_serving_ip_address network_location",
}
INLINE_PREMIUM = {
    "files": "embedded_urls embedded_domains embedded_ips itw_urls itw_ips itw_domains compressed_parents",
    "ip_addresses": "downloaded_files urls",
    "domains": "downloaded_files urls",
    "urls": "redirecting_urls redirects_to communicating_files downloaded_files referrer_files",
}
PAGE = 40


class VirusTotalPivot(Source):
    """One call for the object with its relationships, then behaviour or dated resolutions, then searches, in budget."""

    @cached_property
    def session(self) -> Any:
        """vt-py's raw client with the pack's proxy, CA, deadline and errors."""
        from cortex_grow.net.redact import Redactor
        from cortex_grow.net.settings import NetSettings
        from cortex_grow.net.virustotal import VirusTotalSession

        return VirusTotalSession(
            self.key or "",
            self.settings.text("url"),
            source=self.name,
            settings=NetSettings.from_mapping(self.settings.values),
            deadline=self.job.deadline,
            redact=Redactor(self.settings.secrets),
        )

    def ask(self, seed: Indicator, answer: Answer) -> Iterator[Question]:
        """The object first; where VirusTotal does not know it, nothing else."""
        left = self.settings.number("max_calls", 4, low=1)
        for question in self._questions(seed, answer):
            if left <= 0:
                return
            left -= 1
            yield question

    def _questions(self, seed: Indicator, answer: Answer) -> Iterator[Question]:
        collection, id = COLLECTIONS[seed.type], seed.value
        if seed.type == "url":
            id = base64.urlsafe_b64encode(seed.value.encode()).decode().rstrip("=")
        names = INLINE[collection].split()
        if self._premium:
            names += INLINE_PREMIUM[collection].split()
        path = f"/{collection}/{{}}"
        yield self.get("object", path, id, params={"relationships": ",".join(names)}, required=True)
        if "object" not in answer:
            return
        if collection == "files":
            yield self.get("behaviour_summary", f"{path}/behaviour_summary", id)
        elif collection != "urls":
            yield self.get("resolutions", f"{path}/resolutions", id, params={"limit": PAGE})
        if self._premium:
            for part, query in objects.searches(seed, answer["object"]):
                yield self.get(part, "/intelligence/search", params={"query": query, "limit": PAGE})
        inline = objects.unwrapped(answer["object"])["relationships"]
        for name in names:
            if name != "resolutions" and (inline[name]["meta"]["cursor"] or inline[name]["links"]["next"]):
                yield self.get(name, f"{path}/{name}", id, params={"limit": PAGE})

    def check_absent(self, reply: Any) -> None:
        """VirusTotal's 404 names what it does not know; one without that comes from a wrong address."""
        error = Json(reply.json())["error"]
        if error["code"].text != "NotFoundError" or (error["message"].text or "").rstrip(".") == "Resource not found":
            raise RefusedError(
                self.name,
                "there is no such question at this address",
                host=reply.host,
                status=reply.status,
                advice="Correct the setting `url`",
            )

    @property
    def _premium(self) -> bool:
        return self.settings.flag("premium", False)

    def read(self, seed: Indicator, answer: Answer) -> Iterator[Fact]:
        """Each part by what it is: the object, its behaviour, a search, or a collection of related objects."""
        for part in answer.parts:
            body = answer[part]
            if part == "object":
                yield from objects.seed_object(seed, body, whole="resolutions" not in answer)
                if not self._premium:
                    yield from self._unsearched(seed, body)
            elif part == "behaviour_summary":
                yield from behaviour.summary(seed, body)
            elif part.startswith("search_"):
                yield from objects.search_results(seed, part, body)
            else:
                yield from objects.collection(seed, part, body)

    def _unsearched(self, seed: Indicator, body: Json) -> Iterator[Fact]:
        for part, _ in objects.searches(seed, body):
            what = part.removeprefix("search_")
            yield Missing(part, f"a search by {what} needs a premium key (setting premium)")


if __name__ == "__main__":
    from cortex_grow.worker import run

    run(VirusTotalPivot)
