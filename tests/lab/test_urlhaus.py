"""URLhaus' stand-in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
import requests

from cortex_grow.lab import Lab
from tests.support import needs_shared, sample, sample_json, shared

STEALER = b"cortex-grow demo stealer"
Post = Callable[..., requests.Response]


@pytest.fixture
def post(lab: Lab, client: requests.Session) -> Post:
    config = lab.config_for("URLhaus_Lookup")

    def send(path: str, key: str | None = config["API_Key"], **how: object) -> requests.Response:
        headers = {"Auth-Key": key} if key else {}
        return client.post(f"{config['url']}{path}", headers=headers, timeout=5, **how)  # type: ignore[arg-type]

    return send


@pytest.mark.parametrize(
    ("path", "data", "field"),
    [
        ("/v1/url/", {"url": "http://cdn-update.example/load/stage2.bin"}, "payloads"),
        ("/v1/host/", {"host": "cdn-update.example"}, "urls"),
        ("/v1/host/", {"host": "CDN-Update.example"}, "urls"),
        ("/v1/host/", {"host": "203.0.113.66"}, "urls"),
        ("/v1/payload/", {"sha256_hash": hashlib.sha256(STEALER).hexdigest()}, "urls"),
        ("/v1/payload/", {"md5_hash": hashlib.md5(STEALER).hexdigest()}, "urls"),
    ],
)
def test_lookups(post: Post, path: str, data: dict[str, str], field: str) -> None:
    reply = post(path, data=data)
    assert reply.status_code == 200
    assert reply.json()["query_status"] == "ok"
    assert reply.json()[field]


@pytest.mark.parametrize(
    ("path", "data", "said"),
    [
        ("/v1/host/", {"host": "nothing-known.example"}, "no_results"),
        ("/v1/url/", {"url": "http://nothing-known.example/"}, "no_results"),
        ("/v1/url/", {"url": "http://CDN-update.example/load/stage2.bin"}, "no_results"),
        ("/v1/payload/", {"sha256_hash": "0" * 64}, "no_results"),
        ("/v1/host/", {"host": "no host"}, "invalid_host"),
        ("/v1/host/", {"host": "http://cdn-update.example/"}, "invalid_host"),
        ("/v1/url/", {"url": "cdn-update.example"}, "invalid_url"),
        ("/v1/payload/", {"md5_hash": "0" * 64}, "invalid_md5"),
        ("/v1/payload/", {"sha256_hash": "z" * 64}, "invalid_sha256"),
        ("/v1/payload/", {"sha256_hash": "0" * 40}, "invalid_sha256"),
    ],
)
def test_what_is_not_found_or_refused_is_said_with_status_200(
    post: Post, path: str, data: dict[str, str], said: str
) -> None:
    reply = post(path, data=data)
    assert (reply.status_code, reply.json()) == (200, {"query_status": said})


def test_keys(post: Post, lab: Lab) -> None:
    missing = post("/v1/host/", key=None, data={"host": "cdn-update.example"})
    assert (missing.status_code, missing.json()) == (401, {"error": "Unauthorized"})
    wrong = post("/v1/host/", key="bad", data={"host": "cdn-update.example"})
    assert (wrong.status_code, wrong.json()) == (403, {"query_status": "unknown_auth_key"})
    assert "bad" not in repr(lab.requests)


def test_a_form_is_wanted(post: Post, lab: Lab, client: requests.Session) -> None:
    for how in ({"json": {"host": "cdn-update.example"}}, {"data": {"hosts": "cdn-update.example"}}, {}):
        reply = post("/v1/host/", **how)
        assert (reply.status_code, reply.content) == (200, b"")
    config = lab.config_for("URLhaus_Lookup")
    got = client.get(
        f"{config['url']}/v1/host/?host=cdn-update.example", headers={"Auth-Key": config["API_Key"]}, timeout=5
    )
    assert got.json() == {"query_status": "http_post_expected"}


@pytest.mark.parametrize("path", ["/v1/host", "/v1/hosts/", "/host/", "/", "/v2/host/"])
def test_unknown_endpoints(post: Post, path: str) -> None:
    assert post(path, data={"host": "cdn-update.example"}).status_code == 404


def test_quota(post: Post, lab: Lab) -> None:
    lab.quota("urlhaus", 1)
    assert [post("/v1/host/", data={"host": "cdn-update.example"}).status_code for _ in range(2)] == [200, 429]


@needs_shared
def test_recorded_answers(client: requests.Session) -> None:
    with Lab.replay(shared("samples")) as replay:
        config = replay.config_for("URLhaus_Lookup")
        headers = {"Auth-Key": config["API_Key"]}
        recorded = sample_json("urlhaus/url_emotet_105821.json")
        got = client.post(f"{config['url']}/v1/url/", data={"url": recorded["url"]}, headers=headers, timeout=5)
        assert got.content == sample("urlhaus/url_emotet_105821.json")
        host = client.post(
            f"{config['url']}/v1/host/", data={"host": "vektorex.com"}, headers=headers, timeout=5
        ).json()
        assert host == {**sample_json("urlhaus/host_vektorex_com.json"), "query_status": "ok"}
        empty = client.post(f"{config['url']}/v1/host/", json={"host": "vektorex.com"}, headers=headers, timeout=5)
        assert empty.content == sample("urlhaus/host_empty_body_200.txt") == b""
        assert not [name for name in replay.unasked() if name.startswith("urlhaus/")]
