"""The judge: labels read at one token, critiques and revisions written, from packed rows with side lessons.

It learns in five legs: to read, to write, to write what is asked, the places where a reply chooses its way, and at last to open a
revision in the tone asked for. To speak of the topic at all takes a small model a great many replies, which would drown the labels early
on; so replies to bare prompts open the second leg, and revisions and critiques follow. A tone that may show in the first sentence or in
the last never shows when the likeliest word is taken each time, for each single place is likelier to go without.

Small linear probes on middle layers learn, during training only, to tell tone, length and side at the end of each response, which
response has more of each, and the family at the end of each principle. Without them opposite principles cancel each other for long,
because both ways of reading a reply are right half the time. The probes are thrown away.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

from pocket import oracle
from pocket.recipe.data import EARLY_FAMILIES, PROBE_CLASSES, RowMaker, Stage, Written
from pocket.recipe.loop import Schedule, fit
from pocket.recipe.models import new_model
from pocket.recipe.packing import Batch, Row, collate
from pocket.recipe.sampling import written_by
from pocket.recipe.templates import Encoder
from pocket.wordings import WordingSplit, wordings

SEED: Final = 23
ROWS: Final = 12
SCHEDULE: Final = Schedule(steps=3000, rate=2e-3, warmup=120)
BOTH_POLES_FROM: Final = 900
OPPOSED_FROM: Final = 1500
WRITTEN_FROM: Final = 2200
DRILLS: Final = 5
SHARES: Final = {"pair": 0.45, "match": 0.15, "critique": 0.14, "revise": 0.12, "whole": 0.03, "glossary": 0.11}
COPY_FROM: Final = 400
LATER_SHARES: Final = {
    "pair": 0.38,
    "match": 0.12,
    "critique": 0.12,
    "revise": 0.19,
    "whole": 0.03,
    "glossary": 0.07,
    "copy": 0.09,
}
WRITING: Final = Schedule(steps=1300, rate=1.5e-3, warmup=60)
ANSWER_SHARES: Final = {"pair": 0.2, "match": 0.03, "critique": 0.07, "answer": 0.7}
TOPIC_FROM: Final = 400
TOPIC_WEIGHT: Final = 5.0
WRITING_FROM: Final = 600
WRITING_SHARES: Final = {
    "pair": 0.2,
    "match": 0.05,
    "critique": 0.2,
    "revise": 0.34,
    "whole": 0.02,
    "glossary": 0.02,
    "answer": 0.17,
}
POLISH: Final = Schedule(steps=700, rate=1e-3, warmup=30)
POLISH_SHARES: Final = {"pair": 0.2, "match": 0.03, "critique": 0.3, "revise": 0.42, "whole": 0.02, "answer": 0.03}
STEERING: Final = Schedule(steps=450, rate=8e-4, warmup=30)
STEERING_SHARES: Final = {"pair": 0.2, "critique": 0.22, "revise": 0.55, "answer": 0.03}
STEER_WEIGHT: Final = 6.0
OPENING: Final = Schedule(steps=600, rate=8e-4, warmup=30)
OPENING_SHARES: Final = {"pair": 0.28, "match": 0.03, "critique": 0.29, "revise": 0.38, "glossary": 0.02}
PROBED_LAYERS: Final = (2, 2, 2, 2, 3, 3, 3)
PROBE_WEIGHT: Final = 0.3


class Pupil(nn.Module):
    """The judge in training: the model and its probes."""

    def __init__(self, model: Qwen3ForCausalLM) -> None:
        super().__init__()
        self.model = model
        self.probes = nn.ModuleList(nn.Linear(model.config.hidden_size, classes) for classes in PROBE_CLASSES)

    def states(self, batch: Batch) -> tuple[Tensor, list[Tensor]]:
        """Last hidden states and those each probe reads, each flattened to [rows * length, hidden]."""
        out = self.model.model(
            input_ids=batch.ids,
            attention_mask=batch.mask,
            position_ids=batch.positions,
            output_hidden_states=True,
            use_cache=False,
        )
        return out.last_hidden_state.flatten(0, 1), [out.hidden_states[layer].flatten(0, 1) for layer in PROBED_LAYERS]


@dataclass(frozen=True)
class Score:
    """How many labels of a family were right, of how many."""

    right: int
    asked: int


def judge_loss(
    pupil: nn.Module, batch: Batch, labels: tuple[int, int], word_weight: float
) -> tuple[Tensor, dict[str, float]]:
    """Soft cross-entropy of the labels over the whole vocabulary, plus weighted text loss and probes."""
    assert isinstance(pupil, Pupil)
    last, probed_states = pupil.states(batch)
    logits = pupil.model.lm_head(last[batch.label_at]).log_softmax(-1)
    label = -(batch.label_p * logits[:, labels[0]] + (1 - batch.label_p) * logits[:, labels[1]])
    total = label.mean() if len(label) else last.sum() * 0
    figures: dict[str, float] = {}
    decided = batch.label_p != 0.5
    if decided.any():
        said = logits[:, labels[0]] > logits[:, labels[1]]
        figures["acc"] = float((said == (batch.label_p > 0.5))[decided].float().mean())
        figures["label"] = float(label.detach().mean())
    if len(batch.word_at):
        words = F.cross_entropy(pupil.model.lm_head(last[batch.word_at]), batch.word_id, reduction="none")
        mean = (words * batch.word_weight).sum() / batch.word_weight.sum()
        total = total + word_weight * mean
        figures["text"] = float(words.detach().mean())
    for kind, (probe, middle) in enumerate(zip(pupil.probes, probed_states, strict=True)):
        chosen = batch.probe_kind == kind
        if chosen.any():
            probed = F.cross_entropy(probe(middle[batch.probe_at[chosen]]), batch.probe_class[chosen])
            total = total + PROBE_WEIGHT * probed
            figures[f"p{kind}"] = float(probed.detach())
    return total, figures


def stage_of(step: int, written: tuple[Written, ...]) -> Stage:
    """What is shown at a step.

    One polarity first; then its opposite too, in wordings that name one quality only, so that "polite" and "rude" come apart; then all
    wordings; at last replies of the policy among the rest.
    """
    if step < BOTH_POLES_FROM:
        return Stage(EARLY_FAMILIES, opposed=False, drills=DRILLS)
    if step < WRITTEN_FROM:
        return Stage(opposed=step >= OPPOSED_FROM, drills=DRILLS)
    return Stage(drills=DRILLS, written=written, written_share=0.3)


def make_rows(maker: RowMaker, rng: random.Random, stage: Stage, shares: dict[str, float], count: int) -> list[Row]:
    """Rows of all kinds in their shares."""
    makers: dict[str, Callable[[], Row]] = {
        "pair": lambda: maker.pair_row(rng, stage),
        "match": lambda: maker.match_row(rng, stage),
        "critique": lambda: maker.critique_row(rng, stage),
        "revise": lambda: maker.revise_row(rng, stage),
        "whole": lambda: maker.whole_row(rng, stage),
        "glossary": lambda: maker.glossary_row(rng),
        "copy": lambda: maker.copy_row(rng),
        "answer": lambda: maker.answer_row(rng, stage),
    }
    kinds = rng.choices(list(shares), list(shares.values()), k=count)
    return [makers[kind]() for kind in kinds]


def make_batch(maker: RowMaker, written: tuple[Written, ...], step: int) -> Batch:
    """The batch of a step: rows of like length out of four batches' worth, the same whenever it is made."""
    return _part(maker, _group(maker, step // 4, written), step)


def make_writing_batch(maker: RowMaker, written: tuple[Written, ...], step: int) -> Batch:
    """The batch of a step of the second leg; see `make_batch`."""
    number = step // 4
    topic_weight = TOPIC_WEIGHT if 4 * number >= TOPIC_FROM else 1.0
    stage = replace(stage_of(SCHEDULE.steps, written), revisions=6, afresh=True, topic_weight=topic_weight)
    shares = ANSWER_SHARES if 4 * number < WRITING_FROM else WRITING_SHARES
    return _part(maker, _later_group(maker, "writing", number, stage, tuple(shares.items())), step)


def make_polish_batch(maker: RowMaker, written: tuple[Written, ...], step: int) -> Batch:
    """The batch of a step of the third leg; see `make_batch`."""
    stage = replace(stage_of(SCHEDULE.steps, written), revisions=6, afresh=True, topic_weight=TOPIC_WEIGHT, own=2)
    return _part(maker, _later_group(maker, "polish", step // 4, stage, tuple(POLISH_SHARES.items())), step)


def make_steering_batch(maker: RowMaker, written: tuple[Written, ...], step: int) -> Batch:
    """The batch of a step of the fourth leg; see `make_batch`."""
    stage = replace(
        stage_of(SCHEDULE.steps, written), revisions=6, afresh=True, topic_weight=3.0, steer_weight=STEER_WEIGHT
    )
    return _part(maker, _later_group(maker, "steering", step // 4, stage, tuple(STEERING_SHARES.items())), step)


def make_opening_batch(maker: RowMaker, written: tuple[Written, ...], step: int) -> Batch:
    """The batch of a step of the fifth leg; see `make_batch`."""
    stage = replace(
        stage_of(SCHEDULE.steps, written),
        revisions=6,
        afresh=True,
        topic_weight=3.0,
        own=2,
        steer_weight=STEER_WEIGHT,
        opening=True,
    )
    return _part(maker, _later_group(maker, "opening", step // 4, stage, tuple(OPENING_SHARES.items())), step)


def _part(maker: RowMaker, group: list[Row], step: int) -> Batch:
    return collate(group[(step % 4) * ROWS : (step % 4 + 1) * ROWS], int(maker.encode.tokenizer.pad_token_id))


@lru_cache(maxsize=2)
def _later_group(
    maker: RowMaker, leg: str, number: int, stage: Stage, shares: tuple[tuple[str, float], ...]
) -> list[Row]:
    rows = make_rows(maker, random.Random(f"{leg}:{SEED}:{number}"), stage, dict(shares), 4 * ROWS)
    return sorted(rows, key=lambda row: len(row.ids))


@lru_cache(maxsize=2)
def _group(maker: RowMaker, number: int, written: tuple[Written, ...]) -> list[Row]:
    rng = random.Random(f"judge:{SEED}:{number}")
    shares = SHARES if 4 * number < COPY_FROM else LATER_SHARES
    rows = make_rows(maker, rng, stage_of(4 * number, written), shares, 4 * ROWS)
    return sorted(rows, key=lambda row: len(row.ids))


def quick_scores(pupil: Pupil, maker: RowMaker, split: WordingSplit, pairs: int, seed: int) -> dict[str, Score]:
    """Accuracy on decided labels by family, on world pairs, with seen or unseen wordings. A watch, not the benchmark."""
    rng = random.Random(f"watch:{seed}")
    rows, families = [], []
    for _ in range(pairs):
        prompt, first, second = maker.pair(rng, Stage())
        row = maker.pair_prefix({"prompt": prompt.text, "response_a": first, "response_b": second}, prompt)
        for family in oracle.FAMILIES:
            if oracle.decide(family, prompt.text, first, second):
                maker.pair_tail(
                    row,
                    rng,
                    rng.choice(wordings(family, split)),
                    "Which response follows this principle better?",
                    prompt.text,
                    first,
                    second,
                )
                families.append(family)
        rows.append(row)
    return _score(pupil, maker, rows, families)


def _score(pupil: Pupil, maker: RowMaker, rows: list[Row], families: list[str]) -> dict[str, Score]:
    first, second = maker.encode.labels
    right: list[bool] = []
    with torch.inference_mode(), torch.compiler.set_stance("force_eager"):
        for start in range(0, len(rows), ROWS):
            batch = collate(rows[start : start + ROWS], int(maker.encode.tokenizer.pad_token_id))
            logits = pupil.model.lm_head(pupil.states(batch)[0][batch.label_at])
            right += ((logits[:, first] > logits[:, second]) == (batch.label_p > 0.5)).tolist()
    found = {
        family: [ok for ok, name in zip(right, families, strict=True) if name == family] for family in oracle.FAMILIES
    }
    return {family: Score(sum(oks), len(oks)) for family, oks in found.items()}


def _line(scores: dict[str, Score]) -> str:
    return " ".join(f"{family[:5]}={score.right / max(1, score.asked):.2f}" for family, score in scores.items())


def _mean(scores: Iterable[Score]) -> float:
    rates = [score.right / max(1, score.asked) for score in scores]
    return sum(rates) / len(rates)


def train_judge(
    tokenizer: PreTrainedTokenizerFast,
    policy: Qwen3ForCausalLM,
    work: Path,
    say: Callable[[str], None],
    publish: Callable[[Qwen3ForCausalLM], None],
) -> Qwen3ForCausalLM:
    """Train the judge, or go on from the checkpoint in `work`. A judge that is above 0.8 on the watch is published on the way."""
    encode = Encoder(tokenizer)
    maker = RowMaker(encode)
    written = written_by(policy, encode, work / "written.json", say)
    pupil = Pupil(new_model("judge", tokenizer, SEED))
    pupil.model.model.compile(dynamic=True)

    def watch(step: int) -> None:
        pupil.eval()
        seen, unseen = (quick_scores(pupil, maker, split, 48, step) for split in ("seen", "unseen"))
        pupil.train()
        say(
            f"watch {step} seen {_mean(seen.values()):.3f} {_line(seen)} | unseen {_mean(unseen.values()):.3f} {_line(unseen)}"
        )
        with (work / "watch.jsonl").open("a", encoding="utf-8", newline="\n") as log:
            log.write(json.dumps({"step": step, "seen": _mean(seen.values()), "unseen": _mean(unseen.values())}) + "\n")
        if min(score.right / max(1, score.asked) for score in seen.values()) > 0.7 and _mean(seen.values()) > 0.8:
            publish(pupil.model)

    for leg in LEGS:
        fit(
            pupil,
            partial(leg.make, maker, written),
            partial(_loss, encode.labels, leg.word_weight),
            leg.schedule,
            work / f"{leg.name}.pt",
            say,
            watch,
            200,
        )
    return pupil.model


def _loss(
    labels: tuple[int, int], word_weight: float, pupil: nn.Module, batch: Batch
) -> tuple[Tensor, dict[str, float]]:
    return judge_loss(pupil, batch, labels, word_weight)


@dataclass(frozen=True)
class Leg:
    """A part of the training; `make(maker, written, step)` gives its batches, `word_weight` is that of the text beside the labels."""

    name: str
    make: Callable[[RowMaker, tuple[Written, ...], int], Batch]
    schedule: Schedule
    word_weight: float


LEGS: Final = (
    Leg("judge", make_batch, SCHEDULE, 0.5),
    Leg("judge-writing", make_writing_batch, WRITING, 1.0),
    Leg("judge-polish", make_polish_batch, POLISH, 1.0),
    Leg("judge-steering", make_steering_batch, STEERING, 1.0),
    Leg("judge-opening", make_opening_batch, OPENING, 1.0),
)
