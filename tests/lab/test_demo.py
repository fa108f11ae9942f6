"""The demo: the services' true shape, documentation names and addresses only, one story that hangs together."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import ssl
from pathlib import Path
from typing import Any

import pytest

from cortex_grow.lab.lab import DEMO, Lab
from tests.lab.shape import Shape, reference, shape
from tests.support import ROOT, needs_shared, sample

ROWS = [json.loads(line) for line in (DEMO / "index.jsonl").read_text(encoding="utf-8").splitlines()]
JSON = [row for row in ROWS if row["file"].endswith(".json")]
IOCS = ROOT / "examples" / "iocs.txt"

# What a reader of an answer looks for first: without it a demo file would prove little.
IMPORTANT = {
    "virustotal/file_": [
        "/data/attributes/sha256",
        "/data/attributes/last_analysis_stats/malicious",
        "/data/attributes/names/*",
    ],
    "virustotal/domain_": [
        "/data/attributes/last_analysis_stats/malicious",
        "/data/attributes/last_dns_records/*/value",
    ],
    "virustotal/ip_": [
        "/data/attributes/asn",
        "/data/attributes/network",
        "/data/attributes/last_analysis_stats/malicious",
    ],
    "virustotal/url_": ["/data/attributes/url", "/data/attributes/last_analysis_stats/malicious"],
    "urlhaus/url_": ["/query_status", "/payloads/*/response_sha256", "/payloads/*/signature", "/tags/*", "/date_added"],
    "urlhaus/host_": ["/query_status", "/urls/*/url", "/urls/*/date_added", "/urls/*/tags/*"],
    "urlhaus/payload_": ["/query_status", "/sha256_hash", "/signature", "/urls/*/url"],
    "crtsh/identity_": ["/*/name_value", "/*/issuer_name", "/*/not_before", "/*/serial_number", "/*/id"],
    "rdap/domain_": ["/ldhName", "/events/*/eventDate", "/entities/*/vcardArray", "/nameservers/*/ldhName"],
    "rdap/ip_": ["/startAddress", "/endAddress", "/name", "/entities/*/roles/*"],
    "rdap/autnum_": ["/startAutnum", "/name", "/entities/*/roles/*"],
}


def body(row: dict[str, Any]) -> Any:
    return json.loads((DEMO / row["service"] / row["file"]).read_bytes())


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [f"{row['service']}/{row['file']}" for row in rows]


def test_every_file_is_listed_once_and_no_other() -> None:
    listed = [f"{row['service']}/{row['file']}" for row in ROWS]
    there = [path.relative_to(DEMO).as_posix() for path in DEMO.glob("*/*") if path.parent.name != "files"]
    assert sorted(listed) == sorted(there)


@needs_shared
@pytest.mark.parametrize("row", JSON, ids=ids(JSON))
def test_key_paths_and_types_are_those_of_the_recorded_answers(row: dict[str, Any]) -> None:
    known: Shape = reference(row["shape"])
    documented = row.get("documented", {})
    strange = {}
    for path, types in shape(body(row)).items():
        if path in documented:
            assert not types <= known.get(path, set()), f"{path} is recorded: it needs no documentation"
            continue
        if not types <= known.get(path, set()):
            strange[path] = (types, known.get(path))
    assert not strange


@needs_shared
def test_the_shape_test_can_fail() -> None:
    known = reference(["urlhaus/url_emotet_105821.json"])
    for wrong in ({"query_state": "ok"}, {"query_status": 1}, {"payloads": [{"response_sha256": None}]}):
        assert any(not types <= known.get(path, set()) for path, types in shape(wrong).items()), wrong


@pytest.mark.parametrize("row", JSON, ids=ids(JSON))
def test_the_important_paths_are_there(row: dict[str, Any]) -> None:
    if row["service"] == "virustotal" and (row["endpoint"].count("/") > 4 or "search?" in row["endpoint"]):
        wanted = ["/data"]
    else:
        wanted = next(
            paths for start, paths in IMPORTANT.items() if f"{row['service']}/{row['file']}".startswith(start)
        )
    there = shape(body(row))
    assert [path for path in wanted if path not in there] == []


@needs_shared
@pytest.mark.parametrize("row", [row for row in ROWS if row["service"] == "whois"], ids=lambda row: row["file"])
def test_whois_texts_use_the_words_of_recorded_ones(row: dict[str, Any]) -> None:
    def fields(text: str) -> set[str]:
        return set(re.findall(r"^([A-Z][\w /]+): ", text, re.MULTILINE))

    recorded = set().union(*(fields(sample(name).decode("utf-8", "replace")) for name in row["shape"]))
    mine = fields((DEMO / "whois" / row["file"]).read_bytes().decode())
    assert len(mine) > 15
    assert mine <= recorded


def strings(tree: Any) -> list[str]:
    if isinstance(tree, dict):
        return [text for value in tree.values() for text in strings(value)]
    if isinstance(tree, list):
        return [text for value in tree for text in strings(value)]
    return [tree] if isinstance(tree, str) else []


# Hosts that are no indicators: the services' own, and what the shape of an answer brings along.
OWN = re.compile(r"https?://(www\.virustotal\.com|urlhaus\.abuse\.ch|urlhaus-api\.abuse\.ch|www\.icann\.org)/\S*")
NAME = re.compile(r"(?<![\w.@\\/%-])(?:[a-z0-9_-]+\.)+([a-z]{2,})(?![\w(])", re.IGNORECASE)
FILES = {"exe", "bin", "zip", "php"}


def texts() -> list[tuple[str, str]]:
    found = [("examples/iocs.txt", re.sub(r"[\[(]([.@])[\])]", r"\1", IOCS.read_text(encoding="utf-8")))]
    for path in sorted(DEMO.rglob("*")):
        if path.is_file() and path.name != "index.jsonl":
            raw = path.read_text(encoding="utf-8")
            lines = strings(json.loads(raw)) if path.suffix == ".json" else raw.splitlines()
            found += [(path.relative_to(DEMO).as_posix(), line) for line in lines]
    return found


def test_names_are_reserved_ones() -> None:
    for where, text in texts():
        for hit in NAME.finditer(OWN.sub("", text)):
            name = hit[0].lower()
            if hit[1].lower() in FILES or name.startswith("trojan.") or name.endswith(".arpa"):
                continue
            reserved = hit[1].lower() in ("example", "test", "invalid") or re.search(
                r"(^|\.)example\.(com|net|org)$", name
            )
            assert reserved, f"{name} in {where} is not of RFC 2606"


def test_addresses_are_reserved_ones() -> None:
    held = [
        ipaddress.ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
    ]
    seen = 0
    for where, text in texts():
        for word in re.findall(
            r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])|\b2[0-9a-f]{3}(?::[0-9a-f]{0,4}){2,7}", text
        ):
            address = ipaddress.ip_address(word)
            loopback = address.version == 4 and address.is_loopback  # the answers of block lists
            unspecified = int(address) in (0, 2**32 - 1)
            assert loopback or unspecified or any(address in network for network in held), f"{word} in {where}"
            seen += 1
    assert seen > 100


def test_autonomous_systems_are_documentation_ones() -> None:
    numbers = [int(number) for _, text in texts() for number in re.findall(r"\bAS(\d+)\b", text)]
    numbers += [
        tree["data"]["attributes"]["asn"]
        for row in JSON
        if row["file"].startswith("ip_")
        for tree in [body(row)]
        if row["service"] == "virustotal" and isinstance(tree["data"], dict)
    ]
    assert numbers
    assert all(64496 <= number <= 64511 for number in numbers)


def test_hashes_are_those_of_the_projects_own_texts() -> None:
    own = {
        algorithm(f"cortex-grow demo {what}".encode()).hexdigest()
        for what in ("loader", "stealer", "loader 2", "invoice archive")
        for algorithm in (hashlib.md5, hashlib.sha1, hashlib.sha256)
    }
    for row in JSON:
        tree = body(row)
        if row["service"] == "virustotal" and isinstance(tree["data"], dict) and tree["data"].get("type") == "file":
            attributes = tree["data"]["attributes"]
            assert {attributes["md5"], attributes["sha1"], attributes["sha256"]} <= own
            assert tree["data"]["id"] == attributes["sha256"]
        if row["service"] == "urlhaus":
            for name, value in shape_values(tree):
                if name in ("response_sha256", "response_md5", "sha256_hash", "md5_hash"):
                    assert value in own, (row["file"], name)
    for path in (DEMO / "files").iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() in own


def shape_values(tree: Any) -> list[tuple[str, Any]]:
    if isinstance(tree, dict):
        return [*tree.items(), *(pair for value in tree.values() for pair in shape_values(value))]
    if isinstance(tree, list):
        return [pair for value in tree for pair in shape_values(value)]
    return []


def test_url_ids_are_the_digests_of_the_urls() -> None:
    for row in JSON:
        if row["service"] == "virustotal" and row["file"].startswith("url_"):
            data = body(row)["data"]
            if data["type"] == "url":
                assert data["id"] == hashlib.sha256(data["attributes"]["url"].encode()).hexdigest()


def test_the_certificate_is_the_one_that_the_others_name() -> None:
    der = ssl.PEM_cert_to_DER_cert((DEMO / "crtsh" / "certificate_shared.pem").read_text())
    domain = body({"service": "virustotal", "file": "domain_cdn_update.json"})["data"]["attributes"]
    assert domain["last_https_certificate"]["thumbprint_sha256"] == hashlib.sha256(der).hexdigest()
    assert domain["last_https_certificate"]["thumbprint"] == hashlib.sha1(der).hexdigest()
    listed = body({"service": "crtsh", "file": "identity_cdn_update.json"})[0]
    gate = body({"service": "crtsh", "file": "identity_gate_panel_login.json"})[0]
    assert listed["id"] == gate["id"]
    assert listed["serial_number"] == domain["last_https_certificate"]["serial_number"]
    assert int(listed["serial_number"], 16).to_bytes(16, "big").lstrip(b"\0") in der
    for name in (b"cdn-update.example", b"gate.panel-login.example"):
        assert name in der


def test_the_story_has_a_hub_and_noise() -> None:
    hub = body({"service": "virustotal", "file": "ip_198_51_100_23_resolutions.json"})["data"]
    assert len({item["attributes"]["host_name"] for item in hub}) >= 100
    contacted = body({"service": "virustotal", "file": "file_loader_contacted_ips.json"})["data"]
    assert "192.0.2.53" in [item["id"] for item in contacted]
    noise = [line for line in (DEMO / "noise.txt").read_text().splitlines() if not line.startswith("#")]
    assert noise == ["192.0.2.0/24", "example.com"]


def test_the_indicators_of_the_example_are_answered() -> None:
    lines = [line for line in IOCS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert 8 <= len(lines) <= 12
    assert any("[.]" in line for line in lines) and any("hxxp" in line for line in lines)
    with Lab.demo() as lab:
        known = {
            value
            for definition in lab.definitions()
            for data_type in ("hash", "ip", "domain", "fqdn", "url", "autonomous-system")
            for value in lab.seeds(definition, data_type)
        }
    known |= {hashlib.md5(b"cortex-grow demo stealer").hexdigest()}
    for line in lines:
        plain = re.sub(r"[\[(]([.@])[\])]", r"\1", line).replace("hxxp", "http")
        assert any(value in plain for value in known), line


def test_no_file_is_large() -> None:
    assert all(path.stat().st_size < 100_000 for path in Path(DEMO).rglob("*") if path.is_file())
