"""What critique and revision do to pocket answers, and what SFT on the revisions does to the pocket policy, read by the oracle.

For each principles file the pocket policy answers prompts, the pocket judge criticises and rewrites the answers in two rounds, and the
policy is fine-tuned on the rewritten ones (`tenet train sft`). The oracle, which knows the truth, reads every text: how many answers have
what the file asks for, how many name another topic than before, and what base and trained policy answer to held-out prompts. Where a file
speaks about one kind of prompt, the others do not count. Exit 1 where a figure misses its bar.

    python -m benchmarks.revision                                  courteous, blunt, brief and honest; 300 prompts
    python -m benchmarks.revision --files thorough harmless --json
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from io import StringIO
from pathlib import Path

from generate.context import Step
from generate.pipeline import Order, generate
from generate.prompt_shards import PromptShards
from generate.revision_chain import Chain, chain_of, recorded
from pocket import JUDGE_PATH, POLICY_PATH, oracle
from pocket.plan import HELD_OUT_SEED, draw_prompts, kinds_for, write_prompts
from tenet.config import make_config
from tenet.console import Console
from tenet.intervals import wilson
from tenet.records import Prompt, Sample, Verdict
from tenet.runconfig import RunConfig
from tenet.runs import Run
from train.config import SftConfig
from train.evaluate import EvaluateConfig, evaluate
from train.sft import train_sft

ROUNDS = 2
RISE, OFF_TOPIC = 0.30, 0.05
"""The bar: two rounds raise what the file asks for by 30 points, and 5 % of the answers or fewer lose their topic."""
MAX_TOKENS = 128
BATCH, EPOCHS, LEARNING_RATE = 16, 3.0, 5e-4

Rate = tuple[float, float, float]


@dataclass(frozen=True)
class Outcome:
    """What the benchmark measured of one file. Rates are (value, low, high); `rounds` holds the rate after each round.

    `left_alone` and `rewritten` count the answers of which the first round's critique found that they follow the principle, and those
    that have another text in the end; `lost_topic` those of all `answers` that named their topic before and do not now.
    """

    file: str
    answers: int
    before: Rate
    rounds: tuple[Rate, ...]
    left_alone: int
    rewritten: int
    lost_topic: int
    sft_rows: int
    base: Rate
    trained: Rate
    change: Rate
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether the file meets the bars: the third is that the policy moved the same way, interval and all."""
        risen = self.rounds[-1][0] - self.before[0] >= RISE
        return risen and self.lost_topic <= OFF_TOPIC * self.answers and self.change[1] > 0


def quiet() -> Console:
    """A console that says nothing."""
    return Console(quiet=True, out=StringIO(), err=StringIO())


def rate(family: str, texts: Sequence[tuple[Prompt, str]]) -> Rate:
    """The share of answers that show a family, of those that it applies to."""
    found = [shows for prompt, text in texts if (shows := oracle.has(family, prompt.text, text)) is not None]
    share = sum(found) / len(found)
    return share, *wilson(share, len(found))


def loses_topic(prompt: Prompt, chain: Chain) -> bool:
    """Whether the answer named the prompt's topic and what it was revised to does not."""
    before, after = (oracle.read(prompt.text, text).on_topic for text in (chain.original.text, chain.shown.text))
    return before and not after


def revise(family: str, prompts: int, folder: Path) -> Run:
    """Let the policy answer and the judge revise."""
    write_prompts(folder / "prompts.jsonl", draw_prompts(prompts, 0, "train", kinds_for([family])))
    config = make_config(
        {
            "name": family,
            "principles": f"pocket/{family}",
            "prompts": {"path": str(folder / "prompts.jsonl")},
            "policy": {"model": str(POLICY_PATH), "samples": 1, "max_tokens": MAX_TOKENS},
            "judge": {"model": str(JUDGE_PATH)},
            "revise": {"rounds": ROUNDS},
            "export": ["sft", "trl-preference"],
        },
        RunConfig,
    )
    steps = frozenset({Step.SAMPLES, Step.REVISIONS, Step.EXPORT})
    return generate(Order(config, folder / "run", "tenet revise run.yaml", steps), quiet())


def chains(run: Run, rounds: int) -> list[tuple[Prompt, Chain]]:
    """Every answer with what so many rounds made of it."""
    found: list[tuple[Prompt, Chain]] = []
    for number, prompts in enumerate(PromptShards(run.stage(Step.PROMPTS, Prompt))):
        held = recorded(run, number, range(1, rounds + 1))
        samples = {one.prompt_id: one for one in run.stage(Step.SAMPLES, Sample).records(number)}
        found += [(prompt, chain_of(samples[prompt.id], held)) for prompt in prompts if prompt.id in samples]
    return found


def train_and_measure(family: str, held_out: int, folder: Path) -> tuple[int, dict[str, Rate]]:
    """Fine-tune the policy on the revisions; the rows, and the rates of base and trained policy on prompts not trained on."""
    write_prompts(folder / "held-out.jsonl", draw_prompts(held_out, HELD_OUT_SEED, "heldout", kinds_for([family])))
    config = SftConfig(
        model=str(POLICY_PATH), data=str(folder / "run"), out=str(folder / "sft"), epochs=EPOCHS,
        batch_size=BATCH, learning_rate=LEARNING_RATE, warmup=0.1,
    )  # fmt: skip
    trained = train_sft(config, console=quiet())
    asked = EvaluateConfig(
        base=str(POLICY_PATH), trained=str(folder / "sft"), prompts=str(folder / "held-out.jsonl"),
        out=str(folder / "evaluation.json"), oracle="pocket", max_tokens=MAX_TOKENS,
    )  # fmt: skip
    found = next(one for one in evaluate(asked, console=quiet()).attributes if one.name == family)
    sides = {"base": found.base, "trained": found.trained, "change": found.change}
    return trained.rows, {name: (one.value, one.low, one.high) for name, one in sides.items() if one is not None}


def bench(family: str, prompts: int, held_out: int, folder: Path) -> Outcome:
    """Revise, train and measure under one file."""
    began = time.monotonic()
    with revise(family, prompts, folder) as run:
        told = [chains(run, number) for number in range(ROUNDS + 1)]
    rates = [rate(family, [(prompt, chain.shown.text) for prompt, chain in found]) for found in told]
    last = [chain for _, chain in told[-1]]
    verdicts = Counter(chain.links[0].critique.verdict for chain in last if chain.links)
    rows, measured = train_and_measure(family, held_out, folder)
    return Outcome(
        family, len(last), rates[0], tuple(rates[1:]), verdicts[Verdict.YES], sum(bool(chain.kept) for chain in last),
        sum(loses_topic(prompt, chain) for prompt, chain in told[-1]), rows, measured["base"], measured["trained"],
        measured["change"], round(time.monotonic() - began, 1),
    )  # fmt: skip


def show(outcomes: Sequence[Outcome], console: Console) -> None:
    """Print the two tables."""
    rounds = [f"after round {number}" for number in range(1, ROUNDS + 1)]
    console.table(
        ["file", "answers", "left alone", "rewritten", "before", *rounds, "points", "lost topic"],
        [
            [
                one.file, one.answers, one.left_alone, one.rewritten, _text(one.before), *map(_text, one.rounds),
                f"{100 * (one.rounds[-1][0] - one.before[0]):+.0f}", one.lost_topic,
            ]
            for one in outcomes
        ],
        title="Answers with what the file asks for, 95 % intervals",
    )  # fmt: skip
    console.table(
        ["file", "SFT rows", "base policy", "trained policy", "points", "seconds in all", "meets the bars"],
        [
            [
                one.file, one.sft_rows, _text(one.base), _text(one.trained), f"{100 * one.change[0]:+.0f}", round(one.seconds),
                "yes" if one.passed else "NO",
            ]
            for one in outcomes
        ],
        title="The same of answers to held-out prompts, after SFT on the revisions",
    )  # fmt: skip


def _text(found: Rate) -> str:
    return "{:.0f} % [{:.0f}, {:.0f}]".format(*(100 * value for value in found))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and hold against the bars."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", nargs="+", default=["courteous", "blunt", "brief", "honest"], metavar="NAME")
    parser.add_argument("--prompts", type=int, default=300, metavar="N")
    parser.add_argument("--held-out", type=int, default=250, metavar="N")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    console = Console(json=given.json)
    outcomes: list[Outcome] = []
    for file in given.files:
        with tempfile.TemporaryDirectory() as folder:
            outcomes.append(bench(file, given.prompts, given.held_out, Path(folder)))
        console.say(f"{file}: {outcomes[-1]}")
    if given.json:
        console.data([{**asdict(one), "passed": one.passed} for one in outcomes])
    else:
        show(outcomes, console)
    return 0 if all(one.passed for one in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
