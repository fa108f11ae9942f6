"""cortex-grow grow: from a file to a folder."""

from __future__ import annotations

import csv
import io
import json
import os
import sqlite3
import zlib
from pathlib import Path

import jsonschema
import pytest

from cortex_grow.lab import Lab
from tests.cli.conftest import Shell
from tests.support import ROOT

VT = "VirusTotal_Pivot"
SCHEMA = json.loads((ROOT / "cortex_grow" / "model" / "report.schema.json").read_text())
EXAMPLES = ROOT / "examples" / "iocs.txt"


def graph(folder: Path) -> dict:  # type: ignore[type-arg]
    """graph.json, valid."""
    content = json.loads((folder / "graph.json").read_bytes())
    jsonschema.validate(content, SCHEMA)
    return content  # type: ignore[no-any-return]


def test_the_examples_grow(ready: Shell, lab: Lab) -> None:
    done = ready("grow", "-f", EXAMPLES, "--out", "out", "--depth", "2")
    assert done.code == 0, done.err
    out = ready.folder / "out"
    assert sorted(path.name for path in out.iterdir()) == [
        "graph.json",
        "indicators.csv",
        "journal.sqlite",
        "report.html",
    ]
    content = graph(out)
    assert len(content["seeds"]) == 12
    assert len(content["nodes"]) > 60 and len(content["edges"]) > 100
    rows = list(csv.DictReader(io.StringIO((out / "indicators.csv").read_bytes().decode(), newline="")))
    assert {row["value"] for row in rows} >= {node["value"] for node in content["nodes"]}
    assert b"92576a66df8fcf9616b0a89d41db8780e2d94971d254bae58963f9e2483c9f14" in (out / "report.html").read_bytes()
    assert "communicates with (7)" in done.out and "… and " in done.out
    assert done.out.rstrip().endswith("The report: out/report.html")


def test_the_folder_has_a_name_by_time_and_seed(ready: Shell) -> None:
    done = ready("grow", "hxxp://cdn-update[.]example/load/stage2[.]bin", "-q", "-s", VT)
    assert done.code == 0, done.err
    (folder,) = (ready.folder / "runs").iterdir()
    assert folder.name.endswith("Z-http-cdn-update.example-load-stage2.bin")
    assert done.out == f"runs/{folder.name}/report.html\n" and done.err == ""


def test_json_is_all_that_standard_output_has(ready: Shell) -> None:
    done = ready("grow", "203.0.113.66", "--json", "--out", "out")
    assert done.code == 0, done.err
    jsonschema.validate(done.json, SCHEMA)
    assert done.json == graph(ready.folder / "out")


def test_files_of_any_shape_and_standard_input_together(ready: Shell) -> None:
    (ready.folder / "table.csv").write_text(
        "date;comment;indicator\n2026-01-01;seen;203.0.113.66\n2026-01-02;seen;198[.]51[.]100[.]23\n"
        "2026-01-03;seen;999.1.1.1\n"
    )
    prose = "The loader talks to hxxp://cdn-update[.]example/load/stage2[.]bin, see also 203[.]0[.]113[.]66."
    done = ready("grow", "-f", "table.csv", "-f", "-", "cdn-update.example", "--out", "out", "-s", VT, stdin=prose)
    assert done.code == 0, done.err
    seeds = [seed["value"] for seed in graph(ready.folder / "out")["seeds"]]
    assert seeds == [
        "cdn-update.example",
        "203.0.113.66",
        "198.51.100.23",
        "http://cdn-update.example/load/stage2.bin",
    ]
    assert "1 skipped" in done.err and "table.csv:4: '999.1.1.1'" in done.err
    assert "1 given more than once" in done.err
    assert "table.csv:4\t'999.1.1.1'\t" in (ready.folder / "out" / "skipped.txt").read_text()


def test_all_that_was_skipped_stands_in_a_file(ready: Shell) -> None:
    (ready.folder / "list").write_text("203.0.113.66\n" + "".join(f"999.1.1.{number}\n" for number in range(20)))
    done = ready("grow", "-f", "list", "--out", "out", "-s", VT)
    assert done.code == 0 and "20 skipped" in done.err
    assert "and 15 more, all in out/skipped.txt" in done.err
    assert len((ready.folder / "out" / "skipped.txt").read_text().splitlines()) == 20


def test_a_value_that_is_none_is_skipped_where_others_are_fine(ready: Shell) -> None:
    done = ready("grow", "203.0.113.66", "what is this", "--out", "out", "-s", VT)
    assert done.code == 0 and "'what is this'" in done.err
    done = ready("grow", "what is this", "1.2.3.4.5")
    assert (done.code, done.out) == (2, "")
    assert "'what is this'" in done.err and "no indicator was recognised" in done.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "give indicators, or -f"),
        (["-f", "nowhere.txt"], "nowhere.txt: there is no such file"),
        (["203.0.113.66", "--calls", "many"], "--calls is a number or Source=number"),
        (["203.0.113.66", "--calls", "Nobody=3"], "there is no worker 'Nobody'"),
        (["203.0.113.66", "-s", "Nobody"], "there is no worker 'Nobody'"),
        (["203.0.113.66", "--resume", "x"], "--resume takes up"),
        (["--resume", "nowhere"], "holds no journal.sqlite"),
        (["203.0.113.66", "--depth", "0"], "Invalid value"),
        (["203.0.113.66", "--config", "nowhere.toml"], "nowhere.toml: there is no such file"),
    ],
)
def test_usage(ready: Shell, lab: Lab, arguments: list[str], says: str) -> None:
    done = ready("grow", *arguments)
    assert (done.code, done.out) == (2, "")
    assert says in " ".join(done.err.replace("│", " ").split())
    assert not lab.requests and not (ready.folder / "runs").exists()


def test_a_value_that_is_a_file_here_is_told_how_to_be_read(ready: Shell) -> None:
    (ready.folder / "iocs.txt").write_text("203.0.113.66\n")
    done = ready("grow", "iocs.txt")
    assert done.code == 2 and "write -f iocs.txt" in done.err


def test_a_folder_that_holds_a_run_is_not_written_over(ready: Shell) -> None:
    assert ready("grow", "203.0.113.66", "--out", "out", "-s", VT).code == 0
    done = ready("grow", "198.51.100.23", "--out", "out", "-s", VT)
    assert done.code == 2 and "--resume out" in done.err


def test_calls_are_a_bound_whatever_is_asked_at_once(ready: Shell, lab: Lab) -> None:
    done = ready("grow", "-f", EXAMPLES, "--depth", "3", "--calls", f"{VT}=5", "-s", VT, "--out", "out")
    assert done.code == 0, done.err
    assert 0 < lab.counts()["virustotal"] <= 5
    assert "has spent its 5 calls" in done.out


def test_only_exclude_and_active(ready: Shell, lab: Lab) -> None:
    done = ready("grow", "cdn-update.example", "--exclude", VT, "--pap", "green", "--out", "one")
    assert done.code == 0, done.err
    assert not lab.counts()["virustotal"]
    asked = {row.path.rstrip(".") for row in lab.requests if row.service == "dns"}
    assert "cdn-update.example" not in asked, "not named: not touched; block lists are others' zones"
    done = ready("grow", "cdn-update.example", "-s", "DNS_Resolve", "--pap", "green", "--out", "two")
    assert done.code == 0, done.err
    own = {row.params["type"] for row in lab.requests if row.path.rstrip(".") == "cdn-update.example"}
    assert own >= {"A", "MX"}


def test_where_everything_fails_it_says_so_and_can_be_resumed(ready: Shell, lab: Lab) -> None:
    lab.misbehave("virustotal", "wrong-key")
    done = ready("grow", "203.0.113.66", "-s", VT, "--out", "out")
    assert done.code == 1
    assert "no question was answered" in done.err and "401" in done.out
    assert graph(ready.folder / "out")["provenance"][0]["status"] == "failed"
    lab.misbehave("virustotal", None)
    done = ready("grow", "--resume", "out")
    assert done.code == 0, done.err
    assert len(graph(ready.folder / "out")["nodes"]) > 3


def test_one_source_that_fails_is_listed_as_partial(ready: Shell, lab: Lab) -> None:
    lab.misbehave("virustotal", "html")
    done = ready("grow", "203.0.113.66", "--out", "out")
    assert done.code == 0, done.err
    statuses = {entry["source"]: entry["status"] for entry in graph(ready.folder / "out")["provenance"]}
    assert statuses[VT] == "failed" and len(statuses) > 1


def test_tlp_red_asks_nobody(ready: Shell, lab: Lab) -> None:
    done = ready("grow", "203.0.113.66", "--tlp", "red", "--out", "out")
    assert done.code == 1 and not lab.requests
    assert "TLP is higher than allowed" in done.out


def test_own_assets_are_not_asked(shell: Shell, lab: Lab) -> None:
    shell.configure(lab, {"own_assets": ["203.0.113.0/24"]})
    done = shell("grow", "203.0.113.66", "10.0.0.1", "--out", "out")
    assert done.code == 0, done.err
    assert not lab.requests and done.out.count("internal, not asked") == 2


def test_without_any_source_nothing_is_begun(shell: Shell) -> None:
    done = shell("grow", "203.0.113.66", "-s", VT)
    assert done.code == 2 and "no key is configured (key)" in done.err
    assert not (shell.folder / "runs").exists()


def test_no_secret_gets_into_a_folder(ready: Shell, lab: Lab) -> None:
    assert ready("grow", "-f", EXAMPLES, "--out", "out").code == 0
    secrets = [
        value for name in lab.definitions() for item, value in lab.config_for(name).items() if "key" in item.lower()
    ]
    assert secrets
    contents = [path.read_bytes() for path in (ready.folder / "out").iterdir()]
    journal = sqlite3.connect(ready.folder / "out" / "journal.sqlite")
    contents += [
        zlib.decompress(packed) for (packed,) in journal.execute("select report from job where report is not null")
    ]
    assert len(contents) > 10
    for secret in secrets:
        assert not [content for content in contents if secret.encode() in content]


def test_a_secret_that_a_service_repeats_is_taken_out_everywhere(shell: Shell, lab: Lab) -> None:
    """A key that the answer holds: here the key of a source that is not even asked is a word of the answers."""
    word = "smokeloader"
    shell.configure(lab)
    seed = "92576a66df8fcf9616b0a89d41db8780e2d94971d254bae58963f9e2483c9f14"
    done = shell("grow", seed, "-s", VT, "--out", "out", "--json", CORTEX_GROW_URLHAUS_LOOKUP_API_KEY=word)
    assert done.code == 0, done.err
    assert word not in done.out and "[redacted]" in done.out
    for path in (shell.folder / "out").iterdir():
        assert word.encode() not in path.read_bytes(), path.name
    journal = sqlite3.connect(shell.folder / "out" / "journal.sqlite")
    for (packed,) in journal.execute("select report from job"):
        assert word.encode() not in zlib.decompress(packed)


def test_what_a_service_says_does_not_drive_the_terminal(ready: Shell) -> None:
    done = ready("grow", "\x1b[31m203.0.113.66\x1b[0m", "[red]x[/red]", "203.0.113.66", "--out", "out", "-s", VT)
    assert "\x1b" not in done.err + done.out
    assert "\\x1b[31m203.0.113.66" in done.err and "[red]x[/red]" in done.err


def test_a_reader_that_goes_away_is_no_failure_with_a_traceback(ready: Shell) -> None:
    process = ready.start("grow", "203.0.113.66", "--json", "-s", VT, "--out", "out")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    process.wait(60)
    assert "Traceback" not in err and (ready.folder / "out" / "graph.json").exists()


def test_a_place_that_cannot_be_written_is_told(ready: Shell) -> None:
    (ready.folder / "file").write_text("")
    done = ready("grow", "203.0.113.66", "-s", VT, "--out", "file/below")
    assert done.code == 1 and os.strerror(20) in done.err
