"""``indicators.csv``: one line for each indicator of a run, for a spreadsheet or a script (RFC 4180, UTF-8).

A spreadsheet evaluates a cell that begins like a formula (OWASP, "CSV Injection"): such a cell gets an apostrophe in
front. Scores are numbers and stay so.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from cortex_grow.model.report import Report
from cortex_grow.model.tree import forest
from cortex_grow.share.files import write_whole
from cortex_grow.share.lines import lines
from cortex_grow.share.text import visible

NAME = "indicators.csv"
COLUMNS = (
    "seed",
    "type",
    "value",
    "pyramid",
    "level",
    "score",
    "relation",
    "via",
    "first_seen",
    "last_seen",
    "providers",
    "tags",
    "suppressed",
)
SEED = "seed"
BETWEEN = "; "
# The last four are the full-width forms, which some spreadsheets take for the plain ones.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def cell(text: str) -> str:
    """``text`` as a spreadsheet shows it and never evaluates it; what is not seen becomes an escape."""
    return f"'{visible(text)}" if text.startswith(_FORMULA) else visible(text)


def encoded(report: Report) -> bytes:
    """The whole file. ``seed`` names every seed that the indicator hangs below, ``via`` what stands in between."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for line in lines(report, forest(report)):
        indicator = line.node.indicator
        said = bool(line.node.terms)
        row = {
            "seed": BETWEEN.join(seed.value for seed in line.seeds),
            "type": indicator.type,
            "value": indicator.value,
            "pyramid": indicator.pyramid,
            "level": line.verdict.level if said else "",
            "relation": SEED if line.is_seed else BETWEEN.join(line.relations),
            "via": line.via.value if line.via else "",
            "first_seen": line.first_seen,
            "last_seen": line.last_seen,
            "providers": BETWEEN.join(line.providers),
            "tags": BETWEEN.join(line.node.tags),
            "suppressed": line.suppressed,
        }
        score: int | str = line.verdict.score if said else ""
        writer.writerow(score if name == "score" else cell(row[name]) for name in COLUMNS)
    return out.getvalue().encode("utf-8", "replace")


def write(report: Report, path: Path) -> None:
    """Write the file, whole. Raises :class:`OSError`."""
    write_whole(path, encoded(report))
