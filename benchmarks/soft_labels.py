"""Do soft labels pay? Reward models and DPO policies from the same noisy labels, read as probabilities and read as bare orders.

    python -m benchmarks.soft_labels [--attribute courteous] [--pairs 256] [--epochs 4] [--seeds 1 2 3 4 5] [--work DIR] [--json]

The pocket policy answers prompts once. Of the pairs of answers to one prompt that the oracle decides under an attribute, each seed
draws `--pairs`, and a judge that is calibrated and noisy labels them: for each pair q is drawn from U(0.5, 1), and the label is right
with probability q. Four arms learn from the same pairs and labels: `hard` (p = 1 for the labelled side), `soft` (p = q), `same p` (the
mean of q for every pair, which says how noisy the labels are but not which) and `truth` (the oracle's own order, p = 1).

Measured on held-out prompts: of the reward model its accuracy on pairs that the oracle decides, with its log loss there; of the DPO
policy the share of its answers that have the attribute by the oracle, with words, and KL to the base in nats a response (mean of the
log-ratio over the policy's own answers). Every arm has its learning rate from the same grid, the best on seed 0, whose held-out
prompts are others. All else (steps, batches, order, beta) is equal. `--work DIR` keeps everything, and goes on with what is there.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np

from pocket import POLICY_PATH, oracle
from pocket.demo import BATCH, BETA, MAX_TOKENS, WARMUP
from pocket.plan import HELD_OUT_SEED, draw_prompts, write_prompts
from pocket.world import KIND_SHARES
from tenet.console import Console
from tenet.ids import Json
from tenet.intervals import wilson

TUNING_SEED: Final = 0
ARMS: Final = ("hard", "soft", "same p", "truth")
METHODS: Final = ("reward", "dpo")
RATES: Final = {"reward": (1e-4, 3e-4, 1e-3), "dpo": (1e-4, 3e-4, 1e-3)}
MEAN_Q: Final = 0.75
SETS: Final = {"train": 400, "choose": 150, "measure": 250}
"""Prompts to learn from, to choose learning rates on and to measure on; each is answered `ANSWERS` times by the base."""
ANSWERS: Final = 4
DRAWS: Final = 2
"""Answers of a trained policy to each held-out prompt."""


@dataclass(frozen=True)
class Decided:
    """Two answers to a prompt, the better one by the oracle first."""

    prompt: str
    better: str
    worse: str


@dataclass(frozen=True)
class Setting:
    """One regime: what is asked for, how many pairs, how many passes over them."""

    attribute: str
    pairs: int
    epochs: float


def decided_pairs(work: Path, attribute: str) -> dict[str, list[Decided]]:
    """Sample the base once, and give by set of prompts the pairs that the oracle decides."""
    found: dict[str, list[Decided]] = {}
    for name, answers in _answers(work).items():
        found[name] = []
        for prompt, texts in answers.items():
            for a, b in combinations(dict.fromkeys(texts), 2):
                side = oracle.decide(attribute, prompt, a, b)
                if side:
                    found[name].append(Decided(prompt, *((a, b) if side > 0 else (b, a))))
    return found


def _answers(work: Path) -> dict[str, dict[str, list[str]]]:
    """The base's answers by set and prompt; drawn where they are not there yet."""
    from engines.base import SamplingParams
    from engines.registry import create_engine
    from tenet.reading.prompts import PromptStream, collect
    from tenet.reading.rows import open_rows
    from train.responses import draw_responses

    held_out = draw_prompts(SETS["choose"] + SETS["measure"], HELD_OUT_SEED, "heldout", KIND_SHARES)
    drawn = {
        "train": draw_prompts(SETS["train"], 0, "train", KIND_SHARES),
        "choose": held_out[: SETS["choose"]],
        "measure": held_out[SETS["choose"] :],
    }
    found: dict[str, dict[str, list[str]]] = {}
    for name, prompts in drawn.items():
        write_prompts(work / f"{name}.jsonl", prompts)
        kept = work / f"{name}-answers.json"
        if not kept.is_file():
            records = collect(PromptStream(open_rows(work / f"{name}.jsonl"))).prompts
            with create_engine("transformers", str(POLICY_PATH)) as engine:
                samples = draw_responses(
                    engine, records, SamplingParams(MAX_TOKENS, 1.0, 1.0), samples=ANSWERS, seed=0, name="base",
                    console=Console(quiet=True),
                )  # fmt: skip
            texts, answers = {one.id: one.text for one in records}, defaultdict(list)
            for sample in samples:
                answers[texts[sample.prompt_id]].append(sample.text)
            kept.write_text(json.dumps(answers), encoding="utf-8")
        found[name] = json.loads(kept.read_text(encoding="utf-8"))
    return found


def write_arms(folder: Path, pairs: Sequence[Decided], held_out: Sequence[Decided], count: int, seed: int) -> float:
    """Write one data set for each arm from the same pairs and labels; gives the share of labels that are right."""
    rng = random.Random(f"soft labels {seed}")
    rows: dict[str, list[dict[str, Json]]] = {arm: [] for arm in ARMS}
    right = 0
    for pair in rng.sample(list(pairs), count):
        q = rng.uniform(0.5, 1.0)
        is_right = rng.random() < q
        right += is_right
        labelled = (pair.better, pair.worse) if is_right else (pair.worse, pair.better)
        for arm, p in (("hard", 1.0), ("soft", q), ("same p", MEAN_Q)):
            rows[arm].append(_row(pair.prompt, *labelled, p))
        rows["truth"].append(_row(pair.prompt, pair.better, pair.worse, 1.0))
    test = "".join(json.dumps(_row(one.prompt, one.better, one.worse, 1.0)) + "\n" for one in held_out)
    for arm, own in rows.items():
        place = folder / "data" / arm.replace(" ", "-")
        place.mkdir(parents=True, exist_ok=True)
        (place / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in own), encoding="utf-8")
        (place / "test.jsonl").write_text(test, encoding="utf-8")
    return right / count


def _row(prompt: str, chosen: str, rejected: str, p: float) -> dict[str, Json]:
    sides = {"chosen": chosen, "rejected": rejected}
    return {
        "prompt": [{"role": "user", "content": prompt}],
        **{name: [{"role": "assistant", "content": text}] for name, text in sides.items()},
        "p_chosen": p,
    }


@dataclass(frozen=True)
class Bench:
    """Where a regime's trainings lie, and how they are told apart."""

    work: Path
    setting: Setting
    console: Console

    def measure(self, method: str, arm: str, seed: int, rate: float) -> dict[str, Json]:
        """Train one arm and measure it; what was measured before is read back."""
        folder = self.folder(seed)
        out = folder / method / f"{arm.replace(' ', '-')}-{rate:g}"
        kept = out / "measured.json"
        if kept.is_file():
            found: dict[str, Json] = json.loads(kept.read_text(encoding="utf-8"))
            return found
        began = time.process_time()
        run = self._reward if method == "reward" else self._dpo
        found = {"method": method, "labels": arm, "seed": seed, "rate": rate, **run(folder, arm, seed, rate, out)}
        found["cpu"] = round(time.process_time() - began, 1)
        kept.write_text(json.dumps(found), encoding="utf-8")
        print(json.dumps(found), file=self.console.err, flush=True)
        return found

    def folder(self, seed: int) -> Path:
        """The folder of one seed."""
        one = self.setting
        return self.work / f"{one.attribute}-{one.pairs}-{one.epochs:g}" / f"seed-{seed}"

    def _shared(self, folder: Path, arm: str, seed: int, rate: float, out: Path) -> dict[str, Json]:
        return {
            "model": str(POLICY_PATH), "data": str(folder / "data" / arm.replace(" ", "-")), "out": str(out), "seed": seed,
            "epochs": self.setting.epochs, "batch_size": BATCH, "learning_rate": rate, "warmup": WARMUP,
        }  # fmt: skip

    def _reward(self, folder: Path, arm: str, seed: int, rate: float, out: Path) -> dict[str, Json]:
        from tenet.config import make_config
        from train.config import RewardConfig
        from train.reward import train_reward

        config = make_config(self._shared(folder, arm, seed, rate, out), RewardConfig)
        metrics = train_reward(config, console=self.console, resume=True).metrics
        return {
            "value": metrics["eval_pair_accuracy"],
            "log_loss": metrics["eval_log_loss"],
            "count": self._prompts(folder),
        }

    def _dpo(self, folder: Path, arm: str, seed: int, rate: float, out: Path) -> dict[str, Json]:
        from tenet.config import make_config
        from train.config import DpoConfig
        from train.dpo import train_dpo

        values = {**self._shared(folder, arm, seed, rate, out), "beta": BETA}
        metrics = train_dpo(make_config(values, DpoConfig), console=self.console, resume=True).metrics
        prompts = self.work / ("choose.jsonl" if seed == TUNING_SEED else "measure.jsonl")
        return {"accuracy": metrics["eval_pair_accuracy"], **policy_numbers(out, prompts, self.setting.attribute, seed)}

    def _prompts(self, folder: Path) -> int:
        rows = (folder / "data" / "hard" / "test.jsonl").read_text(encoding="utf-8").splitlines()
        return len({str(json.loads(row)["prompt"]) for row in rows})


def policy_numbers(model: Path, prompts: Path, attribute: str, seed: int) -> dict[str, Json]:
    """Let a policy answer held-out prompts: the rate of the attribute by the oracle, words a response, KL to the base."""
    from engines.base import SamplingParams
    from engines.registry import create_engine
    from tenet.reading.prompts import PromptStream, collect
    from tenet.reading.rows import open_rows
    from train.responses import draw_responses

    records = collect(PromptStream(open_rows(prompts))).prompts
    with create_engine("transformers", str(model)) as engine:
        samples = draw_responses(
            engine, records, SamplingParams(MAX_TOKENS, 1.0, 1.0), samples=DRAWS, seed=seed, name="policy",
            console=Console(quiet=True),
        )  # fmt: skip
    texts = {one.id: one.text for one in records}
    read = [(sample, oracle.has(attribute, texts[sample.prompt_id], sample.text)) for sample in samples]
    seen = [bool(has) for _, has in read if has is not None]
    return {
        "value": sum(seen) / len(seen),
        "count": len({sample.prompt_id for sample, has in read if has is not None}),
        "words": sum(len(sample.text.split()) for sample in samples) / len(samples),
        "kl": kl_to_base(model, [(texts[sample.prompt_id], sample.text) for sample in samples]),
    }


def kl_to_base(model: Path, answers: Sequence[tuple[str, str]]) -> float:
    """KL of a policy to the base in nats a response: the mean of log P(answer) by the one minus by the other over its own answers."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from train.losses import sequence_logps, token_logps

    tokenizer = AutoTokenizer.from_pretrained(POLICY_PATH)
    models = [AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32) for path in (model, POLICY_PATH)]
    total, batch = 0.0, 32
    for start in range(0, len(answers), batch):
        pieces = []
        for prompt, answer in answers[start : start + batch]:
            turn = [{"role": "user", "content": prompt}]
            head = tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
            pieces.append((tokenizer(head)["input_ids"], tokenizer(answer + tokenizer.eos_token)["input_ids"]))
        width = max(len(head) + len(tail) for head, tail in pieces)
        ids = torch.tensor([[*head, *tail, *[0] * (width - len(head) - len(tail))] for head, tail in pieces])
        mask = torch.tensor(
            [[0] * len(head) + [1] * len(tail) + [0] * (width - len(head) - len(tail)) for head, tail in pieces]
        )
        with torch.no_grad():
            own, base = (sequence_logps(token_logps(one(ids).logits, ids), mask) for one in models)
        total += float((own - base).sum())
    return total / len(answers)


def best_rates(bench: Bench, method: str, arms: Sequence[str]) -> tuple[dict[str, float], list[dict[str, Json]]]:
    """The best learning rate of each arm on the tuning seed, and all that was tried."""
    tried = [bench.measure(method, arm, TUNING_SEED, rate) for arm in arms for rate in RATES[method]]
    best = {
        arm: float(
            str(max((row for row in tried if row["labels"] == arm), key=lambda row: float(str(row["value"])))["rate"])
        )
        for arm in arms
    }
    return best, tried


def t_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean of a few seeds with Student's 95 % interval."""
    from scipy.stats import t

    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, float("nan"), float("nan")
    reach = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return mean, mean - reach, mean + reach


def run(work: Path, setting: Setting, args: argparse.Namespace, console: Console) -> None:
    """One regime from the answers to the tables."""
    sets = decided_pairs(work, setting.attribute)
    with (work / "log.txt").open("a", encoding="utf-8") as log:
        bench = Bench(work, setting, Console(quiet=True, err=log))
        right = {
            seed: write_arms(bench.folder(seed), sets["train"], sets["choose" if seed == TUNING_SEED else "measure"], setting.pairs, seed)
            for seed in (TUNING_SEED, *args.seeds)
        }  # fmt: skip
        found: dict[str, Json] = {"setting": vars(setting), "labels_right": {str(k): v for k, v in right.items()}}
        for method in args.methods:
            rates, tried = best_rates(bench, method, args.arms)
            rows = [bench.measure(method, arm, seed, rates[arm]) for seed in args.seeds for arm in args.arms]
            found[method] = {"rates": rates, "tried": tried, "rows": rows}
            if not args.json:
                show(method, setting, rates, tried, rows, args, console)
    if args.json:
        console.data(found)


WHAT: Final = {
    "reward": "Reward model: accuracy on held-out pairs that the oracle decides",
    "dpo": "DPO: share of answers to held-out prompts that have the attribute",
}
MORE: Final = {"reward": ("log_loss",), "dpo": ("accuracy", "kl", "words")}


def show(
    method: str, setting: Setting, rates: dict[str, float], tried: Sequence[dict[str, Json]], rows: Sequence[dict[str, Json]],
    args: argparse.Namespace, console: Console,
) -> None:  # fmt: skip
    """Print what one method came to: seeds by arms, means with intervals over seeds, and the learning rates that were tried."""
    cells = {(int(str(row["seed"])), str(row["labels"])): row for row in rows}
    title = f"{WHAT[method]} ({setting.attribute}, {setting.pairs} pairs, {setting.epochs:g} epochs)"
    gaps = {arm: [_gap(cells, seed, arm) for seed in args.seeds] for arm in args.arms if arm != "hard"}
    console.table(
        ["seed", *args.arms, "soft - hard"],
        [
            [seed, *(_rate(cells[seed, arm]) for arm in args.arms), f"{gaps['soft'][place]:+.3f}"]
            for place, seed in enumerate(args.seeds)
        ],
        title=title,
    )
    summary: list[list[Json]] = []
    for arm in args.arms:
        own = [cells[seed, arm] for seed in args.seeds]
        wins = None if arm == "hard" else f"{sum(gap > 0 for gap in gaps[arm])} of {len(args.seeds)}"
        over = None if arm == "hard" else "{:+.3f} [{:+.3f}, {:+.3f}]".format(*t_interval(gaps[arm]))
        more = [f"{np.mean([float(str(row[name])) for row in own]):.3f}" for name in MORE[method]]
        grid = ", ".join(f"{float(str(one['value'])):.3f}" for one in tried if one["labels"] == arm)
        summary.append([arm, f"{_mean(own):.3f}", over, wins, *more, f"{rates[arm]:g}", grid])
    steps = ", ".join(f"{rate:g}" for rate in RATES[method])
    console.table(
        [
            "labels",
            "mean",
            "minus hard, 95 % over seeds",
            "ahead of hard",
            *MORE[method],
            "rate",
            f"on seed 0 at {steps}",
        ],
        summary,
    )


def _mean(rows: Sequence[dict[str, Json]]) -> float:
    return float(np.mean([float(str(row["value"])) for row in rows]))


def _gap(cells: dict[tuple[int, str], dict[str, Json]], seed: int, arm: str) -> float:
    return float(str(cells[seed, arm]["value"])) - float(str(cells[seed, "hard"]["value"]))


def _rate(row: dict[str, Json]) -> str:
    value = float(str(row["value"]))
    return "{:.3f} [{:.3f}, {:.3f}]".format(value, *wilson(value, float(str(row["count"]))))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--attribute", default="courteous", choices=oracle.FAMILIES)
    parser.add_argument("--pairs", type=int, default=256)
    parser.add_argument("--epochs", type=float, default=4.0)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5], metavar="N")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS, metavar="NAME")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--work", type=Path, help="keep what is made here, and go on with what is there")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = args.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        run(work, Setting(args.attribute, args.pairs, args.epochs), args, Console(json=args.json))


if __name__ == "__main__":
    main()
