"""The same comparisons through vLLM and through transformers: how often the verdicts agree, and how far p is apart.

    python -m benchmarks.engine_agreement [--comparisons 500] [--model FOLDER] [--json]

Same tokens (the tokenizer and template hashes must be equal), two engines, one process. Exits 1 under 99 % equal verdicts, at a p more
than 0.02 apart, or at a median difference of 0.002 or more.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.engine_material import SAMPLES, material, questions
from constitution.load import load
from engines.registry import create_engine
from judges.pairwise import PairwiseJudge
from pocket import JUDGE_PATH
from tenet.records import Judgement

PRINCIPLES = ("pocket/courteous", "pocket/thorough")


@dataclass(frozen=True)
class Agreement:
    """Two engines' judgements of the same comparisons."""

    comparisons: int
    same_verdict: float
    largest: float
    median: float
    unsure: int

    @property
    def good(self) -> bool:
        """Whether it meets the marks."""
        return self.same_verdict >= 0.99 and self.largest <= 0.02 and self.median < 0.002


def judged(
    name: str, model: Path, principles: str, prompts: int, limit: int
) -> tuple[list[Judgement], tuple[str, str]]:
    """Judgements by one engine, and the hashes that say what its tokens mean."""
    with closing(create_engine(name, str(model))) as engine:
        judge = PairwiseJudge(engine, load(principles), min_label_mass=0.0)
        asks = questions(judge, material(prompts, 77))[:limit]
        return judge.judge(asks), (engine.info.tokenizer_hash, engine.info.template_hash)


def compare(model: Path, principles: str, comparisons: int) -> Agreement:
    """Judge by both engines and compare."""
    prompts = -(-comparisons // (SAMPLES * (SAMPLES - 1))) + 4
    ours, mine = judged("transformers", model, principles, prompts, comparisons)
    theirs, other = judged("vllm", model, principles, prompts, comparisons)
    if mine != other:
        raise SystemExit("the engines make their prompts differently")
    pairs = [(a.p_first, b.p_first, a.outcome is b.outcome) for a, b in zip(ours, theirs, strict=True)]
    gaps = [abs(p - q) for p, q, _ in pairs if p is not None and q is not None]
    if len(gaps) != len(pairs):
        raise SystemExit(f"{len(pairs) - len(gaps)} comparisons got no opinion")
    unsure = sum(p is not None and 0.05 < p < 0.95 for p, _, _ in pairs)
    same = sum(same for _, _, same in pairs) / len(pairs)
    return Agreement(len(pairs), same, max(gaps), statistics.median(gaps), unsure)


def main() -> None:
    """Print the table; exit 1 if the engines disagree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comparisons", type=int, default=500)
    parser.add_argument("--model", type=Path, default=JUDGE_PATH)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    results = {name: compare(args.model, name, args.comparisons) for name in PRINCIPLES}
    if args.json:
        print(json.dumps({name: asdict(result) for name, result in results.items()}))
    else:
        print(
            f"{'principles':20}{'comparisons':>12}{'same verdict':>14}{'largest dp':>12}{'median dp':>12}{'0.05<p<0.95':>13}"
        )
        for name, one in results.items():
            print(
                f"{name:20}{one.comparisons:>12}{one.same_verdict:>14.2%}{one.largest:>12.1e}{one.median:>12.1e}{one.unsure:>13}"
            )
    sys.exit(not all(result.good for result in results.values()))


if __name__ == "__main__":
    main()
