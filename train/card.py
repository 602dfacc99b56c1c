"""Writes the model card of a training from its record: what was trained, on whose labels, and how well it did.

Says only what train.json says. Knows no trainer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tenet.runs.atomic import write_text
from train.provenance import Origin

_WHAT: Final = {
    "sft": "A model fine-tuned on demonstrations",
    "reward": "A reward model trained on preference pairs by soft Bradley-Terry",
    "dpo": "A policy trained on preference pairs by DPO with soft labels",
    "ppo": "A policy trained by PPO on rewards for its own responses",
    "rloo": "A policy trained by RLOO on rewards for its own responses",
}
_TAGS: Final = {"sft": "sft", "reward": "reward-model", "dpo": "dpo", "ppo": "ppo", "rloo": "rloo"}
_SHOWN: Final = {
    "train_loss": "mean training loss (nats)",
    "label_entropy": "entropy of the labels: the least loss possible (nats)",
    "eval_loss": "loss on held-out rows",
    "eval_pairs": "held-out pairs",
    "eval_pair_accuracy": "accuracy on held-out pairs (ties left out)",
    "eval_brier": "Brier score against the labels",
    "eval_ece": "expected calibration error, both orders",
    "eval_log_loss": "log loss on held-out pairs (nats)",
    "eval_entropy": "entropy of the held-out labels (nats)",
    "eval_reward": "reward on held-out prompts",
    "eval_kl_k1": "KL to the model at the beginning, held out (nats a response)",
    "eval_completions/mean_length": "length of responses to held-out prompts (tokens)",
}
_ENTROPY_OF_TOKENS: Final = "entropy of the next token, held out (nats)"


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
    yield from ("", "## Rewards" if "reward" in data else "## Labels", "")
    if "reward" in data:
        yield _reward(data["reward"])
    else:
        yield from _labels(Origin.of_json(record["origin"]), soft=bool(data["soft_labels"]))
    yield from ("", "## Data", "")
    census = data["census"]
    yield f"{census['kept']:,} of {census['rows']:,} rows were usable; {data['train_rows']:,} were trained on,"
    yield f"{data['held_out_rows']:,} held out."
    for reason, count in census["dropped"].items():
        yield f"- left out, {reason}: {count:,}"
    yield from ("", "## Measured", "", "| | |", "|---|---:|")
    shown = {**_SHOWN, "eval_entropy": _ENTROPY_OF_TOKENS} if "reward" in data else _SHOWN
    for key, words in shown.items():
        if key in result["metrics"]:
            value = result["metrics"][key]
            yield f"| {words} | {value:,.0f} |" if key == "eval_pairs" else f"| {words} | {value:.4f} |"
    yield from ("", "## Settings", "", "| | |", "|---|---|")
    for key in sorted(config):
        if config[key] not in (None, [], {}) and key not in ("model", "data", "out", "name"):
            yield f"| {key} | {json.dumps(config[key], ensure_ascii=False)} |"
    yield f"| steps | {result['steps']:,} |"
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


def _labels(origin: Origin, *, soft: bool) -> Iterator[str]:
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
    yield (
        "Labels are probabilities (`p_chosen`)."
        if soft
        else "The data has no `p_chosen`: every chosen response counts as better for certain."
    )
