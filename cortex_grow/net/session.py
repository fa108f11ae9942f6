"""Asking a service over HTTP: one way to retry, to wait, to judge a status and to say what went wrong.

:class:`Exchange` holds that for every client; :class:`Session` sends with ``requests`` (see
:mod:`cortex_grow.net.wire`), :class:`~cortex_grow.net.virustotal.VirusTotalSession` with vt-py. The HTTP
library is imported with the first request.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from .deadline import Deadline
from .errors import (
    CredentialError,
    NotAnAnswerError,
    QuotaError,
    RefusedError,
    SettingsError,
    SourceError,
    UnreachableError,
)
from .redact import Redactor, looks_secret
from .reply import Headers, Reply, clean, is_html, own_words
from .settings import NetSettings

if TYPE_CHECKING:
    from .wire import Wire

Query = Mapping[str, Any] | list[tuple[str, Any]] | None

#: Statuses that may pass by themselves (RFC 9110, 15.6).
PASSING = (502, 503, 504)
REDIRECTS = (301, 302, 303, 307, 308)
HOPS = 5
LONGEST_PAUSE = 8.0


def path(template: str, *values: object) -> str:
    """``template`` with each ``{}`` filled by a value, percent-encoded whole: ``path("/files/{}", value)``.

    Raises :class:`ValueError` for what no encoding keeps inside its segment (``.``, ``..``, nothing) and for
    text that is not Unicode.
    """
    pieces = template.split("{}")
    if len(pieces) != len(values) + 1:
        raise ValueError(f"{template!r} has {len(pieces) - 1} places for {len(values)} values")
    filled = pieces[0]
    for value, piece in zip(values, pieces[1:], strict=True):
        text = str(value)
        if text in ("", ".", ".."):
            raise ValueError(f"{text!r} cannot stand in an address")
        filled += quote(text, safe="") + piece
    return filled


@dataclass(frozen=True, slots=True)
class Raw:
    """A response as it came: status, header fields, decompressed body (of an error only its beginning)."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, ready to be sent."""

    method: str
    url: str
    params: list[tuple[str, str]]
    data: Any
    json: Any
    headers: dict[str, str]
    deadline: Deadline


class Exchange:
    """Questions to one service. ``deadline`` may be replaced between questions: the connections stay.

    One object may be used by several threads at once (each has connections of its own); a caller that changes
    ``deadline`` while others ask takes :meth:`within` instead.
    """

    def __init__(
        self,
        source: str,
        base_url: str,
        *,
        settings: NetSettings,
        deadline: Deadline | None,
        redact: Callable[[str], str] | None,
        secrets: Collection[str] = (),
    ) -> None:
        self.source = source
        self.settings = settings
        self.deadline = deadline or Deadline(None)
        own = Redactor(secrets)
        self.redact: Callable[[str], str] = (lambda text: own(redact(text))) if redact else own
        try:
            parts = urlsplit(base_url.strip())
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable or any(character.isspace() for character in base_url.strip()):
            wrong = f"the address {clean(self.redact(base_url), 80)!r} is no http or https address"
            raise SettingsError(source, wrong, advice="Correct `url` in the settings")
        self.base_url = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
        self.host = parts.hostname or ""

    def request(
        self,
        method: str,
        path: str,
        params: Query = None,
        data: Any = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        ok: Collection[int] = (200,),
        absent: Collection[int] = (404,),
        *,
        repeatable: bool = True,
        html_absent: bool = False,
    ) -> Reply:
        """Ask and return the reply.

        ``path``: below the base address, values encoded by :func:`path`; an absolute address only at the same
        origin. ``params``, ``data`` (a form, text or bytes), ``json``: encoded here; ``None`` values are left
        out of ``params``. ``ok``: statuses of an answer; ``absent``: statuses that mean *not known*
        (``reply.absent``), unless a page for browsers came with it (a wrong address, or a proxy in between;
        ``html_absent`` for services that do that). ``repeatable``: asking twice is harmless, so a lost answer
        is asked for again; a submission passes False.

        Tried again, with full jitter: connection errors, broken answers, 502, 503 and 504; a 429 or 503 with
        ``Retry-After`` after that time; all of it only within the deadline. Raises a
        :class:`~cortex_grow.net.errors.SourceError`.
        """
        ask = Ask(method.upper(), self._url(path), pairs(params), data, json, dict(headers or {}), self.deadline)
        attempt = 0
        while True:
            attempt += 1
            try:
                ask.deadline.check(self.source, "asking", self.host)
                raw = self._send(ask)
                reply = self._judge(raw, ok, absent, html_absent, attempt)
            except SourceError as error:
                error.attempts = attempt
                pause = self._pause(error, attempt, repeatable)
                if pause is None or pause >= ask.deadline.left():
                    raise
                ask.deadline.sleep(pause)
            else:
                return reply

    def _pause(self, error: SourceError, attempt: int, repeatable: bool) -> float | None:
        """Seconds to wait before asking again, or None to give up."""
        if not error.transient or attempt > self.settings.retries:
            return None
        if not (repeatable or error.unsent or isinstance(error, QuotaError)):
            return None
        if error.retry_at is not None:
            wait = max(0.0, error.retry_at - time.time())
            if self.settings.max_wait is not None and wait > self.settings.max_wait:
                return None
            # A little later than told, each at its own time: many may have been told the same second.
            return wait + random.uniform(0, min(1.0, self.settings.backoff))
        return random.uniform(0, min(LONGEST_PAUSE, self.settings.backoff * 2 ** (attempt - 1)))

    def _send(self, ask: Ask) -> Raw:
        """Send one request and read its response; raises typed errors."""
        raise NotImplementedError

    def _url(self, path: str) -> str:
        if path.startswith(("http://", "https://")):
            if not same_origin(path, self.base_url):
                raise RefusedError(self.source, f"an address outside {self.host} is not asked", host=self.host)
            return path
        return (
            f"{self.base_url}/{path[1:]}"
            if path.startswith("/")
            else f"{self.base_url}/{path}"
            if path
            else self.base_url
        )

    def _judge(self, raw: Raw, ok: Collection[int], absent: Collection[int], html_absent: bool, attempts: int) -> Reply:
        status, content_type = raw.status, raw.headers.get("content-type", "")
        page = is_html(raw.body, content_type)
        if status in ok or (status in absent and (html_absent or not page)):
            return Reply(status, raw.headers, raw.body, status not in ok, self.source, self.host, attempts, self.redact)
        said = self.redact(own_words(raw.body, content_type))
        kind, what, advice = verdict(status, page)
        retry_at = retry_time(raw.headers.get("retry-after")) if status in (429, 503) else None
        if status in REDIRECTS:
            to = urlsplit(_joined(self.base_url, raw.headers.get("location", ""))).hostname
            where = "another address of this host" if to in (None, self.host) else repr(clean(str(to), 80))
            what, said = f"it redirects to {where}, which is not followed", ""
        raise kind(
            self.source,
            what,
            host=self.host,
            status=status,
            advice=advice,
            said=said,
            retry_at=retry_at,
            transient=status in PASSING or (status == 429 and retry_at is not None),
        )

    def too_large(self) -> NotAnAnswerError:
        """The error for a body over the limit. Not the source's fault: the breaker does not count it."""
        size = self.settings.max_bytes
        text = f"the answer is larger than {size / 1048576:.3g} MiB" if size >= 1048576 else f"larger than {size} bytes"
        return NotAnAnswerError(self.source, text, host=self.host, breaks=False, advice="Raise `max_bytes` if need be")

    def truncated(self, how: str = "the answer was cut short") -> NotAnAnswerError:
        """The error for a body that ended too early."""
        return NotAnAnswerError(self.source, how, host=self.host, advice="Ask again", transient=True)

    def no_answer(self, seconds: float, what: str = "") -> UnreachableError:
        """The error for silence."""
        text = f"{what or self.host} did not answer within {seconds:.3g} s"
        return UnreachableError(self.source, text, host=self.host, advice="Ask again later, or raise `read_timeout`")


class Session(Exchange):
    """Questions over ``requests``.

    ``headers``: sent with each question, the credential's among them (those that look like one are redacted
    from every error). ``auth``: name and password for HTTP Basic; also taken from ``base_url``.
    ``public_only``: for an address out of somebody's answer (a referral): never an address of this machine or
    of a private network.
    """

    def __init__(
        self,
        source: str,
        base_url: str,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        settings: NetSettings | None = None,
        deadline: Deadline | None = None,
        redact: Callable[[str], str] | None = None,
        *,
        public_only: bool = False,
    ) -> None:
        userinfo = _userinfo(base_url)
        self.auth = auth or userinfo
        self.headers = {name: str(value).strip() for name, value in (headers or {}).items()}
        secrets = [value for name, value in self.headers.items() if looks_secret(name) or "auth" in name.lower()]
        secrets += [value.partition(" ")[2] for value in secrets if " " in value]
        if self.auth:
            secrets += [self.auth[1], f"{self.auth[0]}:{self.auth[1]}"]
        super().__init__(
            source, base_url, settings=settings or NetSettings(), deadline=deadline, redact=redact, secrets=secrets
        )
        self.public_only = public_only
        self._wire: Wire | None = None

    def within(self, deadline: Deadline) -> Session:
        """The same session, with the same connections, under another deadline."""
        if self._wire is None:
            self._wire = self._connect()
        twin = Session.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.deadline = deadline
        return twin

    def close(self) -> None:
        """Close the connections (also those of its twins). Not while another thread asks."""
        if self._wire is not None:
            self._wire.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _connect(self) -> Wire:
        from .wire import Wire

        return Wire(self.settings, self.public_only)

    def _send(self, ask: Ask) -> Raw:
        if self._wire is None:
            self._wire = self._connect()
        headers = {"User-Agent": self.settings.user_agent, "Accept": "application/json", **self.headers, **ask.headers}
        auth, public_only = self.auth, self.public_only
        for _ in range(HOPS):
            raw = self._wire.send(self, ask, headers, auth, public_only)
            follow = self._follow(ask, raw)
            if follow is None:
                return raw
            if not same_origin(follow.url, ask.url, upgrade=True):
                # Another host: no credential, and nothing else that was meant for the first.
                headers, auth, public_only = {"User-Agent": self.settings.user_agent, "Accept": "*/*"}, None, True
            ask = follow
        raise NotAnAnswerError(self.source, "it redirects in a circle", host=self.host, status=raw.status, advice=MOVED)

    def _follow(self, ask: Ask, raw: Raw) -> Ask | None:
        """The request that a redirect asks for, or None where it is not followed (RFC 9110, 15.4)."""
        location = raw.headers.get("location")
        if raw.status not in REDIRECTS or not location or self.settings.redirects == "never":
            return None
        url = _joined(ask.url, location)
        method = "GET" if raw.status == 303 or (raw.status in (301, 302) and ask.method == "POST") else ask.method
        near = same_origin(url, ask.url, upgrade=True)
        if not near:
            try:
                parts = urlsplit(url)
                usable = parts.scheme == "https" or (parts.scheme == "http" and ask.url.startswith("http:"))
                usable = usable and bool(parts.hostname) and parts.port != 0
            except ValueError:
                usable = False
            if self.settings.redirects != "any" or method != "GET" or not usable:
                return None
        keep = method == ask.method
        return Ask(
            method,
            url,
            [],
            ask.data if keep else None,
            ask.json if keep else None,
            ask.headers if near else {},
            ask.deadline,
        )


MOVED = "Check `url` in the settings; a proxy or a login page in between may have answered instead"


def verdict(status: int, page: bool) -> tuple[type[SourceError], str, str]:
    """What a status that is no answer means: the class of error, what happened, what to do."""
    between = "A page for browsers came back: a firewall or proxy in between may have refused it" if page else ""
    if status in (401, 403):
        what = "the credential was refused" if status == 401 else "the credential may not ask this"
        return CredentialError, what, between or "Check the key in the configuration, and what it is allowed to ask"
    if status == 407:
        return UnreachableError, "the proxy asks for a name and a password", "Put user:password@ into `proxy_https`"
    if status == 429:
        return QuotaError, "too many requests", "Ask less often, or get a key with a larger quota"
    if status >= 500:
        return UnreachableError, "the service has failed", "Ask again later"
    if 400 <= status < 500:
        if status in (404, 410):
            return (NotAnAnswerError if page else RefusedError), "there is nothing at this address", MOVED
        return RefusedError, "the question was refused", between or "Check the value that was asked for"
    return NotAnAnswerError, "an unexpected status came back", MOVED


def retry_time(value: str | None, now: float | None = None) -> float | None:
    """``Retry-After`` (RFC 9110, 10.2.3), seconds or a date, as seconds since the epoch; None for nonsense."""
    if not value:
        return None
    now = time.time() if now is None else now
    text = value.strip()
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return now + min(float(text[:12]), 366 * 86400.0)
    from email.utils import parsedate_to_datetime

    try:
        at = parsedate_to_datetime(text[:64]).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(at, now), now + 366 * 86400.0)


def pairs(params: Query) -> list[tuple[str, str]]:
    """Query parameters as pairs of text: lists give one pair an item, None gives none, booleans are true and false."""
    found: list[tuple[str, str]] = []
    for name, value in params.items() if isinstance(params, Mapping) else params or ():
        for item in value if isinstance(value, list | tuple | set | frozenset) else (value,):
            if item is not None:
                found.append((str(name), str(item).lower() if isinstance(item, bool) else str(item)))
    return found


def same_origin(one: str, other: str, upgrade: bool = False) -> bool:
    """Whether two addresses have the same scheme, host and port; with ``upgrade``, https after http counts as same."""
    try:
        a, b = urlsplit(one), urlsplit(other)
        ports = {"http": 80, "https": 443}
        if (a.hostname or "").rstrip(".") != (b.hostname or "").rstrip(".") or not a.hostname:
            return False
        if upgrade and (b.scheme, a.scheme) == ("http", "https"):
            return (a.port or 443) == 443 and (b.port or 80) == 80
        return a.scheme == b.scheme and (a.port or ports.get(a.scheme)) == (b.port or ports.get(b.scheme))
    except ValueError:
        return False


def _joined(base: str, location: str) -> str:
    try:
        return urljoin(base, location.encode("latin-1", "replace").decode("utf-8", "replace").strip())
    except ValueError:
        return ""


def _userinfo(url: str) -> tuple[str, str] | None:
    from urllib.parse import unquote

    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return None
    if parts.username is None:
        return None
    return unquote(parts.username), unquote(parts.password or "")


__all__ = ["Exchange", "NetSettings", "Session", "path"]
