"""Replies that the trained policy writes itself, so that the judge also learns on the text it will meet."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import torch
from transformers import Qwen3ForCausalLM

from pocket import world
from pocket.recipe.data import Written
from pocket.recipe.templates import Encoder
from pocket.world import Kind, PocketPrompt

SEED: Final = 31
PROMPTS: Final = 480
REPLIES: Final = 5
LONGEST: Final = 130


def sample(
    model: Qwen3ForCausalLM, encode: Encoder, prompts: list[PocketPrompt], count: int, seed: int
) -> list[list[str]]:
    """`count` replies to each prompt at temperature 1, prompts of equal length together."""
    torch.manual_seed(seed)
    heads = [encode.opening() + encode(prompt.text) + encode.to_assistant() for prompt in prompts]
    replies: list[list[str]] = [[] for _ in prompts]
    by_length: dict[int, list[int]] = {}
    for place, head in enumerate(heads):
        by_length.setdefault(len(head), []).append(place)
    for length, places in sorted(by_length.items()):
        for start in range(0, len(places), 24):
            group = places[start : start + 24]
            ids = torch.tensor([heads[place] for place in group]).repeat_interleave(count, 0)
            with torch.inference_mode():
                out = model.generate(
                    input_ids=ids,
                    attention_mask=torch.ones_like(ids),
                    do_sample=True,
                    temperature=1.0,
                    top_k=0,
                    top_p=1.0,
                    max_new_tokens=LONGEST,
                )
            texts = encode.tokenizer.batch_decode(out[:, length:], skip_special_tokens=True)
            for number, text in enumerate(texts):
                replies[group[number // count]].append(text)
    return replies


def written_by(model: Qwen3ForCausalLM, encode: Encoder, path: Path, say: Callable[[str], None]) -> tuple[Written, ...]:
    """The policy's replies to training prompts, read from `path` or sampled and written there; identical replies are dropped."""
    if not path.exists():
        say(f"sampling {PROMPTS} x {REPLIES} replies of the policy")
        prompts = world.prompts(PROMPTS, SEED)
        texts = sample(model.eval(), encode, prompts, REPLIES, SEED)
        rows = [
            {
                "text": prompt.text,
                "kind": prompt.kind,
                "topic": prompt.topic,
                "intent": prompt.intent,
                "replies": sorted(set(found)),
            }
            for prompt, found in zip(prompts, texts, strict=True)
        ]
        path.with_suffix(".new").write_text(json.dumps(rows), encoding="utf-8", newline="\n")
        path.with_suffix(".new").replace(path)
    rows = json.loads(path.read_text(encoding="utf-8"))
    return tuple(
        Written(PocketPrompt(row["text"], Kind(row["kind"]), row["topic"], row["intent"]), tuple(row["replies"]))
        for row in rows
        if len(row["replies"]) > 1
    )
