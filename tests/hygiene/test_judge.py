"""One judgement of an indicator, and how it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from cortex_grow.hygiene import Assets, Index, explain, judge
from cortex_grow.model.indicator import Indicator

ASSETS = {
    "own_assets": "own.example\n203.0.113.0/24",
    "allow_list": "noise.example\nboth.example\n8.8.4.4",
    "deny_list": "bad.example\nboth.example\ngoogle.com\n10.6.6.6",
}


@pytest.fixture(scope="module")
def assets() -> Assets:
    return Assets.from_settings(ASSETS)


@pytest.mark.parametrize(
    ("type_", "value", "action", "slug"),
    [
        ("fqdn", "www.own.example", "own", "own_assets"),
        ("ip", "203.0.113.9", "own", "own_assets"),
        ("ip", "192.168.7.7", "own", "own_assets"),
        ("ip", "10.6.6.6", "own", "own_assets"),
        ("domain", "bad.example", "deny", "deny_list"),
        ("domain", "both.example", "deny", "deny_list"),
        ("domain", "google.com", "deny", "deny_list"),
        ("url", "http://www.bad.example/x", "deny", "deny_list"),
        ("domain", "noise.example", "suppress", "allow_list"),
        ("ip", "8.8.8.8", "suppress", "public-dns-v4"),
        ("ip", "104.16.1.1", "demote", "cloudflare"),
        ("fqdn", "x.duckdns.org", "context", "dynamic-dns"),
        ("domain", "unheard-of.example", "none", ""),
        ("mutex", "Global\\x", "none", ""),
    ],
)
def test_judge(index: Index, assets: Assets, type_: str, value: str, action: str, slug: str) -> None:
    judgement = judge(Indicator(type_, value), index, assets)
    assert judgement.action == action
    assert (judgement.matches[0].slug if judgement.matches else "") == slug
    if judgement.matches:
        assert judgement.matches[0].action == action and judgement.matches[0].list and judgement.matches[0].why


def test_what_was_overruled_is_told_all_the_same(index: Index, assets: Assets) -> None:
    denied = judge(Indicator("domain", "google.com"), index, assets)
    assert {"deny", "suppress", "demote"} <= {match.action for match in denied.matches}
    internal = judge(Indicator("ip", "10.6.6.6"), index, assets)
    assert [match.action for match in internal.matches][:2] == ["own", "deny"]
    assert "rfc1918" in {match.slug for match in internal.matches}


TOLD = {
    "ip:8.8.8.8": (
        "8.8.8.8 (ip)\n",
        "It is suppressed where it turns up as related",
        "Suppress: it is one of the few resolvers",
        "the list 'List of known IPv4 public DNS resolvers': Event contains one or more public IPv4 DNS resolvers",
        "'Specialized list of vpn-ipv4 addresses belonging to common VPN providers and datacenters', as 8.8.8.0/24: ",
        "119 lists",
    ),
    "fqdn:x.duckdns.org": ("Context: anybody can put something there", ", as duckdns.org: "),
    "fqdn:www.own.example": ("It is internal", "  Among your own assets: own.example (own_assets:1).\n"),
    "ip:10.6.6.6": (
        "A private address (RFC 1918).",
        "On your deny list: 10.6.6.6 (deny_list:4).",
        "What decides is the first of these: own.",
    ),
    "domain:google.com": (
        "known bad and is never suppressed",
        "On your deny list: google.com",
        "first of these: deny.",
    ),
    "domain:noise.example": ("On your allow list: noise.example (allow_list:1).",),
    "domain:unheard-of.example": ("No list knows it",),
}


@pytest.mark.parametrize("subject", TOLD)
def test_explain(index: Index, assets: Assets, subject: str) -> None:
    text = explain(Indicator(*subject.split(":", 1)), index, assets)
    for phrase in TOLD[subject]:
        assert phrase in text, text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_explain_names_the_lines_that_are_not_used(index: Index, tmp_path: Path) -> None:
    path = tmp_path / "own.txt"
    path.write_text("no good\n")
    text = explain(Indicator("domain", "a.example"), index, Assets.from_settings({"own_assets": str(path)}))
    assert f"Not used: {path}:1: 'no good' is neither a domain nor an address nor a network" in text


def test_a_value_cannot_steer_the_terminal(index: Index) -> None:
    text = explain(Indicator("mutex", "a\x1b[31m\u202eb\ud800\n"), index, Assets())
    assert text.splitlines()[0] == "a\\x1b[31m\\u202eb\\ud800\\n (mutex)"
