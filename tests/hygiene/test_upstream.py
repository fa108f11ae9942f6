"""The index beside the upstream package's own slow search."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from cortex_grow.hygiene import Index
from tests.hygiene import support
from tests.hygiene.support import VERSION, raw
from tests.hygiene.values import Value, values
from tests.support import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("hygiene")]

CACHE = ROOT / ".cache" / "hygiene"


@pytest.fixture(scope="module")
def upstream() -> list[set[str]]:
    """What upstream finds for each of :func:`values`. It takes minutes, so it is kept by its version and the values."""
    asked = json.dumps(values())
    code = b"".join(Path(support.__file__).with_name(name).read_bytes() for name in ("upstream.py", "support.py"))
    digest = hashlib.sha256(asked.encode() + code).hexdigest()[:16]
    CACHE.mkdir(parents=True, exist_ok=True)
    kept = CACHE / f"upstream-{VERSION}-{digest}.json"
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.is_file():
            command = [sys.executable, "-m", "tests.hygiene.upstream"]
            done = subprocess.run(command, cwd=ROOT, input=asked, capture_output=True, text=True, check=True)
            partial = kept.with_suffix(".part")
            partial.write_text(done.stdout)
            os.replace(partial, kept)
    return [set(found) for found in json.loads(kept.read_text())]


def _entries(slug: str) -> frozenset[str]:
    if slug not in _sets:
        _sets[slug] = frozenset(raw()[slug]["list"])
    return _sets[slug]


_sets: dict[str, frozenset[str]] = {}


def _parents(host: str) -> list[str]:
    labels = host.split(".")
    return [".".join(labels[at:]) for at in range(len(labels))]


def _host(type_: str, value: str) -> str:
    return value.split("://")[-1].split("/")[0].split("@")[-1].split(":")[0] if type_ == "url" else value


def dots(slug: str, type_: str, value: str) -> bool:
    """MISP takes the dots around the entries of hostname lists away (``.duckdns.org`` holds duckdns.org); the package
    keeps them, so that the name itself is not found, and nothing at all where the dot stands at the end."""
    host = _host(type_, value)
    written = _entries(slug)
    lead = f".{host}" in written
    return raw()[slug]["type"] == "hostname" and (lead or any(f"{name}." in written for name in _parents(host)))


def capitals(slug: str, type_: str, value: str) -> bool:
    """Some entries are written with capitals (all of tlds): the package looks for them as written, while a canonical
    value is in lower case; MISP lowers the entries of hostname lists for that reason."""
    lowered = {entry.lower().strip(".") for entry in _entries(slug) if entry != entry.lower()}
    return bool(lowered & set(_parents(_host(type_, value))))


def capitals_in_value(slug: str, type_: str, value: str) -> bool:
    """The package looks for substrings as written; host names know no case, and a value may hold one anywhere."""
    return raw()[slug]["type"] == "substring" and any(entry in value.lower() for entry in _entries(slug))


def mapped(slug: str, type_: str, value: str) -> bool:
    """::ffff:808:808 is 8.8.8.8 written as IPv6 (RFC 4291), which the package does not see."""
    return raw()[slug]["type"] == "cidr" and value.startswith("::ffff:")


def network(slug: str, type_: str, value: str) -> bool:
    """A network: MISP finds the networks around it, the package only the very same text."""
    return raw()[slug]["type"] == "cidr" and "/" in value


def backslash(slug: str, type_: str, value: str) -> bool:
    """Browsers end the host at a backslash (URL Standard); the package, as ``urllib``, reads on to the ``@``."""
    return type_ == "url" and "\\" in value


def trailing(slug: str, type_: str, value: str) -> bool:
    """``mail.google.com.`` is the same name with the root written out (RFC 1034, 3.1); MISP takes that dot away too."""
    return raw()[slug]["type"] == "hostname" and _host(type_, value).endswith(".")


REASONS: tuple[Callable[[str, str, str], bool], ...] = (
    dots, capitals, capitals_in_value, mapped, network, backslash, trailing,
)  # fmt: skip


def test_the_values_are_many_and_of_every_kind() -> None:
    kinds = Counter(type_ for type_, _ in values())
    assert len(values()) >= 2000
    assert sum(":" in value for type_, value in values() if type_ == "ip") >= 200
    assert (
        kinds["ip"] >= 500 and kinds["domain"] + kinds["fqdn"] >= 500 and kinds["url"] >= 200 and kinds["hash"] >= 200
    )


def test_the_index_finds_what_upstream_finds(index: Index, upstream: list[set[str]]) -> None:
    """Every difference must have one of the reasons above, and every reason must still be needed."""
    regexes = {slug for slug, data in raw().items() if data["type"] == "regex"}
    unexplained: list[tuple[Value, str, str]] = []
    used: set[str] = set()
    for (type_, value), theirs in zip(values(), upstream, strict=True):
        ours = {match.slug for match in index.lookup(type_, value)} - regexes
        for slug in ours ^ theirs:
            reason = next((one.__name__ for one in REASONS if one(slug, type_, value)), None)
            if reason is None:
                unexplained.append(((type_, value), slug, "ours" if slug in ours else "theirs"))
            else:
                used.add(reason)
    assert not unexplained
    assert used == {one.__name__ for one in REASONS}


def test_both_hits_and_misses_were_compared(upstream: list[set[str]]) -> None:
    by_type: dict[str, Counter[bool]] = {}
    for (type_, _), theirs in zip(values(), upstream, strict=True):
        by_type.setdefault(type_.replace("fqdn", "domain"), Counter())[bool(theirs)] += 1
    for type_ in ("ip", "domain", "url", "hash"):
        assert min(by_type[type_][True], by_type[type_][False]) >= 50, by_type
    lists = {slug for found in upstream for slug in found}
    assert len(lists) >= 110  # 119 lists, of which two are empty and two are regex


def test_upstream_finds_nothing_that_the_index_misses(index: Index, upstream: list[set[str]]) -> None:
    """All differences are finds of ours; and they are few, as a reason that explains everything explains nothing."""
    same = 0
    for (type_, value), theirs in zip(values(), upstream, strict=True):
        ours = {match.slug for match in index.lookup(type_, value)}
        assert theirs <= ours, (type_, value)
        same += ours - {"common-contact-emails", "phone_numbers"} == theirs
    assert same >= 0.95 * len(values())
