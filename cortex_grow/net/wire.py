"""Sending over ``requests``, bounded at every step.

``requests`` and urllib3 bound single steps (a connect, a ``recv``), so a server that sends a byte a second
keeps them busy for ever, and a compressed body may grow a thousandfold. Here the socket itself asks the job's
deadline before every read, names are looked up in bounded time, and a body is decompressed piece by piece up to
its limit. Redirects, cookies, ``.netrc`` and the environment are left out of the library's hands: the caller
decides.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import threading
import weakref
import zlib
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, IncompleteRead, LocationParseError

from .deadline import Deadline
from .dial import dial
from .errors import NotAnAnswerError, RefusedError, SettingsError, SourceError, UnreachableError
from .failures import tls_failed, tunnel_failed
from .inflate import Inflater, UnknownEncoding
from .reply import GLANCE, Headers
from .session import Ask, Exchange, Raw
from .settings import NetSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

CHUNK = 65536


class _Now(threading.local):
    """The question that this thread is asking: the connection hooks below belong to urllib3 and get no argument
    of ours."""

    exchange: Exchange
    deadline: Deadline
    public_only: bool


_now = _Now()


class _Reader(io.RawIOBase):
    """The socket's raw reader, asking the clock before every read."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def readinto(self, buffer: Any) -> int | None:
        exchange, deadline = _now.exchange, _now.deadline
        limit = min(exchange.settings.read_timeout, deadline.left())
        if limit <= 0:
            raise deadline.error(exchange.source, "reading the answer", exchange.host)
        try:
            self._sock.settimeout(limit)
            return self._raw.readinto(buffer)
        except TimeoutError:
            if deadline.left() <= 0:
                raise deadline.error(exchange.source, "waiting for the answer", exchange.host) from None
            raise exchange.no_answer(limit) from None

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **named: Any) -> None:
        super().__init__(sock, *args, **named)
        self.fp = io.BufferedReader(_Reader(self.fp.detach(), sock), CHUNK)


class _Dialling:
    """The hooks of urllib3's connections: how a socket is opened and read."""

    _dns_host: str
    port: int
    proxy: Any

    def _new_conn(self) -> socket.socket:
        exchange = _now.exchange
        host = self._dns_host.strip("[]")
        return dial(
            exchange.source,
            host,
            self.port,
            timeout=exchange.settings.connect_timeout,
            deadline=_now.deadline,
            public_only=_now.public_only and self.proxy is None,
            what=f"the proxy {host}" if self.proxy is not None else host,
        )


class _HTTP(_Dialling, HTTPConnection):
    response_class = _Response


class _HTTPS(_Dialling, HTTPSConnection):
    response_class = _Response


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPS


_POOLS = {"http": _HTTPPool, "https": _HTTPSPool}


class _Adapter(HTTPAdapter):
    """Connections of this module, verified against the settings' authorities alone."""

    def __init__(self, settings: NetSettings) -> None:
        self._settings = settings
        super().__init__(pool_connections=4, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **named: Any) -> None:
        super().init_poolmanager(*args, **named)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **named: Any) -> Any:
        if proxy.startswith("https:"):
            named["proxy_ssl_context"] = self._settings.ssl_context()
        manager = super().proxy_manager_for(proxy, **named)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        host, tls = super().build_connection_pool_key_attributes(request, verify, cert)
        tls.pop("ca_certs", None)
        tls.pop("ca_cert_dir", None)
        if host["scheme"] == "https":
            tls["ssl_context"] = self._settings.ssl_context()
        return host, tls

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        # The library would add the public authorities to our context here.
        conn.cert_reqs = "CERT_REQUIRED"


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None  # the caller follows, and the library would read the redirect's body without a limit

    def __init__(self, settings: NetSettings) -> None:
        super().__init__()
        self.trust_env = False
        self.headers.clear()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = _Adapter(settings)
        self.mount("https://", adapter)
        self.mount("http://", adapter)


class Wire:
    """Connections: one ``requests.Session`` for each thread that asks."""

    def __init__(self, settings: NetSettings, public_only: bool) -> None:
        self.settings = settings
        self._mine = threading.local()
        self._all: weakref.WeakSet[_Session] = weakref.WeakSet()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close every thread's connections."""
        with self._lock:
            for session in self._all:
                session.close()

    def _session(self) -> _Session:
        session: _Session | None = getattr(self._mine, "session", None)
        if session is None:
            session = self._mine.session = _Session(self.settings)
            with self._lock:
                self._all.add(session)
        return session

    def send(
        self,
        exchange: Exchange,
        ask: Ask,
        headers: Mapping[str, str],
        auth: tuple[str, str] | None,
        public_only: bool,
    ) -> Raw:
        """Send one request and read the response whole; raises typed errors."""
        _now.exchange, _now.deadline, _now.public_only = exchange, ask.deadline, public_only
        session = self._session()
        request = requests.Request(
            ask.method,
            ask.url,
            headers={**headers, "Accept-Encoding": "gzip, deflate"},
            params=ask.params,
            data=ask.data,
            json=ask.json,
            auth=tuple(part.encode("utf-8") for part in auth) if auth else None,
        )
        try:
            prepared = session.prepare_request(request)
        except (requests.RequestException, UnicodeError, LocationParseError) as error:
            raise _unsendable(exchange, error) from None
        url = prepared.url or ask.url
        proxy = self.settings.proxy_for(url)
        connect = min(self.settings.connect_timeout, ask.deadline.left())
        try:
            response = session.send(
                prepared,
                stream=True,
                timeout=(max(connect, 0.001), self.settings.read_timeout),
                verify=True,
                proxies={urlsplit(url).scheme: proxy} if proxy else {},
                allow_redirects=False,
            )
            try:
                return self._read(exchange, ask, response)
            finally:
                # A body that was read to its end has given its connection back already.
                response.close()
        except SourceError as error:
            error.source = error.source or exchange.source
            raise
        except (requests.RequestException, HTTPError, http.client.HTTPException, OSError, ValueError) as error:
            raise _failed(exchange, error, ask.deadline, proxy) from None

    def _read(self, exchange: Exchange, ask: Ask, response: requests.Response) -> Raw:
        headers = Headers(response.raw.headers.items())
        status = response.status_code
        if ask.method == "HEAD":
            return Raw(status, headers, b"")
        good = 200 <= status < 300
        limit = self.settings.max_bytes if good else GLANCE
        announced = headers.get("content-length", "")
        length = int(announced) if announced.isascii() and announced.isdigit() and len(announced) < 16 else None
        if good and length is not None and length > limit:
            raise exchange.too_large()
        body, received = bytearray(), 0
        inflate = Inflater(headers.get("content-encoding", ""), limit)
        try:
            while chunk := response.raw.read(CHUNK, decode_content=False):
                received += len(chunk)
                body += inflate.feed(chunk)
                if len(body) > limit or received > limit:
                    if good:
                        raise exchange.too_large()
                    return Raw(status, headers, bytes(body[:limit]))
        except UnknownEncoding as error:
            text = f"the answer is compressed in a way that was not asked for ({error})"
            raise NotAnAnswerError(exchange.source, text, host=exchange.host, status=status) from None
        except zlib.error:
            raise exchange.truncated("the answer's compression is damaged") from None
        short = (
            length is not None and received < length and "chunked" not in headers.get("transfer-encoding", "").lower()
        )
        if good and (short or not inflate.complete):
            raise exchange.truncated()
        return Raw(status, headers, bytes(body))


def _unsendable(exchange: Exchange, error: Exception) -> SourceError:
    if isinstance(error, (requests.exceptions.InvalidHeader, UnicodeError)):
        text = "a header cannot be sent: it holds a line break or a character that headers do not know"
        return SettingsError(exchange.source, text, advice="Check the key in the configuration, it may have been cut")
    text = "the address that results cannot be asked"
    return RefusedError(exchange.source, text, host=exchange.host, advice="Check the value, and `url` in the settings")


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what it wraps, as arguments, reasons, causes or contexts."""
    found: list[BaseException] = []
    work: list[Any] = [error]
    while work and len(found) < 20:
        item = work.pop()
        if isinstance(item, BaseException) and item not in found:
            found.append(item)
            work += [*item.args, getattr(item, "reason", None), item.__cause__, item.__context__]
    return found


def _failed(exchange: Exchange, error: Exception, deadline: Deadline, proxy: str | None) -> SourceError:
    chain = _chain(error)
    host = exchange.host
    for item in chain:
        if isinstance(item, SourceError):
            item.source = item.source or exchange.source
            return item
    for item in chain:
        if isinstance(item, ssl.SSLError):
            return tls_failed(exchange, item)
    if deadline.left() <= 0:
        return deadline.error(exchange.source, "asking", host)
    if any(isinstance(item, TimeoutError | requests.Timeout) for item in chain):
        return exchange.no_answer(exchange.settings.read_timeout)
    text = " ".join(str(item) for item in chain if isinstance(item, OSError))
    if proxy:
        via = urlsplit(proxy).hostname or ""
        if "Tunnel connection failed" in text:
            status = text.partition("Tunnel connection failed:")[2].split()[:1]
            return tunnel_failed(exchange, via, int(status[0]) if status and status[0].isdigit() else None)
    if any(isinstance(item, IncompleteRead | http.client.IncompleteRead) for item in chain):
        return exchange.truncated()
    if any(isinstance(item, ConnectionResetError | BrokenPipeError | ConnectionAbortedError) for item in chain):
        what = "the connection was broken off"
    elif any(isinstance(item, http.client.RemoteDisconnected) for item in chain):
        what = "the connection was closed without an answer"
    elif any(isinstance(item, http.client.HTTPException | ValueError) for item in chain):
        return NotAnAnswerError(
            exchange.source,
            "what came back is no HTTP",
            host=host,
            advice="Check `url` in the settings",
            transient=True,
        )
    else:
        reasons = [item.strerror for item in chain if isinstance(item, OSError) and item.strerror]
        what = f"the connection failed ({reasons[-1]})" if reasons else "the connection failed"
    return UnreachableError(exchange.source, what, host=host, advice="Ask again later", transient=True)
