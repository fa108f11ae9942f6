"""The compiled file: made the same each time, opened at once, refused when damaged, shared by many processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from cortex_grow.hygiene import HygieneError, Index, IndexFileError, layout, policy
from cortex_grow.hygiene.compile import Compiler, Listing, compiled, made_at, main, write
from cortex_grow.hygiene.index import PATH
from tests.hygiene.support import VERSION, folder, write_list
from tests.support import ROOT

NAMES = ("tranco", "rfc1918", "empty-hashes", "disposable-email", "phone_numbers")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of a few short lists, quick to make."""
    place = tmp_path_factory.mktemp("small")
    write_list(place / "lists", "tranco", "hostname", ["a.example", "b.example"], ("domain", "url"), version=20250115)
    write_list(place / "lists", "rfc1918", "cidr", ["10.0.0.0/8"], ("ip-src",), version=5)
    write_list(
        place / "lists", "disposable-email", "substring", [f"{n:04}.example" for n in range(100)], ("email-src",)
    )
    data, _ = compiled(place / "lists", "small 1", policy.read())
    write(data, place / "small.bin")
    return place / "small.bin"


@pytest.mark.slow
@pytest.mark.xdist_group("hygiene")
def test_the_same_lists_give_the_same_bytes(tmp_path: Path) -> None:
    """Compiled again in another process with another seed of the hashes, from a folder elsewhere; without a warning."""
    (tmp_path / "lists").symlink_to(folder())
    out = tmp_path / "again.bin"
    done = subprocess.run(
        [sys.executable, "-m", "cortex_grow.hygiene.compile", "--out", str(out), "--lists", str(tmp_path / "lists"),
         "--name", f"pymispwarninglists {VERSION}"],
        cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "17"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    same = out.read_bytes() == Path(PATH).read_bytes()
    assert same, f"{PATH} is not what the lists, the policy and the compiler make: run tools/compile_lists.py"
    assert out.stat().st_size < 25_000_000


def test_what_the_file_says_of_itself(index: Index) -> None:
    assert index.version == f"pymispwarninglists {VERSION}"
    assert date(2025, 1, 1) < date.fromisoformat(index.made_at) <= datetime.now(UTC).date()
    assert index.age_days == (datetime.now(UTC).date() - date.fromisoformat(index.made_at)).days
    index.verify()


def test_made_at_is_the_newest_list_numbered_by_its_date() -> None:
    def listing(version: int) -> Listing:
        return Listing("a", "a", "string", version, "a", (), ())

    assert made_at(map(listing, (5, 20240229, 20231224, 25121022, 20251399, 99999999))) == "2024-02-29"
    assert made_at(map(listing, (5, 7))) == "1970-01-01"


def damaged(change: Callable[[bytearray], object]) -> Callable[[bytes], bytes]:
    def apply(data: bytes) -> bytes:
        changed = bytearray(data)
        result = change(changed)
        return bytes(result if isinstance(result, (bytes, bytearray)) else changed)

    return apply


META_AT = layout.HEADER.size + layout.SECTION.size * len(layout.SECTIONS) + 200


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: b"", "cannot be read"),
        (lambda data: data[:10], "another kind of file"),
        (lambda data: b"PK\x03\x04" + bytes(1000), "another kind of file"),
        (lambda data: data[:-1], "instead of"),
        (lambda data: data + b"\0", "instead of"),
        (lambda data: data.__setitem__(16, 9), "format 9"),
        (lambda data: data.__setitem__(META_AT, data[META_AT] ^ 1), "check sum"),
        (lambda data: data.__setitem__(60, data[60] ^ 1), "check sum"),
    ],
)
def test_a_damaged_file_is_a_clear_error(
    small: Path, tmp_path: Path, change: Callable[[bytearray], object], words: str
) -> None:
    broken = tmp_path / "broken.bin"
    broken.write_bytes(damaged(change)(small.read_bytes()))
    with pytest.raises(IndexFileError) as caught:
        Index.open(broken)
    text = str(caught.value)
    assert words in text and str(broken) in text and "python -m cortex_grow.hygiene.compile" in text


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(HygieneError, match=r"missing .*python -m cortex_grow\.hygiene\.compile"):
        Index.open(tmp_path / "none.bin")
    with pytest.raises(IndexFileError, match="cannot be read"):
        Index.open(tmp_path)


def test_verify_finds_any_flipped_bit(small: Path, tmp_path: Path) -> None:
    data = small.read_bytes()
    head = layout.HEADER.size + layout.SECTION.size * len(layout.SECTIONS)
    Index.open(small).verify()
    for at in (len(data) - 1, len(data) // 2, head + len(data) // 3):
        changed = bytearray(data)
        changed[at] ^= 0x10
        (tmp_path / "flipped.bin").write_bytes(changed)
        with Index.open(tmp_path / "flipped.bin") as opened, pytest.raises(IndexFileError, match="damaged"):
            opened.verify()


def test_after_closing_there_is_no_lookup(small: Path) -> None:
    opened = Index.open(small)
    assert opened.lookup("domain", "a.example")
    opened.close()
    with pytest.raises(ValueError, match="released"):
        opened.lookup("domain", "a.example")


def test_opening_imports_next_to_nothing() -> None:
    """Each of these costs a job 2 to 12 ms at every start."""
    code = (
        "import sys; from cortex_grow.hygiene import Index; index = Index.open()\n"
        "for one in (('ip', '8.8.8.8'), ('domain', 'google.com'), ('url', 'https://a.b/c'), ('hash', '00')):\n"
        "    index.lookup(*one)\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    heavy = {"re", "json", "typing", "dataclasses", "pathlib", "tomllib", "urllib.parse", "asyncio", "socket", "enum"}
    assert not heavy & set(done.stdout.split())


JOB = """
import sys
from cortex_grow.hygiene import Index
sys.stdin.readline()
lines = []
for _ in range(40):
    with Index.open(sys.argv[1]) as index:
        for pair in ("domain x.a.example", "ip 10.1.1.1", "mail me@0042.example", "domain c.example"):
            lines.append([(m.slug, m.matched, m.action) for m in index.lookup(*pair.split())])
print(len(lines), sorted(set(map(str, lines))))
"""


def test_twenty_processes_read_one_file_that_is_renewed_meanwhile(small: Path, tmp_path: Path) -> None:
    place = tmp_path / "shared.bin"
    data = small.read_bytes()
    write(data, place)
    command = [sys.executable, "-c", JOB, str(place)]
    jobs = [
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(20)
    ]
    done = threading.Event()

    def renew() -> None:
        while not done.is_set():
            write(data, place)

    renewing = threading.Thread(target=renew)
    renewing.start()
    try:
        for job in jobs:
            assert job.stdin
            job.stdin.write("go\n")
            job.stdin.flush()
        answers = [job.communicate(timeout=120) for job in jobs]
    finally:
        done.set()
        renewing.join()
    assert {error for _, error in answers} == {""}
    (answer,) = {text for text, _ in answers}
    assert answer.startswith("160 ") and answer.count("demote") == 1 and "0042.example" in answer
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shared.bin"]


def test_threads_share_an_index(index: Index) -> None:
    wanted = [str(index.lookup("domain", f"{name}.com")) for name in "abcdefgh"]
    found: list[list[str]] = []

    def ask() -> None:
        with Index.open() as own:
            for one in (index, own):
                found.append([str(one.lookup("domain", f"{name}.com")) for name in "abcdefgh"])

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [wanted] * 40


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.bin"
    assert main(["--lists", str(tmp_path), "--out", str(out)]) == 1
    assert "holds no */list.json" in capsys.readouterr().err
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "list.json").write_text('{"name": "x"}')
    assert main(["--lists", str(tmp_path), "--out", str(out)]) == 1
    assert "odd/list.json is not a warning list" in capsys.readouterr().err
    assert not out.exists()


def test_what_the_compiler_does_not_know_it_warns_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_list(tmp_path / "lists", "new-list", "string", ["a.example"], ("domain",))
    write_list(tmp_path / "lists", "rfc1918", "cidr", ["10.0.0.1/8", "nonsense", "10.0.0.0/8"], ("ip-src",))
    write_list(tmp_path / "lists", "zscaler", "fuzzy", ["a"], ("ip-src",))
    out = tmp_path / "deep" / "out.bin"
    assert main(["--lists", str(tmp_path / "lists"), "--name", "mine", "--out", str(out)]) == 0
    warned = capsys.readouterr().err
    assert "new-list: no group of policy.toml names this list" in warned
    assert "'10.0.0.1/8' is no network" in warned and "'nonsense' is no network" in warned
    assert "the type 'fuzzy' is not known" in warned
    assert "there is no list tranco" in warned and "public-dns-v4 does not hold 8.8.8.8" in warned
    with Index.open(out) as opened:
        assert opened.version == "mine"
        (match,) = opened.lookup("domain", "a.example")
        assert (match.action, match.because) == ("context", "the policy does not name this list, so it changes nothing")
        assert [match.slug for match in opened.lookup("ip", "10.9.9.9")] == ["rfc1918"]


def test_a_key_is_eighty_bits_and_a_clash_stops_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(bucket < 1 << 16 and rest < 1 << 64 for bucket, rest in map(layout.key, ("", "a", "\ud800")))
    compiler = Compiler(policy.read())
    compiler.add(Listing("tranco", "t", "hostname", 1, "t", (), ("a.example", "b.example")))
    monkeypatch.setattr(layout, "key", lambda text: (1, 2))
    with pytest.raises(Exception, match="two entries have the same 80-bit key"):
        compiler.file("x", "2025-01-01")
