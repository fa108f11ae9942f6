"""``cortex-grow run``: one source, one indicator."""

from __future__ import annotations

from pathlib import Path

from cortex_grow.cli.show import show
from cortex_grow.cli.terminal import Terminal
from cortex_grow.cli.work import UsageError, configured, opened
from cortex_grow.cli.work import pap as pap_of
from cortex_grow.cli.work import tlp as tlp_of
from cortex_grow.model.detect import detect
from cortex_grow.model.fangs import refang
from cortex_grow.model.indicator import Indicator, InvalidIndicator
from cortex_grow.model.report import Report
from cortex_grow.source import registry
from cortex_grow.source.base import Source
from cortex_grow.source.run import answer
from cortex_grow.source.settings import Settings

DEADLINE = 240
READ_SIZE = 1024 * 1024


def ask(
    terminal: Terminal,
    config_file: Path | None,
    name: str,
    value: str | None,
    file: Path | None,
    type: str | None,
    tlp: str,
    pap: str,
    as_json: bool,
) -> int:
    """Ask and print; 0, whether or not the source knows the indicator. Raises what asking raises."""
    declaration = registry.named(name)
    worker = registry.load(declaration)
    if not issubclass(worker, Source):
        what = "asks all sources: use cortex-grow grow" if hasattr(worker, "grow") else "is no source"
        raise UsageError(f"{declaration.name} {what}")
    if (value is None) == (file is None):
        raise UsageError("give one indicator, or --file with a file")
    seed = hashed(file) if file is not None else indicator(str(value), type)
    if seed.type not in declaration.types:
        taken = ", ".join(declaration.types)
        raise UsageError(f"{declaration.name} does not answer for {seed.type} ({seed.value}); it takes {taken}")
    config = configured(config_file, terminal)
    settings = Settings(config.values(declaration), declaration)
    seconds = settings.number("deadline", DEADLINE, low=1)
    job = opened(config, terminal, seconds, tlp_of(tlp), pap_of(pap), file)
    report = answer(worker, seed, settings, job)
    report = Report.from_dict(config.redactor().redact_tree(report.to_dict()))
    if as_json:
        terminal.json(report.to_dict())
    else:
        for line in report.headlines:
            terminal.say((f"{line.namespace}: ", "dim"), f"{line.predicate} {line.value}")
        show(report, terminal, tables=True)
    return 0


def indicator(text: str, type: str | None) -> Indicator:
    """A value of the command line. Raises :class:`~cortex_grow.model.indicator.InvalidIndicator`."""
    if type is None:
        return detect(text)
    try:
        return Indicator.parse(type, text)
    except InvalidIndicator:
        return Indicator.parse(type, refang(text, type))


def hashed(file: Path) -> Indicator:
    """A file by its digests, read in pieces; it never leaves. Raises :class:`UsageError` for what is no file."""
    import hashlib

    if not file.is_file():
        raise UsageError(f"{file}: there is no such file")
    digests = {kind: hashlib.new(kind, usedforsecurity=False) for kind in ("md5", "sha1", "sha256")}
    size = 0
    with file.open("rb") as opened_file:
        while piece := opened_file.read(READ_SIZE):
            size += len(piece)
            for digest in digests.values():
                digest.update(piece)
    values = {kind: digest.hexdigest() for kind, digest in digests.items()}
    return Indicator.file(**values, filename=file.name, size=str(size))
