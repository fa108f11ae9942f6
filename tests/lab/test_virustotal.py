"""VirusTotal's stand-in, asked with requests and with VirusTotal's own client."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
import requests

from cortex_grow.lab import Lab
from tests.support import needs_shared, sample_json, shared

LOADER = hashlib.sha256(b"cortex-grow demo loader").hexdigest()
UNKNOWN = hashlib.sha256(b"cortex-grow demo unknown").hexdigest()
STAGE2 = "http://cdn-update.example/load/stage2.bin"
STAGE2_ID = base64.urlsafe_b64encode(STAGE2.encode()).decode().rstrip("=")


class Asker:
    """Asks one lab with one key."""

    def __init__(self, lab: Lab, session: requests.Session, premium: bool = False) -> None:
        config = lab.config_for("VirusTotal_Pivot", premium)
        self.url, self.key, self.session = config["url"], config["key"], session

    def __call__(self, path: str, method: str = "GET", key: str | None = "", **params: Any) -> requests.Response:
        headers = {} if key is None else {"x-apikey": key or self.key}
        return self.session.request(method, f"{self.url}/api/v3{path}", headers=headers, params=params, timeout=5)


@pytest.fixture
def ask(lab: Lab, client: requests.Session) -> Asker:
    return Asker(lab, client)


@pytest.fixture
def ask_premium(lab: Lab, client: requests.Session) -> Asker:
    return Asker(lab, client, premium=True)


@pytest.mark.parametrize(
    ("path", "type", "id"),
    [
        (f"/files/{LOADER}", "file", LOADER),
        (f"/files/{LOADER.upper()}", "file", LOADER),
        (f"/files/{hashlib.md5(b'cortex-grow demo loader').hexdigest()}", "file", LOADER),
        (f"/files/{hashlib.sha1(b'cortex-grow demo loader').hexdigest()}", "file", LOADER),
        ("/domains/cdn-update.example", "domain", "cdn-update.example"),
        ("/domains/CDN-update.example", "domain", "cdn-update.example"),
        ("/ip_addresses/203.0.113.66", "ip_address", "203.0.113.66"),
        (f"/urls/{STAGE2_ID}", "url", hashlib.sha256(STAGE2.encode()).hexdigest()),
        (f"/urls/{hashlib.sha256(STAGE2.encode()).hexdigest()}", "url", hashlib.sha256(STAGE2.encode()).hexdigest()),
    ],
)
def test_objects(ask: Asker, path: str, type: str, id: str) -> None:
    reply = ask(path)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    assert (reply.json()["data"]["type"], reply.json()["data"]["id"]) == (type, id)


def test_relationships_come_as_descriptors_inside_the_object(ask: Asker) -> None:
    names = "contacted_domains,contacted_urls,execution_parents,votes"
    held = ask(f"/files/{LOADER}", relationships=names).json()["data"]["relationships"]
    assert set(held) == set(names.split(","))
    assert held["contacted_domains"]["data"][0] == {"type": "domain", "id": "cdn-update.example"}
    assert held["contacted_domains"]["links"]["related"].endswith(f"/files/{LOADER}/contacted_domains")
    url = held["contacted_urls"]["data"][0]
    assert set(url) == {"type", "id", "context_attributes"}
    assert url["context_attributes"] == {"url": STAGE2}
    assert held["votes"]["data"] == []
    assert "relationships" not in ask(f"/files/{LOADER}").json()["data"]


def test_at_most_twenty_descriptors_are_inlined(ask: Asker) -> None:
    hub = ask("/ip_addresses/198.51.100.23", relationships="resolutions").json()["data"]["relationships"]["resolutions"]
    assert len(hub["data"]) == 20
    assert hub["meta"]["count"] == 150
    assert hub["meta"]["cursor"]
    assert "next" in hub["links"]


def test_a_relationship_to_one_object_is_one_descriptor(ask: Asker) -> None:
    held = ask(f"/urls/{STAGE2_ID}", relationships="last_serving_ip_address").json()["data"]["relationships"]
    assert held["last_serving_ip_address"]["data"] == {"type": "ip_address", "id": "203.0.113.66"}
    assert ask(f"/urls/{STAGE2_ID}/last_serving_ip_address").json()["data"]["attributes"]["asn"] == 64496


def test_collections_are_paged(ask: Asker) -> None:
    seen: list[str] = []
    cursor = {}
    pages = 0
    while pages < 20:
        pages += 1
        body = ask("/ip_addresses/198.51.100.23/resolutions", limit=40, **cursor).json()
        seen += [item["attributes"]["host_name"] for item in body["data"]]
        if "cursor" not in body["meta"]:
            break
        assert f"cursor={body['meta']['cursor'].replace('=', '%3D')}" in body["links"]["next"]
        cursor = {"cursor": body["meta"]["cursor"]}
    assert pages == 4
    assert len(set(seen)) == len(seen) == 150
    assert len(ask("/ip_addresses/198.51.100.23/resolutions").json()["data"]) == 10


def test_descriptors_of_a_collection(ask: Asker) -> None:
    body = ask(f"/files/{LOADER}/relationships/contacted_domains").json()
    assert body["data"][0] == {"type": "domain", "id": "cdn-update.example"}


def test_behaviour(ask: Asker) -> None:
    assert "Global\\cortex-grow-demo" in ask(f"/files/{LOADER}/behaviour_summary").json()["data"]["mutexes_created"]
    assert ask(f"/files/{UNKNOWN}/behaviour_summary").status_code == 404


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/files/xyz", "InvalidArgumentError"),
        (f"/files/{LOADER[:-1]}", "InvalidArgumentError"),
        ("/domains/no_dot", "InvalidArgumentError"),
        ("/domains/203.0.113.66", "InvalidArgumentError"),
        ("/ip_addresses/203.0.113", "InvalidArgumentError"),
        ("/ip_addresses/cdn-update.example", "InvalidArgumentError"),
        ("/urls/http%3A%2F%2Fcdn-update.example%2Fload%2Fstage2.bin", "InvalidArgumentError"),
        ("/urls/aHR0cDovL2V4YW1wbGUuY29tLw%3D%3D", "InvalidArgumentError"),
        (f"/files/{LOADER}?relationships=contacted_hosts", "InvalidArgumentError"),
        (f"/files/{LOADER}?relationships=resolutions", "InvalidArgumentError"),
        (f"/files/{LOADER}/contacted_hosts", "InvalidArgumentError"),
        (f"/files/{LOADER}/contacted_ips?limit=41", "InvalidArgumentError"),
        (f"/files/{LOADER}/contacted_ips?limit=many", "InvalidArgumentError"),
        (f"/files/{LOADER}/contacted_ips?cursor=nonsense", "InvalidArgumentError"),
    ],
)
def test_malformed_requests_are_refused(ask: Asker, path: str, code: str) -> None:
    reply = ask(path)
    assert reply.status_code == 400
    assert reply.json()["error"]["code"] == code
    assert reply.json()["error"]["message"]


def test_unpadded_base64url_is_wanted(ask: Asker) -> None:
    url = "https://invoice-portal.test/download/invoice-2026-0117.zip"
    padded = base64.urlsafe_b64encode(url.encode()).decode()
    assert padded.endswith("=")
    assert ask(f"/urls/{padded}").status_code == 400
    assert ask(f"/urls/{padded.rstrip('=')}").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/intelligence/search?query=entity:file",
        "/domains/cdn-update.example/urls",
        "/ip_addresses/203.0.113.66/downloaded_files",
        f"/files/{LOADER}/similar_files",
        f"/files/{LOADER}?relationships=contacted_ips,embedded_urls",
    ],
)
def test_a_public_key_may_not_ask_what_is_premium(ask: Asker, ask_premium: Asker, path: str) -> None:
    reply = ask(path)
    assert reply.status_code == 403
    assert reply.json()["error"]["code"] == "ForbiddenError"
    assert ask_premium(path).status_code == 200


def test_search_needs_a_query(ask_premium: Asker) -> None:
    assert ask_premium("/intelligence/search").status_code == 400
    assert ask_premium("/intelligence/search", query="imphash:0").json()["data"] == []


def test_keys(ask: Asker, lab: Lab) -> None:
    missing = ask(f"/files/{LOADER}", key=None)
    assert (missing.status_code, missing.json()["error"]["code"]) == (401, "AuthenticationRequiredError")
    wrong = ask(f"/files/{LOADER}", key="not-the-key")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "WrongCredentialsError")
    assert ask("/nowhere", key="not-the-key").status_code == 401
    assert not any("not-the-key" in repr(row) or ask.key in repr(row) for row in lab.requests)


def test_unknown_endpoints_and_methods(ask: Asker) -> None:
    for path in ("/nowhere", "/files", f"/files/{LOADER}/a/b/c", f"/files/{LOADER}/descriptors/contacted_ips"):
        reply = ask(path)
        assert (reply.status_code, reply.json()["error"]["code"]) == (404, "NotFoundError"), path
    assert ask(f"/files/{LOADER}", method="POST").status_code == 405
    config_url = ask.url.replace("/api/v3", "")
    assert ask.session.get(f"{config_url}/files/{LOADER}", headers={"x-apikey": ask.key}, timeout=5).status_code == 404


@needs_shared
def test_errors_have_the_recorded_bodies(ask: Asker, lab: Lab) -> None:
    def worded(body: Any, *values: str) -> Any:
        text = body["error"]["message"]
        for value in values:
            text = text.replace(value, "<value>")
        return {"error": {**body["error"], "message": text}}

    recorded = {
        name: sample_json(f"virustotal/error_{name}.json")
        for name in (
            "401_wrong_credentials",
            "404_file_not_found",
            "404_file_not_found_2026",
            "400_invalid_argument_domain",
            "429_quota_exceeded",
        )
    }
    assert worded(ask(f"/files/{LOADER}", key="bad").json(), "bad") == worded(
        recorded["401_wrong_credentials"], "testapikey"
    )
    for name, known in (
        ("404_file_not_found", "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b"),
        ("404_file_not_found_2026", "0123456789abcdef0123456789abcdef"),
    ):
        assert worded(ask(f"/files/{UNKNOWN}").json(), UNKNOWN) == worded(recorded[name], known)
    refused = ask("/domains/no_dot")
    assert worded(refused.json(), "no_dot") == worded(recorded["400_invalid_argument_domain"], "xpressco.za")
    lab.quota("virustotal", 1)
    assert ask(f"/files/{LOADER}").status_code == 200
    over = ask(f"/files/{LOADER}")
    assert (over.status_code, over.json()) == (429, recorded["429_quota_exceeded"])


def test_quota_is_counted_by_key_and_can_be_lifted(ask: Asker, ask_premium: Asker, lab: Lab) -> None:
    lab.quota("virustotal", 2)
    assert [ask(f"/files/{LOADER}").status_code for _ in range(3)] == [200, 200, 429]
    assert ask_premium(f"/files/{LOADER}").status_code == 200
    assert ask(f"/files/{LOADER}", key="bad").status_code == 401
    lab.quota("virustotal", None)
    assert ask(f"/files/{LOADER}").status_code == 200


def test_virustotals_own_client_understands_it(lab: Lab) -> None:
    vt = pytest.importorskip("vt", reason="vt-py is a dependency of the pack")
    config = lab.config_for("VirusTotal_Pivot")
    with vt.Client(config["key"], host=config["url"], trust_env=False) as client:
        file = client.get_object(f"/files/{LOADER}")
        assert file.last_analysis_stats["malicious"] == 15
        names = [item.host_name for item in client.iterator("/ip_addresses/198.51.100.23/resolutions", batch_size=40)]
        assert len(names) == 150
        with pytest.raises(vt.APIError) as refused:
            client.get_object(f"/files/{UNKNOWN}")
        assert refused.value.code == "NotFoundError"


@needs_shared
def test_recorded_collections_answer_as_they_were_recorded(client: requests.Session) -> None:
    with Lab.replay(shared("samples")) as replay:
        ask = Asker(replay, client)
        whole = ask("/ip_addresses/1.1.1.1/resolutions")
        assert whole.json() == sample_json("virustotal/ip_1_1_1_1_resolutions.json")
        following = ask("/ip_addresses/1.1.1.1/resolutions", cursor=whole.json()["meta"]["cursor"])
        assert following.json()["data"] == []
        held = ask("/ip_addresses/1.1.1.1", relationships="resolutions,votes").json()["data"]
        assert held["attributes"] == sample_json("virustotal/ip_1_1_1_1.json")["data"]["attributes"]
        assert [item["id"] for item in held["relationships"]["resolutions"]["data"]] == [
            item["id"] for item in whole.json()["data"]
        ]
        assert held["relationships"]["votes"]["data"] == []
        bare = ask("/domains/cunkt.club", relationships="resolutions").json()["data"]
        assert bare["attributes"] == {}
        assert bare["relationships"]["resolutions"]["data"][0]["id"] == "195.123.228.14cunkt.club"
        assert ask("/files/99017f6eebbac24f351415dd410d522d").json()["data"]["id"].startswith("52d3df0e")
        assert ask("/urls/aHR0cDovL3d3dy5nb29nbGUuY29t").status_code == 200
