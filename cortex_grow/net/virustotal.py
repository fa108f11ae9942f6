"""VirusTotal over vt-py's raw client: the same questions, limits and errors as
:class:`~cortex_grow.net.session.Session`.

vt-py sends through aiohttp. Its raw ``get`` keeps status and headers and judges nothing, so retries, quota, and
errors are those of :class:`~cortex_grow.net.session.Exchange`. What vt-py leaves to aiohttp is held here: the
authorities and the name look-up through the connector that it takes, the proxy as its one ``proxy``, and
redirects, which aiohttp follows with the key in the header, by refusing to connect to another origin.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

from .deadline import Deadline
from .errors import CredentialError, RefusedError
from .session import Ask, Exchange, Raw
from .settings import NetSettings

HOST = "https://www.virustotal.com"
PREFIX = "/api/v3"


class VirusTotalSession(Exchange):
    """Questions to VirusTotal's API v3; ``path`` begins below ``/api/v3``: ``request("GET",
    "/ip_addresses/192.0.2.1")``.

    ``url``: another server of the same API (its ``/api/v3`` may be left out). Only GET is known. May be used by several
    threads: each has its own event loop and connections. Close it, or leave it to the end of the process.
    """

    def __init__(
        self,
        apikey: str,
        url: str | None = None,
        *,
        source: str = "VirusTotal",
        settings: NetSettings | None = None,
        deadline: Deadline | None = None,
        redact: Callable[[str], str] | None = None,
    ) -> None:
        self._apikey = str(apikey or "").strip()
        super().__init__(
            source,
            url or HOST,
            settings=settings or NetSettings(),
            deadline=deadline,
            redact=redact,
            secrets=[self._apikey],
        )
        if not self._apikey:
            raise CredentialError(
                source, "no key is configured", host=self.host, advice="Set `key` in its configuration"
            )
        self._server = self.base_url.removesuffix(PREFIX)
        self.base_url = self._server + PREFIX
        self._clients = _Clients()

    def within(self, deadline: Deadline) -> VirusTotalSession:
        """The same session, with the same connections, under another deadline."""
        twin = VirusTotalSession.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.deadline = deadline
        return twin

    def close(self) -> None:
        """Close the connections of all threads (also those of its twins). Not while another thread asks."""
        self._clients.close()

    def __enter__(self) -> VirusTotalSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, ask: Ask) -> Raw:
        if ask.method != "GET" or ask.data is not None or ask.json is not None or ask.headers:
            raise RefusedError(self.source, "only plain GET questions are asked of this service", host=self.host)
        from .vt_wire import Client

        mine: Client | None = getattr(self._clients.mine, "client", None)
        if mine is None:
            mine = self._clients.mine.client = Client(self, self._apikey, self._server)
            self._clients.all.append(mine)
        return mine.send(self, ask, ask.url.removeprefix(self.base_url))


class _Clients:
    """One client for each thread; closed when nobody holds them any more, and at the end of the process at the
    latest."""

    def __init__(self) -> None:
        self.mine: Any = threading.local()
        self.all: list[Any] = []
        self._end = weakref.finalize(self, _close, self.all)

    def close(self) -> None:
        _close(self.all)
        self.mine = threading.local()


def _close(clients: list[Any]) -> None:
    while clients:
        clients.pop().close()
