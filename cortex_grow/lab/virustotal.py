"""VirusTotal API v3 (https://docs.virustotal.com/reference/overview): objects, their relationships, behaviour, search.

- ``GET /api/v3/{files|domains|ip_addresses|urls}/{id}[?relationships=a,b]``: the object; each relationship asked for
  holds the first 20 descriptors (type, id, ``context_attributes``), or one descriptor where it leads to one object.
- ``GET …/{id}/{relationship}?limit=&cursor=``: the related objects in full, 10 unless asked, at most 40;
  ``…/relationships/…`` gives descriptors only.
- ``GET /api/v3/files/{id}/behaviour_summary`` and, for premium keys, ``GET /api/v3/intelligence/search?query=``.

Refusals are those recorded (401, 404 of a file, 429, 400 of a domain) or documented (``reference/errors``). Not
recorded, so judged strictly here: a premium relationship asked with a public key is refused whole (403), as a premium
endpoint is; an unknown relationship and a malformed id get 400.

What is not recorded of an object that is known by a recorded relationship: its attributes (empty), and its other
relationships (empty collections).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from cortex_grow.lab.http import Reply, Request
from cortex_grow.lab.samples import Sample
from cortex_grow.lab.service import HttpService, hexadecimal, named, recorded, reply

ROOT = "https://www.virustotal.com/api/v3"
_RELATIONS = tomllib.loads(Path(__file__).with_name("vt_relations.toml").read_text(encoding="utf-8"))
PUBLIC = {collection: frozenset(names) for collection, names in _RELATIONS["public"].items()}
PREMIUM = {
    collection: frozenset([*names, *_RELATIONS["threats"]]) for collection, names in _RELATIONS["premium"].items()
}
SINGLE = frozenset(_RELATIONS["single"])
_INLINE = 20
_DEFAULT = 10
_MOST = 40
_TYPES = {"files": "file", "domains": "domain", "ip_addresses": "ip_address", "urls": "url"}
_DOMAIN = re.compile(r"(?=.{4,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+([a-z]{2,63}|xn--[a-z0-9-]{2,59})")
_CURSOR = re.compile(rb"I(\d+)\n\.")


class VirusTotal(HttpService):
    """The part of the API that looks things up."""

    name = "virustotal"
    definitions = ("VirusTotal_Pivot",)
    data_types = frozenset({"hash", "ip", "domain", "fqdn", "url"})
    whole_files = True
    key_header = "x-apikey"

    def __init__(self, samples: Any) -> None:
        self._hashes: dict[str, str] = {}  # md5 and sha1 to the id
        self._ids: dict[tuple[str, str], bool] = {}  # whether the object itself is recorded
        self._made: dict[tuple[Any, ...], Reply] = {}
        super().__init__(samples)

    def config(self, where: str, premium: bool) -> dict[str, Any]:
        key = self.premium_key if premium else self.public_key
        return {"url": f"http://{where}", "key": key, "premium": premium}

    def add(self, sample: Sample) -> None:
        steps = [unquote(step) for step in sample.path.split("/")[3:]]
        if steps == ["intelligence", "search"]:
            self.keep(("search", sample.params["query"]), sample)
            return
        collection, given, *what = steps
        id = self._id(collection, given)
        self.keep((collection, id, *what), sample)
        self._ids[collection, id] = self._ids.get((collection, id), False) or not what
        if not what and sample.status == 200 and collection in ("files", "urls"):
            data = sample.json["data"]
            if collection == "files":
                for name in ("md5", "sha1"):
                    self._hashes[data.get("attributes", {}).get(name, "")] = id
            elif data["id"] != id and hexadecimal(data["id"], 64):
                self.keep((collection, data["id"]), sample)

    def prefer(self, name: str) -> bool:
        self._made.clear()
        return super().prefer(name)

    def seeds(self, data_type: str) -> list[str]:
        collection = {"hash": "files", "file": "files", "ip": "ip_addresses", "url": "urls"}.get(data_type, "domains")
        ids = sorted((id for kind, id in self._ids if kind == collection), key=lambda id: not self._ids[collection, id])
        if collection == "urls":
            bodies = [self.answers[collection, id][0].json for id in ids if (collection, id) in self.answers]
            return list(dict.fromkeys(str(body["data"]["attributes"]["url"]) for body in bodies))
        return named(ids, data_type) if collection == "domains" else ids

    # --- requests ---

    def route(self, request: Request, premium: bool) -> Reply:
        steps = request.steps
        if steps[:2] != ["api", "v3"]:
            return self.refuse("unknown-endpoint", request)
        if request.method != "GET":
            return self.refuse("wrong-method", request)
        match steps[2:]:
            case ["intelligence", "search"]:
                return self._search(request) if premium else self.refuse("forbidden", request)
            case [("files" | "domains" | "ip_addresses" | "urls") as collection, given, *what] if len(what) < 3:
                wrong = _malformed(collection, given)
                if wrong:
                    return self.refuse("invalid", request, message=wrong)
                return self._object(request, premium, collection, given, what)
        return self.refuse("unknown-endpoint", request)

    def _object(self, request: Request, premium: bool, collection: str, given: str, what: list[str]) -> Reply:
        id = self._id(collection, given)
        if what == ["behaviour_summary"] and collection == "files":
            sample = self.find((collection, id, "behaviour_summary"))
            if sample:
                return recorded(sample)
            return reply({"data": {}}) if (collection, id) in self._ids else self._not_found(request, collection, given)
        if what:
            relation = what[-1]
            if len(what) == 2 and what[0] != "relationships":
                return self.refuse("unknown-endpoint", request)
            refused = self._barred(request, premium, collection, [relation])
            if refused:
                return refused
            if (collection, id) not in self._ids:
                return self._not_found(request, collection, given)
            return self._related(request, collection, id, relation, descriptors=len(what) == 2)
        wanted = [name for name in request.query.get("relationships", "").split(",") if name]
        refused = self._barred(request, premium, collection, wanted)
        if refused:
            return refused
        if (collection, id) not in self._ids:
            return self._not_found(request, collection, given)
        return self._whole(collection, id, tuple(wanted))

    def _barred(self, request: Request, premium: bool, collection: str, relations: list[str]) -> Reply | None:
        for name in relations:
            if name not in PUBLIC[collection] and name not in PREMIUM[collection]:
                message = f'Relationship "{name}" is not available for {collection}'
                return self.refuse("invalid", request, message=message)
        if not premium and any(name in PREMIUM[collection] for name in relations):
            return self.refuse("forbidden", request)
        return None

    def _whole(self, collection: str, id: str, wanted: tuple[str, ...]) -> Reply:
        """The object, with the relationships that were asked for."""
        made = self._made.get((collection, id, wanted))
        if made:
            return made
        sample = self.find((collection, id))
        if sample and not wanted:
            return recorded(sample)
        used = [sample] if sample else []
        data = dict(sample.json["data"]) if sample else _bare(collection, id)
        relationships = dict(data.get("relationships", {})) if sample else {}
        for name in wanted:
            related = self.find((collection, id, name))
            if related:
                used.append(related)
                relationships[name] = _inline(collection, id, name, related.json)
            else:
                relationships.setdefault(name, _inline(collection, id, name, {"data": None if name in SINGLE else []}))
        if wanted:
            data["relationships"] = {name: relationships[name] for name in wanted}
        made = self._made[(collection, id, wanted)] = reply({"data": data}, *used)
        return made

    def _related(self, request: Request, collection: str, id: str, relation: str, descriptors: bool) -> Reply:
        sample = self.find((collection, id, relation))
        if relation in SINGLE:
            if sample and not descriptors:
                return recorded(sample)
            single = sample.json["data"] if sample else None
            return reply({"data": _descriptor(single) if single else None}, *([sample] if sample else []))
        limit = request.query.get("limit", str(_DEFAULT))
        if not limit.isdigit() or not 0 < int(limit) <= _MOST:
            return self.refuse("invalid", request, message=f"Parameter limit must be between 1 and {_MOST}")
        body = sample.json if sample else {"data": []}
        offset = _offset(request.query.get("cursor", ""), body)
        if offset is None:
            return self.refuse("invalid", request, message="Invalid cursor")
        items = body["data"][offset : offset + int(limit)]
        if sample and not descriptors and not offset and len(items) == len(body["data"]):
            return recorded(sample)
        place = f"{ROOT}/{collection}/{quote(id, safe='')}/{'relationships/' if descriptors else ''}{relation}"
        page: dict[str, Any] = {
            "data": [_descriptor(item) for item in items] if descriptors else items,
            **_paging(place, int(limit), offset, len(items), len(body["data"])),
        }
        return reply(page, *([sample] if sample else []))

    def _search(self, request: Request) -> Reply:
        query = request.query.get("query", "")
        if not query:
            return self.refuse("invalid", request, message="Parameter query is required")
        sample = self.find(("search", query))
        if sample:
            return recorded(sample)
        links = {"self": f"{ROOT}/intelligence/search?{urlencode({'query': query})}"}
        meta = {"total_hits": 0, "allowed_orders": ["first_submission_date", "last_submission_date"], "days_back": 90}
        return reply({"data": [], "meta": meta, "links": links})

    # --- refusals ---

    def refuse(self, kind: str, request: Request, **what: str) -> Reply:
        key = request.headers.get(self.key_header, "")
        status, code, message = {
            "no-key": (401, "AuthenticationRequiredError", "X-Apikey header is missing"),
            "wrong-key": (401, "WrongCredentialsError", f"Wrong API key: {key}"),
            "forbidden": (403, "ForbiddenError", "You are not authorized to perform the requested operation"),
            "over-quota": (429, "QuotaExceededError", "Quota exceeded"),
            "unknown-endpoint": (404, "NotFoundError", "Resource not found"),
            "wrong-method": (405, "BadRequestError", f"Method {request.method} is not allowed"),
            "not-found": (404, "NotFoundError", what.get("message", "")),
            "invalid": (400, "InvalidArgumentError", what.get("message", "")),
        }[kind]
        body = reply({"error": {"code": code, "message": message}}, status=status)
        return Reply(body.status, body.body, body.type, samples=self.shown(kind))

    def _not_found(self, request: Request, collection: str, given: str) -> Reply:
        word = {"files": "File", "domains": "Domain", "ip_addresses": "IP address", "urls": "URL"}[collection]
        return self.refuse("not-found", request, message=f'{word} "{given}" not found')

    # --- identity ---

    def _id(self, collection: str, given: str) -> str:
        """The id of an object: SHA-256 of a file, name of a domain, compressed address, SHA-256 of a URL."""
        if collection == "files":
            return self._hashes.get(given.lower(), given.lower())
        if collection == "ip_addresses":
            try:
                return str(ipaddress.ip_address(given))
            except ValueError:
                return given
        if collection == "urls" and not hexadecimal(given, 64):
            return _url_id(given) or given
        return given.lower()


def _malformed(collection: str, given: str) -> str | None:
    """What VirusTotal says of an id that cannot be one."""
    if collection == "files":
        return None if hexadecimal(given, 32, 40, 64) else f'"{given}" is not a valid file hash'
    if collection == "domains":
        return None if _DOMAIN.fullmatch(given.lower()) else f'Domain "{given}" is not a valid domain pattern'
    if collection == "ip_addresses":
        try:
            ipaddress.ip_address(given)
        except ValueError:
            return f'"{given}" is not a valid IP address'
        return None
    return None if hexadecimal(given, 64) or _url_id(given) else f'"{given}" is not a valid URL id'


def _url_id(given: str) -> str | None:
    """SHA-256 of the URL behind an unpadded base64url id; an empty path gets its slash. ``None`` where it is none."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", given):
        return None
    try:
        url = base64.b64decode(given + "=" * (-len(given) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    parts = urlsplit(url)
    if not parts.scheme or not parts.netloc:
        return None
    if not parts.path:
        url = url.replace(parts.netloc, parts.netloc + "/", 1)
    return hashlib.sha256(url.encode()).hexdigest()


def _bare(collection: str, id: str) -> dict[str, Any]:
    links = {"self": f"{ROOT}/{collection}/{quote(id, safe='')}"}
    return {"id": id, "type": _TYPES[collection], "links": links, "attributes": {}}


def _descriptor(item: dict[str, Any]) -> dict[str, Any]:
    short = {"type": item["type"], "id": item["id"]}
    context = dict(item.get("context_attributes") or {})
    if item["type"] == "url":
        context.setdefault("url", item.get("attributes", {}).get("url"))
    if context:
        short["context_attributes"] = context
    return short


def _inline(collection: str, id: str, relation: str, body: dict[str, Any]) -> dict[str, Any]:
    """A relationship as it stands inside an object: descriptors, links, count."""
    place = f"{ROOT}/{collection}/{quote(id, safe='')}"
    links = {"self": f"{place}/relationships/{relation}", "related": f"{place}/{relation}"}
    data = body["data"]
    if not isinstance(data, list):
        return {"data": _descriptor(data) if data else None, "links": links, "meta": {"count": 1 if data else 0}}
    kept = [_descriptor(item) for item in data[:_INLINE]]
    paging = _paging(links["self"], _INLINE, 0, len(kept), len(data))
    shown: dict[str, Any] = {"data": kept, "links": {**links, **paging["links"]}}
    recorded_more = body.get("meta", {}).get("cursor") if len(kept) == len(data) else None
    if recorded_more:
        following = urlencode({"cursor": recorded_more, "limit": _INLINE})
        shown["links"]["next"] = f"{links['self']}?{following}"
    if recorded_more:
        del paging["meta"]["count"]  # more than were recorded, and nobody knows how many
    if data:
        shown["meta"] = {**paging["meta"], **body.get("meta", {})}
    return shown


def _paging(place: str, limit: int, offset: int, shown: int, total: int) -> dict[str, Any]:
    links = {"self": f"{place}?limit={limit}"}
    meta: dict[str, Any] = {"count": total}
    if offset + shown < total:
        cursor = base64.b64encode(f"I{offset + shown}\n.".encode()).decode()
        links["next"] = f"{place}?{urlencode({'cursor': cursor, 'limit': limit})}"
        meta["cursor"] = cursor
    return {"links": links, "meta": meta}


def _offset(cursor: str, body: dict[str, Any]) -> int | None:
    """Where a cursor points: 0 without one, behind the last item for the cursor that the recorded answer ends with."""
    if not cursor:
        return 0
    try:
        hit = _CURSOR.fullmatch(base64.b64decode(cursor, validate=True))
    except binascii.Error:
        hit = None
    if hit:
        return int(hit[1])
    return len(body["data"]) if cursor == body.get("meta", {}).get("cursor") else None
