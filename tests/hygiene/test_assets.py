"""The operator's own lists, and what is internal by its very address or name."""

from __future__ import annotations

import ipaddress
import random
import time
from pathlib import Path

import pytest

from cortex_grow.hygiene import Assets, AssetsError, internal
from tests.hygiene.support import Thing

OWN = """
# comment
corp-asset.example      # ours
*.wild.example
.dotted.example.
MÜNCHEN.example
198.51.100.0/24
203.0.113.7
2001:db8:42::/48
@mail-only.example
"""


def own(assets: Assets, type_: str, value: str) -> str | None:
    return assets.own(Thing(type_, value))  # type: ignore[arg-type]


@pytest.fixture
def assets() -> Assets:
    return Assets.from_settings({"own_assets": OWN})


@pytest.mark.parametrize(
    ("type_", "value", "entry"),
    [
        ("domain", "corp-asset.example", "corp-asset.example"),
        ("fqdn", "a.b.corp-asset.example", "corp-asset.example"),
        ("domain", "wild.example", "*.wild.example"),
        ("fqdn", "x.dotted.example", ".dotted.example."),
        ("domain", "xn--mnchen-3ya.example", "MÜNCHEN.example"),
        ("ip", "198.51.100.255", "198.51.100.0/24"),
        ("ip", "::ffff:198.51.100.1", "198.51.100.0/24"),
        ("ip", "203.0.113.7", "203.0.113.7"),
        ("ip", "2001:db8:42:ffff::1", "2001:db8:42::/48"),
        ("network", "198.51.100.128/25", "198.51.100.0/24"),
        ("network", "198.51.100.0/24", "198.51.100.0/24"),
        ("url", "https://user@a.corp-asset.example:8443/x?y", "corp-asset.example"),
        ("url", "http://203.0.113.7/", "203.0.113.7"),
        ("url", "http://[2001:db8:42::1]:80/", "2001:db8:42::/48"),
        ("url", "http://0xcb007107/", "203.0.113.7"),
        ("mail", "someone@corp-asset.example", "corp-asset.example"),
        ("mail", "someone@sub.corp-asset.example", "corp-asset.example"),
        ("mail", "someone@mail-only.example", "@mail-only.example"),
    ],
)
def test_own(assets: Assets, type_: str, value: str, entry: str) -> None:
    assert assets.problems == []
    why = own(assets, type_, value)
    assert why and why.startswith(f"among your own assets: {entry} (own_assets:")


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("domain", "notcorp-asset.example"), ("domain", "asset.example"), ("ip", "203.0.113.8"),
        ("fqdn", "corp-asset.example.attacker.test"), ("url", "http://attacker.test/corp-asset.example"),
        ("url", "http://corp-asset.example@attacker.test/"), ("url", "http://attacker.test/?u=http://203.0.113.7/"),
        ("domain", "mail-only.example"), ("mail", "someone@sub.mail-only.example"), ("network", "198.51.0.0/16"),
        ("network", "198.51.101.0/24"),
        ("network", "198.51.100.0/23"), ("ip", "2001:db8:43::"), ("hash", "00" * 16), ("mutex", "corp-asset.example"),
        ("filename", "corp-asset.example"), ("mail", "corp-asset.example@attacker.test"),
    ],
)  # fmt: skip
def test_not_own(assets: Assets, type_: str, value: str) -> None:
    assert own(assets, type_, value) is None


INTERNAL = [
    ("ip", "10.0.0.1"), ("ip", "172.16.0.1"), ("ip", "172.31.255.255"), ("ip", "192.168.1.1"), ("ip", "127.0.0.1"),
    ("ip", "169.254.169.254"), ("ip", "100.64.0.1"), ("ip", "100.127.255.255"), ("ip", "0.0.0.0"),
    ("ip", "224.0.0.251"), ("ip", "239.255.255.250"), ("ip", "240.0.0.1"), ("ip", "255.255.255.255"),
    ("ip", "198.18.0.1"), ("ip", "192.0.0.1"), ("ip", "::"), ("ip", "::1"), ("ip", "fe80::1"), ("ip", "fe80::1%eth0"),
    ("ip", "fd00::1"), ("ip", "fc00::1"), ("ip", "fec0::1"), ("ip", "ff02::1"), ("ip", "::ffff:10.0.0.1"),
    ("ip", "64:ff9b::10.0.0.1"), ("ip", "2002:a00:1::1"), ("ip", "100::1"), ("ip", "64:ff9b:1::1"), ("ip", "4000::1"),
    ("ip", "::10.0.0.1"), ("network", "10.0.0.0/8"), ("network", "10.1.0.0/16"), ("network", "fd00::/8"),
    ("network", "2002:a00::/24"), ("domain", "localhost"), ("domain", "intranet"), ("hostname", "FILESERVER"),
    ("fqdn", "printer.office.local"), ("fqdn", "x.internal"), ("fqdn", "router.lan"), ("fqdn", "nas.home.arpa"),
    ("fqdn", "a.corp"), ("fqdn", "a.localdomain"), ("fqdn", "1.0.168.192.in-addr.arpa"),
    ("fqdn", "168.192.in-addr.arpa"), ("fqdn", "8.e.f.ip6.arpa"), ("url", "http://10.1.2.3:8080/x"),
    ("url", "http://[::1]/"), ("url", "http://localhost/"), ("url", "http://wpad/wpad.dat"),
    ("url", "http://167772161/"), ("url", "http://0xa.1/"), ("url", "http://012.0.0.1/"),
    ("url", "http://0x7f000001/"), ("url", "http://a.local./"), ("url", "http://u:p@192.168.0.1/"),
    ("mail", "root@localhost"), ("mail", "me@box.local"), ("mail", "me@[10.0.0.1]"), ("mail", "me@[IPv6:fe80::1]"),
]  # fmt: skip
OPEN = [
    # Documentation (RFC 5737, 3849, 9637, 2606) stands for things on the open internet.
    ("ip", "192.0.2.1"), ("ip", "198.51.100.1"), ("ip", "203.0.113.1"), ("ip", "2001:db8::1"), ("ip", "3fff::1"),
    ("network", "192.0.2.0/24"), ("network", "2001:db8::/32"), ("domain", "example.com"),
    ("domain", "attacker.example"), ("fqdn", "www.example.org"), ("domain", "attacker.test"), ("domain", "x.invalid"),
    ("mail", "a@example.net"), ("url", "http://192.0.2.1/"), ("url", "http://[2001:db8::1]/"),
    ("fqdn", "1.2.0.192.in-addr.arpa"),
    # Just beside what is internal.
    ("ip", "8.8.8.8"), ("ip", "172.15.255.255"), ("ip", "172.32.0.0"), ("ip", "100.63.255.255"),
    ("ip", "100.128.0.0"), ("ip", "192.167.255.255"), ("ip", "192.169.0.0"), ("ip", "223.255.255.255"),
    ("ip", "198.17.255.255"), ("ip", "198.20.0.0"), ("ip", "2606:4700::1111"), ("ip", "::ffff:8.8.8.8"),
    ("ip", "64:ff9b::8.8.8.8"), ("ip", "2002:808:808::1"), ("network", "8.0.0.0/6"), ("network", "192.0.0.0/8"),
    ("network", "2000::/3"), ("fqdn", "local.example.com"), ("fqdn", "internal.attacker.ru"), ("fqdn", "home.com"),
    ("fqdn", "lan.attacker.ru"), ("fqdn", "10.0.0.1.attacker.ru"), ("fqdn", "8.8.8.8.in-addr.arpa"),
    ("fqdn", "x.in-addr.arpa"), ("fqdn", "in-addr.arpa"), ("url", "http://8.8.8.8/"),
    ("url", "http://attacker.ru/10.0.0.1"), ("url", "http://10.0.0.1@attacker.ru/"),
    ("url", "http://10.0.0.1.attacker.ru/"), ("url", "http://134744072/"), ("mail", "root@attacker.ru"), ("ip", ""),
    ("url", ""), ("url", "http://"), ("mail", ""), ("mail", "@"), ("domain", ""), ("hash", "10.0.0.1"),
    ("network", "x/y"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "value"), INTERNAL)
def test_internal(type_: str, value: str) -> None:
    why = own(Assets(), type_, value)
    assert why and why.startswith(("a ", "an ", "the "))


@pytest.mark.parametrize(("type_", "value"), OPEN)
def test_not_internal(type_: str, value: str) -> None:
    assert own(Assets(), type_, value) is None


def nets(text: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(one) for one in text.split()]


DOCUMENTATION = nets("192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20")
# Registered for special use and reachable all the same, or told differently by versions of Python.
DISPUTED = nets("192.0.0.0/24 192.88.99.0/24 2001::/23 64:ff9b::/48 64:ff9b:1::/48 2002::/16 5f00::/16")


def test_addresses_against_the_standard_library() -> None:
    """Every address that Python calls private, link-local, reserved or multicast is internal, but for documentation."""
    dice = random.Random(1)
    addresses: list[ipaddress.IPv4Address | ipaddress.IPv6Address] = []
    addresses += [ipaddress.IPv4Address(dice.getrandbits(32)) for _ in range(4000)]
    addresses += [
        ipaddress.IPv4Address(first << 24 | second << 16 | 77) for first in range(256) for second in range(256)
    ]
    addresses += [ipaddress.IPv6Address(dice.getrandbits(128)) for _ in range(4000)]
    addresses += [ipaddress.IPv6Address(first << 112 | dice.getrandbits(100)) for first in range(0, 65536, 16)]
    seen = set()
    for address in addresses:
        if any(address in net for net in DISPUTED if net.version == address.version):
            continue
        told = address.is_private or address.is_link_local or address.is_reserved or address.is_multicast
        told = told or address in ipaddress.ip_network("100.64.0.0/10") if address.version == 4 else told
        if address.version == 6 and address.is_site_local:  # type: ignore[union-attr]
            told = True
        told = told and not any(address in net for net in DOCUMENTATION if net.version == address.version)
        assert bool(internal.address(str(address))) == told, address
        seen.add((address.version, told))
    assert len(seen) == 4


# ── where the lists come from ────────────────────────────────────────────────────────────────────────────────────────


def test_files_urls_and_texts_together(tmp_path: Path) -> None:
    first, second = tmp_path / "own list.txt", tmp_path / "allow.txt"
    first.write_bytes(b"\xef\xbb\xbffile-own.example\r\n\r\n# no\r\n203.0.113.0/28 # office\r\n")
    second.write_text("file-allow.example\n" + "0" * 64 + "\n")
    asked = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return b"web.example\n"

    assets = Assets.from_settings(
        {
            "own_assets": ["inline.example", str(first), "https://lists.example/own.txt"],
            "allow_list": [f"file:{second}", "http://exact.example/page", "@https://lists.example/allow.txt"],
            "deny_list": None,
            "unrelated": 5,
        },
        fetch,
    )
    assert asked == ["https://lists.example/own.txt", "https://lists.example/allow.txt"]
    assert assets.problems == []
    assert own(assets, "domain", "inline.example") == "among your own assets: inline.example (own_assets:1)"
    assert own(assets, "domain", "file-own.example") == f"among your own assets: file-own.example ({first}:1)"
    assert own(assets, "ip", "203.0.113.15") == f"among your own assets: 203.0.113.0/28 ({first}:4)"
    assert (
        own(assets, "fqdn", "a.web.example") == "among your own assets: web.example (https://lists.example/own.txt:1)"
    )
    assert assets.allow.find("hash", "0" * 64) and assets.allow.find("fqdn", "x.file-allow.example")
    assert assets.allow.find("url", "http://exact.example/page")
    assert not assets.allow.find("url", "http://exact.example/other") and not assets.allow.find(
        "domain", "exact.example"
    )
    assert assets.allow.find("url", "https://web.example/any")
    assert len(assets.deny) == 0 and not assets.deny.find("domain", "web.example")


TYPED = [
    ("mutex:Global\\X", "mutex", "Global\\x"),
    ("domain:typed.example", "fqdn", "a.typed.example"),
    ("ip:198.51.100.7", "ip", "198.51.100.7"),
    ("user-agent:Evil/1.0", "user-agent", "evil/1.0"),
    ("mail:a@b.example", "mail", "a@b.example"),
    ("ja3:" + "a" * 32, "ja3", "a" * 32),
    ("url:http://a.example/x:y", "url", "http://a.example/x:y"),
]


@pytest.mark.parametrize(("line", "type_", "value"), TYPED)
def test_entries_with_their_type(line: str, type_: str, value: str) -> None:
    deny = Assets.from_settings({"deny_list": line}).deny
    assert deny.problems == [] and len(deny) == 1
    assert deny.find(type_, value)
    assert not deny.find("filename", value) and not deny.find(type_, f"x{value}x")


BAD = [
    ("own_assets", "two words", "neither a domain"),
    ("own_assets", "198.51.100.0/99", "is no network"),
    ("own_assets", "198.51.100.1/24", "is no network"),
    ("own_assets", "0.0.0.0/0", "too wide"),
    ("own_assets", "2000::/3", "too wide"),
    ("own_assets", "com", "neither a domain"),
    ("own_assets", "<script>", "neither a domain"),
    ("own_assets", "ftp://x.example/", "is an URL"),
    ("own_assets", "a" * 5000, "longer than"),
    ("own_assets", "-" * 70 + ".example", "neither a domain"),
    ("own_assets", "a..example", "neither a domain"),
    ("own_assets", "@", "neither a mail"),
    ("allow_list", "mutex:", "has no value"),
    ("deny_list", "\x00\x1b[31m", "name its type"),
]


@pytest.mark.parametrize(("setting", "line", "words"), BAD)
def test_a_wrong_line_is_told_and_the_rest_is_used(tmp_path: Path, setting: str, line: str, words: str) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"first.example\n{line}\nlast.example\n")
    assets = Assets.from_settings({setting: [str(path)]})
    (problem,) = assets.problems
    assert str(problem).startswith(f"{path}:2: ") and words in str(problem)
    assert len(str(problem)) < 400 and str(problem).isprintable()
    entries = {"own_assets": assets.mine, "allow_list": assets.allow, "deny_list": assets.deny}[setting]
    assert entries.find("domain", "first.example") and entries.find("domain", "last.example")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"own_assets": "/nowhere/own.txt"}, r"/nowhere/own\.txt cannot be read \(No such file or directory\)"),
        ({"own_assets": "https://lists.example/own.txt"}, "cannot be fetched here"),
        ({"deny_list": ["@https://lists.example/deny.txt"]}, "cannot be fetched here"),
        ({"allow_list": {"a": 1}}, "neither a text nor a list of texts"),
        ({"allow_list": ["a.example", 5]}, "neither a text nor a list of texts"),
    ],
)
def test_a_list_that_cannot_be_read_is_an_error(settings: dict[str, object], words: str) -> None:
    """Going on without the own assets would give them away."""
    with pytest.raises(AssetsError, match=words):
        Assets.from_settings(settings)


def test_a_file_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "own.bin"
    path.write_bytes(b"ok.example\n\xff\xfe\x00")
    with pytest.raises(AssetsError, match="is no UTF-8 text"):
        Assets.from_settings({"own_assets": str(path)})

    def fetch(url: str) -> bytes:
        raise OSError("connection refused")

    with pytest.raises(AssetsError, match="connection refused"):
        Assets.from_settings({"own_assets": "https://lists.example/own.txt"}, fetch)


def test_a_file_is_not_read_for_what_another_file_says(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret.example\n")
    (tmp_path / "own.txt").write_text(f"{tmp_path}/secret.txt\nhttps://lists.example/x\n")
    assets = Assets.from_settings({"own_assets": str(tmp_path / "own.txt")}, lambda url: pytest.fail("fetched"))
    assert len(assets.problems) == 2 and not own(assets, "domain", "secret.example")


def test_hostile_values_and_big_lists_take_no_time() -> None:
    lines = [f"n{n}.example" for n in range(20_000)] + [f"198.51.{n % 256}.{n // 256}" for n in range(20_000)]
    assets = Assets.from_settings({"own_assets": "\n".join(lines)})
    began = time.monotonic()
    for type_ in ("ip", "domain", "url", "mail", "network", "hash"):
        for value in (
            "a." * 500_000,
            "x" * 1_000_000,
            "1" * 1_000_000,
            ":" * 1_000_000,
            "\ud800",
            "\0",
            "0x" + "f" * 1_000_000,
        ):
            own(assets, type_, value)
            assets.deny.find(type_, value)
    for n in range(1000):
        assert own(assets, "fqdn", f"www.n{n}.example")
    assert time.monotonic() - began < 30
