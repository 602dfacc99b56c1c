"""Gathers a `ReportData` from a run folder: knows where things lie. The counting is in `walk`, the words elsewhere.

Whatever a run does not have yet (training, evaluation, pairs) is left out. A run that is being written can be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Final

from generate.calibrated import LABELLING, PANEL_FILE
from generate.context import Step
from generate.report import facts
from generate.report.audits import audit_rows
from generate.report.costs import cost_rows, currency_of, plan_rows
from generate.report.evaluations import NAMES, Measured, measured_in
from generate.report.findings import Findings
from generate.report.headline import headline, standfirst, tiles, verdict
from generate.report.judgecard import judge_cards_of, principles_by_people
from generate.report.learnt import training_folders
from generate.report.measured import RECORD, evaluation_of, trainings_of
from generate.report.model import Evaluation, FunnelStep, Loss, ReportData
from generate.report.notices import notices
from generate.report.opinions import People
from generate.report.people import people_of
from generate.report.revisions import revisions_of
from generate.report.source import (
    CRITICISE,
    REVISE,
    Principles,
    as_mapping,
    principle_rows,
    principles_of,
    read_json,
    version_rows,
)
from generate.report.verdicts import RATED
from generate.report.views import Revisions
from generate.report.walk import STAGE_TYPES, Walked, examples, walk
from judges.calibration.store import read_calibration
from judges.card.build import CARD
from judges.humans.store import NAME as LABELS
from judges.humans.store import store_digest
from tenet.bundled import is_bundled
from tenet.ids import Json
from tenet.runs import Run

STATS, EVALUATION, AUDIT = "stats.json", "evaluation.json", "audit.json"
_ASKING: Final = (Step.SAMPLES, Step.JUDGEMENTS, Step.CRITIQUES)


def gather(
    path: Path,
    *,
    evaluation: Path | None = None,
    trainings: Sequence[Path] | None = None,
    measured: Sequence[Path] = (),
) -> ReportData:
    """Everything that the report of the run at `path` shows.

    `evaluation` and `trainings` name files and folders outside the run; by default its own `evaluation.json` and the trainings that
    learnt from it (`generate.report.learnt.training_folders`) are read. `measured` names files and folders of evaluations, curves,
    comparisons and measured reward models; by default those in the run and in the folders of these trainings are read.

    Raises:
        MissingInput: there is no run folder at `path`, or a shard does not read back.
        InvalidInput: a file of the run is not what it should be.
    """
    with Run.read(path) as run:
        found = walk(run)
        stats = read_json(path / STATS)
        principles = principles_of(run)
        ids = [principle.id for principle in principles.file.active] if principles.file else []
        folders = list(trainings or (*training_folders(path), *_named(measured)))
        others = measured_in(measured, named=True) if measured else measured_in([*folders, *_own(path)])
        own = path / EVALUATION
        file = evaluation or (others.evaluation if measured or not own.is_file() else None) or own
        before_after = evaluation_of(read_json(file), ids, file.with_name(f"{file.stem}-responses.jsonl"))
        revisions, people = revisions_of(run), people_of(run)
        numbers = _findings(run, found, principles, before_after, revisions)
        numbers = replace(_trusted(run, numbers, people, stats), curves=others.curves, trainings=trainings_of(folders))
        return _report(run, found, stats, principles, numbers, revisions, people, others)


def _report(
    run: Run,
    found: Walked,
    stats: Mapping[str, Json],
    principles: Principles,
    numbers: Findings,
    revisions: Revisions | None,
    people: People | None,
    others: Measured,
) -> ReportData:
    judge = as_mapping(run.config.get("judge"))
    policies = facts.policy_facts(run.config.get("policy"))
    verdicts, told = found.verdicts, notices(numbers)
    currency = currency_of(run.config)
    return ReportData(
        name=str(run.config.get("name") or run.name),
        created=facts.when_made(run.created),
        version=metadata.version("tenet-rlaif"),
        principles_name=principles.name,
        principles_version=principles.file.version if principles.file else "",
        principles_digest=principles.digest,
        judge=facts.judge_facts(judge, read_json(run.path / PANEL_FILE)),
        policies=policies,
        headline=headline(numbers),
        standfirst=standfirst(numbers),
        tiles=tiles(numbers),
        notices=told,
        verdict=verdict(told, numbers.pairs, revised=numbers.revised),
        funnel=_funnel(found, stats, revisions),
        principles=tuple(numbers.principles),
        outcomes=facts.outcomes(verdicts.outcomes),
        margins=numbers.margins,
        positions=numbers.positions,
        alone=numbers.alone,
        label_mass=numbers.label_mass,
        lengths=numbers.lengths,
        policy_rows=found.policy_rows,
        versions=tuple(numbers.versions),
        people=people,
        trainings=tuple(numbers.trainings),
        evaluation=numbers.evaluation,
        curves=others.curves,
        comparisons=others.comparisons,
        reward_models=others.rewards,
        examples=examples(run),
        revisions=revisions,
        judge_cards=tuple(numbers.cards),
        audits=tuple(numbers.audits),
        costs=cost_rows(found, facts.judge_name(judge), policies, run.config, stats, _calls(run, Step.CRITIQUES)),
        plans=plan_rows(stats, currency),
        currency=currency,
        stages=facts.stage_rows(run),
        files=facts.file_rows(run),
        made=facts.made_with(run),
        fingerprint=facts.without_places(facts.pretty(run.fingerprint.as_json()), run.path),
        config=facts.without_places(facts.text_of(run.path / "run.yaml"), run.path),
    )


def _findings(
    run: Run, found: Walked, principles: Principles, evaluation: Evaluation | None, revisions: Revisions | None
) -> Findings:
    verdicts = found.verdicts
    failed = sum(count for name, count in verdicts.outcomes.items() if name not in ("first", "second", "tie", RATED))
    return Findings(
        prompts=found.prompts,
        pairs=found.pairs,
        calls=verdicts.calls,
        failed=failed,
        compared=verdicts.compared,
        alone=verdicts.ratings > 0,
        ranked=found.listings > 0,
        positions=verdicts.positions,
        label_mass=verdicts.label_mass,
        lengths=found.lengths,
        margins=verdicts.margins,
        principles=principle_rows(verdicts.principles, principles.file),
        versions=[
            *version_rows(found.versions, principles.now),
            *version_rows(found.critique_versions, principles.now, CRITICISE),
            *version_rows(found.revision_versions, principles.now, REVISE),
        ],
        principles_name=principles.name,
        principles_lost=facts.without_places(principles.why, run.path),
        evaluation=evaluation,
        pocket=_is_pocket(run.config),
        owed=_owed(run),
        resume=run.command,
        votes=verdicts.votes,
        revised=revisions.revised if revisions else 0,
        cut=found.cut,
        folder=as_named(run.path),
        file=facts.without_places(str(run.config.get("principles") or "FILE"), run.path),
    )


def _trusted(run: Run, numbers: Findings, people: People | None, stats: Mapping[str, Json]) -> Findings:
    """The same with what speaks for and against the judge: card, audits, labels, and whether the pairs carry its calibration."""
    card, fitted = read_json(run.path / CARD), read_calibration(run.path)
    agree = principles_by_people(card)
    carried = as_mapping(stats.get(LABELLING)).get("fingerprint")
    return replace(
        numbers,
        people=people.labels if people else None,
        anchors=people.labels.pairs if people and people.labels else 0,
        cards=judge_cards_of(card, numbers.calls, store_digest(run.path / LABELS)),
        audits=audit_rows(read_json(run.path / AUDIT)),
        principles=[replace(row, people=agree.get(row.id)) for row in numbers.principles],
        uncarried=fitted is not None and carried != fitted.digest,
    )


def as_named(path: Path) -> str:
    """A run's folder as a command names it: from the working folder where it lies there."""
    here = path.absolute()
    return str(here.relative_to(Path.cwd())) if here.is_relative_to(Path.cwd()) else str(path)


def _funnel(found: Walked, stats: Mapping[str, Json], revisions: Revisions | None) -> tuple[FunnelStep, ...]:
    """The funnel with the reasons that only the run's statistics know."""
    left_out = as_mapping(stats.get("left_out")).items()
    losses = [Loss(reason, count) for reason, count in left_out if isinstance(count, int) and count > 0]
    steps = facts.funnel(found, facts.reading_losses(as_mapping(stats.get("input"))), losses)
    if revisions is None:
        return steps
    note = f"Of {revisions.responses:,} that a critic looked at."
    kept = (Loss("left as they were, or not rewritten", revisions.responses - revisions.revised),)
    lost = tuple(loss for loss in kept if loss.count)
    return (*steps, FunnelStep("Responses revised", revisions.revised, "responses", lost, note))


def _owed(run: Run) -> int:
    """Rows that the last command planned and that are not on the books yet."""
    planned = {name: entry.planned for name, entry in run.manifest.stages.items() if name in _ASKING}
    return sum(
        max(0, count - run.stage(name, STAGE_TYPES[name]).counts().rows)
        for name, count in planned.items()
        if count is not None
    )


def _own(path: Path) -> list[Path]:
    """Files of evaluations that lie in the run itself."""
    return [path / name for name in NAMES if (path / name).is_file()]


def _named(places: Sequence[Path]) -> list[Path]:
    """Trainings among places that a person named."""
    return [folder for place in places for folder in (place, *place.glob("*")) if (folder / RECORD).is_file()]


def _calls(run: Run, step: Step) -> int:
    return run.stage(step, STAGE_TYPES[step]).counts().rows if step in run.manifest.stages else 0


def _is_pocket(config: Mapping[str, Json]) -> bool:
    """Whether the judge or a policy is one of the bundled models: a model folder inside a folder of that name."""
    policies = config.get("policy")
    named = [config.get("judge"), *(policies if isinstance(policies, list | tuple) else [policies])]
    models = [str(as_mapping(one).get("model", "")) for one in named]
    return any(is_bundled(model) for model in models)
