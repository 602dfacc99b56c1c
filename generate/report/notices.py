"""What a reader must know before any figure: rules over a run's numbers, with every threshold in one place.

Knows no run folder and no HTML. A rule is a generator of notices; to add one, write it and name it in `RULES`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from generate.report.findings import Findings
from generate.report.model import Level, Notice
from generate.report.words import SPACE, between, change_between, percent, plural, points
from judges.probability import vote_share

FEW_PAIRS: Final = 100
LOW_CONSISTENCY: Final = 0.8
VERY_LOW_CONSISTENCY: Final = 0.6
MANY_FAILURES: Final = 0.05
TOO_MANY_FAILURES: Final = 0.2
LOW_MASS: Final = 0.9
ODD_SLOT: Final = 0.1
ODD_LENGTH: Final = 0.2
WEAK_PRINCIPLE: Final = 0.6
ENOUGH_QUESTIONS: Final = 20
MANY_CUT: Final = 0.1

_ORDER = (Level.SERIOUS, Level.CAUTION, Level.NOTE)
_LENGTH_WORDS = ("brief", "short", "long", "thorough", "concise", "length", "detail", "sentence")


def notices(found: Findings) -> tuple[Notice, ...]:
    """Every notice that the numbers call for, the most serious first."""
    fired = [notice for rule in RULES for notice in rule(found)]
    return tuple(sorted(fired, key=lambda notice: _ORDER.index(notice.level)))


def unfinished(found: Findings) -> Iterator[Notice]:
    """Work is owed."""
    if found.owed:
        body = (
            f"{plural(found.owed, 'row')} of work were not recorded when this page was written;"
            " every figure below is of the part that was."
        )
        mend = f"Go on with: {found.resume}" if found.resume else ""
        yield Notice(Level.CAUTION, "This run is not finished", body, mend)


def size(found: Findings) -> Iterator[Notice]:
    """Too little to train on."""
    if found.pairs == 0 and found.revised:
        return
    if found.pairs == 0:
        mend = "The funnel below says where they were lost."
        yield Notice(Level.SERIOUS, "No preference pairs", "There is nothing to train on.", mend)
    elif found.pairs < FEW_PAIRS:
        body = f"{plural(found.pairs, 'pair')} are enough to read, and too few to train a policy on."
        yield Notice(Level.CAUTION, "Few pairs", body, "Give more prompts, or draw more responses for each.")


def failures(found: Findings) -> Iterator[Notice]:
    """Calls that came to no opinion."""
    part = found.failed / found.calls if found.calls else 0.0
    if part > MANY_FAILURES:
        body = (
            f"{found.failed:,} of {found.calls:,} judge calls ({percent(part)}) gave no opinion."
            " They are counted as failures, never as ties."
        )
        level = Level.SERIOUS if part > TOO_MANY_FAILURES else Level.CAUTION
        yield Notice(level, "Many calls without an opinion", body, "The outcomes below say why.")


def order(found: Findings) -> Iterator[Notice]:
    """The order of showing decides too much."""
    if found.positions is None:
        return
    same, slot = found.positions.consistency, found.positions.first_slot
    if same.value < LOW_CONSISTENCY:
        body = (
            f"Both orders of showing name the same winner in only {percent(same.value)} of the questions"
            f" ({between(same)}); a coin would reach 50{SPACE}%. Averaging removes the bias and leaves little opinion."
        )
        mend = "Try a stronger judge, plainer principles, or pairs.min_margin to keep only clear verdicts."
        level = Level.SERIOUS if same.value < VERY_LOW_CONSISTENCY else Level.CAUTION
        yield Notice(level, "The judge often changes its mind with the order", body, mend)
    if slot.low > 0.5 + ODD_SLOT or slot.high < 0.5 - ODD_SLOT:
        side, share = ("first", slot.value) if slot.value > 0.5 else ("second", 1 - slot.value)
        body = (
            f"The response shown {side} won {percent(share)} of the calls. Both orders are averaged,"
            " so the labels are not tilted, but they are weaker."
        )
        yield Notice(Level.NOTE, f"The judge favours the response shown {side}", body)


def label_mass(found: Findings) -> Iterator[Notice]:
    """The judge says other things than a verdict."""
    if found.label_mass and found.label_mass.lowest_tenth < LOW_MASS:
        body = (
            f"In a tenth of the calls less than {percent(found.label_mass.lowest_tenth)} of the judge's probability"
            f" went to {'a label of the scale' if found.alone else 'A or B'}; the rest went to other words."
        )
        mend = (
            "Set judge.chat_template_kwargs (enable_thinking: false for thinking models)"
            " or judge.prefill, so that the letter comes first."
        )
        yield Notice(Level.CAUTION, "Low label mass", body, mend)


def votes(found: Findings) -> Iterator[Notice]:
    """Opinions without a probability."""
    if found.votes:
        body = (
            f"Text votes: {found.votes:,} of {found.calls:,} judge calls gave a letter and no probability. Two orders that agree"
            f" count {percent(vote_share(1, 1))} for their winner, whether the judge was sure or not; two that differ, 50{SPACE}%."
        )
        mend = "For probabilities, judge on a server that gives log-probabilities (vLLM does) and leave options.verdicts out."
        yield Notice(Level.CAUTION, "Labels without the judge's confidence", body, mend)


def cut_texts(found: Findings) -> Iterator[Notice]:
    """Verdicts after half a text."""
    if found.calls and found.cut / found.calls > MANY_CUT:
        body = (
            f"In {percent(found.cut / found.calls)} of the calls what the judge wrote before its verdict ended at its limit of tokens;"
            " the verdict was read all the same."
        )
        mend = "Give it more room: judge.critique.max_tokens, or judge.thinking.budget."
        yield Notice(Level.CAUTION, "Many verdicts after a text that was cut off", body, mend)


def lengths(found: Findings) -> Iterator[Notice]:
    """Length wins although nobody asked for it."""
    if found.lengths is None or any(word in row.text.lower() for row in found.principles for word in _LENGTH_WORDS):
        return
    longer = found.lengths.longer_chosen.value
    if abs(longer - 0.5) > ODD_LENGTH:
        word, share = ("longer", longer) if longer > 0.5 else ("shorter", 1 - longer)
        body = (
            f"The {word} response was chosen in {percent(share)} of the pairs."
            " If no principle asks for it, a policy will learn length first."
        )
        yield Notice(Level.NOTE, f"The {word} response usually wins", body)


def principles(found: Findings) -> Iterator[Notice]:
    """Principles that cannot be shown, that the judge cannot apply, or that were never asked."""
    if found.principles_lost:
        mend = "Put the file back as it was, or judge anew with --relabel."
        yield Notice(Level.NOTE, "The principles file is not the one that was asked about", found.principles_lost, mend)
    weak = [
        row.id
        for row in found.principles
        if row.decided and row.questions >= ENOUGH_QUESTIONS and row.decided.value < WEAK_PRINCIPLE
    ]
    if weak:
        title = f"{plural(len(weak), 'principle')} that the judge cannot apply"
        body = f"{', '.join(weak)}: the two orders seldom agree on a winner, so these labels are mostly doubt."
        yield Notice(Level.CAUTION, title, body, "Reword it as a behaviour that can be seen in a text.")
    silent = [row.id for row in found.principles if row.asked == 0 and not row.within]
    if silent and found.calls:
        body = f"{', '.join(silent)}: no prompt of this run drew or matched it."
        yield Notice(Level.NOTE, f"{plural(len(silent), 'principle')} never asked", body)


def wordings(found: Findings) -> Iterator[Notice]:
    """Judgements under several wordings of a principle, or under another than the file's."""
    counts = Counter((row.principle, row.question) for row in found.versions)
    several = list(dict.fromkeys(name for (name, _), count in counts.items() if count > 1))
    if several:
        body = (
            f"{', '.join(several)}: asked in several wordings in this run, so labels under one name do not all mean the same."
            " The column principle_versions of each pair says which."
        )
        mend = "Judge anew with --relabel, then choose pairs and revise anew."
        yield Notice(Level.CAUTION, f"Made from several versions of {plural(len(several), 'principle')}", body, mend)
    old = (row.principle for row in found.versions if row.current is False and row.principle not in several)
    stale = list(dict.fromkeys(old))
    if stale:
        body = (
            f"{', '.join(stale)}: the labels were made under another wording than the one in the file and on this page."
        )
        mend = "Judge anew with --relabel, or put the file back as it was."
        title = f"Judged by an earlier version of {plural(len(stale), 'principle')}"
        yield Notice(Level.CAUTION, title, body, mend)


def training(found: Findings) -> Iterator[Notice]:
    """Training did not do what the file asks for."""
    for row in found.asked:
        if row.change.value <= 0 or (row.change.low is not None and row.change.low <= 0):
            body = (
                f"The file asks for {row.name}; its rate changed by {points(row.change.value)} points"
                f" ({change_between(row.change) or 'no interval'})."
            )
            mend = "Look at the margins and the principle's strength below, then train for longer."
            yield Notice(Level.CAUTION, f"Training did not raise {row.name}", body, mend)


def optimised(found: Findings) -> Iterator[Notice]:
    """The proxy goes on rising where the gold measure does not."""
    for curve in found.curves:
        if curve.warning:
            title = "The policy is over-optimised" if curve.falls else "The proxy rises where the gold measure does not"
            body = f"{curve.warning[:1].upper()}{curve.warning[1:]}."
            mend = (
                "Take the marked checkpoint, train for fewer steps, or hold the policy nearer to the base (beta, KL)."
            )
            yield Notice(Level.SERIOUS if curve.falls else Level.CAUTION, title, body, mend)
        if curve.because:
            body = f"{'; '.join(curve.because)}."
            yield Notice(Level.CAUTION, "The gold measure is not independent", f"{body[:1].upper()}{body[1:]}")


def independence(found: Findings) -> Iterator[Notice]:
    """The only figure is the training's own judge's."""
    if found.evaluation and found.evaluation.win_rate and not found.evaluation.independent:
        because = "; ".join(found.evaluation.because) or "this judge also made the labels that the model was trained on"
        body = f"The only judge of before and after is self-judged: {because}. That training followed the judge is all it shows."
        mend = (
            "Evaluate with a judge of another family that made none of the labels, or have people compare the answers."
        )
        yield Notice(Level.CAUTION, "No independent figure", body, mend)


def standing(found: Findings) -> Iterator[Notice]:
    """What the figures can and cannot say."""
    if found.calls and not found.anchors:
        body = (
            "No human labels were given, so nothing here says whether people would agree with its verdicts."
            " A consistent judge can be consistently wrong."
        )
        mend = (
            "Label some of the exported pairs with tenet labels page RUN, or bring labels in with tenet labels import."
        )
        yield Notice(Level.CAUTION, "This judge has not been checked against people", body, mend)
    if found.pocket:
        body = (
            "The bundled models know only the pocket world, a help desk made of templates."
            " These figures prove that the loop works; they say nothing about real text."
        )
        yield Notice(Level.NOTE, "Pocket models", body)


RULES: Final[tuple[Callable[[Findings], Iterator[Notice]], ...]] = (
    unfinished, size, failures, order, label_mass, votes, cut_texts, lengths, principles, wordings, training,
    optimised, independence, standing,
)  # fmt: skip
