"""The harness itself, on its own template: it passes what is sound, and it can fail."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.templates.harness import SOURCE, Harness, Rendered

pytestmark = pytest.mark.browser
Render = Callable[..., Rendered]
NAME = "Sample_Reputation_1_0"


@pytest.fixture
def sound(harness: Harness) -> Path:
    return harness.folder / "test" / "fixtures" / NAME


@pytest.mark.parametrize(("profile", "summary"), [("th4", False), ("th4", True), ("th5", False)])
def test_a_sound_template_passes(render: Render, sound: Path, profile: str, summary: bool) -> None:
    rendered = render(sound, sound / "report.json", profile=profile, summary=summary)
    rendered.check()
    assert rendered.screenshot.read_bytes()[:4] == b"\x89PNG"


@pytest.fixture
def spoilt(sound: Path, tmp_path: Path) -> Callable[[str], Path]:
    def make(html: str) -> Path:
        folder = shutil.copytree(sound, tmp_path / NAME)
        (folder / "long.html").write_text(html)
        return folder

    return make


FAILED = '<div ng-if="!success">{{content.errorMessage}}</div>'


@pytest.mark.parametrize(
    ("html", "rule"),
    [
        ("<p ng-bind-html='content.verdict.headline'></p>", "lint:"),
        ("<p>{{content.verdict.headline | nosuchfilter}}</p>", "angular"),
        ("<img ng-src='http://x.example/{{content.verdict.headline}}'>", "network"),
        ("<p>{{content.nothing_of_the_kind}}</p>", "empty"),
    ],
)
def test_a_spoilt_template_fails(
    render: Render, sound: Path, spoilt: Callable[[str], Path], html: str, rule: str
) -> None:
    rendered = render(spoilt(html + FAILED), sound / "report.json", options=("--probe-seconds", "3"))
    assert not rendered.ok
    assert any(found.startswith(rule) for found in rendered.failures), rendered.output


def test_a_warning_fails_when_strict(render: Render, sound: Path, spoilt: Callable[[str], Path]) -> None:
    template = spoilt("<p>{{content.verdict.headline}}</p>")  # shows no message of a failed job
    report = json.loads((sound / "report.json").read_text())
    assert not render(template, report, options=("--no-probe",)).ok
    assert render(template, report, options=("--no-probe",), strict=False).ok


def test_a_definition_of_another_name_fails(render: Render, sound: Path, tmp_path: Path) -> None:
    definition = tmp_path / "definition.json"
    for version, ok in (("1.0", True), ("1.1", False)):
        definition.write_text(json.dumps({"name": "Sample_Reputation", "version": version}))
        rendered = render(sound, sound / "report.json", definition=definition, options=("--no-probe",))
        assert rendered.ok == ok, rendered.output


def test_every_sample_report_of_the_harness_renders(render: Render, harness: Harness, tmp_path: Path) -> None:
    """The made-up reports beside the harness, in the layout that TheHive falls back to."""
    assert SOURCE is not None
    reports = sorted((SOURCE / "samples").glob("*.json"))
    assert reports
    for report in reports:
        template = tmp_path / report.stem
        template.mkdir()
        (template / "long.html").write_text(f"<pre class='wrap'>{{{{content | json}}}}</pre>{FAILED}")
        rendered = render(template, report, strict=False, options=("--no-probe",))
        assert not rendered.failures, rendered.output
