"""What a judge costs beside its engine: CPU time to make a question and to read its answer.

    python -m benchmarks.judge_overhead [--model FOLDER] [--prompts 300] [--json]

The tokenizer is a real model's; the model itself answers at once, so that all of the time is Tenet's: filling
the template, tokenising, hashing the key. The first pass (cold) tokenises every text; the second (warm) finds
them in the span cache. Times are CPU time of this process, so that a busy machine does not change them much.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from constitution.model import Constitution, Principle
from engines.base import (
    Capabilities,
    Completion,
    Engine,
    EngineInfo,
    LabelRead,
    Request,
    SamplingParams,
    TokenIds,
    Usage,
)
from engines.prompting import ChatTokenizer
from generate.schedule import round_robin
from judges.pairwise import Mode, PairAsk, PairwiseJudge
from pocket import POLICY_PATH
from tenet.records import Finish, Message, Prompt, Sample

WORDS = [f"{stem}{end}" for stem in ("print", "cable", "thank", "switch", "wait") for end in ("", "s", "ing", "er")]
SAMPLES, RESPONSE_WORDS, PROMPT_WORDS, PRINCIPLES = 4, 150, 40, 5


class Instant(Engine):
    """A model's tokenizer with answers that take no time."""

    info = EngineInfo("instant", "instant")
    capabilities = Capabilities(label_logprobs=True, generates=False, deterministic=True, prefix_cache=True)
    max_length = 1 << 20

    def __init__(self, tokenizer: ChatTokenizer) -> None:
        self._tokenizer = tokenizer
        self._read = LabelRead((-0.5, -1.5), Usage(500, 0, 400))

    @property
    def tokenizer(self) -> ChatTokenizer:
        """The model's own."""
        return self._tokenizer

    def read_labels(self, requests: Sequence[Request], labels: Sequence[TokenIds]) -> list[LabelRead]:  # noqa: ARG002
        """Give every question the same answer."""
        return [self._read] * len(requests)

    def generate(self, requests: Sequence[Request], params: SamplingParams) -> list[Completion]:
        """Write nothing."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing to free."""


def world(prompts: int) -> list[tuple[Prompt, list[Sample]]]:
    """Prompts with samples of random words, the same each time."""
    rng = random.Random(0)

    def text(words: int) -> str:
        return " ".join(rng.choice(WORDS) for _ in range(words))

    asked = [Prompt.of([Message("user", f"{number}: {text(PROMPT_WORDS)}")]) for number in range(prompts)]
    return [
        (
            prompt,
            [
                Sample(f"{prompt.id}{n}", prompt.id, n, text(RESPONSE_WORDS), "policy", Finish.STOP)
                for n in range(SAMPLES)
            ],
        )
        for prompt in asked
    ]


def timed(work: Callable[[], list[PairAsk]]) -> tuple[list[PairAsk], float]:
    """The questions that some work makes, and microseconds of CPU time each."""
    began = time.process_time()
    asks = work()
    return asks, (time.process_time() - began) / len(asks) * 1e6


def measure(engine: Engine, mode: Mode, material: Sequence[tuple[Prompt, list[Sample]]]) -> dict[str, float | str]:
    """One row of the table."""
    principles = tuple(
        Principle(f"p{n}", f"The response is courteous in way {n} of {PRINCIPLES}.") for n in range(PRINCIPLES)
    )
    judge = PairwiseJudge(engine, Constitution("bench", "1", "", "", principles), mode)

    def make() -> list[PairAsk]:
        return [
            ask
            for prompt, samples in material
            for first, second in round_robin(samples)
            for ask in judge.asks(prompt, first, second)
        ]

    asks, cold = timed(make)
    _, warm = timed(make)
    began = time.process_time()
    judge.judge(asks)
    read = (time.process_time() - began) / len(asks) * 1e6
    tokens = sum(len(ask.tokens) for ask in asks) / len(asks)
    return {
        "mode": mode.value,
        "questions": len(asks),
        "tokens": tokens,
        "make_cold_us": cold,
        "make_warm_us": warm,
        "read_us": read,
        "questions_per_s": 1e6 / (cold + read),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=POLICY_PATH, help="folder of the tokenizer")
    parser.add_argument("--prompts", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    from transformers import AutoTokenizer

    material = world(args.prompts)
    rows = []
    for mode in Mode:
        engine = Instant(ChatTokenizer(AutoTokenizer.from_pretrained(args.model, local_files_only=True)))
        rows.append(measure(engine, mode, material))
    if args.json:
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    print(f"{'mode':8} {'questions':>9} {'tokens':>7} {'cold':>9} {'warm':>9} {'read':>8} {'questions/s':>12}")
    for row in rows:
        print(
            f"{row['mode']:8} {row['questions']:9,} {row['tokens']:7.0f} {row['make_cold_us']:6.0f} us "
            f"{row['make_warm_us']:6.0f} us {row['read_us']:5.0f} us {row['questions_per_s']:12,.0f}"
        )


if __name__ == "__main__":
    main()
