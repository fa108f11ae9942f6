"""Files written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write ``content`` beside ``path`` and rename it into place, so that nobody ever reads half of it.

    Raises :class:`OSError`; what stood at ``path`` is then still there.
    """
    handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(beside, mode & ~umask)
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise
