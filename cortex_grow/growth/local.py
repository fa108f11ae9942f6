"""The local runner: the sources of the pack in threads of this process, with no Cortex at all."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from cortex_grow.growth.frontier import Task
from cortex_grow.model.report import Report
from cortex_grow.net.deadline import Deadline
from cortex_grow.net.errors import SourceError
from cortex_grow.source.base import Job, Source
from cortex_grow.source.declaration import Declaration
from cortex_grow.source.run import answer
from cortex_grow.source.settings import Settings

DEADLINE = 120
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ready:
    """A source ready to be asked: its declaration, its class and its settings."""

    declaration: Declaration
    source: type[Source]
    settings: Settings


class LocalRunner:
    """Asks sources in threads. A thread keeps its source objects, and with them their connections."""

    def __init__(self, sources: Mapping[str, Ready], job: Job, concurrency: int = 8) -> None:
        self.sources = sources
        self.job = job
        self.concurrency = concurrency
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="grow")
        self._own = threading.local()

    def submit(self, task: Task, seconds: float) -> Future[Report]:
        """Ask; the answer comes as a future, which raises what :func:`~cortex_grow.source.run.answer` raises."""
        return self._pool.submit(self._ask, task, seconds)

    def _ask(self, task: Task, seconds: float) -> Report:
        ready = self.sources[task.source]
        seconds = min(seconds, ready.settings.number("deadline", DEADLINE, low=1))
        job = replace(self.job, deadline=Deadline(seconds))
        kept: dict[str, Source] = self._own.__dict__.setdefault("sources", {})
        source = kept.get(task.source)
        if source is None:
            source = kept[task.source] = ready.source(ready.settings, job)
        try:
            return answer(source, task.indicator, ready.settings, job)
        except SourceError:
            raise
        except Exception as error:  # a fault of one mapping must not end a run of thousands
            log.exception("%s failed on %s", task.source, task.indicator.id)
            raise SourceError(task.source, f"failed: {type(error).__name__}: {error}") from error

    def close(self, wait: bool = True) -> None:
        """Let go of the threads; those that still ask end with their deadlines."""
        self._pool.shutdown(wait=wait, cancel_futures=True)
