"""Puts the difference of two principles files into words for a terminal, word by word, and into plain values for `--json`.

Knows no command. Without colour, what is gone stands in `[-...-]` and what is new in `{+...+}`, as `git diff --word-diff` writes it.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Final

import click

from constitution.diff import Change, Difference
from constitution.model import Principle
from constitution.render import WIDTH, conditions
from tenet.ids import Json

_SIGNS: Final = {"added": "+", "removed": "-"}
_LABEL: Final = 14


def rendered(difference: Difference, *, colour: bool = False) -> str:
    """The whole difference as text: a line of counts, then each change."""
    lines = [_headline(difference)]
    for change in difference.changes:
        lines += ["", *_change(change, colour=colour)]
    if difference.reordered:
        lines += ["", "The principles that both files have come in another order."]
    return "\n".join(lines)


def word_diff(before: str, after: str) -> list[tuple[str, str]]:
    """Two texts as pieces, in order, each `same`, `gone` or `new`; white space is not told apart."""
    old, new = before.split(), after.split()
    pieces: list[tuple[str, str]] = []
    for kind, i, j, k, n in SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if kind == "equal":
            pieces.append(("same", " ".join(old[i:j])))
            continue
        pieces += [("gone", " ".join(old[i:j]))] * (j > i) + [("new", " ".join(new[k:n]))] * (n > k)
    return pieces


def as_json(difference: Difference) -> dict[str, Json]:
    """The difference for `--json`."""
    first, second = difference.first, difference.second
    return {
        "first": {"name": first.name, "version": first.version, "path": str(first.path), "digest": first.digest},
        "second": {"name": second.name, "version": second.version, "path": str(second.path), "digest": second.digest},
        "identical": difference.identical,
        "changes_labels": difference.changes_labels,
        "reordered": difference.reordered,
        "changes": [_change_json(change) for change in difference.changes],
    }


def _headline(difference: Difference) -> str:
    kinds: dict[str, int] = {}
    for change in difference.changes:
        for kind in change.kinds:
            kinds[kind] = kinds.get(kind, 0) + 1
    told = ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "no principle differs"
    return f"{difference.first.path} -> {difference.second.path}: {told}"


def _change(change: Change, *, colour: bool) -> Iterator[str]:
    before, after = change.before, change.after
    if before is None or after is None:
        (one,) = change.principles
        (kind,) = change.kinds
        yield _coloured(f"{_SIGNS[kind]} {one.id} ({kind})", kind, colour=colour)
        yield from _lines("text", one.text)
        yield from _lines("standing", f"{one.tier}, weight {one.weight:g}, {one.status}; {conditions(one)}")
        return
    name = after.id if before.id == after.id else f"{before.id} -> {after.id}"
    yield f"~ {name} ({', '.join(change.kinds)})"
    for field in change.fields:
        if field != "id":
            yield from _lines(field, _edited(field, before, after, colour=colour))


def _edited(field: str, before: Principle, after: Principle, *, colour: bool) -> str:
    old, new = _told(field, before), _told(field, after)
    if field in ("text", "compare", "critique", "revise"):
        return " ".join(_marked(kind, text, colour=colour) for kind, text in word_diff(old, new))
    return f"{old} -> {new}"


def _told(field: str, principle: Principle) -> str:
    """A field's value in words."""
    match field:
        case "compare":
            return principle.compare_question
        case "critique":
            return principle.critique_question
        case "revise":
            return principle.revise_instruction
        case "weight":
            return f"{principle.weight:g}"
        case "applies_when":
            return conditions(principle)
        case "yields_to":
            return ", ".join(principle.yields_to) or "none"
        case "examples" | "counterexamples" | "tests":
            return f"{len(getattr(principle, field))}"
        case _:
            return str(getattr(principle, field)) or "none"


def _marked(kind: str, text: str, *, colour: bool) -> str:
    if kind == "same":
        return text
    if colour:
        return _coloured(text, "removed" if kind == "gone" else "added", colour=True)
    return f"[-{text}-]" if kind == "gone" else f"{{+{text}+}}"


def _coloured(text: str, kind: str, *, colour: bool) -> str:
    if not colour:
        return text
    return (
        click.style(text, fg="green") if kind == "added" else click.style(text, fg="red", strikethrough=kind == "gone")
    )


def _lines(label: str, text: str) -> list[str]:
    """A label beside a text, folded; escape sequences are of no width on a terminal, and so are left whole on one line."""
    if re.search("\x1b", text):
        return [f"    {label:<{_LABEL}}{text}"]
    wrapped = textwrap.wrap(text, WIDTH - _LABEL - 4, break_long_words=False, break_on_hyphens=False) or [""]
    return [f"    {label if not place else '':<{_LABEL}}{line}" for place, line in enumerate(wrapped)]


def _change_json(change: Change) -> dict[str, Json]:
    return {
        "id": change.id,
        "kinds": list(change.kinds),
        "can_change_verdicts": change.decides,
        "before": _principle_json(change.before),
        "after": _principle_json(change.after),
        "words": [
            [kind, text] for kind, text in word_diff(change.before.text, change.after.text)
        ] if change.before and change.after else None,
    }  # fmt: skip


def _principle_json(principle: Principle | None) -> Json:
    if principle is None:
        return None
    return {
        "id": principle.id, "text": principle.text, "compare": principle.compare_question,
        "critique": principle.critique_question, "revise": principle.revise_instruction, "weight": principle.weight,
        "tier": principle.tier.value, "applies_when": [one.as_json() for one in principle.applies_when],
        "yields_to": list(principle.yields_to), "status": principle.status.value, "digest": principle.digest,
    }  # fmt: skip
