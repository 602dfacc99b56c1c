"""Brings a run folder, its judge and edits together: the effect of each edit on the run, and the cost of relabelling.

A session holds what edits have in common, so that one after another can be measured: the judge, loaded where something is first asked,
and the answers. Knows no terminal.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from constitution.diff import Difference, compare
from constitution.model import Constitution
from generate.answers import Answers
from generate.context import Context
from generate.effect import Effect, measure
from generate.identity import PRINCIPLES
from generate.intake import PROMPTS
from generate.judged_by import require_judged_by
from generate.models import judge_engine, make_policies
from generate.prompt_shards import PromptShards
from generate.relabel import Relabelling, config_of, relabelling, require_same_judge
from judges.registry import create_judge
from tenet.console import Console
from tenet.records import Prompt
from tenet.runs import Run
from tenet.workers.interrupt import Interruption


@dataclass(frozen=True)
class Measured:
    """What an edit does to a run, and what it would cost to take it on."""

    effect: Effect
    relabelling: Relabelling


class Session:
    """A run, its judge and what is known of their answers, held open; a context manager. Edits are held against `before`.

    `command` goes on after a stop; without one it is the run's own.

    Raises:
        MissingInput, InvalidInput: the run, its judge, or what it was configured with cannot be read.
        FingerprintMismatch: the judge is not the one that judged the run.
    """

    def __init__(self, folder: Path, before: Constitution, console: Console, *, command: str = "") -> None:
        self.folder = folder
        self._console = console
        self._command = command
        self._held = ExitStack()
        with ExitStack() as stack:
            with Run.read(folder) as run:
                config = config_of(run)
            self._engine = stack.enter_context(judge_engine(config.judge))
            self._policies = make_policies(config)
            for policy in self._policies:
                stack.enter_context(policy.engine)
            stack.callback(self._release)
            self._hold(before)
            self._models = stack.pop_all()

    def _hold(self, before: Constitution) -> None:
        """Open the run as it is now, to hold edits against these principles."""
        self._release()
        with ExitStack() as stack:
            self._run = stack.enter_context(Run.read(self.folder))
            self._config = config_of(self._run)
            self._judge = create_judge(self._engine, before, self._config.judge, seed=self._config.seed)
            require_same_judge(self._run, self._judge)
            shards = PromptShards(self._run.stage(PROMPTS, Prompt))
            self._context = Context(self._run, self._config, before, shards, self._console)
            command = self._command or self._run.command
            self._answers = Answers(self.folder, command, self._console, self._config.max_failures)
            stack.enter_context(closing(self._answers))
            self._held = stack.pop_all()

    def _release(self) -> None:
        self._held.close()

    @property
    def before(self) -> Constitution:
        """What edits are held against."""
        return self._judge.constitution

    def renew(self) -> None:
        """Where the run has taken other principles on since, hold edits against those.

        Raises:
            MissingInput, InvalidInput, FingerprintMismatch: as when the session was made.
        """
        with Run.read(self.folder) as run:
            if run.fingerprint.growth.get(PRINCIPLES) != self._run.fingerprint.growth.get(PRINCIPLES):
                self._hold(require_judged_by(run))

    @property
    def judge(self) -> str:
        """The judge's name."""
        return self._judge.name

    def load(self) -> None:
        """Load the judge and index the answers now, rather than when the first edit is measured.

        Raises:
            EngineError, MissingInput: the judge cannot be loaded, or a shard does not read back.
        """
        self._engine.load()
        self._answers.recorded([""])

    def difference(self, second: Constitution) -> Difference:
        """What an edit changes."""
        return compare(self.before, second)

    def effect(
        self, difference: Difference, *, size: int, seed: int = 0, interruption: Interruption | None = None
    ) -> Effect:
        """Judge a sample of the run's pairs under both files.

        Raises:
            UsageError, Interrupted, TooManyFailures, EngineError: as `generate.effect.measure`; stopped where `interruption` is requested.
        """
        after = create_judge(self._engine, difference.second, self._config.judge, seed=self._config.seed)
        self._answers.begin(interruption)
        return measure(self._context, difference, self._judge, after, self._answers, size=size, seed=seed)

    def relabelling(self, difference: Difference, principles: str, *, most: int | None = None) -> Relabelling:
        """What relabelling the run would cost; `principles` is the path or the name of the edited file, `most` as in `relabelling`."""
        after = create_judge(self._engine, difference.second, self._config.judge, seed=self._config.seed)
        config = config_of(self._run, principles)
        return relabelling(self.folder, config, after, self._answers.cache, self._policies, most=most)

    def close(self) -> None:
        """Free the judge, and close the run."""
        self._models.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def measured(
    folder: Path, difference: Difference, second: str, console: Console, *, size: int, seed: int = 0, command: str = ""
) -> Measured:
    """Measure one edit on a sample of a run's pairs; `second` is the path or the name of the edited file.

    Raises:
        MissingInput, InvalidInput, FingerprintMismatch: as `Session`.
        UsageError, Interrupted, TooManyFailures, EngineError: as `generate.effect.measure`.
    """
    with Session(folder, difference.first, console, command=command) as session:
        effect = session.effect(difference, size=size, seed=seed)
        return Measured(effect, session.relabelling(difference, second))
