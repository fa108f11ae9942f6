"""DNS_Resolve as Cortex runs it: the process, once for each data type, on good and on hostile answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dns.name
import dns.rdata
import pytest

from cortex_grow.lab import Lab
from tests.contract.cortex import enable
from tests.contract.judge import Judgement, Outcome, judge
from tests.contract.runner import Job, make_folder, run_process
from tests.contract.scenarios import environment
from tests.contract.tree import DEFINITIONS
from tests.net.nameserver import NameServer

DEFINITION = next(definition for definition in DEFINITIONS if definition.name == "DNS_Resolve")


def run(place: Path, type: str, value: str, pap: int = 1, **settings: Any) -> Judgement:
    """Run the worker's file on one job and judge what it leaves, by Cortex's rules and the pack's."""
    config = enable(DEFINITION, {"query_timeout": 1, **settings}).job_config()
    job = Job(type, value, config=config, pap=pap)
    assert DEFINITION.command is not None
    home = place / "home"
    home.mkdir(exist_ok=True)
    done = run_process(DEFINITION.command, make_folder(place, job), env=environment(home))
    verdict = judge(done, job, source_names={"DNS_Resolve"})
    assert not verdict.findings, str(verdict)
    return verdict


@pytest.mark.parametrize(
    ("type", "value", "artifacts", "taxonomy"),
    [
        (
            "domain",
            "cdn-update.example",
            {
                ("ip", "203.0.113.66", "relation:resolves-to"),
                ("ip", "2001:db8:66::1", "relation:resolves-to"),
                ("fqdn", "ns1.parking.example.net", "relation:delegated-to"),
                ("fqdn", "mail.panel-login.example", "relation:mail-handled-by"),
                ("ip", "203.0.113.70", "relation:authorises-sender"),
                ("mail", "registrant@invoice-portal.test", "relation:has-contact"),
                ("autonomous-system", "AS64496", "relation:belongs-to"),
            },
            ("addresses", "2"),
        ),
        (
            "fqdn",
            "www.cdn-update.example",
            {("domain", "cdn-update.example", "relation:subdomain-of"), ("ip", "203.0.113.66", "relation:resolves-to")},
            ("addresses", "2"),
        ),
        (
            "ip",
            "203.0.113.66",
            {
                ("fqdn", "static-66.hosting.example.net", "relation:resolution-of"),
                ("autonomous-system", "AS64496", "relation:belongs-to"),
                ("other", "network:203.0.113.64/26", "relation:belongs-to"),
            },
            ("names", "1"),
        ),
    ],
)
def test_a_job_of_each_data_type(
    tmp_path: Path, type: str, value: str, artifacts: set[tuple[str, str, str]], taxonomy: tuple[str, str]
) -> None:
    with Lab.demo() as lab:
        verdict = run(tmp_path, type, value, **lab.config_for("DNS_Resolve"))
    assert verdict.outcome is Outcome.SUCCESS, str(verdict)
    found = {(one["dataType"], one["data"], tag) for one in verdict.artifacts for tag in one["tags"]}
    assert found >= artifacts
    lines = [(line["namespace"], line["predicate"], line["value"]) for line in verdict.summary["taxonomies"]]
    assert ("DNS", *taxonomy) in lines


def test_hostile_answers_leave_a_good_report(tmp_path: Path) -> None:
    """64 KB of texts, markup, control characters, names of any octets, a thousand addresses: valid, bounded, inert."""
    seed = dns.name.from_text("seed.example.")
    with NameServer("\n".join(f"seed.example. A 203.0.{n // 250}.{n % 250}" for n in range(1500))) as server:
        for number in range(200):
            text = (
                rf'"{number}=<script>alert({number})</script>\000\027[31m\226\128\174 {{{{constructor}}}} {"x" * 150}"'
            )
            server.put(seed, dns.rdata.from_text("IN", "TXT", text))
            name = dns.name.Name((b"\x00<b>%d\xff." % number, b"evil", b"test", b""))
            server.put(seed, dns.rdata.from_text("IN", "NS", name.to_text()))
        verdict = run(tmp_path, "domain", "seed.example", resolvers=[server.where])
    assert verdict.outcome is Outcome.SUCCESS, str(verdict)
    assert len(verdict.artifacts) == 100
    assert not [one for one in verdict.artifacts if "evil" in one["data"]]
    limits = {limit["what"]: limit["found"] for limit in verdict.full["limits"]}
    assert limits["values that cannot be read"] == 200
    assert limits["A records"] == 1500
    cells = [cell for table in verdict.full["facts"] for row in table["rows"] for cell in row]
    assert any("<script>alert(7)</script>" in cell for cell in cells)
    assert not {"\x00", "\x1b", "\u202e"} & set("".join(cells))


def test_failures_name_the_resolver_and_what_to_do(tmp_path: Path) -> None:
    with NameServer("", {("*", "*"): "silent"}) as server:
        verdict = run(tmp_path, "domain", "seed.example", resolvers=[server.where])
        assert verdict.outcome is Outcome.FAILURE
        for word in ("DNS_Resolve", "127.0.0.1", "1 s", "resolvers"):
            assert word in (verdict.error_message or "")
        assert "PAP" in (run(tmp_path, "domain", "seed.example", pap=2, resolvers=[server.where]).error_message or "")


def test_a_key_in_a_zone_never_leaves(tmp_path: Path) -> None:
    key = "qwertzuiopasdfghjklyxcvbnm"
    zone = f"5.113.0.203.{key}.zen.dq.spamhaus.net. A 127.0.0.2"
    how: dict[str, Any] = {"dnsbl_keyed_zones": [f"{key}.zen.dq.spamhaus.net"], "cache": False}
    with NameServer(zone) as server:
        assert key not in str(run(tmp_path, "ip", "203.0.113.5", resolvers=[server.where], **how))
        server.wrong[f"5.113.0.203.{key}.zen.dq.spamhaus.net", "A"] = "SERVFAIL"
        verdict = run(tmp_path, "ip", "203.0.113.5", resolvers=[server.where], **how)
        assert "zen.dq.spamhaus.net" in str(verdict.full["partial"])
        for part in (verdict.full, verdict.summary, verdict.artifacts):
            assert key not in str(part)
