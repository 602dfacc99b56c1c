"""PPO with a critic, and RLOO beside it, on the pocket policy: how far each brings it towards what a principle asks, at which KL and cost.

    python -m benchmarks.ppo_pocket [--seeds 0 1 2] [--methods ppo rloo] [--pairs 300] [--rollouts 16]
        [--jobs 1] [--work DIR] [--plot FILE] [--json]

The pocket policy answers prompts twice, the pocket judge compares the two answers in both orders by `pocket/courteous`, and a reward model
learns from its probabilities: once, for all seeds. Then each method trains the policy on that reward model with the same number of
responses, and the oracle, which no training sees, only watches. Before and after, the policies answer held-out prompts with the same
seeds: `courteous` is the share of answers that the oracle finds so (95 % interval by prompt), `reward` their mean reward, `KL` the distance
to the policy at the beginning in nats a response (k1 estimate of the trainer, on held-out prompts). `gain` is the rise of the reward over
the base's. CPU seconds are those of the training's process, start and last measurement included;
`--jobs` trainings run at once. `--plot` writes the curves (SVG).
`--work DIR` keeps everything, and goes on with what is there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from constitution.load import load
from engines.base import SamplingParams
from engines.registry import create_engine
from judges.registry import make_judge
from pocket import JUDGE_PATH, POLICY_PATH, oracle
from pocket.plan import HELD_OUT_SEED, draw_prompts, kinds_for, write_prompts
from tenet.console import Console
from tenet.ids import Json
from tenet.judgeconfig import JudgeConfig
from tenet.reading.prompts import PromptSet, PromptStream, collect
from tenet.reading.rows import open_rows
from tenet.records import Prompt, Sample
from train.intervals import Estimate, share
from train.responses import draw_responses
from train.rewards import JudgeSource, RewardModelSource

ATTRIBUTE: Final = "courteous"
MAX_TOKENS: Final = 72
SETTINGS: Final[dict[str, Json]] = {
    "batch_size": 32, "rollout": 64, "max_tokens": MAX_TOKENS, "kl": 0.02, "schedule": "constant", "log_every": 4, "device": "cpu",
}  # fmt: skip
METHODS: Final[dict[str, dict[str, Json]]] = {
    "ppo": {"passes": 2, "learning_rate": 5e-4, "value_learning_rate": 1e-3},
    "rloo": {"passes": 2, "learning_rate": 5e-4, "samples": 4},
}
BAR: Final = {"points": 30.0, "kl": 20.0, "share": 0.9, "minutes": 15.0}


@dataclass(frozen=True)
class Answers:
    """What a policy answered to the held-out prompts: the share that is courteous, and the mean reward."""

    rate: Estimate
    reward: float
    tokens: float


@dataclass(frozen=True)
class Trained:
    """One training: its answers, its KL, its curve (a line a rollout), and what it cost."""

    method: str
    seed: int
    answers: Answers
    kl: float
    curve: list[dict[str, float]]
    seconds: float
    cpu: float


class Bench:
    """The folder of one benchmark, with what all trainings share."""

    def __init__(self, work: Path, pairs: int, rollouts: int) -> None:
        self.work, self.rollouts = work, rollouts
        self.console = Console(quiet=True)
        self.prompts, self.held_out = work / "prompts.jsonl", work / "held-out.jsonl"
        needed = max(pairs, rollouts * int(str(SETTINGS["rollout"])) // 2 + 64)
        if not self.held_out.is_file():
            kinds = kinds_for((ATTRIBUTE,))
            write_prompts(self.prompts, draw_prompts(needed, 0, "train", kinds))
            write_prompts(self.held_out, draw_prompts(200, HELD_OUT_SEED, "heldout", kinds))
        self.reward = self._reward_model(pairs)
        self.asked = read(self.held_out).prompts

    @cached_property
    def scorer(self) -> RewardModelSource:
        """The reward model that all are measured with."""
        return RewardModelSource(str(self.reward))

    @cached_property
    def base(self) -> Answers:
        """What the policy answers before any training."""
        return self.answers(str(POLICY_PATH))

    def _reward_model(self, count: int) -> Path:
        """The reward model, trained on soft pairs that the pocket judge labelled."""
        from train.config import RewardConfig
        from train.reward import train_reward

        data = self.work / "pairs.jsonl"
        if not data.is_file():
            asked = read(self.prompts).prompts[:count]
            drawn = draw(str(POLICY_PATH), asked, 2, self.console)
            with create_engine("transformers", str(JUDGE_PATH)) as engine:
                told = JudgeConfig(model=str(JUDGE_PATH), principles="each")
                judge = JudgeSource(make_judge(engine, load(f"pocket/{ATTRIBUTE}"), told, seed=0))
                texts = [[sample.text for sample in drawn[place::2]] for place in (0, 1)]
                p = judge.score([prompt.text for prompt in asked], texts[0], texts[1])
            rows = [
                {"prompt": said(prompt.text, "user"), "chosen": said(a, "assistant"), "rejected": said(b, "assistant"), "p_chosen": value}
                for prompt, a, b, value in zip(asked, *texts, p, strict=True)
                if value is not None and a.strip() != b.strip() and a.strip() and b.strip()
            ]  # fmt: skip
            data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        out = self.work / "reward"
        config = RewardConfig(
            model=str(POLICY_PATH), data=str(data), out=str(out), epochs=3, batch_size=16, learning_rate=5e-4, warmup=0.1,
            eval_share=0.1, device="cpu",  # type: ignore[arg-type]
        )  # fmt: skip
        train_reward(config, console=self.console, resume=True)
        return out

    def answers(self, model: str) -> Answers:
        """Have a policy answer the held-out prompts, and read the answers."""
        drawn = draw(model, self.asked, 1, self.console)
        texts = [sample.text for sample in drawn]
        has = [float(bool(oracle.has(ATTRIBUTE, one.text, text))) for one, text in zip(self.asked, texts, strict=True)]
        scores = self.scorer.score([said(one.text, "user") for one in self.asked], texts)
        tokens = fmean(float(sample.completion_tokens or 0) for sample in drawn)
        return Answers(
            share(has, [one.id for one in self.asked]), fmean(one for one in scores if one is not None), tokens
        )

    def fit(self, method: str, seed: int) -> None:
        """Train by the command, in a process of its own, and note what it cost."""
        keys = {**SETTINGS, **METHODS[method], "seed": seed, "watch.function": "pocket", "watch.attribute": ATTRIBUTE}
        updates = self.rollouts * int(str(keys["passes"])) * int(str(keys["rollout"])) // int(str(keys["batch_size"]))
        out, cost = self.work / f"{method}-{seed}", self.work / f"{method}-{seed}.json"
        words = [
            sys.executable,
            "-m",
            "tenet",
            "train",
            method,
            "--model",
            str(POLICY_PATH),
            "--reward",
            str(self.reward),
        ]
        words += [
            "--data",
            str(self.prompts),
            "--out",
            str(out),
            "--set",
            f"max_steps={updates}",
            "--set",
            "epochs=1000",
        ]
        words += [word for key, value in keys.items() for word in ("--set", f"{key}={value}")]
        if cost.is_file():
            return
        began = time.monotonic()
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        with (self.work / f"{method}-{seed}.log").open("w") as log:
            child = subprocess.Popen([*words, "--resume"], env=environment, stderr=log)
            _, status, spent = os.wait4(child.pid, 0)
        if status:
            raise SystemExit(f"{method}, seed {seed}: failed; see {log.name}")
        told = {"seconds": time.monotonic() - began, "cpu": spent.ru_utime + spent.ru_stime}
        cost.write_text(json.dumps(told))

    def trained(self, method: str, seed: int) -> Trained:
        """Read what a training came to, and have the policy answer the held-out prompts."""
        out = self.work / f"{method}-{seed}"
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        told = json.loads((self.work / f"{method}-{seed}.json").read_text())
        kl = next(line["eval_kl_k1"] for line in lines if "eval_kl_k1" in line)
        return Trained(
            method, seed, self.answers(str(out)), kl, curve_of(lines, self.rollouts), told["seconds"], told["cpu"]
        )


def curve_of(lines: Sequence[Mapping[str, float]], rollouts: int) -> list[dict[str, float]]:
    """A line a rollout: mean reward, share that is courteous, KL; logs with a rollout in them carry these."""
    kept = [line for line in lines if "reward" in line]
    names = {"reward": "reward", "rate": f"watch/{ATTRIBUTE}", "kl": "kl_k1", "tokens": "completions/mean_length"}
    return [{name: line[key] for name, key in names.items()} for line in kept[:rollouts]]


def said(text: str, role: str) -> list[dict[str, str]]:
    """One message as a list."""
    return [{"role": role, "content": text}]


def read(path: Path) -> PromptSet:
    """Read prompts as `tenet generate` does."""
    return collect(PromptStream(open_rows(path)))


def draw(model: str, prompts: Sequence[Prompt], samples: int, console: Console) -> list[Sample]:
    """Have a policy answer prompts."""
    with create_engine("transformers", model) as engine:
        params = SamplingParams(MAX_TOKENS)
        return draw_responses(engine, prompts, params, samples=samples, seed=0, name="policy", console=console)


def plot(found: Sequence[Trained]) -> str:
    """Reward, share and KL over the rollouts, a line a training."""
    from io import StringIO

    import matplotlib as mpl
    from matplotlib.figure import Figure

    panels = {"reward": "mean reward", "rate": f"share {ATTRIBUTE} (oracle)", "kl": "KL, nats a response"}
    colours = {"ppo": "tab:blue", "rloo": "tab:orange"}
    with mpl.rc_context({"svg.hashsalt": "tenet", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(10.2, 2.9), layout="constrained")
        for axes, (key, title) in zip(figure.subplots(1, 3), panels.items(), strict=True):
            for one in found:
                label = one.method.upper() if one.seed == found[0].seed else None
                values = [line[key] for line in one.curve]
                axes.plot(range(len(values)), values, color=colours[one.method], linewidth=1, alpha=0.8, label=label)
            axes.set(title=title, xlabel="rollouts of 64 responses")
        figure.axes[0].legend(frameon=False)
        out = StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def row_of(one: Trained, base: Answers) -> list[Json]:
    """A training as a row of the table."""
    rate = one.answers.rate
    return [
        one.method.upper(), one.seed, f"{100 * rate.value:.0f} % [{100 * rate.low:.0f}, {100 * rate.high:.0f}]",
        f"{100 * (rate.value - base.rate.value):+.0f}", f"{one.answers.reward:.2f}", f"{one.answers.reward - base.reward:+.2f}",
        f"{one.kl:.1f}", f"{one.answers.tokens:.0f}", f"{one.curve[-1]['reward']:.2f}", f"{one.cpu:.0f}", f"{one.seconds:.0f}",
    ]  # fmt: skip


def verdicts(found: Sequence[Trained], base: Answers) -> dict[str, bool]:
    """Hold the trainings against the bar."""
    ppo = [one for one in found if one.method == "ppo"]
    other = {one.seed: one for one in found if one.method == "rloo"}
    said = {
        "PPO raises the share by 30 points": all(100 * (one.answers.rate.value - base.rate.value) >= BAR["points"] for one in ppo),
        "PPO stays within a KL of 20 nats": all(one.kl <= BAR["kl"] for one in ppo),
        "PPO takes less than 15 minutes of one core": all(one.cpu < 60 * BAR["minutes"] for one in ppo),
    }  # fmt: skip
    both = [one for one in ppo if one.seed in other]
    if both:
        ours = fmean(one.answers.reward - base.reward for one in both)
        theirs = fmean(other[one.seed].answers.reward - base.reward for one in both)
        said["PPO gains 90 % of RLOO's reward (mean of the seeds)"] = ours >= BAR["share"] * theirs
    return said


def main() -> None:
    """Run the trainings, and print what they came to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--rollouts", type=int, default=16)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(told.work or Path(scratch), told.pairs, told.rollouts)
        wanted = [(method, seed) for seed in told.seeds for method in told.methods]
        with ThreadPoolExecutor(told.jobs) as pool:
            list(pool.map(lambda one: bench.fit(*one), wanted))
        found = [bench.trained(*one) for one in wanted]
        show(found, bench, told)


def show(found: Sequence[Trained], bench: Bench, told: argparse.Namespace) -> None:
    """Print the table, or all of it as JSON; write the curves."""
    console = Console(json=told.json)
    base = bench.base
    if told.plot:
        told.plot.write_text(plot(found), encoding="utf-8")
    if told.json:
        trainings: list[Any] = [
            {"method": one.method, "seed": one.seed, "rate": one.answers.rate.as_json(), "reward": one.answers.reward, "kl": one.kl,
             "cpu": one.cpu, "seconds": one.seconds, "curve": one.curve}
            for one in found
        ]  # fmt: skip
        checks: Json = dict(verdicts(found, base))
        console.data(
            {"base": {"rate": base.rate.as_json(), "reward": base.reward}, "trainings": trainings, "bar": checks}
        )
        return
    rate = base.rate
    begins = f"base: courteous {100 * rate.value:.0f} % [{100 * rate.low:.0f}, {100 * rate.high:.0f}], reward {base.reward:.2f}"
    head = ["", "seed", "courteous", "points", "reward", "gain", "KL", "tokens", "last rollout", "CPU s", "wall s"]
    console.table(
        head, [row_of(one, base) for one in found], title=f"{begins}; {bench.rollouts} rollouts of 64 responses"
    )
    for text, met in verdicts(found, base).items():
        console.say(f"{'yes' if met else 'NO '}  {text}")


if __name__ == "__main__":
    main()
