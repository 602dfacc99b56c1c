"""Writes a constitution in another project's format, and tells what is lost.

The loss is found by reading back what was written, so that it is exact whatever the texts hold. Writes no file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from constitution.interchange.assemble import assemble
from constitution.interchange.source import Format, Source
from constitution.model import Constitution, Principle
from tenet.errors import UsageError

# What each field is worth to a reader: what counts, whichever way it was written.
FIELDS: Final[dict[str, Callable[[Principle], object]]] = {
    "id": lambda one: one.id,
    "text": lambda one: one.text,
    "compare": lambda one: one.compare_question,
    "critique": lambda one: one.critique_question,
    "revise": lambda one: one.revise_instruction,
    "weight": lambda one: one.weight,
    "tier": lambda one: one.tier,
    "applies_when": lambda one: one.applies_when,
    "examples": lambda one: one.examples,
    "counterexamples": lambda one: one.counterexamples,
    "yields_to": lambda one: one.yields_to,
    "tests": lambda one: one.tests,
    "source": lambda one: one.source,
    "status": lambda one: one.status,
}
HEADING: Final = ("name", "version", "description", "licence")


@dataclass(frozen=True)
class Exported:
    """A file's text; `lost` names by field the principles that do not read back equal, `left_out` those not written.

    `heading` are the fields of the whole file that are lost.
    """

    text: str
    lost: dict[str, tuple[str, ...]]
    left_out: tuple[str, ...]
    heading: tuple[str, ...]

    def told(self) -> str:
        """Say what is lost: `weight of 3 principles, tests of 12`; empty where nothing is."""
        counts = [f"{field} of {len(ids):,}" for field, ids in self.lost.items()]
        if counts:
            counts[0] += " principle" if len(next(iter(self.lost.values()))) == 1 else " principles"
        return ", ".join([*(f"the file's {field}" for field in self.heading), *counts])


def export(constitution: Constitution, form: Format) -> Exported:
    """Write a constitution in a format; principles that are not active are left out where it cannot say so.

    Raises:
        UsageError: no principle is left to write.
    """
    kept = constitution.principles if "status" in form.carries else constitution.active
    if not kept:
        raise UsageError(f"{constitution.name} has no active principle", hint="give one of them `status: active`")
    left_out = tuple(one.id for one in constitution.principles if one not in kept)
    text = form.write(replace(constitution, principles=kept))
    reading = form.read(Source(Path(f"{form.name} export"), text.encode("utf-8", "surrogatepass")))
    again = assemble(reading).principles
    if len(again) != len(kept):
        raise AssertionError(f"{form.name} wrote {len(kept)} principles and read {len(again)} back")
    pairs = list(zip(kept, again, strict=True))
    lost = {
        field: tuple(one.id for one, other in pairs if value(one) != value(other)) for field, value in FIELDS.items()
    }
    held = {"name": reading.name, "version": "", "description": reading.description.strip(), "licence": ""}
    heading = tuple(field for field in HEADING if getattr(constitution, field) not in ("", held[field]))
    return Exported(text, {field: ids for field, ids in lost.items() if ids}, left_out, heading)
