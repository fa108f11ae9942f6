#!/usr/bin/env python3
"""crt.sh: the certificates in the transparency logs (fnc/web_apis.fnc of github.com/crtsh/certwatch_db)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from cortex_grow.model.indicator import Indicator
from cortex_grow.source import certificate
from cortex_grow.source.answer import Answer, Json
from cortex_grow.source.base import Question, Source
from cortex_grow.source.crtsh import MOST_ENTRIES, Listing, Named, covers, hosts, registrable
from cortex_grow.source.facts import About, Cut, End, Fact, Hub, Known, Missing, Related, Rows, Summary, found

ROWS = 10_000  # crt.sh reads no more matching names for one question
MOST_NAMES = 1000  # names of one answer that are read
MANY_NAMES = 500  # names below the seed from which on it is a hub: a provider that hands out names
SHARED = 20  # registrable domains on one certificate from which on they have little in common
MOST_ON_ONE = 200  # names of one certificate that are read
PAGE = "https://crt.sh/?id="


class CrtshCertificates(Source):
    """The certificates that name a host, then some of them whole; or one certificate by its fingerprint."""

    def ask(self, seed: Indicator, answer: Answer) -> Iterator[Question]:
        """Names are searched; a fingerprint has no JSON at crt.sh, but its certificate can be downloaded."""
        if seed.type in ("hash", "certificate"):
            if len(seed.value) != 64:
                from cortex_grow.net.errors import UnsupportedError

                what = "it gives certificates by the SHA-256 of their fingerprint only"
                raise UnsupportedError(self.name, what, advice="Ask with the SHA-256 of the certificate")
            yield self._download("certificate", seed.value)
            return
        params = {"q": seed.value, "output": "json"}
        if self.settings.flag("exclude_expired"):
            params["exclude"] = "expired"
        yield self.get("certificates", "/", params=params, required=True, absent=())
        most = self.settings.number("max_downloads", 2, low=0, high=20)
        for id in Listing(seed, answer["certificates"]).worth_downloading()[:most]:
            yield self._download(f"certificate_{id}", str(id))

    def _download(self, part: str, id: str) -> Question:
        """A certificate in PEM. What crt.sh does not have is a page with status 404."""

        def pem(reply: Any) -> str:
            text = str(reply.text)[: certificate.LARGEST]
            try:
                if certificate.fingerprint(text) != id and part == "certificate":
                    raise certificate.UnreadableError("it is another certificate than the one asked for")
            except certificate.UnreadableError as error:
                from cortex_grow.net.errors import NotAnAnswerError

                advice = "Check `url` in the settings; a proxy or a login page in between may have answered instead"
                raise NotAnAnswerError(
                    self.name, f"the answer cannot be used: {error}", host=reply.host, advice=advice
                ) from None
            return text

        return self.get(part, "/", params={"d": id}, html_absent=True, parse=pem)

    def absent(self, body: Any) -> bool:
        """An unknown name is an empty list."""
        return bool(body == [])

    def check(self, body: Any) -> None:
        """Anything but a list is no answer."""
        if not isinstance(body, list):
            from cortex_grow.net.errors import NotAnAnswerError

            what = "the answer is not the list of certificates that was expected"
            raise NotAnAnswerError(self.name, what, host=self.session.host, advice="Check `url` in the settings")

    def read(self, seed: Indicator, answer: Answer) -> Iterator[Fact]:
        """The names that were found, then each certificate that was downloaded."""
        listing = Listing(seed, answer["certificates"])
        if "certificates" in answer:
            yield from _names(seed, listing)
            if len(answer["certificates"]) > MOST_ENTRIES:
                why = "more entries than crt.sh ever gives are not read"
                yield Cut("entries of the logs", len(answer["certificates"]), MOST_ENTRIES, why)
        logged = {str(one.id): one.logged for one in listing.certificates.values()}
        for part in answer.parts:
            if part != "certificates" and part in answer:
                yield from _certificate(seed, part, answer[part], logged.get(part.removeprefix("certificate_")))


def _names(seed: Indicator, listing: Listing) -> Iterator[Fact]:
    """Each name with the span of the certificates that carry it; issuers are facts."""
    others = [named for id, named in listing.names.items() if id != seed.id]
    for named in others[:MOST_NAMES]:
        yield _relation(seed, named)
        if not named.plain and not covers(seed, named.indicator) and named.indicator.type == "fqdn":
            yield Hub(named.indicator, "known by its wildcard only: what lies below may belong to many")
    below = sum(covers(seed, named.indicator) for named in others)
    if below > MANY_NAMES:
        yield Hub(seed, f"{below} names below it on certificates")
    if len(others) > MOST_NAMES:
        yield Cut("names on certificates", len(others), MOST_NAMES, "those on the newest certificates are read")
    if listing.matches >= ROWS:
        yield Missing("certificates", f"crt.sh stops at {ROWS} matching names; exclude_expired leaves more room")
    certificates = list(listing.certificates.values())
    issuers = Counter(one.issuer for one in certificates if one.issuer)
    yield Summary("certificates", str(len(certificates)))
    yield Summary("names", str(len(others)))
    yield Known(
        "Certificates",
        {
            "entries in the logs": listing.entries,
            "certificates": len(certificates),
            "first valid from": min((one.not_before for one in certificates if one.not_before), default=None),
            "newest valid from": max((one.not_before for one in certificates if one.not_before), default=None),
            "issuers": [f"{issuer} ({count})" for issuer, count in issuers.most_common(5)],
        },
    )
    newest = sorted(certificates, key=lambda one: one.not_before or "", reverse=True)[:20]
    rows = [[one.not_before, one.not_after, one.common_name, one.issuer, one.id] for one in newest]
    yield Rows("Newest certificates", ["valid from", "valid to", "common name", "issuer", "crt.sh"], rows)


def _relation(seed: Indicator, named: Named) -> Related:
    """Below or above the seed by its labels, else related: on one certificate with it, or alike in its text only."""
    name, newest = named.indicator, named.newest
    ends: tuple[End, str, End] = (seed, "related-to", name)
    context = {"issuer": newest.issuer, "crt.sh": str(newest.id)} if newest else {}
    if covers(seed, name):
        ends = (name, "subdomain-of", seed)
    elif covers(name, seed):
        ends = (seed, "subdomain-of", name)
    else:
        context["because"] = "on one certificate" if named.together else "its text contains the name"
    reference = f"{PAGE}{newest.id}" if newest else None
    return Related(*ends, named.first_seen, named.last_seen, len(named.certificates), reference, context)


def _certificate(seed: Indicator, part: str, body: Json, logged: str | None) -> Iterator[Fact]:
    """A certificate as a node, and the names on it."""
    try:
        read = certificate.read(body.raw if isinstance(body.raw, str) else "")
    except certificate.UnreadableError as error:
        yield Missing(part, str(error))
        return
    end = found("certificate", read.sha256)
    if part == "certificate":
        yield Summary("names", str(len(set(read.hosts))))
    if seed.type == "hash":
        yield Related(seed, "related-to", end, context={"because": "it is the fingerprint of this certificate"})
    about = {"sha1": read.sha1, "serial": read.serial, "subject": read.subject, "issuer": read.issuer}
    yield About(end, first_seen=read.not_before, attributes=about, tags=["precertificate"] * read.precertificate)
    names = list(hosts(read.hosts))
    domains = {registrable(name) for name in names}
    kept = names
    if len(domains) > SHARED:
        yield Hub(end, f"{len(domains)} registrable domains on one certificate")
        if seed.type not in ("hash", "certificate"):
            kept = [name for name in names if registrable(name) == registrable(seed)]
    kept = kept[:MOST_ON_ONE]
    if len(kept) < len(names):
        why = "a certificate that many share tells little of each"
        yield Cut("names on one certificate", len(names), len(kept), why)
    ends: list[End] = [*kept, *(found("mail", mail) for mail in read.mails[:MOST_ON_ONE])]
    for name in ends:
        yield Related(end, "identifies", name, read.not_before, logged)
    for unread in read.unread:
        yield Missing(part, f"the certificate is malformed: {unread}")
    valid = f"{read.not_before or 'unknown'} to {read.not_after or 'unknown'}"
    yield Known("Certificate", {"SHA-256": read.sha256, **about, "valid": valid, "names": len(names)})


if __name__ == "__main__":
    from cortex_grow.worker import run

    run(CrtshCertificates)
