"""The engines by name. To add one, write its module and a line here; nothing heavy is imported until an engine is made.

Plug-ins bring others (docs/plugins.md); those run in this process or find their servers by their own options, and take no `base_url`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Final

from tenet.errors import UsageError
from tenet.ids import Json
from tenet.plugins import Kind, find, names

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
        UsageError: no engine of this name or several, options that it does not take, or addresses for one that runs in this process.
        PluginBroken: the engine is a plug-in's, and cannot be used.
        MissingInput: the model or the engine's package is not there.
        EngineError: the engine cannot start.
    """
    maker = engine_named(name)
    if base_url and name not in REMOTE:
        where_it_runs = "starts its own server" if name in STARTS_SERVERS else "runs in this process"
        raise UsageError(f"the engine {name} {where_it_runs} and takes no address", hint="leave base_url out")
    where = {"base_url": tuple(base_url)} if name in REMOTE else {}
    return maker(model, chat_template_kwargs=chat_template_kwargs, prefill=prefill, options=options or {}, **where)


def engine_named(name: str) -> Callable[..., Engine]:
    """What makes the engine of a name: Tenet's own, or a plug-in's.

    Raises:
        UsageError: no engine of this name, or several.
        PluginBroken: it is a plug-in's, and cannot be imported or called.
    """
    plugin = find(Kind.ENGINES, name, ENGINES)
    maker: Callable[..., Engine]
    if plugin is not None:
        maker = plugin.load()
        if not callable(maker):
            raise plugin.broken(f"{plugin.where} is no class or function that makes an engine")
        return maker
    if name not in ENGINES:
        raise UsageError(f"engine: {name!r} is none of {', '.join((*ENGINES, *names(Kind.ENGINES)))}")
    module, _, attribute = ENGINES[name].partition(":")
    maker = getattr(import_module(module), attribute)
    return maker
