"""One row of each public format of preferences, made by hand with harmless texts, and what it comes to."""

from __future__ import annotations

from typing import Any

USER = {"role": "user", "content": "Why?"}
YES, NO = ({"role": "assistant", "content": text} for text in ("yes", "no"))
MORE = [USER, YES, {"role": "user", "content": "And?"}]
HH: dict[str, Any] = {
    "chosen": "\n\nHuman: Why?\n\nAssistant: So.\n\nHuman: And?\n\nAssistant: yes",
    "rejected": "\n\nHuman: Why?\n\nAssistant: So.\n\nHuman: And?\n\nAssistant: no",
}
HH_ODD: dict[str, Any] = {
    "chosen": "\n\nHuman: Why?\n\nAssistant: So.\n\nHuman: And?\n\nAssistant: yes",
    "rejected": "\n\nHuman: Why?\n\nAssistant: Well.\n\nHuman: And?\n\nAssistant: no",
}


def completion(text: str, model: str, *ratings: str) -> dict[str, Any]:
    names = ("helpfulness", "honesty")
    told = {name: {"Rating": one, "Rationale": ""} for name, one in zip(names, ratings, strict=True)}
    return {"response": text, "model": model, "custom_system_prompt": "", "annotations": told, "overall_score": 10.0}


ULTRAFEEDBACK: dict[str, Any] = {
    "source": "s", "instruction": "Why?", "models": ["m", "n", "o"], "correct_answers": ["None"], "incorrect_answers": ["None"],
    "completions": [completion("yes", "m", "5", "4"), completion("no", "n", "1", "N/A"), completion("so", "o", "5", "5")],
}  # fmt: skip
BINARIZED: dict[str, Any] = {
    "prompt": "Why?", "prompt_id": "x", "chosen": [USER, YES], "rejected": [USER, NO], "messages": [USER, YES],
    "score_chosen": 8.5, "score_rejected": 4.0,
}  # fmt: skip
HELPSTEER2: dict[str, Any] = {
    "prompt": "Why?", "response": "yes", "helpfulness": 4, "correctness": 4, "coherence": 4, "complexity": 1, "verbosity": 1,
}  # fmt: skip
HELPSTEER2_PREFERENCE: dict[str, Any] = {
    "split": "train", "prompt": "Why?", "response_1": "yes", "response_2": "no", "preference_strength": -2,
}  # fmt: skip
HELPSTEER3: dict[str, Any] = {
    "domain": "code", "language": "python", "context": MORE, "response1": "yes", "response2": "no", "overall_preference": 1,
    "individual_preference": [{"score": 3, "reasoning": "r"}, {"score": 0, "reasoning": "r"}, {"score": -1, "reasoning": "r"}],
}  # fmt: skip
SHP: dict[str, Any] = {
    "post_id": "p", "domain": "askbaking", "history": "Why?", "human_ref_A": "yes", "human_ref_B": "no", "score_A": 8, "score_B": 2,
    "labels": 1, "score_ratio": 4.0,
}  # fmt: skip
ARENA: dict[str, Any] = {
    "question_id": 81, "model_a": "m", "model_b": "n", "winner": "model_b", "judge": "expert_1",
    "conversation_a": [USER, YES, USER, YES], "conversation_b": [USER, NO, USER, YES], "turn": 1, "tstamp": 0.0,
}  # fmt: skip
ALPACA: dict[str, Any] = {
    "instruction": "Why?", "output_1": "yes", "output_2": "no", "preference": 2, "annotator_index": 3, "generator_1": "m",
    "generator_2": "n",
}  # fmt: skip
ARGILLA: dict[str, Any] = {
    "id": "1", "status": "completed", "prompt": "Why?", "response_a": "yes", "response_b": "no",
    "preference.responses": ["a", "tie", "b", "b"],
    "preference.responses.users": ["u1", "u2", "u3", "u4"], "preference.responses.status": ["submitted", "submitted", "draft", "discarded"],
    "preference.suggestion": None, "_server_id": "s",
}  # fmt: skip
ARENA_55K: dict[str, Any] = {
    "id": 1, "model_a": "m", "model_b": "n", "prompt": '["Why?"]', "response_a": '["yes"]', "response_b": '["no"]',
    "winner_model_a": 0, "winner_model_b": 1, "winner_tie": 0,
}  # fmt: skip
ARGILLA_1: dict[str, Any] = {
    "prompt": "Why?", "one": "yes", "two": "no", "three": "so", "rank-suggestion": None,
    "rank": [
        {"user_id": "u1", "status": "submitted",
         "value": [{"value": "one", "rank": 2}, {"value": "two", "rank": 1}, {"value": "three", "rank": 2}]},
    ],
    "external_id": None, "metadata": "{}",
}  # fmt: skip


def annotation(selected: str | None, who: Any = 7, **more: Any) -> dict[str, Any]:
    result = (
        [] if selected is None else [{"type": "pairwise", "from_name": "preference", "value": {"selected": selected}}]
    )
    return {
        "completed_by": who,
        "result": result,
        "was_cancelled": False,
        "created_at": "2026-01-31T12:00:00.000000Z",
        **more,
    }


LABEL_STUDIO: dict[str, Any] = {
    "id": 1, "data": {"prompt": "Why?", "left": "yes", "right": "no"},
    "annotations": [
        annotation("right"), annotation("left", {"email": "ann@example.org"}), annotation("left", was_cancelled=True), annotation(None),
        {**annotation(None), "result": [{"type": "choices", "value": {"choices": ["Tie"]}}]},
    ],
}  # fmt: skip
LABEL_STUDIO_MIN: dict[str, Any] = {
    "id": 1, "prompt": "Why?", "left": "yes", "right": "no", "preference": [{"selected": "right"}], "comment": "brief", "annotator": 7,
    "annotation_id": 3, "created_at": "2026-01-31T12:00:00.000000Z", "updated_at": "2026-01-31T12:00:00.000000Z", "lead_time": None,
}  # fmt: skip
TRL: dict[str, Any] = {"prompt": "Why?", "chosen": "yes", "rejected": "no"}
PUBLIC: dict[str, Any] = {
    "hh-rlhf": HH, "ultrafeedback": ULTRAFEEDBACK, "ultrafeedback-binarized": BINARIZED, "helpsteer2": HELPSTEER2,
    "helpsteer2-preference": HELPSTEER2_PREFERENCE, "helpsteer3": HELPSTEER3, "shp": SHP, "arena": ARENA,
    "arena-55k": ARENA_55K, "alpaca-eval": ALPACA,
    "argilla": ARGILLA, "argilla-1": ARGILLA_1, "label-studio": LABEL_STUDIO, "label-studio-min": LABEL_STUDIO_MIN, "trl": TRL,
}  # fmt: skip
