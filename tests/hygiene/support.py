"""What the tests of the warning lists share: the raw lists as upstream has them, and small lists of their own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

VERSION = version("pymispwarninglists")
# MISP's attribute types for each of ours, written down here a second time.
ATTRIBUTES = {
    "ip": {"ip-src", "ip-dst"},
    "network": {"ip-src", "ip-dst"},
    "domain": {"domain", "hostname"},
    "fqdn": {"domain", "hostname"},
    "url": {"url", "uri", "link"},
    "mail": {"email-src", "email-dst", "target-email", "whois-registrant-email", "dns-soa-email", "email"},
    "hash": {"md5", "sha1", "sha224", "sha256", "sha384", "sha512", "ssdeep", "tlsh"},
    "certificate": {"x509-fingerprint-md5", "x509-fingerprint-sha1", "x509-fingerprint-sha256"},
    "other": {"phone-number", "whois-registrant-phone", "azure-application-id"},
}


@dataclass(frozen=True)
class Thing:
    """As much of an indicator as hygiene looks at."""

    type: str
    value: str


def folder() -> Path:
    spec = find_spec("pymispwarninglists")
    assert spec and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "data" / "misp-warninglists" / "lists"


@cache
def raw() -> dict[str, dict[str, Any]]:
    """The lists of the installed package by folder name."""
    return {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in folder().glob("*/list.json")}


def meant_for(type_: str, attributes: Iterable[str]) -> bool:
    return not set(attributes) or bool(ATTRIBUTES[type_] & set(attributes))


def write_list(
    place: Path, slug: str, kind: str, entries: list[str], attributes: Iterable[str] = (), **more: object
) -> None:
    """A list of the test's own, in upstream's format."""
    data = {"name": f"The {slug}", "description": f"about {slug}", "version": 1, "type": kind, "list": entries, **more}
    if attributes:
        data["matching_attributes"] = list(attributes)
    (place / slug).mkdir(parents=True)
    (place / slug / "list.json").write_text(json.dumps(data), encoding="utf-8")
