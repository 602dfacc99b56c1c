"""The options by which a command names a judge, the engine that they start, and files that commands write.

Knows no command and asks nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from tenet.errors import InvalidInput, StorageFailed, UsageError

if TYPE_CHECKING:
    from engines.base import Engine

F = TypeVar("F", bound=Callable[..., Any])


def judge_options(function: F) -> F:
    """Add `--engine`, `--base-url` and `--set` (parameters `engine`, `base_url` and `words`), for a judge that the command names."""
    for option in (
        click.option(
            "--set",
            "words",
            multiple=True,
            metavar="KEY=VALUE",
            help="A setting of the judge, as in --set chat_template_kwargs.enable_thinking=false",
        ),
        click.option("--base-url", multiple=True, metavar="URL", help="The judge's server, for --engine http."),
        click.option("--engine", default="transformers", show_default=True, help="The judge's engine."),
    ):
        function = option(function)
    return function


@contextmanager
def started(model: str, engine: str, base_url: Sequence[str], words: Sequence[str]) -> Iterator[Engine]:
    """Start the engine of a judge, and stop it afterwards.

    Raises:
        InvalidInput: settings that cannot be read; see also `engines.registry.create_engine`.
        UsageError: a setting that there is not.
    """
    from engines.registry import create_engine

    with create_engine(engine, model, base_url=base_url, **_settings(words)) as host:
        host.check()
        yield host


def _settings(words: Sequence[str]) -> dict[str, Any]:
    """Read `KEY=VALUE` words into the settings that an engine takes."""
    from tenet.config.overrides import overlay, plain

    found, problems = overlay({}, words)
    if problems:
        raise InvalidInput("the command line:", problems)
    settings = cast("dict[str, Any]", plain(found))
    known = ("chat_template_kwargs", "prefill", "options")
    for name in settings:
        if name not in known:
            raise UsageError(f"--set {name}: no such setting of a judge", hint=f"there are {', '.join(known)}")
    return settings


def write_text(path: Path, text: str) -> None:
    """Write a file that an option names, and the folders above it.

    Raises:
        StorageFailed: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise StorageFailed(f"cannot write {path}: {error.strerror}", hint="name another file") from error
