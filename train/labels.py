"""What a training on pairs makes of a data set's labels: soft or hard ones, with or without the judge's margin.

Knows columns of values, one entry a row, and the configuration; no tokenizer and no loss. Held-out rows are not its
business: they are measured against their `p_chosen` whatever is learnt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from tenet.errors import InvalidInput, Problem
from train.config import Labels, Margin, PairConfig, RewardConfig, TrainConfig
from train.rows import Reason

MARGIN: Final = "judge_margin"


def takes_margin(config: TrainConfig) -> bool:
    """Whether the margin of every pair is learnt from."""
    return isinstance(config, RewardConfig) and config.margin is Margin.JUDGE


def takes_hard_labels(config: TrainConfig) -> bool:
    """Whether every label counts as certain."""
    return isinstance(config, PairConfig) and config.labels is Labels.HARD


def require_margin(columns: Sequence[str], name: str, config: TrainConfig) -> None:
    """Refuse a data set without margins where they are asked for.

    Raises:
        InvalidInput: the column is not there.
    """
    if takes_margin(config) and MARGIN not in columns:
        raise InvalidInput(
            f"{name}: margin: judge, and there is no column {MARGIN}",
            [Problem(f"there is: {', '.join(columns)}", hint="tenet export writes it; or leave margin out")],
        )


def oriented(margins: Sequence[object], flipped: Sequence[bool]) -> list[float]:
    """Turn margins with their rows, so that each says how far the better response is ahead; NaN for what is no number."""
    numbers = [float(m) if isinstance(m, (int, float)) and not isinstance(m, bool) else math.nan for m in margins]
    return [-margin if turned else margin for margin, turned in zip(numbers, flipped, strict=True)]


def refusals(reasons: Sequence[str], p: Sequence[float], margins: Sequence[float] | None, *, hard: bool) -> list[str]:
    """Say of every row why it is left out: what was found before, a tie under hard labels, or a senseless margin.

    Args:
        reasons: (rows,) what was found before, "" where nothing was.
        p: (rows,) P(chosen is better), at least 0.5.
        margins: (rows,) as `oriented` gives them; None where no margin is learnt from.
        hard: whether labels count as certain.
    """
    found = list(reasons)
    for row, reason in enumerate(reasons):
        if not reason and hard and p[row] == 0.5:
            found[row] = Reason.TIE.value
        elif not reason and margins is not None and not (math.isfinite(margins[row]) and margins[row] >= 0.0):
            found[row] = Reason.BAD_MARGIN.value
    return found
