"""What a report shows, as plain frozen records: every number is worked out before a page is drawn.

Knows no run folder (`generate.report.data` reads one) and no HTML (`generate.report.render` draws it). What a run lacks is None or empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from generate.report.opinions import People
from generate.report.views import Example, Revisions


class Level(StrEnum):
    """How much a notice matters: SERIOUS means that the data should not be trained on before it is looked into."""

    SERIOUS = "serious"
    CAUTION = "caution"
    NOTE = "note"


@dataclass(frozen=True)
class Notice:
    """Something the reader has to know before any figure: what was seen, what it means, what to do, and the command for it.

    `policy`: it is about a policy that was trained, not about the data.
    """

    level: Level
    title: str
    body: str
    mend: str = ""
    command: str = ""
    policy: bool = False


@dataclass(frozen=True)
class Verdict:
    """Whether the data may be used, in a few words and a sentence; `level` is None where no check found anything."""

    title: str
    body: str
    level: Level | None = None


@dataclass(frozen=True)
class Rate:
    """A share in [0, 1] with its 95 % interval; `count` is the number of units that it was taken over."""

    value: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Change:
    """A difference of two shares (trained minus base) in [-1, 1], with its 95 % interval where one is known."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Tile:
    """One of the few figures at the head of the page."""

    label: str
    value: str
    detail: str = ""


@dataclass(frozen=True)
class Loss:
    """How many units a step of the funnel left out, and why."""

    reason: str
    count: int


@dataclass(frozen=True)
class FunnelStep:
    """One step from prompts to pairs: how many units came out of it, of which unit, and what was left out."""

    name: str
    count: int
    unit: str
    lost: tuple[Loss, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Histogram:
    """Counts between neighbouring `edges` (one more edge than counts)."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """The number of values counted."""
        return sum(self.counts)


@dataclass(frozen=True)
class Margins:
    """How certain the judge was, both orders averaged: `certainty` bins max(p, 1 - p) of judged pairs in [0.5, 1]."""

    certainty: Histogram
    median: float
    close_share: float
    pairs: int


@dataclass(frozen=True)
class Positions:
    """What the order of showing did to the verdicts.

    `consistency`: share of questions where both orders name the same winner. `first_slot`: share of opinions won by
    the slot shown first. `mean_gap`: mean of P(first) - 1/2, None where all opinions are votes. `grid[i][j]`:
    questions by P(winner better) when it was shown first (column j) and second (row i), in equal bins of [0, 1].
    `single` questions were answered in one order only.
    """

    questions: int
    flips: int
    single: int
    consistency: Rate
    first_slot: Rate
    mean_gap: float | None
    grid: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class PrincipleRow:
    """What one principle contributed. `asked` counts judge calls, `questions` unordered pairs with an opinion.

    `followed`: share of decided questions whose winner is also the winner of the pair in the final ranking.
    `strength`: mean |log-odds| of its debiased p. `within`: asked only together with the others, so it has no
    figures of its own. `decided`: share of questions where both orders name the same winner. `people`: share of labelled pairs in
    which people name the same winner, from the judge card.
    """

    id: str
    text: str
    tier: str
    weight: float
    source: str = ""
    prompts: int = 0
    asked: int = 0
    questions: int = 0
    failures: int = 0
    decided: Rate | None = None
    followed: Rate | None = None
    strength: float | None = None
    within: bool = False
    people: Rate | None = None


@dataclass(frozen=True)
class VersionRow:
    """A wording of a principle that answers were given under: its digest (see `Judgement`), and how many there are.

    `current`: it is the wording of the principles file as it is now; None where that is not known. `question` says whether it was asked
    to compare, criticise or revise, each of which has a wording of its own.
    """

    principle: str
    digest: str
    judgements: int
    current: bool | None = None
    question: str = "compare"


@dataclass(frozen=True)
class PolicyRow:
    """One of several mixed policies, and the share of its comparisons with the others that it won (ties half)."""

    name: str
    samples: int
    comparisons: int
    wins: Rate | None


@dataclass(frozen=True)
class LabelMass:
    """P(A) + P(B) over the judge's whole vocabulary: how much of its answer was a verdict at all."""

    histogram: Histogram
    median: float
    lowest_tenth: float


@dataclass(frozen=True)
class Lengths:
    """How response length and preference go together over the exported pairs (lengths in characters)."""

    longer_chosen: Rate
    mean_chosen: float
    mean_rejected: float


@dataclass(frozen=True)
class Series:
    """One line of a plot: (x, y) points in rising x."""

    label: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Curve:
    """A small plot of lines: one quantity over another (`x_name`); `mark` is a place along it to draw a line at."""

    title: str
    caption: str
    series: tuple[Series, ...]
    mark: float | None = None
    x_name: str = "step"


@dataclass(frozen=True)
class Training:
    """One training that used the data: facts in words, curves, its command, whether it ended, and how it agrees with held-out labels."""

    kind: str
    name: str
    facts: tuple[tuple[str, str], ...]
    curves: tuple[Curve, ...]
    finished: bool = True
    command: str = ""
    accuracy: float | None = None

    @property
    def is_policy(self) -> bool:
        """Whether what was trained writes responses, and not rewards."""
        return self.kind != "Reward model"


@dataclass(frozen=True)
class AttributeRow:
    """The rate of one attribute on held-out prompts, before and after. `asked`: the principles file asks for it."""

    name: str
    base: Rate
    trained: Rate
    change: Change
    asked: bool = False


@dataclass(frozen=True)
class MeasureRow:
    """One measure of both policies in words; `own`: a figure of a judge that is not independent."""

    name: str
    base: str
    trained: str
    change: str = ""
    own: bool = False


@dataclass(frozen=True)
class Answers:
    """What both policies answered to one held-out prompt."""

    prompt: str
    base: str
    trained: str


@dataclass(frozen=True)
class Evaluation:
    """What the trained policy does on prompts that it was not trained on, beside the base policy.

    `measures` are all figures but those of `rows`, the independent ones first; `because` says why the judge is not independent;
    `not_told` has what could not be measured, with the reason.
    """

    base_name: str
    trained_name: str
    prompts: int
    rows: tuple[AttributeRow, ...]
    win_rate: Rate | None = None
    judge: str = ""
    self_judged: bool = False
    facts: tuple[tuple[str, str], ...] = ()
    answers: tuple[Answers, ...] = ()
    measures: tuple[MeasureRow, ...] = ()
    because: tuple[str, ...] = ()
    not_told: tuple[tuple[str, str], ...] = ()

    @property
    def independent(self) -> bool:
        """Whether there is a figure that the training's own judge did not give."""
        return bool(self.rows) or (self.win_rate is not None and not self.self_judged)


@dataclass(frozen=True)
class CurveView:
    """A training over its checkpoints: proxy, gold and distance from the base as curves, and every number in words.

    `warning` is empty where the two do not part; `because` says why the gold measure is not independent, if it is not.
    """

    proxy: str
    gold: str
    plots: tuple[Curve, ...]
    rows: tuple[tuple[str, ...], ...]
    rule: str
    warning: str = ""
    falls: bool = False
    because: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableView:
    """A table in words: its caption, the head and the rows, and what to know of it."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CostRow:
    """What a stage asked of its model. None where the engine does not say."""

    stage: str
    model: str
    calls: int
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float | None = None
    price: float | None = None


@dataclass(frozen=True)
class PlanRow:
    """One quantity of a stage in words: what the last command that asked for the stage planned, and what it took."""

    stage: str
    quantity: str
    planned: str
    happened: str


@dataclass(frozen=True)
class StageRow:
    """One stage of the run folder: recorded rows, failures kept as rows, and shards published."""

    name: str
    rows: int
    failed: int
    shards: int


@dataclass(frozen=True)
class CardRow:
    """One figure of a judge card in words, with its interval in numbers: `value` is empty where it cannot be told, and `reason` then says
    why.
    """

    name: str
    title: str
    meaning: str
    value: str
    interval: str = ""
    reason: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class JudgeCard:
    """One judge of a run's `card.json`. `labelled` pairs have labels of people, none for an unvalidated judge.

    `stale`: the run was judged further since, or its labels are others.
    """

    name: str
    rows: tuple[CardRow, ...]
    warnings: tuple[str, ...] = ()
    labelled: int = 0
    annotators: int = 0
    stale: bool = False


@dataclass(frozen=True)
class AuditRow:
    """One audit of the judge (`generate.audit.model.Audit`): its figure in words with its interval, what is well, and what it came to."""

    name: str
    figure: str
    value: str
    interval: str
    limit: str
    result: str
    says: str


@dataclass(frozen=True)
class ReportData:
    """Everything a page shows. Order and wording are the page's own."""

    name: str
    created: str
    version: str
    principles_name: str
    principles_version: str
    principles_digest: str
    judge: tuple[tuple[str, str], ...]
    policies: tuple[tuple[str, str], ...]
    headline: str
    standfirst: str
    tiles: tuple[Tile, ...]
    notices: tuple[Notice, ...]
    verdict: Verdict
    funnel: tuple[FunnelStep, ...]
    principles: tuple[PrincipleRow, ...]
    outcomes: Mapping[str, int] = field(default_factory=dict)
    margins: Margins | None = None
    positions: Positions | None = None
    alone: bool = False
    label_mass: LabelMass | None = None
    lengths: Lengths | None = None
    policy_rows: tuple[PolicyRow, ...] = ()
    versions: tuple[VersionRow, ...] = ()
    people: People | None = None
    trainings: tuple[Training, ...] = ()
    evaluation: Evaluation | None = None
    curves: tuple[CurveView, ...] = ()
    comparisons: tuple[TableView, ...] = ()
    reward_models: tuple[TableView, ...] = ()
    examples: tuple[Example, ...] = ()
    revisions: Revisions | None = None
    judge_cards: tuple[JudgeCard, ...] = ()
    audits: tuple[AuditRow, ...] = ()
    costs: tuple[CostRow, ...] = ()
    plans: tuple[PlanRow, ...] = ()
    currency: str = ""
    stages: tuple[StageRow, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    made: tuple[tuple[str, str], ...] = ()
    fingerprint: str = ""
    config: str = ""
