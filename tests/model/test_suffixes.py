"""The compiled public suffix list, against tldextract and against the list's own published test vectors."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import idna
import pytest
import tldextract
from hypothesis import example, given
from hypothesis import strategies as st

from cortex_grow.model import compile_suffixes
from cortex_grow.model.suffixes import BUNDLED, MANY, Suffixes, bundled, public_suffix, registrable, to_ascii

SNAPSHOT = compile_suffixes.snapshot().read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Suffixes:
    """The installed snapshot, compiled here: the same list as tldextract has, whatever version is bundled."""
    path = tmp_path_factory.mktemp("suffixes") / "list.txt"
    compile_suffixes.main(["--out", str(path)])
    return Suffixes(path)


def names() -> list[str]:
    """Names at, below and beside every rule of the list, and names under no rule."""
    found = []
    generator = random.Random(7)
    for line in SNAPSHOT.splitlines():
        rule = line.strip()
        if not rule or rule.startswith("//"):
            continue
        name = rule.replace("*", "wild").removeprefix("!")
        found += [name, f"a.{name}", f"b.a.{name}", f"x{name}"]
        if generator.random() < 0.1:
            found += [f"B.{name.upper()}", f"d.c.b.a.{to_ascii(name)}", name.partition(".")[2] or name]
    return [*found, "setup.exe", "a.b.invalid-top", "localhost", "kernel32.dll"]


@pytest.mark.parametrize("private", [False, True])
def test_agrees_with_tldextract(compiled: Suffixes, private: bool) -> None:
    reference = tldextract.TLDExtract(cache_dir=None, suffix_list_urls=(), include_psl_private_domains=private)
    checked = names()
    assert len(checked) > 30_000
    # A top-level domain with rules below it and none for itself (za, ck): the published algorithm takes it by its
    # default rule, tldextract says nothing.
    rules = {line.split()[0] for line in SNAPSHOT.splitlines() if line.strip() and not line.startswith("//")}
    bare = {rule.rpartition(".")[2] for rule in rules} - rules
    assert "za" in bare
    # Where *.example.com and *.a.example.com are rules, a.example.com matches the first; tldextract overlooks that.
    nested = {rule[2:] for rule in rules if rule.startswith("*.") and f"*.{rule[2:].partition('.')[2]}" in rules}
    assert len(nested) < 10
    for name in checked:
        if name in nested:
            continue
        theirs = reference(name)
        suffix, registered = to_ascii(theirs.suffix), to_ascii(theirs.top_domain_under_public_suffix)
        if not suffix and name.rpartition(".")[2].lower() in bare:
            suffix = name.lower().rpartition(".")[2]
            registered = ".".join(name.lower().split(".")[-2:]) if "." in name else ""
        assert compiled.public_suffix(name, private=private) == suffix, name
        assert (compiled.registrable(name, private=private) or "") == registered, name


# The list's own vectors (https://github.com/publicsuffix/list/blob/main/tests/test_psl.txt), as facts: a name and its
# registrable domain. The unlisted top-level domains are left out: here they have no suffix.
VECTORS = """
COM -
example.COM example.com
WwW.example.COM example.com
biz -
domain.biz domain.biz
b.domain.biz domain.biz
a.b.domain.biz domain.biz
com -
example.com example.com
b.example.com example.com
a.b.example.com example.com
uk.com uk.com
example.uk.com uk.com
test.ac test.ac
mm -
c.mm -
b.c.mm b.c.mm
a.b.c.mm b.c.mm
jp -
test.jp test.jp
www.test.jp test.jp
ac.jp -
test.ac.jp test.ac.jp
kyoto.jp -
test.kyoto.jp test.kyoto.jp
ide.kyoto.jp -
b.ide.kyoto.jp b.ide.kyoto.jp
a.b.ide.kyoto.jp b.ide.kyoto.jp
c.kobe.jp -
b.c.kobe.jp b.c.kobe.jp
a.b.c.kobe.jp b.c.kobe.jp
city.kobe.jp city.kobe.jp
www.city.kobe.jp city.kobe.jp
ck -
test.ck -
b.test.ck b.test.ck
a.b.test.ck b.test.ck
www.ck www.ck
www.www.ck www.ck
us -
test.us test.us
ak.us -
test.ak.us test.ak.us
k12.ak.us -
test.k12.ak.us test.k12.ak.us
www.test.k12.ak.us test.k12.ak.us
食狮.com.cn xn--85x722f.com.cn
食狮.公司.cn xn--85x722f.xn--55qx5d.cn
www.食狮.公司.cn xn--85x722f.xn--55qx5d.cn
shishi.公司.cn shishi.xn--55qx5d.cn
公司.cn -
食狮.中国 xn--85x722f.xn--fiqs8s
中国 -
xn--85x722f.com.cn xn--85x722f.com.cn
www.xn--85x722f.xn--55qx5d.cn xn--85x722f.xn--55qx5d.cn
xn--55qx5d.cn -
xn--fiqs8s -
"""


@pytest.mark.parametrize("line", VECTORS.strip().splitlines())
def test_published_vectors(line: str) -> None:
    name, wanted = line.split()
    assert registrable(name) == (None if wanted == "-" else wanted)


def test_sections_and_edges() -> None:
    assert public_suffix("www.example.co.uk") == "co.uk"
    assert (registrable("evil.github.io"), registrable("github.io")) == ("github.io", "github.io")
    assert registrable("evil.github.io", private=True) == "evil.github.io"
    assert public_suffix("github.io", private=True) == "github.io"
    assert registrable("github.io", private=True) is None
    assert public_suffix("www.evil.com.") == "com"
    for nothing in ("", ".", "setup.exe", "1.2.3.4", "localhost", "☃.net", "a" * 70 + "ü.com"):
        assert public_suffix(nothing) == "", nothing
        assert registrable(nothing) is None, nothing
    assert registrable("a..com") is None


def test_search_and_table_agree(compiled: Suffixes) -> None:
    """A few names are searched in place, many are looked up in a table: each rule must give the same both ways."""
    lines = [line for line in Path(BUNDLED).read_text().splitlines() if not line.startswith("#")]
    assert len(lines) > 9_000
    fresh = Suffixes()
    searched = {}
    for line in lines[:: len(lines) // (MANY - 20)]:
        name = line.partition(" ")[0]
        searched[name] = fresh.rule(name)
    assert fresh.rule("") == fresh.rule("no-such-rule") == fresh.rule("zzzz") == fresh.rule("-") == ""
    assert fresh._table is None
    for line in lines:
        name, _, marks = line.partition(" ")
        assert fresh.rule(name) == (marks or "i")
        assert fresh._search(name.encode()) == (marks or "i")
    assert fresh._table is not None
    assert fresh.rule("no-such-rule") == ""
    assert searched == {name: fresh.rule(name) for name in searched}


def test_bundled_is_in_step_and_says_where_it_is_from(compiled: Suffixes) -> None:
    header = bundled().header
    assert header["version"][:2] == "20"
    assert header["origin"] == "https://publicsuffix.org/list/public_suffix_list.dat"
    assert "Mozilla Public License" in header["licence"]
    if header["version"] == compiled.header["version"]:
        assert compile_suffixes.compiled(SNAPSHOT) == Path(BUNDLED).read_text(encoding="utf-8")
    lines = [line.partition(" ")[0].encode() for line in Path(BUNDLED).read_text().splitlines() if line[0] != "#"]
    assert lines == sorted(set(lines))


def test_compiler_refuses_what_it_cannot_say() -> None:
    with pytest.raises(ValueError, match="wildcard"):
        compile_suffixes.compiled("// ===BEGIN ICANN DOMAINS===\ncom\na.*.b.com\n")


@given(st.text(st.sampled_from("aZ09-éÖßςΣñçäжЯшلмالعकि食狮한글ไทยאבი"), min_size=1, max_size=20))
@example("straße")
@example("faß")
@example("βόλος")
@example("Bücher")
@example("\uff21\uff22\uff23")
@example("a\u00adb")
@example("e\u0301")
def test_punycode_agrees_with_idna(label: str) -> None:
    """Where the package ``idna`` (UTS #46, IDNA 2008) gives a name, so does this, and the same."""
    try:
        theirs = idna.encode(label, uts46=True).decode("ascii")
    except idna.IDNAError:
        return
    assert to_ascii(label) == theirs


@pytest.mark.parametrize("name", ["☃.net", "i❤.ws", "💩.la", "a\u200d.com", "\u0301a.com", "a b\u00fc.com", "ü" * 64])
def test_symbols_and_overlong_labels_are_refused(name: str) -> None:
    with pytest.raises(ValueError):
        to_ascii(name)


def test_first_answer_is_fast_and_light() -> None:
    """No assertion on time: printed. No heavy import: asserted."""
    code = (
        "import sys, time\nstart = time.perf_counter()\n"
        "from cortex_grow.model.suffixes import registrable\nimported = time.perf_counter()\n"
        "assert registrable('www.example.co.uk') == 'example.co.uk'\nanswered = time.perf_counter()\n"
        "print(f'import {1e3 * (imported - start):.2f} ms, first answer {1e3 * (answered - imported):.2f} ms')\n"
        "assert not {'tldextract', 'pathlib', 'ipaddress', 'unicodedata'} & set(sys.modules), sorted(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"], text=True
    )
    assert done.returncode == 0
