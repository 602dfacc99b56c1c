"""Recommends a schedule for a run: measures its judge, plays the schedules on simulated prompts, and names the cheapest good one.

Good is within `GIVEN_UP` of the full round robin in how often the best-ranked sample truly beats the worst-ranked
one. Reads a run folder; asks no model and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from generate.byprompt import kind_of
from generate.context import Step
from generate.noise import LEAST_PAIRS, LEAST_PROMPTS, Measured, TooFew, measure
from generate.orders import CALIBRATION_PROMPTS, make_asking
from generate.simulate import DRAWS, SEED, Played, draw_world, play
from judges.registry import require_pairs
from tenet.console import Console
from tenet.errors import UsageError
from tenet.ids import Json
from tenet.records import Judgement, Prompt
from tenet.runconfig import ScheduleConfig
from tenet.runs import Run

GIVEN_UP: Final = 0.01
"""Share of prompts for which a cheaper schedule may get the pair wrong where the full one gets it right."""
MOST_PAIRS: Final = 250_000
"""Pairs that the simulation of one schedule plays at most, so that large numbers of samples take seconds too."""
LEAST_DRAWS: Final = 200


@dataclass(frozen=True)
class Option:
    """A schedule and what the simulation came to. `calls` are to a prompt, all principles counted."""

    config: ScheduleConfig
    calls: float
    of_full: float
    accuracy: float
    error: float

    @property
    def words(self) -> str:
        """The value of the key `schedule`, as short as it can be."""
        changed = {
            name: value for name, value in asdict(self.config).items() if value != getattr(ScheduleConfig(), name)
        }
        kind = changed.pop("kind", self.config.kind)
        return f"{{{', '.join(f'{k}: {v}' for k, v in {'kind': kind, **changed}.items())}}}" if changed else kind

    @property
    def flag(self) -> str:
        """The flag that applies it."""
        return f"--set 'schedule={self.words}'" if " " in self.words else f"--set schedule={self.words}"


@dataclass(frozen=True)
class Advice:
    """What was measured of a run and what follows; the first option is the full round robin."""

    run: Path
    measured: Measured
    sizes: Mapping[int, int]
    draws: int
    options: tuple[Option, ...]

    @property
    def recommended(self) -> Option:
        """The cheapest option that is good; of equally cheap ones the more accurate."""
        full = self.options[0]
        good = [option for option in self.options if option.accuracy >= full.accuracy - GIVEN_UP]
        return min(good, key=lambda option: (option.calls, -option.accuracy))


def advise(folder: Path, samples: int | None = None) -> Advice:
    """Recommend a schedule for the run in `folder`, as it is or with so many samples a prompt.

    Raises:
        UsageError: too little is judged to measure the judge, or it is not asked about pairs.
        MissingInput: there is no run folder, or a shard does not read back.
    """
    with Run.read(folder) as run:
        require_pairs(kind_of(run.config), "a schedule")
        try:
            measured = measure(_fair(run))
        except TooFew as few:
            raise UsageError(
                f"{folder} has {few.pairs:,} pairs of {few.prompts:,} prompts whose every pair is judged in both orders; "
                f"{LEAST_PAIRS} pairs of {LEAST_PROMPTS} prompts are needed to measure the judge. Text votes, which have no probability, "
                "do not count.",
                hint=f"take more prompts in, then: {run.command}" if run.finished else f"go on with: {run.command}",
            ) from few
    sizes = {samples: 1} if samples else measured.sizes
    most = max(sizes)
    draws = max(LEAST_DRAWS, min(DRAWS, 2 * MOST_PAIRS // (most * (most - 1))))
    world = draw_world(measured.noise, sizes, draws=draws)
    played = [(config, play(make_asking(config, SEED), world, measured.noise.position_bias)) for config in _kinds(most)]
    full = played[0][1].calls
    return Advice(
        folder, measured, sizes, draws, tuple(_option(config, one, full, measured.questions) for config, one in played)
    )


def show_advice(advice: Advice, console: Console) -> None:
    """Print the table and the recommendation on stdout, what it rests on on stderr."""
    best = advice.recommended
    if console.json:
        console.data(_as_json(advice))
        return
    found, noise = advice.measured, advice.measured.noise
    console.say(
        f"Measured on {found.pairs:,} pairs of {found.prompts:,} prompts judged in both orders: one answer names the better "
        f"response in {noise.pair_accuracy:.0%}; {found.close:.0%} lie within 1 log-odds of even; position bias "
        f"{noise.position_bias:+.2f} log-odds."
    )
    if not noise.opinion and not any(size > 2 for size in found.sizes):
        console.say(
            "With two responses a prompt, what the judge holds of a pair and of its responses cannot be told apart."
        )
    rows: list[list[Json]] = [
        [
            option.words,
            f"{option.calls:.1f}",
            round(option.accuracy, 3),
            f"± {option.error:.3f}",
            f"{option.of_full:.0%}",
        ]
        for option in advice.options
    ]
    columns = ["schedule", "calls per prompt", "P(chosen truly better)", "error", "of full round robin"]
    console.table(
        columns, rows, title=f"{advice.draws:,} simulated prompts, responses: {_sizes(advice.sizes)}; best-vs-worst"
    )
    console.data(
        f"Recommended: {best.words} ({best.of_full:.0%} of the calls of a full round robin, {best.accuracy:.3f} right against "
        f"{advice.options[0].accuracy:.3f}); apply it with: {best.flag}"
    )


def _fair(run: Run) -> Iterator[Judgement]:
    """The judgements that can be measured on: all, or those of the calibration where second orders depend on the first."""
    schedule = run.config.get("schedule")
    names = None
    if isinstance(schedule, Mapping) and schedule.get("second_order") == "close":
        prompts = run.stage(Step.PROMPTS, Prompt).records()
        names = {prompt.id for prompt, _ in zip(prompts, range(CALIBRATION_PROMPTS), strict=False)}
    if Step.JUDGEMENTS in run.manifest.stages:
        for one in run.stage(Step.JUDGEMENTS, Judgement).records(ok=None):
            if names is None or one.prompt_id in names:
                yield one


def _kinds(most: int) -> Iterator[ScheduleConfig]:
    """The schedules to compare for up to `most` samples; none that comes to the same as another."""
    kinds = [ScheduleConfig()]
    kinds += [ScheduleConfig("regular", degree) for degree in (4, 6) if most > degree + 1]
    kinds += [ScheduleConfig("knockout")] if most > 3 else []
    for one in kinds:
        yield one
        yield ScheduleConfig(one.kind, one.degree, "close")


def _option(config: ScheduleConfig, played: Played, full: float, questions: float) -> Option:
    return Option(config, played.calls * questions, played.calls / full, played.accuracy, played.error)


def _sizes(sizes: Mapping[int, int]) -> str:
    total = sum(sizes.values())
    return ", ".join(f"{size}" if len(sizes) == 1 else f"{size} ({count / total:.0%})" for size, count in sizes.items())


def _as_json(advice: Advice) -> Json:
    found = advice.measured
    noise: dict[str, Json] = {**asdict(found.noise), "pair_accuracy": found.noise.pair_accuracy}
    best = advice.recommended
    return {
        "run": str(advice.run),
        "measured": {
            "pairs": found.pairs,
            "prompts": found.prompts,
            "questions_per_pair": found.questions,
            "close": found.close,
            "noise": noise,
        },
        "samples": {str(size): count for size, count in advice.sizes.items()},
        "simulated_prompts": advice.draws,
        "schedules": [_row(option) for option in advice.options],
        "recommended": {**_row(best), "flag": best.flag},
    }


def _row(option: Option) -> dict[str, Json]:
    return {
        "schedule": option.words,
        "calls_per_prompt": option.calls,
        "of_full": option.of_full,
        "p_chosen_better": option.accuracy,
        "standard_error": option.error,
    }
