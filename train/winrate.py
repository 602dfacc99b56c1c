"""How often a judge prefers the trained model's response to the base model's, asked in both orders.

Knows a `PairwiseJudge` and what its answers come to; no engine's inside, no file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from judges.aggregate import p_first, preferences
from judges.pairwise import PairwiseJudge
from judges.preflight import preflight
from tenet.console import Console
from tenet.ids import Json
from tenet.records import Finish, Judgement, Prompt, Sample
from train.intervals import Estimate, mean, share


@dataclass(frozen=True)
class Duel:
    """The two responses to one prompt under one seed."""

    prompt: Prompt
    base: Sample
    trained: Sample

    @property
    def judged(self) -> bool:
        """Whether a judge has anything to say: both wrote something, and not the same."""
        return self.base.usable and self.trained.usable and self.base.text != self.trained.text

    @property
    def settled(self) -> float | None:
        """P(trained is better) where no judge is needed: a tie of equal texts, an empty response that loses.

        None where a judge decides, or where a draw failed and nothing can be said.
        """
        if self.judged or Finish.ERROR in (self.base.finish, self.trained.finish):
            return None
        return 0.5 if self.base.text == self.trained.text else float(bool(self.trained.text))


@dataclass(frozen=True)
class WinRate:
    """What a judge makes of the duels. Estimates are of the trained model against the base model.

    `win_rate` counts a win 1 and a tie a half; `mean_p` is the mean of P(trained is better). `flipped` is the share of
    judged duels whose two orders named different winners, `longer` the share of decided duels that the longer response
    won. `principles` has the win rate under each principle alone. `p` maps each duel, by (prompt id, index), to
    P(trained is better).
    """

    win_rate: Estimate | None
    mean_p: Estimate | None
    wins: int
    ties: int
    losses: int
    identical: int
    no_opinion: int
    flipped: float | None
    longer: float | None
    principles: Mapping[str, Estimate] = field(default_factory=dict)
    p: Mapping[tuple[str, int], float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Json]:
        """Give plain values."""
        return {
            "win_rate": self.win_rate.as_json() if self.win_rate else None,
            "mean_p": self.mean_p.as_json() if self.mean_p else None,
            "wins": self.wins, "ties": self.ties, "losses": self.losses, "identical": self.identical,
            "no_opinion": self.no_opinion, "flipped": self.flipped, "longer_wins": self.longer,
            "principles": {name: estimate.as_json() for name, estimate in self.principles.items()},
        }  # fmt: skip


def duels_of(prompts: Sequence[Prompt], base: Sequence[Sample], trained: Sequence[Sample]) -> list[Duel]:
    """Match the responses of two models by prompt and number."""
    theirs = {(sample.prompt_id, sample.index): sample for sample in trained}
    known = {prompt.id: prompt for prompt in prompts}
    return [Duel(known[one.prompt_id], one, theirs[one.prompt_id, one.index]) for one in base]


def win_rate(judge: PairwiseJudge, duels: Sequence[Duel], console: Console) -> WinRate:
    """Have every duel judged in both orders, and sum up.

    Raises:
        JudgeUnfit: the judge does not answer by label.
        EngineError: its engine has failed.
    """
    judged = [duel for duel in duels if duel.judged]
    console.say(preflight(judge, ((duel.prompt, duel.base, duel.trained) for duel in judged)).summary)
    return summed_up(duels, judgements_of(judge, judged, console), judge)


def judgements_of(judge: PairwiseJudge, duels: Sequence[Duel], console: Console) -> list[Judgement]:
    """Ask about each duel in both orders, all questions of a prompt together."""
    asks = [
        ask
        for duel in duels
        for first, second in ((duel.base, duel.trained), (duel.trained, duel.base))
        for ask in judge.asks(duel.prompt, first, second)
    ]
    size = judge.engine.capabilities.batch
    found: list[Judgement] = []
    with console.progress("judging") as progress:
        progress.start(len(asks))
        for start in range(0, len(asks), size):
            answers = judge.judge(asks[start : start + size])
            found += answers
            progress.advance(len(answers), {"no opinion": sum(not one.outcome.is_opinion for one in answers)})
    return found


def summed_up(duels: Sequence[Duel], judgements: Sequence[Judgement], judge: PairwiseJudge) -> WinRate:
    """Sum up judgements in both orders; a duel with an opinion in one order only counts as none."""
    combined = {(one.prompt_id, one.a_id, one.b_id): one for one in preferences(judgements, judge.constitution)}
    p: dict[tuple[str, int], float] = {}
    flips: list[bool] = []
    for duel in duels:
        value = duel.settled
        a, b = sorted((duel.base.id, duel.trained.id))
        found = combined.get((duel.prompt.id, a, b))
        if duel.judged and found and found.p_shown_a is not None and found.p_shown_b is not None:
            value = found.p_a if a == duel.trained.id else 1.0 - found.p_a
            flips.append(found.flipped)
        if value is not None:
            p[duel.prompt.id, duel.trained.index] = value
    votes = {key: _vote(value) for key, value in p.items()}
    prompts = [key[0] for key in p]
    return WinRate(
        win_rate=share(list(votes.values()), prompts) if p else None,
        mean_p=mean(list(p.values()), prompts) if p else None,
        wins=sum(vote == 1.0 for vote in votes.values()),
        ties=sum(vote == 0.5 for vote in votes.values()),
        losses=sum(vote == 0.0 for vote in votes.values()),
        identical=sum(duel.settled == 0.5 for duel in duels),
        no_opinion=len(duels) - len(p),
        flipped=sum(flips) / len(flips) if flips else None,
        longer=_longer(duels, votes),
        principles=_by_principle(duels, judgements),
        p=p,
    )


def _vote(p: float) -> float:
    return 0.5 if p == 0.5 else float(p > 0.5)


def _longer(duels: Sequence[Duel], votes: Mapping[tuple[str, int], float]) -> float | None:
    """Share of decided duels, of unequal length in words, that the longer response won."""
    won = []
    for duel in duels:
        vote = votes.get((duel.prompt.id, duel.trained.index), 0.5)
        gap = len(duel.trained.text.split()) - len(duel.base.text.split())
        if vote != 0.5 and gap:
            won.append((gap > 0) == (vote == 1.0))
    return sum(won) / len(won) if won else None


def _by_principle(duels: Sequence[Duel], judgements: Sequence[Judgement]) -> dict[str, Estimate]:
    """Win rate under each principle alone, both orders averaged; questions about all at once are left out."""
    sides = {duel.trained.id: duel.prompt.id for duel in duels}
    heard: dict[tuple[str, str], dict[bool, float]] = defaultdict(dict)
    for one in judgements:
        p = p_first(one)
        if one.principle is None or p is None:
            continue
        first = one.first_id in sides
        heard[one.principle, one.first_id if first else one.second_id][first] = p if first else 1.0 - p
    both = {key: sum(found.values()) / 2 for key, found in heard.items() if len(found) == 2}
    rates: dict[str, Estimate] = {}
    for principle in dict.fromkeys(name for name, _ in both):
        mine = {trained: value for (name, trained), value in both.items() if name == principle}
        rates[principle] = share([_vote(value) for value in mine.values()], [sides[trained] for trained in mine])
    return rates
