"""Training rows of the judge: comparisons, critiques, revisions and glossary lines on the product's own templates.

Every label comes from the oracle reading the text. A row depends on the generator it is given and on nothing else.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Final

from pocket import critiques, oracle, questions, world
from pocket.recipe.packing import Row
from pocket.recipe.templates import COMPARE, CRITIQUE, REVISE, Encoder, Template
from pocket.wordings import Wording, framed, wordings
from pocket.world import Kind, Length, Plan, PocketPrompt, Split, Tone

COMPARE_QUESTIONS: Final = (
    COMPARE,
    COMPARE,
    COMPARE,
    COMPARE,
    "Which response is better by this principle?",
    "Which of the two does this better?",
    "Which response fits the principle?",
    "By this principle alone, which response is the better one?",
)
CRITIQUE_QUESTIONS: Final = (
    CRITIQUE,
    CRITIQUE,
    CRITIQUE,
    "Is the principle met by this response?",
    "Does the response do what the principle asks?",
)
REVISE_QUESTIONS: Final = (REVISE, REVISE, REVISE, "Rewrite the response so that it follows this principle.")
MATCH_QUESTION: Final = "\n\nWhich response does this critique describe? Answer with one letter, A or B."
TIE: Final = 0.5
TAILS: Final = 6
PROBES: Final = ("tone", "length", "side", "family", "tone order", "length order", "side order")
PROBE_CLASSES: Final = (3, 3, 3, len(oracle.FAMILIES), 3, 3, 3)
EARLY_FAMILIES: Final = ("courteous", "brief", "harmless", "honest", "independent")
FAMILY_OF_KIND: Final = {kind: family for family, kind in oracle.APPLIES.items()}
VERDICT_WEIGHT: Final = 6.0
MORE_NEGATED: Final = 0.15
FRAMED: Final = 0.3
CONTRASTS: Final = 0.6
SHORT_CRITIQUES: Final = 0.7
NONSENSE_FROM: Final = 300


@dataclass(frozen=True)
class Written:
    """A prompt of the world with replies that a policy wrote to it."""

    prompt: PocketPrompt
    replies: tuple[str, ...]


@dataclass(frozen=True)
class Stage:
    """What a part of the training shows.

    `opposed`: wordings that name the opposite of what they seek, beside it or alone; `drills`: further principles a pair row, of which
    only the family is to be told; `written`: the policy's own replies and their share among the pairs; `revisions`: how many of a reply;
    `afresh`: a revision is a new reply to the prompt, with the one attribute changed, and takes over no sentences;
    `topic_weight`: of the words that name the topic, in replies that are written; `own`: how many critiques of a reply are by the
    family that only prompts of its kind have; `steer_weight`: of the places where a reply chooses how to go on, which are its first words
    and what follows a full stop; `opening`: a revision made afresh shows its tone in its first sentence.
    """

    families: tuple[str, ...] = oracle.FAMILIES
    opposed: bool = True
    drills: int = 0
    written: tuple[Written, ...] = ()
    written_share: float = 0.0
    revisions: int = 2
    afresh: bool = False
    topic_weight: float = 1.0
    own: int = 1
    steer_weight: float = 1.0
    opening: bool = False


class RowMaker:
    """Makes rows with one tokenizer and the four templates of the product."""

    def __init__(self, encode: Encoder, split: Split = "train") -> None:
        self.encode, self.split = encode, split
        self.pairwise, self.whole = Template.read("pairwise"), Template.read("pairwise-whole")
        self.critique_template, self.revise_template = Template.read("critique"), Template.read("revise")

    def wording(self, rng: random.Random, family: str, stage: Stage, *, negated: bool = True) -> Wording:
        """A seen wording of a family that the stage and the caller allow; those that only forbid come a little more often."""
        redraw = stage.opposed and negated and rng.random() < MORE_NEGATED
        while True:
            found = rng.choice(wordings(family))
            if redraw and not found.negated:
                continue
            if (stage.opposed or not found.opposed) and (negated or not found.negated):
                return self._framed(rng, found)

    def _framed(self, rng: random.Random, wording: Wording) -> Wording:
        if rng.random() > FRAMED:
            return wording
        topic = world.with_article(rng.choice(questions.TOPICS))
        return replace(wording, text=framed(wording.text, topic, rng))

    def prompt(self, rng: random.Random) -> PocketPrompt:
        """A prompt of the split, the four kinds nearly alike."""
        kind = rng.choices(list(Kind), [0.31, 0.23, 0.23, 0.23])[0]
        return rng.choice(world.pool(self.split, kind))

    def pair(self, rng: random.Random, stage: Stage) -> tuple[PocketPrompt, str, str]:
        """A prompt with two different replies, of the world or of the policy."""
        if stage.written and rng.random() < stage.written_share:
            found = rng.choice(stage.written)
            first, second = rng.sample(found.replies, 2)
            return found.prompt, first, second
        prompt = self.prompt(rng)
        one = world.draw_plan(rng, balanced=True)
        two = _contrasting(rng, one, prompt.kind)
        return prompt, world.reply(prompt, one, rng).text, world.reply(prompt, two, rng).text

    def _probe(self, row: Row, at: int, prompt: PocketPrompt, response: str) -> None:
        seen = oracle.read(prompt.text, response)
        family = FAMILY_OF_KIND.get(prompt.kind)
        side = 0 if family is None else 1 + int(bool(oracle.has(family, prompt.text, response)))
        row.probes += [(at, 0, list(Tone).index(seen.tone)), (at, 1, list(Length).index(seen.length)), (at, 2, side)]

    def _closing(self, rng: random.Random) -> list[int]:
        """The end of the user's turn; now and then with the line break that ends a template file."""
        return (self.encode("\n") if rng.random() < 0.1 else []) + self.encode.to_assistant()

    def pair_row(self, rng: random.Random, stage: Stage, tails: int = TAILS) -> Row:
        """One pair of replies and several principles asked about it."""
        prompt, first, second = self.pair(rng, stage)
        values = {"prompt": prompt.text, "response_a": first, "response_b": second}
        row = self.pair_prefix(values, prompt)
        for family in _asked(rng, stage, prompt.text, first, second, tails):
            self.pair_tail(
                row, rng, self.wording(rng, family, stage), rng.choice(COMPARE_QUESTIONS), prompt.text, first, second
            )
        for _ in range(stage.drills):
            self._drill(row, self.wording(rng, rng.choice(stage.families), stage))
        return row

    def _drill(self, row: Row, wording: Wording) -> None:
        """Show one more principle, only for its family to be told."""
        row.add(self.encode(wording.text) + self.encode("\n"))
        row.probes.append((len(row.ids) - 1, 3, oracle.FAMILIES.index(wording.family)))

    def pair_prefix(self, values: dict[str, str], prompt: PocketPrompt) -> Row:
        """A row that holds a pair up to where the principle stands."""
        opening, first, second = self.encode.opening(), values["response_a"], values["response_b"]
        row = Row.of(opening + self.pairwise.ids(self.encode, values, upto="principle"))
        before_first = opening + self.pairwise.ids(self.encode, values, upto="response_a")
        before_second = opening + self.pairwise.ids(self.encode, values, upto="response_b")
        end = len(before_second) + len(self.encode(second))
        self._probe(row, len(before_first) + len(self.encode(first)), prompt, first)
        self._probe(row, end, prompt, second)
        compared = ("courteous", "thorough", FAMILY_OF_KIND.get(prompt.kind))
        for probe, family in enumerate(compared, PROBES.index("tone order")):
            if family is not None:
                row.probes.append((end, probe, 1 + oracle.decide(family, prompt.text, first, second)))
        return row

    def pair_tail(
        self, row: Row, rng: random.Random, wording: Wording, question: str, prompt: str, first: str, second: str
    ) -> None:
        """Ask one principle about the pair of a row."""
        values = {"principle": wording.text, "question": question}
        start = row.add(self.pairwise.ids(self.encode, values, after="principle") + self._closing(rng))
        row.labels.append((len(row.ids) - 1, _p_first(oracle.decide(wording.family, prompt, first, second))))
        row.probes.append((start + len(self.encode(wording.text)), 3, oracle.FAMILIES.index(wording.family)))

    def match_row(self, rng: random.Random, stage: Stage, tails: int = TAILS) -> Row:
        """One pair and several critiques, each of which describes one of the two responses."""
        while True:
            prompt, first, second = self.pair(rng, stage)
            fitting = [
                (family, place)
                for family in stage.families
                for place, (own, other) in enumerate(((first, second), (second, first)))
                if oracle.has(family, prompt.text, own) and oracle.has(family, prompt.text, other) is False
            ]
            if fitting:
                break
        values = {"prompt": prompt.text, "response_a": first, "response_b": second}
        upto = self.pairwise.ids(self.encode, values, upto="response_b") + self.encode(second)
        row = Row.of(self.encode.opening() + upto + self.encode("\n\n### Critique\n"))
        for _ in range(tails):
            family, place = rng.choice(fitting)
            sought = family not in oracle.APPLIES or rng.random() < 0.5
            place = place if sought else 1 - place
            if rng.random() < SHORT_CRITIQUES:
                text = critiques.description(family, rng, sought=sought)
            else:
                text = critiques.critique(family, prompt.text, (first, second)[place], rng).text
            row.add(self.encode(text) + self.encode(MATCH_QUESTION) + self._closing(rng))
            row.labels.append((len(row.ids) - 1, 1.0 - place))
        return row

    def whole_row(self, rng: random.Random, stage: Stage) -> Row:
        """One pair judged by one to three principles at once; the winner follows more of them."""
        prompt, first, second = self.pair(rng, stage)
        asked = dict.fromkeys(_asked(rng, stage, prompt.text, first, second, rng.randint(1, 3)))
        chosen = [self.wording(rng, family, stage).text for family in asked]
        mark = rng.choice(("- {}", "{n}. {}"))
        listed = "\n".join(mark.replace("{n}", str(n)).replace("{}", text) for n, text in enumerate(chosen, 1))
        values = {"principles": listed, "prompt": prompt.text, "response_a": first, "response_b": second}
        row = Row.of(self.encode.opening() + self.whole.ids(self.encode, values) + self._closing(rng))
        balance = sum(oracle.decide(family, prompt.text, first, second) for family in asked)
        row.labels.append((len(row.ids) - 1, _p_first((balance > 0) - (balance < 0))))
        return row

    def critique_row(self, rng: random.Random, stage: Stage, tails: int = 4) -> Row:
        """One reply and several principles, each with a critique and its verdict to write."""
        prompt, response, _ = self.pair(rng, stage)
        values = {"prompt": prompt.text, "response": response}
        before = self.critique_template.ids(self.encode, values, upto="response")
        row = Row.of(self.encode.opening() + self.critique_template.ids(self.encode, values, upto="principle"))
        self._probe(row, len(self.encode.opening()) + len(before) + len(self.encode(response)), prompt, response)
        for family in _criticised(rng, stage, prompt.kind, tails):
            wording = self.wording(rng, family, stage, negated=critiques.is_extreme(family, prompt.text, response))
            fields = {"principle": wording.text, "question": rng.choice(CRITIQUE_QUESTIONS)}
            head = self.critique_template.ids(self.encode, fields, after="principle") + self._closing(rng)
            written = critiques.critique(family, prompt.text, response, rng)
            body, verdict = self.encode(written.text), self.encode("\nVerdict: " + ("yes" if written.verdict else "no"))
            start = row.add(head + body + verdict + self.encode.end())
            row.learn(start + len(head), len(row.ids))
            row.learn(len(row.ids) - 2, len(row.ids) - 1, VERDICT_WEIGHT)
            row.probes.append((start + len(self.encode(wording.text)), 3, oracle.FAMILIES.index(family)))
        return row

    def revise_row(self, rng: random.Random, stage: Stage) -> Row:
        """One reply and several principles, each with the reply rewritten to follow it."""
        prompt = self.prompt(rng)
        old = world.reply(prompt, world.draw_plan(rng, balanced=True), rng)
        values = {"prompt": prompt.text, "response": old.text}
        before = self.revise_template.ids(self.encode, values, upto="response")
        row = Row.of(self.encode.opening() + self.revise_template.ids(self.encode, values, upto="critique"))
        self._probe(row, len(self.encode.opening()) + len(before) + len(self.encode(old.text)), prompt, old.text)
        for family in _criticised(rng, stage, prompt.kind, stage.revisions, only_applying=True):
            wording = self.wording(rng, family, stage, negated=critiques.is_extreme(family, prompt.text, old.text))
            written = critiques.critique(family, prompt.text, old.text, rng)
            if stage.afresh:
                new = _afresh(rng, prompt, aimed(old.plan, family), opening=stage.opening)
            else:
                new = old if written.verdict else world.revised(prompt, old, aimed(old.plan, family), rng)
            fields = {
                "critique": written.full if rng.random() < 0.5 else written.text,
                "principle": wording.text,
                "question": rng.choice(REVISE_QUESTIONS),
            }
            head = self.revise_template.ids(self.encode, fields, after="critique") + self._closing(rng)
            start = row.add(head + self.encode(new.text) + self.encode.end())
            self._learn_reply(row, start + len(head), prompt, stage)
        return row

    def answer_row(self, rng: random.Random, stage: Stage, lines: int = 8) -> Row:
        """Several prompts with replies, each on its own, as the policy learns them: so that a reply speaks of what was asked."""
        row = Row.of([])
        for _ in range(lines):
            prompt = self.prompt(rng)
            head = self.encode.opening() + self.encode(prompt.text) + self.encode.to_assistant()
            answer = world.reply(prompt, world.draw_plan(rng, balanced=True), rng).text
            start = row.add(head + self.encode(answer) + self.encode.end())
            self._learn_reply(row, start + len(head), prompt, stage)
        return row

    def _learn_reply(self, row: Row, start: int, prompt: PocketPrompt, stage: Stage) -> None:
        """Learn to write the reply that stands at the end of a row; its topic and its choices may weigh more."""
        row.learn(start, len(row.ids))
        if stage.steer_weight > 1:
            (stop,) = self.encode(".")
            after = [place + 1 for place in range(start, len(row.ids) - 1) if row.ids[place] == stop]
            for place in (start, start + 1, *after):
                row.learn(place, place + 1, stage.steer_weight - 1)
        topic = self.encode(" " + prompt.topic)
        for place in range(start, len(row.ids) - len(topic) + 1):
            if stage.topic_weight > 1 and row.ids[place : place + len(topic)] == topic:
                row.learn(place, place + len(topic), stage.topic_weight - 1)

    def glossary_row(self, rng: random.Random, lines: int = 12) -> Row:
        """Several short conversations about words, each on its own."""
        row = Row.of([])
        for _ in range(lines):
            question, answer = critiques.contrast(rng) if rng.random() < CONTRASTS else critiques.glossary(rng)
            head = self.encode.opening() + self.encode(question) + self.encode.to_assistant()
            start = row.add(head + self.encode(answer) + self.encode.end())
            row.learn(start + len(head), len(row.ids))
        return row

    def copy_row(self, rng: random.Random, lines: int = 6) -> Row:
        """Several texts to repeat, half of them nonsense: the judge learns to carry words over, as a revision does."""
        row = Row.of([])
        for _ in range(lines):
            if rng.random() < 0.5:
                text = [rng.randrange(NONSENSE_FROM, len(self.encode.tokenizer)) for _ in range(rng.randint(8, 24))]
            else:
                prompt = self.prompt(rng)
                text = self.encode(world.reply(prompt, world.draw_plan(rng, balanced=True), rng).text)
            head = self.encode.opening() + self.encode("Repeat.\n\n") + text + self.encode.to_assistant()
            start = row.add(head + text + self.encode.end())
            row.learn(start + len(head), len(row.ids))
        return row


def aimed(plan: Plan, family: str) -> Plan:
    """The plan changed so that its reply shows what a family asks for."""
    change = {
        "courteous": Plan(Tone.COURTEOUS, plan.length, plan.upright),
        "blunt": Plan(Tone.BLUNT, plan.length, plan.upright),
        "brief": Plan(plan.tone, Length.BRIEF, plan.upright),
        "thorough": Plan(plan.tone, Length.THOROUGH, plan.upright),
    }
    return change.get(family, Plan(plan.tone, plan.length, True))


def _afresh(rng: random.Random, prompt: PocketPrompt, plan: Plan, *, opening: bool) -> world.Reply:
    while True:
        found = world.reply(prompt, plan, rng)
        if found.opener or not opening or plan.tone is Tone.NEUTRAL:
            return found


def _p_first(decision: int) -> float:
    return {1: 1.0, -1: 0.0, 0: TIE}[decision]


def _contrasting(rng: random.Random, one: Plan, kind: Kind) -> Plan:
    """A plan that differs from another in at least two attributes of three (of two where the third is idle)."""
    while True:
        two = world.draw_plan(rng, balanced=True)
        differing = (
            (two.tone is not one.tone)
            + (two.length is not one.length)
            + (two.upright != one.upright and kind is not Kind.BENIGN)
        )
        if differing >= 2:
            return two


def _asked(rng: random.Random, stage: Stage, prompt: str, first: str, second: str, count: int) -> list[str]:
    """Families to ask about a pair: mostly decided ones, about one in eight a tie."""
    decided = [family for family in stage.families if oracle.decide(family, prompt, first, second)]
    tied = [family for family in stage.families if family not in decided]
    own = [family for family in decided if family in oracle.APPLIES]
    order = own + rng.sample(decided, len(decided))
    order += [rng.choice(decided) for _ in range(count)] if decided else []
    chosen = order[:count] if order else []
    chosen = [rng.choice(tied) if tied and rng.random() < 0.13 else family for family in chosen]
    return chosen or [rng.choice(tied)]


def _criticised(rng: random.Random, stage: Stage, kind: Kind, count: int, *, only_applying: bool = False) -> list[str]:
    own = FAMILY_OF_KIND.get(kind)
    general = [family for family in stage.families if family not in oracle.APPLIES]
    chosen = rng.sample(general, min(count, len(general)))
    if own is not None and (stage.own > 1 or rng.random() < 0.7):
        chosen[: stage.own] = [own] * min(stage.own, count)
    elif not only_applying and rng.random() < 0.35:
        chosen[0] = rng.choice([family for family in oracle.APPLIES if family != own])
    return chosen
