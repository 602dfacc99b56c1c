"""Replays what another engine answered (tests, judge cards, audits), and records it in the first place.

Replaying hosts no model: a request that was never recorded comes back as an error result. The format is `engines.recording`'s.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from engines.base import (
    Capabilities,
    Completion,
    Engine,
    EngineInfo,
    LabelRead,
    Request,
    SamplingParams,
    TokenIds,
    Usage,
)
from engines.bytelevel import ByteTokenizer
from engines.codec import TokenizerLike
from engines.options import checked
from engines.places import CPU, Place
from engines.prompting import ChatTokenizer
from engines.recording import (
    ENGINE_FILE,
    ROWS_FILE,
    TOKENIZER_FOLDER,
    Answer,
    Recording,
    drop_torn_line,
    label_key,
    row_text,
    text_key,
)
from tenet.errors import MissingInput, UsageError
from tenet.ids import Json
from tenet.records import Finish
from tenet.servers import ServerStats

_MISSING: Final = "this request is not in the recording"


class RecordedEngine(Engine):
    """A recording in a model's place. Prompts are made with the recorded model's tokenizer, chat template arguments and prefill.

    Raises:
        MissingInput: there is no recording in the folder.
        InvalidInput: the recording cannot be read.
        UsageError: chat template arguments or a prefill other than the recorded ones, or any option.
    """

    def __init__(
        self,
        model: str,
        *,
        chat_template_kwargs: Mapping[str, Json] | None = None,
        prefill: str = "",
        options: Mapping[str, Json] | None = None,
    ) -> None:
        checked("recorded", options or {}, {})
        folder = Path(model).expanduser()
        recording = Recording.load(folder)
        told = recording.description
        for name, given in (("chat_template_kwargs", dict(chat_template_kwargs or {})), ("prefill", prefill)):
            if given and given != told[name]:
                raise UsageError(f"{name}: {given!r} here, but {folder} was recorded with {told[name]!r}")
        self._answers = recording.answers
        self._tokenizer = ChatTokenizer(
            _tokenizer(folder, told), chat_template_kwargs=told["chat_template_kwargs"], prefill=told["prefill"]
        )
        self._max_length = int(told["max_length"])
        info = told["info"]
        self._info = EngineInfo(
            engine="recorded",
            model=f"{info['engine']}:{info['model']}",
            revision=info["revision"],
            tokenizer_hash=self._tokenizer.tokenizer_hash,
            template_hash=self._tokenizer.template_hash,
            parameters=info["parameters"],
        )

    @property
    def info(self) -> EngineInfo:
        """What identifies the model that was recorded."""
        return self._info

    @property
    def capabilities(self) -> Capabilities:
        """Whatever was recorded, bit for bit the same each time."""
        return Capabilities(label_logprobs=True, generates=True, deterministic=True, prefix_cache=False)

    @property
    def place(self) -> Place:
        """The CPU."""
        return CPU

    @property
    def tokenizer(self) -> ChatTokenizer:
        """Makes the recorded model's prompts."""
        return self._tokenizer

    @property
    def max_length(self) -> int:
        """Most tokens of prompt and completion together."""
        return self._max_length

    def read_labels(self, requests: Sequence[Request], labels: Sequence[TokenIds]) -> list[LabelRead]:
        """See `engines.base.Engine.read_labels`."""
        found = [self._answers.get(label_key(request, labels)) for request in requests]
        return [
            answer if isinstance(answer, LabelRead) else LabelRead((), Usage(len(request.tokens)), _MISSING)
            for request, answer in zip(requests, found, strict=True)
        ]

    def generate(self, requests: Sequence[Request], params: SamplingParams) -> list[Completion]:
        """See `engines.base.Engine.generate`."""
        found = [self._answers.get(text_key(request, params)) for request in requests]
        return [
            answer
            if isinstance(answer, Completion)
            else Completion("", Finish.ERROR, Usage(len(request.tokens)), error=_MISSING)
            for request, answer in zip(requests, found, strict=True)
        ]

    def close(self) -> None:
        """Nothing to free."""


class RecordingEngine(Engine):
    """Another engine, whose answers are also written to a folder as they come; a recording that is there is added to.

    Raises:
        UsageError: the folder holds the recording of another model, or other prompt settings.
    """

    def __init__(self, inner: Engine, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._inner = inner
        description = inner.tokenizer.description
        told: dict[str, Any] = {**description, "info": inner.info.as_json(), "max_length": inner.max_length}
        path = folder / ENGINE_FILE
        if path.exists() and json.loads(path.read_text(encoding="utf-8")) != told:
            raise UsageError(f"{folder}: holds the recording of another engine", hint="record into a new folder")
        inner.tokenizer.save(folder / TOKENIZER_FOLDER)
        path.write_text(
            json.dumps(told, indent=2, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8", newline="\n"
        )
        drop_torn_line(folder / ROWS_FILE)
        self._rows = (folder / ROWS_FILE).open("a", encoding="utf-8", newline="\n")

    @property
    def info(self) -> EngineInfo:
        """What identifies the model behind it."""
        return self._inner.info

    @property
    def capabilities(self) -> Capabilities:
        """What the engine behind it can do."""
        return self._inner.capabilities

    @property
    def place(self) -> Place:
        """Where the engine behind it runs."""
        return self._inner.place

    @property
    def tokenizer(self) -> ChatTokenizer:
        """The tokenizer of the engine behind it."""
        return self._inner.tokenizer

    @property
    def max_length(self) -> int:
        """Most tokens of prompt and completion together."""
        return self._inner.max_length

    def read_labels(self, requests: Sequence[Request], labels: Sequence[TokenIds]) -> list[LabelRead]:
        """See `engines.base.Engine.read_labels`; the answers are written down before they are returned."""
        answers = self._inner.read_labels(requests, labels)
        self._write([label_key(request, labels) for request in requests], answers)
        return answers

    def generate(self, requests: Sequence[Request], params: SamplingParams) -> list[Completion]:
        """See `engines.base.Engine.generate`; the answers are written down before they are returned."""
        answers = self._inner.generate(requests, params)
        self._write([text_key(request, params) for request in requests], answers)
        return answers

    def load(self) -> None:
        """Load the engine behind it."""
        self._inner.load()

    def stats(self) -> Sequence[ServerStats]:
        """What the engine behind it tells."""
        return self._inner.stats()

    def close(self) -> None:
        """Close the file and the engine behind it."""
        self._rows.close()
        self._inner.close()

    def _write(self, keys: Sequence[str], answers: Sequence[Answer]) -> None:
        self._rows.writelines(row_text(key, answer) for key, answer in zip(keys, answers, strict=True))
        self._rows.flush()


def _tokenizer(folder: Path, told: Mapping[str, Any]) -> TokenizerLike:
    if told["tokenizer"] == "bytes":
        return ByteTokenizer()
    from transformers import AutoTokenizer

    try:
        tokenizer: TokenizerLike = AutoTokenizer.from_pretrained(str(folder / TOKENIZER_FOLDER))
    except (OSError, ValueError) as error:
        raise MissingInput(f"{folder}: the recording's tokenizer cannot be read: {error}") from error
    return tokenizer
