"""What a plug-in's trainer is: the keys of its train.yaml, and what carries a training out. Knows no method of training.

The entry point in the group `tenet.trainers` names a `Trainer`; its name is the word after `tenet train`. Its configuration is a
subclass of one of ours, which decides what data it reads (pairs for one of `PairConfig`'s), and says its own name in `TRAINER`.
`train.session.run_training` does everything but build the TRL trainer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from tenet.plugins import Kind, Plugin, find
from train.config import CONFIGS, Method, TrainConfig

if TYPE_CHECKING:
    from tenet.console import Console
    from train.session import TrainResult


class Train(Protocol):
    """Carries a training out, as `train.dpo.train_dpo` does."""

    def __call__(
        self, config: Any, *, console: Console | None = None, resume: bool = False, command: str | None = None
    ) -> TrainResult:
        """Train what the configuration says. Raises what `train.session.run_training` raises."""
        ...


@dataclass(frozen=True)
class Trainer:
    """A way of training: `summary` says in a sentence what it trains and on what; its help page is made of it."""

    summary: str
    config: type[TrainConfig]
    train: Train


def trainer_named(name: str) -> Trainer | None:
    """The plug-in's trainer of a name; None where no plug-in claims it.

    Raises:
        UsageError: several claim it, Tenet perhaps one of them.
        PluginBroken: it cannot be used.
    """
    plugin = find(Kind.TRAINERS, name, tuple(Method))
    return None if plugin is None else _of(plugin)


def _of(plugin: Plugin) -> Trainer:
    found = plugin.load()
    if not isinstance(found, Trainer):
        raise plugin.broken(f"{plugin.where} is no train.plugin.Trainer")
    ours = tuple(CONFIGS.values())
    if not (isinstance(found.config, type) and issubclass(found.config, ours) and found.config not in ours):
        known = ", ".join(cls.__name__ for cls in ours)
        raise plugin.broken(f"its configuration is no subclass of one of {known}")
    if plugin.name != found.config.TRAINER:
        raise plugin.broken(
            f"its configuration says TRAINER = {found.config.TRAINER!r} and the entry point {plugin.name!r}"
        )
    return found
