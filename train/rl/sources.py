"""Opens what a training's configuration names as its reward, says whose labels stand behind it, and draws references for judges.

Knows rewards and engines, no trainer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.loading import find_model
from tenet.errors import InvalidInput
from tenet.ids import digest
from train.config import RlConfig
from train.judged import FunctionReward, JudgeReward
from train.provenance import Origin, origin_of_judge, origin_of_reward_model
from train.rewards import FunctionSource, JudgeSource, RewardModelSource, RewardSource, prompt_of

if TYPE_CHECKING:
    from train.models import Base


def make_source(config: RlConfig) -> tuple[RewardSource, Origin]:
    """Open the reward of a training, and find out what made the labels behind it.

    Raises:
        MissingInput, UsageError, JudgeUnfit, EngineError: what is named gives no rewards.
    """
    if config.reward is not None:
        return RewardModelSource(config.reward, device=_device(config)), origin_of_reward_model(config.reward)
    if config.judge is not None:
        source = _judge_source(config, config.judge)
        return source, origin_of_judge(source.judge, config.judge.principles)
    assert config.oracle is not None
    return function_source(config.oracle), Origin()


def reward_identity(config: RlConfig) -> str:
    """Name what a training is rewarded by: another reward model or an edited principles file is another training.

    Raises:
        MissingInput, InvalidInput: there is no such model or file.
    """
    from constitution.load import load

    if config.reward is not None:
        return find_model(config.reward).revision
    if config.judge is not None:
        return digest([config.judge.model, load(config.judge.principles).digest])
    return digest([str(config.oracle)])


def function_source(asked: FunctionReward) -> FunctionSource:
    """Import a function that rewards.

    Raises:
        UsageError: there is none of this name.
    """
    from train.attributes import find_oracle

    return FunctionSource(
        find_oracle(asked.function), asked.attribute or asked.function.split(":")[-1], asked.attribute
    )


def _device(config: RlConfig) -> str:
    """Where this process of a training computes."""
    import torch

    from train.models import uses_cpu

    found = None if uses_cpu(config) else torch.accelerator.current_accelerator()
    return "cpu" if found is None else f"{found.type}:{os.environ.get('LOCAL_RANK', '0')}"


def _judge_source(config: RlConfig, asked: JudgeReward) -> JudgeSource:
    from constitution.load import load
    from engines.registry import create_engine
    from judges.registry import make_judge
    from tenet.judgeconfig import JudgeConfig

    constitution = load(asked.principles)
    options = dict(asked.options)
    if asked.engine == "transformers":
        options.setdefault("device", _device(config))
    engine = create_engine(
        asked.engine, asked.model, chat_template_kwargs=asked.chat_template_kwargs, prefill=asked.prefill,
        base_url=asked.base_url, options=options,
    )  # fmt: skip
    told = JudgeConfig(
        model=asked.model, engine=asked.engine, base_url=asked.base_url, kind=asked.kind, principles=asked.mode,
        chat_template_kwargs=asked.chat_template_kwargs, prefill=asked.prefill, min_label_mass=asked.min_label_mass,
        options=options,
    )  # fmt: skip
    return JudgeSource(make_judge(engine, constitution, told, seed=config.seed))


def references_for(
    config: RlConfig, rewards: RewardSource, base: Base, prompts: Sequence[list[dict[str, str]]],
    given: Sequence[str | None], cache: Path, longest: int,
) -> list[str] | None:  # fmt: skip
    """Give the response that each prompt's responses are compared with: the data's own, or one of the model as it is now.

    Those that are drawn are kept in the cache folder, so that a resumed training compares with the same.

    Returns:
        None where the reward compares with nothing.

    Raises:
        InvalidInput: the data has no reference for some prompt, and its own are asked for.
        TooManyFailures: the model answers too few of the prompts.
    """
    if not (isinstance(rewards, JudgeSource) and rewards.compares and prompts):
        return None
    assert config.judge is not None
    if config.judge.against == "reference":
        gaps = sum(not (text or "").strip() for text in given)
        if gaps:
            raise InvalidInput(
                f"{config.data}: {gaps:,} of {len(given):,} prompts have nothing in the column reference", []
            )
        return [str(text) for text in given]
    from accelerate import PartialState

    file = cache / f"references-{digest([prompts])[:16]}.json"
    with PartialState(cpu=_device(config) == "cpu").main_process_first():
        if not file.is_file():
            from tenet.runs.atomic import make_folder, write_text

            make_folder(cache)
            write_text(file, json.dumps(_drawn(config, base, prompts, longest), ensure_ascii=False))
        found: list[str] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _drawn(config: RlConfig, base: Base, prompts: Sequence[list[dict[str, str]]], longest: int) -> list[str]:
    from engines.base import SamplingParams
    from engines.transformers import TransformersEngine
    from tenet.console import Console
    from train.responses import draw_responses

    options: dict[str, Any] = {
        "device": _device(config),
        "max_length": longest,
        "trust_remote_code": config.trust_remote_code,
    }
    if config.revision:
        options["revision"] = config.revision
    params = SamplingParams(config.max_tokens, config.temperature)
    asked = [prompt_of(prompt) for prompt in prompts]
    kwargs = config.chat_template_kwargs
    with TransformersEngine(config.model, chat_template_kwargs=kwargs, options=options) as engine:
        drawn = draw_responses(
            engine, asked, params, samples=1, seed=config.seed, name=base.source.name, console=Console(quiet=True)
        )
    return [sample.text for sample in drawn]
