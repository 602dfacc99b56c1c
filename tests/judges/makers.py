"""Small constructors for the records that these tests are about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace

from constitution.model import Constitution, Principle
from engines.base import Capabilities, Completion, Engine, LabelRead, Request, SamplingParams, TokenIds
from engines.registry import create_engine
from tenet.records import Finish, Judgement, Message, Outcome, Prompt, Sample


def prompt_of(text: str = "Hello?", *, tags: tuple[str, ...] = ()) -> Prompt:
    return Prompt.of([Message("user", text)], tags=tags)


def sample_of(text: str, *, prompt: Prompt | None = None) -> Sample:
    return Sample(f"s-{text}", prompt.id if prompt else "p", 0, text, "policy", Finish.STOP)


def constitution_of(*principles: Principle) -> Constitution:
    return Constitution("test", "1", "", "", principles)


def principle(name: str = "kind", **fields: object) -> Principle:
    return replace(Principle(name, f"The response is {name}."), **fields)  # type: ignore[arg-type]


def judgement(
    first: str,
    second: str,
    p: float | None,
    *,
    principle: str | None = "kind",
    outcome: Outcome | None = None,
    n: int = 0,
) -> Judgement:
    if outcome is None:
        assert p is not None
        outcome = Outcome.TIE if p == 0.5 else Outcome.FIRST if p > 0.5 else Outcome.SECOND
    return Judgement(f"{first}{second}{principle}{n}", "p", first, second, "judge", outcome, p, 0.9, principle)


def scripted(model: str = "longer", **options: object) -> Engine:
    return create_engine("scripted", model, options=options)  # type: ignore[arg-type]


class Altered:
    """A scripted engine with some of its answers replaced: what a fault looks like from outside."""

    def __init__(
        self,
        *,
        read: Callable[[int, LabelRead], LabelRead] | None = None,
        write: Callable[[int, Completion], Completion] | None = None,
        capabilities: Capabilities | None = None,
    ) -> None:
        self.inner = scripted()
        self.read, self.write = read, write
        self.capabilities = capabilities or self.inner.capabilities
        self.info, self.tokenizer, self.max_length = (
            self.inner.info,
            self.inner.tokenizer,
            self.inner.max_length,
        )
        self.calls = SimpleNamespace(read=[], generate=[])

    def read_labels(self, requests: Sequence[Request], labels: Sequence[TokenIds]) -> list[LabelRead]:
        self.calls.read.append(len(requests))
        found = self.inner.read_labels(requests, labels)
        return [self.read(place, one) for place, one in enumerate(found)] if self.read else found

    def generate(self, requests: Sequence[Request], params: SamplingParams) -> list[Completion]:
        self.calls.generate.append(len(requests))
        found = self.inner.generate(requests, params)
        return [self.write(place, one) for place, one in enumerate(found)] if self.write else found

    stream_labels = Engine.stream_labels
    stream_completions = Engine.stream_completions

    def close(self) -> None:
        pass
