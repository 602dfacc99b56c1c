"""What makes a generation run the run it is: the fingerprint's three parts, from the seed, the models and the principles.

What may change on the same run (which pairs are chosen, whether critiques are written, what is exported) is in no part.
"""

from __future__ import annotations

from collections.abc import Sequence

from generate.intake import Input
from generate.sampling import Policy
from judges.registry import AnyJudge
from tenet.ids import Json
from tenet.runs import Fingerprint, versions

PRINCIPLES = "principles"


def fingerprint(seed: int, policies: Sequence[Policy], judge: AnyJudge, found: Input) -> Fingerprint:
    """The fingerprint of a run; the principles and the prompts are its growth."""
    identity: dict[str, Json] = {"seed": seed}
    for policy in policies:
        identity[f"policy {policy.name}"] = policy.identity
    identity["judge"] = judge.fingerprint
    growth: dict[str, Json] = {PRINCIPLES: judge.constitution.digest, "prompts": found.digest}
    return Fingerprint(identity, growth, versions())
