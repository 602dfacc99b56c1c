"""Text to token ids, such that no control token ever comes out of untrusted text. Knows no chat template.

Untrusted text goes through a copy of the tokenizer that has no added tokens at all, so there is nothing to match, whatever the
tokenizer normalises or strips. Where the vocabulary itself (Unigram, whole-word lookup) or a tokenizer without a Rust backend
still yields one, the text is cut after the literal's first character and the pieces are tokenised apart. Both are lossless where the
tokenizer is. Tokenizers that put a space in front of a text (SentencePiece) do so at the start of a prompt only.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from tenet.ids import digest

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Backend

    from engines.base import TokenIds

REPLACEMENT: Final = "\ufffd"
_ANCHOR: Final = "\n"


class AddedToken(Protocol):
    """A literal that a tokenizer finds before anything else; `special` ones are control tokens beyond doubt."""

    @property
    def content(self) -> str: ...  # noqa: D102
    @property
    def special(self) -> bool: ...  # noqa: D102


class TokenizerLike(Protocol):
    """What is asked of a tokenizer: the part of Hugging Face's interface that Tenet uses."""

    @property
    def chat_template(self) -> str | dict[str, str] | None: ...  # noqa: D102
    @property
    def added_tokens_decoder(self) -> Mapping[int, AddedToken]: ...  # noqa: D102
    @property
    def all_special_ids(self) -> Sequence[int]: ...  # noqa: D102
    @property
    def unk_token_id(self) -> int | None: ...  # noqa: D102
    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]: ...  # noqa: D102
    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool, clean_up_tokenization_spaces: bool) -> str: ...  # noqa: D102
    def get_vocab(self) -> Mapping[str, int]: ...  # noqa: D102
    def apply_chat_template(self, conversation: list[dict[str, Any]], **kwargs: Any) -> Any: ...  # noqa: D102


class TextCodec:
    """Encodes trusted and untrusted text with one tokenizer. `control_ids` are what untrusted text never yields."""

    def __init__(self, tokenizer: TokenizerLike) -> None:
        self._tokenizer = tokenizer
        added = dict(tokenizer.added_tokens_decoder)
        self._added_ids = frozenset(added)
        self._telling_ids = _telling_ids(tokenizer, added)
        self.control_ids = self._telling_ids - _mere_unknown(tokenizer)
        literals = sorted({added[i].content for i in self._telling_ids & added.keys()}, key=len, reverse=True)
        self._literals = re.compile("|".join(map(re.escape, literals)) or r"(?!)")
        backend = getattr(tokenizer, "backend_tokenizer", None)
        self._prepends = False
        self._plain: Backend | None = None
        self._inert: Backend | None = None
        if backend is None:
            self.hash = digest(
                [sorted(tokenizer.get_vocab().items()), sorted((i, t.content) for i, t in added.items())]
            )
        else:
            self._clone(backend)

    def _clone(self, backend: Backend) -> None:
        """Make the two copies: one that puts no space in front, and one that has no control tokens either."""
        from tokenizers import Tokenizer

        spec: dict[str, Any] = json.loads(backend.to_str())
        spec.update(truncation=None, padding=None)
        self.hash = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()
        spec["post_processor"] = None
        self._prepends = _without_prefix(spec)
        self._plain = Tokenizer.from_str(json.dumps(spec))
        harmless = [token for token in spec["added_tokens"] if token["id"] not in self._telling_ids]
        inert = Tokenizer.from_str(json.dumps({**spec, "added_tokens": harmless}))
        if any(inert.token_to_id(token["content"]) != token["id"] for token in harmless):
            inert = Tokenizer.from_str(json.dumps({**spec, "added_tokens": []}))
        self._inert = inert

    def trusted(self, text: str, *, at_start: bool = False) -> TokenIds:
        """Ids of our own text, control tokens included, as the model's tokenizer gives them at this place of a prompt."""
        text = _encodable(text)
        if at_start:
            return tuple(self._tokenizer.encode(text, add_special_tokens=False))
        if self._plain is None:
            return self._anchored(text)
        encoding = self._plain.encode(text, add_special_tokens=False)
        if self._prepends:
            for place, token in enumerate(encoding.ids):
                if token in self._added_ids:  # what follows an added token is spaced as the tokenizer likes
                    rest = text[encoding.offsets[place][0] :]
                    return (*encoding.ids[:place], *self._tokenizer.encode(rest, add_special_tokens=False))
        return tuple(encoding.ids)

    def untrusted(self, text: str) -> TokenIds:
        """Ids of a text in the middle of a prompt; none of them is a control token."""
        return tuple(self._harmless(_encodable(text)))

    def _harmless(self, text: str) -> Iterable[int]:
        ids: Sequence[int]
        if self._inert is None:
            pieces = self._cut(text)
            ids = self._anchored(text) if len(pieces) == 1 else ()
        else:
            ids = self._inert.encode(text, add_special_tokens=False).ids
            pieces = [text] if self.control_ids.isdisjoint(ids) else self._cut(text)
        if len(pieces) == 1:
            if self.control_ids.isdisjoint(ids):
                return ids
            if len(text) == 1:
                return () if text == REPLACEMENT else self._harmless(REPLACEMENT)
            pieces = [text[: len(text) // 2], text[len(text) // 2 :]]
        return [token for piece in pieces for token in self._harmless(piece)]

    def _cut(self, text: str) -> list[str]:
        """The text in pieces, cut after the first character of every control literal in it."""
        places = [match.start() + 1 for match in self._literals.finditer(text) if len(match.group()) > 1]
        return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]

    def _anchored(self, text: str) -> TokenIds:
        """Ids of a text that follows a line end, so that no space grows in front of it."""
        head = self._tokenizer.encode(_ANCHOR, add_special_tokens=False)
        ids = self._tokenizer.encode(_ANCHOR + text, add_special_tokens=False)
        if ids[: len(head)] == head:
            return tuple(ids[len(head) :])
        return tuple(self._tokenizer.encode(text, add_special_tokens=False))


def _encodable(text: str) -> str:
    """The text with lone surrogates, which no tokenizer takes, replaced by U+FFFD."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _telling_ids(tokenizer: TokenizerLike, added: Mapping[int, AddedToken]) -> frozenset[int]:
    """All special tokens, and the added ones that are more than blanks or a single character."""
    special = set(tokenizer.all_special_ids) | {i for i, token in added.items() if token.special}
    wordy = {i for i, token in added.items() if len(token.content) > 1 and not token.content.isspace()}
    return frozenset(special | wordy)


def _mere_unknown(tokenizer: TokenizerLike) -> frozenset[int]:
    """The unknown token, where it is nothing but that: an odd character may yield it, and it controls nothing."""
    named = [getattr(tokenizer, f"{name}_token_id", None) for name in ("bos", "eos", "pad")]
    unknown = tokenizer.unk_token_id
    return frozenset() if unknown is None or unknown in named else frozenset({unknown})


def _without_prefix(spec: dict[str, Any]) -> bool:
    """Take out of a tokenizer's description (in place) whatever puts a space before a text; tell whether anything did."""
    found = False
    for key in ("normalizer", "pre_tokenizer"):
        node = spec.get(key)
        if node is None:
            continue
        members = node.get("normalizers") or node.get("pretokenizers") or [node]
        for member in list(members):
            if member["type"] == "Prepend":
                found = True
                if member is node:
                    spec[key] = None
                else:
                    members.remove(member)
            elif member["type"] == "Metaspace" and member.get("prepend_scheme", "always") != "never":
                found = True
                member.update(prepend_scheme="never")
            elif member["type"] == "ByteLevel" and member.get("add_prefix_space"):
                found = True
                member.update(add_prefix_space=False)
    return found
