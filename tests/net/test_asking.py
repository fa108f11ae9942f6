"""What both clients make of statuses, bodies and time."""

from __future__ import annotations

import gzip
import json
import socket
import time
import zlib
from email.utils import formatdate
from typing import Any

import pytest

from cortex_grow.net.errors import (
    CredentialError,
    DeadlineError,
    NotAnAnswerError,
    QuotaError,
    RefusedError,
    SourceError,
    UnreachableError,
)
from tests.net.conftest import KEY
from tests.net.servers import Request, always, answer, response

PAGE = (
    b"<!DOCTYPE html><html><head><style>p{x}</style><script>steal()</script></head><body><h1>Please log in</h1></body>"
)


def test_an_answer(serve: Any, client: Any) -> None:
    server = serve(always(answer({"data": [1]}, X_Left="7")))
    reply = client(server.url).request("GET", "/things/a%2Fb", params={"q": "a b&c", "none": None, "many": ["1", "2"]})
    assert (reply.status, reply.json(), reply.absent, reply.attempts) == (200, {"data": [1]}, False, 1)
    assert reply.headers["x-left"] == reply.headers["X-LEFT"] == "7"
    seen = server.seen[0]
    assert seen.headers["x-apikey"] == KEY
    assert seen.target.removeprefix("/api/v3") in (
        "/things/a%2Fb?q=a+b%26c&many=1&many=2",
        "/things/a%2Fb?q=a%20b%26c&many=1&many=2",
    )


@pytest.mark.parametrize(
    ("status", "kind", "breaks"),
    [
        ("401 Unauthorized", CredentialError, True),
        ("403 Forbidden", CredentialError, True),
        ("429 Too Many Requests", QuotaError, False),
        ("400 Bad Request", RefusedError, False),
        ("418 Teapot", RefusedError, False),
        ("500 Internal Server Error", UnreachableError, True),
        ("501 Not Implemented", UnreachableError, True),
        ("204 No Content", NotAnAnswerError, True),
    ],
)
def test_a_status_that_is_no_answer(
    serve: Any, client: Any, status: str, kind: type[SourceError], breaks: bool
) -> None:
    said = {"error": {"code": "SomeCode", "message": f"no, {KEY} is wrong\u202e\n!"}}
    server = serve(always(answer(said, status) if not status.startswith("204") else response(b"", status)))
    with pytest.raises(kind) as caught:
        client(server.url).request("GET", "/x")
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.host, error.source, error.breaks) == (int(status[:3]), "127.0.0.1", "Example", breaks)
    text = str(error)
    assert text.startswith("Example: ") and f"{status[:3]} from 127.0.0.1" in text and text.endswith(".")
    assert KEY not in text and "\n" not in text and "\u202e" not in text
    if not status.startswith("204"):
        assert "SomeCode: no, [redacted] is wrong" in error.said
    assert error.advice
    assert len(server.seen) == 1, "asking again would not help"


def test_not_found_is_an_answer(serve: Any, client: Any) -> None:
    server = serve(always(answer({"error": {"code": "NotFoundError"}}, "404 Not Found")))
    assert client(server.url).request("GET", "/x").absent
    with pytest.raises(RefusedError):
        client(server.url).request("GET", "/x", absent=())


def test_a_page_is_not_not_found(serve: Any, client: Any) -> None:
    """A wrong base address or a proxy answers 404 with a page: that is no *not known*."""
    server = serve(always(response(PAGE, "404 Not Found", content_type="text/html")))
    session = client(server.url)
    with pytest.raises(NotAnAnswerError, match=r"nothing at this address.*Please log in"):
        session.request("GET", "/x")
    assert session.request("GET", "/x", html_absent=True).absent


def test_a_page_instead_of_json(serve: Any, client: Any) -> None:
    server = serve(always(response(PAGE + KEY.encode(), content_type="text/html; charset=utf-8")))
    reply = client(server.url).request("GET", "/x")
    with pytest.raises(NotAnAnswerError) as caught:
        reply.json()
    text = str(caught.value)
    assert "text/html" in text and "Please log in" in text and "200 from 127.0.0.1" in text
    assert "<" not in text and "steal" not in text and KEY not in text


def test_a_page_with_403_says_so(serve: Any, client: Any) -> None:
    server = serve(always(response(PAGE, "403 Forbidden", content_type="text/html")))
    with pytest.raises(CredentialError, match="firewall or proxy"):
        client(server.url).request("GET", "/x")


def test_503_then_an_answer(serve: Any, client: Any) -> None:
    server = serve(always(answer({}, "503 Service Unavailable"), answer({"ok": 1})))
    reply = client(server.url).request("GET", "/x")
    assert reply.json() == {"ok": 1}
    assert reply.attempts == 2 == len(server.seen)


@pytest.mark.parametrize("status", ["502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"])
def test_a_service_that_stays_down(serve: Any, client: Any, status: str) -> None:
    server = serve(always(answer({}, status)))
    with pytest.raises(UnreachableError) as caught:
        client(server.url, retries=2).request("GET", "/x")
    assert caught.value.attempts == 3 == len(server.seen)


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_retry_after_in_seconds_is_waited_for(serve: Any, client: Any, status: str) -> None:
    server = serve(always(answer({}, status, Retry_After="1"), answer({"ok": 1})))
    began = time.monotonic()
    assert client(server.url).request("GET", "/x").json() == {"ok": 1}
    assert 1.0 <= time.monotonic() - began < 10


def test_retry_after_as_a_date_is_waited_for(serve: Any, client: Any) -> None:
    date = formatdate(time.time() + 2, usegmt=True)
    server = serve(always(answer({}, "429 Too Many Requests", Retry_After=date), answer({"ok": 1})))
    began = time.monotonic()
    assert client(server.url).request("GET", "/x").json() == {"ok": 1}
    assert 0.9 <= time.monotonic() - began < 12


@pytest.mark.parametrize(
    ("status", "kind"), [("429 Too Many Requests", QuotaError), ("503 Service Unavailable", UnreachableError)]
)
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_beyond_the_deadline(serve: Any, client: Any, status: str, kind: Any, form: str) -> None:
    value = "3600" if form == "seconds" else formatdate(time.time() + 3600, usegmt=True)
    server = serve(always(answer({}, status, Retry_After=value)))
    began = time.monotonic()
    with pytest.raises(kind) as caught:
        client(server.url).request("GET", "/x")
    assert time.monotonic() - began < 8
    assert caught.value.retry_at == pytest.approx(time.time() + 3600, abs=5)
    assert "Come back after 20" in str(caught.value) and "UTC" in str(caught.value)


def test_max_wait_bounds_what_a_service_may_ask_for(serve: Any, client: Any) -> None:
    server = serve(always(answer({}, "429 Too Many Requests", Retry_After="9")))
    with pytest.raises(QuotaError):
        client(server.url, max_wait=2.0).request("GET", "/x")
    assert len(server.seen) == 1


def reset(connection: socket.socket, request: Request, count: int) -> None:
    # A close with linger 0 sends RST instead of FIN.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def test_reset_then_an_answer(serve: Any, client: Any) -> None:
    def behave(connection: socket.socket, request: Request, count: int) -> bool:
        if count == 1:
            reset(connection, request, count)
            return False
        connection.sendall(answer({"ok": 1}))
        return True

    assert client(serve(behave).url).request("GET", "/x").json() == {"ok": 1}


def test_reset_for_ever(serve: Any, client: Any) -> None:
    with pytest.raises(UnreachableError) as caught:
        client(serve(reset).url).request("GET", "/x")
    assert "broken off" in str(caught.value) or "closed without an answer" in str(caught.value)
    assert caught.value.breaks


def test_closed_without_an_answer(serve: Any, client: Any) -> None:
    with pytest.raises(UnreachableError, match=r"closed without an answer|broken off"):
        client(serve(lambda *_: None).url).request("GET", "/x")


def test_cut_short(serve: Any, client: Any) -> None:
    server = serve(always(response(b'{"a": 1}', content_length="100"), keep=False))
    with pytest.raises(NotAnAnswerError, match="cut short") as caught:
        client(server.url, retries=1).request("GET", "/x")
    assert caught.value.attempts == 2


def test_broken_chunks(serve: Any, client: Any) -> None:
    body = response(b"5\r\nhello\r\nZZ\r\n", transfer_encoding="chunked", content_length="")
    with pytest.raises((NotAnAnswerError, UnreachableError)):
        client(serve(always(body, keep=False)).url, retries=0).request("GET", "/x")
    body = response(b"5\r\nhello\r\n", transfer_encoding="chunked", content_length="")
    with pytest.raises(NotAnAnswerError, match="cut short"):
        client(serve(always(body, keep=False)).url, retries=0).request("GET", "/x")


def test_whole_chunks(serve: Any, client: Any) -> None:
    body = response(b"3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n", transfer_encoding="chunked", content_length="")
    session = client(serve(always(body)).url)
    assert [session.request("GET", "/x").json() for _ in range(3)] == [[1, 2]] * 3


def test_no_http_at_all(serve: Any, client: Any) -> None:
    with pytest.raises((NotAnAnswerError, UnreachableError)) as caught:
        client(serve(always(b"220 mail.example ESMTP\r\n", keep=False)).url, retries=0).request("GET", "/x")
    assert str(caught.value)


def drip(*, headers: bool) -> Any:
    def behave(connection: socket.socket, request: Request, count: int) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" if headers else response(b"", content_length="100000"))
        while True:
            connection.sendall(b"x-a: 1\r\n" if headers else b" ")
            time.sleep(0.05)

    return behave


@pytest.mark.parametrize("headers", [False, True], ids=["body", "headers"])
def test_a_slow_drip_ends_at_the_deadline(serve: Any, client: Any, headers: bool) -> None:
    began = time.monotonic()
    with pytest.raises(DeadlineError) as caught:
        client(serve(drip(headers=headers)).url, seconds=1.0, read_timeout=10.0).request("GET", "/x")
    assert 0.8 < time.monotonic() - began < 6
    assert "1 s" in str(caught.value) and not caught.value.breaks


def test_silence_ends_at_the_read_timeout(serve: Any, client: Any) -> None:
    began = time.monotonic()
    with pytest.raises(UnreachableError, match=r"did not answer within 0\.3 s") as caught:
        server = serve(lambda *_: time.sleep(20))
        client(server.url, read_timeout=0.3, connect_timeout=0.2).request("GET", "/x")
    assert time.monotonic() - began < 8
    assert caught.value.breaks and caught.value.attempts == 1, "a slow service is not asked again at once"


def test_no_time_left(serve: Any, client: Any) -> None:
    server = serve(always(answer({})))
    with pytest.raises(DeadlineError):
        client(server.url, seconds=0.0).request("GET", "/x")
    assert not server.seen


@pytest.mark.parametrize("announced", [True, False])
def test_a_huge_body_stops_at_the_limit(serve: Any, client: Any, announced: bool) -> None:
    sent = 0

    def behave(connection: socket.socket, request: Request, count: int) -> None:
        nonlocal sent
        connection.sendall(response(b"", content_length=str(1 << 40) if announced else ""))
        while True:
            connection.sendall(b" " * 65536)
            sent += 65536

    with pytest.raises(NotAnAnswerError, match="larger than 1 MiB") as caught:
        client(serve(behave).url, max_bytes=1 << 20).request("GET", "/x")
    assert not caught.value.breaks and caught.value.attempts == 1
    assert sent < 32 << 20


def test_a_gzip_bomb_stops_at_the_limit(serve: Any, client: Any) -> None:
    import tracemalloc

    bomb = gzip.compress(b"\0" * (256 << 20), 9)
    session = client(serve(always(response(bomb, content_encoding="gzip"))).url, max_bytes=1 << 20)
    tracemalloc.start()
    try:
        with pytest.raises(NotAnAnswerError, match="larger than 1 MiB"):
            session.request("GET", "/x")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 32 << 20


@pytest.mark.parametrize("coding", ["gzip", "deflate", "GZIP"])
def test_compressed_answers(serve: Any, client: Any, coding: str) -> None:
    text = json.dumps({"text": "abc" * 100000}).encode()
    packed = zlib.compress(text) if coding == "deflate" else gzip.compress(text)
    session = client(serve(always(response(packed, content_encoding=coding))).url)
    assert session.request("GET", "/x").body == text


def test_damaged_compression(serve: Any, client: Any) -> None:
    packed = bytearray(gzip.compress(b"[1, 2, 3]" * 1000))
    packed[15:25] = b"\xff" * 10
    with pytest.raises(NotAnAnswerError):
        client(serve(always(response(bytes(packed), content_encoding="gzip"))).url, retries=0).request("GET", "/x")
    with pytest.raises(NotAnAnswerError):
        # vt-py's library takes a compressed stream without its end, so its text may only fail as JSON.
        whole = gzip.compress(json.dumps(list(range(9999))).encode())
        client(serve(always(response(whole[:-20], content_encoding="gzip"))).url, retries=0).request("GET", "/x").json()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_key_to_another_host(serve: Any, client: Any, status: int) -> None:
    other = serve(always(answer({"stolen": True})))
    where = other.url.replace("127.0.0.1", "localhost")
    for location in (
        f"{where}/x?token=abc",
        f"//localhost:{other.port}/x",
        f"http://127.0.0.1:{other.port}/other-port",
    ):
        server = serve(always(answer({}, f"{status} Moved", Location=location)))
        with pytest.raises(NotAnAnswerError, match="redirects to") as caught:
            client(server.url).request("GET", "/x")
        assert "abc" not in str(caught.value)
    assert not other.seen and not other.connections


def test_a_redirect_on_the_same_host(serve: Any, client: Any) -> None:
    server = serve(always(answer({}, "301 Moved", Location="/api/v3/new?a=1"), answer({"ok": 1})))
    assert client(server.url).request("GET", "/x").json() == {"ok": 1}
    assert server.seen[1].target == "/api/v3/new?a=1" and server.seen[1].headers["x-apikey"] == KEY


def test_a_redirect_in_a_circle(serve: Any, client: Any) -> None:
    server = serve(always(answer({}, "302 Found", Location="/api/v3/x")))
    with pytest.raises(NotAnAnswerError, match="redirects in a circle"):
        client(server.url).request("GET", "/x")
    assert len(server.seen) < 15


def test_an_endless_redirect_body(serve: Any, client: Any) -> None:
    """The body of a redirect is nobody's answer, and not read without a limit."""

    def behave(connection: socket.socket, request: Request, count: int) -> None:
        connection.sendall(response(b"", "302 Found", Location="http://elsewhere.example/", content_length=""))
        while True:
            connection.sendall(b" " * 65536)

    with pytest.raises(NotAnAnswerError):
        client(serve(behave).url, seconds=5.0).request("GET", "/x")


def test_refused_and_unknown_hosts(client: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(UnreachableError, match=f"refuses connections on port {port}") as caught:
        client(f"http://127.0.0.1:{port}", retries=1).request("GET", "/x")
    assert caught.value.attempts == 2 and caught.value.unsent
    with pytest.raises(UnreachableError, match=r"could not be resolved|was not resolved"):
        client("http://no-such-host.invalid", seconds=8.0).request("GET", "/x")


def test_connections_are_kept(serve: Any, client: Any) -> None:
    server = serve(always(answer({"ok": 1})))
    session = client(server.url)
    for _ in range(5):
        session.request("GET", "/x")
    assert len(server.seen) == 5 and server.connections == 1


def test_no_cookies(serve: Any, client: Any) -> None:
    server = serve(always(answer({}, Set_Cookie="track=1; Path=/")))
    session = client(server.url)
    session.request("GET", "/x")
    session.request("GET", "/x")
    if type(session).__name__ == "Session":
        assert "cookie" not in server.seen[1].headers


def test_another_origin_is_not_asked(serve: Any, client: Any) -> None:
    with pytest.raises(RefusedError):
        client(serve(always(answer({}))).url).request("GET", "http://elsewhere.example/x")


@pytest.mark.parametrize(
    "url", ["nothing", "ftp://x.example", "api.example.org", "http://", "http://x:99999", "http://a b/"]
)
def test_a_wrong_address_in_the_settings(client: Any, url: str) -> None:
    with pytest.raises(SourceError, match=r"is no http or https address.*`url`"):
        client(url)


def test_several_threads(serve: Any, client: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def behave(connection: socket.socket, request: Request, count: int) -> bool:
        time.sleep(0.02)
        connection.sendall(answer({"path": request.target}))
        return True

    session = client(serve(behave).url)

    def ask(number: int) -> bool:
        return str(number) in session.request("GET", f"/n/{number}").json()["path"]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(1000, 1064)))


def test_a_key_that_no_header_can_hold(serve: Any) -> None:
    from cortex_grow.net.errors import SettingsError
    from cortex_grow.net.session import Session
    from cortex_grow.net.virustotal import VirusTotalSession

    server = serve(always(answer({})))
    for session in (Session("Example", server.url, {"x-apikey": "a\nb"}), VirusTotalSession("a\nb", server.url)):
        with pytest.raises(SettingsError, match="line break"), session:
            session.request("GET", "/x")
    assert not server.seen
