"""What run.yaml says of a judge: the model, where it runs, and how it is asked. Knows the rules between the keys, and nothing that
carries them out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from typing import Annotated, Final, Literal

from tenet.config import AtLeast, Between, Complaint, InputPath, ModelRef, MoreThan, Named, part_complaints
from tenet.ids import Json
from tenet.plugins import Kind, find

ENGINES: Final = ("transformers", "vllm", "vllm-server", "http", "recorded", "scripted")
Engine = Annotated[str, Named(ENGINES, Kind.ENGINES)]
JUDGE_KINDS: Final = ("pairwise", "critique-first", "reasoning", "rating", "listwise", "propositions", "panel")
NOT_ABOUT_PAIRS: Final = frozenset({"rating", "listwise", "propositions"})
"""The kinds of judges that are not asked about two responses at a time; those of plug-ins are."""
MOST_SCORES = 26
"""Most scores of a scale: as many as there are letters."""


@dataclass(frozen=True)
class CritiqueFirstConfig:
    """How a judge of kind critique-first writes its comparison."""

    max_tokens: Annotated[int, AtLeast(1)] = 256
    """The longest comparison, in tokens."""
    temperature: Annotated[float, AtLeast(0)] = 0.0
    """Of its draw; 0 takes the likeliest tokens."""


@dataclass(frozen=True)
class ThinkingConfig:
    """How a judge of kind reasoning thinks."""

    budget: Annotated[int, AtLeast(1)] = 1024
    """Most tokens of thinking; a thought that is not done by then is closed."""
    temperature: Annotated[float, AtLeast(0)] = 0.6
    """Of its draw."""
    top_p: Annotated[float, MoreThan(0), Between(0, 1)] = 0.95
    """Draw from the likeliest tokens that hold this much of the probability."""
    open: str = "<think>"
    """What the model's chat template writes before thinking."""
    close: str = "</think>"
    """What it writes after."""

    def complaints(self) -> Iterator[Complaint]:
        """Name everything that contradicts something else."""
        for name in ("open", "close"):
            if not str(getattr(self, name)).strip():
                yield Complaint((name,), "is empty", "give what the model's chat template writes there")


@dataclass(frozen=True)
class ScaleConfig:
    """The scores of a judge of kind rating."""

    low: Annotated[int, AtLeast(0)] = 1
    """The lowest score."""
    high: Annotated[int, AtLeast(1)] = 5
    """The highest score; at most 26 scores in all."""
    rubric: Mapping[str, str] = field(default_factory=dict)
    """What a score means, by score."""

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
    A `panel` has `members`, each a judge with keys like these, and no model of its own. A kind that a plug-in brings is asked about two
    responses, and has `settings` of its own.
    """

    model: ModelRef = field(default="", metadata={"example": "org/judge-model"})
    """The model, as a policy's; best of another family than the policy, for judges like their kin. A panel has none."""
    engine: Engine = "transformers"
    """The host of the model, as a policy's."""
    base_url: tuple[str, ...] = ()
    kind: Annotated[str, Named(JUDGE_KINDS, Kind.JUDGES)] = "pairwise"
    """How it is asked (docs/judges.md)."""
    members: tuple[JudgeConfig, ...] = ()
    """The judges of a panel."""
    principles: Literal["sampled", "each", "whole"] = "sampled"
    """One for each prompt; every one on its own; or all in one question."""
    chat_template_kwargs: Mapping[str, Json] = field(default_factory=dict)
    prefill: str = ""
    min_label_mass: Annotated[float, Between(0, 1)] = 0.5
    options: Mapping[str, Json] = field(default_factory=dict)
    critique: CritiqueFirstConfig | None = None
    """With kind `critique-first`: how it writes its comparison."""
    thinking: ThinkingConfig | None = None
    """With kind `reasoning`: how it thinks."""
    clamp: tuple[Annotated[float, Between(0, 1)], ...] = ()
    """With these two kinds: bounds for probabilities, as in `[0.4, 0.6]`."""
    scale: ScaleConfig = field(default_factory=ScaleConfig)
    """With kind `rating`: the scores."""
    letters: bool = False
    """With kinds `rating` and `propositions`: answer by letter."""
    orders: Annotated[int, AtLeast(2)] = 2
    """With kind `listwise`: in how many orders a prompt's responses are shown."""
    weights: InputPath | None = None
    """With kind `propositions`: a file that `tenet weigh` wrote."""
    settings: Mapping[str, Json] = field(default_factory=dict)
    """Those of a kind that a plug-in brings."""

    @property
    def about_pairs(self) -> bool:
        """Whether the judge is asked about two responses at a time."""
        return self.kind not in NOT_ABOUT_PAIRS

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
        yield from address(self.engine, self.base_url)
        yield from self._settings()
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

    def _settings(self) -> Iterator[Complaint]:
        """Hold the settings to what the plug-in declares, which is a class of its judge kind (`judges.plugin.JudgeKind`)."""
        plugin = find(Kind.JUDGES, self.kind, JUDGE_KINDS)
        if plugin is not None:
            declared = getattr(plugin.load(), "settings", None)
            if not (isinstance(declared, type) and is_dataclass(declared)):
                raise plugin.broken("it declares no dataclass of settings")
            yield from part_complaints(self.settings, declared, "settings")
        elif self.settings:
            message = f"a judge of kind {self.kind} has none"
            yield Complaint(("settings",), message, "leave them out; they are for kinds that plug-ins bring")

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
            elif not one.about_pairs:
                message = f"a judge of kind {one.kind} is not asked about pairs, and cannot sit in a panel"
                yield Complaint(("members", number, "kind"), message, "set kind: pairwise")
            if one.principles not in ("sampled", self.principles):
                message = f"members are all asked about the same principles, which are {self.principles}"
                yield Complaint(("members", number, "principles"), message, "set `principles` beside `members`")


def address(engine: Engine, base_url: Sequence[str]) -> Iterator[Complaint]:
    """Complain of an address that is missing, or that nobody uses."""
    if engine == "http" and not base_url:
        hint = "add `base_url: http://127.0.0.1:8000/v1`"
        yield Complaint(("base_url",), "the engine http needs the address of a server", hint)
    if engine != "http" and base_url:
        where = "starts its own server" if engine == "vllm-server" else "runs in this process"
        message = f"the engine {engine} {where} and takes no address"
        yield Complaint(("base_url",), message, "leave base_url out, or set engine: http")
