"""All benchmarks, as ratios within one run: ``python -m benchmarks [process] [hygiene] [growth]``.

Absolute figures depend on the machine; each benchmark measures its yardstick in turn with the thing itself.
"""

from __future__ import annotations

import importlib
import sys

NAMES = ("process", "hygiene", "growth")


def main() -> int:
    """Run the benchmarks that are named, or all."""
    wanted = sys.argv[1:] or NAMES
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        print(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for name in wanted:
        print(f"== {name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
