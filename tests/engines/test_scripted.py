"""The scripted engine answers by its rule, and its faults come as ordered."""

import math
from pathlib import Path

import pytest

from engines.base import Request, SamplingParams
from engines.prompting import Template
from engines.registry import create_engine
from engines.rules import Rule, pair_of
from tenet.errors import EngineError, UsageError
from tenet.records import Finish

PROMPTS = Path(__file__).parents[2] / "judges" / "prompts"
PAIRWISE, WHOLE, CRITIQUE, REVISE = (
    Template.load(PROMPTS / f"{name}.txt") for name in ("pairwise", "pairwise-whole", "critique", "revise")
)


def ask(engine, a, b, prompt="How?"):
    spans = PAIRWISE.fill(prompt=prompt, response_a=a, response_b=b, principle="P", question="Which?")
    return Request(engine.tokenizer.chat([("user", spans)]))


def p_first(engine, *requests):
    labels = engine.tokenizer.label_set(["A", "B"])
    reads = engine.read_labels(list(requests), labels)
    return [math.exp(r.logprobs[0]) / (math.exp(r.logprobs[0]) + math.exp(r.logprobs[1])) for r in reads]


def test_the_rule_decides_and_log_odds_are_the_difference_of_scores():
    with create_engine("scripted", "word:please", options={"gain": 0.5}) as engine:
        found = p_first(engine, ask(engine, "Please, please wait.", "Wait."), ask(engine, "Wait.", "Please wait."))
        # two more of the word: 0.5 * 2.0 * 2 = 2; one fewer: -1
        assert found == pytest.approx([1 / (1 + math.exp(-2)), 1 / (1 + math.exp(1))])


def test_label_mass_is_what_was_ordered():
    with create_engine("scripted", "longer", options={"label_mass": 0.7}) as engine:
        read = engine.read_labels([ask(engine, "a b", "a")], engine.tokenizer.label_set(["A", "B"]))[0]
        assert sum(map(math.exp, read.logprobs)) == pytest.approx(0.7)


def test_longer_and_shorter_are_opposites():
    texts = ("one two three", "one")
    with create_engine("scripted", "longer") as longer, create_engine("scripted", "shorter") as shorter:
        a, b = p_first(longer, ask(longer, *texts))[0], p_first(shorter, ask(shorter, *texts))[0]
        assert a > 0.5 > b
        assert a + b == pytest.approx(1)


def test_position_bias_helps_whichever_is_first():
    with create_engine("scripted", "hash", options={"position_bias": 3.0}) as engine:
        there, back = p_first(engine, ask(engine, "x", "y"), ask(engine, "y", "x"))
        assert math.log(there / (1 - there)) + math.log(back / (1 - back)) == pytest.approx(6.0)


def test_responses_are_found_in_every_pairwise_prompt():
    filled = WHOLE.fill(principles="- P\n- Q", prompt="How?", response_a="first\n\nmore", response_b="second")
    assert pair_of("".join(span.text for span in filled)) == ("first\n\nmore", "second")
    assert pair_of("nothing to compare") is None


def test_critiques_and_revisions_share_the_taste():
    params = SamplingParams(max_tokens=200)
    with create_engine("scripted", "word:please") as engine:

        def write(template, **fields):
            turns = [("user", template.fill(prompt="How?", principle="P", question="Q", **fields))]
            return engine.generate([Request(engine.tokenizer.chat(turns))], params)[0]

        assert write(CRITIQUE, response="Please wait.").text.endswith("\nVerdict: yes")
        assert write(CRITIQUE, response="Wait.").text.endswith("\nVerdict: no")
        assert write(REVISE, response="Wait.", critique="Rude.").text == "Wait. Please."


def test_answers_vary_with_the_seed_and_repeat_with_it():
    with create_engine("scripted", "hash") as engine:
        turns = engine.tokenizer.chat([("user", PAIRWISE.fill(
            prompt="p", response_a="a", response_b="b", principle="P", question="Q"))])  # fmt: skip
        texts = [c.text for c in engine.generate([Request(turns, seed) for seed in (*range(8), 0)], SamplingParams())]
        assert len(set(texts[:8])) > 4
        assert texts[8] == texts[0]
        cold = engine.generate([Request(turns, 1), Request(turns, 2)], SamplingParams(temperature=0.0))
        assert cold[0].text == cold[1].text


def test_limits_are_kept():
    with create_engine("scripted", "hash", options={"max_length": 400}) as engine:
        short = Request(engine.tokenizer.chat([("user", [])]))
        found = engine.generate([short, Request((65,) * 400)], SamplingParams(max_tokens=5))
        assert (len(found[0].tokens), found[0].finish) == (5, Finish.LENGTH)
        assert found[1].finish is Finish.ERROR


def test_faults_strike_their_share_and_always_the_same_requests():
    with create_engine("scripted", "longer", options={"errors": 0.2, "low_mass": 0.2}) as engine:
        requests = [ask(engine, f"a {n}", "b") for n in range(400)]
        labels = engine.tokenizer.label_set(["A", "B"])
        first, again = engine.read_labels(requests, labels), engine.read_labels(requests[::-1], labels)[::-1]
        assert first == again
        assert sum(bool(read.error) for read in first) == pytest.approx(80, abs=25)
        masses = [sum(map(math.exp, read.logprobs)) for read in first if not read.error]
        assert sum(mass < 0.5 for mass in masses) == pytest.approx(64, abs=25)


def test_transient_faults_pass():
    with create_engine("scripted", "longer", options={"errors": 1.0, "transient": True}) as engine:
        labels = engine.tokenizer.label_set(["A", "B"])
        assert engine.read_labels([ask(engine, "a b", "a")], labels)[0].error == "a fault on order"
        assert engine.read_labels([ask(engine, "a b", "a")], labels)[0].error == ""


def test_unparsed_critiques_have_no_verdict():
    with create_engine("scripted", "longer", options={"unparsed": 1.0}) as engine:
        turns = [("user", CRITIQUE.fill(prompt="x", response="y", principle="P", question="Q"))]
        text = engine.generate([Request(engine.tokenizer.chat(turns))], SamplingParams())[0].text
        assert text
        assert "Verdict" not in text


def test_rules_and_options_are_checked():
    with pytest.raises(UsageError, match=r"no rule 'nicest'[\s\S]*word:WORD"):
        create_engine("scripted", "nicest")
    with pytest.raises(UsageError, match="did you mean errors"):
        create_engine("scripted", "hash", options={"error": 0.1})
    with create_engine("scripted", "hash") as engine, pytest.raises(EngineError, match="two responses"):
        engine.read_labels([], [(1,)])


def test_the_fingerprint_knows_the_script_and_not_the_latency():
    slow = create_engine("scripted", "hash", options={"latency": 0.0, "noise": 1.0}).info
    assert slow == create_engine("scripted", "hash", options={"noise": 1.0}).info
    assert slow != create_engine("scripted", "hash").info
    assert Rule("hash").score("x") == Rule("hash").score("x")
