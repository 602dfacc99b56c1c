"""Candidate principles: read from pool files, or made of texts that a model proposed; made fit to be added to a file of principles.

What says what the file says already, or what another candidate says (word for word, or by the share of words that lint calls a near
duplicate), is left out. An id that the file has is changed. Asks nobody, and knows nothing of how good a candidate is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from constitution.interchange.assemble import assemble, free_id
from constitution.interchange.read import read_foreign
from constitution.interchange.source import Entry, Reading
from constitution.lint.words import close_pairs, overlaps, plain, stance
from constitution.load import load
from constitution.model import Constitution, Principle, Status
from constitution.sources import shipped
from tenet.errors import UsageError

CLOSE: Final = 0.75
"""Share of words from which two texts are near duplicates: that of `tenet principles lint`."""


@dataclass(frozen=True)
class Candidates:
    """The candidates, all active and with ids that the file does not have; `remarks` say what was left out or renamed."""

    principles: tuple[Principle, ...]
    remarks: tuple[str, ...]


def read_pool(files: Sequence[str]) -> list[Principle]:
    """The principles of pool files: principles files by path or shipped name, or any format that `principles import` reads.

    Raises:
        MissingInput, InvalidInput: a file is not there or cannot be read; with the lines.
    """
    return [one for file in files for one in _read(file) if one.status is not Status.RETIRED]


def of_texts(texts: Iterable[str]) -> list[Principle]:
    """Make principles of bare texts; ids are their first words.

    Raises:
        InvalidInput: there is no text, or one is too long.
    """
    reading = Reading(Path("proposals"))
    reading.entries.extend(Entry(number, {"text": text}) for number, text in enumerate(texts, 1))
    return list(assemble(reading).principles)


def for_file(found: Sequence[Principle], file: Constitution) -> Candidates:
    """Keep the candidates that say something new beside a file's active principles and each other.

    Raises:
        UsageError: none is left.
    """
    taken = {one.id for one in file.principles}
    remarks: list[str] = []
    kept: list[Principle] = []
    for one in _unlike(found, file.active, remarks):
        id_ = free_id(one.id, taken)
        if id_ != one.id:
            remarks.append(f"{one.id} is called {id_} here: the id is taken by another principle")
        taken.add(id_)
        kept.append(replace(one, id=id_, status=Status.ACTIVE))
    if not kept:
        raise UsageError(
            "\n  ".join(["no candidate says anything that the file and the other candidates do not say", *remarks]),
            hint="give other candidates with --pool",
        )
    return Candidates(tuple(kept), tuple(remarks))


def _read(file: str) -> Sequence[Principle]:
    path = Path(file)
    if path.suffix.lower() in (".yaml", ".yml") or file in shipped():
        return load(file).principles
    return read_foreign(path).constitution.principles


def _unlike(found: Sequence[Principle], held: Sequence[Principle], remarks: list[str]) -> list[Principle]:
    """The candidates that are like nothing before them; the others go to the remarks."""
    texts = [one.text for one in (*held, *found)]
    alike = {j: i for i, j, _ in close_pairs(len(texts), overlaps(texts), CLOSE)} if len(texts) > 1 else {}
    kept: list[Principle] = []
    for place, one in enumerate(found, len(held)):
        i = alike.get(place)
        if i is None or _opposite(texts[i], one.text):
            kept.append(one)
            continue
        says = "says" if plain(texts[i]) == plain(one.text) else "says nearly"
        other = f"the file's {held[i].id}" if i < len(held) else found[i - len(held)].id
        remarks.append(f"{one.id} is left out: it {says} what {other} says")
    return kept


def _opposite(one: str, other: str) -> bool:
    (topic, side), (other_topic, other_side) = stance(one), stance(other)
    return topic == other_topic and side != other_side
