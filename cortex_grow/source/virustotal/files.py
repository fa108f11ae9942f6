"""File objects of VirusTotal API v3 (docs.virustotal.com/reference/files)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cortex_grow.model.indicator import Indicator
from cortex_grow.source.answer import Json
from cortex_grow.source.facts import About, Fact, Family, Known, Related, Score, found

# What engines write where no family is known: platforms, file kinds, ways of packing.
# fmt: off
NO_FAMILIES = frozenset([
    "agent", "android", "autoit", "bomb", "bundler", "deepscan", "delphi", "dos", "eldorado", "elf", "file",
    "filerepmalware", "gen", "generic", "generickd", "heur", "hidden", "html", "java", "js", "jscript", "linux",
    "lnk", "loader", "macos", "macro", "malicious", "malware", "mikey", "msexcel", "msil", "msoffice", "msword",
    "multi", "o97m", "obfuscated", "office", "packed", "packer", "pdf", "php", "possible", "powershell", "python",
    "ransom", "rtf", "script", "swf", "test", "trojan", "unsafe", "vb", "vba", "vbs", "w97m", "win32", "win64",
    "x97m", "zip",
])
# fmt: on
LEAST_VOTES = 3
NAMES = 20
_DIGEST = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64}")
_PLAIN_NAME = re.compile(r"[^\\/:*?\"<>|;=\x00-\x1f]{2,255}")
# Keys of a malware configuration that hold where it takes its commands.
C2_KEYS = frozenset(
    {"c2", "c2s", "cnc", "host", "hosts", "domain", "domains", "ip", "ips", "url", "urls", "server", "servers"}
)


def file(seed: Indicator, attributes: Json) -> Iterator[Fact]:
    """What a file object says of the file itself."""
    digests = {kind: attributes[kind].text for kind in ("md5", "sha1", "sha256")}
    yield About(
        seed,
        first_seen=attributes["first_submission_date"].time,
        last_seen=attributes["last_submission_date"].time,
        attributes={
            **digests,
            "filename": attributes["meaningful_name"].text,
            "size": attributes["size"].text,
            "ssdeep": attributes["ssdeep"].text,
            "tlsh": attributes["tlsh"].text,
        },
    )
    for name in _names(attributes, digests):
        yield Related(seed, "known-as", found("filename", name))
    yield Related(seed, "characterized-by", found("imphash", attributes["pe_info"]["imphash"].text))
    yield from _signers(seed, attributes)
    yield from _families(attributes)
    yield from _known_good(attributes)
    for tag in attributes["tags"].texts:
        if re.fullmatch(r"cve-\d{4}-\d{4,}", tag, re.IGNORECASE):
            yield Related(seed, "exploits", found("cve", tag))
    yield from _configuration(seed, attributes["malware_config"])
    yield Known(
        "File",
        {
            "type": attributes["type_description"].text,
            "size": attributes["size"].text,
            "magic": attributes["magic"].text,
            "first submitted": attributes["first_submission_date"].time,
            "last analysed": attributes["last_analysis_date"].time,
            "times submitted": attributes["times_submitted"].number,
            "packers": [f"{name}: {value.text}" for name, value in attributes["packers"].items() if value.text],
            "tags": attributes["tags"].texts,
        },
    )


def _names(attributes: Json, digests: dict[str, str | None]) -> list[str]:
    """Plain file names: no paths, no digests, no remnants of headers; each once, whatever its case."""
    kept: dict[str, str] = {}
    for text in attributes["names"].texts:
        name = text.strip()
        if _PLAIN_NAME.fullmatch(name) and name.strip(". ") and not _DIGEST.fullmatch(name):
            kept.setdefault(name.lower(), name)
    return list(kept.values())[:NAMES]


def _signers(seed: Indicator, attributes: Json) -> Iterator[Fact]:
    """The signer is the first of ``signers details``; the rest is its chain, other lists hold time stamps."""
    signature = attributes["signature_info"]
    first = signature["signers details"][0]
    yield Related(seed, "signed-by", found("certificate", first["thumbprint"].text))
    yield Related(seed, "signed-by", found("organisation", first["name"].text))
    yield Related(seed, "signed-by", found("certificate", attributes["androguard"]["certificate"]["thumbprint"].text))
    if first:
        yield Known(
            "Signature",
            {
                "signer": first["name"].text,
                "issuer": first["cert issuer"].text,
                "verified": signature["verified"].text,
                "signing date": signature["signing date"].text,
                "status": first["status"].text,
            },
        )


def _families(attributes: Json) -> Iterator[Fact]:
    """Names that at least three engines use, unless they name a platform or a kind of file."""
    for entry in attributes["popular_threat_classification"]["popular_threat_name"]:
        name = entry["value"].text
        if name and (entry["count"].number or 0) >= LEAST_VOTES and name.lower() not in NO_FAMILIES:
            yield Family(name)


def _known_good(attributes: Json) -> Iterator[Fact]:
    distributors = attributes["known_distributors"]["distributors"].texts
    yield Score(-60, "known distributor", f"distributed by {', '.join(distributors[:3])}", when=distributors)
    nsrl = attributes["nsrl_info"]
    yield Score(-80, "nsrl", "in the National Software Reference Library", when=nsrl)


def _configuration(seed: Indicator, configuration: Json) -> Iterator[Fact]:
    """A configuration extracted from malware (premium keys; rests on documentation): where it takes commands."""
    values: dict[str, object] = {}
    for name, value in configuration.items():
        texts = value.texts
        if name.lower() == "family":
            for text in texts:
                yield Family(text)
        elif name.lower() in C2_KEYS:
            for text in texts:
                for piece in text.replace(",", " ").split()[:100]:
                    yield Related(seed, "beacons-to", found("url" if "://" in piece else "host", _without_port(piece)))
        values[name] = texts
    yield Known("Malware configuration", values)


def _without_port(text: str) -> str:
    head, mark, port = text.rpartition(":")
    return head if mark and port.isdecimal() and "://" not in text and head.count(":") == 0 else text
