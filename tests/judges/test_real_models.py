"""Judges on real transformers: a random model that nobody should trust, and the bundled pocket judge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from constitution.model import Constitution, Principle
from engines.base import Engine
from engines.registry import create_engine
from generate.rank import rank
from generate.schedule import round_robin
from judges.aggregate import preferences
from judges.critique import CritiqueJudge
from judges.pairwise import Mode, PairwiseJudge
from judges.preflight import preflight
from judges.revise import Reviser
from pocket import JUDGE_PATH
from tenet.errors import JudgeUnfit
from tenet.records import Finish, Outcome, Prompt, Sample, Verdict
from tests.judges.makers import constitution_of, principle, prompt_of, sample_of

COURTEOUS = Principle("courteous", "The response is courteous and thanks the person.")
BLUNT = Principle("blunt", "The response is blunt and rude.")
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


@pytest.mark.parametrize(
    ("wanted", "order"), [(COURTEOUS, ("kind", "plain", "rude")), (BLUNT, ("rude", "plain", "kind"))]
)
def test_the_pocket_judge_ranks_by_the_principle(
    pocket_judge: Engine, wanted: Principle, order: tuple[str, ...]
) -> None:
    file = Constitution("pocket", "1", "", "", (wanted,))
    judge = PairwiseJudge(pocket_judge, file)
    report = preflight(judge, [(PROMPT, SAMPLES[0], SAMPLES[1])])
    assert report.median_mass is not None
    assert report.median_mass > 0.9
    asks = [ask for first, second in round_robin(SAMPLES) for ask in judge.asks(PROMPT, first, second)]
    found = preferences(judge.judge(asks), file)
    assert len(found) == 3
    ranking = rank(PROMPT.id, found)
    assert (ranking.sample_ids[0], ranking.sample_ids[-1]) == (order[0], order[-1])


def test_the_pocket_judge_criticises_and_revises(pocket_judge: Engine) -> None:
    critic, reviser = CritiqueJudge(pocket_judge), Reviser(pocket_judge)
    kind, rude = critic.critique([ask for n in (0, 2) for ask in critic.asks(PROMPT, SAMPLES[n], COURTEOUS)])
    assert (kind.verdict, rude.verdict) == (Verdict.YES, Verdict.NO)
    assert kind.text
    assert "Verdict" not in rude.text
    (revision,) = reviser.revise(reviser.asks(PROMPT, SAMPLES[2], COURTEOUS, rude))
    assert revision.finish is Finish.STOP
    assert "kettle" in revision.text


def test_a_conversation_with_a_system_turn_is_judged(pocket_judge: Engine) -> None:
    from tenet.records import Message

    talk = [
        Message("system", "You answer at a help desk."),
        Message("user", "Hi"),
        Message("assistant", "Hello!"),
    ]
    prompt = Prompt.of([*talk, Message("user", "How do I clean the kettle?")])
    judge = PairwiseJudge(pocket_judge, Constitution("pocket", "1", "", "", (COURTEOUS,)))
    (found,) = judge.judge(judge.asks(prompt, SAMPLES[0], SAMPLES[2]))
    assert found.outcome.is_opinion
