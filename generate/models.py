"""Makes the engines that a run's configuration names: policies to sample and a judge. Knows no prompt and no principle."""

from __future__ import annotations

from engines.base import Engine, SamplingParams
from engines.registry import create_engine
from generate.sampling import Policy
from tenet.errors import UsageError
from tenet.runconfig import JudgeConfig, PolicyConfig, RunConfig


def make_policies(config: RunConfig) -> list[Policy]:
    """The policies of a run, none where responses were given. Their names tell them apart in the records.

    Raises:
        UsageError: two policies of one name.
        MissingInput, UsageError, EngineError: as `engines.registry.create_engine`.
    """
    policies: list[Policy] = []
    for asked in config.policies:
        policy = _policy(asked)
        if policy.name in {other.name for other in policies}:
            raise UsageError(
                f"two policies are called {policy.name}", hint="give one of them a `name:` of its own in run.yaml"
            )
        policies.append(policy)
    return policies


def judge_engine(config: JudgeConfig) -> Engine:
    """The engine of a run's judge.

    Raises:
        UsageError: it is a panel, where one judge is to be asked.
        MissingInput, UsageError, EngineError: as `engines.registry.create_engine`.
    """
    if config.members:
        raise UsageError(
            "this asks one judge, and judge.kind is panel", hint="make a run with one of its members as the judge"
        )
    return create_engine(
        config.engine,
        config.model,
        chat_template_kwargs=config.chat_template_kwargs,
        prefill=config.prefill,
        base_url=config.base_url,
        options=config.options,
    )


def _policy(config: PolicyConfig) -> Policy:
    # A policy only writes: a server without log-probabilities will do.
    told = {"verdicts": "none"} if config.engine == "http" else {}
    engine = create_engine(
        config.engine,
        config.model,
        chat_template_kwargs=config.chat_template_kwargs,
        base_url=config.base_url,
        options={**told, **config.options},
    )
    params = SamplingParams(config.max_tokens, config.temperature, config.top_p, tuple(config.stop))
    return Policy(config.name or engine.info.model, engine, params, config.samples, config.system or "")
