"""Indicators as values: equal, picklable, defanged and back, to TheHive and back."""

from __future__ import annotations

import copy
import ipaddress
import json
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cortex_grow.model.canonical import DIGESTS, LABELLED_TYPES
from cortex_grow.model.indicator import TYPES, Indicator, InvalidIndicator, refang
from tests.support import needs_shared, shared

MD5, SHA1, SHA256 = "d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "ab" * 32


def test_error_names_the_value_shortened_and_printable() -> None:
    with pytest.raises(InvalidIndicator) as caught:
        Indicator.parse("ip", "\x1b[31m" + "x" * 5000)
    assert caught.value.value.startswith("\\x1b[31mxxx")
    assert len(caught.value.value) == 120
    assert str(caught.value).isprintable()
    for copied in (pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):
        assert (copied.value, copied.reason, str(copied)) == (
            caught.value.value,
            caught.value.reason,
            str(caught.value),
        )
    nothing: Any = None
    with pytest.raises(InvalidIndicator, match="'None' is no valid ip: it is no text"):
        Indicator.parse("ip", nothing)


def test_value_object() -> None:
    one, same = Indicator("hash", MD5, {"filename": "a"}), Indicator("hash", MD5, {"filename": "b"})
    assert one == same
    assert hash(one) == hash(same)
    assert one != Indicator("ja3", MD5)
    assert not hasattr(one, "__dict__")
    with pytest.raises(AttributeError):
        one.value = "x"  # type: ignore[misc]
    back = pickle.loads(pickle.dumps(one))
    assert (back, back.attributes) == (one, {"filename": "a"})
    assert one.id == f"hash:{MD5}"


def test_pyramid() -> None:
    levels = {
        "hash": "hash file",
        "ip": "ip network autonomous-system",
        "domain": "domain fqdn hostname",
        "tool": "family rule",
        "ttp": "technique actor",
    }
    wanted = {type: level for level, types in levels.items() for type in types.split()}
    assert {type: Indicator(type, "x").pyramid for type in TYPES} == {
        type: wanted.get(type, "artifact") for type in TYPES
    }


def test_hash_kind() -> None:
    for length, kind in DIGESTS.items():
        assert Indicator.parse("hash", "0" * length).hash_kind == kind
    assert Indicator.parse("hash", "3:abc:def").hash_kind == "ssdeep"
    assert Indicator.parse("hash", "ab" * 35).hash_kind == "tlsh"
    assert Indicator.parse("file", SHA1).hash_kind == "sha1"
    assert Indicator.parse("ja3", MD5).hash_kind is None


def test_host_inside() -> None:
    inside = {
        "http://u@evil.com:8080/x": "domain:evil.com",
        "http://[2001:db8::1]/": "ip:2001:db8::1",
        "http://3221225985/": "ip:192.0.2.1",
        "http://localhost/": "hostname:localhost",
        "http://dc.corp.lan?x@y": "hostname:dc.corp.lan",
    }
    for url, wanted in inside.items():
        host = Indicator.parse("url", url).host
        assert host is not None
        assert host.id == wanted
    assert Indicator.parse("mail", "a@www.b.com").host == Indicator("fqdn", "www.b.com")
    assert Indicator.parse("ip", "1.2.3.4").host is None


def test_file() -> None:
    found = Indicator.file(sha1=SHA1, md5=MD5.upper(), sha256=SHA256, sha512="", filename="a.exe", size=3, empty=None)
    assert found.id == f"hash:{SHA256}"
    assert found.attributes == {"sha1": SHA1, "md5": MD5, "filename": "a.exe", "size": "3"}
    assert Indicator.file(md5=MD5, sha1=SHA1).value == SHA1
    assert Indicator.file(md5=MD5, sha512="ab" * 64).value == MD5
    assert Indicator.file(sha512="ab" * 64, filename="").attributes == {}
    for wrong in ({}, {"sha256": ""}, {"sha256": MD5}, {"md5": SHA1}, {"md5": "nonsense"}, {"sha256": "3:abc:def"}):
        with pytest.raises(InvalidIndicator):
            Indicator.file(**wrong)


def test_observables() -> None:
    assert Indicator("ja3", MD5).observable() == ("other", f"ja3:{MD5}")
    assert Indicator("cve", "CVE-2021-44228").observable() == ("other", "CVE-2021-44228")
    assert Indicator("technique", "T1059").observable() == ("other", "T1059")
    assert Indicator("file", SHA256).observable() == ("hash", SHA256)
    assert Indicator("mail-subject", "x").observable() == ("mail-subject", "x")
    assert {type for type in TYPES if Indicator(type, "x").observable()[0] == "other"} == (
        LABELLED_TYPES | {"other", "cve", "technique"}
    )
    read = {
        ("certificate_hash", "AB" * 20): "certificate:" + "ab" * 20,
        ("asn", "AS64496"): "autonomous-system:AS64496",
        ("mail_subject", "x"): "mail-subject:x",
        ("cidr", "10.0.0.0/8"): "network:10.0.0.0/8",
        ("domain", "evil[.]com"): "domain:evil.com",
        ("url", "hxxp://evil[.]com/a[.]b"): "url:http://evil.com/a.b",
        ("url", "http://evil.com/a[.]b"): "url:http://evil.com/a[.]b",
        ("ip", "192.0.2[.]1"): "ip:192.0.2.1",
        ("mail", "a[at]b(dot)com"): "mail:a@b.com",
        ("regexp", "evil[.]com"): "regexp:evil[.]com",
        ("other", "unknown:x"): "other:unknown:x",
    }
    for (data_type, data), wanted in read.items():
        assert Indicator.from_observable(data_type, data).id == wanted
    for data_type, data in [
        ("domain", "setup[.]exe"),
        ("thehive:case", "x"),
        ("ip", "[.]" * 10_000),
        ("hash", "a[.]b"),
    ]:
        with pytest.raises(InvalidIndicator):
            Indicator.from_observable(data_type, data)


LABEL = st.text("abcxyz0189-_", min_size=1, max_size=12)
NAME = st.builds(
    lambda below, own, suffix: ".".join([*below, own, suffix]),
    st.lists(LABEL, max_size=3),
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True),
    st.sampled_from(["com", "co.uk", "xn--p1ai", "github.io", "hxxp", "io", "b.ck", "local"]),
)
ADDRESS = st.ip_addresses().map(str)
# What a refanger may trip over, in values that are what they are.
NASTY = st.lists(
    st.sampled_from(
        ["[.]", "(dot)", "{at}", "[:]", "[://]", "[@]", "[[]", "[(]", "[h]xxp", "hxxp://", "hxxps[:]//", "http://"]
    )
    | st.sampled_from(list("[](){}.:@abhxtp/?#&=%-_~'\"é")),
    max_size=12,
).map("".join)
URL = st.builds(
    lambda scheme, user, host, port, tail: f"{scheme}://{user}{host}{port}{tail}",
    st.sampled_from(["http", "HTTPS", "ftp", "ldap", "svn+ssh", "x-hxxpx", "hxp"]),
    NASTY.map(lambda text: "".join(c for c in text if c not in "/?#") + "@" if text else ""),
    NAME | ADDRESS.map(lambda text: f"[{text}]" if ":" in text else text) | LABEL,
    st.sampled_from(["", ":80", ":8080", ":"]),
    st.just("") | NASTY.map(lambda text: "/" + text) | NASTY.map(lambda text: "?" + text),
)
MAIL = st.builds(
    lambda local, host: f"{local}@{host}",
    st.text("abc{}dot!#at.h", min_size=1, max_size=20) | st.sampled_from(["a{dot}b", "{at}", "h{.}p"]),
    NAME,
)
FREE = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60) | NASTY
ANYTHING = st.one_of(
    st.tuples(st.sampled_from(["host", "domain", "hostname"]), NAME),
    st.tuples(st.sampled_from(["host", "ip"]), ADDRESS),
    st.tuples(st.just("network"), st.builds(lambda a, n: f"{a}/{n}", ADDRESS, st.integers(0, 128))),
    st.tuples(st.just("url"), URL),
    st.tuples(st.just("mail"), MAIL),
    st.tuples(st.just("autonomous-system"), st.integers(0, 2**33).map(str)),
    st.tuples(
        st.sampled_from(["hash", "file", "ja3", "certificate", "favicon"]), st.text("0123456789abcdef", max_size=64)
    ),
    st.tuples(
        st.sampled_from(["hash"]), st.from_regex(r"(3|6|12|5):[A-Za-z0-9/+]{0,9}:[A-Za-z0-9/+]{0,9}", fullmatch=True)
    ),
    st.tuples(st.sampled_from(sorted(TYPES)), FREE),
    st.tuples(st.just("other"), st.builds(lambda a, b: f"{a}:{b}", st.sampled_from(sorted(TYPES)), FREE | ADDRESS)),
)


@settings(max_examples=1500, deadline=None)
@given(ANYTHING)
@example(("url", "http://[[.]@evil.com/"))
@example(("url", "http://evil.com/(hxxp://[.]"))
@example(("url", "http://evil.com/[[[.]](dot)"))
@example(("mail", "{{dot}@b.com"))
def test_what_holds_for_all(pair: tuple[str, str]) -> None:
    type, text = pair
    try:
        found = Indicator.parse(type, text)
    except InvalidIndicator as error:
        assert str(error).isprintable()
        return
    assert Indicator.parse(found.type, found.value) == found
    assert refang(found.defanged, found.type) == found.value
    if found.type in ("ip", "domain", "fqdn", "hostname", "url", "mail", "network"):
        assert refang(found.defanged) == found.value
        assert not found.defanged.startswith("http")
    data_type, data = found.observable()
    back = Indicator.from_observable(data_type, data)
    assert (back.type if found.type != "file" else "file", back.value) == (found.type, found.value)
    assert pickle.loads(pickle.dumps(found)) == found
    found.value.encode("utf-8")
    assert found.host is None or found.host.value.strip("[]") in found.value


@given(st.ip_addresses())
def test_addresses_agree_with_ipaddress(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    for text in (str(address), address.exploded, str(address).upper()):
        found = Indicator.parse("host", text)
        assert found.type == "ip"
        assert ipaddress.ip_address(found.value) == address


@settings(max_examples=500, deadline=None)
@given(URL)
def test_urls_agree_with_urllib(text: str) -> None:
    try:
        found = Indicator.parse("url", text)
    except InvalidIndicator:
        return
    try:
        ours, theirs = urlsplit(found.value), urlsplit(text)
    except ValueError:
        return  # it refuses brackets in the user part
    assert ours.scheme == theirs.scheme
    root = "/" if ours.scheme in ("http", "https", "ftp", "ftps") else ""  # RFC 3986, 6.2.3
    assert (ours.path, ours.query, ours.fragment) == (theirs.path or root, theirs.query, theirs.fragment)
    assert (ours.username, ours.password) == (theirs.username, theirs.password)
    host = found.host
    assert host is not None
    assert host.value == (ours.hostname or "").strip("[]")


def strings(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        for value in tree.values():
            yield from strings(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from strings(value)
    elif isinstance(tree, str):
        yield tree


@needs_shared
def test_recorded_answers() -> None:
    """Each string of recorded answers, read as several types: refused, or canonical and safe to show."""
    texts: set[str] = set()
    for folder in ("virustotal", "urlhaus", "crtsh", "circl_pdns"):
        for path in sorted(shared(f"samples/{folder}").glob("*.json")):
            try:
                texts.update(text for text in strings(json.loads(path.read_bytes())) if len(text) < 2000)
            except ValueError:
                continue
    assert len(texts) > 10_000
    # Of each kind enough are read for this to mean something.
    counts: Counter[str] = Counter()
    for text in sorted(texts)[::3]:
        for type in ("host", "url", "hash", "mail", "registry", "other"):
            try:
                found = Indicator.parse(type, text)
            except InvalidIndicator:
                continue
            counts[found.type] += 1
            assert Indicator.parse(found.type, found.value) == found
            assert refang(found.defanged, found.type) == found.value
    assert all(counts[type] > 50 for type in ("domain", "fqdn", "ip", "url", "hash", "registry")), counts


def test_imports_nothing_heavy() -> None:
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}\nbefore = set(sys.modules)\n"
        "import cortex_grow.model.indicator\nnew = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "heavy = {'json', 'csv', 'ipaddress', 'urllib', 'pathlib', 'hypothesis', 'tldextract', 'asyncio', 'email'}\n"
        "assert not heavy & new, heavy & new\n"
        "ours = {name for name in sys.modules if name.startswith('cortex_grow.')}\n"
        "assert all(name.startswith('cortex_grow.model') for name in ours), ours\n"
    )
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
