"""Quota and breaker in one SQLite file (or in memory): counted in one transaction, so no call is lost or
counted twice."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Mapping
from typing import Any

from .deadline import Deadline
from .errors import BlockedError, QuotaError
from .state import CALENDAR, SLIDING, Left
from .state_sqlite import Database

#: What a service asks for at most: a broken clock on its side must not stop a source for a year.
LONGEST_BLOCK = 86400.0
#: Failures in a row after which a source is left alone, and how long the one who tries again may take.
FAILURES = 5
TRYING = 60.0

COUNTS = """
CREATE TABLE calls(credential TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX calls_by_credential ON calls(credential, at);
CREATE TABLE counts(credential TEXT, unit TEXT, start INTEGER NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY(credential, unit)) WITHOUT ROWID;
CREATE TABLE said(credential TEXT PRIMARY KEY, blocked REAL, remaining INTEGER, reset REAL) WITHOUT ROWID;
CREATE TABLE breakers(credential TEXT PRIMARY KEY, failures INTEGER NOT NULL, until REAL NOT NULL,
    trying REAL NOT NULL, why TEXT NOT NULL) WITHOUT ROWID;
"""

_Busy = tuple[float, str]


class SqliteQuota:
    """See :class:`cortex_grow.net.state.Quota`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(
        self,
        credential: str,
        limits: Mapping[str, int | None],
        wait: float = 0.0,
        deadline: Deadline | None = None,
        source: str = "",
    ) -> Left | None:
        """Count one call, or wait for a slot; see the interface."""
        units = checked(limits)
        deadline = deadline or Deadline(None)
        source = source or credential.partition(":")[0]
        patience = deadline.within(max(0.0, wait))
        while True:
            outcome = self._database.write(lambda connection: _take(connection, credential, units, time.time()))
            if not isinstance(outcome, tuple):
                return outcome
            at, why = outcome
            # Those who wait for the same slot wake one after the other.
            pause = max(0.0, at - time.time()) + random.uniform(0.001, 0.05)
            deadline.check(source, "waiting for a free call")
            if pause > patience.left():
                advice = "Raise `quota_wait` to wait longer, or the `quota_...` limits if the key allows more"
                raise QuotaError(source, why, retry_at=at, advice=advice)
            patience.sleep(pause)

    def left(self, credential: str, limits: Mapping[str, int | None]) -> Left | None:
        """What is left now; takes nothing."""
        units, now = checked(limits), time.time()
        return self._database.read(lambda connection: _left(connection, credential, units, now))

    def note(self, credential: str, remaining: int | None, reset: float | None = None) -> None:
        """What the service said."""
        if remaining is None and reset is None:
            return
        now = time.time()
        reset = now + 60.0 if reset is None else min(reset, now + LONGEST_BLOCK)
        blocked = reset if remaining is not None and remaining <= 0 else 0.0
        self._said(credential, blocked, None if remaining is None else max(0, remaining), reset)

    def block(self, credential: str, until: float) -> None:
        """No call before ``until``."""
        until = min(until, time.time() + LONGEST_BLOCK)
        self._said(credential, until, 0, until)

    def _said(self, credential: str, blocked: float, remaining: int | None, reset: float) -> None:
        # A block is never shortened: a late reply of another process may still tell of calls left.
        self._database.write(
            lambda connection: connection.execute(
                "INSERT INTO said VALUES(?, ?, ?, ?) ON CONFLICT(credential) DO UPDATE SET "
                "blocked = max(blocked, excluded.blocked), remaining = excluded.remaining, reset = excluded.reset",
                (credential, blocked, remaining, reset),
            )
        )


def checked(limits: Mapping[str, int | None]) -> dict[str, int]:
    """The limits that hold. Raises :class:`ValueError` for a unit that is none or a limit below zero."""
    units: dict[str, int] = {}
    for unit, limit in limits.items():
        if unit not in SLIDING and unit not in CALENDAR:
            raise ValueError(f"{unit!r} is no unit of a quota: second, minute, hour, day or month")
        if limit is None:
            continue
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
            raise ValueError(f"the limit a {unit} must be a whole number, not {limit!r}")
        units[unit] = limit
    return units


def window(unit: str, now: float) -> tuple[int, int]:
    """Start and end of the calendar window in UTC that ``now`` lies in, seconds since the epoch."""
    if unit == "day":
        start = int(now // 86400) * 86400
        return start, start + 86400
    import calendar

    year, month = time.gmtime(now)[:2]
    following = (year + 1, 1) if month == 12 else (year, month + 1)
    return calendar.timegm((year, month, 1, 0, 0, 0)), calendar.timegm((*following, 1, 0, 0, 0))


def _take(connection: sqlite3.Connection, credential: str, units: dict[str, int], now: float) -> Left | _Busy | None:
    row = connection.execute("SELECT blocked FROM said WHERE credential = ?", (credential,)).fetchone()
    # A block far ahead was set by a clock that has been put right since.
    if row is not None and now < row[0] <= now + LONGEST_BLOCK:
        return row[0], "the service said that no call is left"
    spans = [SLIDING[unit] for unit in units if unit in SLIDING]
    if spans:
        connection.execute(
            "DELETE FROM calls WHERE credential = ? AND (at <= ? OR at > ?)", (credential, now - max(spans), now + 1.0)
        )
    free_at, why = now, ""
    for unit, limit in units.items():
        at = _free_at(connection, credential, unit, limit, now)
        if at > free_at:
            free_at, why = at, f"the {limit} calls a {unit} that this key has are used up"
    if free_at > now:
        return free_at, why
    if spans:
        connection.execute("INSERT INTO calls VALUES(?, ?)", (credential, now))
    for unit in CALENDAR:
        # Counted without a limit too, so that one that is set later knows what was spent.
        connection.execute(
            "INSERT INTO counts VALUES(?, ?, ?, 1) ON CONFLICT(credential, unit) DO UPDATE SET "
            "n = CASE WHEN start = excluded.start THEN n + 1 ELSE 1 END, start = excluded.start",
            (credential, unit, window(unit, now)[0]),
        )
    connection.execute(
        "UPDATE said SET remaining = remaining - 1 WHERE credential = ? AND remaining > 0", (credential,)
    )
    return _left(connection, credential, units, now)


def _free_at(connection: sqlite3.Connection, credential: str, unit: str, limit: int, now: float) -> float:
    """When the next call may be made: ``now``, or later."""
    if unit in SLIDING:
        span = SLIDING[unit]
        if limit == 0:
            return now + span
        # The call that must leave the window first: the limit-th from the end.
        row = connection.execute(
            "SELECT at FROM calls WHERE credential = ? AND at > ? ORDER BY at DESC LIMIT 1 OFFSET ?",
            (credential, now - span, limit - 1),
        ).fetchone()
        return now if row is None else float(row[0]) + span
    start, end = window(unit, now)
    return end if _counted(connection, credential, unit, start) >= limit else now


def _counted(connection: sqlite3.Connection, credential: str, unit: str, start: int) -> int:
    row = connection.execute(
        "SELECT n FROM counts WHERE credential = ? AND unit = ? AND start = ?", (credential, unit, start)
    ).fetchone()
    return int(row[0]) if row else 0


def _left(connection: sqlite3.Connection, credential: str, units: dict[str, int], now: float) -> Left | None:
    left: dict[str, int] = {}
    for unit, limit in units.items():
        if unit in SLIDING:
            query = "SELECT count(*) FROM calls WHERE credential = ? AND at > ? AND at <= ?"
            used = connection.execute(query, (credential, now - SLIDING[unit], now + 1.0)).fetchone()[0]
        else:
            used = _counted(connection, credential, unit, window(unit, now)[0])
        left[unit] = max(0, limit - int(used))
    row: Any = connection.execute("SELECT remaining, reset FROM said WHERE credential = ?", (credential,)).fetchone()
    if row is None or row[0] is None or not now < row[1] <= now + LONGEST_BLOCK:
        return Left.of(left)
    return Left.of(left, int(row[0]), float(row[1]))


class SqliteBreaker:
    """See :class:`cortex_grow.net.state.Breaker`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def check(self, credential: str, source: str = "") -> None:
        """Raise :class:`BlockedError` while the source is left alone."""
        row = self._database.read(lambda connection: _row(connection, credential))
        if row is None or row[0] < FAILURES:
            return

        def try_again(connection: sqlite3.Connection) -> tuple[float, str] | None:
            now = time.time()
            row = _row(connection, credential)
            if row is None or row[0] < FAILURES:
                return None
            _, until, trying, why = row
            if max(until, trying) > now:
                return max(until, trying), why
            connection.execute("UPDATE breakers SET trying = ? WHERE credential = ?", (now + TRYING, credential))
            return None

        blocked = self._database.write(try_again)
        if blocked is not None:
            until, why = blocked
            text = f"it failed {row[0]} times in a row and is left alone; the last time"
            raise BlockedError(source or credential.partition(":")[0], text, said=why or "no answer", retry_at=until)

    def failed(self, credential: str, why: str = "", retry_after: float = 300.0) -> None:
        """One more failure."""
        until = time.time() + max(0.0, retry_after)
        self._database.write(lambda connection: _count_failure(connection, credential, until, why[:500]))

    def worked(self, credential: str) -> None:
        """It answered."""
        if self._database.read(lambda connection: _row(connection, credential)) is not None:
            self._database.write(
                lambda connection: connection.execute("DELETE FROM breakers WHERE credential = ?", (credential,))
            )


def _row(connection: sqlite3.Connection, credential: str) -> tuple[int, float, float, str] | None:
    query = "SELECT failures, until, trying, why FROM breakers WHERE credential = ?"
    row: tuple[int, float, float, str] | None = connection.execute(query, (credential,)).fetchone()
    return row


def _count_failure(connection: sqlite3.Connection, credential: str, until: float, why: str) -> None:
    row = _row(connection, credential)
    failures = 1 + (row[0] if row else 0)
    connection.execute(
        "INSERT OR REPLACE INTO breakers VALUES(?, ?, ?, 0, ?)",
        (credential, failures, until if failures >= FAILURES else 0.0, why),
    )
