"""One SQLite file that many processes write, opened in a millisecond and never a reason for a job to fail.

Files are made complete under another name and renamed into place, so nobody sees a half-made one. They are in
WAL mode (readers do not wait, a commit costs no ``fsync``, a killed process leaves nothing to repair); on a
network file system, where WAL does not work (sqlite.org/wal.html), in the classic rollback mode. A damaged file
is renamed to ``*.damaged`` and started anew. What else goes wrong (a full disk, a lost right) turns this
process's copy into one in memory; ``trouble`` says so.
"""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

T = TypeVar("T")

#: How long a writer waits for the others, in seconds, before it goes on alone.
PATIENCE = 20.0

_NETWORK = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "gluster", "lustre", "fuse.", "vboxsf", "prl_fs", "virtiofs")

# A connection must not be used nor even closed in a process forked from its owner (sqlite.org/howtocorrupt.html, 2.6).
_of_the_parent: list[sqlite3.Connection] = []


class Database:
    """``path``: the file, or None for memory. ``schema``: SQL that makes its tables.

    ``carry``: when the file can no longer be used, go on in memory with what it held, if that can still be read.
    """

    def __init__(self, path: Path | None, schema: str, pragmas: tuple[str, ...] = (), *, carry: bool = False) -> None:
        self.path = path
        self.trouble = ""
        self._schema = schema
        self._pragmas = pragmas
        self._carry = carry
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._pid = os.getpid()

    def open(self) -> None:
        """Open now rather than at the first use."""
        self._run(lambda _: None, write=False)

    def close(self) -> None:
        """Close; the next use opens again."""
        with self._lock:
            if self._connection is not None and self._pid == os.getpid():
                self._connection.close()
            self._connection = None

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work``, which only reads."""
        return self._run(work, write=False)

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` in one transaction, alone among all processes; rolled back where it raises.

        It may run more than once (on a repaired file), so it must have no effect outside the database.
        """
        return self._run(work, write=True)

    def _run(self, work: Callable[[sqlite3.Connection], T], write: bool) -> T:
        if self._pid != os.getpid():
            self._after_fork()
        with self._lock:
            patience = time.monotonic() + PATIENCE
            repaired = 0
            while True:
                try:
                    if self._connection is not None and self._moved():
                        self._drop()
                    return self._once(work, write)
                except sqlite3.Error as error:
                    if self.path is None:
                        raise
                    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
                    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() < patience:
                        time.sleep(random.uniform(0.001, 0.02))
                        continue
                    damaged = code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or "no such table" in str(error)
                    # While another process sets the file aside, its -wal file is gone for a moment: tried again.
                    passing = code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
                    repaired += 1
                    try:
                        if repaired <= 5 and (self._moved() or (damaged and self._set_aside()) or passing):
                            self._drop()
                            if passing:
                                time.sleep(random.uniform(0.005, 0.02) * repaired)
                            continue
                        self._alone(str(error))
                    except OSError as failed:
                        self._alone(failed.strerror or str(failed))
                except OSError as error:
                    if self.path is None:
                        raise
                    self._alone(error.strerror or str(error))

    def _moved(self) -> bool:
        """Whether the file that is open is no longer the one at its place: set aside by another process, or deleted."""
        if self.path is None:
            return False
        try:
            return self.path.stat().st_ino != self._inode
        except FileNotFoundError:
            return True

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _once(self, work: Callable[[sqlite3.Connection], T], write: bool) -> T:
        connection = self._connection
        if connection is None:
            connection = self._connection = self._connect()
        if not write:
            return work(connection)
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return result

    def _connect(self) -> sqlite3.Connection:
        if self.path is None:
            connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            connection.executescript(self._schema)
            return connection
        while True:
            # Not while another process puts a new file in the place of a damaged one: SQLite finds its -wal
            # file by name, and must not take the new one's for the old.
            with self._folder_lock(self.path, shared=True):
                if self.path.exists():
                    return self._connect_to(self.path)
            self._create()

    def _connect_to(self, path: Path) -> sqlite3.Connection:
        self._inode = path.stat().st_ino
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=rw",
            uri=True,
            timeout=5.0,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            # In WAL mode this loses the last commits in a power cut, and nothing else; in rollback mode it is safe.
            connection.execute("PRAGMA synchronous=NORMAL")
            for pragma in self._pragmas:
                connection.execute(f"PRAGMA {pragma}")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection

    def _create(self) -> None:
        path = self.path
        assert path is not None
        with self._folder_lock(path):
            if path.exists():
                return
            draft = path.with_name(f".{path.name}.new")
            for left in (draft, *_beside(draft)):
                left.unlink(missing_ok=True)
            os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
            connection = sqlite3.connect(draft, isolation_level=None)
            try:
                if not on_network(path.parent):
                    connection.execute("PRAGMA journal_mode=WAL")
                connection.executescript(f"BEGIN; {self._schema} COMMIT;")
            finally:
                connection.close()  # takes the draft's own -wal file along
            os.rename(draft, path)

    def _set_aside(self) -> bool:
        path = self.path
        assert path is not None
        with self._folder_lock(path):
            if not self._moved():  # else another process has done it already
                os.replace(path, path.with_name(f"{path.name}.damaged"))
                for left in _beside(path):
                    left.unlink(missing_ok=True)
        return True

    def _alone(self, why: str) -> None:
        self.trouble = f"{self.path} cannot be used ({why})"
        self.path = None
        broken, self._connection = self._connection, None
        if broken is None:
            return
        try:
            if self._carry:
                memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
                broken.backup(memory)
                if memory.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    self._connection = memory
            broken.close()
        except sqlite3.Error:
            pass  # it cannot be read either: begins anew, and the trouble is already said

    def _after_fork(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.RLock()
        if self._connection is not None and self.path is not None:
            _of_the_parent.append(self._connection)
            self._connection = None

    @staticmethod
    @contextmanager
    def _folder_lock(path: Path, shared: bool = False) -> Iterator[None]:
        import fcntl

        lock = os.open(path.parent / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            patience = time.monotonic() + PATIENCE
            while True:
                try:
                    fcntl.flock(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > patience:
                        raise
                    time.sleep(random.uniform(0.0005, 0.005))
            yield
        finally:
            os.close(lock)


def _beside(path: Path) -> list[Path]:
    return [path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal")]


def on_network(folder: Path, table: str | None = None) -> bool:
    """Whether ``folder`` lies on a file system that other machines may see, as far as Linux tells.

    ``table``: the mounts as in ``/proc/self/mountinfo`` (proc(5)); read from there when not given.
    """
    if table is None:
        try:
            table = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
        except OSError:
            return False
    best, kind = "", ""
    for line in table.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        mount = fields[4].encode("utf-8", "surrogateescape").decode("unicode_escape", "replace")
        if len(mount) >= len(best) and (mount == "/" or str(folder) == mount or f"{folder}/".startswith(f"{mount}/")):
            best, kind = mount, after.split(" ")[0]
    return kind.startswith(_NETWORK)
