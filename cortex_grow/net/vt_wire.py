"""The part of the VirusTotal session that knows vt-py and aiohttp; imported with the first question."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
import vt
from aiohttp.abc import AbstractResolver

from .deadline import Deadline
from .dial import connection_failed, resolve
from .errors import NotAnAnswerError, RefusedError, SettingsError, SourceError, UnreachableError
from .failures import tls_failed, tunnel_failed
from .reply import GLANCE, Headers, clean
from .session import MOVED, Ask, Exchange, Raw, same_origin

if TYPE_CHECKING:
    from aiohttp.abc import ResolveResult


class Client:
    """One thread's connections. The loop runs only while a question is asked."""

    def __init__(self, exchange: Exchange, apikey: str, server: str) -> None:
        self._apikey = apikey
        self._server = server
        self._proxy = exchange.settings.proxy_for(server)
        self._loop = asyncio.new_event_loop()
        self._client: Any = None
        self._connector: _Connector | None = None

    def close(self) -> None:
        """Close connections and loop."""
        if self._loop.is_closed():
            return
        try:
            if self._client is not None:
                self._loop.run_until_complete(self._end())
        finally:
            self._loop.close()

    async def _end(self) -> None:
        await self._client.close_async()
        # Transports close in a later turn of the loop.
        for _ in range(3):
            await asyncio.sleep(0)

    def send(self, exchange: Exchange, ask: Ask, path: str) -> Raw:
        """Send one request and read the response whole; raises typed errors."""
        try:
            return self._loop.run_until_complete(self._exchange(exchange, ask, path))
        except SourceError as error:
            error.source = error.source or exchange.source
            raise
        except _OtherOrigin as error:
            text = f"it redirects to {clean(str(error), 80)!r}, which is not followed"
            raise NotAnAnswerError(exchange.source, text, host=exchange.host, advice=MOVED) from None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _failed(exchange, error, ask.deadline, self._proxy) from None

    async def _exchange(self, exchange: Exchange, ask: Ask, path: str) -> Raw:
        settings, deadline = exchange.settings, ask.deadline
        if self._client is None:
            self._connector = _Connector(
                self._server,
                resolver=_Resolver(),
                ssl=settings.ssl_context() if self._secure() else True,
                limit=4,
            )
            self._client = vt.Client(
                self._apikey,
                agent=settings.user_agent,
                host=self._server,
                timeout=None,  # aiohttp's own total; each step is bounded here
                proxy=self._proxy,
                connector=self._connector,
            )
        assert self._connector is not None
        self._connector.ask = (exchange, deadline)
        # vt-py fills braces in a path; ours is filled already.
        literal = path.replace("{", "{{").replace("}", "}}")
        patience = settings.connect_timeout + settings.read_timeout
        response = await asyncio.wait_for(
            self._client.get_async(literal, params=ask.params), min(patience, deadline.left())
        )
        try:
            return await self._read(exchange, deadline, response)
        finally:
            response.close()  # a body that was read to its end has given its connection back already

    async def _read(self, exchange: Exchange, deadline: Deadline, response: Any) -> Raw:
        status = int(response.status)
        headers = Headers((str(name), str(value)) for name, value in response.headers.items())
        good = 200 <= status < 300
        limit = exchange.settings.max_bytes if good else GLANCE
        if good and headers.get("content-length", "").isdigit() and int(headers["content-length"][:18]) > limit:
            raise exchange.too_large()
        body = bytearray()
        while True:
            left = min(exchange.settings.read_timeout, deadline.left())
            chunk = await asyncio.wait_for(response.content.readany_async(), left)
            if not chunk:
                break
            body += chunk
            if len(body) > limit:
                if good:
                    raise exchange.too_large()
                break
        return Raw(status, headers, bytes(body[:limit]))

    def _secure(self) -> bool:
        return self._server.startswith("https:") or bool(self._proxy and self._proxy.startswith("https:"))


class _OtherOrigin(Exception):
    """A redirect that would carry the key to another server."""


class _Connector(aiohttp.TCPConnector):
    """Connects to one origin alone, names looked up within the deadline."""

    ask: tuple[Exchange, Deadline]

    def __init__(self, server: str, *, resolver: _Resolver, **named: Any) -> None:
        super().__init__(resolver=resolver, use_dns_cache=False, **named)
        self._server = server
        resolver.connector = self

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:
        if not same_origin(str(req.url), self._server):
            raise _OtherOrigin(req.url.host)
        if req.proxy_headers:
            # aiohttp puts the session's headers, the key among them, into its CONNECT to the proxy as well.
            req.proxy_headers = type(req.proxy_headers)()
        exchange, deadline = self.ask
        limit = min(exchange.settings.connect_timeout, deadline.left())
        return await super().connect(req, traces, aiohttp.ClientTimeout(total=None, sock_connect=limit))


class _Resolver(AbstractResolver):
    """The bounded look-up of :mod:`cortex_grow.net.dial`. It blocks the loop, which has nothing else to do."""

    connector: _Connector

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        exchange, deadline = self.connector.ask
        timeout = exchange.settings.connect_timeout
        found = resolve(exchange.source, host, port, timeout=timeout, deadline=deadline)
        return [
            {
                "hostname": host,
                "host": str(address[0]),
                "port": port,
                "family": kind,
                "proto": socket.IPPROTO_TCP,
                "flags": socket.AI_NUMERICHOST,
            }
            for kind, address in found
            if family in (socket.AF_UNSPEC, kind)
        ]

    async def close(self) -> None:
        """Nothing is held."""


def _failed(exchange: Exchange, error: Exception, deadline: Deadline, proxy: str | None) -> SourceError:
    host, source, settings = exchange.host, exchange.source, exchange.settings
    via = urlsplit(proxy).hostname or "" if proxy else ""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        inner = error.certificate_error
        if isinstance(inner, ssl.SSLError):
            return tls_failed(exchange, inner)
    inner = getattr(error, "os_error", None) or error
    if isinstance(inner, ssl.SSLError):
        return tls_failed(exchange, inner)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return tunnel_failed(exchange, via, error.status)
    if deadline.left() <= 0:
        return deadline.error(source, "waiting for the answer", host)
    if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
        parts = urlsplit(proxy or exchange.base_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        what, seconds = (f"the proxy {via}" if proxy else host), settings.connect_timeout
        failure = inner if isinstance(inner, OSError) else TimeoutError()
        return connection_failed(source, via or host, what, port, failure, seconds)
    if isinstance(error, TimeoutError):
        return exchange.no_answer(settings.read_timeout)
    if isinstance(error, aiohttp.ClientPayloadError):
        return exchange.truncated()
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError | OSError):
        what = "the connection was closed without an answer"
        if isinstance(error, OSError):
            what = "the connection was broken off"
        return UnreachableError(source, what, host=host, advice="Ask again later", transient=True)
    if isinstance(error, aiohttp.TooManyRedirects):
        return NotAnAnswerError(source, "it redirects in a circle", host=host, advice=MOVED)
    if isinstance(error, aiohttp.ClientResponseError):
        return NotAnAnswerError(
            source, "what came back is no HTTP", host=host, advice="Check `url` in the settings", transient=True
        )
    if isinstance(error, ValueError) and not isinstance(error, aiohttp.InvalidURL):
        text = "the key cannot be sent: it holds a line break or a character that headers do not know"
        return SettingsError(source, text, advice="Check `key` in the configuration, it may have been cut")
    text = f"the address that results cannot be asked ({clean(type(error).__name__)})"
    return RefusedError(source, text, host=host, advice="Check the value, and `url` in the settings")
