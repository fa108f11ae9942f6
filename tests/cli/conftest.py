"""The command line as a user runs it: a process of its own, against the lab, told of it by configuration alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cortex_grow.cli.laboratory import toml
from cortex_grow.lab import Lab
from tests.support import ROOT

TIMEOUT = 120


@dataclass
class Done:
    """What a process left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be JSON and nothing else."""
        return json.loads(self.out)


@dataclass
class Shell:
    """A user's shell: a folder, a home and an environment that hold nothing of the machine's own."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        home = self.folder / "home"
        home.mkdir()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8",
            "CORTEX_GROW_STATE": str(self.folder / "state"),
            **self.environment,
        }

    def start(self, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        """A process that goes on running."""
        return subprocess.Popen(
            [sys.executable, "-m", "cortex_grow.cli", *map(str, arguments)],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: object, stdin: str | bytes = "", **environment: str) -> Done:
        """Run to the end. No command may show a traceback, or hang."""
        done = subprocess.run(
            [sys.executable, "-m", "cortex_grow.cli", *map(str, arguments)],
            cwd=self.folder,
            env={**self.environment, **environment},
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
        out, err = done.stdout.decode("utf-8"), done.stderr.decode("utf-8")
        assert "Traceback" not in out + err, err
        return Done(done.returncode, out, err)

    def configure(self, lab: Lab, common: dict[str, Any] | None = None, more: str = "") -> Path:
        """Write ``cortex-grow.toml`` of this folder: every source asks ``lab``, and no quota holds it up."""
        settings = {"quota_minute": 0, "quota_day": 0, "quota_month": 0, "state_dir": str(self.folder / "state")}
        settings.update(common or {})
        lines = ["[common]", *(f"{name} = {json.dumps(value)}" for name, value in settings.items()), toml(lab), more]
        path = self.folder / "cortex-grow.toml"
        path.write_text("\n".join(lines))
        path.chmod(0o600)
        return path


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell in an empty folder."""
    return Shell(tmp_path)


@pytest.fixture
def lab() -> Iterator[Lab]:
    """The demo's stand-ins."""
    with Lab.demo() as running:
        yield running


@pytest.fixture
def ready(shell: Shell, lab: Lab) -> Shell:
    """A shell whose configuration names the lab."""
    shell.configure(lab)
    return shell


def until(true: Callable[[], object], seconds: float = 30) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
