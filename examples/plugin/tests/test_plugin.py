"""The three plug-ins keep Tenet's promises, and do what they are for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tenet_example.length_fair import LengthFairJudge

from constitution.model import Constitution, Principle
from engines.registry import create_engine
from judges.formats.registry import read_file
from judges.pairwise import PairwiseJudge
from tenet.config import make_config
from tenet.errors import InvalidInput
from tenet.judgeconfig import JudgeConfig
from tenet.plugins.check import check_exporter, check_importer, check_judge
from tenet.records import Finish, Message, Prompt, Sample

DUELS = Path(__file__).parent / "duels.jsonl"


@pytest.mark.parametrize("settings", [{}, {"per_doubling": 0}, {"per_doubling": 1.5}])
def test_the_judge_keeps_its_promises(settings: dict[str, float]) -> None:
    check_judge("length-fair", settings=settings)


def test_the_importer_keeps_its_promises() -> None:
    check_importer("duels", DUELS)


def test_the_exporter_keeps_its_promises() -> None:
    check_exporter("plain-pairs")


def test_a_response_of_four_times_the_length_loses_two_doublings() -> None:
    prompt = Prompt.of([Message("user", "Well?")])
    long, short = (Sample(f"s{n}", prompt.id, n, "word " * n, "policy", Finish.STOP) for n in (8, 2))
    engine = create_engine("scripted", "hash")
    file = Constitution("one", "1", "", "", (Principle("kind", "The response is kind."),))
    plain, fair = PairwiseJudge(engine, file), LengthFairJudge(engine, file, per_doubling=0.5)
    told = [judge.judge(judge.asks(prompt, long, short))[0].p_first for judge in (plain, fair)]
    odds = [p / (1 - p) for p in told if p is not None]
    assert odds[1] / odds[0] == pytest.approx(2.718281828459045 ** (-0.5 * 2))


def test_settings_are_checked_with_the_rest_of_the_file() -> None:
    with pytest.raises(InvalidInput) as caught:
        make_config({"model": "m", "kind": "length-fair", "settings": {"per_doublin": 1}}, JudgeConfig)
    assert "settings.per_doublin: unknown key" in str(caught.value)
    assert 'did you mean "per_doubling"' in str(caught.value)


def test_every_winner_is_read_and_an_abandoned_duel_is_left_out() -> None:
    found = read_file(DUELS, format="auto")
    assert found.format.name == "duels"
    choices = Counter(item.opinions[0].choice.value for _, item in found.items)
    assert choices == {"a": 1, "b": 1, "tie": 1}
    assert found.left_out == {"the duel was abandoned": 1}
