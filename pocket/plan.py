"""What a demo does and how much of it: the folder, the sizes, and the prompts files. Knows no model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from pocket import world
from pocket.oracle import APPLIES
from pocket.world import KIND_SHARES, Kind, PocketPrompt
from tenet.ids import unit_interval
from tenet.runs.atomic import make_folder, write_text

RUNS: Final = Path("runs")
RUN: Final = "run"
HELD_OUT_SEED: Final = 1_000_003
"""Held-out prompts are the same for every seed of a demo, so that seeds differ in training alone."""


@dataclass(frozen=True)
class Sizes:
    """How much of each thing. `held_out` counts prompts that the policy is not trained on; epochs are passes over the pairs."""

    prompts: int
    samples: int
    held_out: int
    reward_epochs: float
    dpo_epochs: float


FULL: Final = Sizes(prompts=300, samples=4, held_out=250, reward_epochs=1.0, dpo_epochs=1.5)
QUICK: Final = Sizes(prompts=40, samples=3, held_out=40, reward_epochs=1.0, dpo_epochs=1.0)


@dataclass(frozen=True)
class DemoPlan:
    """One demo: which principles, which seed, where, and how much. `command` is what resumes it."""

    principles: str
    seed: int
    out: Path
    sizes: Sizes
    command: str = "tenet demo"

    @property
    def run(self) -> Path:
        """The run folder: samples, judgements, pairs, dataset, and the trainings on it."""
        return self.out / RUN

    @property
    def dataset(self) -> Path:
        """What the trainers read."""
        return self.run / "dataset"

    @property
    def prompts(self) -> Path:
        """The prompts that are sampled and trained on."""
        return self.out / "prompts.jsonl"

    @property
    def held_out(self) -> Path:
        """The prompts that are measured on."""
        return self.out / "held-out.jsonl"

    @property
    def reward(self) -> Path:
        """The reward model's folder."""
        return self.run / "train" / "reward"

    @property
    def trained(self) -> Path:
        """The trained policy's folder."""
        return self.run / "train" / "dpo"

    @property
    def evaluation(self) -> Path:
        """What was measured."""
        return self.run / "evaluation.json"

    @property
    def report(self) -> Path:
        """The page."""
        return self.out / "report.html"


def free_folder(principles: str, digest: str, seed: int, *, quick: bool, runs: Path = RUNS) -> Path:
    """Where a demo goes unless it is told: a folder named after the principles file, the seed and the size.

    One that holds a demo of another version of the file is left as it is, and the next number is taken; so an edited
    file gets a demo of its own, and the same file finds its old one again.
    """
    parts = ["demo", Path(principles).stem, *([f"seed{seed}"] if seed else []), *(["quick"] if quick else [])]
    numbers = count(2)
    folder = runs / "-".join(parts)
    while (held := principles_in(folder)) is not None and held != digest:
        folder = runs / "-".join([*parts, str(next(numbers))])
    return folder


def principles_in(folder: Path) -> str | None:
    """The digest of the principles that the demo in this folder was begun with; None where there is none."""
    try:
        record = json.loads((folder / RUN / "run.json").read_text(encoding="utf-8"))
        return str(record["fingerprint"]["growth"]["principles"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def kinds_for(families: Sequence[str]) -> dict[Kind, float]:
    """The shares of prompt kinds in a demo of these families.

    A family that speaks about one kind only (harmless, honest, independent) makes that kind half of the prompts, shared
    among such families, for the rest teach nothing about it; otherwise the world's own shares stand.
    """
    special = [APPLIES[family] for family in families if family in APPLIES]
    if not special:
        return dict(KIND_SHARES)
    own = {kind: special.count(kind) / len(special) for kind in KIND_SHARES}
    return {kind: 0.5 * share + 0.5 * own[kind] for kind, share in KIND_SHARES.items()}


def draw_prompts(number: int, seed: int, split: world.Split, shares: Mapping[Kind, float]) -> list[PocketPrompt]:
    """Different prompts of a split with kinds in these shares, in a mixed order that depends on the seed alone."""
    drawn = [
        prompt
        for kind, many in apportioned(number, shares).items()
        for prompt in world.prompts(many, seed, split, (kind,))
    ]
    return sorted(drawn, key=lambda prompt: unit_interval("demo", seed, prompt.text))


def apportioned(number: int, shares: Mapping[Kind, float]) -> dict[Kind, int]:
    """Whole numbers in these shares that add up to `number` (largest remainders)."""
    whole = {kind: int(number * share) for kind, share in shares.items()}
    by_remainder = sorted(shares, key=lambda kind: (whole[kind] - number * shares[kind], kind))
    for kind in by_remainder[: number - sum(whole.values())]:
        whole[kind] += 1
    return whole


def write_prompts(path: Path, prompts: Sequence[PocketPrompt]) -> None:
    """Write prompts as JSON lines with their kind as a tag; a file that says the same already is left alone."""
    text = "".join(json.dumps({"prompt": prompt.text, "tags": [prompt.kind.value]}) + "\n" for prompt in prompts)
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    make_folder(path.parent)
    write_text(path, text)
