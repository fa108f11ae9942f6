"""The canonical form of each type, and what is refused for which reason."""

from __future__ import annotations

import pytest

from cortex_grow.model.indicator import TYPES, Indicator, InvalidIndicator, refang
from cortex_grow.model.relations import vocabulary

MD5, SHA256 = "d41d8cd98f00b204e9800998ecf8427e", "ab" * 32

# type asked for, text, type and value that come of it
VALID = [
    ("host", "EVIL.com.", "domain:evil.com"),
    ("host", "www.evil.com", "fqdn:www.evil.com"),
    ("host", "192.0.2.1", "ip:192.0.2.1"),
    ("host", "2001:DB8::1", "ip:2001:db8::1"),
    ("domain", "www.example.co.uk", "fqdn:www.example.co.uk"),
    ("fqdn", "example.co.uk", "domain:example.co.uk"),
    ("fqdn", "co.uk", "domain:co.uk"),
    ("domain", "com", "domain:com"),
    ("domain", "github.io", "domain:github.io"),
    ("domain", "evil.github.io", "fqdn:evil.github.io"),
    ("domain", "пример.рф", "domain:xn--e1afmkfd.xn--p1ai"),
    ("domain", "XN--E1AFMKFD.xn--p1ai", "domain:xn--e1afmkfd.xn--p1ai"),
    ("domain", "straße.de", "domain:xn--strae-oqa.de"),
    ("domain", "例え。jp", "domain:xn--r8jz45g.jp"),
    ("fqdn", "_dmarc.example.com", "fqdn:_dmarc.example.com"),
    ("fqdn", "-odd-.r3---sn-x.example.com", "fqdn:-odd-.r3---sn-x.example.com"),
    ("domain", "README.md", "domain:readme.md"),
    ("domain", "dc01.corp.local", "fqdn:dc01.corp.local"),
    ("domain", "evil.example", "domain:evil.example"),
    ("domain", "expyuzz4wqqyqhjn.onion", "domain:expyuzz4wqqyqhjn.onion"),
    ("hostname", "DESKTOP-7AB", "hostname:desktop-7ab"),
    ("hostname", "dc01.corp.lan", "hostname:dc01.corp.lan"),
    ("hostname", "www.evil.com", "fqdn:www.evil.com"),
    ("ip", " 198.51.100.7 ", "ip:198.51.100.7"),
    ("ip", "2001:0DB8:0:0:0:0:0:1", "ip:2001:db8::1"),
    ("ip", "::FFFF:c000:0201", "ip:::ffff:192.0.2.1"),
    ("ip", "::ffff:192.0.2.1", "ip:::ffff:192.0.2.1"),
    ("ip", "0.0.0.0", "ip:0.0.0.0"),
    ("network", "10.1.2.3/8", "network:10.0.0.0/8"),
    ("network", "2001:DB8:ffff::/32", "network:2001:db8::/32"),
    ("network", "::ffff:192.0.2.0/120", "network:::ffff:192.0.2.0/120"),
    ("network", "192.0.2.1/32", "network:192.0.2.1/32"),
    ("autonomous-system", "as64496", "autonomous-system:AS64496"),
    ("autonomous-system", "64496", "autonomous-system:AS64496"),
    ("autonomous-system", "ASN 0064496", "autonomous-system:AS64496"),
    ("url", "HTTP://Evil.COM:80/A?B#c", "url:http://evil.com/A?B#c"),
    ("url", "https://evil.com:443", "url:https://evil.com/"),
    ("url", "https://evil.com:80/", "url:https://evil.com:80/"),
    ("url", "http://evil.com:/x", "url:http://evil.com/x"),
    ("url", "http://evil.com:0080/x", "url:http://evil.com/x"),
    ("url", "http://User:Pa@ss@EVIL.com/", "url:http://User:Pa@ss@evil.com/"),
    ("url", "ftp://EVIL.com:21/f", "url:ftp://evil.com/f"),
    ("url", "ftps://evil.com:990/f", "url:ftps://evil.com/f"),
    ("url", "ldap://192.0.2.1:1389/o=x", "url:ldap://192.0.2.1:1389/o=x"),
    ("url", "http://[2001:DB8::1]:8080/", "url:http://[2001:db8::1]:8080/"),
    ("url", "http://[::ffff:c000:201]/", "url:http://[::ffff:192.0.2.1]/"),
    ("url", "http://пример.рф/ы", "url:http://xn--e1afmkfd.xn--p1ai/ы"),
    ("url", "http://evil.com./", "url:http://evil.com/"),
    ("url", "http://localhost/x", "url:http://localhost/x"),
    ("url", "http://dc01.corp.lan/x", "url:http://dc01.corp.lan/x"),
    ("url", "http://3221225985/x", "url:http://192.0.2.1/x"),
    ("url", "http://0xC0.0.513/x", "url:http://192.0.2.1/x"),
    ("url", "http://0300.0.02.1/x", "url:http://192.0.2.1/x"),
    ("url", "http://evil.com?x=1", "url:http://evil.com/?x=1"),
    ("mail", "John.Doe+Tag@My-ISP.com", "mail:john.doe+tag@my-isp.com"),
    ("mail", "x@пример.рф", "mail:x@xn--e1afmkfd.xn--p1ai"),
    ("mail", "ceo@corp.local", "mail:ceo@corp.local"),
    ("hash", MD5.upper(), f"hash:{MD5}"),
    ("hash", "AB" * 28, "hash:" + "ab" * 28),
    ("hash", "AB" * 48, "hash:" + "ab" * 48),
    ("hash", "3:abc:def", "hash:3:abc:def"),
    ("hash", "196608:A/+z:", "hash:196608:A/+z:"),
    ("hash", "t1" + "ab" * 35, "hash:T1" + "AB" * 35),
    ("hash", "ab" * 35, "hash:T1" + "AB" * 35),
    ("file", SHA256.upper(), f"file:{SHA256}"),
    ("certificate", ":".join(["AB"] * 20), "certificate:" + "ab" * 20),
    ("certificate", "AB" * 32, "certificate:" + "ab" * 32),
    ("ja3", MD5.upper(), f"ja3:{MD5}"),
    ("ja3s", MD5, f"ja3s:{MD5}"),
    ("hassh", MD5, f"hassh:{MD5}"),
    ("imphash", MD5, f"imphash:{MD5}"),
    ("jarm", "2A" * 31, "jarm:" + "2a" * 31),
    ("favicon", "-2147483648", "favicon:-2147483648"),
    ("favicon", "007", "favicon:7"),
    ("favicon", MD5.upper(), f"favicon:{MD5}"),
    ("registry", r"hklm\SOFTWARE\Windows NT\x", r"registry:HKEY_LOCAL_MACHINE\SOFTWARE\Windows NT\x"),
    ("registry", r"HKCU:\Software", r"registry:HKEY_CURRENT_USER\Software"),
    ("registry", r"<HKU>\S-1-5\x", r"registry:HKEY_USERS\S-1-5\x"),
    ("registry", r"\REGISTRY\MACHINE\SYSTEM", r"registry:HKEY_LOCAL_MACHINE\SYSTEM"),
    ("registry", r"\Registry\User\S-1-5", r"registry:HKEY_USERS\S-1-5"),
    ("registry", r"Computer\HKEY_CLASSES_ROOT\.exe", r"registry:HKEY_CLASSES_ROOT\.exe"),
    ("registry", r"Software\Microsoft\Run", r"registry:Software\Microsoft\Run"),
    ("cve", "cve-2021-44228", "cve:CVE-2021-44228"),
    ("technique", "t1059.001", "technique:T1059.001"),
    ("technique", "T1059", "technique:T1059"),
    ("mutex", r"  Global\a b ", r"mutex:Global\a b"),
    ("family", "Emotet", "family:Emotet"),
    ("actor", "APT 28", "actor:APT 28"),
    ("organisation", "Evil, Inc.", "organisation:Evil, Inc."),
    ("rule", "MAL_x", "rule:MAL_x"),
    ("filename", "a b\u202ecod.exe", "filename:a b\u202ecod.exe"),
    ("user-agent", "curl/8", "user-agent:curl/8"),
    ("mail-subject", "Re: x", "mail-subject:Re: x"),
    ("regexp", "evil[.]com", "regexp:evil[.]com"),
    ("uri_path", "/gate.php", "uri_path:/gate.php"),
    ("other", "anything: at all", "other:anything: at all"),
    ("other", f"JA3: {MD5.upper()}", f"ja3:{MD5}"),
    ("other", "network:10.0.0.0/8", "network:10.0.0.0/8"),
    ("other", r"mutex:Global\x:y", r"mutex:Global\x:y"),
    ("other", "cve-2021-44228", "cve:CVE-2021-44228"),
    ("other", "T1059", "technique:T1059"),
]

# type, text, what the reason says
INVALID = [
    *[(type, "", "is empty") for type in sorted(TYPES)],
    *[(type, "a\x00b", "control character") for type in sorted(TYPES)],
    *[(type, "a\ud800b", "control character") for type in sorted(TYPES)],
    *[(type, "a" * 4097, "longer than 4096") for type in sorted(TYPES)],
    ("ip", "999.1.1.1", "above 255 (999)"),
    ("ip", "1.2.3", "four numbers"),
    ("ip", "1.2.3.4.5", "four numbers"),
    ("ip", "1.2.3.04", "leading zero"),
    ("ip", "1.2.3.٤", "four numbers"),
    ("ip", "1.2.3.4/32", "four numbers"),
    ("ip", "fe80::1%eth0", "zone"),
    ("ip", "add::after", "no IPv6"),
    ("ip", "1::2::3", "no IPv6"),
    ("ip", "[::1]", "no IPv6"),
    ("host", "setup.exe", "no known public suffix"),
    ("host", "kernel32.dll", "no known public suffix"),
    ("host", "1.2.3.4.5", "four numbers"),
    ("domain", "1.2.3.4", "number"),
    ("domain", "*.evil.com", "no name of a host has"),
    ("domain", "a..com", "empty label"),
    ("domain", ".evil.com", "empty label"),
    ("domain", "a_b.com", "no registry hands out"),
    ("domain", "-a.com", "no registry hands out"),
    ("domain", "a" * 64 + ".com", "more than 63"),
    ("domain", "a." * 127 + "com", "253"),
    ("domain", "evil com", "no name of a host has"),
    ("domain", "☃.net", "U+2603"),
    ("domain", "evil.com/x", "no name of a host has"),
    ("host", "localhost", "no known public suffix"),
    ("fqdn", "e.g", "no known public suffix"),
    ("fqdn", "obj.method", "no known public suffix"),
    ("hostname", "10.0.0.1", "number"),
    ("hostname", "a b", "no name of a host has"),
    ("network", "10.0.0.0", "CIDR"),
    ("network", "10.0.0.0/33", "too long"),
    ("network", "10.0.0.0/255.0.0.0", "CIDR"),
    ("network", "2001:db8::/129", "too long"),
    ("network", "10.0.0/8", "four numbers"),
    ("autonomous-system", "AS4294967296", "from 1 to"),
    ("autonomous-system", "AS0", "from 1 to"),
    ("autonomous-system", "AS-X", "from 1 to"),
    ("url", "evil.com/x", "scheme"),
    ("url", "mailto:a@b.com", "scheme"),
    ("url", "file:///etc/passwd", "no host"),
    ("url", "http://", "no host"),
    ("url", "http://user@/", "no host"),
    ("url", "hxxp://evil.com/", "defanged"),
    ("url", "fxp://evil.com/", "defanged"),
    ("url", "http://evil[.]com/", "no name of a host has"),
    ("url", "http://evil.com/a b", "white space"),
    ("url", "http://evil.com/a\u00a0b", "white space"),
    ("url", "http://evil.com\\x", "backslash"),
    ("url", "http://evil.com:99999/", "port"),
    ("url", "http://evil.com:0/", "port"),
    ("url", "http://evil.com:8a/", "port"),
    ("url", "http://1.2.3.4.5/", "neither an address nor a name"),
    ("url", "http://999.1.1.1/", "neither an address nor a name"),
    ("url", "http://1.2.3.08/", "neither an address nor a name"),
    ("url", "http://4294967296/", "neither an address nor a name"),
    ("url", "http://2001:db8::1/", "port"),
    ("url", "http://[2001:db8::1/", "no address"),
    ("url", "http://[::1%25eth0]/", "zone"),
    ("url", "http://[1.2.3.4]/", "no address"),
    ("url", "http://[::1]x/", "no address"),
    ("url", "http://ev%69l.com/", "no name of a host has"),
    ("url", "http://a..com/", "empty label"),
    ("mail", "a.b.com", "no @"),
    ("mail", "a@b@c.com", "more than one"),
    ("mail", "@b.com", "before the @"),
    ("mail", ".a@b.com", "before the @"),
    ("mail", "a..b@b.com", "before the @"),
    ("mail", '"a b"@b.com', "before the @"),
    ("mail", "a" * 65 + "@b.com", "before the @"),
    ("mail", "a@setup.exe", "no known public suffix"),
    ("mail", "a@192.0.2.1", "number"),
    ("hash", "ab" * 31, "62 hexadecimal digits"),
    ("hash", "zz" * 16, "no MD5"),
    ("hash", "7:abc:def", "block size"),
    ("hash", "0:abc:def", "block size"),
    ("hash", "3:abc", "no MD5"),
    ("file", "3:abc:def", "similarity"),
    ("certificate", MD5, "40 or 64"),
    ("jarm", MD5, "62"),
    ("ja3", "x" * 32, "32 hexadecimal"),
    ("favicon", "2147483648", "32-bit"),
    ("favicon", "+5", "32 hexadecimal"),
    ("cve", "CVE-21-1", "CVE-2021-44228"),
    ("technique", "T10590", "T1059"),
    ("registry", "HKEY_LOCAL_MACHINE", "backslash"),
    ("other", "ja3:nonsense", "32 hexadecimal"),
    ("nonsense", "x", "no type of indicator"),
]


@pytest.mark.parametrize(("type", "text", "wanted"), VALID)
def test_canonical(type: str, text: str, wanted: str) -> None:
    found = Indicator.parse(type, text)
    assert found.id == wanted
    assert Indicator.parse(found.type, found.value) == found
    assert refang(found.defanged, found.type) == found.value
    back = Indicator.from_observable(*found.observable())
    assert back == (Indicator("hash", found.value) if found.type == "file" else found)


@pytest.mark.parametrize(("type", "text", "reason"), INVALID)
def test_refused(type: str, text: str, reason: str) -> None:
    with pytest.raises(InvalidIndicator) as caught:
        Indicator.parse(type, text)
    assert reason in caught.value.reason
    assert caught.value.reason in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_every_type_is_covered_and_nothing_else_is_a_type() -> None:
    thehive = (
        "url other user-agent regexp mail-subject registry mail autonomous-system domain ip uri_path filename hash"
    )
    own = "certificate ja3 ja3s jarm hassh imphash favicon mutex network organisation cve technique family actor rule"
    assert {*thehive.split(), *own.split(), "file", "fqdn", "hostname"} == TYPES
    assert {wanted.partition(":")[0] for _, _, wanted in VALID} == TYPES
    ends = {type for relation in vocabulary().values() for type in relation.sources | relation.targets}
    assert ends <= TYPES
