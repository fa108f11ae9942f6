"""Every report template against the reports of its worker, and against the shapes that break templates.

Templates come from one layout, so a few of them rendered strictly stand for all; that all are in step is checked too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cortex_grow import pack
from cortex_grow.lab import Lab
from cortex_grow.model.graph import merge
from cortex_grow.model.indicator import Indicator
from cortex_grow.model.report import Edge, Limit, Node, Partial, Provenance, Report, Skipped, Source
from cortex_grow.model.verdict import Term
from cortex_grow.model.view import view
from cortex_grow.source import registry, sync
from cortex_grow.source.declaration import Declaration
from tests.contract.runner import Job, make_folder, run_process
from tests.contract.scenarios import environment
from tests.templates.harness import Rendered

Render = Callable[..., Rendered]
SEED = Indicator("domain", "seed.example")


def test_templates_are_in_step_with_the_layout() -> None:
    assert not sync.sync_templates(pack.analyzers(), pack.templates(), check=True), (
        "run python -m cortex_grow.source.sync"
    )
    advice = "run python -m cortex_grow.source.sync"
    assert not sync.sync(pack.analyzers(), check=True), advice
    assert not sync.sync_docs(pack.analyzers(), pack.root() / "docs", check=True), advice


def test_every_definition_has_its_templates_and_no_other_is_there() -> None:
    ids = {declaration.id for declaration in registry.analyzers()}
    assert {folder.name for folder in pack.templates().iterdir()} == ids
    for folder in pack.templates().iterdir():
        for name in ("long.html", "short.html"):
            text = (folder / name).read_bytes()
            assert text.isascii() and text.strip().startswith(b"<") and text.strip().endswith(b">")


def full(report: Report) -> dict[str, Any]:
    return {**report.to_dict(), "view": view(report)}


def star(related: int, **more: Any) -> Report:
    """A report with so many related addresses, some of them scored, dated and dead ends."""
    nodes = {SEED.id: Node(SEED, (Term("URLhaus", "listed", 60, "listed by URLhaus as online malware"),))}
    edges = {}
    for number in range(related):
        indicator = Indicator("ip", f"2001:db8::{number:x}")
        terms = (Term("VirusTotal", "engines", 10 + number % 80, f"{number} of 90 engines"),) if number % 3 else ()
        nodes[indicator.id] = Node(indicator, terms, hub="400 names" if number % 50 == 7 else None)
        edge = Edge(
            SEED.id, "resolves-to", indicator.id, "VirusTotal", "2024-01-02T03:04:05Z", "2026-01-02T03:04:05Z", number
        )
        edges[edge.key] = edge
    provenance = (Provenance("VirusTotal_Pivot", "1.0", SEED.id, "found", as_of="2026-01-02T03:04:05Z", quota_left=3),)
    return Report(Source("VirusTotal_Pivot", "1.0"), (SEED,), nodes, edges, provenance=provenance, **more)


SHAPES = {
    "empty": Report(
        Source("VirusTotal_Pivot", "1.0"),
        (SEED,),
        {SEED.id: Node(SEED)},
        provenance=(Provenance("VirusTotal_Pivot", "1.0", SEED.id, "not-found", as_of="2026-01-02T03:04:05Z"),),
    ),
    "one": star(1),
    "fifty": star(50),
    "two-thousand": star(2000, limits=(Limit("VirusTotal_Pivot", "resolutions", 4112, 2000, "a cap"),)),
    "partial": star(
        3,
        partial=(Partial("VirusTotal_Pivot", "search_imphash", "a search by imphash needs a premium key"),),
        skipped=(Skipped("URLhaus_Lookup", "no key is configured (API_Key)"),),
    ),
}
DISAGREEING = merge(
    star(2),
    Report(
        Source("Hygiene", "1"),
        (SEED,),
        {SEED.id: Node(SEED, (Term("Hashlookup", "nsrl", -80, "known good (NSRL)"),))},
        provenance=(Provenance("Hashlookup", "1", SEED.id, "found"),),
    ),
)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("shape", "profile"), [*((shape, "th4") for shape in (*SHAPES, "disagreeing")), ("fifty", "th5"), ("empty", "th5")]
)
def test_a_template_shows_every_shape(render: Render, shape: str, profile: str) -> None:
    report = DISAGREEING if shape == "disagreeing" else SHAPES[shape]
    artifact = {"dataType": "domain", "data": SEED.value}
    place = pack.templates() / "VirusTotal_Pivot_1_0"
    render(place, full(report), artifact=artifact, profile=profile).check()


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab.demo() as running:
        yield running


def output_of(declaration: Declaration, lab: Lab, folder: Path) -> dict[str, Any]:
    """What the worker answers for something that the lab knows."""
    served = declaration.name if declaration.grow.get("yields") else "VirusTotal_Pivot"  # Grow asks them all
    type_ = next(name for name in registry.named(served).data_types if name != "file")
    config = {**lab.config_for(declaration.name), "state_dir": str(folder / "state"), "max_pap": 2, "check_pap": True}
    data = lab.seeds_for(served, type_)
    job = Job(type_, data, config, tlp=1, pap=1)
    run = run_process(declaration.worker_file, make_folder(folder, job), env=environment(folder))
    assert run.output is not None, run.printed
    return dict(json.loads(run.output))


@pytest.mark.browser
@pytest.mark.parametrize("declaration", registry.analyzers(), ids=lambda declaration: declaration.id)
def test_a_template_shows_what_its_worker_reports(
    render: Render, lab: Lab, declaration: Declaration, tmp_path: Path
) -> None:
    output = output_of(declaration, lab, tmp_path)
    assert output["success"], output
    place = pack.templates() / declaration.id
    render(place, output, definition=declaration.path).check()
    render(place, output, summary=True).check()
