"""What a terminal is sent: a hostile report on one that understands everything."""

from __future__ import annotations

import io
import logging
import re

import pytest
from rich.console import Console

from cortex_grow.cli.show import show
from cortex_grow.cli.terminal import Terminal, log_to
from cortex_grow.model.report import Report
from cortex_grow.net.redact import Redactor
from cortex_grow.share.text import visible
from tests.share.reports import HOSTILE, hostile, whole

STYLE = re.compile(r"\x1b\[[0-9;]*m")


def sent(report: Report, monkeypatch: pytest.MonkeyPatch, *, fancy: bool = True, secrets: tuple[str, ...] = ()) -> str:
    """Everything that is written for a report, on a terminal of 80 columns with colours."""
    terminal = Terminal()
    terminal.redact = Redactor(secrets)
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, color_system="truecolor", width=80, markup=False, highlight=False)
    monkeypatch.setattr(Terminal, "out", console)
    monkeypatch.setattr(Terminal, "fancy", fancy)
    show(report, terminal, tables=True)
    return file.getvalue()


def test_nothing_of_a_hostile_report_drives_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    text = sent(hostile(), monkeypatch)
    assert STYLE.search(text), "the pack's own colours are there"
    plain = STYLE.sub("", text)
    assert all(char.isprintable() or char == "\n" for char in plain)
    for value in ("[red]markup[/red] :smile:", "\\x1b[31mred", "\\u202egnp.exe", "{{7*7}}"):
        assert value in plain
    assert "\x1b[31m" not in text


def test_a_report_as_a_person_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = STYLE.sub("", sent(whole(), monkeypatch))
    assert plain.startswith("203[.]0[.]113[.]66  ip  malicious +75  4 related: ")
    for line in (
        "│  +75 15 of 20 engines call it malicious",
        "├─ hosts",
        "│  └─ hxxp://cdn[.]example/load?x=1  url  suspicious +60  2026-01-01 to 2026-01-05 · URLhaus, VirusTotal",
        "not followed: too many",
        "   └─ 1 suppressed as noise",
        "1 more that nothing joins to these any more",
        "  VirusTotal_Pivot: premium only (2 times)",
    ):
        assert line in plain


def test_a_terminal_of_few_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    STYLE.sub("", sent(whole(), monkeypatch, fancy=False)).encode("ascii")


def test_secrets_are_taken_out_of_all_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "smokeloader" in sent(whole(), monkeypatch)
    assert "smokeloader" not in sent(whole(), monkeypatch, secrets=("smokeloader",))


def test_every_hostile_text_is_shown_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = STYLE.sub("", sent(hostile(), monkeypatch))
    for value in HOSTILE:
        assert visible(value)[:30] in plain


def test_logs_are_shown_where_they_are_wanted_without_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging, "root", logging.RootLogger(logging.WARNING))
    for wanted in (False, True):
        terminal = Terminal()
        terminal.redact = Redactor(["a-secret-key"])
        monkeypatch.setattr(logging.root, "handlers", [])
        log_to(terminal, wanted)
        try:
            raise ValueError("wrong: a-secret-key \x1b[31m")
        except ValueError:
            logging.getLogger().exception("failed")
        err = capsys.readouterr().err
        assert ("Traceback" in err) is wanted and "a-secret-key" not in err and "\x1b" not in err
