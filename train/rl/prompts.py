"""Makes the prompts of a training on rewards ready: read as `tenet generate` reads prompts, counted, held out; with what rewards them.

A prompt becomes token ids as an engine makes them, its words tokenised apart from the template, so that no control token comes
out of them (`engines.prompting`); TRL would render the template with the words in it and tokenise the whole. Knows no trainer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.loading import context_length, load_config
from engines.prompting import ChatTokenizer, untrusted
from tenet.errors import UsageError
from tenet.ids import Json
from tenet.reading.clean import clean_turns
from tenet.reading.columns import PromptColumns, extract, find_columns
from tenet.reading.turns import Empty, Unreadable
from tenet.records import Prompt
from train.census import census_of, require_enough
from train.config import RlConfig, TrainConfig, method_of
from train.data import PreparedToAnswer, held_out_by_prompt
from train.models import Base
from train.rewards import RewardSource
from train.rl.sources import make_source, references_for
from train.rows import Reason
from train.sources import open_source

if TYPE_CHECKING:
    from datasets import Dataset

Messages = list[dict[str, str]]


@dataclass(frozen=True, kw_only=True)
class PreparedPrompts(PreparedToAnswer):
    """Prompts to learn from, and where the reward comes from.

    `train` and `test` have the columns `prompt` (messages) and, for a judge that compares, `reference`. `chat` makes token ids.
    """

    chat: ChatTokenizer
    rewards: RewardSource

    def facts(self) -> dict[str, Json]:
        """Give what train.json says of the data, with what identifies the reward."""
        return {**super().facts(), "reward": self.rewards.fingerprint}


def prepare_prompts(config: TrainConfig, base: Base, cache: Path) -> PreparedPrompts:
    """Read the prompts, open the reward, and draw what responses are compared with, if they are.

    Raises:
        MissingInput: data or a model is not there.
        InvalidInput: no prompts in the data.
        TooManyFailures: too many prompts are too long or empty.
        UsageError: fewer prompts than a rollout takes; what is named as the reward gives none.
    """
    assert isinstance(config, RlConfig)
    chat = ChatTokenizer(base.tokenizer, chat_template_kwargs=config.chat_template_kwargs)
    source = open_source(config, method_of(config), cache)
    longest = min(config.max_length, context_length(load_config(base.source), None))
    rows, notes, census = _read(source.train, chat, config, source.name, longest)
    test, test_census = None, None
    if source.test is None:
        rows, held_out = held_out_by_prompt(rows, config.eval_share)
    else:
        held_out, more, test_census = _read(source.test, chat, config, source.name, longest)
        notes += more
    _require_rollout(config, len(rows), source.name)
    rewards, labels = make_source(config)
    rows, held_out = (_finished(part, config, rewards, base, cache, longest) for part in (rows, held_out))
    test = held_out if len(held_out) else None
    described = replace(source, notes=(*source.notes, *notes))
    return PreparedPrompts(
        rows, test, census, test_census, described, False, chat=chat, rewards=rewards, labels=labels
    )  # fmt: skip


def token_ids(chat: ChatTokenizer, messages: Sequence[Mapping[str, str]]) -> list[int]:
    """Token ids of a prompt with the assistant's turn opened."""
    return list(chat.chat([(turn["role"], [untrusted(turn["content"])]) for turn in messages]))


def _read(
    rows: Dataset, chat: ChatTokenizer, config: RlConfig, name: str, longest: int
) -> tuple[Dataset, tuple[str, ...], Any]:
    """Read each row's prompt and count the outcomes; a prompt that comes again is read once."""
    from datasets import Dataset

    columns = find_columns(rows[0], rows.column_names, None)
    kept: dict[str, dict[str, Any]] = {}
    reasons, lengths = [], []
    again = 0
    for row in rows:
        prompt = _prompt(row, columns)
        if isinstance(prompt, Prompt) and prompt.id in kept:
            again += 1
            continue
        reason, length = (prompt, 0) if isinstance(prompt, Reason) else ("", 0)
        if isinstance(prompt, Prompt):
            messages = [{"role": turn.role, "content": turn.content} for turn in prompt.messages]
            length = len(token_ids(chat, messages)) + config.max_tokens
            reason = Reason.OVER_LONG if length > longest else ""
            if not reason:
                kept[prompt.id] = {"prompt": messages, "prompt_key": prompt.id, "reference": row.get("reference")}
        reasons.append(str(reason))
        lengths.append(length)
    census = census_of(reasons, lengths, [False] * len(reasons), None)
    require_enough(census, name, max_dropped=config.max_dropped, max_length=longest)
    notes: tuple[str, ...] = (f"prompts read from {columns}",) if columns.prompt != "prompt" else ()
    notes += (f"{again:,} rows repeat a prompt, which is read once",) if again else ()
    return Dataset.from_list(list(kept.values())), notes, census


def _prompt(row: Mapping[str, Any], columns: PromptColumns) -> Prompt | Reason:
    try:
        turns, _ = clean_turns(extract(row, columns).turns)
    except Empty:
        return Reason.EMPTY
    except Unreadable:
        return Reason.MALFORMED
    return Prompt.of(turns) if turns[-1].content.strip() else Reason.EMPTY


def _require_rollout(config: RlConfig, count: int, name: str) -> None:
    import os

    needed = config.rollout * int(os.environ.get("WORLD_SIZE", "1")) // config.samples
    if count < needed:
        raise UsageError(
            f"{name}: {count:,} prompts to learn from, and a rollout of {config.rollout:,} responses takes {needed:,}",
            hint="give more prompts, a smaller rollout (and batch_size), or more samples a prompt",
        )


def _finished(
    rows: Dataset, config: RlConfig, rewards: RewardSource, base: Base, cache: Path, longest: int
) -> Dataset:  # fmt: skip
    """Keep what the trainer reads, with the references that the reward compares with."""
    prompts: list[Messages] = rows["prompt"][:] if len(rows) else []
    given = rows["reference"][:] if len(rows) else []
    found = references_for(config, rewards, base, prompts, given, cache, longest)
    kept = rows.select_columns(["prompt"]) if len(rows) else rows
    return kept if found is None or not len(rows) else kept.add_column("reference", found)
