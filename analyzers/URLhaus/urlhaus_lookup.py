#!/usr/bin/env python3
"""URLhaus: malware URLs, the hosts they are on and the payloads they serve (API v1, urlhaus-api.abuse.ch)."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from cortex_grow.model.indicator import Indicator, InvalidIndicator
from cortex_grow.source.abusech import AbuseCh
from cortex_grow.source.answer import Answer, Json
from cortex_grow.source.base import Question
from cortex_grow.source.facts import About, Cut, End, Fact, Family, Known, Related, Score, Summary, found, found_file

# What a listing in the Spamhaus DBL is worth: "abused_…" are the sites of honest owners. Other words are no listing.
DBL = {
    **dict.fromkeys(("spammer_domain", "phishing_domain", "botnet_cc_domain"), 15),
    **dict.fromkeys(("abused_legit_spam", "abused_legit_malware", "abused_legit_phishing"), 5),
    **dict.fromkeys(("abused_legit_botnetcc", "abused_redirector"), 5),
}
MOST = 2000  # malware URLs of one answer that are read: as many as a report keeps nodes
MANY = 10  # malware URLs from which on a host is no chance victim
EXECUTABLES = ("exe", "dll")  # an import hash tells something of these only


class URLhausLookup(AbuseCh):
    """One call: what is known of a URL, of a host, or of a payload."""

    def ask(self, seed: Indicator, answer: Answer) -> Iterator[Question]:
        """The endpoint that fits the seed; payloads are looked up by MD5 and SHA-256 only."""
        kind = field = {"url": "url", "hash": "payload"}.get(seed.type, "host")
        if kind == "payload":
            if seed.hash_kind not in ("md5", "sha256"):
                from cortex_grow.net.errors import UnsupportedError

                what = f"it looks files up by MD5 or SHA-256, not by {seed.hash_kind}"
                raise UnsupportedError(self.name, what, advice="Ask with another digest of the file")
            field = f"{seed.hash_kind}_hash"
        yield self.post(kind, f"/v1/{kind}/", data={field: seed.value}, required=True, absent=())

    def read(self, seed: Indicator, answer: Answer) -> Iterator[Fact]:
        """The one part that was asked."""
        for part, read in (("url", _url), ("host", _host), ("payload", _payload)):
            if part in answer:
                yield from read(seed, answer[part])


def _url(seed: Indicator, body: Json) -> Iterator[Fact]:
    """A malware URL, its host, and what was downloaded from it."""
    added, last, reference = body["date_added"].time, body["last_online"].time, body["urlhaus_reference"].text
    host: End = found("host", body["host"].text) if body["host"].text else _host_in(seed.value)
    yield from _listed(body, None)
    yield from _blacklists(body, None)
    yield from _blacklists(body, host)
    yield About(seed, first_seen=added, last_seen=last, tags=body["tags"].texts)
    yield Related(seed, "hosted-by", host, added, last, reference=reference)
    for payload in body["payloads"]:
        file = found_file(**_attributes(payload))
        yield Related(file, "downloaded-from", seed, payload["firstseen"].time, reference=reference)
        yield from _named(file, payload)
        yield Score(30, "payload", "URLhaus downloaded it from a malware URL", file, when=file)
        yield from _signature(payload, file)
        yield Family(payload["signature"].text)  # the URL points to it too
    yield Summary("status", body["url_status"].text or "listed")
    names = ("url_status", "threat", "reporter", "larted", "takedown_time_seconds")
    facts = {name.replace("_", " "): body[name].text for name in names}
    yield Known("URLhaus", {**facts, "added": added, "last online": last, "payloads": len(list(body["payloads"]))})


def _host(seed: Indicator, body: Json) -> Iterator[Fact]:
    """A host, and the malware URLs on it."""
    total, online = yield from _urls(body)
    for url in list(body["urls"])[:MOST]:
        context = {name: url[name].text for name in ("url_status", "threat", "reporter")}
        added, reference = url["date_added"].time, url["urlhaus_reference"].text
        end = found("url", url["url"].text)
        yield Related(end, "hosted-by", seed, added, reference=reference, context=context)
        yield About(end, first_seen=added, tags=url["tags"].texts)
    yield Score(50, "host", f"{online} online of {_many(total)} on this host", when=online)
    yield Score(30, "host", f"{_many(total)} on this host, offline as far as given", when=total and not online)
    yield Score(10, "many URLs", f"{_many(total)} on this host", when=total >= MANY)
    yield from _blacklists(body, None)
    yield About(seed, first_seen=body["firstseen"].time)
    lists = {name: body["blacklists"][name].text for name in ("spamhaus_dbl", "surbl")}
    yield Known("URLhaus", {"first seen": body["firstseen"].time, "malware URLs": total, **lists})


def _payload(seed: Indicator, body: Json) -> Iterator[Fact]:
    """A file that URLhaus downloaded, and where from (rests on documentation: nothing is recorded)."""
    total, _ = yield from _urls(body)
    attributes = _attributes(body)
    first, last = body["firstseen"].time, body["lastseen"].time
    if seed.value in attributes.values():
        yield About(seed, first, last, attributes=attributes)
        yield from _named(seed, body)
    for url in list(body["urls"])[:MOST]:
        end, reference = found("url", url["url"].text), url["urlhaus_reference"].text
        context = {"url_status": url["url_status"].text}
        times = url["firstseen"].time, url["lastseen"].time
        yield Related(seed, "downloaded-from", end, *times, reference=reference, context=context)
        yield Related(end, "hosted-by", _host_in(url["url"].text), reference=reference)
        yield from _named(seed, url)
    yield Score(30, "payload", f"URLhaus downloaded it from {_many(total)}", when=total)
    yield from _signature(body, None)
    facts = {name.replace("_", " "): body[name].text for name in ("file_type", "file_size", "signature")}
    detections = body["virustotal"]["result"].text
    yield Known("URLhaus", {**facts, "first seen": first, "last seen": last, "VirusTotal": detections})


def _urls(body: Json) -> Generator[Fact, None, tuple[int, int]]:
    """What the malware URLs of an answer have in common; how many there are in all, and online of those given."""
    given = list(body["urls"])
    urls = given[:MOST]
    total = max(min(body["url_count"].number or 0, 10**9), len(given))
    online = sum(url["url_status"].text == "online" for url in urls)
    for url in urls:
        yield from _listed(url, found("url", url["url"].text))
    yield Summary("urls", f"{online} online of {total}")
    if total > len(urls):
        why = f"the first {MOST} are read" if len(given) > MOST else "URLhaus gives no more of them in one answer"
        yield Cut("malware URLs", total, len(urls), why)
    return total, online


def _many(total: int) -> str:
    return f"{total} malware URL{'' if total == 1 else 's'}"


def _listed(url: Json, about: End) -> Iterator[Fact]:
    """A URL in the list is malware, or was when it was added."""
    status, threat = url["url_status"].text, (url["threat"].text or "malware").replace("_", " ")
    since = f", added {url['date_added'].time or url['firstseen'].time or 'on an unknown day'}"
    if status == "online":
        yield Score(60, "listed", f"listed by URLhaus as online {threat}{since}", about)
    elif status:
        yield Score(40, "listed", f"listed by URLhaus as {threat}, now {status}{since}", about)


def _blacklists(body: Json, about: End) -> Iterator[Fact]:
    """What other lists say of the host, as URLhaus repeats it. Words that are no listing say nothing."""
    lists = body["blacklists"]
    dbl = lists["spamhaus_dbl"].text or ""
    yield Score(DBL.get(dbl, 0), "Spamhaus DBL", f"its host is in the Spamhaus DBL as {dbl}", about, dbl in DBL)
    yield Score(15, "SURBL", "its host is listed by SURBL", about, lists["surbl"].text == "listed")


def _attributes(payload: Json) -> dict[str, str | None]:
    """A payload's digests and the like; their names differ between the answers about URLs and about payloads."""
    return {
        "sha256": payload["response_sha256"].text or payload["sha256_hash"].text,
        "md5": payload["response_md5"].text or payload["md5_hash"].text,
        "size": payload["response_size"].text or payload["file_size"].text,
        "ssdeep": payload["ssdeep"].text,
        "tlsh": payload["tlsh"].text,
    }


def _named(file: End, payload: Json) -> Iterator[Fact]:
    """The name that a file was served under, and its import hash."""
    yield Related(file, "known-as", found("filename", payload["filename"].text))
    if payload["file_type"].text in EXECUTABLES:
        yield Related(file, "characterized-by", found("imphash", payload["imphash"].text))


def _signature(payload: Json, about: End) -> Iterator[Fact]:
    """The malware that URLhaus recognises in a payload. Tags are no families: they name campaigns and file types."""
    name = payload["signature"].text
    yield Score(50, "signature", f"URLhaus recognises it as {name}", about, name)
    yield Family(name, about)


def _host_in(text: str | None) -> Indicator | None:
    try:
        host = Indicator.parse("url", text or "").host
    except InvalidIndicator:
        return None
    return host if host and host.type != "hostname" else None


if __name__ == "__main__":
    from cortex_grow.worker import run

    run(URLhausLookup)
