"""Answers to questions about pairs for whoever looks at a run without changing it: taken where they are recorded, else asked and kept.

Recorded are those of the run itself (also under principles that it has left since), and those that earlier looks had to ask. These are
kept in a run folder of their own inside the run's (`diffs/`), under the keys that the run gives its judgements; so a run that takes the
edit on can take them too (`generate.others`). Knows no principle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from engines.base import Engine
from generate.context import Step
from generate.judging import judged
from generate.others import Others
from generate.questions import RETRIES
from judges.pairwise import PairAsk, PairwiseJudge
from tenet.budget import Spent, Used
from tenet.console import Console
from tenet.errors import TooManyFailures
from tenet.records import Judgement
from tenet.runs import Fingerprint, Run, versions
from tenet.workers.interrupt import Interruption
from tenet.workers.local import StageReport, Task, run_stage

CACHE: Final = "diffs"
_SHARD: Final = 0


class Answers:
    """Where answers come from; to be closed. `spent` is what was asked since `begin`; `command` goes on after a stop.

    What the folders held when it was first asked is indexed once; what is asked later is remembered. `cache` names the folder inside the
    run's in which answers are kept.
    """

    def __init__(
        self, folder: Path, command: str, console: Console, max_failures: float, *, cache: str = CACHE
    ) -> None:
        self.spent = Spent()
        self._taken: set[str] = set()
        self._asked: set[str] = set()
        self._interruption: Interruption | None = None
        self._others: Others | None = None
        self._folder = folder
        self._command = command
        self._console = console
        self._max_failures = max_failures
        self._known: dict[str, Judgement] = {}
        self._cache = cache

    @property
    def cache(self) -> Path:
        """The folder of what was asked; not there before anything was."""
        return self._folder / self._cache

    @property
    def taken(self) -> int:
        """How many answers were there already, of those that were wanted since `begin`."""
        return len(self._taken)

    def begin(self, interruption: Interruption | None = None) -> None:
        """Count from nothing; what asks from here on stops where `interruption` is requested, else at Ctrl-C."""
        self.spent = Spent()
        self._taken, self._asked = set(), set()
        self._interruption = interruption

    def close(self) -> None:
        """Drop the index. Asked again, it is made anew."""
        if self._others is not None:
            self._others.close()
            self._others = None

    def recorded(self, keys: Iterable[str]) -> Mapping[str, Judgement]:
        """The answers of these keys that are recorded.

        Raises:
            MissingInput: a shard does not read back.
        """
        wanted = {*keys}
        missing = wanted.difference(self._known)
        if missing:
            self._known |= self._read(missing)
        self._taken |= wanted.intersection(self._known) - self._asked
        return self._known

    def get(self, judge: PairwiseJudge, asks: Iterable[PairAsk], title: str) -> Mapping[str, Judgement]:
        """The answers of all these questions by key; what is not recorded is asked, and recorded as it comes.

        Raises:
            TooManyFailures: more than the run's `max_failures` of them fail.
            Interrupted, EngineError: as `tenet.workers.local.run_stage`. In every case what was answered is kept.
            RunLocked: another command is asking.
        """
        wanted = {ask.record_id: ask for ask in asks}
        known = self.recorded(wanted)
        owed = [Task(key, ask) for key, ask in wanted.items() if key not in known]
        if owed:
            report = self._ask(judge, owed, title)
            if report.failed > self._max_failures * len(wanted):  # of all, for what a run gave up is asked here again
                told = max(report.reasons, key=lambda reason: report.reasons[reason], default="")
                raise TooManyFailures(
                    f"{report.failed:,} of {len(wanted):,} questions failed; the commonest reason: {told}",
                    hint=f"mend the cause and give the command again; what was answered is kept: {self._command}",
                )
        return self._known

    def opened(self, engine: Engine) -> Run:
        """The cache, made if need be, to write answers of this engine to; the caller closes it.

        Raises:
            RunLocked: another command is asking.
            EngineError: the engine cannot be reached.
        """
        engine.check()
        identity = Fingerprint({"judge": engine.info.as_json()}, {}, versions())
        return Run.open(self.cache, {}, identity, command=self._command, say=self._console.say)

    def count(self, records: Iterable[Used | None]) -> None:
        """Add what answers of other kinds took to what was `spent`."""
        self.spent += sum(map(Spent.of, records), Spent())

    def _ask(self, judge: PairwiseJudge, owed: list[Task[PairAsk]], title: str) -> StageReport:
        with self.opened(judge.engine) as cache, self._console.progress(title) as progress:
            stage = cache.stage(Step.JUDGEMENTS, Judgement)
            report = run_stage(
                stage, [owed], partial(judged, judge), progress=progress, retries=RETRIES, max_failures=1.0,
                retry_failed=True, interruption=self._interruption,
            )  # fmt: skip
            keys = {task.key for task in owed}
            self._asked |= keys
            for row in stage.rows(_SHARD):
                if row.key in keys and row.record is not None:
                    self._known[row.key] = row.record
                    self.spent += Spent.of(row.record)
        return report

    def _read(self, keys: set[str]) -> dict[str, Judgement]:
        """What the run and the earlier looks have of these keys."""
        if self._others is None:
            folders = [folder for folder in (self._folder, self.cache) if (folder / "run.json").exists()]
            self._others = Others([Run.read(folder, say=lambda _: None) for folder in folders])
        rows = self._others.rows(Step.JUDGEMENTS, Judgement, keys)
        return {row.key: row.record for _, row in rows if row.record is not None}
