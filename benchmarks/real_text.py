"""Real prompts through real vLLM: `tenet generate` over HH-RLHF transcripts, then the dataset into TRL's own trainers.

    python -m benchmarks.real_text --prompts 500

Reads `../shared/data/hh-rlhf`, offensive text inside, of which nothing is printed. The pocket models do not understand these prompts: this
shows that the machinery takes real text of all lengths, and that the funnel's numbers add up. Exits 1 if anything does not hold.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pocket import JUDGE_PATH, POLICY_PATH
from tenet.console import Console
from tenet.records import Judgement, Preference, PreferencePair, Prompt, Sample
from tenet.runs import Run

DATA = Path(__file__).parents[2] / "shared/data/hh-rlhf/harmless-base.test.jsonl.gz"
MAX_TOKENS = 48


def order_of(folder: Path, engine: str, prompts: int) -> Any:
    """The order for a run over the first `prompts` prompts."""
    from generate.pipeline import Order
    from tenet.config import make_config
    from tenet.runconfig import RunConfig

    config = make_config(
        {
            "name": "real",
            "principles": "harmlessness",
            "prompts": {"path": str(DATA), "limit": prompts},
            "policy": {"engine": engine, "model": str(POLICY_PATH), "samples": 3, "max_tokens": MAX_TOKENS},
            "judge": {"engine": engine, "model": str(JUDGE_PATH), "min_label_mass": 0.0},
            "critique": "none",
            "max_failures": 1.0,
        },
        RunConfig,
    )
    return Order(config, folder / "real", "tenet generate run.yaml")


def funnel(run: Run) -> dict[str, int]:
    """Counts of every stage, and of what was left out between them."""
    from generate.context import PREFERENCES, Step, by_prompt
    from generate.schedule import field_of

    samples = by_prompt(run.stage(Step.SAMPLES, Sample).records(ok=None))
    fields = [field_of(group) for group in samples.values()]
    judgements = run.stage(Step.JUDGEMENTS, Judgement)
    return {
        "prompts": run.stage(Step.PROMPTS, Prompt).counts().rows,
        "samples": sum(len(group) for group in samples.values()),
        "samples failed": run.stage(Step.SAMPLES, Sample).counts().failed,
        "unusable": sum(field.unusable for field in fields),
        "identical": sum(field.identical for field in fields),
        "comparable": sum(len(field.samples) for field in fields),
        "pairs to judge": sum(field.pairs for field in fields),
        "judgements": judgements.counts().rows,
        "judgements failed": judgements.counts().failed,
        "preferences": run.stage(PREFERENCES, Preference).counts().rows,
        "pairs": run.stage(Step.PAIRS, PreferencePair).counts().rows,
    }


def adds_up(counts: Mapping[str, int]) -> list[str]:
    """What does not add up in a funnel, in words."""
    checks = {
        "samples = unusable + identical + comparable": counts["samples"]
        == counts["unusable"] + counts["identical"] + counts["comparable"],
        "judgements = 2 x pairs to judge": counts["judgements"] == 2 * counts["pairs to judge"],
        "preferences <= pairs to judge": counts["preferences"] <= counts["pairs to judge"],
        "pairs <= prompts": 0 < counts["pairs"] <= counts["prompts"],
        "3 samples a prompt": counts["samples"] == 3 * counts["prompts"],
    }
    return [words for words, holds in checks.items() if not holds]


def trainers_accept(dataset: Path, folder: Path) -> dict[str, float]:
    """The loss of two steps of TRL's own reward and DPO trainers on a dataset that `datasets` loads."""
    from datasets import load_dataset
    from trl import DPOConfig, DPOTrainer, RewardConfig, RewardTrainer

    common: dict[str, Any] = {
        "report_to": "none", "use_cpu": True, "bf16": False, "gradient_checkpointing": False, "max_steps": 2, "disable_tqdm": True,
        "per_device_train_batch_size": 4, "max_length": 512, "save_strategy": "no", "logging_steps": 1,
    }  # fmt: skip
    losses = {}
    for name, trainer, config, form in (
        ("reward", RewardTrainer, RewardConfig, "reward"), ("dpo", DPOTrainer, DPOConfig, "trl-preference"),
    ):  # fmt: skip
        rows = load_dataset(str(dataset), form, split="train")
        made = trainer(model=str(POLICY_PATH), args=config(output_dir=str(folder / name), **common), train_dataset=rows)
        losses[name] = float(made.train().training_loss)
    return losses


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the funnel and the trainers' losses; returns 1 if something does not add up, 2 where the data or vLLM is not there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=500)
    parser.add_argument("--engine", default="vllm", choices=["vllm", "transformers"])
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    console = Console(json=asked.json)
    if not DATA.exists():
        console.say("../shared/data is not there: nothing was measured")
        return 2
    if asked.engine == "vllm" and importlib.util.find_spec("vllm") is None:
        console.say("vLLM is not installed (make setup-vllm): nothing was measured")
        return 2
    from dataclasses import replace

    from generate.exporting import DATASET
    from generate.pipeline import generate

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        order = order_of(folder, asked.engine, asked.prompts)
        order = replace(order, config=replace(order.config, export=("trl-preference", "reward")))
        began = time.monotonic()
        with generate(order, console) as run:
            seconds = time.monotonic() - began
            counts = funnel(run)
            losses = trainers_accept(run.path / DATASET, folder)
    wrong = adds_up(counts)
    result = {
        "engine": asked.engine,
        "seconds": round(seconds, 1),
        "funnel": counts,
        "losses": losses,
        "does not add up": wrong,
    }
    if asked.json:
        console.data(json.loads(json.dumps(result)))
    else:
        console.table(
            ["count", "of"],
            [[number, name] for name, number in counts.items()],
            title=f"{asked.engine}, {seconds:.0f} s",
        )
        console.table(["TRL trainer", "loss"], [[name, loss] for name, loss in losses.items()])
        console.say("Everything adds up." if not wrong else f"Does not add up: {'; '.join(wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
