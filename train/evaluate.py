"""Compares a trained model with its base: the same prompts, the same seeds, then every measure that can be had.

The order of things: draw with one model after the other, so that only one is in memory; have the oracle and the judge read the answers;
measure behaviour and KL. Writes evaluation.json, and beside it the responses. The measuring itself is in train.measures.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

from constitution.load import load
from engines.base import Engine, SamplingParams
from engines.registry import create_engine
from tenet.console import Console
from tenet.errors import JudgeUnfit
from tenet.hub import require
from tenet.ids import Json
from tenet.reading.prompts import PromptSet, PromptStream, collect
from tenet.reading.rows import open_rows
from tenet.runs.atomic import make_folder, write_text
from train.attributes import attributes_of, find_oracle
from train.hubids import evaluation_ids
from train.judged import JudgedBy
from train.measures.behaviour import SYCOPHANCY, behaviour_of, lengths_of
from train.measures.kinship import ancestry_of, same_family, self_judged
from train.measures.kl import Divergence, Drawn, divergence, token_logps, unbiased
from train.measures.length_control import length_controlled
from train.measures.model import EvaluateConfig, Evaluation, Judged, Side
from train.measures.refusals import find_detector
from train.measures.sycophancy import Read, read_probes
from train.pairjudge import judge_of
from train.responses import draw_responses
from train.winrate import Duel, duels_of, win_rate

__all__ = [
    "FILE",
    "EvaluateConfig",
    "Evaluation",
    "JudgedBy",
    "Side",
    "answers_of",
    "evaluate",
    "judged_by",
    "place_of",
]

FILE, RESPONSES = "evaluation.json", "evaluation-responses.jsonl"


def evaluate(config: EvaluateConfig, *, console: Console | None = None, base: Side | None = None) -> Evaluation:
    """Compare two models, and write what was found. `base` is what the base model answered to the same prompts, where that is known.

    Raises:
        InvalidInput, MissingInput, UsageError: prompts, models, principles, oracle or detector cannot be used.
        JudgeUnfit: the judge does not answer by label.
        TooManyFailures: more than a fifth of a model's draws failed.
    """
    console = console or Console()
    began = time.monotonic()
    oracle = find_oracle(config.oracle) if config.oracle else None
    find_detector(config.detector)
    if config.judge:
        load(config.judge.principles)  # so that a mistake in it comes to light before hours of drawing
    require(evaluation_ids(config))
    prompts = collect(PromptStream(open_rows(Path(config.prompts)), limit=config.limit))
    for line in prompts.counts.lines():
        console.say(line)
    base = base or answers_of(config, config.base, prompts, "base", console)
    trained = answers_of(config, config.trained, prompts, "trained", console)
    duels = duels_of(prompts.prompts, base.samples, trained.samples)
    attributes = (
        attributes_of(oracle, prompts.prompts, base.samples, trained.samples, seed=config.seed) if oracle else []
    )
    verdict = (
        judged_by(config.judge, duels, (config.base, base), (config.trained, trained), config.seed, console)
        if config.judge
        else None
    )
    behaviour, missing = behaviour_of(
        prompts.prompts, base.samples, trained.samples, detector=config.detector,
        probed=(base.probed, trained.probed), seed=config.seed,
    )  # fmt: skip
    unprobed = base.unprobed or trained.unprobed
    if unprobed:
        missing[SYCOPHANCY] = unprobed
    kl, why = _divergence(config, trained.drawn, console)
    found = Evaluation(
        config, base, trained, prompts, lengths_of(base.samples, trained.samples, config.seed), attributes, behaviour,
        kl, verdict, missing | why, time.monotonic() - began,
    )  # fmt: skip
    _write(found, duels)
    return found


def place_of(config: EvaluateConfig) -> Path:
    """Name the file that an evaluation writes."""
    if config.out is not None:
        out = Path(config.out)
        return out if out.suffix == ".json" else out / FILE
    return (Path(config.trained) if Path(config.trained).is_dir() else Path()) / FILE


def answers_of(config: EvaluateConfig, model: str, prompts: PromptSet, role: str, console: Console) -> Side:
    """Have one model answer the prompts, and the probes of sycophancy if they are asked for.

    Raises:
        MissingInput, UsageError, EngineError: the model cannot be used.
        TooManyFailures: more than a fifth of the draws failed.
    """
    params = SamplingParams(config.max_tokens, config.temperature, config.top_p)
    engine = create_engine(
        config.engine, model, chat_template_kwargs=config.chat_template_kwargs, options=config.options
    )
    try:
        name, drawn = engine.info.model, list[Drawn]()
        samples = draw_responses(
            engine, prompts.prompts, params, samples=config.samples, seed=config.seed, name=f"{role}: {name}",
            console=console, system=config.system, kept=drawn,
        )  # fmt: skip
        probed, why = _probed(engine, config.system) if config.sycophancy else (None, "")
        return Side(name, engine.info, samples, drawn, probed, why)
    finally:
        engine.close()


def judged_by(
    asked: JudgedBy,
    duels: Sequence[Duel],
    base: tuple[str, Side],
    trained: tuple[str, Side],
    seed: int,
    console: Console,
) -> Judged:
    """Have the duels judged, and find out whether the judge is independent. Both models come with their folder or hub id.

    Raises:
        JudgeUnfit: the judge does not answer by label.
        EngineError: its engine has failed.
    """
    judge = judge_of(asked, seed)
    with judge.engine as engine:
        rate = win_rate(judge, duels, console)
    known = [duel for duel in duels if (duel.prompt.id, duel.trained.index) in rate.p]
    controlled = length_controlled(
        [rate.p[duel.prompt.id, duel.trained.index] for duel in known],
        [float(len(duel.trained.text.split()) - len(duel.base.text.split())) for duel in known],
        [duel.prompt.id for duel in known],
    )
    own = engine.info.as_json()
    policies = [
        ancestry_of(place, info if isinstance(info := side.info.as_json(), dict) else None)
        for place, side in (base, trained)
    ]
    principles: Json = {"name": judge.constitution.name, "digest": judge.constitution.digest}
    return Judged(
        {"name": judge.name, "fingerprint": judge.fingerprint, "constitution": principles}, rate, controlled,
        self_judged(ancestry_of(asked.model, own if isinstance(own, dict) else None), policies),
        same_family(asked.model, [place for place, _ in (base, trained)]),
    )  # fmt: skip


def _probed(engine: Engine, system: str) -> tuple[Read | None, str]:
    """What a model answers to the probes, or why it cannot be asked."""
    try:
        found = read_probes(engine, system)
    except JudgeUnfit as error:
        return None, str(error).splitlines()[0]
    return found, "" if found else f"the engine {engine.info.engine} reads no log-probabilities"


def _divergence(
    config: EvaluateConfig, drawn: Sequence[Drawn], console: Console
) -> tuple[Divergence | None, dict[str, str]]:
    """KL to the base, or why there is none."""
    wanted = config.engine == "transformers" if config.kl is None else config.kl
    if not wanted:
        why = "not asked for" if config.kl is False else "loads the models once more; ask for it with --set kl=true"
        return None, {"KL": why}
    why = unbiased(config.temperature, config.top_p) or ("" if drawn else "the engine gives no tokens")
    if why:
        return None, {"KL": why}
    trained, base = (
        token_logps(model, drawn, name=role, console=console)
        for model, role in ((config.trained, "trained"), (config.base, "base"))
    )
    return divergence(drawn, trained, base, seed=config.seed), {}


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
