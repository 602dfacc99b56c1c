"""What the second order of a pair is worth where it is asked only if the first answer is close: calls a pair, and log loss kept.

    python -m benchmarks.second_order [--pairs 5000] [--engine vllm] [--json]

A copy of the pocket judge gets 1.5 added to the log-odds of the response shown first, and judges pairs of the pocket world that the
oracle decides, each by one of its principles, in both orders. Every log loss is the mean over pairs of -log P(the response that the
oracle names), P by `judges.aggregate`: *both* orders averaged; *one* order, the other filled in by the measured position bias; and
*close*, the orders that a run with `second_order: close` asks (`generate.rounds`, on these answers), the missing ones filled in.

gain = log loss(one) - log loss(both), kept = (log loss(one) - log loss(close)) / gain: all of it if close pairs are all that the second
order helps, more than all where it hurts the others. *raw* is one order as it stands, the bias in it; `kept_of_raw` takes the gain from
there. Intervals are 95 %, by a bootstrap over pairs. Exit 1 where it takes more than 1.5 calls a pair, or less than 97 % is kept.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import exp, log
from typing import Final

import numpy as np

from constitution.load import load
from constitution.model import Constitution
from engines.base import Capabilities, Completion, Engine, EngineInfo, LabelRead, Request, SamplingParams, TokenIds
from engines.places import Place
from engines.prompting import ChatTokenizer
from engines.registry import create_engine
from generate.orders import Asking, PositionBias, make_asking, position_bias
from generate.rounds import Question, Settled, Subject, calibration, replay
from generate.schedule import pair_of
from judges.aggregate import preferences
from judges.pairwise import Mode, PairwiseJudge
from judges.probability import logit, sigmoid
from pocket import JUDGE_PATH, oracle, world
from tenet.console import Console
from tenet.ids import Json
from tenet.records import Finish, Judgement, Message, Prompt, Sample
from tenet.runconfig import ScheduleConfig

BIAS: Final = 1.5
MOST_CALLS: Final = 1.5
LEAST_KEPT: Final = 0.97
RESAMPLES: Final = 2_000


class Leaning(Engine):
    """An engine whose first label has `lean` more log-odds; the label mass stays."""

    def __init__(self, inner: Engine, lean: float) -> None:
        self._inner, self._lean = inner, lean

    @property
    def info(self) -> EngineInfo:
        """The model's, with the lean."""
        told = self._inner.info
        return replace(told, parameters={**told.parameters, "lean": self._lean})

    @property
    def capabilities(self) -> Capabilities:
        """The model's."""
        return self._inner.capabilities

    @property
    def place(self) -> Place:
        """The model's."""
        return self._inner.place

    @property
    def tokenizer(self) -> ChatTokenizer:
        """The model's."""
        return self._inner.tokenizer

    @property
    def max_length(self) -> int:
        """The model's."""
        return self._inner.max_length

    def generate(self, requests: Sequence[Request], params: SamplingParams) -> list[Completion]:
        """As the model does."""
        return self._inner.generate(requests, params)

    def read_labels(self, requests: Sequence[Request], labels: Sequence[TokenIds]) -> list[LabelRead]:
        """As the model does, leaning."""
        return [self._leant(read) for read in self._inner.read_labels(requests, labels)]

    def stream_labels(self, requests: Iterable[Request], labels: Sequence[TokenIds]) -> Iterator[tuple[int, LabelRead]]:
        """As the model does, leaning."""
        for place, read in self._inner.stream_labels(requests, labels):
            yield place, self._leant(read)

    def close(self) -> None:
        """Free the model."""
        self._inner.close()

    def _leant(self, read: LabelRead) -> LabelRead:
        if read.error:
            return read
        first, second = read.logprobs
        mass = exp(first) + exp(second)
        p = sigmoid(first - second + self._lean)
        tiny = 1e-12
        return replace(read, logprobs=(log(max(tiny, mass * p)), log(max(tiny, mass * (1.0 - p)))))


@dataclass(frozen=True)
class Case:
    """A pair of the world with the principle that it is judged by, and which of the two the oracle names."""

    prompt: Prompt
    a: Sample
    b: Sample
    family: str
    a_wins: bool


@dataclass(frozen=True)
class Loss:
    """Log losses of the pairs by way of asking, each an array over pairs, and the calls a pair of `close`."""

    both: np.ndarray
    one: np.ndarray
    raw: np.ndarray
    close: np.ndarray
    calls: float
    bias: PositionBias


@dataclass(frozen=True)
class Found:
    """What the benchmark measured."""

    engine: str
    close_within: float
    pairs: int
    measured_bias: float | None
    calls_a_pair: float
    loss_raw: float
    loss_one: float
    loss_both: float
    loss_close: float
    kept: float
    kept_low: float
    kept_high: float
    kept_of_raw: float

    @property
    def good(self) -> bool:
        """Whether it meets the marks."""
        return self.calls_a_pair <= MOST_CALLS and self.kept >= LEAST_KEPT


def cases(number: int, seed: int = 0) -> list[Case]:
    """Pairs of fresh replies that the oracle decides under a principle drawn among those that apply; one pair a prompt."""
    rng = random.Random(f"second order:{seed}")
    found: list[Case] = []
    asked = [*world.all_prompts()]
    rng.shuffle(asked)  # one round after the other over all of them, with fresh replies
    for place in range(number):
        told = asked[place % len(asked)]
        family = rng.choice([name for name in oracle.FAMILIES if oracle.applies(name, told.text)])
        decision = 0
        while not decision:
            texts = [world.reply(told, world.draw_plan(rng, balanced=True), rng).text for _ in range(2)]
            decision = oracle.decide(family, told.text, *texts)
        prompt = replace(Prompt.of([Message("user", told.text)]), id=f"p{place}")
        a, b = (
            Sample(f"p{place}-{name}", prompt.id, 0, text, "pocket", Finish.GIVEN)
            for name, text in zip("ab", texts, strict=True)
        )
        found.append(Case(prompt, a, b, family, decision > 0))
    return found


def constitution() -> Constitution:
    """The pocket principles in one file, on whatever prompt."""
    held = [load(f"pocket/{name}").active[0] for name in oracle.FAMILIES]
    return Constitution("pocket", "1", "", "", tuple(replace(one, applies_when=(), yields_to=()) for one in held))


def answers(judge: PairwiseJudge, asked: Sequence[Case], console: Console) -> dict[tuple[str, Question], Judgement]:
    """Every case in both orders."""
    asks = [
        ask
        for case in asked
        for first, second in ((case.a, case.b), (case.b, case.a))
        for ask in judge.asks(case.prompt, first, second, only=[case.family])
    ]
    found: dict[tuple[str, Question], Judgement] = {}
    with console.progress("judging") as progress:
        progress.start(len(asks))
        for told in judge.stream(asks):
            found[told.prompt_id, Question(told.first_id, told.second_id, told.principle)] = told
            progress.advance(1)
    return found


def losses(
    asked: Sequence[Case], told: Mapping[tuple[str, Question], Judgement], held: Constitution, asking: Asking
) -> Loss:
    """Play every way of asking on the same answers."""
    subjects = [
        Subject(case.prompt.id, place, (case.a.id, case.b.id), (case.family,)) for place, case in enumerate(asked)
    ]
    bias = position_bias(
        told[subject.prompt_id, question] for subject in subjects for question in calibration(asking, subject)
    )
    rows: list[tuple[float, float, float, float]] = []
    calls = 0
    for case, subject in zip(asked, subjects, strict=True):
        shown = asking.orders.shown(case.prompt.id, pair_of(case.a.id, case.b.id))
        first = Question(*shown, case.family)
        heard = [told[case.prompt.id, question] for question in (first, first.turned())]
        played = replay(asking, subject, lambda q, name=case.prompt.id: Settled(told[name, q]), bias, held)  # type: ignore[misc]
        close = [told[case.prompt.id, question] for question in played.questions]
        calls += len(close)
        rows.append(
            (
                _loss(heard, case, held, None), _loss(heard[:1], case, held, bias.log_odds),
                _loss(heard[:1], case, held, None), _loss(close, case, held, bias.log_odds),
            )
        )  # fmt: skip
    both, one, raw, chosen = np.array(rows).T
    return Loss(both, one, raw, chosen, calls / len(asked), bias)


def _loss(heard: Sequence[Judgement], case: Case, held: Constitution, bias: float | None) -> float:
    (found,) = preferences(heard, held, bias=bias)
    p = found.p_a if (found.a_id == case.a.id) == case.a_wins else 1.0 - found.p_a
    return -log(sigmoid(logit(p)))  # clipped as everywhere


def summary(found: Loss, engine: str, within: float) -> Found:
    """The means, and how much of the gain is kept."""
    rng = np.random.default_rng(0)
    count = len(found.both)
    drawn = rng.integers(0, count, (RESAMPLES, count), dtype=np.int32)
    one, close, both = (
        np.array([values[rows].mean() for rows in drawn]) for values in (found.one, found.close, found.both)
    )
    low, high = np.quantile((one - close) / (one - both), (0.025, 0.975))
    means = {name: float(getattr(found, name).mean()) for name in ("raw", "one", "both", "close")}
    return Found(
        engine, within, count, found.bias.log_odds, found.calls,
        means["raw"], means["one"], means["both"], means["close"],
        (means["one"] - means["close"]) / (means["one"] - means["both"]), float(low), float(high),
        (means["raw"] - means["close"]) / (means["raw"] - means["both"]),
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge, play and print, a row for each threshold; returns 1 if the shipped one misses a mark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5_000)
    parser.add_argument("--engine", default="vllm", choices=["vllm", "transformers"])
    parser.add_argument("--seed", type=int, default=0, help="which prompts, replies and principles")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    console = Console(json=given.json)
    shipped = ScheduleConfig(second_order="close")
    held, asked = constitution(), cases(given.pairs, given.seed)
    with Leaning(create_engine(given.engine, str(JUDGE_PATH)), BIAS) as engine:
        told = answers(PairwiseJudge(engine, held, Mode.EACH), asked, console)
    rows: list[Found] = []
    for within in dict.fromkeys((shipped.close_within, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0)):
        asking = make_asking(replace(shipped, close_within=within), 0)
        rows.append(summary(losses(asked, told, held, asking), given.engine, within))
    values: list[list[Json]] = [
        [round(v, 5) if isinstance(v, float) else v for v in asdict(one).values()] for one in rows
    ]
    title = f"the first row is what ships; bias added: {BIAS}"
    console.table(list(asdict(rows[0])), values, title=title)
    return 0 if rows[0].good else 1


if __name__ == "__main__":
    sys.exit(main())
