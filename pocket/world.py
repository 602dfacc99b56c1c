"""The pocket world: templated prompts of a help desk, and replies whose attributes are chosen beforehand.

Four kinds of prompt (benign, harmful, unknowable, opinion) and three choices for a reply: tone, length, and whether it does the right
thing where its prompt tempts it (refuse, admit the unknown, correct). Knows no judge and no model. The truth about a text is read back
from the text by `pocket.oracle`, never remembered from here.

The split is part of each prompt: a prompt is held out when the first byte of the sha256 of its text is divisible by five, so that about
one in five is never trained on, whatever the seed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from hashlib import sha256
from typing import Final, Literal

from pocket import phrases, questions
from tenet.errors import UsageError

Split = Literal["train", "heldout"]


class Kind(StrEnum):
    """What a prompt asks for."""

    BENIGN = "benign"
    HARMFUL = "harmful"
    UNKNOWABLE = "unknowable"
    OPINION = "opinion"


class Tone(StrEnum):
    """How a reply speaks to the person."""

    COURTEOUS = "courteous"
    NEUTRAL = "neutral"
    BLUNT = "blunt"


class Length(StrEnum):
    """How much a reply says: about 8-25, 26-46 and 47-80 words."""

    BRIEF = "brief"
    MEDIUM = "medium"
    THOROUGH = "thorough"


KIND_SHARES: Final[dict[Kind, float]] = {Kind.BENIGN: 0.4, Kind.HARMFUL: 0.2, Kind.UNKNOWABLE: 0.2, Kind.OPINION: 0.2}
TONE_SHARES: Final[dict[Tone, float]] = {Tone.COURTEOUS: 0.35, Tone.NEUTRAL: 0.4, Tone.BLUNT: 0.25}
EXTRAS: Final[dict[Length, tuple[int, ...]]] = {Length.BRIEF: (0,), Length.MEDIUM: (2,), Length.THOROUGH: (5,)}
BRIEF_WORDS: Final = 25
THOROUGH_WORDS: Final = 47


@dataclass(frozen=True, slots=True)
class PocketPrompt:
    """One prompt of the world. `intent` names what a benign prompt wants (fix, clean, ...) and equals the kind elsewhere."""

    text: str
    kind: Kind
    topic: str
    intent: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The attributes that a reply is written with. `upright`: refuses, admits or corrects, where the prompt's kind calls for it."""

    tone: Tone
    length: Length
    upright: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply in its pieces, so that one attribute can be changed and everything else kept (see `revised`)."""

    opener: str
    lead: str
    core: str
    extras: tuple[str, ...]
    closer: str
    plan: Plan

    @property
    def text(self) -> str:
        """The reply as it is read."""
        core = self.lead + (_uncapitalised(self.core) if self.lead else self.core)
        return " ".join(part for part in (self.opener, core, *self.extras, self.closer) if part)


def split_of(text: str) -> Split:
    """Which split a prompt's text belongs to; a property of the text alone."""
    return "heldout" if sha256(text.encode()).digest()[0] % 5 == 0 else "train"


def with_article(topic: str) -> str:
    """The topic with its article: "a kettle", "an iron"."""
    return f"{'an' if topic[0] in 'aeiou' else 'a'} {topic}"


def _fill(template: str, topic: str) -> str:
    return template.replace("a {t}", with_article(topic)).replace("{a}", with_article(topic)).replace("{t}", topic)


def _uncapitalised(sentence: str) -> str:
    return sentence if sentence.startswith(("I ", "I'")) else sentence[0].lower() + sentence[1:]


@cache
def all_prompts() -> tuple[PocketPrompt, ...]:
    """Every prompt of the world, in a fixed order (more than 4,000, all different)."""
    kinds = [(Kind.BENIGN, intent, forms) for intent, forms in questions.BENIGN_PROMPTS.items()]
    kinds += [
        (Kind.HARMFUL, Kind.HARMFUL.value, questions.HARMFUL_PROMPTS),
        (Kind.UNKNOWABLE, Kind.UNKNOWABLE.value, questions.UNKNOWABLE_PROMPTS),
        (Kind.OPINION, Kind.OPINION.value, questions.OPINION_PROMPTS),
    ]
    return tuple(
        PocketPrompt(_fill(form, topic), kind, topic, intent)
        for kind, intent, forms in kinds
        for form in forms
        for topic in questions.TOPICS
    )


@cache
def pool(split: Split, kind: Kind) -> tuple[PocketPrompt, ...]:
    """Every prompt of a split and kind, in a fixed order."""
    return tuple(prompt for prompt in all_prompts() if prompt.kind is kind and split_of(prompt.text) == split)


def prompts(n: int, seed: int, split: Split = "train", kinds: tuple[Kind, ...] = tuple(Kind)) -> list[PocketPrompt]:
    """Draw `n` different prompts of a split, kinds in the world's shares (0.4 benign, 0.2 each other) as long as they last.

    Raises UsageError where the split holds fewer than `n` prompts of these kinds.
    """
    rng = random.Random(f"prompts:{seed}:{split}")
    pools = {kind: rng.sample(pool(split, kind), len(pool(split, kind))) for kind in kinds}
    held = sum(len(pool) for pool in pools.values())
    if n > held:
        raise UsageError(
            f"the pocket world has {held} prompts of split {split!r}, not {n}", hint=f"ask for at most {held}"
        )
    chosen: list[PocketPrompt] = []
    while len(chosen) < n:
        left = [kind for kind in kinds if pools[kind]]
        kind = rng.choices(left, [KIND_SHARES[kind] for kind in left])[0]
        chosen.append(pools[kind].pop())
    return chosen


def draw_plan(rng: random.Random, *, balanced: bool = False) -> Plan:
    """Draw the attributes of a reply: in the policy's broad mixture, or with all tones alike where `balanced`."""
    weights = [1.0, 1.0, 1.0] if balanced else list(TONE_SHARES.values())
    tone = rng.choices(list(TONE_SHARES), weights)[0]
    return Plan(tone, rng.choice(list(Length)), rng.random() < 0.5)


def cores(prompt: PocketPrompt, upright: bool) -> tuple[str, ...]:
    """The sentences that can answer a prompt, still with their placeholders."""
    if prompt.kind is Kind.BENIGN:
        powered = phrases.POWERED_CORES[prompt.intent] if prompt.topic in questions.POWERED else ()
        return phrases.BENIGN_CORES[prompt.intent] + powered
    return _BANKS[prompt.kind, upright][0]


def extras(prompt: PocketPrompt, upright: bool) -> tuple[str, ...]:
    """The sentences that can follow the core of an answer."""
    return phrases.BENIGN_EXTRAS if prompt.kind is Kind.BENIGN else _BANKS[prompt.kind, upright][1]


_BANKS: Final = {
    (Kind.HARMFUL, True): (phrases.REFUSALS, phrases.REFUSAL_EXTRAS),
    (Kind.HARMFUL, False): (phrases.COMPLIANCES, phrases.COMPLIANCE_EXTRAS),
    (Kind.UNKNOWABLE, True): (phrases.HONEST_CORES, phrases.HONEST_EXTRAS),
    (Kind.UNKNOWABLE, False): (phrases.OVERCLAIM_CORES, phrases.OVERCLAIM_EXTRAS),
    (Kind.OPINION, True): (phrases.CORRECTION_CORES, phrases.CORRECTION_EXTRAS),
    (Kind.OPINION, False): (phrases.FLATTERY_CORES, phrases.FLATTERY_EXTRAS),
}
_TONE_BANKS: Final = {
    Tone.COURTEOUS: (phrases.COURTEOUS_OPENERS, phrases.COURTEOUS_LEADS, phrases.COURTEOUS_CLOSERS),
    Tone.BLUNT: (phrases.BLUNT_OPENERS, phrases.BLUNT_LEADS, phrases.BLUNT_CLOSERS),
}


def _frame(rng: random.Random, plan: Plan) -> tuple[str, str, str]:
    """Opener, lead-in and closer of a tone. A brief reply has room for one of opener and closer; tone shows at least once."""
    if plan.tone is Tone.NEUTRAL:
        opener = rng.choice(phrases.NEUTRAL_OPENERS) if rng.random() < 0.4 else ""
        closer = rng.choice(phrases.NEUTRAL_CLOSERS) if rng.random() < 0.3 else ""
        return opener, "", closer if plan.length is not Length.BRIEF or not opener else ""
    openers, leads, closers = _TONE_BANKS[plan.tone]
    both = plan.length is not Length.BRIEF and rng.random() < 0.5
    first = rng.random() < 0.55
    opener = rng.choice(openers) if both or first else ""
    closer = rng.choice(closers) if both or not first else ""
    lead = rng.choice(leads) if rng.random() < 0.2 else ""
    return opener, lead, closer


def reply(prompt: PocketPrompt, plan: Plan, rng: random.Random) -> Reply:
    """Write a reply to a prompt with the attributes of a plan; a draft whose length came out in another class is drawn again."""
    while True:
        draft = _draft(prompt, plan, rng)
        if length_of(len(draft.text.split())) is plan.length:
            return draft


def length_of(count: int) -> Length:
    """The length class of a number of words."""
    return Length.BRIEF if count <= BRIEF_WORDS else Length.THOROUGH if count >= THOROUGH_WORDS else Length.MEDIUM


def _draft(prompt: PocketPrompt, plan: Plan, rng: random.Random) -> Reply:
    opener, lead, closer = _frame(rng, plan)
    core = _fill(rng.choice(cores(prompt, plan.upright)), prompt.topic)
    more = rng.sample(extras(prompt, plan.upright), rng.choice(EXTRAS[plan.length]))
    return Reply(_fill(opener, prompt.topic), lead, core, tuple(more), closer, plan)


def revised(prompt: PocketPrompt, old: Reply, plan: Plan, rng: random.Random) -> Reply:
    """Rewrite a reply to another plan, keeping every piece that the change does not touch (its core at least, where lengths clash)."""
    for _ in range(20):
        fresh = _revision(prompt, old, plan, reply(prompt, plan, rng))
        if length_of(len(fresh.text.split())) is plan.length:
            return fresh
    return replace(reply(prompt, plan, rng), core=fresh.core)


def _revision(prompt: PocketPrompt, old: Reply, plan: Plan, fresh: Reply) -> Reply:
    same_tone, same_length = plan.tone is old.plan.tone, plan.length is old.plan.length
    same_side = prompt.kind is Kind.BENIGN or plan.upright is old.plan.upright
    opener, lead, closer = (old.opener, old.lead, old.closer) if same_tone else (fresh.opener, fresh.lead, fresh.closer)
    if plan.length is Length.BRIEF and opener and closer:
        closer = ""
    core = old.core if same_side else fresh.core
    if same_side and same_length:
        more = old.extras
    elif same_side:
        new = [sentence for sentence in fresh.extras if sentence not in old.extras]
        more = (*old.extras, *new)[: len(fresh.extras)]
    else:
        more = fresh.extras
    return Reply(opener, lead, core, more, closer, plan)
