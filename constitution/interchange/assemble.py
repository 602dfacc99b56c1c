"""Makes principles of the entries that a format found: ids, lengths, weights, and clean text.

Reports every problem of a file at once, with the line. Knows no format.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any, Final

from constitution.interchange.source import Entry, Reading
from constitution.model import Principle, Status, Tier
from constitution.shape import schema
from tenet.errors import InvalidInput
from tenet.ids import Json
from tenet.reading.clean import clean

TEXTS: Final = ("text", "compare", "critique", "revise")
LONGEST_ID: Final = 64
WORDS: Final = 7
_OPENING: Final = re.compile(
    r"(?i)^(please\s+)?((select|choose|pick|(re)?write|revise|amend) )?the ((ai|model|assistant)('s)? )?"
    r"((last |preceding )?(response|ai|model|assistant) )?((that|which|should|must|to|so that it|is)\W+)*"
)


@dataclass(frozen=True)
class Assembled:
    """Principles, the comments that stand above them by id, and what a person should know of them."""

    principles: tuple[Principle, ...]
    comments: Mapping[str, str]
    remarks: tuple[str, ...]


def assemble(reading: Reading) -> Assembled:
    """Make principles of what was read.

    Raises:
        InvalidInput: a text is missing or too long, a weight is not above 0, or there is no entry; with the lines.
    """
    if not reading.entries and not reading.problems:
        reading.problem("there is no principle in this file", 1)
    limit: int = schema()["$defs"]["sentence"]["maxLength"]
    ids: dict[str, Entry] = {}
    renamed: list[str] = []
    changed = 0
    made = []
    for number, entry in enumerate(reading.entries, 1):
        fields, cleaned = _fields(reading, entry, limit)
        changed += cleaned
        wanted = slug(entry.name) or slug(_OPENING.sub("", str(fields.get("text", ""))), WORDS) or f"principle-{number}"
        id_ = free_id(wanted, ids)
        if id_ != wanted and entry.name:
            renamed.append(f'line {entry.line}: the name "{entry.name}" gives an id that is taken; this one is {id_}')
        ids[id_] = entry
        made.append((id_, fields))
    if reading.problems:
        count = "1 problem" if len(reading.problems) == 1 else f"{len(reading.problems)} problems"
        raise InvalidInput(f"cannot import {reading.path}: {count}", reading.problems)
    remarks = [*_unread(reading), *renamed, *reading.remarks]
    if changed:
        remarks.append(f"characters that no file can carry (NUL, halves of pairs) were removed from {changed} texts")
    comments = {id_: entry.comment for id_, entry in ids.items() if entry.comment}
    return Assembled(tuple(_principle(id_, fields) for id_, fields in made), comments, tuple(remarks))


def slug(name: str, words: int = LONGEST_ID) -> str:
    """Make lower-case words joined by hyphens of a name: its first few; empty where it has no Latin letter or digit.

    Accents are dropped. A name that is such words already stays as it is.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    found = re.findall(r"[a-z0-9]+", plain.replace("'", "").lower())
    if found and not found[0][0].isalpha():
        found.insert(0, "principle")
    text = "-".join(found[:words])
    if len(text) > LONGEST_ID:
        text = text[: LONGEST_ID + 1].rpartition("-")[0] or text[:LONGEST_ID]
    return text


def free_id(wanted: str, taken: Container[str]) -> str:
    """Return an id that is not taken: the wanted one, or it with the first number that makes it new."""
    if wanted not in taken:
        return wanted
    number = 2
    while (id_ := f"{wanted[: LONGEST_ID - len(str(number)) - 1].rstrip('-')}-{number}") in taken:
        number += 1
    return id_


def _fields(reading: Reading, entry: Entry, limit: int) -> tuple[dict[str, Json], int]:
    """Clean and check the fields of an entry; problems go to the reading. Also counts the texts that were cleaned."""
    fields: dict[str, Json] = {}
    changed = 0
    for key, given in entry.fields.items():
        value = given
        if isinstance(given, str):
            kept, done = clean(given)
            value = kept.strip()
            changed += bool(done)
            if len(value) > limit and key in TEXTS:
                told = f"the {key} is {len(value):,} characters long, at most {limit:,} are read"
                reading.problem(told, entry.line, "shorten it, or make several principles of it")
        if value not in ("", None):
            fields[key] = value
    if "text" not in fields and not any(problem.line == entry.line for problem in reading.problems):
        reading.problem("the text is empty", entry.line)
    weight = fields.get("weight", 1)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < math.inf:
        reading.problem(f"the weight must be a number above 0, not {weight!r}", entry.line)
    for key, kind in (("tier", Tier), ("status", Status)):
        if key in fields and fields[key] not in [item.value for item in kind]:
            told = f'the {key} "{fields[key]}" is none of {", ".join(item.value for item in kind)}'
            reading.problem(told, entry.line)
    return fields, changed


def _principle(id_: str, fields: Mapping[str, Json]) -> Principle:
    given: dict[str, Any] = dict(fields)
    given |= {"weight": float(given.get("weight", 1)), "tier": Tier(given.get("tier", Tier.PRINCIPLE))}
    return Principle(id=id_, **(given | {"status": Status(given.get("status", Status.ACTIVE))}))


def _unread(reading: Reading) -> list[str]:
    told = []
    for what, lines in sorted(reading.unread.items(), key=lambda item: min(item[1])):
        more = f" and {len(lines) - 1:,} more" if len(lines) > 1 else ""
        told.append(f"line {min(lines)}{more}: {what} is not imported")
    return told
