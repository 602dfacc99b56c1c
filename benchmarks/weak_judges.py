"""Trains pocket judges partly: checkpoints that know the task more or less, each with mistakes of its own.

    python -m benchmarks.weak_judges --work DIR [--noise 1.25] [--steps 15] [--seeds 1 2 3]

From nothing a judge takes thousands of steps. So each starts from the bundled judge with noise on all its weights (`noise` times the
standard deviation of each matrix), which leaves next to nothing of what it knew, and is trained for a few steps on rows of its own by
the loss of the recipe: comparisons only, by the families of principles that the panel benchmark asks by. Noise and rows follow from the
seed. The judges are written to DIR/seed-N, which the engine transformers loads; none is part of the repository.
`python -m benchmarks.pocket_panel --judges DIR` uses them. They have the bundled judge's trunk in common, so that some mistakes
may be shared; how many, that benchmark measures.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from transformers import Qwen3ForCausalLM

from pocket import JUDGE_PATH
from pocket.recipe.data import RowMaker, Stage
from pocket.recipe.judge import Pupil, judge_loss, make_rows, quick_scores
from pocket.recipe.loop import Schedule, fit
from pocket.recipe.models import load, save
from pocket.recipe.packing import Batch, Row, collate
from pocket.recipe.templates import Encoder
from pocket.recipe.tokenizer import load_tokenizer

FAMILIES: Final = ("courteous", "thorough")
STEPS: Final = 15
NOISE: Final = 1.25
RATE: Final = 5e-4
ROWS: Final = 4
SHARES: Final = {"pair": 1.0}
_GROUP: Final = 4


def train(seed: int, steps: int, noise: float, work: Path, say: Callable[[str], None]) -> Path:
    """Spoil one judge and train it for so many steps; gives its folder."""
    tokenizer = load_tokenizer(JUDGE_PATH)
    encode = Encoder(tokenizer)
    maker = RowMaker(encode)
    pupil = Pupil(spoilt(seed, noise))
    work.mkdir(parents=True, exist_ok=True)

    def watch(step: int) -> None:
        pupil.eval()
        scores = quick_scores(pupil, maker, "seen", 24, seed)
        pupil.train()
        say(f"seed {seed}, step {step}: " + ", ".join(f"{f} {scores[f].right}/{scores[f].asked}" for f in FAMILIES))

    @lru_cache(maxsize=2)
    def group(number: int) -> list[Row]:
        rng = random.Random(f"weak:{seed}:{number}")
        stage = Stage(FAMILIES, opposed=False, drills=5)
        return sorted(make_rows(maker, rng, stage, SHARES, _GROUP * ROWS), key=lambda row: len(row.ids))

    def make(step: int) -> Batch:
        place = step % _GROUP
        return collate(group(step // _GROUP)[place * ROWS : (place + 1) * ROWS], int(tokenizer.pad_token_id))

    watch(0)
    fit(
        pupil, make, partial(_loss, encode.labels), Schedule(steps, RATE, warmup=10), work / f"seed-{seed}.pt",
        lambda line: say(f"seed {seed}: {line}"), watch, 20,
    )  # fmt: skip
    save(pupil.model, tokenizer, work / f"seed-{seed}")
    return work / f"seed-{seed}"


def spoilt(seed: int, noise: float) -> Qwen3ForCausalLM:
    """The bundled judge with Gaussian noise on every matrix, in units of the matrix' standard deviation."""
    model = load(JUDGE_PATH)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.add_(torch.randn(weight.shape, generator=generator) * weight.std() * noise)
    return model


def _loss(labels: tuple[int, int], pupil: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    return judge_loss(pupil, batch, labels, 0.0)


def main() -> None:
    """Train the judges that are asked for, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints and judges")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--noise", type=float, default=NOISE)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    args = parser.parse_args()
    torch.set_num_threads(1)
    for seed in args.seeds:
        train(seed, args.steps, args.noise, args.work, lambda line: print(line, file=sys.stderr, flush=True))


if __name__ == "__main__":
    main()
