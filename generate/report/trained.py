"""A page about trainings without a run: before and after, checkpoints, reward models beside length alone, curves of training.

Reads what `tenet train` and the evaluations wrote into a folder, as a pipeline's; what is not there is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from generate.report.evaluations import NAMES, Measured, measured_in
from generate.report.findings import Findings
from generate.report.headline import trained_verdict
from generate.report.measured import ASIDE, RECORD, evaluation_of, trainings_of
from generate.report.model import CurveView, Evaluation, Notice, TableView, Tile, Training, Verdict
from generate.report.notices import POLICY_RULES, notices
from generate.report.render import drawn, environment
from generate.report.source import read_json
from tenet.console import plural
from tenet.errors import MissingInput
from tenet.runs.atomic import write_text

FILE: Final = "report.html"


@dataclass(frozen=True)
class TrainedPage:
    """Everything that the page shows, named as in a run's report, whose templates draw it."""

    name: str
    version: str
    headline: str
    standfirst: str
    verdict: Verdict
    notices: tuple[Notice, ...]
    trainings: tuple[Training, ...]
    evaluation: Evaluation | None
    curves: tuple[CurveView, ...]
    comparisons: tuple[TableView, ...]
    reward_models: tuple[TableView, ...]
    created: str = ""
    tiles: tuple[Tile, ...] = ()


def training_folders(folder: Path) -> list[Path]:
    """The folders of trainings at or below a folder, at most two levels down; what was moved aside is left out."""
    found = [record.parent for pattern in (RECORD, f"*/{RECORD}", f"*/*/{RECORD}") for record in folder.glob(pattern)]
    return sorted(one for one in found if ASIDE not in str(one.relative_to(folder)))


def write_trained_report(folder: Path, out: Path | None = None, measured: Sequence[Path] = ()) -> Path:
    """Write the page about the trainings in a folder and return where: `out`, or report.html in the folder.

    `measured` names files and folders of evaluations; by default those beside and in the trainings are read.

    Raises:
        MissingInput: there is no training in the folder, or no evaluation at a named place.
        InvalidInput: a file does not read back.
        StorageFailed: the page cannot be written.
    """
    path = out or folder / FILE
    write_text(path, render_trained(gather_trained(folder, measured)))
    return path


def gather_trained(folder: Path, measured: Sequence[Path] = ()) -> TrainedPage:
    """Read what the page shows.

    Raises:
        MissingInput: there is no training in the folder, or no evaluation at a named place.
        InvalidInput: a file does not read back.
    """
    folders = training_folders(folder)
    if not folders:
        raise MissingInput(f"{folder} holds no training", hint="make one with: tenet train")
    found = measured_in(measured, named=True) if measured else _found(folder, folders)
    file = found.evaluation
    evaluation = evaluation_of(read_json(file), (), file.with_name(f"{file.stem}-responses.jsonl")) if file else None
    trainings = trainings_of(folders)
    head = plural(len(trainings), "training")
    if evaluation:
        head += f", measured on {plural(evaluation.prompts, 'held-out prompt')}"
    numbers = Findings(0, 0, 0, 0, evaluation=evaluation, curves=found.curves, trainings=trainings)
    told = notices(numbers, POLICY_RULES)
    kinds = ", then ".join(one.kind[:1].lower() + one.kind[1:] for one in trainings)
    measured_at_all = evaluation is not None or bool(found.curves)
    return TrainedPage(
        folder.absolute().name, metadata.version("tenet-rlaif"), head, f"In the order in which they are done: {kinds}.",
        trained_verdict(told, measured=measured_at_all), told, trainings, evaluation, found.curves, found.comparisons, found.rewards,
    )  # fmt: skip


def render_trained(page: TrainedPage) -> str:
    """The page as HTML text: no script, no address to fetch, every text escaped."""
    template = environment().get_template("trained.html.jinja")
    return template.render(data=page, **drawn(page.trainings, page.curves))


def _found(folder: Path, folders: Sequence[Path]) -> Measured:
    """What was measured: the files in the folder itself, else in those of its trainings."""
    files = [place / name for place in dict.fromkeys([folder, *folders]) for name in NAMES]
    return measured_in([file for file in files if file.is_file()])
