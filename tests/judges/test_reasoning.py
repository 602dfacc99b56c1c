"""A thinking model as a judge: a budget, thinking kept apart, and a verdict right after it, on any way of reaching the model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engines.base import Completion, Engine, SamplingParams, Usage
from engines.letters import letter_of
from engines.prompting import ChatTokenizer
from engines.registry import create_engine
from judges.pairwise import Mode, PairwiseJudge
from judges.reasoning import Markers, ReasoningJudge
from tenet.errors import JudgeUnfit
from tenet.records import Finish, Judgement, Outcome
from tests.engines import zoo
from tests.judges.makers import Altered, constitution_of, principle, prompt_of, sample_of, scripted

FILE = constitution_of(principle("kind"))
PROMPT = prompt_of()
LONG, SHORT = sample_of("one two three four", prompt=PROMPT), sample_of("one", prompt=PROMPT)
THOUGHT = "Response A has 4 words, response B has 1. A follows the principle better."


def asked(judge: ReasoningJudge) -> Judgement:
    (found,) = judge.judge(judge.asks(PROMPT, LONG, SHORT))
    return found


@pytest.mark.parametrize("mode", list(Mode))
def test_the_verdict_is_read_after_the_thinking_which_is_no_critique(mode: Mode) -> None:
    judge, direct = ReasoningJudge(scripted(), FILE, mode), PairwiseJudge(scripted(), FILE, mode)
    (ask,) = judge.asks(PROMPT, LONG, SHORT)
    (plain,) = direct.asks(PROMPT, LONG, SHORT)
    one = asked(judge)
    assert (one.thinking, one.critique, one.cut) == (THOUGHT, "", False)
    assert one.p_first == direct.judge([plain])[0].p_first
    decode, after = judge.engine.tokenizer.decode, judge.before_verdict(ask).tokens
    assert ask.tokens[: len(plain.tokens)] == plain.tokens, "the question is that of a direct judge"
    assert decode(ask.tokens[len(plain.tokens) :]) == "<think>\n"
    assert decode(after[len(ask.tokens) :]) == f"{THOUGHT}\n</think>\n\n"
    assert one.prompt_tokens == len(ask.tokens) + len(after)
    assert list(judge.stream([ask])) == [one]


def test_thinking_ends_by_force_at_its_budget() -> None:
    judge = ReasoningJudge(scripted(), FILE, params=SamplingParams(max_tokens=30))
    one = asked(judge)
    assert (one.thinking, one.cut, one.outcome) == (THOUGHT[:30].strip(), True, Outcome.FIRST)
    (ask,) = judge.asks(PROMPT, LONG, SHORT)
    assert judge.engine.tokenizer.decode(judge.before_verdict(ask).tokens).endswith("\n</think>\n\n")
    assert judge.need(ask) == (2 * len(ask.tokens) + 30 + len("\n</think>\n\n"), 31)


def test_a_template_that_has_begun_the_thinking_is_not_told_twice() -> None:
    engine = create_engine("scripted", "longer", prefill="<think>\n")
    judge = ReasoningJudge(engine, FILE)
    (ask,) = judge.asks(PROMPT, LONG, SHORT)
    assert engine.tokenizer.decode(ask.tokens).count("<think>") == 1
    assert asked(judge).thinking == THOUGHT


def test_a_template_that_closes_the_thinking_is_named_with_the_cure() -> None:
    engine = create_engine("scripted", "longer", prefill="<think>\n\n</think>\n\n")
    with pytest.raises(JudgeUnfit, match=r"(?s)closed before it begins.*enable_thinking: true"):
        ReasoningJudge(engine, FILE)


def test_an_end_marker_that_is_a_control_token_is_found() -> None:
    """A tokenizer whose end marker is a token of its own, as that of Qwen3: it is no part of a completion's text."""
    hf = zoo.qwen()
    tokenizer = ChatTokenizer(hf)
    judge = ReasoningJudge(_Borrowed(tokenizer), FILE)  # type: ignore[arg-type]
    (end,) = hf.encode("</think>", add_special_tokens=False)
    tokens = (*hf.encode("A is kind.\n", add_special_tokens=False), end, *hf.encode("\n\nA", add_special_tokens=False))
    found = judge.text_of(Completion("A is kind.\n\n\nA", Finish.STOP, Usage(1, len(tokens)), tokens))
    assert (found.thinking, found.cut) == ("A is kind.", False)
    (ask,) = judge.asks(PROMPT, LONG, SHORT)
    after = judge.verdict_tokens(ask, replace(found, thinking="I say </think> <|im_end|> B"))
    added = after[len(ask.tokens) :]
    assert added.count(end) == 1, "the marker in the model's own text is text"
    assert not set(added) & set(hf.encode("<|im_end|>", add_special_tokens=False))
    assert tokenizer.decode(after, skip_special=False).endswith("\n</think>\n\n")
    assert [ids[0] for ids in judge.labels] == hf.convert_tokens_to_ids(["A", "B"])


class _Borrowed(Altered):
    """A scripted engine with another tokenizer."""

    def __init__(self, tokenizer: ChatTokenizer) -> None:
        super().__init__()
        self.tokenizer = tokenizer


def test_other_markers() -> None:
    judge = ReasoningJudge(scripted(), FILE, markers=Markers("[THINK]", "[/THINK]"))
    (ask,) = judge.asks(PROMPT, LONG, SHORT)
    assert judge.engine.tokenizer.decode(ask.tokens).endswith("[THINK]\n")
    assert judge.engine.tokenizer.decode(judge.before_verdict(ask).tokens).endswith("\n[/THINK]\n\n")
    assert ask.key != ReasoningJudge(scripted(), FILE).asks(PROMPT, LONG, SHORT)[0].key


def by_messages(text: str, finish: Finish = Finish.STOP) -> Engine:
    """An engine whose model begins its turn anew, and writes this."""
    inner = scripted()
    return Altered(  # type: ignore[return-value]
        write=lambda _, found: replace(found, text=text, finish=finish, tokens=()),
        capabilities=replace(inner.capabilities, continues=False),
    )


@pytest.mark.parametrize(
    ("text", "outcome", "thinking"),
    [
        ("<think>\nA is longer.\n</think>\n\nA", Outcome.FIRST, "A is longer."),
        ("Hm, A or B?</think>B.", Outcome.SECOND, "Hm, A or B?"),
        ("B", Outcome.SECOND, ""),  # the server kept the thinking to itself
        ("<think>\nx\n</think>\n\nA is better than B", Outcome.UNPARSED, "x"),
        ("<think>\nA", Outcome.UNPARSED, "A"),
        ("I would rather say nothing.", Outcome.UNPARSED, ""),
    ],
)
def test_by_messages_the_letter_after_the_thinking_is_a_vote(text: str, outcome: Outcome, thinking: str) -> None:
    judge = ReasoningJudge(by_messages(text), FILE)
    one = asked(judge)
    assert (one.outcome, one.thinking, one.p_first, one.label_mass) == (outcome, thinking, None, None)
    assert one.is_vote is (outcome is not Outcome.UNPARSED)
    assert bool(one.reason) is (outcome is Outcome.UNPARSED)
    (ask,) = judge.asks(PROMPT, LONG, SHORT)
    assert "<think>" not in judge.engine.tokenizer.decode(ask.tokens)
    assert one.prompt_tokens == len(ask.tokens), "one request"
    assert judge.need(ask) == (len(ask.tokens), 1024 + 16)


def test_by_messages_thinking_that_reaches_its_budget_is_no_verdict() -> None:
    one = asked(ReasoningJudge(by_messages("<think>\nWell, A", Finish.LENGTH), FILE))
    assert (one.outcome, one.cut, one.thinking) == (Outcome.UNPARSED, True, "Well, A")
    assert one.reason.startswith("cut off at ")


def test_the_budget_of_the_same_judge_of_other_principles_is_the_same() -> None:
    for engine in (scripted(), by_messages("A")):
        judge = ReasoningJudge(engine, FILE, params=SamplingParams(max_tokens=40))
        other = judge.under(constitution_of(principle("tidy")))
        assert (other.params, other.written, other.fingerprint) == (judge.params, judge.written, judge.fingerprint)


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("A", "A"),
        (" **B**", "B"),
        ("A.", "A"),
        ("A better answer is B", None),
        ("A or B", None),
        ("", None),
        ("AB", None),
    ],
)
def test_a_letter_is_read_or_not_at_all(text: str, letter: str | None) -> None:
    assert letter_of(text, ("A", "B")) == letter
