"""What can go wrong with the lists."""

from __future__ import annotations


class HygieneError(Exception):
    """A list cannot be used; the text says which, why and what to do."""


class IndexFileError(HygieneError):
    """The compiled warning lists are missing, damaged or of another format."""


class AssetsError(HygieneError):
    """An own, allow or deny list cannot be read. No reason to go on without: what is yours would be asked of others."""
