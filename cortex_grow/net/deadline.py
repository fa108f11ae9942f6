"""The time that a job has left: one object, handed down to everything that may wait."""

from __future__ import annotations

import math
import threading
import time

from .errors import DeadlineError


class Deadline:
    """``seconds`` from now (None: no end). It never gets longer; a clock that is set anew does not touch it.

    May be shared between threads. :meth:`cancel` ends it at once, and with it every :meth:`sleep`.
    """

    __slots__ = ("_cancelled", "_end", "_total")

    def __init__(self, seconds: float | None) -> None:
        if seconds is not None and not seconds >= 0:
            raise ValueError(f"a deadline is a number of seconds from now, not {seconds!r}")
        self._total = math.inf if seconds is None else float(seconds)
        self._end = time.monotonic() + self._total
        self._cancelled = threading.Event()

    def left(self) -> float:
        """Seconds left: 0.0 when it is over, ``inf`` when there is no end."""
        if self._cancelled.is_set():
            return 0.0
        return max(0.0, self._end - time.monotonic())

    def check(self, source: str = "", doing: str = "", host: str | None = None) -> None:
        """Raise :class:`DeadlineError` when the time is over."""
        if self.left() <= 0:
            raise self.error(source, doing, host)

    def error(self, source: str = "", doing: str = "", host: str | None = None) -> DeadlineError:
        """The error to raise when the time is over while ``doing`` something."""
        while_doing = f" while {doing}" if doing else ""
        if self._cancelled.is_set():
            return DeadlineError(source, f"the work was cancelled{while_doing}", host=host)
        what = f"the time of {self._total:.3g} s is over{while_doing}"
        return DeadlineError(source, what, host=host, advice="Ask again, or give it more time (setting `deadline`)")

    def within(self, seconds: float) -> Deadline:
        """A deadline for a part of the work: ``seconds`` from now, never later than this one; cancelled with it."""
        part = Deadline(max(0.0, min(seconds, self.left())))
        part._total, part._cancelled = self._total, self._cancelled
        return part

    def sleep(self, seconds: float) -> None:
        """Wait, no longer than there is time; returns at once when cancelled."""
        self._cancelled.wait(max(0.0, min(seconds, self.left(), threading.TIMEOUT_MAX)))

    def cancel(self) -> None:
        """End it now, for all who hold it."""
        self._cancelled.set()
