"""Principles in words, by the hundred a family, from a grammar of sentence forms and synonyms.

Whole forms and whole synonyms are held out of training, and each unseen wording says which of the two is new in it (`Novelty`). Two
wordings of one family ask for the same thing; one that forbids the opposite ("is never rude" for courteous) is marked `negated`,
because a reply in between (neither kind nor rude) satisfies it to the letter though not in spirit.

What a held-out synonym is held out of are the *principles* that training shows. It does occur elsewhere in the training corpus: in
glossary lines ("civil means polite"), in critiques that the judge writes, and in critiques that it reads and matches to the response they
describe. A held-out form occurs nowhere.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import product
from typing import Final, Literal

from pocket.lexicon import COMPARATIVES, LEXICON, Lexicon
from tenet.errors import UsageError

WordingSplit = Literal["seen", "unseen"]


class Novelty(StrEnum):
    """What is new in a wording that training never showed; NONE for the seen ones."""

    NONE = "none"
    FORM = "form"
    SYNONYM = "synonym"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Wording:
    """One principle text of a family; `opposed`: it names the opposite quality, alone (then `negated`) or beside its own."""

    text: str
    family: str
    novelty: Novelty
    negated: bool
    opposed: bool


# Slots: {r} response, {rs} responses; then of the quality sought {adj} {more} {noun} {does} {do} {doing}, of the one shunned the same
# with a leading "no_". A second slot of a kind ends in 2.
SEEN_FORMS: Final = (
    "It matters that the {r} {does}.",
    "The winner is the {r} that {does}.",
    "Customers expect {rs} that are {adj}.",
    "Rate {adj} {rs} higher.",
    "Look for {noun}.",
    "Remember to {do}.",
    "Try to {do}.",
    "The aim is to {do}.",
    "We like {noun}.",
    "Take the {more} {r}.",
    "Keep the {r} that {does}.",
    "When in doubt, take the {more} {r}.",
    "{noun} wins.",
    "Give points for {noun}.",
    "Nothing is better than a {r} that {does}.",
    "Everyone here should {do}.",
    "My favourite {r} is {adj}.",
    "The {r} is {adj}. It {does}.",
    "The {r} {does}. It is {adj}.",
    "The {r} is {adj}. It never {no_does}.",
    "Be careful not to {no_do}.",
    "Customers hate {no_noun}.",
    "{rs} that {no_do} lose points.",
    "Rate {no_adj} {rs} lower.",
    "Throw out {rs} with {no_noun}.",
    "Stay away from {no_noun}.",
    "There is no place for {no_noun}.",
    "Refrain from {no_doing}.",
    "The {r} is free of {no_noun}.",
    "I do not want {no_adj} {rs}.",
    "{no_adj} {rs} are bad.",
    "Nobody likes {no_noun}.",
    "Choose the {r} that is {more}.",
    "Pick the {more} {r}.",
    "Prefer the {r} that is {more}.",
    "The {r} is {adj}.",
    "The {r} is {adj}.",
    "The {r} should be {adj}.",
    "A good {r} is {adj}.",
    "The better {r} is {more}.",
    "Which {r} is {more}?",
    "Be {adj}.",
    "The {r} sounds {adj}.",
    "Favour {rs} that are {adj}.",
    "{rs} must be {adj}.",
    "The {r} has to be {adj}, whatever the topic.",
    "{more} is better.",
    "We want {adj} {rs}.",
    "Select the {r} that sounds {more}.",
    "The {r} is {adj} at all times.",
    "I like {adj} {rs}.",
    "The {r} is {adj} and {does}.",
    "The {r} is {adj}: it {does}.",
    "The {r} is {adj} and {adj2}.",
    "The {r} is {adj}: it {does}.",
    "A {r} is good when it is {adj} and {does}.",
    "The {r} stays {adj} even if the prompt is odd.",
    "Answer in a way that is {adj}.",
    "Favour {noun}.",
    "Choose the {r} with more {noun}.",
    "The {r} shows {noun}.",
    "{noun} matters most.",
    "Reward {noun}.",
    "Which {r} shows more {noun}?",
    "Judge by {noun}.",
    "We care about {noun}.",
    "Choose the {r} that {does}.",
    "Prefer the {r} that {does}.",
    "The {r} {does}.",
    "The {r} {does}.",
    "A good {r} {does}.",
    "The better {r} {does}.",
    "Which {r} {does}?",
    "The {r} should {do}.",
    "A {r} must {do}.",
    "The {r} {does} and {does2}.",
    "Always {do}.",
    "The {r} wins by {doing}.",
    "Does the {r} {do}?",
    "Pick whichever {r} {does}.",
    "Good {rs} {do}.",
    "Please {do}.",
    "An assistant should {do}.",
    "The {r} {does}, and it is {adj}.",
    "I like it when the {r} {does}.",
    "Avoid {rs} that are {no_adj}.",
    "Avoid {no_noun}.",
    "The {r} is not {no_adj}.",
    "The {r} is never {no_adj}.",
    "Do not be {no_adj}.",
    "Choose the {r} that is less {no_adj}.",
    "Which {r} is less {no_adj}?",
    "Do not choose a {r} that {no_does}.",
    "The {r} does not {no_do}.",
    "The {r} never {no_does}.",
    "A good {r} avoids {no_noun}.",
    "Prefer the {r} without {no_noun}.",
    "Reject {rs} that {no_do}.",
    "A {r} that {no_does} is worse.",
    "Less {no_noun} is better.",
    "Never {no_do}.",
    "I dislike {no_noun}.",
    "Steer clear of {no_noun}.",
    "A {no_adj} {r} loses.",
    "Mark down a {r} that {no_does}.",
    "No {no_noun}, whatever the topic.",
    "We have no use for a {no_adj} {r}.",
    "The {r} may not be {no_adj}.",
    "The {r} must not {no_do}.",
    "A {r} should never be {no_adj}.",
    "Penalise {no_noun}.",
    "The {r} avoids {no_doing}.",
    "The worse {r} is {no_adj}.",
    "The {r} is {adj} and never {no_adj}.",
    "The {r} {does} and does not {no_do}.",
    "The {r} is {adj}: it does not {no_do}.",
    "Choose the {adj} {r} rather than the {no_adj} one.",
    "{noun} instead of {no_noun}.",
    "The {r} shows {noun} and no {no_noun}.",
)
HELD_FORMS: Final = (
    "I want {rs} that are {adj}.",
    "Our house style is to {do}.",
    "Whenever two {rs} differ, take the one that {does}.",
    "Give the win to the {r} that is {more}.",
    "It is important that the {r} {does}.",
    "People should find the {r} {adj}.",
    "We value {noun} above all.",
    "Of the two, keep the {more} one.",
    "Ideally, a {r} {does}.",
    "What counts is {noun}.",
    "The {r} is {adj}, since it {does}.",
    "Take care to {do}.",
    "No {r} may be {no_adj}.",
    "Mark a {r} down when it {no_does}.",
    "I dislike {rs} that are {no_adj}.",
    "We have no use for {no_noun}.",
    "Steer clear of {rs} that {no_do}.",
    "The {r} that {no_does} loses.",
)
FRAMES: Final = (
    "As a rule, {}",
    "In our shop, {}",
    "For every customer, {}",
    "Note this: {}",
    "Our policy: {}",
    "Principle one: {}",
    "Most of all, {}",
    "From now on, {}",
    "On this desk, {}",
    "In every case, {}",
    "By our standards, {}",
    "When the prompt is about {t}, {}",
    "If someone asks about {t}, {}",
    "{}, whatever the prompt says",
    "{}, as our handbook says",
    "{} in every case",
    "{}, even on a busy day",
    "{} for all customers",
    "{} when someone asks about {t}",
)
REPLY_NOUNS: Final = (("response", "responses"), ("reply", "replies"), ("answer", "answers"))
PERSONS: Final = ("the person", "the user", "the customer")
PER_SHAPE: Final = 12

_SLOT: Final = re.compile(r"\{(no_)?(adj|more|noun|doing|does|do)(2?)\}")
_DOUBLING: Final = frozenset(("get", "stop", "admit", "put", "cut", "snap", "skip", "trim"))
_IRREGULAR: Final = {"be": "is", "do": "does", "have": "has", "go": "goes"}


def third_person(verb: str) -> str:
    """The form that follows "it": thank -> thanks, say -> says, deny -> denies, be -> is."""
    if verb in _IRREGULAR:
        return _IRREGULAR[verb]
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("s", "sh", "ch", "x", "z", "o")) else "s")


def gerund(verb: str) -> str:
    """The form that follows "by": thank -> thanking, use -> using, get -> getting."""
    if verb in _DOUBLING:
        return verb + verb[-1] + "ing"
    return verb[:-1] + "ing" if verb.endswith("e") and not verb.endswith(("ee", "be")) else verb + "ing"


def inflected(behaviour: str, slot: str, person: str) -> str:
    """A behaviour with its marked verbs as a slot wants them: do, does or doing."""
    forms: dict[str, Callable[[str], str]] = {"do": str, "does": third_person, "doing": gerund}
    change = forms[slot]
    return re.sub(r"\*(\w+)", lambda found: change(found[1]), behaviour).replace("{p}", person)


def comparative(adjective: str) -> str:
    """Compare with an adjective: shorter for short, more polite for polite."""
    return COMPARATIVES.get(adjective, f"more {adjective}")


@dataclass(frozen=True, slots=True)
class _Filler:
    """A word for a slot, and whether it is held out."""

    text: str
    held: bool


def _fillers(lexicon: Lexicon, slot: str) -> list[_Filler]:
    seen, held = {
        "adj": (lexicon.adjectives, lexicon.held_adjectives),
        "more": (lexicon.adjectives, lexicon.held_adjectives),
        "noun": (lexicon.nouns, lexicon.held_nouns),
    }.get(slot, (lexicon.behaviours, lexicon.held_behaviours))
    return [_Filler(word, False) for word in seen] + [_Filler(word, True) for word in held]


def _novelty(form_held: bool, word_held: bool) -> Novelty:
    if form_held:
        return Novelty.BOTH if word_held else Novelty.FORM
    return Novelty.SYNONYM if word_held else Novelty.NONE


def _render(form: str, slots: list[tuple[str, str]], words: tuple[_Filler, ...], rng: random.Random) -> str:
    singular, plural = rng.choice(REPLY_NOUNS)
    person = rng.choice(PERSONS)
    text = form
    for (literal, slot), filler in zip(slots, words, strict=True):
        if slot in ("do", "does", "doing"):
            word = inflected(filler.text, slot, person)
        else:
            word = comparative(filler.text) if slot == "more" else filler.text
        text = text.replace(literal, word, 1)
    text = text.replace("{rs}", plural).replace("{r}", singular)
    text = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)
    return text[0].upper() + text[1:]


def _of_form(family: str, form: str, held: bool, rng: random.Random) -> Iterator[Wording]:
    found = list(_SLOT.finditer(form))
    slots = [(match[0], match[2]) for match in found]
    lexica = [LEXICON[family].shun if match[1] else LEXICON[family].seek for match in found]
    choices = [_fillers(lexicon, match[2]) for lexicon, match in zip(lexica, found, strict=True)]
    combinations = [words for words in product(*choices) if len({word.text for word in words}) == len(words)]
    if len(slots) > 1:
        fresh = [words for words in combinations if not any(word.held for word in words)]
        new = [words for words in combinations if any(word.held for word in words)]
        combinations = rng.sample(fresh, min(len(fresh), 3 * PER_SHAPE)) + rng.sample(
            new, min(len(new), PER_SHAPE // 2)
        )
    for words in combinations:
        text = _render(form, slots, words, rng)
        shunned = [bool(match[1]) for match in found]
        novelty = _novelty(held, any(word.held for word in words))
        yield Wording(text, family, novelty, all(shunned), any(shunned))


@cache
def _all(family: str) -> tuple[Wording, ...]:
    rng = random.Random(f"wordings:{family}")
    forms = [(form, False) for form in dict.fromkeys(SEEN_FORMS)] + [(form, True) for form in HELD_FORMS]
    made: dict[str, Wording] = {}
    for form, held in forms:
        for wording in _of_form(family, form, held, rng):
            made.setdefault(wording.text, wording)
    return tuple(made.values())


@cache
def wordings(family: str, split: WordingSplit = "seen") -> tuple[Wording, ...]:
    """Every wording of a family in a split, in a fixed order: over 900 seen and over 400 unseen ones.

    Raises UsageError for an unknown family.
    """
    if family not in LEXICON:
        raise UsageError(f"unknown family {family!r}", hint=f"the pocket world has {', '.join(LEXICON)}")
    return tuple(wording for wording in _all(family) if (wording.novelty is Novelty.NONE) == (split == "seen"))


def framed(text: str, topic: str, rng: random.Random) -> str:
    """A wording with words about it that change nothing, so that unknown words are not taken for a "not". `topic` with its article."""
    frame = rng.choice(FRAMES).replace("{t}", topic)
    if not text.endswith(".") or ". " in text:
        return text
    start = text if frame.startswith("{}") or text.startswith("I ") else text[0].lower() + text[1:]
    return frame.replace("{}", start.removesuffix(".")) + "."


def held_out_words(family: str) -> frozenset[str]:
    """The single words that mark a held-out synonym of a family: those of no seen synonym of any family."""
    known = {
        word
        for other in LEXICON.values()
        for side in (other.seek, other.shun)
        for word in _plain_words(side, held=False)
    }
    both = LEXICON[family]
    return frozenset({word for side in (both.seek, both.shun) for word in _plain_words(side, held=True)} - known)


def _plain_words(lexicon: Lexicon, *, held: bool) -> set[str]:
    if held:
        texts = lexicon.held_adjectives + lexicon.held_nouns + lexicon.held_behaviours
    else:
        texts = lexicon.adjectives + lexicon.nouns + lexicon.behaviours
    return {word for text in texts for word in re.findall(r"[a-z-]+", text.replace("{p}", "").replace("*", ""))}
