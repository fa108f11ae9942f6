"""Runs the template harness (``../shared/tools/render-template``) on one template and one report."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import SHARED
from tools import fetch

SOURCE = SHARED / "tools" / "render-template" if SHARED else None
PROBE = 120  # seconds for the renders of hostile data, which take a few where nothing else runs
LIMIT = 300  # seconds for one render; it takes one to three


@dataclass(frozen=True)
class Rendered:
    """What the harness found. ``failures`` and ``warnings`` are ``rule: text``."""

    ok: bool
    failures: tuple[str, ...]
    warnings: tuple[str, ...]
    screenshot: Path
    result: Mapping[str, Any]
    output: str

    def check(self) -> None:
        """Fail the test with everything the harness said."""
        assert self.ok, self.output


@dataclass(frozen=True)
class Harness:
    """The harness, ready to run; ``out`` takes reports and screenshots."""

    folder: Path
    browser: str
    out: Path

    @classmethod
    def ready(cls, out: Path) -> Harness:
        """Raises :class:`tools.fetch.NotHereError` with the reason where it cannot run here."""
        return cls(fetch.harness(SOURCE), fetch.browser(), out)

    def render(
        self,
        template_dir: Path,
        report_json: Path | Mapping[str, Any],
        *,
        strict: bool = True,
        profile: str = "th4",
        definition: Path | None = None,
        summary: bool = False,
        artifact: Mapping[str, Any] | None = None,
        options: tuple[str, ...] = (),
    ) -> Rendered:
        """Render ``template_dir`` (named as the definition's id) with a report: a job, an output or a bare ``full``.

        ``definition`` is the analyzer's JSON, to hold the folder's name against; ``summary`` renders the taxonomies and
        ``short.html``; ``options`` are passed on (``node render.mjs --help``). With ``strict`` a warning is not ok.
        """
        number = len(list(self.out.iterdir()))
        place = self.out / f"{number:03d}-{template_dir.name}-{'short' if summary else 'long'}-{profile}"
        place.mkdir()
        command = ["node", "render.mjs", "--template", str(template_dir.absolute()), "--profile", profile]
        command += ["--probe-seconds", str(PROBE), *options]
        command += ["--report", str(self._json(report_json, place / "report.json"))]
        if artifact is not None:
            command += ["--artifact", str(self._json(artifact, place / "artifact.json"))]
        if definition is not None:
            command += ["--definition", str(definition.absolute())]
        command += [flag for flag, on in (("--strict", strict), ("--summary", summary)) if on]
        findings, screenshot = place / "findings.json", place / "screenshot.png"
        done = subprocess.run(
            [*command, "--out", str(screenshot), "--json", str(findings)],
            cwd=self.folder,
            env={**os.environ, "CHROMIUM": self.browser},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        output = done.stdout + done.stderr
        assert done.returncode in (0, 1), output  # 2: it could not run
        result = json.loads(findings.read_text())
        assert result["ok"] == (done.returncode == 0), output
        failures, warnings = (
            tuple(f"{found['rule']}: {found['text']}" for found in result[kind]) for kind in ("failures", "warnings")
        )
        return Rendered(result["ok"], failures, warnings, screenshot, result, output)

    @staticmethod
    def _json(value: Path | Mapping[str, Any], path: Path) -> Path:
        if isinstance(value, Path):
            return value.absolute()
        path.write_text(json.dumps(value))
        return path
