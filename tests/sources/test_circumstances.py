"""What a job is given: the operator's lists also from a URL, the limits of TLP and PAP, and settings with nulls."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from cortex_grow.model.indicator import Indicator
from cortex_grow.net.errors import UnreachableError
from cortex_grow.source import registry
from cortex_grow.source.circumstances import open_job
from cortex_grow.source.exposure import barred
from cortex_grow.source.settings import SettingError, Settings


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"# ours\ncorp.example\n192.0.2.0/24\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    running = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


def test_own_assets_behind_a_url_are_kept_while_their_server_is_away(server: HTTPServer, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{server.server_port}/own.txt"
    settings = Settings({"own_assets": [url], "state_dir": str(tmp_path / "state")})
    assets = open_job(settings, 20).assets
    assert assets.own(Indicator("fqdn", "www.corp.example")) and assets.own(Indicator("ip", "192.0.2.7"))
    assert not assets.own(Indicator("domain", "other.example"))
    server.shutdown()
    server.server_close()
    assert open_job(settings, 20).assets.own(Indicator("fqdn", "www.corp.example"))
    with pytest.raises(UnreachableError):
        open_job(Settings({**settings.values, "state_dir": str(tmp_path / "fresh"), "own_assets": [url]}), 20)


@pytest.mark.parametrize(
    ("exposure", "tlp", "pap", "allowed"),
    [
        ("local", 4, 3, True),
        ("passive", 2, 2, True),
        ("passive", 3, 2, False),
        ("vendor", 2, 2, True),
        ("vendor", 3, 0, False),
        ("vendor", 4, 0, False),
        ("vendor", 0, 3, False),
        ("active", 2, 1, True),
        ("active", 2, 2, False),
        ("public", 0, 0, False),
    ],
)
def test_limits_by_exposure_where_nothing_is_set(exposure: str, tlp: int, pap: int, allowed: bool) -> None:
    nulls = {"check_tlp": None, "max_tlp": None, "check_pap": None, "max_pap": None}
    for settings in (Settings({}), Settings(nulls)):
        assert (barred(exposure, tlp, pap, settings) is None) is allowed


def test_what_the_operator_sets_wins() -> None:
    assert barred("vendor", 3, 3, Settings({"max_tlp": 3, "max_pap": 3})) is None
    assert barred("vendor", 4, 3, Settings({"check_tlp": False, "check_pap": False})) is None
    assert "TLP" in str(barred("local", 1, 0, Settings({"max_tlp": 0})))
    assert "PAP" in str(barred("vendor", 0, 2, Settings({"max_pap": 1})))
    assert barred("public", 1, 1, Settings({"allow_public": True})) is None
    assert "include" in str(barred("active", 0, 0, Settings({"allow_active": False})))


def test_settings_read_nulls_as_defaults_and_name_what_is_wrong() -> None:
    declaration = registry.named("VirusTotal_Pivot")
    settings = Settings({"deadline": None, "cache": None, "key": None}, declaration)
    assert settings.number("deadline") == 240 and settings.flag("cache") is True and settings.text("key") is None
    for name, value, read in (
        ("deadline", "soon", "number"),
        ("deadline", True, "number"),
        ("cache", "perhaps", "flag"),
        ("key", ["a"], "text"),
        ("own_assets", {"a": 1}, "texts"),
    ):
        with pytest.raises(SettingError, match=name):
            getattr(Settings({name: value}, declaration), read)(name)


def test_every_secret_is_known_whatever_it_is_called() -> None:
    declaration = registry.named("VirusTotal_Pivot")
    values = {
        "key": "k-123456",
        "some_token": "t-123456",
        "nested": {"password": ["p-123456"]},
        "proxy_https": "http://user:proxypass@proxy.example:3128",
        "url": "https://example.org",
    }
    assert set(Settings(values, declaration).secrets) == {"k-123456", "t-123456", "p-123456", "proxypass"}
