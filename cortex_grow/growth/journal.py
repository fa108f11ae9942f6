"""The journal of a run: every question is written before it is asked and after it is answered.

One SQLite file in the run's folder. A run that was killed goes on from it: answered questions are read back, those that
were in flight are asked again.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cortex_grow.growth.frontier import Task
from cortex_grow.model.indicator import Indicator
from cortex_grow.model.report import Report

NAME = "journal.sqlite"
_TABLES = """
create table if not exists run (name text primary key, value text not null);
create table if not exists job (
    id text primary key, source text not null, type text not null, value text not null, attributes text not null,
    depth integer not null, state text not null, report blob, why text, asked_at real, answered_at real
);
"""


class JournalError(RuntimeError):
    """A journal that cannot be opened or written; the text names it and says what to do."""


class Journal:
    """The journal in ``folder``, made where there is none. Used from one thread.

    ``redact`` takes secrets out of a tree of texts; every answer goes through it before it is written.
    """

    def __init__(self, folder: Path, redact: Callable[[Any], Any] | None = None) -> None:
        self.path = folder / NAME
        self.redact = redact or (lambda tree: tree)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, isolation_level=None)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("pragma synchronous=normal")
            self._db.executescript(_TABLES)
        except (OSError, sqlite3.Error) as error:
            raise JournalError(f"{self.path}: {error}; is the place writable and not full?") from error

    def settings(self) -> dict[str, Any]:
        """What was noted of the run (budget, sources, seeds)."""
        return {name: json.loads(value) for name, value in self._db.execute("select name, value from run")}

    def note(self, values: Mapping[str, Any]) -> None:
        """Note something of the run."""
        rows = [(name, json.dumps(value)) for name, value in values.items()]
        self._db.executemany("insert or replace into run values (?, ?)", rows)

    def sent(self, task: Task, when: float) -> None:
        """Write a question before it is asked."""
        self._db.execute(
            "insert or replace into job values (?, ?, ?, ?, ?, ?, 'sent', null, null, ?, null)",
            (
                task.id,
                task.source,
                task.indicator.type,
                task.indicator.value,
                json.dumps(dict(task.indicator.attributes)),
                task.depth,
                when,
            ),
        )

    def answered(self, task: Task, report: Report, when: float) -> None:
        """Write the answer to a question."""
        packed = zlib.compress(json.dumps(self.redact(report.to_dict())).encode(), 1)
        self._db.execute("update job set state='answered', report=?, answered_at=? where id=?", (packed, when, task.id))

    def failed(self, task: Task, why: str, when: float) -> None:
        """Write that a question failed; it is asked again when the run goes on."""
        self._db.execute("update job set state='failed', why=?, answered_at=? where id=?", (why, when, task.id))

    def unsent(self, task: Task) -> None:
        """Take back a question that was not asked after all."""
        self._db.execute("delete from job where id=?", (task.id,))

    def answers(self) -> Iterator[tuple[Task, Report]]:
        """Every answered question with its answer, in the order of asking."""
        rows = self._db.execute(
            "select source, type, value, attributes, depth, report from job where state='answered' order by rowid"
        )
        for source, type_, value, attributes, depth, packed in rows.fetchall():
            task = Task(source, Indicator(type_, value, json.loads(attributes)), depth)
            yield task, Report.from_dict(json.loads(zlib.decompress(packed)))

    def counts(self) -> dict[str, int]:
        """How many questions stand in which state."""
        return dict(self._db.execute("select state, count(*) from job group by state"))

    def close(self) -> None:
        """Close the file."""
        self._db.close()
