"""What the sandboxes saw (docs.virustotal.com/reference/file-behaviour-summary): the summary of all, or one report."""

from __future__ import annotations

from collections.abc import Iterator

from cortex_grow.model.indicator import Indicator
from cortex_grow.source.answer import Json
from cortex_grow.source.facts import Cut, Fact, Known, Related, Rows, Technique, found, found_file

MOST = {"registry_keys_set": 500, "mutexes_created": 500, "files_dropped": 500, "command_executions": 50}


def summary(seed: Indicator, body: Json) -> Iterator[Fact]:
    """Contacts, drops, mutexes, registry keys, techniques. The fields stand under ``data``, ``attributes`` or alone."""
    seen = body["data"] if isinstance(body["data"].raw, dict) else body
    seen = seen["attributes"] if isinstance(seen["attributes"].raw, dict) else seen
    yield from _network(seed, seen)
    for dropped in _unique(seen["files_dropped"], "sha256", "files_dropped"):
        yield Related(seed, "drops", found_file(sha256=dropped["sha256"].text))
    for key in _unique(seen["registry_keys_set"], "key", "registry_keys_set"):
        yield Related(seed, "writes", found("registry", key["key"].text))
    mutexes = list(dict.fromkeys(seen["mutexes_created"].texts))
    for mutex in mutexes[: MOST["mutexes_created"]]:
        yield Related(seed, "creates", found("mutex", mutex))
    yield from _techniques(seen)
    for name, most in MOST.items():
        count = len(set(map(str, seen[name].raw))) if isinstance(seen[name].raw, list) else 0
        if count > most:
            yield Cut(name.replace("_", " "), count, most, "the first of the sandboxes' list are read")
    commands = list(dict.fromkeys(seen["command_executions"].texts))[: MOST["command_executions"]]
    yield Rows("Commands", ["command"], [[command] for command in commands])
    yield Known("Sandboxes", {"verdicts": seen["verdicts"].texts, "labels": seen["verdict_labels"].texts})


def _network(seed: Indicator, seen: Json) -> Iterator[Fact]:
    """Who was contacted. The answer to a lookup is a resolution, no contact."""
    for lookup in seen["dns_lookups"]:
        name = found("host", lookup["hostname"].text)
        yield Related(seed, "communicates-with", name)
        for address in lookup["resolved_ips"].texts:
            yield Related(name, "resolves-to", found("ip", address))
    for flow in seen["ip_traffic"]:
        port = flow["destination_port"].text
        context = {"port": port, "protocol": flow["transport_layer_protocol"].text}
        yield Related(seed, "communicates-with", found("ip", flow["destination_ip"].text), context=context)
    for talk in seen["http_conversations"]:
        method = talk["request_method"].text
        yield Related(seed, "communicates-with", found("url", talk["url"].text), context={"method": method})
    for handshake in seen["tls"]:
        served = found("host", handshake["sni"].text)
        yield Related(seed, "communicates-with", served)
        yield Related(served, "serves", found("certificate", handshake["thumbprint"].text))
        yield Related(seed, "characterized-by", found("ja3", handshake["ja3"].text))
    for text in seen["ja3_digests"].texts:
        yield Related(seed, "characterized-by", found("ja3", text))


def _techniques(seen: Json) -> Iterator[Fact]:
    """ATT&CK techniques: a dictionary by id in the summary, a list in the report of one sandbox."""
    for id, reasons in seen["attack_techniques"].items():
        evidence = next((text for reason in reasons if (text := reason["description"].text)), None)
        yield Technique(id, evidence=evidence)
    for entry in seen["mitre_attack_techniques"]:
        yield Technique(entry["id"].text, evidence=entry["signature_description"].text)


def _unique(items: Json, key: str, name: str) -> Iterator[Json]:
    """The members with distinct texts under ``key``, up to the most that is read of such a list."""
    known: set[str] = set()
    for item in items:
        text = item[key].text
        if text and text not in known and len(known) < MOST[name]:
            known.add(text)
            yield item
