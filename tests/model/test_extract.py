"""Indicators out of texts of any shape, what is skipped and why, and that hostile texts take no time."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cortex_grow.model.detect import Found, extract
from cortex_grow.model.extract import MOST_SKIPPED
from cortex_grow.model.indicator import Indicator, InvalidIndicator
from tests.model.test_indicator import NAME
from tests.support import needs_shared, shared

MD5, SHA1, SHA256 = "d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "ab" * 32
JA3 = "e7d705a3286e19ea42f587b344ee6865"


def found(text: str) -> list[str]:
    return [f"{one.line} {one.indicator.id}" for one in extract(text)]


def skipped(text: str) -> dict[str, str]:
    extraction = extract(text)
    list(extraction)
    return {one.text: one.reason for one in extraction.skipped}


def test_one_a_line() -> None:
    text = (
        "evil.com\r\n\r\n  hxxp://evil[.]com/a \nsetup.exe\nevil.com\nmutex:Global\\a b\nHKCU\\Software\\a b\n"
        "user-agent: curl/8.4\n- 192.0.2[.]1\n* a@b.com,\n2) 10.0.0.0/8\nfamily:Emotet\nT1059"
    )
    assert found(text) == [
        "1 domain:evil.com",
        "3 url:http://evil.com/a",
        "4 filename:setup.exe",
        "6 mutex:Global\\a b",
        "7 registry:HKEY_CURRENT_USER\\Software\\a b",
        "8 user-agent:curl/8.4",
        "9 ip:192.0.2.1",
        "10 mail:a@b.com",
        "11 network:10.0.0.0/8",
        "12 family:Emotet",
        "13 technique:T1059",
    ]
    assert list(extract(text))[1] == Found(Indicator("url", "http://evil.com/a"), "hxxp://evil[.]com/a", 3)
    assert found(text) == [f"{one.line} {one.indicator.id}" for one in extract(text.split("\n"))]


def test_list_with_what_is_none() -> None:
    text = "# from https://blog.example.org/\nevil.com\nfoo.bar.baz\n999.1.1.1\nhello\na@b@c.com\n1.2.3.4.5\nevil.org"
    assert found(text) == ["2 domain:evil.com", "8 domain:evil.org"]
    assert {text: reason.partition(": it ")[2] or reason for text, reason in skipped(text).items()} == {
        "# from https://blog.example.org/": "is in a comment",
        "foo.bar.baz": "is under no known public suffix",
        "999.1.1.1": "has a number above 255 (999)",
        "a@b@c.com": "has no @, or more than one",
        "1.2.3.4.5": "is not four numbers with dots between them",
    }


PROSE = f"""\
# Report on evil1[.]com, by Jane <jane@example.org>

The loader fetched hxxps://evil2[.]com/a.php?x=1,2 and evil3 [dot] com; then 192.0.2[.]1:8080 (and www.evil4.com).
C2: 192.0.2.2:443; or user [at] evil5 [dot] com. See [this](http://evil6.com/x_(y)) and <https://evil7.com|evil7.org>.
Run setup.exe, kernel32.dll or README.md (e.g. with obj.method or System.Net, std::vector, a::b) at 12:30:45. Done.In
It exploits CVE-2021-44228, uses T1059.001, from AS64496 at 2001:db8::5. Bad: 999.1.1.1, 1.2.3.4.5, x[.]nosuchtop.
JA3 hash: {JA3} and sha256 {SHA256}; **evil8.com**, key=evil9.com,evil10.com|evil11.com http://a.com/x,http://b.com/y
It writes `HKLM\\Software\\Windows NT\\a` as "Mozilla/5.0 (X11; Linux)".
Scripts: main.rs, tool.pl and bad[.]pl "u":"http:\\/\\/c.com\\/d" elf exe md
"""


def test_prose() -> None:
    assert found(PROSE) == [
        "1 domain:evil1.com",
        "1 mail:jane@example.org",
        "3 url:https://evil2.com/a.php?x=1,2",
        "3 domain:evil3.com",
        "3 ip:192.0.2.1",
        "3 fqdn:www.evil4.com",
        "4 ip:192.0.2.2",
        "4 mail:user@evil5.com",
        "4 url:http://evil6.com/x_(y)",
        "4 url:https://evil7.com/",
        "4 domain:evil7.org",
        "6 cve:CVE-2021-44228",
        "6 technique:T1059.001",
        "6 autonomous-system:AS64496",
        "6 ip:2001:db8::5",
        f"7 ja3:{JA3}",
        f"7 hash:{SHA256}",
        "7 domain:evil8.com",
        "7 domain:evil9.com",
        "7 domain:evil10.com",
        "7 domain:evil11.com",
        "7 url:http://a.com/x",
        "7 url:http://b.com/y",
        "8 registry:HKEY_LOCAL_MACHINE\\Software\\Windows NT\\a",
        "8 user-agent:Mozilla/5.0 (X11; Linux)",
        "9 domain:bad.pl",
        "9 url:http://c.com/d",
    ]
    reasons = skipped(PROSE)
    assert set(reasons) == {"999.1.1.1", "1.2.3.4.5", "x[.]nosuchtop", "main.rs", "tool.pl"}
    assert "a file or a domain" in reasons["main.rs"]
    stood = {one.indicator.value: one.text for one in extract(PROSE)}
    assert stood["https://evil2.com/a.php?x=1,2"] == "hxxps://evil2[.]com/a.php?x=1,2"
    assert stood["192.0.2.1"] == "192.0.2[.]1:8080"


TABLES = {
    "url list of abuse.ch": (
        "# abuse.ch URLhaus dump, see https://urlhaus.abuse.ch/api/\n"
        "# id,dateadded,url,url_status,last_online,threat,tags,urlhaus_link,reporter\n"
        '"1","2024-01-01 10:00:00","http://192.0.2.1:38420/i,x","online","2024-01-01","malware_download","elf,mips",'
        '"https://urlhaus.abuse.ch/url/1/","someone"\n'
        '"2","2024-01-01 10:00:00","http://evil.com/b.sh","online","2024-01-01","malware_download","elf",'
        '"https://urlhaus.abuse.ch/url/2/","someone"\n',
        ["3 url:http://192.0.2.1:38420/i,x", "4 url:http://evil.com/b.sh"],
    ),
    "samples with imphash": (
        '# "first_seen_utc","sha256_hash","md5_hash","file_name","imphash"\n'
        f'"2024-01-01 10:00:00", "{SHA256}", "{MD5}", "My invoice.exe", "{JA3}"\n'
        f'"2024-01-01 10:00:00", "{SHA256}", "{MD5}", "b.dll", "n/a"\n',
        [
            f"2 hash:{SHA256}",
            f"2 hash:{MD5}",
            "2 filename:My invoice.exe",
            f"2 imphash:{JA3}",
            "3 filename:b.dll",
        ],
    ),
    "no header, type in the row": (
        f"Domain,evil.com,seen\nja3,{JA3},seen\nIPAddress,192.0.2.1,seen 192.0.2.2\ndomain,evil.zip,seen\n",
        ["1 domain:evil.com", f"2 ja3:{JA3}", "3 ip:192.0.2.1", "3 ip:192.0.2.2", "4 domain:evil.zip"],
    ),
    "tabs, value first": (
        "value\ttype\nevil.com\tdomain\nhttp://a.com/x,y\turl\n",
        ["2 domain:evil.com", "3 url:http://a.com/x,y"],
    ),
    "semicolons": (
        f"ip;hash;mutex\n192.0.2.1;{MD5};Global\\a b\n192.0.2.2;;-\n",
        ["2 ip:192.0.2.1", f"2 hash:{MD5}", "2 mutex:Global\\a b", "3 ip:192.0.2.2"],
    ),
    "names of ECS fields": (
        "host.name,source.ip,dns.question.name\npc1,192.0.2.1,www.evil.com\n",
        ["2 ip:192.0.2.1", "2 fqdn:www.evil.com"],
    ),
    "Markdown": (
        f"Found:\n\n| Type | Value |\n|---|---|\n| IP | 192[.]0[.]2[.]1 |\n| JA3 | {JA3} |\n| File | setup.exe |\n",
        ["5 ip:192.0.2.1", f"6 ja3:{JA3}", "7 filename:setup.exe"],
    ),
    "JSON lines": (
        json.dumps({"host.name": "pc", "type": "imphash", "value": JA3, "md5": MD5, "n": 1, "no": None})
        + "\n"
        + json.dumps({"a": {"url": "hxxp://evil[.]com/x", "permalink": "https://v.com/x"}, "b": ["a.com", "b.exe"]})
        + "\n"
        + json.dumps({"asn": "64496", "ja3": JA3, "text": "saw 192.0.2.1, and so on", "certificate": SHA1.upper()}),
        [
            f"1 imphash:{JA3}",
            f"1 hash:{MD5}",
            "2 url:http://evil.com/x",
            "2 domain:a.com",
            "2 filename:b.exe",
            "3 autonomous-system:AS64496",
            f"3 ja3:{JA3}",
            "3 ip:192.0.2.1",
            f"3 certificate:{SHA1}",
        ],
    ),
    "JSON, printed over lines": (
        json.dumps({"url": "http://evil.com/x", "ips": ["192.0.2.1"]}, indent=1),
        ["2 url:http://evil.com/x", "4 ip:192.0.2.1"],
    ),
    "hosts file": ("0.0.0.0 evil.com\n0.0.0.0 evil.org\n", ["1 domain:evil.com", "2 domain:evil.org"]),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables(name: str) -> None:
    text, wanted = TABLES[name]
    assert found(text) == wanted


def test_columns_say_why_a_cell_is_none() -> None:
    assert skipped(f"ip,ja3\n192.0.2.1,nonsense\n192.0.2.2,{JA3}\n") == {"nonsense": "is no ja3, as its column says"}


@settings(max_examples=200, deadline=None)
@given(st.lists(NAME | st.ip_addresses().map(str), min_size=1, max_size=12), st.sampled_from(["\n", "\r\n", "\n\n"]))
def test_lists_give_all_in_order(values: list[str], end: str) -> None:
    wanted = []
    for value in values:
        try:
            one = Indicator.parse("host", value)
        except InvalidIndicator:
            return
        if one not in wanted and one.value not in ("::", "0.0.0.0"):
            wanted.append(one)
    plain = [one.indicator for one in extract(end.join(values))]
    assert plain == [one for one in wanted if one in plain]
    assert {one for one in wanted if one not in plain} <= {one for one in wanted if one.value.endswith(".local")}
    defanged = [one.indicator for one in extract(end.join(f"saw {Indicator('domain', v).defanged}." for v in values))]
    assert defanged == wanted


@settings(max_examples=400, deadline=None)
@given(st.text() | st.text("a1.:@/[]()<>\\ \"'%-_*hxtp,;|#\n{}", max_size=80))
@example('{"a": "b"')
@example('"a,b\n"c')
def test_any_text(text: str) -> None:
    """Whatever stands in a text, what comes out is canonical, comes once, and stands on the line that is named."""
    extraction = extract(text)
    items = list(extraction)
    assert len({one.indicator for one in items}) == len(items)
    for one in items:
        assert Indicator.parse(one.indicator.type, one.indicator.value) == one.indicator
        assert 1 <= one.line <= text.count("\n") + 1
    assert extraction.skipped_count == len(extraction.skipped)


def test_memory_of_what_was_skipped_is_bounded() -> None:
    extraction = extract("\n".join(f"999.1.{n // 250}.{n % 250}" for n in range(MOST_SKIPPED + 500)))
    assert list(extraction) == []
    assert len(extraction.skipped) == MOST_SKIPPED
    assert extraction.skipped_count == MOST_SKIPPED + 500


@needs_shared
def test_recorded_whois() -> None:
    """WHOIS texts as a person would paste them (one in ten says "not found" and no more)."""
    hits = total = 0
    for path in sorted(shared("samples/whois").rglob("*")):
        if not path.is_file():
            continue
        text = path.read_text("utf-8", "replace")
        items = [one.indicator for one in extract(text)]
        assert all(Indicator.parse(one.type, one.value) == one for one in items)
        total += 1
        hits += any(one.type in ("domain", "fqdn", "ip", "network", "mail", "url") for one in items)
    assert total > 20
    assert hits > 0.8 * total


SHAPES = [
    *[
        "a",
        ".",
        "@",
        ":",
        "%",
        "[",
        "(",
        "]",
        ")",
        "{",
        "<",
        ">",
        "|",
        ",",
        ";",
        "'",
        '"',
        "`",
        "\\",
        "-",
        "_",
        "=",
        "0",
    ],
    *["/", "?", " ", "\t", "\n", "\r", "a.", "1.", "a@", "@a.", "a-", "1:", "a:", "ff:", "//", ",//", ",http", "http"],
    *[
        "http://",
        "hxxp",
        "hxxp[:]//",
        "[.]",
        "(dot)",
        " [dot] ",
        " [at] a",
        "xn--",
        "[[",
        "[a](",
        "<a@",
        "*.",
        "a.com ",
    ],
    *[
        "1.2.3.4,",
        "999.1.1.1 ",
        '"a.b",',
        "a,b.c;",
        "ja3 ",
        "ja3: ",
        "mutex:",
        "HKLM\\",
        "T1",
        "AS1",
        "CVE-",
        '{"a":',
        "[1,",
    ],
    *["\x00", "\ud800", "\u00e9", ".\u00e9", "\u3002", "\u2603.", "\u00df", "x]", "http://a.b/(", "f" * 31 + "g "],
]
CODE = """\
import sys, time
from cortex_grow.model.detect import defang, detect, extract, refang
from cortex_grow.model.indicator import Indicator, InvalidIndicator
shape = eval(sys.argv[1])
for name, text in (
    ("one line", shape * (1_000_000 // len(shape))),
    ("many lines", (shape * 60 + "\\n") * (1_000_000 // (60 * len(shape) + 1))),
):
    times = []
    for work in (detect, lambda text: sum(1 for _ in extract(text)), refang, lambda text: defang(text[:100_000])):
        start = time.perf_counter()
        try:
            work(text)
        except InvalidIndicator:
            pass
        times.append(f"{time.perf_counter() - start:.3f}")
    for type in ("url", "domain", "mail", "hash", "registry", "other", "ip", "network", "host"):
        for piece in (text, text[:4096], "http://" + text[:4000], "a@" + text[:4000]):
            try:
                Indicator.parse(type, piece)
                break
            except InvalidIndicator:
                pass
    print(f"{shape!a} {name}: detect, extract, refang, defang of 100 kB: {' '.join(times)} s")
"""


@pytest.mark.parametrize("shape", SHAPES, ids=ascii)
def test_hostile_megabyte(shape: str) -> None:
    """1 MB of each shape is handled or refused in proportion to its length; a backtracking pattern would take hours."""
    code = f"import sys; sys.path[:0] = {sys.path!r}\n{CODE}"
    done = subprocess.run(
        [sys.executable, "-c", code, ascii(shape)], timeout=30, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    print(done.stdout)
