"""The demo: from a principles file to a policy that behaves differently, measured, by the same functions as the commands.

Each step says in plain words what it does and how long it took. A demo that was stopped goes on where it stood: each step
asks its own run or training folder what is left to do. Knows no judge, no loss and no oracle from within.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from constitution.load import load
from constitution.model import Constitution
from pocket import JUDGE_PATH, POLICY_PATH
from pocket.asked import asked_families
from pocket.plan import HELD_OUT_SEED, DemoPlan, draw_prompts, kinds_for, principles_in, write_prompts
from tenet.console import Console, duration
from tenet.errors import Interrupted, MissingInput, UsageError
from tenet.ids import Json

if TYPE_CHECKING:
    from generate.context import Step
    from tenet.runconfig import RunConfig

STEPS: Final = 6
BATCH: Final = 16
BETA: Final = 0.2
DPO_RATE: Final = 5e-4
REWARD_RATE: Final = 5e-4
WARMUP: Final = 0.1
MAX_TOKENS: Final = 128
ORACLE: Final = "pocket"
MIN_MARGIN: Final = 2.0
"""Log-odds: pairs closer than about 88 to 12 are left out. Every pair above it is taken: many different pairs, seen once or
twice, move the policy as far as few pairs seen often, and leave the rest of its answers better as they were."""


@dataclass
class Aside(Console):
    """What the parts of a step say: set in from the margin, and each line once, for every step reads the same files."""

    said: set[str] = field(default_factory=set)

    def say(self, text: str) -> None:
        """A line for the person, unless it was said before."""
        if text not in self.said:
            self.said.add(text)
            super().say("     " + text.replace("\n", "\n     "))


@dataclass(frozen=True)
class Demo:
    """A demo at work: its plan, its principles, which attributes they ask for, and where it and its parts speak."""

    plan: DemoPlan
    constitution: Constitution
    asked: tuple[str, ...]
    console: Console
    aside: Console

    @contextmanager
    def step(self, number: int, title: str, says: str) -> Iterator[None]:
        """Say what a step does, and afterwards how long it took; a stop tells how to go on with the demo."""
        self.console.say(f"\n{number}/{STEPS}  {title}. {says}")
        began = time.monotonic()
        try:
            yield
        except (Interrupted, KeyboardInterrupt) as error:
            raise Interrupted("The demo was stopped; what is done so far is kept.", resume=self.plan.command) from error
        self.console.say(f"     {duration(time.monotonic() - began)}")


def run_demo(plan: DemoPlan, console: Console) -> Mapping[str, Any]:
    """Carry a demo out, or what is left of it; gives what `evaluation.json` holds.

    Raises:
        InvalidInput, MissingInput: the principles file, or a bundled model that is not there.
        UsageError: the folder belongs to a demo of other principles.
        Interrupted: stopped; carries the command that goes on.
    """
    _require_models()
    constitution = load(plan.principles)
    held = principles_in(plan.out)
    if held is not None and held != constitution.digest:
        hint = "Choose another folder with --out, or leave --out away: an edited file then gets a folder of its own."
        raise UsageError(f"{plan.out} holds a demo of other principles than {plan.principles} has now.", hint=hint)
    aside = Aside(json=console.json, quiet=console.quiet, out=console.out, err=console.err)
    demo = Demo(plan, constitution, asked_families(constitution), console, aside)
    _introduce(demo)
    sample(demo)
    judge(demo)
    pair(demo)
    train_reward_model(demo)
    train_policy(demo)
    measure(demo)
    return read_measured(plan)


def sample(demo: Demo) -> None:
    """Step 1: the base policy answers the prompts."""
    sizes, shares = demo.plan.sizes, kinds_for(demo.asked)
    write_prompts(demo.plan.prompts, draw_prompts(sizes.prompts, demo.plan.seed, "train", shares))
    write_prompts(demo.plan.held_out, draw_prompts(sizes.held_out, HELD_OUT_SEED, "heldout", shares))
    says = f"The pocket policy answers {sizes.prompts:,} questions to a help desk, {sizes.samples} times each."
    with demo.step(1, "Sample", says):
        _generate(demo, ["samples"])


def judge(demo: Demo) -> None:
    """Step 2: the judge compares the answers by the file."""
    says = "The pocket judge compares the answers two at a time, in both orders, by your principles."
    with demo.step(2, "Judge", says):
        _generate(demo, ["judgements"])


def pair(demo: Demo) -> None:
    """Step 3: pairs, critiques, dataset."""
    says = "Every clear verdict becomes a pair; the judge says why, and a dataset is written."
    with demo.step(3, "Pair", says):
        _generate(demo, ["pairs", "critiques", "dataset"])


def train_reward_model(demo: Demo) -> None:
    """Step 4: a reward model learns to score single answers."""
    from train.config import RewardConfig
    from train.reward import train_reward

    says = "A reward model learns from the pairs to score one answer at a time."
    config = RewardConfig(
        model=str(POLICY_PATH), data=str(demo.plan.dataset), out=str(demo.plan.reward), seed=demo.plan.seed,
        epochs=demo.plan.sizes.reward_epochs, batch_size=BATCH, learning_rate=REWARD_RATE, warmup=WARMUP, log_every=2,
    )  # fmt: skip
    with demo.step(4, "Reward model", says):
        train_reward(config, console=demo.aside, resume=True, command=demo.plan.command)


def train_policy(demo: Demo) -> None:
    """Step 5: the policy learns to answer as the file asks."""
    from train.config import DpoConfig
    from train.dpo import train_dpo

    says = "The policy learns from the pairs by DPO: more of the chosen answers, less of the rejected ones."
    config = DpoConfig(
        model=str(POLICY_PATH), data=str(demo.plan.dataset), out=str(demo.plan.trained), seed=demo.plan.seed,
        epochs=demo.plan.sizes.dpo_epochs, batch_size=BATCH, learning_rate=DPO_RATE, warmup=WARMUP, beta=BETA, log_every=2,
    )  # fmt: skip
    with demo.step(5, "Train", says):
        train_dpo(config, console=demo.aside, resume=True, command=demo.plan.command)


def measure(demo: Demo) -> None:
    """Step 6: the oracle reads what both policies answer to questions that neither was trained on; then the report."""
    from generate.report import write_report
    from train.evaluate import EvaluateConfig, evaluate

    plan = demo.plan
    says = f"Both policies answer {plan.sizes.held_out:,} new questions; the oracle, which knows the truth, reads the answers."
    config = EvaluateConfig(
        base=str(POLICY_PATH), trained=str(plan.trained), prompts=str(plan.held_out), out=str(plan.evaluation),
        oracle=ORACLE, seed=plan.seed, max_tokens=MAX_TOKENS, sycophancy=False,
    )  # fmt: skip
    with demo.step(6, "Measure", says):
        if not _is_measured(demo):
            evaluate(config, console=demo.aside)
            _note_asked(demo)
        write_report(plan.run, plan.report)


def read_measured(plan: DemoPlan) -> Mapping[str, Any]:
    """What the demo's evaluation.json holds."""
    found: dict[str, Any] = json.loads(plan.evaluation.read_text(encoding="utf-8"))
    return found


def run_config(demo: Demo) -> RunConfig:
    """The run.yaml that the demo stands for."""
    from tenet.config import make_config
    from tenet.runconfig import RunConfig

    sizes = demo.plan.sizes
    policy: dict[str, Json] = {
        "model": str(POLICY_PATH),
        "name": "pocket",
        "samples": sizes.samples,
        "max_tokens": MAX_TOKENS,
    }
    values: dict[str, Json] = {
        "name": demo.plan.out.name,
        "seed": demo.plan.seed,
        "principles": demo.plan.principles,
        "prompts": {"path": str(demo.plan.prompts)},
        "policy": policy,
        "pairs": {"select": "all", "min_margin": MIN_MARGIN},
        "judge": {"model": str(JUDGE_PATH), "principles": "each" if len(demo.constitution.active) > 1 else "sampled"},
    }
    return make_config(values, RunConfig)


def _generate(demo: Demo, steps: Collection[str]) -> None:
    from generate.context import Step
    from generate.pipeline import Order, generate

    wanted: frozenset[Step] = frozenset(Step(name) for name in steps)
    generate(Order(run_config(demo), demo.plan.run, demo.plan.command, wanted), demo.aside).close()


def _introduce(demo: Demo) -> None:
    demo.console.say(f"The whole loop on two tiny bundled models, offline. Folder: {demo.plan.out}")
    demo.console.say(f"{demo.plan.principles} asks:")
    for principle in demo.constitution.active:
        demo.console.say(f"  {principle.text}")


def _require_models() -> None:
    for path in (POLICY_PATH, JUDGE_PATH):
        if not (path / "model.safetensors").is_file():
            raise MissingInput(
                f"The bundled model {path} is not there.", hint="Make it with: make pocket (an hour or more)"
            )


def _is_measured(demo: Demo) -> bool:
    """Whether the evaluation is there, and of the trained policy as it is now."""
    if not demo.plan.evaluation.is_file():
        return False
    record = demo.plan.trained / "train.json"
    return "asked" in read_measured(demo.plan) and demo.plan.evaluation.stat().st_mtime_ns >= record.stat().st_mtime_ns


def _note_asked(demo: Demo) -> None:
    """Put into evaluation.json which attributes the file asks for, so that the report can mark them."""
    from tenet.runs.atomic import write_text

    held = {**read_measured(demo.plan), "asked": list(demo.asked)}
    write_text(demo.plan.evaluation, json.dumps(held, indent=1, ensure_ascii=False) + "\n")
