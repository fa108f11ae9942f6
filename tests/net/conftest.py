from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cortex_grow.net.deadline import Deadline
from cortex_grow.net.session import NetSettings, Session
from cortex_grow.net.virustotal import VirusTotalSession
from tests.net.servers import Authority, Behave, Proxy, Server, make_authority

KEY = "k3y-of-the-customer-0123456789"


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(behave: Behave, **named: Any) -> Server:
        servers.append(Server(behave, **named))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def proxy_to() -> Iterator[Callable[..., Proxy]]:
    proxies: list[Proxy] = []

    def start(port: int, password: str | None = None, **named: Any) -> Proxy:
        proxies.append(Proxy(port, password, **named))
        return proxies[-1]

    yield start
    for proxy in proxies:
        proxy.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    if shutil.which("openssl") is None:
        pytest.skip("makes its certificates with the openssl command, which is not installed")
    return make_authority(tmp_path_factory.mktemp("authority"))


Ask = Callable[..., Any]


@pytest.fixture(params=["requests", "vt-py"])
def client(request: pytest.FixtureRequest) -> Iterator[Callable[..., Session | VirusTotalSession]]:
    """Both clients, as ``client(url, seconds=…, **settings)``: what holds for one must hold for the other."""
    opened: list[Session | VirusTotalSession] = []

    def connect(url: str, seconds: float = 20.0, **settings: Any) -> Session | VirusTotalSession:
        net = NetSettings(**{"backoff": 0.01, **settings})
        deadline = Deadline(seconds)
        session: Session | VirusTotalSession
        if request.param == "requests":
            session = Session("Example", url, {"x-apikey": KEY}, settings=net, deadline=deadline)
        else:
            session = VirusTotalSession(KEY, url, source="Example", settings=net, deadline=deadline)
        opened.append(session)
        return session

    yield connect
    for session in opened:
        session.close()


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No proxy, authority or state of the machine that the tests run on."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CORTEX_GROW_STATE", str(tmp_path / "default-state"))
