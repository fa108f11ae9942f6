"""The demo's lab, and a client that no proxy of the environment comes between."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from cortex_grow.lab import Lab


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab.demo() as running:
        yield running


@pytest.fixture
def client() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session
