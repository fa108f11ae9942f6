"""The stand-ins of crt.sh and of the RDAP servers."""

from __future__ import annotations

import hashlib
import ssl

import pytest
import requests

from cortex_grow.lab import Lab
from tests.support import needs_shared, sample, sample_json, shared


@pytest.fixture
def crtsh(lab: Lab) -> str:
    return str(lab.config_for("Crtsh_Certificates")["url"])


@pytest.fixture
def rdap(lab: Lab) -> str:
    return str(lab.config_for("Registration_Lookup")["rdap_url"])


@pytest.mark.parametrize("field", ["q", "identity", "Identity", "domain", "dNSName"])
def test_names_are_found_by_any_of_the_fields(crtsh: str, client: requests.Session, field: str) -> None:
    reply = client.get(crtsh, params={field: "CDN-update.example", "output": "json"}, timeout=5)
    assert reply.headers["content-type"] == "application/json"
    assert reply.json()[0]["common_name"] == "cdn-update.example"


def test_options_and_accept(crtsh: str, client: requests.Session) -> None:
    both = {"q": "%.panel-login.example", "exclude": "expired", "deduplicate": "Y", "output": "json"}
    assert len(client.get(crtsh, params=both, timeout=5).json()) == 2
    accepted = client.get(crtsh, params={"q": "cdn-update.example"}, headers={"Accept": "application/json"}, timeout=5)
    assert accepted.json()
    assert (
        client.get(crtsh, params={"q": "cdn-update.example"}, timeout=5).headers["content-type"].startswith("text/html")
    )
    assert client.get(crtsh, params={"q": "nothing-known.example", "output": "json"}, timeout=5).json() == []


def test_fingerprints_have_no_json_but_a_download(crtsh: str, client: requests.Session) -> None:
    pem = client.get(crtsh, params={"d": "9000000101"}, timeout=5)
    assert pem.headers["content-type"] == "application/pkix-cert"
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.text)).hexdigest()
    assert client.get(crtsh, params={"d": digest.upper()}, timeout=5).content == pem.content
    assert client.get(crtsh, params={"d": "0" * 64}, timeout=5).status_code == 404
    for value in (digest, digest[:40], "9000000101"):
        page = client.get(crtsh, params={"q": value, "output": "json"}, timeout=5)
        assert page.status_code == 200
        assert "Unsupported output type: json" in page.text
        with pytest.raises(requests.JSONDecodeError):
            page.json()


def test_crtsh_refuses_other_paths_methods_and_too_many(crtsh: str, client: requests.Session, lab: Lab) -> None:
    assert client.get(f"{crtsh}/api", timeout=5).status_code == 404
    assert client.put(crtsh, timeout=5).status_code == 405
    lab.quota("crtsh", 0)
    assert client.get(crtsh, params={"q": "cdn-update.example", "output": "json"}, timeout=5).status_code == 429


@needs_shared
def test_recorded_certificates(client: requests.Session) -> None:
    with Lab.replay(shared("samples")) as replay:
        url = replay.config_for("Crtsh_Certificates")["url"]
        for name, params in (
            ("identity_crt_sh", {"identity": "crt.sh"}),
            ("identity_crt_sh_exclude_expired", {"q": "crt.sh", "exclude": "expired"}),
            ("identity_example_com", {"q": "example.com", "exclude": "expired"}),
            ("opencti_example_com", {"q": "example.com"}),
            ("opencti_example_com_wildcard", {"q": "%.example.com"}),
        ):
            got = client.get(url, params={**params, "output": "json"}, timeout=5)
            assert got.content == sample(f"crtsh/{name}.json"), name
        replay.prefer("crtsh/opencti_example_com_expired.json")
        client.get(url, params={"q": "example.com", "exclude": "expired", "output": "json"}, timeout=5)
        assert not [name for name in replay.unasked() if name.startswith("crtsh/")]


# --- RDAP ---


@pytest.mark.parametrize(
    ("path", "kind", "name"),
    [
        ("/domain/cdn-update.example", "domain", "CDN-UPDATE.EXAMPLE"),
        ("/domain/CDN-update.example.", "domain", "CDN-UPDATE.EXAMPLE"),
        ("/ip/203.0.113.66", "ip network", "EXAMPLE-HOSTING"),
        ("/ip/203.0.113.64/28", "ip network", "EXAMPLE-HOSTING"),
        ("/ip/2001:db8:66::1", "ip network", "EXAMPLE-HOSTING-V6"),
        ("/autnum/64496", "autnum", "EXAMPLE-HOSTING"),
    ],
)
def test_lookups_go_through_one_redirect(rdap: str, client: requests.Session, path: str, kind: str, name: str) -> None:
    reply = client.get(f"{rdap}{path}", headers={"Accept": "application/rdap+json"}, timeout=5)
    assert [step.status_code for step in reply.history] == [302]
    assert reply.headers["content-type"] == "application/rdap+json"
    assert reply.json()["objectClassName"] == kind
    assert name in (reply.json().get("ldhName"), reply.json().get("name"))


def test_the_registrar_is_asked_at_the_lab_too(rdap: str, client: requests.Session) -> None:
    registry = client.get(f"{rdap}/domain/cdn-update.example", timeout=5).json()
    link = next(link["href"] for link in registry["links"] if link["rel"] == "related")
    assert link.startswith(f"{rdap}/registrar/rdap.registrar.example.org/")
    registrar = client.get(link, timeout=5).json()
    mails = [row[3] for entity in registrar["entities"] for row in entity["vcardArray"][1] if row[0] == "email"]
    assert "registrant@invoice-portal.test" in mails
    assert client.get(f"{rdap}/registrar/rdap.other.example/domain/cdn-update.example", timeout=5).status_code == 404


@pytest.mark.parametrize(
    "path", ["/domain/nothing-known.example", "/ip/203.0.113.254", "/ip/203.0.113.0/24", "/autnum/64511"]
)
def test_unknown_objects(rdap: str, client: requests.Session, path: str) -> None:
    reply = client.get(f"{rdap}{path}", timeout=5)
    assert reply.status_code == 404
    assert reply.headers["content-type"] == "application/rdap+json"
    assert reply.json()["errorCode"] == 404


@pytest.mark.parametrize(
    "path", ["/domain/a..b", "/domain/a%20b.example", "/ip/999.1.1.1", "/autnum/AS64496", "/name/x", "/domain", "/"]
)
def test_malformed_queries(rdap: str, client: requests.Session, path: str) -> None:
    reply = client.get(f"{rdap}{path}", timeout=5)
    assert (reply.status_code, reply.json()["errorCode"]) == (400, 400)


def test_rdap_methods_media_and_quota(rdap: str, client: requests.Session, lab: Lab) -> None:
    assert client.post(f"{rdap}/domain/cdn-update.example", timeout=5).status_code == 405
    assert (
        client.get(f"{rdap}/domain/cdn-update.example", headers={"Accept": "text/html"}, timeout=5).status_code == 406
    )
    assert client.head(f"{rdap}/domain/cdn-update.example", allow_redirects=True, timeout=5).status_code == 200
    lab.quota("rdap", 0)
    refused = client.get(f"{rdap}/domain/cdn-update.example", timeout=5)
    assert (refused.status_code, refused.json()["errorCode"]) == (429, 429)


@needs_shared
def test_rdap_errors_have_the_recorded_members(rdap: str, client: requests.Session) -> None:
    mine = client.get(f"{rdap}/domain/nothing-known.example", timeout=5).json()
    recorded = sample_json("rdap/nicinfo_arin_o.json")
    assert set(mine) <= set(recorded)
    assert {name: type(value) for name, value in mine.items()} == {name: type(recorded[name]) for name in mine}


@needs_shared
@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/domain/google.com", "whoisit_domain1.json"),
        ("/domain/norway.no", "whoisit_domain2.json"),
        ("/domain/rider99.net", "dt_rider99.net_registrar.json"),
        ("/ip/62.239.237.1", "ipwhois_62.239.237.1.json"),
        ("/ip/74.125.225.229", "ipwhois_74.125.225.229.json"),
        ("/ip/108.45.128.208", "nicinfo_ip_108_45_128_208.json"),
        ("/ip/2001:240:10c:1::ca20:9d1d", "ipwhois_2001-240-10c-1--ca20-9d1d.json"),
        ("/autnum/703", "nicinfo_autnum_703.json"),
        ("/autnum/16509", "icann_autnum_16509.json"),
    ],
)
def test_recorded_registrations(client: requests.Session, path: str, file: str) -> None:
    with Lab.replay(shared("samples")) as replay:
        reply = client.get(replay.config_for("Registration_Lookup")["rdap_url"] + path, timeout=5)
        assert replay.requests[-1].samples == (f"rdap/{file}",)
        recorded = sample_json(f"rdap/{file}")
        turned = [
            link for link in recorded.get("links", []) if link.get("rel") == "related" and "/domain/" in link["href"]
        ]
        mine = reply.json()
        if turned:
            recorded.pop("links"), mine.pop("links")
        assert mine == recorded
