"""URLhaus API v1 (https://urlhaus-api.abuse.ch/), lookups of a URL, a host and a payload.

A lookup is a POST of a form with the header ``Auth-Key``. What the service says is in ``query_status``, with status
200: ``ok``, ``no_results``, ``invalid_url``, ``invalid_host``, ``invalid_md5``, ``invalid_sha256``,
``http_post_expected``. Without a key it answers 401 ``{"error": "Unauthorized"}``, with an unknown one 403
``{"query_status": "unknown_auth_key"}``. A POST that is no form got status 200 and an empty body when it was
recorded. Not recorded, so a plain page here: an unknown endpoint and too many requests.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any
from urllib.parse import urlsplit

from cortex_grow.lab.http import Reply, Request, page
from cortex_grow.lab.samples import Sample
from cortex_grow.lab.service import HttpService, hexadecimal, named, recorded, reply

_HOST = re.compile(r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}", re.IGNORECASE)
_FIELDS = {
    "/v1/url/": ("url",),
    "/v1/host/": ("host",),
    "/v1/payload/": ("md5_hash", "sha256_hash"),
}


class URLhaus(HttpService):
    """The lookups that the pack makes; the others of the API are unknown here."""

    name = "urlhaus"
    definitions = ("URLhaus_Lookup",)
    data_types = frozenset({"url", "domain", "fqdn", "ip", "hash"})
    key_header = "auth-key"

    def config(self, where: str, premium: bool) -> dict[str, Any]:
        return {"url": f"http://{where}", "API_Key": self.premium_key if premium else self.public_key}

    def add(self, sample: Sample) -> None:
        for name, value in sample.params.items():
            self.keep((name, value.lower() if name != "url" else value), sample)
        if sample.path == "/v1/payload/":
            for name in ("md5_hash", "sha256_hash"):
                if name not in sample.params:
                    self.keep((name, sample.json[name]), sample)

    def seeds(self, data_type: str) -> list[str]:
        by_field = {"url": ("url",), "hash": ("sha256_hash", "md5_hash")}.get(data_type, ("host",))
        values = [key[1] for key in self.answers if isinstance(key, tuple) and key[0] in by_field]
        if data_type in ("domain", "fqdn"):
            return [value for value in named(values, data_type) if not _is_ip(value)]
        return [value for value in values if _is_ip(value)] if data_type == "ip" else values

    def route(self, request: Request, premium: bool) -> Reply:
        fields = _FIELDS.get(request.path)
        if fields is None:
            return self.refuse("unknown-endpoint", request)
        if request.method != "POST":
            return reply({"query_status": "http_post_expected"})
        if not request.is_form:
            return self.refuse("not-a-form", request)
        given = [(name, request.form[name]) for name in fields if request.form.get(name)]
        if not given:
            return self.refuse("not-a-form", request)
        name, value = given[0]
        wrong = _wrong(name, value)
        if wrong:
            return reply({"query_status": wrong})
        sample = self.find((name, value.lower() if name != "url" else value))
        return recorded(sample) if sample else reply({"query_status": "no_results"})

    def refuse(self, kind: str, request: Request, **what: str) -> Reply:
        if kind == "no-key":
            return reply({"error": "Unauthorized"}, status=401)
        if kind == "wrong-key":
            return reply({"query_status": "unknown_auth_key"}, status=403)
        if kind == "not-a-form":
            return Reply(200, b"", samples=self.shown(kind))
        return page(429 if kind == "over-quota" else 404)


def _wrong(name: str, value: str) -> str | None:
    if name == "url":
        parts = urlsplit(value)
        return None if parts.scheme in ("http", "https", "ftp") and parts.netloc else "invalid_url"
    if name == "host":
        return None if _is_ip(value) or _HOST.fullmatch(value) else "invalid_host"
    digits = 32 if name == "md5_hash" else 64
    return None if hexadecimal(value, digits) else "invalid_" + name.removesuffix("_hash")


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
