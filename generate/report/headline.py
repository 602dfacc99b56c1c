"""The head of the page: one sentence to remember, two or three beneath it, and a few figures. Knows no rules."""

from __future__ import annotations

from collections.abc import Sequence

from generate.report.findings import Findings
from generate.report.model import AttributeRow, Level, Notice, Tile, Verdict
from generate.report.words import SPACE, between, percent, points_between
from tenet.console import plural


def headline(found: Findings) -> str:
    """The one sentence to remember."""
    if found.asked:
        best = max(found.asked, key=lambda row: abs(row.change.value))
        before, after, change = percent(best.base.value), percent(best.trained.value), best.change
        trained = f"training on {plural(found.pairs, 'preference pair')}"
        if change.low is not None and change.high is not None and change.low <= 0 <= change.high:
            return (
                f"{best.name.capitalize()} replies: {before} before and {after} after {trained}, which may be chance."
            )
        verb = "rose" if change.value > 0 else "fell"
        return f"{best.name.capitalize()} replies {verb} from {before} to {after} after {trained}."
    if found.pairs:
        return f"{plural(found.pairs, 'preference pair')} from {plural(found.prompts, 'prompt')}."
    if found.revised:
        return f"{plural(found.revised, 'response')} revised, from {plural(found.prompts, 'prompt')}."
    return "No preference pairs yet."


def verdict(found: Sequence[Notice], pairs: int, *, revised: int = 0) -> Verdict:
    """Whether the data may be used, from the notices alone: the worst of them decides. Those about what was trained are counted apart."""
    data, trained = ([one for one in found if one.policy is policy] for policy in (False, True))
    serious, cautions = _by_level(data)
    named, others = _named(serious, cautions, "the data"), _named(*_by_level(trained), "what was trained")
    begin = (
        "Begin with the first, and write this page again."
        if len(data) > 1
        else "Do what it says, and write this page again."
    )
    if serious and not pairs and not revised:
        return Verdict("There is nothing to train on yet", _sentences(named, begin, others), Level.SERIOUS)
    if serious:
        return Verdict("Do not train on this data yet", _sentences(named, begin, others), Level.SERIOUS)
    if any(one.policy and one.level is Level.SERIOUS for one in found):
        body = "Nothing serious speaks against the data, but what was trained on it should not be used as it is."
        return Verdict("Do not use the trained policy as it is", _sentences(body, others, named), Level.SERIOUS)
    if cautions:
        vouch = "Each says what these labels cannot vouch for, and what to do."
        return Verdict(
            "Usable with care", _sentences("Nothing serious was found.", named, vouch, others), Level.CAUTION
        )
    body = (
        "No check found anything that speaks against training on these pairs. Read a few of them below all the same:"
        " figures do not see everything."
    )
    return Verdict("No warnings about the data" if others else "No warnings", _sentences(body, others))


def _by_level(found: Sequence[Notice]) -> tuple[list[Notice], list[Notice]]:
    """The serious ones, and the cautions."""
    serious, cautions = ([one for one in found if one.level is level] for level in (Level.SERIOUS, Level.CAUTION))
    return serious, cautions


def _sentences(*told: str) -> str:
    return " ".join(one for one in told if one)


def _named(serious: Sequence[Notice], cautions: Sequence[Notice], about: str) -> str:
    """How many findings there are about something, by how much they matter; empty where there are none."""
    counts = [
        plural(len(list_), f"{name} finding")
        for list_, name in ((serious, "serious"), (cautions, "cautionary"))
        if list_
    ]
    if not counts:
        return ""
    verb = "stands" if len(serious) + len(cautions) == 1 else "stand"
    return f"{' and '.join(counts)} about {about} {verb} below."


def trained_verdict(found: Sequence[Notice], *, measured: bool) -> Verdict:
    """Whether what was trained may be used, from the notices about it alone."""
    serious, cautions = _by_level(found)
    if serious:
        return Verdict(
            "Do not use the trained policy as it is", _named(serious, cautions, "what was trained"), Level.SERIOUS
        )
    if cautions:
        title = "Measured, with reservations" if measured else "Not shown to be better yet"
        return Verdict(title, _named(serious, cautions, "what was trained"), Level.CAUTION)
    return Verdict(
        "No warnings",
        "No check found anything that speaks against what was trained. Read the answers below all the same.",
    )


def standfirst(found: Findings) -> str:
    """Two or three sentences beneath the headline."""
    parts = []
    if found.evaluation:
        parts.append(f"Measured before and after on {plural(found.evaluation.prompts, 'held-out prompt')}.")
    if found.calls:
        of = f"{plural(found.compared, 'pair')} of responses to {plural(found.prompts, 'prompt')}"
        did = "rated each response alone, in no order, which compares" if found.alone else "compared"
        parts.append(f"The judge {did} {of} by the principles of “{found.principles_name}”.")
    if found.positions:
        share = percent(found.positions.consistency.value)
        parts.append(f"It named the same winner in both orders in {share} of its questions.")
    return " ".join(parts) or "Nothing has been judged yet."


def tiles(found: Findings) -> tuple[Tile, ...]:
    """The few figures at the head of the page."""
    if not found.pairs and not found.calls:
        return ()
    made = [Tile("Preference pairs", f"{found.pairs:,}", f"from {plural(found.prompts, 'prompt')}")]
    made += [_change(row) for row in found.asked[:1]]
    if found.people and (rate := found.people.with_judge):
        made.append(
            Tile(
                "Same winner as people", percent(rate.value), f"{between(rate)}, {plural(rate.count, 'labelled pair')}"
            )
        )
    if found.positions:
        rate = found.positions.consistency
        made.append(Tile("Position consistency", percent(rate.value), f"95{SPACE}% interval {between(rate)}"))
    if found.margins:
        made.append(Tile("Median certainty", percent(found.margins.median), "probability of the winner"))
    if found.calls:
        detail = f"{found.failed:,} of {found.calls:,}"
        made.append(Tile("Calls without an opinion", percent(found.failed / found.calls), detail))
    return tuple(made)


def _change(row: AttributeRow) -> Tile:
    detail = f"points: {percent(row.base.value)} to {percent(row.trained.value)} on held-out prompts"
    return Tile(row.name.capitalize(), points_between(row.base, row.trained), detail)
