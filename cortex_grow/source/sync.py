"""Write what every definition must repeat because Cortex and TheHive read nothing else, from one place.

``python -m cortex_grow.source.sync`` writes the common configuration items and ``config.worker`` into each analyzer's
declaration, the items of Grow out of those of the sources, the report templates of each definition out of one layout,
and the page of sources; ``--check`` only says what is out of step.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cortex_grow import pack

LAYOUT = Path(__file__).with_name("layout")
COMMON = Path(__file__).with_name("common_items.json")
GROW = "Grow"


def common_items() -> list[dict[str, Any]]:
    """The configuration items that every analyzer has."""
    items: list[dict[str, Any]] = json.loads(COMMON.read_text(encoding="utf-8"))
    return items


def in_step(row: dict[str, Any], sources: Iterable[dict[str, Any]] = ()) -> dict[str, Any]:
    """A declaration with the common items behind its own and ``config.worker``, Grow's items made from ``sources``."""
    common = common_items()
    names = {item["name"] for item in common}
    own = [item for item in row.get("configurationItems", []) if item["name"] not in names]
    if row["name"] == GROW:
        own = [item for item in own if not item.get("generated")]
        own.extend(_grow_items(sources))
    row = dict(row)
    row["configurationItems"] = own + common
    row["config"] = {**row.get("config", {}), "worker": row["name"]}
    return row


def _grow_items(sources: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every source's own items as ``<source>_<item>``, all optional."""
    names = {item["name"] for item in common_items()}
    made = []
    for source in sorted(sources, key=lambda row: str(row["name"])):
        for item in source.get("configurationItems", []):
            if item["name"] not in names:
                made.append(
                    {
                        **item,
                        "name": f"{source['name'].lower()}_{item['name']}",
                        "description": f"{source['name']}: {item['description']}",
                        "required": False,
                        "generated": True,
                    }
                )
    return made


def written(row: dict[str, Any]) -> str:
    """A declaration as its file holds it."""
    return json.dumps(row, indent=2, ensure_ascii=False) + "\n"


def sync(folder: Path, check: bool = False) -> list[Path]:
    """Bring every declaration below ``folder`` into step; the files that were not, written unless ``check``."""
    rows = {path: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*/*.json"))}
    sources = [row for row in rows.values() if row["name"] != GROW]
    changed = []
    for path, row in rows.items():
        wanted = written(in_step(row, sources))
        if path.read_text(encoding="utf-8") != wanted:
            changed.append(path)
            if not check:
                path.write_text(wanted, encoding="utf-8")
    return changed


def sync_templates(definitions: Path, folder: Path, check: bool = False) -> list[Path]:
    """Bring the templates of every definition below ``definitions`` into step; those that were not.

    A source may add a section of its own to the long report: ``<Name>.section.html`` beside its declaration stands
    before the provenance.
    """
    changed = []
    for path in sorted(definitions.glob("*/*.json")):
        row = json.loads(path.read_text(encoding="utf-8"))
        place = folder / f"{row['name']}_{row['version']}".replace(".", "_")
        section = path.with_suffix(".section.html")
        for name in ("long.html", "short.html"):
            wanted = (LAYOUT / name).read_text(encoding="ascii")
            if name == "long.html" and section.exists():
                head, mark, tail = wanted.rpartition('<div class="text-muted">')
                wanted = f"{head}{section.read_text(encoding='ascii')}\n{mark}{tail}"
            template = place / name
            if not template.exists() or template.read_text(encoding="utf-8") != wanted:
                changed.append(template)
                if not check:
                    place.mkdir(parents=True, exist_ok=True)
                    template.write_text(wanted, encoding="ascii")
    return changed


def sources_page(definitions: Path) -> str:
    """``docs/sources.md``: every source on one page, from the declarations."""
    lines = [
        "# Sources",
        "",
        "Written by `python -m cortex_grow.source.sync` from the declarations. What a source asks, discloses and costs",
        "in detail stands in the README beside it.",
        "",
        "| source | data types | exposure | calls | quota of a key | key | relations | may be shared |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for path in sorted(definitions.glob("*/*.json")):
        row = json.loads(path.read_text(encoding="utf-8"))
        grow = row.get("grow", {})
        if not grow.get("yields"):
            continue
        exposure = grow["exposure"]
        if not isinstance(exposure, str):
            exposure = ", ".join(f"{part}: {name}" for part, name in exposure.items())
        calls = sorted({grow.get("calls", {}).get(name, 1) for name in row["dataTypeList"]})
        quota = ", ".join(f"{number} a {unit}" for unit, number in grow.get("quota", {}).items())
        relations = sorted({name for names in grow["yields"].values() for name in names})
        cells = [
            f"[{row['name']}](../analyzers/{path.parent.name}/README.md)",
            ", ".join([*row["dataTypeList"], *grow.get("also", [])]),
            exposure,
            " to ".join(map(str, dict.fromkeys((calls[0], calls[-1])))),
            quota or "none declared",
            f"`{grow['key']}`" if grow.get("key") else "none",
            ", ".join(relations),
            grow.get("share", "own-organisation"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def sync_docs(definitions: Path, docs: Path, check: bool = False) -> list[Path]:
    """Bring the page of sources into step; nothing where there is no folder of docs (an installed pack)."""
    page, wanted = docs / "sources.md", sources_page(definitions)
    if not docs.is_dir() or (page.exists() and page.read_text(encoding="utf-8") == wanted):
        return []
    if not check:
        page.write_text(wanted, encoding="utf-8")
    return [page]


def main() -> int:
    """The command."""
    check = "--check" in sys.argv[1:]
    changed = sync(pack.analyzers(), check) + sync_templates(pack.analyzers(), pack.templates(), check)
    changed += sync_docs(pack.analyzers(), pack.root() / "docs", check)
    for path in changed:
        print(f"{'out of step' if check else 'written'}: {path}")
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
