"""Judge kinds side by side in the pocket world, live: the letter at once, and after a text of the judge's own.

    python -m benchmarks.judge_kinds [--pairs 500] [--model FOLDER] [--json]

Pairs are of held-out prompts, half by each of two principles, and decided: the oracle says which response is right. Every way of asking
gets the same pairs in both orders. `critique-first` and `reasoning` are the judge kinds of these names. `own critiques` stands for a
judge that has been trained to write critiques: the pocket judge criticises each response by itself, in the format that it was trained on
(`judges.critique`), and the two critiques stand where a critique-first judge's comparison would. The pocket judge was trained to answer
at once and to criticise one response; it was never shown a comparison in writing nor thinking, nor a second turn. So this measures the
machinery and one small model, and says nothing of what a critique does for a large one (`docs/judges.md` has what others found).

No answer is dropped for its label mass; `low mass` is the share below 0.5, which a run would not count as opinions. `right` is of
pairs, both orders averaged, an even p being half right.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import log
from statistics import median

from constitution.load import load
from constitution.model import Constitution
from engines.base import Engine
from engines.registry import create_engine
from judges.aggregate import Pair, preferences
from judges.chain import Text
from judges.critique import CritiqueJudge
from judges.critique_first import COMPARING_PARAMS, CritiqueFirstJudge
from judges.pairwise import PairAsk, PairwiseJudge
from judges.reasoning import ReasoningJudge
from pocket import JUDGE_PATH, oracle, world
from tenet.console import Console
from tenet.ids import Json
from tenet.intervals import wilson
from tenet.records import Finish, Judgement, Message, Prompt, Sample

FAMILIES = ("courteous", "thorough")
BUDGET = 64
"""Tokens of a text: what the pocket judge writes that was not taught to end is only longer with more."""
DRAWN = 900
"""Prompts that pairs are made of; the held-out part of the world has a few more."""
LOW = 0.5
PARAMS = replace(COMPARING_PARAMS, max_tokens=BUDGET)


@dataclass(frozen=True)
class Case:
    """A pair that the oracle decides: `side` is 1 where `a` is better, -1 where `b` is."""

    constitution: Constitution
    prompt: Prompt
    a: Sample
    b: Sample
    side: int

    @property
    def pair(self) -> Pair:
        """Its name among preferences."""
        return self.prompt.id, self.a.id, self.b.id


Asked = Callable[[Engine, Sequence[Case]], list[Judgement]]


def cases(wanted: int) -> list[Case]:
    """Decided pairs of held-out prompts, half by each principle."""
    found: dict[Pair, Case] = {}
    for family in FAMILIES:
        constitution, rng, held = load(f"pocket/{family}"), random.Random(f"kinds {family}"), 0
        for written in world.prompts(DRAWN, 17, "heldout"):
            texts = [world.reply(written, world.draw_plan(rng, balanced=True), rng).text for _ in range(2)]
            side = oracle.decide(family, written.text, *texts)
            if side == 0 or held >= wanted // 2:
                continue
            prompt = Prompt.of([Message("user", written.text)])
            a, b = (
                Sample(f"{family}-{held:04}-{place}", prompt.id, place, text, "world", Finish.STOP)
                for place, text in enumerate(texts)
            )
            one = Case(constitution, prompt, a, b, side)
            found[one.pair] = one
            held += 1
    return list(found.values())


def asks_of(judge: PairwiseJudge, some: Iterable[Case]) -> list[PairAsk]:
    """Both orders of each."""
    return [ask for c in some for pair in ((c.a, c.b), (c.b, c.a)) for ask in judge.asks(c.prompt, *pair)]


def by(make: Callable[[Engine, Constitution], PairwiseJudge]) -> Asked:
    """Ask a kind of judge."""

    def asked(engine: Engine, some: Sequence[Case]) -> list[Judgement]:
        found: list[Judgement] = []
        for constitution in dict.fromkeys(case.constitution for case in some):
            judge = make(engine, constitution)
            found += judge.stream(asks_of(judge, (case for case in some if case.constitution is constitution)))
        return found

    return asked


def own_critiques(engine: Engine, some: Sequence[Case]) -> list[Judgement]:
    """Ask after the critiques of each response by itself."""
    critic, found = CritiqueJudge(engine), []
    for constitution in dict.fromkeys(case.constitution for case in some):
        judge = CritiqueFirstJudge(engine, constitution, min_label_mass=0.0)
        own = [case for case in some if case.constitution is constitution]
        asks = [
            ask
            for case in own
            for sample in (case.a, case.b)
            for ask in critic.asks(case.prompt, sample, constitution.get(judge.principles(case.prompt)[0]))
        ]
        told = {one.sample_id: one for one in critic.critique(asks)}
        pairs = asks_of(judge, own)
        texts = [
            Text(f"Response A: {told[ask.first_id].text}\nResponse B: {told[ask.second_id].text}") for ask in pairs
        ]
        seconds = [replace(ask, tokens=judge.verdict_tokens(ask, text)) for ask, text in zip(pairs, texts, strict=True)]
        for one, text in zip(PairwiseJudge.judge(judge, seconds), texts, strict=True):
            written = [told[sample] for sample in (one.first_id, one.second_id)]
            prompt = (one.prompt_tokens or 0) + sum(c.prompt_tokens or 0 for c in written)
            completion = (one.completion_tokens or 0) + sum(c.completion_tokens or 0 for c in written)
            found.append(replace(one, critique=text.critique, prompt_tokens=prompt, completion_tokens=completion))
    return found


WAYS: dict[str, Asked] = {
    "pairwise": by(lambda engine, file: PairwiseJudge(engine, file, min_label_mass=0.0)),
    "critique-first": by(lambda engine, file: CritiqueFirstJudge(engine, file, params=PARAMS, min_label_mass=0.0)),
    "own critiques": own_critiques,
    "reasoning": by(lambda engine, file: ReasoningJudge(engine, file, params=PARAMS, min_label_mass=0.0)),
}


def row(name: str, told: Sequence[Judgement], some: Sequence[Case], seconds: float) -> list[Json]:
    """What a way of asking came to."""
    heard = [one for one in told if one.p_first is not None]
    held = {
        (one.prompt_id, one.a_id, one.b_id): one
        for constitution in dict.fromkeys(case.constitution for case in some)
        for one in preferences(
            [one for one in heard if one.principle in {each.id for each in constitution.active}], constitution
        )
    }
    p = [held[case.pair].p_a if case.side > 0 else 1 - held[case.pair].p_a for case in some if case.pair in held]
    right = sum(0.5 if one == 0.5 else float(one > 0.5) for one in p)
    low, high = wilson(right / len(p), len(p))
    masses = [one.label_mass for one in heard if one.label_mass is not None]
    return [
        name, len(p), f"{right / len(p):.3f}", f"{low:.3f} to {high:.3f}",
        f"{1 - sum(one.flipped for one in held.values()) / len(held):.3f}",
        f"{sum(-log(max(one, 1e-6)) for one in p) / len(p):.3f}", f"{sum(max(one, 1 - one) for one in p) / len(p):.3f}",
        f"{median(masses):.3f}", f"{sum(one < LOW for one in masses) / len(masses):.3f}",
        f"{sum(one.cut for one in told) / len(told):.3f}",
        round(sum(one.prompt_tokens or 0 for one in told) / len(some)),
        round(sum(one.completion_tokens or 0 for one in told) / len(some)), f"{seconds:.0f}",
    ]  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--model", default=str(JUDGE_PATH), metavar="FOLDER")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    console = Console(json=args.json)
    some = cases(args.pairs)
    rows: list[list[Json]] = []
    with create_engine("transformers", args.model) as engine:
        for name, ask in WAYS.items():
            since = time.monotonic()
            told = ask(engine, some)
            rows.append(row(name, told, some, time.monotonic() - since))
            shown = next((one for one in told if one.critique or one.thinking), None)
            if shown is not None:
                console.say(f"{name}, for example: {(shown.critique or shown.thinking)[:160]!r}")
    console.table(
        ["asked", "pairs", "right", "95 %", "consistent", "log loss", "mean confidence", "label mass", "low mass", "cut",
         "prompt tokens a pair", "written tokens a pair", "seconds"],
        rows, title=f"{args.pairs} decided pairs, both orders, texts of {BUDGET} tokens at most",
    )  # fmt: skip


if __name__ == "__main__":
    main()
