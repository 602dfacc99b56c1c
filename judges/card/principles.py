"""What each principle of a judge comes to: how often it decides, how often people agree, and which other says the same.

Two kinds of rows: verdicts on pairs under a principle, and ratings of one response (a proposition is true or not). Knows no record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from judges.card.agreement import NONE, TIE
from judges.card.bootstrap import Bools, Floats, Ints, Resampler, ratio, share
from judges.card.figures import Figure, unknown
from tenet.ids import Json

ENOUGH: Final = 20


@dataclass(frozen=True)
class PrincipleFigures:
    """One principle. `redundancy` is the strongest agreement with another (`with_` names it): kappa or phi, by the kind of rows."""

    fire_rate: Figure
    agreement: Figure
    redundancy: Figure
    with_: str = ""

    def as_json(self) -> dict[str, Json]:
        """For `card.json`."""
        return {
            "fire_rate": self.fire_rate.as_json(),
            "agreement": self.agreement.as_json(),
            "redundancy": {**self.redundancy.as_json(), **({"with": self.with_} if self.with_ else {})},
        }


def of_pairs(
    names: Mapping[str, Ints], said: Mapping[str, Ints], truth: Ints, prompt_of: Ints, draws: Resampler
) -> dict[str, PrincipleFigures]:
    """By principle, of the pairs (numbers in `names`) that it was asked about and of the winner that it named there (`said`).

    Fire rate: share of pairs on which it names one winner (both orders, where both were asked, and no tie). Agreement:
    where it does and people name a winner, the share that is the same. Redundancy: 2 x (same winner) - 1 with the other
    principle that agrees or disagrees with it most, over at least 20 pairs on which both name a winner.
    """
    winners = {name: dict(zip(names[name].tolist(), said[name].tolist(), strict=True)) for name in names}
    alike: dict[str, list[tuple[str, Bools, Ints]]] = {name: [] for name in names}
    for one, other in combinations(sorted(names), 2):
        both = [
            pair for pair in winners[one] if _decided(winners[one][pair]) and _decided(winners[other].get(pair, NONE))
        ]
        if len(both) >= ENOUGH:
            same = np.array([winners[one][pair] == winners[other][pair] for pair in both])
            for name, with_ in ((one, other), (other, one)):
                alike[name].append((with_, same, prompt_of[both]))
    found: dict[str, PrincipleFigures] = {}
    for name, pairs in names.items():
        fired = (said[name] != NONE) & (said[name] != TIE)
        told = fired & (truth[pairs] != NONE) & (truth[pairs] != TIE)
        groups = prompt_of[pairs]
        closest = max(alike[name], key=lambda one: abs(2.0 * float(one[1].mean()) - 1.0), default=None)
        found[name] = PrincipleFigures(
            draws.figure(share(fired), groups, ratio, none="never asked"),
            draws.figure(
                share(said[name][told] == truth[pairs][told]), groups[told], ratio, none="no pair has its winner and that of people"
            ),
            unknown(f"no other principle was asked about the same {ENOUGH} pairs") if closest is None
            else draws.figure(share(closest[1]), closest[2], lambda sums: 2.0 * ratio(sums) - 1.0, none="no pairs"),
            closest[0] if closest else "",
        )  # fmt: skip
    return found


def _decided(code: int) -> bool:
    return code not in (NONE, TIE)


def of_ratings(
    ratings: Mapping[str, Mapping[str, float]],
    prompt_of: Mapping[str, int],
    classes: Mapping[str, str],
    draws: Resampler,
) -> dict[str, dict[str, Json]]:
    """By principle, of the scores (0 to 1) that it gave to responses.

    Fire rate: share of scores above one half. Redundancy: the largest |phi| with another principle, over the responses that both rated.
    Association: phi with each class of response. What is constant cannot be associated with anything.
    """
    fired = {name: {sample: value > 0.5 for sample, value in own.items()} for name, own in ratings.items()}
    kinds = sorted(set(classes.values()))
    found: dict[str, dict[str, Json]] = {}
    for name, own in sorted(fired.items()):
        groups = np.array([prompt_of[sample] for sample in own], dtype=np.int64)
        values = np.array(list(own.values()))
        closest, with_ = _closest(name, fired, prompt_of, draws)
        held = [sample for sample in own if sample in classes]
        association: dict[str, Json] = {
            kind: phi(
                np.array([own[sample] for sample in held]), np.array([classes[sample] == kind for sample in held]),
                np.array([prompt_of[sample] for sample in held], dtype=np.int64), draws,
            ).as_json()
            for kind in kinds
        }  # fmt: skip
        found[name] = {
            "fire_rate": draws.figure(share(values), groups, ratio, none="never asked").as_json(),
            "redundancy": {**closest.as_json(), **({"with": with_} if with_ else {})},
            "association": association,
        }
    return found


def _closest(
    name: str, fired: Mapping[str, Mapping[str, bool]], prompt_of: Mapping[str, int], draws: Resampler
) -> tuple[Figure, str]:
    own = fired[name]
    best: tuple[float, str] = (-1.0, "")
    for other, theirs in fired.items():
        shared = [sample for sample in own if sample in theirs] if other != name else []
        if not shared:
            continue
        value = float(
            phi_of(_cells(np.array([own[s] for s in shared]), np.array([theirs[s] for s in shared])).sum(axis=0))
        )
        if np.isfinite(value) and abs(value) > best[0]:
            best = (abs(value), other)
    if not best[1]:
        constant = len(set(own.values())) < 2
        return unknown(
            "not estimable: it always says the same" if constant else "no other principle varies with it", len(own)
        ), ""
    shared = [sample for sample in own if sample in fired[best[1]]]
    groups = np.array([prompt_of[sample] for sample in shared], dtype=np.int64)
    figure = phi(np.array([own[s] for s in shared]), np.array([fired[best[1]][s] for s in shared]), groups, draws)
    return figure, best[1]


def phi(one: Bools, other: Bools, groups: Ints, draws: Resampler) -> Figure:
    """The correlation of two yes-or-no columns; not estimable where one is constant."""
    return draws.figure(_cells(one, other), groups, phi_of, none="not estimable: one of the two is constant")


def _cells(one: Bools, other: Bools) -> Floats:
    return np.column_stack([one & other, one & ~other, ~one & other, ~one & ~other]).astype(np.float64)


def phi_of(sums: Floats) -> Floats:
    """Phi of counts (..., 4): yes-yes, yes-no, no-yes, no-no; NaN where a margin is empty."""
    with np.errstate(divide="ignore", invalid="ignore"):
        yy, yn, ny, nn = (sums[..., cell] for cell in range(4))
        scale = np.sqrt((yy + yn) * (ny + nn) * (yy + ny) * (yn + nn))
        return np.asarray(np.where(scale > 0, (yy * nn - yn * ny) / scale, np.nan))
