"""The bundled checkpoints: small, loadable, and about as good as their cards say (a floor; `benchmarks/pocket_judge.py` measures)."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path

import pytest

pytest.importorskip("torch")
import torch

from pocket import JUDGE_PATH, POLICY_PATH, oracle, world
from pocket.recipe.data import RowMaker, Stage
from pocket.recipe.models import load
from pocket.recipe.packing import collate
from pocket.recipe.sampling import sample
from pocket.recipe.templates import COMPARE, Encoder
from pocket.recipe.tokenizer import load_tokenizer
from pocket.wordings import WordingSplit, wordings

FLOOR = 0.85
PAIRS = 60


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_the_two_models_are_small() -> None:
    assert _bytes(JUDGE_PATH) + _bytes(POLICY_PATH) < 10_000_000
    assert sum(weight.numel() for path in (JUDGE_PATH, POLICY_PATH) for weight in load(path).parameters()) <= 4_500_000


@pytest.mark.parametrize("split", ["seen", "unseen"])
def test_the_judge_agrees_with_the_oracle(split: WordingSplit) -> None:
    encode = Encoder(load_tokenizer(JUDGE_PATH))
    model, maker, rng = load(JUDGE_PATH).eval(), RowMaker(encode, "heldout"), random.Random(77)
    rows, families = [], []
    for _ in range(PAIRS):
        prompt, first, second = maker.pair(rng, Stage())
        row = maker.pair_prefix({"prompt": prompt.text, "response_a": first, "response_b": second}, prompt)
        for family in oracle.FAMILIES:
            if oracle.decide(family, prompt.text, first, second):
                maker.pair_tail(row, rng, rng.choice(wordings(family, split)), COMPARE, prompt.text, first, second)
                families.append(family)
        rows.append(row)
    batch = collate(rows, int(encode.tokenizer.pad_token_id))
    with torch.inference_mode():
        out = model.model(input_ids=batch.ids, attention_mask=batch.mask, position_ids=batch.positions, use_cache=False)
        logits = model.lm_head(out.last_hidden_state.flatten(0, 1)[batch.label_at])
    right: dict[str, list[bool]] = defaultdict(list)
    gaps = (logits[:, encode.labels[0]] - logits[:, encode.labels[1]]).tolist()
    for family, gap, p in zip(families, gaps, batch.label_p.tolist(), strict=True):
        right[family].append((gap > 0) == (p > 0.5))
    everything = [ok for oks in right.values() for ok in oks]
    assert set(right) == set(oracle.FAMILIES)
    assert sum(everything) / len(everything) >= FLOOR
    assert min(sum(oks) / len(oks) for oks in right.values()) >= FLOOR - 0.15
    mass = logits.softmax(-1)[:, list(encode.labels)].sum(-1)
    assert float(mass.min()) > 0.9


def test_the_policy_writes_about_the_topic_in_whole_sentences() -> None:
    encode = Encoder(load_tokenizer(POLICY_PATH))
    prompts = world.prompts(24, 5, "heldout")
    texts = sample(load(POLICY_PATH).eval(), encode, prompts, 2, 5)
    seen = [oracle.read(prompt.text, text) for prompt, found in zip(prompts, texts, strict=True) for text in found]
    assert sum(reading.on_topic for reading in seen) >= 0.85 * len(seen)
    assert sum(reading.well_formed for reading in seen) >= 0.75 * len(seen)
    assert {reading.tone for reading in seen} == set(world.Tone)
