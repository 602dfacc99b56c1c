"""Do soft labels pay? Reward models and DPO policies from the same noisy labels, read as probabilities and read as bare orders.

    python -m benchmarks.soft_labels [--attribute courteous] [--pairs 256] [--epochs 4] [--seeds 1 2 3 4 5] [--work DIR] [--json]

The pocket policy answers prompts once. Of the pairs of answers to one prompt that the oracle decides under an attribute, each seed
draws `--pairs`, and a judge that is calibrated and noisy labels them: for each pair q is drawn from U(0.5, 1), and the label is right
with probability q. Four arms learn from the same pairs and labels: `hard` (p = 1 for the labelled side), `soft` (p = q), `same p` (the
mean of q for every pair, which says how noisy the labels are but not which) and `truth` (the oracle's own order, p = 1).

Measured on held-out prompts: of the reward model its accuracy on pairs that the oracle decides, with its log loss there; of the DPO
policy the share of its answers that have the attribute by the oracle, with words, and KL to the base in nats a response (mean of the
log-ratio over the policy's own answers). What matters most is chosen for each arm from the same grid, the best on seed 0, whose held-out
prompts are others: a reward model's learning rate, and DPO's beta, for under one beta the arms are drawn to different distances (a hard
label asks for a larger gap). All else (steps, batches, order) is equal. `--work DIR` keeps everything, and goes on with what is there.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from math import nan, sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Final

from pocket import POLICY_PATH, oracle
from pocket.demo import BATCH, MAX_TOKENS, WARMUP
from pocket.plan import HELD_OUT_SEED, draw_prompts, write_prompts
from pocket.world import KIND_SHARES
from tenet.console import Console
from tenet.ids import Json
from tenet.intervals import wilson

TUNING_SEED: Final = 0
COMPARED: Final = ("hard", "soft")
CONTROLS: Final = ("same p", "truth")
ARMS: Final = (*COMPARED, *CONTROLS)
METHODS: Final = ("reward", "dpo")
KNOBS: Final = {"reward": "learning_rate", "dpo": "beta"}
GRID: Final = {"reward": (1e-4, 3e-4, 1e-3), "dpo": (0.2, 0.1, 0.05, 0.025, 0.0125)}
DPO_RATE: Final = 5e-4
"""Learning rate of DPO: on seed 0 better than 1e-3 with hard labels and with soft ones (beta 0.2)."""
MEAN_Q: Final = 0.75
SETS: Final = {"train": 400, "choose": 150, "measure": 250}
"""Prompts to learn from, to choose settings on and to measure on; each is answered `ANSWERS` times by the base."""
ANSWERS: Final = 4
DRAWS: Final = 2
"""Answers of a trained policy to each held-out prompt."""
WHAT: Final = {
    "reward": "Reward model: accuracy on held-out pairs that the oracle decides",
    "dpo": "DPO: share of answers to held-out prompts that have the attribute",
}
MORE: Final = {"reward": ("log_loss",), "dpo": ("kl", "words")}


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


def base_rate(work: Path, attribute: str) -> float:
    """The share of the base's own answers to the prompts of `measure` that have the attribute."""
    answers = _answers(work)["measure"].items()
    read = [oracle.has(attribute, prompt, text) for prompt, texts in answers for text in texts]
    return fmean(bool(one) for one in read if one is not None)


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
class Measured:
    """What one training came to. `knob` is the setting that was chosen (`KNOBS`), `value` the reward model's accuracy or the policy's
    rate, `count` the prompts that it rests on.
    """

    method: str
    labels: str
    seed: int
    knob: float
    value: float
    count: int
    cpu: float = 0.0
    log_loss: float | None = None
    kl: float | None = None
    words: float | None = None

    @property
    def shown(self) -> str:
        """The value with its 95 % interval."""
        return "{:.3f} [{:.3f}, {:.3f}]".format(self.value, *wilson(self.value, self.count))


@dataclass(frozen=True)
class Bench:
    """Where a regime's trainings lie, and how they are told apart."""

    work: Path
    setting: Setting
    console: Console

    def measure(self, method: str, arm: str, seed: int, knob: float) -> Measured:
        """Train one arm and measure it; what was measured before is read back."""
        folder = self.folder(seed)
        out = folder / method / f"{arm.replace(' ', '-')}-{knob:g}"
        kept = out / "measured.json"
        if kept.is_file():
            return Measured(**json.loads(kept.read_text(encoding="utf-8")))
        began = time.process_time()
        numbers = (self._reward if method == "reward" else self._dpo)(folder, arm, seed, knob, out)
        found = Measured(method, arm, seed, knob, cpu=round(time.process_time() - began, 1), **numbers)
        kept.write_text(json.dumps(asdict(found)), encoding="utf-8")
        print(found, file=self.console.err, flush=True)
        return found

    def folder(self, seed: int) -> Path:
        """The folder of one seed."""
        one = self.setting
        return self.work / f"{one.attribute}-{one.pairs}-{one.epochs:g}" / f"seed-{seed}"

    def _shared(self, folder: Path, arm: str, seed: int, out: Path) -> dict[str, Json]:
        return {
            "model": str(POLICY_PATH), "data": str(folder / "data" / arm.replace(" ", "-")), "out": str(out), "seed": seed,
            "epochs": self.setting.epochs, "batch_size": BATCH, "warmup": WARMUP,
        }  # fmt: skip

    def _reward(self, folder: Path, arm: str, seed: int, knob: float, out: Path) -> dict[str, Any]:
        from tenet.config import make_config
        from train.config import RewardConfig
        from train.reward import train_reward

        config = make_config({**self._shared(folder, arm, seed, out), "learning_rate": knob}, RewardConfig)
        metrics = train_reward(config, console=self.console, resume=True).metrics
        return {
            "value": metrics["eval_pair_accuracy"],
            "log_loss": metrics["eval_log_loss"],
            "count": self._prompts(folder),
        }

    def _dpo(self, folder: Path, arm: str, seed: int, knob: float, out: Path) -> dict[str, Any]:
        from tenet.config import make_config
        from train.config import DpoConfig
        from train.dpo import train_dpo

        values = {**self._shared(folder, arm, seed, out), "learning_rate": DPO_RATE, "beta": knob, "eval_share": 0.0}
        values["data"] = str(Path(str(values["data"])) / "train.jsonl")
        train_dpo(make_config(values, DpoConfig), console=self.console, resume=True)
        prompts = self.work / ("choose.jsonl" if seed == TUNING_SEED else "measure.jsonl")
        return policy_numbers(out, prompts, self.setting.attribute, seed)

    def _prompts(self, folder: Path) -> int:
        rows = (folder / "data" / "hard" / "test.jsonl").read_text(encoding="utf-8").splitlines()
        return len({str(json.loads(row)["prompt"]) for row in rows})


def policy_numbers(model: Path, prompts: Path, attribute: str, seed: int) -> dict[str, Any]:
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


def choose(bench: Bench, method: str) -> tuple[dict[str, float], list[Measured]]:
    """The best setting of each arm on the tuning seed, of equals the first, and all that was tried; controls take that of `hard`."""
    tried = [bench.measure(method, arm, TUNING_SEED, knob) for arm in COMPARED for knob in GRID[method]]
    best = {arm: max((one for one in tried if one.labels == arm), key=lambda one: one.value).knob for arm in COMPARED}
    return {**dict.fromkeys(CONTROLS, best["hard"]), **best}, tried


def t_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean of a few seeds with Student's 95 % interval."""
    from scipy.stats import t

    mean = fmean(values)
    if len(values) < 2:
        return mean, nan, nan
    reach = float(t.ppf(0.975, len(values) - 1)) * stdev(values) / sqrt(len(values))
    return mean, mean - reach, mean + reach


@dataclass(frozen=True)
class Results:
    """All numbers of one regime. `base` is the untrained policy's rate, `right` the share of right labels by seed."""

    setting: Setting
    seeds: tuple[int, ...]
    arms: tuple[str, ...]
    base: float
    right: dict[int, float] = field(default_factory=dict)
    chosen: dict[str, dict[str, float]] = field(default_factory=dict)
    tried: dict[str, list[Measured]] = field(default_factory=dict)
    rows: dict[str, list[Measured]] = field(default_factory=dict)

    def show(self, method: str, console: Console) -> None:
        """Print what one method came to: seeds by arms; then means, differences over seeds, and the settings that were tried."""
        cells = {(one.seed, one.labels): one for one in self.rows[method]}
        gaps = {arm: [cells[seed, arm].value - cells[seed, "hard"].value for seed in self.seeds] for arm in self.arms}
        one = self.setting
        rows: list[list[Json]] = [
            [
                seed,
                f"{self.right[seed]:.3f}",
                *(cells[seed, arm].shown for arm in self.arms),
                f"{gaps['soft'][place]:+.3f}",
            ]
            for place, seed in enumerate(self.seeds)
        ]
        untrained = f", untrained {self.base:.3f}" if method == "dpo" else ""
        title = f"{WHAT[method]} ({one.attribute}, {one.pairs} pairs, {one.epochs:g} epochs{untrained})"
        console.table(["seed", "labels right", *self.arms, "soft - hard"], rows, title=title)
        rows = []
        for arm in self.arms:
            own = [cells[seed, arm] for seed in self.seeds]
            ahead = [f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]" for mean, low, high in [t_interval(gaps[arm])]]
            wins = f"{sum(gap > 0 for gap in gaps[arm])} of {len(self.seeds)}"
            more = [f"{fmean(getattr(each, name) for each in own):.3f}" for name in MORE[method]]
            grid = ", ".join(f"{each.value:.3f}" for each in self.tried[method] if each.labels == arm) or None
            mean = f"{fmean(each.value for each in own):.3f}"
            against = [None, None] if arm == "hard" else [*ahead, wins]
            rows.append([arm, mean, *against, *more, f"{self.chosen[method][arm]:g}", grid])
        tried = ", ".join(f"{knob:g}" for knob in GRID[method])
        columns = [
            "labels",
            "mean",
            "minus hard, over seeds",
            "ahead",
            *MORE[method],
            KNOBS[method],
            f"seed 0 at {tried}",
        ]
        console.table(columns, rows)


def run(
    work: Path, setting: Setting, seeds: Sequence[int], arms: Sequence[str], methods: Sequence[str], knob: float | None
) -> Results:
    """One regime, from the answers to what every training came to; with `knob` no setting is chosen."""
    sets = decided_pairs(work, setting.attribute)
    found = Results(setting, tuple(seeds), tuple(arms), base_rate(work, setting.attribute))
    with (work / "log.txt").open("a", encoding="utf-8") as log:
        bench = Bench(work, setting, Console(quiet=True, err=log))
        for seed in (TUNING_SEED, *seeds):
            held_out = sets["choose" if seed == TUNING_SEED else "measure"]
            found.right[seed] = write_arms(bench.folder(seed), sets["train"], held_out, setting.pairs, seed)
        for method in methods:
            found.chosen[method], found.tried[method] = (
                choose(bench, method) if knob is None else (dict.fromkeys(ARMS, knob), [])
            )
            found.rows[method] = [
                bench.measure(method, arm, seed, found.chosen[method][arm]) for arm in arms for seed in seeds
            ]
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--attribute", default="courteous", choices=oracle.FAMILIES)
    parser.add_argument("--pairs", type=int, default=256)
    parser.add_argument("--epochs", type=float, default=4.0)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5], metavar="N")
    parser.add_argument("--controls", nargs="*", default=list(CONTROLS), choices=CONTROLS, metavar="NAME")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument(
        "--knob",
        type=float,
        help="one learning rate (reward) or beta (dpo) for all arms, in the place of each arm's best",
    )
    parser.add_argument("--work", type=Path, help="keep what is made here, and go on with what is there")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    console = Console(json=args.json)
    with tempfile.TemporaryDirectory() as scratch:
        work = args.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        arms = [*COMPARED, *(arm for arm in CONTROLS if arm in args.controls)]
        found = run(work, Setting(args.attribute, args.pairs, args.epochs), args.seeds, arms, args.methods, args.knob)
    if args.json:
        console.data(asdict(found))
        return
    for method in args.methods:
        found.show(method, console)


if __name__ == "__main__":
    main()
