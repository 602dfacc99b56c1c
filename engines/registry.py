"""The engines by name. To add one, write its module and a line here; nothing heavy is imported until an engine is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Final

from tenet.errors import UsageError
from tenet.ids import Json

if TYPE_CHECKING:
    from engines.base import Engine

ENGINES: Final[dict[str, str]] = {
    "transformers": "engines.transformers:TransformersEngine",
    "vllm": "engines.vllm:VllmEngine",
    "vllm-server": "engines.server:VllmServerEngine",
    "http": "engines.http:HttpEngine",
    "recorded": "engines.recorded:RecordedEngine",
    "scripted": "engines.scripted:ScriptedEngine",
}
REMOTE: Final = frozenset({"http"})
"""The engines whose model is behind an address (`base_url`)."""
STARTS_SERVERS: Final = frozenset({"vllm-server"})
"""The engines that start the servers that they ask."""


def create_engine(
    name: str,
    model: str,
    *,
    chat_template_kwargs: Mapping[str, Json] | None = None,
    prefill: str = "",
    base_url: Sequence[str] = (),
    options: Mapping[str, Json] | None = None,
) -> Engine:
    """Start an engine with a model: a folder or Hub id, a recording's folder, a script's rule, or the name that servers know it by.

    Raises:
        UsageError: no engine of this name, options that it does not take, or addresses for one that runs in this process.
        MissingInput: the model or the engine's package is not there.
        EngineError: the engine cannot start.
    """
    if name not in ENGINES:
        raise UsageError(f"engine: {name!r} is none of {', '.join(ENGINES)}")
    if base_url and name not in REMOTE:
        where_it_runs = "starts its own server" if name in STARTS_SERVERS else "runs in this process"
        raise UsageError(f"the engine {name} {where_it_runs} and takes no address", hint="leave base_url out")
    module, _, attribute = ENGINES[name].partition(":")
    maker = getattr(import_module(module), attribute)
    where = {"base_url": tuple(base_url)} if name in REMOTE else {}
    engine: Engine = maker(
        model, chat_template_kwargs=chat_template_kwargs, prefill=prefill, options=options or {}, **where
    )
    return engine
