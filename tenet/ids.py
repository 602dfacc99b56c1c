"""Content ids: what a record is called follows from what it holds. Knows nothing of the records themselves.

The rule is a contract, for ids are compared across machines and releases: SHA-256 over canonical JSON (keys sorted, no white space,
UTF-8, no NaN), written in hex. Records carry the first `ID_LENGTH` digits (96 bits: a collision among 10^9 records has a chance of
about 10^-11); files and fingerprints carry all 64.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ID_LENGTH = 24

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(value: Json) -> str:
    """Write a value so that equal values give equal text.

    Raises:
        ValueError: for NaN or an infinity, which JSON cannot carry.
    """
    return _CANONICAL.encode(value)


def digest(value: Json) -> str:
    """SHA-256 of a value's canonical JSON, 64 hex digits."""
    return hashlib.sha256(canonical_json(value).encode("utf-8")).hexdigest()


def stream_digest(parts: Iterable[str]) -> str:
    """SHA-256 of texts put together, 64 hex digits: `digest` of a value whose canonical JSON is too long to hold."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part.encode("utf-8"))
    return whole.hexdigest()


def content_id(kind: str, *parts: Json) -> str:
    """The id of a record of this kind with this content, `ID_LENGTH` hex digits."""
    return digest([kind, *parts])[:ID_LENGTH]


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_digests(place: Path) -> dict[str, str]:
    """Map each file of a data set (relative to its folder; a file alone by its name) to its `file_digest`. Markdown is no data."""
    if place.is_file():
        return {place.name: file_digest(place)}
    files = sorted(path for path in place.rglob("*") if path.is_file() and path.suffix != ".md")
    return {path.relative_to(place).as_posix(): file_digest(path) for path in files}


def unit_interval(*parts: Json) -> float:
    """A number in (0, 1) that depends on nothing but the parts: 53 bits of their digest.

    The strict bounds let callers take its logarithm, as weighted rendezvous hashing does.
    """
    word: int = struct.unpack(">Q", bytes.fromhex(digest(list(parts))[:16]))[0]
    return ((word >> 11) + 0.5) / (1 << 53)


def seed_from(*parts: Json) -> int:
    """A non-negative 31-bit seed that depends on nothing but the parts."""
    return int(digest(list(parts))[:8], 16) & 0x7FFF_FFFF
