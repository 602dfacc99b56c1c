"""The file format of recordings: what an engine answered, by a key of what it was asked. Knows no engine.

A recording is a folder: `engine.json` says whose answers they are and how prompts become tokens, `rows.jsonl` (or `rows.parquet`)
holds one answer a row, `tokenizer/` the model's tokenizer where there was a model. Rows:

    key         SHA-256 of the request (`label_key`, `text_key`)
    logprobs    label reads: natural-log probabilities, one a label; else null
    text        completions: the text, with `finish` and `tokens`; else null
    error       why there is no answer; else ""
    prompt_tokens, completion_tokens, cached_tokens
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from engines.base import Completion, LabelRead, Request, SamplingParams, TokenIds, Usage
from tenet.errors import InvalidInput, MissingInput, Problem
from tenet.ids import Json, canonical_json, digest
from tenet.records import Finish

ENGINE_FILE: Final = "engine.json"
ROWS_FILE: Final = "rows.jsonl"
PARQUET_FILE: Final = "rows.parquet"
TOKENIZER_FOLDER: Final = "tokenizer"

Answer = LabelRead | Completion


def label_key(request: Request, labels: Sequence[TokenIds]) -> str:
    """The key of a label read: the prompt's tokens and the labels' tokens."""
    return digest(["labels", list(request.tokens), [list(ids) for ids in labels]])


def text_key(request: Request, params: SamplingParams) -> str:
    """The key of a completion: the prompt's tokens, the parameters, and the seed unless greedy."""
    return digest(["text", list(request.tokens), params.as_json(), request.seed if params.temperature else 0])


@dataclass(frozen=True)
class Recording:
    """A recording as read: the description in `engine.json` and the answers by key."""

    description: Mapping[str, Any]
    answers: Mapping[str, Answer]

    @classmethod
    def load(cls, folder: Path) -> Recording:
        """Read a recording's folder. Of several answers to one request the first that is no error counts.

        Raises:
            MissingInput: no such folder, or no recording in it.
            InvalidInput: rows that cannot be read, each with its line; a torn last line is left out.
        """
        if not (folder / ENGINE_FILE).is_file():
            raise MissingInput(
                f"{folder}: no recording here ({ENGINE_FILE} is missing)",
                hint="give a folder that engines.recorded.RecordingEngine wrote",
            )
        description = json.loads((folder / ENGINE_FILE).read_text(encoding="utf-8"))
        parquet = folder / PARQUET_FILE
        rows = _parquet_rows(parquet) if parquet.is_file() else _json_rows(folder / ROWS_FILE)
        answers: dict[str, Answer] = {}
        for key, answer in rows:
            if key not in answers or answers[key].error:
                answers[key] = answer
        return cls(description, answers)


def row_text(key: str, answer: Answer) -> str:
    """One line of `rows.jsonl`."""
    usage = answer.usage
    text = answer if isinstance(answer, Completion) else None
    row: dict[str, Json] = {
        "key": key,
        "logprobs": list(answer.logprobs) if isinstance(answer, LabelRead) else None,
        "text": text.text if text else None,
        "finish": text.finish.value if text else None,
        "tokens": list(text.tokens) if text else None,
        **({"kind": answer.kind} if isinstance(answer, LabelRead) and answer.kind != "logprobs" else {}),
        "error": answer.error,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "cached_tokens": usage.cached_tokens,
    }
    return canonical_json(row) + "\n"


def drop_torn_line(path: Path) -> None:
    """Cut a last line that a killed process left unfinished; it is owed again."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        whole = file.read().rfind(b"\n") + 1
        file.truncate(whole)


def _answer(row: Mapping[str, Any]) -> tuple[str, Answer]:
    usage = Usage(row["prompt_tokens"], row.get("completion_tokens") or 0, row.get("cached_tokens"))
    error = row.get("error") or ""
    if row.get("text") is None:
        return row["key"], LabelRead(tuple(row["logprobs"] or ()), usage, error, row.get("kind") or "logprobs")
    return row["key"], Completion(row["text"], Finish(row["finish"]), usage, tuple(row["tokens"] or ()), error)


def _json_rows(path: Path) -> Iterator[tuple[str, Answer]]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        return
    problems: list[Problem] = []
    for number, line in enumerate(lines[:-1], 1):
        try:
            yield _answer(json.loads(line))
        except (KeyError, TypeError, ValueError) as error:
            problems.append(Problem(f"no row of a recording: {error}", path, number))
    if problems:
        raise InvalidInput("the recording cannot be read", problems)


def _parquet_rows(path: Path) -> Iterator[tuple[str, Answer]]:
    from pyarrow import ArrowException, parquet

    try:
        rows = parquet.read_table(path).to_pylist()
        yield from map(_answer, rows)
    except (ArrowException, KeyError, TypeError, ValueError) as error:
        raise InvalidInput("the recording cannot be read", [Problem(str(error), path)]) from error
