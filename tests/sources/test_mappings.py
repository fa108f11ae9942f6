"""Every mapping, on every recorded answer that it has expectations for."""

from __future__ import annotations

from pathlib import Path

import pytest

from cortex_grow.growth.sources import sources
from tests.sources import checking
from tests.support import needs_shared

CASES = [(declaration.name, path) for declaration in sources() for path in checking.cases(declaration.name)]


@needs_shared
@pytest.mark.parametrize(("definition", "path"), CASES, ids=[f"{name}-{path.stem}" for name, path in CASES])
def test_a_mapping_finds_what_is_expected(definition: str, path: Path) -> None:
    wrong = checking.check(definition, path)
    assert not wrong, "\n".join(wrong)
