"""What counts as five failures in a row: an answer in between, even a refusal, shows that the source is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from cortex_grow.model.indicator import Indicator
from cortex_grow.net.errors import BlockedError, RefusedError, SourceError, UnreachableError
from cortex_grow.source import registry
from cortex_grow.source.base import Question
from cortex_grow.source.circumstances import open_job
from cortex_grow.source.run import Asking
from cortex_grow.source.settings import Settings

DOWN = UnreachableError("VirusTotal_Pivot", "no answer", host="vt.example", status=503)
NO = RefusedError("VirusTotal_Pivot", "the question is refused", host="vt.example", status=400)


def ask(asking: Asking, error: SourceError) -> None:
    def fetch() -> None:
        raise error

    with pytest.raises(type(error)):
        asking._part(Question("object", "q", fetch))


def asking(folder: Path) -> Asking:
    declaration = registry.named("VirusTotal_Pivot")
    settings = Settings({"state_dir": str(folder), "quota_minute": 0, "quota_day": 0, "quota_month": 0}, declaration)
    one = Asking(registry.load(declaration), Indicator("domain", "evil.example"), settings, open_job(settings, 30))
    one.credential = "vt:test"
    return one


def test_five_failures_in_a_row_open_it(tmp_path: Path) -> None:
    one = asking(tmp_path)
    for _ in range(5):
        ask(one, DOWN)
    with pytest.raises(BlockedError):
        one._part(Question("object", "q", dict))


def test_a_refusal_in_between_is_an_answer(tmp_path: Path) -> None:
    one = asking(tmp_path)
    for error in (DOWN, DOWN, DOWN, DOWN, NO, DOWN):
        ask(one, error)
    assert one._part(Question("object", "q", lambda: {"known": True})).body == {"known": True}
