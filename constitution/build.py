"""Makes records of a principle's field values. Expects values that the schema has accepted; knows no file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from constitution.merge import Draft
from constitution.model import Condition, Example, Principle, PrincipleTest, Silence, Status, Tier


def principle(draft: Draft) -> Principle:
    """Make the record of a principle; a field that is missing or null has its default."""
    given: dict[str, Any] = {key: value for key, value in draft.fields.items() if value is not None}
    return Principle(
        id=given["id"],
        text=given["text"].strip(),
        compare=_stripped(given.get("compare")),
        critique=_stripped(given.get("critique")),
        revise=_stripped(given.get("revise")),
        weight=float(given.get("weight", 1.0)),
        tier=Tier(given.get("tier", Tier.PRINCIPLE)),
        applies_when=_conditions(given.get("applies_when")),
        examples=tuple(_example(item) for item in given.get("examples", ())),
        counterexamples=tuple(_example(item) for item in given.get("counterexamples", ())),
        yields_to=tuple(given.get("yields_to", ())),
        tests=tuple(_test(item) for item in given.get("tests", ())),
        source=given.get("source", "").strip(),
        status=Status(given.get("status", Status.ACTIVE)),
        overrides_for=given.get("overrides_for", ""),
        lint=tuple(Silence(rule, (reason or "").strip()) for rule, reason in given.get("lint", {}).items()),
        line=draft.place.line,
        path=draft.place.document.path,
    )


def _stripped(text: str | None) -> str | None:
    return text.strip() if text is not None else None


def _conditions(given: Any) -> tuple[Condition, ...]:
    items = given if isinstance(given, list) else [given]
    return tuple(_condition(item) for item in items if item is not None)


def _condition(item: Mapping[str, Any]) -> Condition:
    tags = item.get("tags", {})
    return Condition(tuple(tags.get("any", ())), tuple(tags.get("all", ())), item.get("pattern", ""))


def _example(item: Mapping[str, Any]) -> Example:
    return Example(item["prompt"].strip(), item["response"].strip())


def _test(item: Mapping[str, Any]) -> PrincipleTest:
    return PrincipleTest(
        prompt=item["prompt"].strip(),
        better=item.get("better", "").strip(),
        worse=item.get("worse", "").strip(),
        tags=tuple(item.get("tags", ())),
        applies=item.get("applies", True),
    )
