"""input.json, validated before anything else is built on it.

What Cortex writes there: Cortex, ``app/org/thp/cortex/services/JobRunnerSrv.scala``.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LARGEST_INPUT = 64 * 1024 * 1024
USUAL_TLP = USUAL_PAP = 2  # what Cortex and cortexutils take a job to be where nothing is said


class InputError(ValueError):
    """A job that cannot be read; the text says what is wrong with its input."""


@dataclass(frozen=True)
class JobInput:
    """One job. ``folder`` is ``None`` where it came on standard input. ``raw`` is input.json as parsed."""

    folder: Path | None
    raw: dict[str, Any]

    @property
    def data_type(self) -> str:
        """The data type of the observable, or ``thehive:…`` for a responder."""
        return str(self.raw["dataType"])

    @property
    def data(self) -> Any:
        """The observable's value, or the object a responder acts on."""
        return self.raw.get("data")

    @property
    def tlp(self) -> int:
        """The job's TLP, 0 to 4."""
        return _level(self.raw, "tlp", USUAL_TLP)

    @property
    def pap(self) -> int:
        """The job's PAP, 0 to 3."""
        return _level(self.raw, "pap", USUAL_PAP)

    @property
    def config(self) -> Mapping[str, Any]:
        """The worker's configuration as Cortex merged it."""
        return self.raw.get("config") or {}

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Parameters of this one job."""
        return self.raw.get("parameters") or {}

    @property
    def file(self) -> Path | None:
        """The attachment of a file job."""
        if self.folder is None or self.data_type != "file":
            return None
        return self.folder / "input" / str(self.raw["file"])


def job_folder(arguments: list[str]) -> Path | None:
    """Where the job lies: the argument, else ``CORTEX_JOB_FOLDER``, else ``/job``; ``None`` for standard input."""
    if len(arguments) > 1:
        return Path(arguments[1])
    for place in (os.environ.get("CORTEX_JOB_FOLDER"), "/job"):
        if place and (Path(place) / "input" / "input.json").exists():
            return Path(place)
    return None


def read_input(folder: Path | None) -> JobInput:
    """Read and check a job. Raises :class:`InputError`."""
    if folder is None:
        if sys.stdin is None or sys.stdin.isatty():
            raise InputError("no job: give the job's folder as argument, or its input as JSON on standard input")
        content = sys.stdin.buffer.read(LARGEST_INPUT + 1)
    else:
        path = folder / "input" / "input.json"
        try:
            with path.open("rb") as opened:
                content = opened.read(LARGEST_INPUT + 1)
        except OSError as error:
            raise InputError(f"input/input.json cannot be read: {error.strerror or error}") from None
    if len(content) > LARGEST_INPUT:
        raise InputError("input.json is larger than 64 MiB")
    try:
        raw = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"input.json is not JSON: {str(error)[:200]}") from None
    _check(raw)
    job = JobInput(folder, raw)
    if job.data_type == "file":
        _check_file(job)
    return job


def _check(raw: Any) -> None:
    if not isinstance(raw, dict):
        raise InputError("input.json is not an object")
    if not isinstance(raw.get("dataType"), str) or not raw["dataType"]:
        raise InputError("input.json has no dataType")
    for name in ("config", "parameters"):
        if raw.get(name) is not None and not isinstance(raw[name], dict):
            raise InputError(f"{name} in input.json is not an object")
    _level(raw, "tlp", USUAL_TLP)
    _level(raw, "pap", USUAL_PAP)
    if raw["dataType"] == "file":
        return
    data = raw.get("data")
    if raw["dataType"].startswith("thehive:"):
        if not isinstance(data, dict):
            raise InputError("input.json has no data object")
    elif not isinstance(data, str) or not data.strip():
        raise InputError("input.json has no data")


def _level(raw: Mapping[str, Any], name: str, usual: int) -> int:
    value = raw.get(name)
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 4:
        raise InputError(f"{name} in input.json is not a whole number from 0 to 4")
    return value


def _check_file(job: JobInput) -> None:
    name = job.raw.get("file")
    if job.folder is None:
        raise InputError("a file job needs a job folder; its input cannot come on standard input")
    if not isinstance(name, str) or not name or name != os.path.basename(name) or name in (".", "..") or "\0" in name:
        raise InputError("input.json names no file of the job's input folder")
    if not (job.folder / "input" / name).is_file():
        raise InputError("the file that input.json names is not in the job's input folder")
