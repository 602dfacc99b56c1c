"""A judge as the source of rewards: against references from a file, or of single responses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pocket import JUDGE_PATH
from tenet.errors import InvalidInput, UsageError
from tenet.judgeconfig import JudgeConfig
from tenet.records import Message, Prompt
from tests.train.serving.test_server import asking
from train.serving.references import read_references
from train.serving.setup import Knobs, judge_service

COURTEOUS = "pocket/courteous"
LAMP = [{"role": "user", "content": "Where is the lamp?"}]
KITE = [{"role": "user", "content": "Where is the kite?"}]
KIND = "Hello, thank you for asking. The lamp is in the shed. I wish you a lovely day."
PLAIN = "The lamp is in the shed."
RUDE = "The lamp is in the shed. Use your head next time, this is basic stuff."


def config(kind: str = "pairwise") -> JudgeConfig:
    letters = kind != "pairwise"
    return JudgeConfig(model=str(JUDGE_PATH), kind=kind, principles="each", letters=letters)  # type: ignore[arg-type]


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_judge_of_pairs_gives_the_probability_of_beating_the_reference(tmp_path: Path) -> None:
    rows = [{"prompt": turns[0]["content"], "reference": text} for turns, text in ((LAMP, PLAIN), (KITE, RUDE))]
    said: list[str] = []
    service = judge_service(config(), COURTEOUS, write(tmp_path / "r.jsonl", *rows), Knobs(say=said.append))
    offline = service.source.score([LAMP, LAMP, LAMP], [KIND, RUDE, PLAIN])
    with asking(service) as client:
        told = client.post(
            "/score", json={"prompts": [LAMP, LAMP, LAMP, "Where?"], "responses": [KIND, RUDE, PLAIN, KIND]}
        ).json()
        rendered = "<|im_start|>user\nWhere is the lamp?<|im_end|>\n<|im_start|>assistant\n"
        body = {"query": [f"{rendered}{KIND}<|im_end|>"], "prompts": [rendered], "labels": [""]}
        openrlhf = client.post("/get_reward", json=body).json()
        unknown = client.post("/get_reward", json={"query": ["Where? Here."], "prompts": ["Where? "]})
        health = client.get("/health").json()
    service.source.close()
    kind, rude, same, missing = told["rewards"]
    assert [kind, rude, same] == pytest.approx(offline, abs=1e-5)
    assert kind > 0.5 > rude
    assert same == 0.5
    assert missing is None
    assert told["scores"] == told["rewards"]
    assert openrlhf["rewards"] == pytest.approx([kind], abs=1e-5)
    assert openrlhf["extra_logs"]["judge_p"] == openrlhf["rewards"]
    assert unknown.status_code == 422
    assert health["kind"] == "judge"
    assert len(health["principles"]) == 64
    assert any("label mass" in line for line in said)


def test_a_judge_of_single_responses_needs_no_reference() -> None:
    asked = replace(config("propositions"), min_label_mass=0.0)  # the pocket judge only knows how to compare
    service = judge_service(asked, COURTEOUS, None, Knobs())
    offline = service.source.score([LAMP, LAMP], [KIND, RUDE])
    with asking(service) as client:
        told = client.post("/score", json={"prompts": [LAMP, LAMP], "responses": [KIND, RUDE]}).json()
    service.source.close()
    assert told["rewards"] == pytest.approx(offline, abs=1e-5)
    assert all(0 <= one <= 1 for one in told["rewards"])


def test_a_judge_is_told_apart_by_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to compare with"):
        judge_service(config(), COURTEOUS, None, Knobs())
    reference = write(tmp_path / "r.jsonl", {"prompt": "Where?", "response": "Here."})
    with pytest.raises(UsageError, match="looks at one response alone"):
        judge_service(config("rating"), COURTEOUS, reference, Knobs())


def test_references_are_read_from_files_of_several_forms(tmp_path: Path) -> None:
    rows = [
        {"prompt": " Where is the lamp?\n", "reference": "In the shed."},
        {"prompt": KITE, "response": [{"role": "assistant", "content": "In the tree."}]},
        {"prompt": "Nobody answers?", "reference": None},
        *[{"prompt": "Where is the lamp?", "reference": "In the shed."}] * 30,
    ]
    found, lines = read_references(write(tmp_path / "r.jsonl", *rows))
    assert len(found) == 2
    assert found(Prompt.of([Message("user", "Where is the lamp?")])) == "In the shed."
    assert found(Prompt.of([Message("user", "Where is the kite?")])) == "In the tree."
    assert found(Prompt.of([Message("user", "Where is the sea?")])) is None
    assert any("no text in any of the columns" in line for line in lines)


def test_two_references_to_one_prompt_are_a_mistake(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", {"prompt": "a?", "reference": "b"}, {"prompt": "a?", "reference": "c"})
    with pytest.raises(InvalidInput, match="several responses to one prompt") as error:
        read_references(path)
    assert "r.jsonl:2" in str(error.value)
