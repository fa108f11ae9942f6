"""What the commands share: the configuration read, the circumstances of a question opened, TLP and PAP understood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cortex_grow.cli.config import Config, load
from cortex_grow.cli.terminal import Terminal
from cortex_grow.source.base import Job
from cortex_grow.source.declaration import Declaration
from cortex_grow.source.settings import Settings

_TLP = {"clear": 0, "white": 0, "green": 1, "amber": 2, "amber+strict": 3, "strict": 3, "red": 4}
_PAP = {"clear": 0, "white": 0, "green": 1, "amber": 2, "red": 3}


class UsageError(ValueError):
    """What was asked for cannot be done as it was asked; the text says why."""


def configured(path: Path | None, terminal: Terminal, environ: Mapping[str, str] | None = None) -> Config:
    """The configuration; its warnings are told, its secrets taken out of everything that is said from now on."""
    from cortex_grow.growth.sources import sources

    config = load(sources(), path, environ)
    terminal.redact = config.redactor()
    for warning in config.warnings:
        terminal.warn(warning)
    return config


def common_settings(config: Config) -> Settings:
    """The settings that hold for every source, with their defaults."""
    from cortex_grow.cli.config import common_items

    defaults = {name: item.default for name, item in common_items().items() if item.default is not None}
    return Settings({**defaults, **{name: entry.value for name, entry in config.common.items()}})


def opened(config: Config, terminal: Terminal, seconds: float, tlp: int, pap: int, file: Path | None = None) -> Job:
    """The circumstances of all questions: shared state, hygiene, own assets, TLP and PAP."""
    from cortex_grow.source.circumstances import open_job

    job = open_job(common_settings(config), seconds)
    for problem in job.assets.problems:
        terminal.warn(str(problem))
    return replace(job, tlp=tlp, pap=pap, file=file)


def of_run(config: Config, declaration: Declaration) -> dict[str, Any]:
    """What a source is told in a run of many questions: it says at once when no call is left, and the run waits."""
    return {**config.values(declaration), "quota_wait": 0}


def tlp(text: str) -> int:
    """A TLP by name or number: clear, green, amber, amber+strict, red; 0 to 4. Raises :class:`UsageError`."""
    return _level(text, "tlp", _TLP, 4)


def pap(text: str) -> int:
    """A PAP by name or number: clear, green, amber, red; 0 to 3. Raises :class:`UsageError`."""
    return _level(text, "pap", _PAP, 3)


def _level(text: str, scale: str, names: Mapping[str, int], highest: int) -> int:
    word = text.strip().lower().removeprefix(f"{scale}:").strip()
    if word.isdecimal() and word.isascii() and int(word) <= highest:
        return int(word)
    if word in names:
        return names[word]
    raise UsageError(f"--{scale} is one of {', '.join(dict.fromkeys(names))} or 0 to {highest}, not {text[:40]!r}")


def number_of_calls(texts: list[str], known: list[Declaration]) -> dict[str, int]:
    """``--calls``: a number for every source, or ``Source=number``. Raises :class:`UsageError`."""
    from cortex_grow.source.registry import UnknownWorkerError, named

    calls: dict[str, int] = {}
    for text in texts:
        source, equals, number = text.rpartition("=")
        if not (number.isascii() and number.isdecimal()) or len(number) > 9:
            raise UsageError(f"--calls is a number or Source=number, not {text[:60]!r}")
        if not equals:
            calls["*"] = int(number)
            continue
        try:
            declaration = named(source)
        except UnknownWorkerError as error:
            raise UsageError(f"--calls {text[:60]}: {error}") from None
        if declaration not in known:
            raise UsageError(f"--calls {text[:60]}: {declaration.name} is no source")
        calls[declaration.name] = int(number)
    return calls
