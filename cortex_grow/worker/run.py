"""Run a worker as Cortex does: from a job folder, from ``/job``, or from JSON on standard input.

The rules hold here once for all workers: a job always ends with a valid output, a failed question is never a success,
secrets never leave.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from cortex_grow.source.declaration import Declaration
from cortex_grow.source.settings import SettingError, Settings
from cortex_grow.worker.guard import guard
from cortex_grow.worker.job_input import InputError, JobInput, job_folder, read_input
from cortex_grow.worker.output import Output

if TYPE_CHECKING:
    from cortex_grow.model.indicator import Indicator
    from cortex_grow.model.report import Report
    from cortex_grow.source.base import Job

DEADLINE = 240
# The sources stop this long before the worker's own deadline, so that what they have can still be written.
MARGIN = 5


class Grower(Protocol):
    """An analyzer that is no single source: it makes a report by itself."""

    @classmethod
    def described(cls) -> Declaration:
        """Its declaration."""

    @classmethod
    def grow(cls, seed: Indicator, settings: Settings, job: Job) -> Report:
        """The report about ``seed``."""


def run(worker: type) -> NoReturn:
    """Run ``worker``, a :class:`~cortex_grow.source.base.Source`, a grower or a responder, and end the process."""
    code = execute(worker, sys.argv)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # threads of a library that hang must not keep a finished job


def execute(worker: type, arguments: list[str]) -> int:
    """Run ``worker`` on the job that ``arguments`` name; 0 after a success, 1 after a failure."""
    name = getattr(worker, "__name__", "worker")
    output = Output(job_folder(arguments))
    try:
        declaration: Declaration = worker.described()  # type: ignore[attr-defined]
        name = declaration.name
        job = read_input(output.folder)
        settings = Settings(job.config, declaration)
        _keep_secrets(output, settings)
        seconds = settings.number("deadline", DEADLINE, low=5)
        over = guard(seconds, output.failure, name)
        _work(worker, declaration, job, settings, output, seconds)
        over.set()
        return 0
    except SystemExit:
        pass  # cortexutils ends a job so, after it has called error()
    except BaseException as error:
        try:
            message = _told(name, error)
        except Exception:  # whatever is wrong with the error, the job must end
            message = f"{name} failed: {type(error).__name__}"
        output.failure(message)
    return 1


def _told(name: str, error: BaseException) -> str:
    from cortex_grow.hygiene.errors import HygieneError
    from cortex_grow.model.indicator import InvalidIndicator
    from cortex_grow.net.errors import SourceError

    if isinstance(error, SourceError):
        return str(error)
    if isinstance(error, (InvalidIndicator, InputError, SettingError, HygieneError)):
        return f"{name}: {error}"
    import traceback

    traceback.print_exc(file=sys.stderr)
    return f"{name} failed: {type(error).__name__}: {error}"


def _keep_secrets(output: Output, settings: Settings) -> None:
    if settings.secrets:
        from cortex_grow.net.redact import Redactor

        redactor = Redactor(settings.secrets)
        output.redact = redactor.redact_tree


def _work(
    worker: type, declaration: Declaration, job: JobInput, settings: Settings, output: Output, seconds: int
) -> None:
    if job.data_type.startswith("thehive:"):
        from cortex_grow.worker.responder import respond

        respond(worker, declaration, job, settings, output, seconds)
    else:
        from cortex_grow.worker.analyzer import analyze

        analyze(worker, declaration, job, settings, output, seconds)


def circumstances(job: JobInput, settings: Settings, seconds: float) -> Job:
    """What the sources need to know of a Cortex job: TLP, PAP, deadline, shared state, hygiene, own assets."""
    from cortex_grow.source.circumstances import open_job

    return replace(
        open_job(settings, max(1.0, seconds - MARGIN)),
        tlp=job.tlp,
        pap=job.pap,
        parameters=_texts(job.parameters),
        file=job.file,
    )


def _texts(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in parameters.items() if value is not None}
