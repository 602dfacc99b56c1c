"""The options of the HTTP engine: their names and kinds, and a guard against keys among them. Knows no server."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from engines.options import Kinds, checked
from tenet.errors import UsageError
from tenet.ids import Json

_NUMBER: Final = (int, float)
OPTIONS: Final[Kinds] = {
    "api": str,
    "verdicts": str,
    "prompts": str,
    "tokenizer": str,
    "revision": str,
    "api_key_env": str,
    "max_in_flight": int,
    "in_flight": int,
    "prompts_per_request": int,
    "connect_timeout": _NUMBER,
    "read_timeout": _NUMBER,
    "deadline": _NUMBER,
    "tries": int,
    "backoff": _NUMBER,
    "max_length": int,
    "top_logprobs": int,
    "trust_env": bool,
    "structured": bool,
}
APIS: Final = ("auto", "vllm", "completions", "chat")
PROMPTS: Final = ("ids", "text")
VERDICTS: Final = ("logprobs", "text", "none")
DEFAULT_KEY: Final = "OPENAI_API_KEY"
_KEYLIKE: Final = re.compile(r"(api_?)?key|.*token|authorization|headers?|password|secret", re.IGNORECASE)
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
SECONDS: Final = {"connect_timeout": 10.0, "read_timeout": 120.0, "deadline": 600.0}


def http_options(options: Mapping[str, Json]) -> dict[str, Any]:
    """The options, once they are known to be right. Values that may be keys are never repeated.

    Raises:
        UsageError: an option that is wrong, or a key where its variable's name belongs.
    """
    if any(_KEYLIKE.fullmatch(name) and name not in OPTIONS for name in options):
        raise UsageError(
            "options of the engine http: a key does not belong in a configuration",
            hint="put it into the environment, and name the variable: options.api_key_env",
        )
    variable = options.get("api_key_env")
    if variable is not None and not (isinstance(variable, str) and _VARIABLE.fullmatch(variable)):
        raise UsageError(
            "options of the engine http: api_key_env is no name of an environment variable",
            hint="name the variable, not the key: api_key_env: OPENAI_API_KEY",
        )
    chosen = checked("http", options, OPTIONS)
    for name, values in (("api", APIS), ("verdicts", VERDICTS), ("prompts", PROMPTS)):
        if chosen.get(name) is not None and chosen[name] not in values:
            raise UsageError(f"options of the engine http: {name}: {chosen[name]!r} is none of {', '.join(values)}")
    if chosen.get("prompts") == "text" and chosen.get("api") != "completions":
        raise UsageError(
            "options of the engine http: prompts: text is for a server with /completions that takes no token ids",
            hint="set api: completions and name the model's tokenizer, or leave prompts out",
        )
    low = [
        name for name, value in chosen.items() if OPTIONS[name] in (int, _NUMBER) and value is not None and value <= 0
    ]
    if low:
        raise UsageError(f"options of the engine http: {', '.join(low)}: must be more than 0")
    return chosen
