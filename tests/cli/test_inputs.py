"""What a run starts from: hostile and odd files."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from cortex_grow.cli import inputs
from cortex_grow.cli.inputs import InputError, decoded, read
from cortex_grow.lab import Lab
from tests.cli.conftest import Shell

IOC = "203[.]0[.]113[.]66"


def values(path: Path) -> list[str]:
    return [seed.value for seed in read([], [str(path)]).seeds]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_texts_as_editors_save_them(tmp_path: Path, encoding: str, end: str) -> None:
    path = tmp_path / "list"
    path.write_bytes(f"gesehen für Müller: {IOC}{end}198.51.100.23{end}999.9.9.9{end}".encode(encoding))
    found = read([], [str(path)])
    assert [seed.value for seed in found.seeds] == ["203.0.113.66", "198.51.100.23"]
    assert found.skipped[0].where == f"{path}:3"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"MZ\x90\0\x03\0\0\0", "is binary"),
        (b"203.0.113.66\n\0198.51.100.23\n", "is binary"),
        (bytes(range(1, 32)) * 10, "is binary"),
        (random.Random(1).randbytes(4096), "is binary"),
        (b"\xff\xfeA", "begins like UTF-16 text and is none"),
    ],
)
def test_what_is_no_text_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says):
        decoded(content, "thing")


def test_too_large_a_file_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"1" * 100)
    monkeypatch.setattr(inputs, "LARGEST", 99)
    with pytest.raises(InputError, match="larger than 0 MiB; split it"):
        read([], [str(path)])


def test_folders_and_names_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        read([], [str(tmp_path)])
    with pytest.raises(InputError, match="there is no such file"):
        read([], [str(tmp_path / "nothing")])
    with pytest.raises(InputError, match="cannot be read"):
        read([], ["a\0b"])


@pytest.mark.parametrize(
    "piece", ["a" * 5_000_000, "http://" * 700_000, "1.2.3.4," * 600_000, "[.]" * 1_600_000, "a.b" * 1_600_000]
)
def test_one_line_of_five_megabytes_takes_no_longer_than_its_length(tmp_path: Path, piece: str) -> None:
    path = tmp_path / "line"
    path.write_text(f"{IOC} {piece} 198.51.100.23")
    began = time.monotonic()
    found = values(path)
    assert time.monotonic() - began < 30
    assert found[0] == "203.0.113.66" and found[-1] == ("198.51.100.23" if piece[0] != "[" else found[0])


def test_a_file_without_a_line_has_no_indicator(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert values(tmp_path / "empty") == []


def test_hostile_files_are_told_in_a_sentence(ready: Shell, lab: Lab) -> None:
    (ready.folder / "list").write_bytes(b"203.0.113.66\n")
    (ready.folder / "binary").write_bytes(b"\x7fELF\0\0\0")
    for name in ("binary", "home"):
        done = ready("grow", "-f", "list", "-f", name)
        assert (done.code, done.out) == (2, "") and name in done.err
    done = ready("grow", "-f", "-", stdin=b"203.0.113.66\0")
    assert (done.code, done.out) == (2, "") and "standard input: is binary" in done.err
    done = ready("grow", "-f", "-", "-f", "-")
    assert done.code == 2 and "give -f - once" in done.err
    assert not lab.requests, "nothing was asked"
