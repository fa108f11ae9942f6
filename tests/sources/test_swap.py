"""A mapping reads places, not looks: with every indicator swapped for a fresh one it finds exactly the swapped graph.

Every mapping is tried on every recorded answer that has expectations. In the swapped answer decoys are planted beside
what a service says (:data:`DECOYS`), which a mapping that sweeps for what looks like an indicator picks up; what knows
its samples by heart says what is no longer there. Both are planted here too, and must fail.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cortex_grow.growth.sources import sources
from cortex_grow.model.indicator import Indicator
from cortex_grow.source import registry
from cortex_grow.source.answer import Answer
from cortex_grow.source.build import Builder
from cortex_grow.source.facts import Fact, Family, Related, found
from tests.sources import checking
from tests.sources.swapping import KEPT, Swapper
from tests.support import needs_shared

CASES = [(declaration.name, path) for declaration in sources() for path in checking.cases(declaration.name)]
Read = Callable[[Indicator, Answer], Builder]

# Stands under a name that no service uses, in every object of an answer; in a text, in a comment of its own.
DECOYS = [
    "see https://decoy-note.example.net/report?host=decoy-host.example.org",
    "198.51.100.23",
    "2001:db8:feed::1",
    "decoy-name.example.com",
    "decoy@mail.example.com",
    hashlib.sha256(b"decoy").hexdigest(),
    hashlib.sha1(b"decoy").hexdigest(),
    hashlib.md5(b"decoy").hexdigest(),
    "decoy.exe",
]
NOTE = "zz_note"


def planted(tree: Any) -> Any:
    """A copy of an answer with the decoys in it."""
    if isinstance(tree, dict):
        kept = {name: planted(value) for name, value in tree.items()}
        if isinstance(tree.get("text"), str) and "server" in tree:  # a WHOIS text
            return {**kept, "text": tree["text"].rstrip("\n") + "\n\n% " + "\n% ".join(DECOYS) + "\n"}
        return {**kept, NOTE: DECOYS}
    return [planted(value) for value in tree] if isinstance(tree, list) else tree


def graph(builder: Builder, become: Callable[[Indicator], Indicator]) -> set[tuple[Any, ...]]:
    """Nodes with their terms, edges with their dates and counts, and labels, each node as ``become`` makes it."""
    names = {id: become(node.indicator).id for id, node in builder.nodes.items()}
    made: set[tuple[Any, ...]] = {("node", name) for name in names.values()}
    made |= {("term", names[id], t.rule, t.points) for id, node in builder.nodes.items() for t in node.terms}
    for edge in builder.edges.values():
        times = edge.first_seen, edge.last_seen, edge.count
        made.add(("edge", names[edge.source], edge.relation, names[edge.target], *times))
    for label in (*builder.families, *builder.techniques, *builder.actors):
        made.add(("label", label.name, label.id))
    return made


def differences(read: Read, case: dict[str, Any]) -> list[str]:
    """What a mapping finds in the swapped answer that it should not, and what it misses; empty where it is right."""
    seed = Indicator.parse(case["seed"]["type"], case["seed"]["value"])
    answer = checking.answer_of(case)
    before = read(seed, answer)
    bodies = {name: part.body for name, part in answer.parts.items()}
    swapper = Swapper((seed, *(node.indicator for node in before.nodes.values())))
    swapper.settle(bodies)
    swapped = {name: planted(swapper.tree(body)) for name, body in bodies.items()}
    left = list(remains(swapper, swapped))
    assert not left, f"the swap left {left[:5]}"
    after = read(swapper.indicator(seed), Answer.of(swapped, case.get("as_of", "2024-01-01T00:00:00Z")))
    expected, got = graph(before, swapper.indicator), graph(after, lambda indicator: indicator)
    missing = [f"missing: {entry}" for entry in sorted(map(str, expected - got))]
    return missing + [f"not in the answer: {entry}" for entry in sorted(map(str, got - expected))]


def remains(swapper: Swapper, tree: Any) -> Iterator[str]:
    """Indicators that still stand in a swapped answer, found by another way than the swap: their plain text."""
    text = json.dumps(tree, ensure_ascii=False).lower()
    for indicator in swapper.indicators:
        if indicator.id in swapper.unswapped or indicator.type in KEPT or indicator.value.lower() not in text:
            continue
        value = re.escape(indicator.value.lower())
        if len(value) > 4 and re.search(rf"(?<![\w.-]){value}(?![\w-]|\.\w)", text):
            yield indicator.id


@needs_shared
@pytest.mark.parametrize(("definition", "path"), CASES, ids=[f"{name}-{path.stem}" for name, path in CASES])
def test_a_mapping_finds_the_swapped_graph(definition: str, path: Path) -> None:
    wrong = differences(
        lambda seed, answer: checking.read(definition, seed, answer), json.loads(path.read_text(encoding="utf-8"))
    )
    assert not wrong, "\n".join(wrong[:20])


# --- the test can fail: mappings that sweep, and that know their samples ---

SWEPT = {
    "url": r"https?://[^\s\"'<>]+",
    "ip": r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])",
    "domain": r"(?:[a-z0-9-]+\.)+[a-z]{2,}",
    "mail": r"[a-z0-9.]+@(?:[a-z0-9-]+\.)+[a-z]{2,}",
    "hash": r"(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})(?![0-9a-f])",
}


def sweeping(*types: str) -> Read:
    """A mapping that takes whatever looks like an indicator, wherever it stands."""

    def read(seed: Indicator, answer: Answer) -> Builder:
        builder = Builder(registry.named("URLhaus_Lookup"), seed, None, None)  # type: ignore[arg-type]
        text = json.dumps([part.body for part in answer.parts.values()]).lower()
        for type in types:
            builder.add([Related(seed, "related-to", found(type, hit)) for hit in re.findall(SWEPT[type], text)])
        return builder

    return read


def adding(definition: str, more: Callable[[Indicator, Answer], Iterator[Fact]]) -> Read:
    """A mapping of the pack that says more than it should."""

    def read(seed: Indicator, answer: Answer) -> Builder:
        builder = checking.read(definition, seed, answer)
        builder.strict = False
        builder.add(more(seed, answer))
        return builder

    return read


def by_heart(seed: Indicator, answer: Answer) -> Iterator[Fact]:
    if seed.value == "vektorex.com":
        yield Family("Loki")


def invented(seed: Indicator, answer: Answer) -> Iterator[Fact]:
    yield Related(found("url", "http://vektorex.com/source/Z/5016223.exe"), "hosted-by", seed)


def unknown_members(seed: Indicator, answer: Answer) -> Iterator[Fact]:
    for part in answer.parts:
        for name, value in answer[part].items():
            if name not in ("urls", "query_status") and "." in (value.text or ""):
                yield Related(seed, "related-to", found("host", value.text))
        for _, member in answer[part].items():
            for text in member.texts:
                yield Related(seed, "related-to", found("host", text))


def permalinks(seed: Indicator, answer: Answer) -> Iterator[Fact]:
    yield Related(seed, "related-to", found("url", f"https://urlhaus.abuse.ch/host/{'vektorex.com'}/"))


CASE = {"seed": {"type": "domain", "value": "vektorex.com"}, "answer": {"host": "urlhaus/host_vektorex_com.json"}}


@needs_shared
@pytest.mark.parametrize(
    "read",
    [
        *(pytest.param(sweeping(type), id=f"sweeps for {type}") for type in SWEPT),
        pytest.param(sweeping(*SWEPT), id="sweeps"),
        pytest.param(adding("URLhaus_Lookup", by_heart), id="knows a seed by heart"),
        pytest.param(adding("URLhaus_Lookup", invented), id="knows a related URL by heart"),
        pytest.param(adding("URLhaus_Lookup", permalinks), id="makes a link of its own"),
        pytest.param(adding("URLhaus_Lookup", unknown_members), id="reads members that it does not know"),
    ],
)
def test_what_sweeps_or_knows_its_samples_is_caught(read: Read) -> None:
    assert differences(read, CASE)


@needs_shared
def test_what_neither_sweeps_nor_knows_passes() -> None:
    assert differences(lambda seed, answer: checking.read("URLhaus_Lookup", seed, answer), CASE) == []


# --- the swap itself ---

URL = "http://www.example.com/a?b=192.0.34.166"


def swapper(*indicators: tuple[str, str], tree: Any = None) -> Swapper:
    made = Swapper(Indicator.parse(type, value) for type, value in indicators)
    made.settle(tree)
    return made


def test_a_swap_reaches_every_place() -> None:
    from base64 import urlsafe_b64encode

    digest, print_ = "0123456789abcdef" * 4, "0a" * 20
    indicators = [
        ("url", URL),
        ("ip", "9.9.9.9"),
        ("ip", "2620:fe::9"),
        ("fqdn", "dns.quad9.net"),
        ("hash", digest),
        ("certificate", print_),
        ("mail", "who@example.org"),
        ("network", "9.9.9.0/24"),
        ("autonomous-system", "AS19281"),
        ("registry", "HKEY_LOCAL_MACHINE\\SOFTWARE\\X"),
        ("filename", "Invoice 7.doc"),
        ("cve", "CVE-2017-11882"),
    ]
    id = urlsafe_b64encode(URL.encode()).decode().rstrip("=")
    tree = {
        "9.9.9.9": "dns.quad9.net.",
        "id": "9.9.9.9dns.quad9.net",
        "link": f"https://service.example/ui/urls/{id}?u=http%3A%2F%2Fwww.example.com%2F",
        "upper": [digest.upper(), "DNS.QUAD9.NET", "INVOICE 7.DOC", ":".join(["0A"] * 20)],
        "asn": 19281,
        "text": "AS19281 9.9.9.9-9.9.9.255 2620:fe::/48 who at example.org, WHO@example.org cve-2017-11882",
        "key": "HKLM\\SOFTWARE\\X",
        "reverse": "9.9.9.9.in-addr.arpa",
        "time": "2019-02-11 07:45:05 UTC",
        "version": "1.18.0.2",
    }
    made = swapper(*indicators, tree=tree)
    swapped = made.tree(tree)
    host, ip = made.text("dns.quad9.net"), made.text("9.9.9.9")
    assert set(swapped) >= {ip}
    assert swapped[ip] == f"{host}."
    assert swapped["id"] == f"{ip}{host}"
    fresh_id = urlsafe_b64encode(made.text(URL).encode()).decode().rstrip("=")
    assert f"/urls/{fresh_id}?u=http%3A%2F%2F{made.text('www.example.com')}%2F" in swapped["link"]
    assert swapped["upper"][0] == made.text(digest).upper() != digest.upper()
    assert swapped["upper"][1] == host.upper()
    assert swapped["upper"][3].replace(":", "").lower() == made.text(print_) != print_
    assert swapped["asn"] == 3_019_281
    assert swapped["key"].startswith("HKLM\\")
    assert swapped["time"] == tree["time"]
    assert swapped["version"] == tree["version"]
    assert swapped["reverse"] == f"9.9.9.{ip.split('.')[0]}.in-addr.arpa"
    assert not list(remains(made, swapped))
    for indicator in made.indicators:
        assert made.indicator(indicator).type == indicator.type
        assert made.indicator(indicator).id != indicator.id


def test_a_swap_keeps_what_lies_where() -> None:
    tree = ["a.b.example.co.uk", "example.co.uk", "8.8.8.8", "8.8.8.0/24"]
    made = swapper(("fqdn", tree[0]), ("domain", tree[1]), ("ip", tree[2]), ("network", tree[3]), tree=tree)
    below, above, address, network = (made.text(text) for text in tree)
    assert below.endswith(f".{above}")
    assert above.endswith(".co.uk")
    assert below.count(".") == 4
    assert address.startswith(network.removesuffix("0/24"))
    assert network.endswith(".0/24")


def test_what_cannot_be_swapped_has_a_reason() -> None:
    made = swapper(("domain", "co.uk"), ("ip", "127.0.0.1"), ("network", "0.0.0.0/0"), ("technique", "T1055"))
    assert set(made.unswapped) == {"domain:co.uk", "ip:127.0.0.1", "network:0.0.0.0/0", "technique:T1055"}
    assert all(made.unswapped.values())
    assert [made.indicator(indicator) for indicator in made.indicators] == made.indicators


def test_remains_are_seen() -> None:
    made = swapper(("domain", "example.com"), ("hash", "ab" * 16))
    assert list(remains(made, {"a": "x=example.com", "b": "AB" * 16})) == ["domain:example.com", f"hash:{'ab' * 16}"]
    assert list(remains(made, {"a": "notexample.com example.com.au"})) == []
