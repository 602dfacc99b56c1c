"""Which family of models a model's name belongs to, as far as names tell. Knows no weights: a renamed model is not recognised."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

_FAMILIES: Final[tuple[str, ...]] = (
    "qwen", "llama", "mistral", "mixtral", "gemma", "gemini", "phi", "gpt", "claude", "deepseek", "olmo", "falcon", "yi", "granite",
    "smollm", "command", "glm", "pythia", "tulu", "vicuna", "alpaca", "zephyr", "internlm", "nemotron", "kimi", "minimax", "grok", "nova",
)  # fmt: skip
_SAME: Final[dict[str, str]] = {"mixtral": "mistral"}


class Kinship(StrEnum):
    """How a policy and a judge are related by name."""

    SAME_MODEL = "same model"
    SAME_FAMILY = "same family"
    DIFFERENT = "different families"
    UNKNOWN = "not known"


def family(model: str) -> str:
    """The family that a model's name or path tells, in lower case; empty where it tells none. The name itself counts before its folders."""
    for part in reversed(re.split(r"[\\/]+", model.lower())):
        for word in re.findall(r"[a-z]+", part):
            if word in _FAMILIES:
                return _SAME.get(str(word), str(word))
    return ""


def kinship(judge: str, policy: str) -> Kinship:
    """How two models are related, by their names."""
    if judge.rstrip("/") == policy.rstrip("/"):
        return Kinship.SAME_MODEL
    mine, other = family(judge), family(policy)
    if not mine or not other:
        return Kinship.UNKNOWN
    return Kinship.SAME_FAMILY if mine == other else Kinship.DIFFERENT
