"""How a run stands, while it runs: a few live lines on a terminal, else a line every ten seconds."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from cortex_grow.cli.terminal import Terminal
from cortex_grow.growth.engine import Progress

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

EVERY = 10.0


class Stop:
    """Notes SIGINT and SIGTERM instead of raising in the middle of something; a second one ends the process at once.

    ``number`` is the signal that came, 0 before.
    """

    def __init__(self) -> None:
        self.number = 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Note signals inside of the block."""
        before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.number:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.number = number

    @property
    def code(self) -> int:
        """The exit code of a process that this signal ended."""
        return 128 + self.number


class Meter:
    """Shows progress; raises :class:`KeyboardInterrupt` between two steps of the engine once ``stop`` was told to."""

    def __init__(self, terminal: Terminal, stop: Stop) -> None:
        self.terminal, self.stop = terminal, stop
        self._began = self._told = time.monotonic()
        self._live: Live | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show progress inside of the block; nothing of it stays on a terminal."""
        if self.terminal.quiet or not self.terminal.err.is_terminal:
            yield
            return
        from rich.live import Live

        with Live(console=self.terminal.err, transient=True, refresh_per_second=4) as self._live:
            yield
        self._live = None

    def __call__(self, progress: Progress) -> None:
        """Take in how the run stands."""
        if self.stop.number:
            raise KeyboardInterrupt
        now = time.monotonic()
        if self._live is not None:
            self._live.update(self._lines(progress))
        elif not self.terminal.quiet and now - self._told >= EVERY:
            self._told = now
            self.terminal.tell("; ".join([self._counts(progress), *waiting(progress.sleeping, progress.quota_left)]))

    def _counts(self, progress: Progress) -> str:
        seconds = int(time.monotonic() - self._began)
        failed = f", {progress.failed} failed" if progress.failed else ""
        return (
            f"{seconds // 60}:{seconds % 60:02d}  {progress.answered} of {progress.asked + progress.waiting} questions "
            f"answered{failed}, {progress.nodes} indicators"
        )

    def _lines(self, progress: Progress) -> Text:
        made = self.terminal.text(self._counts(progress))
        for words in waiting(progress.sleeping, progress.quota_left):
            made.append("\n  ")
            made.append_text(self.terminal.text((words, "dim")))
        return made


def waiting(sleeping: Mapping[str, float], left: Mapping[str, int]) -> list[str]:
    """By source: what is left of its quota, and until when it is waited for."""
    told = []
    for source in sorted({*sleeping, *left}):
        words = [f"{left[source]} calls left"] if source not in sleeping else []
        if source in sleeping:
            wakes = time.strftime("%H:%M:%S", time.localtime(sleeping[source]))
            words.append(f"waits for a free call until {wakes} ({max(0, sleeping[source] - time.time()):.0f} s)")
        told.append(f"{source}: {', '.join(words)}")
    return told
