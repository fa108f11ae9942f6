"""Reports to share: one that has everything, and one of hostile values."""

from __future__ import annotations

from cortex_grow.model.indicator import Indicator
from cortex_grow.model.report import Edge, Limit, Node, Partial, Provenance, Report, Skipped, Source, Suppressed, Table
from cortex_grow.model.verdict import Term

HOSTILE = (
    "<script>document.title='executed'</script>",
    "</style></script><img src=x onerror=\"document.title='executed'\">",
    "{{7*7}} ${7*7} {% raw %}",
    "javascript:document.title='executed'",
    "\"'><svg onload=document.title='executed'>",
    '=HYPERLINK("http://example.org","click")',
    "\x1b[31mred\x1b]0;title\x07\x9b2J",
    "\u202egnp.exe\u2066",
    "[red]markup[/red] :smile:",
    "a\r\nb\tc",
    "\ud800 lone",
)


def edge(source: str, relation: str, target: str, provider: str = "VirusTotal", **more: object) -> Edge:
    """An edge."""
    return Edge(source, relation, target, provider, **more)  # type: ignore[arg-type]


def report(nodes: list[Node], edges: list[Edge], seeds: list[Indicator], **more: object) -> Report:
    """A merged report."""
    return Report(
        Source("cortex-grow", "1"),
        tuple(seeds),
        {node.indicator.id: node for node in nodes},
        {one.key: one for one in edges},
        **more,  # type: ignore[arg-type]
    )


SEED = Indicator("ip", "203.0.113.66")
OTHER = Indicator("domain", "panel.example")
URL = Indicator("url", "http://cdn.example/load?x=1")
FILE = Indicator("hash", "a" * 64)
FAMILY = Indicator("family", "smokeloader")
LOOSE = Indicator("domain", "loose.example")
NOISE = Indicator("domain", "example.org")
BEYOND = Indicator("ip", "198.51.100.9")


def whole() -> Report:
    """Two seeds; one hop, two hops, a shared neighbour, noise, what hangs below noise, and what nothing joins."""
    bad = (Term("VirusTotal", "detections", 75, "15 of 20 engines call it malicious"),)
    good = (Term("hygiene", "list", -40, "on the list x"),)
    return report(
        [
            Node(SEED, bad),
            Node(OTHER),
            Node(URL, (Term("URLhaus", "listed", 60, "listed"),), tags=("elf", "mirai")),
            Node(FILE, hub="too many"),
            Node(FAMILY),
            Node(LOOSE, good),
            Node(BEYOND),
        ],
        [
            edge(
                URL.id,
                "hosted-by",
                SEED.id,
                first_seen="2026-01-02T00:00:00Z",
                last_seen="2026-01-05T00:00:00Z",
                count=3,
            ),
            edge(URL.id, "hosted-by", SEED.id, "URLhaus", first_seen="2026-01-01T00:00:00Z"),
            edge(FILE.id, "downloaded-from", URL.id),
            edge(FILE.id, "variant-of", FAMILY.id),
            edge(OTHER.id, "resolves-to", SEED.id),
            edge(OTHER.id, "resolves-to", BEYOND.id),
            edge(URL.id, "hosted-by", OTHER.id),
            edge(NOISE.id, "resolves-to", SEED.id),
        ],
        [SEED, OTHER],
        suppressed={NOISE.id: Suppressed(Node(NOISE), "top names", "everyone asks for it")},
        limits=(Limit("VirusTotal_Pivot", "resolutions", 150, 40, "as many as come at once"),),
        partial=(Partial("VirusTotal_Pivot", "jarm", "premium only"), Partial("VirusTotal_Pivot", "x", "premium only")),
        skipped=(Skipped("DNS_Resolve", "no key"),),
        provenance=(
            Provenance("VirusTotal_Pivot", "1.0", SEED.id, "found", "https://example.org/vt", calls=2, quota_left=7),
            Provenance("VirusTotal_Pivot", "1.0", OTHER.id, "failed", "javascript:alert(1)"),
        ),
    )


def hostile() -> Report:
    """A report all of whose texts are hostile."""
    nodes, edges = [Node(SEED)], []
    for number, text in enumerate(HOSTILE):
        other = Indicator("other", text)
        nodes.append(Node(other, (Term(text, text, 50, text),), tags=(text,), hub=text if number % 2 else None))
        edges.append(edge(SEED.id, "related-to", other.id, text, reference=text, context=((text, text),)))
    bad = Indicator("domain", HOSTILE[0])
    return report(
        nodes,
        edges,
        [SEED, Indicator("filename", HOSTILE[1])],
        facts=tuple(Table(text, text, (text,), ((text,),)) for text in HOSTILE),
        suppressed={bad.id: Suppressed(Node(bad), HOSTILE[1], HOSTILE[0])},
        limits=tuple(Limit(text, text, 2, 1, text) for text in HOSTILE),
        partial=tuple(Partial(text, text, text) for text in HOSTILE),
        skipped=tuple(Skipped(text, text) for text in HOSTILE),
        provenance=tuple(Provenance(text, text, SEED.id, "found", text, notes=(text,)) for text in HOSTILE),
    )
