"""Tells a person what an evaluation found: one table, and what to be careful about. Knows words, no measuring."""

from __future__ import annotations

from tenet.console import Console
from tenet.ids import Json
from train.attributes import Attribute
from train.evaluate import Evaluation, place_of
from train.intervals import Estimate, difference


def show_evaluation(found: Evaluation, console: Console) -> None:
    """Print an evaluation: the table on stdout (or all of it as JSON), remarks on stderr."""
    if console.json:
        console.data(found.as_json())
    else:
        count = len(found.prompts.prompts)
        title = (
            f"{found.base.name} against {found.trained.name}, {count:,} prompts, {found.config.samples} answers each"
        )
        console.table(["", "base", "trained", "change"], _rows(found), title=title)
        console.say("95 % intervals in brackets, by prompt.")
    for remark in remarks(found):
        console.say(remark)
    console.say(f"written to {place_of(found.config)}")


def remarks(found: Evaluation) -> list[str]:
    """Say what a reader of the table should know."""
    said = []
    judged = found.judged
    if found.self_judged:
        said.append("self-judged: this judge also made the labels that the model was trained on")
    if judged is not None:
        if judged.no_opinion:
            said.append(f"{judged.no_opinion:,} pairs without an opinion in both orders, left out")
        if judged.identical:
            said.append(f"{judged.identical:,} pairs of equal answers count as ties")
        if judged.flipped is not None:
            said.append(f"the judge named different winners in the two orders for {judged.flipped:.1%} of the pairs")
        if judged.longer is not None:
            said.append(f"the longer answer won {judged.longer:.0%} of the decided pairs")
    for side, name in ((found.base, "base"), (found.trained, "trained")):
        cut = sum(sample.finish.value == "length" for sample in side.samples)
        if cut:
            said.append(f"{name}: {cut:,} answers were cut at max_tokens ({found.config.max_tokens})")
    return said


def _rows(found: Evaluation) -> list[list[Json]]:
    rows: list[list[Json]] = [_attribute(one) for one in found.attributes]
    judged = found.judged
    if judged is not None and judged.win_rate is not None:
        mark = " (self-judged)" if found.self_judged else ""
        name = (found.judge or {}).get("name", "judge")
        rows.append(_preferred(f"preferred by {name}{mark}", judged.win_rate))
        if len(judged.principles) > 1:
            rows += [_preferred(f"  under {principle}", rate) for principle, rate in judged.principles.items()]
    return rows + [_attribute(one) for one in found.lengths]


def _preferred(name: str, rate: Estimate) -> list[Json]:
    """A win rate: the trained model's share, the base model's, and how far they are apart."""
    base = Estimate(1 - rate.value, 1 - rate.high, 1 - rate.low, rate.count)
    apart = Estimate(2 * rate.value - 1, 2 * rate.low - 1, 2 * rate.high - 1, rate.count)
    return [name, _percent(base), _percent(rate), _points(apart)]


def _attribute(one: Attribute) -> list[Json]:
    if one.is_rate:
        change = one.change or difference(one.base, one.trained)
        return [one.name, _percent(one.base), _percent(one.trained), _points(change)]
    change_text = (
        "" if one.change is None else f"{one.change.value:+.1f} [{one.change.low:+.1f}, {one.change.high:+.1f}]"
    )
    return [one.name, _number(one.base), _number(one.trained), change_text]


def _percent(rate: Estimate) -> str:
    return f"{100 * rate.value:.0f} % [{100 * rate.low:.0f}, {100 * rate.high:.0f}]"


def _points(change: Estimate) -> str:
    return f"{100 * change.value:+.0f} points [{100 * change.low:+.0f}, {100 * change.high:+.0f}]"


def _number(value: Estimate) -> str:
    return f"{value.value:.1f} [{value.low:.1f}, {value.high:.1f}]"
