"""Makes the index of a run that a view reads: one DuckDB file with its prompts, responses and pairs, made once for each state of the run.

The file lies in the run's folder `.view` and is derived: it may be deleted at any time. It is written aside and renamed, so several views
of one run are in nobody's way; what a killed one left is removed by the next. Shards hold the same prompts in all stages, so they are
taken some at a time and memory does not grow with the run. A pair's p is that of the dataset where it is exported; `earlier` holds what
superseded answers say of it: the mean of their P(first is better), a vote counting 3 to 1, without weights, since the principles that
they were weighed by are another file's.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from generate.context import FOR_PEOPLE, PREFERENCES, Step, member_stages
from generate.export.source import split_of
from generate.report.walk import shards
from generate.revision_chain import rounds_of, stage_name
from generate.revision_pairs import JUDGEMENTS as REVISION_JUDGEMENTS
from generate.revision_pairs import PAIRS as REVISION_PAIRS
from generate.revision_pairs import PREFERENCES as REVISION_PREFERENCES
from generate.supersede import attic_of
from generate.view.query import State
from generate.view.shards import Shards, quoted, state_of
from tenet.errors import MissingInput, StorageFailed
from tenet.ids import content_id
from tenet.records import Judgement, Preference, PreferencePair, Prompt, Revision, Sample
from tenet.runs import Run
from tenet.runs.lock import FileLock, is_held

if TYPE_CHECKING:
    import duckdb

FOLDER: Final = ".view"
_MAKING: Final = ".making-"
VERSION: Final = 2
SHARDS_AT_ONCE: Final = 64
MEMORY: Final = "512MB"
SQL: Final = Path(__file__).with_name("index.sql")
Told = Callable[[int, int], None]
"""Is told how many of how many shards are in the index."""


def index_of(run: Run, spare: Path, told: Told = lambda _done, _all: None) -> Path:
    """The index of a run as it is now, made if there is none of this state. `spare` is a folder for what cannot be kept in the run's.

    Raises:
        MissingInput: a shard does not read back.
        StorageFailed: there is no room.
    """
    import duckdb

    state = state_of(run)
    if state is None:
        return _made(run, Path(tempfile.mkdtemp(dir=spare)), told)
    keep = run.path / FOLDER
    path = keep / f"{content_id('view', VERSION, duckdb.__version__, state)}.duckdb"
    _sweep(keep)
    if path.is_file():
        return path
    with ExitStack() as stack:
        try:
            keep.mkdir(exist_ok=True)
            folder = stack.enter_context(_making(keep))
        except (OSError, StorageFailed):  # a run that may only be read
            return _made(run, Path(tempfile.mkdtemp(dir=spare)), told)
        made = _filled(run, folder, told)
        for old in keep.glob("*.duckdb"):
            with suppress(
                OSError
            ):  # of a state that is gone; another view may still read it where open files cannot go
                old.unlink()
        made.replace(path)
    return path


@contextmanager
def _making(keep: Path) -> Iterator[Path]:
    """A folder to make an index in. Its lock is held before it is there and until it is gone: others tell it from a leftover."""
    folder = keep / f"{_MAKING}{uuid.uuid4().hex}"
    lock = _lock_of(folder)
    with FileLock(lock):
        try:
            folder.mkdir()
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)


def _sweep(keep: Path) -> None:
    """Remove what a killed process had begun to make."""
    for folder in keep.glob(f"{_MAKING}*"):
        lock = _lock_of(folder)
        if folder.is_dir() and not is_held(lock):
            with suppress(OSError):
                shutil.rmtree(folder)
                lock.unlink(missing_ok=True)


def _lock_of(folder: Path) -> Path:
    return folder.with_name(folder.name + ".lock")


def connect(path: str, *, scratch: Path, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """DuckDB within bounds: `MEMORY`, at most four threads, nothing loaded from elsewhere."""
    import duckdb

    connection = duckdb.connect(
        path,
        read_only=read_only,
        config={
            "memory_limit": MEMORY,
            "threads": str(min(4, os.cpu_count() or 1)),
            "temp_directory": str(scratch),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "preserve_insertion_order": "false",
        },
    )
    connection.execute("CREATE TEMP MACRO bare(x) AS trim(x, chr(32) || chr(9) || chr(10) || chr(13))")
    return connection


def _made(run: Run, folder: Path, told: Told) -> Path:
    """Make the index in a folder of its own, which goes where that fails."""
    try:
        return _filled(run, folder, told)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _filled(run: Run, folder: Path, told: Told) -> Path:
    import duckdb

    path = folder / "index.duckdb"
    with tempfile.TemporaryDirectory(dir=folder) as copies:
        connection = connect(str(path), scratch=Path(copies))
        try:
            connection.create_function("split_of", split_of_prompt, ["VARCHAR"], "VARCHAR")
            connection.execute(_statements("tables"))
            _fill(run, connection, Shards(run, Path(copies)), told)
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            raise MissingInput(
                f"A shard of {run.path} cannot be read: {error}",
                hint=f"Give the command that made it again: {run.command}",
            ) from error
        finally:
            connection.close()
    return path


def split_of_prompt(prompt_id: str) -> str:
    """On which side of the run's own export a prompt stands."""
    return split_of(prompt_id)


def _fill(run: Run, connection: duckdb.DuckDBPyConnection, held: Shards, told: Told) -> None:
    numbers, done = shards(run), 0
    for begin in range(0, len(numbers), SHARDS_AT_ONCE):
        some = numbers[begin : begin + SHARDS_AT_ONCE]
        counts = {
            name: connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0]  # noqa: S608
            for name in ("prompts", "texts", "pairs")
        }
        connection.execute(_statements("batch").format(**counts, **_sources(run, held, some)))
        done += len(some)
        told(done, len(numbers))
    for name in ("new_prompts", "new_texts", "new_pairs", "said", "taken", "weighed"):
        connection.execute(f"DROP TABLE IF EXISTS {name}")


def _sources(run: Run, held: Shards, some: list[int]) -> dict[str, str]:
    """Where each table's rows come from, as SQL."""
    revisions: list[tuple[str, type[Any]]] = [(stage_name(number), Revision) for number in rounds_of(run)]
    judgements = [str(Step.JUDGEMENTS), REVISION_JUDGEMENTS, *member_stages(run)]
    taken = [
        "id", "prompt_id", "chosen_id", "rejected_id", "p_chosen", "weight", "score_chosen", "score_rejected", "source", "principles",
        "flipped", "judgements", "principle_versions",
    ]  # fmt: skip
    asked = ["prompt_id", "first_id", "second_id", "judge", "outcome", "p_first", "principle", "principle_digest"]
    weighed = [
        "prompt_id",
        "a_id",
        "b_id",
        "p_a",
        "p_shown_a",
        "p_shown_b",
        "flipped",
        "judgements",
        "principles",
        "principle_versions",
    ]

    def pairs(state: State, *names: str) -> str:
        return held.rows([(name, PreferencePair) for name in names], some, [*taken, f"{quoted(state)} AS state"])

    samples = held.rows([(Step.SAMPLES, Sample)], some, ["id", "policy", "text"])
    revised = held.rows(revisions, some, ["id", "model AS policy", "text"]) if revisions else ""
    return {
        "prompt_rows": held.rows([(Step.PROMPTS, Prompt)], some, ["_key", "id", "messages", "tags", "filename"]),
        "text_rows": f"({samples} UNION ALL {revised})" if revised else samples,
        "judgement_rows": held.rows([(name, Judgement) for name in judgements], some, asked),
        "pair_rows": f"({pairs(State.EXPORTED, Step.PAIRS, REVISION_PAIRS)} UNION ALL {pairs(State.PEOPLE, FOR_PEOPLE)})",
        "preference_rows": held.rows([(PREFERENCES, Preference), (REVISION_PREFERENCES, Preference)], some, weighed),
        "superseded_rows": held.rows([(attic_of(Step.JUDGEMENTS), Judgement)], some, asked),
    }


def _statements(name: str) -> str:
    """One part of the SQL file."""
    parts = SQL.read_text(encoding="utf-8").split("-- name: ")
    return next(body for part in parts for head, _, body in [part.partition("\n")] if head == name)
