"""Tells a person how well a reward model does: one table, with what length alone says beside it."""

from __future__ import annotations

from tenet.console import Console
from tenet.ids import Json
from train.intervals import Estimate
from train.measures.pair_scores import Row
from train.measures.reward_model import RewardEvaluation, place_of


def show_reward(found: RewardEvaluation, console: Console) -> None:
    """Print the table (or all of it as JSON) on stdout, remarks on stderr."""
    if console.json:
        console.data(found.as_json())
    else:
        head = ["", "pairs", "accuracy", "length only", "ahead", "log loss", "length only", "ECE"]
        console.table(head, [_row(row) for row in found.rows], title=f"reward model {found.name}")
        console.say(
            "95 % intervals in brackets, by prompt. Length only: a fit on the lengths of these pairs, cross-validated."
        )
    for note in found.notes:
        console.say(note)
    for reason, count in found.left_out.items():
        console.say(f"left out, {reason}: {count:,}")
    console.say(f"written to {place_of(found.config)}")


def _row(row: Row) -> list[Json]:
    name = row.name if row.column == "all" else f"{row.column}: {row.name}"
    base = row.length
    return [
        name, row.pairs, _percent(row.model.accuracy), _percent(base.accuracy if base else None),
        "" if row.ahead is None else f"{100 * row.ahead.value:+.0f} [{100 * row.ahead.low:+.0f}, {100 * row.ahead.high:+.0f}]",
        _number(row.model.log_loss), _number(base.log_loss) if base else "", _number(row.model.ece),
    ]  # fmt: skip


def _percent(one: Estimate | None) -> str:
    return "" if one is None else f"{100 * one.value:.1f} % [{100 * one.low:.0f}, {100 * one.high:.0f}]"


def _number(one: Estimate) -> str:
    return f"{one.value:.3f} [{one.low:.2f}, {one.high:.2f}]"
