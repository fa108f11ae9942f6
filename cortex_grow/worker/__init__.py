"""The adapter between Cortex and the pack: a job's input.json in, a valid output.json out.

A worker file is a class and one line: ``run(TheClass)``.
"""

from __future__ import annotations

from cortex_grow.worker.run import run

__all__ = ["run"]
