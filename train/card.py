"""Writes the model card of a training from its record: what was trained, on whose labels, and how well it did.

Says only what train.json says. Knows no trainer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tenet.runs.atomic import write_text
from train.judgecard import trust
from train.provenance import Origin

_WHAT: Final = {
    "sft": "A model fine-tuned on demonstrations",
    "reward": "A reward model trained on preference pairs by Bradley-Terry",
    "dpo": "A policy trained on preference pairs by DPO",
    "kto": "A policy trained by KTO on responses that are good with a probability",
    "online-dpo": "A policy trained by DPO on its own responses, preferred while it learnt",
    "ppo": "A policy trained by PPO on rewards for its own responses",
    "rloo": "A policy trained by RLOO on rewards for its own responses",
}
_TAGS: Final[Mapping[str, str]] = {name: name for name in _WHAT} | {"reward": "reward-model"}
_POLICY: Final = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("PATH_OF_THIS_FOLDER")
tokenizer = AutoTokenizer.from_pretrained("PATH_OF_THIS_FOLDER")"""
_REWARD: Final = """\
from transformers import AutoModelForSequenceClassification, AutoTokenizer

model = AutoModelForSequenceClassification.from_pretrained("PATH_OF_THIS_FOLDER")
tokenizer = AutoTokenizer.from_pretrained("PATH_OF_THIS_FOLDER")
turns = [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]
reward = model(**tokenizer.apply_chat_template(turns, return_tensors="pt", return_dict=True)).logits[0, 0]"""
_ADAPTER: Final = """\
from peft import AutoPeftModelFor{kind}

model = AutoPeftModelFor{kind}.from_pretrained("PATH_OF_THIS_FOLDER")  # loads the base model too"""
_SOFT: Final = {
    True: "Labels are probabilities.",
    False: "The data has no probabilities: every label counts as certain.",
}
_SHOWN: Final = {
    "train_loss": "mean training loss (nats)",
    "label_entropy": "entropy of the labels: the least loss possible (nats)",
    "eval_loss": "loss on held-out rows",
    "eval_pairs": "held-out pairs",
    "eval_pair_accuracy": "accuracy on held-out pairs (by weight, ties left out)",
    "eval_brier": "Brier score against the labels",
    "eval_ece": "expected calibration error, both orders",
    "eval_log_loss": "log loss on held-out pairs (nats)",
    "eval_entropy": "entropy of the held-out labels (nats)",
    "eval_reward": "reward on held-out prompts",
    "eval_kl_k1": "KL to the model at the beginning, held out (nats a response)",
    "eval_completions/mean_length": "length of responses to held-out prompts (tokens)",
}
_ENTROPY_OF_TOKENS: Final = "entropy of the next token, held out (nats)"

_MODEL_ENTROPY: Final = {"eval_entropy": "entropy of the model on held-out rows (nats a token)"}
_OTHERWISE: Final[Mapping[str, Mapping[str, str]]] = {
    "sft": _MODEL_ENTROPY,
    "kto": {
        "train_loss": "mean training loss (KTO's, between 0 and the larger weight)",
        "eval_rewards/margins": "implicit reward of good less that of bad held-out responses",
        **_MODEL_ENTROPY,
    },
}
"""Methods whose trainers measure something else under a name of `_SHOWN`."""


def write_card(folder: Path, record: Mapping[str, Any]) -> None:
    """Write README.md beside the model, from the record of its training."""
    lines = [*_head(record), *_body(folder.name, record)]
    write_text(folder / "README.md", "\n".join(lines) + "\n")


def _head(record: Mapping[str, Any]) -> Iterator[str]:
    model = record["identity"]["model"]["name"]
    yield "---"
    yield f"base_model: {json.dumps(model, ensure_ascii=False)}"
    yield "library_name: transformers"
    yield f"tags: [tenet, trl, {_TAGS[record['method']]}]"
    yield "---"


def _body(name: str, record: Mapping[str, Any]) -> Iterator[str]:
    config, data, result = record["config"], record["data"], record["result"]
    model = record["identity"]["model"]
    yield from ("", f"# {name}", "")
    revision = f" (revision {model['revision'][:12]})" if model.get("revision") else ""
    yield f"{_WHAT[record['method']]}, beginning with `{model['name']}`{revision}."
    yield from ("", "## Load it", "", "```python", _loading(record), "```")
    yield from ("", "## Rewards" if "reward" in data else "## Labels", "")
    if "reward" in data:
        yield _reward(data["reward"])
    else:
        yield from _labels(record)
    yield from ("", "## Data", "")
    census = data["census"]
    yield f"`{Path(data['path']).name}`, digest `{str(record['identity']['data'])[:16]}`."
    yield f"{census['kept']:,} of {census['rows']:,} rows were usable; {data['train_rows']:,} were trained on,"
    yield f"{data['held_out_rows']:,} held out."
    for reason, count in census["dropped"].items():
        yield f"- left out, {reason}: {count:,}"
    yield from ("", "## Measured", "", "| | |", "|---|---:|")
    special = {"eval_entropy": _ENTROPY_OF_TOKENS} if "reward" in data else _OTHERWISE.get(record["method"], {})
    for key, words in {**_SHOWN, **special}.items():
        if key in result["metrics"]:
            value = result["metrics"][key]
            yield f"| {words} | {value:,.0f} |" if key == "eval_pairs" else f"| {words} | {value:.4f} |"
    yield from ("", "## Settings", "", "| | |", "|---|---|")
    for key in sorted(config):
        if config[key] not in (None, [], {}) and key not in ("model", "data", "out", "name"):
            yield f"| {key} | {json.dumps(config[key], ensure_ascii=False)} |"
    yield f"| steps | {result['steps']:,} |"
    if record.get("licence"):
        yield from (
            "",
            "## Licence",
            "",
            f"`{model['name']}` is under `{record['licence']}` by its own card, which may bind this model too.",
        )
    versions = ", ".join(f"{package} {version}" for package, version in record["versions"].items() if version)
    yield from ("", f"Made with {versions}.")


def _reward(source: Mapping[str, Any]) -> str:
    """Say where the rewards came from, by the fingerprint of their source."""
    if source["kind"] == "judge":
        principles = source["principles"]
        model = source["judge"]["model"]["model"]
        return f"Rewarded by the judge `{model}` by the principles `{principles['name']}` with digest `{principles['digest'][:16]}`."
    name = source.get("model") or source.get("name")
    revision = f" (revision {source['revision'][:12]})" if source.get("revision") else ""
    return f"Rewarded by the {source['kind']} `{name}`{revision}."


def _loading(record: Mapping[str, Any]) -> str:
    rewards = record["method"] == "reward"
    lora = record["config"].get("lora")
    if lora and not lora["merge"]:
        return _ADAPTER.format(kind="SequenceClassification" if rewards else "CausalLM")
    return _REWARD if rewards else _POLICY


def _labels(record: Mapping[str, Any]) -> Iterator[str]:
    origin = Origin.of_json(record["origin"])
    if record["method"] == "sft":
        yield "Demonstrations: what they say is imitated, and no label is read."
        if origin.judge is None:
            return
    if origin.judge is None:
        yield "The data set does not say who judged."
    else:
        model = origin.judge_model or {}
        revision = str(model.get("revision") or "")[:12]
        known = f" (revision {revision})" if revision else ""
        mode = f", principles {origin.judge['mode']}" if origin.judge.get("mode") else ""
        yield f"Judged by `{model.get('model', 'an unnamed model')}`{known}{mode}."
    if origin.principles:
        file = f" `{origin.principles_file}`" if origin.principles_file else ""
        yield f"By the principles{file} with digest `{origin.principles[:16]}`."
    if origin.judge is not None:
        yield from trust(record.get("judge_card"))
    if record["config"].get("labels") == "hard":
        yield "Labels were rounded: every chosen response counts as better for certain, and ties are left out."
    elif record["method"] in ("reward", "dpo", "kto"):
        yield _SOFT[bool(record["data"]["soft_labels"])]
