"""Write the table of RDAP servers out of IANA's bootstrap files (RFC 9224).

``python -m cortex_grow.source.registration.compile_bootstrap FILE...`` takes ``dns.json``, ``ipv4.json``, ``ipv6.json``
and ``asn.json`` of https://data.iana.org/rdap/, or one file that holds them by these names.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("data") / "rdap_bootstrap.json"
KINDS = ("dns", "ipv4", "ipv6", "asn")


def compiled(files: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The table: by kind the day of its publication, and the entries of each server in one text, parted by spaces.

    Of a server's addresses an ``https`` one is taken where there is one. Raises :class:`ValueError` for a file that is
    none of IANA's.
    """
    table: dict[str, Any] = {"published": {}}
    for kind in KINDS:
        if kind not in files:
            raise ValueError(f"the bootstrap file for {kind} is missing")
        table["published"][kind] = str(files[kind]["publication"])[:10]
        servers: dict[str, list[str]] = {}
        for entries, addresses in files[kind]["services"]:
            secure = [address for address in addresses if address.startswith("https://")]
            servers.setdefault((secure or addresses)[0], []).extend(str(entry).lower() for entry in entries)
        table[kind] = {server: " ".join(sorted(entries)) for server, entries in sorted(servers.items())}
    return table


def kind_of(file: Mapping[str, Any]) -> str:
    """Which of IANA's files this is, by its entries."""
    entry = str(file["services"][0][0][0])
    if ":" in entry:
        return "ipv6"
    if "/" in entry:
        return "ipv4"
    return "asn" if entry.replace("-", "").isdecimal() else "dns"


def main(paths: Iterable[str]) -> int:
    """Read the files and write the table."""
    files: dict[str, Mapping[str, Any]] = {}
    for path in paths:
        read = json.loads(Path(path).read_text(encoding="utf-8"))
        if "services" in read:
            files[kind_of(read)] = read
        else:
            files.update({kind: read[kind] for kind in KINDS if kind in read})
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(json.dumps(compiled(files), indent=0, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
