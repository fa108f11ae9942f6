"""What processes share: how many calls a key has left, which source is left alone, what was answered already.

``State.open(where)`` gives all three behind small interfaces (:class:`Quota`, :class:`Breaker`,
:class:`Cache`). In a folder they live in SQLite files (see :mod:`cortex_grow.net.state_sqlite`); without a
usable folder they live in this process's memory, ``shared`` is False and ``why_not`` says why. Opening never
fails, and neither does a job because of them.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .deadline import Deadline

#: What a spent window means by unit: a sliding span in seconds, or the calendar's window in UTC. VirusTotal
# resets days and months at 00:00 UTC (docs.virustotal.com, "How consumption quotas are handled"), and so do
# most; a minute slides, which fits both kinds of service.
SLIDING = {"second": 1.0, "minute": 60.0, "hour": 3600.0}
CALENDAR = ("day", "month")


class Left(int):
    """What is left: as a number, the fewest calls left by any limit.

    ``units``: calls left by unit. ``remaining``: what the service itself said last, or None; ``reset``: until when that
    holds, seconds since the epoch, or None.
    """

    units: Mapping[str, int]
    remaining: int | None
    reset: float | None

    @classmethod
    def of(cls, units: Mapping[str, int], remaining: int | None = None, reset: float | None = None) -> Left | None:
        """None where neither a limit nor the service says anything."""
        known = [*units.values(), *([] if remaining is None else [remaining])]
        if not known:
            return None
        left = cls(max(0, min(known)))
        left.units, left.remaining, left.reset = dict(units), remaining, reset
        return left


@dataclass(frozen=True, slots=True)
class Cached:
    """An earlier answer. ``body``: None where the service did not know. ``as_of``: when it was given, ISO 8601 in UTC.

    ``age_s``: whole seconds since then.
    """

    body: bytes | None
    as_of: str
    age_s: int


class Quota(Protocol):
    """Calls by credential (:func:`credential_id`), counted before they are made."""

    def take(
        self,
        credential: str,
        limits: Mapping[str, int | None],
        wait: float = 0.0,
        deadline: Deadline | None = None,
        source: str = "",
    ) -> Left | None:
        """Count one call, or wait up to ``wait`` seconds for a slot.

        ``limits``: calls a ``second``, ``minute``, ``hour`` (sliding), ``day``, ``month`` (UTC calendar); None
        is no limit. Raises :class:`~cortex_grow.net.errors.QuotaError` with ``retry_at`` where no slot comes in
        time.
        """

    def left(self, credential: str, limits: Mapping[str, int | None]) -> Left | None:
        """What :meth:`take` would leave, without taking."""

    def note(self, credential: str, remaining: int | None, reset: float | None = None) -> None:
        """What the service said: ``remaining`` calls until ``reset`` (seconds since the epoch; None: a minute).

        With none left, no call is made until then.
        """

    def block(self, credential: str, until: float) -> None:
        """No call before ``until`` (seconds since the epoch), for all processes; at most a day from now."""


class Breaker(Protocol):
    """Leaves a source alone that failed five times in a row; afterwards one caller tries, the others wait for it."""

    def check(self, credential: str, source: str = "") -> None:
        """Raise :class:`~cortex_grow.net.errors.BlockedError` while the source is left alone."""

    def failed(self, credential: str, why: str = "", retry_after: float = 300.0) -> None:
        """One more failure; the fifth in a row, and each after it, opens the breaker for ``retry_after`` seconds."""

    def worked(self, credential: str) -> None:
        """It answered: the failures are forgotten."""


class Cache(Protocol):
    """Answers by source, question and credential. What goes wrong inside means *not cached*, never an error."""

    def get(
        self,
        source: str,
        question: str,
        credential: str,
        fresh_s: float | None = None,
        absent_fresh_s: float | None = None,
    ) -> Cached | None:
        """The answer if it is younger than ``fresh_s`` (``absent_fresh_s`` for *not known*; None: whatever its age)."""

    def put(
        self, source: str, question: str, credential: str, body: bytes | None, fresh_s: float | None = None
    ) -> None:
        """Keep an answer (None: not known).

        ``fresh_s`` only helps :meth:`prune`: readers judge freshness themselves.
        """

    def prune(self) -> int:
        """Throw out what is too old or too much; returns how many answers went."""


def credential_id(source: str, secret: str | None) -> str:
    """A name for a key that does not give it away: the source and 16 hex digits of a SHA-256."""
    name = re.sub(r"[^a-z0-9]+", "-", source.lower()).strip("-") or "source"
    if not secret:
        return f"{name}:none"
    digest = hashlib.sha256(f"{source}\0{secret}".encode("utf-8", "surrogatepass")).hexdigest()
    return f"{name}:{digest[:16]}"


class NoCache:
    """A cache that keeps nothing, for ``cache: off``."""

    def get(
        self,
        source: str,
        question: str,
        credential: str,
        fresh_s: float | None = None,
        absent_fresh_s: float | None = None,
    ) -> Cached | None:
        """Nothing."""
        return None

    def put(
        self, source: str, question: str, credential: str, body: bytes | None, fresh_s: float | None = None
    ) -> None:
        """Keeps nothing."""

    def prune(self) -> int:
        """Nothing to throw out."""
        return 0


class State:
    """Quota, breaker and cache of one place. May be used by several threads."""

    def __init__(self, folder: Path | None, why_not: str = "", cache: bool = True) -> None:
        from .cache import SqliteCache
        from .counts import COUNTS, SqliteBreaker, SqliteQuota
        from .state_sqlite import Database

        self.folder = folder
        self._why_not = why_not
        self._counts = Database(folder and folder / "counts-1.sqlite", COUNTS, carry=True)
        self.quota: Quota = SqliteQuota(self._counts)
        self.breaker: Breaker = SqliteBreaker(self._counts)
        self._cache = SqliteCache(folder and folder / "cache-1.sqlite")
        self.cache: Cache = self._cache if cache else NoCache()

    @classmethod
    def open(cls, where: str | Path | None = None, *, cache: bool = True) -> State:
        """Open the state in folder ``where`` (None: the default place, see :func:`default_folder`); made where absent.

        Never raises: what cannot be used is said in ``why_not``. The folder must belong to this user and must not be
        writable for others. ``cache=False`` keeps no answers.
        """
        folder, why_not = _usable(where)
        state = cls(folder, why_not, cache)
        if folder is not None:
            state._counts.open()
        return state

    @classmethod
    def memory(cls, why_not: str = "") -> State:
        """A state of this process alone."""
        return cls(None, why_not or "it was not asked for")

    @property
    def shared(self) -> bool:
        """Whether other processes see it."""
        return not self.why_not

    @property
    def why_not(self) -> str:
        """Why it is not shared, or empty. May change: a disk can fill up."""
        return "; ".join(filter(None, (self._why_not, self._counts.trouble, self._cache.database.trouble)))

    def close(self) -> None:
        """Close the files."""
        self._counts.close()
        self._cache.database.close()

    def __enter__(self) -> State:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def default_folder(environ: Mapping[str, str] | None = None) -> tuple[Path | None, str]:
    """Where the state lives when nothing is configured, or None and the reason.

    ``$CORTEX_GROW_STATE``, else ``$XDG_STATE_HOME/cortex-grow``, else ``~/.local/state/cortex-grow`` (XDG Base
    Directory Specification). Inside a container only the first counts: its home goes away with it.
    """
    env = os.environ if environ is None else environ
    if env.get("CORTEX_GROW_STATE"):
        return Path(env["CORTEX_GROW_STATE"]).expanduser(), ""
    if _in_container(env):
        return None, "a container keeps nothing; set `state_dir` to a mounted folder"
    base = env.get("XDG_STATE_HOME", "")
    try:
        home = Path(base) if os.path.isabs(base) else Path.home() / ".local" / "state"
    except RuntimeError:
        return None, "this user has no home; set `state_dir`"
    return home / "cortex-grow", ""


def _in_container(env: Mapping[str, str]) -> bool:
    if env.get("KUBERNETES_SERVICE_HOST") or env.get("container"):
        return True
    return any(os.path.exists(mark) for mark in ("/.dockerenv", "/run/.containerenv"))


def _usable(where: str | Path | None) -> tuple[Path | None, str]:
    """The folder, made where absent, or None and the reason."""
    if where is None or not str(where).strip():
        folder, why_not = default_folder()
        if folder is None:
            return None, why_not
    elif "://" in str(where):
        return None, "`state_dir` must be a folder"
    else:
        folder = Path(str(where).strip()).expanduser()
    try:
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
        folder = folder.resolve()
        found = folder.stat()
    except (OSError, ValueError, RuntimeError) as error:
        return None, f"{folder} cannot be made or entered ({getattr(error, 'strerror', None) or error})"
    user = os.getuid() if hasattr(os, "getuid") else found.st_uid
    if found.st_uid != user:
        return None, f"{folder} belongs to user id {found.st_uid}, and this is {user}"
    if stat.S_IMODE(found.st_mode) & 0o022:
        return None, f"{folder} may be written by others (chmod go-w it)"
    if not os.access(folder, os.W_OK | os.X_OK):
        return None, f"{folder} cannot be written"
    return folder, ""
