"""Counts what a training will and will not learn from, before it begins. Knows columns of outcomes, no tokenizer.

TRL drops over-long rows without saying so; here every row that is left out has a reason, and too many of them
stop the training with advice.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tenet.errors import TooManyFailures
from tenet.ids import Json
from train.rows import MEANING, Reason


@dataclass(frozen=True)
class Census:
    """What became of the rows of one split.

    `dropped` counts by reason. `flipped` rows had p_chosen < 0.5 and were turned round; `ties` have exactly
    0.5. `mean_p` and `entropy` (nats a row: the least loss that any model can reach) are None where rows
    carry no label. Token counts are those of the longer side with its prompt; `fitting` maps a share of the
    rows to the `max_length` that takes it in.
    """

    rows: int
    kept: int
    dropped: Mapping[Reason, int] = field(default_factory=dict)
    flipped: int = 0
    ties: int = 0
    mean_p: float | None = None
    entropy: float | None = None
    longest: int = 0
    fitting: Mapping[float, int] = field(default_factory=dict)

    @property
    def share_dropped(self) -> float:
        """Share of the rows left out, 0 to 1."""
        return (self.rows - self.kept) / self.rows if self.rows else 0.0

    def as_json(self) -> dict[str, Json]:
        """Give plain values, for train.json."""
        return {
            "rows": self.rows, "kept": self.kept, "dropped": {key.value: count for key, count in self.dropped.items()},
            "flipped": self.flipped, "ties": self.ties, "mean_p": self.mean_p, "entropy": self.entropy,
            "longest": self.longest, "fitting": {str(share): length for share, length in self.fitting.items()},
        }  # fmt: skip

    def lines(self) -> list[str]:
        """Say it in words: one line on what is kept, one a reason for what is not."""
        said = f"{self.kept:,} of {self.rows:,} rows to learn from"
        if self.mean_p is not None:
            said += f", mean p_chosen {self.mean_p:.3f}"
        said += f", {self.ties:,} ties" if self.ties else ""
        said += f", {self.flipped:,} turned round (p_chosen < 0.5)" if self.flipped else ""
        return [said, *(f"  {count:,} left out: {MEANING[reason]}" for reason, count in self.dropped.items())]


def census_of(
    reasons: Sequence[str], lengths: Sequence[int], flipped: Sequence[bool], labels: Sequence[float] | None
) -> Census:
    """Count from columns, one entry a row: `reasons` ("" where usable), tokens, and labels (None: there are none)."""
    good = [i for i, reason in enumerate(reasons) if not reason]
    counts = Counter(reasons)
    p = None if labels is None else [labels[i] for i in good]
    measured = sorted(length for length in lengths if length > 0)
    return Census(
        rows=len(reasons),
        kept=len(good),
        dropped={reason: counts[reason.value] for reason in Reason if counts[reason.value]},
        flipped=sum(flipped[i] for i in good),
        ties=0 if p is None else sum(value == 0.5 for value in p),
        mean_p=sum(p) / len(p) if p else None,
        entropy=sum(map(_entropy, p)) / len(p) if p else None,
        longest=measured[-1] if measured else 0,
        fitting={share: measured[math.ceil(share * len(measured)) - 1] for share in (0.5, 0.95, 0.99) if measured},
    )


def require_enough(census: Census, name: str, *, max_dropped: float, max_length: int) -> None:
    """Stop a training that would learn from too few of its rows.

    Raises:
        TooManyFailures: no row is usable, or more than `max_dropped` of them are left out; says why and what
            to do.
    """
    if census.kept and census.share_dropped <= max_dropped:
        return
    left = census.rows - census.kept
    reasons = "; ".join(f"{count:,} with {MEANING[reason]}" for reason, count in _by_count(census))
    share = f"{100 * census.share_dropped:.1f} %"
    raise TooManyFailures(
        f"{name}: {left:,} of {census.rows:,} rows ({share}) cannot be learnt from: {reasons}",
        hint=_advice(census, max_dropped, max_length),
    )


def _by_count(census: Census) -> list[tuple[Reason, int]]:
    return sorted(census.dropped.items(), key=lambda item: -item[1])


def _advice(census: Census, max_dropped: float, max_length: int) -> str:
    worst = _by_count(census)[0][0] if census.dropped else None
    accepted = f"{math.ceil(100 * census.share_dropped) / 100:g}"
    anyway = f"; or accept it with --set max_dropped={accepted}" if census.kept else ""
    if worst is Reason.OVER_LONG:
        need = census.fitting.get(0.95 if max_dropped >= 0.05 else 0.99, census.longest)
        return (
            f"max_length is {max_length}; {need} tokens take in 95 % of the rows, {census.longest} all of them: "
            f"--set max_length={need}{anyway}"
        )
    cures = {
        Reason.EQUAL: "leave out pairs whose two responses are the same",
        Reason.EMPTY: "leave out rows without a prompt or a response",
        Reason.BAD_LABEL: "p_chosen is a probability in [0, 1], weight is not negative",
        Reason.CONTROL_TOKENS: "clean the responses of the model's control tokens (decode with skip_special_tokens)",
        Reason.TEMPLATE: "the turns must be such as the chat template takes (often user and assistant in turn)",
        Reason.MALFORMED: "messages are lists of objects with role and content, both text",
        Reason.NO_TARGET: "each row needs an answer of the assistant",
        Reason.TIE: "labels: soft learns from ties too",
        Reason.BAD_MARGIN: "judge_margin is how far chosen is ahead of rejected; margin: none learns without it",
    }
    return (cures[worst] if worst else "the data set is empty") + anyway


def _entropy(p: float) -> float:
    return -sum(q * math.log(q) for q in (p, 1.0 - p) if q > 0.0)
