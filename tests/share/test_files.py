"""graph.json and indicators.csv: strict, whole, and harmless to a spreadsheet."""

from __future__ import annotations

import csv as reader
import io
import json
import os
from pathlib import Path

import jsonschema
import pytest

from cortex_grow.model.report import Node
from cortex_grow.share import csv, graph_json
from cortex_grow.share.files import write_whole
from cortex_grow.share.text import shortened, visible
from tests.share.reports import HOSTILE, SEED, hostile, report, whole
from tests.support import ROOT

SCHEMA = json.loads((ROOT / "cortex_grow" / "model" / "report.schema.json").read_text())


def lines(content: bytes) -> list[dict[str, str]]:
    return list(reader.DictReader(io.StringIO(content.decode("utf-8"), newline="")))


def test_graph_json_is_the_report_and_reads_back(tmp_path: Path) -> None:
    graph_json.write(whole(), tmp_path / graph_json.NAME)
    content = json.loads((tmp_path / graph_json.NAME).read_bytes())
    jsonschema.validate(content, SCHEMA)
    assert graph_json.read(tmp_path / graph_json.NAME) == whole()
    assert [path.name for path in tmp_path.iterdir()] == [graph_json.NAME]


def test_graph_json_is_strict_utf_8_whatever_the_report_holds() -> None:
    content = graph_json.encoded(hostile())
    assert json.loads(content.decode("utf-8", "strict"))["seed"]["value"] == SEED.value


def test_csv_has_a_line_for_each_indicator() -> None:
    rows = lines(csv.encoded(whole()))
    assert list(rows[0]) == list(csv.COLUMNS)
    by_value = {row["value"]: row for row in rows}
    assert len(by_value) == len(rows) == len(whole().nodes) + len(whole().suppressed)
    seed, url, file = by_value["203.0.113.66"], by_value["http://cdn.example/load?x=1"], by_value["a" * 64]
    assert (seed["relation"], seed["level"], seed["score"]) == ("seed", "malicious", "75")
    assert (url["relation"], url["via"], url["seed"]) == ("hosts", "", "203.0.113.66; panel.example")
    assert (url["first_seen"], url["last_seen"]) == ("2026-01-01T00:00:00Z", "2026-01-05T00:00:00Z")
    assert (url["providers"], url["tags"]) == ("URLhaus; VirusTotal", "elf; mirai")
    assert (file["via"], file["pyramid"]) == ("http://cdn.example/load?x=1", "hash")
    assert by_value["example.org"]["suppressed"] == "top names: everyone asks for it"
    assert by_value["loose.example"]["score"] == "-40", "a score is a number, not a formula"


@pytest.mark.parametrize(
    "start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff20x"]
)
def test_no_cell_begins_like_a_formula(start: str) -> None:
    assert csv.cell(start).startswith("'")


def test_no_cell_of_a_hostile_report_begins_like_a_formula_or_hides_anything() -> None:
    for row in lines(csv.encoded(hostile())):
        for name, text in row.items():
            if name != "score":
                assert not text.startswith(("=", "+", "-", "@", "\t", "\r")), (name, text)
            assert text == visible(text), (name, text)


def test_what_was_there_stays_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_whole(path, b"first")

    def fails(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match="no space"):
        write_whole(path, b"second")
    assert path.read_bytes() == b"first"
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_the_umask_holds(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_whole(tmp_path / "file", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_visible_shows_what_is_not_seen() -> None:
    assert visible("a\x1b[31m\u202eb\u200bc\nd\x9b") == "a\\x1b[31m\\u202eb\\u200bc\\x0ad\\x9b"
    assert visible("größe пример 例え 👍 [red]") == "größe пример 例え 👍 [red]"
    for text in HOSTILE:
        assert all(char.isprintable() for char in visible(text)), text


def test_shortened_keeps_both_ends() -> None:
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("a" * 50 + "b" * 50, 11) == "aaaaaa…bbbb"


def test_a_report_of_a_seed_alone_can_be_written() -> None:
    assert len(lines(csv.encoded(report([Node(SEED)], [], [SEED])))) == 1
