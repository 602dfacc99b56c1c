"""The interface behind which every host of a model stands. Knows nothing of judging, principles or run folders.

An engine takes prompts as token ids (`engines.prompting` makes them) and does two things: it completes them, and it reads the
log-probabilities of a few label tokens at the first position of the answer. What goes wrong with one request is a result with
`error` set; only what stops the engine as a whole raises `EngineError`. Capabilities are declared, not guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, Self, TypeVar

from engines.places import UNKNOWN, Place
from tenet.ids import Json
from tenet.records import Finish
from tenet.servers import ServerStats

if TYPE_CHECKING:
    from engines.prompting import ChatTokenizer

TokenIds = tuple[int, ...]
T = TypeVar("T")


@dataclass(frozen=True)
class Capabilities:
    """What an engine can do, in its own words.

    `deterministic`: equal requests give bit-equal results whatever they are batched with. `batch`: how many requests a call should
    carry for the engine to run near its full speed. `cache_block`: a prefix cache holds whole blocks of so many tokens. `continues`: a
    prompt may end inside the assistant's turn; servers that take messages only have it begin anew.
    """

    label_logprobs: bool
    generates: bool
    deterministic: bool
    prefix_cache: bool
    batch: int = 64
    cache_block: int = 16
    continues: bool = True


@dataclass(frozen=True)
class SamplingParams:
    """How to draw a completion. `temperature` 0 is greedy. Tenet's own names; engines translate.

    `schema` is a JSON Schema as text: hosts that can hold a model to it do, others ignore it, so whoever reads the answer checks it.
    """

    max_tokens: int = 512
    temperature: float = 1.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    schema: str = ""

    def as_json(self) -> Json:
        """What goes into a fingerprint or a key."""
        held: dict[str, Json] = {"schema": self.schema} if self.schema else {}
        return {
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "stop": list(self.stop),
            **held,
        }


@dataclass(frozen=True)
class Request:
    """A prompt as token ids, and the seed of its own random draw (ignored at temperature 0 and by label reads).

    Requests of one `group` begin alike (they are about one prompt); hosts of several servers keep them together. It changes no answer.
    """

    tokens: TokenIds
    seed: int = 0
    group: str = ""


@dataclass(frozen=True)
class Usage:
    """Tokens spent on a request; `cached_tokens` is None where the engine does not say."""

    prompt_tokens: int
    completion_tokens: int = 0
    cached_tokens: int | None = None


@dataclass(frozen=True)
class Completion:
    """One generated text. `error` is empty unless `finish` is ERROR."""

    text: str
    finish: Finish
    usage: Usage
    tokens: TokenIds = ()
    error: str = ""


@dataclass(frozen=True)
class LabelRead:
    """Natural-log probabilities of each label at the next position, over the whole vocabulary, before any temperature.

    `logprobs[i]` is the log of the summed probability of label i's surface variants; empty when `error` is set. Where `kind` is "text"
    the model only wrote a label, whose log-probability is given as 0: a vote without a confidence.
    """

    logprobs: tuple[float, ...]
    usage: Usage
    error: str = ""
    kind: Literal["logprobs", "text"] = "logprobs"


@dataclass(frozen=True)
class EngineInfo:
    """What identifies the model behind an engine: goes into fingerprints and keys. `parameters` hold what changes results."""

    engine: str
    model: str
    revision: str = ""
    tokenizer_hash: str = ""
    template_hash: str = ""
    parameters: dict[str, Json] = field(default_factory=dict)

    def as_json(self) -> Json:
        """The fingerprint of the model, without the paths and hosts that do not change what it says."""
        return {
            "engine": self.engine, "model": self.model, "revision": self.revision, "tokenizer": self.tokenizer_hash,
            "template": self.template_hash, "parameters": self.parameters,
        }  # fmt: skip


class Engine(Protocol):
    """A host of one model. Use as a context manager, or call `close`; closing twice is harmless. Hosts inherit from this."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def info(self) -> EngineInfo:
        """What identifies the model."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can do."""
        ...

    @property
    def place(self) -> Place:
        """The devices or servers that the model runs on, as `engines.places` names them; empty where that is not known."""
        return UNKNOWN

    @property
    def tokenizer(self) -> ChatTokenizer:
        """Makes this model's prompts from trusted and untrusted spans."""
        ...

    @property
    def max_length(self) -> int:
        """Most tokens of prompt and completion together."""
        ...

    def generate(self, requests: Sequence[Request], params: SamplingParams) -> list[Completion]:
        """Complete each request, in order. A prompt that leaves no room for one token comes back as an error result.

        Raises:
            EngineError: the engine itself has failed.
        """
        ...

    def read_labels(self, requests: Sequence[Request], labels: Sequence[TokenIds]) -> list[LabelRead]:
        """Read each label's log-probability right after each prompt; `labels[i]` lists the token ids of label i's variants.

        Raises:
            EngineError: the engine itself has failed, or declares no `label_logprobs`.
        """
        ...

    def stream_labels(self, requests: Iterable[Request], labels: Sequence[TokenIds]) -> Iterator[tuple[int, LabelRead]]:
        """Read the labels of requests without end: (place, result), in the order in which results are ready.

        A request is taken from `requests` when the engine has room for it, in the caller's thread; `place` counts them from 0. Hosts
        that answer a whole call at once, as here, take a full batch and then give it back.

        Raises:
            EngineError: see `read_labels`; results that were ready before it have been given.
        """
        place = 0
        for group in batched(requests, self.capabilities.batch):
            yield from enumerate(self.read_labels(group, labels), place)
            place += len(group)

    def stream_completions(
        self, requests: Iterable[Request], params: SamplingParams
    ) -> Iterator[tuple[int, Completion]]:
        """Complete requests without end; see `stream_labels`.

        Raises:
            EngineError: see `generate`.
        """
        place = 0
        for group in batched(requests, self.capabilities.batch):
            yield from enumerate(self.generate(group, params), place)
            place += len(group)

    def check(self) -> None:
        """Make sure that the host answers, before any work is given to it. Hosts in this process have nothing to check.

        Raises:
            EngineError: it does not answer, does not know the model or refuses the key; with the cure.
        """
        return

    def load(self) -> None:
        """Load the weights, or start the servers, now rather than when they are first asked. Hosts elsewhere have nothing to load.

        Raises:
            EngineError, MissingInput: the model cannot be loaded.
        """
        return

    def stats(self) -> Sequence[ServerStats]:
        """How each server behind this engine does, at once and from any thread; nothing of hosts in this process."""
        return ()

    def close(self) -> None:
        """Free the model and its memory."""
        ...


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` items in their order; the last one may be short."""
    source = iter(items)
    while group := list(islice(source, size)):
        yield group
