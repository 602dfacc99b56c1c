"""Loads a tokenizer and a chat template without the model library around them, for a process that only talks to servers.

`transformers.AutoTokenizer` brings torch along: 400 MiB and seconds of start. What Tenet needs of a tokenizer is in three small files
(tokenizer.json, tokenizer_config.json, chat_template.jinja). A model without a tokenizer.json is loaded by transformers after all.
Sources of the template's surroundings: `transformers.utils.chat_template_utils` 5.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from engines.bytelevel import ByteTokenizer
from engines.codec import TokenizerLike
from tenet.errors import MissingInput

if TYPE_CHECKING:
    from jinja2 import Template
    from tokenizers import Tokenizer

BYTES: Final = "bytes"
_FILES: Final = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "config.json")
_SPECIAL: Final = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")


@dataclass(frozen=True)
class TokenizerFiles:
    """A tokenizer as found: with the version of its files, and the context length that the model's configuration states, if any."""

    tokenizer: TokenizerLike
    revision: str = ""
    max_length: int | None = None


def find_tokenizer(name: str, revision: str | None = None) -> TokenizerFiles:
    """Load the tokenizer of a folder or hub id; "bytes" is `engines.bytelevel`'s, which the scripted server speaks.

    Raises:
        MissingInput: there is none.
    """
    if name == BYTES:
        return TokenizerFiles(ByteTokenizer())
    folder = Path(name).expanduser()
    if not folder.is_dir():
        folder = _hub_folder(name, revision)
    if not (folder / "tokenizer.json").is_file():
        return TokenizerFiles(_by_transformers(folder, name), _revision(folder), _context(folder))
    return TokenizerFiles(FileTokenizer(folder), _revision(folder), _context(folder))


class FileTokenizer:
    """The tokenizer in a folder's tokenizer.json with the chat template beside it (`engines.codec.TokenizerLike`).

    Raises:
        MissingInput: the files cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        try:
            self._backend: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            config = _json(folder / "tokenizer_config.json")
        except Exception as error:  # tokenizers raises plain Exception
            raise MissingInput(f"{folder.name}: the tokenizer cannot be read: {error}") from None
        self._backend.no_truncation()
        self._backend.no_padding()
        template = folder / "chat_template.jinja"
        self.chat_template: str | dict[str, str] | None = (
            template.read_text(encoding="utf-8") if template.is_file() else _templates(config.get("chat_template"))
        )
        named = {name: _content(config.get(f"{name}_token")) for name in _SPECIAL}
        self._named = {name: text for name, text in named.items() if text is not None}
        self._extra = [text for text in map(_content, _extras(config)) if text is not None]
        for name in _SPECIAL:
            text = self._named.get(name)
            setattr(self, f"{name}_token_id", None if text is None else self._backend.token_to_id(text))

    unk_token_id: int | None
    eos_token_id: int | None

    @property
    def backend_tokenizer(self) -> Tokenizer:
        """The tokenizer itself."""
        return self._backend

    @cached_property
    def added_tokens_decoder(self) -> Mapping[int, Any]:
        """Every added token by its id."""
        found: Mapping[int, Any] = self._backend.get_added_tokens_decoder()
        return found

    @cached_property
    def all_special_ids(self) -> Sequence[int]:
        """The ids of the tokens that the configuration names special."""
        ids = (self._backend.token_to_id(text) for text in (*self._named.values(), *self._extra))
        return tuple(dict.fromkeys(token for token in ids if token is not None))

    def get_vocab(self) -> Mapping[str, int]:
        """Every token by its name."""
        found: Mapping[str, int] = self._backend.get_vocab(with_added_tokens=True)
        return found

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Token ids of a text."""
        ids: list[int] = self._backend.encode(text, add_special_tokens=add_special_tokens).ids
        return ids

    def decode(
        self,
        ids: Sequence[int],
        *,
        skip_special_tokens: bool,
        clean_up_tokenization_spaces: bool,  # noqa: ARG002 - never cleaned
    ) -> str:
        """Text of token ids."""
        return str(self._backend.decode(list(ids), skip_special_tokens=skip_special_tokens))

    def apply_chat_template(self, conversation: list[dict[str, Any]], **kwargs: Any) -> str:
        """The conversation as text; `tokenize` is taken for false.

        Raises:
            ValueError: there is no template.
        """
        given = {name: value for name, value in kwargs.items() if name != "tokenize"}
        tokens = {f"{name}_token": text for name, text in self._named.items()}
        return self._compiled.render(messages=conversation, tools=None, documents=None, **{**tokens, **given})

    @cached_property
    def _compiled(self) -> Template:
        source = self.chat_template
        if isinstance(source, dict):
            source = source.get("default") or next(iter(source.values()), None)
        if not source:
            raise ValueError("this tokenizer has no chat template")
        return compiled(source)


def compiled(source: str) -> Template:
    """A chat template with what such templates expect around them."""
    from jinja2.exceptions import TemplateError
    from jinja2.ext import Extension, loopcontrols
    from jinja2.nodes import CallBlock
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}` marks the assistant's words for training; here it is its contents."""

        tags = {"generation"}  # noqa: RUF012 - as jinja2 wants it

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
            return CallBlock(self.call_method("_same"), [], [], body).set_lineno(line)

        def _same(self, caller: Any) -> Any:
            return caller()

    def to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)

    def raise_exception(words: str) -> NoReturn:
        raise TemplateError(words)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().astimezone().strftime(form)
    return environment.from_string(source)


def _by_transformers(folder: Path, name: str) -> TokenizerLike:
    from transformers import AutoTokenizer

    try:
        tokenizer: TokenizerLike = AutoTokenizer.from_pretrained(str(folder))
    except (OSError, ValueError, KeyError, ImportError) as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise MissingInput(f"{name}: no tokenizer can be loaded from there: {first}", hint=_HINT) from None
    return tokenizer


_HINT: Final = "set options.tokenizer to the folder or hub id of the tokenizer of the model that the server serves"


def _hub_folder(name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(
            snapshot_download(name, revision=revision, allow_patterns=[*_FILES, "*.model", "vocab.*", "merges.txt"])
        )
    except (HFValidationError, HfHubHTTPError, OSError, ValueError) as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise MissingInput(f"{name}: neither a folder nor a tokenizer that the hub gave: {first}", hint=_HINT) from None


def _revision(folder: Path) -> str:
    """A digest of the tokenizer's files, 64 hex digits."""
    whole = hashlib.sha256()
    for name in _FILES[:3]:
        if (folder / name).is_file():
            whole.update(f"{name}\0".encode() + hashlib.sha256((folder / name).read_bytes()).digest())
    return whole.hexdigest()


def _context(folder: Path) -> int | None:
    """The context length in config.json, also where it stands under the text model's."""
    config = _json(folder / "config.json")
    nested = config.get("text_config")
    for place in (nested if isinstance(nested, dict) else {}, config):
        length = place.get("max_position_embeddings") or place.get("n_positions")
        if type(length) is int and length > 0:
            return length
    return None


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}


def _content(token: Any) -> str | None:
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) else None


def _extras(config: Mapping[str, Any]) -> list[Any]:
    found = config.get("extra_special_tokens") or config.get("additional_special_tokens") or []
    return list(found.values()) if isinstance(found, dict) else list(found)


def _templates(value: Any) -> str | dict[str, str] | None:
    """Templates as the configuration states them: one, or several by name."""
    if isinstance(value, list):
        return {each["name"]: each["template"] for each in value}
    return value if isinstance(value, str) else None
