"""The records of an evaluation: what is asked for, what either model answered, and what was found. Knows no engine and no measuring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from engines.base import EngineInfo
from tenet.config import AtLeast, Complaint, InputPath, ModelRef, MoreThan, as_json
from tenet.ids import Json
from tenet.reading.prompts import PromptSet
from tenet.records import Sample
from train.attributes import Attribute
from train.judged import EngineName, JudgedBy
from train.measures.kl import Divergence, Drawn
from train.measures.length_control import LengthControlled
from train.measures.sycophancy import Read
from train.winrate import WinRate


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """What to compare, on what, and how. `kl` loads both models once more, one after the other, in this process."""

    base: ModelRef
    """The model to compare with: BASE on the command line."""
    trained: ModelRef
    """The model that is compared: TRAINED on the command line."""
    prompts: InputPath
    out: str | None = None
    judge: JudgedBy | None = None
    """The judge that compares the answers."""
    oracle: str | None = None
    refusals: str | None = None
    """The detector of refusals; without it the oracle's own in the pocket world, else phrases."""
    kl: bool | None = None
    """Measure the KL of the trained model to its base; without it where `engine` is `transformers`."""
    sycophancy: bool = True
    """Ask both models the probe set of sycophancy."""
    seed: Annotated[int, AtLeast(0)] = 0
    limit: Annotated[int, AtLeast(1)] | None = None
    samples: Annotated[int, AtLeast(1)] = 1
    max_tokens: Annotated[int, AtLeast(1)] = 512
    """The longest answer, in tokens."""
    temperature: Annotated[float, AtLeast(0)] = 1.0
    """Of the answers' draw."""
    top_p: Annotated[float, MoreThan(0)] = 1.0
    """Draw from the likeliest tokens that hold this much of the probability."""
    system: str = ""
    """Goes in front of prompts without a system turn of their own."""
    engine: EngineName = "transformers"
    chat_template_kwargs: Mapping[str, Json] = field(default_factory=dict)
    """For the models' chat template."""
    options: Mapping[str, Json] = field(default_factory=dict)
    """Settings of the engine."""

    def complaints(self) -> Iterator[Complaint]:
        """Name what several values together get wrong."""
        if self.judge is None and self.oracle is None:
            yield Complaint((), "nothing to measure with", "give --judge with --principles, or --oracle")

    @property
    def detector(self) -> str:
        """The name of the detector of refusals."""
        return self.refusals or ("pocket" if self.oracle == "pocket" else "phrases")


@dataclass(frozen=True)
class Side:
    """One of the two models: what it is called, what identifies it, and what it answered, as text and as tokens.

    `probed` is what it answered to the probes of sycophancy; None where it was not asked, or (`unprobed`) could not be.
    """

    name: str
    info: EngineInfo
    samples: Sequence[Sample]
    drawn: Sequence[Drawn] = ()
    probed: Read | None = None
    unprobed: str = ""

    def as_json(self) -> dict[str, Json]:
        """Give plain values, with how the answers ended."""
        ends = Counter(sample.finish.value for sample in self.samples)
        return {"name": self.name, "fingerprint": self.info.as_json(), "finish": dict(ends)}


@dataclass(frozen=True)
class Judged:
    """What a judge makes of the two models, and why it may not be independent: `because` is empty where no reason is known.

    `family` is a family of models that it has in common with a policy by name alone.
    """

    judge: Mapping[str, Json]
    rate: WinRate
    controlled: LengthControlled
    because: Sequence[str] = ()
    family: str = ""

    @property
    def name(self) -> str:
        """What the judge is called."""
        return str(self.judge.get("name", "judge"))

    @property
    def self_judged(self) -> bool:
        """Whether the judge is known not to be independent."""
        return bool(self.because)

    def as_json(self) -> dict[str, Json]:
        """Give plain values."""
        return {
            **self.judge, **self.rate.as_json(), "length_controlled": self.controlled.as_json(),
            "self_judged": self.self_judged, "self_judged_because": list(self.because), "same_family": self.family,
        }  # fmt: skip


@dataclass(frozen=True)
class Evaluation:
    """What came of a comparison. `lengths` are in words, and in tokens where the engine counts them.

    `behaviour` holds the measures of train.measures that need neither oracle nor judge; what could not be measured is in `not_told`, with
    the reason.
    """

    config: EvaluateConfig
    base: Side
    trained: Side
    prompts: PromptSet
    lengths: Sequence[Attribute]
    attributes: Sequence[Attribute]
    behaviour: Sequence[Attribute]
    divergence: Divergence | None
    verdict: Judged | None
    not_told: Mapping[str, str]
    seconds: float

    @property
    def judged(self) -> WinRate | None:
        """What the judge makes of it; None without a judge."""
        return self.verdict.rate if self.verdict else None

    @property
    def self_judged(self) -> bool:
        """Whether there is a judge, and it is known not to be independent."""
        return self.verdict is not None and self.verdict.self_judged

    @property
    def headline(self) -> str | None:
        """What heads the table: the oracle's attributes, or an independent judge's win rate; None where neither is there."""
        if self.attributes:
            return f"attributes read by the oracle {self.config.oracle}"
        if self.verdict is not None and not self.verdict.self_judged:
            return f"preferred by {self.verdict.name}"
        return None

    def as_json(self) -> dict[str, Json]:
        """Give plain values: what evaluation.json holds."""
        return {
            "format": 1,
            "base": self.base.as_json(),
            "trained": self.trained.as_json(),
            "prompts": {"count": len(self.prompts.prompts), "digest": self.prompts.digest},
            "config": as_json(self.config),
            "headline": self.headline,
            "oracle": self.config.oracle,
            "attributes": [one.as_json() for one in self.attributes],
            "judge": None if self.verdict is None else self.verdict.as_json(),
            "behaviour": [one.as_json() for one in self.behaviour],
            "kl": None if self.divergence is None else self.divergence.as_json(),
            "lengths": [one.as_json() for one in self.lengths],
            "not_told": dict(self.not_told),
            "seconds": round(self.seconds, 1),
        }
