"""What can go wrong when a source is asked: one class a cause, and a sentence that a person can act on.

``str(error)`` is the whole sentence: the source, what happened, the status, the host, what to do. Nothing here holds a
secret: what comes from outside is redacted before it gets into an error (see :mod:`cortex_grow.net.redact`).
"""

from __future__ import annotations

import time
from typing import Any, ClassVar


class SourceError(Exception):
    """A question to a source failed.

    ``kind``: one word for programs. ``source``: the name shown to people. ``what``: what happened. ``host``:
    who was asked (no port, no path), or None. ``status``: the HTTP status, or None. ``advice``: what to do
    next. ``said``: the service's own words, shortened and redacted. ``retry_at``: seconds since the epoch (UTC)
    from which asking again makes sense, or None. ``attempts``: how many requests were sent for this question.
    ``breaks``: whether this counts as a failure of the source for the breaker (a wrong question or a spent
    quota does not). ``transient``: whether the session may ask again at once. ``unsent``: the request surely
    did not reach the service.
    """

    kind: ClassVar[str] = "error"
    breaks_by_default: ClassVar[bool] = False

    def __init__(
        self,
        source: str,
        what: str,
        *,
        host: str | None = None,
        status: int | None = None,
        advice: str = "",
        said: str = "",
        retry_at: float | None = None,
        breaks: bool | None = None,
        transient: bool = False,
        unsent: bool = False,
    ) -> None:
        super().__init__(source, what)
        self.source = source
        self.what = what
        self.host = host
        self.status = status
        self.advice = advice
        self.said = said
        self.retry_at = retry_at
        self.breaks = self.breaks_by_default if breaks is None else breaks
        self.transient = transient
        self.unsent = unsent
        self.attempts = 0

    def __str__(self) -> str:
        origin = f"{self.status} from {self.host}" if self.status and self.host else str(self.status or "")
        if not origin and self.host and self.host not in self.what:
            origin = self.host
        text = f"{self.source}: {self.what}" if self.source else self.what
        if origin:
            text += f" ({origin})"
        if self.said:
            text += f": {self.said}"
        text = text.rstrip(". ") + "."
        if self.retry_at is not None:
            text += f" Come back {when(self.retry_at)}."
        if self.advice:
            text += f" {self.advice.rstrip('. ')}."
        return text

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive a trip between processes (the default would call the class with the wrong arguments)."""
        return _rebuild, (type(self), dict(self.__dict__))


class CredentialError(SourceError):
    """The service refused who asks: 401 or 403."""

    kind = "credential"
    breaks_by_default = True


class QuotaError(SourceError):
    """Too many requests: 429, or the pack's own count says so before asking. ``retry_at`` says when to come back."""

    kind = "quota"


class UnreachableError(SourceError):
    """No answer: name not resolved, no connection, TLS, time-out, proxy, or 5xx after the last try."""

    kind = "unreachable"
    breaks_by_default = True


class RefusedError(SourceError):
    """The service understood and said no: another 4xx, so the question is wrong."""

    kind = "refused"


class UnsupportedError(RefusedError):
    """The source has no question for this indicator (a digest that it does not know); none was asked."""

    kind = "unsupported"


class NotAnAnswerError(SourceError):
    """Something came back that is not the service's answer: HTML, bad JSON, too large, cut short, a redirect
    elsewhere."""

    kind = "not-an-answer"
    breaks_by_default = True


class DeadlineError(SourceError):
    """The job's own time is over."""

    kind = "deadline"


class BlockedError(SourceError):
    """The breaker is open: the source failed too often and is left alone until ``until`` (``why``: its last
    failure)."""

    kind = "blocked"

    @property
    def until(self) -> float | None:
        """When the source may be asked again, seconds since the epoch (UTC)."""
        return self.retry_at

    @property
    def why(self) -> str:
        """The last failure, as it was recorded."""
        return self.said


class SettingsError(SourceError, ValueError):
    """A setting cannot be used: a proxy, a certificate, a number. The sentence names the setting, not its value."""

    kind = "settings"


def _rebuild(cls: type[SourceError], state: dict[str, Any]) -> SourceError:
    error = cls(state["source"], state["what"])
    error.__dict__.update(state)
    return error


def when(at: float, now: float | None = None) -> str:
    """``at`` (seconds since the epoch) for a person: ``after 2026-01-02 03:04:05 UTC (in 4 min)``."""
    seconds = max(0.0, at - (time.time() if now is None else now))
    try:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))
    except (OverflowError, ValueError, OSError):
        return "much later"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"after {stamp} (in {seconds / size:.0f} {unit})"
    return f"after {stamp} (in {seconds:.0f} s)"
