"""The demo: from a principles file to a policy that behaves differently, measured, through the same functions as the commands.

Each step says in plain words what it does, and how long it took. A demo that was stopped goes on where it stood: each step
asks its own run or training folder what is left to do. Knows no judge, no loss and no oracle from within.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from constitution.load import load
from constitution.model import Constitution
from generate.context import Step
from pocket import JUDGE_PATH, POLICY_PATH
from pocket.asked import asked_families
from pocket.plan import HELD_OUT_SEED, DemoPlan, draw_prompts, kinds_for, write_prompts
from tenet.console import Console, duration
from tenet.errors import Interrupted, MissingInput
from tenet.ids import Json

STEPS: Final = 6
BETA: Final = 0.1
DPO_RATE: Final = 5e-4
REWARD_RATE: Final = 5e-4
BATCH: Final = 16
MAX_TOKENS: Final = 128


@dataclass(frozen=True)
class Demo:
    """A demo at work: its plan, its principles, and which attributes they ask for."""

    plan: DemoPlan
    constitution: Constitution
    asked: tuple[str, ...]
    console: Console

    @contextmanager
    def step(self, number: int, title: str, says: str) -> Iterator[None]:
        """Say what a step does, and afterwards how long it took; a stop tells how to go on with the demo."""
        self.console.say(f"\n{number}/{STEPS} {title}: {says}")
        began = time.monotonic()
        try:
            yield
        except Interrupted as error:
            raise Interrupted(error.message, resume=self.plan.command) from error
        except KeyboardInterrupt as error:
            raise Interrupted("Stopped; what is done so far is kept.", resume=self.plan.command) from error
        self.console.say(f"    done in {duration(time.monotonic() - began)}")


def run_demo(plan: DemoPlan, console: Console) -> Mapping[str, Json]:
    """Carry a demo out, or what is left of it, and return what was measured, as plain values.

    Raises:
        InvalidInput, MissingInput: the principles file, or a bundled model that is not there.
        UsageError: the folder belongs to another demo.
        Interrupted: stopped; carries the command that goes on.
    """
    for path in (POLICY_PATH, JUDGE_PATH):
        if not (path / "model.safetensors").is_file():
            raise MissingInput(
                f"The bundled model {path.name} is not there ({path}).", hint="Train it with: make pocket"
            )
    constitution = load(plan.principles)
    demo = Demo(plan, constitution, asked_families(constitution), console)
    _introduce(demo)
    sample(demo)
    judge(demo)
    pair(demo)
    train_reward_model(demo)
    train_policy(demo)
    ...


def _introduce(demo: Demo) -> None:
    console, plan = demo.console, demo.plan
    console.say(f"Tenet demo, in {plan.out}. Everything is on this machine; nothing is downloaded.")
    for principle in demo.constitution.active:
        console.say(f"  {principle.id}: {principle.text}")


def sample(demo: Demo) -> None:
    """Step 1: the base policy answers the prompts."""
    sizes = demo.plan.sizes
    shares = kinds_for(demo.asked)
    write_prompts(demo.plan.prompts, draw_prompts(sizes.prompts, demo.plan.seed, "train", shares))
    write_prompts(demo.plan.held_out, draw_prompts(sizes.held_out, HELD_OUT_SEED, "heldout", shares))
    says = f"the pocket policy answers {sizes.prompts:,} help-desk prompts, {sizes.samples} times each"
    with demo.step(1, "Sample", says):
        _generate(demo, {Step.SAMPLES})


def judge(demo: Demo) -> None:
    """Step 2: the judge compares the answers by the file."""
    says = "the pocket judge compares the answers to each prompt, two at a time and in both orders, by your principles"
    with demo.step(2, "Judge", says):
        _generate(demo, {Step.JUDGEMENTS})


def pair(demo: Demo) -> None:
    """Step 3: pairs, critiques, dataset."""
    says = "the best answer to each prompt against the worst; the judge says why, and the dataset is written"
    with demo.step(3, "Pair", says):
        _generate(demo, {Step.PAIRS, Step.CRITIQUES, Step.EXPORT})
