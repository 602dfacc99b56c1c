"""The engines by name. To add one, write its module and a line here; nothing heavy is imported until an engine is made."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final

from tenet.errors import UsageError
from tenet.ids import Json

if TYPE_CHECKING:
    from engines.base import Engine

ENGINES: Final[dict[str, str]] = {
    "transformers": "engines.transformers:TransformersEngine",
    "vllm": "engines.vllm:VllmEngine",
    "recorded": "engines.recorded:RecordedEngine",
    "scripted": "engines.scripted:ScriptedEngine",
}


def create_engine(
    name: str,
    model: str,
    *,
    chat_template_kwargs: Mapping[str, Json] | None = None,
    prefill: str = "",
    options: Mapping[str, Json] | None = None,
) -> Engine:
    """Start an engine with a model: a folder or Hub id, a recording's folder, or a script's rule.

    Raises:
        UsageError: no engine of this name, or options that it does not take.
        MissingInput: the model or the engine's package is not there.
        EngineError: the engine cannot start.
    """
    if name not in ENGINES:
        raise UsageError(f"engine: {name!r} is none of {', '.join(ENGINES)}")
    module, _, attribute = ENGINES[name].partition(":")
    maker = getattr(import_module(module), attribute)
    engine: Engine = maker(model, chat_template_kwargs=chat_template_kwargs, prefill=prefill, options=options or {})
    return engine
