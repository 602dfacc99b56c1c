"""The reward function that verl calls: `custom_reward_function.path` is this file, `custom_reward_function.name` is `compute_score`.

Asks the server in TENET_REWARDS_URL, or in `url`. verl does not hand the prompt to a reward function: it must stand in the data's
`extra_info`, under `prompt` or `question`, as text or as messages. `data_source` and `ground_truth` are not looked at. Works where only
this package and none of the libraries that it depends on is installed (`pip install --no-deps tenet-rlaif`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tenet.errors import UsageError
from train.serving.client import Prompt, shared_client

PROMPTS: Final = ("prompt", "question")


def compute_score(
    data_source: str = "", solution_str: str = "", ground_truth: object = None,  # noqa: ARG001 - verl's names
    extra_info: Mapping[str, Any] | None = None, *, url: str | None = None, prompt_key: str | None = None,
    missing: float | None = None, **_: object,
) -> dict[str, float]:  # fmt: skip
    """Score one response: `{"score": reward}`.

    `url`, `prompt_key` (of `extra_info`) and `missing` (the score where the server can say nothing) may be given in
    `custom_reward_function.reward_kwargs`.

    Raises:
        UsageError: `extra_info` holds no prompt, or the server can say nothing and there is no `missing`.
        EngineError: the server does not answer.
    """
    prompt = prompt_of(extra_info or {}, (prompt_key,) if prompt_key else PROMPTS)
    (reward,) = shared_client(url).score([prompt], [solution_str])
    if reward is None and missing is None:
        raise UsageError("the reward server could say nothing about a response", hint="give reward_kwargs.missing=0.0")
    return {"score": float(missing or 0.0) if reward is None else reward}


def prompt_of(extra_info: Mapping[str, Any], keys: tuple[str, ...]) -> Prompt:
    """The prompt in a row's `extra_info`: a text, or messages (read from Parquet they are an array).

    Raises:
        UsageError: there is none.
    """
    found = next((extra_info[key] for key in keys if extra_info.get(key) is not None), None)
    if isinstance(found, str):
        return found
    turns = [] if found is None else list(found)
    if not turns or not all(isinstance(turn, Mapping) and {"role", "content"} <= turn.keys() for turn in turns):
        raise UsageError(
            f"extra_info holds no prompt under {' or '.join(keys)}; its keys: {', '.join(map(str, extra_info)) or 'none'}",
            hint="put the prompt there when you make the data: row['extra_info']['prompt'] = row['prompt']",
        )
    return [{"role": str(turn["role"]), "content": str(turn["content"])} for turn in turns]
