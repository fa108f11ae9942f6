"""crt.sh: certificate search (``fnc/web_apis.fnc`` of crtsh/certwatch_db and crtsh/mod_certwatch say what it accepts).

``GET /?q=NAME&output=json`` (or ``identity``, ``domain``, ``dnsname``; ``Accept: application/json`` stands for the
``output``), with ``exclude=expired`` and ``deduplicate=Y``. A name that it does not know is ``[]``. A certificate's
fingerprint or number has no JSON: those are answered by an HTML page that says "Unsupported output type: json", with
status 200. ``GET /?d=`` with the number or the SHA-256 downloads a certificate as PEM. There is no key; too many
requests get 429.
"""

from __future__ import annotations

import hashlib
import html
import ssl
from typing import Any

from cortex_grow.lab.http import Reply, Request, page
from cortex_grow.lab.samples import Sample
from cortex_grow.lab.service import HttpService, hexadecimal, named, recorded, reply

_NAMES = ("q", "identity", "domain", "dnsname")
_OPTIONS = ("exclude", "deduplicate")


class Crtsh(HttpService):
    """Search by name, and download of a certificate."""

    name = "crtsh"
    definitions = ("Crtsh_Certificates",)
    data_types = frozenset({"domain", "fqdn", "hash"})

    def config(self, where: str, premium: bool) -> dict[str, Any]:
        return {"url": f"http://{where}"}

    def add(self, sample: Sample) -> None:
        if "d" in sample.params:
            self.keep(("d", sample.params["d"].lower()), sample)
            self.keep(("d", hashlib.sha256(ssl.PEM_cert_to_DER_cert(sample.body.decode())).hexdigest()), sample)
            return
        name, value = _asked(sample.params)
        if not name:
            raise ValueError(f"{sample.name}: no name in its request")
        self.keep((value, _options(sample.params)), sample)
        self.keep((value, None), sample)

    def seeds(self, data_type: str) -> list[str]:
        keys = [key for key in self.answers if isinstance(key, tuple)]
        if data_type == "hash":
            return [str(key[1]) for key in keys if key[0] == "d" and hexadecimal(str(key[1]), 64)]
        return named((str(key[0]) for key in keys if key[0] != "d" and "%" not in str(key[0])), data_type)

    def route(self, request: Request, premium: bool) -> Reply:
        if request.path != "/":
            return self.refuse("unknown-endpoint", request)
        if request.method != "GET":
            return page(405)
        query = {name.lower(): value.strip() for name, value in request.query.items()}
        if "d" in query:
            return self._download(query["d"].lower())
        name, value = _asked(query)
        output = query.get("output", "")
        if request.headers.get("accept") == "application/json":
            output = "json"
        if not name or (output != "json" and output not in ("", "html", "atom")):
            return _error(f"Unsupported output type: {html.escape(output)}") if name else _error("Certificate Search")
        if output == "json" and name == "q" and (value.isdigit() or hexadecimal(value.replace(":", ""), 40, 64)):
            return _error("Unsupported output type: json")
        sample = self.find((value, _options(query))) or self.find((value, None))
        if output != "json":
            return _error(f"crt.sh | {html.escape(value)}")
        return recorded(sample) if sample else reply([])

    def _download(self, value: str) -> Reply:
        sample = self.find(("d", value))
        return recorded(sample, type="application/pkix-cert") if sample else page(404)

    def refuse(self, kind: str, request: Request, **what: str) -> Reply:
        return page(429 if kind == "over-quota" else 404)


def _asked(query: dict[str, str]) -> tuple[str, str]:
    for name in _NAMES:
        if query.get(name):
            return name, query[name].lower()
    return "", ""


def _options(query: dict[str, str]) -> tuple[str, ...]:
    return tuple(query.get(name, "").lower() for name in _OPTIONS)


def _error(text: str) -> Reply:
    body = (
        '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.0 Transitional//EN">\n<HTML>\n'
        "<HEAD>\n  <TITLE>crt.sh</TITLE>\n</HEAD>\n"
        f"<BODY><BR><BR>{text}</BODY>\n</HTML>\n"
    )
    return Reply(200, body.encode(), "text/html; charset=UTF-8")
