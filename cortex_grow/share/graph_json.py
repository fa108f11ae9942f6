"""``graph.json``: the report in its own shape (``cortex_grow/model/report.schema.json``), for programs."""

from __future__ import annotations

import json
from pathlib import Path

from cortex_grow.model.report import Report
from cortex_grow.share.files import write_whole

NAME = "graph.json"


def encoded(report: Report) -> bytes:
    """The report as strict JSON (RFC 8259) in UTF-8, with a line break at its end.

    Raises :class:`ValueError` for a number that JSON does not have. Halves of surrogate pairs, which no UTF-8 holds,
    become question marks.
    """
    text = json.dumps(report.to_dict(), ensure_ascii=False, allow_nan=False, indent=1)
    return text.encode("utf-8", "replace") + b"\n"


def write(report: Report, path: Path) -> None:
    """Write the file, whole. Raises :class:`OSError`."""
    write_whole(path, encoded(report))


def read(path: Path) -> Report:
    """Read it back. Raises :class:`OSError`, and :class:`ValueError` where it is no report of this version."""
    return Report.from_dict(json.loads(path.read_bytes()))
