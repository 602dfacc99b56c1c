"""Self-preference: whether the judge may favour responses of its own kind, by names and, where people have labelled the run, by figures.

With several policies of which some are of the judge's family, labelled pairs of one such and one other response are compared: how often
the judge prefers its kin less how often people do. Asks nobody. A model under another name is not recognised.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from generate.audit.model import Audit, Result, Row, result
from generate.audit.score import mean
from generate.context import PREFERENCES, Step, by_prompt
from generate.coverage.people import People
from generate.prompt_shards import PromptShards
from generate.report.audits import signed
from judges.audit.families import Kinship, family, kinship
from judges.humans.designs import run_labels
from judges.probability import mean as average
from tenet.records import Preference, Sample
from tenet.runconfig import RunConfig
from tenet.runs import Run

LIMIT: Final = 0.05
FIGURE: Final = "preference for its kin, less that of people"
_AKIN: Final = (Kinship.SAME_MODEL, Kinship.SAME_FAMILY)


def self_preference(run: Run, config: RunConfig, shards: PromptShards) -> Audit:
    """Tell the kinship of judge and policies, and measure the excess where it can be measured."""
    related = {one.name or one.model: kinship(config.judge.model, one.model) for one in config.policies}
    akin = [name for name, how in related.items() if how in _AKIN]
    warning = _named(config.judge.model, related)
    if not akin or len(akin) == len(related):
        why = "responses were given, and nobody knows by which model" if not related else "nothing to compare it with"
        told = warning if related else why
        return Audit("self-preference", FIGURE, None, LIMIT, _by_name(akin, related), told)
    values = list(_excess(run, shards, related))
    told_excess, count, prompts = mean(values)
    said = result(told_excess, LIMIT, prompts)
    if told_excess is None:
        return Audit(
            "self-preference", FIGURE, None, LIMIT, Result.OPEN,
            f"{warning}; no labels of people on pairs of kin and others: bring some in with `tenet labels import FILE --to RUN`",
        )  # fmt: skip
    rows = (Row("all", "all", count, prompts, shift=told_excess),)
    says = f"{warning}; it prefers them by {signed(told_excess.value)} points more than people do"
    return Audit("self-preference", FIGURE, told_excess, LIMIT, said, says, count, prompts, 0, rows)


def _excess(run: Run, shards: PromptShards, related: Mapping[str, Kinship]) -> Iterator[tuple[str, float]]:
    """For each labelled pair of kin and other: whether the judge prefers kin, less the share of people who do."""
    labels = run_labels(run.path)
    if not labels:
        return
    people = People(labels)
    for number, prompts in enumerate(shards):
        samples = by_prompt(run.stage(Step.SAMPLES, Sample).records(number))
        told: defaultdict[str, list[Preference]] = defaultdict(list)
        for preference in run.stage(PREFERENCES, Preference).records(number):
            told[preference.prompt_id].append(preference)
        for prompt in prompts:
            own = {one.id: one for one in samples.get(prompt.id, ())}
            votes = people.told(prompt.id, [*own.values()]).votes
            for one in told[prompt.id]:
                named = votes.get((one.prompt_id, one.a_id, one.b_id))
                sides = [related.get(own[name].policy) in _AKIN for name in (one.a_id, one.b_id) if name in own]
                if named and len(sides) == 2 and sides[0] != sides[1] and one.p_a != 0.5:
                    judge, person = float(one.p_a > 0.5), average([*named.values()])
                    yield prompt.id, (judge - _sure(person)) * (1.0 if sides[0] else -1.0)


def _sure(p: float) -> float:
    """A person's vote stands for a share of 3/4 or 1/4 (`judges.probability.vote_share`); here it counts as it was cast."""
    return 1.0 if p > 0.5 else 0.0 if p < 0.5 else 0.5


def _by_name(akin: list[str], related: Mapping[str, Kinship]) -> Result:
    """What names alone say: kin cannot be cleared by them."""
    if akin or not related or Kinship.UNKNOWN in related.values():
        return Result.OPEN
    return Result.HOLDS


def _named(judge: str, related: Mapping[str, Kinship]) -> str:
    if Kinship.SAME_MODEL in related.values():
        return "the judge is the model of a policy too, and judges its own responses"
    if Kinship.SAME_FAMILY in related.values():
        return f"the judge and a policy are both of the family {family(judge)}"
    if Kinship.UNKNOWN in related.values():
        return "the names of judge and policies do not tell their families"
    return "judge and policies are of different families, by name"
