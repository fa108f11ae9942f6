"""The fixture that tests of report templates use."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.templates.harness import Harness, Rendered
from tools.fetch import NotHereError


@pytest.fixture(scope="session")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Harness:
    try:
        return Harness.ready(tmp_path_factory.mktemp("rendered"))
    except NotHereError as e:
        pytest.skip(str(e))


@pytest.fixture(scope="session")
def render(harness: Harness) -> Callable[..., Rendered]:
    """``render(template_dir, report_json, *, strict=True, profile="th4", definition=None, summary=False, ...)``"""
    return harness.render
