"""The head of the page: one sentence to remember, two or three beneath it, and a few figures. Knows no rules."""

from __future__ import annotations

from generate.report.findings import Findings
from generate.report.model import AttributeRow, Tile
from generate.report.words import SPACE, between, percent, plural, points


def headline(found: Findings) -> str:
    """The one sentence to remember."""
    if found.asked:
        best = max(found.asked, key=lambda row: abs(row.change.value))
        verb = "rose" if best.change.value > 0 else "fell" if best.change.value < 0 else "stayed"
        way = f"{verb} from {percent(best.base.value)} to {percent(best.trained.value)}"
        return f"{best.name.capitalize()} replies {way} after training on {plural(found.pairs, 'preference pair')}."
    if found.pairs:
        return f"{plural(found.pairs, 'preference pair')} from {plural(found.prompts, 'prompt')}."
    if found.revised:
        return f"{plural(found.revised, 'response')} revised, from {plural(found.prompts, 'prompt')}."
    return "No preference pairs yet."


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
    made = [Tile("Preference pairs", f"{found.pairs:,}", f"from {plural(found.prompts, 'prompt')}")]
    made += [_change(row) for row in found.asked[:2]]
    if found.margins:
        made.append(Tile("Median certainty", percent(found.margins.median), "probability of the winner"))
    if found.positions:
        rate = found.positions.consistency
        made.append(Tile("Position consistency", percent(rate.value), f"95{SPACE}% interval {between(rate)}"))
    if found.calls:
        detail = f"{found.failed:,} of {found.calls:,}"
        made.append(Tile("Calls without an opinion", percent(found.failed / found.calls), detail))
    return tuple(made)


def _change(row: AttributeRow) -> Tile:
    detail = f"{percent(row.base.value)} to {percent(row.trained.value)} on held-out prompts"
    return Tile(row.name.capitalize(), f"{points(row.change.value)} points", detail)
