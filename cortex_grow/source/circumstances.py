"""The circumstances of a job from its settings: shared state, deadline, hygiene index, own assets."""

from __future__ import annotations

from cortex_grow.hygiene.assets import Assets
from cortex_grow.hygiene.index import Index
from cortex_grow.net.deadline import Deadline
from cortex_grow.net.state import State
from cortex_grow.source.base import Job
from cortex_grow.source.settings import Settings


def open_job(settings: Settings, seconds: float) -> Job:
    """Open what a job needs. A place for the state that cannot be written means an unshared state, never an error."""
    return Job(
        deadline=Deadline(seconds),
        state=State.open(settings.text("state_dir")),
        hygiene=Index.open(),
        assets=Assets.from_settings(settings.values),
    )
