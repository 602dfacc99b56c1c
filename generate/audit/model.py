"""What an audit comes to, as plain records, and the form of `audit.json`. Knows no judge and no run.

`audit.json` holds the values of `Report.as_json`: `schema_version`, `judge`, `principles`, `sample`, `cost` and `audits`, a list with one
flat object an audit. Its `rows` are flat objects of one form, whatever the audit: see `Row`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final

from tenet.ids import Json

FILE: Final = "audit.json"
SCHEMA: Final = 1
LEAST_PROMPTS: Final = 10


class Result(StrEnum):
    """What a figure says, by its whole interval against its limit."""

    HOLDS = "holds"
    FAILS = "fails"
    OPEN = "open"
    TOO_FEW = "too few"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Interval:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """One line of an audit: all of it (`name` is `all`), a family of attacks, or one template.

    `hits` of `count` verdicts on `prompts` prompts went the wrong way, which is `rate`. `control` is the rate with random text of equal
    length in the same place, `excess` the paired difference. `shift` is the change of a mean probability. None where an audit has no such
    figure.
    """

    name: str
    kind: str
    count: int
    prompts: int
    hits: float | None = None
    rate: Interval | None = None
    control: Interval | None = None
    excess: Interval | None = None
    shift: Interval | None = None

    def as_json(self) -> dict[str, Json]:
        """Flat: `rate`, `rate_low`, `rate_high` and so on."""
        told: dict[str, Json] = {
            "name": self.name, "kind": self.kind, "count": self.count, "prompts": self.prompts, "hits": self.hits,
        }  # fmt: skip
        for name in ("rate", "control", "excess", "shift"):
            told |= flat(name, getattr(self, name))
        return told


@dataclass(frozen=True)
class Audit:
    """One audit: `figure` names what `value` is, `limit` is the most of it that is well; `says` puts it in words.

    `questions` were needed, of which `asked` had not been answered before, at so many tokens; `unread` got no opinion.
    """

    name: str
    figure: str
    value: Interval | None
    limit: float | None
    result: Result
    says: str
    count: int = 0
    prompts: int = 0
    unread: int = 0
    rows: tuple[Row, ...] = ()
    questions: int = 0
    asked: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def as_json(self) -> dict[str, Json]:
        """The object of this audit in `audit.json`."""
        return {
            "name": self.name, "figure": self.figure, **flat("value", self.value), "limit": self.limit,
            "result": self.result.value, "says": self.says, "count": self.count, "prompts": self.prompts,
            "unread": self.unread, "questions": self.questions, "asked": self.asked,
            "prompt_tokens": self.prompt_tokens, "completion_tokens": self.completion_tokens,
            "rows": [row.as_json() for row in self.rows],
        }  # fmt: skip


@dataclass(frozen=True)
class Report:
    """The audits of one run's judge on a sample of its pairs."""

    judge: str
    judge_digest: str
    principles: str
    principles_digest: str
    pairs: int
    sampled: int
    seed: int
    decided: int
    audits: tuple[Audit, ...]

    @property
    def cost(self) -> Mapping[str, int]:
        """Questions, those that had to be asked, and their tokens, over all audits."""
        names = ("questions", "asked", "prompt_tokens", "completion_tokens")
        return {name: sum(getattr(one, name) for one in self.audits) for name in names}

    def as_json(self) -> dict[str, Json]:
        """What `audit.json` holds."""
        return {
            "schema_version": SCHEMA,
            "judge": self.judge, "judge_digest": self.judge_digest,
            "principles": self.principles, "principles_digest": self.principles_digest,
            "sample": {"pairs": self.pairs, "sampled": self.sampled, "seed": self.seed, "decided_verdicts": self.decided},
            "cost": dict(self.cost),
            "audits": [one.as_json() for one in self.audits],
        }  # fmt: skip


def flat(name: str, told: Interval | None) -> dict[str, Json]:
    """A number with its interval as three values."""
    values = asdict(told) if told else {"value": None, "low": None, "high": None}
    return {name: values["value"], f"{name}_low": values["low"], f"{name}_high": values["high"]}


def result(told: Interval | None, limit: float, prompts: int) -> Result:
    """Hold a figure against the most that is well: only an interval that lies wholly on one side says something."""
    if told is None or prompts < LEAST_PROMPTS:
        return Result.TOO_FEW
    if told.high <= limit:
        return Result.HOLDS
    return Result.FAILS if told.low > limit else Result.OPEN


def row_all(rows: Sequence[Row]) -> Row | None:
    """The row of everything together; None without rows."""
    return next((row for row in rows if row.kind == "all"), None)
