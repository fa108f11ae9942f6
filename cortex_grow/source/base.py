"""The base of every source: it asks questions and reads facts out of the answers; the package does the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from cortex_grow.model.indicator import Indicator
from cortex_grow.source import declaration as declarations
from cortex_grow.source.answer import Answer
from cortex_grow.source.declaration import Declaration
from cortex_grow.source.facts import Fact
from cortex_grow.source.settings import Settings

if TYPE_CHECKING:
    from cortex_grow.hygiene.assets import Assets
    from cortex_grow.hygiene.index import Index
    from cortex_grow.net.deadline import Deadline
    from cortex_grow.net.reply import Reply
    from cortex_grow.net.session import Session
    from cortex_grow.net.state import State


MOST_SESSIONS = 32


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to ask: it fills one part of the answer.

    ``text`` names it in the cache and in messages (no secret in it). ``fetch`` asks and returns a body that is JSON, or
    ``None`` where the service does not know; it raises a :class:`~cortex_grow.net.errors.SourceError` where the
    question failed. Where a ``required`` question fails, the whole answer does.
    """

    part: str
    text: str
    fetch: Callable[[], Any]
    required: bool = False
    calls: int = 1


@dataclass
class Job:
    """The circumstances of a question: what may be asked (TLP, PAP), by when, and with which shared state.

    ``patience``: seconds that the rest of a question waits for a free call once a part of it is answered, where that is
    more than ``quota_wait``. A bulk run waits; a job holds a place that others wait for.
    """

    deadline: Deadline
    state: State
    hygiene: Index
    assets: Assets
    tlp: int = 2
    pap: int = 2
    parameters: Mapping[str, Any] = field(default_factory=dict)
    file: Path | None = None
    patience: float = 0


class Source:
    """A source: subclass it beside its declaration and write :meth:`ask` and :meth:`read`.

    ``ask`` yields questions; each is asked before the next is taken, so a later question may depend on ``answer`` as it
    stands. ``read`` turns the whole answer into facts, touches no network and no clock (``answer.as_of`` is the time).
    """

    def __init__(self, settings: Settings, job: Job) -> None:
        self.settings = settings
        self.job = job
        self._sessions: dict[str, Session] = {}

    def ask(self, seed: Indicator, answer: Answer) -> Iterator[Question]:
        """The questions about ``seed``, in order of worth."""
        raise NotImplementedError(f"{type(self).__name__}.ask")

    def read(self, seed: Indicator, answer: Answer) -> Iterator[Fact]:
        """What the answer says, as facts."""
        raise NotImplementedError(f"{type(self).__name__}.read")

    def check(self, body: Any) -> None:
        """Raise a typed error where a body that came with a good status says that the question failed."""

    def absent(self, body: Any) -> bool:
        """Whether a body that came with a good status says that the service does not know what was asked for."""
        return False

    def check_absent(self, reply: Reply) -> None:
        """Raise a typed error where a status that means *not found* came from a wrong address instead."""

    def headers(self) -> dict[str, str]:
        """Headers of every call, the credential's among them."""
        return {}

    @classmethod
    def described(cls) -> Declaration:
        """The declaration beside the module of this class."""
        return declarations.of_class(cls)

    @property
    def name(self) -> str:
        """The definition's name."""
        return self.described().name

    @property
    def key(self) -> str | None:
        """The credential that is configured."""
        item = self.described().key
        return self.settings.text(item) if item else None

    @cached_property
    def session(self) -> Session:
        """The HTTP session of this source, with its base address, credential, proxy, CA and deadline."""
        return self.session_to(self.settings.text("url") or "", self.headers(), kept=False)

    def session_to(
        self,
        base_url: str,
        headers: Mapping[str, str] | None = None,
        *,
        redirects: str | None = None,
        public_only: bool = False,
        kept: bool = True,
    ) -> Session:
        """A session to one of several servers, with the job's proxy, CA and deadline, and no credential of its own.

        ``redirects`` and ``public_only`` as in :mod:`cortex_grow.net`. The session is ``kept`` for the next question to
        the same server, which may name other ``headers`` with its request; else the caller closes it.
        """
        from cortex_grow.net.redact import Redactor
        from cortex_grow.net.session import Session
        from cortex_grow.net.settings import NetSettings

        session = self._sessions.get(base_url) if kept else None
        if session is None:
            settings = NetSettings.from_mapping(self.settings.values)
            session = Session(
                self.name,
                base_url,
                headers=headers,
                settings=replace(settings, redirects=redirects) if redirects else settings,
                deadline=self.job.deadline,
                redact=Redactor(self.settings.secrets),
                public_only=public_only,
            )
            if kept:
                self._sessions[base_url] = session
                if len(self._sessions) > MOST_SESSIONS:
                    self._sessions.pop(next(iter(self._sessions))).close()
        session.deadline = self.job.deadline
        return session

    def get(self, part: str, path: str, *values: str, params: Mapping[str, Any] | None = None, **how: Any) -> Question:
        """A question by GET. Each ``{}`` of ``path`` is filled with one of ``values``, percent-encoded whole."""
        return self.http(part, "GET", path, *values, params=params, **how)

    def post(self, part: str, path: str, *values: str, data: Mapping[str, Any] | None = None, **how: Any) -> Question:
        """A question by POST with a form."""
        return self.http(part, "POST", path, *values, data=data, **how)

    def http(
        self,
        part: str,
        method: str,
        path: str,
        *values: str,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        required: bool = False,
        absent: Iterable[int] = (404,),
        html_absent: bool = False,
        parse: Callable[[Reply], Any] | None = None,
    ) -> Question:
        """A question by HTTP; the statuses in ``absent`` mean *not found*, with ``html_absent`` also as a page.

        The answer is JSON, or what ``parse`` makes of a reply: a body that is JSON, or a typed error.
        """
        filled = path.format(*(quote(value, safe="") for value in values))
        sent = {**(params or {}), **(data or {})}
        text = f"{method} {filled}" + (f"?{urlencode(sorted(sent.items()), doseq=True)}" if sent else "")

        def fetch() -> Any:
            self.session.deadline = self.job.deadline
            reply = self.session.request(
                method, filled, params=params, data=data, absent=tuple(absent), html_absent=html_absent
            )
            if reply.absent:
                self.check_absent(reply)
                return None
            if parse is not None:
                return parse(reply)
            body = reply.json()
            if self.absent(body):
                return None
            self.check(body)
            return body

        return Question(part, text, fetch, required)

    def allows(self, part: str) -> bool:
        """Whether TLP and PAP let this part be asked; what they bar is listed as partial by the package."""
        from cortex_grow.source.exposure import barred

        return barred(self.described().exposure(part), self.job.tlp, self.job.pap, self.settings) is None
