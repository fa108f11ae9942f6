"""Objects of VirusTotal API v3 and the relationships between them, as facts.

Descriptors (type and id, inlined into an object) and full objects (members of a collection) are read by the same code:
a descriptor is an object without attributes.
"""

from __future__ import annotations

from collections.abc import Iterator

from cortex_grow.model.indicator import Indicator
from cortex_grow.source.answer import Json
from cortex_grow.source.facts import Cut, End, Fact, Hub, Related, Score, found, found_file
from cortex_grow.source.virustotal import files, hosts

# Relationship -> relation, and whether the seed stands on its left ("the seed communicates-with the member").
RELATIONS = {
    "bundled_files": ("contains", True),
    "communicating_files": ("communicates-with", False),
    "compressed_parents": ("contains", False),
    "contacted_domains": ("communicates-with", True),
    "contacted_ips": ("communicates-with", True),
    "contacted_urls": ("communicates-with", True),
    "downloaded_files": ("downloaded-from", False),
    "dropped_files": ("drops", True),
    "embedded_domains": ("contains", True),
    "embedded_ips": ("contains", True),
    "embedded_urls": ("contains", True),
    "execution_parents": ("executes", False),
    "historical_ssl_certificates": ("serves", True),
    "immediate_parent": ("subdomain-of", True),
    "itw_domains": ("downloaded-from", True),
    "itw_ips": ("downloaded-from", True),
    "itw_urls": ("downloaded-from", True),
    "last_serving_ip": ("hosted-by", True),
    "last_serving_ip_address": ("hosted-by", True),
    "network_location": ("hosted-by", True),
    "parent": ("subdomain-of", True),
    "redirecting_urls": ("redirects-to", False),
    "redirects_to": ("redirects-to", True),
    "referrer_files": ("references", False),
    "subdomains": ("subdomain-of", False),
    "urls": ("hosted-by", False),
}
HUB_RESOLUTIONS = 100


def unwrapped(body: Json) -> Json:
    """The object itself: answers wrap it in ``data``, feeds do not."""
    return body["data"] if isinstance(body["data"].raw, dict) else body


def members(body: Json) -> Iterator[Json]:
    """The members of a collection, or the one object of a relationship of one."""
    return body["data"].each()


def end_of(item: Json) -> End:
    """The indicator that an object or descriptor stands for; ``None`` for a kind that is none (comments, graphs)."""
    kind, id, attributes = item["type"].text, item["id"].text, item["attributes"]
    if kind == "file":
        return found_file(
            sha256=attributes["sha256"].text or id, sha1=attributes["sha1"].text, md5=attributes["md5"].text
        )
    if kind == "url":
        return found("url", attributes["url"].text or _context_url(item))
    if kind == "domain":
        return found("host", id)
    if kind == "ip_address":
        return found("ip", id)
    if kind == "ssl_cert":
        return found("certificate", attributes["thumbprint_sha256"].text or attributes["thumbprint"].text or id)
    return None


def _context_url(item: Json) -> str | None:
    return next(iter(item["context_attributes"]["url"].texts), None)


def seed_object(seed: Indicator, body: Json, whole: bool = True) -> Iterator[Fact]:
    """What the object of the seed says, with the relationships that came with it.

    ``whole`` false leaves out inlined resolutions, where the collection with their dates is there too.
    """
    item = unwrapped(body)
    attributes = item["attributes"]
    yield from detections(attributes, None)
    if seed.type == "hash":
        yield from files.file(seed, attributes)
    elif seed.type == "url":
        yield from hosts.url(seed, attributes)
    else:
        yield from hosts.host(seed, attributes)
    for name, related in item["relationships"].items():
        if name != "resolutions" or whole:
            yield from collection(seed, name, related)


def detections(attributes: Json, about: End) -> Iterator[Fact]:
    """A score term from the engines: how many of those with a verdict call it malicious. None of many is no proof."""
    from cortex_grow.source.facts import Summary

    stats = attributes["last_analysis_stats"]
    counts = {name: stats[name].number or 0 for name in ("malicious", "suspicious", "undetected", "harmless")}
    total = sum(counts.values())
    malicious = counts["malicious"]
    if total <= 0 or min(counts.values()) < 0:
        return
    if about is None:
        yield Summary("detections", f"{malicious}/{total}")
    points = next((points for least, points in ((15, 80), (8, 65), (5, 50), (3, 30), (1, 10)) if malicious >= least), 0)
    yield Score(points, "engines", f"{malicious} of {total} engines call it malicious", about, when=points)


def collection(seed: Indicator, name: str, body: Json) -> Iterator[Fact]:
    """The members of one relationship of the seed."""
    if name == "resolutions":
        yield from _resolutions(seed, body)
    elif name == "siblings":
        yield from _siblings(seed, body)
    elif name == "historical_whois":
        yield from hosts.historical_whois(seed, body)
    elif name in RELATIONS:
        relation, outward = RELATIONS[name]
        if seed.type == "url" and name in ("contacted_domains", "contacted_ips"):
            relation = "references"
        for item in members(body):
            end = end_of(item)
            attributes = item["attributes"]
            source, target = (seed, end) if outward else (end, seed)
            yield Related(source, relation, target, first_seen=item["attributes"]["first_seen_date"].time)
            yield from detections(attributes, end)
            if name == "network_location" and end is not None:
                yield from hosts.host(end, attributes)
    yield from _more(name, body)


def _more(name: str, body: Json) -> Iterator[Fact]:
    count, kept = body["meta"]["count"].number, len(body["data"])
    if name in (*RELATIONS, "resolutions", "siblings") and count is not None and count > kept:
        yield Cut(
            name.replace("_", " "), count, kept, "VirusTotal gives this many at a time; max_calls allows more calls"
        )


def _resolutions(seed: Indicator, body: Json) -> Iterator[Fact]:
    """Names and addresses. A descriptor has them glued together in its id; only the seed tells where to cut."""
    for item in members(body):
        attributes = item["attributes"]
        name, address = attributes["host_name"].text, attributes["ip_address"].text
        if not (name and address):
            glued = item["id"].text or ""
            if seed.type == "ip":
                name, address = glued.removeprefix(seed.value) if glued.startswith(seed.value) else None, seed.value
            else:
                name, address = seed.value, glued.removesuffix(seed.value) if glued.endswith(seed.value) else None
        yield Related(found("host", name), "resolves-to", found("ip", address), last_seen=attributes["date"].time)
        yield from _resolved(attributes, seed, name, address)
    count = body["meta"]["count"].number or 0
    if seed.type == "ip" and count > HUB_RESOLUTIONS:
        yield Hub(seed, f"{count} names resolved to this address")


def _resolved(attributes: Json, seed: Indicator, name: str | None, address: str | None) -> Iterator[Fact]:
    if seed.type == "ip":
        yield from detections(
            Json({"last_analysis_stats": attributes["host_name_last_analysis_stats"].raw}), found("host", name)
        )
    else:
        yield from detections(
            Json({"last_analysis_stats": attributes["ip_address_last_analysis_stats"].raw}), found("ip", address)
        )


def _siblings(seed: Indicator, body: Json) -> Iterator[Fact]:
    """Siblings are the names one label below the same registered domain."""
    from cortex_grow.model.suffixes import registrable

    parent = registrable(seed.value) if seed.type in ("domain", "fqdn") else None
    for item in members(body):
        yield Related(end_of(item), "subdomain-of", found("domain", parent))
    if len(body["data"]) and seed.type == "fqdn":
        yield Related(seed, "subdomain-of", found("domain", parent))


def searches(seed: Indicator, body: Json) -> Iterator[tuple[str, str]]:
    """Intelligence searches for more of the same kind: by imphash, by JARM, by certificate. Part name and query."""
    attributes = unwrapped(body)["attributes"]
    if seed.type == "hash":
        imphash = _hex(attributes["pe_info"]["imphash"].text, 32)
        if imphash:
            yield "search_imphash", f"imphash:{imphash}"
    elif seed.type in ("ip", "domain", "fqdn"):
        entity = "ip" if seed.type == "ip" else "domain"
        jarm = _hex(attributes["jarm"].text, 62)
        thumbprint = _hex(attributes["last_https_certificate"]["thumbprint"].text, 40)
        if jarm and jarm.strip("0"):
            yield "search_jarm", f"entity:{entity} jarm:{jarm}"
        if thumbprint:
            yield "search_certificate", f"entity:{entity} ssl_thumbprint:{thumbprint}"


def _hex(text: str | None, length: int) -> str | None:
    lowered = (text or "").lower()
    return lowered if len(lowered) == length and not lowered.strip("0123456789abcdef") else None


def search_results(seed: Indicator, part: str, body: Json) -> Iterator[Fact]:
    """What a search found: other files with the imphash, other hosts with the JARM or the certificate."""
    kind = part.removeprefix("search_")
    for item in members(body):
        end, attributes = end_of(item), item["attributes"]
        if kind == "imphash":
            yield Related(end, "characterized-by", found("imphash", attributes["pe_info"]["imphash"].text))
        elif kind == "jarm":
            yield Related(end, "characterized-by", found("jarm", attributes["jarm"].text))
        else:
            certificate = attributes["last_https_certificate"]
            text = certificate["thumbprint_sha256"].text or certificate["thumbprint"].text
            yield Related(end, "serves", found("certificate", text))
        yield from detections(attributes, end)
    yield from _more(f"search by {kind}", body)
