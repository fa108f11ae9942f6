"""RDAP (RFC 7480, 9082, 9083): one server that stands for bootstrap, registries and registrars.

``GET /domain/NAME``, ``/ip/ADDRESS[/LENGTH]`` and ``/autnum/NUMBER`` are answered by a redirect to ``/registry/…``,
as a bootstrap server answers (RFC 7484; RFC 7480 section 5.2 tells clients to follow). The registry's answer names
its registrar in a link with ``rel: related``; that link is turned to this server, so that nobody asks the real
registrar. Unknown objects get 404 and malformed ones 400, with the error body of RFC 9083 section 6.
"""

from __future__ import annotations

import copy
import ipaddress
import re
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from cortex_grow.lab.http import Reply, Request
from cortex_grow.lab.samples import Sample
from cortex_grow.lab.service import HttpService, named, recorded, reply

_TYPE = "application/rdap+json"
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Rdap(HttpService):
    """Lookups of domains, addresses and numbers of autonomous systems."""

    name = "rdap"
    definitions = ("Registration_Lookup",)
    data_types = frozenset({"domain", "fqdn", "ip", "autonomous-system"})

    def __init__(self, samples: Any) -> None:
        self._networks: list[tuple[Address, Address, Sample]] = []
        self._numbers: list[tuple[int, int, Sample]] = []
        super().__init__(samples)

    def config(self, where: str, premium: bool) -> dict[str, Any]:
        return {"rdap_url": f"http://{where}"}

    def add(self, sample: Sample) -> None:
        steps = [unquote(step) for step in sample.path.split("/")[1:]]
        what, value = steps[-2:] if len(steps) > 1 else (steps[0], "")
        if sample.host:
            self.keep((sample.host, unquote(sample.path).lower()), sample)
        if what == "domain":
            self.keep(("registrar" if "_registrar" in sample.file else "registry", value.lower()), sample)
        elif what == "ip":
            self._networks.append((_address(sample.json["startAddress"]), _address(sample.json["endAddress"]), sample))
        elif what == "autnum":
            self._numbers.append((sample.json["startAutnum"], sample.json["endAutnum"], sample))
        else:
            self.keep((what, value.lower()), sample)

    def seeds(self, data_type: str) -> list[str]:
        if data_type == "ip":
            return [str(first) for first, _, _ in self._networks]
        if data_type == "autonomous-system":
            return [f"AS{first}" for first, _, _ in self._numbers]
        names = [str(key[1]) for key in self.answers if isinstance(key, tuple) and key[0] in ("registry", "registrar")]
        return [f"www.{name}" for name in names] if data_type == "fqdn" else named(names, "domain")

    def prefer(self, name: str) -> bool:
        there = super().prefer(name)
        for kept in (self._networks, self._numbers):
            for at, row in enumerate(list(kept)):
                if row[2].name == name:
                    kept.insert(0, kept.pop(at))  # type: ignore[arg-type]
                    there = True
        return there

    def route(self, request: Request, premium: bool) -> Reply:
        if request.method not in ("GET", "HEAD"):
            return self.refuse("wrong-method", request)
        accepted = request.headers.get("accept", "*/*")
        if not any(word in accepted for word in ("json", "*/*", "application/*")):
            return self.refuse("not-acceptable", request)
        match request.steps:
            case ["registrar", host, *_]:
                path = unquote(request.path.split("/", 3)[3]) if request.path.count("/") > 2 else ""
                sample = self.find((host.lower(), f"/{path}".lower()))
                return self._found(sample, request) if sample else self.refuse("not-found", request, what=path)
            case ["registry", ("domain" | "ip" | "autnum" | "entity") as what, *value]:
                return self._registry(what, value, request)
            case ["domain" | "ip" | "autnum" | "entity", _, *_]:
                return Reply(302, b"", _TYPE, {"Location": f"{_base(request)}/registry{request.path}"})
            case ["help"]:
                sample = self.find(("help", ""))
                return self._found(sample, request) if sample else self.refuse("not-found", request, what="help")
        return self.refuse("invalid", request, what=request.path)

    def _registry(self, what: str, value: list[str], request: Request) -> Reply:
        text = "/".join(value)
        sample: Sample | None = None
        if what == "domain":
            if len(value) != 1 or not all(_LABEL.fullmatch(label) for label in text.rstrip(".").split(".")):
                return self.refuse("invalid", request, what=text)
            name = text.rstrip(".").lower()
            sample = self.find(("registry", name)) or self.find(("registrar", name))
        elif what == "ip":
            try:
                network = ipaddress.ip_network(text, strict=False)
            except ValueError:
                return self.refuse("invalid", request, what=text)
            sample = self._network(network.network_address, network.broadcast_address)
        elif what == "autnum":
            if not text.isdigit() or int(text) > 0xFFFFFFFF:
                return self.refuse("invalid", request, what=text)
            sample = next((row[2] for row in self._numbers if row[0] <= int(text) <= row[1]), None)
        else:
            sample = self.find((what, text.lower()))
        return self._found(sample, request) if sample else self.refuse("not-found", request, what=text)

    def _network(self, first: Address, last: Address) -> Sample | None:
        """The smallest network that holds the range."""
        held = [
            (int(end) - int(start), sample)
            for start, end, sample in self._networks
            if start.version == first.version and int(start) <= int(first) and int(last) <= int(end)
        ]
        return min(held, key=lambda row: row[0])[1] if held else None

    def _found(self, sample: Sample, request: Request) -> Reply:
        related = [link for link in sample.json.get("links") or () if _is_registrar(link)]
        if not related:
            return recorded(sample, type=_TYPE)
        tree = copy.deepcopy(sample.json)
        for link in filter(_is_registrar, tree["links"]):
            parts = urlsplit(link["href"])
            link["href"] = f"{_base(request)}/registrar/{parts.netloc}{quote(unquote(parts.path))}"
        return reply(tree, sample, type=_TYPE)

    def refuse(self, kind: str, request: Request, **what: str) -> Reply:
        status, title, text = {
            "over-quota": (429, "Too Many Requests", "Rate limit exceeded"),
            "not-found": (404, "Not Found", f"The object you are seeking as '{what.get('what', '')}' is not here."),
            "wrong-method": (405, "Method Not Allowed", "RDAP is read with GET"),
            "not-acceptable": (406, "Not Acceptable", f"This server answers {_TYPE}"),
        }.get(kind, (400, "Bad Request", f"'{what.get('what', '')}' is not a valid query"))
        body = {"rdapConformance": ["rdap_level_0"], "errorCode": status, "title": title, "description": [text]}
        shown = reply(body, status=status, type=_TYPE)
        return Reply(shown.status, shown.body, shown.type, samples=self.shown(kind))


def _base(request: Request) -> str:
    return f"http://{request.headers.get('host', '')}"


def _is_registrar(link: Any) -> bool:
    return isinstance(link, dict) and link.get("rel") == "related" and "/domain/" in str(link.get("href", ""))


def _address(text: str) -> Address:
    """An address as registries write it: with leading zeros, or with a length behind it."""
    text = text.split("/")[0]
    if ":" not in text:
        text = ".".join(str(int(part)) for part in text.split("."))
    return ipaddress.ip_address(text)
