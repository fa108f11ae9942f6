"""Registration: what WHOIS texts are, dates and ranges as registries write them, and answers that are broken.

The mapping itself is held against the expectations in ``test_mappings.py``.
"""

from __future__ import annotations

import ipaddress
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cortex_grow.model.indicator import Indicator
from cortex_grow.net import errors
from cortex_grow.source.answer import Answer
from cortex_grow.source.build import Builder
from cortex_grow.source.registration import asking, dates, library, names, ranges, withheld
from cortex_grow.source.registration.outcome import Outcome, outcome
from tests.sources import checking
from tests.support import needs_shared, sample, shared

NAME = "Registration_Lookup"
CASES = checking.cases(NAME)
WHOIS = [path for path in CASES if path.stem.startswith("whois_")]


# --- what a WHOIS text is ---


def text_of(path: Path) -> tuple[dict[str, Any], str]:
    case = json.loads(path.read_text(encoding="utf-8"))
    return case, sample(case["answer"]["whois"]).decode("utf-8", "replace")


@needs_shared
@pytest.mark.parametrize("path", WHOIS, ids=[path.stem for path in WHOIS])
def test_a_text_is_a_record_or_not_found_or_a_failure(path: Path) -> None:
    case, text = text_of(path)
    seed = Indicator.parse(case["seed"]["type"], case["seed"]["value"])
    value, is_name = asking.subject(seed).value, seed.type in ("domain", "fqdn")
    if "error" in case:
        with pytest.raises(getattr(errors, case["error"])) as raised:
            outcome(text, value, is_name, NAME, "whois.example")
        assert "whois.example" in str(raised.value)
    else:
        expected = Outcome.FREE if case.get("not_found") else Outcome.RECORD
        assert outcome(text, value, is_name, NAME, "whois.example") is expected


# Texts of unregistered names in the recorded folder that do not say so, and of registered ones that say nothing.
ODD = {"bo__free", "ga__free", "hk__free", "lu__free", "ml__free", "nz__free", "qa__free", "tr__free", "vu__free"}
ODD |= {"am__google.com.am", "cl__google.cl", "gf__google.gf", "nz__free_progressbuilders.co.nz.nz", "to__google.to"}


@needs_shared
def test_every_recorded_text_of_a_registry_is_understood() -> None:
    wrong = []
    texts = sorted(shared("samples/whois/iodev_tld").glob("*.txt"))
    for path in texts:
        tld, _, name = path.stem.partition("__")
        free = name.startswith("free")
        name = f"free.{tld}" if free else re.sub("_registrar_whois|-win1252", "", name)
        text = path.read_bytes().decode("utf-8", "replace")
        try:
            found = outcome(text, asking.subject(Indicator.parse("domain", name)).value, True)
        except errors.SourceError:
            found = None
        if found is not (Outcome.FREE if free else Outcome.RECORD) and path.stem not in ODD:
            wrong.append(path.stem)
    assert wrong == []
    assert len(texts) > 400


# --- a second opinion ---

# Where python-whois takes another date: that of a contact (.ar), month before day (.im .lu .rs .tn), local time (.tw),
# "before" (.uk, rotld.ro), a date in a heading (nic.live).
OTHERWISE = {
    "afip.gob.ar",
    "google.com.ar",
    "google.im",
    "google.lu",
    "google.rs",
    "ati.tn",
    "cabco.com.tw",
    "nic.live",
}


@needs_shared
def test_dates_agree_with_python_whois() -> None:
    agreed = 0
    for path in sorted(shared("samples/whois").glob("*/*.txt")):
        name = re.sub("^.*__|_registrar_whois|-win1252", "", path.stem)
        if "__free" in path.stem or path.parent.name in ("ip", "iodev_asn") or name in OTHERWISE:
            continue
        text = path.read_bytes().decode("utf-8", "replace")
        name = asking.subject(Indicator.parse("host", name)).value
        ours, theirs = names.read(text, name).registration, library.parsed(text, name)
        for mine, key in ((ours.created, "creation_date"), (ours.expires, "expiration_date")):
            other = library._moment(theirs.get(key))
            if mine and other:
                assert mine[:10] == other[:10], (path.name, key)
                agreed += 1
    assert agreed > 250


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2002-10-22 17:48:23 CLST", "2002-10-22T20:48:23Z"),
        ("1999. 07. 28.", "1999-07-28T00:00:00Z"),
        ("2001-Aug-23.", "2001-08-23T00:00:00Z"),
        ("19990518 #162310", "1999-05-18T00:00:00Z"),
        ("26.03.2008 16:18:03", "2008-03-26T16:18:03Z"),
        ("May 22 2002", "2002-05-22T00:00:00Z"),
        ("2009-07-01 12:44:02 (GMT+0:00)", "2009-07-01T12:44:02Z"),
        ("2002-12-04 00:00:00+02", "2002-12-03T22:00:00Z"),
        ("2022-07-25 00:00:00 (UTC+8)", "2022-07-24T16:00:00Z"),
        ("2015-11-04T10:00:00.351952Z", "2015-11-04T10:00:00Z"),
        ("Tue Feb 10 09:42:42 2004", "2004-02-10T00:00:00Z"),
        ("2019/04/01 01:12:57 (JST)", "2019-03-31T16:12:57Z"),
        ("before Aug-1996", None),
        ("1970-01-01T00:00:00Z", None),
        ("see at www.register.bg", None),
        ("99.99.2020", None),
        ("2020-02-31", None),
        ("9" * 500, None),
        ("", None),
        (None, None),
    ],
)
def test_dates(text: str | None, moment: str | None) -> None:
    assert dates.moment(text) == moment


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("200.57.128/19", "200.57.128.0/19"),
        ("2001:0240::/32", "2001:240::/32"),
        ("010.000.000.000/8", "10.0.0.0/8"),
        ("1.2.3.4", None),
        ("1.2.3.4/33", None),
        ("1.2.3.4/-1", None),
        ("nonsense/8", None),
        (None, None),
    ],
)
def test_networks(text: str | None, network: str | None) -> None:
    found = ranges.network(text)
    assert (str(found) if found else None) == network


def test_a_range_is_summarised_as_the_standard_library_does() -> None:
    generator = random.Random(7)
    for _ in range(300):
        first, last = sorted(generator.randrange(2**32) for _ in range(2))
        start, end = ipaddress.IPv4Address(first), ipaddress.IPv4Address(last)
        held = ipaddress.IPv4Address(generator.randint(first, last))
        expected = next(net for net in ipaddress.summarize_address_range(start, end) if held in net)
        assert ranges.holding(start, end, held) == expected


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("Domains By Proxy, LLC", True),
        ("REDACTED FOR PRIVACY", True),
        ("Privacy service provided by Withheld for Privacy ehf", True),
        ("Registration Private", True),
        ("Contact Privacy Inc. Customer 0123456789", True),
        ("Whois Privacy Protection Service, Inc.", True),
        ("Infosys Private Limited", False),
        ("Proxima Networks", False),
        ("Shield Security GmbH", False),
        ("Privat Bank", False),
        ("", False),
        (None, False),
    ],
)
def test_who_stands_in(text: str | None, hidden: bool) -> None:
    assert withheld.stand_in(text) is hidden


def test_a_private_limited_company_is_somebody() -> None:
    assert not withheld.nobody("Example Private Limited")
    assert withheld.nobody("Private Person")


@pytest.mark.parametrize(
    ("mail", "service"),
    [
        ("example.com@domainsbyproxy.com", True),
        ("example.com-owner-x1@another.example", True),
        ("abc@mail.whoisguard.com", True),
        ("registrant@example.com", False),
        ("owner@registrar.example", False),
    ],
)
def test_mailboxes_of_privacy_services(mail: str, service: bool) -> None:
    assert withheld.service_mail(mail, "example.com") is service


def test_parking_name_servers_are_hubs() -> None:
    assert "parking" in str(withheld.hub("ns1.sedoparking.com"))
    assert withheld.hub("ns-1655.awsdns-14.co.uk")
    assert withheld.hub("ns1.example.com") is None
    assert withheld.hub("notsedoparking.com") is None


# --- the age of a domain ---


@pytest.mark.parametrize(
    ("as_of", "points", "why"),
    [
        ("2026-01-01T11:59:59Z", None, ""),
        ("2026-01-01T12:00:00Z", 25, "registered less than a day ago"),
        ("2026-01-02T12:00:00Z", 25, "registered 1 day ago"),
        ("2026-01-08T11:59:59Z", 25, "registered 6 days ago"),
        ("2026-01-08T12:00:00Z", 15, "registered 7 days ago"),
        ("2026-01-31T11:59:59Z", 15, "registered 29 days ago"),
        ("2026-01-31T12:00:00Z", None, ""),
    ],
)
@pytest.mark.parametrize("value", ["example.com", "www.example.com"])
def test_the_age_of_a_domain(value: str, as_of: str, points: int | None, why: str) -> None:
    event = {"eventAction": "registration", "eventDate": "2026-01-01T12:00:00Z"}
    body = {"objectClassName": "domain", "ldhName": "EXAMPLE.COM", "events": [event]}
    seed = Indicator.parse("host", value)
    builder = checking.read(NAME, seed, Answer.of({"rdap": body}, as_of))
    for node in ("domain:example.com", seed.id):
        terms = builder.nodes[node].terms
        assert [(term.rule, term.points) for term in terms] == ([("domain age", points)] if points else [])
        assert all(why in term.why.replace("was ", "") for term in terms)


# --- answers that are broken ---


def shaken(tree: Any, generator: random.Random) -> Any:
    """A copy of a JSON tree with some of its values dropped or replaced."""
    if generator.random() < 0.03:
        return generator.choice(
            [None, "", 0, -1, True, [], {}, [[]], "x" * 3000, "\x00\u202e", 1e308, {"a": 1}, "::/0"]
        )
    if isinstance(tree, dict):
        return {key: shaken(value, generator) for key, value in tree.items() if generator.random() > 0.03}
    if isinstance(tree, list):
        return [shaken(value, generator) for value in tree if generator.random() > 0.03]
    return tree


def shaken_text(text: str, generator: random.Random) -> str:
    rows = text.splitlines()
    for _ in range(max(3, len(rows) // 10)):
        place = generator.randrange(len(rows))
        change = generator.randrange(5)
        if change == 0:
            rows[place] = rows[place][: generator.randrange(len(rows[place]) + 1)]
        elif change == 1:
            rows[place] = ""
        elif change == 2:
            rows[place] += generator.choice([":", ": :", "\x00", "\u202e", "@", "9" * 400, " 999.1.1.1/99"])
        elif change == 3:
            other = generator.randrange(len(rows))
            rows[place], rows[other] = rows[other], rows[place]
        else:
            rows.insert(
                place, generator.choice(["Registrant:", "[Holder]", "nserver:", "% x", "inetnum: -", "origin: AS"])
            )
    return "\n".join(rows)


@needs_shared
@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_broken_answers_are_read_without_a_crash(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    seed = Indicator.parse(case["seed"]["type"], case["seed"]["value"])
    whole = checking.answer_of(case)
    generator = random.Random(path.stem)
    for _ in range(8):
        bodies: dict[str, Any] = {}
        for part, known in whole.parts.items():
            if part == "whois" and known.body:
                bodies[part] = {**known.body, "text": shaken_text(known.body["text"], generator)}
            else:
                bodies[part] = shaken(known.body, generator)
        builder = checking.read(NAME, seed, Answer.of(bodies, "2026-01-20T00:00:00Z"))
        assert isinstance(builder, Builder)
        assert len(builder.nodes) < 2500


# --- other values in the same layout ---


def fresh(value: str, type: str, count: int) -> str:
    if type == "ip":
        return f"198.51.{count // 250}.{count % 250 + 1}" if ":" not in value else f"2001:db8::{count:x}"
    if type == "mail":
        return f"person{count}@swapped-{count}.com"
    return f"ns{count}.swapped-{count}.net" if type == "fqdn" else f"swapped-{count}.org"


def forms(value: str, type: str) -> Iterator[str]:
    yield value
    if type == "ip" and ":" in value:
        yield ipaddress.ip_address(value).exploded
    if "@" in value:
        yield value.replace("@", " AT ")


@needs_shared
@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_the_same_layout_with_other_values_yields_the_same_graph(path: Path) -> None:
    """A mapping that knows its samples, or sweeps them, does not pass."""
    case = json.loads(path.read_text(encoding="utf-8"))
    seed = Indicator.parse(case["seed"]["type"], case["seed"]["value"])
    if seed.type not in ("domain", "fqdn") or case.get("not_found"):
        return
    whole = checking.answer_of(case)
    before = checking.read(NAME, seed, whole)
    ends = {node.indicator for node in before.nodes.values()} - {seed, asking.subject(seed)}
    new = {end: fresh(end.value, end.type, count) for count, end in enumerate(sorted(ends, key=lambda end: end.id), 1)}
    new = {end: value for end, value in new.items() if end.type in ("fqdn", "domain", "mail", "ip")}
    patterns = {form.lower(): value for end, value in new.items() for form in forms(end.value, end.type)}
    if not patterns:
        return
    longest = sorted(patterns, key=len, reverse=True)
    pattern = re.compile("|".join(rf"(?<![\w.@-]){re.escape(form)}(?![\w@-])" for form in longest), re.IGNORECASE)
    swapped = {
        part: json.loads(pattern.sub(lambda hit: patterns[hit[0].lower()], json.dumps(known.body, ensure_ascii=False)))
        for part, known in whole.parts.items()
        if part != "whois"
    }
    if "whois" in whole.parts:
        text = pattern.sub(lambda hit: patterns[hit[0].lower()], whole["whois"]["text"].raw)
        swapped["whois"] = {"server": "whois.example", "text": text}
    after = checking.read(NAME, seed, Answer.of(swapped, whole.as_of))
    ids = {end.id: f"{end.type}:{value}" for end, value in new.items()}

    def graph(builder: Builder, ids: dict[str, str]) -> set[tuple[str, str, str]]:
        return {(ids.get(e.source, e.source), e.relation, ids.get(e.target, e.target)) for e in builder.edges.values()}

    assert graph(after, {}) == graph(before, ids)
