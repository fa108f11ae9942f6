"""The layout of the compiled file ``warninglists.bin``, shared by the compiler and the index.

The file is read in place (mapped into memory): a fixed header, a table of sections, then the sections, each aligned to
eight bytes, numbers in little-endian order.

=========  ==============================================================================================
``META``   text: records parted by U+001E, their fields by U+001F: the file, the lists, the rules, the regular
           expressions and the entries of the small substring lists
``HEADS``  u32[65537]: where the keys of each bucket begin
``KEYS``   u64: the lower 64 bits of the keys, ascending within their bucket
``MARKS``  u8 beside each key: the number of its set; 255 stands for a number in ``RARE``
``RARE``   u32 pairs, ascending: the position of a key, the number of its set
``SETS``   u32: where each set begins in ``SETDATA``, and where the last one ends
``SETDATA``  pairs of bytes: a list and its rule, or 255 and a flag
``V4``     u32: where each range of IPv4 addresses begins; the first one is 0
``V4SETS``   u16: the set of each range
``V6``     16 bytes, big-endian: the same for IPv6
``V6SETS``   u16: the same
``NETS``   u32: where each set of networks begins in ``NETDATA``
``NETDATA``  triples of bytes: a list, the length of its network, its rule
``BITS``   bit field of the four-byte pieces that stand for the entries of the big substring lists
``GRAMS``  u32, ascending: those pieces
``GRAMENDS``  u32 beside each: where its entry ends in ``GRAMTEXT`` (it begins where the one before ends)
``GRAMSETS``  pairs of bytes beside each: list, rule
``GRAMTEXT``  the entries
=========  ==============================================================================================

**Keys.** Entries of string and host-name lists are not kept as text but as 80 bits of BLAKE2b. Entries never collide
among themselves (the compiler checks). The chance that a value which is on no list hits one of two million keys is
2e6/2**80, about 2e-18. To find a name that hits one on purpose takes about 2**59 hashes; with 64 bits it would have
been 2**43, which one graphics card does in an hour, and this file decides what an analyst does not get to see.
"""

from __future__ import annotations

import hashlib
import struct

MAGIC = b"cortex-grow\0warn"
FORMAT = 1
# Magic, format, number of sections, size of the file, CRC-32 of section table and META, CRC-32 of the rest.
HEADER = struct.Struct("<16sHHxxxxQII")
SECTION = struct.Struct("<QQ")
SECTIONS = (
    "META",
    "HEADS",
    "KEYS",
    "MARKS",
    "RARE",
    "SETS",
    "SETDATA",
    "V4",
    "V4SETS",
    "V6",
    "V6SETS",
    "NETS",
    "NETDATA",
    "BITS",
    "GRAMS",
    "GRAMENDS",
    "GRAMSETS",
    "GRAMTEXT",
)
# The sections that the index looks at as numbers of 16, 32 and 64 bits; the others are bytes.
NUMBERS = {
    **dict.fromkeys(("V4SETS", "V6SETS"), 16),
    **dict.fromkeys(("HEADS", "RARE", "SETS", "V4", "NETS", "GRAMS", "GRAMENDS"), 32),
    "KEYS": 64,
}

RECORD, FIELD = "\x1e", "\x1f"
BUCKETS = 1 << 16
RARE_MARK = 255
FLAG = 255
SHARED, ABUSED = 1, 2
GRAM = 4
BITS = 1 << 17


def key(text: str) -> tuple[int, int]:
    """The key of a folded entry or value: its bucket (16 bits) and the rest of it (64 bits)."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=10).digest()
    return digest[0] << 8 | digest[1], int.from_bytes(digest[2:], "big")


def bit(gram: int) -> int:
    """The place of a four-byte piece in the bit field (multiplicative hashing)."""
    return (gram * 2654435761 & 0xFFFFFFFF) >> 15
