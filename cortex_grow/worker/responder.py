"""The responder side: cortexutils' Responder with the pack's rules and atomic output."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

from cortexutils.responder import Responder

from cortex_grow.source.base import Job
from cortex_grow.source.declaration import Declaration
from cortex_grow.source.settings import Settings
from cortex_grow.worker.job_input import JobInput
from cortex_grow.worker.output import Output


@dataclass(frozen=True)
class Response:
    """What a responder did: the report for a person, and the operations that TheHive carries out.

    An operation is an object with its ``type`` (``AddTagToCase`` …) and that type's fields, as cortexutils'
    ``build_operation`` makes it.
    """

    full: Mapping[str, Any]
    operations: Sequence[Mapping[str, Any]] = field(default=())


class Responding(Protocol):
    """A responder: subclass nothing, give a declaration and :meth:`respond`."""

    @classmethod
    def described(cls) -> Declaration:
        """Its declaration."""

    @classmethod
    def respond(cls, data_type: str, data: Mapping[str, Any], settings: Settings, job: Job) -> Response:
        """Act on a case, alert or observable as TheHive sends it. Raises SourceError where that failed."""


class JobResponder(Responder):  # type: ignore[misc]
    """One responder job."""

    def __init__(self, declaration: Declaration, job: JobInput, output: Output) -> None:
        self.declaration, self.output = declaration, output
        self.made: list[dict[str, Any]] = []
        if job.folder is None:  # cortexutils reads standard input itself; it was read already
            sys.stdin = io.StringIO(json.dumps(job.raw))
        super().__init__(str(job.folder) if job.folder else None, None)

    def error(self, message: str, ensure_ascii: bool = False) -> NoReturn:
        """End the job with a failure."""
        self.output.failure(f"{self.declaration.name}: {message}")
        sys.exit(1)

    def report(self, full_report: dict[str, Any], ensure_ascii: bool = False) -> None:
        """End the job with a success."""
        self.output.success({"operations": self.operations(full_report), "full": full_report})

    def operations(self, raw: dict[str, Any]) -> list[dict[str, Any]]:
        """What TheHive is to do."""
        return self.made


def respond(
    worker: type, declaration: Declaration, job: JobInput, settings: Settings, output: Output, seconds: int
) -> None:
    """Run one responder job to its end."""
    from cortex_grow.worker.run import circumstances

    responder = JobResponder(declaration, job, output)
    if job.data_type not in declaration.data_types:
        responder.error(f"does not act on {job.data_type}; it takes {', '.join(declaration.data_types)}")
    around = circumstances(job, settings, seconds)
    response: Response = worker.respond(job.data_type, responder.get_data(), settings, around)  # type: ignore[attr-defined]
    responder.made = [dict(operation) for operation in response.operations]
    responder.report(dict(response.full))
