"""What is noise, and why: the compiled warning lists, and the operator's own lists."""

from __future__ import annotations

from cortex_grow.hygiene.assets import Assets
from cortex_grow.hygiene.errors import AssetsError, HygieneError, IndexFileError
from cortex_grow.hygiene.index import Index, Match
from cortex_grow.hygiene.verdict import Judgement, explain, judge

__all__ = ["Assets", "AssetsError", "HygieneError", "Index", "IndexFileError", "Judgement", "Match", "explain", "judge"]
