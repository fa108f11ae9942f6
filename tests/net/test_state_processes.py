"""Many real processes on one folder: nothing lost, nothing counted twice, no error; killed ones leave it usable."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cortex_grow.net.errors import BlockedError, QuotaError
from cortex_grow.net.state import State, credential_id

PROCESSES = 20
KEY = credential_id("VirusTotal", "k")

# All begin at the same moment, so that they also race for making the files.
BEGIN = """
import sys, time
folder, number, at = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
from cortex_grow.net.errors import BlockedError, QuotaError
from cortex_grow.net.state import State, credential_id
import cortex_grow.net.cache, cortex_grow.net.counts
KEY = credential_id("VirusTotal", "k")
time.sleep(max(0, at - time.time()))
state = State.open(folder)
"""
END = """
assert state.shared, state.why_not
state.close()
"""


def together(folder: Path, code: str, processes: int = PROCESSES) -> list[str]:
    """What each of the processes printed; none may say a word on stderr."""
    at = str(time.time() + 0.5 + processes * 0.12)
    running = [
        subprocess.Popen(
            [sys.executable, "-c", BEGIN + code + END, str(folder), str(number), at],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    said = [process.communicate(timeout=240) for process in running]
    assert [error for _, error in said if error] == []
    assert all(process.returncode == 0 for process in running)
    return [out.strip() for out, _ in said]


def sound(folder: Path) -> None:
    for file in folder.glob("*.sqlite"):
        with sqlite3.connect(file) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_no_call_is_lost(tmp_path: Path) -> None:
    together(
        tmp_path / "s", 'for _ in range(50): state.quota.take(KEY, {"minute": 10**6, "day": 10**6, "month": 10**6})'
    )
    with State.open(tmp_path / "s") as state:
        left = state.quota.left(KEY, {"hour": 10**6, "day": 10**6, "month": 10**6})
    assert left is not None
    spent = {unit: 10**6 - number for unit, number in left.units.items() if unit != "hour"}
    # The month may begin anew while this runs, the day as well; together they still hold every call once.
    assert spent["month"] in (1000, spent["day"]) and spent["day"] <= 1000
    with sqlite3.connect(tmp_path / "s" / "counts-1.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM calls").fetchone()[0] == 1000
    sound(tmp_path / "s")


def test_no_limit_is_overrun(tmp_path: Path) -> None:
    said = together(
        tmp_path / "s",
        """
got = 0
for _ in range(10):
    try:
        state.quota.take(KEY, {"hour": 37, "day": 1000})
        got += 1
    except QuotaError:
        pass
print(got)
""",
    )
    assert sum(map(int, said)) == 37


def test_waiting_processes_share_the_slots(tmp_path: Path) -> None:
    began = time.time()
    said = together(
        tmp_path / "s",
        """
for _ in range(3): state.quota.take(KEY, {"second": 20}, wait=60); print(time.time())
""",
    )
    times = sorted(float(line) for out in said for line in out.split())
    assert len(times) == 60 and times[-1] - began < 60
    # A stamp is printed a moment after its call was counted: 20 a second, seen with a little blur.
    assert times[-1] - times[0] > 1.5
    assert max(sum(1 for at in times if start <= at < start + 0.5) for start in times) <= 40


def test_the_breaker_counts_all_failures_and_lets_one_try(tmp_path: Path) -> None:
    together(tmp_path / "s", 'for _ in range(10): state.breaker.failed(KEY, "down", 300)')
    with State.open(tmp_path / "s") as state:
        with pytest.raises(BlockedError, match="200 times in a row"):
            state.breaker.check(KEY)
        state.breaker.failed(KEY, "down", 0.0)
    said = together(
        tmp_path / "s",
        """
try:
    state.breaker.check(KEY)
    print("asks")
except BlockedError as error:
    print("waits")
""",
    )
    assert sorted(said) == ["asks"] + ["waits"] * (PROCESSES - 1)


def test_the_cache_keeps_every_answer(tmp_path: Path) -> None:
    together(
        tmp_path / "s",
        """
for step in range(30):
    state.cache.put("S", f"{number}/{step}", KEY, f"{number}/{step}".encode() * 50)
    state.cache.put("S", f"shared/{step}", KEY, b"x" * number * 100)
    found = state.cache.get("S", f"shared/{step}", KEY)
    assert found is not None and set(found.body or b"x") == {120}
""",
    )
    with State.open(tmp_path / "s") as state:
        for number in range(PROCESSES):
            for step in range(30):
                found = state.cache.get("S", f"{number}/{step}", KEY)
                assert found is not None and found.body == f"{number}/{step}".encode() * 50
    with sqlite3.connect(tmp_path / "s" / "cache-1.sqlite") as connection:
        row = connection.execute("SELECT count(*), sum(size), (SELECT size FROM total) FROM entries").fetchone()
    assert row[0] == PROCESSES * 30 + 30 and row[1] == row[2]
    sound(tmp_path / "s")


def test_the_same_without_write_ahead_log(tmp_path: Path) -> None:
    """As on a network file system, where the files are made in rollback mode."""
    with State.open(tmp_path / "s") as state:
        state.quota.take(KEY, {"day": 10**6})
        state.cache.put("S", "q", KEY, b"1")
    for name in ("counts-1.sqlite", "cache-1.sqlite"):
        with sqlite3.connect(tmp_path / "s" / name) as connection:
            assert connection.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)
    code = (
        'for n in range(10): state.quota.take(KEY, {"hour": 10**6}); state.cache.put("S", f"{number}/{n}", KEY, b"1")'
    )
    together(tmp_path / "s", code)
    with sqlite3.connect(tmp_path / "s" / "counts-1.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM calls").fetchone()[0] == 200
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    with sqlite3.connect(tmp_path / "s" / "cache-1.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM entries").fetchone()[0] == 201


@pytest.mark.parametrize("damage", ["garbage", "empty", "cut", "header"])
def test_a_damaged_file_is_set_aside_once(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "s"
    with State.open(folder) as state:
        state.quota.take(KEY, {"day": 10})
        for number in range(50):
            state.cache.put("S", str(number), KEY, os.urandom(3000))
    for name in ("counts-1.sqlite", "cache-1.sqlite"):
        file = folder / name
        whole = file.read_bytes()
        file.write_bytes(
            {
                "garbage": b"\xa5" * 20_000,
                "empty": b"",
                "cut": whole[: len(whole) // 3],
                "header": b"SQLite format 4\0" + whole[16:],
            }[damage]
        )
    together(
        folder,
        """
for n in range(10):
    state.quota.take(KEY, {"hour": 10**6})
    state.cache.put("S", f"{number}/{n}", KEY, b"1")
""",
        processes=8,
    )
    sound(folder)
    with sqlite3.connect(folder / "counts-1.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM calls").fetchone()[0] == 80
    with State.open(folder) as state:
        for number in range(8):
            assert all(state.cache.get("S", f"{number}/{n}", KEY) for n in range(10))
    assert (folder / "counts-1.sqlite.damaged").exists() and (folder / "cache-1.sqlite.damaged").exists()


def test_killed_in_the_middle(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    code = (
        BEGIN
        + """
n = 0
while True:
    state.quota.take(KEY, {"hour": 10**9, "day": 10**9})
    n += 1
    print(n, flush=True)
    state.cache.put("S", f"{at}/{n}", KEY, bytes(str(n), "ascii") * 20000)
"""
    )
    sure = at_most = 0
    for round_number in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(folder), "0", str(round_number)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.02 + 0.037 * round_number)
        process.send_signal(signal.SIGKILL)
        lines = process.communicate()[0].split("\n")
        done = max([1, *(int(line) for line in lines if line.strip())])
        sure, at_most = sure + done, at_most + done + 1
    with State.open(folder) as state:
        assert state.shared
        state.quota.take(KEY, {"day": 10**9})
        state.cache.put("S", "after", KEY, b"1")
        assert state.cache.get("S", "after", KEY) is not None
    with sqlite3.connect(folder / "counts-1.sqlite") as connection:
        counted = connection.execute("SELECT count(*) FROM calls").fetchone()[0]
    assert sure <= counted <= at_most, "what was told is kept, at most the one in flight is more"
    assert not list(folder.glob("*.damaged"))
    sound(folder)


def test_killed_while_the_file_is_made(tmp_path: Path) -> None:
    """What a killed process left half made is swept away by the next."""
    folder = tmp_path / "s"
    folder.mkdir(mode=0o700)
    (folder / ".counts-1.sqlite.new").write_bytes(b"half")
    (folder / ".counts-1.sqlite.new-journal").write_bytes(b"half")
    with State.open(folder) as state:
        assert state.shared and state.quota.take(KEY, {"day": 10}) == 9
    assert not list(folder.glob(".*.new*"))


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """As seen by a process that may not write a file any further; the job goes on by itself and says so."""
    code = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
from cortex_grow.net.state import State
state = State.open(sys.argv[1])
assert state.shared
for n in range(50):
    state.cache.put("S", str(n), "c", os.urandom(30_000))
    state.quota.take("c", {"hour": 10**6})
assert state.cache.get("S", "49", "c").body
print(state.quota.left("c", {"hour": 100}), state.shared, state.why_not)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "s")], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    left, shared, why = done.stdout.split(maxsplit=2)
    assert (left, shared) == ("50", "False") and "cannot be used" in why and "cache-1.sqlite" in why
    sound(tmp_path / "s")


def test_a_forked_child_counts_too(tmp_path: Path) -> None:
    code = """
import os, sys
from cortex_grow.net.state import State
state = State.open(sys.argv[1])
state.quota.take("c", {"day": 100})
children = []
for _ in range(5):
    child = os.fork()
    if child == 0:
        state.quota.take("c", {"day": 100})
        state.cache.put("S", "q", "c", b"1")
        state.close()
        os._exit(0)
    children.append(child)
for child in children:
    assert os.waitpid(child, 0)[1] == 0
state.quota.take("c", {"day": 100})
print(state.quota.left("c", {"day": 100}), state.shared)
"""
    words = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "s")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout.split(), done.stderr) == (["93", "True"], "")
    sound(tmp_path / "s")


def test_somebody_who_holds_the_file_for_a_while(tmp_path: Path) -> None:
    with State.open(tmp_path / "s") as state:
        state.quota.take(KEY, {"day": 10})
        other = sqlite3.connect(tmp_path / "s" / "counts-1.sqlite", isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        import threading

        threading.Timer(0.5, lambda: other.execute("COMMIT")).start()
        began = time.monotonic()
        assert state.quota.take(KEY, {"day": 10}) == 8
        assert 0.4 < time.monotonic() - began < 15 and state.shared
        with pytest.raises(QuotaError):
            state.quota.take(KEY, {"day": 2})
        other.close()
