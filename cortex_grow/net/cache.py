"""Answers kept in one SQLite file (or in memory): compressed, bounded in size, oldest out first."""

from __future__ import annotations

import hashlib
import random
import sqlite3
import time
import zlib
from pathlib import Path

from .state import Cached
from .state_sqlite import Database

MIB = 1024 * 1024
#: All answers together, as stored; one answer as stored; one answer as it was.
LARGEST = 512 * MIB
LARGEST_IN_MEMORY = 64 * MIB
LARGEST_ENTRY = 8 * MIB
LARGEST_BODY = 64 * MIB
#: Kept this long where the writer does not say how long an answer stays fresh.
USUAL = 30 * 86400.0
#: What a row costs beside its body.
ROW = 128

SCHEMA = """
CREATE TABLE entries(key BLOB PRIMARY KEY, as_of REAL NOT NULL, expires REAL NOT NULL, size INTEGER NOT NULL,
    body BLOB);
CREATE INDEX entries_by_age ON entries(as_of);
CREATE INDEX entries_by_expiry ON entries(expires);
CREATE TABLE total(size INTEGER NOT NULL);
INSERT INTO total VALUES(0);
CREATE TRIGGER added AFTER INSERT ON entries BEGIN UPDATE total SET size = size + new.size; END;
CREATE TRIGGER removed AFTER DELETE ON entries BEGIN UPDATE total SET size = size - old.size; END;
CREATE TRIGGER changed AFTER UPDATE ON entries BEGIN UPDATE total SET size = size + new.size - old.size; END;
"""


class SqliteCache:
    """See :class:`cortex_grow.net.state.Cache`. ``largest``: bytes that all answers may take."""

    def __init__(self, path: Path | None, largest: int | None = None) -> None:
        self.database = Database(path, SCHEMA, (f"journal_size_limit={16 * MIB}",))
        self._largest = largest

    @property
    def largest(self) -> int:
        """How much may be kept, in bytes; less when it is kept in memory."""
        return self._largest or (LARGEST_IN_MEMORY if self.database.path is None else LARGEST)

    def get(
        self,
        source: str,
        question: str,
        credential: str,
        fresh_s: float | None = None,
        absent_fresh_s: float | None = None,
    ) -> Cached | None:
        """An answer that is still fresh; see the interface."""
        key = _key(source, question, credential)
        query = "SELECT as_of, body FROM entries WHERE key = ?"
        row = self.database.read(lambda connection: connection.execute(query, (key,)).fetchone())
        if row is None:
            return None
        as_of, packed = row
        now = time.time()
        fresh = fresh_s if packed is not None or absent_fresh_s is None else absent_fresh_s
        # From the future: the clock was set back, and nobody knows how old it is.
        if as_of > now + 60 or (fresh is not None and now - as_of >= fresh):
            return None
        body: bytes | None = None
        if packed is not None:
            try:
                unpack = zlib.decompressobj()
                body = unpack.decompress(packed, LARGEST_BODY)
                whole = unpack.eof
            except zlib.error:
                whole = False
            if not whole:
                self.database.write(lambda connection: connection.execute("DELETE FROM entries WHERE key = ?", (key,)))
                return None
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(as_of))
        return Cached(body, stamp, max(0, int(now - as_of)))

    def put(
        self, source: str, question: str, credential: str, body: bytes | None, fresh_s: float | None = None
    ) -> None:
        """Keep an answer; too large a one is not kept."""
        if body is not None and len(body) > LARGEST_BODY:
            return
        packed = None if body is None else zlib.compress(body, 3)
        size = ROW + len(packed or b"")
        largest = self.largest
        if size > min(LARGEST_ENTRY, largest):
            return
        key, now = _key(source, question, credential), time.time()
        expires = now + (USUAL if fresh_s is None else fresh_s)

        def keep(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO entries VALUES(?, ?, ?, ?, ?) ON CONFLICT(key) DO UPDATE SET "
                "as_of = excluded.as_of, expires = excluded.expires, size = excluded.size, body = excluded.body",
                (key, now, expires, size, packed),
            )
            if random.random() < 0.005:
                _expired(connection, now)
            _bounded(connection, largest)

        self.database.write(keep)

    def prune(self) -> int:
        """Throw out what has expired and what is too much."""
        now = time.time()

        def clean(connection: sqlite3.Connection) -> int:
            return _expired(connection, now, limit=-1) + _bounded(connection, self.largest)

        return self.database.write(clean)


def _key(source: str, question: str, credential: str) -> bytes:
    whole = "\0".join(part.replace("\0", "\0\0") for part in (source, credential, question))
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).digest()


def _expired(connection: sqlite3.Connection, now: float, limit: int = 200) -> int:
    query = "DELETE FROM entries WHERE rowid IN (SELECT rowid FROM entries WHERE expires < ? LIMIT ?)"
    return connection.execute(query, (now, limit)).rowcount


def _bounded(connection: sqlite3.Connection, largest: int) -> int:
    """Oldest out, down to 95 %, so that not every answer has to make room for itself."""
    total = connection.execute("SELECT size FROM total").fetchone()[0]
    if total <= largest:
        return 0
    goal, gone = int(largest * 0.95), 0
    for rowid, size in connection.execute("SELECT rowid, size FROM entries ORDER BY as_of").fetchall():
        if total <= goal:
            break
        connection.execute("DELETE FROM entries WHERE rowid = ?", (rowid,))
        total -= size
        gone += 1
    return gone
