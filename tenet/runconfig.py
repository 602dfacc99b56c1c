"""The keys of run.yaml: what a generation run is told.

Knows the rules between them, and nothing that carries them out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from tenet.config import AtLeast, Between, Complaint, InputPath, LessThan, ModelRef, MoreThan, Shape, as_json, to_yaml
from tenet.ids import Json

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
Engine = Literal["transformers", "vllm", "vllm-server", "http", "recorded", "scripted"]
PromptFormat = Literal["auto", "jsonl", "json", "csv", "tsv", "parquet", "text", "txt", "hh"]
PAIR_KINDS = frozenset({"pairwise", "critique-first", "reasoning", "panel"})
"""The kinds of judges that are asked about two responses at a time."""
MOST_SCORES = 26
"""Most scores of a scale: as many as there are letters."""
ExportFormat = Literal["trl-preference", "trl-unpaired", "reward", "sft"]


@dataclass(frozen=True)
class PromptsConfig:
    """Where the prompts are: a file (`path`), or a data set of a hub or a folder (`dataset`, `split`); one of
    the two.

    `column` names the prompts' column where it is not found by itself; `limit` takes the first so many.
    """

    path: InputPath | None = None
    dataset: ModelRef | None = None
    split: str = "train"
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


@dataclass(frozen=True)
class PolicyConfig:
    """A model that answers prompts, and how it is drawn from: `samples` responses to each prompt.

    `system` goes in front of prompts without a system turn of their own; `name` tells this policy from others
    in the records (else the model's name does); `base_url` is where the engine http finds the model, one
    address or several; `options` go to the engine.
    """

    model: ModelRef = field(metadata={"example": "org/policy-model"})
    engine: Engine = "transformers"
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
        yield from _address(self.engine, self.base_url)
        if self.temperature == 0 and self.samples > 1:
            message = f"temperature 0 draws the same response {self.samples} times"
            yield Complaint(("temperature",), message, "raise temperature, or set samples: 1 and add another policy")


@dataclass(frozen=True)
class CritiqueFirstConfig:
    """How a judge of kind critique-first writes its comparison."""

    max_tokens: Annotated[int, AtLeast(1)] = 256
    temperature: Annotated[float, AtLeast(0)] = 0.0


@dataclass(frozen=True)
class ThinkingConfig:
    """How a judge of kind reasoning thinks: for `budget` tokens at most, between the markers `open` and `close`."""

    budget: Annotated[int, AtLeast(1)] = 1024
    temperature: Annotated[float, AtLeast(0)] = 0.6
    top_p: Annotated[float, MoreThan(0), Between(0, 1)] = 0.95
    open: str = "<think>"
    close: str = "</think>"

    def complaints(self) -> Iterator[Complaint]:
        """Name everything that contradicts something else."""
        for name in ("open", "close"):
            if not str(getattr(self, name)).strip():
                yield Complaint((name,), "is empty", "give what the model's chat template writes there")


@dataclass(frozen=True)
class ScaleConfig:
    """The scores of a judge of kind rating, from `low` to `high`; `rubric` says what a score means, by score."""

    low: Annotated[int, AtLeast(0)] = 1
    high: Annotated[int, AtLeast(1)] = 5
    rubric: Mapping[str, str] = field(default_factory=dict)

    def complaints(self) -> Iterator[Complaint]:
        """Name everything that contradicts something else."""
        if not 2 <= self.high - self.low + 1 <= MOST_SCORES:
            message = f"a scale from {self.low} to {self.high} does not have 2 to {MOST_SCORES} scores"
            yield Complaint(("high",), message, "set low: 1 and high: 5")
        scores = {str(score) for score in range(self.low, self.high + 1)}
        for name, line in self.rubric.items():
            if str(name) not in scores:
                message = f"{name} is no score of the scale from {self.low} to {self.high}"
                yield Complaint(("rubric", name), message, "leave it out, or change low or high")
            if not isinstance(line, str) or not line.strip():
                yield Complaint(("rubric", name), "must be a text", f"say what a response of score {name} is like")


@dataclass(frozen=True)
class JudgeConfig:
    """The model that judges, and how it is asked.

    `principles`: one for each prompt (`sampled`), every one on its own (`each`), or all in one question
    (`whole`). `base_url` is where the engine http finds the model, one address or several. `prefill` opens
    the judge's answer; a read whose labels hold less than `min_label_mass` of the
    probability is an outcome, not a vote.

    `kind` is how it is asked (docs/judges.md). About two responses: the letter at once (`pairwise`), after a written comparison
    (`critique-first`, as `critique` says), or after a thinking model has thought (`reasoning`, as `thinking` says); `clamp: [0.4, 0.6]`
    holds the probabilities of the last two, which run to 0 and 1, within these. About one response, to rate it on `scale`
    (`rating`) or to say yes or no to each principle (`propositions`, put together by the fitted `weights`); with `letters` ratings are
    asked for as letters, A the lowest, and yes and no as Y and N. Or about all of a prompt's at once, shown in so many `orders`
    (`listwise`).
    A `panel` has `members`, each a judge with keys like these, and no model of its own.
    """

    model: ModelRef = field(default="", metadata={"example": "org/judge-model"})
    engine: Engine = "transformers"
    base_url: tuple[str, ...] = ()
    kind: Literal["pairwise", "critique-first", "reasoning", "rating", "listwise", "propositions", "panel"] = "pairwise"
    members: tuple[JudgeConfig, ...] = ()
    principles: Literal["sampled", "each", "whole"] = "sampled"
    chat_template_kwargs: Mapping[str, Json] = field(default_factory=dict)
    prefill: str = ""
    min_label_mass: Annotated[float, Between(0, 1)] = 0.5
    options: Mapping[str, Json] = field(default_factory=dict)
    critique: CritiqueFirstConfig | None = None
    thinking: ThinkingConfig | None = None
    clamp: tuple[Annotated[float, Between(0, 1)], ...] = ()
    scale: ScaleConfig = field(default_factory=ScaleConfig)
    letters: bool = False
    orders: Annotated[int, AtLeast(2)] = 2
    weights: InputPath | None = None

    @property
    def asked(self) -> tuple[JudgeConfig, ...]:
        """The judges that are asked: this one, or a panel's members, all about the panel's `principles`."""
        return tuple(replace(one, principles=self.principles) for one in self.members) if self.members else (self,)

    def complaints(self) -> Iterator[Complaint]:
        """Name everything that contradicts something else."""
        if self.kind == "panel":
            yield from self._panel()
            return
        if not self.model:
            yield Complaint(("model",), "is missing", "add, for example: model: org/judge-model")
        if self.members:
            yield Complaint(
                ("members",), f"a judge of kind {self.kind} has none", "set kind: panel, or leave members out"
            )
        yield from _address(self.engine, self.base_url)
        for key, kind in (("critique", "critique-first"), ("thinking", "reasoning")):
            if getattr(self, key) is not None and self.kind != kind:
                yield Complaint(
                    (key,), f"a judge of kind {self.kind} does not read it", f"set kind: {kind}, or leave it out"
                )
        if self.clamp and self.kind not in ("critique-first", "reasoning"):
            hint = "leave it out; it is for kinds that write before they answer"
            yield Complaint(("clamp",), f"a judge of kind {self.kind} is not clamped", hint)
        elif self.clamp and (len(self.clamp) != 2 or self.clamp[0] >= 0.5 or abs(sum(self.clamp) - 1) > 1e-9):
            message = "must be two numbers about 0.5, that sum to 1"
            yield Complaint(("clamp",), message, "write, for example, [0.4, 0.6]")
        if self.kind in ("rating", "listwise") and self.principles == "whole":
            message = f"a judge of kind {self.kind} is asked about one principle at a time"
            yield Complaint(("principles",), message, "set principles: each, or sampled")
        if self.kind == "propositions" and self.principles != "each":
            message = "a judge of kind propositions is asked about every principle"
            yield Complaint(("principles",), message, "set principles: each")
        for key, kinds, given in (
            ("scale", ("rating",), self.scale != ScaleConfig()),
            ("letters", ("rating", "propositions"), self.letters),
            ("orders", ("listwise",), self.orders != 2),
            ("weights", ("propositions",), self.weights is not None),
        ):
            if given and self.kind not in kinds:
                yield Complaint(
                    (key,), f"a judge of kind {self.kind} has no {key}", f"leave it out, or set kind: {kinds[0]}"
                )

    def _panel(self) -> Iterator[Complaint]:
        if len(self.members) < 2:
            count = "one" if self.members else "none"
            hint = "add a judge of another family, or name the one alone: judge: {engine: ..., model: ...}"
            yield Complaint(("members",), f"a panel needs two members or more, and this one has {count}", hint)
        if self.model or self.base_url:
            key = "model" if self.model else "base_url"
            yield Complaint((key,), "a panel has no model of its own", f"put {key} into each of its members")
        for number, one in enumerate(self.members):
            if one.kind == "panel":
                yield Complaint(("members", number, "kind"), "a panel cannot sit in a panel", "list its members here")
            elif one.kind not in PAIR_KINDS:
                message = f"a judge of kind {one.kind} is not asked about pairs, and cannot sit in a panel"
                yield Complaint(("members", number, "kind"), message, "set kind: pairwise")
            if one.principles not in ("sampled", self.principles):
                message = f"members are all asked about the same principles, which are {self.principles}"
                yield Complaint(("members", number, "principles"), message, "set `principles` beside `members`")


def _address(engine: Engine, base_url: Sequence[str]) -> Iterator[Complaint]:
    """Complain of an address that is missing, or that nobody uses."""
    if engine == "http" and not base_url:
        hint = "add `base_url: http://127.0.0.1:8000/v1`"
        yield Complaint(("base_url",), "the engine http needs the address of a server", hint)
    if engine != "http" and base_url:
        where = "starts its own server" if engine == "vllm-server" else "runs in this process"
        message = f"the engine {engine} {where} and takes no address"
        yield Complaint(("base_url",), message, "leave base_url out, or set engine: http")


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
    min_margin: Annotated[float, AtLeast(0)] = 0.0
    keep_ties: bool = False
    min_agreement: Annotated[float, MoreThan(0), LessThan(1)] | None = None
    confidence: Annotated[float, MoreThan(0), LessThan(1)] = 0.9


@dataclass(frozen=True)
class ReviseConfig:
    """Critique and revision, so many times over.

    `samples`: the `first` usable response to each prompt is revised, or `all`. `check` has the judge compare each revised response with
    its original: (revised, original) pairs come of it, and what is found worse is no SFT row. A revision is cut off at `max_tokens`,
    and then not used.
    """

    rounds: Annotated[int, AtLeast(1)] = 1
    samples: Literal["first", "all"] = "first"
    check: bool = True
    max_tokens: Annotated[int, AtLeast(1)] = 512


@dataclass(frozen=True)
class PriceConfig:
    """What a model costs per million tokens. Cached prompt tokens cost what others do where `cached` is left out."""

    prompt: Annotated[float, AtLeast(0)] = field(metadata={"example": "0.2"})
    completion: Annotated[float, AtLeast(0)] = field(metadata={"example": "0.6"})
    cached: Annotated[float, AtLeast(0)] | None = None


@dataclass(frozen=True)
class PricesConfig:
    """What the models of a run cost; `policy` holds for every policy. A model without a price is not counted."""

    policy: PriceConfig | None = None
    judge: PriceConfig | None = None
    currency: str = "USD"

    def complaints(self) -> Iterator[Complaint]:
        """Name everything that contradicts something else."""
        if self.policy is None and self.judge is None:
            yield Complaint((), "names no price", "add `judge: {prompt: X, completion: Y}`, per million tokens")


@dataclass(frozen=True)
class RatesConfig:
    """How fast the models are, in tokens a second, prompt and completion together; for the time in a plan."""

    policy: Annotated[float, MoreThan(0)] | None = None
    judge: Annotated[float, MoreThan(0)] | None = None


@dataclass(frozen=True)
class WorkersConfig:
    """Where the models are asked from: in this process (`local`), or by `size` workers on a Ray cluster (`ray`), each with engines of
    its own. A word stands for `kind` alone.

    Without `size` there are as many workers as the cluster has room for. `address` is `auto` (a cluster that runs, or a new one on this
    machine), `local` (always a new one) or HOST:PORT. `resources` is what each worker needs: `cpu` (1), `gpu` (0), or a resource of the
    cluster's own.
    """

    kind: Literal["local", "ray"] = field(default="local", metadata={"short": True})
    size: Annotated[int, AtLeast(1)] | None = None
    address: str = "auto"
    resources: Mapping[str, float] = field(default_factory=dict)


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
    policy: tuple[PolicyConfig, ...] = ()
    samples: SamplesConfig | None = None
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    pairs: PairsConfig = field(default_factory=PairsConfig)
    critique: Literal["none", "pairs", "all"] = "pairs"
    revise: ReviseConfig | None = None
    export: tuple[ExportFormat, ...] = ("trl-preference",)
    max_failures: Annotated[float, Between(0, 1)] = 0.02
    prices: PricesConfig | None = None
    rates: RatesConfig | None = None
    workers: WorkersConfig = field(default_factory=WorkersConfig)
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
        if kind in PAIR_KINDS:
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
