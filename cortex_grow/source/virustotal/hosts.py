"""Domain, address and URL objects of VirusTotal API v3 (docs.virustotal.com/reference/domains, ip-addresses, urls)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from cortex_grow.model.indicator import Indicator
from cortex_grow.source.answer import Json
from cortex_grow.source.facts import About, End, Fact, Found, Hub, Known, Related, found

SHARED_NAMES = 25  # more names than this on one certificate say that many parties share it


def host(subject: End, attributes: Json) -> Iterator[Fact]:
    """What the object of a domain or address says of it."""
    kind = subject.type if subject else ""
    yield from _records(subject, attributes)
    yield from _certificate(subject, attributes)
    jarm = attributes["jarm"].text
    yield Related(subject, "characterized-by", found("jarm", jarm if jarm and jarm.strip("0") else None))
    if kind == "ip":
        asn = attributes["asn"].number
        yield Related(subject, "belongs-to", found("autonomous-system", f"AS{asn}" if asn is not None else None))
        yield Related(subject, "belongs-to", found("network", attributes["network"].text))
    yield About(subject, first_seen=attributes["first_seen_date"].time, tags=attributes["tags"].texts)
    yield Known(
        "Host" if isinstance(subject, Indicator) else f"Host {subject.value if subject else ''}",
        {
            "owner of the network": attributes["as_owner"].text,
            "country": attributes["country"].text,
            "registrar": attributes["registrar"].text,
            "registered": attributes["creation_date"].time,
            "last analysed": attributes["last_analysis_date"].time,
            "reputation (votes)": attributes["reputation"].number,
            "categories": sorted({value.text for _, value in attributes["categories"].items() if value.text}),
        },
    )


def _records(subject: End, attributes: Json) -> Iterator[Fact]:
    """The last DNS records, as of the day that VirusTotal looked. A CNAME chain comes repeated and in no order."""
    if subject is None or subject.type == "ip":
        return
    when = attributes["last_dns_records_date"].time
    for record in attributes["last_dns_records"]:
        kind, value = record["type"].text or "", record["value"].text
        if kind in ("A", "AAAA"):
            yield Related(subject, "resolves-to", found("ip", value), last_seen=when)
        elif kind == "CNAME":
            yield Related(subject, "alias-of", found("host", value), last_seen=when)
        elif kind in ("NS", "SOA"):
            yield Related(subject, "delegated-to", found("host", value), last_seen=when)
        elif kind == "MX" and value != ".":
            yield Related(subject, "mail-handled-by", found("host", value), last_seen=when)


def _certificate(subject: End, attributes: Json) -> Iterator[Fact]:
    """The last certificate, and the other names on it unless they are so many that they have little in common."""
    certificate = attributes["last_https_certificate"]
    text = certificate["thumbprint_sha256"].text or certificate["thumbprint"].text
    if not text:
        return
    fingerprint = found("certificate", text)
    yield Related(subject, "serves", fingerprint, last_seen=attributes["last_https_certificate_date"].time)
    names = list(dict.fromkeys(name.removeprefix("*.") for name in _names(certificate)))
    if len(names) > SHARED_NAMES:
        yield Hub(fingerprint, f"{len(names)} names on one certificate")
    for name in names[:SHARED_NAMES]:
        yield Related(fingerprint, "identifies", found("host", name))
    validity = certificate["validity"]
    yield Known(
        "Certificate",
        {
            "subject": certificate["subject"]["CN"].text,
            "issuer": certificate["issuer"]["O"].text or certificate["issuer"]["CN"].text,
            "serial number": certificate["serial_number"].text,
            "valid": f"{validity['not_before'].time} to {validity['not_after'].time}",
        },
    )


def _names(certificate: Json) -> list[str]:
    """Alternative names that are text; old answers have addresses as raw bytes among them."""
    texts = certificate["extensions"]["subject_alternative_name"].texts
    return [text for text in texts if text.isascii() and text.isprintable() and len(text) > 3]


def url(seed: Indicator, attributes: Json) -> Iterator[Fact]:
    """What the object of a URL says: its host and where it leads."""
    where = seed.host
    yield Related(seed, "hosted-by", where)
    chain = [seed.value, *attributes["redirection_chain"].texts]
    last = attributes["last_final_url"].text
    if last:
        chain.append(last)
    steps = [step for position, step in enumerate(chain) if position == 0 or step != chain[position - 1]]
    for before, after in pairwise(steps):
        yield Related(_url(before), "redirects-to", _url(after))
    yield About(
        seed,
        first_seen=attributes["first_submission_date"].time,
        last_seen=attributes["last_submission_date"].time,
        tags=attributes["tags"].texts,
    )
    yield Known(
        "URL",
        {
            "title": attributes["title"].text,
            "status": attributes["last_http_response_code"].number,
            "last analysed": attributes["last_analysis_date"].time,
            "threat names": attributes["threat_names"].texts,
            "categories": sorted({value.text for _, value in attributes["categories"].items() if value.text}),
        },
    )


def _url(text: str) -> Found:
    return found("url", text)


def historical_whois(seed: Indicator, body: Json) -> Iterator[Fact]:
    """Past registrations. VirusTotal masks the registrant, so nobody is named; a name below has its domain's WHOIS."""
    for item in body["data"].each():
        record = item["attributes"]["whois_map"]
        if seed.type == "domain":
            for name in _joined(record["Name Server"].text):
                yield Related(seed, "delegated-to", found("host", name))
        elif seed.type == "ip":
            origin = record["origin"].text
            for name in _joined(origin):
                yield Related(seed, "belongs-to", found("autonomous-system", name))
            for name in _joined(record["route"].text):
                yield Related(seed, "belongs-to", found("network", name))


def _joined(text: str | None) -> list[str]:
    """Several values of one field stand joined by a bar, the same in upper and in lower case."""
    return list(dict.fromkeys(piece.strip().lower() for piece in (text or "").split("|") if piece.strip()))
