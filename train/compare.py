"""Compares several trained models with one base: the same prompts and seeds for all, one table, one plot, one file.

Each comparison is that of `train.evaluate`, written in a folder of the model's name; the base answers once. Knows how to put them side
by side and nothing of how they were trained.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tenet.console import Console
from tenet.errors import UsageError
from tenet.hub import require
from tenet.ids import Json
from tenet.runs import atomic
from train.evaluate import evaluate
from train.hubids import evaluation_ids
from train.intervals import Estimate
from train.measures.model import EvaluateConfig, Evaluation, Side
from train.show import answers_each

FILE: Final = "comparison.json"
PLOT: Final = "comparison.svg"
PREFERRED: Final = "preferred to the base"
_FORMAT: Final = 1


@dataclass(frozen=True)
class Comparison:
    """Evaluations by the names of the trained models, in the order in which they were given, and the folder that holds them."""

    folder: Path
    names: tuple[str, ...]
    evaluations: tuple[Evaluation, ...]

    @property
    def rates(self) -> dict[str, tuple[Estimate | None, ...]]:
        """Shares by what they are of: for each the base's and then each model's; None where there is none."""
        first = self.evaluations[0]
        found: dict[str, tuple[Estimate | None, ...]] = {}
        for name in [one.name for one in (*first.attributes, *first.behaviour) if one.is_rate]:
            own = [
                next((a for a in (*one.attributes, *one.behaviour) if a.name == name), None) for one in self.evaluations
            ]
            base = next(a.base for a in own if a is not None)
            found[name] = (base, *(None if a is None else a.trained for a in own))
        if first.judged is not None:
            rates = [one.judged.win_rate if one.judged else None for one in self.evaluations]
            mark = " (self-judged)" if any(one.self_judged for one in self.evaluations) else ""
            found[PREFERRED + mark] = (None, *rates)
        return found

    def as_json(self) -> dict[str, Json]:
        """Plain values: what comparison.json holds."""
        models: list[Json] = [
            {"name": name, **one.as_json()} for name, one in zip(self.names, self.evaluations, strict=True)
        ]
        return {"format": _FORMAT, "base": self.evaluations[0].base.as_json(), "models": models}


def configs_for(trained: Sequence[str], out: str) -> list[tuple[str, str]]:
    """The models with the folder of each; called by the shortest ends of their paths that tell them apart.

    Raises:
        UsageError: a model is given twice, or `out` is a file.
    """
    if Path(out).suffix == ".json":
        raise UsageError(
            f"--out {out} is one file, and several models need a folder", hint="name a folder, as in --out comparison"
        )
    twice = [name for name, count in Counter(str(Path(one)) for one in trained).items() if count > 1]
    if twice:
        raise UsageError(f"{', '.join(twice)} is given twice", hint="name each trained model once")
    length = max(len(Path(one).parts) for one in trained)
    for parts in range(1, length + 1):
        names = ["-".join(part for part in Path(one).parts[-parts:] if part != "/") for one in trained]
        if len(set(names)) == len(names):
            break
    return [(one, str(Path(out) / name)) for one, name in zip(trained, names, strict=True)]


def compare_models(configs: Sequence[EvaluateConfig], folder: Path, *, console: Console | None = None) -> Comparison:
    """Compare each model with the base, and write the file and the plot. The base answers once.

    Raises:
        InvalidInput, MissingInput, UsageError, JudgeUnfit, TooManyFailures: see `train.evaluate.evaluate`.
        StorageFailed: the disk is full or not writable.
    """
    require(name for config in configs for name in evaluation_ids(config))
    base: Side | None = None
    evaluations = []
    for config in configs:
        found = evaluate(config, console=console, base=base)
        base = found.base
        evaluations.append(found)
    names = tuple(Path(config.out or config.trained).name for config in configs)
    comparison = Comparison(folder, names, tuple(evaluations))
    text = json.dumps(comparison.as_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    atomic.write_text(folder / FILE, text)
    if comparison.rates:
        atomic.write_text(folder / PLOT, plot(comparison))
    return comparison


def plot(comparison: Comparison) -> str:
    """An SVG with a panel for each share: a point a model with its 95 % interval, the base's as a line across."""
    from io import StringIO

    import matplotlib as mpl
    from matplotlib.figure import Figure

    rates = comparison.rates
    columns = min(3, len(rates))
    rows = -(-len(rates) // columns)
    with mpl.rc_context({"svg.hashsalt": "tenet", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(3.4 * columns, 2.6 * rows + 0.3), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).flat
        for (name, (base, *found)), panel in zip(rates.items(), axes, strict=False):
            told = [(place, one) for place, one in enumerate(found) if one is not None]
            reach = [[one.value - one.low for _, one in told], [one.high - one.value for _, one in told]]
            panel.errorbar([p for p, _ in told], [one.value for _, one in told], yerr=reach, fmt="o-", capsize=3)
            panel.axhline(0.5 if base is None else base.value, color="0.5", linestyle="--", linewidth=1)
            panel.set(title=name, ylim=(-0.03, 1.03), xticks=range(len(found)))
            panel.set_xticklabels(comparison.names, rotation=30, ha="right")
        for panel in list(axes):
            panel.set_visible(False)
        figure.suptitle("Shares with 95 % intervals; dashed: the base (preferred: even)", fontsize=9)
        out = StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def show_comparison(comparison: Comparison, console: Console) -> None:
    """Print the table (or all of it as JSON), and where the rest is."""
    if console.json:
        console.data(comparison.as_json())
    else:
        first = comparison.evaluations[0]
        rows: list[list[Json]] = [[name, *map(_share, shares)] for name, shares in comparison.rates.items()]
        for place, length in enumerate(first.lengths):
            values = [found.lengths[place].trained.value for found in comparison.evaluations]
            rows.append([length.name, f"{length.base.value:.1f}", *(f"{value:.1f}" for value in values)])
        if all(one.divergence for one in comparison.evaluations):
            kls = [one.divergence.k1.value for one in comparison.evaluations if one.divergence]
            rows.append(["KL to the base, nats an answer", "0", *(f"{kl:.1f}" for kl in kls)])
        title = f"{len(first.prompts.prompts):,} prompts, {answers_each(first.config.samples)}"
        if not first.attributes and all(one.headline is None for one in comparison.evaluations):
            title += "; NO INDEPENDENT FIGURE: the only judge is self-judged"
        console.table(["", "base", *comparison.names], rows, title=title)
        console.say("95 % intervals in brackets, by prompt.")
    for name, one in zip(comparison.names, comparison.evaluations, strict=True):
        for reason in one.verdict.because if one.verdict else ():
            console.say(f"{name} is self-judged: {reason}")
    console.say(f"written to {comparison.folder / FILE} and {comparison.folder / PLOT}")


def _share(rate: Estimate | None) -> str:
    return "" if rate is None else f"{100 * rate.value:.0f} % [{100 * rate.low:.0f}, {100 * rate.high:.0f}]"
