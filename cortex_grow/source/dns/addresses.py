"""What the DNS says of an address: its names, and its autonomous system (Team Cymru).

The part ``records`` about an address holds ``PTR`` (``values``, ``total``) and, by name, the addresses that each of
those names has. The part ``asn`` holds by address the ``origins`` of it, by ``AS64496`` the ``name`` of that system,
and under ``addresses`` how many there were to ask about in ``total``.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator

from cortex_grow.model.indicator import Indicator
from cortex_grow.source.answer import Json
from cortex_grow.source.facts import About, Cut, Fact, Related, Rows, Summary, found

MOST_POINTERS = 5
MOST_ADDRESSES = 5
MOST_SYSTEMS = 10
CYMRU = "asn.cymru.com"  # https://www.team-cymru.com/ip-asn-mapping


def reversed_labels(address: str) -> str:
    """The labels of an address back to front: octets of IPv4, nibbles of IPv6 (RFC 1035, 3.5 and 3596, 2.5)."""
    if ":" not in address:
        return ".".join(reversed(address.split(".")))
    return ".".join(reversed(socket.inet_pton(socket.AF_INET6, address).hex()))


def pointer_name(address: str) -> str:
    """Where the names of an address stand."""
    return f"{reversed_labels(address)}.{'ip6' if ':' in address else 'in-addr'}.arpa"


def origin_name(what: str) -> str:
    """Where Team Cymru says who announces an address, or what a system (``AS64496``) is called."""
    if what.startswith("AS"):
        return f"{what}.{CYMRU}"
    return f"{reversed_labels(what)}.origin{'6' if ':' in what else ''}.{CYMRU}"


def same(address: str, others: Iterable[str]) -> bool:
    """Whether an address is among others, however each is written."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return any(packed(address, family) == packed(other, family) for other in others)


def packed(address: str, family: int) -> bytes | None:
    """The octets of an address; ``None`` where it is none of that family."""
    try:
        return socket.inet_pton(family, address)
    except (OSError, ValueError):
        return None


def pointers(seed: Indicator, body: Json, when: str) -> Iterator[Fact]:
    """PTR names. Anyone can write any name there: only one that leads back to the address is a resolution."""
    names, when = body["PTR"]["values"].texts, body["PTR"]["as_of"].time or when
    checked = 0
    for name in names:
        host = found("domain", name)
        if not isinstance(body[name].raw, dict):
            context = {"record": "PTR, not checked whether the name leads back"}
            yield Related(seed, "related-to", host, last_seen=when, context=context)
            continue
        checked += 1
        if same(seed.value, body[name]["values"].texts):
            context = {"record": "PTR, and the name leads back"}
            yield Related(host, "resolves-to", seed, last_seen=when, context=context)
        else:
            context = {"record": "PTR, but the name does not lead back"}
            yield Related(seed, "related-to", host, last_seen=when, context=context)
    total = max(len(names), body["PTR"]["total"].number or 0)
    if total > MOST_POINTERS:
        yield Cut("PTR names checked", total, checked, "of the names of an address this many are looked up")
    yield Summary("names", str(total))


def origins_of(texts: Iterable[str]) -> list[dict[str, object]]:
    """Team Cymru's ``64496 64497 | 203.0.113.0/24 | XX | ripencc | 2024-05-02``, the longest prefix first.

    Several numbers announce the same prefix; several texts are nested prefixes. ``NA`` stands for what is not known.
    """
    read: list[dict[str, object]] = []
    for text in texts:
        cells = [cell.strip() for cell in text.split("|")]
        cells = ["" if cell == "NA" else cell for cell in [*cells, "", "", "", ""][:5]]
        systems = [number for number in cells[0].split() if number.isascii() and number.isdigit()]
        prefix = cells[1] if "/" in cells[1] else ""
        if prefix:
            place = {"country": cells[2], "registry": cells[3], "allocated": cells[4]}
            read.append({"asn": systems, "prefix": prefix, **place})
    return sorted(read, key=_length, reverse=True)


def _length(origin: dict[str, object]) -> int:
    length = str(origin["prefix"]).rpartition("/")[2]
    return int(length) if length.isascii() and length.isdigit() and len(length) < 4 else 0


def title_of(texts: Iterable[str]) -> str:
    """The name of a system in Team Cymru's ``64496 | XX | ripencc | 2024-05-01 | NAME - Organisation, XX``."""
    for text in texts:
        cells = text.split("|", 4)
        if len(cells) == 5:
            return cells[4].strip()
    return ""


def systems_in(body: Json) -> list[str]:
    """The systems that some origins name, ``AS64496``, each once and at most ten."""
    found_ = [
        f"AS{number}" for _, entry in body.items() for origin in entry["origins"] for number in origin["asn"].texts
    ]
    return list(dict.fromkeys(found_))[:MOST_SYSTEMS]


def origins(seed: Indicator, body: Json) -> Iterator[Fact]:
    """Who announces each address: the address belongs to every prefix around it, and to the systems of the longest."""
    rows = []
    for address, entry in body.items():
        longest = entry["origins"][0]["prefix"].text
        where = found("ip", address)
        for origin in entry["origins"]:
            prefix, systems = origin["prefix"].text, [f"AS{number}" for number in origin["asn"].texts]
            network = found("network", prefix)
            yield Related(where, "belongs-to", network)
            for system in systems:
                yield Related(network, "belongs-to", found("autonomous-system", system))
                if prefix == longest:
                    yield Related(where, "belongs-to", found("autonomous-system", system))
            names = [name for system in systems if (name := body[system]["name"].text)]
            rest = (origin["country"].text, origin["registry"].text, origin["allocated"].text)
            rows.append([cell or "-" for cell in (address, systems, names, prefix, *rest)])
        if address == seed.value and longest:
            yield Summary("AS", ", ".join(f"AS{number}" for number in entry["origins"][0]["asn"].texts[:3]))
    for system in systems_in(body):
        if name := body[system]["name"].text:
            yield About(found("autonomous-system", system), attributes={"name": name})
    columns = ["address", "autonomous system", "name", "prefix", "country", "registry", "allocated"]
    yield Rows("Autonomous systems (Team Cymru)", columns, rows)
    total = body["addresses"]["total"].number or 0
    if total > MOST_ADDRESSES:
        why = "of the addresses of a name this many are asked about"
        yield Cut("addresses asked for their autonomous system", total, MOST_ADDRESSES, why)
