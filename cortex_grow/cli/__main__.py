"""``python -m cortex_grow.cli``."""

from __future__ import annotations

from cortex_grow.cli import main

main()
