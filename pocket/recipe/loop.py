"""One training loop for both models: seeded steps, a prefetching thread, checkpoints that resume to the same weights.

A batch depends on its step number and the seed alone, never on what came before, so that an interrupted run continues as if it had not
been. Knows nothing of the data and of the loss.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

B = TypeVar("B")
SAVE_EVERY = 200


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: `steps` in all, peak learning rate `rate` after `warmup` steps, then a cosine down to `floor` of it.

    Weights are fp32; with `bf16` the products are taken in bfloat16.
    """

    steps: int
    rate: float
    warmup: int = 100
    floor: float = 0.03
    bf16: bool = False

    def at(self, step: int) -> float:
        """The learning rate of a step (from 0)."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.rate * (self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def _ahead(make: Callable[[int], B], first: int, steps: int) -> Iterator[tuple[int, B]]:
    """The batches of the steps in order, two made ahead in a thread."""
    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(make, step) for step in range(first, min(first + 2, steps))]
        for step in range(first, steps):
            batch = waiting.pop(0).result()
            if step + 2 < steps:
                waiting.append(pool.submit(make, step + 2))
            yield step, batch


def _optimiser(model: nn.Module, rate: float) -> torch.optim.AdamW:
    wide = [weight for weight in model.parameters() if weight.dim() > 1]
    narrow = [weight for weight in model.parameters() if weight.dim() <= 1]
    groups = [{"params": wide, "weight_decay": 0.05}, {"params": narrow, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), eps=1e-8)


def _write(path: Path, state: dict[str, object]) -> None:
    torch.save(state, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


def fit(
    model: nn.Module,
    make: Callable[[int], B],
    loss: Callable[[nn.Module, B], tuple[Tensor, dict[str, float]]],
    schedule: Schedule,
    checkpoint: Path,
    say: Callable[[str], None],
    watch: Callable[[int], None] | None = None,
    watch_every: int = 500,
) -> None:
    """Train a model in place for `schedule.steps` steps, going on from `checkpoint` where it exists.

    `make(step)` gives a batch, `loss(model, batch)` a scalar to minimise and figures to print; `watch(step)` is called now and then.
    """
    optimiser = _optimiser(model, schedule.rate)
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        first = int(state["step"])
    began = time.monotonic()
    seen: dict[str, float] = {}
    for step, batch in _ahead(make, first, schedule.steps):
        for group in optimiser.param_groups:
            group["lr"] = schedule.at(step)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=schedule.bf16):
            value, figures = loss(model, batch)
        value.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        for name, figure in figures.items():
            seen[name] = figure if name not in seen else 0.97 * seen[name] + 0.03 * figure
        done = step + 1
        if done % 50 == 0:
            pace = (time.monotonic() - began) / (done - first)
            say(
                f"{done}/{schedule.steps} {pace:.2f}s/step "
                + " ".join(f"{name}={figure:.3f}" for name, figure in seen.items())
            )
        if watch is not None and (done % watch_every == 0 or done == schedule.steps):
            watch(done)
        if done % SAVE_EVERY == 0 or done == schedule.steps:
            _write(checkpoint, {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": done})
