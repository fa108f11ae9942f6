"""``cortex-grow grow``: the engine on the local runner, its folder of results, going on after a crash."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from cortex_grow import __version__
from cortex_grow.cli.config import Config
from cortex_grow.cli.inputs import Inputs
from cortex_grow.cli.progress import Meter, Stop
from cortex_grow.cli.show import show
from cortex_grow.cli.terminal import Terminal
from cortex_grow.cli.work import UsageError, common_settings, of_run, opened
from cortex_grow.growth.budget import Budget
from cortex_grow.growth.engine import NAME, Engine
from cortex_grow.growth.journal import NAME as JOURNAL
from cortex_grow.growth.journal import Journal
from cortex_grow.growth.local import LocalRunner, Ready
from cortex_grow.growth.sources import chosen
from cortex_grow.model.indicator import Indicator
from cortex_grow.model.report import Node, Report, Skipped, Source
from cortex_grow.net.errors import SourceError
from cortex_grow.share import csv, graph_json, html
from cortex_grow.share.files import write_whole
from cortex_grow.share.summary import answered
from cortex_grow.source.base import Job

SKIPPED = "skipped.txt"
INDICATORS = 500
# Longest wait for the second call of a question whose first was answered: three windows of a minute.
PATIENCE = 180
TOLD = 5


@dataclass(frozen=True)
class Wishes:
    """What was wished of a run. ``indicators`` ``None``: 500, or as many as are given where that is more."""

    depth: int = 1
    indicators: int | None = None
    calls: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 3600
    concurrency: int = 8
    only: Sequence[str] = ()
    exclude: Sequence[str] = ()
    include: Sequence[str] = ()
    tlp: int = 2
    pap: int = 2

    def budget(self, seeds: int) -> Budget:
        """The bounds of the run."""
        indicators = max(INDICATORS, seeds) if self.indicators is None else self.indicators
        return Budget(self.depth, indicators, self.calls, self.seconds)


@dataclass(frozen=True)
class Prepared:
    """A run before its first question."""

    ready: Mapping[str, Ready]
    skipped: Sequence[Skipped]
    job: Job
    budget: Budget


def prepare(config: Config, terminal: Terminal, wishes: Wishes, seeds: int) -> Prepared:
    """Choose the sources and open their circumstances. Raises what unknown names and unusable settings raise."""
    ready, skipped = chosen(
        lambda declaration: of_run(config, declaration),
        include=wishes.include,
        exclude=wishes.exclude,
        only=wishes.only,
    )
    job = opened(config, terminal, wishes.seconds, wishes.tlp, wishes.pap)
    return Prepared(ready, skipped, replace(job, patience=PATIENCE), wishes.budget(seeds))


class Run:
    """One run in its folder. ``code`` after :meth:`grow` is the exit code."""

    def __init__(self, config: Config, terminal: Terminal, wishes: Wishes, folder: Path) -> None:
        self.config, self.terminal, self.wishes, self.folder = config, terminal, wishes, folder
        self.code = 0
        self.cut_off = False

    def grow(self, seeds: Sequence[Indicator], skipped_inputs: str = "") -> Report:
        """Ask, grow, write the folder. Raises before the first question where there is nobody to ask."""
        prepared = prepare(self.config, self.terminal, self.wishes, len(seeds))
        if not prepared.ready:
            why = "; ".join(f"{entry.source}: {entry.why}" for entry in prepared.skipped)
            raise UsageError(f"there is no source to ask: {why or 'none was left in'}")
        redactor = self.config.redactor()
        with _journal(self.folder, redactor.redact_tree) as journal:
            journal.note(
                {
                    "wishes": asdict(self.wishes),
                    "seeds": [[seed.type, seed.value, dict(seed.attributes)] for seed in seeds],
                    "version": __version__,
                    "skipped": skipped_inputs,
                }
            )
            if skipped_inputs:
                write_whole(self.folder / SKIPPED, skipped_inputs.encode("utf-8", "replace"))
            report = self._run(seeds, prepared, journal)
        report = Report.from_dict(redactor.redact_tree(report.to_dict()))
        self._write(report)
        return report

    def _run(self, seeds: Sequence[Indicator], prepared: Prepared, journal: Journal) -> Report:
        stop = Stop()
        meter = Meter(self.terminal, stop)
        runner = LocalRunner(prepared.ready, prepared.job, self.wishes.concurrency)
        engine = Engine(
            {name: entry.declaration for name, entry in prepared.ready.items()},
            runner,
            prepared.budget,
            skipped=prepared.skipped,
            journal=journal,
            listen=meter,
            name=Source(NAME, __version__),
            thresholds=common_settings(self.config).thresholds,
        )
        try:
            with stop.listening(), meter.shown():
                report = engine.run(seeds)
        except SourceError:
            report = _failed(engine, seeds)
        self.cut_off = bool(stop.number)
        self.code = stop.code if stop.number else 0 if answered(report) else 1
        return report

    def _write(self, report: Report) -> None:
        made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
        notes = ("The run was stopped before it was over: this is what it had by then.",) if self.cut_off else ()
        graph_json.write(report, self.folder / graph_json.NAME)
        csv.write(report, self.folder / csv.NAME)
        html.write(report, self.folder / html.NAME, made, notes)


def _failed(engine: Engine, seeds: Sequence[Indicator]) -> Report:
    """The report of a run in which every question failed: what was asked, and each failure."""
    return Report(
        source=engine.name,
        seeds=tuple(seeds),
        nodes={seed.id: Node(seed) for seed in seeds},
        partial=tuple(engine.partial),
        skipped=tuple(engine.skipped),
        provenance=tuple(engine.failed),
        thresholds=engine.thresholds,
    )


@contextmanager
def _journal(folder: Path, redact: Any) -> Iterator[Journal]:
    """The journal of a folder, held alone: two runs in one folder would ask everything twice."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    held = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{folder}: another cortex-grow is at work in this folder") from None
        except OSError:
            pass  # a file system without locks
        journal = Journal(folder, redact)
        try:
            yield journal
        finally:
            journal.close()
    finally:
        os.close(held)


def resumed(folder: Path) -> tuple[list[Indicator], dict[str, Any], str]:
    """Seeds, wishes and skipped inputs of an earlier run. Raises :class:`UsageError` where there was none."""
    if not (folder / JOURNAL).is_file():
        raise UsageError(f"{folder} holds no {JOURNAL}: there is no run to go on with")
    journal = Journal(folder)
    try:
        noted = journal.settings()
    finally:
        journal.close()
    if not noted.get("seeds"):
        raise UsageError(f"{folder / JOURNAL} does not say what the run started from: start anew")
    seeds = [Indicator(type, value, attributes) for type, value, attributes in noted["seeds"]]
    return seeds, dict(noted.get("wishes", {})), str(noted.get("skipped", ""))


def new_folder(out: Path | None, seed: Indicator, prefix: str = "") -> Path:
    """Where a new run goes: ``out``, which must hold no run yet, or ``runs/<UTC time>-<first seed>``."""
    if out is not None:
        if (out / JOURNAL).exists():
            raise UsageError(f"{out} holds a run already: --resume {out} goes on with it, or name another folder")
        if out.exists() and not out.is_dir():
            raise UsageError(f"{out} is not a folder")
        return out
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", seed.value).strip("-.")[:48] or seed.type
    base = Path("runs") / f"{prefix}{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{name}"
    folder, number = base, 1
    while folder.exists():
        number += 1
        folder = base.with_name(f"{base.name}-{number}")
    return folder


def tell_inputs(inputs: Inputs, terminal: Terminal, folder: Path | None) -> None:
    """Say what of the input was left out, and why."""
    if inputs.repeated:
        terminal.tell((f"{inputs.repeated} given more than once, asked about once", "dim"))
    if not inputs.skipped_count:
        return
    terminal.tell(f"{inputs.skipped_count} skipped:")
    for left in inputs.skipped[:TOLD]:
        terminal.tell(("  ", ""), (f"{left.where}: ", "dim"), f"'{left.text[:80]}' {left.why}")
    more = inputs.skipped_count - min(TOLD, len(inputs.skipped))
    if more:
        where = f", all in {folder / SKIPPED}" if folder else ""
        terminal.tell((f"  and {more} more{where}", "dim"))


def tell_result(run: Run, report: Report, terminal: Terminal, as_json: bool) -> None:
    """Print what grew and where it lies."""
    if as_json:
        terminal.json(report.to_dict())
    elif not terminal.quiet:
        show(report, terminal)
    if run.cut_off:
        terminal.err.print(
            terminal.text(
                f"Stopped. What there is by now lies in {run.folder}; cortex-grow grow --resume {run.folder}"
            ),
            soft_wrap=True,
        )
    elif run.code:
        terminal.error(f"no question was answered; cortex-grow grow --resume {run.folder} asks again")
    place = str(run.folder / html.NAME)
    if as_json:
        terminal.tell(f"The report: {place}")
    else:
        terminal.say("The report: " if not terminal.quiet else "", place)
