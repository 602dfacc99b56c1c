"""What a plug-in's kind of judge is: the keys of its settings, and what makes a judge of them. Knows no kind.

The entry point in the group `tenet.judges` names a `JudgeKind`; its name is the word for `judge.kind` in run.yaml, and `judge.settings`
holds the settings, checked with the rest of the file. The judge is a `PairwiseJudge`: it is asked about two responses, in both orders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from judges.pairwise import PairwiseJudge
from tenet.config import make_config
from tenet.plugins import Plugin

if TYPE_CHECKING:
    from constitution.model import Constitution
    from engines.base import Engine
    from tenet.judgeconfig import JudgeConfig

S = TypeVar("S")


@dataclass(frozen=True)
class NoSettings:
    """The settings of a kind that has none."""


@dataclass(frozen=True)
class JudgeKind(Generic[S]):
    """A kind of judges. `settings` is a frozen dataclass as `tenet.config` fills them (`NoSettings` for none).

    `make(engine, constitution, config, seed, settings)` makes a judge on an engine that runs; `config` is the whole of `judge:` in
    run.yaml. It raises `JudgeUnfit` where the engine cannot do what the judge needs.
    """

    settings: type[S]
    make: Callable[[Engine, Constitution, JudgeConfig, int, S], PairwiseJudge]

    @staticmethod
    def of(plugin: Plugin) -> JudgeKind[object]:
        """What a plug-in's entry point names.

        Raises:
            PluginBroken: it is no kind of judges.
        """
        found = plugin.load()
        if not (isinstance(found, JudgeKind) and is_dataclass(found.settings) and callable(found.make)):
            raise plugin.broken(f"{plugin.where} is no judges.plugin.JudgeKind of a settings dataclass and a function")
        return found

    def maker(self, plugin: Plugin) -> Callable[[Engine, Constitution, JudgeConfig, int], PairwiseJudge]:
        """The kind as the registry wants it.

        Raises (where it is called):
            InvalidInput: the settings are wrong.
            PluginBroken: what it makes is no judge of pairs of this kind.
        """

        def make(engine: Engine, constitution: Constitution, config: JudgeConfig, seed: int) -> PairwiseJudge:
            made = self.make(engine, constitution, config, seed, make_config(config.settings, self.settings))
            if not isinstance(made, PairwiseJudge) or made.kind != plugin.name:
                raise plugin.broken(f"what it makes is no PairwiseJudge with kind = {plugin.name!r}")
            return made

        return make
