"""One entry point for an image that holds every worker: the job's ``config.worker`` names the one to run.

Under Docker and Kubernetes Cortex passes neither a command nor a name, only the configuration.
"""

from __future__ import annotations

import io
import json
import sys
import traceback
from typing import NoReturn

from cortex_grow.source.registry import UnknownWorkerError, load, named
from cortex_grow.worker.job_input import InputError, job_folder, read_input
from cortex_grow.worker.output import Output
from cortex_grow.worker.run import run


def main() -> NoReturn:
    """Pick the worker and run it on the job."""
    folder = job_folder(sys.argv)
    try:
        job = read_input(folder)
        wanted = job.config.get("worker")
        if not isinstance(wanted, str) or not wanted:
            raise InputError("the configuration names no worker (config.worker of the definition)")
        worker = load(named(wanted))
    except (InputError, UnknownWorkerError) as error:
        Output(folder).failure(f"cortex-grow: {error}")
        sys.exit(1)
    except Exception as error:  # a worker file that does not load must not leave the job running for ever
        traceback.print_exc(file=sys.stderr)
        Output(folder).failure(f"cortex-grow: the worker cannot be loaded: {type(error).__name__}: {error}")
        sys.exit(1)
    if folder is None:  # standard input can be read but once
        sys.stdin = io.TextIOWrapper(io.BytesIO(json.dumps(job.raw).encode()), encoding="utf-8")
    run(worker)


if __name__ == "__main__":
    main()
