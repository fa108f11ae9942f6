"""The lab itself: configuration, seeds, the log, what was never asked, and that it stays on this machine."""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import socket
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from cortex_grow.lab import Lab
from cortex_grow.lab.samples import TableError
from tests.support import ROOT, needs_shared, shared

DEFINITIONS = ["Crtsh_Certificates", "DNS_Resolve", "Registration_Lookup", "URLhaus_Lookup", "VirusTotal_Pivot"]
DECLARED = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in ROOT.glob("analyzers/*/*.json")}


def test_it_binds_to_the_loopback_interface_only(lab: Lab) -> None:
    for service in lab.services:
        assert lab.where(service).startswith("127.0.0.1:")
    for server in lab._servers.values():
        assert server.tcp._listener.getsockname()[0] == "127.0.0.1"


def test_a_stopped_lab_leaves_no_thread_and_no_port() -> None:
    before = threading.active_count()
    with Lab.demo() as lab:
        where = [lab.where(service) for service in lab.services]
        kept = socket.create_connection(("127.0.0.1", int(where[0].split(":")[1])), timeout=2)
    for _ in range(50):
        if threading.active_count() <= before:
            break
        time.sleep(0.05)
    assert threading.active_count() <= before
    assert kept.recv(1) == b""
    kept.close()
    for place in where:
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", int(place.split(":")[1])), timeout=1)


def test_definitions(lab: Lab) -> None:
    assert lab.definitions() == DEFINITIONS
    with pytest.raises(KeyError, match="cannot serve Shodan_Host"):
        lab.config_for("Shodan_Host")


@pytest.mark.parametrize("name", DEFINITIONS)
def test_configuration_uses_the_declared_items(lab: Lab, name: str) -> None:
    declared = DECLARED[name]
    items = {item["name"]: item for item in declared["configurationItems"]}
    config = lab.config_for(f"{name}_1_0")
    assert config == lab.config_for(name)
    assert set(config) <= set(items)
    default = items.get("url", {}).get("defaultValue")
    if default:
        assert urlsplit(config["url"]).path == urlsplit(default).path
    key = declared["grow"].get("key")
    assert key is None or config[key]


def test_grow_is_configured_with_everything(lab: Lab) -> None:
    items = {item["name"] for item in DECLARED["Grow"]["configurationItems"]}
    config = lab.config_for("Grow_1_0")
    assert set(config) <= items
    assert config["virustotal_pivot_url"] == lab.url("virustotal")
    assert config["dns_resolve_resolvers"] == [lab.where("dns")]


def test_two_keys(lab: Lab) -> None:
    public, premium = (lab.config_for("VirusTotal_Pivot", premium=premium) for premium in (False, True))
    assert public["key"] != premium["key"]
    assert (public["premium"], premium["premium"]) == (False, True)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_there_is_a_seed_of_each_kind_for_every_data_type(lab: Lab, name: str) -> None:
    for data_type in DECLARED[name]["dataTypeList"]:
        found = lab.seeds_for(name, data_type)
        missing = lab.seeds_for(f"{name}_1_0", data_type, "not-found")
        assert found != missing
        assert missing not in lab.seeds(name, data_type)
    with pytest.raises(KeyError):
        lab.seeds_for(name, "regexp")


def test_seed_files(lab: Lab) -> None:
    known = Path(lab.seeds_for("VirusTotal_Pivot", "file"))
    assert hashlib.sha256(known.read_bytes()).hexdigest() in lab.seeds("VirusTotal_Pivot", "hash")
    unknown = Path(lab.seeds_for("VirusTotal_Pivot", "file", "not-found"))
    assert hashlib.sha256(unknown.read_bytes()).hexdigest() == lab.seeds_for("VirusTotal_Pivot", "hash", "not-found")


def test_the_log_and_the_counts(lab: Lab, client: requests.Session) -> None:
    config = lab.config_for("URLhaus_Lookup")
    client.post(
        f"{config['url']}/v1/host/",
        data={"host": "cdn-update.example"},
        headers={"Auth-Key": config["API_Key"]},
        timeout=5,
    )
    row = lab.requests[-1]
    assert (row.service, row.method, row.path, row.params, row.status) == (
        "urlhaus", "POST", "/v1/host/", {"host": "cdn-update.example"}, 200,
    )  # fmt: skip
    assert row.samples == ("urlhaus/host_cdn_update.json",)
    assert config["API_Key"] not in repr(lab.requests)
    assert lab.counts() == {**dict.fromkeys(lab.services, 0), "urlhaus": 1}
    assert "urlhaus/host_cdn_update.json" not in lab.unasked()
    assert "urlhaus/url_stage2.json" in lab.unasked()


def test_many_clients_at_once(lab: Lab) -> None:
    config = lab.config_for("VirusTotal_Pivot")

    def ask(number: int) -> int:
        with requests.Session() as session:
            session.trust_env = False
            url = f"{config['url']}/api/v3/domains/cdn-update.example"
            return sum(session.get(url, headers={"x-apikey": config["key"]}, timeout=10).ok for _ in range(25))

    lab.quota("virustotal", 300)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(ask, range(16))) == 300
    assert lab.counts()["virustotal"] == 400


def test_connections_are_kept(lab: Lab) -> None:
    config = lab.config_for("VirusTotal_Pivot")
    host, _, port = lab.where("virustotal").partition(":")
    request = f"GET /api/v3/domains/a.example HTTP/1.1\r\nHost: x\r\nx-apikey: {config['key']}\r\n"
    with socket.create_connection((host, int(port)), timeout=5) as connection, connection.makefile("rb") as stream:
        for closing in ("", "", "Connection: close\r\n"):
            connection.sendall((request + closing + "\r\n").encode())
            assert stream.readline().startswith(b"HTTP/1.1 404 ")
            length = 0
            while (line := stream.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            assert len(stream.read(length)) == length
        assert stream.read() == b""


@pytest.mark.parametrize(
    "wrong",
    [
        "GET /\r\n\r\n",
        "hello\r\n\r\n",
        "GET / HTTP/1.1\r\nno header\r\n\r\n",
        "GET x HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: much\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused(lab: Lab, wrong: str) -> None:
    host, _, port = lab.where("crtsh").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(wrong.encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")


def test_bulk_seeds_are_answered_each_under_its_own_name(client: requests.Session) -> None:
    with Lab.demo(bulk=1000) as lab:
        assert len(set(lab.bulk)) == 1000
        configs = [lab.config_for(name) for name in ("VirusTotal_Pivot", "URLhaus_Lookup", "Registration_Lookup")]
        virustotal, urlhaus, rdap = configs
        for name in (lab.bulk[0], lab.bulk[-1]):
            url = f"{virustotal['url']}/api/v3/domains/{name}?relationships=resolutions"
            data = client.get(url, headers={"x-apikey": virustotal["key"]}, timeout=5).json()["data"]
            assert data["id"] == name
            assert data["relationships"]["resolutions"]["data"][0]["id"] == f"203.0.113.66{name}"
            headers = {"Auth-Key": urlhaus["API_Key"]}
            host = client.post(f"{urlhaus['url']}/v1/host/", data={"host": name}, headers=headers, timeout=5).json()
            assert host["host"] == name
            registry = client.get(f"{rdap['rdap_url']}/domain/{name}", timeout=5).json()
            assert registry["ldhName"] == name.upper()
            related = next(link["href"] for link in registry["links"] if link["rel"] == "related")
            assert client.get(related, timeout=5).json()["ldhName"] == name
        assert not any("seed-" in sample for sample in lab.unasked())


@needs_shared
def test_every_recorded_sample_has_a_request_or_a_reason() -> None:
    replay = Lab.replay(shared("samples"))
    try:
        index = [
            json.loads(line) for line in (shared("samples") / "index.jsonl").read_text(encoding="utf-8").splitlines()
        ]
        named = {f"{row['service']}/{row['file']}" for row in index if row["service"] in replay.services}
        texts = (shared("samples") / "whois" / "WHOIS_INDEX.tsv").read_text(encoding="utf-8").splitlines()[1:]
        named |= {"whois/" + line.split("\t")[0] for line in texts}
        reasons = replay.idle()
        assert set(replay.unasked()) | set(reasons) == named
        assert not set(replay.unasked()) & set(reasons)
        assert all(len(reason) > 10 for reason in reasons.values())
        recorded = {name for name in replay.unasked() if "SYNTHETIC" not in name}
        assert len(recorded) > 500
    finally:
        replay.stop()


@needs_shared
def test_one_of_several_answers_can_be_preferred(client: requests.Session) -> None:
    with Lab.replay(shared("samples")) as replay:
        config = replay.config_for("VirusTotal_Pivot")
        url, headers = f"{config['url']}/api/v3/ip_addresses/8.8.8.8", {"x-apikey": config["key"]}
        client.get(url, headers=headers, timeout=5)
        assert replay.requests[-1].samples == ("virustotal/ip_8_8_8_8.json",)
        replay.prefer("virustotal/ip_8_8_8_8_2026.json")
        client.get(url, headers=headers, timeout=5)
        assert replay.requests[-1].samples == ("virustotal/ip_8_8_8_8_2026.json",)
        rdap = replay.config_for("Registration_Lookup")["rdap_url"]
        replay.prefer("rdap/whoisit_cidr_v4.json")
        client.get(f"{rdap}/ip/1.1.1.1", timeout=5)
        assert replay.requests[-1].samples == ("rdap/whoisit_cidr_v4.json",)
        with pytest.raises(KeyError):
            replay.prefer("virustotal/feed_files_1.json")


def folder(tmp_path: Path, rows: list[dict[str, object]], **files: str) -> Path:
    (tmp_path / "urlhaus").mkdir()
    (tmp_path / "index.jsonl").write_text("".join(json.dumps({"service": "urlhaus", **row}) + "\n" for row in rows))
    for name, text in files.items():
        (tmp_path / "urlhaus" / f"{name}.json").write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"file": "strange.json", "endpoint": "POST /v1/…"}, "no exact request"),
        ({"file": "host_x.json", "endpoint": "POST /v1/host/"}, r"asks for \{/host\}"),
        ({"file": "absent.json", "endpoint": "POST /v1/host/ host=a.example", "exact": True}, "listed and absent"),
    ],
)
def test_a_sample_without_a_request_is_an_error(tmp_path: Path, row: dict[str, object], text: str) -> None:
    place = folder(tmp_path, [row], strange="{}", host_x="{}")
    with pytest.raises(TableError, match=text):
        Lab.replay(place)


def test_a_folder_of_ones_own(tmp_path: Path, client: requests.Session) -> None:
    place = folder(
        tmp_path,
        [{"file": "mine.json", "endpoint": "POST /v1/host/ host=mine.example", "exact": True}],
        mine='{"query_status": "ok", "urls": []}',
    )
    with Lab.replay(place) as lab:
        config = lab.config_for("URLhaus_Lookup")
        headers = {"Auth-Key": config["API_Key"]}
        got = client.post(f"{config['url']}/v1/host/", data={"host": "mine.example"}, headers=headers, timeout=5)
        assert got.json()["query_status"] == "ok"
        assert lab.unasked() == []
