"""What an oracle sees in the responses of two models: the rate of each attribute before and after.

An oracle is a function of a prompt and a response, named by an entry `module:function`, that gives the value of each
attribute: true, false, a number, or None where the attribute does not apply to the prompt. Knows no judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from statistics import fmean
from typing import Any, Final

from tenet.errors import UsageError
from tenet.ids import Json
from tenet.records import Finish, Prompt, Sample
from train.intervals import Estimate, difference, mean, mean_difference, share

Value = bool | float | None
Oracle = Callable[[str, str], Mapping[str, Value]]

KNOWN: Final[Mapping[str, str]] = {"pocket": "pocket.oracle:attributes"}


@dataclass(frozen=True)
class Attribute:
    """One attribute before and after. `is_rate`: a share of responses; else the mean of a number."""

    name: str
    base: Estimate
    trained: Estimate
    change: Estimate | None
    is_rate: bool

    def as_json(self) -> dict[str, Json]:
        """Give plain values."""
        return {
            "name": self.name,
            "kind": "rate" if self.is_rate else "mean",
            "base": self.base.as_json(),
            "trained": self.trained.as_json(),
            "change": None if self.change is None else self.change.as_json(),
        }


def find_oracle(name: str) -> Oracle:
    """Import an oracle by a known name or by its entry `module:function`.

    Raises:
        UsageError: there is no such entry.
    """
    found: Oracle = find_function(name, KNOWN, "--oracle", "oracle", "attributes")
    return found


def find_function(name: str, known: Mapping[str, str], asked: str, what: str, gives: str) -> Any:
    """Import a function of prompt and response by a known name or by its entry `module:function`.

    Args:
        name: as a person gave it.
        known: entries by name.
        asked: where it was given, for the message.
        what: what it is, in a word.
        gives: what it gives, in a word.

    Raises:
        UsageError: there is no such entry.
    """
    module, _, function = known.get(name, name).partition(":")
    try:
        return getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"{asked} {name}: there is no such {what} ({error})",
            hint=f"known: {', '.join(known)}; or your own as module:function, (prompt, response) -> {gives}",
        ) from error


def attributes_of(
    oracle: Oracle, prompts: Sequence[Prompt], base: Sequence[Sample], trained: Sequence[Sample], *, seed: int = 0
) -> list[Attribute]:
    """Read every response of both models, and compare attribute by attribute, in the oracle's own order."""
    texts = {prompt.id: prompt.text for prompt in prompts}
    before, after = (_read(oracle, texts, samples) for samples in (base, trained))
    return [compared(name, before[name], after[name], seed=seed) for name in before if before[name] and after.get(name)]


def compared(
    name: str, before: Sequence[tuple[str, Value]], after: Sequence[tuple[str, Value]], *, seed: int = 0
) -> Attribute:
    """Compare one attribute.

    Args:
        name: of the attribute.
        before: (responses,) of (prompt id, value) of the base model, None left out.
        after: likewise of the trained model.
        seed: of the bootstrap of means.
    """
    is_rate = all(isinstance(value, bool) for _, value in (*before, *after))
    sides = [([prompt for prompt, _ in side], [float(value or 0.0) for _, value in side]) for side in (before, after)]
    if is_rate:
        rates = [share(values, prompts) for prompts, values in sides]
        return Attribute(name, rates[0], rates[1], difference(rates[0], rates[1]), is_rate)
    means = [mean(values, prompts, seed=seed) for prompts, values in sides]
    change = mean_difference(_by_prompt(*sides[0]), _by_prompt(*sides[1]), seed=seed)
    return Attribute(name, means[0], means[1], change, is_rate)


def _by_prompt(prompts: Sequence[str], values: Sequence[float]) -> dict[object, float]:
    grouped: dict[object, list[float]] = {}
    for prompt, value in zip(prompts, values, strict=True):
        grouped.setdefault(prompt, []).append(value)
    return {prompt: fmean(group) for prompt, group in grouped.items()}


def _read(oracle: Oracle, texts: Mapping[str, str], samples: Sequence[Sample]) -> dict[str, list[tuple[str, Value]]]:
    found: dict[str, list[tuple[str, Value]]] = {}
    for sample in samples:
        if sample.finish is Finish.ERROR:
            continue
        for name, value in oracle(texts[sample.prompt_id], sample.text).items():
            values = found.setdefault(name, [])
            if value is not None:
                values.append((sample.prompt_id, value))
    return found
