"""Over-optimisation: what the proxy, a gold measure and the distance from the base say of every checkpoint of a training.

All checkpoints answer the same prompts with the same seeds; then the proxy (what the training was after) scores all answers, then the
gold measure (a judge that the training never met, a reward model of other labels, or an oracle), then KL is measured. One model is in
memory at a time. Writes curve.json and curve.svg. The rule that marks where the two part is `train.measures.parting`.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Annotated, Final

from engines.base import SamplingParams
from engines.registry import create_engine
from tenet.config import AtLeast, Complaint, InputPath, ModelRef, as_json
from tenet.console import Console
from tenet.errors import UsageError
from tenet.ids import Json
from tenet.reading.prompts import PromptSet, PromptStream, collect
from tenet.reading.rows import open_rows
from tenet.records import Prompt, Sample
from tenet.runs.atomic import make_folder, write_text
from train.attributes import find_oracle
from train.intervals import Estimate, mean
from train.judged import EngineName, JudgedBy
from train.measures.checkpoints import Checkpoint, checkpoints_of, loadable
from train.measures.kinship import Ancestry, ancestry_of, self_judged
from train.measures.kl import Divergence, Drawn, divergence, token_logps
from train.measures.parting import Parting, parting
from train.pairjudge import judge_of
from train.responses import draw_responses
from train.rewards import FunctionSource, JudgeSource, RewardModelSource, RewardSource

FILE: Final = "curve.json"
PLOT: Final = "curve.svg"


@dataclass(frozen=True, kw_only=True)
class Gauge:
    """What scores answers: a reward model, a judge (P(better than the base's answer)), or one attribute that an oracle reads."""

    reward: ModelRef | None = None
    """A reward model."""
    judge: JudgedBy | None = None
    """Or a judge."""
    oracle: str | None = None
    """Or an oracle: `pocket`, or `module:function`."""
    attribute: str | None = None
    """The one of the oracle's values to take."""

    def complaints(self) -> Iterator[Complaint]:
        """Name what several values together get wrong."""
        if sum(one is not None for one in (self.reward, self.judge, self.oracle)) != 1:
            yield Complaint((), "wants exactly one of reward, judge and oracle", "name one of them")

    @property
    def name(self) -> str:
        """What it is called in tables."""
        if self.reward is not None:
            return f"reward model {Path(self.reward).name}"
        if self.judge is not None:
            return f"judge {Path(self.judge.model).name}"
        return f"oracle {self.oracle}" + (f", {self.attribute}" if self.attribute else "")

    @property
    def ancestry(self) -> Ancestry | None:
        """Where its model comes from; None for an oracle, which has none."""
        model = self.reward or (self.judge.model if self.judge else None)
        return None if model is None else ancestry_of(model)


@dataclass(frozen=True, kw_only=True)
class CurveConfig:
    """What to measure. `checkpoints` is the folder of a training; at most `most` of its checkpoints are taken, evenly spaced,
    the first and the last among them.
    """

    base: ModelRef
    """The model that the training began with: BASE on the command line."""
    checkpoints: InputPath
    prompts: InputPath
    proxy: Gauge
    """What the training was after."""
    gold: Gauge
    """What it should be held against."""
    out: str | None = None
    most: Annotated[int, AtLeast(2)] = 12
    kl: bool = True
    """Measure the KL of each checkpoint to the base."""
    seed: Annotated[int, AtLeast(0)] = 0
    limit: Annotated[int, AtLeast(1)] | None = None
    samples: Annotated[int, AtLeast(1)] = 1
    max_tokens: Annotated[int, AtLeast(1)] = 512
    """The longest answer, in tokens."""
    system: str = ""
    """Goes in front of prompts without a system turn of their own."""
    engine: EngineName = "transformers"
    """The host of the models."""
    chat_template_kwargs: Mapping[str, Json] = field(default_factory=dict)
    """For the models' chat template."""
    options: Mapping[str, Json] = field(default_factory=dict)
    """Settings of the engine."""


@dataclass(frozen=True)
class CurvePoint:
    """One checkpoint: mean scores by prompt, mean length in words, and KL to the base (None where it was not measured)."""

    name: str
    step: int
    proxy: Estimate
    gold: Estimate
    words: Estimate
    kl: Divergence | None

    def as_json(self) -> dict[str, Json]:
        """Give plain values."""
        return {
            "name": self.name, "step": self.step, "proxy": self.proxy.as_json(), "gold": self.gold.as_json(),
            "words": self.words.as_json(), "kl": None if self.kl is None else self.kl.as_json(),
        }  # fmt: skip


@dataclass(frozen=True)
class Curve:
    """The checkpoints in order, the base first; `because` says why the gold measure is not independent, if it is not."""

    config: CurveConfig
    points: Sequence[CurvePoint]
    parting: Parting
    because: Sequence[str]
    seconds: float

    @property
    def marked(self) -> CurvePoint | None:
        """Where proxy and gold part."""
        return None if self.parting.at is None else self.points[self.parting.at]

    @property
    def falls(self) -> CurvePoint | None:
        """Where the gold measure is first seen to be lower than it was."""
        return None if self.parting.falls is None else self.points[self.parting.falls]

    @property
    def warning(self) -> str:
        """What a reader must know; empty where the two do not part."""
        at, last = self.marked, self.points[-1]
        if at is None or self.parting.at is None:
            return ""
        best = max(self.points[self.parting.at + 1 :], key=lambda one: one.proxy.value)
        kl = f", {at.kl.k1.value:.1f} nats from the base" if at.kl else ""
        text = (
            f"over-optimised after {at.name}{kl}: the proxy still rises, from {at.proxy.value:.3g} to {best.proxy.value:.3g} at"
            f" {best.name}, and no later checkpoint is seen to be better by the gold measure ({at.gold.value:.3g} there,"
            f" {last.gold.value:.3g} at the end)"
        )
        return text + (f", which is lower than it was from {self.falls.name} on" if self.falls else "")

    def as_json(self) -> dict[str, Json]:
        """Give plain values: what curve.json holds."""
        return {
            "format": 1,
            "config": as_json(self.config),
            "proxy": self.config.proxy.name,
            "gold": self.config.gold.name,
            "self_judged": bool(self.because),
            "self_judged_because": list(self.because),
            "checkpoints": [one.as_json() for one in self.points],
            "parting": self.parting.as_json(),
            "warning": self.warning,
            "seconds": round(self.seconds, 1),
        }


def measure_curve(config: CurveConfig, *, console: Console | None = None) -> Curve:
    """Measure every checkpoint, mark where proxy and gold part, and write the file and the plot.

    Raises:
        MissingInput, InvalidInput, UsageError: models, prompts, oracle or judge cannot be used, or there are no checkpoints.
        TooManyFailures: more than a fifth of a checkpoint's draws failed.
    """
    from train.measures.curve_show import plot

    console = console or Console()
    began = time.monotonic()
    prompts = collect(PromptStream(open_rows(Path(config.prompts)), limit=config.limit))
    for line in prompts.counts.lines():
        console.say(line)
    found = [Checkpoint("base", 0, Path(config.base)), *checkpoints_of(Path(config.checkpoints), config.most)]
    with tempfile.TemporaryDirectory() as scratch:
        models = [config.base, *(loadable(one, config.base, Path(scratch)) for one in found[1:])]
        answers = [
            _answers(config, model, one.name, prompts, console) for model, one in zip(models, found, strict=True)
        ]
        proxy, gold = (_scored(gauge, config.seed, prompts, answers, console) for gauge in (config.proxy, config.gold))
        kls = _divergences(config, models, found, [drawn for _, drawn in answers], console)
    points = [
        CurvePoint(one.name, one.step, _mean(x, config.seed), _mean(y, config.seed), _words(samples, config.seed), kl)
        for one, x, y, (samples, _), kl in zip(found, proxy, gold, answers, kls, strict=True)
    ]
    curve = Curve(
        config, points, parting(_by_prompt(proxy), _by_prompt(gold), seed=config.seed), _because(config),
        time.monotonic() - began,
    )  # fmt: skip
    place = place_of(config)
    make_folder(place.parent)
    write_text(place, json.dumps(curve.as_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    write_text(place.with_suffix(".svg"), plot(curve))
    return curve


def place_of(config: CurveConfig) -> Path:
    """Name the file that a curve writes: `out` (a folder or a .json file), by default in the training's folder."""
    out = Path(config.out) if config.out else Path(config.checkpoints)
    return out if out.suffix == ".json" else out / FILE


Scores = Sequence[tuple[str, float]]
Answered = tuple[Sequence[Sample], Sequence[Drawn]]


def _answers(config: CurveConfig, model: str, name: str, prompts: PromptSet, console: Console) -> Answered:
    engine = create_engine(
        config.engine, model, chat_template_kwargs=config.chat_template_kwargs, options=config.options
    )
    drawn: list[Drawn] = []
    with engine:
        samples = draw_responses(
            engine, prompts.prompts, SamplingParams(config.max_tokens, 1.0, 1.0), samples=config.samples,
            seed=config.seed, name=name, console=console, system=config.system, kept=drawn,
        )  # fmt: skip
    return samples, drawn


def _scored(gauge: Gauge, seed: int, prompts: PromptSet, answers: Sequence[Answered], console: Console) -> list[Scores]:
    """(checkpoints,) of (prompt id, score); answers that the gauge has nothing to say about are left out."""
    source = _source(gauge, seed)
    known = {prompt.id: _turns(prompt) for prompt in prompts.prompts}
    references = {(one.prompt_id, one.index): one.text for one in answers[0][0]}
    scores: list[Scores] = []
    with console.progress(f"scores by {gauge.name}") as progress:
        progress.start(len(answers))
        try:
            for samples, _ in answers:
                usable = [one for one in samples if one.finish.value != "error"]
                found = source.score(
                    [known[one.prompt_id] for one in usable],
                    [one.text for one in usable],
                    [references.get((one.prompt_id, one.index)) for one in usable],
                )
                scores.append(
                    [(one.prompt_id, value) for one, value in zip(usable, found, strict=True) if value is not None]
                )
                progress.advance(1)
        finally:
            source.close()
    empty = sum(not one for one in scores)
    if empty:
        raise UsageError(
            f"{gauge.name}: no score for the answers of {empty} of {len(scores)} checkpoints",
            hint="an attribute that applies to these prompts, or a judge with principles that do",
        )
    return scores


def _source(gauge: Gauge, seed: int) -> RewardSource:
    if gauge.reward is not None:
        return RewardModelSource(gauge.reward)
    if gauge.judge is not None:
        return JudgeSource(judge_of(gauge.judge, seed))
    assert gauge.oracle is not None
    return FunctionSource(find_oracle(gauge.oracle), gauge.oracle, gauge.attribute)


def _turns(prompt: Prompt) -> list[dict[str, str]]:
    return [{"role": turn.role, "content": turn.content} for turn in prompt.messages]


def _divergences(
    config: CurveConfig,
    models: Sequence[str],
    found: Sequence[Checkpoint],
    drawn: Sequence[Sequence[Drawn]],
    console: Console,
) -> list[Divergence | None]:
    """KL of each checkpoint to the base; the base scores the answers of all checkpoints in one go."""
    if not config.kl or not all(drawn):
        return [None] * len(models)
    everything = [one for side in drawn for one in side]
    by_base = iter(token_logps(config.base, everything, name="base", console=console))
    references = [[next(by_base) for _ in side] for side in drawn]
    own = [references[0]] + [
        token_logps(model, side, name=one.name, console=console)
        for model, one, side in zip(models[1:], found[1:], drawn[1:], strict=True)
    ]
    return [divergence(side, p, q, seed=config.seed) for side, p, q in zip(drawn, own, references, strict=True)]


def _because(config: CurveConfig) -> list[str]:
    """Why the gold measure is not independent of the training; an oracle always is."""
    gold, proxy = config.gold.ancestry, config.proxy.ancestry
    if gold is None:
        return []
    trained = ancestry_of(config.checkpoints)
    taught = trained if proxy is None else replace(trained, teachers=(*trained.teachers, proxy))
    return self_judged(gold, [taught, ancestry_of(config.base)])


def _mean(scores: Scores, seed: int) -> Estimate:
    return mean([value for _, value in scores], [prompt for prompt, _ in scores], seed=seed)


def _words(samples: Sequence[Sample], seed: int) -> Estimate:
    return mean([float(len(one.text.split())) for one in samples], [one.prompt_id for one in samples], seed=seed)


def _by_prompt(scores: Sequence[Scores]) -> list[dict[str, float]]:
    grouped: list[dict[str, list[float]]] = []
    for side in scores:
        held: dict[str, list[float]] = {}
        for prompt, value in side:
            held.setdefault(prompt, []).append(value)
        grouped.append(held)
    return [{prompt: fmean(values) for prompt, values in held.items()} for held in grouped]
