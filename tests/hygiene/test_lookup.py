"""Lookups in small lists of the test's own, beside a naive reading of MISP's rules; hostile values; regex lists."""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from cortex_grow.hygiene import Index, policy
from cortex_grow.hygiene.compile import compiled, write
from cortex_grow.hygiene.ranges import Net, flatten
from tests.hygiene.support import meant_for, raw, write_list


def made(place: Path, rules: policy.Policy | None = None) -> Index:
    data, _ = compiled(place / "lists", "test 1", rules or policy.read())
    write(data, place / "made.bin")
    return Index.open(place / "made.bin")


def slugs(index: Index, type_: str, value: str) -> set[str]:
    return {match.slug for match in index.lookup(type_, value)}


HOSTS = ("domain", "hostname", "url")
ALPHABET = "ab."


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Index:
    place = tmp_path_factory.mktemp("toy")
    lists = place / "lists"
    write_list(lists, "names", "hostname", ["a.b", ".b.b", "a", "Upper.AB", "b.a.b."], HOSTS)
    write_list(lists, "exact", "string", ["a.b", "b.b.a", "aa", "http://a.b/x"], HOSTS)
    write_list(lists, "parts", "substring", ["ab.ab", "bbb"], HOSTS)
    write_list(lists, "manyparts", "substring", [f"{i:03}.ab" for i in range(200)] + ["aba", "b.a.b.a"], ("email-src",))
    write_list(lists, "nets", "cidr", ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "2001:db8::/32"], ("ip-src",))
    write_list(lists, "othernets", "cidr", ["10.1.0.0/15", "0.0.0.0/0", "::/0"], ("ip-dst",))
    write_list(lists, "anything", "string", ["a.b", "10.1.2.3", "ffff"])
    write_list(lists, "nothing", "hostname", [], HOSTS)
    return made(place)


def naive(kind: str, entries: Iterable[str], value: str, url: bool) -> bool:
    if kind == "hostname":
        host = value.split("://", 1)[-1].split("/")[0] if url else value
        host = host.rstrip(".")
        return any(host == e or host.endswith("." + e) for e in (entry.lower().strip(".") for entry in entries))
    if kind == "substring":
        return any(entry in value for entry in entries)
    return value in entries


@settings(max_examples=400, deadline=None)
@given(some.text(ALPHABET, min_size=1, max_size=14))
def test_names_against_a_naive_reading(toy: Index, name: str) -> None:
    lists = {
        "names": ("hostname", ["a.b", ".b.b", "a", "Upper.AB", "b.a.b."]),
        "exact": ("string", ["a.b", "b.b.a", "aa", "http://a.b/x"]),
        "parts": ("substring", ["ab.ab", "bbb"]),
        "anything": ("string", ["a.b", "10.1.2.3", "ffff"]),
    }
    bare = name.rstrip(".")  # the root written out is the same name
    for type_, value in (("domain", bare), ("url", f"http://{name}/x")):
        wanted = {slug for slug, (kind, entries) in lists.items() if naive(kind, entries, value, type_ == "url")}
        assert slugs(toy, type_, value) == wanted, value


@settings(max_examples=400, deadline=None)
@given(some.text("0123ab.@", max_size=30))
def test_parts_through_their_pieces_against_a_naive_reading(toy: Index, text: str) -> None:
    entries = [f"{i:03}.ab" for i in range(200)] + ["aba", "b.a.b.a"]
    assert ("manyparts" in slugs(toy, "mail", text)) == any(entry in text for entry in entries)


@pytest.mark.parametrize(
    ("type_", "value", "wanted"),
    [
        ("ip", "10.1.2.3", {"nets": "10.1.2.3", "othernets": "10.0.0.0/15", "anything": "10.1.2.3"}),
        ("ip", "10.1.9.9", {"nets": "10.1.0.0/16", "othernets": "10.0.0.0/15"}),
        ("ip", "10.9.9.9", {"nets": "10.0.0.0/8", "othernets": "0.0.0.0/0"}),
        ("ip", "255.255.255.255", {"othernets": "0.0.0.0/0"}),
        ("ip", "0.0.0.0", {"othernets": "0.0.0.0/0"}),
        ("ip", "2001:db8::", {"nets": "2001:db8::/32", "othernets": "::/0"}),
        ("ip", "2001:db9::", {"othernets": "::/0"}),
        ("ip", "::ffff:10.1.2.3", {"nets": "10.1.2.3", "othernets": "::/0"}),
        ("network", "10.1.0.0/16", {"nets": "10.1.0.0/16", "othernets": "10.0.0.0/15"}),
        ("network", "10.1.0.0/17", {"nets": "10.1.0.0/16", "othernets": "10.0.0.0/15"}),
        ("network", "10.0.0.0/12", {"nets": "10.0.0.0/8", "othernets": "0.0.0.0/0"}),
        ("network", "8.0.0.0/6", {"othernets": "0.0.0.0/0"}),
        ("domain", "10.1.2.3", {"anything": "10.1.2.3"}),
        ("url", "http://10.1.2.3/", {}),
        ("hash", "a.b", {"anything": "a.b"}),
        ("mutex", "a.b", {}),
        ("ip", "010.1.2.3", {}),
        ("ip", "10.1.2", {}),
    ],
)
def test_what_matched(tmp_path: Path, type_: str, value: str, wanted: dict[str, str]) -> None:
    lists = tmp_path / "lists"
    write_list(lists, "nets", "cidr", ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "2001:db8::/32"], ("ip-src",))
    write_list(lists, "othernets", "cidr", ["10.0.0.0/15", "0.0.0.0/0", "::/0"], ("ip-dst",))
    write_list(lists, "anything", "string", ["a.b", "10.1.2.3"])
    index = made(tmp_path)
    found: dict[str, str] = {}
    for match in index.lookup(type_, value):
        found.setdefault(match.slug, match.matched)
    assert found == wanted


networks = some.builds(
    lambda number, length: ipaddress.ip_network((number >> (8 - length) << (8 - length) << 24, length)),
    some.integers(0, 255),
    some.integers(0, 8),
)


@given(some.lists(some.tuples(networks, some.integers(0, 3)), max_size=12))
def test_ranges_cover_what_the_networks_cover(nets: list[tuple[ipaddress.IPv4Network, int]]) -> None:
    listed = [Net(int(n.network_address), int(n.broadcast_address), number, n.prefixlen, 0) for n, number in nets]
    ranges = list(flatten(listed))
    begins = [begin for begin, _ in ranges]
    assert begins[0] == 0 and begins == sorted(set(begins))
    assert all(one[1] != two[1] for one, two in pairwise(ranges))
    for address in range(0, 1 << 32, 1 << 24):
        covered = next(elements for begin, elements in reversed(ranges) if begin <= address)
        assert {e[:2] for e in covered} == {(n.list, n.length) for n in listed if n.first <= address <= n.last}


def test_every_set_survives_when_there_are_more_than_a_byte_can_number(tmp_path: Path) -> None:
    """Sets beyond the 255 commonest take another way through the file."""
    held: dict[str, list[str]] = {f"list{i:02}": [] for i in range(10)}
    wanted = {}
    for number in range(1, 1024):
        for bit in range(10):
            if number >> bit & 1:
                held[f"list{bit:02}"].append(f"name{number}.example")
                wanted.setdefault(f"name{number}.example", set()).add(f"list{bit:02}")
    for slug, entries in held.items():
        write_list(tmp_path / "lists", slug, "string", entries, HOSTS)
    index = made(tmp_path)
    assert {name: slugs(index, "domain", name) for name in wanted} == wanted


def test_a_suffix_under_which_strangers_have_names(tmp_path: Path) -> None:
    lists = tmp_path / "lists"
    write_list(lists, "umbrella-blockpage-hostname", "hostname", ["suffix.example", "example"], HOSTS)
    write_list(lists, "second-level-tlds", "string", ["suffix.example"], ("domain", "hostname"))
    write_list(lists, "lots-project", "hostname", [".dotted.example", "plain.example"], HOSTS)
    index = made(tmp_path)

    def actions(type_: str, value: str) -> dict[str, str]:
        return {match.slug: match.action for match in index.lookup(type_, value)}

    assert actions("domain", "suffix.example")["umbrella-blockpage-hostname"] == "suppress"
    assert actions("fqdn", "x.suffix.example") == {"umbrella-blockpage-hostname": "context"}
    assert actions("url", "http://suffix.example/x") == {"umbrella-blockpage-hostname": "context"}
    assert actions("fqdn", "x.other.example") == {"umbrella-blockpage-hostname": "suppress"}
    assert actions("url", "http://x.other.example/x") == {"umbrella-blockpage-hostname": "demote"}
    assert actions("fqdn", "x.dotted.example") == {"umbrella-blockpage-hostname": "context", "lots-project": "context"}
    assert actions("fqdn", "x.plain.example") == {"umbrella-blockpage-hostname": "demote", "lots-project": "context"}


# ── regex lists ──────────────────────────────────────────────────────────────────────────────────────────────────────


def unwrapped(written: str) -> re.Pattern[str]:
    """A pattern out of its slashes; of the flags in use, ``g`` means nothing to a search."""
    body, flags = written[1:].rsplit("/", 1)
    assert written[0] == "/" and set(flags) <= {"i", "g"}, written
    return re.compile(body, re.IGNORECASE if "i" in flags else 0)


PHONES = ["+15555501123", "0033019900123", "+4401632960999", "0491570156", "+61180016040", "0000", "+352123456", "11"]
PHONES += [f"+1{area}55501{line:02}" for area in (201, 312, 999) for line in range(30)]
PHONES += [f"00353{number}" for number in range(209100000, 209199999, 3333)] + [f"+44{n * 7919}" for n in range(100)]
MAILS = [
    f"{local}@{domain}" for local in ("abuse", "NOC", "security", "soc", "me", "xabuse") for domain in ("a.b", "ab", "")
]
MAILS += ["abuse@a.b\n", "abuse", "@", "abuse@@a.b", "security.team@a.b"]


@pytest.mark.parametrize(
    ("type_", "slug", "texts"), [("other", "phone_numbers", PHONES), ("mail", "common-contact-emails", MAILS)]
)
def test_regex_lists_against_re(index: Index, type_: str, slug: str, texts: list[str]) -> None:
    assert meant_for(type_, raw()[slug]["matching_attributes"])
    patterns = [unwrapped(written) for written in raw()[slug]["list"]]
    results = []
    for text in texts:
        wanted = any(pattern.search(text) for pattern in patterns)
        assert (slug in slugs(index, type_, text)) == wanted, text
        results.append(wanted)
    assert any(results) and not all(results)


def test_every_regex_list_is_compared() -> None:
    assert {s for s, d in raw().items() if d["type"] == "regex"} == {"phone_numbers", "common-contact-emails"}


WILD = ["/^(.*a){12}$/", "/(a+)+$/", "/((a|b)*c?)*$/", "/.*.*.*.*x/", "/(?:x{1,900}){2}/"]


def test_patterns_that_run_wild_are_left_out_and_long_values_not_searched(tmp_path: Path) -> None:
    good = ["/^a.*b.*$/", "plain[0-9]", "/(ab){2}/I".lower()]
    write_list(tmp_path / "lists", "wild", "regex", [*WILD, "/bad(/", "/odd/q", *good], ("email-src",))
    data, warnings = compiled(tmp_path / "lists", "test", policy.read())
    assert sum("is no pattern that Python reads" in warning for warning in warnings) == 2
    assert sum("can take for ever" in warning for warning in warnings) == len(WILD)
    write(data, tmp_path / "made.bin")
    index = Index.open(tmp_path / "made.bin")
    assert index.lookup("mail", "a" * 30 + "!") == []
    for text in ("aaabbb", "xplain7", "xABABx"):
        assert slugs(index, "mail", text) == {"wild"}
    began = time.monotonic()
    assert index.lookup("mail", "ab" * 500_000) == []
    assert time.monotonic() - began < 20


# ── hostile values ───────────────────────────────────────────────────────────────────────────────────────────────────

TYPES = (
    "ip",
    "network",
    "domain",
    "fqdn",
    "hostname",
    "url",
    "mail",
    "hash",
    "file",
    "certificate",
    "other",
    "mutex",
    "",
)
MANY = 1_000_000
ODD = [
    *("", " ", "\0", "\ud800", "a\udfff.com", "\u202egoogle.com", "\u0130" * 100_000, "\x1e\x1f", "\xb2", "%00"),
    *("." * 1000, "a." * 500_000, *(char * MANY for char in ".x9:/@")),
    *("http://" + "@" * MANY, "http://[" + ":" * MANY, "::1%" + "x" * MANY, "user@" + "a." * 500_000),
    *("1.1.1." + "1" * MANY, "1.1.1.1/" + "9" * MANY, "::/" + "1" * MANY, "1.1.1.1/-1", "1.1.1.1/99", "-1/-1"),
    *("\u0661.\u0661.\u0661.\u0661", "1.1.1.\u0661", "1.1.1.1/\u0663"),
    *("http://", "http://[", "http://[::1", "http://]", "://", "//"),
]


@pytest.mark.parametrize("type_", TYPES)
def test_hostile_values(index: Index, type_: str) -> None:
    for value in ODD:
        began = time.monotonic()
        index.lookup(type_, value)
        assert time.monotonic() - began < 20, (type_, value[:20])


@settings(max_examples=300, deadline=None)
@given(some.sampled_from(TYPES), some.text(some.characters(codec=None, exclude_categories=()), max_size=60))
def test_any_text_is_looked_up(index: Index, type_: str, value: str) -> None:
    for match in index.lookup(type_, value):
        assert match.action in ("suppress", "demote", "context") and match.list and match.why and match.because


def test_a_list_is_named_once(index: Index) -> None:
    for type_, value in (
        ("fqdn", "a.b.mail.google.com"),
        ("ip", "8.8.8.8"),
        ("url", "https://raw.githubusercontent.com/x"),
    ):
        found = [match.slug for match in index.lookup(type_, value)]
        assert found and len(found) == len(set(found)), found


def test_the_entry_counts_are_upstream_s(index: Index) -> None:
    assert {one.slug: one.entries for one in index.lists} == {slug: len(d["list"]) for slug, d in raw().items()}
    assert {one.slug: one.name for one in index.lists} == {
        slug: " ".join(d["name"].split()) for slug, d in raw().items()
    }
    assert index.entries == sum(len(data["list"]) for data in raw().values())


def test_composite_attributes_come_with_their_halves() -> None:
    """Why they may be left out of the table of types; the one exception is the one that it names."""
    lonely = set()
    for slug, data in raw().items():
        attributes = set(data["matching_attributes"])
        if "domain|ip" in attributes and not attributes & {"domain", "hostname", "ip-src", "ip-dst"}:
            lonely.add(slug)
        if any(a.startswith("filename|") and a.split("|")[1] not in attributes for a in attributes):
            lonely.add(slug)
    assert lonely == {"disposable-email"}
