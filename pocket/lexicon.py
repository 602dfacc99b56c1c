"""The words in which principles of each family are put: synonyms, nouns and behaviours, and which of them are held out.

A `Lexicon` says one quality in many words. A family is a quality to seek and the quality opposed to it, which principles can forbid.
Held-out words are in no training principle. They may stand elsewhere in the training corpus (glossary lines, critiques that the judge
reads or writes), because a model without any other reading cannot know a word that it has never met.

In behaviours, `*` marks the verbs to inflect and `{p}` stands for the person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Lexicon:
    """One quality in words. `comparatives` are those that do not take "more"; the last three fields are held out of training principles."""

    adjectives: tuple[str, ...]
    nouns: tuple[str, ...]
    behaviours: tuple[str, ...]
    held_adjectives: tuple[str, ...] = ()
    held_nouns: tuple[str, ...] = ()
    held_behaviours: tuple[str, ...] = ()

    def __add__(self, other: Lexicon) -> Lexicon:
        return Lexicon(
            self.adjectives + other.adjectives,
            self.nouns + other.nouns,
            self.behaviours + other.behaviours,
            self.held_adjectives + other.held_adjectives,
            self.held_nouns + other.held_nouns,
            self.held_behaviours + other.held_behaviours,
        )


@dataclass(frozen=True)
class Family:
    """A quality to seek and the quality that stands against it."""

    seek: Lexicon
    shun: Lexicon


COMPARATIVES: Final = {
    "kind": "kinder",
    "warm": "warmer",
    "nice": "nicer",
    "friendly": "friendlier",
    "rude": "ruder",
    "harsh": "harsher",
    "cold": "colder",
    "mean": "meaner",
    "short": "shorter",
    "brief": "briefer",
    "crisp": "crisper",
    "terse": "terser",
    "long": "longer",
    "full": "fuller",
    "safe": "safer",
    "wordy": "wordier",
    "gruff": "gruffer",
    "pithy": "pithier",
    "nasty": "nastier",
}

COURTESY: Final = Lexicon(
    (
        "polite",
        "courteous",
        "friendly",
        "kind",
        "warm",
        "respectful",
        "gracious",
        "considerate",
        "pleasant",
        "nice",
        "well-mannered",
        "welcoming",
    ),
    (
        "courtesy",
        "politeness",
        "kindness",
        "warmth",
        "respect",
        "friendliness",
        "good manners",
        "thanks and good wishes",
    ),
    (
        "*thank {p}",
        "*greet {p}",
        "*wish {p} well",
        "*offer a kind word",
        "*treat {p} with respect",
        "*show good manners",
        "*use friendly words",
        "*welcome {p}",
        "*thank {p} and *wish them well",
        "*greet or *thank {p}",
        "*speak kindly to {p}",
        "*greet or *thank {p} and *wish them well",
        "*say please or thank you",
        "*wish {p} a good day",
        "*be glad to help",
        "*make {p} feel welcome",
    ),
    ("civil", "cordial", "tactful", "amiable"),
    ("civility", "tact"),
    ("*show tact", "*use cordial words", "*stay civil", "*sound amiable"),
)
BLUNTNESS: Final = Lexicon(
    (
        "rude",
        "blunt",
        "harsh",
        "impolite",
        "unfriendly",
        "insulting",
        "disrespectful",
        "cold",
        "mean",
        "nasty",
        "dismissive",
        "impatient",
    ),
    ("rudeness", "bluntness", "harshness", "insults", "contempt", "impatience", "bad manners", "harsh words"),
    (
        "*insult {p}",
        "*scold {p}",
        "*mock {p}",
        "*call {p} lazy or foolish",
        "*send {p} away",
        "*complain about {p}",
        "*show no patience",
        "*use harsh words",
        "*tell {p} to go away",
        "*talk down to {p}",
        "*blame {p}",
        "*scold {p} or *send them away",
        "*say that {p} wastes its time",
        "*speak rudely to {p}",
    ),
    ("abrasive", "curt", "scornful", "gruff"),
    ("scorn", "mockery"),
    ("*sneer at {p}", "*belittle {p}", "*snap at {p}", "*use scornful words"),
)
BREVITY: Final = Lexicon(
    ("short", "brief", "concise", "compact", "crisp", "to the point", "quick to read"),
    ("brevity", "conciseness", "shortness", "few words"),
    (
        "*use few words",
        "*get to the point",
        "*say only what matters",
        "*say what matters in one or two sentences",
        "*use fewer words",
        "*stop after one or two sentences",
        "*leave out extra detail",
        "*keep it short",
        "*answer in a single sentence",
        "*answer in one or two sentences",
        "*take little time to read",
        "*waste no words",
        "*make its point at once and *stop",
    ),
    ("succinct", "terse", "pithy"),
    ("economy", "compression"),
    ("*stay terse", "*answer in a pithy sentence", "*trim every spare word"),
)
DETAIL: Final = Lexicon(
    ("long", "detailed", "thorough", "complete", "full", "extensive", "rich in detail", "lengthy"),
    ("detail", "depth", "length", "thoroughness", "completeness", "many words", "extra information"),
    (
        "*give more detail",
        "*explain every step",
        "*cover the topic in depth",
        "*add useful extra information",
        "*use many sentences",
        "*say a lot about the topic",
        "*go into detail",
        "*use more words",
        "*give several pieces of advice",
        "*explain at length",
        "*cover the topic in many sentences",
        "*add further advice and detail",
        "*leave nothing out",
        "*explain the matter in full",
    ),
    ("comprehensive", "elaborate", "exhaustive"),
    ("breadth", "elaboration"),
    ("*elaborate on every point", "*give ample background", "*give an exhaustive account"),
)
WORDINESS: Final = Lexicon(
    ("wordy", "rambling"), ("padding", "long replies"), ("*ramble", "*go on and on", "*add padding")
)
SKIMPING: Final = Lexicon(
    ("skimpy", "too short"), ("haste", "short replies"), ("*stop too early", "*leave out detail", "*skip steps")
)
HARMLESSNESS: Final = Lexicon(
    ("harmless", "safe", "responsible", "lawful", "unwilling to do harm"),
    ("safety", "harmlessness", "responsibility", "the law"),
    (
        "*refuse to help with crime",
        "*decline harmful requests",
        "*say no to theft or damage",
        "*turn down dangerous requests",
        "*refuse harmful requests",
        "*protect other people from harm",
        "*refuse to assist with anything illegal",
        "*say no to a harmful plan",
        "*keep other people and their things safe",
        "*decline to help with theft or damage",
        "*refuse when the request would hurt someone",
    ),
    ("ethical", "law-abiding"),
    ("ethics",),
    ("*rebuff a wicked request", "*veto wrongdoing", "*withhold aid from wrongdoing"),
)
HARM: Final = Lexicon(
    ("harmful", "dangerous", "illegal", "unsafe", "irresponsible", "criminal"),
    ("harm", "danger", "crime", "help with theft", "help with damage"),
    (
        "*help with theft",
        "*help someone do harm",
        "*give advice on a crime",
        "*assist a crime",
        "*explain how to damage things",
        "*support a harmful plan",
        "*go along with a harmful request",
        "*tell people how to steal",
        "*help to hurt someone",
    ),
    ("unlawful", "wicked"),
    ("wrongdoing",),
    ("*abet wrongdoing", "*facilitate unlawful acts"),
)
HONESTY: Final = Lexicon(
    ("honest", "candid", "humble", "open about doubt", "modest about what it knows", "truthful about its limits"),
    ("honesty", "humility", "candour", "honesty about doubt", "openness about doubt"),
    (
        "*admit what it does not know",
        "*say when something is unknown",
        "*be honest about doubt",
        "*admit that it does not know",
        "*say that nobody can know",
        "*admit uncertainty",
        "*make clear that it can only guess",
        "*be open about what is uncertain",
        "*say so when it does not know",
        "*admit the limits of its knowledge",
        "*admit that the future is unknown",
    ),
    ("forthright", "unpretentious"),
    ("frankness",),
    ("*concede ignorance", "*acknowledge its ignorance", "*own up to doubt"),
)
OVERCONFIDENCE: Final = Lexicon(
    ("overconfident", "falsely certain", "boastful", "too sure of itself", "certain without reason"),
    ("false certainty", "overconfidence", "empty promises", "boasting", "made-up facts"),
    (
        "*claim to know the future",
        "*pretend to know",
        "*promise what nobody can know",
        "*make up facts",
        "*guarantee an unknown outcome",
        "*sound certain about the unknown",
        "*present a guess as a fact",
        "*claim false certainty",
    ),
    ("cocksure", "presumptuous"),
    ("hubris",),
    ("*bluff", "*feign certainty"),
)
INDEPENDENCE: Final = Lexicon(
    ("independent", "objective", "impartial", "free of flattery", "ready to disagree", "critical of false claims"),
    ("independence", "objectivity", "disagreement with false claims", "facts over flattery"),
    (
        "*correct a false claim",
        "*disagree when the user is wrong",
        "*stand by the facts",
        "*correct the user",
        "*point out mistakes",
        "*say that a false claim is wrong",
        "*contradict a false belief",
        "*keep its own view",
        "*put facts before praise",
        "*tell the user when a claim is not true",
        "*correct the claim and *stay with the facts",
    ),
    ("unbiased", "even-handed"),
    ("autonomy",),
    ("*rectify a misconception", "*refute the claim", "*debunk the claim"),
)
FLATTERY: Final = Lexicon(
    ("flattering", "sycophantic", "fawning", "servile", "eager to agree"),
    ("flattery", "sycophancy", "empty praise", "blind agreement"),
    (
        "*flatter the user",
        "*agree with everything",
        "*praise the user",
        "*agree with a false claim",
        "*tell the user what they want to hear",
        "*call the user a genius",
        "*repeat the user's mistake",
        "*admire whatever the user says",
        "*give in to the user's opinion",
    ),
    ("obsequious", "ingratiating"),
    ("adulation",),
    ("*pander to the user", "*butter up the user"),
)

LEXICON: Final[dict[str, Family]] = {
    "courteous": Family(COURTESY, BLUNTNESS),
    "blunt": Family(BLUNTNESS, COURTESY),
    "brief": Family(BREVITY, DETAIL + WORDINESS),
    "thorough": Family(DETAIL, BREVITY + SKIMPING),
    "harmless": Family(HARMLESSNESS, HARM),
    "honest": Family(HONESTY, OVERCONFIDENCE),
    "independent": Family(INDEPENDENCE, FLATTERY),
}
OPPOSED_QUALITIES: Final = (
    (COURTESY, BLUNTNESS),
    (BREVITY, DETAIL),
    (HARMLESSNESS, HARM),
    (HONESTY, OVERCONFIDENCE),
    (INDEPENDENCE, FLATTERY),
)
QUALITIES: Final = tuple(quality for pair in OPPOSED_QUALITIES for quality in pair)
