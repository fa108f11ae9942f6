"""``grow`` on the real indicators behind the recorded answers, against the lab that replays them.

The whole road is used: questions built by the sources, asked over sockets, answered as the services would, read,
judged, merged. What comes out must hold every relation that the hand-written expectations demand of the answers asked.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cortex_grow.growth.sources import sources
from cortex_grow.lab import Lab
from cortex_grow.model.detect import detect
from cortex_grow.model.indicator import Indicator, InvalidIndicator
from cortex_grow.model.report import Report
from cortex_grow.source.declaration import Declaration
from cortex_grow.source.sync import common_items
from tests.sources import checking
from tests.support import ROOT, SHARED, needs_shared

UNBOUND = {"quota_minute": 0, "quota_day": 0, "quota_month": 0, "max_calls": 40, "premium": True, "cache": False}
# Answers that a run with the right key and well-formed questions cannot meet.
UNASKED = {
    "virustotal/error_400_invalid_argument_domain.json",
    "virustotal/error_401_wrong_credentials.json",
    "virustotal/error_429_quota_exceeded.json",
    "urlhaus/host_empty_body_200.txt",  # the answer to a question in JSON, which URLhaus does not take
    "crtsh/opencti_example_com_wildcard.json",  # a search for %.example.com; the pack asks for the name itself
    "whois/iodev_tld/hk.com__free.txt",  # hk.com sells names of its own; the registered domain is hk.com
    "whois/iodev_tld/hk.com__udr.hk.com.txt",
}
# Expectations whose answer was given to another question than their seed's.
OTHERWISE_ASKED = {"whois_gov_uk"}  # www.gov.uk was asked about: below a public suffix it is a registered domain itself
PASSES = 6
COMMON = {item["name"] for item in common_items()}


def cases() -> list[tuple[Declaration, Path, dict[str, Any]]]:
    """Every expectation with its definition."""
    found = []
    for declaration in sources():
        for path in checking.cases(declaration.name):
            found.append((declaration, path, json.loads(path.read_text(encoding="utf-8"))))
    return found


def grown(lab: Lab, seeds: list[Indicator], folder: Path, **settings: Any) -> Report:
    """What ``cortex-grow grow -f`` makes of ``seeds``, every source asked at the lab."""
    folder.mkdir(parents=True)
    given, config = folder / "seeds.txt", folder / "cortex-grow.toml"
    given.write_text("".join(f"{seed.defanged}\n" for seed in seeds), encoding="utf-8")
    common = {**UNBOUND, **settings, "state_dir": str(folder / "state")}
    tables = {"common": {name: value for name, value in common.items() if name in COMMON}}
    for declaration in sources():
        own = {name: value for name, value in common.items() if name in declaration.items and name not in COMMON}
        tables[f"sources.{declaration.name}"] = {**own, **lab.config_for(declaration.name, premium=True)}
    config.write_text(toml(tables), encoding="utf-8")
    config.chmod(0o600)
    command = [sys.executable, "-m", "cortex_grow.cli", "grow", "--config", str(config), "-f", str(given)]
    command += ["--include", "DNS_Resolve", "--calls", "100000", "--pap", "1", "--quiet", "--out", str(folder / "run")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return Report.from_dict(json.loads((folder / "run" / "graph.json").read_text(encoding="utf-8")))


def toml(tables: dict[str, dict[str, Any]]) -> str:
    """Tables of plain values as TOML; JSON writes texts, numbers, booleans and lists the same way."""
    lines = []
    for name, table in tables.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def seeds_of(lab: Lab) -> list[Indicator]:
    """Everything that the lab can be asked about, and the seeds of the expectations."""
    known = [Indicator.parse(case["seed"]["type"], case["seed"]["value"]) for _, _, case in cases()]
    for declaration in sources():
        for type_ in declaration.data_types:
            if type_ != "file":
                known += [Indicator.parse(type_, value) for value in lab.seeds(declaration.name, type_)]
    for query in lab.questions("whois"):
        try:
            known.append(Indicator.parse("host", query) if "." in query else detect(query))
        except InvalidIndicator:  # a prefix, and addresses written as file names, which are seeds by their text
            assert re.fullmatch(r"[0-9a-f-]+", query), query
    return list(dict.fromkeys(known))


def reports_of(lab: Lab, folder: Path) -> list[Report]:
    """Growth once, and again for the answers that share their question with another one, those served first."""
    seeds = seeds_of(lab)
    reports = [grown(lab, seeds, folder / "0")]
    for number in range(1, PASSES):
        left = [name for name in lab.unasked() if name not in UNASKED]
        if not left:
            break
        for name in left:
            lab.prefer(name)
        reports.append(grown(lab, seeds, folder / str(number), exclude_expired=bool(number % 2)))
    return reports


def without_rdap(folder: Path) -> Path:
    """The recorded answers but for RDAP's, so that registrations are asked of WHOIS."""
    assert SHARED is not None
    folder.mkdir()
    for place in (SHARED / "samples").iterdir():
        if place.is_dir() and place.name != "rdap":
            (folder / place.name).symlink_to(place)
    rows = (SHARED / "samples" / "index.jsonl").read_text(encoding="utf-8").splitlines()
    kept = [row for row in rows if json.loads(row)["service"] != "rdap"]
    (folder / "index.jsonl").write_text("\n".join(kept), encoding="utf-8")
    return folder


def holds(report: Report, must: dict[str, Any], edges: dict[tuple[str, str, str], Any]) -> bool:
    """Whether a report holds an expected relation. Several answers may speak of it: its span holds what is expected."""
    edge = edges.get((must["source"], must["relation"], must["target"]))
    if edge is None:
        return False
    first, last = must.get("first_seen"), must.get("last_seen")
    return not (first and not (edge.first_seen and edge.first_seen <= first)) and not (
        last and not (edge.last_seen and edge.last_seen >= last)
    )


def edges_of(report: Report) -> dict[tuple[str, str, str], Any]:
    """The edges as the checker of single mappings reads them, those to suppressed nodes included."""
    nodes = {**{node_id: entry.node for node_id, entry in report.suppressed.items()}, **report.nodes}
    return checking.edges_of(SimpleNamespace(nodes=nodes, edges=report.edges))  # type: ignore[arg-type]


@needs_shared
def test_growth_on_recorded_answers_holds_what_is_expected_and_asks_for_every_sample(tmp_path: Path) -> None:
    assert SHARED is not None
    with Lab.replay(SHARED / "samples") as lab:
        reports = reports_of(lab, tmp_path / "all")
        idle, unasked = lab.idle(), set(lab.unasked())
    with Lab.replay(without_rdap(tmp_path / "samples")) as lab:
        reports += reports_of(lab, tmp_path / "whois")
        unasked &= {*lab.unasked(), *(name for name in unasked if name.startswith("rdap/"))}
    assert unasked <= UNASKED, f"no question reaches {sorted(unasked - UNASKED)[:20]}"

    known = [(report, edges_of(report)) for report in reports]
    wrong = []
    checked = 0
    for _, path, case in cases():
        places = case["answer"].values()
        if (
            path.stem in OTHERWISE_ASKED
            or case.get("error")
            or any(place.partition("#")[0] in idle or "#" in place for place in places)
        ):
            continue
        for must in case.get("must", []):
            checked += 1
            if not any(holds(report, must, edges) for report, edges in known):
                wrong.append(f"{path.stem}: {must['source']} {must['relation']} {must['target']} ({must['at']})")
    assert checked > 700, "too few expectations were held against what grew"
    assert not wrong, f"{len(wrong)} relations are missing:\n" + "\n".join(wrong[:40])

    for report in reports:
        nodes = {*report.nodes, *report.suppressed}
        assert all(edge.source in nodes and edge.target in nodes for edge in report.edges.values())
        assert not [part for part in report.partial if "failed:" in part.why]
