"""From what a judge said of single responses to preferences between them: ratings under principles, and propositions weighed together.

Ratings. Two responses are compared under a principle by their distributions over the scale, taken to be independent: P(a is better) =
P(score of a > score of b) + P(equal) / 2. Ratings that were only written, without a distribution, are a vote (`vote_share`). Over
principles they are combined as the two orders' means of pairs are (`judges.aggregate`): rules decide first, weights and precedence hold.

Propositions. p is a logistic of the weighted difference of P(yes); one side alone that breaks a rule loses
(`judges.reliability.propositions`). Fitted weights are log-odds for going from a sure no to a sure yes. Without any, principles weigh as
their file says, summing to `UNFITTED_SLOPE`: then p is about as steep at an even pair as for two independent answers, and nothing shows
that it is right.

Knows no text and no model. A preference made here has no order: both of `p_shown_a` and `p_shown_b` are p, which says nothing of
consistency.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Final, Self

import numpy as np

from constitution.model import Constitution, Principle, Tier
from judges.aggregate import Opinion, combined
from judges.probability import vote_share
from judges.reliability.propositions import PropositionWeights
from tenet.errors import InvalidInput, MissingInput, Problem, UsageError
from tenet.ids import Json, digest
from tenet.records import Preference, Rating

UNFITTED_SLOPE: Final = 2.0
"""Sum of the weights where none are fitted: d/dx of sigmoid(2x) at 0 is 1/2, as of P(a yes, b no) + P(equal) / 2 in P(a yes)."""
_FORMAT: Final = 1

Rated = dict[str, dict[str, Rating]]
"""The usable ratings of a prompt, by sample and principle."""


@dataclass(frozen=True)
class Weights:
    """Fitted weights of propositions by principle, the wordings that they were fitted on, and what the fit was measured to be worth."""

    values: Mapping[str, float]
    versions: Mapping[str, str]
    report: Mapping[str, Json] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of what changes a preference."""
        return digest([dict(self.values), dict(self.versions)])

    def as_json(self) -> dict[str, Json]:
        """What the file holds."""
        return {
            "format": _FORMAT, "kind": "propositions", "weights": dict(self.values), "versions": dict(self.versions),
            "report": dict(self.report),
        }  # fmt: skip

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file of weights.

        Raises:
            MissingInput: there is no such file.
            InvalidInput: it holds no weights.
        """
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            if told["format"] != _FORMAT or told["kind"] != "propositions":
                raise ValueError("it is of another format")
            values = {str(name): float(value) for name, value in told["weights"].items()}
            versions = {str(name): str(value) for name, value in told["versions"].items()}
            if not all(map(math.isfinite, values.values())) or values.keys() != versions.keys():
                raise ValueError("each weight must be a number with the wording that it was fitted on")
            return cls(values, versions, dict(told.get("report", {})))
        except FileNotFoundError:
            raise MissingInput(f"there is no {path}", hint="fit weights with: tenet weigh RUN") from None
        except (ValueError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
            problem = Problem(f"{type(error).__name__}: {error}", path, hint="fit weights anew with: tenet weigh RUN")
            raise InvalidInput("the weights of propositions cannot be read", [problem]) from error


def p_better(a: Rating, b: Rating) -> float:
    """P(a is better than b) of two ratings with a score, on one scale."""
    if not a.distribution or not b.distribution:
        x, y = a.score or 0.0, b.score or 0.0
        return vote_share(0.5 if x == y else float(x > y), 1)
    p, q = np.array(a.distribution), np.array(b.distribution)
    below = np.concatenate([[0.0], np.cumsum(q)[:-1]])
    return min(1.0, max(0.0, float(p @ (below + q / 2.0))))


def preferences_of_ratings(ratings: Iterable[Rating], constitution: Constitution) -> list[Preference]:
    """A preference for every two responses of a prompt that are rated under the same principle, sorted by (prompt, a, b)."""
    known = {principle.id: principle for principle in constitution.principles}
    made = []
    for prompt_id, rated in sorted(by_prompt(ratings).items()):
        for a, b in combinations(sorted(rated), 2):
            names = sorted(rated[a].keys() & rated[b].keys())
            if names:
                ps = {name: p_better(rated[a][name], rated[b][name]) for name in names}
                p = combined([Opinion(name, one, one) for name, one in ps.items()], known)
                made.append(_preference(prompt_id, a, b, p, rated, names))
    return made


def preferences_of_propositions(
    ratings: Iterable[Rating], constitution: Constitution, weights: Weights | None = None
) -> list[Preference]:
    """A preference for every two responses of a prompt of which the same principle was asked, sorted by (prompt, a, b).

    Precedence (`yields_to`) has no say here: fitted weights stand in its place.

    Raises:
        UsageError: a proposition without a weight, or one whose wording is another than the one that was fitted on.
    """
    known = {principle.id: principle for principle in constitution.principles}
    made = []
    for prompt_id, rated in sorted(by_prompt(ratings).items()):
        for a, b in combinations(sorted(rated), 2):
            names = sorted(rated[a].keys() & rated[b].keys())
            if names:
                said = [[p_yes(rated[side][name]) for name in names] for side in (a, b)]
                p = _weighed(said, names, known, _values(names, known, rated[a], weights))
                made.append(_preference(prompt_id, a, b, p, rated, names))
    return made


def equal_weights(names: Iterable[str], known: Mapping[str, Principle]) -> dict[str, float]:
    """What propositions weigh where nothing is fitted: the weights of their file, those of no rule summing to `UNFITTED_SLOPE`."""
    own = {name: known[name].weight if name in known else 1.0 for name in names}
    summed = [name for name in own if not is_rule(name, known)] or list(own)
    total = math.fsum(own[name] for name in summed)
    return {name: UNFITTED_SLOPE * own[name] / total if name in summed else 0.0 for name in own}


def is_rule(name: str, known: Mapping[str, Principle]) -> bool:
    """Whether a principle vetoes rather than weighs."""
    return name in known and known[name].tier is Tier.RULE


def _values(
    names: list[str], known: Mapping[str, Principle], rated: Mapping[str, Rating], weights: Weights | None
) -> list[float]:
    """What each proposition weighs."""
    if weights is None:
        equal = equal_weights(names, known)
        return [equal[name] for name in names]
    for name in names:
        if is_rule(name, known):
            continue
        if name not in weights.values:
            raise UsageError(f"there is no weight for the principle {name}", hint="fit weights anew: tenet weigh RUN")
        if weights.versions[name] != (rated[name].principle_digest or ""):
            raise UsageError(
                f"the principle {name} has another wording than the one that its weight was fitted on",
                hint="fit weights anew (tenet weigh RUN), or go on without: --set judge.weights=null",
            )
    return [weights.values.get(name, 0.0) for name in names]


def _weighed(said: list[list[float]], names: list[str], known: Mapping[str, Principle], values: list[float]) -> float:
    """P(a is better) from P(yes) of [a, b] by proposition; a rule that is answered no is broken."""
    weights = PropositionWeights(np.array(values), 0.0, 0.0)
    rules = np.array([is_rule(name, known) for name in names])
    x, z = np.array([said[0]]), np.array([said[1]])
    if rules.all():  # none that weighs: rules are weighed too, where none is broken by one side alone
        broken = ((x < 0.5).any(), (z < 0.5).any())
        if broken[0] == broken[1]:
            return float(weights.p_first(x, z)[0])
    return float(weights.p_first(np.where(rules, 1.0 - x, x), np.where(rules, 1.0 - z, z), rules)[0])


def p_yes(rating: Rating) -> float:
    """P(yes); of an answer that was only written, the share that one vote stands for."""
    return rating.distribution[-1] if rating.distribution else vote_share(rating.score or 0.0, 1)


def by_prompt(ratings: Iterable[Rating]) -> dict[str, Rated]:
    """The ratings that are opinions; of several of one response under one principle the one with the smallest id."""
    found: defaultdict[str, Rated] = defaultdict(dict)
    for one in sorted(ratings, key=lambda one: one.id):
        if one.outcome.is_opinion and one.score is not None:
            found[one.prompt_id].setdefault(one.sample_id, {}).setdefault(one.principle or "", one)
    return found


def _preference(prompt_id: str, a: str, b: str, p: float, rated: Rated, names: list[str]) -> Preference:
    used = [rated[side][name] for side in (a, b) for name in names]
    return Preference(
        prompt_id=prompt_id,
        a_id=a,
        b_id=b,
        p_a=p,
        p_shown_a=p,
        p_shown_b=p,
        flipped=False,
        judgements=len(used),
        principles=tuple(names),
        principle_versions=tuple(sorted({one.version for one in used if one.version is not None})),
    )
