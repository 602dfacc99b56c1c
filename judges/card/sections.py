"""What a card holds about each judge, section by section. To add one, write a function of a `View` and a line in `SECTIONS`.

A section gives figures by name; names are unique over all sections. Knows no run folder and no words for people beyond titles.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from judges.card import agreement, certainty, cycles, lengths, order, principles
from judges.card.agreement import NONE, TIE, A, B
from judges.card.bootstrap import Floats, Ints, Resampler, ratio, share
from judges.card.figures import Figure, unknown
from judges.card.gather import CardData, JudgeRows, code_of
from tenet.records import Outcome

NO_PEOPLE: Final = "no labels of people: unvalidated"


@dataclass(frozen=True)
class View:
    """One judge's rows beside those of people, as arrays; `draws` are the bootstrap's."""

    data: CardData
    rows: JudgeRows
    draws: Resampler

    @cached_property
    def call_pair(self) -> Ints:
        """The pair of each call."""
        return np.array(self.rows.call_pair, dtype=np.int64)

    @cached_property
    def call_code(self) -> Ints:
        """The verdict of each call."""
        return np.array(self.rows.call_code, dtype=np.int64)

    @cached_property
    def call_group(self) -> Ints:
        """The prompt of each call."""
        return self.data.prompt_of[self.call_pair]

    @cached_property
    def both(self) -> tuple[Ints, Ints, Ints]:
        """The verdicts with a shown first, with b shown first, and the prompts, of questions asked in both orders."""
        asked = np.array(self.rows.both, dtype=bool)
        shown_a, shown_b = (np.array(codes, dtype=np.int64)[asked] for codes in (self.rows.shown_a, self.rows.shown_b))
        groups = self.data.prompt_of[np.array(self.rows.question_pair, dtype=np.int64)][asked]
        return shown_a, shown_b, groups

    @cached_property
    def pairs(self) -> Ints:
        """The pairs that it was asked about."""
        return np.unique(self.call_pair)

    @cached_property
    def said(self) -> Ints:
        """Its verdict on each of them, orders and principles combined as for labels; `NONE` where every call failed."""
        return np.array(
            [code_of(self.rows.p_a[pair]) if pair in self.rows.p_a else NONE for pair in self.pairs.tolist()],
            dtype=np.int64,
        )

    @cached_property
    def decided(self) -> tuple[Floats, Floats, Ints, Floats]:
        """P(a), whether people prefer a, prompts and weights, of pairs where people name a winner and the judge has a probability."""
        truth = self.data.truth
        kept = [pair for pair in sorted(self.rows.p_a) if truth[pair] in (A, B)]
        p = np.array([self.rows.p_a[pair] for pair in kept])
        return p, (truth[kept] == A).astype(float), self.data.prompt_of[kept], self.data.weights[kept]


Section = Callable[[View], Mapping[str, Figure]]


def order_section(view: View) -> Mapping[str, Figure]:
    """What the order of showing does, and whether answers repeat."""
    shown_a, shown_b, groups = view.both
    rows, draws = view.rows, view.draws
    asked = np.array(rows.both, dtype=bool)
    p_a, p_b = (np.array(ps, dtype=np.float64)[asked] for ps in (rows.p_shown_a, rows.p_shown_b))
    repeated = np.array(rows.repeat_pair, dtype=np.int64)
    return {
        "position_consistency": order.position_consistency(shown_a, shown_b, groups, draws),
        "flip_rate": order.flip_rate(shown_a, shown_b, groups, draws),
        "consistency_of_opinions": order.consistency_of_opinions(shown_a, shown_b, groups, draws),
        "first_slot_rate": order.first_slot_rate(shown_a, shown_b, groups, draws),
        "signed_gap": order.signed_gap(p_a, p_b, groups, draws),
        "repeat_stability": order.repeat_stability(
            np.array(rows.repeat_same, dtype=bool), view.data.prompt_of[repeated], draws
        ),
    }


def calls_section(view: View) -> Mapping[str, Figure]:
    """How calls ended; whatever is no opinion is counted on its own and never as a tie."""
    outcomes = np.array([one.value for one in view.rows.call_outcome])
    failures = (Outcome.TIE, Outcome.LOW_MASS, Outcome.UNPARSED, Outcome.REFUSED, Outcome.ERROR)
    found = {
        f"{one.value}_rate": order.outcome_rate(outcomes == one.value, view.call_group, view.draws) for one in failures
    }
    told = view.call_code != NONE
    votes = np.array(view.rows.call_vote, dtype=bool)[told]
    found["vote_rate"] = view.draws.figure(share(votes), view.call_group[told], ratio, none="no opinions")
    found["label_mass"] = order.label_mass(np.array(view.rows.call_mass, dtype=np.float64), view.call_group, view.draws)
    return found


def people_section(view: View) -> Mapping[str, Figure]:
    """Agreement with people, the ceiling that people set each other, and whether the judge may stand in for one."""
    data, draws = view.data, view.draws
    names = ("accuracy", "accuracy_of_opinions", "pair_accuracy", "accuracy_without_ties", "accuracy_where_consistent",
             "cohen_kappa", "human_ceiling", "alt_test")  # fmt: skip
    if not data.labelled:
        return dict.fromkeys(names, unknown(NO_PEOPLE))
    code, pair, group = view.call_code, view.call_pair, view.call_group
    truth, weights = data.truth[pair], data.weights[pair]
    told, plain = code != NONE, truth != TIE
    own = data.truth[view.pairs]
    return {
        "accuracy": agreement.accuracy(code, truth, group, draws, weights),
        "accuracy_of_opinions": agreement.accuracy(code[told], truth[told], group[told], draws, weights[told]),
        "pair_accuracy": agreement.accuracy(
            view.said, own, data.prompt_of[view.pairs], draws, data.weights[view.pairs]
        ),
        "accuracy_without_ties": agreement.accuracy(code[plain], truth[plain], group[plain], draws, weights[plain]),
        "accuracy_where_consistent": _where_consistent(view),
        "cohen_kappa": agreement.cohen_kappa(code, truth, group, draws, weights),
        "human_ceiling": agreement.human_ceiling(data.opinions[view.pairs], data.prompt_of[view.pairs], draws),
        "alt_test": agreement.alt_test(view.said, data.opinions[view.pairs]),
    }


def _where_consistent(view: View) -> Figure:
    shown_a, shown_b, groups = view.both
    if not len(groups):
        return unknown(order.ONE_ORDER)
    asked = np.array(view.rows.both, dtype=bool)
    pairs = np.array(view.rows.question_pair, dtype=np.int64)[asked]
    kept = (shown_a == shown_b) & (shown_a != NONE)
    truth, weights = view.data.truth[pairs[kept]], view.data.weights[pairs[kept]]
    return agreement.accuracy(shown_a[kept], truth, groups[kept], view.draws, weights)


def certainty_section(view: View) -> Mapping[str, Figure]:
    """Whether its probabilities, as labels would carry them, can be taken at their word."""
    if not view.data.labelled:
        return dict.fromkeys(("brier", "log_loss", "calibration_error"), unknown(NO_PEOPLE))
    p, won, groups, weights = view.decided
    return {
        "brier": certainty.brier(p, won, groups, view.draws, weights),
        "log_loss": certainty.log_loss(p, won, groups, view.draws, weights),
        "calibration_error": certainty.calibration_error(p, won, groups, view.draws, weights),
    }


def length_section(view: View) -> Mapping[str, Figure]:
    """Whether it prefers length, and beyond what people prefer."""
    data = view.data
    known = np.isfinite(data.gap[view.pairs])
    pairs, said = view.pairs[known], view.said[known]
    gap, truth, groups = data.gap[pairs], data.truth[pairs], data.prompt_of[pairs]
    found = {"longer_rate": lengths.longer_rate(said, gap, groups, view.draws)}
    if not data.labelled:
        return found | dict.fromkeys(("longer_excess", "length_bias"), unknown(NO_PEOPLE))
    found["longer_excess"] = lengths.longer_excess(said, truth, gap, groups, view.draws)
    found["length_bias"] = lengths.length_bias(said, truth, gap, groups, view.draws)
    return found


def cycle_section(view: View) -> Mapping[str, Figure]:
    """Whether it contradicts itself over three responses."""
    winners: dict[tuple[int, str, str], str] = {}
    for pair, code in zip(view.pairs.tolist(), view.said.tolist(), strict=True):
        if code in (A, B):
            low, high = sorted(view.data.ends[pair])
            winners[int(view.data.prompt_of[pair]), low, high] = view.data.ends[pair][code]
    return {"transitivity_violations": cycles.transitivity_violations(winners, view.draws)}


SECTIONS: Final[Sequence[tuple[str, Section]]] = (
    ("Agreement with people", people_section),
    ("Order of showing", order_section),
    ("Calls", calls_section),
    ("Probabilities", certainty_section),
    ("Length", length_section),
    ("Contradictions", cycle_section),
)


def principle_figures(view: View) -> dict[str, principles.PrincipleFigures]:
    """The principles that the judge was asked about one by one; none where all were asked at once."""
    rows, data = view.rows, view.data
    pairs: defaultdict[str, list[int]] = defaultdict(list)
    said: defaultdict[str, list[int]] = defaultdict(list)
    columns = (rows.question_pair, rows.question_principle, rows.shown_a, rows.shown_b, rows.both)
    for pair, name, shown_a, shown_b, both in zip(*columns, strict=True):
        if name:
            pairs[name].append(pair)
            said[name].append(_named(shown_a, shown_b, both=both))
    numbers = {name: np.array(own, dtype=np.int64) for name, own in sorted(pairs.items())}
    codes = {name: np.array(own, dtype=np.int64) for name, own in said.items()}
    return principles.of_pairs(numbers, codes, data.truth, data.prompt_of, view.draws)


def _named(shown_a: int, shown_b: int, *, both: bool) -> int:
    """The verdict of one question: both orders the same, or that of the only order asked; else a tie, or none."""
    if not both:
        return shown_a if shown_a != NONE else shown_b
    if shown_a == shown_b:
        return shown_a
    return NONE if NONE in (shown_a, shown_b) else TIE
