"""What each list means: all are named, and the judgement is the one that an analyst would want."""

from __future__ import annotations

from pathlib import Path

import pytest

from cortex_grow.hygiene import Index, policy
from tests.hygiene.support import raw


def test_every_list_of_the_package_is_named_once() -> None:
    assert set(policy.read().of_list) == set(raw())


def test_every_rule_gives_its_reason() -> None:
    rules = policy.read().rules
    assert all(rule.why and not rule.why.endswith(".") and rule.action in policy.ACTIONS for rule in rules)
    assert len({rule.name for rule in rules}) >= 25


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[group]]\nname="a"\naction="hide"\nwhy="x"\nlists=[]', "'hide' is not one of"),
        ('[[group]]\nname="a"\naction="demote"\nlists=[]', "why is missing"),
        ('[[group]]\nname="a"\naction="demote"\nwhy="x"\nlists=["l", "l"]', "l stands in two groups"),
        ("[[group]", "Expected"),
    ],
)
def test_a_wrong_policy_is_refused(tmp_path: Path, text: str, words: str) -> None:
    rules = policy.POLICY.read_text(encoding="utf-8")
    (tmp_path / "policy.toml").write_text(rules[rules.index("[rule.shared]") :] + "\n" + text)
    with pytest.raises(policy.PolicyError, match=words):
        policy.read(tmp_path / "policy.toml")


def test_rules_across_lists_only_ever_weaken(tmp_path: Path) -> None:
    rules = policy.POLICY.read_text(encoding="utf-8").replace('demote = "context"', 'demote = "suppress"')
    (tmp_path / "policy.toml").write_text(rules)
    with pytest.raises(policy.PolicyError, match="next weaker"):
        policy.read(tmp_path / "policy.toml")


STRONGEST = [
    # Noise.
    ("ip", "8.8.8.8", "suppress"),
    ("ip", "2001:4860:4860::8888", "suppress"),
    ("ip", "10.1.2.3", "suppress"),
    ("ip", "17.253.144.10", "suppress"),
    ("hash", "d41d8cd98f00b204e9800998ecf8427e", "suppress"),
    ("hash", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "suppress"),
    ("hash", "44d88612fea8a8f36de82e1278abb02f", "suppress"),
    ("domain", "google.com", "suppress"),
    ("domain", "microsoft.com", "suppress"),
    ("fqdn", "www.msftconnecttest.com", "suppress"),
    ("domain", "co.uk", "suppress"),
    ("domain", "com", "suppress"),
    ("fqdn", "www.virustotal.com", "suppress"),
    ("other", "14d82eec-204b-4c2f-b7e8-296a70dab67e", "suppress"),
    # Popular, shared, or a machine that answers all.
    ("ip", "104.16.1.1", "demote"),
    ("ip", "1.4.166.59", "demote"),
    ("domain", "heise.de", "demote"),
    ("fqdn", "docs.google.com", "demote"),
    ("domain", "sharepoint.com", "demote"),
    ("fqdn", "api.ipify.org", "demote"),
    ("mail", "abuse@example.com", "demote"),
    ("ip", "66.240.192.138", "demote"),
    # Where attackers live: never more than a note.
    ("ip", "3.5.140.7", "context"),
    ("ip", "143.215.130.1", "context"),
    ("fqdn", "something.duckdns.org", "context"),
    ("fqdn", "something.github.io", "context"),
    ("fqdn", "something.blogspot.com", "context"),
    ("fqdn", "bucket.s3.amazonaws.com", "context"),
    ("fqdn", "something.pages.dev", "context"),
    ("fqdn", "something.workers.dev", "context"),
    ("fqdn", "d1234abcd.cloudfront.net", "context"),
    ("mail", "someone@mailinator.com", "context"),
    ("url", "https://raw.githubusercontent.com/a/b/main/x.ps1", "context"),
    ("url", "https://docs.google.com/document/d/1", "context"),
    ("url", "https://github.com/a/b", "context"),
    ("url", "https://s3-us-west-2.amazonaws.com/bucket/x.exe", "context"),
    ("url", "http://bit.ly/x", "context"),
    # Names made to look like others.
    ("fqdn", "virustotal.com.evil.net", "context"),
    ("url", "http://virustotal.com.evil.net/", "context"),
    ("url", "http://evil.net/virustotal.com", "context"),
]


@pytest.mark.parametrize(("type_", "value", "action"), STRONGEST)
def test_the_strongest_action(index: Index, type_: str, value: str, action: str) -> None:
    found = index.lookup(type_, value)
    assert found and found[0].action == action, found
    strength = ["suppress", "demote", "context"]
    assert [match.action for match in found] == sorted((match.action for match in found), key=strength.index)


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("ip", "192.0.2.1"), ("ip", "198.51.100.200"), ("ip", "203.0.113.66"), ("ip", "2001:db8::5"),
        ("domain", "example.com"), ("domain", "example.net"), ("domain", "example.org"), ("fqdn", "www.example.com"),
        ("fqdn", "a.b.example.org"), ("url", "http://example.net/x"), ("fqdn", "cdn.attacker.example"),
        ("domain", "attacker.example"), ("domain", "attacker.test"), ("mail", "someone@example.com"),
    ],
)  # fmt: skip
def test_documentation_is_never_noise(index: Index, type_: str, value: str) -> None:
    """Examples, exercises and the demo use it as if it were real; popular lists hold these names by mistake."""
    assert {match.action for match in index.lookup(type_, value)} <= {"context"}


KNOWN = [("ip", "192.0.2.1", "rfc5735"), ("ip", "2001:db8::5", "rfc3849"), ("domain", "example.com", "rfc6761")]


@pytest.mark.parametrize(("type_", "value", "slug"), KNOWN)
def test_documentation_is_known_all_the_same(index: Index, type_: str, value: str, slug: str) -> None:
    assert slug in {match.slug for match in index.lookup(type_, value)}


def test_nothing_on_a_url_is_suppressed_for_its_host(index: Index) -> None:
    for host in ("google.com", "www.msftconnecttest.com", "www.virustotal.com", "raw.githubusercontent.com", "bit.ly"):
        assert "suppress" not in {match.action for match in index.lookup("url", f"https://{host}/x")}


CLOUDS = {"amazon-aws", "microsoft-azure", "google-gcp", "vpn-ipv4", "vpn-ipv6", "sinkholes", "dynamic-dns", "github"}


def test_whole_clouds_are_context_only(index: Index) -> None:
    found = [match for value in ("3.5.140.7", "13.64.0.1", "34.1.208.1") for match in index.lookup("ip", value)]
    assert {match.action for match in found if match.slug in CLOUDS} == {"context"}
    rules = policy.read()
    assert {rules.rules[rules.of_list[slug]].action for slug in CLOUDS} == {"context"}
