"""Counts what a run would cost before anything is spent: calls and tokens, step by step, less what is recorded already.

Every prompt is tokenised by the real tokenizers. What cannot be known before it is drawn is the length of responses: where a prompt's
samples are recorded their own lengths count, elsewhere `max_tokens` stands as the upper bound, with the mean of what is recorded as the
expectation. Asks no model, loads no weights, changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from generate.context import Step, by_prompt
from generate.intake import Input
from generate.sampling import Policy
from generate.schedule import round_robin
from judges.critique import CRITIQUE_PARAMS
from judges.pairwise import PairwiseJudge
from judges.revise import REVISE_PARAMS
from tenet.ids import Json
from tenet.records import Finish, Judgement, Prompt, Sample
from tenet.runconfig import RunConfig
from tenet.runs import Run

RUN_FILE: Final = "run.json"


@dataclass(frozen=True)
class Line:
    """One step: calls in all and still owed, and the tokens of those owed. `at_most` is the upper bound where responses are not drawn."""

    stage: str
    calls: int = 0
    owed: int = 0
    prompt_tokens: int = 0
    prompt_tokens_at_most: int = 0
    completion_tokens_at_most: int = 0
    note: str = ""


@dataclass(frozen=True)
class Plan:
    """What an order would cost. `undecided` counts the prompts to which no principle applies: they are never judged."""

    prompts: int
    lines: tuple[Line, ...]
    undecided: int = 0

    def as_json(self) -> Json:
        """The plan for `--json`."""
        return {
            "prompts": self.prompts,
            "no_principle_applies": self.undecided,
            "steps": [vars(line) for line in self.lines],
        }


def plan(config: RunConfig, folder: Path, policies: Sequence[Policy], judge: PairwiseJudge, found: Input) -> Plan:
    """Count an order's calls and tokens from where the run in `folder` stands; a folder that is not there stands at nothing."""
    with ExitStack() as stack:
        run = stack.enter_context(Run.read(folder)) if (folder / RUN_FILE).exists() else None
        drawn = _recorded(run, found)
        sampling = [_sampling(policy, found.prompts, drawn, config.seed) for policy in policies]
        judged = {record.id for record in run.stage(Step.JUDGEMENTS, Judgement).records(ok=None)} if run else set()
        expected, most = _lengths(policies, drawn)
        judging, critiques = _judging(config, policies, judge, found.prompts, drawn, judged, expected, most)
    lines = [*sampling, judging, *([critiques] if config.critique != "none" else [])]
    if config.revise is not None:
        lines.append(_revising(found.prompts, critiques, config.revise.rounds))
    undecided = sum(not judge.principles(prompt) for prompt in found.prompts)
    return Plan(len(found.prompts), tuple(lines), undecided)


def _recorded(run: Run | None, found: Input) -> Mapping[str, Sequence[Sample]]:
    if found.given:
        return found.given
    return by_prompt(run.stage(Step.SAMPLES, Sample).records()) if run else {}


def _sampling(policy: Policy, prompts: Sequence[Prompt], drawn: Mapping[str, Sequence[Sample]], seed: int) -> Line:
    line = Line(Step.SAMPLES, note=policy.name)
    for prompt in prompts:
        held = {sample.id for sample in drawn.get(prompt.id, ())}
        draws = list(policy.draws(prompt, seed))
        owed = [one for one in draws if one.key not in held]
        tokens = sum(len(one.request.tokens) for one in owed)
        line = replace(
            line, calls=line.calls + len(draws), owed=line.owed + len(owed), prompt_tokens=line.prompt_tokens + tokens,
            prompt_tokens_at_most=line.prompt_tokens_at_most + tokens,
            completion_tokens_at_most=line.completion_tokens_at_most + policy.params.max_tokens * len(owed),
        )  # fmt: skip
    return line


def _lengths(policies: Sequence[Policy], drawn: Mapping[str, Sequence[Sample]]) -> tuple[float, int]:
    """Tokens of a response not yet drawn: the mean of those that are (else the upper bound), and the upper bound."""
    most = max((policy.params.max_tokens for policy in policies), default=0)
    known = [s.completion_tokens for samples in drawn.values() for s in samples if s.completion_tokens is not None]
    return (sum(known) / len(known) if known else float(most)), most


def _judging(
    config: RunConfig, policies: Sequence[Policy], judge: PairwiseJudge, prompts: Sequence[Prompt],
    drawn: Mapping[str, Sequence[Sample]], judged: set[str], expected: float, most: int,
) -> tuple[Line, Line]:  # fmt: skip
    """Judging, and critiques of one pair a prompt (every sample with `all`)."""
    calls = owed = critiques = 0
    tokens = bound = critique_tokens = critique_bound = 0.0
    total = sum(policy.samples for policy in policies)
    for prompt in prompts:
        samples = drawn.get(prompt.id, ())
        if samples and (not policies or len(samples) >= total):
            asks = [ask for first, second in round_robin(samples) for ask in judge.asks(prompt, first, second)]
            new = [ask for ask in asks if ask.record_id not in judged]
            calls, owed = calls + len(asks), owed + len(new)
            tokens += sum(len(ask.tokens) for ask in new)
            bound += sum(len(ask.tokens) for ask in new)
            length = sum(judge.engine.tokenizer.count(sample.text) for sample in samples) / len(samples)
            longest = length
        else:
            asks = judge.asks(prompt, _blank(prompt, 0), _blank(prompt, 1))
            number = total * (total - 1) * len(asks)
            calls, owed = calls + number, owed + number
            base = sum(len(ask.tokens) for ask in asks) * total * (total - 1)
            tokens, bound = tokens + base + 2 * expected * number, bound + base + 2 * most * number
            length, longest = expected, float(most)
        asked = (2 if config.critique == "pairs" else max(len(samples), total)) * min(1, len(asks))
        critiques += asked
        frame = len(asks[0].tokens) if asks else 0
        critique_tokens, critique_bound = (
            critique_tokens + asked * (frame + length),
            critique_bound + asked * (frame + longest),
        )
    judging = Line(Step.JUDGEMENTS, calls, owed, round(tokens), round(bound), owed, note=judge.name)
    at_most = critiques * CRITIQUE_PARAMS.max_tokens
    return judging, Line(
        Step.CRITIQUES,
        critiques,
        critiques,
        round(critique_tokens),
        round(critique_bound),
        at_most,
        note=f"{judge.name}, at most",
    )


def _revising(prompts: Sequence[Prompt], critiques: Line, rounds: int) -> Line:
    """A critique and a revision a prompt and round, if every critique asked for one."""
    calls = 2 * rounds * len(prompts)
    share = calls / critiques.calls if critiques.calls else 0.0
    return Line(
        Step.REVISIONS, calls, calls, round(critiques.prompt_tokens * share), round(critiques.prompt_tokens_at_most * share),
        rounds * len(prompts) * (CRITIQUE_PARAMS.max_tokens + REVISE_PARAMS.max_tokens), note="at most",
    )  # fmt: skip


def _blank(prompt: Prompt, index: int) -> Sample:
    return Sample(f"blank-{index}", prompt.id, index, "", "", Finish.GIVEN)
