"""The compiled lists that the build made."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cortex_grow.hygiene import Index


@pytest.fixture(scope="session")
def index() -> Iterator[Index]:
    with Index.open() as opened:
        yield opened
