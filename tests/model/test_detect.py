"""What a single text is: the forms that people and feeds write, and what must not be taken for an indicator."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cortex_grow.model.canonical import DIGESTS
from cortex_grow.model.detect import FILE_TLDS, defang, detect, refang
from cortex_grow.model.indicator import Indicator, InvalidIndicator
from cortex_grow.model.suffixes import public_suffix
from tests.model.test_canonical import VALID
from tests.model.test_indicator import NAME

MD5 = "d41d8cd98f00b204e9800998ecf8427e"
SHA1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
JARM = "27d40d40d29d40d1dc42d43d00041d4689ee210389f4f6b4b5b1b93f92252d"
WINDOWS = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion"

# The single strings that the official pack gets wrong (the audit of its extractor), each as it should be.
OFFICIAL = [
    ("999.1.1.1", None),
    ("1.2.3.4.5", None),
    ("0.0.0.0", None),
    ("10.0.0.0/8", "network:10.0.0.0/8"),
    ("203.0.113.5:443", "ip:203.0.113.5"),
    ("add::after", None),
    (":".join(["AB"] * 20), None),
    ("setup.exe", "filename:setup.exe"),
    ("kernel32.dll", "filename:kernel32.dll"),
    ("README.md", "filename:README.md"),
    ("obj.method", None),
    ("e.g", None),
    ("example.co.uk", "domain:example.co.uk"),
    ("evil.com.", "domain:evil.com"),
    ("*.evil.com", "domain:evil.com"),
    ("evil.com:8443", "domain:evil.com"),
    ("пример.рф", "domain:xn--e1afmkfd.xn--p1ai"),
    ("xn--e1afmkfd.xn--p1ai", "domain:xn--e1afmkfd.xn--p1ai"),
    ("a+tag@b.com", "mail:a+tag@b.com"),
    ("abuse@my-isp.com", "mail:abuse@my-isp.com"),
    ("John <a@b.com>", "mail:a@b.com"),
    ("hxxp://evil.com/a", "url:http://evil.com/a"),
    ("[2001:db8::1]:443", "ip:2001:db8::1"),
    ("0" * 55 + "a", "hash:" + "0" * 55 + "a"),
    ("0" * 95 + "a", "hash:" + "0" * 95 + "a"),
    ("0" * 127 + "a", "hash:" + "0" * 127 + "a"),
    (WINDOWS, f"registry:{WINDOWS}"),
    ("HTTP://evil.com/A", "url:http://evil.com/A"),
    ("ftp://evil.com/a", "url:ftp://evil.com/a"),
    ("ldap://evil.com/a", "url:ldap://evil.com/a"),
]

CASES = [
    *((digest * (length // 2), f"hash:{digest * (length // 2)}") for length in DIGESTS for digest in ("a1",)),
    (MD5.upper(), f"hash:{MD5}"),
    ("3:AIO9AJraNvsgzsVqSwHqiUZ:AeJuOgzskwZ", "hash:3:AIO9AJraNvsgzsVqSwHqiUZ:AeJuOgzskwZ"),
    ("T1" + "AB" * 35, "hash:T1" + "AB" * 35),
    (f"sha1: {SHA1.upper()}", f"hash:{SHA1}"),
    (f"SHA-1:{SHA1}", f"hash:{SHA1}"),
    ("192.0.2.1", "ip:192.0.2.1"),
    ("192.0.2[.]1", "ip:192.0.2.1"),
    ("192[.]0[.]2[.]1:8080", "ip:192.0.2.1"),
    ("192.0.2.1/32", "ip:192.0.2.1"),
    ("192.0.2.1/24", "network:192.0.2.0/24"),
    ("2001:db8::/32", "network:2001:db8::/32"),
    ("2001:DB8::1/128", "ip:2001:db8::1"),
    ("2001[:]db8::1", "ip:2001:db8::1"),
    ("[2001:db8::1]", "ip:2001:db8::1"),
    ("dead::beef", "ip:dead::beef"),
    ("2001:db8::", "ip:2001:db8::"),
    ("192.0.2.1:", "ip:192.0.2.1"),
    ("evil.com", "domain:evil.com"),
    ("www.evil.com", "fqdn:www.evil.com"),
    (".evil.com", "domain:evil.com"),
    ("*.www.evil.com", "fqdn:www.evil.com"),
    ("EVIL.COM", "domain:evil.com"),
    ("evil[.]com", "domain:evil.com"),
    ("evil(.)com", "domain:evil.com"),
    ("evil{.}com", "domain:evil.com"),
    ("evil[dot]com", "domain:evil.com"),
    ("evil(dot)com", "domain:evil.com"),
    ("evil [dot] com", "domain:evil.com"),
    ("[evil[.]com]", "domain:evil.com"),
    ("evil[.]com:8443", "domain:evil.com"),
    ("evil.com/", "domain:evil.com"),
    ("domain: evil.com", "domain:evil.com"),
    ("hXXps[:]//evil[.]com/a", "url:https://evil.com/a"),
    ("hxxps[://]evil[.]com/a", "url:https://evil.com/a"),
    ("HXXP://evil(dot)com", "url:http://evil.com/"),
    ("hxxp[:]//192.0.2[.]1:80/a", "url:http://192.0.2.1/a"),
    ("fxp://evil[.]com/a", "url:ftp://evil.com/a"),
    ("http://evil.com/a[.]b", "url:http://evil.com/a[.]b"),
    ("hxxp://evil[.]com/a[.]b", "url:http://evil.com/a.b"),
    ("http://evil[.]com/?u=hxxp://b.com", "url:http://evil.com/?u=http://b.com"),
    ("evil.com/gate.php", "url:http://evil.com/gate.php"),
    ("evil[.]com:8080/gate.php?x=1", "url:http://evil.com:8080/gate.php?x=1"),
    ("192.0.2.1/gate.php", "url:http://192.0.2.1/gate.php"),
    ("evil.zip/a", "url:http://evil.zip/a"),
    ("(http://en.example.org/Foo_(bar))", "url:http://en.example.org/Foo_(bar)"),
    ("http://en.example.org/Foo_(bar).", "url:http://en.example.org/Foo_(bar)"),
    ("<http://evil.com/a>,", "url:http://evil.com/a"),
    ("URL: http://evil.com/a", "url:http://evil.com/a"),
    ("a[@]b[.]com", "mail:a@b.com"),
    ("a[at]b[dot]com", "mail:a@b.com"),
    ("a [at] b [dot] com", "mail:a@b.com"),
    ("A (at) B (dot) COM", "mail:a@b.com"),
    ("mailto:A@b.com?subject=x", "mail:a@b.com"),
    ('"John, D." <a[@]b.com>', "mail:a@b.com"),
    ("From: John <a@b.com>", "mail:a@b.com"),
    ("AS64496", "autonomous-system:AS64496"),
    ("as64496", "autonomous-system:AS64496"),
    ("ASN 64496", "autonomous-system:AS64496"),
    ("cve-2021-44228", "cve:CVE-2021-44228"),
    ("T1059.001", "technique:T1059.001"),
    (r"HKLM\Software\Run", r"registry:HKEY_LOCAL_MACHINE\Software\Run"),
    (r"hkcu:\Software\x y", r"registry:HKEY_CURRENT_USER\Software\x y"),
    (r"\REGISTRY\MACHINE\SYSTEM", r"registry:HKEY_LOCAL_MACHINE\SYSTEM"),
    ("Mozilla/5.0 (Windows NT 10.0)", "user-agent:Mozilla/5.0 (Windows NT 10.0)"),
    ("curl/8.4.0", "user-agent:curl/8.4.0"),
    ("python-requests/2.31", "user-agent:python-requests/2.31"),
    ("Microsoft-CryptoAPI/10.0", "user-agent:Microsoft-CryptoAPI/10.0"),
    ("Invoice 2024.pdf.exe", "filename:Invoice 2024.pdf.exe"),
    (r"C:\Users\x y\a.bin", r"filename:C:\Users\x y\a.bin"),
    (r"%APPDATA%\x\a.exe", r"filename:%APPDATA%\x\a.exe"),
    ("/tmp/.x/run", "filename:/tmp/.x/run"),
    (f"imphash:{MD5}", f"imphash:{MD5}"),
    (f"JA3: {MD5.upper()}", f"ja3:{MD5}"),
    (f"ja3s:{MD5}", f"ja3s:{MD5}"),
    (f"jarm:{JARM}", f"jarm:{JARM}"),
    (f"hassh:{MD5}", f"hassh:{MD5}"),
    ("favicon:-12345", "favicon:-12345"),
    ("certificate:" + ":".join(["AB"] * 20), "certificate:" + "ab" * 20),
    (r"mutex:Global\a b.", r"mutex:Global\a b."),
    ("network:10.0.0.0/8", "network:10.0.0.0/8"),
    ("family:Emotet", "family:Emotet"),
    ("  'evil.com'; ", "domain:evil.com"),
    ("\u201cevil.com\u201d", "domain:evil.com"),
    ("**evil.com**", "domain:evil.com"),
    ("`evil.com`", "domain:evil.com"),
    ("\ufeffevil.com\u200b", "domain:evil.com"),
    ("evil.example", "domain:evil.example"),
]

REFUSED = [
    ("", "empty"),
    (" \t", "empty"),
    ("...", "no kind"),
    ("hello", "no kind"),
    ("hello world", "no kind"),
    ("com", "no kind"),
    ("localhost", "no kind"),
    ("1.2.3", "four numbers"),
    ("1.2.3.04", "leading zero"),
    ("1.2.3.4:99999", "port"),
    ("0.0.0.0/0", "every address"),
    ("::", "unspecified"),
    ("12:30:45", "no IPv6"),
    ("aa:bb:cc:dd:ee:ff", "no IPv6"),
    ("fe80::1%eth0", "zone"),
    (JARM, "label it (jarm"),
    ("a" * 33, "33 hexadecimal"),
    (f"md5:{SHA1}", "no md5"),
    (f"jarm:{MD5}", "62 hexadecimal"),
    ("network:10.0.0.1", "CIDR"),
    ("a@b", "no known public suffix"),
    ("a@b@c.com", "more than one"),
    ("http://a b/", "white space"),
    ("http://evil.com/a b", "white space"),
    ("v1.2.3.4", "number"),
    ("☃.net", "U+2603"),
    ("evil.com\nevil.org", "control character"),
    ("x" * 20_000, "longer than 4096"),
]


@pytest.mark.parametrize(("text", "wanted"), OFFICIAL)
def test_what_the_official_pack_gets_wrong(text: str, wanted: str | None) -> None:
    if wanted is None:
        with pytest.raises(InvalidIndicator):
            detect(text)
    else:
        assert detect(text).id == wanted


@pytest.mark.parametrize(("text", "wanted"), CASES)
def test_detects(text: str, wanted: str) -> None:
    assert detect(text).id == wanted


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_refuses(text: str, reason: str) -> None:
    with pytest.raises(InvalidIndicator) as caught:
        detect(text)
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 400


def test_endings_that_are_both_file_and_domain() -> None:
    """A lone word is the file; whatever shows a host makes it the domain; so does asking for it."""
    for ending in sorted(FILE_TLDS):
        assert public_suffix(f"evil.{ending}") == ending
        assert detect(f"evil.{ending}").id == f"filename:evil.{ending}"
        for text in (f"evil[.]{ending}", f"*.evil.{ending}", f"evil.{ending}:443"):
            assert detect(text).id == f"domain:evil.{ending}"
        assert detect(f"www.evil.{ending}").type == "fqdn"
        assert Indicator.parse("domain", f"evil.{ending}").id == f"domain:evil.{ending}"
    for ending in ("pl", "rs", "cc", "com"):
        assert detect(f"evil.{ending}").id == f"domain:evil.{ending}"


EVIDENT = {"ip", "network", "domain", "fqdn", "url", "mail", "hash", "cve", "technique", "autonomous-system"}


@pytest.mark.parametrize("wanted", sorted({wanted for _, _, wanted in VALID}))
def test_finds_its_own_spelling(wanted: str) -> None:
    """Every canonical value is detected as what it is, plain, defanged, quoted or as TheHive has it."""
    type, _, value = wanted.partition(":")
    found = Indicator(type, value)
    if found.observable()[0] == "other" and type != "other":
        assert detect(found.observable()[1]) == found
    elif type in EVIDENT and value not in ("0.0.0.0", "com", "readme.md", "192.0.2.1/32", "196608:A/+z:"):
        for text in (value, found.defanged, f'"{found.defanged}"', f" <{value}> "):
            assert detect(text) == found, text


@settings(max_examples=400, deadline=None)
@given(
    NAME, st.sampled_from(["[.]", "(.)", "{.}", "[dot]", "(DOT)", " [.] "]), st.sampled_from(["%s", "(%s)", '"%s",'])
)
def test_names_however_written(name: str, dot: str, around: str) -> None:
    try:
        found = Indicator.parse("host", name)
    except InvalidIndicator:
        return
    assert detect(around % name.replace(".", dot)) == found
    assert detect(around % f"hxxp://{name.replace('.', dot.strip())}/x").host == found


@settings(max_examples=800, deadline=None)
@given(st.text() | st.text("a1.:@/[]()<>\\ \"'%-_*hxtpT", max_size=40))
@example("<<>>")
@example("[[[[")
@example("((a.com")
@example("a.com))))")
@example("://")
@example("@")
@example("[.]")
@example("http://[")
def test_answers_or_refuses(text: str) -> None:
    """Any text gives a canonical indicator or a reason, nothing else."""
    try:
        found = detect(text)
    except InvalidIndicator as error:
        assert str(error).isprintable()
    else:
        assert Indicator.parse(found.type, found.value) == found


def test_refang_and_defang() -> None:
    assert refang("hxxp://a[.]b(dot)c{.}d [at] x") == "http://a.b.c.d @ x"
    assert refang("hXXps[:]//x[.]com, fxp://y[.]com") == "https://x.com, ftp://y.com"
    assert refang("evil[.]com", "regexp") == "evil[.]com"
    assert refang("shxxp and hxxp alone") == "shxxp and hxxp alone"
    assert defang(Indicator("ip", "192.0.2.1")) == "192[.]0[.]2[.]1"
    assert defang(Indicator("ip", "2001:db8::1")) == "2001[:]db8::1"
    assert defang("see http://www.Evil.com/a.b, a.b@x.com (192.0.2.1:80) or System.Net in setup.exe; x[.]com") == (
        "see hxxp://www[.]Evil[.]com/a.b, a.b[@]x[.]com (192[.]0[.]2[.]1:80) or System.Net in setup.exe; x[.]com"
    )
    assert defang("nothing here.") == "nothing here."
