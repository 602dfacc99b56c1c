"""Panels in the pocket world, live: the pocket judge with two broken copies, and three weakened judges with the two broken ones.

    python -m benchmarks.pocket_panel [--pairs 200] [--anchors 50] [--splits 20] [--judges DIR] [--json]

The pocket judge itself answers every question in both orders; the oracle says what is right. The copies are arithmetic on its recorded
answers, which is what an engine wrapped around it would give. `position-biased` names the place shown first (log-odds 4, with noise of 1)
whatever is there: a constant added to the judge's own log-odds would not break it, since both orders are averaged. `random` draws its
log-odds anew for every question. With `--judges` the three others are partly trained checkpoints, the folders in DIR that
`python -m benchmarks.weak_judges --work DIR` made, each asked like the pocket judge. Without it they are weakened copies: the
pocket judge's log-odds with noise of their own, most of it per pair and the same in both orders (a wrong opinion), the rest per question;
the errors of these are independent by construction. `errors together` is the mean correlation (phi) of two of the three's errors; 0 is
independent. With anchors, weights are fitted on random pairs and scored on the others, averaged over splits.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np

from constitution.load import load
from constitution.model import Constitution
from engines.base import Engine
from engines.registry import create_engine
from judges.aggregate import Pair, preferences
from judges.pairwise import PairwiseJudge
from judges.panel import Reliability, by_anchors, by_votes, combined
from judges.probability import logit, mean, sigmoid
from pocket import JUDGE_PATH, oracle, world
from tenet.console import Console
from tenet.errors import UsageError
from tenet.ids import Json
from tenet.records import Finish, Judgement, Message, Outcome, Prompt, Sample

FAMILIES = ("courteous", "thorough")
WEAK = {"weak-1": 6.0, "weak-2": 7.0, "weak-3": 8.0}
Truth = dict[Pair, int]


def ask(engine: Engine, wanted: int) -> tuple[list[Judgement], Truth, Constitution]:
    """The pocket judge's answers about `wanted` decided pairs of held-out prompts, half by each family, and the true sides."""
    told: list[Judgement] = []
    truth: Truth = {}
    for family in FAMILIES:
        constitution = load(f"pocket/{family}")
        judge = PairwiseJudge(engine, constitution)
        rng = random.Random(f"panel {family}")
        asks, held = [], 0
        for written in world.prompts(3 * wanted, 11, "heldout"):
            texts = [world.reply(written, world.draw_plan(rng, balanced=True), rng).text for _ in range(2)]
            side = oracle.decide(family, written.text, *texts)
            prompt = Prompt.of([Message("user", written.text)])
            if side == 0 or (prompt.id, f"{family}-0", f"{family}-1") in truth or held >= wanted // 2:
                continue
            a, b = (
                Sample(f"{family}-{place}", prompt.id, place, text, "world", Finish.STOP)
                for place, text in enumerate(texts)
            )
            asks += [*judge.asks(prompt, a, b), *judge.asks(prompt, b, a)]
            truth[prompt.id, a.id, b.id] = side
            held += 1
        told += judge.judge(asks)
    return [replace(one, judge="pocket") for one in told if one.p_first is not None], truth, constitution


def altered(told: Sequence[Judgement], name: str, change: Callable[[Judgement, float], float]) -> list[Judgement]:
    """A copy of a judge whose log-odds for the response shown first are changed."""
    found = []
    for one in told:
        p = sigmoid(change(one, logit(one.p_first or 0.0)))
        outcome = Outcome.FIRST if p > 0.5 else Outcome.SECOND
        found.append(replace(one, id=f"{name} {one.id}", judge=name, p_first=p, outcome=outcome))
    return found


def weakened(told: Sequence[Judgement], name: str, spread: float) -> list[Judgement]:
    """A copy with noise of its own: `spread` per pair, a quarter of that per question."""

    def change(one: Judgement, odds: float) -> float:
        pair = random.Random(f"{name} {one.prompt_id} {sorted((one.first_id, one.second_id))}").gauss(0.0, spread)
        slip = random.Random(f"{name} {one.id}").gauss(0.0, spread / 4.0)
        return odds + (pair if one.first_id < one.second_id else -pair) + slip

    return altered(told, name, change)


def right(told: Sequence[Judgement], truth: Truth, constitution: Constitution) -> float:
    """The share of pairs whose better response is named; undecided is wrong."""
    found = {(one.prompt_id, one.a_id, one.b_id): one.p_a for one in preferences(told, constitution)}
    return mean([float((found.get(pair, 0.5) - 0.5) * side > 0) for pair, side in truth.items()])


def errors_together(told: Sequence[Judgement], truth: Truth, constitution: Constitution) -> float:
    """The mean phi of the errors of two judges, over all pairs of judges."""
    wrong = []
    for judge in sorted({one.judge for one in told}):
        said = [one for one in told if one.judge == judge]
        found = {(one.prompt_id, one.a_id, one.b_id): one.p_a for one in preferences(said, constitution)}
        wrong.append([float((found.get(pair, 0.5) - 0.5) * side <= 0) for pair, side in sorted(truth.items())])
    return mean([float(np.corrcoef(one, other)[0, 1]) for one, other in combinations(wrong, 2)])


def asked(folder: Path, pairs: int) -> list[Judgement]:
    """The answers of every checkpoint in a folder to the questions that the pocket judge is asked.

    Raises:
        UsageError: fewer than three checkpoints.
    """
    models = sorted(path.parent for path in folder.glob("*/config.json"))
    if len(models) < 3:
        raise UsageError(
            f"{folder} holds {len(models)} judges; three are needed",
            hint=f"make them with: python -m benchmarks.weak_judges --work {folder}",
        )
    told: list[Judgement] = []
    for model in models:
        with create_engine("transformers", str(model)) as engine:
            told += [replace(one, judge=model.name) for one in ask(engine, pairs)[0]]
    return told


def anchored(
    told: Sequence[Judgement], truth: Truth, constitution: Constitution, best: str, anchors: int, splits: int
) -> tuple[float, float]:
    """Mean share right off the anchors: of the panel, and of one judge alone."""
    panel, alone = [], []
    for split in range(splits):
        pairs = sorted(truth)
        random.Random(split).shuffle(pairs)
        rest = {pair: truth[pair] for pair in pairs[anchors:]}
        known = by_anchors(told, {pair: truth[pair] for pair in pairs[:anchors]})
        panel.append(right(combined(told, known), rest, constitution))
        alone.append(right([one for one in told if one.judge == best], rest, constitution))
    return mean(panel), mean(alone)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--anchors", type=int, default=50)
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--judges", type=Path, help="folder of partly trained judges; without it, weakened copies")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    console = Console(json=args.json)
    with create_engine("transformers", str(JUDGE_PATH)) as engine:
        pocket, truth, constitution = ask(engine, args.pairs)
    broken = [
        *altered(pocket, "position-biased", lambda one, _: random.Random(f"biased {one.id}").gauss(4.0, 1.0)),
        *altered(pocket, "random", lambda one, _: random.Random(f"random {one.id}").gauss(0.0, 4.0)),
    ]
    if args.judges is not None:
        weak = asked(args.judges, args.pairs)
    else:
        weak = [one for name, spread in WEAK.items() for one in weakened(pocket, name, spread)]
    three = f"{len({one.judge for one in weak})} {'partly trained' if args.judges else 'weakened'} + 2 broken"
    panels = {"pocket + 2 broken": [*pocket, *broken], three: [*weak, *broken]}
    rows: list[list[Json]] = [
        [three, "errors together", errors_together(weak, truth, constitution), "phi, mean of pairs"]
    ]
    for name, told in panels.items():
        members = sorted({one.judge for one in told})
        shares = {judge: right([one for one in told if one.judge == judge], truth, constitution) for judge in members}
        best = max(shares, key=shares.__getitem__)
        rows += [[name, f"{judge} alone", share, ""] for judge, share in shares.items()]
        equal = Reliability(dict.fromkeys(members, 0.75), "votes")
        hard = [replace(one, p_first=float((one.p_first or 0.0) > 0.5)) for one in told]
        for kind, said in (("equal vote", hard), ("equal weights, soft", told)):
            rows.append([name, kind, right(combined(said, equal), truth, constitution), "for comparison; never used"])
        panel, alone = anchored(told, truth, constitution, best, args.anchors, args.splits)
        rows.append(
            [name, f"{args.anchors} anchors, scored off them", panel, f"{best} alone on the same pairs {alone:.3f}"]
        )
        try:
            known = by_votes(told)
        except UsageError as error:
            rows.append([name, "without anchors", None, f"refused: {error.message}"])
        else:
            share = right(combined(told, known), truth, constitution)
            told_of = ", ".join(f"{judge} {value:.2f}" for judge, value in known.accuracies.items())
            rows.append([name, "without anchors", share, f"slope {known.slope:.2f}; accuracies {told_of}"])
    console.table(["panel", "labels by", "right", "note"], rows)


if __name__ == "__main__":
    main()
