"""What several tests share: where the recorded answers are, and the marker for tests that need them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
_SHARED = Path(os.environ.get("CORTEX_GROW_SHARED", ROOT.parent / "shared"))
SHARED: Path | None = _SHARED if (_SHARED / "samples").is_dir() else None

needs_shared = pytest.mark.skipif(
    SHARED is None and not os.environ.get("CI"),
    reason="needs the recorded answers in ../shared/samples (CORTEX_GROW_SHARED names another place)",
)


def shared(path: str) -> Path:
    """A file or folder below ``../shared``; fails where it is absent (guard the test with :data:`needs_shared`)."""
    assert SHARED is not None, "the recorded answers (../shared) are absent"
    found = SHARED / path
    assert found.exists(), f"{found} is absent"
    return found


def sample(path: str) -> bytes:
    """The body of a recorded answer, ``service/file`` below ``samples``."""
    return shared(f"samples/{path}").read_bytes()


def sample_json(path: str) -> Any:
    """The same, parsed."""
    return json.loads(sample(path))
