"""What the engine benchmarks judge: held-out prompts of the pocket world with replies, and models to judge them.

Each call with another seed gives other texts, so that no cache of an earlier round helps.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from pathlib import Path

from generate.schedule import round_robin
from judges.pairwise import PairAsk, PairwiseJudge
from pocket import JUDGE_PATH, world
from tenet.records import Finish, Message, Prompt, Sample

SAMPLES = 4
Material = list[tuple[Prompt, list[Sample]]]


def material(prompts: int, seed: int) -> Material:
    """Prompts with four replies of drawn attributes each."""
    rng = random.Random(seed)
    out: Material = []
    for drawn in world.prompts(prompts, seed, "heldout"):
        prompt = Prompt.of([Message("user", f"{drawn.text} ({seed}.{len(out)})")])
        texts = [world.reply(drawn, world.draw_plan(rng), rng).text for _ in range(SAMPLES)]
        samples = [
            Sample(f"{prompt.id}{place}", prompt.id, place, text, "world", Finish.GIVEN)
            for place, text in enumerate(texts)
        ]
        out.append((prompt, samples))
    return out


def questions(judge: PairwiseJudge, chosen: Sequence[tuple[Prompt, list[Sample]]]) -> list[PairAsk]:
    """Every pair of every prompt's replies in both orders."""
    return [
        ask
        for prompt, samples in chosen
        for first, second in round_robin(samples)
        for ask in judge.asks(prompt, first, second)
    ]


def random_model(folder: Path, *, width: int = 640, layers: int = 12) -> int:
    """Write a random-weight Qwen3 with the pocket judge's tokenizer; returns its parameter count (57M unless told otherwise)."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    base = Qwen3Config.from_pretrained(JUDGE_PATH)
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=base.vocab_size, hidden_size=width, intermediate_size=width * 14 // 5, num_hidden_layers=layers,
            num_attention_heads=width // 64, num_key_value_heads=width // 128, head_dim=64, tie_word_embeddings=True,
            max_position_embeddings=2048, eos_token_id=base.eos_token_id, pad_token_id=base.pad_token_id,
        )
    )  # fmt: skip
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(JUDGE_PATH / name, folder / name)
    return sum(parameter.numel() for parameter in model.parameters())
