"""Compares a trained model with its base: the same prompts, the same seeds, then a judge, an oracle, or both.

Draws with one model after the other, so that only one is in memory. Writes evaluation.json, and beside it the
responses. A judge that also made the labels which the model was trained on is named self-judged.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from constitution.load import load
from constitution.model import Constitution
from engines.base import Engine, EngineInfo, SamplingParams
from engines.registry import create_engine
from judges.pairwise import PairwiseJudge
from tenet.config import AtLeast, Complaint, InputPath, ModelRef, MoreThan, as_json
from tenet.console import Console
from tenet.ids import Json
from tenet.reading.prompts import PromptSet, PromptStream, collect
from tenet.reading.rows import open_rows
from tenet.records import Sample
from tenet.runs.atomic import make_folder, write_text
from train.attributes import Attribute, attributes_of, compared, find_oracle
from train.folder import read_record
from train.judged import EngineName, JudgedBy
from train.provenance import Origin
from train.responses import draw_responses
from train.winrate import Duel, WinRate, duels_of, win_rate

FILE, RESPONSES = "evaluation.json", "evaluation-responses.jsonl"


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """What to compare, on what, and how. `out` is a folder or a .json file; by default the trained model's folder."""

    base: ModelRef
    trained: ModelRef
    prompts: InputPath
    out: str | None = None
    judge: JudgedBy | None = None
    oracle: str | None = None
    seed: Annotated[int, AtLeast(0)] = 0
    limit: Annotated[int, AtLeast(1)] | None = None
    samples: Annotated[int, AtLeast(1)] = 1
    max_tokens: Annotated[int, AtLeast(1)] = 512
    temperature: Annotated[float, AtLeast(0)] = 1.0
    top_p: Annotated[float, MoreThan(0)] = 1.0
    system: str = ""
    engine: EngineName = "transformers"
    chat_template_kwargs: Mapping[str, Json] = field(default_factory=dict)
    options: Mapping[str, Json] = field(default_factory=dict)

    def complaints(self) -> Iterator[Complaint]:
        """Name what several values together get wrong."""
        if self.judge is None and self.oracle is None:
            yield Complaint((), "nothing to measure with", "give --judge with --principles, or --oracle")


@dataclass(frozen=True)
class Side:
    """One of the two models: what it is called, what identifies it, and what it answered."""

    name: str
    info: EngineInfo
    samples: Sequence[Sample]

    def as_json(self) -> dict[str, Json]:
        """Give plain values, with how the answers ended."""
        ends = Counter(sample.finish.value for sample in self.samples)
        return {"name": self.name, "fingerprint": self.info.as_json(), "finish": dict(ends)}


@dataclass(frozen=True)
class Evaluation:
    """What came of a comparison. `lengths` are in words, and in tokens where the engine counts them."""

    config: EvaluateConfig
    base: Side
    trained: Side
    prompts: PromptSet
    lengths: Sequence[Attribute]
    attributes: Sequence[Attribute]
    judged: WinRate | None
    judge: Mapping[str, Json] | None
    self_judged: bool
    seconds: float

    def as_json(self) -> dict[str, Json]:
        """Give plain values: what evaluation.json holds."""
        judged = None if self.judged is None else {**(self.judge or {}), **self.judged.as_json()}
        return {
            "format": 1,
            "base": self.base.as_json(),
            "trained": self.trained.as_json(),
            "prompts": {"count": len(self.prompts.prompts), "digest": self.prompts.digest},
            "config": as_json(self.config),
            "lengths": [one.as_json() for one in self.lengths],
            "oracle": self.config.oracle,
            "attributes": [one.as_json() for one in self.attributes],
            "judge": None if judged is None else {**judged, "self_judged": self.self_judged},
            "seconds": round(self.seconds, 1),
        }


def evaluate(config: EvaluateConfig, *, console: Console | None = None, base: Side | None = None) -> Evaluation:
    """Compare two models, and write what was found. `base` is what the base model answered to the same prompts, where that is known.

    Raises:
        InvalidInput, MissingInput, UsageError: prompts, models, principles or oracle cannot be used.
        JudgeUnfit: the judge does not answer by label.
        TooManyFailures: more than a fifth of a model's draws failed.
    """
    console = console or Console()
    began = time.monotonic()
    oracle = find_oracle(config.oracle) if config.oracle else None
    constitution = load(config.judge.principles) if config.judge else None
    prompts = collect(PromptStream(open_rows(Path(config.prompts)), limit=config.limit))
    for line in prompts.counts.lines():
        console.say(line)
    base = base or _answers(config, config.base, prompts, "base", console)
    trained = _answers(config, config.trained, prompts, "trained", console)
    duels = duels_of(prompts.prompts, base.samples, trained.samples)
    attributes = (
        attributes_of(oracle, prompts.prompts, base.samples, trained.samples, seed=config.seed) if oracle else []
    )
    judged, judge, own = _judged(config, constitution, duels, console)
    found = Evaluation(
        config, base, trained, prompts, _lengths(base.samples, trained.samples, config.seed), attributes, judged,
        judge, own, time.monotonic() - began,
    )  # fmt: skip
    _write(found, duels)
    return found


def place_of(config: EvaluateConfig) -> Path:
    """Name the file that an evaluation writes."""
    if config.out is not None:
        out = Path(config.out)
        return out if out.suffix == ".json" else out / FILE
    return (Path(config.trained) if Path(config.trained).is_dir() else Path()) / FILE


def labels_judge(trained: str) -> Mapping[str, Json] | None:
    """What identifies the judge whose labels a model was trained on; None where no record says so."""
    record = read_record(Path(trained)) if Path(trained).is_dir() else None
    return Origin.of_json(record["origin"]).judge_model if record and record.get("origin") else None


def same_model(a: Mapping[str, Json], b: Mapping[str, Json]) -> bool:
    """Whether two fingerprints are of one model, whatever hosts it: by revision, else by name."""
    if a.get("revision") and b.get("revision"):
        return a["revision"] == b["revision"]
    return a.get("model") == b.get("model")


def _answers(config: EvaluateConfig, model: str, prompts: PromptSet, role: str, console: Console) -> Side:
    params = SamplingParams(config.max_tokens, config.temperature, config.top_p)
    engine = create_engine(
        config.engine, model, chat_template_kwargs=config.chat_template_kwargs, options=config.options
    )
    try:
        name = engine.info.model
        samples = draw_responses(
            engine, prompts.prompts, params, samples=config.samples, seed=config.seed, name=f"{role}: {name}",
            console=console, system=config.system,
        )  # fmt: skip
        return Side(name, engine.info, samples)
    finally:
        engine.close()


def _judged(
    config: EvaluateConfig, constitution: Constitution | None, duels: Sequence[Duel], console: Console
) -> tuple[WinRate | None, Mapping[str, Json] | None, bool]:
    """Have the duels judged: the win rate, what identifies the judge, and whether its own labels were learnt."""
    asked = config.judge
    if asked is None or constitution is None:
        return None, None, False
    engine: Engine = create_engine(
        asked.engine, asked.model, chat_template_kwargs=asked.chat_template_kwargs, prefill=asked.prefill,
        options=asked.options,
    )  # fmt: skip
    try:
        judge = PairwiseJudge(engine, constitution, asked.mode, seed=config.seed, min_label_mass=asked.min_label_mass)
        found = win_rate(judge, duels, console)
        principles: Json = {"name": constitution.name, "digest": constitution.digest}
        fingerprint = judge.fingerprint
        learnt_from, own = labels_judge(config.trained), fingerprint["model"]
        self_judged = learnt_from is not None and isinstance(own, Mapping) and same_model(learnt_from, own)
        named: dict[str, Json] = {"name": judge.name, "fingerprint": fingerprint, "constitution": principles}
        return found, named, self_judged
    finally:
        engine.close()


def _lengths(base: Sequence[Sample], trained: Sequence[Sample], seed: int) -> list[Attribute]:
    """Mean length of the responses in words, and in tokens where both engines count them."""
    words = [[(one.prompt_id, float(len(one.text.split()))) for one in side] for side in (base, trained)]
    found = [compared("words", words[0], words[1], seed=seed)]
    tokens = [
        [(one.prompt_id, float(one.completion_tokens)) for one in side if one.completion_tokens is not None]
        for side in (base, trained)
    ]
    if all(tokens):
        found.append(compared("tokens", tokens[0], tokens[1], seed=seed))
    return found


def _write(found: Evaluation, duels: Sequence[Duel]) -> None:
    file = place_of(found.config)
    make_folder(file.parent)
    p = found.judged.p if found.judged else {}
    rows = [
        {
            "prompt": duel.prompt.text,
            "index": duel.base.index,
            "base": duel.base.text,
            "trained": duel.trained.text,
            "p_trained": p.get((duel.prompt.id, duel.trained.index)),
        }
        for duel in duels
    ]
    responses = file.with_name(RESPONSES if file.name == FILE else f"{file.stem}-responses.jsonl")
    write_text(responses, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    write_text(file, json.dumps(found.as_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
