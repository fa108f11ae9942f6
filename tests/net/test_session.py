"""What only the session over ``requests`` does: bodies, log-in, redirects to elsewhere, addresses from answers."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import time
import traceback
from typing import Any

import pytest

from cortex_grow.net.deadline import Deadline
from cortex_grow.net.errors import (
    NotAnAnswerError,
    QuotaError,
    RefusedError,
    SourceError,
    UnreachableError,
)
from cortex_grow.net.session import NetSettings, Session, pairs, path, retry_time, same_origin
from tests.net.servers import Request, always, answer, response

QUICK = NetSettings(backoff=0.01)


def test_bodies(serve: Any) -> None:
    server = serve(always(answer({"ok": 1})))
    with Session("Example", f"{server.url}/v1/", {"Auth-Key": "abc"}, deadline=Deadline(9)) as session:
        session.request("POST", "/url/", data={"url": "http://a.example/?x=1&y=2"})
        session.request("post", "lookup", json={"a": ["é"]}, headers={"X-More": "1", "Accept": "text/plain"})
        session.request("PUT", "", data=b"raw")
    form, posted, raw = server.seen
    assert (form.method, form.target, form.body) == (
        "POST",
        "/v1/url/",
        b"url=http%3A%2F%2Fa.example%2F%3Fx%3D1%26y%3D2",
    )
    assert form.headers["auth-key"] == "abc" and form.headers["accept"] == "application/json"
    assert (posted.method, posted.target, json.loads(posted.body)) == ("POST", "/v1/lookup", {"a": ["é"]})
    assert posted.headers["x-more"] == "1" and posted.headers["accept"] == "text/plain"
    assert posted.headers["user-agent"].startswith("cortex-grow")
    assert (raw.method, raw.target, raw.body) == ("PUT", "/v1", b"raw")


def test_log_in(serve: Any) -> None:
    server = serve(always(answer({}), answer({}), answer({"error": "bad user us€r:pa:ss"}, "401 No")))
    wanted = "Basic " + base64.b64encode("us€r:pa:ss".encode()).decode()
    Session("Example", server.url, auth=("us€r", "pa:ss")).request("GET", "/x")
    session = Session("Example", server.url.replace("//", "//us%E2%82%ACr:pa%3Ass@"))
    session.request("GET", "/x")
    assert [request.headers["authorization"] for request in server.seen] == [wanted, wanted]
    with pytest.raises(SourceError) as caught:
        session.request("GET", "/x")
    assert "pa:ss" not in str(caught.value) and "pa%3Ass" not in session.base_url


def test_netrc_and_environment_are_left_alone(serve: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server = serve(always(answer({})))
    Session("Example", server.url).request("GET", "/x")
    assert "authorization" not in server.seen[0].headers


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other"])
def test_a_redirected_post_becomes_a_get(serve: Any, status: str) -> None:
    server = serve(always(answer({}, status, Location="/there"), answer({"ok": 1})))
    Session("Example", server.url).request("POST", "/x", data={"a": "b"})
    assert (server.seen[1].method, server.seen[1].target, server.seen[1].body) == ("GET", "/there", b"")


def test_a_redirected_post_stays_one_with_308(serve: Any) -> None:
    server = serve(always(answer({}, "308 Permanent Redirect", Location="/there"), answer({"ok": 1})))
    Session("Example", server.url).request("POST", "/x", data={"a": "b"})
    assert (server.seen[1].method, server.seen[1].body) == ("POST", b"a=b")


def test_a_redirect_to_elsewhere_on_wish_carries_nothing(serve: Any) -> None:
    other = serve(always(answer({"ok": 1})))
    for method, status in (("GET", "302 Found"), ("POST", "303 See Other")):
        server = serve(always(answer({}, status, Location=f"{other.url}/y")))
        session = Session(
            "Example", server.url, {"x-apikey": "k"}, ("user", "pass"), NetSettings(redirects="any", backoff=0.01)
        )
        # Loopback is not public: an address out of an answer must not lead to this machine.
        with pytest.raises(UnreachableError, match="not public"):
            session.request(method, "/x", headers={"X-Secret": "s"}, data={"a": "b"} if method == "POST" else None)
    assert not other.seen
    never = Session(
        "Example", serve(always(answer({}, "302 F", Location="/y"))).url, settings=NetSettings(redirects="never")
    )
    with pytest.raises(NotAnAnswerError, match="another address of this host, which is not followed"):
        never.request("GET", "/x")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_address_out_of_an_answer(serve: Any, host: str) -> None:
    server = serve(always(answer({})))
    with pytest.raises(UnreachableError, match="not public") as caught:
        Session("Example", f"http://{host}:{server.port}", public_only=True, settings=QUICK).request("GET", "/x")
    assert not server.connections and not caught.value.breaks and caught.value.attempts == 1


def test_a_submission_is_not_sent_twice(serve: Any) -> None:
    server = serve(always(answer({}, "503 Service Unavailable")))
    with pytest.raises(UnreachableError):
        Session("Example", server.url, settings=QUICK).request("POST", "/submit", data=b"x", repeatable=False)
    assert len(server.seen) == 1

    def hang_up(connection: socket.socket, request: Request, count: int) -> None:
        return None

    server = serve(hang_up)
    with pytest.raises(UnreachableError):
        Session("Example", server.url, settings=QUICK).request("POST", "/submit", data=b"x", repeatable=False)
    assert len(server.seen) == 1
    server = serve(always(answer({}, "429 Slow Down", Retry_After="0"), answer({"ok": 1})))
    reply = Session("Example", server.url, settings=QUICK).request("POST", "/s", data=b"x", repeatable=False)
    assert reply.attempts == 2, "what was turned away has not been done"


def test_another_deadline_over_the_same_connection(serve: Any) -> None:
    server = serve(always(answer({})))
    session = Session("Example", server.url, deadline=Deadline(0))
    twin = session.within(Deadline(9))
    twin.request("GET", "/x")
    session.deadline = Deadline(9)
    session.request("GET", "/x")
    assert server.connections == 1


def test_head_has_no_body(serve: Any) -> None:
    server = serve(always(response(b"", content_length="5000", X_A="1")))
    reply = Session("Example", server.url, deadline=Deadline(5)).request("HEAD", "/x")
    assert reply.body == b"" and reply.headers["x-a"] == "1"


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "x-gzip"])
def test_other_compressions(serve: Any, coding: str) -> None:
    import gzip

    server = serve(always(response(gzip.compress(b"[1]"), content_encoding=coding)))
    session = Session("Example", server.url, settings=QUICK)
    if coding == "x-gzip":
        assert session.request("GET", "/x").json() == [1]
    else:
        with pytest.raises(NotAnAnswerError, match="was not asked for"):
            session.request("GET", "/x")
    assert server.seen[0].headers["accept-encoding"] == "gzip, deflate"


def test_compressed_in_odd_ways(serve: Any) -> None:
    import gzip
    import zlib

    raw = zlib.compressobj(wbits=-15)
    headless = raw.compress(b"[1, 2]") + raw.flush()
    for packed, coding in (
        (headless, "deflate"),
        (gzip.compress(b"[1,") + gzip.compress(b" 2]"), "gzip"),
        (gzip.compress(b"[1, 2]") + b"\0" * 512, "gzip"),
    ):
        session = Session("Example", serve(always(response(packed, content_encoding=coding))).url, settings=QUICK)
        assert session.request("GET", "/x").json() == [1, 2]
    cut = Session(
        "Example", serve(always(response(gzip.compress(b"[1]")[:-4], content_encoding="gzip"))).url, settings=QUICK
    )
    with pytest.raises(NotAnAnswerError, match="cut short"):
        cut.request("GET", "/x")


def test_the_text_of_an_error_never_shows_the_query(serve: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    session = Session("Example", f"http://127.0.0.1:{port}", settings=NetSettings(retries=0))
    with pytest.raises(UnreachableError) as caught:
        session.request("GET", "/x", params={"apikey": f"the-key-{1 + 1}"})
    assert "the-key-2" not in "".join(traceback.format_exception(caught.value))


def test_quota_tells_when_to_come_back(serve: Any) -> None:
    server = serve(always(answer({}, "429 Slow", Retry_After="90")))
    with pytest.raises(QuotaError) as caught:
        Session("Example", server.url, deadline=Deadline(30)).request("GET", "/x")
    assert "(in 90 s)" in str(caught.value) or "(in 89 s)" in str(caught.value) or "(in 1 min)" in str(caught.value)
    assert caught.value.transient is True and caught.value.attempts == 1


def test_filling_a_path() -> None:
    assert path("/files/{}", "a/b?c#d%e é{}") == "/files/a%2Fb%3Fc%23d%25e%20%C3%A9%7B%7D"
    assert path("/{}/{}", 1, "x") == "/1/x"
    for bad in ("", ".", "..", "\ud800"):
        with pytest.raises(ValueError, match=r".+"):
            path("/files/{}", bad)
    with pytest.raises(ValueError, match="2 places for 1"):
        path("/{}/{}", "x")


def test_query_parameters() -> None:
    assert pairs({"a": 1, "b": None, "c": [True, None, "x"], "d": ""}) == [
        ("a", "1"),
        ("c", "true"),
        ("c", "x"),
        ("d", ""),
    ]
    assert pairs([("a", "1"), ("a", "2")]) == [("a", "1"), ("a", "2")] and pairs(None) == []


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 1.5 ", 1.5),
        ("0", 0),
        ("Thu, 01 Jan 1970 00:20:00 GMT", 200),
        ("Thursday, 01-Jan-70 00:20:00 GMT", 200),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("99999999999999999999", 366 * 86400),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 366 * 86400),
        ("soon", None),
        ("-5", None),
        ("", None),
        (None, None),
        ("٣", None),
        ("x" * 10000, None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    at = retry_time(value, now=1000.0)
    assert at == (None if seconds is None else 1000.0 + seconds)


def test_origins() -> None:
    assert same_origin("https://A.example./x", "https://a.example:443/y")
    assert not same_origin("https://a.example", "http://a.example")
    assert same_origin("https://a.example", "http://a.example", upgrade=True)
    assert not same_origin("http://a.example", "https://a.example", upgrade=True)
    assert not same_origin("https://a.example:8443", "http://a.example", upgrade=True)
    assert not same_origin("https://b.example", "https://a.example")
    assert not same_origin("https://[", "https://a.example") and not same_origin("", "")


def test_an_address_that_cannot_be_sent(serve: Any) -> None:
    with pytest.raises(RefusedError):
        Session("Example", serve(always(answer({}))).url).request("GET", "http://[::1")


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    modules = ["errors", "deadline", "redact", "settings", "dial", "reply", "session", "state", "whois", "virustotal"]
    code = "; ".join(f"import cortex_grow.net.{name}" for name in modules)
    code += "; import sys; print(sorted({'requests', 'urllib3', 'vt', 'aiohttp', 'asyncio', 'ssl', 'sqlite3', "
    code += "'http.client', 'email', 'certifi', 'logging'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_virustotal_leaves_no_noise(serve: Any) -> None:
    """A session that nobody closed is closed at the end of the process, in silence."""
    server = serve(always(answer({"ok": 1})))
    code = f"""
import threading
from cortex_grow.net.virustotal import VirusTotalSession
session = VirusTotalSession("k", {server.url!r})
ask = lambda: session.request("GET", "/x").json()
thread = threading.Thread(target=ask); thread.start(); thread.join()
print(ask())
"""
    words = [sys.executable, "-X", "dev", "-W", "error::ResourceWarning", "-c", code]
    began = time.monotonic()
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'ok': 1}"
    assert "nclosed" not in done.stderr and "Traceback" not in done.stderr
    assert time.monotonic() - began < 20
