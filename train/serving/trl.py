"""The reward function that TRL's GRPO and RLOO trainers call: `reward_funcs=[train.serving.trl.reward]`.

Asks the server in TENET_REWARDS_URL, without holding up the trainer's event loop. A response about which the server can say nothing gets
None, which TRL takes for "no reward from this function"; how many is logged as `rewards/none`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from tenet.errors import UsageError
from train.serving.client import Prompt, shared_client

Completion = str | Sequence[dict[str, str]]


async def reward(prompts: Sequence[Prompt], completions: Sequence[Completion], **columns: Any) -> list[float | None]:
    """Score completions, in order.

    Raises:
        UsageError: a completion with turns besides the assistant's one, or a request that the server refuses.
        EngineError: the server does not answer.
    """
    found = await asyncio.to_thread(shared_client().score, prompts, [text_of(one) for one in completions])
    if (log := columns.get("log_metric")) is not None:
        log("rewards/none", sum(one is None for one in found) / len(found))
    return found


def text_of(completion: Completion) -> str:
    """What the assistant wrote.

    Raises:
        UsageError: it is more than one turn.
    """
    if isinstance(completion, str):
        return completion
    if len(completion) != 1 or completion[0].get("role") != "assistant":
        roles = ", ".join(str(turn.get("role")) for turn in completion) or "none"
        raise UsageError(f"a completion of turns of {roles}; only one turn of the assistant can be scored")
    return completion[0]["content"]
