"""The principles that a run goes by: a copy of each version in its folder, and whether another version would ask its judge the same.

People edit the file that a run names in place. What an edit changes can then be told only against a copy: `principles/DIGEST.yaml`, written
whenever a run takes principles on, with all that the file includes. Knows no answer: who wins what is for others.
"""

from __future__ import annotations

from typing import Final

from constitution.load import load
from constitution.model import Constitution
from constitution.write import to_yaml
from generate.context import Step, member_stages
from generate.identity import PRINCIPLES
from generate.intake import PROMPTS
from generate.prompt_shards import PromptShards
from judges.kinds.byprompt import LISTINGS, RATINGS
from judges.registry import AnyJudge
from tenet.errors import MissingInput, TenetError
from tenet.ids import Json
from tenet.records import Judgement, Listing, Prompt, Rating
from tenet.runconfig import RunConfig
from tenet.runs import Run, Stage
from tenet.runs.atomic import make_folder, write_text

FOLDER: Final = "principles"
_NAMED: Final = 16
_REMARK: Final = (
    "The principles that this run was judged by, with all that their file included. A copy: editing it changes nothing."
)


def keep(run: Run, constitution: Constitution) -> None:
    """Put a copy of these principles into the run's folder, unless there is one.

    Raises:
        StorageFailed: the disk is full or not writable.
    """
    path = run.path / FOLDER / f"{constitution.digest[:_NAMED]}.yaml"
    if not path.exists():
        make_folder(path.parent)
        write_text(path, to_yaml(constitution, remarks=[_REMARK]))


def judged_by(run: Run) -> Constitution | None:
    """The principles that a run was judged by: from the file that it names if that is still the same, else from its copy.

    None where neither is there: the run was begun by a version of Tenet that kept no copy, and the file has been edited since.
    """
    digest = str(run.fingerprint.growth.get(PRINCIPLES) or "")
    for name in (str(run.config.get("principles") or ""), run.path / FOLDER / f"{digest[:_NAMED]}.yaml"):
        try:
            found = load(name)
        except TenetError:
            continue
        if found.digest == digest:
            return found
    return None


def require_judged_by(run: Run) -> Constitution:
    """The principles that a run was judged by.

    Raises:
        MissingInput: neither the file nor a copy is there.
    """
    found = judged_by(run)
    if found is None:
        raise MissingInput(
            f"{run.path} keeps no copy of the principles that it was judged by, and {run.config.get('principles')} has changed since",
            hint=f"hold two files against each other with: tenet principles diff OLD NEW --run {run.path}",
        )
    return found


def is_judged(run: Run) -> bool:
    """Whether a run has any answer of a judge."""
    return any(stage.counts().rows > 0 for stage in _answers(run))


def _answers(run: Run) -> list[Stage[Judgement] | Stage[Rating] | Stage[Listing]]:
    """The stages of answers: of a judge, or of each member of a panel, and what the panel came to."""
    there = run.manifest.stages
    own = [Step.JUDGEMENTS] if Step.JUDGEMENTS in there else []
    return [
        *(run.stage(name, Judgement) for name in (*own, *member_stages(run))),
        *([run.stage(RATINGS, Rating)] if RATINGS in there else []),
        *([run.stage(LISTINGS, Listing)] if LISTINGS in there else []),
    ]


def asks_the_same(run: Run, before: AnyJudge, after: AnyJudge) -> bool:
    """Whether two judges ask the same of all that the run has judged, so that its answers are those of both.

    Weights, precedence and, where no rule is marked as one to the judge, tiers may differ: they ask nothing.

    Raises:
        MissingInput: a shard does not read back.
    """
    stages = _answers(run)
    for number, prompts in enumerate(PromptShards(run.stage(PROMPTS, Prompt))):
        moved = {prompt.id for prompt in prompts if before.wordings(prompt) != after.wordings(prompt)}
        if moved and any(one.prompt_id in moved for stage in stages for one in stage.records(number, ok=None)):
            return False
    return True


def writes_the_same(config: RunConfig, before: Constitution, after: Constitution) -> bool:
    """Whether the critiques and revisions that a run asks for are asked for in the same words under both."""
    old, new = _written(config, before), _written(config, after)
    return all(old[name] == new[name] for name in old.keys() & new.keys())


def _written(config: RunConfig, constitution: Constitution) -> dict[str, Json]:
    critical = config.critique != "none" or config.revise is not None
    return {
        one.id: [
            [one.text, one.critique_question] if critical else None,
            one.revise_instruction if config.revise is not None else None,
        ]
        for one in constitution.active
    }  # fmt: skip
