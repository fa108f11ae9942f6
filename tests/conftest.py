"""One list at the end of what was skipped; with ``CI`` set, a skip that ``allowed_skips.txt`` does not allow fails."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings

# No test asserts a time; in CI the examples are the same each time, so that a red run can be told from a slow machine.
settings.register_profile("pack", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("pack"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "pack")

ALLOWED = Path(__file__).with_name("allowed_skips.txt")
AnyReport = TypeVar("AnyReport", pytest.TestReport, pytest.CollectReport)


def allowed_skips(lines: Iterable[str]) -> tuple[str, ...]:
    """The beginnings of test ids and of reasons that may be skipped, each given as ``beginning | why``."""
    found = []
    for line in lines:
        if line.strip() and not line.startswith("#"):
            what, bar, why = (part.strip() for part in line.partition(" | "))
            if not (what and bar and why):
                raise pytest.UsageError(f"{ALLOWED.name}: {line!r} is not 'beginning of a test id or reason | why'")
            found.append(what)
    return tuple(found)


def reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why a test or module was skipped or was expected to fail, on one line."""
    expected = getattr(report, "wasxfail", None)
    if expected is not None:
        return f"expected to fail: {expected or 'no reason given'}"
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return " ".join(text.removeprefix("Skipped:").split()) or "no reason given"


_RULE = pytest.StashKey[tuple[str, ...] | None]()


def pytest_configure(config: pytest.Config) -> None:
    ci = os.environ.get("CI", "").lower() not in ("", "0", "false")
    config.stash[_RULE] = allowed_skips(ALLOWED.read_text().splitlines()) if ci else None


def _judged(report: AnyReport, config: pytest.Config) -> AnyReport:
    allowed = config.stash[_RULE]
    if report.skipped and allowed is not None:
        why = reason(report)
        if not report.nodeid.startswith(allowed) and not why.startswith(allowed):
            report.outcome = "failed"
            report.longrepr = f"{report.nodeid} was skipped, which tests/{ALLOWED.name} does not allow: {why}"
    return report


# Both run inside the worker processes of xdist too, outside of what turns an expected failure into a skip.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _judged((yield), item.config)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _judged((yield), collector.config)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    by_reason: dict[str, list[str]] = defaultdict(list)
    for report in (*terminalreporter.stats.get("skipped", ()), *terminalreporter.stats.get("xfailed", ())):
        by_reason[reason(report)].append(report.nodeid)
    if by_reason:
        terminalreporter.section("skipped, and why")
        for why, ids in sorted(by_reason.items()):
            terminalreporter.write_line(f"{len(ids)} x {why}")
            for name in sorted({nodeid.partition("::")[0] for nodeid in ids}):
                terminalreporter.write_line(f"      {name}")
