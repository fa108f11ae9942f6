"""cortex-grow grow --plan: what it would cost, and that asking costs nothing."""

from __future__ import annotations

import json

import pytest

from cortex_grow.cli.plan import lasting, seconds_for
from cortex_grow.lab import Lab
from cortex_grow.source.registry import named
from tests.cli.conftest import Shell

VT = "VirusTotal_Pivot"
SEEDS = ["203.0.113.66", "198.51.100.23", "http://cdn-update.example/load/stage2.bin", "a" * 64, "AS64496"]


def planned(shell: Shell, *arguments: str) -> dict[str, dict]:  # type: ignore[type-arg]
    done = shell("grow", *SEEDS, "--plan", "--json", *arguments)
    assert done.code == 0, done.err
    return {row["source"]: row for row in done.json["sources"]}


def test_calls_are_counted_and_none_is_spent(shell: Shell, lab: Lab) -> None:
    shell.configure(lab, {"quota_minute": 4, "quota_day": 0, "quota_month": 0})
    rows = planned(shell)
    vt = named(VT)
    expected = 2 * vt.calls("ip") + vt.calls("url") + vt.calls("hash")
    assert (rows[VT]["indicators"], rows[VT]["calls"]) == (4, expected)
    assert rows[VT]["quota"] == {"minute": 4} == rows[VT]["left"] and rows[VT]["key"] == "key"
    assert rows[VT]["seconds"] == 60 * -(-(expected - 4) // 4)
    assert not lab.requests and not (shell.folder / "runs").exists()


def test_the_plan_is_no_less_than_what_is_spent(ready: Shell, lab: Lab) -> None:
    rows = planned(ready)
    assert ready("grow", *SEEDS, "--out", "out").code == 0
    spent = dict.fromkeys(rows, 0)
    for entry in json.loads((ready.folder / "out" / "graph.json").read_bytes())["provenance"]:
        spent[entry["source"]] += entry["calls"]
    assert spent[VT] and all(spent[name] <= row["calls"] for name, row in rows.items())
    assert lab.counts()["virustotal"] <= rows[VT]["calls"]


def test_what_was_spent_is_left_no_more(shell: Shell, lab: Lab) -> None:
    shell.configure(lab, {"quota_day": 100, "quota_minute": 0, "quota_month": 0})
    assert shell("grow", SEEDS[0], "-s", VT, "--out", "out").code == 0
    spent = lab.counts()["virustotal"]
    assert planned(shell, "-s", VT)[VT]["left"] == {"day": 100 - spent}


def test_bounds_show(ready: Shell) -> None:
    rows = planned(ready, "--calls", "2", "--max-indicators", "3")
    assert (rows[VT]["indicators"], rows[VT]["calls"]) == (3, 2)
    assert "may be spent (--calls)" in rows[VT]["notes"][0]


def test_what_is_not_asked_is_said_with_its_reason(shell: Shell, lab: Lab) -> None:
    shell.configure(lab, {"own_assets": ["203.0.113.0/24"]})
    text = (shell.folder / "cortex-grow.toml").read_text()
    (shell.folder / "cortex-grow.toml").write_text(text.replace(lab.config_for("URLhaus_Lookup")["API_Key"], ""))
    done = shell("grow", *SEEDS, "mutex:x", "cdn-update.example", "--plan", "--depth", "2")
    assert done.code == 0, done.err
    assert "URLhaus_Lookup is skipped: no key is configured (API_Key)" in done.out
    assert "ip:203.0.113.66  internal, not asked" in done.out
    assert "mutex:x  no source answers for it" in done.out
    assert "DNS_Resolve: not asked: records (it would touch the target's own machines" in done.out
    assert "present (key)" in done.out and "none needed" in done.out
    assert "This is the first round of 2" in done.out
    done = shell("grow", *SEEDS, "--plan", "--tlp", "red", "--json")
    assert done.json["sources"] == []
    assert all("TLP" in row["why"] or "no key" in row["why"] for row in done.json["skipped"])
    assert not lab.requests


@pytest.mark.parametrize(
    ("calls", "quota", "left", "seconds"),
    [
        (4, {"minute": 4}, {"minute": 4}, 0),
        (5, {"minute": 4}, {"minute": 4}, 60),
        (12, {"minute": 4}, {"minute": 0}, 180),
        (1000, {"minute": 4, "day": 500}, {"minute": 4, "day": 400}, 2 * 86400),
        (10, {}, {}, 0),
    ],
)
def test_time_by_quota(calls: int, quota: dict[str, int], left: dict[str, int], seconds: float) -> None:
    assert seconds_for(calls, quota, left) == seconds


def test_times_for_a_person() -> None:
    assert [lasting(seconds) for seconds in (0, 40, 90, 7200, 86400 * 3)] == [
        "at once",
        "40 s",
        "1.5 min",
        "2 h",
        "3 d",
    ]
