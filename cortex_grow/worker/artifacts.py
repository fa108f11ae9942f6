"""A report as Cortex artifacts and taxonomies.

The keys and limits are those of Cortex's ``JobRunnerSrv.scala`` and of TheHive's API; one key too many fails a job.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cortex_grow.model.report import Limit, Node, Report, union
from cortex_grow.model.verdict import Verdict
from cortex_grow.model.view import paths, rank, relation_name
from cortex_grow.source.build import line, tag
from cortex_grow.source.settings import Settings

MOST_ARTIFACTS = 100
MOST_IMPORTS = 10
LONGEST_DATA = 4096
LONGEST_MESSAGE = 500
NOT_OBSERVABLE = frozenset({"family", "technique", "actor", "rule"})
# TheHive's default data types; an artifact of another type is skipped on import.
# fmt: off
THEHIVE_TYPES = frozenset([
    "url", "other", "user-agent", "regexp", "mail-subject", "registry", "mail", "autonomous-system", "domain", "ip",
    "uri_path", "filename", "hash", "fqdn", "hostname",
])
# fmt: on


def artifacts(report: Report, tlp: int, settings: Settings) -> tuple[list[dict[str, Any]], Report]:
    """The related indicators as artifacts, best first, and the report with what was cut in its limits.

    ``tlp`` is the job's; an artifact inherits it (Cortex knows 0 to 3).
    """
    if not settings.flag("artifacts", True):
        return [], report
    candidates = sorted(report.related(), key=rank, reverse=True)
    candidates = [node for node in candidates if node.indicator.type not in NOT_OBSERVABLE]
    most = settings.number("max_artifacts", MOST_ARTIFACTS, low=0, high=MOST_ARTIFACTS)
    score = settings.number("auto_import_score", 0) if settings.given("auto_import_score") else None
    reached = paths(report)
    seeds = {seed.observable() for seed in report.seeds}
    made: dict[tuple[str, str], dict[str, Any]] = {}
    imports = unfit = 0
    for node in candidates:
        data_type, data = node.indicator.observable()
        if (data_type, data) in seeds or (data_type, data) in made:
            continue
        if data_type not in THEHIVE_TYPES or len(data) > LONGEST_DATA:
            unfit += 1
            continue
        if len(made) >= most:
            break
        wanted = score is not None and Verdict.of(node.terms).score >= score and imports < MOST_IMPORTS
        imports += wanted
        tags, message = _described(report, node, reached, wanted)
        made[(data_type, data)] = {
            "dataType": data_type,
            "data": data,
            "message": message,
            "tags": tags,
            "tlp": min(tlp, 3),
        }
    limits = []
    if len(made) == most < len(candidates) - unfit:
        why = f"at most {most} artifacts, best first (max_artifacts)"
        limits.append(Limit(report.source.name, "artifacts", len(candidates), len(made), why))
    if unfit:
        why = f"TheHive takes no observable of more than {LONGEST_DATA} characters, nor of this type"
        limits.append(Limit(report.source.name, "artifacts that do not fit", unfit, 0, why))
    if limits:
        report = replace(report, limits=union((*report.limits, *limits)))
    return list(made.values()), report


def _described(report: Report, node: Node, reached: dict[str, Any], wanted: bool) -> tuple[list[str], str]:
    step = reached.get(node.indicator.id)
    tags = []
    sources = {edge.provider for edge in (step[1],)} if step else set()
    if step:
        origin, edge = step
        name = relation_name(edge, origin)
        sources |= {
            other.provider
            for other in report.edges.values()
            if {other.source, other.target} == {edge.source, edge.target}
        }
        near = report.nodes[origin].indicator if origin in report.nodes else report.seed
        said = f"{near.defanged} {name} {node.indicator.defanged}"
        tags.append(f"relation:{name}")
    else:
        said = f"{node.indicator.defanged} stands beside {report.seed.defanged}"
        tags.append("relation:related-to")
    tags.append(f"pyramid:{node.indicator.pyramid}")
    sources = sources or {report.source.name.split("_")[0]}
    tags.extend(f"source:{source.lower()}" for source in sorted(sources))
    if node.terms:
        verdict = Verdict.of(node.terms, report.thresholds)
        tags.append(f"score:{verdict.score}")
        said += f" ({verdict.level}: {verdict.terms[0].why})"
    if wanted:
        tags.append("autoImport:true")
    said += f", says {', '.join(sorted(sources))}"
    return list(dict.fromkeys(tag(text) for text in tags)), line(said)[:LONGEST_MESSAGE]


def taxonomies(report: Report, namespace: str) -> list[dict[str, Any]]:
    """One to four lines for the observable's row in TheHive, the verdict first; the level is the report's."""
    statuses = {entry.status for entry in report.provenance}
    if statuses == {"internal"}:
        return [_taxonomy("info", namespace, "internal", "not asked")]
    if not report.found:
        return [_taxonomy(report.verdict.level, namespace, "known", "no")]
    lines = report.headlines
    first = lines[0] if lines else None
    made = [
        _taxonomy(
            report.verdict.level,
            first.namespace if first else namespace,
            first.predicate if first else "related",
            first.value if first else str(len(report.related())),
        )
    ]
    made.extend(_taxonomy("info", more.namespace, more.predicate, more.value) for more in lines[1:3])
    return made


def _taxonomy(level: str, namespace: str, predicate: str, value: str) -> dict[str, Any]:
    return {"level": level, "namespace": namespace, "predicate": predicate, "value": line(value)[:100]}
