"""The circumstances of a job from its settings: shared state, deadline, hygiene index, own assets."""

from __future__ import annotations

from cortex_grow.hygiene.assets import Assets
from cortex_grow.hygiene.index import Index
from cortex_grow.net.deadline import Deadline
from cortex_grow.net.errors import SourceError
from cortex_grow.net.state import State
from cortex_grow.source.base import Job
from cortex_grow.source.settings import Settings

LISTS = "operator's lists"
FRESH = 3600  # seconds that a fetched list is used before it is fetched again


def open_job(settings: Settings, seconds: float) -> Job:
    """Open what a job needs. A place for the state that cannot be written means an unshared state, never an error.

    Raises a :class:`~cortex_grow.hygiene.errors.HygieneError` where a list of the operator's cannot be read: without
    it, own assets would be given away.
    """
    deadline = Deadline(seconds)
    state = State.open(settings.text("state_dir"))

    def fetch(url: str) -> bytes:
        return _fetched(url, settings, state, deadline)

    return Job(
        deadline=deadline,
        state=state,
        hygiene=Index.open(),
        assets=Assets.from_settings(settings.values, fetch),
    )


def _fetched(url: str, settings: Settings, state: State, deadline: Deadline) -> bytes:
    """The list behind a URL, from the cache while it is fresh, and for as long as its server does not answer."""
    kept = state.cache.get(LISTS, url, "", FRESH)
    if kept is not None and kept.body is not None:
        return kept.body
    from urllib.parse import urlsplit

    from cortex_grow.net.session import Session
    from cortex_grow.net.settings import NetSettings

    parts = urlsplit(url)
    net = NetSettings.from_mapping(settings.values)
    try:
        with Session(LISTS, f"{parts.scheme}://{parts.netloc}", settings=net, deadline=deadline) as session:
            path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
            body = session.request("GET", path, headers={"Accept": "text/plain, */*"}, absent=()).body
    except SourceError:
        old = state.cache.get(LISTS, url, "")
        if old is None or old.body is None:
            raise
        return old.body
    state.cache.put(LISTS, url, "", body)
    return body
