"""The command line: ``cortex-grow`` and ``python -m cortex_grow.cli``."""

from __future__ import annotations


def main() -> None:
    """Run the command that the process's arguments name, and end the process."""
    from cortex_grow.cli.app import run

    run()
