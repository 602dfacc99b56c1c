"""Opens runs for a view: an index for each, a name for each, and what people said of their pairs. Knows no page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from generate.supersede import attic_of
from generate.view.catalogue import Catalogue
from generate.view.index import Told, index_of
from generate.view.server import View
from judges.humans.store import store_path, stored_labels
from tenet.console import Console
from tenet.errors import UsageError
from tenet.runs import Run


@contextmanager
def opened(paths: Sequence[Path], console: Console) -> Iterator[View]:
    """Open runs; the console is told how far an index is that takes long.

    Raises:
        UsageError: a run is named twice, or none has a pair.
        MissingInput: there is no run folder, or a shard does not read back.
        InvalidInput: labels of a run cannot be read.
        StorageFailed: there is no room for an index.
    """
    names = _names(paths)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(TemporaryDirectory(prefix="tenet-view-", ignore_cleanup_errors=True)))
        runs = {name: stack.enter_context(Run.read(path)) for name, path in zip(names, paths, strict=True)}
        indexes = []
        indexes = [(name, index_of(run, scratch, _teller(console, name))) for name, run in runs.items()]
        catalogue = Catalogue(indexes, scratch)
        stack.callback(catalogue.close)
        for name, run in runs.items():
            catalogue.add_votes(name, stored_labels(store_path(run.path)))
        earlier = {name: attic_of("judgements") in run.manifest.stages for name, run in runs.items()}
        yield View(catalogue, runs, earlier, scratch)


def _teller(console: Console, name: str) -> Told:
    """Tells the console of the shards that are read, unless all are read at once."""

    def told(done: int, shards: int) -> None:
        if done < shards:
            console.say(f"Reading {name}: {done:,} of {shards:,} shards")

    return told


def _names(paths: Sequence[Path]) -> list[str]:
    """A short name for each run: its folder's, with the folders above where two are alike."""
    whole = [path.resolve() for path in paths]
    if len(set(whole)) < len(whole):
        raise UsageError("a run is named twice", hint="name each run once")
    names = [path.name for path in whole]
    depth = 1
    while any(count > 1 for count in Counter(names).values()):
        depth += 1
        alike = {name for name, count in Counter(names).items() if count > 1}
        names = [
            "/".join(path.parts[-depth:]) if name in alike else name for name, path in zip(names, whole, strict=True)
        ]
    return names
