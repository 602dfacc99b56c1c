"""Writes the dataset card: what is in the files, what made them, and how far to trust them.

Every number is the run's own, taken from the report's data and the exporters' counts; nothing is worked out
here. The card holds no time and no path, so equal runs have equal cards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from generate.export.frontmatter import front_matter
from generate.export.markdown import bullet, code, inline, table
from generate.report.words import between, percent
from tenet.console import plural
from tenet.ids import Json
from tenet.licence import licence_of
from tenet.runs import atomic

if TYPE_CHECKING:
    from generate.export import ExportReport
    from generate.report.model import CardRow, FunnelStep, Rate, ReportData

CARD = "README.md"
_MOST_BINS = 10
_UNVALIDATED = (
    "**Unvalidated: no human anchors.** Nothing here says whether people would agree with these labels. "
    "A consistent judge can be consistently wrong."
)
_POCKET = (
    "**Made with Tenet's bundled pocket models.** They know a tiny help desk of templates and nothing else. "
    "This dataset proves that the machinery runs; do not train a model for people on it."
)


def write_card(
    folder: Path,
    data: ReportData,
    reports: Sequence[ExportReport],
    provenance: Mapping[str, Json],
    *,
    anchors: str = "",
    labelling: str = "",
    pocket: bool = False,
) -> Path:
    """Write `folder/README.md` as a whole, keeping the licence that a card already there names.

    `anchors` says in a sentence how the judge fared against human labels; empty means that there were none. `labelling` says what
    was done to the judge's probabilities.

    Raises:
        StorageFailed: the disk is full or not writable; the old card stands.
    """
    path = folder / CARD
    head = front_matter(data.name, reports, provenance, licence_of(path))
    atomic.write_text(path, head + "\n" + body(data, reports, anchors=anchors, labelling=labelling, pocket=pocket))
    return path


def body(
    data: ReportData,
    reports: Sequence[ExportReport],
    *,
    anchors: str = "",
    labelling: str = "",
    pocket: bool = False,
) -> str:
    """Return the card below its head, as Markdown."""
    sections = [
        _opening(data, reports, anchors, pocket),
        ("## Load it", loading(reports)),
        ("## Columns", columns_of(reports)),
        ("## Where the rows come from", _funnel(data, reports)),
        ("## The judge", _judge(data)),
        ("## How far to trust the labels", _trust(data, anchors, labelling)),
        ("## The principles", _principles(data)),
        ("## Limits and licence", _limits(data, reports)),
    ]
    return "\n\n".join("\n\n".join((title, *parts)) for title, parts in sections) + "\n"


def _opening(data: ReportData, reports: Sequence[ExportReport], anchors: str, pocket: bool) -> tuple[str, list[str]]:
    rows = plural(reports[0].rows, "row") if reports else "no rows"
    what = f"Preference data labelled by a model that was given principles to judge by: {rows}"
    about = f"{what}, principles {code(data.principles_name)} {inline(data.principles_version)}."
    parts = [about, *([_POCKET] if pocket else []), *([] if anchors else [_UNVALIDATED])]
    return f"# {inline(data.name)}", parts


def loading(reports: Sequence[ExportReport]) -> list[str]:
    """How the files are loaded, and what each holds."""
    lines = ["from datasets import load_dataset", ""]
    lines += [f'{_variable(report.name)} = load_dataset("PATH_OF_THIS_FOLDER", "{report.name}")' for report in reports]
    told = [
        [
            code(report.name),
            report.summary,
            ", ".join(f"{split} {rows:,}" for split, rows in sorted(report.splits.items(), reverse=True)),
        ]
        for report in reports
    ]
    rule = "Prompts are split by a hash of their content: each is in the same split in every format and run."
    return ["```python\n" + "\n".join(lines) + "\n```", table(("Configuration", "A row", "Rows"), told), rule]


def columns_of(reports: Sequence[ExportReport]) -> list[str]:
    """The columns of each format with their meaning."""
    parts: list[str] = []
    for report in reports:
        rows = [[code(column.name), str(column.kind), column.meaning] for column in report.columns]
        parts += [f"### {report.name}", table(("Column", "Holds", "Meaning"), rows)]
    note = "No column is called `margin`: TRL's RewardTrainer would subtract it in its loss unasked."
    return [*parts, note]


def _funnel(data: ReportData, reports: Sequence[ExportReport]) -> list[str]:
    rows = [[inline(step.name), f"{step.count:,} {inline(step.unit)}", _lost(step)] for step in data.funnel]
    rows += [
        [f"written as {code(report.name)}", plural(report.rows, "row"), _reasons(report.left_out)] for report in reports
    ]
    return [table(("Step", "Came out", "Left out"), rows)]


def _judge(data: ReportData) -> list[str]:
    rows = [[inline(name), inline(value)] for name, value in (*data.judge, *_named("Policy", data.policies))]
    parts = [table(("What", "Value"), rows)] if rows else []
    if data.outcomes:
        counted = [[code(name), f"{count:,}"] for name, count in data.outcomes.items()]
        parts += [
            "What its calls came to; whatever is no opinion was never counted as a vote:",
            table(("Outcome", "Calls"), counted),
        ]
    return parts


def _trust(data: ReportData, anchors: str, labelling: str) -> list[str]:
    lines: list[str] = []
    if (found := data.positions) is not None:
        lines.append(
            f"Position consistency: {_rate(found.consistency)} of {plural(found.questions, 'question')} asked "
            f"in both orders name the same winner; {found.flips:,} flipped. The response shown first won "
            f"{_rate(found.first_slot)}."
        )
    if data.alone:
        lines.append(
            "Rated alone: each response was judged by itself, so there is no order of showing and no consistency to report."
        )
    if (mass := data.label_mass) is not None:
        what = "summed over the labels asked for" if data.alone else "P(A) + P(B)"
        lines.append(f"Label mass, {what}: median {mass.median:.3f}, lowest tenth below {mass.lowest_tenth:.3f}.")
    if (sides := data.lengths) is not None:
        lines.append(f"The longer response was chosen in {_rate(sides.longer_chosen)} of the pairs of unequal length.")
    lines += [f"{inline(row.title)}: {inline(row.value)} ({inline(row.interval)})." for row in _measured(data)]
    lines += [
        f"Audit {code(one.name)}: {inline(one.result)}{f', {one.value} ({one.interval})' if one.value else ''}; {inline(one.says)}."
        for one in data.audits
    ]
    parts = [
        *([anchors] if anchors else []),
        *([labelling] if labelling else []),
        *([bullet(lines)] if lines else []),
        *_margins(data),
    ]
    # Trainings are no part of the dataset, and commands name places of a machine: the card has neither.
    notices = [
        f"**{inline(one.title)}.** {inline(one.body)} {inline(_sentence(one.mend))}".rstrip()
        for one in data.notices
        if not one.policy
    ]
    return parts + ([bullet(notices)] if notices else [])


def _sentence(mend: str) -> str:
    """What to do, without the command that a page shows behind it."""
    return f"{mend[:-1]}." if mend.endswith(":") else mend


def _measured(data: ReportData) -> Iterator[CardRow]:
    """The figures of the judge card that only labels of people give, where one judge made the labels."""
    if len(data.judge_cards) == 1 and not data.judge_cards[0].stale:
        wanted = ("cohen_kappa", "log_loss", "calibration_error", "length_bias")
        yield from (row for row in data.judge_cards[0].rows if row.name in wanted and row.value)


def _margins(data: ReportData) -> Iterator[str]:
    if (margins := data.margins) is None:
        return
    bins = margins.certainty
    step = 2 if len(bins.counts) > _MOST_BINS and len(bins.counts) % 2 == 0 else 1
    counts = [sum(bins.counts[place : place + step]) for place in range(0, len(bins.counts), step)]
    edges = zip(bins.edges[::step], bins.edges[step::step], counts, strict=False)
    rows = [[f"{low:.3g} to {high:.3g}", f"{count:,}"] for low, high, count in edges]
    judged = plural(margins.pairs, "judged pair")
    yield f"How sure the judge was of {judged}, both orders averaged (median {margins.median:.3f}):"
    yield table(("Probability of the winner", "Pairs"), rows)


def _principles(data: ReportData) -> list[str]:
    rows = [
        [
            code(row.id),
            inline(row.text),
            f"{inline(row.tier)}, {row.weight:g}",
            f"{row.asked:,}",
            _maybe(row.followed),
        ]
        for row in data.principles
    ]
    name, version = code(data.principles_name), inline(data.principles_version)
    named = f"{name} {version}, digest {code(data.principles_digest)}."
    columns = ("Principle", "Text", "Tier, weight", "Calls", "Agrees with the ranking")
    return [named, *([table(columns, rows)] if rows else []), *_versions(data)]


def _versions(data: ReportData) -> Iterator[str]:
    """Say under which wordings principles were asked, where they are several or not the file's."""
    counts = Counter((row.principle, row.question) for row in data.versions)
    rows = [row for row in data.versions if counts[row.principle, row.question] > 1 or row.current is False]
    if not rows:
        return
    now = {True: "yes", False: "no", None: "not known"}
    told = [
        [code(row.principle), code(row.digest), row.question, f"{row.judgements:,}", now[row.current]] for row in rows
    ]
    yield "Principles that this dataset has in several versions, or in another than the file's:"
    yield table(("Principle", "Version", "Asked to", "Answers", "In the file now"), told)


def _limits(data: ReportData, reports: Sequence[ExportReport]) -> list[str]:
    files = [[code(file.name), f"{file.rows:,}", code(file.sha256)] for report in reports for file in report.files]
    return [
        "Pairs are selected for a large difference, so a judge's p runs high on them (the winner's curse): calibrate "
        "on pairs chosen the same way.",
        "Prompts and responses are whatever their sources are: check their licences and content before "
        "sharing, and the terms of the models that wrote and judged them. Set `license:` at the head of this "
        "file; it is kept.",
        *([table(("File", "Rows", "SHA-256"), files)] if files else []),
        f"Made with Tenet {inline(data.version)}.",
    ]


def _lost(step: FunnelStep) -> str:
    return _reasons({loss.reason: loss.count for loss in step.lost})


def _reasons(counts: Mapping[str, int]) -> str:
    return "; ".join(f"{count:,} {inline(reason)}" for reason, count in counts.items() if count)


def _rate(rate: Rate) -> str:
    return f"{percent(rate.value, 1)} ({between(rate)})"


def _maybe(rate: Rate | None) -> str:
    return _rate(rate) if rate is not None else ""


def _named(name: str, pairs: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for key, value in pairs:
        yield f"{name}: {key}", value


def _variable(name: str) -> str:
    return name.removeprefix("trl-").replace("-", "_")
