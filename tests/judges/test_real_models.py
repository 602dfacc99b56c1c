"""Judges on real transformers: a random model that nobody should trust, and the bundled pocket judge."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from constitution.load import load
from engines.base import Engine, SamplingParams
from engines.registry import create_engine
from generate.rank import rank
from generate.schedule import round_robin
from judges.aggregate import preferences
from judges.critique import CritiqueJudge
from judges.critique_first import CritiqueFirstJudge
from judges.pairwise import Mode, PairwiseJudge
from judges.preflight import preflight
from judges.probability import sigmoid
from judges.reasoning import ReasoningJudge
from judges.revise import Reviser
from pocket import JUDGE_PATH, oracle, world
from pocket.world import Length, Plan, Tone
from tenet.errors import JudgeUnfit
from tenet.records import Finish, Message, Outcome, Prompt, Sample, Verdict
from tests.judges.makers import constitution_of, principle, prompt_of, sample_of

PROMPT = prompt_of("How do I clean the kettle?")
REPLIES = [
    ("kind", "Thank you for asking! Rinse the kettle with warm water. I wish you a lovely day."),
    ("plain", "Rinse the kettle with warm water."),
    ("rude", "Are you lazy? Rinse the kettle with warm water. Stop wasting my time."),
]
SAMPLES = [Sample(name, PROMPT.id, n, text, "policy", Finish.STOP) for n, (name, text) in enumerate(REPLIES)]


@pytest.fixture(scope="module")
def random_model(tiny_model: Path) -> Iterator[Engine]:
    engine = create_engine("transformers", str(tiny_model))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def pocket_judge() -> Iterator[Engine]:
    if not (JUDGE_PATH / "model.safetensors").exists():
        pytest.skip("pocket/models/judge is not built (python -m pocket.build judge)")
    engine = create_engine("transformers", str(JUDGE_PATH))
    yield engine
    engine.close()


def test_a_model_that_does_not_answer_by_label_is_stopped(random_model: Engine) -> None:
    judge = PairwiseJudge(random_model, constitution_of(principle("kind")))
    with pytest.raises(JudgeUnfit, match="does not answer with A or B"):
        preflight(judge, [(PROMPT, SAMPLES[0], SAMPLES[1])])


def test_low_mass_is_recorded_as_such(random_model: Engine) -> None:
    judge = PairwiseJudge(random_model, constitution_of(principle("kind")))
    (found,) = judge.judge(judge.asks(PROMPT, SAMPLES[0], SAMPLES[1]))
    assert found.outcome is Outcome.LOW_MASS
    assert found.p_first is None
    assert found.label_mass is not None
    assert 0.0 < found.label_mass < 0.5


@pytest.mark.parametrize("mode", list(Mode))
def test_answers_do_not_depend_on_what_they_are_asked_with(random_model: Engine, mode: Mode) -> None:
    file = constitution_of(principle("kind"), principle("brief"))
    judge = PairwiseJudge(random_model, file, mode, min_label_mass=0.0)
    asks = [ask for first, second in round_robin(SAMPLES) for ask in judge.asks(PROMPT, first, second)]
    together, alone = judge.judge(asks), [judge.judge([ask])[0] for ask in asks]
    assert all(one.outcome.is_opinion for one in together)
    assert [one.id for one in together] == [one.id for one in alone]
    assert [one.p_first for one in together] == pytest.approx([one.p_first for one in alone], abs=1e-4)


def test_an_over_long_question_does_not_harm_its_neighbours(random_model: Engine) -> None:
    judge = PairwiseJudge(random_model, constitution_of(principle("kind")), min_label_mass=0.0)
    endless = sample_of("many words " * 500, prompt=PROMPT)
    asks = [*judge.asks(PROMPT, endless, SAMPLES[0]), *judge.asks(PROMPT, SAMPLES[0], SAMPLES[1])]
    long, fine = judge.judge(asks)
    assert (long.outcome, fine.outcome.is_opinion) == (Outcome.ERROR, True)


def in_three_tones(number: int, seed: int) -> Iterator[tuple[Prompt, dict[Tone, Sample]]]:
    """Held-out prompts of the pocket world, each with a courteous, a neutral and a blunt reply."""
    rng = random.Random(seed)
    for asked in world.prompts(number, seed, "heldout"):
        prompt, upright = prompt_of(asked.text), rng.random() < 0.5
        yield (
            prompt,
            {
                tone: sample_of(world.reply(asked, Plan(tone, Length.MEDIUM, upright), rng).text, prompt=prompt)
                for tone in Tone
            },
        )


@pytest.mark.parametrize(
    ("file", "best", "worst"),
    [("pocket/courteous", Tone.COURTEOUS, Tone.BLUNT), ("pocket/blunt", Tone.BLUNT, Tone.COURTEOUS)],
)
def test_the_pocket_judge_ranks_by_the_principles_file(
    pocket_judge: Engine, file: str, best: Tone, worst: Tone
) -> None:
    constitution = load(file)
    judge = PairwiseJudge(pocket_judge, constitution)
    material = list(in_three_tones(12, seed=5))
    report = preflight(judge, [(prompt, *list(replies.values())[:2]) for prompt, replies in material[:5]])
    assert report.median_mass is not None
    assert report.median_mass > 0.9
    right = 0
    for prompt, replies in material:
        asks = [ask for pair in round_robin(list(replies.values())) for ask in judge.asks(prompt, *pair)]
        found = preferences(judge.judge(asks), constitution)
        assert len(found) == 3
        ids = rank(prompt.id, found).sample_ids
        right += (ids[0], ids[-1]) == (replies[best].id, replies[worst].id)
    assert right >= 9, f"best and worst named in {right} of 12 prompts"


def test_the_pocket_judge_criticises(pocket_judge: Engine) -> None:
    (wanted,) = load("pocket/courteous").active
    critic = CritiqueJudge(pocket_judge)
    material = list(in_three_tones(12, seed=6))
    shown = [(prompt, replies[tone], tone) for prompt, replies in material for tone in (Tone.COURTEOUS, Tone.BLUNT)]
    found = critic.critique([ask for prompt, sample, _ in shown for ask in critic.asks(prompt, sample, wanted)])
    assert all(one.text and "Verdict" not in one.text for one in found)
    verdicts = {Tone.COURTEOUS: Verdict.YES, Tone.BLUNT: Verdict.NO}
    right = sum(one.verdict is verdicts[tone] for one, (_, _, tone) in zip(found, shown, strict=True))
    assert right >= 20, f"{right} of 24 verdicts are right"


def test_the_pocket_judge_revises(pocket_judge: Engine) -> None:
    (wanted,) = load("pocket/courteous").active
    critic, reviser = CritiqueJudge(pocket_judge), Reviser(pocket_judge)
    rude = [(prompt, replies[Tone.BLUNT]) for prompt, replies in in_three_tones(12, seed=6)]
    critiques = critic.critique([ask for prompt, sample in rude for ask in critic.asks(prompt, sample, wanted)])
    told = [(*one, critique) for one, critique in zip(rude, critiques, strict=True)]
    revised = reviser.revise(
        [ask for prompt, sample, critique in told for ask in reviser.asks(prompt, sample, wanted, critique)]
    )
    assert all(one.finish is Finish.STOP and one.text for one in revised)
    read = [oracle.read(prompt.text, one.text) for (prompt, _), one in zip(rude, revised, strict=True)]
    mended = sum(seen.tone is Tone.COURTEOUS and seen.on_topic for seen in read)
    assert mended >= 10, f"{mended} of 12 revisions are courteous and on topic"


def test_a_conversation_with_a_system_turn_is_judged(pocket_judge: Engine) -> None:
    talk = [
        Message("system", "You answer at a help desk."),
        Message("user", "Hi"),
        Message("assistant", "Hello!"),
    ]
    prompt = Prompt.of([*talk, Message("user", "How do I clean the kettle?")])
    judge = PairwiseJudge(pocket_judge, load("pocket/courteous"))
    (found,) = judge.judge(judge.asks(prompt, SAMPLES[0], SAMPLES[2]))
    assert found.outcome.is_opinion


@pytest.mark.parametrize("kind", [CritiqueFirstJudge, ReasoningJudge])
def test_a_verdict_after_a_text_is_a_read_of_its_own(
    pocket_judge: Engine, kind: type[CritiqueFirstJudge | ReasoningJudge]
) -> None:
    """The pocket judge has learnt neither to compare in writing nor to think; what counts here is what is sent and read."""
    params = SamplingParams(max_tokens=12, temperature=0.0)
    judge = kind(pocket_judge, load("pocket/courteous"), params=params, min_label_mass=0.0)
    asks = [*judge.asks(PROMPT, SAMPLES[0], SAMPLES[2]), *judge.asks(PROMPT, SAMPLES[2], SAMPLES[0])]
    told = judge.judge(asks)
    streamed = {one.id: one for one in judge.stream(asks)}
    for ask, one in zip(asks, told, strict=True):
        (read,) = pocket_judge.read_labels([judge.before_verdict(ask)], judge.labels)
        (direct,) = pocket_judge.read_labels([ask.request], judge.labels)
        assert one.p_first == pytest.approx(sigmoid(read.logprobs[0] - read.logprobs[1]), abs=1e-4)
        assert one.p_first != pytest.approx(sigmoid(direct.logprobs[0] - direct.logprobs[1]), abs=1e-4)
        assert one.critique or one.thinking
        assert 0 < (one.completion_tokens or 0) <= 12
        assert streamed[one.id].p_first == pytest.approx(one.p_first, abs=1e-3)
