"""What a reader must know before any figure: rules over a run's numbers, with every threshold in one place.

Knows no run folder and no HTML. A rule is a generator of notices; to add one, write it and name it in `RULES`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from shlex import quote
from typing import Final

from generate.audit.model import Result
from generate.report.findings import Findings
from generate.report.model import Level, Notice
from generate.report.people import labels_words
from generate.report.words import SPACE, between, change_between, percent, points
from judges.probability import vote_share
from tenet.console import plural

FEW_PAIRS: Final = 100
VERY_FEW_PAIRS: Final = 20
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
FEW_HELD_OUT: Final = 50
CHANCE: Final = 0.5
FEW_LABELLED: Final = 50

Rule = Callable[[Findings], Iterator[Notice]]

_ORDER = (Level.SERIOUS, Level.CAUTION, Level.NOTE)
_LENGTH_WORDS = ("brief", "short", "long", "thorough", "concise", "length", "detail", "sentence")


def notices(found: Findings, rules: Sequence[Rule] = ()) -> tuple[Notice, ...]:
    """Every notice that the numbers call for, the most serious first, and those about the data before others; by default of all rules."""
    fired = [notice for rule in rules or RULES for notice in rule(found)]
    return tuple(sorted(fired, key=lambda notice: (_ORDER.index(notice.level), notice.policy)))


def unfinished(found: Findings) -> Iterator[Notice]:
    """Work is owed."""
    if found.owed and found.calls:
        body = (
            f"{plural(found.owed, 'row')} of work were not recorded when this page was written;"
            " every figure below is of the part that was."
        )
        yield Notice(Level.CAUTION, "This run is not finished", body, "Go on where it stopped:", found.resume)


def size(found: Findings) -> Iterator[Notice]:
    """Too little to train on."""
    if found.pairs == 0 and found.revised:
        return
    if found.pairs == 0 and found.calls == 0:
        judged = (
            "No response was judged, so there is nothing to train on." if found.prompts else "There are no prompts yet."
        )
        owed = f" {plural(found.owed, 'row')} of work were owed when this page was written." if found.owed else ""
        yield Notice(Level.SERIOUS, "Nothing has been judged", judged + owed, "Go on where it stopped:", found.resume)
    elif found.pairs == 0:
        mend = "The funnel below says where they were lost."
        command = found.resume if found.owed else f"tenet status {quote(found.folder)}"
        yield Notice(Level.SERIOUS, "No preference pairs", "There is nothing to train on.", mend, command)
    elif found.pairs < FEW_PAIRS:
        body = f"{plural(found.pairs, 'pair')}: enough to read, too few to train a policy on."
        mend = "Give more prompts; what is recorded already is not asked again."
        level = Level.SERIOUS if found.pairs < VERY_FEW_PAIRS else Level.CAUTION
        yield Notice(level, "Few pairs", body, mend, f"{_again(found)} --prompts MORE-PROMPTS")


def failures(found: Findings) -> Iterator[Notice]:
    """Calls that came to no opinion."""
    part = found.failed / found.calls if found.calls else 0.0
    if part > MANY_FAILURES:
        body = (
            f"{found.failed:,} of {found.calls:,} judge calls ({percent(part)}) gave no opinion."
            " They are counted as failures, never as ties."
        )
        level = Level.SERIOUS if part > TOO_MANY_FAILURES else Level.CAUTION
        mend = "The outcomes below say why. What failed for a passing reason can be asked once more:"
        yield Notice(level, "Many calls without an opinion", body, mend, f"{_again(found)} --retry-failed")


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
        mend = "Try a stronger judge or plainer principles. To keep only clear verdicts of this one:"
        level = Level.SERIOUS if same.value < VERY_LOW_CONSISTENCY else Level.CAUTION
        command = f"{_again(found, 'pairs')} --set pairs.min_margin=1.1"
        yield Notice(level, "The judge often changes its mind with the order", body, mend, command)
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
        yield Notice(Level.CAUTION, "Low label mass", body, mend, f"{_anew(found)} --set judge.prefill=Answer:")


def votes(found: Findings) -> Iterator[Notice]:
    """Opinions without a probability."""
    if found.votes:
        body = (
            f"Text votes: {found.votes:,} of {found.calls:,} judge calls gave a letter and no probability. Two orders that agree"
            f" count {percent(vote_share(1, 1))} for their winner, whether the judge was sure or not; two that differ, 50{SPACE}%."
        )
        mend = (
            "For probabilities, ask about pairs instead of rankings:"
            if found.ranked
            else "For probabilities, judge on a server that gives log-probabilities (vLLM does) and leave options.verdicts out:"
        )
        command = f"{_anew(found)} --set {'judge.kind=pairwise' if found.ranked else 'judge.options={}'}"
        yield Notice(Level.CAUTION, "Labels without the judge's confidence", body, mend, command)


def cut_texts(found: Findings) -> Iterator[Notice]:
    """Verdicts after half a text."""
    if found.calls and found.cut / found.calls > MANY_CUT:
        body = (
            f"In {percent(found.cut / found.calls)} of the calls what the judge wrote before its verdict ended at its limit of tokens;"
            " the verdict was read all the same."
        )
        mend = "Give it more room: judge.critique.max_tokens, or judge.thinking.budget."
        command = f"{_anew(found)} --set judge.critique.max_tokens=512"
        yield Notice(Level.CAUTION, "Many verdicts after a text that was cut off", body, mend, command)


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
        mend = "Put the file back as it was, or judge anew what the edit touches:"
        title = "The principles file is not the one that was asked about"
        yield Notice(Level.NOTE, title, found.principles_lost, mend, f"{_again(found)} --relabel")
    weak = [
        row.id
        for row in found.principles
        if row.decided and row.questions >= ENOUGH_QUESTIONS and row.decided.value < WEAK_PRINCIPLE
    ]
    if weak:
        title = f"{plural(len(weak), 'principle')} that the judge cannot apply"
        body = f"{', '.join(weak)}: the two orders seldom agree on a winner, so these labels are mostly doubt."
        mend = "Reword it as a behaviour that can be seen in a text; lint names wording that is vague or double:"
        yield Notice(Level.CAUTION, title, body, mend, f"tenet principles lint {quote(found.file)}")
    silent = [row.id for row in found.principles if row.asked == 0 and not row.within]
    if silent and found.calls:
        body = f"{', '.join(silent)}: no prompt of this run drew or matched it."
        mend = "Which prompts each principle reaches:"
        command = f"tenet principles coverage {quote(found.folder)}"
        yield Notice(Level.NOTE, f"{plural(len(silent), 'principle')} never asked", body, mend, command)


def wordings(found: Findings) -> Iterator[Notice]:
    """Judgements under several wordings of a principle, or under another than the file's."""
    counts = Counter((row.principle, row.question) for row in found.versions)
    several = list(dict.fromkeys(name for (name, _), count in counts.items() if count > 1))
    if several:
        body = (
            f"{', '.join(several)}: asked in several wordings in this run, so labels under one name do not all mean the same."
            " The column principle_versions of each pair says which."
        )
        mend = "Judge anew what the edit touches; pairs follow by themselves, revisions with tenet revise:"
        title = f"Made from several versions of {plural(len(several), 'principle')}"
        yield Notice(Level.CAUTION, title, body, mend, f"{_again(found)} --relabel")
    old = (row.principle for row in found.versions if row.current is False and row.principle not in several)
    stale = list(dict.fromkeys(old))
    if stale:
        body = (
            f"{', '.join(stale)}: the labels were made under another wording than the one in the file and on this page."
        )
        mend = "Put the file back as it was, or judge anew what the edit touches:"
        title = f"Judged by an earlier version of {plural(len(stale), 'principle')}"
        yield Notice(Level.CAUTION, title, body, mend, f"{_again(found)} --relabel")


def training(found: Findings) -> Iterator[Notice]:
    """Training did not do what the file asks for."""
    for row in found.asked:
        if row.change.value <= 0 or (row.change.low is not None and row.change.low <= 0):
            body = (
                f"The file asks for {row.name}; its rate changed by {points(row.change.value)} points"
                f" ({change_between(row.change) or 'no interval'})."
            )
            mend = "Look at the margins and the principle's strength below, then train for longer:"
            command = f"{_train(found)} --set epochs=3"
            open_ = row.change.high is not None and row.change.high > 0
            title = f"No rise of {row.name} is shown" if open_ else f"Training did not raise {row.name}"
            yield Notice(Level.CAUTION, title, body, mend, command, policy=True)


def measured(found: Findings) -> Iterator[Notice]:
    """Trainings that did not end, and policies that nobody measured, or on few prompts only."""
    for one in found.trainings:
        if not one.finished:
            body = f"{one.name} did not come to its end; its model is not there, or not the last."
            command = one.command if "--resume" in one.command else f"{one.command or _train(found)} --resume"
            yield Notice(
                Level.CAUTION, "A training is not finished", body, "Go on where it stopped:", command, policy=True
            )
    command = f"tenet evaluate MODEL TRAINED --prompts HELD-OUT --judge OTHER-JUDGE --principles {quote(found.file)}"
    finished = [one.name for one in found.trainings if one.finished and one.is_policy]
    if finished and found.evaluation is None and not found.curves:
        body = f"{', '.join(finished)}: nothing says what training did to the answers. A loss that falls is no measure of that."
        mend = "Compare it with its base on prompts that it was not trained on:"
        yield Notice(Level.CAUTION, "The trained policy was not measured", body, mend, command, policy=True)
    elif found.evaluation and 0 < found.evaluation.prompts < FEW_HELD_OUT:
        body = (
            f"It was measured on {plural(found.evaluation.prompts, 'prompt')}: the intervals are too wide to tell much."
        )
        yield Notice(Level.CAUTION, "Few held-out prompts", body, "Measure on more:", command, policy=True)


def below_chance(found: Findings) -> Iterator[Notice]:
    """Reward models that rank held-out pairs the wrong way round as often as not."""
    for one in found.trainings:
        if one.finished and not one.is_policy and one.accuracy is not None and one.accuracy <= CHANCE:
            told = dict(one.facts)
            body = (
                f"{one.name} agrees with the labels in {told.get('Agrees with the labels', percent(one.accuracy))}; chance is"
                f" {percent(CHANCE)}. What is trained on its rewards learns nothing of these preferences, or the opposite."
            )
            mend = "Train on more pairs or for longer, with enough held out to tell:"
            command = f"{_train(found, 'reward')} --set epochs=3 --set eval_share=0.2"
            yield Notice(Level.CAUTION, "A reward model is no better than chance", body, mend, command, policy=True)


def optimised(found: Findings) -> Iterator[Notice]:
    """The proxy goes on rising where the gold measure does not."""
    for curve in found.curves:
        if curve.warning:
            title = "The policy is over-optimised" if curve.falls else "The proxy rises where the gold measure does not"
            body = f"{curve.warning[:1].upper()}{curve.warning[1:]}."
            mend = (
                "Take the marked checkpoint, train for fewer steps, or hold the policy nearer to the base (beta, KL)."
            )
            level = Level.SERIOUS if curve.falls else Level.CAUTION
            yield Notice(level, title, body, mend, f"{_train(found)} --set beta=0.3", policy=True)
        if curve.because:
            body = f"{'; '.join(curve.because)}."
            title, mend = "The gold measure is not independent", "Measure with a judge that made none of the labels:"
            command = "tenet evaluate-curve MODEL --checkpoints FOLDER --prompts HELD-OUT --gold-judge OTHER-JUDGE"
            yield Notice(Level.CAUTION, title, f"{body[:1].upper()}{body[1:]}", mend, command, policy=True)


def independence(found: Findings) -> Iterator[Notice]:
    """The only figure is the training's own judge's."""
    if found.evaluation and found.evaluation.win_rate and not found.evaluation.independent:
        because = "; ".join(found.evaluation.because) or "this judge also made the labels that the model was trained on"
        body = f"The only judge of before and after is self-judged: {because}. That training followed the judge is all it shows."
        mend = (
            "Evaluate with a judge of another family that made none of the labels, or have people compare the answers:"
        )
        command = (
            f"tenet evaluate MODEL TRAINED --prompts HELD-OUT --judge OTHER-JUDGE --principles {quote(found.file)}"
        )
        yield Notice(Level.CAUTION, "No independent figure", body, mend, command, policy=True)


def against_people(found: Findings) -> Iterator[Notice]:
    """What labels of people say of the judge, and whether anybody looked."""
    folder = quote(found.folder)
    if found.people and found.people.pairs and not any(card.labelled and not card.stale for card in found.cards):
        body = (
            f"There are {labels_words(found.people)}, and no judge card of the run as it is measures the judge by them."
        )
        yield Notice(Level.CAUTION, "People's labels are not used yet", body, "Measure it:", f"tenet card {folder}")
    few = [card for card in found.cards if 0 < card.labelled < FEW_LABELLED and not card.stale]
    if few:
        body = (
            f"{few[0].name} is measured on {plural(few[0].labelled, 'labelled pair')}: its agreement with people is known"
            " roughly at best."
        )
        mend = f"Label on, {FEW_LABELLED} pairs are a beginning, then give tenet card again:"
        title = "Checked against few labels of people"
        yield Notice(Level.CAUTION, title, body, mend, f"tenet labels page {folder}")
    for card in found.cards:
        rows = {} if card.stale or not card.labelled else {row.name: row for row in card.rows}
        kappa, right, ceiling = (rows.get(name) for name in ("cohen_kappa", "accuracy_without_ties", "human_ceiling"))
        if kappa and kappa.low is not None and kappa.low <= 0:
            body = f"Its agreement with people on {plural(card.labelled, 'labelled pair')} cannot be told from chance."
            mend = "Use people's labels where there are any, and the judge's only where it is shown to agree:"
            command = f"tenet blend {folder} --set strategy=routed --set min_agreement=0.8"
            yield Notice(Level.SERIOUS, f"{card.name} does not judge as people do", body, mend, command)
        elif right and ceiling and None not in (right.high, ceiling.low) and (right.high or 0) < (ceiling.low or 0):
            body = (
                f"Where people name a winner, it gives theirs in {right.value} of its calls ({right.interval}); one person gives the"
                f" others' in {ceiling.value} ({ceiling.interval})."
            )
            mend = "Make its probabilities as modest as it deserves, and take people's labels where there are any:"
            yield Notice(
                Level.CAUTION, f"{card.name} agrees with people less than they with each other", body, mend,
                f"tenet blend {folder} --set strategy=weighted",
            )  # fmt: skip
    if found.uncarried:
        body = "There is a calibration on people's labels, and the pairs were made without it or with an earlier one."
        mend = "Make the pairs anew; nothing is asked:"
        yield Notice(Level.CAUTION, "The pairs do not carry the calibration", body, mend, _again(found, "pairs"))


def audited(found: Findings) -> Iterator[Notice]:
    """Audits that the judge failed."""
    failed = [row for row in found.audits if row.result == Result.FAILS]
    if failed:
        title = "The judge fails an audit" if len(failed) == 1 else f"The judge fails {len(failed)} audits"
        body = " ".join(f"{row.name}: {row.value}, where {row.limit} is well." for row in failed)
        names = " ".join(f"--only {row.name}" for row in failed)
        mend = "Read below what fooled it; after a change of judge or wording, audit again:"
        yield Notice(Level.CAUTION, title, body, mend, f"tenet audit {quote(found.folder)} {names}")


def standing(found: Findings) -> Iterator[Notice]:
    """What the figures can and cannot say."""
    if found.calls and not found.anchors and not any(card.labelled for card in found.cards):
        body = (
            "No human labels were given, so nothing here says whether people would agree with its verdicts."
            " A consistent judge can be consistently wrong."
        )
        mend = "Label some of the exported pairs, fifty are a beginning (or bring labels in with tenet labels import):"
        command = f"tenet labels page {quote(found.folder)}"
        yield Notice(Level.CAUTION, "This judge has not been checked against people", body, mend, command)
    if found.pocket:
        body = (
            "The bundled models know only the pocket world, a help desk made of templates."
            " These figures prove that the loop works; they say nothing about real text."
        )
        yield Notice(Level.NOTE, "Pocket models", body)


def _again(found: Findings, step: str = "generate") -> str:
    """The command that goes on with the run."""
    return f"tenet {step} {quote(found.folder + '/run.yaml')}"


def _anew(found: Findings) -> str:
    """The command that asks another judge about the same responses."""
    return f"{_again(found)} --set name=ANOTHER-NAME --reuse {quote(found.folder)}"


def _train(found: Findings, method: str = "dpo") -> str:
    return f"tenet train {method} --model MODEL --data {quote(found.folder)} --out ANOTHER-FOLDER"


POLICY_RULES: Final[tuple[Rule, ...]] = (training, measured, below_chance, optimised, independence)
"""Those that say something without a run."""
RULES: Final[tuple[Rule, ...]] = (
    unfinished, size, failures, order, label_mass, votes, cut_texts, lengths, principles, wordings, training,
    against_people, audited, measured, below_chance, optimised, independence, standing,
)  # fmt: skip
