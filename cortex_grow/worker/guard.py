"""The end of a job that does not end by itself: its own deadline, and SIGTERM.

A thread waits for either, writes the failure and ends the process, whatever the main thread hangs in. SIGTERM is
blocked in every thread so that only this one receives it.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def guard(seconds: float, fail: Callable[[str], object], source: str) -> threading.Event:
    """Watch the process for ``seconds``; ``fail`` writes the failure it is given. Set the event to stop watching."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    over = threading.Event()

    def watch() -> None:
        got = signal.sigtimedwait(SIGNALS, max(0.1, seconds))
        if over.is_set():
            return
        if got is None:
            fail(f"{source}: no result within its deadline of {seconds:g} seconds (setting deadline); nothing was kept")
        else:
            name = signal.Signals(got.si_signo).name
            fail(f"{source}: stopped by {name} before it had a result; Cortex's job timeout may be below the deadline")
        os._exit(1)

    threading.Thread(target=watch, name="guard", daemon=True).start()
    return over
