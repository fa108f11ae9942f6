"""Quota, breaker and cache in one process: what they count, when they let through, where they live."""

from __future__ import annotations

import calendar
import os
import sqlite3
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cortex_grow.net.cache import SqliteCache
from cortex_grow.net.counts import checked, window
from cortex_grow.net.deadline import Deadline
from cortex_grow.net.errors import BlockedError, DeadlineError, QuotaError
from cortex_grow.net.state import Left, State, credential_id, default_folder
from cortex_grow.net.state_sqlite import on_network

VT = {"minute": 4, "day": 500, "month": 15500}
KEY = credential_id("VirusTotal", "k")


@pytest.fixture(params=["folder", "memory"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> State:
    return State.open(tmp_path / "state") if request.param == "folder" else State.memory()


def sql(folder: Path, name: str, query: str, *values: object) -> list[tuple[object, ...]]:
    with sqlite3.connect(folder / name) as connection:
        return connection.execute(query, values).fetchall()


def test_a_quota_counts_down(state: State) -> None:
    assert state.quota.left(KEY, VT) == 4
    for left in (3, 2, 1, 0):
        taken = state.quota.take(KEY, VT)
        assert taken == left and isinstance(taken, Left)
        assert taken.units == {"minute": left, "day": 496 + left, "month": 15496 + left}
    with pytest.raises(QuotaError) as caught:
        state.quota.take(KEY, VT, source="VirusTotal")
    assert caught.value.retry_at == pytest.approx(time.time() + 60, abs=3)
    text = str(caught.value)
    assert text.startswith("VirusTotal: the 4 calls a minute that this key has are used up. Come back after 20")
    assert "`quota_wait`" in text
    assert state.quota.left(KEY, VT) == 0
    assert state.quota.left(credential_id("VirusTotal", "other"), VT) == 4, "another key has its own"


def test_a_call_turned_away_is_not_counted(state: State) -> None:
    limits = {"minute": 100, "day": 2}
    for _ in range(2):
        state.quota.take(KEY, limits)
    for _ in range(5):
        with pytest.raises(QuotaError, match="2 calls a day"):
            state.quota.take(KEY, limits)
    assert state.quota.left(KEY, {"minute": 100}) == 98
    assert state.quota.left(KEY, {"day": 5}) == 3, "a higher limit lets go on, what was spent is known"


def test_no_limit(state: State) -> None:
    assert state.quota.take(KEY, {}) is None
    assert state.quota.take(KEY, {"minute": None, "day": None}) is None
    assert state.quota.left(KEY, {"day": 10}) == 8, "counted all the same"
    with pytest.raises(QuotaError):
        state.quota.take(KEY, {"minute": 0})


@pytest.mark.parametrize("limits", [{"week": 1}, {"day": -1}, {"day": True}, {"day": 1.5}])
def test_limits_that_are_none(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"unit of a quota|whole number"):
        checked(limits)


def test_a_slot_is_waited_for(state: State) -> None:
    limits = {"second": 2}
    began = time.monotonic()
    for _ in range(5):
        state.quota.take(KEY, limits, wait=6)
    assert 2.0 <= time.monotonic() - began < 8, "two at once, two after a second, one after another"


def test_a_slot_is_not_waited_for_longer_than_wished(state: State) -> None:
    state.quota.take(KEY, {"minute": 1})
    began = time.monotonic()
    with pytest.raises(QuotaError):
        state.quota.take(KEY, {"minute": 1}, wait=20, deadline=Deadline(10))
    with pytest.raises(QuotaError):
        state.quota.take(KEY, {"minute": 1}, wait=120, deadline=Deadline(10))
    assert time.monotonic() - began < 5, "what cannot come in time is not waited for at all"
    with pytest.raises(DeadlineError):
        state.quota.take(KEY, {"minute": 1}, wait=120, deadline=Deadline(0))


def test_a_window_slides(tmp_path: Path) -> None:
    """Calls leave the window one by one, not all at the full minute."""
    state = State.open(tmp_path / "state")
    for _ in range(4):
        state.quota.take(KEY, VT)
    sql(tmp_path / "state", "counts-1.sqlite", "UPDATE calls SET at = at - 61 WHERE rowid <= 2")
    sql(tmp_path / "state", "counts-1.sqlite", "UPDATE calls SET at = at - 50 WHERE rowid = 3")
    assert state.quota.left(KEY, {"minute": 4}) == 2
    state.quota.take(KEY, VT)
    state.quota.take(KEY, VT)
    with pytest.raises(QuotaError) as caught:
        state.quota.take(KEY, VT)
    assert caught.value.retry_at == pytest.approx(time.time() + 10, abs=2)
    assert state.quota.left(KEY, {"day": 500}) == 494


def test_a_new_day(tmp_path: Path) -> None:
    state = State.open(tmp_path / "state")
    for _ in range(3):
        state.quota.take(KEY, {"day": 3, "month": 100})
    with pytest.raises(QuotaError) as caught:
        state.quota.take(KEY, {"day": 3, "month": 100})
    assert caught.value.retry_at == window("day", time.time())[1]
    sql(tmp_path / "state", "counts-1.sqlite", "UPDATE counts SET start = start - 86400 WHERE unit = 'day'")
    assert state.quota.take(KEY, {"day": 3, "month": 100}) == 2
    assert state.quota.left(KEY, {"month": 100}) == 96


def test_a_clock_that_was_set_back(tmp_path: Path) -> None:
    state = State.open(tmp_path / "state")
    for _ in range(4):
        state.quota.take(KEY, VT)
    state.quota.block(KEY, time.time() + 1000)
    sql(tmp_path / "state", "counts-1.sqlite", "UPDATE calls SET at = at + 1e6")
    sql(tmp_path / "state", "counts-1.sqlite", "UPDATE said SET blocked = blocked + 1e6, reset = reset + 1e6")
    assert state.quota.take(KEY, VT) == 3, "times from the future hold nobody up"


def test_windows_of_the_calendar() -> None:
    def at(*fields: int) -> int:
        return calendar.timegm((*fields, 0, 0, 0)[:6])

    assert window("day", at(2026, 2, 28) + 86399.9) == (at(2026, 2, 28), at(2026, 3, 1))
    assert window("day", at(2026, 3, 1)) == (at(2026, 3, 1), at(2026, 3, 2))
    assert window("month", at(2026, 12, 31)) == (at(2026, 12, 1), at(2027, 1, 1))
    assert window("month", at(2024, 2, 29)) == (at(2024, 2, 1), at(2024, 3, 1))


def test_what_the_service_says(state: State) -> None:
    state.quota.note(KEY, 2, time.time() + 30)
    left = state.quota.left(KEY, VT)
    assert left == 2 and left.remaining == 2 and left.units["minute"] == 4
    assert state.quota.take(KEY, VT) == 1, "and counts down from there"
    state.quota.note(KEY, 0, time.time() + 30)
    with pytest.raises(QuotaError, match="the service said that no call is left") as caught:
        state.quota.take(KEY, {})
    assert caught.value.retry_at == pytest.approx(time.time() + 30, abs=2)
    state.quota.note(KEY, 5, time.time() + 30)
    with pytest.raises(QuotaError):
        state.quota.take(KEY, VT)
    state.quota.note(KEY, None, None)


def test_a_block_ends(state: State) -> None:
    state.quota.block(KEY, time.time() + 1)
    with pytest.raises(QuotaError):
        state.quota.take(KEY, VT)
    assert state.quota.take(KEY, VT, wait=4) == 3
    state.quota.block(KEY, time.time() + 1e9)
    with pytest.raises(QuotaError) as caught:
        state.quota.take(KEY, VT)
    assert caught.value.retry_at == pytest.approx(time.time() + 86400, abs=5), "no service stops a source for a year"


def test_a_breaker_opens_after_five_in_a_row(state: State) -> None:
    for _ in range(3):
        for _ in range(4):
            state.breaker.failed(KEY, "401 from api.example.org")
            state.breaker.check(KEY)
        state.breaker.worked(KEY)
    for _ in range(5):
        state.breaker.failed(KEY, "401 from api.example.org", 120)
    with pytest.raises(BlockedError) as caught:
        state.breaker.check(KEY, "VirusTotal")
    text = str(caught.value)
    assert text.startswith(
        "VirusTotal: it failed 5 times in a row and is left alone; the last time: 401 from api.example.org."
    )
    assert caught.value.until == pytest.approx(time.time() + 120, abs=2) and "401" in caught.value.why
    state.breaker.check(credential_id("VirusTotal", "other"))
    state.breaker.worked(KEY)
    state.breaker.check(KEY)


def test_a_breaker_lets_one_try(state: State) -> None:
    for _ in range(5):
        state.breaker.failed(KEY, "down", 1.0)
    with pytest.raises(BlockedError):
        state.breaker.check(KEY)
    time.sleep(1.1)
    state.breaker.check(KEY)
    with pytest.raises(BlockedError):
        state.breaker.check(KEY)
    state.breaker.failed(KEY, "down", 1.0)
    with pytest.raises(BlockedError, match="6 times in a row"):
        state.breaker.check(KEY)
    time.sleep(1.1)
    state.breaker.check(KEY)
    state.breaker.worked(KEY)
    state.breaker.check(KEY)


def test_a_cache_gives_back(state: State) -> None:
    cache = state.cache
    assert cache.get("VirusTotal", "/ip/1", KEY) is None
    cache.put("VirusTotal", "/ip/1", KEY, b'{"a": 1}')
    cache.put("VirusTotal", "/ip/2", KEY, None)
    found = cache.get("VirusTotal", "/ip/1", KEY, 100)
    assert found is not None and found.body == b'{"a": 1}' and found.age_s == 0
    assert calendar.timegm(time.strptime(found.as_of, "%Y-%m-%dT%H:%M:%SZ")) == pytest.approx(time.time(), abs=3)
    absent = cache.get("VirusTotal", "/ip/2", KEY, 100)
    assert absent is not None and absent.body is None
    for other in (("VirusTotal", "/ip/3", KEY), ("URLhaus", "/ip/1", KEY), ("VirusTotal", "/ip/1", KEY + "x")):
        assert cache.get(*other) is None
    cache.put("VirusTotal", "/ip/1", KEY, b"")
    newer = cache.get("VirusTotal", "/ip/1", KEY)
    assert newer is not None and newer.body == b""


def test_parts_of_a_key_do_not_run_into_each_other(state: State) -> None:
    state.cache.put("a", "b\0c", "d", b"1")
    assert state.cache.get("a", "b", "c\0d") is None and state.cache.get("a\0d", "b", "c") is None


def test_freshness_is_the_readers(tmp_path: Path) -> None:
    state = State.open(tmp_path / "state")
    state.cache.put("S", "found", KEY, b"1", 10)
    state.cache.put("S", "absent", KEY, None, 10)
    sql(tmp_path / "state", "cache-1.sqlite", "UPDATE entries SET as_of = as_of - 1000")

    def fresh(question: str, *spans: float) -> bool:
        return state.cache.get("S", question, KEY, *spans) is not None

    assert fresh("found") and fresh("found", 2000) and not fresh("found", 500) and not fresh("found", 0)
    assert fresh("found", 2000, 1) and not fresh("absent", 2000, 1) and fresh("absent", 1, 2000)
    assert not fresh("absent", 500)
    found = state.cache.get("S", "found", KEY)
    assert found is not None and 1000 <= found.age_s <= 1002
    sql(tmp_path / "state", "cache-1.sqlite", "UPDATE entries SET as_of = as_of + 5000")
    assert not fresh("found", 1e9), "an answer from the future is of unknown age"


def test_a_cache_is_bounded(tmp_path: Path) -> None:
    cache = SqliteCache(tmp_path / "cache.sqlite", largest=200_000)
    for number in range(100):
        cache.put("S", str(number), KEY, os.urandom(5000))
    kept = [number for number in range(100) if cache.get("S", str(number), KEY)]
    assert 30 <= len(kept) < 40 and kept == list(range(100 - len(kept), 100)), "the oldest went"
    total = sql(tmp_path, "cache.sqlite", "SELECT (SELECT size FROM total), (SELECT sum(size) FROM entries)")[0]
    assert total[0] == total[1]
    assert isinstance(total[0], int) and total[0] <= 200_000
    assert (tmp_path / "cache.sqlite").stat().st_size < 400_000
    cache.put("S", "huge", KEY, os.urandom(300_000))
    assert cache.get("S", "huge", KEY) is None, "one answer does not drive out all others"
    cache.put("S", "99", KEY, os.urandom(100))
    total = sql(tmp_path, "cache.sqlite", "SELECT (SELECT size FROM total), (SELECT sum(size) FROM entries)")[0]
    assert total[0] == total[1]


def test_answers_are_stored_small(tmp_path: Path) -> None:
    cache = SqliteCache(tmp_path / "cache.sqlite")
    cache.put("S", "q", KEY, b'{"name": "value"}' * 100_000)
    assert (tmp_path / "cache.sqlite").stat().st_size < 200_000
    found = cache.get("S", "q", KEY)
    assert found is not None and found.body == b'{"name": "value"}' * 100_000


def test_pruning(tmp_path: Path) -> None:
    state = State.open(tmp_path / "state")
    state.cache.put("S", "short", KEY, b"1", 10)
    state.cache.put("S", "long", KEY, b"1", 1e6)
    sql(tmp_path / "state", "cache-1.sqlite", "UPDATE entries SET as_of = as_of - 1000, expires = expires - 1000")
    assert state.cache.prune() == 1 and state.cache.prune() == 0
    assert state.cache.get("S", "short", KEY) is None and state.cache.get("S", "long", KEY) is not None


def test_a_body_that_rotted(tmp_path: Path) -> None:
    state = State.open(tmp_path / "state")
    for rotten in (b"no zlib", b"", b"x\x9c"):
        state.cache.put("S", "q", KEY, b"1" * 1000)
        sql(tmp_path / "state", "cache-1.sqlite", "UPDATE entries SET body = ?", rotten)
        assert state.cache.get("S", "q", KEY) is None
        assert sql(tmp_path / "state", "cache-1.sqlite", "SELECT count(*) FROM entries") == [(0,)]


def test_no_cache(tmp_path: Path) -> None:
    state = State.open(tmp_path / "state", cache=False)
    state.cache.put("S", "q", KEY, b"1")
    assert state.cache.get("S", "q", KEY) is None and state.cache.prune() == 0
    assert state.shared and not (tmp_path / "state" / "cache-1.sqlite").exists()


def test_several_threads(state: State) -> None:
    def work(number: int) -> None:
        state.quota.take(KEY, {"minute": 10_000, "day": 10_000})
        state.cache.put("S", str(number), KEY, str(number).encode())
        found = state.cache.get("S", str(number), KEY)
        assert found is not None and found.body == str(number).encode()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(400)))
    left = state.quota.left(KEY, {"minute": 10_000, "day": 10_000})
    assert left is not None and left.units == {"minute": 9600, "day": 9600}


def test_credentials_are_named_by_digest() -> None:
    assert credential_id("Virus Total", "secret") == credential_id("Virus Total", "secret")
    names = {credential_id(*pair) for pair in [("A", "x"), ("A", "y"), ("B", "x"), ("A", ""), ("A", None), ("B", None)]}
    assert len(names) == 5
    assert "secret" not in credential_id("A", "secret") and credential_id("A", "secret").startswith("a:")
    assert len(credential_id("A", "secret")) == 2 + 16 and credential_id("é!", None) == "source:none"


def test_no_key_in_any_file(tmp_path: Path) -> None:
    with State.open(tmp_path / "state") as state:
        name = credential_id("S", "the-secret-key")
        state.quota.take(name, VT)
        state.breaker.failed(name, "401")
        state.cache.put("S", "q", name, b"body")
        for file in (tmp_path / "state").iterdir():
            assert b"the-secret-key" not in file.read_bytes()


def test_rights(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        state = State.open(tmp_path / "deep" / "state")
        state.cache.put("S", "q", KEY, b"1")
        state.quota.take(KEY, VT)
        folder = tmp_path / "deep" / "state"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        names = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    finally:
        os.umask(before)
    assert {"counts-1.sqlite", "cache-1.sqlite", "counts-1.sqlite-wal", ".lock"} <= set(names)
    assert set(names.values()) == {0o600}
    assert state.shared and state.why_not == ""


@pytest.mark.parametrize("mode", [0o777, 0o720, 0o702, 0o1777])
def test_a_folder_that_others_may_write(tmp_path: Path, mode: int) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(mode)
    state = State.open(tmp_path / "state")
    assert not state.shared and "may be written by others" in state.why_not
    assert state.quota.take(KEY, VT) == 3, "in memory"
    assert not list((tmp_path / "state").iterdir())


def test_a_folder_that_others_may_read_is_used(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    assert State.open(tmp_path / "state").shared


def test_a_folder_of_somebody_else(tmp_path: Path) -> None:
    folder, owner = Path("/usr"), 0
    if os.geteuid() == 0:
        folder, owner = tmp_path / "state", 12345
        folder.mkdir(mode=0o700)
        os.chown(folder, owner, owner)
    state = State.open(folder)
    assert not state.shared and f"belongs to user id {owner}" in state.why_not


def test_places_that_are_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for where in (tmp_path / "file", tmp_path / "file" / "below", "redis://localhost", "a\0b", "/proc/no/such"):
        state = State.open(where)
        assert not state.shared and state.why_not
        assert state.quota.take(KEY, VT) == 3
        state.cache.put("S", "q", KEY, b"1")
        assert state.cache.get("S", "q", KEY) is not None


def test_the_default_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_folder({"CORTEX_GROW_STATE": "/a/b"}) == (Path("/a/b"), "")
    assert default_folder({"KUBERNETES_SERVICE_HOST": "10.0.0.1"})[0] is None
    assert "container" in default_folder({"container": "podman"})[1]
    if not os.path.exists("/.dockerenv") and not os.path.exists("/run/.containerenv"):
        assert default_folder({"XDG_STATE_HOME": "/x"}) == (Path("/x/cortex-grow"), "")
        assert default_folder({"XDG_STATE_HOME": "x"})[0] == Path.home() / ".local" / "state" / "cortex-grow"
    monkeypatch.setenv("CORTEX_GROW_STATE", str(tmp_path / "mine"))
    for nothing in (None, "", "  "):
        state = State.open(nothing)
        assert state.shared and state.folder == tmp_path / "mine"


@pytest.mark.parametrize(
    ("folder", "network"),
    [
        ("/home/u/state", False),
        ("/mnt/nfs/state", True),
        ("/mnt/nfs2/state", False),
        ("/mnt/with space/s", True),
        ("/", False),
    ],
)
def test_network_file_systems(folder: str, network: bool) -> None:
    table = (
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        "23 22 0:5 / /mnt/nfs rw - nfs4 server:/export rw\n"
        "24 22 0:6 / /mnt/with\\040space rw,noatime shared:7 master:3 - fuse.sshfs x rw\n"
        "25 22 0:6 / /home rw - btrfs x rw\nbroken line\n"
    )
    assert on_network(Path(folder), table) is network
