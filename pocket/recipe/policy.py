"""The policy: plain language modelling of replies, given prompts, over the whole mixture of attributes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

from pocket import world
from pocket.recipe.loop import Schedule, fit
from pocket.recipe.models import new_model
from pocket.recipe.templates import Encoder

SEED: Final = 11
BATCH: Final = 48
SCHEDULE: Final = Schedule(steps=1500, rate=3e-3, warmup=80, bf16=True)
MEAN_LENGTH: Final = 55
IGNORE: Final = -100


@dataclass(frozen=True)
class PolicyBatch:
    """`ids` and `labels`, both [rows, length], right-padded; labels are -100 outside the reply."""

    ids: Tensor
    labels: Tensor


def _row(encode: Encoder, rng: random.Random) -> tuple[list[int], int]:
    """One conversation as ids, and where its reply begins."""
    kind = rng.choices(list(world.KIND_SHARES), list(world.KIND_SHARES.values()))[0]
    prompt = rng.choice(world.pool("train", kind))
    answer = world.reply(prompt, world.draw_plan(rng), rng).text
    head = encode.opening() + encode(prompt.text) + encode.to_assistant()
    return head + encode(answer) + encode.end(), len(head)


@lru_cache(maxsize=2)
def _group(encode: Encoder, number: int) -> list[tuple[list[int], int]]:
    rng = random.Random(f"policy:{SEED}:{number}")
    return sorted((_row(encode, rng) for _ in range(BATCH * 4)), key=lambda row: len(row[0]))


def make_batch(encode: Encoder, step: int) -> PolicyBatch:
    """The batch of a step, the same whenever it is made; rows of like length out of a larger draw."""
    part = _group(encode, step // 4)[(step % 4) * BATCH : (step % 4 + 1) * BATCH]
    longest = max(len(ids) for ids, _ in part)
    ids = torch.full((len(part), longest), encode.tokenizer.pad_token_id)
    labels = torch.full((len(part), longest), IGNORE)
    for place, (row, start) in enumerate(part):
        ids[place, : len(row)] = torch.tensor(row)
        labels[place, start : len(row)] = torch.tensor(row[start:])
    return PolicyBatch(ids, labels)


def loss(model: nn.Module, batch: PolicyBatch) -> tuple[Tensor, dict[str, float]]:
    """Cross-entropy of the reply's tokens, divided by a constant.

    Batches hold rows of like length; a mean over each batch's own tokens would let short replies weigh more, and the policy would write
    too many of them.
    """
    logits = model(input_ids=batch.ids).logits
    total = F.cross_entropy(
        logits[:, :-1].flatten(0, 1), batch.labels[:, 1:].flatten(), ignore_index=IGNORE, reduction="sum"
    )
    return total / (BATCH * MEAN_LENGTH), {"lm": float(total.detach()) / int((batch.labels != IGNORE).sum())}


def train_policy(tokenizer: PreTrainedTokenizerFast, work: Path, say: Callable[[str], None]) -> Qwen3ForCausalLM:
    """Train the policy from scratch, or go on from the checkpoint in `work`."""
    model = new_model("policy", tokenizer, SEED)
    model.model.compile(dynamic=True)
    encode = Encoder(tokenizer)
    fit(model, lambda step: make_batch(encode, step), loss, SCHEDULE, work / "policy.pt", say)
    return model
