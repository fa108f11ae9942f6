"""Reading expectations and the recorded answers behind them, for the tests that hold one against the other.

Independent of the models: values are judged by the standard library and the public suffix list.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import tldextract

from tests.support import sample

# fmt: off
TYPES = frozenset(
    [
        "url", "other", "user-agent", "regexp", "mail-subject", "registry", "mail", "autonomous-system",
        "domain", "ip", "uri_path", "filename", "hash", "file", "fqdn", "hostname", "certificate", "ja3",
        "ja3s", "jarm", "hassh", "imphash", "favicon", "mutex", "network", "organisation", "cve", "technique",
        "family", "actor", "rule",
    ]
)
# fmt: on
HEX = {
    "hash": (32, 40, 64, 128),
    "certificate": (40, 64),
    "ja3": (32,),
    "ja3s": (32,),
    "jarm": (62,),
    "hassh": (32,),
    "imphash": (32,),
}
ROOTS = {"hklm": "hkey_local_machine", "hkcu": "hkey_current_user", "hkcr": "hkey_classes_root", "hku": "hkey_users"}


def load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


@cache
def answer(place: str) -> Any:
    """The whole recorded file behind an ``answer`` entry: JSON, else a list of lines (parsed, when all are JSON)."""
    text = sample(place.partition("#")[0]).decode("utf-8", errors="replace")
    try:
        return json.loads(text)
    except ValueError:
        lines = text.splitlines()
    try:
        return [json.loads(line) for line in lines if line.strip()]
    except ValueError:
        return lines


def resolve(tree: Any, pointer: str) -> Any:
    """The value at an RFC 6901 pointer; raises LookupError or TypeError where there is none."""
    for token in pointer.split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")
        tree = tree[int(token)] if isinstance(tree, list) else tree[token]
    return tree


def at(case: dict[str, Any], where: str) -> Any:
    part, _, pointer = where.partition("#")
    place = case["answer"][part]
    piece = place.partition("#")[2]
    assert pointer == piece or pointer.startswith(piece + "/") or not piece, f"{where} lies outside of {place}"
    return resolve(answer(place), pointer)


def node(name: str) -> tuple[str, str]:
    kind, _, value = name.partition(":")
    return kind, value


def problem(kind: str, value: str) -> str | None:
    """Why ``value`` is not in canonical form for its type, or None."""
    if re.fullmatch(r"sha256:[0-9a-f]{64}", value):
        return None
    if value != value.strip():
        return "has space around it"
    if kind in HEX:
        return (
            None
            if re.fullmatch("[0-9a-f]*", value) and len(value) in HEX[kind]
            else "is no lower-case digest of its kind"
        )
    if kind in ("ip", "network"):
        try:
            parsed = ipaddress.ip_address(value) if kind == "ip" else ipaddress.ip_network(value)
        except ValueError as error:
            return str(error)
        return None if str(parsed) == value else "is not in its short form"
    if kind in ("domain", "fqdn"):
        if value != value.lower().rstrip(".") or not value.isascii() or "*" in value:
            return "is not a lower-case name in ASCII"
        below = bool(suffixes()(value).subdomain)
        return None if below == (kind == "fqdn") else f"is not a {kind} by the public suffix list"
    if kind == "url":
        parts = urlsplit(value)
        same = parts.scheme == parts.scheme.lower() and (parts.hostname or "") in parts.netloc and "://" in value
        return None if same else "has upper case in its scheme or host, or none"
    if kind == "autonomous-system":
        return None if re.fullmatch(r"AS\d+", value) else "is not AS and a number"
    if kind == "cve":
        return None if re.fullmatch(r"CVE-\d{4}-\d{4,}", value) else "is no CVE"
    if kind == "mail":
        return "is personal data: digests only"
    if kind == "registry":
        return None if value.upper().startswith("HKEY_") else "has no long root name"
    return None


@cache
def suffixes() -> tldextract.TLDExtract:
    return tldextract.TLDExtract(cache_dir=None, suffix_list_urls=(), include_psl_private_domains=False)


def scalars(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield key
            yield from scalars(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from scalars(value)
    else:
        yield tree


@cache
def moments(place: str) -> frozenset[datetime]:
    """Every date that stands in an answer, as a moment in UTC: epochs, ISO 8601, ``2019-11-04 10:00:00[ UTC]``."""
    found = set()
    for value in scalars(answer(place)):
        if isinstance(value, str) and (match := re.search(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}:\d{2}\S*)?", value)):
            try:
                moment = datetime.fromisoformat(match[0])
            except ValueError:
                continue
            found.add(moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))
        elif not isinstance(value, bool) and re.fullmatch(r"\d{9,10}(\.\d+)?", str(value)):
            found.add(datetime.fromtimestamp(int(float(value)), UTC))
    return frozenset(found)


def spans(text: str) -> Iterator[str]:
    """The pieces of a text that may be one value: lines, words, and what stands between separators and wide gaps."""
    yield text
    for line in re.split(r"[\r\n]+", text):
        edges = [
            (0, 0),
            *(found.span() for found in re.finditer(r"[:=|,;/()<>\[\]\"\t]+|\s{2,}", line)),
            (len(line), len(line)),
        ]
        for number, (_, start) in enumerate(edges):
            yield from (line[start:stop] for stop, _ in (*edges[number + 1 : number + 5], edges[-1]))
        yield from re.split(r"[\s|,;()<>\"]+", re.sub(r"\s*[(\[]?\bat\b[)\]]?\s*", "@", line, flags=re.I))
        yield from re.split(r"[\s|,;()<>\"]+", line)


def ranges(found: Any) -> Iterator[tuple[Any, Any]]:
    """First and last address of each network in a text (``200.57.128/19``, ``first - last``) or ``cidr0`` entry."""
    text = str(found)
    if isinstance(found, dict) and (prefix := found.get("v4prefix") or found.get("v6prefix")):
        text = f"{prefix}/{found.get('length')}"
    for first, length in re.findall(r"([0-9A-Fa-f.:]+)/(\d+)", text):
        if ":" not in first:
            first = ".".join((first.rstrip(".").split(".") + ["0"] * 4)[:4])
        try:
            network = ipaddress.ip_network(f"{first}/{length}", strict=False)
        except ValueError:
            continue
        yield network[0], network[-1]
    for first, last in re.findall(r"([0-9A-Fa-f.:]+)\s+-\s+([0-9A-Fa-f.:]+)", text) or [(text.strip(), text.strip())]:
        try:
            yield ipaddress.ip_address(first), ipaddress.ip_address(last)
        except ValueError:
            continue


def stands_for(found: Any, kind: str, value: str) -> bool:
    """Whether what stands in the answer is the indicator: the same text in any case, or otherwise written."""
    text = str(found)
    if value.startswith("sha256:"):
        return any(
            hashlib.sha256(form.encode()).hexdigest() == value[7:]
            for span in spans(text.lower())
            for form in {span.strip(), span.strip(" .'"), " ".join(span.split())}
        )
    low, plain = value.lower(), unquote(text.lower())
    plain = plain.replace("hxxp", "http").replace("[.]", ".").replace("[:]", ":").replace("[@]", "@")
    if low in text.lower() or unquote(low) in plain:
        return True
    if kind == "autonomous-system":
        return low.removeprefix("as") in re.findall(r"\d+", text)
    if kind == "ip":
        for token in re.findall(r"[0-9a-f.:]{3,}", plain):
            try:
                if ipaddress.ip_address(token) == ipaddress.ip_address(value):
                    return True
            except ValueError:
                continue
        return False
    if kind == "network":
        network = ipaddress.ip_network(value)
        return any(
            first.version == network.version == last.version and first <= network[0] and network[-1] <= last
            for first, last in ranges(found)
        )
    if kind in HEX:
        return low in re.sub(r"[\s:]", "", plain)
    if kind == "registry":
        root, slash, rest = plain.partition("\\")
        return low == ROOTS.get(root, root) + slash + rest
    if kind == "url":
        return low in re.sub(r":(80|443)(?=/|$)", "", plain)
    if kind in ("domain", "fqdn") and not plain.isascii():
        return any(low == idna(word) for word in re.split(r"[\s/@:]+", plain))
    return False


def idna(word: str) -> str:
    try:
        return word.strip(".").encode("idna").decode()
    except UnicodeError:
        return ""
