"""The keys of run.yaml: what a generation run is told.

Knows the rules between them, and nothing that carries them out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from tenet.config import (
    AtLeast,
    Between,
    Complaint,
    InputPath,
    LessThan,
    ModelRef,
    MoreThan,
    Named,
    Shape,
    as_json,
    to_yaml,
)
from tenet.ids import Json
from tenet.judgeconfig import Engine, JudgeConfig, ScaleConfig, address
from tenet.plugins import Kind

__all__ = [
    "JudgeConfig",
    "PairsConfig",
    "PolicyConfig",
    "PriceConfig",
    "PricesConfig",
    "PromptsConfig",
    "RatesConfig",
    "ReviseConfig",
    "RunConfig",
    "SamplesConfig",
    "ScaleConfig",
    "ScheduleConfig",
    "WorkersConfig",
    "as_json",
    "to_yaml",
]

Name = Annotated[str, Shape(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", "letters, digits, dots, dashes and underscores")]
PromptFormat = Literal["auto", "jsonl", "json", "csv", "tsv", "parquet", "text", "txt", "hh"]
EXPORT_FORMATS: Final = ("trl-preference", "trl-unpaired", "reward", "sft", "nemo-rl")
ExportFormat = Annotated[str, Named(EXPORT_FORMATS, Kind.EXPORTERS)]


@dataclass(frozen=True)
class PromptsConfig:
    """Where the prompts are: a file (`path`) or a data set, one of the two."""

    path: InputPath | None = None
    dataset: ModelRef | None = None
    """A data set of a hub, or a folder with one; instead of `path`."""
    split: str = "train"
    """The split of `dataset`."""
    column: str | None = None
    format: PromptFormat = "auto"
    limit: Annotated[int, AtLeast(1)] | None = None

    def complaints(self) -> Iterator[Complaint]:
        """Name everything that contradicts something else."""
        if self.path is None and self.dataset is None:
            yield Complaint((), "names no source", "add `path: FILE` or `dataset: org/name`")
        if self.path is not None and self.dataset is not None:
            yield Complaint(("dataset",), "`path` and `dataset` exclude each other", "leave one of them out")


@dataclass(frozen=True)
class SamplesConfig:
    """Responses that were drawn before: a file of rows with a prompt and its responses."""

    path: InputPath
    """The file of rows, each with a prompt and its responses."""


@dataclass(frozen=True)
class PolicyConfig:
    """A model that answers prompts, and how it is drawn from."""

    model: ModelRef = field(metadata={"example": "org/policy-model"})
    """The model: a folder, a hub id, or what the server calls it."""
    engine: Engine = "transformers"
    """The host of the model: in this process, a server that is started for the run, or one that runs (docs/scale.md)."""
    base_url: tuple[str, ...] = ()
    samples: Annotated[int, AtLeast(1)] = 4
    temperature: Annotated[float, AtLeast(0)] = 1.0
    top_p: Annotated[float, MoreThan(0), Between(0, 1)] = 1.0
    max_tokens: Annotated[int, AtLeast(1)] = 512
    stop: tuple[str, ...] = ()
    system: str | None = None
    chat_template_kwargs: Mapping[str, Json] = field(default_factory=dict)
    name: Name | None = None
    options: Mapping[str, Json] = field(default_factory=dict)

    def complaints(self) -> Iterator[Complaint]:
        """Name everything that contradicts something else."""
        yield from address(self.engine, self.base_url)
        if self.temperature == 0 and self.samples > 1:
            message = f"temperature 0 draws the same response {self.samples} times"
            yield Complaint(("temperature",), message, "raise temperature, or set samples: 1 and add another policy")


@dataclass(frozen=True)
class ScheduleConfig:
    """Which pairs of a prompt's responses are judged, and in which order each is shown.

    A word stands for `kind` alone. `round-robin` judges every pair; `regular` lets each response meet `degree`
    others (an odd degree needs an even number of responses; with an odd number each meets one more);
    `knockout` lets winners play on for the best and losers for the worst; `auto` is a round robin up to 7
    responses and `regular` from 8. `second_order: always` shows every pair both ways round. `close` shows it
    the other way round only where the first answer, or what the judge's position bias foretells of the other one,
    lies within `close_within` log-odds of even, or where the two would differ; the bias is measured on the first
    64 prompts, which are asked both ways.
    """

    kind: Literal["round-robin", "regular", "knockout", "auto"] = field(default="round-robin", metadata={"short": True})
    """Every pair; some of each response's; winners and losers play on; or by the number of responses."""
    degree: Annotated[int, AtLeast(2)] = 4
    second_order: Literal["always", "close"] = "always"
    close_within: Annotated[float, MoreThan(0)] = 1.0


@dataclass(frozen=True)
class PairsConfig:
    """Which pairs of a prompt's responses become rows to train on; `min_margin` is in log-odds of the scores.

    With `min_agreement` only those are labelled by the judge in which it agrees with people at least so often, proven on human anchors
    (`tenet calibrate`) at `confidence`; the others are left to people.
    """

    select: Literal["best-vs-worst", "best-vs-random", "all"] = "best-vs-worst"
    """The best response against the worst, the best against any other one, or every judged pair."""
    min_margin: Annotated[float, AtLeast(0)] = 0.0
    keep_ties: bool = False
    min_agreement: Annotated[float, MoreThan(0), LessThan(1)] | None = None
    confidence: Annotated[float, MoreThan(0), LessThan(1)] = 0.9


@dataclass(frozen=True)
class ReviseConfig:
    """Critique and revision.

    `samples`: the `first` usable response to each prompt is revised, or `all`. Of `check` come pairs (revised, original), and what is
    found worse is no SFT row. A revision that is cut off at `max_tokens` is not used.
    """

    rounds: Annotated[int, AtLeast(1)] = 1
    """How often each response is critiqued and rewritten."""
    samples: Literal["first", "all"] = "first"
    """Which responses to a prompt are revised."""
    check: bool = True
    """Whether the judge compares the last revision with its original."""
    max_tokens: Annotated[int, AtLeast(1)] = 512
    """The longest revision, in tokens."""


@dataclass(frozen=True)
class PriceConfig:
    """What a model costs per million tokens. Cached prompt tokens cost what others do where `cached` is left out."""

    prompt: Annotated[float, AtLeast(0)] = field(metadata={"example": "0.2"})
    """A million prompt tokens."""
    completion: Annotated[float, AtLeast(0)] = field(metadata={"example": "0.6"})
    """A million tokens that the model writes."""
    cached: Annotated[float, AtLeast(0)] | None = None
    """A million prompt tokens that the server had in its cache."""


@dataclass(frozen=True)
class PricesConfig:
    """What the models of a run cost; `policy` holds for every policy. A model without a price is not counted."""

    policy: PriceConfig | None = None
    """Of each policy."""
    judge: PriceConfig | None = None
    """Of the judge."""
    currency: str = "USD"
    """What the prices are in; printed with each sum."""

    def complaints(self) -> Iterator[Complaint]:
        """Name everything that contradicts something else."""
        if self.policy is None and self.judge is None:
            yield Complaint((), "names no price", "add `judge: {prompt: X, completion: Y}`, per million tokens")


@dataclass(frozen=True)
class RatesConfig:
    """How fast the models are, in tokens a second, prompt and completion together; for the time in a plan."""

    policy: Annotated[float, MoreThan(0)] | None = None
    """Of each policy."""
    judge: Annotated[float, MoreThan(0)] | None = None
    """Of the judge."""


@dataclass(frozen=True)
class WorkersConfig:
    """Where the models are asked from: in this process (`local`), or by `size` workers on a Ray cluster (`ray`), each with engines of
    its own. A word stands for `kind` alone.

    Without `size` there are as many workers as the cluster has room for. `address` is `auto` (a cluster that runs, or a new one on this
    machine), `local` (always a new one) or HOST:PORT. `resources` is what each worker needs: `cpu` (1), `gpu` (0), or a resource of the
    cluster's own.
    """

    kind: Literal["local", "ray"] = field(default="local", metadata={"short": True})
    """In this process, or on a Ray cluster."""
    size: Annotated[int, AtLeast(1)] | None = None
    """How many workers; without it as many as there is room for."""
    address: str = "auto"
    """The cluster."""
    resources: Mapping[str, float] = field(default_factory=dict)
    """What each worker needs, as in `{gpu: 1}`."""


@dataclass(frozen=True)
class RunConfig:
    """A whole run. `prices` and `rates` are for the plan and for `--max-cost`, and change nothing in the run.

    `max_failures` is the share of a stage's rows that may fail before the run says so and stops. `reuse` names other runs' folders: what
    they have answered already is taken from there.

    `overlap` judges samples while others are still drawn: `auto` where policy and judge share no device and no server (all cores of a
    machine are one device), `yes` always, `no` never. The dataset is the same.
    """

    name: Name = field(metadata={"example": "my-run"})
    principles: ModelRef = field(metadata={"example": "principles/helpfulness.yaml"})
    judge: JudgeConfig = field(metadata={"example": "{engine: transformers, model: org/judge-model}"})
    seed: Annotated[int, AtLeast(0)] = 0
    prompts: PromptsConfig | None = None
    """Where the prompts are."""
    policy: tuple[PolicyConfig, ...] = ()
    samples: SamplesConfig | None = None
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    pairs: PairsConfig = field(default_factory=PairsConfig)
    critique: Literal["none", "pairs", "all"] = "pairs"
    """Which responses the judge is asked to say why about: none, those of the dataset's pairs, or all."""
    revise: ReviseConfig | None = None
    export: tuple[ExportFormat, ...] = ("trl-preference",)
    """The forms in which the dataset is written."""
    max_failures: Annotated[float, Between(0, 1)] = 0.02
    prices: PricesConfig | None = None
    rates: RatesConfig | None = None
    workers: WorkersConfig = field(default_factory=WorkersConfig)
    """Where the models are asked from (docs/scale.md)."""
    reuse: tuple[InputPath, ...] = ()
    overlap: Literal["auto", "yes", "no"] = "auto"

    @property
    def policies(self) -> tuple[PolicyConfig, ...]:
        """The policies to draw from; none where responses are given."""
        return self.policy

    def complaints(self) -> Iterator[Complaint]:
        """Name everything that contradicts something else."""
        if self.judge.kind == "reasoning" and (self.critique != "none" or self.revise is not None):
            message = "a judge that thinks would spend the tokens of its critiques on thinking"
            key = "critique" if self.critique != "none" else "revise"
            yield Complaint((key,), message, "set critique: none, and leave out revise")
        if self.judge.kind == "panel":
            yield from self._panel()
        if self.overlap == "yes" and self.workers.kind == "ray":
            message = "workers on Ray hold one model at a time"
            yield Complaint(("overlap",), message, "leave overlap out, or set workers: local")
        yield from self._by_kind()
        if self.samples is not None:
            for key, given in (("policy", self.policy), ("prompts", self.prompts)):
                if given:
                    yield Complaint(
                        (key,), f"`samples` are given, so {key} would not be used", f"leave out `{key}` or `samples`"
                    )
            return
        if not self.policy:
            hint = "add `policy: {model: MODEL}`, or `samples: {path: FILE}`"
            yield Complaint(("policy",), "there is nothing to judge: neither a policy nor samples", hint)
        if self.prompts is None:
            yield Complaint(("prompts",), "is missing", "add `prompts: {path: FILE}`, or give --prompts FILE")
        if self.policy and self.revise is None and sum(policy.samples for policy in self.policy) < 2:
            message = "a single response to a prompt leaves nothing to compare"
            yield Complaint(("policy",), message, "set samples to 2 or more, add another policy, or add revise")
        yield from self._same_names()

    def _by_kind(self) -> Iterator[Complaint]:
        """Complain of what only a judge of pairs does."""
        kind = self.judge.kind
        if self.judge.about_pairs:
            return
        if self.schedule != ScheduleConfig():
            message = f"a judge of kind {kind} is not asked about pairs, so there is nothing to schedule"
            yield Complaint(("schedule",), message, "leave schedule out, or set judge.kind: pairwise")
        if self.revise is not None and self.revise.check:
            message = f"a judge of kind {kind} does not compare a revision with its original"
            yield Complaint(("revise", "check"), message, "set revise.check: false, or judge.kind: pairwise")

    def _panel(self) -> Iterator[Complaint]:
        """Members are weighed on the questions that they share, so no question may follow from one member's answers."""
        if self.schedule.kind == "knockout":
            hint = "set schedule: round-robin or regular"
            yield Complaint(("schedule",), "a panel's members would each play another knockout", hint)
        if self.schedule.second_order == "close":
            message = "a panel's members would each call other pairs close"
            yield Complaint(("schedule", "second_order"), message, "set second_order: always")
        if self.workers.kind == "ray":
            yield Complaint(("workers",), "a panel is asked from this process only", "set workers: local")
        if self.overlap == "yes":
            hint = "leave overlap out"
            yield Complaint(("overlap",), "a panel is asked when all samples are drawn", hint)

    def _same_names(self) -> Iterator[Complaint]:
        seen: set[str] = set()
        for number, policy in enumerate(self.policy):
            label = policy.name or policy.model
            if label in seen:
                yield Complaint(("policy", number), f"two policies are called {label}", "give one a `name:` of its own")
            seen.add(label)
