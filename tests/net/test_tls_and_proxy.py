"""Certificates and proxies, with both clients against real TLS and real proxies on loopback."""

from __future__ import annotations

import base64
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from cortex_grow.net.errors import SettingsError, UnreachableError
from cortex_grow.net.settings import NetSettings, bypasses
from tests.net.conftest import KEY
from tests.net.servers import Authority, always, answer

OK = always(answer({"ok": 1}))


def one_line(pem: str) -> str:
    return " ".join(pem.split("\n"))


@pytest.mark.parametrize("form", ["text", "path", "folder text", "one line", "escaped", "two"])
def test_a_private_authority(serve: Any, client: Any, authority: Authority, form: str) -> None:
    server = serve(OK, context=authority.server)
    cacerts = {
        "text": authority.pem,
        "path": str(authority.path),
        "folder text": f"# Unser Zertifikat: Prüfstelle\n{authority.pem}\n",
        "one line": one_line(authority.pem),
        "escaped": authority.pem.replace("\n", "\\n"),
        "two": authority.pem + authority.pem,
    }[form]
    assert client(server.url, cacerts=cacerts).request("GET", "/x").json() == {"ok": 1}
    assert server.seen[0].headers["x-apikey"] == KEY


def test_from_the_environment_as_cortex_sets_it(serve: Any, client: Any, authority: Authority) -> None:
    server = serve(OK, context=authority.server)
    settings = NetSettings.from_mapping({"cacerts": None}, {"REQUESTS_CA_BUNDLE": str(authority.path)})
    assert client(server.url, cacerts=settings.cacerts).request("GET", "/x").json() == {"ok": 1}


def test_an_unknown_authority(serve: Any, client: Any, authority: Authority) -> None:
    server = serve(OK, context=authority.server)
    with pytest.raises(UnreachableError) as caught:
        client(server.url).request("GET", "/x")
    text = str(caught.value)
    assert "the certificate of 127.0.0.1 was not accepted" in text and "`cacerts`" in text
    assert "unable to get" in text and caught.value.attempts == 1 and not server.seen


def test_the_private_authority_replaces_the_public_ones(authority: Authority) -> None:
    """Who names an authority trusts that one alone, as in Cortex."""
    only = NetSettings(cacerts=authority.pem).ssl_context().get_ca_certs()
    assert [dict(part[0] for part in entry["subject"])["commonName"] for entry in only] == ["Test authority"]
    assert len(NetSettings().ssl_context().get_ca_certs()) > 50


def test_the_wrong_name(serve: Any, proxy_to: Any, client: Any, authority: Authority) -> None:
    proxy = proxy_to(serve(OK, context=authority.server).port)
    with pytest.raises(UnreachableError, match=r"certificate of other\.example\.org was not accepted.*mismatch"):
        client("https://other.example.org", cacerts=authority.pem, proxy_https=proxy.url).request("GET", "/x")


def test_no_tls_on_the_other_side(client: Any) -> None:
    def speak_plainly(listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=speak_plainly, args=(listening,), daemon=True).start()
        with pytest.raises(UnreachableError, match=r"no encrypted connection to 127\.0\.0\.1: .+ Check `url`"):
            client(f"https://127.0.0.1:{listening.getsockname()[1]}", retries=0).request("GET", "/x")


def test_a_handshake_that_never_ends(serve: Any, client: Any) -> None:
    server = serve(lambda *_: time.sleep(20))
    began = time.monotonic()
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1") as caught:
        settings = {"connect_timeout": 0.3, "read_timeout": 0.3, "retries": 0}
        client(server.url.replace("http:", "https:"), **settings).request("GET", "/x")
    assert time.monotonic() - began < 8 and "within 0.3 s" in str(caught.value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("/no/such/file.pem", "cannot read /no/such/file.pem: No such file"),
        ("nonsense\nof two lines", "neither a PEM certificate nor a path"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate 1 of 1 is damaged"),
        ("-----BEGIN CERTIFICATE-----\nMIIB", "certificate 1 of 1 is damaged"),
        ("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----", "certificate 1 of 1 is damaged"),
        ("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----", "holds no certificate"),
    ],
)
def test_a_certificate_that_cannot_be_used(serve: Any, client: Any, value: str, text: str) -> None:
    server = serve(OK)
    with pytest.raises(SettingsError) as caught:
        client(server.url.replace("http:", "https:"), cacerts=value).request("GET", "/x")
    assert text in str(caught.value) and "`cacerts`" in str(caught.value)
    assert str(caught.value).startswith("Example: ") and "c2VjcmV0" not in str(caught.value)
    # It matters only where something is verified.
    assert client(server.url, cacerts=value).request("GET", "/x").json() == {"ok": 1}


def test_a_file_that_holds_no_certificate(client: Any, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing\n")
    settings = NetSettings.from_mapping({}, {"REQUESTS_CA_BUNDLE": str(tmp_path / "empty.pem")})
    with pytest.raises(SettingsError, match=r"\$REQUESTS_CA_BUNDLE`: .*empty\.pem holds no PEM certificate"):
        settings.ssl_context()


def test_http_through_a_proxy(serve: Any, proxy_to: Any, client: Any) -> None:
    server = serve(OK)
    proxy = proxy_to(server.port)
    session = client("http://api.example.org", proxy_http=proxy.url)
    assert session.request("GET", "/x").json() == {"ok": 1}
    assert proxy.seen[0].target.startswith("http://api.example.org") and proxy.seen[0].target.endswith("/x")
    assert server.seen[0].headers["host"] == "api.example.org"


def test_https_through_a_proxy(serve: Any, proxy_to: Any, client: Any, authority: Authority) -> None:
    server = serve(OK, context=authority.server)
    proxy = proxy_to(server.port)
    session = client("https://api.example.org", proxy_https=proxy.url, cacerts=authority.pem)
    assert session.request("GET", "/x").json() == {"ok": 1}
    assert (proxy.seen[0].method, proxy.seen[0].target) == ("CONNECT", "api.example.org:443")
    assert "x-apikey" not in proxy.seen[0].headers, "the key is for the service, inside the tunnel"
    assert server.seen[0].headers["x-apikey"] == KEY


def test_a_proxy_that_is_reached_over_tls(serve: Any, proxy_to: Any, client: Any, authority: Authority) -> None:
    server = serve(OK, context=authority.server)
    proxy = proxy_to(server.port, context=authority.server)
    session = client("https://api.example.org", proxy_https=proxy.url, cacerts=authority.pem)
    assert session.request("GET", "/x").json() == {"ok": 1}
    assert proxy.seen[0].target == "api.example.org:443"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_with_a_password(serve: Any, proxy_to: Any, client: Any, authority: Authority, scheme: str) -> None:
    server = serve(OK, context=authority.server if scheme == "https" else None)
    wanted = "Basic " + base64.b64encode(b"user:pa:ss/word").decode()
    proxy = proxy_to(server.port, wanted)
    settings: dict[str, Any] = {"cacerts": authority.pem}
    settings[f"proxy_{scheme}"] = proxy.url.replace("//", "//user:pa%3Ass%2Fword@")
    assert client(f"{scheme}://api.example.org", **settings).request("GET", "/x").json() == {"ok": 1}
    settings[f"proxy_{scheme}"] = proxy.url.replace("//", "//user:wrong-pass@")
    with pytest.raises(UnreachableError, match=r"proxy.* asks for a name and a password") as caught:
        client(f"{scheme}://api.example.org", **settings).request("GET", "/x")
    assert caught.value.status == 407 and "wrong-pass" not in str(caught.value)


def test_a_proxy_that_is_down(client: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    for scheme in ("http", "https"):
        settings = {f"proxy_{scheme}": f"http://user:the-password@127.0.0.1:{port}", "retries": 0}
        with pytest.raises(UnreachableError, match=r"the proxy 127\.0\.0\.1 refuses connections") as caught:
            client(f"{scheme}://api.example.org", **settings).request("GET", "/x")
        assert "the-password" not in str(caught.value)


def test_a_proxy_that_will_not_connect(serve: Any, client: Any) -> None:
    proxy = serve(always(answer({}, "403 Forbidden"), keep=False))
    with pytest.raises(UnreachableError, match=r"proxy 127\.0\.0\.1 did not connect to api\.example\.org \(403"):
        client("https://api.example.org", proxy_https=proxy.url).request("GET", "/x")


def test_no_proxy(serve: Any, proxy_to: Any, client: Any) -> None:
    server = serve(OK)
    proxy = proxy_to(server.port)
    client(server.url, proxy_http=proxy.url, no_proxy="127.0.0.0/8").request("GET", "/x")
    assert not proxy.seen
    client(server.url, proxy_http=proxy.url).request("GET", "/x")
    assert proxy.seen, "a proxy in the configuration holds for loopback too"


def test_settings_as_cortex_hands_them_over() -> None:
    nothing = {"proxy": {"http": None, "https": None}, "proxy_http": None, "proxy_https": None, "cacerts": None}
    assert NetSettings.from_mapping(nothing, {}) == NetSettings()
    nested = NetSettings.from_mapping({"proxy": {"http": "http://a:1", "https": "b:2/"}}, {})
    assert (nested.proxy_http, nested.proxy_https) == ("http://a:1", "http://b:2")
    flat = NetSettings.from_mapping({"proxy_http": "http://c:3", "proxy": {"http": "http://a:1", "https": None}}, {})
    assert (flat.proxy_http, flat.proxy_https) == ("http://c:3", None)


def test_settings_from_the_environment() -> None:
    env = {"HTTPS_PROXY": "http://e:5", "http_proxy": "http://f:6", "NO_PROXY": "x.example", "all_proxy": "http://g:7"}
    found = NetSettings.from_mapping({}, env)
    assert (found.proxy_http, found.proxy_https, found.no_proxy) == ("http://f:6", "http://e:5", "x.example")
    assert NetSettings.from_mapping({}, {"ALL_PROXY": "http://g:7"}).proxy_https == "http://g:7"
    assert NetSettings.from_mapping({"proxy_https": "http://c:3"}, env).proxy_https == "http://c:3"
    assert found.proxy_for("http://127.0.0.1:8080/") is None, "loopback is asked directly"
    assert found.proxy_for("https://y.example/") == "http://e:5"
    assert found.proxy_for("https://sub.x.example/") is None


@pytest.mark.parametrize(
    "config",
    [
        {"proxy_http": "socks5://p4ssword@host:1"},
        {"proxy_http": "http://p4ssword:p4ssword@"},
        {"proxy_https": "http://p4ssword host:80"},
        {"proxy_https": 17},
        {"read_timeout": "soon"},
        {"read_timeout": 0},
        {"connect_timeout": True},
        {"max_bytes": float("nan")},
        {"retries": -1},
        {"cacerts": ["x"]},
    ],
)
def test_settings_that_cannot_be_used(config: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as caught:
        NetSettings.from_mapping(config, {})
    assert f"`{next(iter(config))}`" in str(caught.value) and "p4ssword" not in str(caught.value)


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "bypassed"),
    [
        ("*", "a.example", 443, True),
        ("example.org", "example.org", 443, True),
        ("example.org", "www.example.org", 443, True),
        (".example.org", "www.example.org", 443, True),
        ("*.example.org", "www.example.org", 443, True),
        ("example.org", "notexample.org", 443, False),
        ("example.org:8080", "example.org", 443, False),
        ("example.org:8080", "example.org", 8080, True),
        ("192.0.2.0/24 10.0.0.1", "192.0.2.77", 443, True),
        ("192.0.2.0/24,10.0.0.1", "10.0.0.1", 443, True),
        ("192.0.2.0/24", "192.0.3.1", 443, False),
        ("2001:db8::/32", "2001:db8::1", 443, True),
        ("[2001:db8::1]:443", "2001:db8::1", 443, True),
        ("::1", "::1", 443, True),
        ("", "a.example", 443, False),
        (" , ,", "a.example", 443, False),
        ("bad/net", "192.0.2.1", 443, False),
    ],
)
def test_what_no_proxy_takes_out(no_proxy: str, host: str, port: int, bypassed: bool) -> None:
    assert bypasses(host, port, no_proxy) is bypassed
