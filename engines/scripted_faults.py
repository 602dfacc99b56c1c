"""Which of a scripted server's prompts meet a fault, and which: a pure function of the prompt, so that a test knows every right outcome.

Knows no HTTP; `engines.scripted_server` carries the faults out.
"""

from __future__ import annotations

import hashlib
import struct
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from engines.base import TokenIds
from tenet.errors import UsageError


class Fault(StrEnum):
    """What can go wrong between a client and a server that is up."""

    BUSY = "429"
    BROKEN = "500"
    OVERLOADED = "503"
    HANG = "hang"
    DRIP = "drip"
    RESET = "reset"
    TRUNCATED = "truncated"
    HTML = "html"
    ERROR_BODY = "error-body"
    NAN = "nan"
    MASKED = "masked"
    MISSING_LABEL = "missing-label"
    EMPTY_CHOICES = "empty-choices"

    @property
    def of_one_choice(self) -> bool:
        """Whether it spoils one prompt's answer and leaves the others of the same request alone."""
        return self in _OF_ONE_CHOICE


_OF_ONE_CHOICE: Final = frozenset({Fault.NAN, Fault.MASKED, Fault.MISSING_LABEL})


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """A share of all prompts meets one of `kinds`: the first time only, or, unless `transient`, always."""

    share: float = 0.0
    kinds: tuple[Fault, ...] = tuple(Fault)
    transient: bool = True

    @classmethod
    def of(cls, share: float, kinds: Iterable[str] = (), *, transient: bool = True) -> FaultPlan:
        """Read a plan from its words; no kinds means every kind.

        Raises:
            UsageError: a kind that there is not.
        """
        unknown = [kind for kind in kinds if kind not in set(Fault)]
        if unknown:
            raise UsageError(
                f"the scripted server knows no fault {', '.join(unknown)}", hint=f"name {', '.join(Fault)}"
            )
        return cls(share, tuple(map(Fault, kinds)) or tuple(Fault), transient)

    def fault(self, tokens: TokenIds) -> Fault | None:
        """The fault that this prompt meets, None for most."""
        if not self.share:
            return None
        place, kind = struct.unpack("<QQ", prompt_hash(tokens))
        if place / 2**64 >= self.share:
            return None
        return self.kinds[int(kind) % len(self.kinds)]


def prompt_hash(tokens: TokenIds) -> bytes:
    """Sixteen bytes that name a prompt: BLAKE2b of its ids as the machine's 32-bit words."""
    return hashlib.blake2b(array("I", tokens).tobytes(), digest_size=16).digest()
