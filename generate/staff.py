"""Gives a command's context what it works with beyond its own process: workers on a cluster, and the answers of other runs.

Knows no stage's work.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from generate.context import Context
from generate.reuse import open_library


@contextmanager
def staffed(context: Context) -> Iterator[None]:
    """Open the workers and the library that the configuration asks for; they are closed at the end.

    Raises:
        MissingInput: Ray, its cluster or a run to take from is not there.
        UsageError: the cluster holds no worker, or a run to take from is another Tenet's.
    """
    with ExitStack() as stack:
        if context.config.reuse:
            context.library = stack.enter_context(closing(open_library(context.run, context.config.reuse)))
        if context.config.workers.kind == "ray":
            from generate.crew import crew_of
            from tenet.workers.ray import RayPool

            context.pool = stack.enter_context(
                closing(RayPool(context.config.workers, crew_of(context), context.console.say))
            )
        try:
            yield
        finally:
            context.pool = context.library = None
