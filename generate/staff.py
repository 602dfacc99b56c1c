"""Gives a command's context what it works with beyond its own process: workers on a cluster, and the answers of other runs.

Knows no stage's work.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from generate.context import Context
from generate.others import Others
from generate.reuse import Library


@contextmanager
def staffed(context: Context, others: Others | None) -> Iterator[None]:
    """Open the workers that the configuration asks for, to be closed at the end, and have the run take what `others` lend.

    Raises:
        MissingInput: Ray or its cluster is not there.
        UsageError: the cluster holds no worker.
    """
    with ExitStack() as stack:
        if others is not None:
            context.library = Library(context.run, others)
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
