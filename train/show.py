"""Tells a person what an evaluation found: one table, and what to be careful about. Knows words, no measuring."""

from __future__ import annotations

from collections.abc import Iterator

from tenet.console import Console
from tenet.ids import Json
from train.attributes import Attribute
from train.evaluate import place_of
from train.intervals import Estimate, difference
from train.measures.model import Evaluation, Judged


def answers_each(samples: int) -> str:
    """How many answers a prompt got, in words."""
    return f"{samples:,} answer{'' if samples == 1 else 's'} each"


def show_evaluation(found: Evaluation, console: Console) -> None:
    """Print an evaluation: the table on stdout (or all of it as JSON), remarks on stderr."""
    if console.json:
        console.data(found.as_json())
    else:
        count = len(found.prompts.prompts)
        each = answers_each(found.config.samples)
        title = f"{found.base.name} against {found.trained.name}, {count:,} prompts, {each}"
        if found.headline is None:
            title += "; NO INDEPENDENT FIGURE: the only judge is self-judged"
        console.table(["", "base", "trained", "change"], _rows(found), title=title)
        console.say("95 % intervals in brackets, by prompt.")
    for remark in remarks(found):
        console.say(remark)
    console.say(f"written to {place_of(found.config)}")


def remarks(found: Evaluation) -> list[str]:
    """Say what a reader of the table should know."""
    said = [*_of_the_judge(found.verdict)] if found.verdict else []
    for side, name in ((found.base, "base"), (found.trained, "trained")):
        cut = sum(sample.finish.value == "length" for sample in side.samples)
        if cut:
            said.append(f"{name}: {cut:,} answers were cut at max_tokens ({found.config.max_tokens})")
    if found.config.detector == "phrases":
        said.append("refusals are found by a list of phrases, which misses some: see docs/evaluate.md")
    said += [f"{name} cannot be told: {reason}" for name, reason in found.not_told.items()]
    return said


def _of_the_judge(verdict: Judged) -> Iterator[str]:
    for reason in verdict.because:
        yield f"self-judged: {reason}"
    if verdict.family and not verdict.because:
        yield f"judge and policy are both of the family {verdict.family}, by their names: such judges may prefer their own kind"
    judged = verdict.rate
    if judged.no_opinion:
        yield f"{judged.no_opinion:,} pairs without an opinion in both orders, left out"
    if judged.identical:
        yield f"{judged.identical:,} pairs of equal answers count as ties"
    if judged.flipped is not None:
        yield f"the judge named different winners in the two orders for {judged.flipped:.1%} of the pairs"
    if judged.longer is not None:
        yield f"the longer answer won {judged.longer:.0%} of the decided pairs"
    if verdict.controlled.reason:
        yield f"no length-controlled win rate: {verdict.controlled.reason}"


def _rows(found: Evaluation) -> list[list[Json]]:
    """Independent figures first; a self-judged one comes last, whatever else there is."""
    rows: list[list[Json]] = [_attribute(one) for one in found.attributes]
    verdict = [*_verdict(found.verdict)] if found.verdict else []
    if not found.self_judged:
        rows += verdict
    rows += [_attribute(one) for one in found.behaviour]
    if found.divergence is not None:
        kl = found.divergence
        rows.append(["KL to the base, nats an answer (k1)", "0", _number(kl.k1), ""])
        rows.append(["KL to the base, nats an answer (k3)", "0", _number(kl.k3), ""])
        rows.append(["KL to the base, nats a token (k3)", "0", _number(kl.k3_token, 3), ""])
    rows += [_attribute(one) for one in found.lengths]
    return rows + verdict if found.self_judged else rows


def _verdict(verdict: Judged) -> Iterator[list[Json]]:
    judged = verdict.rate
    if judged.win_rate is None:
        return
    mark = " (self-judged)" if verdict.self_judged else ""
    yield _preferred(f"preferred by {verdict.name}{mark}", judged.win_rate)
    if verdict.controlled.rate is not None:
        yield _preferred(f"  at equal length{mark}", verdict.controlled.rate)
    if len(judged.principles) > 1:
        for principle, rate in judged.principles.items():
            yield _preferred(f"  under {principle}{mark}", rate)


def _preferred(name: str, rate: Estimate) -> list[Json]:
    """A win rate: the trained model's share, the base model's, and how far they are apart."""
    base = Estimate(1 - rate.value, 1 - rate.high, 1 - rate.low, rate.count)
    apart = Estimate(2 * rate.value - 1, 2 * rate.low - 1, 2 * rate.high - 1, rate.count)
    return [name, _percent(base), _percent(rate), _points(apart)]


def _attribute(one: Attribute) -> list[Json]:
    if one.is_rate:
        change = one.change or difference(one.base, one.trained)
        return [one.name, _percent(one.base), _percent(one.trained), _points(change)]
    digits = 3 if max(abs(one.base.high), abs(one.trained.high)) <= 1 else 1
    change_text = (
        "" if one.change is None else "{:+.{d}f} [{:+.{d}f}, {:+.{d}f}]".format(
            one.change.value, one.change.low, one.change.high, d=digits
        )
    )  # fmt: skip
    return [one.name, _number(one.base, digits), _number(one.trained, digits), change_text]


def _percent(rate: Estimate) -> str:
    return f"{100 * rate.value:.0f} % [{100 * rate.low:.0f}, {100 * rate.high:.0f}]"


def _points(change: Estimate) -> str:
    return f"{100 * change.value:+.0f} points [{100 * change.low:+.0f}, {100 * change.high:+.0f}]"


def _number(value: Estimate, digits: int = 1) -> str:
    return f"{value.value:.{digits}f} [{value.low:.{digits}f}, {value.high:.{digits}f}]"
