#!/usr/bin/env python3
"""Grow: every source that has a key is asked about the observable, and the answers come back as one graph."""

from cortex_grow.growth.click import Growth
from cortex_grow.worker import run


class Grow(Growth):
    """See :class:`cortex_grow.growth.click.Growth`."""


if __name__ == "__main__":
    run(Grow)
