"""Makes a data set ready for a trainer: opened, tokenised, counted, held out by prompt, weights brought to mean 1.

Everything that can be wrong with the data comes to light here, before a model is loaded. The work is kept in the
cache folder under a name that depends on data, tokenizer and settings alone, so a resumed training finds it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tenet.ids import Json, canonical_json, digest, unit_interval
from train.census import Census, census_of, require_enough
from train.config import KtoConfig, Method, OnlineDpoConfig, PairConfig, TrainConfig
from train.judgecard import judge_card_of
from train.labelcheck import check_labels
from train.labels import MARGIN, oriented, refusals, require_margin, takes_hard_labels, takes_margin
from train.provenance import Origin, origin_of
from train.sources import Source, open_source
from train.tokenise import Batch, Columns, Encoder, Tokenizer
from train.unpaired import imbalance, once_each, unpaired

if TYPE_CHECKING:
    from datasets import Dataset

_READ = {
    Method.SFT: ("input_ids", "labels", "length"),
    Method.REWARD: ("chosen_ids", "rejected_ids", "p_chosen", "length"),
    Method.DPO: ("prompt_ids", "chosen_ids", "rejected_ids", "p_chosen", "length"),
    Method.KTO: ("prompt_ids", "completion_ids", "label", "p_good", "length"),
    Method.ONLINE_DPO: ("prompt", "length"),
}
_ROWS_A_TIME = 256


@dataclass(frozen=True)
class Prepared:
    """Token ids to train on, and what was counted on the way.

    `train` and `test` have the columns of `Encoder` that a trainer reads, `weight` with mean 1 over each of the two;
    with hard labels `train` has no `p_chosen`, with the judge's margins it has `margin` (as TRL calls it).
    `test` is None where nothing is held out. `census` counts the split that was read, `test_census` a test split of
    its own (None where the held-out rows were drawn from the first). `soft`: the data has labels or weights. `notes`: what
    a person should know of the rows.
    """

    train: Dataset
    test: Dataset | None
    census: Census
    test_census: Census | None
    source: Source
    soft: bool
    notes: tuple[str, ...] = ()

    def facts(self) -> dict[str, Json]:
        """Give what train.json says of the data."""
        return {
            "path": self.source.name,
            "columns": list(self.source.train.column_names),
            "soft_labels": self.soft,
            "train_rows": len(self.train),
            "held_out_rows": 0 if self.test is None else len(self.test),
            "census": self.census.as_json(),
            "held_out_census": None if self.test_census is None else self.test_census.as_json(),
        }

    def origin(self) -> Origin:
        """What made the labels."""
        return origin_of(self.source.location)

    def judge_card(self) -> dict[str, Json] | None:
        """What is known of the judge that made the labels; None where there is no judge card."""
        return judge_card_of(self.source.location)

    def lines(self) -> list[str]:
        """Say it in words."""
        held_out = "nothing held out" if self.test is None else f"{len(self.test):,} rows held out"
        notes = [f"note: {note}" for note in (*self.source.notes, *self.notes)]
        return [f"{self.source.name}: {self.census.lines()[0]}; {held_out}", *self.census.lines()[1:], *notes]


@dataclass(frozen=True, kw_only=True)
class PreparedToAnswer(Prepared):
    """Prompts whose responses are drawn and labelled while the model learns: `labels` says by what. Labels in the data are not learnt."""

    labels: Origin

    def origin(self) -> Origin:
        """What makes the labels."""
        return self.labels

    def judge_card(self) -> dict[str, Json] | None:
        """None: the card beside the data is that of another judge."""
        return None


def prepare(config: TrainConfig, method: Method, tokenizer: Tokenizer, tokenizer_hash: str, cache: Path) -> Prepared:
    """Open, tokenise and count the data of a training.

    Args:
        config: the training's settings.
        method: preference pairs for reward and dpo, demonstrations for sft; kto also takes responses that are good or
            not, online-dpo what has prompts.
        tokenizer: that of the model to be trained.
        tokenizer_hash: identifies the tokenizer and its chat template, for the cache.
        cache: folder for memory-mapped copies.

    Raises:
        MissingInput: the data is not there.
        InvalidInput: it is not a data set for this method.
        TooManyFailures: too many rows cannot be learnt from.
        UsageError: the data is conversational and the tokenizer has no chat template.
    """
    source = open_source(config, method, cache)
    check_labels(source)
    require_margin(source.train.column_names, source.name, config)
    room = config.max_length - (config.max_tokens if isinstance(config, OnlineDpoConfig) else 0)
    encoder = Encoder(tokenizer, room, config.chat_template_kwargs)
    settings: list[Json] = [tokenizer_hash, room, canonical_json(config.chat_template_kwargs)]
    kept, census = _kept(source.train, encoder, method, settings, config)
    require_enough(census, source.name, max_dropped=config.max_dropped, max_length=room)
    test_census = None
    if source.test is None or method is Method.ONLINE_DPO:  # which draws its answers, and has none to hold out
        kept, held_out = held_out_by_prompt(kept, config.eval_share)
    else:
        held_out, test_census = _kept(source.test, encoder, method, settings)
    test = _finished(held_out, method, config.seed) if len(held_out) else None
    soft = bool({"p_chosen", "p_good", "weight"} & set(source.train.column_names))
    train = _finished(kept, method, config.seed, config)
    notes = imbalance(train["label"][:], config) if isinstance(config, KtoConfig) else ()
    return Prepared(train, test, census, test_census, source, soft, notes)


def _kept(
    rows: Dataset, encoder: Encoder, method: Method, settings: list[Json], learnt: TrainConfig | None = None
) -> tuple[Dataset, Census]:
    """Tokenise every row, count the outcomes, and keep the usable rows: usable for a training if one is given."""
    encode = {
        Method.SFT: encoder.demonstrations, Method.REWARD: encoder.conversations, Method.DPO: encoder.pairs,
        Method.KTO: encoder.pairs if "chosen" in rows.column_names else encoder.rated,
        Method.ONLINE_DPO: encoder.questions,
    }[method]  # fmt: skip
    name = digest([rows._fingerprint, method.value, *settings])[:16]

    def encoded(batch: Batch) -> Columns:
        return encode(batch)

    done = rows.map(
        encoded, batched=True, batch_size=_ROWS_A_TIME, remove_columns=rows.column_names, new_fingerprint=name
    )
    counted = [key for key in ("reason", "length", "flipped", "p_chosen") if key in done.column_names]
    column = {key: done.data.column(key).to_pylist() for key in counted}
    margins = None
    if isinstance(learnt, PairConfig):
        margins = oriented(rows[MARGIN][:], column["flipped"]) if takes_margin(learnt) else None
        column["reason"] = refusals(column["reason"], column["p_chosen"], margins, hard=takes_hard_labels(learnt))
    labelled = "p_chosen" in rows.column_names
    census = census_of(
        column["reason"],
        column["length"],
        column.get("flipped", [False] * len(done)),
        column["p_chosen"] if labelled else None,
    )
    usable = [place for place, reason in enumerate(column["reason"]) if not reason]
    kept = done.select(usable)
    if margins is not None:
        kept = kept.add_column("margin", [margins[place] for place in usable])
    return kept, census


def held_out_by_prompt(rows: Dataset, share: float) -> tuple[Dataset, Dataset]:
    """Hold out a share of the prompts, chosen by what they say, so that no prompt stands on both sides."""
    keys = rows["prompt_key"]
    away = [unit_interval("held out", key) < share for key in keys]
    if all(away):  # a tiny data set: rather learn from it than measure nothing
        away = [False] * len(rows)
    ours = [place for place, gone in enumerate(away) if not gone]
    theirs = [place for place, gone in enumerate(away) if gone]
    return rows.select(ours), rows.select(theirs)


def _finished(rows: Dataset, method: Method, seed: int, learnt: TrainConfig | None = None) -> Dataset:
    """Keep what the trainer reads, with the weights brought to mean 1; labels and margins as a training learns them."""
    if method is Method.KTO:
        rows = unpaired(rows, seed)
    if method is Method.ONLINE_DPO:
        rows = once_each(rows)
    columns = list(_READ[method])
    if "weight" not in rows.column_names:
        return rows.select_columns(columns)
    if learnt is not None and takes_hard_labels(learnt):
        columns.remove("p_chosen")
    if learnt is not None and takes_margin(learnt):
        columns.append("margin")
    import torch

    from train.losses import normalised

    weights = normalised(torch.tensor(rows["weight"][:], dtype=torch.float64)).tolist()
    return rows.select_columns(columns).add_column("weight", weights)
